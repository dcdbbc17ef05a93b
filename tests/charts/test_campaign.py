"""Charts of campaigns and experiments: the words follow the data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib import charts
from crmlib import format as fmt
from crmlib.economics.sentences import best_cut_off_in_words, experiments_that_differ, members_beside_others
from crmlib.models.sentences import order_by_effect
from tests.charts import frames
from tests.charts.looks import FINDING, assert_described, assert_legible
from tests.charts.test_findings import usd

profits = st.lists(st.floats(-1e6, 1e6).map(lambda one: round(one, 2)), min_size=1, max_size=6)


@settings(max_examples=15)
@given(profits)
def test_the_profit_curve_names_its_best_cut_off(values: list[float]) -> None:
    values = [0.0, *values]
    title = usd(best_cut_off_in_words(frames.profit_curves(one=values)))
    if max(values) <= 0:
        assert title == "No contact is profitable: contact nobody"
    else:
        assert fmt.money(max(values), "USD") in title
        share = int(np.argmax(values)) / (len(values) - 1)
        assert ("everybody" if share == 1 else fmt.share(share)) in title


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ([9, 9, 0, 9, 9], "Contacting 50 % of customers earns most, USD 800"),
        (
            [9, 200, 0, 300, 9],
            "Contacting 25 % to 75 % of customers earns most, within chance: USD 800",
        ),
        (
            [9, 200, 0, 300, 500],
            "Contacting 25 % or more of customers earns most, within chance: USD 800",
        ),
        ([900, 200, 0, 0, 0], "No contact is shown to pay, at most USD 800 at 50 % of customers"),
    ],
)
def test_cut_offs_not_significantly_worse_than_the_best_are_named_too(
    errors: list[float], message: str
) -> None:
    curve = frames.profit_curves(one=[0.0, 700, 800, 600, 400]).drop(columns="ranking")
    assert usd(best_cut_off_in_words(curve.assign(behind_error=errors))) == message


def test_rankings_are_compared() -> None:
    curves = frames.profit_curves(**{"by effect": [0, 900.0, 500], "by risk": [0, 300.0, 500]})
    curves.attrs["lead"] = (100.0, 700.0)
    assert usd(best_cut_off_in_words(curves)) == (
        "By effect: contacting 50 % of customers earns most, USD 900; by risk: at most USD 500 (difference USD 100 "
        "to USD 700: beyond chance)"
    )
    curves.attrs["lead"] = (-100.0, 700.0)
    assert best_cut_off_in_words(curves).endswith(": may be chance)")


def test_of_an_experiment_the_interval_of_the_profit_says_whether_it_pays() -> None:
    curve = frames.profit_curves(one=[0.0, 700, 400]).drop(columns=["ranking", "behind_error"])
    sure = curve.assign(profit_low=[0.0, 100, -50], profit_high=[0.0, 900, 900])
    assert (
        usd(best_cut_off_in_words(sure)) == "Contacting 50 % of customers earns USD 700 (USD 100 to USD 900)"
    )
    unsure = curve.assign(profit_low=[0.0, -100, -50], profit_high=[0.0, 900, 900])
    assert usd(best_cut_off_in_words(unsure)).startswith(
        "No contact is shown to pay, at most USD 700 (−USD 100 to"
    )


@pytest.mark.parametrize(
    ("values", "low", "high", "message"),
    [
        (
            [0, 0.4, 0.5],
            0.01,
            0.2,
            "The half with the highest predicted effect brings 80 % of what contacting",
        ),
        ([0, 0.9, 0.5], 0.01, 0.2, "some customers should not be contacted"),
        ([0, 0.52, 0.5], 0.01, 0.2, "brings as much as contacting everybody"),
        ([0, 0.3, -0.1], 0.01, 0.2, "gains; contacting everybody gains nothing"),
        ([0, 0.4, 0.5], -0.01, 0.2, "not shown to be better than by chance"),
        ([0, 0.1, 0.5], -0.2, -0.01, "worse than by chance"),
    ],
)
def test_qini_says_what_the_order_is_good_for(
    values: list[float], low: float, high: float, message: str
) -> None:
    assert message in order_by_effect(frames.qini(values), low, high)


A = "a: USD 4.00 (USD 2.50 to USD 5.50) per customer"
B = "b: −USD 3.00 (−USD 4.50 to −USD 1.50) per customer"


@pytest.mark.parametrize(
    ("verdicts", "message"),
    [
        (["supported", "undecided"], f"1 of 2 experiments made things better beyond chance, {A}"),
        (["undecided", "cannot be tested"], "No difference beyond chance is shown by any of 2 experiments"),
        (
            ["supported", "contradicted"],
            f"1 of 2 experiments made things better beyond chance, {A}; "
            f"1 of 2 experiments made things worse beyond chance, {B}",
        ),
        (["cannot be tested", "contradicted"], f"1 of 2 experiments made things worse beyond chance, {B}"),
    ],
)
def test_experiments_that_made_a_difference_are_counted(verdicts: list[str], message: str) -> None:
    frame = frames.differences(["a", "b"], [4.0, -3.0], verdicts)
    assert usd(experiments_that_differ(frame, True)) == message


def test_a_title_claims_an_effect_only_beyond_chance() -> None:
    apart = frames.differences(["a", "b", "c"], [9.0, 4.0, 3.0], ["supported"] * 3)
    assert usd(experiments_that_differ(apart, True)) == (
        "3 of 3 experiments made things better beyond chance, most a: USD 9.00 (USD 7.50 to USD 10.50) per customer"
    )
    near = frames.differences(["a", "b", "c"], [5.0, 4.0, 3.0], ["supported"] * 3)
    assert experiments_that_differ(near, True) == (
        "3 of 3 experiments made things better beyond chance; which of them most is not decided"
    )


def test_loyalty_sets_the_matched_beside_the_naive() -> None:
    names = ["before joining", "after joining", "matched"]
    frame = frames.differences(names, [2.0, 7.0, 3.0], [""] * 3, "comparison")
    title = usd(members_beside_others(frame, True))
    assert title == (
        "Members buy USD 7.00 more a month than others; compared with similar customers, USD 3.00 more (difference "
        "USD 1.50 to USD 4.50: beyond chance)"
    )
    none = members_beside_others(frames.differences(names, [2.0, 7.0, 0.5], [""] * 3, "comparison"), False)
    assert none.endswith("0.50 more (difference −1 to 2: may be chance)")
    less = members_beside_others(frames.differences(names, [2.0, -7.0, -3.0], [""] * 3, "comparison"), False)
    assert less.startswith("Members buy 7 less a month than others")
    assert "3 less (difference −4.50 to −1.50: beyond chance)" in less


ODD = {
    "one cut-off": (charts.campaign_profit, frames.profit_curves(one=[0.0, -5.0]), {"currency": "USD"}),
    "five rankings": (
        charts.campaign_profit, frames.profit_curves(**{f"by rule {n}": [0, 3e6 + n, 2e6] for n in range(5)}), {},
    ),
    "without intervals": (
        charts.qini_curve, frames.qini([0.0, 0.0, 0.0], np.nan), {},
    ),
    "one experiment": (charts.experiment_effects, frames.differences(["a"], [0.2], ["supported"]), {}),
    "long names": (
        charts.experiment_effects,
        frames.differences(["x" * 60, "y" * 60], [1e6, -2e6], ["contradicted", "supported"]),
        {},
    ),
    "only matched": (charts.experiment_effects, frames.differences(["matched"], [3.0], [""], "comparison"), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_data(name: str) -> None:
    draw, frame, options = ODD[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = draw(frame, FINDING, **options)
        assert_described(chart)
        assert_legible(chart)
