"""Charts of the audit's lenses 3 to 5: how one cohort ages, how cohorts compare, and who brings each period's money."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from crmlib import format as fmt
from crmlib.charts.layout import finish, no_data, period_axis, sheet, value_axis
from crmlib.charts.style import BLUE, INK, ORANGE, PALE, SHADES, SOFT, Chart, house_style

_MOST_LINES = 40  # of more cohorts, the lines between would cover the money
_MEASURES = {
    "active_share": ("Share of customers active", "share"),
    "purchases_per_active": ("Purchases per active customer", "number"),
    "spend_per_purchase": ("Spend per purchase", "money"),
    "margin": ("Margin", "share"),
    "value_per_customer": ("Cumulative value per customer acquired", "money"),
}


@house_style()
def cohort_value(
    history: pd.DataFrame, *, value: str = "revenue", currency: str = "", age_unit: str = "month"
) -> Chart:
    """Draw what a customer of one cohort has brought by each age.

    Parameters
    ----------
    history : DataFrame
        One row per `age` from 0 on: `customers` and `value_per_customer` (money, cumulative).
    value : str
        What the value is: "revenue" or "profit".
    currency : str
        The name of the money.
    age_unit : str
        The name of one unit of age.
    """
    if history.empty:
        return no_data(f"No cohort has lived one {age_unit}")
    ages, values = history["age"], history["value_per_customer"].to_numpy(dtype=float)
    lived = int(ages.iloc[-1]) + 1  # age 0 is the first unit, so that value through age 27 is that of 28
    first_units = f"the first {age_unit}" if lived == 1 else f"the first {lived:,} {age_unit}s"
    title = f"A customer brings {fmt.money(values[-1], currency)} in {first_units}"
    if len(values) > 1 and values[-1] > 0:
        title += f", {fmt.share(values[0] / values[-1])} of it in the first"
    _, axes = sheet(2.4)
    axes.plot(ages, values, color=BLUE, marker="o" if len(values) == 1 else "")
    _age_axis(axes, ages, age_unit)
    axes.set_ylim(min(values.min(), 0), max(values.max() * 1.05, 0) or 1)
    scale = value_axis(axes, "y", kind="money", largest=float(np.abs(values).max()))
    alt = (
        f"Line of cumulative {value} per customer acquired ({fmt.plural(history['customers'].iloc[0], 'customer')}): "
        f"{fmt.money(values[0], currency)} in the first {age_unit}, {fmt.money(values[-1], currency)} in "
        f"{first_units}."
    )
    return finish(
        axes, title, alt, unit=f"Cumulative {value} per customer acquired, {scale}{currency or 'money'}"
    )


@house_style()
def cohorts_by_age(
    comparison: pd.DataFrame, *, measure: str = "active_share", currency: str = "", period: str = "M"
) -> Chart:
    """Draw one measure of each cohort at the same age, the newer the darker.

    Parameters
    ----------
    comparison : DataFrame
        One row per `cohort` and calendar period: `age`, `complete` and the measure. Cohorts whose `is_new` is false
        are not drawn: their customers may be older.
    measure : {"active_share", "purchases_per_active", "spend_per_purchase", "margin", "value_per_customer"}
    currency : str
        The name of the money.
    period : {"W", "M", "Q", "Y"}
        The length of a cohort's period.
    """
    label, kind = _MEASURES[measure]
    # In its first period every customer of a cohort is active by definition.
    youngest = 1 if measure == "active_share" else 0
    comparison, older = _of_new_customers(comparison)
    rows = comparison[comparison["complete"] & (comparison["age"] >= youngest)].dropna(subset=[measure])
    if rows.empty:
        return no_data(f"No complete period to compare cohorts in by {label.lower()}")
    table = rows.pivot(index="age", columns="cohort", values=measure)
    found = _newest_against_oldest(table)
    _, axes = sheet(2.6)
    for cohort in table.columns:
        line = table[cohort].dropna()
        colour = INK if cohort == found.oldest else ORANGE if cohort == found.newest else PALE
        above, width = (1, 1.0) if colour == PALE else (3, 1.8)
        dot = "o" if len(line) == 1 else ""
        axes.plot(
            line.index, line, color=colour, lw=width, zorder=above, marker=dot, markersize=4, clip_on=False
        )
    low, high = float(np.nanmin(table)), float(np.nanmax(table))
    axes.set_ylim(min(low, 0.0) * 1.05, max(high, 0.0) * 1.05 or 1.0)
    unit_name = fmt.PERIODS[period]
    _age_axis(axes, table.index, unit_name)
    scale = value_axis(axes, "y", kind=kind, largest=high)
    unit = label + (f", {scale}{currency or 'money'}" if kind == "money" else "")
    title = found.sentence(label, kind, currency, period)
    alt = f"Lines of {label.lower()} by age in {unit_name}s, {fmt.plural(table.shape[1], 'cohort')}. {title}."
    return finish(axes, title, alt, unit=unit + found.legend(period, table.shape[1]) + _left_out(older))


class _Pair(NamedTuple):
    """The oldest cohort and a young one, both at the greatest age that is known of both."""

    oldest: pd.Timestamp
    newest: pd.Timestamp
    age: float
    first: float
    second: float

    def sentence(self, label: str, kind: str, currency: str, period: str) -> str:
        def written(value: float) -> str:
            return {"share": fmt.share, "number": fmt.number}.get(kind, lambda v: fmt.money(v, currency))(
                value
            )

        at = f"{label} at age {fmt.number(self.age)}"
        if self.newest == self.oldest:
            return f"{at}: {written(self.first)} for the only cohort, {fmt.period(self.oldest, period)}"
        new = f"{written(self.second)} for the cohort of {fmt.period(self.newest, period)}"
        old = f"{written(self.first)} for that of {fmt.period(self.oldest, period)}"
        than = "above" if self.second > self.first else "below"
        if written(self.second) == written(self.first):
            than = "about the same as"
        return f"{at}: {new}, {than} {old}"

    def legend(self, period: str, cohorts: int) -> str:
        if self.newest == self.oldest:
            return ""
        named = f"; black: {fmt.period(self.oldest, period, short=True)}, orange: "
        return named + fmt.period(self.newest, period, short=True) + ("; pale: others" if cohorts > 2 else "")


def _newest_against_oldest(table: pd.DataFrame) -> _Pair:
    """Choose the cohorts to name: a very young one has little to compare, so a third of the ages must be known."""
    oldest = table.columns[0]
    together = table.notna() & table[[oldest]].notna().to_numpy()
    reach = together.apply(lambda known: known[::-1].idxmax() if known.any() else -1.0)
    later = reach[1:][reach[1:] >= 0]
    newest = later[later >= min(table.index.max() / 3, later.max())].index[-1] if len(later) else oldest
    age = reach[newest]
    return _Pair(oldest, newest, float(age), float(table.loc[age, oldest]), float(table.loc[age, newest]))


@house_style()
def repeat_rate_by_cohort(rates: pd.DataFrame, *, within_days: int = 180, period: str = "M") -> Chart:
    """Draw which share of each cohort came back within a time that all have lived, with its interval.

    Parameters
    ----------
    rates : DataFrame
        One row per `cohort`: `customers`, `repeat_rate`, `low` and `high` (95 % interval). Cohorts whose `is_new` is
        false are not drawn: their customers may be older.
    within_days : int
        The time that counts.
    period : {"W", "M", "Q", "Y"}
        The length of a cohort's period.
    """
    rates, older = _of_new_customers(rates)
    if rates.empty:
        return no_data(f"No cohort of new customers has lived {within_days} days")
    rows = rates.reset_index(drop=True)
    first, last = rows.iloc[0], rows.iloc[-1]
    newest = f"{fmt.share(last['repeat_rate'])} of the customers of {fmt.period(last['cohort'], period)}"
    title = f"{newest} came back within {within_days} days"
    if len(rows) > 1:
        apart = last["low"] > first["high"] or first["low"] > last["high"]
        before = f"{fmt.share(first['repeat_rate'])} of {fmt.period(first['cohort'], period)}"
        title += f", {'against' if apart else 'not clearly different from'} {before}"
    _, axes = sheet(2.3)
    places = np.arange(len(rows))
    axes.vlines(places, rows["low"], rows["high"], color=PALE, linewidth=5 if len(rows) < 30 else 3)
    axes.plot(places, rows["repeat_rate"], color=BLUE, marker="o", markersize=4, linewidth=1.2)
    axes.set_xlim(-0.6, max(len(rows), 6) - 0.4)
    axes.set_ylim(0, float(rows["high"].max()) * 1.05)
    period_axis(axes, rows["cohort"].tolist(), period)
    value_axis(axes, "y", kind="share")
    alt = (
        f"Points of the share that came back within {within_days} days, by cohort, "
        f"{fmt.period(first['cohort'], period)} to {fmt.period(last['cohort'], period)}: from "
        f"{fmt.share(rows['repeat_rate'].min())} to {fmt.share(rows['repeat_rate'].max())}. {title}."
    )
    return finish(
        axes,
        title,
        alt,
        unit=f"Share of customers who came back within {within_days} days; bars: 95 % interval{_left_out(older)}",
    )


def _of_new_customers(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[pd.Timestamp]]:
    """The rows of cohorts of new customers, and the cohorts whose customers may be older."""
    if "is_new" not in frame:
        return frame, []
    return frame[frame["is_new"]], sorted(frame.loc[~frame["is_new"], "cohort"].unique())


def _left_out(older: list[pd.Timestamp]) -> str:
    return (
        f"; left out, for their customers may be older: {fmt.plural(len(older), 'cohort')}" if older else ""
    )


@house_style()
def revenue_by_cohort(
    comparison: pd.DataFrame, *, value: str = "revenue", currency: str = "", period: str = "M"
) -> Chart:
    """Draw each period's revenue (or profit) stacked by cohort, the oldest at the bottom (the C3 chart).

    Parameters
    ----------
    comparison : DataFrame
        One row per `cohort` and calendar `period`: `age`, `complete` and the value; `is_new` is false where the
        cohort's customers may be older.
    value : {"revenue", "profit"}
    currency : str
        The name of the money.
    period : {"W", "M", "Q", "Y"}
        The length of a period.
    """
    rows = comparison[comparison["complete"]]
    if rows.empty or not rows[value].sum() > 0:
        return no_data(f"No {value} in a complete period")
    table = rows.pivot(index="period", columns="cohort", values=value).fillna(0.0)
    drawn = table.clip(lower=0.0)
    tops = drawn.cumsum(axis=1).to_numpy()
    _, axes = sheet(2.7)
    shades = SHADES(np.linspace(0.95, 0.2, table.shape[1]) if table.shape[1] > 1 else np.array([0.7]))
    # A step per period: a slope between two periods would draw money that nobody paid.
    edges = np.arange(len(table) + 1) - 0.5
    below = np.zeros(len(table))
    x = np.concatenate([np.repeat(edges, 2)[1:-1], np.repeat(edges, 2)[1:-1][::-1]])
    layers = []
    for top in tops.T:
        layers.append(np.column_stack([x, np.concatenate([np.repeat(top, 2), np.repeat(below, 2)[::-1]])]))
        below = top
    line = 0.4 if len(layers) <= _MOST_LINES else 0.0
    axes.add_collection(
        PolyCollection(layers, facecolors=shades, edgecolors="white", linewidths=line), autolim=False
    )
    axes.set_xlim(edges[0], max(edges[-1], 5.5))
    axes.set_ylim(0, float(tops.max()) * 1.04)
    period_axis(axes, table.index.tolist(), period)
    scale = value_axis(axes, "y", kind="money", largest=float(tops.max()))
    last, when = table.iloc[-1], fmt.period(table.index[-1], period)
    negative = int((table < 0).to_numpy().sum())
    unit = (
        f"{value.capitalize()} per {fmt.PERIODS[period]}, {scale}{currency or 'money'}; the darker, the older"
    )
    unit += f"; {fmt.plural(negative, 'negative value')} drawn as none" if negative else ""
    title = _base_title(last, when, value, currency, period, _of_new_customers(rows)[1])
    alt = (
        f"Stacked steps of {value} by cohort, {fmt.period(table.index[0], period)} to {when}, "
        f"{fmt.plural(table.shape[1], 'cohort')}; in all {fmt.money(float(table.sum().sum()), currency)}. {title}."
    )
    return finish(axes, title, alt, unit=unit)


def _base_title(
    last: pd.Series, when: str, value: str, currency: str, period: str, older: list[pd.Timestamp]
) -> str:
    """Who brought the last complete period's value: the customers acquired in it, and the strongest cohort."""
    total, strongest = float(last.sum()), last.idxmax()
    if not total > 0 or last.min() < 0:
        return f"{value.capitalize()} in {when} comes to {fmt.money(total, currency)}"
    if strongest in older:
        part = fmt.share(float(last[older].sum()) / total)
        whose = (
            f"{part} of {value} in {when} comes from customers first seen by {fmt.period(older[-1], period)}"
        )
        return f"{whose}, who may be older than the log"
    part = fmt.share(float(last[strongest]) / total)
    whose = f"{part} of {value} in {when} comes from the cohort of {fmt.period(strongest, period)}"
    is_new = fmt.period(last.index[-1], period) == when
    new = float(last.iloc[-1]) / total if is_new else 0.0
    if is_new and strongest == last.index[-1]:
        return f"New customers bring most of all cohorts in {when}: {part} of {value}"
    return f"{whose}; {fmt.share(new)} from new customers" if new else f"{whose}; none from new customers"


def _age_axis(axes: Axes, ages: pd.Series | pd.Index, unit: str) -> None:
    low, high = float(min(ages)), float(max(ages))
    axes.set_xlim(*((low, high) if high > low else (low - 0.5, high + 0.5)))
    value_axis(axes, "x", kind="count", bins=8)
    axes.xaxis.grid(False)
    axes.set_xlabel(f"Age in {unit}s since the first purchase", color=SOFT)
