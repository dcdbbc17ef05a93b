"""Charts of lifetime value: forecasts against actual values, the spread of value, and its sensitivity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from crmlib import format as fmt
from crmlib.charts import kit
from crmlib.charts.layout import base_axis, finish, no_data, of_each, rows_by, sheet, title_of, value_axis
from crmlib.charts.style import BLUE, INK, ORANGE, PALE, SOFT, Chart, house_style, line_colours
from crmlib.errors import CrmError

_GROUPS = 20


@house_style()
def tracking(
    frame: pd.DataFrame, finding: str | None = None, *, calibration_end: float, time_unit: str = "week",
    cumulative: bool = True, ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw purchases beside what each model expected, before and after the calibration's end.

    Parameters
    ----------
    frame : DataFrame
        Columns `period` (in `time_unit` since the start), `actual` and `predicted` (purchases in the period) and
        both with `_cumulative` (up to its end); where there are several models, `model`; optionally
        `predicted…_low` and `…_high`, a band drawn for a single model.
    finding : str, optional
        The title; by default that which the analysis left on the frame.
    calibration_end : float
        The last period that the models were fitted to.
    time_unit : str
        The name of one period.
    cumulative : bool
        Whether to draw sums up to each period.
    ax : matplotlib Axes, optional
        Where to draw; by default on a sheet of its own.

    Examples
    --------
    >>> frame = pd.DataFrame({"period": [1, 2, 3], "actual": [5, 4, 3], "predicted": [5.0, 4, 4]})
    >>> frame = frame.assign(actual_cumulative=[5, 9, 12], predicted_cumulative=[5.0, 9, 13])
    >>> print(tracking(frame, "One too many was expected", calibration_end=2).alt)
    One too many was expected. Lines of cumulative purchases by week. After week 2: happened 3; predicted 4.
    """
    actual, predicted = (f"{name}{'_cumulative' if cumulative else ''}" for name in ("actual", "predicted"))
    rows = frame.dropna(subset=["period", actual, predicted]).sort_values("period", kind="stable")
    if rows.empty:
        return no_data("No period to compare with what happened", ax)
    by_model = rows_by(rows, "model", "predicted")
    first, ends = next(iter(by_model.values())), [f"{predicted}_low", f"{predicted}_high"]
    axes = sheet(2.6, ax)
    if len(by_model) == 1 and set(ends) <= set(first):
        kit.band(axes, first["period"], first[ends[0]], first[ends[1]])
    _actual_and_predicted(axes, by_model, "period", actual, predicted)
    start, end = axes.get_xlim()
    if start < calibration_end < end:
        axes.axvline(calibration_end, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        put = {"xycoords": ("data", "axes fraction"), "xytext": (5, 3), "va": "baseline"}
        kit.write(axes, "holdout →", (calibration_end, 1), color=SOFT, **put)
    value_axis(axes, "y", kind="count")
    base_axis(axes, f"{time_unit}s since the start", kind="count", bins=6)
    unit = f"Cumulative purchases by {time_unit}" if cumulative else f"Purchases per {time_unit}"
    later = {model: forecast[forecast["period"] > calibration_end] for model, forecast in by_model.items()}
    sums = {"happened": next(iter(later.values()))["actual"].sum()}
    sums |= {model: forecast["predicted"].sum() for model, forecast in later.items()}
    listed = "; ".join(f"{name} {fmt.number(round(float(purchases)))}" for name, purchases in sums.items())
    alt = f"Lines of {unit[0].lower()}{unit[1:]}. After {time_unit} {fmt.number(calibration_end)}: {listed}."
    return finish(axes, title_of(frame, finding, measure=_only(by_model)), alt, unit=unit)


def _only(by_model: dict[str, pd.DataFrame]) -> str:
    """The model whose finding is the title, if only one model is drawn."""
    return next(iter(by_model)) if len(by_model) == 1 else ""


def _actual_and_predicted(
    axes: Axes, by_model: dict[str, pd.DataFrame], x: str, actual: str, predicted: str
) -> None:
    """What happened in black, what each model predicted in its colour."""
    first = next(iter(by_model.values()))
    curves = {"actual": (first[x], first[actual])}
    curves |= {name: (forecast[x], forecast[predicted]) for name, forecast in by_model.items()}
    kit.named_lines(axes, curves, [INK, *line_colours(len(by_model))])


@house_style()
def calibration(
    frame: pd.DataFrame, finding: str | None = None, *, group: str = "frequency_group",
    group_label: str = "Repeat purchases in the calibration", unit: str = "Purchases per customer in the holdout",
    ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw what groups of customers did in the holdout beside what was predicted for them.

    Raises CrmError if the groups of several models do not hold the same customers.

    Parameters
    ----------
    frame : DataFrame
        One row per group, in order: `group` (its name), `actual_mean` and `predicted_mean`; where there
        are several models, `model`. Groups by frequency hold the same customers for all models; deciles
        of a model's own prediction do not, and are drawn for one model at a time.
    finding, ax
        As for `tracking`.
    group : str
        The column that names the group.
    group_label, unit : str
        Words below and above the drawing.

    Examples
    --------
    >>> frame = pd.DataFrame({"frequency_group": ["0", "1+"], "actual_mean": [0.2, 0.9], "predicted_mean": [0.3, 0.8]})
    >>> print(calibration(frame, "Both groups are near").alt)
    Both groups are near. Purchases per customer in the holdout by repeat purchases in the calibration. 0: 0.20 actual,
    0.30 predicted; 1+: 0.90 actual, 0.80 predicted.
    """
    rows = frame.dropna(subset=["actual_mean", "predicted_mean"])
    if rows.empty:
        return no_data("No group to compare with what happened", ax)
    by_model = rows_by(rows, "model", "predicted")
    first = next(iter(by_model.values()))
    for model, groups in by_model.items():
        if not np.array_equal(groups["actual_mean"], first["actual_mean"]):
            raise CrmError(
                f"the groups of {model!r} hold other customers than those of {next(iter(by_model))!r}: actual_mean "
                f"differs; draw one model at a time, such as frame[frame['model'] == {model!r}]"
            )
    names = [str(name) for name in first[group]]
    by_model = {model: groups.assign(place=np.arange(len(groups))) for model, groups in by_model.items()}
    axes = sheet(2.5, ax)
    _actual_and_predicted(axes, by_model, "place", "actual_mean", "predicted_mean")
    axes.set_xticks(range(len(names)), [fmt.short_name(name) for name in names])
    axes.set_xlabel(group_label)
    value_axis(axes, "y")
    pairs = zip(first["actual_mean"], first["predicted_mean"], strict=True)
    texts = (f"{fmt.number(actual)} actual, {fmt.number(predicted)} predicted" for actual, predicted in pairs)
    whose = "" if next(iter(by_model)) == "predicted" else f", predicted by {next(iter(by_model))}"
    alt = f"{unit} by {group_label.lower()}{whose}. {of_each(names, texts)}."
    return finish(axes, title_of(frame, finding, measure=_only(by_model)), alt, unit=unit)


@house_style()
def history_surface(
    grid: pd.DataFrame, finding: str | None = None, *, age: float, horizon: str = "", time_unit: str = "week",
    ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw P(alive), or the purchases expected within a horizon, by frequency and recency of customers of one age.

    Parameters
    ----------
    grid : DataFrame
        By frequency (index) and recency in `time_unit` (columns), both ascending; NaN where no customer can be.
    finding, ax
        As for `tracking`.
    age : float
        How long ago all these customers bought first (T), in `time_unit`.
    horizon : str
        What the purchases are expected within, such as "52 weeks"; empty for P(alive).
    time_unit : str
        The name of one period.

    Examples
    --------
    >>> grid = pd.DataFrame([[0.2, 0.3], [0.1, 0.9]], index=[0, 1], columns=[0.0, 26.0])
    >>> print(history_surface(grid, "Who bought lately stays", age=30).alt)
    Who bought lately stays. P(alive), by repeat purchases (0 to 1) and recency (0 to 26 weeks) at age 30: from 10 % to
    90 %.
    """
    if grid.empty or not np.isfinite(grid.to_numpy(dtype=float)).any():
        return no_data("No probability or expectation to draw", ax)
    lowest, highest = float(np.nanmin(grid)), float(np.nanmax(grid))
    what, written, top = "P(alive)", fmt.share, 1.0
    levels: Sequence[float] = [0.1, 0.3, 0.5, 0.7, 0.9]
    if horizon:
        what, written, top = f"Purchases expected in {horizon}", fmt.number, highest or 1.0
        levels = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0, highest)
    axes = sheet(2.9, ax)
    kit.surface(axes, grid, levels, written, top)
    axes.set_xlabel(f"Recency: {time_unit} of the last purchase, of {fmt.number(age)}")
    up, across = grid.index, grid.columns
    alt = (
        f"{what}, by repeat purchases ({fmt.number(up[0])} to {fmt.number(up[-1])}) and recency "
        f"({fmt.number(across[0])} to {fmt.number(across[-1])} {time_unit}s) at age {fmt.number(age)}: "
        f"from {written(lowest)} to {written(highest)}."
    )
    unit = f"{what} (shade, lines) by number of repeat purchases (upwards)"
    return finish(axes, title_of(grid, finding), alt, unit=unit)


@house_style()
def clv_distribution(
    frame: pd.DataFrame, finding: str | None = None, *, currency: str = "", ax: Axes | None = None
) -> Chart:
    """Draw customer lifetime value from the lowest to the highest twentieth of customers.

    Parameters
    ----------
    frame : DataFrame
        One row per customer: `clv` (money); optionally its interval, `clv_low` and `clv_high`.
    finding, ax
        As for `tracking`.
    currency : str
        The name of the money.

    Examples
    --------
    >>> print(clv_distribution(pd.DataFrame({"clv": [10.0, 20, 90]}), "One customer is worth most", currency="EUR").alt)
    One customer is worth most. Bars of mean lifetime value of 3 customers in 3 equal groups, lowest EUR 10.00, highest
    EUR 90.00; median EUR 20.00, mean EUR 40.00.
    """
    rows = frame.dropna(subset=["clv"]).sort_values("clv", kind="stable")
    if rows.empty:
        return no_data("No customer has a lifetime value", ax)
    groups = min(_GROUPS, len(rows))
    interval = [name for name in ("clv_low", "clv_high") if name in rows]
    means = rows[["clv", *interval]].groupby(np.arange(len(rows)) * groups // len(rows)).mean()
    places = (np.arange(groups) + 0.5) / groups
    axes = sheet(2.5, ax)
    axes.bar(places, means["clv"], width=0.8 / groups, color=BLUE)
    if len(interval) == 2:
        axes.vlines(places, means["clv_low"], means["clv_high"], color=ORANGE, linewidth=1.6)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    scale = value_axis(axes, "y", kind="money", largest=float(means.abs().max().max()))
    axes.set_xlim(0, 1)
    base_axis(axes, "Customers, from lowest to highest lifetime value", kind="share", bins=4)
    band = "; lines: mean of the customers' intervals" if len(interval) == 2 else ""
    of_groups, of_all = means["clv"], rows["clv"].agg(["median", "mean"])
    amounts = (of_groups.iloc[0], of_groups.iloc[-1], *of_all)
    lowest, highest, median, mean = (fmt.money(float(amount), currency) for amount in amounts)
    alt = (
        f"Bars of mean lifetime value of {fmt.plural(len(rows), 'customer')} in {groups} equal groups, lowest "
        f"{lowest}, highest {highest}; median {median}, mean {mean}{band}."
    )
    unit = f"Lifetime value per customer, {scale}{currency or 'money'}{band}"
    return finish(axes, title_of(frame, finding, currency), alt, unit=unit)


@house_style()
def profit_whale(
    curve: pd.DataFrame, finding: str | None = None, *, value: str = "profit", currency: str = "",
    ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw the cumulative value of customers, the best first: the peak, and the tail that loses it again.

    Parameters
    ----------
    curve : DataFrame
        `customers`, `share_of_customers` and `profit` (of the best so many together), from nobody to all.
    finding, currency, ax
        As for `clv_distribution`.
    value : str
        What is added up, such as "profit", "revenue" or "lifetime value".

    Examples
    --------
    >>> curve = pd.DataFrame({"customers": [0, 1, 2], "share_of_customers": [0, 0.5, 1], "profit": [0.0, 9, 6]})
    >>> print(profit_whale(curve, "One customer loses EUR 3", currency="EUR").alt)
    One customer loses EUR 3. Curve over 2 customers. The best 20 %: EUR 3.60. All: EUR 6.00.
    """
    if len(curve) < 2:
        return no_data(f"No customer's {value} to add up", ax)
    people, money = (curve[column].to_numpy(dtype=float) for column in ("share_of_customers", "profit"))
    peak, total = int(money.argmax()), float(money[-1])
    drawn, kind = (money / total, "share") if total > 0 else (money, "money")
    axes = sheet(2.5, ax)
    label = f"Customers by {value}, the best first; pale: if all were equal"
    curves, largest = {"": (people, drawn)}, float(np.abs(money).max())
    word = kit.cumulative(axes, curves, [BLUE], label, kind=kind, largest=largest)
    axes.plot([0, 1], [0, drawn[-1]], color=PALE, linewidth=1.2, zorder=1.5)
    if money[peak] - total > 1e-9 * max(abs(money[peak]), abs(total)):
        axes.axhline(drawn[-1], color=SOFT, linewidth=0.8)
        axes.fill_between(people[peak:], drawn[peak:], drawn[-1], color=ORANGE, alpha=0.25, linewidth=0)
        kit.dot(axes, people[peak], drawn[peak])
    unit = f"{fmt.capital(value)} of the best customers together, "
    unit += "share of the total" if total > 0 else f"{word}{currency or 'money'}"
    held = fmt.money(float(np.interp(0.2, people, money)), currency)
    everybody = fmt.plural(curve["customers"].iloc[-1], "customer")
    alt = f"Curve over {everybody}. The best 20 %: {held}. All: {fmt.money(total, currency)}."
    return finish(axes, title_of(curve, finding, currency), alt, unit=unit)


@house_style()
def clv_sensitivity(
    frame: pd.DataFrame,
    finding: str | None = None,
    *,
    base: float,
    currency: str = "",
    ax: Axes | None = None,
) -> Chart:
    """Draw how far the total lifetime value moves when one assumption at a time is changed.

    Parameters
    ----------
    frame : DataFrame
        `assumption` (such as "margin"), `setting` (such as "30 %") and `clv` (money, the total under that one).
    finding, currency, ax
        As for `clv_distribution`.
    base : float
        The total under the base assumptions.

    Examples
    --------
    >>> frame = pd.DataFrame({"assumption": "margin", "setting": ["20 %", "40 %"], "clv": [50.0, 100]})
    >>> print(clv_sensitivity(frame, "The margin matters", base=75.0, currency="EUR").alt)
    The margin matters. Total lifetime value, EUR 75.00 at the base. margin: EUR 50.00 (20 %) to EUR 100 (40 %).
    """
    rows = frame.dropna(subset=["clv"]).sort_values("clv", kind="stable")
    if rows.empty:
        return no_data("No assumption was varied", ax)
    low = rows.drop_duplicates("assumption").set_index("assumption")
    high = rows.drop_duplicates("assumption", keep="last").set_index("assumption")
    order = (high["clv"] - low["clv"]).sort_values(ascending=False, kind="stable").index
    low, high, places = low.loc[order], high.loc[order], np.arange(len(order))
    divisor, word = fmt.scale(float(rows["clv"].abs().max()))
    axes = sheet(0.55 * len(order) + 0.1, ax)
    axes.hlines(places, low["clv"], high["clv"], color=BLUE, linewidth=6, capstyle="butt")
    axes.axvline(base, color=INK, linewidth=1.0)
    span = float(high["clv"].max() - low["clv"].min()) or abs(base) or 1.0
    axes.set_xlim(float(low["clv"].min()) - 0.3 * span, float(high["clv"].max()) + 0.3 * span)
    for end, ha, away in ((low, "right", -5), (high, "left", 5)):
        for place, value, setting in zip(places, end["clv"], end["setting"], strict=True):
            kit.write(axes, fmt.short_name(setting), (value, place), xytext=(away, 0), ha=ha, color=SOFT)
    for place, name in zip(places, order, strict=True):
        axes.text(0, place - 0.42, fmt.short_name(name), transform=axes.get_yaxis_transform(), va="center")
    axes.set(yticks=[], ylim=(len(order) - 0.6, -0.75))
    value_axis(axes, "x", kind="money", largest=divisor, bins=4)
    axes.set_xlabel(f"Total lifetime value, {word + ' ' if word else ''}{currency or 'money'}; line: base")
    ends = (
        [f"{fmt.money(row.clv, currency)} ({row.setting})" for row in end.itertuples()] for end in (low, high)
    )
    spans = map(" to ".join, zip(*ends, strict=True))
    alt = f"Total lifetime value, {fmt.money(base, currency)} at the base. {of_each(order, spans)}."
    return finish(axes, title_of(frame, finding, currency), alt)
