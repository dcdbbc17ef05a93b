"""The marks of all charts: each draws numbers into given axes, and decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from crmlib import format as fmt
from crmlib.charts import style
from crmlib.charts.layout import base_axis, on_two_lines, period_axis, spread, value_axis

Curves = Mapping[str, tuple[Any, Any]]  # by name: its places and its heights, the same number of both

_DASHED = (0, (4, 3))
_MOST_POINTS = 400  # of a curve that are drawn


def bars(axes: Axes, names: Sequence[Any], values: Any, texts: Sequence[str], colours: Sequence[str]) -> None:
    """Horizontal bars from the top down, named at the left, with their figures at the right end."""
    widths = np.nan_to_num(np.asarray(values, dtype=float), posinf=0.0, neginf=0.0)
    places = np.arange(len(names))
    _bars_of_seaborn(axes, widths, places, hue=places, palette=list(colours), width=0.68)
    _name_rows(axes, names, [widths], texts)


def paired_bars(
    axes: Axes, names: Sequence[str], first: np.ndarray, second: np.ndarray, texts: Sequence[str]
) -> None:
    """Two bars per group in its colour, the second one pale, and their figures at the right end."""
    values, colours = [np.nan_to_num(first), np.nan_to_num(second)], style.group_colours(names)
    places = np.arange(len(names))
    for widths, away, opacity in zip(values, (-0.19, 0.19), (1.0, 0.5), strict=True):
        _bars_of_seaborn(axes, widths, places + away, hue=places, palette=colours, width=0.36, alpha=opacity)
    _name_rows(axes, names, values, texts)


def _bars_of_seaborn(axes: Axes, widths: np.ndarray, places: np.ndarray, **options: Any) -> None:
    sns.barplot(
        x=widths, y=places, orient="y", native_scale=True, saturation=1, errorbar=None, legend=False, dodge=False,
        ax=axes, **options,
    )  # fmt: skip


def waterfall(
    axes: Axes, names: Sequence[str], start: float, effects: np.ndarray, texts: Sequence[str]
) -> None:
    """A total, the effects that lead on from it and the total they lead to, from the top down."""
    levels = start + np.concatenate([[0.0], np.cumsum(effects)])
    left = np.concatenate([[min(start, 0.0)], np.minimum(levels[:-1], levels[1:]), [min(levels[-1], 0.0)]])
    width = np.concatenate([[abs(start)], np.abs(effects), [abs(levels[-1])]])
    places = np.arange(len(names))
    colours = [style.PALE, *np.where(effects < 0, style.ORANGE, style.BLUE), style.PALE]
    axes.barh(places, width, left=left, color=colours, height=0.66)
    axes.vlines(levels, places[:-1] - 0.33, places[1:] + 0.33, color=style.SOFT, linewidth=0.7)
    _name_rows(axes, names, [left, left + width], texts)


def _name_rows(axes: Axes, names: Sequence[Any], ends: Sequence[np.ndarray], texts: Sequence[str]) -> None:
    """Name rows of horizontal bars, and write their figures behind the longest bar of each.

    `ends` are where bars end, an array for each bar of a row. A bar to the left of zero has its figure right of
    zero, where it cannot run into the names.
    """
    low, high = min(float(np.min(ends)), 0.0), max(float(np.max(ends)), 0.0)
    axes.set_xlim(low, high if high > low else low + 1.0)
    _rows(axes, names)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=style.SOFT, linewidth=0.8)
    for place, text in enumerate(texts):
        write(axes, text, (max(0.0, *(end[place] for end in ends)), place), linespacing=1.15)


def _rows(axes: Axes, names: Sequence[Any]) -> None:
    axes.set_yticks(range(len(names)), [on_two_lines(name) for name in names], linespacing=1.0)
    axes.set_ylim(len(names) - 0.45, -0.55)


def write(axes: Axes, text: str, place: tuple[Any, Any], **options: Any) -> None:
    put: dict[str, Any] = {"xytext": (5, 0), "va": "center"} | options
    axes.annotate(text, place, textcoords="offset points", annotation_clip=False, **put)


def dots(
    axes: Axes, names: Sequence[Any], values: Any, low: Any, high: Any, texts: Sequence[str], colours: Sequence[str]
) -> None:  # fmt: skip
    """A dot with its interval for each name from the top down, and its figure at the right."""
    places = np.arange(len(names))
    axes.hlines(places, low, high, color=list(colours), linewidth=2.4)
    sns.scatterplot(
        x=np.asarray(values, dtype=float), y=places, hue=places, palette=list(colours), s=46, zorder=3, linewidth=0,
        legend=False, clip_on=False, ax=axes,
    )  # fmt: skip
    axes.axvline(0, color=style.SOFT, linewidth=0.8)
    _rows(axes, names)
    for place, text in enumerate(texts):
        write(axes, text, (1.0, place), xycoords=axes.get_yaxis_transform(), linespacing=1.1)


def lines(axes: Axes, curves: Curves, colours: Sequence[str], **options: Any) -> None:
    """A line for each name, with dots where there are few points; the first lies on top."""
    few = max((len(places) for places, _ in curves.values()), default=0) <= 12
    options = {"marker": "o" if few else "", "markersize": 4, "markeredgewidth": 0} | options
    for depth, ((places, heights), colour) in enumerate(zip(curves.values(), colours, strict=True)):
        sns.lineplot(
            x=np.asarray(places, dtype=float), y=np.asarray(heights, dtype=float), color=colour, estimator=None,
            sort=False, zorder=3 - depth / 100, ax=axes, **options,
        )  # fmt: skip


def band(axes: Axes, places: Any, low: Any, high: Any, **options: Any) -> None:
    """An interval around a line."""
    x, bottom, top = (np.asarray(numbers, dtype=float) for numbers in (places, low, high))
    axes.fill_between(x, bottom, top, color=style.LIGHT_BLUE, alpha=0.5, linewidth=0, **options)


def end_labels(
    axes: Axes, x: float, heights: Sequence[float], texts: Sequence[str], colours: Sequence[str],
    squares: Sequence[Any] = (),
) -> None:  # fmt: skip
    """Name lines beside their last point, moved apart where they would overlap; call once limits are set.

    Areas are named behind squares of their colours.
    """
    low, high = axes.get_ylim()
    inches = axes.get_window_extent().height / (axes.figure.dpi or style.DPI)
    places = spread(heights, 0.18 * (high - low) / inches, low, high)
    for place, square in zip(places, squares, strict=False):
        write(axes, "\N{BLACK SQUARE}", (x, place), xytext=(5, 1), color=square, size=10)
    beside = (18 if len(squares) else 6, 0)
    for place, text, colour in zip(places, texts, colours, strict=True):
        write(axes, fmt.short_name(text), (x, place), xytext=beside, color=colour, size=10)


def named_lines(axes: Axes, curves: Curves, colours: Sequence[str], **options: Any) -> None:
    """Lines with their names at their right ends; the drawing is as wide as the first and holds its zero."""
    lines(axes, curves, colours, **options)
    places = np.asarray(next(iter(curves.values()))[0], dtype=float)
    start, end = float(places.min()), float(places.max())
    axes.set_xlim(*((start, end) if end > start else (start - 0.5, end + 0.5)))
    axes.set_ylim(min(axes.dataLim.y0 * 1.04, 0), max(axes.dataLim.y1 * 1.04, 0) or 1.0)
    if len(curves) > 1:
        end_labels(axes, axes.get_xlim()[1], _lasts(curves), list(curves), colours)


def _lasts(curves: Curves) -> list[float]:
    return [float(np.asarray(heights)[-1]) for _, heights in curves.values()]


def cumulative(
    axes: Axes, curves: Curves, colours: Sequence[str], label: str, *, kind: str, largest: float = 0.0
) -> str:
    """What the first so many customers make together: shares of customers from nobody to all, and a line for each
    ranking; returns the word of the scale.
    """
    drawn = {}
    for name, (shares, sums) in curves.items():
        shares, sums = np.asarray(shares, dtype=float), np.asarray(sums, dtype=float)
        some = np.unique([*np.linspace(0, len(shares) - 1, _MOST_POINTS).astype(int), int(sums.argmax())])
        drawn[name] = shares[some], sums[some]
    lines(axes, drawn, colours, marker="")
    axes.axhline(0, color=style.SOFT, linewidth=0.8)
    heights = np.concatenate([sums for _, sums in drawn.values()])
    low, high = min(float(heights.min()), 0.0), max(float(heights.max()), 0.0)
    axes.set_ylim(low - 0.06 * (high - low) if low < 0 else 0.0, high + 0.06 * (high - low) or 1.0)
    axes.set_xlim(0, 1)
    base_axis(axes, label, kind="share")
    return value_axis(axes, "y", kind=kind, largest=largest)


def dashed(
    axes: Axes, x: Sequence[float], y: Sequence[float], colour: str = style.SOFT, width: float = 1.0
) -> None:
    """A line of what is compared with: chance, a claim, as predicted."""
    axes.plot(x, y, color=colour, linewidth=width, linestyle=_DASHED, zorder=1.5)


def dot(axes: Axes, x: Any, y: Any, colour: str = style.ORANGE, **options: Any) -> None:
    """One point of a curve, or several, that the finding speaks of."""
    axes.plot(x, y, "o", color=colour, markersize=6, clip_on=False, zorder=4, **options)


def calibration(axes: Axes, curves: Curves, *, what: str) -> None:
    """What happened against what was predicted, both shares: on the dashed line they are the same."""
    end = 1.03 * max(0.01, *(float(np.max(shares)) for pair in curves.values() for shares in pair))
    colours = style.line_colours(len(curves))
    lines(axes, curves, colours, marker="o", markersize=4.5)
    dashed(axes, [0, end], [0, end])
    axes.set(xlim=(0, end), ylim=(0, end))
    names = list(curves) if len(curves) > 1 else [""]
    end_labels(axes, end, [*_lasts(curves), end], [*names, "as predicted"], [*colours, style.SOFT])
    for which in "xy":
        value_axis(axes, which, kind="share")
    axes.set_xlabel(what)


def heat_map(
    axes: Axes, values: np.ndarray, texts: np.ndarray, rows: Sequence[str], columns: Sequence[str], **options: Any
) -> None:  # fmt: skip
    """A table of coloured cells from the top down, each with its text; what is not known stays white."""
    options = {"cmap": style.SHADES, "vmin": 0, "vmax": 1} | options
    words = {"fontsize": 9, "in_layout": False}
    sns.heatmap(
        pd.DataFrame(values), annot=texts, fmt="", annot_kws=words, cbar=False, ax=axes, xticklabels=False,
        yticklabels=False, **options,
    )  # fmt: skip
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, linespacing=1.0, rotation=0)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=0)
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)


def periods(axes: Axes, starts: Sequence[Any], values: Any, *, complete: int) -> None:
    """A bar for each month, pale where it is not complete."""
    values, places = np.asarray(values, dtype=float), np.arange(len(starts))
    for some, colour in ((slice(complete), style.BLUE), (slice(complete, None), style.PALE)):
        sns.barplot(
            x=places[some], y=values[some], color=colour, native_scale=True, saturation=1, errorbar=None,
            width=0.8 if len(starts) < 60 else 1.0, ax=axes,
        )  # fmt: skip
    axes.set_ylim(0, max(float(np.nanmax(values)) * 1.05, 1))
    period_axis(axes, starts)


def period_dots(axes: Axes, starts: Sequence[Any], values: Any, low: Any, high: Any, length: str) -> None:
    """A dot with its interval for each calendar period; a period without a value leaves a gap in the line."""
    places = np.arange(len(starts))
    axes.vlines(places, low, high, color=style.PALE, linewidth=5 if len(starts) < 30 else 3)
    axes.plot(places, values, color=style.BLUE, marker="o", markersize=4.5, linewidth=1.4)
    bottom, top = axes.get_ylim()
    axes.set_ylim(min(bottom, 0.0) if np.nanmin(values) < 0 else 0.0, 1.05 * max(top, 0.0) or 1.0)
    period_axis(axes, starts, length)


def surface(axes: Axes, grid: pd.DataFrame, levels: Sequence[float], written: Any, top: float) -> None:
    """A shade for each cell of a grid of numbers, with lines of equal height that bear their value."""
    across, up = (np.asarray(axis, dtype=float) for axis in (grid.columns, grid.index))
    values = np.ma.masked_invalid(grid.to_numpy(dtype=float))
    axes.pcolormesh(_edges(across), _edges(up), values, cmap=style.SHADES, vmin=0, vmax=top)
    above = up > 0  # between none and one a model jumps: no line leads across
    drawn = values[above]
    inside = [level for level in levels if drawn.count() and drawn.min() < level < drawn.max()]
    if inside and min(drawn.shape) > 1:
        contour = axes.contour(across, up[above], drawn, levels=inside, colors="white", linewidths=1.2)
        for text in axes.clabel(contour, fmt=written, fontsize=9, colors=style.INK):
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.2})
    axes.spines["bottom"].set_visible(False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))


def _edges(centres: np.ndarray) -> np.ndarray:
    """The edges of cells around their centres."""
    middle = (centres[1:] + centres[:-1]) / 2
    first, last = (middle[0], middle[-1]) if len(middle) else (centres[0] + 0.5, centres[0] - 0.5)
    return np.array([2 * centres[0] - first, *middle, 2 * centres[-1] - last])


def scatter(axes: Axes, across: Any, up: Any, tiers: Any) -> None:
    """A dot for each customer in the colour of the tier."""
    size = min(7.0, max(2.5, 60 / len(across) ** 0.5)) ** 2
    sns.scatterplot(
        x=across, y=up, hue=tiers, palette=dict(style.TIER_COLOURS), s=size, alpha=0.6, linewidth=0, legend=False,
        rasterized=True, ax=axes,
    )  # fmt: skip
    axes.set(xlabel="", ylabel="")
