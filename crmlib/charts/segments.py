"""The chart of segments: how many customers each has, and how much of the spend."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.charts.layout import finish, no_data, on_two_lines, sheet, short_name
from crmlib.charts.style import BLUE, SEGMENT_COLOURS, SOFT, Chart, house_style


@house_style()
def segment_bars(table: pd.DataFrame) -> Chart:
    """Draw each segment's share of the customers beside its share of the spend.

    Parameters
    ----------
    table : DataFrame
        One row per segment, in the order to draw: `segment`, `customers`, `share_of_customers` and
        `share_of_net` (NaN where all net spend is not positive).
    """
    total = int(table["customers"].sum())
    if not total:
        return no_data("No customer has a segment")
    names = table["segment"].astype(str).tolist()
    people, spend = (table[name].to_numpy(dtype=float) for name in ("share_of_customers", "share_of_net"))
    colours = [SEGMENT_COLOURS.get(name, BLUE) for name in names]
    _, axes = sheet(0.4 * len(names) + 0.1)
    places = np.arange(len(names))
    for offset, shares, opacity in ((-0.19, people, 1.0), (0.19, np.nan_to_num(spend), 0.45)):
        axes.barh(places + offset, shares, height=0.36, color=colours, alpha=opacity)
    for place, one, other in zip(places, people, spend, strict=True):
        text = fmt.share(one) + (f" · {fmt.share(other)}" if np.isfinite(other) else "") if one else "nobody"
        edge = max(one, other if np.isfinite(other) else 0.0, 0.0)
        axes.annotate(
            text, (edge, place), xytext=(5, 0), textcoords="offset points", va="center", annotation_clip=False
        )
    axes.set_yticks(places, [on_two_lines(name) for name in names], linespacing=1.0)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set_xlim(min(0.0, float(np.nanmin([0.0, *spend]))), float(np.nanmax([*people, *spend])))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=SOFT, linewidth=0.8)
    told = "; ".join(
        f"{name}: {fmt.plural(count, 'customer')} ({fmt.share(one)})"
        + (f", {fmt.share(other)} of spend" if np.isfinite(other) else "")
        for name, count, one, other in zip(names, table["customers"], people, spend, strict=True)
    )
    unit = "Share of customers (full colour) · of net spend (pale)"
    return finish(
        axes, _title(names, people, spend), f"Bars by segment, {total:,} customers. {told}.", unit=unit
    )


def _title(names: list[str], people: np.ndarray, spend: np.ndarray) -> str:
    """The segment that spends most, and the one with most customers."""
    largest = int(people.argmax())
    most = f"{short_name(names[largest])} is the largest segment: {fmt.share(people[largest])} of customers"
    if not np.isfinite(spend).any():
        return most
    richest = int(np.nanargmax(spend))
    if richest == largest:
        return f"{most}, {fmt.share(spend[largest])} of spend"
    rich = f"{short_name(names[richest])}: {fmt.share(people[richest])} of customers"
    return (
        f"{rich}, {fmt.share(spend[richest])} of spend; the largest segment, {short_name(names[largest])}, "
        f"brings {fmt.share(spend[largest])}"
    )
