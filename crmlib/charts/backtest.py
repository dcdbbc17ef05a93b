"""Charts of a backtest: what was predicted for the holdout beside what happened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crmlib import format as fmt
from crmlib.charts.layout import end_labels, finish, no_data, rows_by, sheet, short_name, value_axis
from crmlib.charts.style import INK, LIGHT_BLUE, SOFT, Chart, house_style, line_colours
from crmlib.errors import CrmError


@house_style()
def tracking(frame: pd.DataFrame, *, calibration_end: float, time_unit: str = "week") -> Chart:
    """Draw cumulative purchases beside what each model expected, before and after the calibration's end.

    Parameters
    ----------
    frame : DataFrame
        Columns `period` (in `time_unit` since the start), `actual_cumulative` and
        `predicted_cumulative` (purchases up to the period's end); where there are several models,
        `model`; optionally `predicted_cumulative_low` and
        `predicted_cumulative_high`, a band drawn for a single model.
    calibration_end : float
        The last period that the models were fitted to.
    time_unit : str
        The name of one period.
    """
    return _tracking(frame, "_cumulative", calibration_end, time_unit, f"Cumulative purchases by {time_unit}")


@house_style()
def tracking_per_period(frame: pd.DataFrame, *, calibration_end: float, time_unit: str = "week") -> Chart:
    """Draw the purchases of each period beside what each model expected.

    Parameters
    ----------
    frame : DataFrame
        As for `tracking`, with `actual` and `predicted` (purchases in the period), optionally
        `predicted_low` and `predicted_high`.
    calibration_end, time_unit
        As for `tracking`.
    """
    return _tracking(frame, "", calibration_end, time_unit, f"Purchases per {time_unit}")


def _tracking(frame: pd.DataFrame, suffix: str, calibration_end: float, time_unit: str, unit: str) -> Chart:
    actual, predicted = f"actual{suffix}", f"predicted{suffix}"
    frame = frame.dropna(subset=["period", actual, predicted]).sort_values("period", kind="stable")
    if frame.empty:
        return no_data("No period to compare with what happened")
    by_model = rows_by(frame, "model", "predicted")
    first = next(iter(by_model.values()))
    start, end = float(first["period"].min()), float(first["period"].max())
    _, axes = sheet(2.6)
    _lines(axes, by_model, "period", actual, predicted)
    ends = [f"{predicted}_low", f"{predicted}_high"]
    if len(by_model) == 1 and set(ends) <= set(first):
        axes.fill_between(
            first["period"], *first[ends].T.to_numpy(dtype=float), color=LIGHT_BLUE, alpha=0.5, lw=0
        )
    axes.set_xlim(*((start, end) if end > start else (start - 0.5, end + 0.5)))
    axes.set_ylim(0, max(axes.dataLim.y1 * 1.04, 1))
    _name_lines(axes, end, by_model, actual, predicted)
    if start < calibration_end < end:
        axes.axvline(calibration_end, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.annotate(
            "holdout →", (calibration_end, 1), xycoords=("data", "axes fraction"), xytext=(5, 3),
            textcoords="offset points", color=SOFT,
        )  # fmt: skip
    value_axis(axes, "y", kind="count")
    value_axis(axes, "x", kind="count", bins=6)
    axes.xaxis.grid(False)
    axes.set_xlabel(f"{time_unit}s since the start")
    found = {
        model: _holdout(rows, actual, predicted, calibration_end, bool(suffix))
        for model, rows in by_model.items()
    }
    listed = "; ".join(f"{model} {fmt.number(round(expected))}" for model, (_, expected) in found.items())
    happened = fmt.number(round(next(iter(found.values()))[0]))
    alt = (
        f"Lines of {unit[0].lower()}{unit[1:]}, {fmt.number(start)} to {fmt.number(end)}. After {time_unit} "
        f"{fmt.number(calibration_end)}: {happened} happened; {listed}."
    )
    if end <= calibration_end:
        return finish(axes, f"No {time_unit} after the calibration to judge predictions by", alt, unit=unit)
    return finish(axes, _tracking_title(found), alt, unit=unit)


def _lines(axes: Axes, by_model: dict[str, pd.DataFrame], x: str, actual: str, predicted: str) -> None:
    """What happened in black, what each model predicted in its colour."""
    dots = "o" if max(len(rows) for rows in by_model.values()) <= 12 else ""
    for rows, colour in zip(by_model.values(), line_colours(len(by_model)), strict=True):
        axes.plot(rows[x], rows[predicted], color=colour, marker=dots, markersize=4)
    first = next(iter(by_model.values()))
    axes.plot(first[x], first[actual], color=INK, linewidth=1.4, marker=dots, markersize=4)


def _name_lines(axes: Axes, x: float, by_model: dict[str, pd.DataFrame], actual: str, predicted: str) -> None:
    lasts = [float(rows[predicted].iloc[-1]) for rows in by_model.values()]
    first = next(iter(by_model.values()))
    names = ["actual", *(short_name(model) for model in by_model)]
    end_labels(axes, x, [float(first[actual].iloc[-1]), *lasts], names, [INK, *line_colours(len(by_model))])


def _holdout(
    rows: pd.DataFrame, actual: str, predicted: str, calibration_end: float, cumulative: bool
) -> tuple[float, float]:
    """Purchases after the calibration's end: what happened and what was predicted."""
    after = rows["period"] > calibration_end
    if not cumulative:
        return float(rows.loc[after, actual].sum()), float(rows.loc[after, predicted].sum())
    if not after.any():
        return 0.0, 0.0
    before = rows[~after].tail(1)
    grown = [
        float(rows[name].iloc[-1]) - (float(before[name].iloc[0]) if len(before) else 0.0)
        for name in (actual, predicted)
    ]
    return grown[0], grown[1]


def _tracking_title(found: dict[str, tuple[float, float]]) -> str:
    happened = next(iter(found.values()))[0]
    if not happened > 0:
        most = max(predicted for _, predicted in found.values())
        return f"No purchase happened in the holdout; {fmt.number(most)} predicted"
    errors = {model: predicted / happened - 1 for model, (_, predicted) in found.items()}
    purchases = f"the {fmt.plural(happened, 'holdout purchase')}"
    if len(errors) == 1:
        model, error = next(iter(errors.items()))
        who = "The model" if model == "predicted" else short_name(model)
        return f"{who} predicts {_off(error)} {purchases} that happened"
    best = min(errors, key=lambda model: abs(errors[model]))
    worst = max(errors, key=lambda model: abs(errors[model]))
    if not errors[worst]:
        return f"All predictions meet {purchases}"
    if fmt.change(errors[best]) == fmt.change(errors[worst]):
        return (
            f"{'Both' if len(errors) == 2 else 'All'} predict {_off(errors[best])} {purchases} that happened"
        )
    if abs(errors[best]) == abs(errors[worst]):
        return f"{short_name(best)} and {short_name(worst)} are equally far from {purchases}, on both sides"
    return (
        f"{short_name(best)} comes closest to {purchases} ({fmt.change(errors[best])}); "
        f"{short_name(worst)} is furthest off ({fmt.change(errors[worst])})"
    )


def _off(error: float) -> str:
    if abs(error) < 0.0005:
        return "just about"
    return f"{fmt.share(abs(error))} {'fewer' if error < 0 else 'more'} than"


@house_style()
def calibration(
    frame: pd.DataFrame,
    *,
    group: str = "frequency_group",
    group_label: str = "Repeat purchases in the calibration",
    unit: str = "Purchases per customer in the holdout",
) -> Chart:
    """Draw what groups of customers did in the holdout beside what was predicted for them.

    Parameters
    ----------
    frame : DataFrame
        One row per group, in order: `group` (its name), `actual_mean` and `predicted_mean`; where there
        are several models, `model`. Groups by frequency hold the same customers for all models; deciles
        of a model's own prediction do not, and are drawn for one model at a time.
    group : str
        The column that names the group.
    group_label, unit : str
        Words below and above the drawing.

    Raises
    ------
    ValueError
        If the groups of several models do not hold the same customers.
    """
    frame = frame.dropna(subset=["actual_mean", "predicted_mean"])
    if frame.empty:
        return no_data("No group to compare with what happened")
    by_model = rows_by(frame, "model", "predicted")
    first = next(iter(by_model.values()))
    for model, rows in by_model.items():
        if not np.array_equal(rows["actual_mean"], first["actual_mean"]):
            raise CrmError(
                f"the groups of {model!r} hold other customers than those of {next(iter(by_model))!r}: actual_mean "
                f"differs; draw one model at a time, such as frame[frame['model'] == {model!r}]"
            )
    names = [str(name) for name in first[group]]
    place = {name: number for number, name in enumerate(names)}
    by_model = {
        model: rows.assign(place=rows[group].astype(str).map(place)) for model, rows in by_model.items()
    }
    _, axes = sheet(2.5)
    _lines(axes, by_model, "place", "actual_mean", "predicted_mean")
    axes.set_xticks(range(len(names)), [short_name(name) for name in names])
    axes.set_xlabel(group_label)
    axes.set_xlim(-0.2, max(len(names) - 0.8, 0.6))
    axes.set_ylim(min(axes.dataLim.y0, 0), max(axes.dataLim.y1 * 1.04, 0) or 1.0)
    value_axis(axes, "y")
    _name_lines(axes, len(names) - 1, by_model, "actual_mean", "predicted_mean")
    title = _calibration_title(by_model, names)
    listed = "; ".join(
        f"{name}: {fmt.number(actual)} actual, {fmt.number(predicted)} predicted"
        for name, actual, predicted in zip(names, first["actual_mean"], first["predicted_mean"], strict=True)
    )
    whose = "" if next(iter(by_model)) == "predicted" else f", predicted by {next(iter(by_model))}"
    return finish(axes, title, f"{unit} by {group_label.lower()}{whose}. {listed}.", unit=unit)


def _calibration_title(by_model: dict[str, pd.DataFrame], names: Sequence[str]) -> str:
    """The group where the first model is furthest off, in purchases per customer."""
    model, rows = next(iter(by_model.items()))
    gaps = (rows["predicted_mean"] - rows["actual_mean"]).to_numpy(dtype=float)
    worst = int(abs(gaps).argmax())
    actual, predicted = (float(rows[name].iloc[worst]) for name in ("actual_mean", "predicted_mean"))
    whose = "Predictions are" if model == "predicted" else f"{short_name(model)} is"
    if fmt.number(actual) == fmt.number(predicted):
        return f"{whose} within {fmt.number(abs(predicted - actual))} of what happened in every group"
    return (
        f"{whose} furthest off in group {names[worst]}: {fmt.number(predicted)} predicted, "
        f"{fmt.number(actual)} happened"
    )
