"""Charts of retention and experiments: what a point is worth, and what differences were measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crmlib import format as fmt
from crmlib.charts import kit
from crmlib.charts.layout import base_axis, finish, no_data, of_each, sheet, title_of, value_axis, written
from crmlib.charts.style import BLUE, INK, RED, SOFT, TEAL, Chart, house_style, line_colours
from crmlib.findings import CONTRADICTED, SUPPORTED

_CLAIMED = 0.80  # of a rise of value by five points more
_COLOURS = {SUPPORTED: TEAL, CONTRADICTED: RED}


@house_style()
def profit_by_retention(
    curve: pd.DataFrame, finding: str | None = None, *, retention_rate: float, points: float = 0.05,
    currency: str = "", ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw the value of a customer against retention, with the firm and its next five points marked.

    Parameters
    ----------
    curve : DataFrame
        By `retention_rate`: `gross` and `net` value of a customer (money); the latter nan where a cost is not known.
    finding : str, optional
        The title; by default that which the analysis left on the frame.
    retention_rate : float
        The firm's.
    points : float
        The step that is marked.
    currency : str
        The name of the money.
    ax : matplotlib Axes, optional
        Where to draw; by default on a sheet of its own.

    Examples
    --------
    >>> curve = pd.DataFrame({"retention_rate": [0.6, 0.8], "gross": [120.0, 266], "net": [100.0, 246]})
    >>> print(profit_by_retention(curve, "Retention pays", retention_rate=0.7, currency="EUR").alt)
    Retention pays. What a customer brings by retention, 60 % to 80 %: from EUR 100 to EUR 246.
    """
    rows = curve.dropna(subset=["retention_rate", "gross"]).sort_values("retention_rate")
    if len(rows) < 2:
        return no_data("No value of a customer by retention to draw", ax)
    net = rows["gross"] if rows["net"].isna().all() else rows["net"]
    rates, values = rows["retention_rate"].to_numpy(float), net.to_numpy(float)
    lines = {"before costs": (rates, rows["gross"])}
    if not np.allclose(rows["gross"], net):
        lines["net of costs"] = (rates, net)
    axes = sheet(2.7, ax)
    kit.named_lines(axes, lines, line_colours(len(lines)), marker="")
    firm = (retention_rate, retention_rate + points)
    marks = [rate for rate in firm if rates[0] - 1e-9 <= rate <= rates[-1] + 1e-9]
    heights = np.interp(marks, rates, values)
    axes.plot(marks, heights, color=INK, marker="o", markersize=6, linewidth=1.2, clip_on=False, zorder=4)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    scale = value_axis(axes, "y", kind="money", largest=float(np.abs(rows["gross"]).max()))
    base_axis(axes, "Retention per period (dots: this firm, and five points on)", kind="share", bins=7)
    alt = (
        f"What a customer brings by retention, {fmt.share(rates[0])} to {fmt.share(rates[-1])}: from "
        f"{fmt.money(values[0], currency)} to {fmt.money(values[-1], currency)}."
    )
    unit = f"What a customer brings in all, {scale}{currency or 'money'}"
    return finish(axes, title_of(curve, finding, currency), alt, unit=unit)


@house_style()
def rise_by_retention(
    curve: pd.DataFrame, finding: str | None = None, *, retention_rate: float, published: pd.DataFrame | None = None,
    interval: tuple[float, float] = (np.nan, np.nan), ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw what five points more add, against retention, beside the claim and what has been published.

    Parameters
    ----------
    curve : DataFrame
        By `retention_rate`: `net_change`, the rise of a customer's net value from five points more, as a share;
        `gross_change`, before acquisition cost, is drawn where the former is not known.
    finding, retention_rate, ax
        As for `profit_by_retention`.
    published : DataFrame, optional
        Columns `industry`, `rise`: published figures, drawn as ticks at the right.
    interval : pair of float
        Ends of the firm's own figure; nan where they are not known.

    Examples
    --------
    >>> curve = pd.DataFrame({"retention_rate": [0.6, 0.8], "net_change": [0.2, 0.4]})
    >>> print(rise_by_retention(curve, "Five points add 30 %", retention_rate=0.7).alt)
    Five points add 30 %. Rise of a customer's value from five points more retention, by retention.
    """
    rise = "net_change" if curve["net_change"].notna().any() else "gross_change"
    rows = curve.dropna(subset=["retention_rate", rise]).sort_values("retention_rate")
    if len(rows) < 2:
        return no_data("No rise of value by retention to draw", ax)
    rates, rises = (rows[name].to_numpy(float) for name in ("retention_rate", rise))
    ticks = pd.DataFrame({"industry": [], "rise": []}) if published is None else published
    here = float(np.interp(retention_rate, rates, rises, left=np.nan, right=np.nan))
    top = 1.15 * np.nanmax([_CLAIMED, *ticks["rise"], here])
    axes = sheet(3.2, ax)
    kit.lines(axes, {"": (rates, rises)}, [BLUE], marker="")
    kit.dashed(axes, [rates[0], rates[-1]], [_CLAIMED] * 2, RED, 1.2)
    axes.set(xlim=(rates[0], rates[-1]), ylim=(0, top))
    if np.isfinite(here):
        kit.dot(axes, retention_rate, here, INK)
        if np.isfinite(interval[0]):
            ends = [interval[0], min(interval[1], top)]
            axes.plot([retention_rate] * 2, ends, color=INK, linewidth=1.2, zorder=3)
    value_axis(axes, "y", kind="share")
    base_axis(axes, "Retention per period (dot: this firm)", kind="share", bins=7)
    names = [f"claimed: {fmt.share(_CLAIMED)}", *ticks["industry"]]
    kit.end_labels(axes, float(rates[-1]), [_CLAIMED, *ticks["rise"]], names, [RED, *[SOFT] * len(ticks)])
    listed = ", ".join(f"{row.industry} {fmt.share(row.rise)}" for row in ticks.itertuples())
    alt = "Rise of a customer's value from five points more retention, by retention."
    alt += f" Published: {listed}." if listed else ""
    unit = "Rise of a customer's value from five points more retention"
    unit += ", before acquisition cost" if rise == "gross_change" else ""
    unit += " (grey: published)" if listed else ""
    return finish(axes, title_of(curve, finding, measure="net_change"), alt, unit=unit)


@house_style()
def experiment_effects(
    frame: pd.DataFrame, finding: str | None = None, *, outcome: str = "outcome", currency: str = "",
    ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw the difference that each experiment made, or that membership goes with, each with its interval.

    Parameters
    ----------
    frame : DataFrame
        `read_experiments`: one row per `name`: `difference`, `low`, `high` and `verdict`; or `loyalty_uplift`: by
        `comparison` ("before joining", "after joining", "matched"): `members`, `difference`, `low` and `high` (per
        member and month).
    finding, currency, ax
        As for `profit_by_retention`; no currency where the outcome is no money.
    outcome : str
        What was measured, such as "spend in 60 days" or "spend".

    Examples
    --------
    >>> read = {"name": ["offer"], "difference": [2.0], "low": [0.5], "high": [3.5], "verdict": ["supported"]}
    >>> print(experiment_effects(pd.DataFrame(read), "The offer works", outcome="spend", currency="EUR").alt)
    The offer works. Difference of spend per customer, EUR; verdicts are corrected for multiple tests. offer: EUR 2.00
    (EUR 0.50 to EUR 3.50), supported.
    """
    rows, title = frame.dropna(subset=["difference", "low", "high"]), title_of(frame, finding, currency)
    if rows.empty:
        what = "No member to compare with others" if "comparison" in frame else "No experiment has been read"
        return no_data(what, ax)
    if "comparison" in rows:
        rows = rows.assign(name=rows["comparison"].astype(str))
        colours = [TEAL if name == "matched" else SOFT for name in rows["name"]]
        unit = f"{fmt.capital(outcome)} of members less that of others, per month{{}}"
        members = [f", {fmt.plural(n, 'member')})" for n in rows["members"]]
        return _differences(rows, title, unit, members, colours, currency, ax)
    rows = rows.sort_values("difference", ascending=False, kind="stable")
    colours = [_COLOURS.get(verdict, SOFT) for verdict in rows["verdict"]]
    unit = f"Difference of {outcome} per customer{{}}; verdicts are corrected for multiple tests"
    verdicts = [f"), {verdict}" for verdict in rows["verdict"]]
    return _differences(rows, title, unit, verdicts, colours, currency, ax, texts=rows["verdict"])


def _differences(
    rows: pd.DataFrame, title: str, unit: str, ends: Sequence[str], colours: Sequence[str], currency: str,
    ax: Axes | None, *, texts: Sequence[str] | None = None,
) -> Chart:  # fmt: skip
    """A dot for each difference with its interval; `ends` close what the alternative text says of each."""
    axes, kind = sheet(0.36 * len(rows) + 0.1, ax), "money" if currency else "number"
    numbers = rows[["difference", "low", "high"]]
    amounts = numbers.map(written, kind=kind, currency=currency)
    texts = amounts["difference"] if texts is None else texts
    kit.dots(axes, rows["name"], rows["difference"], rows["low"], rows["high"], texts, colours)
    axes.margins(x=0.04)
    axes.grid(False)
    scale = value_axis(axes, "x", kind=kind, largest=float(numbers.abs().max().max()), bins=3)
    unit = unit.format(f", {scale}{currency}".rstrip(" ,"))
    spans = amounts["difference"] + " (" + amounts["low"] + " to " + amounts["high"] + ends
    return finish(axes, title, f"{unit}. {of_each(rows['name'], spans)}.", unit=unit)
