"""Customer forecasts: chances are locked without ids, use nothing later, and are scored where nobody acted."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.no_rows import why_none
from crmlib.relationship.allocation import keyed_hashes
from crmlib.relationship.customer_forecasts import (
    both,
    buyers,
    chances_of_buying,
    chances_of_ending,
    contracts_ended,
)
from crmlib.relationship.customer_record import (
    SCORED,
    customer_forecasts,
    customer_record,
    left_alone,
    record_in_words,
    score_chances,
)
from crmlib.study.ledger import lock
from crmlib.study.results import NotebookResults
from tests.relationship.firms import firm
from tests.relationship.test_track_record import LOG

KEY = "firm"
ORIGIN, TARGET, END = pd.Timestamp("2024-01-31"), pd.Timestamp("2024-02-01"), pd.Timestamp("2024-02-29")


def a_forecast(chances: dict[str, float], event: str = "buys", horizon: str = "month", base: float = 0.5):
    row = (ORIGIN, event, horizon, TARGET, END, len(chances), sum(chances.values()), base)
    names = "origin event horizon target target_end customers expected base_rate".split()
    kept = pd.DataFrame(
        {"origin": ORIGIN, "who": keyed_hashes(chances, KEY), f"{event}_{horizon}": chances.values()}
    )
    return pd.DataFrame([row], columns=names), kept


def a_list(left_out: dict[str, bool], assigned: pd.Timestamp = ORIGIN) -> pd.DataFrame:
    rows = pd.DataFrame({"customer_id": [*left_out], "left_out": [*left_out.values()]})
    return rows.assign(rule="letter", assigned=assigned)


NO_LIST, NOT_DONE = pd.DataFrame(), pd.DataFrame({"customer_id": [], "done_on": pd.to_datetime([])})


def scored(forecast, did, lists=NO_LIST, done=NOT_DONE) -> pd.Series:
    found = score_chances(*forecast, lambda _row: did, lists=lists, done=done, as_of="2024-04-01", key=KEY)
    assert list(found.columns) == SCORED
    return found.iloc[0]


# -- chances


@pytest.mark.parametrize("day", ["2023-06-30", "2023-11-12", "2024-03-31"])
def test_later_purchases_do_not_change_the_chances(day):
    cut = LOG[LOG["date"] <= day]
    for then, now in zip(
        chances_of_buying(cut, as_of=day, key=KEY), chances_of_buying(LOG, as_of=day, key=KEY), strict=True
    ):
        assert len(then)
        pd.testing.assert_frame_equal(then, now)


def test_the_file_of_chances_has_every_customer_and_no_id():
    totals, chances = chances_of_buying(LOG, as_of="2023-11-30", key=KEY)
    known = LOG.loc[LOG["date"] < "2023-12-01", "customer_id"].unique()
    assert {*chances["who"]} == {*keyed_hashes(known, KEY)}
    assert len(chances) == len(known)
    assert list(chances.columns) == ["origin", "who", "buys_month", "buys_quarter", "leaves_quarter"]
    assert not {*keyed_hashes(known, KEY)} & {*keyed_hashes(known, "another key")}
    for row in totals.itertuples():
        mine = chances[f"{row.event}_{row.horizon}"].dropna()
        assert (row.customers, row.expected) == (len(mine), pytest.approx(mine.sum()))


def test_the_base_rate_is_the_share_of_the_last_period_and_who_is_active_bought_within_92_days():
    totals, chances = chances_of_buying(LOG, as_of="2023-11-30", key=KEY)
    rows = totals.set_index(["event", "horizon"])
    seen = LOG[LOG["date"] < "2023-12-01"]
    known = seen.loc[seen["date"] < "2023-11-01", "customer_id"].unique()
    bought = seen.loc[seen["date"] >= "2023-11-01", "customer_id"].unique()
    assert rows.loc[("buys", "month"), "base_rate"] == pytest.approx(np.isin(known, bought).mean(), abs=5e-5)
    last = seen.groupby("customer_id")["date"].max()
    active = last.index[(pd.Timestamp("2023-12-01") - last).dt.days <= 92]
    assert rows.loc[("leaves", "quarter"), "customers"] == pytest.approx(len(active), abs=2)
    both_known = chances.dropna()
    assert np.allclose(both_known["buys_quarter"] + both_known["leaves_quarter"], 1, atol=1e-3)


def test_the_chances_are_calibrated_in_total():
    """Over two years of a steady demand, a sum of chances is right on average."""
    off, spread = 0.0, 0.0
    for day in pd.date_range("2023-01-31", "2024-05-31", freq="ME"):
        totals, chances = chances_of_buying(LOG, as_of=day, key=KEY)
        first = totals.iloc[0]
        happened = buyers(LOG, first["target"], first["target_end"])
        known = LOG.loc[LOG["date"] < day + pd.Timedelta(1, "D"), "customer_id"].unique()
        off += np.isin(known, happened).sum() - first["expected"]
        spread += (
            chances["buys_month"] * (1 - chances["buys_month"])
        ).sum() * 2  # what was learned is as uncertain
    assert abs(off) < 3 * np.sqrt(spread)


@pytest.mark.parametrize("day", ["2022-01-20", "2022-02-27"])
def test_a_short_log_gives_no_chances_and_says_why(day):
    totals, chances = chances_of_buying(LOG[LOG["date"] <= day], as_of=day, key=KEY)
    assert (
        why_none(totals)
        == why_none(chances)
        == "too few customers bought, or did not, in the last period that is over"
    )


# -- contracts

CONTRACTS = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c", "d", "d"],
        "subscription_id": ["1", "2", "3", "4", "5"],
        "start": pd.to_datetime(["2023-01-01"] * 4 + ["2024-02-01"]),
        "end": pd.to_datetime([None, "2023-12-15", "2024-03-10", None, None]),
        "price_per_month": 10.0,
    }
)


def test_contracts_that_end_are_those_of_customers_who_had_one():
    assert contracts_ended(CONTRACTS, "2023-10-31", "2024-01-31").to_dict() == dict(
        a=False, b=True, c=False, d=False
    )
    assert contracts_ended(CONTRACTS, ORIGIN, "2024-04-30").to_dict() == dict(a=False, c=True, d=False)


def test_the_chances_of_chapter_5_are_kept_with_the_share_that_left_before():
    at_risk = pd.DataFrame({"customer_id": ["a", "c", "d"], "p_churn": [0.1, 0.6, 0.2]})
    totals, chances = chances_of_ending(at_risk, CONTRACTS, as_of=ORIGIN, horizon_months=3, key=KEY)
    row = totals.iloc[0]
    assert (row["target"], row["target_end"]) == (TARGET, pd.Timestamp("2024-04-30"))
    assert (row["customers"], row["expected"], row["base_rate"]) == (3, pytest.approx(0.9), 0.25)
    assert dict(zip(chances["who"], chances["leaves_contract"], strict=True)) == dict(
        zip(keyed_hashes("acd", KEY), (0.1, 0.6, 0.2), strict=True)
    )
    bought = a_forecast({"a": 0.3, "x": 0.4})
    together = both(bought, (totals, chances))
    assert len(together[0]) == 2
    assert together[1].set_index("who").loc[
        keyed_hashes("a", KEY)[0], ["buys_month", "leaves_contract"]
    ].tolist() == [
        0.3,
        0.1,
    ]
    assert len(together[1]) == 4
    ended = contracts_ended(CONTRACTS, ORIGIN, row["target_end"])
    found = scored((totals, chances), ended.index[ended])
    assert found["brier"] == pytest.approx((0.1**2 + 0.4**2 + 0.2**2) / 3)


# -- scores


def test_the_brier_score_by_hand():
    found = scored(a_forecast({"a": 0.9, "b": 0.2, "c": 0.4}, base=0.5), ["a", "c", "somebody new"])
    assert (found["customers"], found["happened"], found["expected"]) == (3, 2, pytest.approx(1.5))
    assert found["brier"] == pytest.approx((0.1**2 + 0.2**2 + 0.6**2) / 3)
    assert found["base_brier"] == pytest.approx(0.25)
    own = (0.4**2 + 0.3**2 + 0.1**2) / 3
    assert found["gain_counted"] == pytest.approx((0.25 - 0.41 / 3) / (2 * own))
    assert not found["holdout"]


def test_a_customer_without_a_purchase_counts_as_left():
    found = scored(a_forecast({"a": 0.9, "b": 0.2}, "leaves", "quarter"), ["b"])
    assert (found["happened"], found["brier"]) == (1, pytest.approx((0.1**2 + 0.2**2) / 2))


def test_a_gain_is_capped_at_twice_the_expected_gain():
    assert (
        scored(a_forecast({"a": 0.6, "b": 0.6}), ["a", "b"])["gain_counted"] == 1.0
    )  # .25 - .16 is over 2 · .01
    assert scored(a_forecast({"a": 0.6, "b": 0.6}), [])["gain_counted"] == -1.0
    assert scored(a_forecast({"a": 0.5, "b": 0.5}), ["a"])["gain_counted"] == 0.0


def test_only_the_holdout_is_scored_if_there_is_a_list():
    chances = {"a": 0.9, "b": 0.2, "c": 0.4, "d": 0.3}
    lists = a_list({"a": True, "b": False, "c": True})
    found = scored(a_forecast(chances), ["a"], lists)
    assert (found["customers"], found["brier"]) == (2, pytest.approx((0.1**2 + 0.4**2) / 2))
    assert found["holdout"]
    # c was left out of one list and chosen by the other; then c was acted on by mistake
    chosen = pd.concat([lists, a_list({"c": False}).assign(rule="call")])
    done = pd.DataFrame({"customer_id": ["c"], "done_on": [pd.Timestamp("2024-02-10")]})
    for treated in (
        scored(a_forecast(chances), ["a"], chosen),
        scored(a_forecast(chances), ["a"], lists, done),
    ):
        assert (treated["customers"], treated["brier"]) == (1, pytest.approx(0.1**2))


def test_without_actions_everybody_is_scored_and_without_a_holdout_nobody():
    chances = a_forecast({"a": 0.9, "b": 0.2})
    nobody_left = a_list({"a": False, "b": False})
    assert scored(chances, ["a"], nobody_left)["customers"] == 2
    later = a_list({"a": True}, END + pd.Timedelta(1, "D"))
    assert left_alone(later, NOT_DONE, ORIGIN, END, KEY) is None
    done = pd.DataFrame({"customer_id": ["a", "b"], "done_on": pd.to_datetime(["2024-02-10", None])})
    found = scored(chances, ["a"], nobody_left, done)
    assert (found["customers"], found["holdout"]) == (0, True)
    record = customer_record(pd.DataFrame([found]))
    assert not record["counted"].any()
    (line,) = record_in_words(record)
    assert line.endswith("cannot be scored: customers were acted on, and nobody was left out.")


def months_of(gains: list[float], customers: int = 50) -> pd.DataFrame:
    rows = []
    for number, gain in enumerate(gains):
        month = pd.Period("2022-01", "M") + number
        rows.append((
            (month - 1).end_time.normalize(), "buys", "month", month.start_time, month.end_time.normalize(), customers,
            5.0, 6, 0.1 - 0.02 * gain, 0.1, gain, False, pd.Timestamp("2024-06-30"),
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=SCORED)


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([0.5] * 24, "they are better, beyond chance"),
        ([-0.5] * 24, "they are worse, beyond chance"),
        ([0.5] * 3, "which is better is undecided"),
        ([0.5, -0.5] * 12, "which is better is undecided"),
    ],
)
def test_the_record_is_one_line_with_its_customers_and_its_verdict(gains, verdict):
    (line,) = record_in_words(customer_record(months_of(gains)))
    assert verdict in line
    assert f"{len(gains)} targets with 50 customers on average; " in line
    assert f"{5 * len(gains)} were expected and {6 * len(gains)} did" in line
    brier = np.mean(0.1 - 0.02 * np.array(gains))
    assert f"Brier score {brier:.3f}, of the last period's rate for everybody 0.100: " in line


def test_only_the_first_forecast_of_a_target_counts():
    rows = months_of([0.5, 0.5])
    again = rows.assign(origin=rows["target"] - pd.Timedelta(10, "D"))
    earlier = rows.assign(origin=rows["target"] - pd.Timedelta(20, "D"))
    record = customer_record(pd.concat([rows, again, earlier], ignore_index=True))
    # of the second month, the first two were made before the first month was over
    assert record.loc[record["counted"], "origin"].tolist() == [
        earlier["origin"].iloc[0],
        rows["origin"].iloc[1],
    ]


# -- with a ledger


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    """A ledger of the chances of some last days."""
    monkeypatch.setenv("CRMLIB_LEDGER", str(tmp_path / "ledger"))

    def keep(
        day: str, known_to: str = "", currency: str = "USD", ids_by: str = "", key: str = "study "
    ) -> None:
        tables = tmp_path / f"run-{day}" / "tables"
        tables.mkdir(parents=True)
        totals, chances = chances_of_buying(LOG, as_of=day, key=key)
        totals.assign(known_to=pd.Timestamp(known_to or day)).to_parquet(
            tables / "customer_forecasts.parquet"
        )
        chances.to_parquet(tables / "customer_chances.parquet")
        last = dt.date.fromisoformat(day)
        assert lock(tmp_path / "ledger", last, tables.parent, currency=currency, ids_by=ids_by)

    return keep


def test_a_locked_forecast_is_scored_customer_by_customer(ledger):
    study = crm.open_study(LOG, currency="USD", as_of="2024-05-30")
    key = f"{study.name} "
    ledger("2023-12-31", key=key)
    ledger("2024-03-31", key=key)
    found = customer_forecasts(study)
    assert found.scores[["origin", "event", "horizon"]].astype(str).values.tolist() == [
        ["2023-12-31", "buys", "month"],
        ["2023-12-31", "buys", "quarter"],
        ["2023-12-31", "leaves", "quarter"],
        ["2024-03-31", "buys", "month"],
    ]
    chances = chances_of_buying(LOG, as_of="2023-12-31", key=key)[1].set_index("who")["buys_month"]
    in_january = LOG["date"].between("2024-01-01", "2024-01-31 23:59")
    bought = {*keyed_hashes(LOG.loc[in_january, "customer_id"].unique(), key)}
    brier = np.mean([(p - (who in bought)) ** 2 for who, p in chances.items()])
    row = found.scores.iloc[0]
    assert (row["customers"], row["brier"]) == (len(chances), pytest.approx(brier))
    assert len(found.record) == 4
    assert [
        one
        for one in found.sentences
        if one.startswith("Earlier forecasts of who buys in the next month: 2 targets")
    ]


def test_other_keys_other_currencies_and_late_forecasts_are_reported_and_not_scored(ledger):
    ledger("2023-10-31", currency="EUR")
    ledger("2023-11-30", ids_by="another")
    ledger("2023-12-31", known_to="2024-06-30")
    found = customer_forecasts(crm.open_study(LOG, currency="USD", as_of="2024-05-30"))
    assert why_none(found.record) == "no forecast of customers has been scored yet"
    text = " ".join(found.sentences)
    assert "3 earlier forecasts of customers in another currency: not scored." in text
    assert (
        "3 earlier forecasts of customers with customers' ids by another key, so that nobody can be matched: "
        in text
    )
    assert "3 earlier forecasts of customers made when their target was over: not scored." in text


def test_contract_forecasts_of_chapter_5_are_scored_by_ended_contracts(tmp_path, monkeypatch):
    """Of 40 contracts the first ten end within three months; ten others ended in the three months before."""
    monkeypatch.setenv("CRMLIB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path / "run"))
    ids = [f"k{number:02d}" for number in range(50)]
    ends = ["2025-02-15"] * 10 + [None] * 30 + ["2024-11-15"] * 10
    contracts = pd.DataFrame(
        {"customer_id": ids, "start": "2024-01-01", "end": ends, "price_per_month": 10.0}
    )
    chance = np.r_[np.full(10, 0.6), np.full(30, 0.1)]
    NotebookResults("05_churn", tmp_path / "run").table(
        "customers_at_risk", pd.DataFrame({"customer_id": ids[:40], "p_churn": chance})
    )
    now = customer_forecasts(firm(tmp_path, subscriptions=contracts))
    row = now.totals.iloc[-1]
    assert (row["event"], row["horizon"], row["customers"]) == ("leaves", "contract", 40)
    assert (row["target_end"], row["expected"], row["base_rate"]) == (pd.Timestamp("2025-03-31"), 9.0, 0.2)
    assert any("of 40 customers with a contract 9 (" in one.lower() for one in now.sentences)
    tables = tmp_path / "locked" / "tables"
    tables.mkdir(parents=True)
    now.totals.to_parquet(tables / "customer_forecasts.parquet")
    now.chances.to_parquet(tables / "customer_chances.parquet")
    lock(tmp_path / "ledger", dt.date(2024, 12, 31), tables.parent, currency="EUR", ids_by="")
    about = (tmp_path / "study.yaml").read_text().replace("as_of: 2024-12-31", "as_of: 2025-05-31")
    (tmp_path / "study.yaml").write_text(about)
    later = customer_forecasts(crm.open_study(tmp_path / "study.yaml"))
    (tmp_path / "study.yaml").write_text(about.replace("  subscriptions: {source: subscriptions.csv}\n", ""))
    gone = customer_forecasts(crm.open_study(tmp_path / "study.yaml"))
    assert gone.scores.empty
    assert "1 earlier forecast of customers of a table that is no longer there: not scored." in gone.sentences
    score = later.scores.set_index("horizon").loc["contract"]
    assert (score["customers"], score["happened"]) == (40, 10)
    assert score["brier"] == pytest.approx((10 * 0.4**2 + 30 * 0.1**2) / 40)
    assert score["base_brier"] == pytest.approx((10 * 0.8**2 + 30 * 0.2**2) / 40)
    start = "Earlier forecasts of whose contract ends: 1 target with 40 customers on average;"
    assert any(sentence.startswith(start) for sentence in later.sentences)


def test_chances_that_nobody_could_look_up_are_not_locked_and_the_reason_is_given(tmp_path, monkeypatch):
    """Of a firm with features of customers alone, and of a report for an earlier day."""
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path / "run"))
    chances = pd.DataFrame({"customer_id": ["k1", "k2"], "p_churn": [0.6, 0.1]})
    contracts = pd.DataFrame(
        {
            "customer_id": ["k1", "k2"],
            "start": "2024-01-01",
            "end": ["2025-02-15", None],
            "price_per_month": 10.0,
        }
    )
    studies = {
        "a later one may lack those": crm.open_study("telco"),
        "the report is for an earlier day": crm.open_study(
            firm(tmp_path, subscriptions=contracts).folder / "study.yaml", as_of="2024-11-30"
        ),
    }
    for study in studies.values():
        assert not [line for line in customer_forecasts(study).sentences if "are not kept" in line]
    NotebookResults("05_churn", tmp_path / "run").table("customers_at_risk", chances)
    for why, study in studies.items():
        found = customer_forecasts(study)
        assert "contract" not in [*found.totals["horizon"]]
        (reason,) = [sentence for sentence in found.sentences if "are not kept" in sentence]
        assert why in reason
        assert why in why_none(found.totals) or study.has("transactions")
