"""The chart of each period's money by the cohorts of customers who brought it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from crmlib import format as fmt
from crmlib.charts import kit
from crmlib.charts.layout import finish, no_data, period_axis, sheet, title_of, value_axis
from crmlib.charts.style import INK, ORANGE, SHADES, WIDTH_INCHES, Chart, house_style
from crmlib.findings import Estimate
from crmlib.units import TimeUnit

_MOST_LINES = 40  # of more cohorts, the lines between would cover the money


@house_style()
def revenue_by_cohort(
    comparison: pd.DataFrame, finding: str | None = None, *, value: str = "revenue", currency: str = "",
    period: str = "M", forecast: Estimate | None = None, width: float = WIDTH_INCHES, ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw each period's revenue (or contribution) by cohort, the oldest at the bottom (C3 chart), or people by state.

    Parameters
    ----------
    comparison : DataFrame
        One row per `cohort` and calendar `period` with the value; optionally `complete` (others are not drawn) and
        `band`, the name of the cohort: few cohorts are named, the newest is orange and the last period is marked. Or
        one row per `month` and `state` (in their order), with `people`.
    finding, currency, ax
        As for `cohort_value`.
    value : {"revenue", "contribution", "people"}
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
    if of_states := "state" in rows:
        rows = rows.assign(cohort=pd.factorize(rows["state"])[0], period=rows["month"], band=rows["state"])
    kind = "count" if of_states else "money"
    if rows.empty or not rows[value].sum() > 0:
        return no_data(f"No {value} in a complete period", ax)
    table = rows.pivot(index="period", columns="cohort", values=value).fillna(0.0)
    stacked = table.clip(lower=0.0).cumsum(axis=1).to_numpy()
    axes, months = sheet(2.7 * (WIDTH_INCHES / width) ** 1.2, ax, width), table.index.tolist()
    shades = SHADES(np.linspace(0.95, 0.2, table.shape[1]) if table.shape[1] > 1 else np.array([0.7]))
    if (named := "band" in rows) and len(shades) > 1:
        shades[-1] = to_rgba(ORANGE)
    _draw_steps(axes, stacked, shades)
    end, top = len(table) - 0.5, float(stacked.max())
    expected = ""
    if forecast is not None and forecast.is_known and period == "M":
        expected, highest = _draw_forecast(axes, end, forecast, currency)
        top, end = float(np.nanmax([top, *highest])), end + 3
        months += [months[-1] + pd.DateOffset(months=n) for n in (1, 2, 3)]
    axes.set_xlim(-0.5, max(end, 5.5))
    axes.set_ylim(0, top * 1.04)
    period_axis(axes, months, period)
    scale = value_axis(axes, "y", kind=kind, largest=top)
    negative = int((table < 0).to_numpy().sum())
    unit = f"{fmt.capital(value)} per {TimeUnit(period).singular}, {scale}{currency or 'money'}; the darker, the older"
    unit += f"; {fmt.plural(negative, 'negative value')} drawn as none" if negative else ""
    alt = (
        f"Stacked steps of {value} by {'state' if of_states else 'cohort'}, {fmt.period(table.index[0], period)} to "
        f"{fmt.period(table.index[-1], period)}, {fmt.plural(table.shape[1], 'state' if of_states else 'cohort')}"
    )
    alt += "." if of_states else f"; in all {fmt.money(float(table.sum().sum()), currency)}."
    if named:
        names = rows.drop_duplicates("cohort").set_index("cohort")["band"].reindex(table.columns).tolist()
        _name_cohorts(axes, stacked[-1], names, shades)
        month = fmt.month(table.index[-1])
        kit.dot(axes, len(table) - 1, stacked[-1, -1], INK)
        unit = f"{fmt.capital(value)} per month, {scale}{currency or 'money'}, by first purchase"
        unit = "People by state at the end of each month" if of_states else unit
        unit += f"; dot: {month}"
        alt += f" {month}: {fmt.write(float(table.iloc[-1].sum()), kind, currency)}."
    if named and forecast is not None and not expected:
        unit += "; no forecast was made"
    if expected:
        unit += "; band: expected from today's customers" if named else f"; band: {expected}"
        alt = f"{alt} {fmt.capital(expected)}."
    return finish(axes, title_of(comparison, finding, currency, value), alt, unit=unit)


def _draw_steps(axes: Axes, stacked: np.ndarray, shades: np.ndarray) -> None:
    """A step per period: a slope between two periods would draw money that nobody paid."""
    layers = np.diff(np.vstack([stacked, stacked[-1:]]), axis=1, prepend=0.0).T
    line = 0.4 if len(layers) <= _MOST_LINES else 0.0
    x = np.arange(len(stacked) + 1) - 0.5
    axes.stackplot(x, layers, colors=shades, edgecolor="white", linewidth=line, step="post")


def _draw_forecast(
    axes: Axes, end: float, forecast: Estimate, currency: str
) -> tuple[str, tuple[float, float]]:
    """The coming quarter as three equal months; what it says in words, and how high it reaches."""
    low, middle, high = (quarter / 3 for quarter in (forecast.low, forecast.value, forecast.high))
    kit.band(axes, [end, end + 3], [low, low], [high, high])
    kit.dashed(axes, [end, end + 3], [middle, middle], ORANGE, 1.8)
    written = f"{fmt.money(middle, currency)} ({fmt.interval(low, high, 'money', currency)})"
    return f"expected from today's customers, per month of the coming quarter: {written}", (middle, high)


def _name_cohorts(axes: Axes, last: np.ndarray, names: list[str], shades: np.ndarray) -> None:
    middles = (last + np.concatenate([[0.0], last[:-1]])) / 2
    kit.end_labels(axes, axes.get_xlim()[1], middles, names, [INK] * len(names), list(shades))
