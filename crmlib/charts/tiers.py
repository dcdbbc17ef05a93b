"""Charts of value tiers: how sure they are, what they depend on, and revenue against profit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crmlib import format as fmt
from crmlib.charts import kit
from crmlib.charts.layout import (
    finish,
    no_data,
    of_each,
    sheet,
    title_of,
    value_axis,
)  # fmt: skip
from crmlib.charts.style import BLUE, PALE, TIER_COLOURS, Chart, group_colours, house_style

_MOST_DOTS = 3000


@house_style()
def tier_certainty(chances: pd.DataFrame, finding: str | None = None, *, ax: Axes | None = None) -> Chart:
    """Draw how sure a measured tier is: the mean chance of each true tier, by the tier that was measured.

    Parameters
    ----------
    chances : DataFrame
        Mean chances: the measured tier as index, the best first, the true tiers as columns; rows add up to 1.
    finding, ax
        As for `paired_shares`.

    Examples
    --------
    >>> chances = pd.DataFrame([[0.9, 0.1], [0.2, 0.8]], index=["Gold", "Lead"], columns=["Gold", "Lead"])
    >>> print(tier_certainty(chances, "Tiers are mostly right").alt)
    Tiers are mostly right. Stacked bars of chances by measured tier. Gold: 90 % Gold, 10 % Lead; Lead: 20 % Gold, 80 %
    Lead.
    """
    rows = chances.dropna(how="all")
    if rows.empty:
        return no_data("No chances of tiers to draw", ax)
    names, places = [str(tier) for tier in rows.index], np.arange(len(rows))
    axes, left = sheet(0.42 * len(names) + 0.1, ax), rows.cumsum(axis=1) - rows
    for true in rows.columns:
        axes.barh(places, rows[true], left=left[true], height=0.66, color=group_colours([str(true)]))
    for place, tier in enumerate(rows.index):
        kit.write(axes, f"{fmt.share(float(rows.loc[tier, tier]))} right", (1.0, place))
    axes.set_yticks(places, names)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5))
    value_axis(axes, "x", kind="share")
    texts = (
        ", ".join(f"{fmt.share(float(x))} {true}" for true, x in row.items() if x > 0)
        for _, row in rows.iterrows()
    )
    unit = "Chance to be truly in each tier (its colour), by the tier that was measured"
    alt = f"Stacked bars of chances by measured tier. {of_each(names, texts)}."
    return finish(axes, title_of(chances, finding), alt, unit=unit)


@house_style()
def tiers_by_allocation(
    sensitivity: pd.DataFrame, finding: str | None = None, *, ax: Axes | None = None
) -> Chart:
    """Draw how many customers change tier when the cost to serve is shared out by another key.

    Parameters
    ----------
    sensitivity : DataFrame
        One row per key, "as calculated" first: `key`, `changed`, `share_changed` and `Lead` (customers).
    finding, ax
        As for `paired_shares`.

    Examples
    --------
    >>> frame = pd.DataFrame({"key": ["as calculated", "per order"], "share_changed": [0.0, 0.1], "Lead": [5, 7]})
    >>> print(tiers_by_allocation(frame, "Few customers move").alt)
    Few customers move. Bars by key. per order: 10 % · Lead: 7.
    """
    others = sensitivity[sensitivity["key"] != "as calculated"]
    if others.empty:
        return no_data("No other key to share costs out by", ax)
    others = others.sort_values("share_changed", ascending=False, kind="stable")
    pairs = zip(others["share_changed"], others["Lead"], strict=True)
    texts = [f"{fmt.share(share)} · Lead: {fmt.number(lead)}" for share, lead in pairs]
    axes, colours = sheet(0.36 * len(others) + 0.1, ax), [BLUE, *[PALE] * (len(others) - 1)]
    kit.bars(axes, others["key"].tolist(), others["share_changed"], texts, colours)
    unit = "Share of customers who change tier · customers in Lead"
    alt = f"Bars by key. {of_each(others['key'], texts)}."
    return finish(axes, title_of(sensitivity, finding), alt, unit=unit)


@house_style()
def revenue_against_profit(
    customers: pd.DataFrame, finding: str | None = None, *, ax: Axes | None = None
) -> Chart:
    """Draw each customer's rank by revenue against the rank by profit, in the colours of the tiers.

    Parameters
    ----------
    customers : DataFrame
        `revenue_rank` and `profit_rank` (1 the best) and `tier`; of more than 3,000 customers some are drawn.
    finding, ax
        As for `paired_shares`.

    Examples
    --------
    >>> ranks = pd.DataFrame({"revenue_rank": [1, 2], "profit_rank": [2, 1], "tier": ["Lead", "Gold"]})
    >>> print(revenue_against_profit(ranks, "The largest is not the best").alt)
    The largest is not the best. Dots of 2 customers by rank, tiers Gold and Lead.
    """
    ranked = customers.dropna(subset=["revenue_rank", "profit_rank"])
    count = len(ranked)
    if count < 2:
        return no_data("No two rankings to compare", ax)
    axes = sheet(3.3, ax)
    dots = ranked.sort_values("revenue_rank", kind="stable").iloc[:: -(-count // _MOST_DOTS)]
    names = [name for name in TIER_COLOURS if (dots["tier"].astype(str) == name).any()]
    kit.scatter(axes, dots["revenue_rank"] / count, dots["profit_rank"] / count, dots["tier"].astype(str))
    axes.set(xlim=(-0.01, 1.01), ylim=(1.01, -0.01), xlabel="Rank by revenue, the highest at the left")
    for which in "xy":
        value_axis(axes, which, kind="share")
    of_axes: dict[str, Any] = {"transform": axes.transAxes, "weight": "bold"}
    for place, name in enumerate(names):
        axes.text(0.25 * place, 1.03, f"● {name}", color=TIER_COLOURS[name], **of_axes)
    shown = "" if len(dots) == count else f" {len(dots):,} of them are drawn."
    alt = f"Dots of {fmt.plural(count, 'customer')} by rank, tiers {fmt.listing(names)}.{shown}"
    unit = "Rank by what they bring after costs, the highest at the top"
    return finish(axes, title_of(customers, finding), alt, unit=unit)
