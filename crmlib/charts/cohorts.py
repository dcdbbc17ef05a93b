"""Charts of cohorts: how one ages, how they compare, and who brings each period's money."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from crmlib import format as fmt
from crmlib.charts import kit
from crmlib.charts.layout import (
    base_axis,
    finish,
    in_words,
    no_data,
    of_each,
    period_axis,
    sheet,
    title_of,
    value_axis,
    written,
)
from crmlib.charts.style import BLUE, INK, ORANGE, PALE, SHADES, WIDTH_INCHES, Chart, house_style
from crmlib.findings import Estimate
from crmlib.units import TimeUnit

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
    history: pd.DataFrame, finding: str | None = None, *, value: str = "revenue", currency: str = "",
    ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw what a customer of one cohort has brought by each age.

    Parameters
    ----------
    history : DataFrame
        One row per `age` (months) from 0 on: `customers` and `value_per_customer` (money, cumulative).
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
    base_axis(axes, "Months since the customer's own first purchase", kind="count", bins=8)
    scale = value_axis(axes, "y", kind="money", largest=float(np.abs(values).max()))
    alt = (
        f"Line of cumulative {value} per customer acquired ({fmt.plural(history['customers'].iloc[0], 'customer')}): "
        f"{fmt.money(values[0], currency)} in the first month, {fmt.money(values[-1], currency)} through age "
        f"{fmt.number(ages.iloc[-1])}."
    )
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
    comparison: pd.DataFrame, finding: str | None = None, *, period: str = "M", ax: Axes | None = None
) -> Chart:
    """Draw the share of each cohort (a row) that is active at each age (a column); what is not complete is framed.

    Parameters
    ----------
    comparison : DataFrame
        As for `cohorts_by_age`.
    finding, ax
        As for `cohort_value`.
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
    rows = rows[rows["age"] >= 1].dropna(subset=["active_share"])
    if rows.empty:
        return no_data("No period to compare cohorts in by share of customers active", ax)
    table, complete = (
        rows.pivot(index="cohort", columns="age", values=name) for name in ("active_share", "complete")
    )
    values = table.to_numpy(dtype=float)
    few = table.shape[1] <= 9 and table.shape[0] <= 24
    texts = [[fmt.count(100 * v) if few and np.isfinite(v) else "" for v in line] for line in values]
    axes = sheet(min(0.26 * len(table) + 0.2, 4.2), ax)
    largest = max(float(np.nanmax(np.abs(values))), 1e-9)
    every_row, every_column = -(-len(table) // 16), -(-table.shape[1] // 12)
    names, ages = [""] * len(table), [""] * table.shape[1]
    names[::every_row] = [fmt.period(cohort, period, short=True) for cohort in table.index[::every_row]]
    ages[::every_column] = [fmt.number(age) for age in table.columns[::every_column]]
    kit.heat_map(axes, values, np.array(texts), names, ages, vmax=largest)
    unfinished = np.argwhere(complete.eq(False).to_numpy())
    for row, column in unfinished:
        place = column + 0.06, row + 0.06
        axes.add_patch(Rectangle(place, 0.88, 0.88, fill=False, edgecolor=ORANGE, linewidth=1.2))
    axes.set_xlabel(_calendar_age(TimeUnit(period).singular))
    unit = "Share of customers active (shade: the darker, the more)"
    unit += "; framed: not complete" if len(unfinished) else ""
    lines = (table.loc[cohort].dropna() for cohort in table.index)
    spans = (
        ", ".join(f"{fmt.share(line.iloc[n])} at age {line.index[n]}" for n in (0, -1)) for line in lines
    )
    listed = of_each((fmt.period(cohort, period) for cohort in table.index), spans)
    alt = (
        f"Table of share of customers active by cohort and age, {fmt.plural(len(table), 'cohort')}. {listed}."
    )
    title = title_of(comparison, finding, measure="active_share")
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


@house_style()
def revenue_by_cohort(
    comparison: pd.DataFrame, finding: str | None = None, *, value: str = "revenue", currency: str = "",
    period: str = "M", forecast: Estimate | None = None, width: float = WIDTH_INCHES, ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw each period's revenue (or contribution) stacked by cohort, the oldest at the bottom (the C3 chart).

    Parameters
    ----------
    comparison : DataFrame
        One row per `cohort` and calendar `period` with the value; optionally `complete` (others are not drawn) and
        `band`, the name of the cohort: few cohorts are named, the newest is orange and the last period is marked.
    finding, currency, ax
        As for `cohort_value`.
    value : {"revenue", "contribution"}
    period : {"W", "M", "Q", "Y"}
        The length of a period.
    forecast : Estimate, optional
        What the coming quarter is expected to bring, and its interval: drawn as a third in each of three months.
    width : float
        Of the sheet, inches.

    Examples
    --------
    >>> months = pd.to_datetime(["2024-01-01", "2024-02-01"])
    >>> frame = pd.DataFrame({"cohort": months[0], "period": months, "complete": True, "revenue": [90.0, 40]})
    >>> print(revenue_by_cohort(frame, "One cohort brings all", currency="EUR").alt)
    One cohort brings all. Stacked steps of revenue by cohort, January 2024 to February 2024, 1 cohort; in all EUR 130.
    """
    rows = comparison[comparison["complete"]] if "complete" in comparison else comparison
    if rows.empty or not rows[value].sum() > 0:
        return no_data(f"No {value} in a complete period", ax)
    table = rows.pivot(index="period", columns="cohort", values=value).fillna(0.0)
    tops = table.clip(lower=0.0).cumsum(axis=1).to_numpy()
    axes, months = sheet(2.7 * (WIDTH_INCHES / width) ** 1.2, ax, width), table.index.tolist()
    shades = SHADES(np.linspace(0.95, 0.2, table.shape[1]) if table.shape[1] > 1 else np.array([0.7]))
    if (named := "band" in rows) and len(shades) > 1:
        shades[-1] = to_rgba(ORANGE)
    # A step per period: a slope between two periods would draw money that nobody paid.
    edges = np.arange(len(table) + 1) - 0.5
    across = np.repeat(edges, 2)[1:-1]
    x = np.concatenate([across, across[::-1]])
    steps = np.repeat(np.column_stack([np.zeros(len(table)), tops]), 2, axis=0)
    layers = [
        np.column_stack([x, np.concatenate([steps[:, n + 1], steps[::-1, n]])]) for n in range(table.shape[1])
    ]
    line = 0.4 if len(layers) <= _MOST_LINES else 0.0
    axes.add_collection(
        PolyCollection(layers, facecolors=shades, edgecolors="white", linewidths=line), autolim=False
    )
    end, top = edges[-1], float(tops.max())
    expected = ""
    if forecast is not None and forecast.is_known and period == "M":
        low, middle, high = (one / 3 for one in (forecast.low, forecast.value, forecast.high))
        kit.band(axes, [end, end + 3], [low, low], [high, high])
        kit.dashed(axes, [end, end + 3], [middle, middle], ORANGE, 1.8)
        top, end = float(np.nanmax([top, middle, high])), end + 3
        months += [months[-1] + pd.DateOffset(months=n) for n in (1, 2, 3)]
        reach = fmt.interval(low, high, "money", currency)
        spelt = f"{fmt.money(middle, currency)} ({reach})"
        expected = f"expected from today's customers, per month of the coming quarter: {spelt}"
    axes.set_xlim(edges[0], max(end, 5.5))
    axes.set_ylim(0, top * 1.04)
    period_axis(axes, months, period)
    scale = value_axis(axes, "y", kind="money", largest=top)
    negative = int((table < 0).to_numpy().sum())
    unit = f"{fmt.capital(value)} per {TimeUnit(period).singular}, {scale}{currency or 'money'}; the darker, the older"
    unit += f"; {fmt.plural(negative, 'negative value')} drawn as none" if negative else ""
    alt = (
        f"Stacked steps of {value} by cohort, {fmt.period(table.index[0], period)} to "
        f"{fmt.period(table.index[-1], period)}, {fmt.plural(table.shape[1], 'cohort')}; in all "
        f"{fmt.money(float(table.sum().sum()), currency)}."
    )
    if named:
        names = rows.drop_duplicates("cohort").set_index("cohort")["band"].reindex(table.columns).tolist()
        middles = (tops[-1] + np.concatenate([[0.0], tops[-1][:-1]])) / 2
        kit.end_labels(axes, axes.get_xlim()[1], middles, names, [INK] * len(names), shades)
        last = f"{fmt.month(table.index[-1])}: {fmt.money(float(table.iloc[-1].sum()), currency)}"
        kit.dot(axes, len(table) - 1, tops[-1, -1], INK)
        unit = f"{fmt.capital(value)} per month, {scale}{currency or 'money'}, by first purchase"
        unit += f"; dot: {fmt.month(table.index[-1])}"
        alt += f" {last}."
    if named and forecast is not None and not expected:
        unit += "; no forecast was made"
    if expected:
        unit += "; band: expected from today's customers" if named else f"; band: {expected}"
        alt = f"{alt} {fmt.capital(expected)}."
    return finish(axes, title_of(comparison, finding, currency, value), alt, unit=unit)


def _of_new_customers(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The rows of cohorts of new customers, and the number of cohorts whose customers may be older."""
    if "is_new" not in frame:
        return frame, 0
    return frame[frame["is_new"]], frame.loc[~frame["is_new"].astype(bool), "cohort"].nunique()


def _left_out(older: int) -> str:
    return f"; left out, for their customers may be older: {fmt.plural(older, 'cohort')}" if older else ""


def _calendar_age(unit: str) -> str:
    return f"Calendar {unit}s since that of the first purchase"
