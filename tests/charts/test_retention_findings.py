"""Titles of the charts of retention and activity say what their frames say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib import charts
from crmlib import format as fmt
from crmlib.customers.sentences import change_of_recurring_revenue
from crmlib.economics.retention.claim import retention_claim
from crmlib.economics.sentences import claim_in_words, worth_of_next_points
from crmlib.models.sentences import chances_of_buying, overdue_buyers, survival_compared
from tests.charts import frames
from tests.charts.test_findings import usd

few = settings(max_examples=15)


@few
@given(st.sampled_from([0.0, 60.0, 275.0, 420.0]), st.integers(40, 95))
def test_worth_of_the_next_points(cost: float, percent: int) -> None:
    curve, rate = frames.value_by_retention(cost), percent / 100
    title = usd(worth_of_next_points(curve, rate, 0.05, " of profit"))
    net, after = (float(np.interp(one, curve["retention_rate"], curve["net"])) for one in (rate, rate + 0.05))
    assert net == pytest.approx(110 / (1.1 - rate) - cost, rel=1e-6, abs=1e-6)
    brings = f"At {fmt.share(rate)} retention a customer brings {fmt.money(net, 'USD')} of profit in all"
    assert title.startswith(brings)
    assert ("net of acquisition cost" in title) == (cost > 0)
    if percent > 90:
        assert "are outside the curve" in title
    elif net > 0:
        assert title.endswith(f"5 points more add {fmt.share(after / net - 1)}")


def test_the_title_says_that_a_firm_is_beyond_the_curve() -> None:
    assert "outside the curve" in usd(worth_of_next_points(frames.value_by_retention(), 0.2, 0.05))


FIRM = {"retained": 8000, "customers": 10_000, "contribution": 100, "discount_rate": 0.1}


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"acquisition_cost": 275}, "“80 % more profit” is undecided: five points more add 80 % ("),
        ({"acquisition_cost": 0}, "contradicted: five points more add 20 % ("),
        ({"acquisition_cost": 0}, "less than 80 %"),
        ({"acquisition_cost": 320}, "supported: five points more add"),
        ({}, "cannot be tested: five points more add 20 % before acquisition cost, which is not known"),
        ({"acquisition_cost": 500}, "cannot be tested: a customer brings less than acquisition costs"),
        ({"contribution": None, "acquisition_cost": 9}, "cannot be tested: costs are known but no margin"),
    ],
)
def test_the_title_of_the_rise_has_the_verdict_of_the_claim(known: dict, message: str) -> None:
    finding = retention_claim(**(FIRM | known)).finding
    title = claim_in_words(frames.value_by_retention(), finding, 0.8)
    assert message in title
    assert (
        sum(f" {word}" in title for word in ("supported", "contradicted", "undecided", "cannot be tested"))
        == 1
    )
    assert finding.verdict in title


def test_survival_is_compared_where_all_were_seen() -> None:
    curves = frames.survival({"monthly": 0.9, "yearly": 0.99}, until=24)
    found = survival_compared(curves)
    assert found.startswith(
        f"yearly: {fmt.share(0.99**12)} of contracts are still there after 12 months; "
        f"monthly: {fmt.share(0.9**12)} (difference "
    )
    assert found.endswith(": beyond chance)")
    assert found.difference.value == pytest.approx(0.99**12 - 0.9**12)
    wide = curves.assign(low=0.0, high=1.0)
    assert survival_compared(wide).endswith(": may be chance)")
    short = curves[(curves["group"] == "yearly") | (curves["tenure"] <= 6)]
    assert "after 3 months" in survival_compared(short)
    assert survival_compared(curves[curves["group"] == "yearly"]) == (
        f"After 12 months, {fmt.share(0.99**12)} of contracts are still there"
    )


def test_recurring_revenue_adds_up_and_names_its_largest_effect() -> None:
    title = usd(change_of_recurring_revenue(frames.movements(1000, [[50, 0, 0, 300], [10, 0, 20, 0]])))
    assert title == "Recurring revenue fell by 26 % to USD 740; largest effect: churn (−USD 300)"


def test_forecasts_that_are_drawn_are_named_with_the_groups_where_they_are_off_beyond_chance() -> None:
    """Of ten groups with a standard error of .02, a gap counts from .056 on (Bonferroni)."""
    table = frames.tenths({"Pareto/NBD": 0.05, "MBG/NBD": 0.06, "rule": -0.04, "boosting": 0.0, "fifth": 0.3})
    assert chances_of_buying(table) == (
        "Groups whose chances are off beyond chance: Pareto/NBD 0 of 10, MBG/NBD 9 of 10, rule 0 of 10, "
        "boosting 0 of 10"
    )
    drawn = charts.chances(table, what="Predicted chance to buy")
    named = [text.get_text() for text in drawn.figure.axes[0].texts]
    assert {"Pareto/NBD", "MBG/NBD", "rule", "boosting"} <= set(named)
    assert "fifth" not in named


def test_one_chance_for_everybody_is_not_judged_by_groups() -> None:
    table = frames.tenths({"model": 0.1, "rule": 0.2})
    base = table[table["model"] == "model"].head(1).assign(model="base rate")
    assert "base rate" not in chances_of_buying(pd.concat([table, base], ignore_index=True))


def test_overdue_counts_repeat_buyers_alone() -> None:
    title = overdue_buyers(frames.overdue([np.nan, 0.1, 0.3]), 0.05)
    assert (
        title
        == "80 customers are overdue: 20 % of repeat buyers, where 5 % are expected if nobody has lapsed"
    )
