"""The layout of a chart: title on top, unit above the axis, nothing cut off and nothing overlapping."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import MaxNLocator
from scipy.optimize import isotonic_regression

from crmlib import format as fmt
from crmlib.charts.style import DPI, GRID, INK, SOFT, WIDTH_INCHES, Chart, house_style
from crmlib.columns import COLUMNS
from crmlib.findings import in_currency

_MARGIN = 0.12  # inches around everything
_TITLE = FontProperties(family="DejaVu Sans", size=12, weight="bold")
_UNIT = FontProperties(family="DejaVu Sans", size=10)
# A word; a currency stays with its amount, a month with its year, and a share with its sign.
_UNBROKEN = re.compile(r"(?:\S*[A-Z]{3} (?=\d)|[A-Z][a-z]+ (?=[12]\d{3}\b))?\S+(?: %\S*)?")
_LINE = 1.22  # line height in font sizes
_LONGEST_LINE = 20
_MOST_PERIODS = 6  # that are named on an axis


class Sheet(Figure):
    """A figure of our own, which grows with its titles; figures of others keep their size."""


def sheet(plot_height: float = 2.5, ax: Axes | None = None, width: float = WIDTH_INCHES) -> Axes:
    """The axes to draw into: those given, or new ones, `plot_height` inches high without their titles."""
    if ax is not None:
        ax.spines[["left", "right", "top"]].set_visible(False)
        return ax
    figure = Sheet(figsize=(width, plot_height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure.add_axes((0.15, 0.0, 0.8, 1.0))


def title_of(frame: pd.DataFrame, finding: str | None, currency: str = "", measure: str = "") -> str:
    """The finding that is given, or the one that the analysis wrote on the frame: of a measure, or of all."""
    if finding is None:
        finding = frame.attrs.get(f"finding_{measure}", frame.attrs.get("finding", ""))
    return in_currency(finding, currency)


def finish(axes: Axes, title: str, alt: str, *, unit: str = "") -> Chart:
    """Set title and unit, and on a sheet of our own give the drawing all the room that its labels leave.

    The drawing keeps the height it was made with; the sheet grows with its titles.
    """
    figure: Figure = axes.figure  # type: ignore[assignment]
    draw = _titles_on_sheet if isinstance(figure, Sheet) else _titles_on_axes
    draw(figure, axes, title, unit)
    return Chart(figure, title, f"{title}. {alt}" if title else alt)


def _titles_on_sheet(figure: Figure, axes: Axes, title: str, unit: str) -> None:
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
    title_height, unit_height = _points(title_lines, _TITLE) / 72, _points(unit_lines, _UNIT) / 72
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


def _titles_on_axes(figure: Figure, axes: Axes, title: str, unit: str) -> None:
    renderer = RendererAgg(1, 1, figure.dpi)
    plain, tight = axes.get_window_extent(), axes.get_tightbbox(renderer)
    above = 4 + max(tight.y1 - plain.y1, 0) * 72 / figure.dpi if tight else 4
    title_lines, unit_lines = (
        wrap(*text, plain.width, renderer) for text in ((title, _TITLE), (unit, _UNIT))
    )
    axes.annotate(
        "\n".join(unit_lines), (0, 1), xycoords="axes fraction", xytext=(0, above), textcoords="offset points",
        va="bottom", fontproperties=_UNIT, color=SOFT, linespacing=_LINE,
    )  # fmt: skip
    axes.set_title(
        "\n".join(title_lines), loc="left", pad=above + 4 + _points(unit_lines, _UNIT), fontproperties=_TITLE,
        color=INK, linespacing=_LINE,
    )  # fmt: skip


def _points(lines: Sequence[str], font: FontProperties) -> float:
    """The height of lines of text, in points."""
    return len(lines) * font.get_size_in_points() * _LINE


@house_style()
def no_data(title: str, ax: Axes | None = None) -> Chart:
    """A chart that says in words that there is nothing to draw."""
    axes = sheet(1.0, ax)
    axes.set_axis_off()
    axes.text(0, 0.5, "No data to draw.", color=SOFT, size=11, transform=axes.transAxes, va="center")
    return replace(finish(axes, title, "There is no data to draw."), empty=True)


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
    starts, used = [0], -space
    for place, width in enumerate(widths):
        used += space + width
        if used > room and place:
            starts.append(place)
            used = width
    return starts if widths else []


def value_axis(axes: Axes, which: str, *, kind: str = "number", largest: float = 0.0, bins: int = 5) -> str:
    """Grid, few ticks and their format on the axis that carries values; returns the word of its scale."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    divisor, word = {"share": (0.01, ""), "count": (1.0, "")}.get(kind) or fmt.scale(largest)
    sign, steps = " %" if kind == "share" else "", [1, 2, 2.5, 5, 10]
    axis.set_major_locator(MaxNLocator(bins, steps=steps, integer=kind == "count", min_n_ticks=1))
    # A tick is a round number: all its digits are written.
    axis.set_major_formatter(lambda value, _: f"{value / divisor:,.10g}{sign}".replace("-", "−"))
    axis.grid(True, color=GRID)
    return f"{word} " if word else ""


def base_axis(axes: Axes, label: str, *, kind: str, bins: int = 5) -> None:
    """An axis of shares, ages or times beneath a drawing: few ticks without a grid, and its label."""
    value_axis(axes, "x", kind=kind, bins=bins)
    axes.xaxis.grid(False)
    axes.set_xlabel(label)


def on_two_lines(value: Any) -> str:
    """A category's name beside its bar: on two lines where it is long."""
    text = fmt.short_name(value)
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


def written(value: float, kind: str, currency: str = "") -> str:
    """A number as its kind is written: "money", "share" or "number"."""
    return fmt.write(value, "ratio" if kind == "number" else kind, currency)


def in_words(column: str) -> str:
    """What a column holds, as an axis or a legend says it."""
    return COLUMNS[column].label if column in COLUMNS else fmt.column(column)


def of_each(names: Iterable[Any], texts: Iterable[str]) -> str:
    """What an alternative text says of each name."""
    return "; ".join(f"{name}: {' '.join(text.split())}" for name, text in zip(names, texts, strict=True))


def period_axis(axes: Axes, starts: Sequence[Any], length: str = "M") -> None:
    """Name a few periods under bars or points that stand at 0, 1, 2, …: the first, then evenly."""
    axes.set_xlim(-0.6, max(len(starts), 6) - 0.4)  # a single bar does not fill the sheet
    places = range(0, len(starts), max(1, -(-len(starts) // _MOST_PERIODS)))
    names = [fmt.period(starts[place], length, short=True) for place in places]
    axes.set_xticks(list(places), ["\n".join(name.rsplit(" ", 1)) for name in names])


def spread(places: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Move places apart until each pair has `gap` between, as little as possible, within low to high.

    Examples
    --------
    >>> spread([1.0, 1.1, 5.0], 1.0, 0.0, 10.0).tolist()
    [0.55, 1.55, 5.0]
    """
    order = np.argsort(places, kind="stable")
    gaps = min(gap, (high - low) / max(len(order) - 1, 1)) * np.arange(len(order))
    least = isotonic_regression(np.asarray(places, dtype=float)[order] - gaps).x
    result = np.empty(len(order))
    result[order] = np.clip(least, low, high - gaps[-1]) + gaps
    return result
