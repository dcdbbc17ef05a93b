"""Charts of the Customer Pyramid: what each tier brings, what it takes, and where its customers go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.charts.layout import bars, cells, finish, no_data, paired_bars, sheet, value_axis
from crmlib.charts.style import BLUE, PALE, Chart, group_colours, house_style


@house_style()
def tier_pyramid(table: pd.DataFrame, *, value: str = "profit", currency: str = "") -> Chart:
    """Draw each tier's share of the customers beside what it brings or costs.

    Parameters
    ----------
    table : DataFrame
        One row per tier, the best first: `tier`, `customers`, `share_of_customers` and, of the value, its sum
        and `share_of_…` (NaN where the total is not positive).
    value : str
        The column drawn: "profit" or "revenue".
    currency : str
        The name of the money.
    """
    table = table[table["customers"] > 0]
    if table.empty:
        return no_data("No customer has a tier")
    names, people = table["tier"].astype(str).tolist(), table["share_of_customers"].to_numpy(dtype=float)
    brought = table[f"share_of_{value}"].to_numpy(dtype=float)
    money = [fmt.money(one, currency) for one in table[value].astype(float)]
    parts = [
        f"{fmt.share(one)} · {fmt.share(other)}" if np.isfinite(other) else f"{fmt.share(one)} · {paid}"
        for one, other, paid in zip(people, brought, money, strict=True)
    ]
    _, axes = sheet(0.5 * len(names) + 0.15)
    paired_bars(axes, names, people, brought, parts)
    listed = "; ".join(
        f"{name}: {fmt.plural(count, 'customer')} ({fmt.share(one)}), {value} {paid}"
        for name, count, one, paid in zip(names, table["customers"], people, money, strict=True)
    )
    unit = f"Share of customers (full colour) · of {value} (pale)"
    title = _pyramid_title(names, people, brought, money, value)
    return finish(axes, title, f"Bars by tier. {listed}.", unit=unit)


def _pyramid_title(
    names: Sequence[str], people: np.ndarray, brought: np.ndarray, money: Sequence[str], value: str
) -> str:
    first = f"{names[0]}, {fmt.share(people[0])} of customers,"
    if not np.isfinite(brought).any():
        return f"{first} makes {value} of {money[0]}; all together make none"
    title = f"{first} brings {fmt.share(brought[0])} of {value}"
    if brought[-1] < 0 and len(names) > 1:
        title += f"; {names[-1]}, {fmt.share(people[-1])}, costs as much as {fmt.share(-brought[-1])} of it"
    elif len(names) > 1:
        title += f"; {names[-1]}, {fmt.share(people[-1])}, brings {fmt.share(brought[-1])}"
    return title


@house_style()
def effort_and_value(table: pd.DataFrame) -> Chart:
    """Draw each tier's share of the value before service beside its share of the service.

    Parameters
    ----------
    table : DataFrame
        One row per tier, the best first: `tier`, `customers`, `share_of_value`, `share_of_effort` and
        `effort_per_value` (NaN where there is none).
    """
    table = table[(table["customers"] > 0) & table["share_of_effort"].notna()]
    if table.empty or table["share_of_value"].isna().all():
        return no_data("No service to set against value")
    names = table["tier"].astype(str).tolist()
    value, effort, per = (
        table[one].to_numpy(dtype=float) for one in ("share_of_value", "share_of_effort", "effort_per_value")
    )
    parts = [f"{fmt.share(one)} · {fmt.share(other)}" for one, other in zip(value, effort, strict=True)]
    _, axes = sheet(0.5 * len(names) + 0.15)
    paired_bars(axes, names, value, effort, parts)
    most = int(np.argmax(effort - value))
    title = (
        f"{names[most]} takes {fmt.share(effort[most])} of the service and brings {fmt.share(value[most])} of "
        "the value before it"
    )
    if effort[most] - value[most] < 0.01:
        title = "Each tier gets service in proportion to its value"
    listed = "; ".join(
        f"{name}: {fmt.share(one)} of value, {fmt.share(other)} of service"
        + (f", {fmt.share(rate)} of its own value" if np.isfinite(rate) else "")
        for name, one, other, rate in zip(names, value, effort, per, strict=True)
    )
    unit = "Share of value before service (full colour) · of service (pale)"
    return finish(axes, title, f"Bars by tier. {listed}.", unit=unit)


@house_style()
def tier_flows(matrix: pd.DataFrame) -> Chart:
    """Draw where the customers of each tier went by the next period.

    Parameters
    ----------
    matrix : DataFrame
        Customers by tier before (index, the best first, "new" last) and after (columns, "not active" last).
    """
    counts = matrix.drop(index="new", errors="ignore")
    counts = counts[counts.sum(axis=1) > 0]
    if counts.empty:
        return no_data("No customer of the first period to follow")
    counts = counts.loc[:, (counts.sum(axis=0) > 0) | counts.columns.isin(counts.index)]
    shares = counts.to_numpy(dtype=float) / counts.sum(axis=1).to_numpy(dtype=float)[:, None]
    best = str(counts.index[0])
    stayed = shares[0, list(counts.columns).index(best)]
    title = f"Of {best}, {fmt.share(float(stayed))} are {best} again in the next period"
    _, axes = sheet(0.5 * len(counts) + 0.1)
    texts = np.array([[fmt.share(one) if one > 0 else "" for one in row] for row in shares])
    names = [f"{one} ({fmt.number(count)})" for one, count in counts.sum(axis=1).items()]
    cells(axes, shares, texts, names, [str(one).replace(" ", "\n") for one in counts.columns], full=0.45)
    axes.set_xlabel("Tier in the second period, by the same cut-offs")
    listed = "; ".join(
        f"{one} to {other}: {fmt.share(float(shares[row, column]))}"
        for row, one in enumerate(counts.index)
        for column, other in enumerate(counts.columns)
        if shares[row, column] > 0
    )
    alt = f"Table of shares by tier in the first and the second period. {listed}."
    return finish(axes, title, alt, unit="Share of each tier of the first period (rows)")


@house_style()
def stayed_by_chance(stayed: pd.DataFrame) -> Chart:
    """Draw how many of each tier stayed in it, beside how many would have, had nobody changed.

    Parameters
    ----------
    stayed : DataFrame
        One row per tier, the best first: `tier`, `customers`, `stayed` and `by_chance` (shares).
    """
    stayed = stayed[(stayed["customers"] > 0) & stayed["by_chance"].notna()]
    if stayed.empty:
        return no_data("No tier to tell noise from change in")
    names = stayed["tier"].astype(str).tolist()
    real, noise = (stayed[one].to_numpy(dtype=float) for one in ("stayed", "by_chance"))
    texts = [f"{fmt.share(one)} · {fmt.share(other)}" for one, other in zip(real, noise, strict=True)]
    _, axes = sheet(0.5 * len(names) + 0.15)
    paired_bars(axes, names, real, noise, texts)
    title = (
        f"{fmt.share(real[0])} of {names[0]} stayed; had nobody changed, noise alone would have kept "
        f"{fmt.share(noise[0])}"
    )
    listed = "; ".join(
        f"{name}: {fmt.share(one)} stayed, {fmt.share(other)} expected by noise alone"
        for name, one, other in zip(names, real, noise, strict=True)
    )
    unit = "Share that stayed (full colour) · by noise alone, nobody changing (pale)"
    return finish(axes, title, f"Bars by tier. {listed}.", unit=unit)


@house_style()
def tier_certainty(chances: pd.DataFrame) -> Chart:
    """Draw how sure a measured tier is: the mean chance of each true tier, by the tier that was measured.

    Parameters
    ----------
    chances : DataFrame
        Mean chances: the measured tier as index, the best first, the true tiers as columns; rows add up to 1.
    """
    chances = chances.dropna(how="all")
    if chances.empty:
        return no_data("No chances of tiers to draw")
    names, places = [str(one) for one in chances.index], np.arange(len(chances))
    right = [float(chances.loc[one, one]) for one in chances.index]
    _, axes = sheet(0.42 * len(names) + 0.1)
    left = np.zeros(len(names))
    for true in chances.columns:
        shares = chances[true].to_numpy(dtype=float)
        axes.barh(places, shares, left=left, height=0.66, color=group_colours([str(true)]))
        left = left + shares
    for place, share in zip(places, right, strict=True):
        axes.annotate(
            f"{fmt.share(share)} right", (1.0, place), xytext=(5, 0), textcoords="offset points", va="center",
            annotation_clip=False,
        )  # fmt: skip
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    value_axis(axes, "x", kind="share")
    worst = int(np.argmin(right))
    title = f"Who measures as {names[0]} is {names[0]} with a chance of {fmt.share(right[0])}"
    if worst:
        title += f"; least sure is {names[worst]}: {fmt.share(right[worst])}"
    listed = "; ".join(
        f"{name}: "
        + ", ".join(f"{fmt.share(float(chance))} {true}" for true, chance in row.items() if chance > 0)
        for name, row in zip(names, chances.to_dict("index").values(), strict=True)
    )
    alt = f"Stacked bars of chances by measured tier. {listed}."
    return finish(axes, title, alt, unit="Chance of each true tier, in its colour, by the tier measured")


@house_style()
def tiers_by_allocation(sensitivity: pd.DataFrame) -> Chart:
    """Draw how many customers change tier when the cost to serve is shared out by another key.

    Parameters
    ----------
    sensitivity : DataFrame
        One row per key, "as calculated" first: `key`, `changed`, `share_changed` and `Lead` (customers).
    """
    others = sensitivity[sensitivity["key"] != "as calculated"]
    if others.empty:
        return no_data("No other key to share costs out by")
    others = others.sort_values("share_changed", ascending=False, kind="stable")
    shares = others["share_changed"].to_numpy(dtype=float)
    texts = [
        f"{fmt.share(share)} · Lead: {fmt.number(lead)}"
        for share, lead in zip(shares, others["Lead"], strict=True)
    ]
    _, axes = sheet(0.36 * len(others) + 0.1)
    bars(axes, others["key"].tolist(), shares, [BLUE, *[PALE] * (len(others) - 1)], texts)
    moved = f"moves {fmt.share(shares[0])} of customers to another tier"
    title = f"Shared out {others['key'].iloc[0]}, the same cost {moved}"
    if not shares[0]:
        title = "No customer changes tier, however the cost to serve is shared out"
    listed = "; ".join(f"{key}: {text}" for key, text in zip(others["key"], texts, strict=True))
    return finish(
        axes, title, f"Bars by key. {listed}.", unit="Share of customers who change tier · customers in Lead"
    )
