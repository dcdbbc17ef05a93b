"""Charts of the changes between months or periods: which customers, which factors, and who moved where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crmlib import format as fmt
from crmlib.charts import kit
from crmlib.charts.layout import finish, no_data, of_each, sheet, title_of
from crmlib.charts.style import BLUE, LIGHT_BLUE, PALE, Chart, house_style

_COMPARED = {"month_before": "the month before", "year_before": "the year before", "budget": "the budget"}
_NEWCOMERS = ("new", "not active", "not yet a customer")


@house_style()
def month_against_others(
    review: pd.DataFrame, finding: str | None = None, *, measure: str = "revenue", currency: str = "",
    ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw one measure of the last complete month beside the months and the plan it is held against.

    Parameters
    ----------
    review : DataFrame
        One row per `customers` (all, existing, new) and `measure`, with `month`, `value`, `month_before`,
        `year_before` and `budget`; NaN where there is nothing to compare with.
    finding : str, optional
        The title; by default that which the analysis left on the frame.
    measure : str
        Which measure to draw: "revenue" or "contribution".
    currency : str
        The name of the money.
    ax : matplotlib Axes, optional
        Where to draw; by default on a sheet of its own.

    Examples
    --------
    >>> months = {"value": [80.0, 60, 20], "month_before": [90.0, 70, 20], "year_before": np.nan, "budget": np.nan}
    >>> frame = pd.DataFrame({"customers": ["all", "existing", "new"], "measure": "revenue"} | months)
    >>> frame = frame.assign(month=pd.Timestamp("2024-06-01"))
    >>> print(month_against_others(frame, "Revenue fell by USD 10", currency="USD").alt)
    Revenue fell by USD 10. Bars of revenue: June 2024: USD 80.00; the month before: USD 90.00. In June 2024, existing
    customers USD 60.00, new USD 20.00.
    """
    rows = review[review["measure"] == measure].set_index("customers")
    if rows.empty or not np.isfinite(rows.loc["all", "value"]):
        return no_data(f"No complete month to show {measure} of", ax)
    whole, month = rows.loc["all"], fmt.month(rows["month"].iloc[0])
    columns = ["value", *(name for name in _COMPARED if np.isfinite(whole[name]))]
    texts = [fmt.money(whole[name], currency) for name in columns]
    names = [month, *(_COMPARED[name] for name in columns[1:])]
    axes = sheet(0.42 * len(columns), ax)
    kit.bars(axes, names, whole[columns], texts, [BLUE, *[PALE] * (len(columns) - 1)])
    existing, new = (rows.loc[who, columns].to_numpy(dtype=float) for who in ("existing", "new"))
    known = np.isfinite(existing) & np.isfinite(new)
    light = bool(known.any() and np.min([existing[known], new[known]]) >= 0)
    if light:  # what new customers brought stands at the end of each bar
        axes.barh(np.flatnonzero(known), new[known], left=existing[known], color=LIGHT_BLUE, height=0.68)
    old, fresh = (fmt.money(value[0], currency) for value in (existing, new))
    alt = f"Bars of {measure}: {of_each(names, texts)}. In {month}, existing customers {old}, new {fresh}."
    label = f"{fmt.capital(measure)} per month, {currency or 'money'}"
    label += "; light: by new customers" if light else ""
    return finish(axes, title_of(review, finding, currency, measure), alt, unit=label)


@house_style()
def waterfall(
    frame: pd.DataFrame, finding: str | None = None, *, value: str = "revenue", currency: str = "",
    before: str = "before", after: str = "after", ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw what led a total from one period to the next: groups of customers, factors or movements.

    Parameters
    ----------
    frame : DataFrame
        Of groups of customers `step`, `customers` and `change` (money), the first row being the total before and the
        last that after; of factors `factor`, `before`, `after` and `effect` (money), where the products of the
        factors are the totals; of months of recurring revenue `month`, `start`, `new`, `expansion`, `contraction`,
        `churn` (money, all 0 or more) and `end`.
    finding, currency, ax
        As for `month_against_others`.
    value : str
        What the total is, such as "revenue" or "contribution".
    before, after : str
        The names of the two periods.

    Examples
    --------
    >>> frame = pd.DataFrame({"step": ["", "lapsed", ""], "customers": [9, 4, 5], "change": [90.0, -40, 50]})
    >>> print(waterfall(frame, "Half of the customers lapsed").alt)
    Half of the customers lapsed. Waterfall of revenue from before to after. before: 90.00; lapsed (4): −40.00; after:
    50.00.
    """
    if frame.empty or ("step" in frame and len(frame) < 3):
        return no_data(f"No {value} of two periods to compare", ax)
    if "month" in frame:
        names, effects = ["new", "expansion", "contraction", "churn"], np.array([1.0, 1, -1, -1])
        effects, start = effects * frame[names].sum().to_numpy(float), float(frame["start"].iloc[0])
        before = f"start of {fmt.month(frame['month'].iloc[0], short=True)}"
        after = f"end of {fmt.month(frame['month'].iloc[-1], short=True)}"
    elif "step" in frame:
        groups, start = frame.iloc[1:-1], float(frame["change"].iloc[0])
        names, effects = _counted(groups["step"], groups["customers"]), groups["change"].to_numpy(dtype=float)
    else:
        names, start = frame["factor"].astype(str).tolist(), float(frame["before"].prod())
        effects = frame["effect"].to_numpy(dtype=float)
    texts = [f"{'+' if effect > 0 else ''}{fmt.money(effect, currency)}" for effect in effects]
    texts = [fmt.money(start, currency), *texts, fmt.money(start + effects.sum(), currency)]
    names = [before, *names, after]
    axes = sheet(0.36 * len(names), ax)
    kit.waterfall(axes, names, start, effects, texts)
    alt = f"Waterfall of {value} from {before} to {after}. {of_each(names, texts)}."
    unit = f"{fmt.capital(value)}, {currency or 'money'}: from {before} to {after}"
    return finish(axes, title_of(frame, finding, currency), alt, unit=unit)


@house_style()
def migration(
    matrix: pd.DataFrame, finding: str | None = None, *, before: str = "the first period",
    after: str = "the second period", ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw where the customers of each group, such as a tier, segment or tenth, went from one period to the next.

    Parameters
    ----------
    matrix : DataFrame
        Customers by group before (index, the best first) and after (columns); empty ones are left out.
    finding, ax
        As for `month_against_others`.
    before, after : str
        The names of the two periods or days.

    Examples
    --------
    >>> matrix = pd.DataFrame([[3, 1], [0, 2]], index=["Gold", "Lead"], columns=["Gold", "Lead"])
    >>> print(migration(matrix, "One of six fell").alt)
    One of six fell. Table of shares. Gold (4 customers): 75 % Gold, 25 % Lead; Lead (2 customers): 100 % Lead.
    """
    counts = matrix.loc[matrix.sum(axis=1) > 0, (matrix.sum(axis=0) > 0) | matrix.columns.isin(matrix.index)]
    if counts.index.isin(_NEWCOMERS).all():
        return no_data(f"No customer of {before} to follow", ax)
    people = counts.sum(axis=1)
    shares = counts.div(people, axis=0).to_numpy(dtype=float)
    rows, columns = [str(name) for name in counts.index], [str(name) for name in counts.columns]
    texts = np.array([[fmt.count(100 * share) if share >= 0.005 else "" for share in row] for row in shares])
    names = _counted(rows, people) if len(rows) <= 6 else rows
    axes = sheet((0.31 if len(rows) > 9 else 0.42) * len(rows) + 0.1, ax)
    long = max(len(word) for column in columns for word in column.split()) > 8 and len(columns) > 4
    kit.heat_map(axes, shares, texts, names, columns if long else [name.replace(" ", "\n") for name in columns],
                 vmax=max(0.5, float(shares.max())))  # fmt: skip
    axes.tick_params(axis="x", rotation=90 if long else 0)
    heads = (f"{row} ({fmt.plural(n, 'customer')})" for row, n in zip(rows, people, strict=True))
    to = (
        ", ".join(f"{fmt.share(line[n])} {column}" for n, column in enumerate(columns) if line[n] >= 0.005)
        for line in shares
    )
    unit = f"% of each group of {before} (rows) by group of {after} (columns)"
    return finish(axes, title_of(matrix, finding), f"Table of shares. {of_each(heads, to)}.", unit=unit)


def _counted(names: Iterable[Any], customers: Iterable[float]) -> list[str]:
    return [f"{name} ({fmt.number(n)})" for name, n in zip(names, customers, strict=True)]
