"""The chart of the last complete month, against the month before, the year before and the budget."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.charts.layout import bars, finish, no_data, sheet
from crmlib.charts.style import BLUE, LIGHT_BLUE, PALE, Chart, house_style

_COMPARED = {"month_before": "the month before", "year_before": "the year before", "budget": "the budget"}


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
    changes = [_change(whole["value"], whole[name], _COMPARED[name]) for name in columns[1:]]
    title += f", {fmt.listing(changes)}" if changes else "; nothing to compare it with yet"
    _, axes = sheet(0.42 * len(columns))
    bars(axes, names, whole[columns].tolist(), [BLUE, *[PALE] * (len(columns) - 1)], texts)
    unit = f"{measure.capitalize()} per month" + (f", {currency or 'money'}" if is_money else "")
    existing = rows.loc["existing", columns].to_numpy(dtype=float)
    new = rows.loc["new", columns].to_numpy(dtype=float)
    if np.nanmin([existing, new]) >= 0:
        # What new customers brought stands at the end of each bar.
        axes.barh(
            np.arange(len(columns)),
            np.nan_to_num(new),
            left=np.nan_to_num(existing),
            color=LIGHT_BLUE,
            height=0.68,
        )
        unit += "; light: by new customers"
    told = "; ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))
    parts = [fmt.money(one, currency) if is_money else fmt.number(one) for one in (existing[0], new[0])]
    alt = f"Bars of {measure}: {told}. In {month}, existing customers {parts[0]}, new customers {parts[1]}."
    return finish(axes, title, alt, unit=unit)


def _change(value: float, base: float, against: str) -> str:
    if value == base:
        return f"the same as {against}"
    if base <= 0 or value < 0:
        return f"{'more' if value > base else 'less'} than {against}"
    change = value / base - 1
    return f"{fmt.share(abs(change))} {'more' if change > 0 else 'less'} than {against}"
