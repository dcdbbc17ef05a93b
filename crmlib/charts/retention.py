"""Charts of retention: what it is worth, how long contracts last, and how recurring revenue moved."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.charts.layout import end_labels, finish, no_data, rows_by, sheet, short_name, value_axis
from crmlib.charts.period_change import Periods, draw_waterfall
from crmlib.charts.style import BLUE, INK, LIGHT_BLUE, RED, SOFT, Chart, house_style, line_colours


@house_style()
def profit_by_retention(
    curve: pd.DataFrame, *, retention_rate: float, points: float = 0.05, currency: str = ""
) -> Chart:
    """Draw the value of a customer against retention, with the firm and its next five points marked.

    Parameters
    ----------
    curve : DataFrame
        By `retention_rate`: `gross` and `net` value of a customer (money); equal where no cost is known.
    retention_rate : float
        The firm's.
    points : float
        The step that is marked.
    currency : str
        The name of the money.
    """
    curve = curve.dropna(subset=["retention_rate", "gross", "net"]).sort_values("retention_rate")
    if len(curve) < 2:
        return no_data("No value of a customer by retention to draw")
    rates = curve["retention_rate"].to_numpy(float)
    lines = {"before costs": "gross", "net of costs": "net"}
    if np.allclose(curve["gross"], curve["net"]):
        lines = {"value": "gross"}
    _, axes = sheet(2.7)
    axes.set_xlim(rates[0], rates[-1])
    colours = line_colours(len(lines))
    for name, colour in zip(lines.values(), colours, strict=True):
        axes.plot(rates, curve[name], color=colour)
    key = list(lines.values())[-1]
    values = curve[key].to_numpy(float)
    step = (retention_rate, retention_rate + points)
    marks = [one for one in step if rates[0] - 1e-9 <= one <= rates[-1] + 1e-9]
    heights = [float(np.interp(one, rates, values)) for one in marks]
    axes.plot(marks, heights, color=INK, marker="o", markersize=6, linewidth=1.2, clip_on=False, zorder=4)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    scale = value_axis(axes, "y", kind="money", largest=float(np.abs(curve["gross"]).max()))
    value_axis(axes, "x", kind="share", bins=7)
    axes.xaxis.grid(False)
    ends = [float(curve[name].iloc[-1]) for name in lines.values()]
    end_labels(axes, float(rates[-1]), ends, list(lines) if len(lines) > 1 else [""], colours)
    axes.set_xlabel("Retention per period (dots: this firm, and five points on)")
    title = _profit_title(marks, heights, retention_rate, points, key, currency)
    alt = (
        f"Value of a customer by retention, {fmt.share(rates[0])} to {fmt.share(rates[-1])}: from "
        f"{fmt.money(values[0], currency)} to {fmt.money(values[-1], currency)}. {title}."
    )
    return finish(axes, title, alt, unit=f"Value of a customer, {scale}{currency or 'money'}")


def _profit_title(
    marks: list[float], heights: list[float], rate: float, points: float, key: str, currency: str
) -> str:
    if not marks or marks[0] != rate:
        return f"The firm's retention of {fmt.share(rate)} lies outside the curve"
    worth = f"At {fmt.share(rate)} retention a customer is worth {fmt.money(heights[0], currency)}"
    worth += " net" if key == "net" else ""
    if len(marks) < 2:
        return f"{worth}; {fmt.points(points)} more lie beyond the curve"
    if heights[0] <= 0:
        return f"{worth}; {fmt.points(points)} more give {fmt.money(heights[1], currency)}"
    return f"{worth}; {fmt.points(points)} more add {fmt.share(heights[1] / heights[0] - 1)}"


@house_style()
def rise_by_retention(
    curve: pd.DataFrame,
    *,
    retention_rate: float,
    published: pd.DataFrame | None = None,
    claimed: float = 0.80,
    interval: tuple[float, float] = (np.nan, np.nan),
) -> Chart:
    """Draw what five points more add, against retention, beside the claim and what has been published.

    Parameters
    ----------
    curve : DataFrame
        By `retention_rate`: `net_change`, the rise of a customer's net value from five points more, as a share.
    retention_rate : float
        The firm's.
    published : DataFrame, optional
        Columns `industry`, `rise`: published figures, drawn as ticks at the right.
    claimed : float
        The rise that is claimed.
    interval : pair of float
        Ends of the firm's own figure; nan where they are not known.
    """
    curve = curve.dropna(subset=["retention_rate", "net_change"]).sort_values("retention_rate")
    if len(curve) < 2:
        return no_data("No rise of value by retention to draw")
    rates, rises = (curve[one].to_numpy(float) for one in ("retention_rate", "net_change"))
    ticks = pd.DataFrame({"industry": [], "rise": []}) if published is None else published
    here = float(np.interp(retention_rate, rates, rises, left=np.nan, right=np.nan))
    top = 1.15 * max([claimed, *ticks["rise"], *([here] if np.isfinite(here) else [])])
    _, axes = sheet(3.2)
    axes.set_xlim(rates[0], rates[-1])
    axes.set_ylim(0, top)
    axes.plot(rates, rises, color=BLUE)
    axes.axhline(claimed, color=RED, linewidth=1.2, linestyle=(0, (4, 3)))
    if np.isfinite(here):
        axes.plot([retention_rate], [here], color=INK, marker="o", markersize=6, clip_on=False, zorder=4)
        low, high = interval
        if np.isfinite(low):
            axes.plot([retention_rate] * 2, [low, min(high, top)], color=INK, linewidth=1.2, zorder=3)
    value_axis(axes, "y", kind="share")
    value_axis(axes, "x", kind="share", bins=7)
    axes.xaxis.grid(False)
    names = [f"claimed: {fmt.share(claimed)}", *(short_name(one) for one in ticks["industry"])]
    places = [claimed, *ticks["rise"]]
    end_labels(axes, float(rates[-1]), places, names, [RED, *[SOFT] * len(ticks)])
    axes.set_xlabel("Retention per period (dot: this firm)")
    title = _rise_title(here, retention_rate, claimed)
    listed = ", ".join(f"{one.industry} {fmt.share(one.rise)}" for one in ticks.itertuples())
    alt = f"Rise of a customer's value from five points more retention, by retention. {title}."
    alt += f" Published: {listed}." if listed else ""
    unit = "Rise of a customer's value from five points more retention"
    return finish(axes, title, alt, unit=unit + (" (grey: published)" if listed else ""))


def _rise_title(here: float, rate: float, claimed: float) -> str:
    if not np.isfinite(here):
        return f"At {fmt.share(rate)} retention there is no net value to take a share of"
    side = "as claimed" if fmt.share(here) == fmt.share(claimed) else f"not the claimed {fmt.share(claimed)}"
    if here > claimed and side != "as claimed":
        side = f"more than the claimed {fmt.share(claimed)}"
    return f"At {fmt.share(rate)} retention, five points more add {fmt.share(here)}, {side}"


@house_style()
def survival_by_group(curves: pd.DataFrame, *, time_unit: str = "month", what: str = "contracts") -> Chart:
    """Draw which share of contracts is still there at each tenure.

    Parameters
    ----------
    curves : DataFrame
        By `group` and `tenure`: `survival` (a share), `low`, `high`.
    time_unit : str
        The name of one period of tenure.
    what : str
        What is counted.
    """
    curves = curves.dropna(subset=["tenure", "survival"])
    if curves.empty:
        return no_data(f"No {what} to follow")
    groups = rows_by(curves, "group")
    furthest = float(curves["tenure"].max())
    _, axes = sheet(2.7)
    colours = line_colours(len(groups))
    for rows, colour in zip(groups.values(), colours, strict=True):
        axes.step(rows["tenure"], rows["survival"], where="post", color=colour)
        if len(groups) == 1:
            axes.fill_between(
                rows["tenure"], rows["low"], rows["high"], step="post", color=LIGHT_BLUE, alpha=0.5, lw=0
            )
    axes.set_xlim(0, furthest or 1.0)
    axes.set_ylim(0, 1.03)
    value_axis(axes, "y", kind="share")
    value_axis(axes, "x", kind="number", bins=6)
    axes.xaxis.grid(False)
    if len(groups) > 1:
        lasts = [float(rows["survival"].iloc[-1]) for rows in groups.values()]
        end_labels(axes, furthest or 1.0, lasts, [short_name(one) for one in groups], colours)
    axes.set_xlabel(f"Tenure in {time_unit}s")
    title, alt = _survival_words(groups, time_unit, what)
    return finish(axes, title, alt, unit=f"Share of {what} still there")


def _survival_words(groups: dict[str, pd.DataFrame], time_unit: str, what: str) -> tuple[str, str]:
    """Compared at half the tenure that every group was seen for."""
    at = min(float(rows["tenure"].max()) for rows in groups.values()) / 2
    at = float(np.floor(at)) if at >= 1 else at
    there = {
        name: float(rows.loc[rows["tenure"] <= at, "survival"].iloc[-1]) for name, rows in groups.items()
    }
    when = f"After {fmt.plural(at, time_unit)}"
    most, least = max(there, key=lambda one: there[one]), min(there, key=lambda one: there[one])
    if len(there) == 1:
        title = f"{when}, {fmt.share(there[most])} of {what} are still there"
    elif fmt.share(there[most]) == fmt.share(there[least]):
        title = f"{when}, {fmt.share(there[most])} of {what} are still there in every group"
    else:
        title = (
            f"{short_name(most)}: {fmt.share(there[most])} of {what} are still there "
            f"{when[0].lower()}{when[1:]}; {short_name(least)}: {fmt.share(there[least])}"
        )
    listed = "; ".join(
        f"{name}: {fmt.share(there[name])} then, {fmt.share(float(rows['survival'].iloc[-1]))} after "
        f"{fmt.plural(float(rows['tenure'].max()), time_unit)}"
        for name, rows in groups.items()
    )
    return title, f"Steps falling with tenure, the share of {what} still there. {listed}."


@house_style()
def revenue_movement(movements: pd.DataFrame, *, currency: str = "") -> Chart:
    """Draw what moved monthly recurring revenue over the months of the frame.

    Parameters
    ----------
    movements : DataFrame
        One row per `month`, in order: recurring revenue at its `start`, `new`, `expansion`, `contraction`, `churn`
        (money, all 0 or more) and at its `end`.
    currency : str
        The name of the money.
    """
    if movements.empty:
        return no_data("No month of recurring revenue to draw")
    first, last = movements.iloc[0], movements.iloc[-1]
    steps = ["new", "expansion", "contraction", "churn"]
    effects = movements[steps].sum().to_numpy(float) * [1, 1, -1, -1]
    before = f"start of {fmt.month(first['month'], short=True)}"
    periods = Periods("recurring revenue", currency, before, f"end of {fmt.month(last['month'], short=True)}")
    return draw_waterfall(periods, (float(first["start"]), float(last["end"])), effects, steps, steps)
