"""Charts of churn: calibration, gains, overdue customers, survival, and the profit of a campaign."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crmlib import format as fmt
from crmlib.charts import kit
from crmlib.charts.layout import (
    base_axis,
    finish,
    in_words,
    no_data,
    of_each,
    rows_by,
    sheet,
    title_of,
    value_axis,
)
from crmlib.charts.style import BLUE, INK, LIGHT_BLUE, PALE, Chart, house_style, line_colours

_MOST_FORECASTS = 4


@house_style()
def chances(
    frame: pd.DataFrame, finding: str | None = None, *, what: str = "Predicted chance", ax: Axes | None = None
) -> Chart:
    """Draw the share to which something happened against the chance that was predicted, by groups of customers.

    Parameters
    ----------
    frame : DataFrame
        One row per group: `customers`, `predicted_mean`, `actual_mean` (shares); where there are several forecasts
        `model` (the first four are drawn), and for one alone `low` and `high` (95 % of the share).
    finding : str, optional
        The title; by default that which the analysis left on the frame.
    what : str
        Of what the chances are.
    ax : matplotlib Axes, optional
        Where to draw; by default on a sheet of its own.

    Examples
    --------
    >>> frame = pd.DataFrame({"customers": 50, "predicted_mean": [0.1, 0.4], "actual_mean": [0.12, 0.38]})
    >>> print(chances(frame, "Chances are right").alt)
    Chances are right. Predicted chance against what happened. 10 % predicted, 12 % happened, 40 % predicted, 38 %
    happened.
    """
    rows = frame.dropna(subset=["predicted_mean", "actual_mean"])
    if rows.empty:
        return no_data("No chances to compare with what happened", ax)
    models = list(rows_by(rows, "model").items())[:_MOST_FORECASTS]
    axes = sheet(3.0, ax)
    if has_interval := len(models) == 1 and {"low", "high"} <= set(rows):
        axes.vlines(rows["predicted_mean"], rows["low"], rows["high"], color=LIGHT_BLUE, linewidth=4)
    pairs = ((name, group.sort_values("predicted_mean")) for name, group in models)
    curves = {name: (group["predicted_mean"], group["actual_mean"]) for name, group in pairs}
    kit.calibration(axes, curves, what=f"{what}, by groups of customers")
    if has_interval:
        axes.set_ylim(0, max(axes.get_ylim()[1], min(float(rows["high"].max()) * 1.03, 1.0)))
    listed = "; ".join(
        f"{name + ': ' if name else ''}"
        + ", ".join(f"{fmt.share(x)} predicted, {fmt.share(y)} happened" for x, y in zip(*pair, strict=True))
        for name, pair in curves.items()
    )
    unit = "Actual share" + (", with 95 % intervals" if has_interval else "")
    return finish(axes, title_of(frame, finding), f"{what} against what happened. {listed}.", unit=unit)


@house_style()
def churn_gains(frame: pd.DataFrame, finding: str | None = None, *, ax: Axes | None = None) -> Chart:
    """Draw how many of those who leave are among the riskiest customers, against simpler rules.

    Parameters
    ----------
    frame : DataFrame
        `ChurnEvaluation.deciles`: one row per `model` and `decile`, with `gain`, `gain_low` and `gain_high`; the
        band is drawn for the first model.
    finding, ax
        As for `chances`.

    Examples
    --------
    >>> gain = np.minimum(np.arange(1, 11) / 5, 1)
    >>> frame = pd.DataFrame({"model": "churn model", "gain": gain, "gain_low": gain, "gain_high": gain})
    >>> print(churn_gains(frame, "A fifth of the customers are half of those who leave").alt)
    A fifth of the customers are half of those who leave. Lines of what is found. churn model: 20 % in the first 10 %,
    40 % in the first 20 %, 100 % in the first 50 %.
    """
    models = rows_by(frame[frame["model"] != "base rate"], "model")
    if not models:
        return no_data("No customers to rank by their risk", ax)
    axes, places, colours = sheet(2.6, ax), np.arange(11) / 10, line_colours(len(models))
    first = next(iter(models.values()))
    kit.band(axes, places, *(np.append(0, first[f"gain_{end}"]) for end in ("low", "high")))
    curves = {name: (places, np.append(0, rows["gain"])) for name, rows in models.items()}
    kit.cumulative(axes, curves, colours, "Share of customers, the riskiest first", kind="share")
    kit.dashed(axes, [0, 1], [0, 1])
    for place, name in enumerate(models):  # below the diagonal runs no line
        axes.text(0.98, 0.28 - 0.1 * place, name, color=colours[place], ha="right", va="center")
    texts = (
        ", ".join(f"{fmt.share(gains[n])} in the first {10 * n} %" for n in (1, 2, 5))
        for _, gains in curves.values()
    )
    unit = "Share of those who left that is found · dashed: at random"
    alt = f"Lines of what is found. {of_each(models, texts)}."
    return finish(axes, title_of(frame, finding), alt, unit=unit)


@house_style()
def by_tenth(
    frame: pd.DataFrame, finding: str | None = None, *, value: str = "value_share", ax: Axes | None = None
) -> Chart:
    """Draw a share by tenth of the customers, the best (or riskiest) first, beside that of all of them.

    Parameters
    ----------
    frame : DataFrame
        One row per `decile`: `customers` and the value; where there is `model`, the first one's rows are drawn.
    finding, ax
        As for `chances`.
    value : str
        The column to draw, such as "value_share" or "churn_rate".

    Examples
    --------
    >>> frame = pd.DataFrame({"decile": [1, 2], "customers": 10, "value_share": [0.8, 0.2]})
    >>> print(by_tenth(frame, "The first tenth brings most").alt)
    The first tenth brings most. Bars of share of value by tenth of customers. 1: 80 %; 2: 20 %. Average: 50 %.
    """
    rows = frame[frame["customers"] > 0].dropna(subset=[value])
    if "model" in rows:
        rows = rows[rows["model"].eq(rows["model"].iloc[:1].squeeze())]
    shares, what = rows[value].to_numpy(dtype=float), in_words(value)
    if not shares.sum() > 0:
        return no_data(f"No {what} to draw by tenth of customers", ax)
    average = float(np.average(shares, weights=rows["customers"]))
    axes, places = sheet(2.3, ax), np.arange(len(rows))
    axes.bar(places, shares, width=0.78, color=np.where(shares > average, BLUE, PALE))
    put = {"xytext": (0, 3), "ha": "center", "va": "baseline"}
    for place, share in enumerate(shares):
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        kit.write(axes, fmt.share(share, 0), (place, max(share, 0)), bbox=box, **put)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(xlim=(-0.6, len(rows) - 0.4), ylim=(min(shares.min(), 0) * 1.05, max(shares.max(), 0) * 1.14))
    axes.set(yticks=[], xlabel="Decile of customers, 1 is the first")
    axes.set_xticks(places, rows["decile"].astype(str))
    axes.spines["bottom"].set_visible(False)
    kit.dashed(axes, axes.get_xlim(), [average, average], INK)
    listed = of_each(rows["decile"], (fmt.share(share) for share in shares))
    alt = f"Bars of {what} by tenth of customers. {listed}. Average: {fmt.share(average)}."
    unit = f"{fmt.capital(what)} · dashed: average"
    return finish(axes, title_of(frame, finding, measure=value), alt, unit=unit)


@house_style()
def overdue_share(
    table: pd.DataFrame, finding: str | None = None, *, false_alarm_rate: float = 0.05, ax: Axes | None = None
) -> Chart:
    """Draw the share of customers who are overdue, by how often they had bought, beside the false-alarm rate.

    Parameters
    ----------
    table : DataFrame
        By `frequency_group`: `customers`, `overdue` (of them), `overdue_share` (nan where it is not known).
    finding, ax
        As for `chances`.
    false_alarm_rate : float
        The share that would be overdue if nobody had lapsed.

    Examples
    --------
    >>> table = pd.DataFrame({"frequency_group": ["1", "2+"], "overdue_share": [0.3, 0.1]})
    >>> print(overdue_share(table, "A third of those who bought twice are overdue").alt)
    A third of those who bought twice are overdue. Share overdue by repeat purchases. 1: 30 %; 2+: 10 %.
    """
    known = table.dropna(subset=["overdue_share"])
    if known.empty:
        return no_data("No repeat buyer with a usual gap", ax)
    places, shares = np.arange(len(table)), table["overdue_share"].to_numpy(dtype=float)
    axes = sheet(2.6, ax)
    kit.lines(axes, {"overdue": (places, shares)}, [BLUE])
    kit.dashed(axes, [-0.2, len(table) - 1], [false_alarm_rate] * 2, INK)
    top = 1.06 * max(float(np.nanmax(shares)), 1.5 * false_alarm_rate)
    axes.set(xlim=(-0.2, max(len(table) - 0.8, 0.6)), ylim=(0, top), xlabel="Repeat purchases so far")
    axes.set_xticks(places, table["frequency_group"].astype(str))
    value_axis(axes, "y", kind="share")
    ends = [float(known["overdue_share"].iloc[-1]), false_alarm_rate]
    kit.end_labels(axes, len(table) - 1, ends, ["overdue", "false alarms"], [BLUE, INK])
    listed = of_each(known["frequency_group"], (fmt.share(share) for share in known["overdue_share"]))
    alt = f"Share overdue by repeat purchases. {listed}."
    return finish(axes, title_of(table, finding), alt, unit="Share of customers")


@house_style()
def survival_by_group(curves: pd.DataFrame, finding: str | None = None, *, ax: Axes | None = None) -> Chart:
    """Draw which share of contracts is still there at each tenure.

    Parameters
    ----------
    curves : DataFrame
        By `group` and `tenure` (months): `survival` (a share), `low`, `high`.
    finding, ax
        As for `chances`.

    Examples
    --------
    >>> curves = pd.DataFrame({"group": "all", "tenure": [0, 12], "survival": [1, 0.7], "low": 0.6, "high": 1.0})
    >>> print(survival_by_group(curves, "70 % stay a year").alt)
    70 % stay a year. Steps falling with tenure, the share of contracts still there. all: 70 % after 12 months.
    """
    rows = curves.dropna(subset=["tenure", "survival"])
    if rows.empty:
        return no_data("No contracts to follow", ax)
    groups = rows_by(rows, "group")
    furthest, colours = float(rows["tenure"].max()) or 1.0, line_colours(len(groups))
    axes = sheet(2.7, ax)
    if len(groups) == 1:
        kit.band(axes, rows["tenure"], rows["low"], rows["high"], step="post")
    steps = {name: (curve["tenure"], curve["survival"]) for name, curve in groups.items()}
    kit.lines(axes, steps, colours, marker="", drawstyle="steps-post")
    axes.set(xlim=(0, furthest), ylim=(0, 1.03))
    value_axis(axes, "y", kind="share")
    base_axis(axes, "Tenure in months", kind="number", bins=6)
    lasts = {name: float(curve["survival"].iloc[-1]) for name, curve in groups.items()}
    if len(groups) > 1:
        kit.end_labels(axes, furthest, list(lasts.values()), list(lasts), colours)
    spans = (fmt.plural(float(curve["tenure"].max()), "month") for curve in groups.values())
    texts = map(" after ".join, zip(map(fmt.share, lasts.values()), spans, strict=True))
    alt = f"Steps falling with tenure, the share of contracts still there. {of_each(lasts, texts)}."
    return finish(axes, title_of(curves, finding), alt, unit="Share of contracts still there")


@house_style()
def campaign_profit(
    frame: pd.DataFrame, finding: str | None = None, *, currency: str = "", ax: Axes | None = None
) -> Chart:
    """Draw what a campaign earns as more and more customers are contacted, and where to stop.

    Parameters
    ----------
    frame : DataFrame
        `profit_curve`: `share_contacted` (from 0) and `profit` (money, of all contacted); where several rankings
        are compared, `ranking` names each, the one to follow first.
    finding, ax
        As for `chances`.
    currency : str
        The name of the money.

    Examples
    --------
    >>> frame = pd.DataFrame({"share_contacted": [0, 0.5, 1], "profit": [0.0, 60, 20]})
    >>> print(campaign_profit(frame, "Contact half of them", currency="EUR").alt)
    Contact half of them. Profit of the campaign, EUR, by share contacted. at most EUR 60.00 at 50 % of customers, EUR
    20.00 at all.
    """
    rows = frame.dropna(subset=["share_contacted", "profit"])
    if rows.empty:
        return no_data("No customer to contact", ax)
    rankings, largest = rows_by(rows, "ranking"), float(rows["profit"].abs().max())
    curves = {name: (curve["share_contacted"], curve["profit"]) for name, curve in rankings.items()}
    axes, colours = sheet(2.6, ax), line_colours(len(curves))
    label = "Customers contacted, the most promising first"
    scale = kit.cumulative(axes, curves, colours, label, kind="money", largest=largest)
    listed = []
    for (name, (share, profit)), colour in zip(curves.items(), colours, strict=True):
        top, of = int(np.argmax(profit)), f"{name}: " if name else ""
        kit.dot(axes, share.iloc[top], profit.iloc[top], colour)
        most, end = (fmt.money(float(profit.iloc[place]), currency) for place in (top, -1))
        listed.append(f"{of}at most {most} at {fmt.share(float(share.iloc[top]))} of customers, {end} at all")
    if len(curves) > 1:
        # Curves that contact everybody end in one place: their names stand at the side, each in its colour.
        kit.end_labels(axes, 1.0, [float(y.iloc[-1]) for _, y in curves.values()], list(curves), colours)
    unit = f"Profit of the campaign, {scale}{currency or 'money'}"
    alt = f"{unit}, by share contacted. {'; '.join(listed)}."
    return finish(axes, title_of(frame, finding, currency), alt, unit=unit)


@house_style()
def qini_curve(
    frame: pd.DataFrame, finding: str | None = None, *, outcome: str = "outcomes", ax: Axes | None = None
) -> Chart:
    """Draw what contacting those first who are predicted to gain most brings, beside a choice by chance.

    Parameters
    ----------
    frame : DataFrame
        `UpliftCurves.curve`: `share` (from 0 to 1), `qini`, `qini_low` and `qini_high` (outcomes gained per
        treated customer).
    finding, ax
        As for `chances`.
    outcome : str
        What is gained, in the plural, such as "customers kept".

    Examples
    --------
    >>> curve = {"share": [0, 0.5, 1], "qini": [0, 0.2, 0.1], "qini_low": [0, 0.1, 0], "qini_high": [0, 0.3, 0.2]}
    >>> print(qini_curve(pd.DataFrame(curve), "The first half gains most", outcome="customers kept").alt)
    The first half gains most. Curve of customers kept gained per treated customer by share contacted: 0.20 at half of
    them, 0.10 at all; by chance 0.05 at half.
    """
    rows = frame.dropna(subset=["share", "qini"])
    if rows.empty:
        return no_data("No experiment to learn effects from", ax)
    share, qini = rows["share"].to_numpy(dtype=float), rows["qini"].to_numpy(dtype=float)
    axes = sheet(2.6, ax)
    label = "Customers contacted, the highest predicted effect first"
    kit.cumulative(axes, {"": (share, qini)}, [BLUE], label, kind="number")
    if rows[["qini_low", "qini_high"]].notna().all(axis=None):
        kit.band(axes, share, rows["qini_low"], rows["qini_high"])
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, rows["qini_low"].min()), max(high, rows["qini_high"].max()))
    kit.dashed(axes, [0, 1], [0, qini[-1]], INK)
    half = float(np.interp(0.5, share, qini))
    alt = (
        f"Curve of {outcome} gained per treated customer by share contacted: {fmt.number(half)} at half of them, "
        f"{fmt.number(qini[-1])} at all; by chance {fmt.number(qini[-1] / 2)} at half."
    )
    unit = f"{fmt.capital(outcome)} gained per treated customer · dashed: chosen by chance"
    return finish(axes, title_of(frame, finding), alt, unit=unit)
