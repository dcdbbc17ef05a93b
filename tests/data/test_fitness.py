"""Each gate passes, warns and fails as it should, on logs made for that."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib import format as fmt
from crmlib.data.fitness import fitness_gates
from crmlib.errors import CannotAnswerError

AS_OF = "2024-12-31"


def log(customers=600, days=365, per_day=20, seed=1):
    """A steady shop: the same chance to buy every day, new customers to the end."""
    rng = np.random.default_rng(seed)
    day = np.repeat(pd.date_range(end=AS_OF, periods=days), per_day)
    who = rng.integers(0, customers, len(day)) + np.arange(len(day)) * customers // (4 * len(day))
    return pd.DataFrame({"customer_id": who.astype(str), "date": day, "amount": 10.0})


def gates(frame, as_of=AS_OF, log_starts=None):
    return fitness_gates(frame, as_of=as_of, log_starts=log_starts).set_index("gate")


def test_a_steady_shop_passes_every_gate():
    found = gates(log(), log_starts="with_firm")
    assert found["status"].unique().tolist() == ["pass"]
    assert found.columns.tolist() == ["found", "threshold", "status", "meaning", "analyses"]
    assert found.loc["history", "found"] == "365 days"


def test_cdnow_is_fit_but_for_its_closed_cohort():
    study = crm.open_study("cdnow")
    found = gates(study.all_transactions, study.as_of)
    assert found.index[found["status"] != "pass"].tolist() == ["closed cohort", "start of the log"]
    assert found.loc["buyers", "found"] == "23,570 buyers"
    assert found.loc["repeat buyers", "found"].startswith("49 % bought again")
    assert found.loc["closed cohort", "found"] == (
        "nobody new after 1997-03-25, so a fall may come from age alone"
    )
    assert found.loc["start of the log", "status"] == "not judged"
    assert "not because the firm declines" in found.loc["closed cohort", "meaning"]


@pytest.mark.parametrize(("buyers", "status"), [(500, "pass"), (499, "warn"), (100, "warn"), (99, "fail")])
def test_buyers(buyers, status):
    frame = pd.DataFrame(
        {"customer_id": [str(i) for i in range(buyers)], "date": pd.Timestamp(AS_OF), "amount": 1.0}
    )
    assert gates(frame).loc["buyers", "status"] == status


@pytest.mark.parametrize(("days", "status"), [(180, "pass"), (179, "warn"), (89, "fail")])
def test_history(days, status):
    assert gates(log(days=days)).loc["history", "status"] == status


@pytest.mark.parametrize(
    ("as_of", "status"), [("2025-01-30", "pass"), ("2025-01-31", "warn"), ("2025-05-01", "fail")]
)
def test_time_since_the_last_purchase(as_of, status):
    assert gates(log(), as_of).loc["time since last purchase", "status"] == status


def test_repeat_buyers():
    once = pd.DataFrame(
        {"customer_id": [str(i) for i in range(700)], "date": pd.Timestamp(AS_OF), "amount": 1.0}
    )
    assert gates(once).loc["repeat buyers", "status"] == "fail"
    again = once[:20].assign(date=pd.Timestamp("2024-12-01"))
    assert gates(pd.concat([once, again])).loc["repeat buyers", "status"] == "warn"


def test_a_gap_of_missing_days_is_found_and_weekends_are_not():
    frame = log()
    missing = frame[(frame["date"] < "2024-06-03") | (frame["date"] > "2024-06-09")]
    found = gates(missing).loc["gaps in the calendar"]
    assert found["status"] == "warn"
    assert found["found"].startswith("1, the longest 7 days from 2024-06-03 (1")  # of 140 purchases, about
    assert gates(frame[frame["date"].dt.dayofweek < 5]).loc["gaps in the calendar", "status"] == "pass"


def test_a_sudden_shift_is_found_and_slow_growth_is_not():
    frame = log()
    halved = pd.concat([frame[frame["date"] < "2024-07-01"], frame[frame["date"] >= "2024-07-01"][::3]])
    found = gates(halved).loc["sudden level shifts"]
    assert found["status"] == "warn"
    assert abs(
        pd.Timestamp(found["found"].split("from ")[1][:10]) - pd.Timestamp("2024-07-01")
    ) <= pd.Timedelta(8, "D")
    rng = np.random.default_rng(2)
    growing = frame[rng.random(len(frame)) < np.linspace(0.1, 1, len(frame))]
    assert gates(growing).loc["sudden level shifts", "status"] == "pass"


def test_stray_dates_do_not_make_a_history():
    strays = pd.DataFrame(
        {"customer_id": ["1", "2"], "date": pd.to_datetime(["1970-01-01", "2099-12-31"]), "amount": 1.0}
    )
    found = gates(pd.concat([log(), strays]))
    assert found.loc["stray dates", "status"] == "warn"
    assert found.loc["stray dates", "found"] == (
        "1 purchases from 1970-01-01 on, long before the others; 1 purchases after 2024-12-31"
    )
    assert found.loc["history", "found"] == "365 days"


def test_returns_are_no_purchases():
    frame = pd.concat([log(), log().assign(amount=-5.0, date=pd.Timestamp("2023-01-01"))])
    assert gates(frame).loc["history", "found"] == "365 days"
    with pytest.raises(
        CannotAnswerError, match="there is no purchase up to 2020-01-01 that was kept; choose"
    ):
        fitness_gates(frame, as_of="2020-01-01")


def test_a_placeholder_id_is_named():
    frame = log(per_day=32, customers=1200)[:11_709]
    till = frame.sample(291, random_state=3).assign(customer_id="0")
    found = gates(pd.concat([frame, till])).loc["one id for many"]
    second = frame["customer_id"].value_counts().iloc[0]
    assert found["status"] == "warn"
    assert found["found"] == f"customer '0' has 291 purchases, 2.4 % of all; the next one has {second}"
    assert "policies.missing_ids" in found["meaning"]


def test_lines_of_an_order_are_one_purchase_of_its_customer():
    lines = log()[:290].assign(customer_id="0", order_id="o1")
    orders = log().assign(order_id=lambda rows: rows.index.astype(str))
    assert gates(pd.concat([orders, lines])).loc["one id for many", "status"] == "pass"


@pytest.mark.parametrize("name", ["cdnow", "cdnow-sample", "simulated-firm"])
def test_the_best_customer_of_a_real_log_is_no_placeholder(name):
    study = crm.open_study(name)
    assert gates(study.all_transactions, study.as_of).loc["one id for many", "status"] == "pass"


def test_a_placeholder_id_is_shown_as_in_the_cleaned_log(monkeypatch, tmp_path):
    monkeypatch.setenv("CRMLIB_HASH_SECRET", "only the tests know this")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "shop").mkdir(parents=True)
    log().assign(customer_id="till 7").to_csv(tmp_path / "data" / "shop" / "log.csv", index=False)
    (tmp_path / "data" / "shop" / "study.yaml").write_text(
        "title: Shop\nprivacy: hash\ntables: {transactions: {source: log.csv}}\n"
    )
    study = crm.open_study("shop")
    hashed = study.all_transactions.to_pandas()["customer_id"].unique()
    found = gates(study.all_transactions, study.as_of).loc["one id for many", "found"]
    assert found == f"customer {hashed[0]!r} has 7,300 purchases, 100 % of all; the next one has 0"
    assert "till" not in found


def test_buyers_are_those_of_the_summary_where_purchases_went_back_in_full():
    """Of 4 buyers one returned everything, one a second purchase, and one returns only after as_of."""
    rows = [
        ("returned all", "2024-01-10", 50.0, "2024-02-01"),
        ("kept one", "2024-01-11", 20.0, None),
        ("kept one", "2024-03-01", 30.0, "2024-12-31 23:00"),
        ("returns later", "2024-01-12", 20.0, None),
        ("returns later", "2024-04-01", 40.0, "2025-01-01"),
        ("loyal", "2024-01-13", 20.0, None),
        ("loyal", "2024-05-01", 20.0, None),
        ("loyal", "2024-06-01", 20.0, None),
    ]
    frame = pd.DataFrame(rows, columns=["customer_id", "date", "amount", "reversed_on"])
    frame = frame.assign(
        date=pd.to_datetime(frame["date"]),
        reversed_on=pd.to_datetime(frame["reversed_on"], format="ISO8601"),
        is_purchase=True,
        returned_purchase_date=pd.NaT,
    )
    found = gates(frame)
    frequency = crm.rfm_summary(frame, as_of=AS_OF)["frequency"]
    assert found.loc["buyers", "found"] == f"{len(frequency)} buyers" == "3 buyers"
    assert found.loc["repeat buyers", "found"] == (
        f"{fmt.share((frequency >= 1).mean())} bought again, {(frequency >= 2).sum()} on three days or more"
    )
    everything_back = frame[frame["customer_id"] == "returned all"]
    with pytest.raises(
        CannotAnswerError, match="no purchase up to 2024-12-31 that was kept; choose a later as_of"
    ):
        gates(everything_back)
