"""Charts of a model over frequency and recency: who is still a customer, and who will buy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from crmlib import format as fmt
from crmlib.charts.layout import finish, no_data, sheet
from crmlib.charts.style import INK, SHADES, Chart, house_style


@house_style()
def p_alive_surface(grid: pd.DataFrame, *, age: float, time_unit: str = "week") -> Chart:
    """Draw the probability of being alive by frequency and recency, for customers of one age.

    Parameters
    ----------
    grid : DataFrame
        P(alive) by frequency (index) and recency in `time_unit` (columns), both ascending; NaN where no
        customer can be.
    age : float
        How long ago all these customers bought first (T), in `time_unit`.
    time_unit : str
        The name of one period.
    """
    if _is_empty(grid):
        return no_data("No probability to draw")
    recency = grid.columns[grid.shape[1] // 2]
    column = grid[recency].dropna()
    title = f"P(alive) runs from {fmt.share(float(np.nanmin(grid)))} to {fmt.share(float(np.nanmax(grid)))}"
    repeaters = column[column.index > 0]
    if len(repeaters) > 1:
        few, many = repeaters.index[0], repeaters.index[-1]
        high, low = float(repeaters.iloc[0]), float(repeaters.iloc[-1])
        title = (
            f"Last bought in {time_unit} {fmt.number(float(recency))} of {fmt.number(age)}: P(alive) is "
            f"{fmt.share(high)} after {fmt.plural(few, 'repeat purchase')}, {fmt.share(low)} after "
            f"{fmt.number(many)}"
        )
    return _surface(grid, title, "P(alive)", age, time_unit, [0.1, 0.3, 0.5, 0.7, 0.9], fmt.share)


@house_style()
def expected_purchases_surface(
    grid: pd.DataFrame, *, horizon: str, age: float, time_unit: str = "week"
) -> Chart:
    """Draw the purchases expected within a horizon by frequency and recency, for customers of one age.

    Parameters
    ----------
    grid : DataFrame
        Expected purchases by frequency (index) and recency in `time_unit` (columns), both ascending; NaN
        where no customer can be.
    horizon : str
        What the purchases are expected within, such as "52 weeks".
    age : float
        How long ago all these customers bought first (T), in `time_unit`.
    time_unit : str
        The name of one period.
    """
    if _is_empty(grid):
        return no_data("No expectation to draw")
    values = grid.to_numpy(dtype=float)
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    most, frequency, recency = float(values[row, column]), grid.index[row], grid.columns[column]
    title = f"No purchases are expected in {horizon}, whatever the history"
    if most > 0:
        title = (
            f"Most is expected at {fmt.plural(frequency, 'repeat purchase')}, the last in {time_unit} "
            f"{fmt.number(float(recency))}: {fmt.number(most)} in {horizon}"
        )
    same = grid.iloc[row].dropna()
    if len(same) > 1 and same.iloc[0] < most:
        fewest, earliest = float(same.iloc[0]), float(same.index[0])
        title += f", but {fmt.number(fewest)} if it was in {time_unit} {fmt.number(earliest)}"
    levels = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0, most)
    return _surface(grid, title, f"Purchases expected in {horizon}", age, time_unit, levels, fmt.number)


def _surface(
    grid: pd.DataFrame,
    title: str,
    what: str,
    age: float,
    time_unit: str,
    levels: Sequence[float],
    written: Callable[[float], str],
) -> Chart:
    recency, frequency = (np.asarray(axis, dtype=float) for axis in (grid.columns, grid.index))
    values = np.ma.masked_invalid(grid.to_numpy(dtype=float))
    lowest, highest = float(values.min()), float(values.max())
    _, axes = sheet(2.9)
    top = 1.0 if levels[-1] < 1 else highest or 1.0
    axes.pcolormesh(_edges(recency), _edges(frequency), values, cmap=SHADES, vmin=0, vmax=top)
    repeat = frequency > 0  # between none and one the model jumps: no line leads across
    drawn = values[repeat]
    inside = [level for level in levels if drawn.count() and drawn.min() < level < drawn.max()]
    if inside and min(drawn.shape) > 1:
        lines = axes.contour(recency, frequency[repeat], drawn, levels=inside, colors="white", linewidths=1.2)
        for text in axes.clabel(lines, fmt=written, fontsize=9, colors=INK):
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.2})
    axes.set_xlabel(f"Recency: {time_unit} of the last purchase, of {fmt.number(age)}")
    axes.spines["bottom"].set_visible(False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    alt = (
        f"{what}, by repeat purchases ({fmt.number(frequency[0])} to {fmt.number(frequency[-1])}) and recency "
        f"({fmt.number(recency[0])} to {fmt.number(recency[-1])} {time_unit}s) at age {fmt.number(age)}: "
        f"from {written(lowest)} to {written(highest)}. {title}."
    )
    return finish(axes, title, alt, unit=f"{what} (shade, lines) by number of repeat purchases (upwards)")


def _edges(centres: np.ndarray) -> np.ndarray:
    """The edges of cells around their centres."""
    middle = (centres[1:] + centres[:-1]) / 2
    first, last = (middle[0], middle[-1]) if len(middle) else (centres[0] + 0.5, centres[0] - 0.5)
    return np.array([2 * centres[0] - first, *middle, 2 * centres[-1] - last])


def _is_empty(grid: pd.DataFrame) -> bool:
    return grid.empty or not np.isfinite(grid.to_numpy(dtype=float)).any()
