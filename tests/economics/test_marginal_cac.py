"""What one more customer costs: where the truth is known, where it cannot be estimated, and with bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm

MONTHS = pd.date_range("2022-01-01", periods=36, freq="MS")


def firm(seed=0, elasticity=0.5, helps=0.0, budgets="chance", each=200.0):
    """Two channels whose budgets bring prospects by a known elasticity; every fourth of them is won after ten days."""
    random = np.random.default_rng(seed)
    usual, came = 1000.0, each
    leads, spend = [], []
    brings = elasticity if callable(elasticity) else lambda level: level**elasticity
    for month in MONTHS:
        level = {
            "chance": random.choice([0.4, 0.7, 1.0, 1.3, 1.6], 2),
            "constant": np.ones(2),
            "following": np.full(2, came / each) * np.exp(0.3 * random.standard_normal(2)),
        }[budgets]
        times = np.exp(0.4 * random.standard_normal()) if budgets == "following" else 1.0
        chance = 0.25 * level[1] ** helps
        now = [
            random.poisson(times * each * (brings(level[at]) if at == 0 else level[at] ** 0.2))
            for at in range(2)
        ]
        came = float(sum(now)) / 2
        for channel, share, many in zip("ab", level, now, strict=True):
            spend.append((month, channel, usual * share))
            won = random.random(many) < chance
            day = month + pd.to_timedelta(random.integers(0, 28, many), unit="D")
            leads.append(
                pd.DataFrame(
                    {"channel": channel, "created": day, "won_on": (day + pd.Timedelta(10, "D")).where(won)}
                )
            )
    return pd.concat(leads, ignore_index=True), pd.DataFrame(spend, columns=["date", "channel", "amount"])


def marginal_cac(leads, spend, *, as_of):
    return crm.Acquisition(None, as_of, leads=leads, marketing_spend=spend).marginal_cac()


def cost(leads, spend):
    return marginal_cac(leads, spend, as_of="2025-06-30").set_index("channel")


def test_known_elasticity():
    leads, spend = firm(each=3000.0)
    row = cost(leads, spend).loc["a"]
    # One more win by a costs the average cost over the elasticity of .5; b helps nobody.
    assert row["own_cac"] == pytest.approx(2 * row["average_cac"], rel=0.1)
    assert row["verdict"] == "estimated"
    won = leads["won_on"].notna() & (leads["channel"] == "a")
    assert row["average_cac"] == pytest.approx(row["spent"] / won.sum())


def test_intervals_hold_the_truth_nine_times_in_ten():
    rows = [cost(*firm(seed)).loc["a"] for seed in range(40)]
    held = [row["marginal_cac_low"] < 2 * row["average_cac"] < row["marginal_cac_high"] for row in rows]
    assert sum(held) >= 31  # fewer have a chance of 1 in 100 where nine of ten hold it


def test_a_channel_that_helps_others_costs_less_than_its_own_wins_say():
    row = cost(*firm(each=3000.0, helps=0.3)).loc["b"]
    assert row["marginal_cac_high"] < row["own_cac"]


def test_a_budget_that_drives_prospects_away_wins_nobody():
    row = cost(*firm(each=3000.0, elasticity=-0.5)).loc["a"]
    assert row["verdict"] == "more of it wins nobody"
    assert np.isinf([row["marginal_cac_low"], row["marginal_cac"], row["marginal_cac_high"]]).all()


def test_a_response_that_saturates_is_not_taken_for_a_steeper_one():
    """Brought: 1 - exp(-2 level), so at all levels together 1,000 more win what the slope says, by hand."""
    leads, spend = firm(each=4000.0, elasticity=lambda level: -np.expm1(-2 * level))
    row = cost(leads, spend).loc["a"]
    level = spend.loc[spend["channel"] == "a", "amount"] / 1000
    wins = (0.25 * 4000 * 2 * level * np.exp(-2 * level)).sum()
    assert row["own_cac"] == pytest.approx(1000 * level.sum() / wins, rel=0.1)


def test_channels_are_compared_by_their_difference():
    table = marginal_cac(*firm(each=3000.0), as_of="2025-06-30")
    assert "1,000 more win" in table.attrs["finding"]
    assert table.attrs["compared"]["low"] > 0
    alike = firm(each=3000.0, elasticity=0.2)
    assert "may be chance" in marginal_cac(*alike, as_of="2025-06-30").attrs["finding"]


def test_no_effect_is_an_infinite_cost():
    rows = [cost(*firm(seed, elasticity=0.0)).loc["a"] for seed in range(20)]
    unsure = [row for row in rows if np.isinf(row["marginal_cac_high"])]
    assert len(unsure) >= 0.85 * len(rows)
    for row in unsure:  # without an upper end no cost is shown, but the least that it can be
        nobody = np.isinf(row["marginal_cac_low"])
        assert row["verdict"].startswith(
            "more of it wins nobody" if nobody else "cannot be estimated: more of it may"
        )
        assert np.isinf(row["marginal_cac"]) if nobody else np.isnan(row["marginal_cac"])


def test_constant_budgets_give_no_estimate():
    table = cost(*firm(budgets="constant"))
    assert table["verdict"].str.startswith("cannot be estimated: its budget hardly changes").all()
    assert table[["marginal_cac", "own_cac"]].isna().all(axis=None)
    assert (
        "cannot be estimated" in marginal_cac(*firm(budgets="constant"), as_of="2025-06-30").attrs["finding"]
    )


def test_spend_per_prospect_gives_no_estimate():
    leads, spend = firm()
    many = leads[leads["channel"] == "a"].groupby(leads["created"].dt.to_period("M")).size().to_numpy()
    spend.loc[spend["channel"] == "a", "amount"] = 5.0 * many
    assert cost(leads, spend).loc["a", "verdict"].startswith("cannot be estimated: it is paid per prospect")


def test_few_months_give_no_estimate():
    leads, spend = firm()
    late = pd.Timestamp("2024-04-01")
    table = cost(leads[leads["created"] >= late], spend[spend["date"] >= late])
    assert table["verdict"].str.contains("too few").all()


def test_open_prospects_of_late_months_do_not_lower_the_wins():
    leads, spend = firm(each=2000.0)
    day = pd.Timestamp("2024-12-12")
    whole = cost(leads, spend)
    early = marginal_cac(leads[leads["created"] <= day], spend, as_of=day.date()).set_index("channel")
    assert early.loc["a", "own_cac"] == pytest.approx(whole.loc["a", "own_cac"], rel=0.1)


def test_absent_tables_and_months_without_both():
    leads, spend = firm()
    assert "no table leads" in marginal_cac(None, spend, as_of="2025-06-30").reason
    assert "no table marketing_spend" in marginal_cac(leads, None, as_of="2025-06-30").reason
    elsewhere = spend.assign(date=spend["date"] - pd.DateOffset(years=5))
    assert "no month with both" in marginal_cac(leads, elsewhere, as_of="2025-06-30").reason
