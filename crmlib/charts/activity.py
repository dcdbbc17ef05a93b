"""Charts of who buys again: forecasts beside what happened, and who is silent for unusually long."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.charts.layout import end_labels, finish, no_data, rows_by, sheet, short_name, value_axis
from crmlib.charts.style import BLUE, INK, SOFT, Chart, house_style, line_colours

_MOST_FORECASTS = 4


@house_style()
def activity_calibration(deciles: pd.DataFrame) -> Chart:
    """Draw the share of customers who bought beside what each forecast expected, by tenths of it.

    Parameters
    ----------
    deciles : DataFrame
        By `model` (the first four are drawn) and tenth of its forecast: `customers`, `predicted_mean` and
        `actual_mean` (shares of customers who buy).
    """
    deciles = deciles.dropna(subset=["predicted_mean", "actual_mean"])
    if deciles.empty:
        return no_data("No forecast of who buys to compare with what happened")
    by_model = {name: rows.sort_values("predicted_mean") for name, rows in rows_by(deciles, "model").items()}
    names = list(by_model)[:_MOST_FORECASTS]
    by_model = {name: by_model[name] for name in names}
    end = 1.03 * max(float(deciles[["predicted_mean", "actual_mean"]].to_numpy().max()), 0.01)
    _, axes = sheet(3.0)
    axes.set_xlim(0, end)
    axes.set_ylim(0, end)
    axes.plot([0, end], [0, end], color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    lasts, colours = [], line_colours(len(names))
    for rows, colour in zip(by_model.values(), colours, strict=True):
        axes.plot(rows["predicted_mean"], rows["actual_mean"], color=colour, marker="o", markersize=4)
        lasts.append(float(rows["actual_mean"].iloc[-1]))
    end_labels(axes, end, [*lasts, end], [*map(short_name, names), "as predicted"], [*colours, SOFT])
    value_axis(axes, "y", kind="share")
    value_axis(axes, "x", kind="share")
    axes.set_xlabel("Share expected to buy, by tenths of customers")
    gaps = {name: _gap(rows) for name, rows in by_model.items()}
    listed = "; ".join(
        f"{name}: off by {fmt.share(gap)} of customers on average" for name, gap in gaps.items()
    )
    alt = f"Share of customers who bought against the share expected, by tenths of each forecast. {listed}."
    # One chance for everybody is right on average and tells customers apart in nothing: no best forecast.
    comparable = {name: gap for name, gap in gaps.items() if len(by_model[name]) > 1}
    return finish(axes, _calibration_title(comparable or gaps), alt, unit="Share who bought")


def _gap(rows: pd.DataFrame) -> float:
    away = (rows["predicted_mean"] - rows["actual_mean"]).abs()
    return float(np.average(away, weights=rows["customers"]))


def _calibration_title(gaps: dict[str, float]) -> str:
    best, worst = min(gaps, key=lambda one: gaps[one]), max(gaps, key=lambda one: gaps[one])
    near = f"{short_name(best)}'s chances are off by {fmt.share(gaps[best])} of customers on average"
    if len(gaps) == 1:
        return near
    if fmt.share(gaps[best]) == fmt.share(gaps[worst]):
        return f"All forecasts are off by {fmt.share(gaps[best])} of customers on average"
    return f"{near}, {short_name(worst)}'s by {fmt.share(gaps[worst])}"


@house_style()
def overdue_share(table: pd.DataFrame, *, false_alarm_rate: float) -> Chart:
    """Draw the share of customers who are overdue, by how often they had bought, beside the false-alarm rate.

    Parameters
    ----------
    table : DataFrame
        By `frequency_group`: `customers`, `overdue` (of them), `overdue_share` (nan where it is not known).
    false_alarm_rate : float
        The share that would be overdue if nobody had lapsed.
    """
    table = table.reset_index(drop=True)
    if table.empty or table["overdue_share"].isna().all():
        return no_data("No repeat buyer whose silence could be judged")
    places = np.arange(len(table))
    _, axes = sheet(2.6)
    axes.set_xlim(-0.2, max(len(table) - 0.8, 0.6))
    axes.set_ylim(0, 1.06 * max(table["overdue_share"].max(), 1.5 * false_alarm_rate))
    axes.plot(places, table["overdue_share"], color=BLUE, marker="o", markersize=5)
    axes.hlines(false_alarm_rate, -0.2, len(table) - 1, color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.set_xticks(places, table["frequency_group"].astype(str))
    axes.set_xlabel("Repeat purchases so far")
    value_axis(axes, "y", kind="share")
    known = table.dropna(subset=["overdue_share"])
    ends = [float(known["overdue_share"].iloc[-1]), false_alarm_rate]
    end_labels(axes, len(table) - 1, ends, ["overdue", "false alarms"], [BLUE, INK])
    share = float(known["overdue"].sum() / known["customers"].sum())
    count = fmt.plural(float(known["overdue"].sum()), "customer is", "customers are")
    title = (
        f"{count} overdue: {fmt.share(share)} of repeat buyers, where {fmt.share(false_alarm_rate)} would be if "
        "nobody had lapsed"
    )
    listed = "; ".join(f"{one.frequency_group}: {fmt.share(one.overdue_share)}" for one in known.itertuples())
    return finish(axes, title, f"Share overdue by repeat purchases. {listed}.", unit="Share of customers")
