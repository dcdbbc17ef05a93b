"""A finding is computed from its frame and true whatever the frame says; a chart has it as title."""

from __future__ import annotations

import re
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crmlib import charts
from crmlib import format as fmt
from crmlib.charts.style import SEGMENT_COLOURS, TIER_COLOURS
from crmlib.customers.audit.sentences import (
    base_by_cohort,
    change_by_factors,
    change_by_steps,
    cohorts_compared,
    course_of_months,
    month_compared,
    moves_of_tenths,
    repeat_rates,
    share_of_best_tenth,
    value_of_cohort,
)  # fmt: skip
from crmlib.customers.sentences import sizes_of_segments
from crmlib.economics.sentences import spread_of_value, value_of_groups, value_of_months, widest_assumption
from crmlib.findings import in_currency, with_finding
from crmlib.models.sentences import forecasts_tracked, groups_off, p_alive_by_history, purchases_by_history
from crmlib.study.data_quality import _rows_used
from tests.charts import frames


def usd(text: str) -> str:
    return in_currency(text, "USD")


def monthly_words(frame: pd.DataFrame, as_of: str | None = None) -> str:
    months = pd.period_range(frame["month"].min(), frame["month"].max(), freq="M", name="month")
    whole = frame.set_index("month")["purchases"].reindex(months.to_timestamp(), fill_value=0).reset_index()
    return course_of_months(whole, "purchases", pd.Timestamp(as_of or months[-1].end_time))


counts = st.integers(0, 10_000)
amounts = st.floats(-1e6, 1e6).map(lambda value: round(value, 2))
positive = st.floats(1, 1e6).map(lambda value: round(value, 2))
shares = st.floats(0, 1)
few = settings(max_examples=15)


def listed(values: st.SearchStrategy, least: int = 1, most: int = 8) -> st.SearchStrategy:
    return st.lists(values, min_size=least, max_size=most)


@few
@given(counts, counts)
def test_rows_are_all_used_only_if_they_are(used: int, aside: int) -> None:
    assume(used + aside > 0)
    title = _rows_used(frames.row_counts(used, aside))
    if aside:
        assert title.lower().startswith(fmt.share(used / (used + aside)))
        assert f"{aside:,} have the outcome “date cannot be read”" in title
        assert "100 %" not in title
    else:
        assert title.startswith(f"All {used:,} rows" if used > 1 else "The only row")


@few
@given(listed(counts))
def test_gaps_come_first_else_the_course(purchases: list[int]) -> None:
    assume(purchases[0] and purchases[-1])
    title = monthly_words(frames.monthly(purchases))
    empty, first, last = purchases.count(0), purchases[0], purchases[-1]
    if empty:
        assert title.startswith("No purchase in")
        assert empty == 1 or f"in {empty} of {len(purchases)} months" in title
    else:
        assert (" fell " in title) == (last < first)
        assert (" rose " in title) == (last > first)
        assert ("the peak was" in title) == (max(purchases) > max(first, last))
        assert f"{last:,}" in title


def test_months_missing_from_the_frame_are_gaps() -> None:
    frame = frames.monthly([4, 4, 4, 4]).drop(index=[1, 2])
    assert monthly_words(frame) == "No purchase in 2 of 4 months, first in February 2023"


@pytest.mark.parametrize(("as_of", "last"), [("2023-03-15", 6), ("2023-03-31", 1), (None, 1)])
def test_a_month_that_is_not_over_is_no_finding(as_of: str | None, last: int) -> None:
    title = monthly_words(frames.monthly([9, 6, 1]), as_of)
    assert title.startswith(f"Purchases fell from 9 in January 2023 to {last} in")


def test_nobody_new_since() -> None:
    title = course_of_months(frames.monthly([7, 3, 0, 0]), "new_customers", pd.Timestamp("2023-04-30"))
    assert title == "All 10 customers first bought by February 2023; no new customer in the 2 months after"


@few
@given(positive, positive, positive)
def test_month_says_more_and_less(value: float, before: float, year: float) -> None:
    title = month_compared(frames.review(value, before, year), "revenue")
    for base, against in ((before, "the month before"), (year, "the year before")):
        word = "more than" if value > base else "less than" if value < base else "the same as"
        assert f"{word} {against}" in title
    assert "budget" not in title


@few
@given(listed(positive, 2, 10))
def test_deciles_share_out_the_whole(values: list[float]) -> None:
    values = sorted(values, reverse=True)
    title = share_of_best_tenth(frames.deciles(values), "profit")
    half = sum(values[len(values) // 2 :]) / sum(values)
    assert f"bring {fmt.share(values[0] / sum(values))} of profit" in title
    assert title.endswith(fmt.share(half))


@few
@given(amounts, listed(amounts, 1, 4))
def test_change_names_its_direction_and_its_largest_part(before: float, changes: list[float]) -> None:
    after, largest = before + sum(changes), int(np.abs(changes).argmax())
    assume(not np.isclose(before, after) and abs(changes[largest]) > 1)
    title = usd(change_by_steps(frames.waterfall(before, changes), "revenue", np.nan))
    assert (" rose " in title) == (after > before)
    assert (" fell " in title) == (after < before)
    step = frames.waterfall(before, changes)["step"].iloc[1 + largest]
    assert f"largest effect: {step} ({'+' if changes[largest] > 0 else '−'}USD" in title


def test_factors_lead_from_product_to_product() -> None:
    factors = frames.factors([100, 20.0], [110, 18.0])
    # 2,000 to 1,980: +190 by ten more customers, -210 by two less each
    assert (
        usd(change_by_factors(factors, "revenue", np.nan))
        == "Revenue fell by 1 % to USD 1,980; largest effect: spend per customer (−USD 210)"
    )
    assert "2024: USD 1,980" in charts.waterfall(factors, currency="USD", after="2024").alt


def test_migration_reads_the_row_of_the_best() -> None:
    counts = np.zeros((11, 11))
    counts[0, [0, 1, 10]] = [6, 1, 3]
    counts[10, 0] = 4
    title = moves_of_tenths(frames.migration(counts), "revenue")
    assert title == "Of the best tenth by revenue, 60 % stayed in it, 30 % were not active in the next period"


@few
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(3, 12))
def test_cohorts_are_compared_at_an_age_both_have(seed: int, cohorts: int, periods: int) -> None:
    frame = frames.comparison(cohorts, max(periods, cohorts + 1), seed=seed)
    title = usd(cohorts_compared(frame, "spend_per_purchase", "M"))
    done = frame[frame["complete"]]
    age = int(re.search(r"at age (\d+)", title)[1])
    named = [one for one in done["cohort"].unique() if fmt.month(one) in title]
    values = done[done["age"] == age].set_index("cohort")["spend_per_purchase"]
    assert len(named) == min(2, done["cohort"].nunique())
    assert all(fmt.money(values[one], "USD") in title for one in named)
    if len(named) == 2 and fmt.money(values[named[0]], "USD") != fmt.money(values[named[1]], "USD"):
        assert ("above" in title) == (values[named[1]] > values[named[0]])


@few
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_base_names_the_strongest_cohort_of_the_last_complete_month(seed: int, cohorts: int) -> None:
    frame = frames.comparison(cohorts, cohorts + 1, seed=seed)
    title = base_by_cohort(frame, "revenue", "M")
    last = frame[frame["period"] == frame.loc[frame["complete"], "period"].max()].set_index("cohort")[
        "revenue"
    ]
    assert fmt.share(last.max() / last.sum()) in title
    if last.idxmax() == last.index[-1]:
        assert title.startswith("New customers bring most")
    else:
        assert f"cohort of {fmt.month(last.idxmax())}" in title
        assert f"{fmt.share(last.iloc[-1] / last.sum())} from new customers" in title


@pytest.mark.parametrize(("last", "words_between"), [(0.35, "may be chance"), (0.45, "beyond chance")])
def test_repeat_rates_differ_only_where_intervals_are_apart(last: float, words_between: str) -> None:
    for values in ([0.3, 0.1, last], [last, 0.9, 0.3]):
        title = repeat_rates(frames.rates(values), 180, "M")
        assert f"against {fmt.share(values[0])}" in title
        assert title.endswith(f": {words_between})")


@few
@given(st.lists(st.tuples(counts, positive), min_size=1, max_size=5))
def test_segments_name_the_richest_and_the_largest(rows: list[tuple[int, float]]) -> None:
    assume(sum(count for count, _ in rows))
    table = frames.segments([count for count, _ in rows], [net for _, net in rows])
    title = sizes_of_segments(table)
    for column in ("customers", "net"):
        assert fmt.short_name(table.loc[table[column].idxmax(), "segment"]) in title
    assert fmt.share(table["share_of_net"].max()) in title


@few
@given(listed(st.integers(1, 100), 4, 30), st.floats(0.2, 3))
def test_tracking_judges_by_the_holdout_alone(actual: list[int], factor: float) -> None:
    predicted = [5000.0, *(factor * one for one in actual[1:])]
    frame = frames.track(actual, {"BG/NBD": predicted})
    title = forecasts_tracked(frame)
    assert f"the {sum(actual[1:]):,} holdout purchases" in title
    if abs(factor - 1) > 0.001:
        assert ("fewer" if factor < 1 else "more") in title
        assert float(re.search(r"([\d.]+) %", title)[1]) == pytest.approx(100 * abs(factor - 1), abs=0.51)


def test_tracking_gives_the_range_and_ranks_nobody_by_one_total() -> None:
    frame = frames.track([10.0] * 6, {"a": [9.0] * 6, "b": [10.5] * 6, "c": [4.0] * 6}, 3)
    title = forecasts_tracked(frame)
    assert title == "3 forecasts are off by −60 % to +5 % of the 30 holdout purchases that happened"


def test_no_holdout_purchase() -> None:
    frame = frames.track([3.0, 0.0], {"BG/NBD": [3.0, 2.5]})
    assert forecasts_tracked(frame) == "No purchase happened in the holdout; 2.50 predicted"


@few
@given(listed(st.tuples(st.floats(0, 9), st.floats(0, 9)), 1, 9))
def test_calibration_names_a_group_that_is_off_beyond_chance(pairs: list[tuple[float, float]]) -> None:
    table = frames.groups([one for one, _ in pairs], [other for _, other in pairs])
    gaps = (table["predicted_mean"] - table["actual_mean"]).abs()
    title = groups_off(table.assign(model="BG/NBD"), "frequency_group")
    beyond = gaps > 0.1 * NormalDist().inv_cdf(1 - 0.025 / len(table))
    if not beyond.any():
        assert "within chance" in title
    else:
        worst = table.loc[gaps.idxmax()]
        assert (
            f"in {beyond.sum()} of {fmt.plural(len(table), 'group')}, such as {worst['frequency_group']}:"
            in title
        )
        assert f"{fmt.number(worst['predicted_mean'])} predicted" in title


def test_surfaces_read_their_grids() -> None:
    grid = frames.grid(np.array([[1.0, 1.0, 1.0], [np.nan, 0.6, 0.9], [np.nan, 0.2, 0.95]]))
    title = p_alive_by_history(grid, 10, "week")
    assert title == "Last bought in week 5 of 10: P(alive) is 60 % after 1 repeat purchase, 20 % after 2"
    title = purchases_by_history(10 * grid, "52 weeks", "week")
    assert title.startswith("Most is expected at 0 repeat purchases, the last in week 0: 10 in 52 weeks")


def test_distribution_has_median_and_top() -> None:
    title = usd(spread_of_value(frames.clv([*[10.0] * 19, 200.0])))
    assert title == "The median customer is worth USD 10.00, the best 5 % USD 200 each"


@few
@given(listed(amounts, 2, 5))
def test_groups_name_the_best_and_the_least(means: list[float]) -> None:
    names = ["Platinum", "Gold", "Iron", "Lead", "Other"][: len(means)]
    title = usd(value_of_groups(frames.clv_of(names, means)))
    if max(means) > min(means):
        assert title.startswith(f"{names[int(np.argmax(means))]}: ")
        assert f"; {names[int(np.argmin(means))]}: " in title
        pairs = len(means) * (len(means) - 1) / 2
        beyond = max(means) - min(means) > NormalDist().inv_cdf(1 - 0.025 / pairs) * np.sqrt(2)
        assert title.endswith(": beyond chance)" if beyond else ": may be chance)")
    else:
        assert "worth the same" in title


def test_the_title_says_that_months_differ_only_beyond_chance() -> None:
    months = pd.DataFrame({"month": frames.months(4), "customers": 100, "clv_mean": [10.0, 11.0, 9.0, 10.0]})
    alike = usd(value_of_months(months.assign(standard_error=1.0), "2 years"))
    each = "Customers bring USD 10.00 each in their first 2 years, so far and expected"
    assert alike == f"{each}; the 4 months of acquisition do not differ beyond chance"
    apart = usd(value_of_months(months.assign(standard_error=0.1), "2 years"))
    assert apart.startswith(
        f"{each}; months of acquisition differ beyond chance, half of them between USD 9.75 and"
    )


def test_tiers_and_segments_keep_their_colours() -> None:
    chart = charts.values_by_group(frames.clv_of(["Lead", "Platinum", "Champions"], [1, 9, 5]))
    faces = chart.figure.axes[0].collections[0].get_colors()
    colours = [
        TIER_COLOURS["Lead"],
        TIER_COLOURS["Platinum"],
        SEGMENT_COLOURS["Champions"],
    ]
    assert [words_of(face) for face in faces] == colours


def words_of(face: tuple[float, ...]) -> str:
    return "#" + "".join(f"{round(255 * one):02x}" for one in face[:3])


def test_sensitivity_leads_with_the_widest() -> None:
    table = pd.concat([frames.sensitivity([5.0, 2.0], [6.0, 9.0])]).sample(frac=1, random_state=1)
    title = in_currency(widest_assumption(table), "")
    assert title.startswith(
        "Margin matters most: from 26 weeks to 156 weeks, lifetime value goes from 2.00 to 9.00"
    )


def test_models_that_agree_are_not_ranked() -> None:
    frame = frames.track([100.0] * 4, {"BG/NBD": [88.0] * 4, "Pareto/NBD": [88.4] * 4}, 2)
    assert forecasts_tracked(frame) == (
        "Both predict 12 % fewer than the 200 holdout purchases that happened"
    )


def test_every_model_is_drawn_and_named() -> None:
    frame = frames.track([10.0] * 4, {f"rule {n}": [float(n)] * 4 for n in range(7)})
    named = [text.get_text() for text in charts.tracking(frame, calibration_end=2).figure.axes[0].texts]
    assert {f"rule {n}" for n in range(7)} <= set(named)


def test_groups_of_other_customers_are_not_laid_over_each_other() -> None:
    one, other = frames.groups([1.0, 2.0], [1.0, 2.0]), frames.groups([1.5, 2.0], [1.0, 2.0])
    both = pd.concat([one.assign(model="BG/NBD"), other.assign(model="Pareto/NBD")])
    with pytest.raises(ValueError, match="Pareto/NBD.*one model at a time"):
        charts.calibration(both)


@pytest.mark.parametrize("unit", ["month", "quarter", "year"])
def test_value_through_an_age_is_that_of_one_unit_more(unit: str) -> None:
    """Age counts from 0: 108 customers have brought 378.50 each after 27 months of age, and 388.09 after 28."""
    ages = range(28)
    history = pd.DataFrame({"age": ages, "customers": 108, "value_per_customer": np.linspace(50, 388.09, 28)})
    title = in_currency(value_of_cohort(history, unit), "EUR")
    assert title == f"A customer brings EUR 388 in the first 28 {unit}s, 13 % of it in the first"
    one = in_currency(value_of_cohort(history[:1], unit), "EUR")
    assert one == f"A customer brings EUR 50.00 in the first {unit}"


def test_a_chart_takes_the_finding_of_its_frame_or_another_or_none() -> None:
    frame = with_finding(frames.monthly([5, 9]), lambda _: "Sales rose to ¤ 9")
    with_finding(frame, lambda _: "New ones too", measure="new_customers")
    assert charts.per_month(frame).finding == "Sales rose to 9"
    assert charts.per_month(frame, measure="new_customers").finding == "New ones too"
    assert charts.per_month(frame, "Told otherwise").finding == "Told otherwise"
    assert charts.per_month(frames.monthly([5, 9])).finding == ""
    review = frames.review(80, 90)
    review.attrs["finding"] = "Revenue is ¤ 80.00"
    assert charts.month_against_others(review, currency="EUR").title == "Revenue is EUR 80.00"


def test_the_triangle_frames_what_is_not_complete() -> None:
    frame = frames.comparison(4, 8)
    chart = charts.cohort_triangle(frame)
    assert len(chart.figure.axes[0].patches) == int((~frame["complete"]).sum()) == 4
    last = frame[frame["cohort"] == frame["cohort"].max()]["active_share"].iloc[-1]
    assert chart.alt.endswith(f"{fmt.share(last)} at age 4.")
    assert "framed: not complete" in " ".join(chart.figure.texts[-1].get_text().split())
