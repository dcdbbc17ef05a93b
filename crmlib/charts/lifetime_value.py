"""Charts of chapter 6, lifetime value: how it is spread, how concentrated, and what it hangs on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.charts.layout import (
    bars,
    every_month,
    finish,
    no_data,
    period_axis,
    sheet,
    short_name,
    value_axis,
)
from crmlib.charts.style import BLUE, INK, ORANGE, PALE, SOFT, Chart, group_colours, house_style

_GROUPS = 20
_TOP = 0.2


@house_style()
def clv_distribution(frame: pd.DataFrame, *, currency: str = "") -> Chart:
    """Draw customer lifetime value from the lowest to the highest twentieth of customers.

    Parameters
    ----------
    frame : DataFrame
        One row per customer: `clv` (money); optionally `clv_low` and `clv_high`, the customer's interval,
        drawn as the mean of each group's ends.
    currency : str
        The name of the money.
    """
    frame = frame.dropna(subset=["clv"]).sort_values("clv", kind="stable")
    if frame.empty:
        return no_data("No customer has a lifetime value")
    groups = min(_GROUPS, len(frame))
    group = np.arange(len(frame)) * groups // len(frame)
    interval = [name for name in ("clv_low", "clv_high") if name in frame]
    means = frame[["clv", *interval]].groupby(group).mean()
    top, median = float(means["clv"].iloc[-1]), float(frame["clv"].median())
    if len(frame) == 1:
        title = f"The only customer is worth {fmt.money(median, currency)}"
    else:
        size = fmt.share(float((group == groups - 1).mean()))
        title = f"The middle customer is worth {fmt.money(median, currency)}, the best {size} {_each(top, currency)}"
    _, axes = sheet(2.5)
    axes.bar((np.arange(groups) + 0.5) / groups, means["clv"], width=0.8 / groups, color=BLUE)
    if len(interval) == 2:
        axes.vlines(
            (np.arange(groups) + 0.5) / groups,
            means["clv_low"],
            means["clv_high"],
            color=ORANGE,
            linewidth=1.6,
        )
    axes.axhline(0, color=SOFT, linewidth=0.8)
    scale = value_axis(axes, "y", kind="money", largest=float(means.abs().max().max()))
    value_axis(axes, "x", kind="share", bins=4)
    axes.set_xlim(0, 1)
    axes.xaxis.grid(False)
    axes.set_xlabel("Customers, from lowest to highest lifetime value")
    band = "; lines: mean of the customers' intervals" if len(interval) == 2 else ""
    alt = (
        f"Bars of mean lifetime value of {fmt.plural(len(frame), 'customer')} in {groups} equal groups, lowest "
        f"{fmt.money(float(means['clv'].iloc[0]), currency)}, highest {fmt.money(top, currency)}; median "
        f"{fmt.money(median, currency)}, mean {fmt.money(float(frame['clv'].mean()), currency)}{band}."
    )
    return finish(axes, title, alt, unit=f"Lifetime value per customer, {scale}{currency or 'money'}{band}")


@house_style()
def clv_concentration(frame: pd.DataFrame, *, currency: str = "") -> Chart:
    """Draw the share of all lifetime value that the best customers hold together.

    Parameters
    ----------
    frame : DataFrame
        One row per customer: `clv` (money).
    currency : str
        The name of the money.
    """
    values = np.sort(frame["clv"].dropna().to_numpy(dtype=float))[::-1]
    total = float(values.sum())
    if not len(values) or not total > 0:
        return no_data("There is no lifetime value to share out")
    held = np.concatenate([[0.0], np.cumsum(values) / total])
    customers = np.arange(len(held)) / len(values)
    top = max(1, round(_TOP * len(values)))
    title = (
        f"The best {fmt.share(top / len(values))} of customers hold {fmt.share(held[top])} of lifetime value"
    )
    if np.ptp(values) <= 1e-9 * values.max():
        title = "Lifetime value is spread evenly: every customer is worth the same"
    _, axes = sheet(2.7)
    drawn = np.unique(np.linspace(0, len(values), 400).astype(int))
    axes.plot(customers[drawn], held[drawn], color=BLUE)
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=1.2)
    axes.annotate("all worth the same", (0.62, 0.55), color=SOFT)
    axes.plot([top / len(values)], [held[top]], "o", color=ORANGE, markersize=6)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(1.0, float(held.max())) * 1.02)
    value_axis(axes, "x", kind="share", bins=5)
    value_axis(axes, "y", kind="share")
    axes.set_xlabel("Customers, the best first")
    alt = (
        f"Curve of the share of lifetime value ({fmt.money(total, currency)} of "
        f"{fmt.plural(len(values), 'customer')}) held by the best customers: {fmt.share(held[top])} by the best "
        f"{fmt.share(top / len(values))}, {fmt.share(held[max(1, len(values) // 2)])} by the better half."
    )
    return finish(axes, title, alt, unit="Share of all lifetime value")


@house_style()
def clv_by_group(frame: pd.DataFrame, *, group: str = "segment", currency: str = "") -> Chart:
    """Draw the mean lifetime value of groups of customers, such as segments or tiers.

    Parameters
    ----------
    frame : DataFrame
        One row per group, in the order to draw: `group`, `customers` and `clv_mean` (money per customer);
        optionally `clv_low` and `clv_high`, the interval of the mean.
    group : str
        The column that names the group.
    currency : str
        The name of the money.
    """
    frame = frame.dropna(subset=["clv_mean"])
    if frame.empty:
        return no_data("No group has a lifetime value")
    names, means = frame[group].astype(str).tolist(), frame["clv_mean"].to_numpy(dtype=float)
    best, worst = int(means.argmax()), int(means.argmin())
    title = f"{short_name(names[best])}: worth most, {_each(means[best], currency)}"
    if len(names) == 1:
        title = f"{short_name(names[0])}: worth {_each(means[0], currency)}"
    elif means[best] > means[worst]:
        title += f"; {short_name(names[worst])}: least, {fmt.money(means[worst], currency)}"
    else:
        title = f"All {len(names)} groups are worth the same: {_each(means[0], currency)}"
    has_interval = {"clv_low", "clv_high"} <= set(frame)
    texts = [fmt.money(mean, currency) for mean in means]
    if has_interval:
        ends = zip(texts, frame["clv_low"], frame["clv_high"], strict=True)
        texts = [f"{text}\n({fmt.number(low)} to {fmt.number(high)})" for text, low, high in ends]
    _, axes = sheet((0.44 if has_interval else 0.36) * len(names))
    bars(axes, names, means.tolist(), group_colours(names), texts)
    listed = "; ".join(
        f"{one} ({fmt.plural(count, 'customer')}): {text.replace(chr(10), ' ')}"
        for one, count, text in zip(names, frame["customers"], texts, strict=True)
    )
    unit = f"Lifetime value per customer, {currency or 'money'}" + (
        "; in brackets: interval" if has_interval else ""
    )
    return finish(axes, title, f"Bars of mean lifetime value per customer. {listed}.", unit=unit)


@house_style()
def clv_by_acquisition_month(frame: pd.DataFrame, *, currency: str = "") -> Chart:
    """Draw what a new customer is worth by the month of the first purchase.

    Parameters
    ----------
    frame : DataFrame
        Columns `month` (any day of it), `customers` and `clv_mean` (money per customer acquired);
        optionally `clv_low` and `clv_high`, the interval of the mean.
    currency : str
        The name of the money.
    """
    frame = frame.dropna(subset=["month", "clv_mean"])
    if frame.empty:
        return no_data("No month of acquisition has a lifetime value")
    monthly = every_month(frame)
    months, means = monthly["month"], monthly["clv_mean"].to_numpy(dtype=float)
    best, worst = int(np.nanargmax(means)), int(np.nanargmin(means))
    title = f"A customer acquired in {fmt.month(months[best])} is worth {fmt.money(means[best], currency)}"
    if means[best] > means[worst]:
        title += f", the most; {fmt.money(means[worst], currency)} in {fmt.month(months[worst])}, the least"
    _, axes = sheet(2.3)
    if {"clv_low", "clv_high"} <= set(monthly):
        axes.vlines(np.arange(len(months)), monthly["clv_low"], monthly["clv_high"], color=PALE, linewidth=5)
    axes.plot(np.arange(len(months)), means, color=BLUE, marker="o", markersize=5)
    axes.set_xlim(-0.6, max(len(months), 6) - 0.4)
    bottom, top = axes.get_ylim()
    axes.set_ylim(min(bottom, 0), max(top, 0))
    period_axis(axes, months.tolist())
    scale = value_axis(axes, "y", kind="money", largest=float(np.nanmax(np.abs(means))))
    listed = "; ".join(
        f"{fmt.month(when)} {fmt.money(mean, currency)}" for when, mean in zip(months, means, strict=True)
    )
    unit = f"Lifetime value per customer acquired, {scale}{currency or 'money'}"
    return finish(axes, title, f"{unit}, by month of acquisition: {listed}.", unit=unit)


@house_style()
def clv_sensitivity(frame: pd.DataFrame, *, base: float, currency: str = "") -> Chart:
    """Draw how far the total lifetime value moves when one assumption at a time is changed.

    Parameters
    ----------
    frame : DataFrame
        Columns `assumption` (such as "margin"), `setting` (such as "30 %") and `clv` (money, the total
        under that setting with the other assumptions at their base).
    base : float
        The total under the base assumptions.
    currency : str
        The name of the money.
    """
    frame = frame.dropna(subset=["clv"])
    if frame.empty:
        return no_data("No assumption was varied")
    ends = frame.sort_values("clv", kind="stable").groupby("assumption", sort=False)
    low, high = ends.first(), ends.last()
    order = (high["clv"] - low["clv"]).sort_values(ascending=False, kind="stable").index
    low, high = low.loc[order], high.loc[order]
    first = order[0]
    if high.loc[first, "clv"] == low.loc[first, "clv"]:
        title = "No assumption that was varied moves lifetime value"
    else:
        title = (
            f"{short_name(first).capitalize()} matters most: from {low.loc[first, 'setting']} to "
            f"{high.loc[first, 'setting']}, lifetime value goes from "
            f"{fmt.money(low.loc[first, 'clv'], currency)} to {fmt.money(high.loc[first, 'clv'], currency)}"
        )
    divisor, word = fmt.scale(float(frame["clv"].abs().max()))
    _, axes = sheet(0.55 * len(order) + 0.1)
    places = np.arange(len(order))
    axes.hlines(places, low["clv"], high["clv"], color=BLUE, linewidth=6, capstyle="butt")
    axes.axvline(base, color=INK, linewidth=1.0)
    span = float(high["clv"].max() - low["clv"].min()) or abs(base) or 1.0
    axes.set_xlim(float(low["clv"].min()) - 0.3 * span, float(high["clv"].max()) + 0.3 * span)
    for end, ha, away in ((low, "right", -5), (high, "left", 5)):
        for place, value, setting in zip(places, end["clv"], end["setting"], strict=True):
            axes.annotate(
                short_name(setting), (value, place), xytext=(away, 0), textcoords="offset points", ha=ha, va="center",
                annotation_clip=False, color=SOFT,
            )  # fmt: skip
    for place, name in zip(places, order, strict=True):
        axes.text(0, place - 0.42, short_name(name), transform=axes.get_yaxis_transform(), va="center")
    axes.set_yticks([])
    axes.set_ylim(len(order) - 0.6, -0.75)
    value_axis(axes, "x", kind="money", largest=divisor, bins=4)
    axes.set_xlabel(f"Total lifetime value, {word + ' ' if word else ''}{currency or 'money'}; line: base")
    listed = "; ".join(
        f"{one}: {fmt.money(low.loc[one, 'clv'], currency)} ({low.loc[one, 'setting']}) to "
        f"{fmt.money(high.loc[one, 'clv'], currency)} ({high.loc[one, 'setting']})"
        for one in order
    )
    return finish(axes, title, f"Total lifetime value, {fmt.money(base, currency)} at the base. {listed}.")


def _each(value: float, currency: str) -> str:
    return f"{fmt.money(value, currency)} each"
