"""Charts of chapter 1, the data check: what became of the rows, and the months that the log covers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crmlib import format as fmt
from crmlib.charts.layout import (
    bars,
    capital,
    every_month,
    finish,
    no_data,
    period_axis,
    sheet,
    short_name,
    value_axis,
)
from crmlib.charts.style import BLUE, ORANGE, PALE, Chart, house_style


@house_style()
def rows_by_fate(frame: pd.DataFrame, *, currency: str = "") -> Chart:
    """Draw how many rows are used, come after the day of the study, or were set aside with a reason.

    Parameters
    ----------
    frame : DataFrame
        Columns `outcome`, `rows` and `amount` (money); the first row is the sum of the others, the row
        "used" is what the study works with.
    currency : str
        The name of the money.
    """
    if frame.empty or not frame["rows"].iloc[0]:
        return no_data("The source holds no row")
    total, parts = frame.iloc[0], frame.iloc[1:]
    is_used = (parts["outcome"] == "used").to_numpy()
    used = int(parts.loc[is_used, "rows"].sum())
    others = parts[~is_used & (parts["rows"] > 0).to_numpy()].sort_values("rows", ascending=False)
    if used == total["rows"]:
        title = (
            f"All {fmt.plural(used, 'row')} of the source are used" if used > 1 else "The only row is used"
        )
    else:
        largest = others.iloc[0]
        title = (
            f"{capital(fmt.share(used / total['rows']))} of {fmt.plural(total['rows'], 'row')} are used; "
            f"{fmt.number(largest['rows'])} are set apart as “{short_name(largest['outcome'])}”"
        )
    colours = [PALE, *np.where(is_used, BLUE, ORANGE)]
    texts = [
        f"{fmt.plural(rows, 'row')}\n{fmt.money(amount, currency)}"
        for rows, amount in zip(frame["rows"], frame["amount"], strict=True)
    ]
    _, axes = sheet(0.46 * len(frame))
    bars(axes, frame["outcome"].tolist(), frame["rows"].tolist(), colours, texts)
    listed = "; ".join(
        f"{fate}: {text.replace(chr(10), ', ')}" for fate, text in zip(frame["outcome"], texts, strict=True)
    )
    return finish(axes, title, f"Bars of the rows by what became of them. {listed}.")


@house_style()
def purchases_per_month(frame: pd.DataFrame, *, as_of: Any = None) -> Chart:
    """Draw the purchases of each month, with the months that have none standing out.

    Parameters
    ----------
    frame : DataFrame
        Columns `month` (any day of it) and `purchases`; months without a row have no purchase.
    as_of : date or str, optional
        The last day that counts: the month it falls in is drawn pale and left out of the finding, unless it
        is complete.
    """
    months, purchases, complete = _monthly(frame, "purchases", as_of)
    if not purchases.sum() > 0:
        return no_data("The log holds no purchase")
    empty = np.flatnonzero(purchases[:complete] == 0)
    if len(empty):
        where = fmt.month(months[empty[0]])
        title = f"No purchase in {where}"
        if len(empty) > 1:
            title = f"No purchase in {len(empty)} of {complete} months, first in {where}"
    else:
        title = _course("Purchases", months, purchases, complete)
    axes = _month_bars(months, purchases, complete)
    for place in empty:
        axes.axvspan(place - 0.5, place + 0.5, color=ORANGE, alpha=0.25, linewidth=0)
    unit = "Purchases per month" + ("; shaded: none" if len(empty) else "")
    alt = f"{_alt('purchases', months, purchases, complete)} Months without a purchase: {fmt.number(len(empty))}."
    return finish(axes, title, alt, unit=unit + _pale(months, complete))


@house_style()
def new_customers_per_month(frame: pd.DataFrame, *, as_of: Any = None) -> Chart:
    """Draw how many customers bought for the first time in each month.

    Parameters
    ----------
    frame : DataFrame
        Columns `month` (any day of it) and `new_customers`, whose first purchase fell in it; months without
        a row have none, and those where the number is empty are not known and not drawn.
    as_of : date or str, optional
        As for `purchases_per_month`.
    """
    unknown = frame["new_customers"].isna()
    months, customers, complete = _monthly(frame[~unknown], "new_customers", as_of)
    if unknown.all() and len(frame):
        return no_data("New customers are not known: the log does not start with the firm")
    total = customers.sum()
    if not total > 0:
        return no_data("The log holds no customer")
    last = int(np.flatnonzero(customers)[-1])
    idle = len(months) - 1 - last
    if idle:
        who = f"All {fmt.number(total)} customers" if total > 1 else "The only customer"
        after = "month" if idle == 1 else f"{idle} months"
        title = f"{who} came by {fmt.month(months[last])}; nobody new in the {after} after"
    else:
        title = _course("New customers", months, customers, complete)
    axes = _month_bars(months, customers, complete)
    alt = _alt("new customers", months, customers, complete)
    unit = "New customers per month" + (f"; not known before {fmt.month(months[0])}" if unknown.any() else "")
    return finish(axes, title, alt, unit=unit + _pale(months, complete))


def _monthly(frame: pd.DataFrame, column: str, as_of: Any) -> tuple[list[pd.Timestamp], np.ndarray, int]:
    """The months from first to last, their figures, and how many of them are complete."""
    frame = frame.dropna(subset=["month"])
    if frame.empty:
        return [], np.zeros(0), 0
    monthly = every_month(frame[["month", column]])
    months = monthly["month"].tolist()
    day = None if as_of is None else pd.Timestamp(as_of).normalize()
    running = day is not None and months[-1] <= day < months[-1] + pd.offsets.MonthEnd(0)
    values = monthly[column].fillna(0).to_numpy(dtype=float)
    return months, values, len(months) - bool(running and len(months) > 1)


def _course(what: str, months: list[pd.Timestamp], values: np.ndarray, complete: int) -> str:
    """How a monthly figure went from its first month to its last, and where it peaked in between."""
    values = values[:complete]
    first, last = fmt.month(months[0]), fmt.month(months[complete - 1])
    if complete == 1:
        return f"{what}: {fmt.number(values[0])} in {first}"
    if values[0] == values[-1]:
        text = f"{what}: {fmt.number(values[-1])} in {last} as in {first}"
    else:
        verb = "fell" if values[-1] < values[0] else "rose"
        text = f"{what} {verb} from {fmt.number(values[0])} in {first} to {fmt.number(values[-1])} in {last}"
    peak = int(values.argmax())
    if values[peak] > max(values[0], values[-1]):
        text += f"; the peak was {fmt.number(values[peak])} in {fmt.month(months[peak])}"
    return text


def _month_bars(months: list[pd.Timestamp], values: np.ndarray, complete: int) -> Axes:
    _, axes = sheet(2.2)
    colours = [BLUE] * complete + [PALE] * (len(months) - complete)
    axes.bar(np.arange(len(months)), values, width=0.8 if len(months) < 60 else 1.0, color=colours)
    axes.set_xlim(-0.6, max(len(months), 6) - 0.4)  # a single month is no wall
    axes.set_ylim(0, max(values.max() * 1.05, 1))
    period_axis(axes, months)
    value_axis(axes, "y", kind="count")
    return axes


def _alt(what: str, months: list[pd.Timestamp], values: np.ndarray, complete: int) -> str:
    peak, last = int(values.argmax()), complete - 1
    return (
        f"Bars of {what} per month, {fmt.month(months[0])} to {fmt.month(months[-1])}: "
        f"{fmt.number(values.sum())} in all, most in {fmt.month(months[peak])} "
        f"({fmt.number(values[peak])}), {fmt.number(values[last])} in {fmt.month(months[last])}, "
        f"the last complete month."
    )


def _pale(months: list[pd.Timestamp], complete: int) -> str:
    return "" if complete == len(months) else f"; pale: {fmt.month(months[-1], short=True)}, not complete"
