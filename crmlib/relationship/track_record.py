"""How right earlier forecasts were: scored once, against what happened and against the naive forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import BETTER, UNDECIDED, WORSE
from crmlib.no_rows import no_rows
from crmlib.relationship.forecasts import COLUMNS as FORECAST
from crmlib.relationship.forecasts import LEVEL, actual
from crmlib.statistics import wilson_interval

WAIT_DAYS = 30  # after the end of a target, until what comes late is known
ENOUGH = 20.0  # evidence from which on a comparison is decided: wrong in at most 1 of 20 worlds, at any look
_BETS = np.arange(0.05, 1.0, 0.05)
_COST = -np.log1p(-_BETS) - _BETS
KEYS = ["origin", "horizon", "measure", "customers"]
SCORED = [*FORECAST, "actual", "scored_on"]
COUNTED = [*SCORED, "restated", "inside", "counted"]


def evidence(gains: np.ndarray) -> np.ndarray:
    """How strong is the evidence, after each look, that one forecast is better than another on average?

    Parameters
    ----------
    gains : ndarray
        Loss of the other less loss of the one, of forecasts in their order, each between -1 and 1. A forecast is made
        when the target of the one before it is over.

    Returns
    -------
    ndarray
        An e-process for "on average over the looks so far, the one is expected to be no better": whatever that world
        is like, and however often one looks, it reaches 20 in at most one of 20 such worlds (Ville's inequality).

    Notes
    -----
    The mean over bets b of exp(b · sum of gains - (-log(1 - b) - b) · sum of their squares). By Fan's inequality each
    is below a martingale plus what the averages say (Choe & Ramdas, Operations Research 72(4), 2024, for the weak null;
    Henzi & Ziegel, Biometrika 109(3), 2022, whose correction says why targets must not overlap). No spread or
    distribution is assumed.

    Examples
    --------
    >>> evidence(np.full(12, 0.5)).round(1)[[0, 5, 11]].tolist()
    [1.2, 2.6, 7.6]
    """
    gains = np.asarray(gains, dtype=float)
    assert (np.abs(gains) <= 1).all(), "a gain is not between -1 and 1"
    sums, squares = gains.cumsum()[:, None], np.square(gains).cumsum()[:, None]
    return np.exp(_BETS * sums - _COST * squares).mean(axis=1)


def scores(
    locked: pd.DataFrame, months: pd.DataFrame, *, as_of: Any, known: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Score the forecasts whose target ended 30 days ago or more, and that no run has scored.

    Parameters
    ----------
    locked : DataFrame
        Forecasts of earlier runs, as of `next_forecasts`.
    months : DataFrame
        As of `monthly_sums`: what is known of every month by `as_of`.
    as_of : date
    known : DataFrame, optional
        Scores of earlier runs, as this returns them.

    Returns
    -------
    DataFrame
        The forecasts with `actual` and `scored_on` (`as_of`).
    """
    if not len(locked):
        return no_rows(SCORED, "no forecast of an earlier run is kept")
    day = pd.Timestamp(as_of)
    done = set() if known is None else set(known[KEYS].itertuples(index=False, name=None))
    over = locked["target_end"] + pd.Timedelta(WAIT_DAYS, "D") <= day
    again = np.array([key in done for key in locked[KEYS].itertuples(index=False, name=None)], dtype=bool)
    rows = locked[over.to_numpy() & ~again]
    if rows.empty:
        return no_rows(SCORED, "no forecast has a target that ended 30 days ago and is not scored yet")
    return rows.assign(actual=_actuals(rows, months), scored_on=day)[SCORED].reset_index(drop=True)


def _actuals(rows: pd.DataFrame, months: pd.DataFrame) -> list[float]:
    asked = rows[["target", "target_end", "measure", "customers"]].itertuples(index=False, name=None)
    return [actual(months, *target) for target in asked]


def track_record(scored: pd.DataFrame, months: pd.DataFrame) -> pd.DataFrame:
    """All scored forecasts, with what their targets are restated to by now, and which of them count.

    Parameters
    ----------
    scored : DataFrame
        As of `scores`, of all runs.
    months : DataFrame
        As of `monthly_sums`.

    Returns
    -------
    DataFrame
        The scores with `restated` (the actual as known now), `inside` (whether it was within the band; None where
        there was none) and `counted`: of each target the first forecast counts, and only one that was made when the
        target counted before it was over, so that no two of them wait for the same days.
    """
    if not len(scored):
        return no_rows(COUNTED, "no forecast has been scored yet")
    rows = scored.sort_values(["target", "origin", *KEYS[1:]]).reset_index(drop=True)
    inside = rows["actual"].between(rows["low"] - 1e-9, rows["high"] + 1e-9).astype(object)
    rows = rows.assign(restated=_actuals(rows, months), inside=inside.where(rows["low"].notna(), None))
    return rows.assign(counted=first_and_apart(rows, ["horizon", "measure", "customers"]))[COUNTED]


def first_and_apart(rows: pd.DataFrame, kind: list[str]) -> pd.Series:
    """Which scores count, of those of one kind: the first of a target, and none that waits for days another has."""
    counted = pd.Series(False, rows.index)
    for _key, mine in rows.sort_values(["target", "origin"]).groupby(kind, sort=False):
        over = pd.Timestamp.min
        for place, row in mine.iterrows():
            if row["origin"] >= over:
                counted[place], over = True, row["target_end"]
    return counted


@dataclass(frozen=True)
class Record:
    """What a track record says of one kind of forecast.

    Attributes
    ----------
    horizon : str
        "month" or "quarter".
    forecasts, inside : int
        Counted, with a band; and within it.
    error, naive_error : float
        Median absolute error, a share of what happened.
    evidence, against : float
        That it is better than the naive forecast on average, the largest at any look; and that it is worse.
    """

    horizon: str
    forecasts: int
    inside: int
    error: float
    naive_error: float
    evidence: float
    against: float

    @property
    def verdict(self) -> str:
        """Better, worse or undecided; what was decided first stays."""
        return decided(self.evidence, self.against)

    @property
    def sentence(self) -> str:
        """The line of page one."""
        if not self.forecasts:
            return ""
        named = f"forecast of the next {self.horizon}'s revenue"
        low, high = wilson_interval(self.inside, self.forecasts)
        share = fmt.interval(float(low), float(high), "share")
        verdicts = {
            BETTER: "They beat the naive forecast, last year's month by the recent trend",
            WORSE: "The naive forecast, last year's month by the recent trend, beats them",
            UNDECIDED: "Whether they beat the naive forecast, last year's month by the recent trend, is undecided",
        }
        return (
            f"Of {fmt.plural(self.forecasts, f'earlier {named}', f'earlier {named}'.replace('forecast', 'forecasts'))} "
            f"{fmt.count(self.inside)} lay within the {fmt.share(LEVEL)} band ({share}); the usual error is "
            f"{fmt.share(self.error)}, of the naive forecast {fmt.share(self.naive_error)}. {verdicts[self.verdict]} "
            f"(evidence {fmt.number(max(self.evidence, self.against))}, {fmt.number(ENOUGH)} decides)."
        )


def both_ways(gains: np.ndarray) -> tuple[float, ...]:
    """The largest evidence at any look that the forecasts are better, and that they are worse."""
    return tuple(float(evidence(sign * gains).max(initial=1.0)) for sign in (1, -1))


def decided(better: float, worse: float) -> str:
    """What the evidence of `both_ways` says: what was decided first stays."""
    if max(better, worse) < ENOUGH:
        return UNDECIDED
    return BETTER if better >= worse else WORSE


def record_of(record: pd.DataFrame, horizon: str = "month") -> Record:
    """Sum up the track record of the revenue of all customers; see `track_record`."""
    if not len(record):
        return Record(horizon, 0, 0, np.nan, np.nan, 1.0, 1.0)
    rows = record[(record["horizon"] == horizon) & (record["measure"] == "revenue")]
    rows = rows[rows["counted"] & (rows["customers"] == "all")].sort_values("target")
    if rows.empty:
        return Record(horizon, 0, 0, np.nan, np.nan, 1.0, 1.0)
    gains = gains_of(rows)
    banded = rows["inside"].notna()
    size = rows["actual"].abs().where(rows["actual"] != 0)
    return Record(
        horizon,
        int(banded.sum()),
        int(rows.loc[banded, "inside"].astype(bool).sum()),
        *(float(((rows[name] - rows["actual"]).abs() / size).median()) for name in ("forecast", "naive")),
        *both_ways(gains),
    )


def gains_of(rows: pd.DataFrame) -> np.ndarray:
    """Loss of the naive forecast less that of the forecast, as shares of the cap that the first forecast has fixed."""
    cap = float(rows["cap"].iloc[0])
    if not cap > 0:
        return np.zeros(len(rows))
    lost = [(rows[name] - rows["actual"]).abs().clip(upper=cap) / cap for name in ("naive", "forecast")]
    return (lost[0] - lost[1]).to_numpy(dtype=float)
