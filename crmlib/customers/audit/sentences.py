"""The findings of the audit, each in one sentence; see `crmlib.customers.sentences`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers.sentences import change_of_total, money
from crmlib.findings import UNNAMED, Compared, Estimate, compared, with_finding
from crmlib.statistics import difference_of_shares

_COMPARED = {"month_before": "the month before", "year_before": "the year before", "budget": "the budget"}
_MEASURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "active_share": ("Share of customers active", fmt.share),
    "purchases_per_active": ("Purchases per active customer", fmt.number),
    "spend_per_purchase": ("Spend per purchase", money),
    "margin": ("Margin", fmt.share),
    "value_per_customer": ("Cumulative value per customer acquired", money),
}


def course_of_months(frame: pd.DataFrame, measure: str, as_of: pd.Timestamp) -> str:
    """How a count went from its first month to its last complete one."""
    known = frame.dropna(subset=[measure])
    months, values = known["month"].tolist(), known[measure].to_numpy(dtype=float)
    if not values.sum() > 0:
        return ""
    over = pd.Timestamp(as_of).normalize() >= months[-1] + pd.offsets.MonthEnd(0)
    complete = len(months) if over or len(months) == 1 else len(months) - 1
    if measure == "new_customers" and (idle := len(months) - 1 - int(np.flatnonzero(values)[-1])):
        who = f"All {fmt.number(values.sum())} customers" if values.sum() > 1 else "The only customer"
        after = "month" if idle == 1 else f"{idle} months"
        return f"{who} first bought by {fmt.month(months[-1 - idle])}; no new customer in the {after} after"
    empty = np.flatnonzero(values[:complete] == 0)
    if measure == "purchases" and len(empty):
        where = fmt.month(months[empty[0]])
        several = f"No purchase in {len(empty)} of {complete} months, first in {where}"
        return several if len(empty) > 1 else f"No purchase in {where}"
    values, what = values[:complete], fmt.capital(measure.replace("_", " "))
    first, last = fmt.month(months[0]), fmt.month(months[complete - 1])
    if complete == 1:
        return f"{what}: {fmt.number(values[0])} in {first}"
    text = f"{what}: {fmt.number(values[-1])} in {last} as in {first}"
    if values[0] != values[-1]:
        verb = "fell" if values[-1] < values[0] else "rose"
        text = f"{what} {verb} from {fmt.number(values[0])} in {first} to {fmt.number(values[-1])} in {last}"
    peak = int(values.argmax())
    if values[peak] > max(values[0], values[-1]):
        text += f"; the peak was {fmt.number(values[peak])} in {fmt.month(months[peak])}"
    return text


def month_compared(review: pd.DataFrame, measure: str) -> str:
    """One measure of a month, compared with earlier months and the budget."""
    row = review[(review["measure"] == measure) & (review["customers"] == "all")].iloc[0]
    if not np.isfinite(row["value"]):
        return ""
    value = money(row["value"]) if measure in ("revenue", "contribution") else fmt.number(row["value"])
    reach = {"month_before": row["reach_month"], "year_before": row["reach_year"]}
    held = {name: reached for name, reached in reach.items() if np.isfinite([row[name], reached]).all()}
    changes = [
        _held_against(row["value"], row[name], name, held.get(name))
        for name in _COMPARED
        if np.isfinite(row[name])
    ]
    beside = f", {fmt.listing(changes)}" if changes else "; nothing to compare it with yet"
    sentence = f"{fmt.capital(measure)} in {fmt.month(row['month'])}: {value}{beside}"
    if not held:
        return sentence
    name = [*held][-1]
    unit = row.get("unit", "count")
    change, reached = row["value"] - row[name], held[name]
    ends = (change - reached, change + reached)
    return Compared.of(sentence, Estimate(change, unit, *ends, currency=UNNAMED if unit == "money" else ""))


def _held_against(value: float, base: float, name: str, reach: float | None) -> str:
    if value == base:
        return f"the same as {_COMPARED[name]}"
    more = f"{'more' if value > base else 'less'} than {_COMPARED[name]}"
    if reach is not None:
        more += " (beyond chance)" if abs(value - base) > reach else " (may be chance)"
    return more if base <= 0 or value < 0 else f"{fmt.share(abs(value / base - 1))} {more}"


def spread_of_purchases(distribution: pd.DataFrame, value: str) -> str:
    """How many bought least often, and what they brought."""
    if not distribution["customers"].sum():
        return ""
    first = distribution.iloc[0]
    times = {"1": "once", "2": "twice"}.get(str(first["purchases"]), f"{first['purchases']} times")
    fewest = f"{fmt.share(first['customer_share'])} of customers bought {times}"
    if not np.isfinite(distribution["value_share"]).all():
        return fewest
    return f"{fewest} and brought {fmt.share(first['value_share'])} of {value}"


def share_of_best_tenth(deciles: pd.DataFrame, value: str) -> str:
    """What the best tenth of customers bring, and what the lower half does."""
    deciles = deciles[deciles["customers"] > 0]
    if not deciles["value"].sum() > 0:
        return ""
    if len(deciles) == 1:
        return f"One group of customers brings all {value}"
    people, half = deciles["customers"] / deciles["customers"].sum(), len(deciles) // 2
    best = f"The best {fmt.share(people.iloc[0])} of customers bring"
    best += f" {fmt.share(deciles['value_share'].iloc[0])} of {value}"
    worse = fmt.share(deciles["value_share"].iloc[half:].sum())
    return f"{best}, the lowest {fmt.share(people.iloc[half:].sum())} {worse}"


def moves_of_tenths(migration: pd.DataFrame, value: str) -> str:
    """Where the customers of the best tenth are in the next period."""
    first = migration.iloc[0]
    if not first.sum():
        return ""
    stayed, gone = (fmt.share(first.iloc[place] / first.sum()) for place in (0, -1))
    return f"Of the best tenth by {value}, {stayed} stayed in it, {gone} were not active in the next period"


def value_of_cohort(history: pd.DataFrame, age_unit: str) -> str:
    """What a customer of a cohort has brought by now."""
    if history.empty:
        return ""
    # Age 0 is the first unit, so that value through age 27 is that of 28.
    lived = int(history["age"].iloc[-1]) + 1
    units = f"the first {age_unit}" if lived == 1 else f"the first {lived:,} {age_unit}s"
    values = history["value_per_customer"].to_numpy(dtype=float)
    title = f"A customer brings {money(values[-1])} in {units}"
    if len(values) > 1 and values[-1] > 0:
        title += f", {fmt.share(values[0] / values[-1])} of it in the first"
    return title


def cohorts_compared(comparison: pd.DataFrame, measure: str, period: str) -> str:
    """The oldest cohort and a young one, both at the greatest age that is known of both."""
    # At first every customer of a cohort is active by definition.
    youngest = 1 if measure == "active_share" else 0
    rows = comparison[comparison["is_new"] & comparison["complete"] & (comparison["age"] >= youngest)]
    rows = rows.dropna(subset=[measure])
    if rows.empty:
        return ""
    table = rows.pivot(index="age", columns="cohort", values=measure)
    both = table.notna() & table.iloc[:, [0]].notna().to_numpy()
    ages, oldest = both.sum(), table.columns[0]
    later = ages[1:][ages[1:] > 0]
    # A very young cohort has little to compare, so a third of the ages must be known.
    newest = later[later >= min(ages.iloc[0] / 3, later.max())].index[-1] if len(later) else oldest
    age = both.index[both[newest]][-1]
    label, written = _MEASURES[measure]
    old, new = (written(float(table.loc[age, cohort])) for cohort in (oldest, newest))
    at = f"{label} at age {fmt.number(age)}"
    if newest == oldest:
        return f"{at}: {old} for the only cohort, {fmt.period(oldest, period)}"
    than = "above" if table.loc[age, newest] > table.loc[age, oldest] else "below"
    than = "about the same as" if old == new else than
    apart = Estimate(None, "points")
    if measure == "active_share":
        ends = rows[rows["age"] == age].set_index("cohort")[["active", "customers"]].astype(int)
        found = difference_of_shares(*ends.loc[newest], *ends.loc[oldest])
        apart = Estimate(found.difference, "points", found.low, found.high)
    of_new, of_old = (fmt.period(cohort, period) for cohort in (newest, oldest))
    return compared(f"{at}: {new} for the cohort of {of_new}, {than} {old} for that of {of_old}", apart)


def base_by_cohort(comparison: pd.DataFrame, value: str, period: str) -> str:
    """Who brought the last complete period's value: the customers acquired in it, and the strongest cohort."""
    rows = comparison[comparison["complete"]]
    if rows.empty or not rows[value].sum() > 0:
        return ""
    last = rows[rows["period"] == rows["period"].max()].set_index("cohort")
    values, when = last[value].astype(float), fmt.period(rows["period"].max(), period)
    total, strongest = float(values.sum()), values.idxmax()
    if not total > 0 or values.min() < 0:
        return f"{fmt.capital(value)} in {when} comes to {money(total)}"
    older = values.index[~last["is_new"].astype(bool)]
    if strongest in older:
        part, by = fmt.share(float(values[older].sum()) / total), fmt.period(older.max(), period)
        whose = f"{part} of {value} in {when} comes from customers first seen by {by}"
        return f"{whose}, who may be older than the log"
    part, newest = fmt.share(float(values[strongest]) / total), values.index.max()
    is_now = fmt.period(newest, period) == when
    if is_now and strongest == newest:
        return f"New customers bring most of all cohorts in {when}: {part} of {value}"
    new = float(values[newest]) / total if is_now else 0.0
    whose = f"{part} of {value} in {when} comes from the cohort of {fmt.period(strongest, period)}"
    return f"{whose}; {fmt.share(new)} from new customers" if new else f"{whose}; none from new customers"


def repeat_rates(rates: pd.DataFrame, within_days: int, period: str) -> str:
    """Which share of the newest cohort came back, beside the oldest."""
    rates = rates[rates["is_new"]]
    if rates.empty:
        return ""
    first, last = rates.iloc[0], rates.iloc[-1]
    newest = f"{fmt.share(last['repeat_rate'])} of the customers of {fmt.period(last['cohort'], period)}"
    title = f"{newest} came back within {within_days} days"
    if len(rates) == 1:
        return title
    counts = [int(cohort[name]) for cohort in (last, first) for name in ("came_back", "customers")]
    found = difference_of_shares(*counts)
    before = f"{fmt.share(first['repeat_rate'])} of {fmt.period(first['cohort'], period)}"
    return compared(f"{title}, against {before}", Estimate(found.difference, "points", found.low, found.high))


def change_by_steps(waterfall: pd.DataFrame, value: str, reach: float) -> str:
    """How a total moved through groups of customers, and whether beyond chance."""
    groups, start = waterfall.iloc[1:-1], float(waterfall["change"].iloc[0])
    sentence = change_of_total(value, start, groups["change"].tolist(), groups["step"].tolist())
    return _moved(sentence, float(groups["change"].sum()), reach)


def change_by_factors(factors: pd.DataFrame, value: str, reach: float) -> str:
    """How a total moved through the factors it is a product of, and whether beyond chance."""
    start = float(factors["before"].prod())
    sentence = change_of_total(value, start, factors["effect"].tolist(), factors["factor"].tolist())
    return _moved(sentence, float(factors["effect"].sum()), reach)


def _moved(sentence: str, change: float, reach: float) -> str:
    """It, and whether a change of money, half of whose interval's width is `reach`, is beyond chance."""
    apart = Estimate(change, "money", change - reach, change + reach, currency=UNNAMED)
    return sentence if np.isnan(reach) else compared(sentence, apart)


def with_cohort_findings(comparison: pd.DataFrame, period: str) -> pd.DataFrame:
    """The comparison, with one finding for each of its measures."""
    for measure in (*_MEASURES, "revenue", "contribution"):
        if measure in comparison:
            sentence = cohorts_compared if measure in _MEASURES else base_by_cohort
            with_finding(comparison, sentence, measure, period, measure=measure)
    return comparison
