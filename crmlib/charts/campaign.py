"""Charts of a campaign: what contacting more customers earns, and what choosing by predicted effect brings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.charts.layout import capital, end_labels, finish, no_data, rows_by, sheet, short_name, value_axis
from crmlib.charts.style import BLUE, INK, LIGHT_BLUE, SOFT, Chart, house_style, line_colours

_POINTS = 400


@house_style()
def campaign_profit(frame: pd.DataFrame, *, currency: str = "") -> Chart:
    """Draw what a campaign earns as more and more customers are contacted, and where to stop.

    Parameters
    ----------
    frame : DataFrame
        `profit_curve`: `share_contacted` (from 0) and `profit` (money, of all contacted); where several rankings
        are compared, `ranking` names each, the one to follow first.
    currency : str
        The name of the money.
    """
    frame = frame.dropna(subset=["share_contacted", "profit"])
    if frame.empty:
        return no_data("No customer to contact")
    curves = rows_by(frame, "ranking")
    colours = line_colours(len(curves))
    _, axes = sheet(2.6)
    axes.set_xlim(0, 1)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    best, ends = {}, []
    for (name, curve), colour in zip(curves.items(), colours, strict=True):
        share, profit = curve["share_contacted"].to_numpy(dtype=float), curve["profit"].to_numpy(dtype=float)
        top = int(profit.argmax())
        drawn = np.unique(np.append(np.linspace(0, len(curve) - 1, _POINTS).astype(int), top))
        axes.plot(share[drawn], profit[drawn], color=colour)
        axes.plot([share[top]], [profit[top]], "o", color=colour, markersize=6)
        best[name] = float(share[top]), float(profit[top])
        ends.append(float(profit[-1]))
    axes.margins(y=0.08)
    axes.set_ylim(*axes.get_ylim())
    largest = float(frame["profit"].abs().max())
    scale = value_axis(axes, "y", kind="money", largest=largest)
    value_axis(axes, "x", kind="share")
    axes.xaxis.grid(False)
    axes.set_xlabel("Customers contacted, the most promising first")
    if len(curves) > 1:
        # Curves that contact everybody end in one place: their names stand at the side, each in its colour.
        end_labels(axes, 1.0, ends, [short_name(name) for name in curves], colours)
    listed = "; ".join(
        f"{name + ': ' if len(curves) > 1 else ''}at most {fmt.money(money, currency)} at "
        f"{fmt.share(share)} of customers, {fmt.money(end, currency)} at all"
        for (name, (share, money)), end in zip(best.items(), ends, strict=True)
    )
    unit = f"Profit of the campaign, {scale}{currency or 'money'}"
    return finish(
        axes, _profit_title(best, ends, currency), f"{unit}, by share contacted. {listed}.", unit=unit
    )


def _profit_title(best: dict[str, tuple[float, float]], ends: list[float], currency: str) -> str:
    first, (share, profit) = next(iter(best.items()))
    if not max(money for _, money in best.values()) > 0:
        return "No contact pays: leave everybody alone"
    who = "everybody" if share == 1 else f"{fmt.share(share)} of customers"
    if len(best) == 1:
        title = f"Contacting {who} earns most: {fmt.money(profit, currency)}"
        return title if share == 1 else f"{title}; contacting all earns {fmt.money(ends[0], currency)}"
    if not profit > 0:
        return f"No contact by {short_name(first)} pays"
    other = max((name for name in best if name != first), key=lambda name: best[name][1])
    return (
        f"{capital(short_name(first))} earns {fmt.money(profit, currency)} at {fmt.share(share)} of customers; "
        f"{short_name(other)} at most {fmt.money(best[other][1], currency)}"
    )


@house_style()
def qini_curve(frame: pd.DataFrame, *, qini_low: float, qini_high: float, outcome: str = "outcomes") -> Chart:
    """Draw what contacting those first who are predicted to gain most brings, beside a choice by chance.

    Parameters
    ----------
    frame : DataFrame
        `UpliftCurves.curve`: `share` (from 0 to 1), `qini`, `qini_low` and `qini_high` (outcomes gained per
        treated customer).
    qini_low, qini_high : float
        The interval of `UpliftCurves.qini_coefficient`: above 0, the order is better than chance.
    outcome : str
        What is gained, in the plural, such as "customers kept".
    """
    frame = frame.dropna(subset=["share", "qini"])
    if frame.empty:
        return no_data("No experiment to learn effects from")
    share, qini = frame["share"].to_numpy(dtype=float), frame["qini"].to_numpy(dtype=float)
    _, axes = sheet(2.6)
    axes.set_xlim(0, 1)
    if frame[["qini_low", "qini_high"]].notna().all(axis=None):
        axes.fill_between(share, frame["qini_low"], frame["qini_high"], color=LIGHT_BLUE, alpha=0.5, lw=0)
    axes.plot([0, 1], [0, qini[-1]], color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.plot(share, qini, color=BLUE)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.margins(y=0.06)
    axes.set_ylim(*axes.get_ylim())
    value_axis(axes, "y")
    value_axis(axes, "x", kind="share")
    axes.xaxis.grid(False)
    axes.set_xlabel("Customers contacted, the highest predicted effect first")
    title = _qini_title(share, qini, frame["qini_low"].to_numpy(dtype=float), qini_low, qini_high)
    half = float(np.interp(0.5, share, qini))
    alt = (
        f"Curve of {outcome} gained per treated customer by share contacted: {fmt.number(half)} at half of them, "
        f"{fmt.number(qini[-1])} at all; by chance {fmt.number(qini[-1] / 2)} at half."
    )
    unit = f"{capital(outcome)} gained per treated customer · dashed: chosen by chance"
    return finish(axes, title, alt, unit=unit)


def _qini_title(share: np.ndarray, qini: np.ndarray, lows: np.ndarray, low: float, high: float) -> str:
    if high < 0:
        return "Choosing by predicted effect is worse than by chance"
    if not low > 0:
        return "Choosing by predicted effect is no better than by chance, as far as this experiment tells"
    top = int(np.argmax(qini - qini[-1] * share))
    found = f"The {fmt.share(float(share[top]))} with the highest predicted effect"
    if not qini[-1] > 0:
        return f"{found} gain; contacting everybody gains nothing"
    if lows[top] > qini[-1]:
        return f"{found} gain more than contacting everybody would: some are better left alone"
    part = float(qini[top] / qini[-1])
    brought = "as much as" if part >= 1 else f"{fmt.share(part)} of what"
    return f"{found} bring {brought} contacting everybody brings"
