"""Acquisition on tables of odd shapes: ties, repeated channels, gaps, refunds, weekly campaigns, several currencies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.errors import DataError

CHANNELS, START = ("ads", "fair", "mail", "web"), pd.Timestamp("2023-01-01")


def firm(n=600, seed=3):
    """Prospects, purchases, monthly spend and paths of a small firm."""
    random = np.random.default_rng(seed)
    came = START + pd.to_timedelta(random.integers(0, 700, n), unit="D")
    won = random.random(n) < 0.3
    end = came + pd.to_timedelta(random.integers(1, 60, n), unit="D")
    leads = pd.DataFrame({"lead_id": np.arange(n), "created": came, "channel": random.choice(CHANNELS, n)})
    leads["customer_id"] = [f"c{one}" if is_won else None for one, is_won in enumerate(won)]
    leads["won_on"], leads["lost_on"] = end.where(won), end.where(~won)
    first = leads[won].rename(columns={"won_on": "date"})[["customer_id", "date"]].assign(amount=50.0)
    again = first.sample(frac=0.6, random_state=seed).assign(
        date=lambda rows: rows["date"] + pd.Timedelta(40, "D")
    )
    spend = [
        (day, channel, float(random.integers(100, 900)))
        for day in pd.date_range(START, periods=24, freq="MS")
        for channel in CHANNELS
    ]
    many = random.integers(1, 5, n)
    lead = np.repeat(np.arange(n), many)
    paths = pd.DataFrame({"lead_id": lead, "channel": random.choice(CHANNELS, len(lead))})
    paths["date"] = came[lead] + pd.to_timedelta(random.integers(0, 20, len(lead)), unit="h")
    return (
        leads,
        pd.concat([first, again], ignore_index=True),
        pd.DataFrame(spend, columns=["date", "channel", "amount"]),
        paths,
    )


def chapter(leads, log, spend, **options):
    return crm.Acquisition(log, "2025-03-31", leads=leads, marketing_spend=spend, margin=0.5, **options)


def credited(paths, leads):
    return crm.Acquisition(None, "2025-03-31", leads=leads).attribution(paths).set_index("channel")


def test_of_contacts_at_the_same_time_none_is_first_by_its_name():
    leads, _, _, paths = firm(2000)
    days = paths.assign(date=paths["date"].dt.normalize())  # all of a prospect on one day
    credit = credited(days, leads)
    wins = credit["first_touch"].sum()
    assert credit["first_touch"].between(0.2 * wins, 0.3 * wins).all()  # a quarter each, by chance
    again = credited(days.sample(frac=1, random_state=1), leads)
    pd.testing.assert_frame_equal(credit, again)


def test_a_channel_that_is_met_again_and_again_is_on_a_path_once():
    leads, _, _, paths = firm()
    again = pd.concat([paths, *[paths.assign(channel="ads")] * 6])
    credit = credited(again, leads)
    assert credit.loc["ads", "paths"] == len(leads)
    assert credit["removal"].idxmax() == "ads"  # every path goes through it
    rules = credit[["first_touch", "last_touch", "linear", "removal"]].sum()
    assert rules.tolist() == pytest.approx([leads["won_on"].notna().sum()] * 4)


def test_a_contact_on_the_day_of_the_win_is_on_the_path():
    leads = pd.DataFrame({"lead_id": [1, 2], "won_on": pd.to_datetime(["2024-05-03", None])})
    leads["lost_on"] = pd.to_datetime([None, "2024-05-03"])
    hour = pd.to_datetime(["2024-05-03 15:00", "2024-05-03 09:00", "2024-05-04 09:00"])
    paths = pd.DataFrame({"lead_id": [1, 2, 2], "channel": ["a", "b", "later"], "date": hour})
    assert credited(paths, leads)["paths"].to_dict() == {"a": 1, "b": 1}
    exact = leads.assign(won_on=leads["won_on"] + pd.Timedelta(12, "h"))
    assert "a" not in credited(paths, exact).index  # it came three hours after


def test_a_prospect_who_stands_twice_has_one_path_and_who_was_lost_first_is_lost():
    leads, _, _, paths = firm()
    twice = pd.concat(
        [leads, leads.head(50).assign(won_on=lambda rows: rows["won_on"] + pd.Timedelta(3, "D"))]
    )
    pd.testing.assert_frame_equal(credited(paths, twice), credited(paths, leads))
    late = leads.assign(lost_on=leads["lost_on"].fillna(leads["won_on"] - pd.Timedelta(1, "D")))
    assert credited(paths, late)["last_touch"].sum() == 0


def test_prospects_without_channel_and_contacts_without_prospect():
    leads, log, spend, paths = firm()
    gaps = paths.astype({"lead_id": float})  # as pandas has whole numbers with gaps
    gaps.loc[::4, "lead_id"] = np.nan
    gaps.loc[::5, "channel"] = None
    kept = paths[gaps["lead_id"].notna() & gaps["channel"].notna()]
    pd.testing.assert_frame_equal(credited(gaps, leads), credited(kept, leads))
    nameless = leads.assign(channel=leads["channel"].mask(leads.index % 3 == 0))
    found = chapter(nameless, log, spend)
    assert found.funnel().set_index("channel").loc["(not known)", "leads"] == 200
    costs = found.cost_per_customer().set_index("channel")
    assert np.isnan(costs.loc["(not known)", "cac"])
    assert (
        costs.loc["all channels", "customers"]
        == chapter(leads, log, spend).cost_per_customer()["customers"][0]
    )


def test_refunds_larger_than_spend_give_no_cost():
    leads, log, spend, _ = firm()
    back = spend[spend["channel"] == "ads"].assign(amount=-2000.0)
    row = chapter(leads, log, pd.concat([spend, back])).cost_per_customer().set_index("channel").loc["ads"]
    assert np.isnan(row["cac"])
    assert "more came back than was spent" in row["remark"]


def test_spend_in_two_currencies_is_refused():
    leads, log, spend, _ = firm()
    mixed = spend.assign(currency=np.where(spend["channel"] == "mail", "USD", "EUR"))
    with pytest.raises(DataError, match="marketing_spend is in EUR and USD"):
        chapter(leads, log, mixed).cost_per_customer()
    with pytest.raises(DataError, match="in CHF and EUR"):
        chapter(leads, log, spend.assign(currency="EUR"), currency="CHF").cost_per_customer()
    assert len(chapter(leads, log, spend.assign(currency="EUR"), currency="EUR").cost_per_customer())


def test_weekly_spend_by_campaign_adds_up_and_campaigns_are_clusters():
    leads, log, _, _ = firm()
    weeks = pd.date_range("2023-01-02", "2025-03-24", freq="W-MON")
    spend = pd.DataFrame(
        [(day.date(), "ads", campaign, 50.0, 1000.0, 10.0 + 80 * (campaign == "b"))
         for day in weeks for campaign in "ab"],
        columns=["date", "channel", "market", "amount", "impressions", "clicks"],
    )  # fmt: skip
    found = chapter(leads, log, spend)
    row = found.cost_per_customer().set_index("channel").loc["ads"]
    # A year has 52 or 53 Mondays, whatever the delay to the purchase.
    assert row["spent"] in (5200.0, 5300.0)
    ctr = found.unit_costs().set_index("channel").loc["ads"]
    assert ctr["ctr"] == pytest.approx(0.05)
    assert ctr["ctr_high"] / ctr["ctr_low"] > 1.2  # the campaigns differ, whatever the number of clicks


def test_nobody_buys_again_in_words():
    leads, log, spend, _ = firm()
    once = chapter(leads, log.drop_duplicates("customer_id"), spend)
    assert "hardly anybody bought again" in once.early_value().attrs["finding"]
    assert "repeat" in once.channel_values().reason


def test_without_visits_the_table_of_traffic_has_the_same_columns():
    tables = crm.simulate_firm(400, 2, random_state=3).tables
    spend = tables["marketing_spend"]
    known = dict(customers=tables["customers"], leads=tables["leads"])
    found = [
        crm.Acquisition(tables["transactions"], "2025-12-31", marketing_spend=some, **known).traffic()
        for some in (spend, spend.drop(columns="clicks"))
    ]
    assert list(found[0].columns) == list(found[1].columns)
    assert len(found[0]) > len(found[1]) == 0
