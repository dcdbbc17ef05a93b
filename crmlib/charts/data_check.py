"""Charts of the data check: rows by outcome, and the months that the log covers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crmlib import format as fmt
from crmlib.charts import kit
from crmlib.charts.layout import finish, no_data, of_each, sheet, title_of, value_axis
from crmlib.charts.style import BLUE, ORANGE, PALE, Chart, house_style

_UNKNOWN = "not known: the log does not start with the firm"


@house_style()
def rows_by_outcome(
    frame: pd.DataFrame, finding: str | None = None, *, currency: str = "", ax: Axes | None = None
) -> Chart:
    """Draw how many rows are used, come after the day of the study, or were set aside with a reason.

    Parameters
    ----------
    frame : DataFrame
        Columns `outcome`, `rows` and `amount` (money); the first row is the sum of the others, the row
        "used" is what the study works with.
    finding : str, optional
        The title; by default that which the analysis left on the frame.
    currency : str
        The name of the money.
    ax : matplotlib Axes, optional
        Where to draw; by default on a sheet of its own.

    Examples
    --------
    >>> frame = pd.DataFrame({"outcome": ["in the source", "used"], "rows": [9, 9], "amount": [90.0, 90]})
    >>> print(rows_by_outcome(frame, "All rows are used", currency="EUR").alt)
    All rows are used. Bars of the rows by outcome. in the source: 9 rows EUR 90.00; used: 9 rows EUR 90.00.
    """
    if frame.empty or not frame["rows"].iloc[0]:
        return no_data("The source has no rows", ax)
    colours = [PALE, *np.where(frame["outcome"].iloc[1:] == "used", BLUE, ORANGE)]
    counted = zip(frame["rows"], frame["amount"], strict=True)
    texts = [f"{fmt.plural(rows, 'row')}\n{fmt.money(amount, currency)}" for rows, amount in counted]
    axes = sheet(0.46 * len(frame), ax)
    outcomes = [fmt.with_days(outcome) for outcome in frame["outcome"]]
    kit.bars(axes, outcomes, frame["rows"], texts, colours)
    alt = f"Bars of the rows by outcome. {of_each(outcomes, texts)}."
    return finish(axes, title_of(frame, finding, currency), alt)


@house_style()
def per_month(
    frame: pd.DataFrame, finding: str | None = None, *, measure: str = "purchases", as_of: Any = None,
    ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw a count of each month, with the months that have none standing out.

    Parameters
    ----------
    frame : DataFrame
        Columns `month` (any day of it) and the measure: months without a row have none, and those where it is empty
        are not known and not drawn.
    finding, ax
        As for `rows_by_outcome`.
    measure : str
        The column to draw, such as "purchases" or "new_customers".
    as_of : date or str, optional
        The last day that counts: the month it falls in is drawn pale unless it is complete.

    Examples
    --------
    >>> frame = pd.DataFrame({"month": ["2024-01-01", "2024-03-01"], "purchases": [3, 1]})
    >>> print(per_month(frame, "Purchases fell").alt)
    Purchases fell. Bars of purchases per month, January 2024 to March 2024: 4 in all, most in January 2024 (3), 1 in
    March 2024, the last complete month. Months without any: 1.
    """
    what, frame = measure.replace("_", " "), frame.dropna(subset=["month"])
    if len(frame) and frame[measure].isna().all():
        return no_data(f"{fmt.capital(what)}: {_UNKNOWN}", ax)
    if not frame[measure].sum() > 0:
        return no_data(f"The log holds no {what}", ax)
    known = frame.dropna(subset=[measure])
    monthly = known.set_index(pd.to_datetime(known["month"]))[measure].resample("MS").sum()
    months, values = monthly.index.tolist(), monthly.to_numpy(dtype=float)
    day = None if as_of is None else pd.Timestamp(as_of).normalize()
    running = day is not None and months[-1] <= day < months[-1] + pd.offsets.MonthEnd(0)
    complete = len(months) - bool(running and len(months) > 1)
    axes = sheet(2.2, ax)
    kit.periods(axes, months, values, complete=complete)
    empty = np.flatnonzero(values[:complete] == 0)
    for place in empty:
        axes.axvspan(place - 0.5, place + 0.5, color=ORANGE, alpha=0.25, linewidth=0)
    value_axis(axes, "y", kind="count")
    peak, last = int(values.argmax()), complete - 1
    alt = (
        f"Bars of {what} per month, {fmt.month(months[0])} to {fmt.month(months[-1])}: {fmt.number(values.sum())} in "
        f"all, most in {fmt.month(months[peak])} ({fmt.number(values[peak])}), {fmt.number(values[last])} in "
        f"{fmt.month(months[last])}, the last complete month. Months without any: {fmt.number(len(empty))}."
    )
    unit = f"{fmt.capital(what)} per month" + ("; shaded: none" if len(empty) else "")
    unit += f"; not known before {fmt.month(months[0])}" if len(known) < len(frame) else ""
    unit += f"; pale: {fmt.month(months[-1], short=True)}, not complete" if complete < len(months) else ""
    return finish(axes, title_of(frame, finding, measure=measure), alt, unit=unit)
