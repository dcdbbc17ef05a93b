"""Charts of a churn model: are its chances true, whom does it find, and what does it go by."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.charts.layout import bars, capital, end_labels, finish, no_data, sheet, short_name, value_axis
from crmlib.charts.style import BLUE, INK, LIGHT_BLUE, ORANGE, PALE, SOFT, Chart, house_style

_COLOURS = {"churn model": BLUE, "tenure alone": ORANGE}
_MOST_BARS = 10


@house_style()
def churn_calibration(frame: pd.DataFrame) -> Chart:
    """Draw the share that left beside the chance that was predicted, by groups of customers.

    Parameters
    ----------
    frame : DataFrame
        One row per group of customers, `ChurnEvaluation.calibration`: `customers`, `predicted_mean`,
        `actual_mean`, `low` and `high` (95 % of the share that left).
    """
    if frame.empty:
        return no_data("No group of customers to compare with what happened")
    predicted, actual, low, high = (
        frame[name].to_numpy(dtype=float) for name in ("predicted_mean", "actual_mean", "low", "high")
    )
    _, axes = sheet(2.7)
    top = min(float(max(predicted.max(), high.max())) * 1.05, 1.0) or 1.0
    axes.plot([0, top], [0, top], color=SOFT, linewidth=1.0, linestyle=(0, (4, 3)))
    reach = np.clip([actual - low, high - actual], 0, None)
    axes.errorbar(
        predicted, actual, yerr=reach, fmt="o-", color=BLUE, ecolor=LIGHT_BLUE, markersize=4.5, elinewidth=3
    )
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    value_axis(axes, "y", kind="share")
    value_axis(axes, "x", kind="share")
    axes.set_xlabel("Predicted chance to leave")
    listed = "; ".join(
        f"{fmt.share(one)} predicted, {fmt.share(other)} left"
        for one, other in zip(predicted, actual, strict=True)
    )
    off = (predicted < low) | (predicted > high)
    unit = "Share that left, with 95 % intervals · dashed: as predicted"
    return finish(
        axes, _calibration_title(predicted, actual, off), f"Groups by predicted chance: {listed}.", unit=unit
    )


def _calibration_title(predicted: np.ndarray, actual: np.ndarray, off: np.ndarray) -> str:
    groups = fmt.plural(len(predicted), "group")
    if not off.any():
        return f"Predicted chances are right within chance in {'all ' if len(predicted) > 1 else ''}{groups}"
    worst = int(np.where(off, abs(predicted - actual), -1).argmax())
    return (
        f"Chances are off beyond chance in {int(off.sum())} of {groups}, most where {fmt.share(predicted[worst])} "
        f"was predicted and {fmt.share(actual[worst])} left"
    )


@house_style()
def churn_gains(frame: pd.DataFrame) -> Chart:
    """Draw how many of those who leave are among the riskiest customers, against simpler rules.

    Parameters
    ----------
    frame : DataFrame
        `ChurnEvaluation.deciles`: one row per `model` and `decile`, with `gain`, `gain_low` and `gain_high`; the
        band is drawn for the first model.
    """
    frame = frame[frame["model"] != "base rate"]
    if frame.empty:
        return no_data("No customers to rank by their risk")
    by_model = {str(name): rows for name, rows in frame.groupby("model", sort=False)}
    first, rows = next(iter(by_model.items()))
    _, axes = sheet(2.6)
    places = np.arange(0, 11) / 10
    axes.fill_between(
        places,
        np.append(0, rows["gain_low"]),
        np.append(0, rows["gain_high"]),
        color=LIGHT_BLUE,
        alpha=0.5,
        lw=0,
    )
    for name, one in by_model.items():
        axes.plot(places, np.append(0, one["gain"]), color=_COLOURS.get(name, INK))
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    value_axis(axes, "y", kind="share")
    value_axis(axes, "x", kind="share")
    axes.set_xlabel("Share of customers, the riskiest first")
    for place, name in enumerate(by_model):  # where no line runs: below the diagonal
        colour = _COLOURS.get(name, INK)
        axes.text(0.98, 0.28 - 0.1 * place, short_name(name), color=colour, ha="right", va="center")
    listed = "; ".join(
        f"{name}: {', '.join(f'{fmt.share(gain)} in the first {10 * d} %' for d, gain in _points(one))}"
        for name, one in by_model.items()
    )
    unit = "Share of those who left that is found · dashed: at random"
    return finish(axes, _gains_title(first, by_model), f"Lines of what is found. {listed}.", unit=unit)


def _points(rows: pd.DataFrame) -> list[tuple[int, float]]:
    gains = rows.set_index("decile")["gain"]
    return [(decile, float(gains[decile])) for decile in (1, 2, 5)]


def _gains_title(first: str, by_model: dict[str, pd.DataFrame]) -> str:
    found = {name: float(rows["gain"].iloc[0]) for name, rows in by_model.items()}
    others = [f"{short_name(name)} {fmt.share(gain)}" for name, gain in found.items() if name != first]
    against = f"; {fmt.listing(others)}" if others else ""
    return f"The riskiest 10 % of customers hold {fmt.share(found[first])} of those who left{against}"


@house_style()
def churn_by_decile(frame: pd.DataFrame) -> Chart:
    """Draw the share that left in each tenth of the customers, the riskiest first.

    Parameters
    ----------
    frame : DataFrame
        `ChurnEvaluation.deciles`; the first model's rows are drawn: `decile`, `customers`, `churn_rate`, `lift`.
    """
    if frame.empty:
        return no_data("No customers to rank by their risk")
    frame = frame[frame["model"] == frame["model"].iloc[0]]
    rates, lifts = frame["churn_rate"].to_numpy(dtype=float), frame["lift"].to_numpy(dtype=float)
    base = float(np.average(rates, weights=frame["customers"]))
    _, axes = sheet(2.4)
    axes.bar(frame["decile"], rates, color=np.where(rates > base, BLUE, PALE), width=0.75)
    axes.axhline(base, color=INK, linewidth=1.0)
    axes.set_xticks(frame["decile"])
    axes.set_xlim(0.4, 10.6)
    axes.set_ylim(0, max(float(rates.max()) * 1.12, 0.01))
    for decile, rate, lift in zip(frame["decile"], rates, lifts, strict=True):
        axes.annotate(
            f"{fmt.number(lift, 1)}×", (decile, rate), xytext=(0, 3), textcoords="offset points", ha="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip
    value_axis(axes, "y", kind="share")
    end_labels(axes, 10.6, [base], ["all"], [INK])
    axes.set_xlabel("Tenth of the customers, 1 the riskiest")
    title = (
        f"{fmt.share(rates[0])} of the riskiest tenth left, {fmt.number(lifts[0], 1)} times the average; "
        f"{fmt.share(rates[-1])} of the safest"
    )
    listed = "; ".join(
        f"tenth {d}: {fmt.share(rate)}" for d, rate in zip(frame["decile"], rates, strict=True)
    )
    unit = "Share that left · above the bars: times the average"
    return finish(axes, title, f"Bars by tenth. {listed}. All: {fmt.share(base)}.", unit=unit)


@house_style()
def churn_importance(frame: pd.DataFrame) -> Chart:
    """Draw what the model goes by: how much worse it gets when a feature is shuffled.

    Parameters
    ----------
    frame : DataFrame
        `permutation_importance`: `feature`, `importance` (rise of the log loss), the most important first.
    """
    frame = frame.head(_MOST_BARS)
    if frame.empty:
        return no_data("No feature to shuffle")
    names = [_spoken(name) for name in frame["feature"]]
    values = frame["importance"].to_numpy(dtype=float)
    _, axes = sheet(0.3 * len(names) + 0.1)
    bars(axes, names, values, [BLUE] * len(names), [fmt.number(value, 3) for value in values])
    listed = "; ".join(f"{name} {fmt.number(value, 3)}" for name, value in zip(names, values, strict=True))
    if values[0] <= 0:
        title = "The model goes by nothing that held-out customers confirm"
    elif len(names) > 1 and values[1] > 0:
        title = f"{short_name(names[0])} counts most, then {short_name(names[1])}"
    else:
        title = f"{short_name(names[0])} alone counts"
    unit = "Rise of the log loss when the feature is shuffled"
    return finish(
        axes,
        capital(title),
        f"Bars by feature, {unit[0].lower()}{unit[1:]}. {listed}.",
        unit=unit,
    )


def _spoken(name: object) -> str:
    return " ".join(str(name).replace("_", " ").split())
