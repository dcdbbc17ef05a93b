"""Charts of differences with their intervals: experiments, and what a loyalty programme changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crmlib import format as fmt
from crmlib.charts.layout import capital, finish, no_data, sheet, short_name, value_axis
from crmlib.charts.style import INK, RED, SOFT, TEAL, Chart, house_style
from crmlib.findings import CONTRADICTED, SUPPORTED

_COLOURS = {SUPPORTED: TEAL, CONTRADICTED: RED}


@house_style()
def experiment_effects(frame: pd.DataFrame, *, outcome: str = "outcome", currency: str = "") -> Chart:
    """Draw the difference that each experiment made, with its interval, and the verdict on it.

    Parameters
    ----------
    frame : DataFrame
        `read_experiments`: one row per `experiment` (and `arm`): `difference`, `low`, `high` and `verdict`.
    outcome : str
        What was measured, such as "spend in 60 days".
    currency : str
        The name of the money, where the outcome is money.
    """
    known = frame.dropna(subset=["difference", "low", "high"])
    if known.empty:
        return no_data("No experiment has been read")
    known = _named(known).sort_values("difference", ascending=False, kind="stable")
    colours = [_COLOURS.get(verdict, SOFT) for verdict in known["verdict"]]
    names = [short_name(one) for one in known["experiment"]]
    axes = _intervals(names, known, colours, known["verdict"].tolist())
    scale = _axis(axes, known, currency)
    value = {one.experiment: _amount(one.difference, currency) for one in known.itertuples()}
    listed = "; ".join(
        f"{one.experiment}: {value[one.experiment]} ({_amount(one.low, currency)} to {_amount(one.high, currency)}), "
        f"{one.verdict}"
        for one in known.itertuples()
    )
    money = f", {scale}{currency}" if currency else ""
    unit = f"Difference of {outcome} per customer{money}; verdicts allow for reading all of them"
    return finish(axes, _effects_title(known, value), f"{unit}. {listed}.", unit=unit)


def _named(known: pd.DataFrame) -> pd.DataFrame:
    """Experiments by name, with their arm and outcome where they have several."""
    several = known.groupby("experiment").nunique().gt(1).any()
    parts = ["experiment", *(name for name in ("arm", "outcome") if several.get(name, False))]
    return known.assign(experiment=known[parts].astype(str).agg(": ".join, axis=1))


def _effects_title(known: pd.DataFrame, value: dict[str, str]) -> str:
    better = known[known["verdict"] == SUPPORTED]
    worse = known[known["verdict"] == CONTRADICTED]
    all_of = fmt.plural(len(known), "experiment")
    if better.empty and worse.empty:
        return (
            f"None of {all_of} shows a difference" if len(known) > 1 else "The experiment shows no difference"
        )
    parts = []
    if len(better):
        first = better.iloc[0]["experiment"]
        parts.append(
            f"{fmt.number(len(better))} of {all_of} made things better, {short_name(first)} most: {value[first]} each"
        )
    if len(worse):
        last = worse.iloc[-1]["experiment"]
        parts.append(f"{short_name(last)} made them worse: {value[last]} each")
    return "; ".join(parts)


@house_style()
def loyalty_effect(frame: pd.DataFrame, *, measure: str = "spend", currency: str = "") -> Chart:
    """Draw how much more members buy: before they joined, after it, and beside others like them.

    Parameters
    ----------
    frame : DataFrame
        `loyalty_uplift`: by `comparison` ("before joining", "after joining", "matched"): `members`, `difference`,
        `low` and `high` (per member and month).
    measure : str
        What is counted.
    currency : str
        The name of the money, where it is money.
    """
    known = frame.dropna(subset=["difference", "low", "high"])
    if known.empty:
        return no_data("No member to compare with others")
    known = known.assign(comparison=known["comparison"].astype(str))
    colours = [TEAL if one == "matched" else SOFT for one in known["comparison"]]
    texts = [_amount(one, currency) for one in known["difference"]]
    axes = _intervals(known["comparison"].tolist(), known, colours, texts)
    scale = _axis(axes, known, currency)
    listed = "; ".join(
        f"{one.comparison}: {_amount(one.difference, currency)} ({_amount(one.low, currency)} to "
        f"{_amount(one.high, currency)}, {fmt.plural(one.members, 'member')})"
        for one in known.itertuples()
    )
    money = f", {scale}{currency}" if currency else ""
    unit = f"{capital(measure)} of members less that of others, per month{money}"
    return finish(axes, _loyalty_title(known, currency), f"{unit}. {listed}.", unit=unit)


def _loyalty_title(known: pd.DataFrame, currency: str) -> str:
    rows = known.set_index("comparison")
    if "matched" not in rows.index:
        return "No members have others like them to be compared with"
    like, low, high = (float(rows.loc["matched", name]) for name in ("difference", "low", "high"))
    amount = f"{_amount(like, currency)} a month ({_amount(low, currency)} to {_amount(high, currency)})"
    if "after joining" not in rows.index:
        return f"Beside others like them, members buy {amount} more"
    naive = _amount(float(rows.loc["after joining", "difference"]), currency)
    if low <= 0 <= high:
        return f"Members buy {naive} a month more than others; beside others like them no difference is shown: {amount}"
    return f"Members buy {naive} a month more than others; beside others like them it is {amount}"


def _intervals(
    names: Sequence[str], rows: pd.DataFrame, colours: Sequence[str], texts: Sequence[str]
) -> Axes:
    """Points with their intervals from the top down, named above their lines, with a word at the right."""
    _, axes = sheet(0.46 * len(names) + 0.1)
    places = np.arange(len(names))
    low, middle, high = (rows[name].to_numpy(dtype=float) for name in ("low", "difference", "high"))
    axes.hlines(places, low, high, color=list(colours), linewidth=3.0)
    axes.scatter(middle, places, color=list(colours), s=34, zorder=3)
    axes.axvline(0, color=INK, linewidth=1.0)
    put: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center"}
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}  # the line at zero stops at a name
    for place, name, text, colour in zip(places, names, texts, colours, strict=True):
        axes.text(0.0, place - 0.32, name, bbox=behind, **put)
        axes.text(1.0, place - 0.32, text, ha="right", color=colour, bbox=behind, **put)
    axes.set_yticks([])
    axes.set_ylim(len(names) - 0.55, -0.65)
    axes.margins(x=0.04)
    return axes


def _axis(axes: Axes, rows: pd.DataFrame, currency: str) -> str:
    largest = float(rows[["low", "high"]].abs().max().max())
    return value_axis(axes, "x", kind="money" if currency else "number", largest=largest, bins=4)


def _amount(value: float, currency: str) -> str:
    return fmt.money(value, currency) if currency else fmt.number(value)
