"""The sheet a chart stands on: title above, unit above the axis, nothing cut and nothing overlapping."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crmlib import format as fmt
from crmlib.charts.style import DPI, GRID, INK, SHADES, SOFT, WIDTH_INCHES, Chart, group_colours, house_style

_MARGIN = 0.12  # inches around everything
_TITLE = FontProperties(family="DejaVu Sans", size=12, weight="bold")
_UNIT = FontProperties(family="DejaVu Sans", size=10)
# A word; a currency stays with its amount, a month with its year, and a share with its sign.
_UNBROKEN = re.compile(r"(?:\S*[A-Z]{3} (?=\d)|[A-Z][a-z]+ (?=[12]\d{3}\b))?\S+(?: %\S*)?")
_LINE = 1.22  # line height in font sizes
_LONGEST_NAME, _LONGEST_LINE = 36, 20
_MOST_PERIODS = 6  # that are named on an axis


def sheet(plot_height: float = 2.5) -> tuple[Figure, Axes]:
    """An empty sheet; `plot_height` in inches is that of the drawing, titles come on top of it."""
    figure = Figure(figsize=(WIDTH_INCHES, plot_height), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.15, 0.0, 0.8, 1.0))
    return figure, axes


def finish(axes: Axes, title: str, alt: str, *, unit: str = "") -> Chart:
    """Set title and unit, then give the drawing all the room that its labels leave.

    The drawing keeps the height it was made with; the sheet grows with its titles.
    """
    figure: Figure = axes.figure  # type: ignore[assignment]
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    width, plot_height = (float(size) for size in figure.get_size_inches())
    # Of all that is drawn, only words stand out over the axes.
    outside = [text for text in axes.texts if text.get_in_layout()]
    tight, plain = axes.get_tightbbox(renderer, bbox_extra_artists=outside), axes.get_window_extent(renderer)
    assert tight is not None, "a sheet's axes are visible"
    left = _MARGIN + max(plain.x0 - tight.x0, 0) / DPI
    right = _MARGIN + max(tight.x1 - plain.x1, 0) / DPI
    below = _MARGIN + max(plain.y0 - tight.y0, 0) / DPI
    above = max(tight.y1 - plain.y1, 0) / DPI + 0.06
    room = (width - 2 * _MARGIN) * DPI
    title_lines, unit_lines = wrap(title, _TITLE, room, renderer), wrap(unit, _UNIT, room, renderer)
    title_height, unit_height = (
        len(lines) * font.get_size_in_points() * _LINE / 72
        for lines, font in ((title_lines, _TITLE), (unit_lines, _UNIT))
    )
    gap = 0.08 if unit_lines else 0.04
    height = _MARGIN + title_height + gap + unit_height + above + plot_height + below
    figure.set_size_inches(width, height)
    axes.set_position((left / width, below / height, 1 - (left + right) / width, plot_height / height))
    top = 1 - _MARGIN / height
    put: dict[str, Any] = {"ha": "left", "va": "top", "linespacing": _LINE}
    x = _MARGIN / width
    figure.text(x, top, "\n".join(title_lines), fontproperties=_TITLE, color=INK, **put)
    if unit_lines:
        y = top - (title_height + gap) / height
        figure.text(x, y, "\n".join(unit_lines), fontproperties=_UNIT, color=SOFT, **put)
    return Chart(figure, title, alt)


def no_data(title: str) -> Chart:
    """A sheet that says in words that there is nothing to draw."""
    with house_style():
        _, axes = sheet(1.0)
        axes.set_axis_off()
        axes.text(0, 0.5, "No data to draw.", color=SOFT, size=11, transform=axes.transAxes, va="center")
        drawn = finish(axes, title, f"{title}. There is no data to draw.")
    return Chart(drawn.figure, drawn.title, drawn.alt, empty=True)


def wrap(text: str, font: FontProperties, room_pixels: float, renderer: RendererAgg) -> list[str]:
    """Break a text into lines by its measured width, the last not much shorter; a word too long is cut."""

    @cache  # measuring takes longer than all else here
    def width(piece: str) -> float:
        return renderer.get_text_width_height_descent(piece, font, False)[0]

    pieces: list[str] = []
    for word in _UNBROKEN.findall(text):
        while width(word) > room_pixels:
            fits = next(end for end in range(len(word) - 1, 0, -1) if width(word[:end]) <= room_pixels)
            pieces.append(word[:fits])
            word = word[fits:]
        pieces.append(word)
    widths, space = [width(piece) for piece in pieces], width("n n") - 2 * width("n")
    breaks = _breaks(widths, space, room_pixels)
    for narrower in np.linspace(room_pixels, 0.8 * room_pixels, 7)[1:] if len(breaks) > 1 else ():
        if len(trial := _breaks(widths, space, narrower)) > len(breaks):
            break
        breaks = trial
    return [" ".join(pieces[start:end]) for start, end in pairwise([*breaks, len(pieces)])]


def _breaks(widths: Sequence[float], space: float, room: float) -> list[int]:
    """Where each line starts when every line takes as many words as fit."""
    starts: list[int] = []
    used = 0.0
    for place, width in enumerate(widths):
        if not starts or used + space + width > room:
            starts.append(place)
            used = width
        else:
            used += space + width
    return starts


def value_axis(axes: Axes, which: str, *, kind: str = "number", largest: float = 0.0, bins: int = 5) -> str:
    """Grid, few ticks and their format on the axis that carries values; returns the word of its scale."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    divisor, word = fmt.scale(largest) if kind == "money" else (0.01 if kind == "share" else 1.0, "")
    sign = " %" if kind == "share" else ""
    axis.set_major_locator(
        MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10], integer=kind == "count", min_n_ticks=1)
    )
    # A tick is a round number: all its digits are written.
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value / divisor:,.10g}{sign}".replace("-", "−"))
    )
    axis.grid(True, color=GRID)
    return f"{word} " if word else ""


def capital(text: str) -> str:
    """A text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def short_name(value: Any) -> str:
    """A category's name, cut where it would push the picture aside."""
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1].rstrip() + "…"


def on_two_lines(value: Any) -> str:
    """A category's name beside its bar: on two lines where it is long."""
    text = short_name(value)
    spaces = [place for place, sign in enumerate(text) if sign == " "]
    if len(text) <= _LONGEST_LINE or not spaces:
        return text
    middle = min(spaces, key=lambda place: abs(2 * place - len(text)))
    return f"{text[:middle]}\n{text[middle + 1 :]}"


def rows_by(frame: pd.DataFrame, column: str, otherwise: str = "") -> dict[str, pd.DataFrame]:
    """The rows of each name in a column, in the order in which they come; all under `otherwise` if there is none."""
    if column not in frame:
        return {otherwise: frame}
    return {str(name): rows for name, rows in frame.groupby(column, sort=False, observed=True)}


def period_axis(axes: Axes, starts: Sequence[Any], length: str = "M") -> None:
    """Name a few periods under bars or points that stand at 0, 1, 2, …: the first, then evenly."""
    places = range(0, len(starts), max(1, -(-len(starts) // _MOST_PERIODS)))
    names = [fmt.period(starts[place], length, short=True) for place in places]
    axes.set_xticks(list(places), ["\n".join(name.rsplit(" ", 1)) for name in names])


def every_month(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a row for each calendar month from its first to its last; new rows are empty."""
    months = pd.DatetimeIndex(pd.to_datetime(frame["month"])).to_period("M")
    rows = frame.set_index(months).drop(columns="month").sort_index()
    calendar = pd.period_range(rows.index.min(), rows.index.max(), freq="M", name="month")
    return rows.reindex(calendar).reset_index().assign(month=calendar.to_timestamp())


def spread(places: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Move places apart until each pair has `gap` between, as little as possible, within low to high.

    Examples
    --------
    >>> spread([1.0, 1.1, 5.0], 1.0, 0.0, 10.0).tolist()
    [0.55, 1.55, 5.0]
    """
    order = np.argsort(places, kind="stable")
    gap = min(gap, (high - low) / max(len(order) - 1, 1))
    # Pools of labels that touch, each centred on the mean of the places it serves.
    pools: list[tuple[float, int]] = []
    for place in np.asarray(places, dtype=float)[order]:
        pools.append((place, 1))
        while len(pools) > 1 and _bottom(pools[-1], gap, low, high) < _top(pools[-2], gap, low, high) + gap:
            (mean_b, n_b), (mean_a, n_a) = pools.pop(), pools.pop()
            pools.append(((mean_a * n_a + mean_b * n_b) / (n_a + n_b), n_a + n_b))
    moved = np.concatenate([_bottom(pool, gap, low, high) + gap * np.arange(pool[1]) for pool in pools])
    result = np.empty(len(order))
    result[order] = moved
    return result


def _bottom(pool: tuple[float, int], gap: float, low: float, high: float) -> float:
    half = gap * (pool[1] - 1) / 2
    return min(max(pool[0] - half, low), high - 2 * half)


def _top(pool: tuple[float, int], gap: float, low: float, high: float) -> float:
    return _bottom(pool, gap, low, high) + gap * (pool[1] - 1)


def end_labels(
    axes: Axes, x: float, ys: Sequence[float], texts: Sequence[str], colours: Sequence[str]
) -> None:
    """Name lines beside their last point, moved apart where they would overlap; call once limits are set."""
    low, high = axes.get_ylim()
    per_inch = (high - low) / (axes.get_window_extent().height / DPI)
    places = spread(ys, 0.18 * per_inch, low, high)
    for place, text, colour in zip(places, texts, colours, strict=True):
        axes.annotate(
            text, (x, place), xytext=(6, 0), textcoords="offset points", va="center", color=colour, size=10,
            annotation_clip=False,
        )  # fmt: skip


def bars(
    axes: Axes, names: Sequence[Any], values: Sequence[float], colours: Sequence[str], texts: Sequence[str]
) -> None:
    """Horizontal bars from the top down, named at the left, with their figures at the right end."""
    widths = np.nan_to_num(np.asarray(values, dtype=float), posinf=0.0, neginf=0.0)
    axes.barh(np.arange(len(names)), widths, color=list(colours), height=0.68)
    rows_of_bars(axes, names, [widths], texts)


def paired_bars(
    axes: Axes, names: Sequence[str], full: np.ndarray, pale: np.ndarray, texts: Sequence[str]
) -> None:
    """Two bars per tier or segment in its colour, the second one pale, and their figures at the right end."""
    values = [np.nan_to_num(full), np.nan_to_num(pale)]
    for offset, shares, opacity in ((-0.19, values[0], 1.0), (0.19, values[1], 0.5)):
        places = np.arange(len(names)) + offset
        axes.barh(places, shares, height=0.36, color=group_colours(names), alpha=opacity)
    rows_of_bars(axes, names, values, texts)


def rows_of_bars(axes: Axes, names: Sequence[Any], ends: Sequence[np.ndarray], texts: Sequence[str]) -> None:
    """Name rows of horizontal bars from the top down, and write their figures behind the longest bar of each.

    `ends` are where bars end, an array for each bar of a row. A bar to the left of zero has its figure right of
    zero, where it cannot run into the names.
    """
    places, (low, high) = np.arange(len(names)), (float(one) for one in (np.min(ends), np.max(ends)))
    axes.set_yticks(places, [on_two_lines(one) for one in names], linespacing=1.0)
    axes.set_ylim(len(names) - 0.45, -0.55)
    low, high = min(low, 0.0), max(high, 0.0)
    axes.set_xlim(low, high if high > low else low + 1.0)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=SOFT, linewidth=0.8)
    for place, end, text in zip(places, np.max([*ends, np.zeros(len(names))], axis=0), texts, strict=True):
        axes.annotate(
            text, (end, place), xytext=(5, 0), textcoords="offset points", va="center", annotation_clip=False,
            linespacing=1.15,
        )  # fmt: skip


def per_cent(shares: np.ndarray) -> np.ndarray:
    """Shares as whole numbers of hundredths; nothing where that is 0."""
    texts = [fmt.count(100 * share) if share >= 0.005 else "" for share in shares.ravel()]
    return np.array(texts).reshape(shares.shape)


def cells(
    axes: Axes, values: np.ndarray, texts: np.ndarray, rows: Sequence[str], columns: Sequence[str], *,
    full: float, **mesh: Any,
) -> None:  # fmt: skip
    """A table of coloured cells from the top down, each with its text: white where a value is beyond `full`.

    Shares from 0 to 1, unless `mesh` gives matplotlib other colours.
    """
    colours: dict[str, Any] = {"cmap": SHADES, "vmin": 0, "vmax": 1}
    axes.pcolormesh(values, **(colours | mesh))
    for (row, column), text in np.ndenumerate(texts):
        axes.text(
            column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9, in_layout=False,
            color="white" if abs(values[row, column]) > full else INK,
        )  # fmt: skip
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, linespacing=1.0)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)
