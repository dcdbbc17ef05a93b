"""Bad input is refused or treated and said; no customer is on both sides; reasons add up."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import crmlib as crm
from crmlib.errors import CrmError, DataError, FitError
from crmlib.models import scoring
from crmlib.models.churn import reasons as reasons_module
from crmlib.models.churn.candidates import held_out_splits
from crmlib.models.churn.features import read_labels
from crmlib.models.churn.reasons import explained_by

trees_explained = pytest.mark.skipif(find_spec("shap") is None, reason="needs the extra `reasons`")


def customers(n=1500, seed=0, **columns):
    """A firm in which short tenure and monthly contracts leave; the log odds are linear."""
    random = np.random.default_rng(seed)
    tenure, monthly = random.integers(0, 60, n), random.random(n) < 0.5
    log_odds = 0.3 - 0.06 * tenure + 1.2 * monthly
    churned = random.random(n) < 1 / (1 + np.exp(-log_odds))
    frame = pd.DataFrame({"customer_id": [f"c{i:05d}" for i in range(n)], "tenure": tenure})
    frame["contract"] = np.where(monthly, "Month-to-month", "One year")
    frame["price"] = random.normal(50, 10, n).round(2)
    return frame.assign(churned=np.where(churned, "Yes", "No"), **columns)


@pytest.fixture(scope="module")
def firm():
    return customers()


@pytest.fixture(scope="module")
def linear(firm):
    return crm.ChurnModel("logistic").fit(firm)


@pytest.fixture(scope="module")
def trees(firm):
    return crm.ChurnModel("gradient_boosting").fit(firm)


# -- labels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["Yes", "No"], [" yes ", "NO"], ["churned", "stayed"], [1, 0], [1.0, 0.0], ["1", "0"], [True, False],
        ["Attrited Customer", "Existing Customer"], ["True.", "False."], [np.True_, np.False_],
    ],
)  # fmt: skip
def test_labels_are_read_from_words(words):
    assert read_labels(pd.Series([words[0], words[1], words[1]], name="x"))[0].tolist() == [1, 0, 0]


def test_labels_not_known_are_nobody_s():
    churned, note = read_labels(pd.Series(["Yes", None, "", "n/a", np.nan, "No"], name="Churn"))
    assert np.isnan(churned).tolist() == [False, True, True, True, True, False]
    assert note.endswith("; 4 not known")


def test_words_without_a_meaning_are_refused_with_the_cure():
    column = pd.Series(["Sold", "Kept", "Kept"], name="state")
    with pytest.raises(
        DataError, match=r"state: 'Sold' has no known meaning; found 'Kept', 'Sold'.*positive="
    ):
        read_labels(column)
    assert read_labels(column, positive="sold")[0].tolist() == [1, 0, 0]
    with pytest.raises(DataError, match="there is no 'Gone'"):
        read_labels(column, positive="Gone")


# -- refusals -----------------------------------------------------------------------------------------------


def test_one_class_few_customers_and_no_label_are_refused(firm):
    with pytest.raises(FitError, match="churned: nobody left among the 1,500 customers"):
        crm.churn_data(firm.assign(churned="No"))
    with pytest.raises(FitError, match=r"customers left and \d+ stayed; at least 25 of each"):
        crm.churn_data(firm.head(30))
    with pytest.raises(FitError, match=r"churned is empty in every row.*columns: {churned: Churn}"):
        crm.churn_data(firm.assign(churned=None))
    with pytest.raises(DataError, match=r"no column 'churned' that says who left.*label=\"Churn\""):
        crm.churn_data(firm.rename(columns={"churned": "Churn"}))
    with pytest.raises(FitError, match="no column is left to learn from: tenure is left out: it is the same"):
        crm.churn_data(firm[["customer_id", "churned"]].assign(tenure=1))
    with pytest.raises(CrmError, match="estimator is 'forest'; allowed: auto, logistic"):
        crm.ChurnModel("forest").fit(firm)
    with pytest.raises(CrmError, match="not fitted yet"):
        crm.ChurnModel().p_churn(firm)


def test_left_out_columns_are_reported(firm):
    odd = firm.assign(
        country="DE",
        empty=np.nan,
        email=firm["customer_id"] + "@x",
        joined=["2024-01-05", "2024-02-05"] * 750,
        day=pd.Timestamp(0),
    )
    data = crm.churn_data(odd, leave_out=["price"])
    assert list(data.features) == ["tenure", "contract"]
    message = "\n".join(data.notes)
    for part in ("country is left out: it is the same", "empty is left out: it is empty", "price is left out: by",
                 "email is left out: its 1,500 different texts identify", "joined is left out: it is a date",
                 "day is left out: it is a date"):  # fmt: skip
        assert part in message


def test_numbers_in_text_are_numbers_and_blanks_are_missing(firm):
    text = firm.assign(price=firm["price"].map(lambda one: f" {one} "))
    text.loc[:9, "price"] = [" ", "", "NA", "null", "?", None, np.nan, "none", "n/a", "-3.5"]
    data = crm.churn_data(text)
    assert data.read.kinds["price"] == "number"
    assert data.features["price"].isna().sum() == 9
    assert data.features["price"][9] == -3.5


# -- leaks --------------------------------------------------------------------------------------------------


def leaks_of(frame):
    found = crm.leak_check(crm.churn_data(frame))
    return dict(zip(found["column"], found["finding"], strict=True))


def test_planted_leaks_are_named_and_nothing_else(firm):
    random = np.random.default_rng(1)
    left = firm["churned"].eq("Yes").to_numpy()
    planted = firm.assign(
        score_afterwards=left + random.normal(0, 0.2, len(firm)),
        why=np.where(left, random.choice(["price", "moved", "service"], len(firm)), "not asked"),
        exit_interview=np.where(left & (random.random(len(firm)) < 0.5), "done", None),
        last_bill=np.where(left & (random.random(len(firm)) < 0.4), np.nan, random.normal(50, 5, len(firm))),
        call_duration=random.gamma(2, 60, len(firm)) * (1 + 2 * left),
    )
    leaks = {"score_afterwards", "why", "exit_interview", "last_bill"}
    assert leaks_of(planted) == {**dict.fromkeys(leaks, "leak"), "call_duration": "suspect"}
    assert leaks_of(firm) == {}


def test_a_leak_is_refused_or_kept_as_asked(firm):
    leaking = firm.assign(closed=firm["churned"].eq("Yes").astype(int))
    with pytest.raises(
        FitError, match=r"closed alone predicts who left \(ROC AUC 1.000\).*leave_out=\['closed'\]"
    ):
        crm.ChurnModel("logistic").fit(leaking)
    data = crm.churn_data(leaking)
    data = data.without_leaks(crm.leak_check(data))
    assert "closed is left out: it predicts the outcome almost perfectly" in data.notes
    assert "closed" not in crm.ChurnModel("logistic").fit(data).kinds
    assert "closed" in crm.ChurnModel("logistic").fit(leaking, keep_leaks=True).kinds


def test_redundant_columns_are_distinguished_from_leaks(firm):
    total = firm["tenure"] * firm["price"]
    frame = firm.assign(
        total=total.round(2), cents=100 * firm["price"] + 700, terms=firm["contract"].str.lower()
    )
    found = crm.leak_check(crm.churn_data(frame)).set_index("column")
    assert found["finding"].eq("redundant").all()
    assert found.loc["total", "what"].startswith("total is tenure × price (R² 1.000)")
    assert found.loc["cents", "what"].startswith("cents is 100 × price + 700 (R² 1.000)")
    assert found.loc["terms", "what"] == "terms separates the same customers as contract"


# -- splits -------------------------------------------------------------------------------------------------


def test_rows_of_a_customer_are_never_in_two_folds(firm):
    twice = pd.concat([firm, firm.iloc[:700].assign(tenure=lambda rows: rows["tenure"] + 1)])
    data = crm.churn_data(twice)
    assert any("2,200 rows are of 1,500 customers" in note for note in data.notes)
    splits, _ = held_out_splits(data, 0)
    ids = data.customer_id.to_numpy()
    assert all(not set(ids[train]) & set(ids[test]) for train, test in splits)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(2200))


def test_with_dates_the_later_are_predicted_from_the_earlier_known_by_then():
    days = pd.to_datetime(["2024-01-31", "2024-04-30", "2024-07-31", "2024-10-31"])
    frames = [
        customers(seed=i, date=day, outcome_known_on=day + pd.Timedelta(120, "D"))
        for i, day in enumerate(days)
    ]
    data = crm.churn_data(pd.concat(frames).drop(columns="customer_id"))
    ((train, test),), note = held_out_splits(data, 0)
    assert set(data.date[test]) == {days[3]}
    assert set(data.date[train]) == set(days[:2])  # what became of those of July was not known in October
    assert "1,500 earlier rows are not used for fitting" in note
    assert crm.evaluate_churn(data, estimator="logistic", resamples=5).notes[0] == note


def test_an_outcome_known_only_later_is_not_known(firm):
    later = np.where(np.arange(len(firm)) < 400, "2024-07-31", "2024-03-31")
    data = crm.churn_data(firm.assign(outcome_known_on=later), as_of="2024-06-30")
    assert len(data.features) == 1100
    assert len(data.unlabelled) == 400
    assert "400 outcomes became known after 2024-06-30 and are not used" in data.notes


# -- scoring ------------------------------------------------------------------------------------------------


def test_the_truth_is_found_on_new_customers(linear):
    new = customers(4000, seed=9)
    truth = 0.3 - 0.06 * new["tenure"] + 1.2 * (new["contract"] == "Month-to-month")
    assert np.corrcoef(linear.log_odds(new), truth)[0, 1] > 0.99
    assert linear.p_churn(new).mean() == pytest.approx(
        new["churned"].eq("Yes").mean(), abs=0.03
    )  # 2.5 errors


@pytest.mark.parametrize("kind", ["linear", "trees"])
def test_missing_and_unseen_values_are_scored_and_reported(kind, request, firm):
    model = request.getfixturevalue(kind)
    odd = firm.head(4).assign(contract=["Lifetime", None, "One year", "Lifetime"], tenure=[5, 5, np.nan, 5])
    p = model.p_churn(odd)
    assert p.between(0, 1).all()
    assert model.surprises(odd) == ["contract: 2 customers have a value not seen before ('Lifetime')"]
    assert model.surprises(firm) == []
    with pytest.raises(DataError, match="the table lacks tenure, which the model was fitted with"):
        model.p_churn(odd.drop(columns="tenure"))
    with pytest.raises(DataError, match="price: 'cheap' is no number"):
        model.p_churn(odd.assign(price="cheap"))
    with pytest.raises(DataError, match="the table has no rows"):
        model.p_churn(firm.head(0))


def test_the_same_seed_gives_the_same_scores(firm, trees):
    again = crm.ChurnModel("gradient_boosting").fit(firm)
    pd.testing.assert_series_equal(again.p_churn(firm), trees.p_churn(firm))


# -- reasons ------------------------------------------------------------------------------------------------


def test_reasons_of_the_linear_model_are_coefficient_times_distance(firm, linear):
    found = linear.contributions(firm)
    assert found.sum(axis=1).to_numpy() == pytest.approx(linear.log_odds(firm))
    gap = found["tenure"][firm["tenure"] == 10].iloc[0] - found["tenure"][firm["tenure"] == 40].iloc[0]
    assert gap == pytest.approx(30 * 0.06, rel=0.15)
    assert abs(found["price"]).max() < 0.4
    assert explained_by(linear.estimator_).startswith("exact")


@trees_explained
def test_shapley_values_of_trees_add_up_and_spare_what_says_nothing(firm, trees):
    found = trees.contributions(firm.assign(price=np.nan).head(50))
    assert found.sum(axis=1).to_numpy() == pytest.approx(trees.log_odds(firm.assign(price=np.nan).head(50)))
    size = trees.contributions(firm).drop(columns="base").abs().mean()
    assert size.idxmin() == "price"
    assert explained_by(trees.estimator_) == "exact: Shapley values of the trees (package shap)"


def test_without_the_package_trees_are_explained_by_the_linear_model_with_a_note(firm, trees, monkeypatch):
    monkeypatch.setattr(reasons_module, "find_spec", lambda name: None)
    found = trees.contributions(firm)
    assert np.isfinite(found.to_numpy()).all()
    assert (
        "of a logistic regression fitted to the same customers, not of the gradient boosting"
        in explained_by(trees.estimator_)
    )
    assert "pip install crmlib[reasons]" in explained_by(trees.estimator_)


def test_reasons_are_named_among_those_asked_for_alone(firm, linear):
    rows = firm.head(20)
    every, few = linear.reasons(rows), linear.reasons(rows, among=["tenure"])
    named = few.loc[few["reason_1"] != "", "reason_1"]
    assert len(named) > 10
    assert named.str.startswith("tenure").all()
    assert (few["reason_2"] == "").all()
    assert not every["reason_1"].str.startswith("tenure").all()
    assert (linear.reasons(rows, among=[])["reason_1"] == "").all()
    pd.testing.assert_series_equal(few["p_churn"], every["p_churn"])


def test_reasons_are_in_the_data_s_words(firm, linear):
    new = firm.head(1).assign(tenure=0, contract="Month-to-month", price=np.nan)
    row = linear.reasons(new, n=3).iloc[0]
    assert row["reason_1"].startswith("tenure 0: +")
    assert row["reason_2"].startswith("contract Month-to-month: +0.")
    assert row["reason_3"] == ""  # the price moves nobody
    with pytest.raises(CrmError, match="n is 9; the model has 1 to 3 features"):
        linear.reasons(new, n=9)


def test_parquet_is_scored_in_pieces_as_in_memory(tmp_path, firm, linear, monkeypatch):
    monkeypatch.setattr(scoring, "_ROWS_AT_ONCE", 333)
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    firm.assign(note="kept").to_parquet(source, row_group_size=400)
    assert linear.score_parquet(source, target, reasons=2) == len(firm)
    scored = pd.read_parquet(target)
    pd.testing.assert_frame_equal(scored[list(firm)], firm)
    assert (scored["note"] == "kept").all()
    expected = linear.reasons(firm, n=2)
    pd.testing.assert_frame_equal(scored[list(expected)], expected)
    assert set(tmp_path.iterdir()) == {source, target}  # no draft is left
    with pytest.raises(DataError, match="has p_churn, reason_1, reason_2 already"):
        linear.score_parquet(target, source, reasons=2)
    assert pq.ParquetFile(source).metadata.num_rows == len(firm)
