"""Charts of what changed from one period or month to another, through whom and through what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.charts.layout import bars, cells, finish, no_data, per_cent, rows_of_bars, sheet, short_name
from crmlib.charts.style import BLUE, LIGHT_BLUE, ORANGE, PALE, SOFT, Chart, house_style

_COMPARED = {"month_before": "the month before", "year_before": "the year before", "budget": "the budget"}


@house_style()
def change_by_customers(
    waterfall: pd.DataFrame,
    *,
    value: str = "revenue",
    currency: str = "",
    before: str = "before",
    after: str = "after",
) -> Chart:
    """Draw how lapsed, staying and new customers moved a total from one period to the next.

    Parameters
    ----------
    waterfall : DataFrame
        Columns `step`, `customers` and `change` (money): the first row is the total before, the last the
        total after, the rows between are groups of customers whose changes lead from one to the other.
    value : str
        What the total is: "revenue" or "profit".
    currency : str
        The name of the money.
    before, after : str
        The names of the two periods.
    """
    if len(waterfall) < 3:
        return no_data(f"No {value} of two periods to compare")
    groups = waterfall.iloc[1:-1]
    names = [
        f"{one} ({fmt.number(count)})" for one, count in zip(groups["step"], groups["customers"], strict=True)
    ]
    start, end = float(waterfall["change"].iloc[0]), float(waterfall["change"].iloc[-1])
    periods = Periods(value, currency, before, after)
    return draw_waterfall(
        periods, (start, end), groups["change"].to_numpy(dtype=float), groups["step"].tolist(), names
    )


@house_style()
def change_by_factors(
    factors: pd.DataFrame,
    *,
    value: str = "revenue",
    currency: str = "",
    before: str = "before",
    after: str = "after",
) -> Chart:
    """Draw how each factor, such as spend per purchase, moved a total from one period to the next.

    Parameters
    ----------
    factors : DataFrame
        One row per factor: `factor`, `before`, `after` and `effect` (money). The products of the factors are
        the totals; the effects add up to their difference.
    value, currency, before, after
        As for `change_by_customers`.
    """
    if factors.empty:
        return no_data(f"No factor of {value} to compare")
    names = factors["factor"].astype(str).tolist()
    start, end = float(factors["before"].prod()), float(factors["after"].prod())
    periods = Periods(value, currency, before, after)
    return draw_waterfall(periods, (start, end), factors["effect"].to_numpy(dtype=float), names, names)


@house_style()
def decile_migration(migration: pd.DataFrame, *, value: str = "revenue") -> Chart:
    """Draw where the customers of each tenth went from one period to the next.

    Parameters
    ----------
    migration : DataFrame
        Customers by decile before (index) and after (columns), 1 the best; the last row and column are
        those who were not active.
    value : str
        What deciles are made of: "revenue" or "profit".
    """
    migration = migration[migration.sum(axis=1) > 0]
    counts = migration.to_numpy(dtype=float)
    rows = counts.sum(axis=1)
    if migration.empty or migration.index[0] != migration.columns[0]:
        return no_data("No customer of the first period to follow")
    shares = counts / rows[:, None]
    stayed, gone = (fmt.share(shares[0, place]) for place in (0, -1))
    title = (
        f"Of the best tenth by {value}, {stayed} stayed in it and {gone} were not active in the next period"
    )
    _, axes = sheet(3.4)
    columns = [str(one).replace(" ", "\n") for one in migration.columns]
    darkest = max(0.5, float(shares.max()))
    cells(axes, shares, per_cent(shares), migration.index.astype(str), columns, full=0.3, vmax=darkest)
    axes.set_xlabel("Tenth in the second period, 1 the best")
    kept = "; ".join(
        f"{one}: {fmt.share(shares[row, row])}"
        for row, one in enumerate(migration.index)
        if one in range(1, 11)
    )
    alt = f"Table of shares by tenth in the first and the second period. {title}. Stayed in the same tenth: {kept}."
    return finish(axes, title, alt, unit="% of each tenth of the first period (rows)")


class Periods(NamedTuple):
    """What is compared: its name and money, and the names of the two periods."""

    value: str
    currency: str
    before: str
    after: str

    def signed(self, effect: float) -> str:
        return f"{'+' if effect > 0 else ''}{fmt.money(effect, self.currency)}"


def draw_waterfall(
    periods: Periods,
    totals: tuple[float, float],
    effects: np.ndarray,
    steps: Sequence[str],
    labels: Sequence[str],
) -> Chart:
    """Draw the effects that lead from one total to another; `steps` name them in the title, `labels` beside bars."""
    start, end = totals
    levels = np.concatenate([[start], start + np.cumsum(effects)])
    left = np.concatenate([[min(start, 0.0)], np.minimum(levels[:-1], levels[1:]), [min(end, 0.0)]])
    width = np.concatenate([[abs(start)], np.abs(effects), [abs(end)]])
    texts = [
        fmt.money(start, periods.currency),
        *map(periods.signed, effects),
        fmt.money(end, periods.currency),
    ]
    names = [periods.before, *labels, periods.after]
    _, axes = sheet(0.36 * len(names))
    places = np.arange(len(names))
    axes.barh(places, width, left=left, color=[PALE, *np.where(effects < 0, ORANGE, BLUE), PALE], height=0.66)
    axes.vlines(levels, places[:-1] - 0.33, places[1:] + 0.33, color=SOFT, linewidth=0.7)
    rows_of_bars(axes, names, [left, left + width], texts)
    listed = "; ".join(f"{name}: {text}" for name, text in zip(names, texts, strict=True))
    return finish(
        axes,
        _change_title(periods, start, end, effects, steps),
        f"Waterfall of {periods.value} from {periods.before} to {periods.after}. {listed}.",
        unit=f"{periods.value.capitalize()}, {periods.currency or 'money'}: from {periods.before} to {periods.after}",
    )


def _change_title(
    periods: Periods, start: float, end: float, effects: np.ndarray, steps: Sequence[str]
) -> str:
    value, largest = periods.value.capitalize(), int(np.abs(effects).argmax())
    reason = f"largest effect: {short_name(steps[largest])} ({periods.signed(effects[largest])})"
    if np.isclose(start, end, rtol=1e-9, atol=1e-9):
        stayed = f"{value} stayed at {fmt.money(end, periods.currency)}"
        return f"{stayed}; {reason}" if abs(effects[largest]) > 1e-9 else stayed
    verb = "fell" if end < start else "rose"
    size = f" by {fmt.share(abs(end / start - 1))}" if start > 0 and end >= 0 else ""
    return f"{value} {verb}{size} to {fmt.money(end, periods.currency)}; {reason}"


@house_style()
def month_against_others(review: pd.DataFrame, *, measure: str = "revenue", currency: str = "") -> Chart:
    """Draw one measure of the last complete month beside the months and the plan it is held against.

    Parameters
    ----------
    review : DataFrame
        One row per `customers` (all, existing, new) and `measure`, with `month`, `value`, `month_before`,
        `year_before` and `budget`; NaN where there is nothing to compare with.
    measure : str
        Which measure to draw: money if "revenue" or "profit", else a count.
    currency : str
        The name of the money.
    """
    rows = review[review["measure"] == measure].set_index("customers")
    if rows.empty or not math.isfinite(rows.loc["all", "value"]):
        return no_data(f"No complete month to show {measure} of")
    whole, month = rows.loc["all"], fmt.month(rows["month"].iloc[0])
    columns = ["value", *(name for name in _COMPARED if math.isfinite(whole[name]))]
    is_money = measure in ("revenue", "profit")
    texts = [fmt.money(whole[name], currency) if is_money else fmt.number(whole[name]) for name in columns]
    names = [month, *(_COMPARED[name] for name in columns[1:])]
    title = f"{measure.capitalize()} in {month}: {texts[0]}"
    changes = [_held_against(whole["value"], whole[name], _COMPARED[name]) for name in columns[1:]]
    title += f", {fmt.listing(changes)}" if changes else "; nothing to compare it with yet"
    _, axes = sheet(0.42 * len(columns))
    bars(axes, names, whole[columns].tolist(), [BLUE, *[PALE] * (len(columns) - 1)], texts)
    unit = f"{measure.capitalize()} per month" + (f", {currency or 'money'}" if is_money else "")
    existing = rows.loc["existing", columns].to_numpy(dtype=float)
    new = rows.loc["new", columns].to_numpy(dtype=float)
    known = np.isfinite(existing) & np.isfinite(new)
    if known.any() and np.min([existing[known], new[known]]) >= 0:
        # What new customers brought stands at the end of each bar.
        places = np.flatnonzero(known)
        axes.barh(places, new[known], left=existing[known], color=LIGHT_BLUE, height=0.68)
        unit += "; light: by new customers"
    listed = "; ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))
    parts = [fmt.money(one, currency) if is_money else fmt.number(one) for one in (existing[0], new[0])]
    alt = f"Bars of {measure}: {listed}. In {month}, existing customers {parts[0]}, new customers {parts[1]}."
    return finish(axes, title, alt, unit=unit)


def _held_against(value: float, base: float, against: str) -> str:
    if value == base:
        return f"the same as {against}"
    if base <= 0 or value < 0:
        return f"{'more' if value > base else 'less'} than {against}"
    change = value / base - 1
    return f"{fmt.share(abs(change))} {'more' if change > 0 else 'less'} than {against}"
