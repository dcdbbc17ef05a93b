"""The chart of a customer's life: one table of states and moves, drawn as a cycle or as a vault."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path

from crmlib import format as fmt
from crmlib.charts.layout import finish, no_data, of_each, on_two_lines, sheet, title_of
from crmlib.charts.style import BLUE, GRID, INK, ORANGE, SOFT, Chart, house_style

_COLOURS = {"next hop": BLUE, "lost": ORANGE, "other": SOFT}
_MOST_WAYS = 16  # arrows that can be read on a telephone
_PLACES = np.linspace(0.2, 0.8, 13)  # along an arrow, where its number may stand
_WIDTH, _HEIGHT, _ACROSS, _UP = 4.76, 5.15, 1.2, 2.13  # of the drawing and half the oval, inches
_HEAD, _APART = 3.0, 0.36  # of an arrow, points; of two numbers, inches
_MIDDLE: dict[str, Any] = {"size": 9.5, "ha": "center", "va": "center"}
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85}


@house_style()
def life_cycle(
    frame: pd.DataFrame, finding: str | None = None, *, drawing: str = "cycle", ax: Axes | None = None
) -> Chart:
    """Draw the states of customers and the moves between them, with the number of people on each.

    Parameters
    ----------
    frame : DataFrame
        A row for each move: `state`, `next_state`, `people` in the state today, `moved` per month, `way` ("next hop",
        "lost" or "other"); the states in the order of life.
    finding : str, optional
        The title; by default that which the analysis left on the frame.
    drawing : {"cycle", "vault"}
        Arrows that follow the round of life, or straight lines across the inner area; the numbers are the same.
    ax : matplotlib Axes, optional
        Where to draw; by default on a sheet of its own.

    Examples
    --------
    >>> frame = pd.DataFrame({"state": ["unstable", "stable"], "next_state": ["stable", "unstable"], "people": [9, 4],
    ...                       "moved": [2.0, 1.0], "way": ["next hop", "other"]})
    >>> print(life_cycle(frame, "Two become stable a month", drawing="vault").alt)
    Two become stable a month. States of customers as a vault. unstable: 9 people, a month 2 to stable; stable: 4
    people, a month 1 to unstable.
    """
    names = (
        [*dict.fromkeys(frame["state"]), *sorted({*frame["next_state"]} - {*frame["state"]})]
        if len(frame)
        else []
    )
    ways = frame[(frame["state"] != frame["next_state"]) & (frame["moved"] > 0)] if len(frame) else frame
    if len(names) < 2 or ways.empty:
        return no_data("No move between states to draw", ax)
    people = frame.drop_duplicates("state").set_index("state")["people"]
    axes = sheet(_HEIGHT, ax)
    axes.set(xlim=(-_WIDTH / 2, _WIDTH / 2), ylim=(-_HEIGHT / 2, _HEIGHT / 2), xticks=[], yticks=[])
    axes.spines["bottom"].set_visible(False)
    axes.plot(*_round(200).T, color=GRID, linewidth=7, zorder=1, solid_joinstyle="round")
    place = dict(zip(names, _round(len(names)), strict=True))
    shown = ways.nlargest(_MOST_WAYS, "moved").sort_values("moved")
    written, widest = [*place.values()], float(shown["moved"].max())
    for row in shown.itertuples():
        ends = names.index(row.state), names.index(row.next_state)
        colour, course = _COLOURS.get(row.way, SOFT), _course(*ends, len(names), drawing)
        kind = f"-|>,head_width={_HEAD},head_length={1.6 * _HEAD}"
        arrow = FancyArrowPatch(
            path=course, arrowstyle=kind, color=colour, zorder=2, joinstyle="miter", capstyle="butt"
        )
        arrow.set_linewidth(0.8 + 2.0 * float(np.sqrt(row.moved / widest)))
        axes.add_patch(arrow)
        spots = np.array([_along(course, part) for part in _PLACES])
        far = np.min(np.linalg.norm(spots[:, None] - np.array(written)[None], axis=2), axis=1)
        spot = spots[int(np.argmax(np.minimum(far, _APART) - 0.2 * np.abs(_PLACES - 0.45)))]
        written.append(spot)
        axes.text(spot[0], spot[1], fmt.number(row.moved), color=colour, bbox=_PAPER, zorder=4, **_MIDDLE)
    for name, (x, y) in place.items():
        axes.plot(x, y, "o", color=INK, markersize=7, zorder=5, clip_on=False)
        side = 0 if abs(x) < 0.45 else np.sign(x)
        beside = (x + 0.13 * side, y if side else y + 0.3 * np.sign(y))
        text = f"{on_two_lines(name)}\n{fmt.count(people.get(name, 0))}"
        put = _MIDDLE | {"ha": ("right", "center", "left")[int(side) + 1]}
        axes.text(beside[0], beside[1], text, color=INK, linespacing=1.1, zorder=6, **put)
    listed = [_in_words(name, int(people.get(name, 0)), shown) for name in names]
    alt = f"States of customers as a {drawing}. {of_each(names, listed)}."
    unit = "People today, and how many move within a month (arrows)"
    unit += f"; the {_MOST_WAYS} busiest ways" if len(ways) > _MOST_WAYS else ""
    return finish(axes, title_of(frame, finding), alt, unit=unit)


def _round(names: int) -> Any:
    """Places on an oval in the order of the clock, the same way apart; inches from the middle."""
    fine = np.linspace(0, 2 * np.pi, 2001)
    oval = np.column_stack([_ACROSS * np.sin(fine), _UP * np.cos(fine)])
    way = np.concatenate([[0.0], np.linalg.norm(np.diff(oval, axis=0), axis=1).cumsum()])
    steps = way[-1] * np.arange(names) / names
    return np.column_stack([np.interp(steps, way, oval[:, axis]) for axis in (0, 1)])


def _course(first: int, last: int, names: int, drawing: str) -> Path:
    """The way of an arrow from dot to dot: straight, or bent with the round; forth and back beside each other."""
    points = _round(2 * names)
    start, end = points[2 * first], points[2 * last]
    along = (end - start) / np.hypot(*(end - start))
    shift = 0.045 * np.array([-along[1], along[0]])
    begin, stop = start + 0.1 * along + shift, end - 0.1 * along + shift
    if drawing == "vault":
        return Path([begin, stop], [Path.MOVETO, Path.LINETO])
    middle, steps = (begin + stop) / 2, (last - first) % names
    out = middle / max(float(np.hypot(*middle)), 0.5)
    if steps in (1, names - 1) and names > 2:  # neighbours go along the round
        bend = 2 * points[(2 * first + (1 if steps == 1 else -1)) % (2 * names)] - middle + 4 * shift
    else:  # longer ways bend inwards, away from the states that they pass
        bend = middle - min(0.22 * float(np.hypot(*(end - start))), 0.5) * out
    return Path([begin, bend, stop], [Path.MOVETO, Path.CURVE3, Path.CURVE3])


def _along(course: Path, part: float) -> Any:
    """A point of the way of an arrow."""
    points = np.asarray(course.vertices)
    if len(points) == 2:
        return (1 - part) * points[0] + part * points[1]
    first, bend, last = points
    return (1 - part) ** 2 * first + 2 * part * (1 - part) * bend + part**2 * last


def _in_words(name: str, people: int, ways: pd.DataFrame) -> str:
    rows = ways[ways["state"] == name].sort_values("moved", ascending=False)
    to = [f"{fmt.number(row.moved)} to {row.next_state}" for row in rows.itertuples()]
    return fmt.plural(people, "person", "people") + (f", a month {fmt.listing(to)}" if to else "")
