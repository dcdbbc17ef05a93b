"""Revenue forecasts use nothing later, are scored once, and are called better only beyond chance."""

from __future__ import annotations

import datetime as dt
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crmlib as crm
from crmlib.no_rows import why_none
from crmlib.relationship.earlier_lists import lists_read_out
from crmlib.relationship.forecasts import COLUMNS, actual, monthly_sums, next_forecasts
from crmlib.relationship.outlook import outlook
from crmlib.relationship.track_record import (
    ENOUGH,
    evidence,
    gains_of,
    record_of,
    scores,
    track_record,
)
from crmlib.study.ledger import ABOUT, earlier, ledger_key, lock, read_locked


def a_log(months: int = 30, seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = []
    for month in range(months):
        first = (pd.Period("2022-01", "M") + month).start_time
        who = np.concatenate([random.integers(0, 10 * (month + 1), 40), 10 * month + np.arange(10)])
        day = first + pd.to_timedelta(random.integers(0, 28, len(who)), unit="D")
        rows.append(
            pd.DataFrame({"customer_id": who, "date": day, "amount": random.gamma(3.0, 9.0, len(who))})
        )
    return pd.concat(rows, ignore_index=True).astype({"customer_id": str})


LOG = a_log()


# -- forecasts


@pytest.mark.parametrize("day", ["2023-06-30", "2023-11-12", "2022-05-31"])
def test_later_purchases_do_not_change_a_forecast(day):
    now = next_forecasts(monthly_sums(LOG[LOG["date"] <= day], as_of=day), as_of=day)
    later = next_forecasts(monthly_sums(LOG, as_of="2024-06-30"), as_of=day)
    pd.testing.assert_frame_equal(now, later)


def test_existing_and_new_customers_add_up_and_so_does_what_happened():
    months = monthly_sums(LOG, as_of="2024-06-30")
    found = next_forecasts(months, as_of="2023-11-30")
    table = found.pivot(index=["horizon", "measure"], columns="customers", values=["forecast", "naive"])
    for value in ("forecast", "naive"):
        assert np.allclose(table[value]["existing"] + table[value]["new"], table[value]["all"])
    rows = found[found["horizon"] == "quarter"].drop_duplicates("measure").to_dict("records")
    for row in rows:
        parts = [
            actual(months, row["target"], row["target_end"], row["measure"], who)
            for who in ("existing", "new", "all")
        ]
        assert parts[0] + parts[1] == pytest.approx(parts[2])
    within = LOG["date"].between("2023-12-01", "2024-02-29 23:59")
    assert actual(months, "2023-12-01", "2024-02-29", "revenue", "all") == pytest.approx(
        LOG.loc[within, "amount"].sum()
    )
    assert actual(months, "2023-12-01", "2024-02-29", "orders", "all") == within.sum()
    first = LOG.groupby("customer_id")["date"].transform("min")
    new = within & (first >= "2023-12-01")
    assert actual(months, "2023-12-01", "2024-02-29", "revenue", "new") == pytest.approx(
        LOG.loc[new, "amount"].sum()
    )


def test_the_target_is_the_first_complete_period_after_the_day():
    months = monthly_sums(LOG, as_of="2024-06-30")
    for day, start in {
        "2023-11-30": "2023-12-01",
        "2023-11-12": "2023-12-01",
        "2023-12-01": "2024-01-01",
    }.items():
        found = next_forecasts(months, as_of=day)
        assert {*found["target"]} == {pd.Timestamp(start)}
        assert {*(found["target_end"] - found["target"]).dt.days + 1} <= {28, 29, 30, 31, 90, 91, 92}


def test_the_naive_forecast_is_last_years_month_by_the_trend_of_three_months():
    months = monthly_sums(LOG, as_of="2024-06-30")
    total = months.groupby("period")["revenue"].sum()
    found = next_forecasts(months, as_of="2023-11-30")
    row = found.query("horizon == 'month' and measure == 'revenue' and customers == 'all'").iloc[0]
    trend = total["2023-09":"2023-11"].sum() / total["2022-09":"2022-11"].sum()
    assert row["naive"] == pytest.approx(total["2022-12"] * trend)
    early = next_forecasts(months, as_of="2022-08-31")
    row = early.query("horizon == 'month' and measure == 'revenue' and customers == 'all'").iloc[0]
    assert row["naive"] == pytest.approx(total["2022-08"])  # the last month, where there is no last year


def test_few_months_give_no_band_and_two_give_no_forecast():
    months = monthly_sums(LOG, as_of="2024-06-30")
    assert next_forecasts(months, as_of="2022-05-31")["low"].isna().all()
    assert (
        why_none(next_forecasts(months, as_of="2022-03-15")) == "there are fewer than three complete months"
    )
    assert list(next_forecasts(months, as_of="2022-03-15").columns) == COLUMNS


# -- evidence


@given(st.lists(st.sampled_from([0.1, 0.3, 0.6, 0.9, 1.0]), min_size=2, max_size=2), st.integers(1, 9))
@settings(max_examples=30)
def test_under_the_null_the_mean_evidence_is_at_most_one(ends, looks):
    """By all outcomes: gains of two values with mean 0. So by Ville it reaches 20 in one of 20 worlds at most."""
    up, down = ends
    chance = down / (up + down)
    mean = often = 0.0
    for ups in itertools.product([True, False], repeat=looks):
        p = np.prod([chance if one else 1 - chance for one in ups])
        found = evidence(np.where(ups, up, -down))
        mean += p * found[-1]
        often += p * (found.max() >= ENOUGH)
    assert mean <= 1 + 1e-12
    assert often <= 1 / ENOUGH


def test_a_forecast_that_improved_late_is_not_better_on_average():
    """The average is what is tested: a strong second half that does not make up for the first proves nothing."""
    assert evidence(np.r_[np.full(20, -0.8), np.full(20, 0.8)]).max() <= 1.0


def test_a_clearly_better_forecast_is_found():
    gains = np.random.default_rng(1).normal(0.4, 0.2, (300, 24)).clip(-1, 1)
    assert np.mean([evidence(one).max() >= ENOUGH for one in gains]) > 0.8


# -- scores


def locked_forecasts(*days: str) -> pd.DataFrame:
    months = monthly_sums(LOG, as_of="2024-06-30")
    return pd.concat([next_forecasts(months, as_of=day) for day in days], ignore_index=True)


def test_a_forecast_is_scored_once_thirty_days_after_its_target():
    locked = locked_forecasts("2023-06-30")
    months = monthly_sums(LOG, as_of="2024-06-30")
    assert why_none(scores(locked, months, as_of="2023-08-29")).startswith(
        "no forecast has a target that ended"
    )
    first = scores(locked, months, as_of="2023-08-30")
    assert {*first["horizon"]} == {"month"}
    assert len(first) == 6
    again = scores(locked, months, as_of="2023-12-31", known=first)
    assert {*again["horizon"]} == {"quarter"}
    assert why_none(scores(locked, months, as_of="2024-01-31", known=pd.concat([first, again])))
    row = first.query("measure == 'revenue' and customers == 'all'").iloc[0]
    july = LOG["date"].between("2023-07-01", "2023-07-31 23:59")
    assert row["actual"] == pytest.approx(LOG.loc[july, "amount"].sum())


def test_restated_actuals_are_shown_and_change_no_score():
    locked, months = locked_forecasts("2023-06-30"), monthly_sums(LOG, as_of="2024-06-30")
    first = scores(locked, months, as_of="2023-08-30")
    late = months.assign(revenue=months["revenue"] * 0.5)  # half of it went back
    record = track_record(first, late)
    assert sorted(record["actual"]) == sorted(first["actual"])
    money = record["measure"] == "revenue"
    assert np.allclose(record.loc[money, "restated"], record.loc[money, "actual"] / 2)


def test_only_the_first_forecast_of_a_target_counts_and_targets_do_not_overlap():
    days = ["2023-06-30", "2023-07-15", "2023-07-31", "2023-08-12", "2023-08-31", "2023-09-30"]
    months = monthly_sums(LOG, as_of="2024-06-30")
    record = track_record(scores(locked_forecasts(*days), months, as_of="2024-06-30"), months)
    rows = record.query("measure == 'revenue' and customers == 'all'")
    month, quarter = rows[rows["horizon"] == "month"], rows[rows["horizon"] == "quarter"]
    # of 15 July to August, of 12 August to September: both wait for days that July's and August's targets have
    assert month.loc[month["counted"], "origin"].dt.strftime("%m-%d").tolist() == [
        "06-30",
        "07-31",
        "08-31",
        "09-30",
    ]
    assert quarter.loc[quarter["counted"], "origin"].dt.strftime("%m-%d").tolist() == ["06-30", "09-30"]


def test_the_record_of_exact_forecasts_and_of_bad_ones():
    months = monthly_sums(LOG, as_of="2024-06-30")
    days = pd.date_range("2022-06-30", "2024-03-31", freq="ME").strftime("%Y-%m-%d")
    scored = scores(locked_forecasts(*days), months, as_of="2024-06-30")
    scored = scored.assign(
        cap=200.0, naive=scored["actual"] + 150.0, low=scored["actual"] - 1, high=scored["actual"] + 1
    )
    exact = record_of(track_record(scored.assign(forecast=scored["actual"]), months))
    assert (exact.verdict, exact.error, exact.inside) == ("better", 0.0, len(days))
    assert "They beat the naive forecast" in exact.sentence
    bad = scored.assign(forecast=scored["actual"] + 900.0, naive=scored["actual"], low=0.0, high=1.0)
    worse = record_of(track_record(bad, months))
    assert (worse.verdict, worse.inside) == ("worse", 0)
    alike = record_of(track_record(scored.assign(forecast=scored["naive"]), months))
    assert alike.verdict == "undecided"
    assert "is undecided (evidence 1, 20 decides)" in alike.sentence


def test_losses_are_capped_and_without_a_cap_nothing_is_compared():
    rows = pd.DataFrame(
        {"actual": [0.0, 0.0], "naive": [50.0, 1e9], "forecast": [0.0, 20.0], "cap": [100.0, 7.0]}
    )
    assert gains_of(rows).tolist() == [0.5, 0.8]
    assert gains_of(rows.assign(cap=0.0)).tolist() == [0.0, 0.0]


# -- the ledger


@pytest.fixture
def run(tmp_path):
    tables = tmp_path / "runs" / "r1" / "tables"
    tables.mkdir(parents=True)
    locked_forecasts("2023-06-30").assign(known_to=pd.Timestamp("2023-06-30")).to_parquet(
        tables / "forecasts.parquet"
    )
    return tables.parent


def test_the_first_lock_of_a_day_stays(tmp_path, run):
    ledger, day = tmp_path / "ledger", dt.date(2023, 6, 30)
    assert lock(ledger, day, run, currency="USD", ids_by="")
    kept = (ledger / "2023-06-30" / "forecasts.parquet").read_bytes()
    pd.DataFrame({"origin": [1]}).to_parquet(run / "tables" / "forecasts.parquet")
    assert not lock(ledger, day, run, currency="USD", ids_by="")
    assert (ledger / "2023-06-30" / "forecasts.parquet").read_bytes() == kept


def test_a_run_sees_only_the_ledger_of_earlier_days(tmp_path, run):
    ledger = tmp_path / "ledger"
    empty = ledger_key(ledger, dt.date(2023, 7, 31))
    lock(ledger, dt.date(2023, 6, 30), run, currency="USD", ids_by="")
    before = ledger_key(ledger, dt.date(2023, 7, 31))
    assert before != empty
    lock(ledger, dt.date(2023, 7, 31), run, currency="USD", ids_by="")
    lock(ledger, dt.date(2023, 9, 30), run, currency="USD", ids_by="")  # a clock that was set back
    assert ledger_key(ledger, dt.date(2023, 7, 31)) == before
    assert len(read_locked(ledger, dt.date(2023, 7, 31), "forecasts")) == 12
    assert why_none(read_locked(ledger, dt.date(2023, 6, 30), "forecasts")) == "no earlier run is kept"


@pytest.mark.parametrize("damage", ["about", "table", "gone"])
def test_entries_changed_after_the_lock_do_not_count(tmp_path, run, damage):
    ledger = tmp_path / "ledger"
    lock(ledger, dt.date(2023, 6, 30), run, currency="USD", ids_by="")
    folder = ledger / "2023-06-30"
    if damage == "about":
        (folder / ABOUT).write_text("{")
    elif damage == "table":
        locked_forecasts("2023-06-30").to_parquet(folder / "forecasts.parquet")
    else:
        (folder / "forecasts.parquet").unlink()
    assert earlier(ledger, dt.date(2024, 1, 1)) == []


def test_other_currencies_and_forecasts_made_in_hindsight_do_not_count(tmp_path, monkeypatch):
    """As by a run for an earlier day on a log that goes on, and by one before the firm changed its currency."""
    monkeypatch.setenv("CRMLIB_LEDGER", str(tmp_path / "ledger"))
    for number, (day, known_to, currency) in enumerate(
        [
            ("2023-10-31", "2023-10-31", "EUR"),
            ("2023-11-30", "2024-06-30", "USD"),
            ("2023-12-31", "2023-12-31", "USD"),
        ]
    ):
        tables = tmp_path / f"r{number}" / "tables"
        tables.mkdir(parents=True)
        locked_forecasts(day).assign(known_to=pd.Timestamp(known_to)).to_parquet(tables / "forecasts.parquet")
        lock(tmp_path / "ledger", dt.date.fromisoformat(day), tables.parent, currency=currency, ids_by="")
    study = crm.open_study(LOG, currency="USD", as_of="2024-06-28")
    found = outlook(study)
    assert {*found.scores["origin"]} == {pd.Timestamp("2023-12-31")}
    text = " ".join(found.sentences)
    assert "12 earlier forecasts made when their target was over: not counted." in text
    assert "12 earlier forecasts in another currency: not counted." in text


# -- earlier lists


def a_list(customers: int = 400, runs: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A list of whom every fourth was left out; of the treated 60 in 100 buy, of those left out 30."""
    ids = [f"c{number:04d}" for number in range(customers)]
    rows = pd.DataFrame({"customer_id": ids, "rule": "letter", "assigned": pd.Timestamp("2024-03-31")})
    rows["left_out"] = [number % 4 == 0 for number in range(customers)]
    buys = [number % 40 < (12 if number % 4 == 0 else 24) for number in range(customers)]
    log = pd.DataFrame(
        {"customer_id": np.array(ids)[buys], "date": pd.Timestamp("2024-04-10"), "amount": 10.0}
    )
    return rows.assign(runs=runs, currency="USD", ids_by=""), log


DONE = pd.DataFrame(
    {"customer_id": ["c0001", "c0002", "zz"], "rule": "letter", "done_on": pd.Timestamp("2024-04-02")}
)
READ = dict(as_of="2024-06-30", currency="USD", ids_by="")


def test_a_list_is_compared_with_its_holdout_by_intention_to_treat():
    rows, log = a_list()
    found = lists_read_out(rows, log, DONE, **READ).iloc[0]
    assert (found["customers"], found["done"], found["left_out"]) == (400, 2, 100)
    treated = log["customer_id"].isin(rows.loc[~rows["left_out"], "customer_id"]).sum() / 300
    assert found["treated_mean"] == pytest.approx(treated)
    assert found["difference"] == pytest.approx(treated - (len(log) - 300 * treated) / 100)
    assert found["result"].startswith("Of the list “letter” (400 customers), 2 were done; ")
    assert "beyond chance" in found["result"]


def test_actions_that_are_on_no_list_are_counted_in_words():
    """A rule that was misspelt, a customer who was never listed, and the same action twice."""
    rows, log = a_list()
    more = DONE.iloc[[0, 0, 0]].assign(
        rule=["leter", "leter", "letter"], customer_id=["c0001", "c0001", "nobody"]
    )
    sentence = lists_read_out(rows, log, pd.concat([DONE, more]), **READ)["result"].iloc[-1]
    assert sentence.endswith("3 actions of the table actions_done are on no earlier list: not counted.")
    one, none = (lists_read_out(rows, log, done, **READ)["result"].iloc[-1] for done in (DONE, DONE[:2]))
    assert one.endswith("1 action of the table actions_done is on no earlier list: not counted.")
    assert "no earlier list" not in none


def test_a_result_that_is_not_known_yet_or_never_will_be_is_reported():
    rows, log = a_list(runs=3)
    assert "is known after 3 lists" in lists_read_out(rows, log, DONE, **READ)["result"].iloc[0]
    never = rows.assign(runs=0, left_out=False)
    assert "nobody was left out by chance" in lists_read_out(never, log, DONE, **READ)["result"].iloc[0]
    other = lists_read_out(rows, log, DONE, **(READ | {"ids_by": "another"}))
    assert "by another key" in why_none(other)
    gone = lists_read_out(rows, log[log["customer_id"] > "c0200"], DONE[:0], **READ).iloc[0]
    assert gone["customers"] == 400  # whoever is gone from the log bought nothing, and is not dropped


def test_a_lock_is_stored_as_plain_json(tmp_path, run):
    lock(tmp_path / "ledger", dt.date(2023, 6, 30), run, currency="USD", ids_by="ab")
    about = json.loads((tmp_path / "ledger" / "2023-06-30" / ABOUT).read_text())
    assert about["currency"] == "USD"
    assert [*about["files"]] == ["forecasts.parquet"]
