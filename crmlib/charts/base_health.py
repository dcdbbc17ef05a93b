"""Charts of the audit's fifth lens: how healthy the base is, and who brings each period's money."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.collections import PolyCollection

from crmlib import format as fmt
from crmlib.charts.layout import finish, no_data, period_axis, sheet, value_axis
from crmlib.charts.style import BLUE, LIGHT_BLUE, SHADES, Chart, house_style

_MOST_LINES = 40  # of more cohorts, the lines between would cover the money


@house_style()
def revenue_by_cohort(
    comparison: pd.DataFrame, *, value: str = "revenue", currency: str = "", period: str = "M"
) -> Chart:
    """Draw each period's revenue (or profit) stacked by cohort, the oldest at the bottom (the C3 chart).

    Parameters
    ----------
    comparison : DataFrame
        One row per `cohort` and calendar `period`: `age`, `complete` and the value.
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
    title = _base_title(last, when, value, currency, period)
    alt = (
        f"Stacked steps of {value} by cohort, {fmt.period(table.index[0], period)} to {when}, "
        f"{fmt.plural(table.shape[1], 'cohort')}; in all {fmt.money(float(table.sum().sum()), currency)}. {title}."
    )
    return finish(axes, title, alt, unit=unit)


def _base_title(last: pd.Series, when: str, value: str, currency: str, period: str) -> str:
    """Who brought the last complete period's value: the customers acquired in it, and the strongest cohort."""
    total, strongest = float(last.sum()), last.idxmax()
    if not total > 0 or last.min() < 0:
        return f"{value.capitalize()} in {when} comes to {fmt.money(total, currency)}"
    part = fmt.share(float(last[strongest]) / total)
    whose = f"{part} of {value} in {when} comes from the cohort of {fmt.period(strongest, period)}"
    is_new = fmt.period(last.index[-1], period) == when
    new = float(last.iloc[-1]) / total if is_new else 0.0
    if is_new and strongest == last.index[-1]:
        return f"New customers bring most of all cohorts in {when}: {part} of {value}"
    return f"{whose}; {fmt.share(new)} from new customers" if new else f"{whose}; none from new customers"


@house_style()
def new_and_repeat_revenue(health: pd.DataFrame, *, currency: str = "", period: str = "M") -> Chart:
    """Draw each period's revenue from customers acquired in it, and from all others.

    Parameters
    ----------
    health : DataFrame
        One row per calendar `period`: `complete`, `revenue`, `repeat_revenue` and `new_share`.
    currency : str
        The name of the money.
    period : {"W", "M", "Q", "Y"}
        The length of a period.
    """
    rows = health[health["complete"]].reset_index(drop=True)
    if rows.empty or not rows["revenue"].sum() > 0:
        return no_data("No revenue in a complete period")
    repeat = rows["repeat_revenue"].to_numpy(dtype=float)
    new = rows["revenue"].to_numpy(dtype=float) - repeat
    known = rows.dropna(subset=["new_share"])
    first, last = known.iloc[0], known.iloc[-1]
    title = f"New customers bring {fmt.share(last['new_share'])} of revenue in {fmt.period(last['period'], period)}"
    if len(known) > 1:
        title += f", after {fmt.share(first['new_share'])} in {fmt.period(first['period'], period)}"
    _, axes = sheet(2.4)
    places = np.arange(len(rows))
    axes.bar(places, repeat.clip(0), width=0.8, color=BLUE)
    axes.bar(places, new.clip(0), width=0.8, bottom=repeat.clip(0), color=LIGHT_BLUE)
    axes.set_xlim(-0.6, max(len(rows), 6) - 0.4)
    period_axis(axes, rows["period"].tolist(), period)
    scale = value_axis(axes, "y", kind="money", largest=float(rows["revenue"].max()))
    unit = f"Revenue per {fmt.PERIODS[period]}, {scale}{currency or 'money'}; light: from new customers"
    alt = (
        f"Bars of revenue per {fmt.PERIODS[period]}, {fmt.period(rows['period'].iloc[0], period)} to "
        f"{fmt.period(rows['period'].iloc[-1], period)}: {fmt.money(float(repeat.sum()), currency)} from existing "
        f"customers and {fmt.money(float(new.sum()), currency)} from new ones. {title}."
    )
    return finish(axes, title, alt, unit=unit)
