"""Clocks that run at a customer's own pace: what has to happen happens when enough time has passed on them.

Purchases fall at fixed readings of a customer's clock. A season, a message or a quiet spell makes it run faster
or slower for a while, and so moves the purchases, or adds and removes some at the end, while the readings stay.
That is what makes a pair of worlds comparable customer by customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """For each customer, from when until when a clock runs `factor` times as fast; nan: never."""

    start: np.ndarray
    end: np.ndarray
    factor: np.ndarray

    def take(self, rows: np.ndarray) -> Window:
        """The windows of some customers."""
        return Window(self.start[rows], self.end[rows], self.factor[rows])


@dataclass(frozen=True)
class Curves:
    """Running totals at whole days of what customers share: seasons by market, or hazard by age."""

    totals: np.ndarray

    def at(self, curve: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Read a curve at a time, in days."""
        last = self.totals.shape[1] - 2
        whole = np.clip(np.floor(day), 0, last).astype(int)
        low = self.totals[curve, whole]
        return low + (self.totals[curve, whole + 1] - low) * (day - whole)

    def when(self, curve: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Find the time at which a curve reaches a total."""
        days = np.arange(self.totals.shape[1], dtype=float)
        found = np.empty(np.shape(total))
        for number in np.unique(curve):
            mine = curve == number
            found[mine] = np.interp(total[mine], self.totals[number], days)
        return found


class Clock:
    """One clock a customer: a shared curve, a pace of their own, and windows in which it is changed.

    Parameters
    ----------
    curves : Curves
        What is shared.
    curve : array of int, one a customer
        Which of them.
    start, end : array, one a customer
        When the clock starts and stops, in days of the curve.
    pace : array, one a customer
        How fast it runs.
    windows : sequence of Window
        Changes of pace, multiplied where they overlap.
    """

    def __init__(
        self,
        curves: Curves,
        curve: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
        pace: np.ndarray,
        windows: Sequence[Window] = (),
    ) -> None:
        self.curves, self.curve, self.pace = curves, curve, pace
        edges = [np.nan_to_num(edge, nan=-1.0) for window in windows for edge in window[:2]]
        between = np.clip(np.stack([start, end, *edges], axis=1), start[:, None], end[:, None])
        self.breaks = np.sort(between, axis=1)
        middle = (self.breaks[:, 1:] + self.breaks[:, :-1]) / 2
        factor = np.ones_like(middle)
        for window in windows:
            inside = (window.start[:, None] <= middle) & (middle < window.end[:, None])
            factor = np.where(inside, factor * window.factor[:, None], factor)
        self.factor = factor * pace[:, None]
        self.at_breaks = curves.at(curve[:, None], self.breaks)
        steps = self.factor * np.diff(self.at_breaks, axis=1)
        self.readings = np.concatenate([np.zeros((len(start), 1)), np.cumsum(steps, axis=1)], axis=1)

    @property
    def last(self) -> np.ndarray:
        """What each clock shows when it stops."""
        return self.readings[:, -1]

    def read(self, rows: np.ndarray, day: np.ndarray) -> np.ndarray:
        """What the clocks of these customers show at these times."""
        day = np.clip(day, self.breaks[rows, 0], self.breaks[rows, -1])
        piece = np.clip((self.breaks[rows] <= day[:, None]).sum(axis=1) - 1, 0, self.factor.shape[1] - 1)
        passed = self.curves.at(self.curve[rows], day) - self.at_breaks[rows, piece]
        return self.readings[rows, piece] + self.factor[rows, piece] * passed

    def when(self, rows: np.ndarray, reading: np.ndarray) -> np.ndarray:
        """When the clocks of these customers show these readings; infinite where they stop before."""
        piece = np.clip((self.readings[rows] < reading[:, None]).sum(axis=1) - 1, 0, self.factor.shape[1] - 1)
        left = (reading - self.readings[rows, piece]) / np.maximum(self.factor[rows, piece], 1e-300)
        day = self.curves.when(self.curve[rows], self.at_breaks[rows, piece] + left)
        day = np.clip(day, self.breaks[rows, piece], self.breaks[rows, piece + 1])
        return np.where(reading <= self.last[rows], day, np.inf)
