"""Charts of cohorts: how one ages, and how they compare."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from crmlib import format as fmt
from crmlib.charts import kit
from crmlib.charts.layout import (
    base_axis,
    finish,
    in_words,
    no_data,
    of_each,
    sheet,
    title_of,
    value_axis,
    written,
)
from crmlib.charts.style import BLUE, INK, ORANGE, PALE, Chart, house_style
from crmlib.units import TimeUnit

_MEASURES = {
    "active_share": ("Share of customers active", "share"),
    "purchases_per_active": ("Purchases per active customer", "number"),
    "spend_per_purchase": ("Spend per purchase", "money"),
    "margin": ("Margin", "share"),
    "value_per_customer": ("Cumulative value per customer acquired", "money"),
    "money_share": ("Money, share of the first period", "share"),
}


@house_style()
def cohort_value(
    history: pd.DataFrame, finding: str | None = None, *, value: str = "revenue", currency: str = "",
    ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw what a customer of one cohort has brought by each age.

    Parameters
    ----------
    history : DataFrame
        One row per `age` (months) from 0 on: `customers` and `value_per_customer` (money, cumulative); with `cac`, what
        a customer cost to win, drawn as a dashed line.
    finding : str, optional
        The title; by default that which the analysis left on the frame.
    value : str
        What the value is: "revenue" or "contribution".
    currency : str
        The name of the money.
    ax : matplotlib Axes, optional
        Where to draw; by default on a sheet of its own.

    Examples
    --------
    >>> history = pd.DataFrame({"age": [0, 1], "customers": 200, "value_per_customer": [30.0, 42]})
    >>> print(cohort_value(history, "A customer brought EUR 42 in two months", currency="EUR").alt)
    A customer brought EUR 42 in two months. Line of cumulative revenue per customer acquired (200 customers): EUR 30.00
    in the first month, EUR 42.00 through age 1.
    """
    if history.empty:
        return no_data("No cohort has lived one month", ax)
    ages, values = history["age"], history["value_per_customer"].to_numpy(dtype=float)
    axes = sheet(2.4, ax)
    kit.named_lines(axes, {"": (ages, values)}, [BLUE])
    cost = float(history["cac"].iloc[0]) if "cac" in history else np.nan
    if np.isfinite(cost):
        kit.dashed(axes, axes.get_xlim(), [cost, cost], INK)
        axes.set_ylim(top=max(axes.get_ylim()[1], 1.1 * cost))
        kit.end_labels(axes, axes.get_xlim()[1], [cost], [f"cost: {fmt.money(cost, currency)}"], [INK])
    base_axis(axes, "Months since the customer's own first purchase", kind="count", bins=8)
    scale = value_axis(axes, "y", kind="money", largest=float(np.nanmax(np.abs([*values, cost]))))
    alt = (
        f"Line of cumulative {value} per customer acquired ({fmt.plural(history['customers'].iloc[0], 'customer')}): "
        f"{fmt.money(values[0], currency)} in the first month, {fmt.money(values[-1], currency)} through age "
        f"{fmt.number(ages.iloc[-1])}."
    )
    alt += f" Dashed: the cost of winning one, {fmt.money(cost, currency)}." if np.isfinite(cost) else ""
    unit = f"Cumulative {value} per customer acquired, {scale}{currency or 'money'}"
    return finish(axes, title_of(history, finding, currency), alt, unit=unit)


@house_style()
def cohorts_by_age(
    comparison: pd.DataFrame, finding: str | None = None, *, measure: str = "active_share", currency: str = "",
    period: str = "M", ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw one measure of each cohort at the same age, the oldest and the newest in colour.

    Parameters
    ----------
    comparison : DataFrame
        One row per `cohort` and calendar period: `age`, `complete` and the measure. Cohorts whose `is_new` is false
        are not drawn: their customers may be older.
    finding, currency, ax
        As for `cohort_value`.
    measure : {"active_share", "purchases_per_active", "spend_per_purchase", "margin", "value_per_customer"}
    period : {"W", "M", "Q", "Y"}
        The length of a cohort's period.

    Examples
    --------
    >>> frame = pd.DataFrame({"cohort": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-01"]), "age": [1, 2, 1],
    ...                       "complete": True, "active_share": [0.4, 0.3, 0.5]})
    >>> print(cohorts_by_age(frame, "February came back more").alt)
    February came back more. Lines of share of customers active by age in months, 2 cohorts. January 2024: 30 % at age
    2; February 2024: 50 % at age 1.
    """
    label, kind = _MEASURES[measure]
    rows, older = _of_new_customers(comparison)
    # In its first period every customer of a cohort is active by definition.
    rows = rows[rows["complete"] & (rows["age"] >= (measure == "active_share"))].dropna(subset=[measure])
    if rows.empty:
        return no_data(f"No complete period to compare cohorts in by {label.lower()}", ax)
    table = rows.pivot(index="age", columns="cohort", values=measure)
    first, last = table.columns[0], _newest(table)
    curves = {cohort: (table.index, table[cohort]) for cohort in table}
    coloured = {cohort: curves.pop(cohort) for cohort in dict.fromkeys([last, first])}
    axes = sheet(2.6, ax)
    kit.named_lines(axes, {"": (table.index, table.max(axis=1))}, ["none"])
    kit.lines(axes, curves, [PALE] * len(curves), linewidth=1.0)
    kit.lines(axes, coloured, [ORANGE, INK][-len(coloured) :], linewidth=1.8, clip_on=False)
    axes.set_ylim(min(float(np.nanmin(table)), 0.0) * 1.05, max(float(np.nanmax(table)), 0.0) * 1.05 or 1.0)
    unit_name = TimeUnit(period).singular
    base_axis(axes, _calendar_age(unit_name), kind="count", bins=8)
    scale = value_axis(axes, "y", kind=kind, largest=float(np.nanmax(table)))
    unit = label + (f", {scale}{currency or 'money'}" if kind == "money" else "")
    if first != last:
        unit += f"; black: {fmt.period(first, period, short=True)}, orange: {fmt.period(last, period, short=True)}"
    unit += "; pale: others" if curves else ""
    named = {fmt.period(cohort, period): table[cohort].dropna() for cohort in dict.fromkeys([first, last])}
    texts = (
        f"{written(float(line.iloc[-1]), kind, currency)} at age {line.index[-1]}" for line in named.values()
    )
    people = fmt.plural(table.shape[1], "cohort")
    alt = f"Lines of {label.lower()} by age in {unit_name}s, {people}. {of_each(named, texts)}."
    return finish(axes, title_of(comparison, finding, currency, measure), alt, unit=unit + _left_out(older))


def _newest(table: pd.DataFrame) -> pd.Timestamp:
    """The newest cohort that can be compared with the oldest: the youngest have little to compare."""
    ages = (table.notna() & table.iloc[:, [0]].notna().to_numpy()).sum()
    later = ages[1:][ages[1:] > 0]
    return later[later >= min(ages.iloc[0] / 3, later.max())].index[-1] if len(later) else table.columns[0]


@house_style()
def cohort_triangle(
    comparison: pd.DataFrame, finding: str | None = None, *, measure: str = "active_share", by: str = "age",
    period: str = "M", ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw a share of each cohort (a row) at each age or in each period (a column); what is not complete is framed.

    Parameters
    ----------
    comparison : DataFrame
        As for `cohorts_by_age`.
    finding, ax
        As for `cohort_value`.
    measure : {"active_share", "money_share"}
        The share of the customers, or of the money of the cohort's first period.
    by : {"age", "period"}
        What the columns are: the age of the cohort, or calendar periods.
    period : str
        As for `cohorts_by_age`.

    Examples
    --------
    >>> frame = pd.DataFrame({"cohort": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-01"]), "age": [1, 2, 1],
    ...                       "complete": True, "active_share": [0.4, 0.3, 0.5]})
    >>> print(cohort_triangle(frame, "February came back more").alt)
    February came back more. Table of share of customers active by cohort and age, 2 cohorts. January 2024: 40 % at age
    1, 30 % at age 2; February 2024: 50 % at age 1, 50 % at age 1.
    """
    rows, older = _of_new_customers(comparison)
    rows, what = rows[rows["age"] >= 1].dropna(subset=[measure]), _MEASURES[measure][0]
    if rows.empty:
        return no_data(f"No period to compare cohorts in by {what.lower()}", ax)
    table, complete = (rows.pivot(index="cohort", columns=by, values=name) for name in (measure, "complete"))
    values = table.to_numpy(dtype=float)
    few = table.shape[1] <= 9 and table.shape[0] <= 24
    texts = [[fmt.count(100 * v) if few and np.isfinite(v) else "" for v in line] for line in values]
    axes = sheet(min(0.26 * len(table) + 0.2, 4.2), ax)
    largest = max(float(np.nanmax(np.abs(values))), 1e-9)
    every_row, every_column = -(-len(table) // 16), -(-table.shape[1] // (12 if by == "age" else 7))
    names, ages = [""] * len(table), [""] * table.shape[1]
    names[::every_row] = [fmt.period(cohort, period, short=True) for cohort in table.index[::every_row]]
    named = fmt.number if by == "age" else partial(fmt.period, length=period, short=True)
    ages[::every_column] = ["\n".join(named(place).rsplit(" ", 1)) for place in table.columns[::every_column]]
    kit.heat_map(axes, values, np.array(texts), names, ages, vmax=largest)
    unfinished = np.argwhere(complete.eq(False).to_numpy())
    for row, column in unfinished:
        place = column + 0.06, row + 0.06
        axes.add_patch(Rectangle(place, 0.88, 0.88, fill=False, edgecolor=ORANGE, linewidth=1.2))
    axes.set_xlabel(_calendar_age(TimeUnit(period).singular) if by == "age" else "")
    unit = f"{what} (shade: the darker, the more)"
    unit += "; framed: not complete" if len(unfinished) else ""
    at = "at age " if by == "age" else "in "
    lines = (table.loc[cohort].dropna() for cohort in table.index)
    spans = (
        ", ".join(f"{fmt.share(line.iloc[n])} {at}{named(line.index[n])}" for n in (0, -1)) for line in lines
    )
    listed = of_each((fmt.period(cohort, period) for cohort in table.index), spans)
    alt = f"Table of {what.lower()} by cohort and {by}, {fmt.plural(len(table), 'cohort')}. {listed}."
    title = title_of(comparison, finding, measure=measure)
    return finish(axes, title, alt, unit=unit + _left_out(older))


@house_style()
def by_cohort(
    frame: pd.DataFrame, finding: str | None = None, *, value: str = "repeat_rate", kind: str = "share",
    currency: str = "", period: str = "M", ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw one number of each cohort, such as the share that came back or the lifetime value, with its interval.

    Parameters
    ----------
    frame : DataFrame
        One row per `cohort` (or `month` of acquisition): the value and its interval, `low` and `high` (or
        `clv_low` and `clv_high` of `clv_mean`). Cohorts whose `is_new` is false are not drawn: their customers may
        be older.
    finding, currency, ax
        As for `cohort_value`.
    value : str
        The column to draw.
    kind : {"share", "money", "number"}
        How it is written.
    period : {"W", "M", "Q", "Y"}
        The length of a cohort's period.

    Examples
    --------
    >>> frame = pd.DataFrame({"cohort": pd.to_datetime(["2024-01-01", "2024-02-01"]), "repeat_rate": [0.3, 0.35]})
    >>> print(by_cohort(frame, "February came back more").alt)
    February came back more. Dots of share of customers who came back by month of the first purchase. January 2024: 30
    %; February 2024: 35 %.
    """
    when, stem = ("cohort" if "cohort" in frame else "month"), value.removesuffix("_mean")
    rows, older = _of_new_customers(frame)
    rows = rows.dropna(subset=[when, value])
    what = in_words(value)
    if rows.empty:
        return no_data(f"No cohort of new customers with a {what}", ax)
    rows = rows.set_index(pd.DatetimeIndex(pd.to_datetime(rows[when])).to_period(period)).sort_index()
    rows = rows.reindex(pd.period_range(rows.index[0], rows.index[-1], freq=rows.index.freq))
    ends = [next((name for name in (f"{stem}_{end}", end) if name in rows), value) for end in ("low", "high")]
    axes, starts = sheet(2.3, ax), rows.index.to_timestamp().tolist()
    values, low, high = (rows[name].to_numpy(dtype=float) for name in (value, *ends))
    kit.period_dots(axes, starts, values, low, high, period)
    scale = value_axis(axes, "y", kind=kind, largest=float(rows[[value, *ends]].abs().max().max()))
    known = rows[value].dropna()
    names = (fmt.period(start.to_timestamp(), period) for start in known.index)
    listed = of_each(names, (written(float(number), kind, currency) for number in known))
    unit = fmt.capital(what)
    unit += f" per customer acquired, {scale}{currency or 'money'}" if kind == "money" else ""
    unit += "" if ends[0] == value else "; bars: interval"
    alt = f"Dots of {what} by {TimeUnit(period).singular} of the first purchase. {listed}."
    return finish(axes, title_of(frame, finding, currency), alt, unit=unit + _left_out(older))


def _of_new_customers(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The rows of cohorts of new customers, and the number of cohorts whose customers may be older."""
    if "is_new" not in frame:
        return frame, 0
    return frame[frame["is_new"]], frame.loc[~frame["is_new"].astype(bool), "cohort"].nunique()


def _left_out(older: int) -> str:
    return f"; left out, for their customers may be older: {fmt.plural(older, 'cohort')}" if older else ""


def _calendar_age(unit: str) -> str:
    return f"Calendar {unit}s since that of the first purchase"
