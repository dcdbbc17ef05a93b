"""Which share of prospects is won, and how soon: won and lost compete, and open prospects are censored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.statistics import bootstrap_weights, percentile_interval

Array = NDArray[np.float64]
_EVENTS = ("won", "lost", "open")
_FEW = 30  # prospects; the chances of fewer say nothing


@dataclass(frozen=True)
class Closing:
    """What becomes of prospects by the days since the firm first knew of them.

    Attributes
    ----------
    won, left : array
        By day from 0 on: the share won by then, and the share neither won nor lost; known up to the last day on which
        a prospect was followed.
    low, high : array
        Ends of the 95 % interval of `won`.
    drawn : array, shape (resamples, days)
        `won` of each resample of the weeks.
    sure : int
        The last day before which enough prospects were open to tell what becomes of them later.
    """

    won: Array
    left: Array
    low: Array
    high: Array
    drawn: Array
    sure: int = 0

    def by(self, days: int) -> tuple[float, float, float]:
        """Share won within so many days and its interval; not known where nobody was followed for so long."""
        if days >= len(self.won) and (not len(self.left) or self.left[-1] > 0):
            return np.nan, np.nan, np.nan
        place = min(days, len(self.won) - 1)
        return float(self.won[place]), float(self.low[place]), float(self.high[place])

    @property
    def median_days(self) -> float:
        """Days after which half of those who are ever won are won; nan where nobody is."""
        return float(_median(self.won[None])[0]) if len(self.won) and self.won[-1] > 0 else np.nan

    def columns(self, days: int) -> dict[str, float]:
        """The columns `close_rate` within so many days, with its interval, and `median_days`."""
        names = ("close_rate", "close_rate_low", "close_rate_high")
        return dict(zip(names, self.by(days), strict=True)) | {"median_days": self.median_days}

    def apart(self, other: Closing, days: int | None = None) -> tuple[float, float]:
        """Ends of the interval of the share won within so many days less another's; of the median days without any."""
        drawn = [closes.drawn for closes in (self, other)]
        mine, theirs = (
            _median(won) if days is None else won[:, min(days, won.shape[1] - 1)] for won in drawn
        )
        low, high = percentile_interval(mine - theirs)
        return float(low), float(high)

    def still(self, days: Any) -> Array:
        """The chance of prospects who have been open for so many days to be won yet."""
        if not len(self.won):
            return np.full(len(days), np.nan)
        place = np.minimum(np.asarray(days, dtype=int), self.sure)
        left = self.left[place]
        return np.where(left > 0, (self.won[-1] - self.won[place]) / np.where(left > 0, left, 1.0), 0.0)


def closing(counts: pd.DataFrame, *, resamples: int = 200) -> Closing:
    """What becomes of prospects, from their counts.

    Parameters
    ----------
    counts : DataFrame
        `leads` (how many) by `event` ("won", "lost", "open"), `days` until it, and `month` and `week` in which they
        came. Prospects who were customers before (`days` below 0) are left out.
    resamples : int, default 200
        Of the weeks, whose prospects are drawn together: they are more alike than by chance.

    Notes
    -----
    Aalen & Johansen, Scandinavian Journal of Statistics 5, 1978.

    Examples
    --------
    >>> counts = pd.DataFrame({"event": ["won", "lost", "open", "won"], "days": [1, 2, 2, 4], "leads": 1,
    ...                        "month": "2024-01", "week": 0})
    >>> closing(counts, resamples=2).won.tolist()
    [0.0, 0.25, 0.25, 0.25, 0.75]
    """
    rows = counts[counts["days"] >= 0]
    if not rows["leads"].sum():
        nothing = np.array([], dtype=float)
        return Closing(nothing, nothing, nothing, nothing, np.full((resamples, 1), np.nan))
    days = rows["days"].to_numpy(dtype=int)
    week = pd.factorize(pd.MultiIndex.from_frame(rows[["month", "week"]]))[0]
    event = rows["event"].map(dict(zip(_EVENTS, range(3), strict=True))).to_numpy(dtype=int)
    shape = (week.max() + 1, 3, days.max() + 1)
    place = np.ravel_multi_index((week, event, days), shape)
    by_week = np.bincount(place, rows["leads"].to_numpy(dtype=float), int(np.prod(shape)))
    by_week = by_week.reshape(shape[0], -1)
    weights: Array = np.array([np.ones(shape[0]), *bootstrap_weights(shape[0], resamples, 0, poisson=True)])
    won, left = _shares(np.reshape(weights @ by_week, (-1, *shape[1:])))
    low, high = percentile_interval(won[1:]) if shape[0] > 1 else np.full((2, shape[2]), np.nan)
    there = rows["leads"].sum() - np.bincount(days, rows["leads"]).cumsum()
    drawn = won[1:] if shape[0] > 1 else np.full((resamples, 1), np.nan)
    return Closing(won[0], left[0], low, high, drawn, max(int((there >= _FEW).sum()) - 1, 0))


def _median(won: Array) -> Array:
    """Of each curve, the day on which half of those who are ever won are won."""
    with np.errstate(invalid="ignore"):
        return np.where(won[:, -1] > 0, np.argmax(won >= won[:, -1:] / 2, axis=1), np.nan)


def _shares(counts: Array) -> tuple[Array, Array]:
    """Shares won and left by each day, of counts by resample, event and day."""
    ended = counts.sum(axis=1)
    there = ended[:, ::-1].cumsum(axis=1)[:, ::-1]  # at risk on each day; the open leave after its events
    with np.errstate(invalid="ignore", divide="ignore"):
        hazard = np.where(there[:, None] > 0, counts[:, :2] / there[:, None], 0.0)
    left = np.cumprod(1 - hazard.sum(axis=1), axis=1)
    before = np.concatenate([np.ones((len(left), 1)), left[:, :-1]], axis=1)
    won = np.cumsum(before * hazard[:, 0], axis=1)
    won[ended.sum(axis=1) == 0] = np.nan
    return won, left
