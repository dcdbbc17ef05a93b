"""Charts of segments: how large they are, where their customers went, and what they did next."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crmlib import format as fmt
from crmlib.charts.layout import (
    cells,
    finish,
    no_data,
    on_two_lines,
    paired_bars,
    per_cent,
    sheet,
    short_name,
    value_axis,
)  # fmt: skip
from crmlib.charts.style import BLUE, INK, ORANGE, SOFT, Chart, group_colours, house_style


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
    texts = [
        fmt.share(one) + (f" · {fmt.share(other)}" if np.isfinite(other) else "") if one else "nobody"
        for one, other in zip(people, spend, strict=True)
    ]
    _, axes = sheet(0.4 * len(names) + 0.1)
    paired_bars(axes, names, people, spend, texts)
    listed = "; ".join(
        f"{name}: {fmt.plural(count, 'customer')} ({fmt.share(one)})"
        + (f", {fmt.share(other)} of spend" if np.isfinite(other) else "")
        for name, count, one, other in zip(names, table["customers"], people, spend, strict=True)
    )
    unit = "Share of customers (full colour) · of net spend (pale)"
    return finish(
        axes,
        _sizes_title(names, people, spend),
        f"Bars by segment, {total:,} customers. {listed}.",
        unit=unit,
    )


def _sizes_title(names: list[str], people: np.ndarray, spend: np.ndarray) -> str:
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


@house_style()
def segment_migration(
    matrix: pd.DataFrame, *, before: str = "the first day", after: str = "the second"
) -> Chart:
    """Draw where the customers of each segment were on a later day.

    Parameters
    ----------
    matrix : DataFrame
        Customers by segment on the first day (index) and on the second (columns); empty ones are left out.
    before, after : str
        The names of the two days.
    """
    counts = matrix.to_numpy(dtype=float)
    matrix = matrix.loc[counts.sum(axis=1) > 0, counts.sum(axis=0) > 0]
    if matrix.empty:
        return no_data("No customer of the first day to follow")
    shares = matrix.to_numpy(dtype=float) / matrix.sum(axis=1).to_numpy(dtype=float)[:, None]
    _, axes = sheet(0.36 * len(matrix) + 0.1)
    names, places = ([str(one) for one in side] for side in (matrix.index, matrix.columns))
    cells(axes, shares, per_cent(shares), [on_two_lines(one) for one in names], places, full=0.45)
    axes.tick_params(axis="x", rotation=90)
    listed = "; ".join(
        f"{name} ({fmt.plural(count, 'customer')}): {fmt.share(float(row.max()))} now {places[int(row.argmax())]}"
        for name, count, row in zip(matrix.index, matrix.sum(axis=1), shares, strict=True)
    )
    unit = f"% of each segment of {before} (rows) by segment of {after} (columns)"
    return finish(axes, _moved_title(matrix, shares, before), f"Table of shares. {listed}.", unit=unit)


def _moved_title(matrix: pd.DataFrame, shares: np.ndarray, before: str) -> str:
    """What became of the best segment that anybody was in."""
    name, row = str(matrix.index[0]), shares[0]
    places = [str(one) for one in matrix.columns]
    stayed = row[places.index(name)] if name in places else 0.0
    others = [(share, place) for share, place in zip(row, places, strict=True) if place != name]
    share, place = max(others, default=(0.0, ""))
    people = fmt.plural(int(matrix.iloc[0].sum()), "customer")
    title = f"Of {people} in “{short_name(name)}” on {before}, {fmt.share(stayed)} stayed"
    return title + (f"; {fmt.share(share)} went to “{short_name(place)}”" if share > 0 else "")


@house_style()
def holdout_by_group(groups: pd.DataFrame, *, currency: str = "") -> Chart:
    """Draw what the customers of each group spent in the holdout, with its interval and what was expected.

    Parameters
    ----------
    groups : DataFrame
        One row per group of one grouping, in the order to draw: `group`, `customers`, `spend` (per customer in the
        holdout), `spend_low`, `spend_high`, `predicted_spend`.
    currency : str
        The name of the money.
    """
    groups = groups.dropna(subset=["spend"])
    if groups.empty:
        return no_data("No group to judge by a holdout")
    names = groups["group"].astype(str).tolist()
    spend, low, high, expected = (
        groups[name].to_numpy(dtype=float) for name in ("spend", "spend_low", "spend_high", "predicted_spend")
    )
    _, axes = sheet(0.36 * len(names) + 0.1)
    _dots(axes, names, spend, low, high, group_colours(names))
    axes.plot(
        expected, np.arange(len(names)), "D", color="white", markeredgecolor=INK, markersize=6, clip_on=False
    )
    largest = float(np.nanmax([*high, *expected, 0.0]))
    smallest = float(np.nanmin([*low, 0.0]))
    axes.set_xlim(smallest, largest * 1.03 or 1.0)
    word = value_axis(axes, "x", kind="money", largest=largest)
    listed = "; ".join(
        f"{name}: {fmt.money(one, currency)} ({fmt.money(a, currency)} to {fmt.money(b, currency)}), expected "
        f"{fmt.money(other, currency)}"
        for name, one, a, b, other in zip(names, spend, low, high, expected, strict=True)
    )
    best, worst = int(spend.argmax()), int(spend.argmin())
    title = f"{short_name(names[best])} spent {fmt.money(spend[best], currency)} per customer in the holdout"
    if len(names) > 1 and spend[best] > spend[worst]:
        title += f", {short_name(names[worst])} {fmt.money(spend[worst], currency)}"
    unit = f"{word}{currency or 'Money'} per customer, with 95 % interval · diamond: as the model expected"
    return finish(axes, title, f"Dots by group. {listed}.", unit=unit)


@house_style()
def holdout_by_ranking(scores: pd.DataFrame) -> Chart:
    """Draw how much of the holdout's spend came from the tenth of customers that each ranking puts first.

    Parameters
    ----------
    scores : DataFrame
        One row per grouping or ranking: `model`, `top_10_share`, `top_10_share_low`, `top_10_share_high`.
    """
    scores = scores.dropna(subset=["top_10_share"]).sort_values(
        "top_10_share", ascending=False, kind="stable"
    )
    if scores.empty:
        return no_data("No ranking to judge by a holdout")
    names = scores["model"].astype(str).tolist()
    held, low, high = (scores[f"top_10_share{end}"].to_numpy(dtype=float) for end in ("", "_low", "_high"))
    _, axes = sheet(0.36 * len(names) + 0.1)
    _dots(axes, names, held, low, high, [ORANGE if name == "CLV" else BLUE for name in names])
    axes.set_xlim(0, float(np.nanmax([*high, 0.1])) * 1.03)
    value_axis(axes, "x", kind="share")
    axes.axvline(0.1, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
    listed = "; ".join(
        f"{name}: {fmt.share(one)} ({fmt.share(a)} to {fmt.share(b)})"
        for name, one, a, b in zip(names, held, low, high, strict=True)
    )
    return finish(
        axes,
        _ranking_title(names, held, low, high),
        f"Dots by ranking. {listed}.",
        unit="Share of the holdout's spend from the tenth of customers ranked first · dashed: by chance",
    )


def _ranking_title(names: list[str], held: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    best = f"The tenth of customers ranked first by {short_name(names[0])}"
    first = f"{best} brought {fmt.share(held[0])} of holdout spend"
    if len(names) == 1:
        return first
    apart = low[0] > high[-1]
    last = f"by {short_name(names[-1])} {fmt.share(held[-1])}"
    return f"{first}, {last}" + ("" if apart else ": not told apart by these data")


def _dots(
    axes: Axes, names: list[str], values: np.ndarray, low: np.ndarray, high: np.ndarray, colours: list[str]
) -> None:
    """A dot with its interval for each name, from the top down."""
    places = np.arange(len(names))
    axes.hlines(places, low, high, color=colours, linewidth=2.2)
    axes.scatter(values, places, color=colours, s=42, zorder=3, clip_on=False)
    axes.set_yticks(places, [on_two_lines(name) for name in names], linespacing=1.0)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.axvline(0, color=SOFT, linewidth=0.8)
