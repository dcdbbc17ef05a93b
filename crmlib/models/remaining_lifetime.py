"""The remaining lifetime of contracts, and the revenue that depends on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.errors import CrmError
from crmlib.models._histories import numbers, refuse_values
from crmlib.models._inference import Array
from crmlib.models.cox import CoxModel
from crmlib.models.survival_curves import read_spells, survival_curves

PRICE = "price_per_month"
FEWEST_AT_RISK = 20  # contracts behind a tenure, below which its survival is not taken for known
TAIL = 0.25  # share of the known tenures whose mean rate of leaving goes on beyond them
CHUNK = 4_000_000  # cells of contracts by tenures that are worked on at once


def remaining_lifetime(
    spells: pd.DataFrame,
    *,
    horizon: float,
    by: str | None = None,
    cox: CoxModel | None = None,
) -> pd.DataFrame:
    """How many of the months to come will each running contract last, and what is at risk?

    Parameters
    ----------
    spells : DataFrame
        One row per contract, as for `survival_curves`; optionally `price_per_month`, the money due.
    horizon : float
        How far to look, in the tenure's unit (months by default).
    by : str, optional
        Customers of one group share a survival curve (Kaplan–Meier); by default all do.
    cox : CoxModel, optional
        Each contract's curve by its features instead.

    Returns
    -------
    DataFrame
        Aligned with `spells`; 0 for contracts that have ended:

        p_stays : probability that the contract outlasts the horizon, given that it has lasted so far
        expected_months : of the horizon that it will be there
        months_at_risk : the rest of the horizon
        revenue_at_risk : price × months_at_risk, in money, not discounted; where prices are known
        extrapolated : share of the expected months that lie beyond the tenures seen

    Raises
    ------
    CrmError
        If the horizon is not positive, or both `by` and `cox` are given.

    Notes
    -----
    The area under the survival curve from the contract's tenure on, over its survival so far. Beyond the
    longest tenure that 20 contracts reached, contracts are taken to leave at the mean rate of its last
    quarter: `extrapolated` says how much of the answer is that. Month by month, not by renewal dates: a
    contract bound for a year leaves at its end.

    Examples
    --------
    >>> spells = pd.DataFrame({"tenure_months": [*range(1, 101)] * 2, "ended": [True] * 100 + [False] * 100})
    >>> found = remaining_lifetime(spells, horizon=12)
    >>> found.loc[[109, 149], ["p_stays", "expected_months"]].round(2)
         p_stays  expected_months
    109     0.93            11.63
    149     0.87            11.32
    """
    if not 0 < horizon < np.inf:
        raise CrmError(f"horizon is {horizon!r}; give a number of months above 0, such as 12")
    if by is not None and cox is not None:
        raise CrmError(
            "by and cox are both given; a Cox model has groups of its own: name them as its strata"
        )
    known = read_spells(spells, by=by)
    if cox is not None and cox.strata:
        known["group"] = spells[list(cox.strata)].astype(str).agg(" / ".join, axis=1)
    known["relative"] = 1.0 if cox is None else cox.relative_hazard(spells)
    curves = survival_curves(spells, by=by)
    hazards = {
        name: _extended(steps, height, known.loc[known["group"] == name, "tenure"], horizon)
        for name, (steps, height) in (_of_groups(curves) if cox is None else cox.baselines()).items()
    }
    found = pd.DataFrame(0.0, index=spells.index, columns=["p_stays", "expected_months", "extrapolated"])
    running = ~known["ended"]
    for name, rows in known[running].groupby("group", sort=False):
        found.loc[rows.index, :] = _within(hazards[name], rows, horizon)
    found.insert(2, "months_at_risk", np.where(running, horizon - found["expected_months"], 0.0))
    if PRICE in spells.columns:
        money = numbers(spells, PRICE)
        refuse_values(spells, PRICE, money, None)
        found.insert(3, "revenue_at_risk", found["months_at_risk"] * money)
    return found


@dataclass(frozen=True)
class _Hazard:
    """A cumulative hazard that rises by steps and, beyond what is known, steadily."""

    steps: Array
    height: Array
    known_to: float
    tail_rate: float


def _of_groups(curves: pd.DataFrame) -> dict[str, tuple[Array, Array]]:
    with np.errstate(divide="ignore"):  # a curve that ends at 0 is cut before it does
        curves = curves.assign(height=-np.log(curves["survival"]))
    return {
        str(name): (curve["tenure"].to_numpy(), curve["height"].to_numpy())
        for name, curve in curves.groupby("group")
    }


def _extended(steps: Array, height: Array, tenures: pd.Series, horizon: float) -> _Hazard:
    """Cut where too few were left to tell, and the rate at which it goes on."""
    ordered = np.sort(tenures.to_numpy())
    enough = ordered[max(len(ordered) - FEWEST_AT_RISK, 0)]
    known = (steps <= enough) & np.isfinite(height)
    steps, height = np.append(0.0, steps[known]), np.append(0.0, height[known])
    start = (1 - TAIL) * steps[-1]
    risen = height[-1] - height[np.searchsorted(steps, start, side="right") - 1]
    rate = risen / (steps[-1] - start) if steps[-1] > 0 else 0.0
    return _Hazard(steps, height, float(steps[-1]), float(rate))


def _within(hazard: _Hazard, rows: pd.DataFrame, horizon: float) -> Array:
    """p_stays, expected months and the share of them that is extrapolated, for the contracts of one group."""
    pairs, place = np.unique(rows[["tenure", "relative"]].to_numpy(float), axis=0, return_inverse=True)
    size = max(CHUNK // (len(hazard.steps) + 1), 1)
    parts = [_answers(hazard, part, horizon) for part in np.split(pairs, range(size, len(pairs), size))]
    return np.concatenate(parts)[place.ravel()]


def _answers(hazard: _Hazard, pairs: Array, horizon: float) -> Array:
    now, relative = pairs[:, :1], pairs[:, 1:]
    end = now + horizon
    base = _height(hazard, now)
    # between two steps the curve is flat: its area there is what of the span lies in (now, end)
    edges = np.append(hazard.steps, hazard.known_to)
    overlap = np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], now), 0.0, None)
    lives = np.exp(-relative * np.maximum(hazard.height - base, 0.0))
    seen = np.sum(overlap * lives, axis=1)
    # beyond what is known: an exponential decline from the later of now and the last known tenure
    first = np.maximum(now, hazard.known_to)
    length = np.maximum(end - first, 0.0)
    rate = relative * hazard.tail_rate
    start = np.exp(-relative * (_height(hazard, first) - base))
    mean = np.where(rate > 0, -np.expm1(-rate * length) / np.where(rate > 0, rate, 1.0), length)
    beyond = np.sum(start * mean, axis=1)
    stays = np.exp(-relative * (_height(hazard, end) - base))[:, 0]
    expected = seen + beyond
    return np.stack([stays, expected, beyond / np.where(expected > 0, expected, 1.0)], axis=1)


def _height(hazard: _Hazard, at: Array) -> Array:
    place = np.searchsorted(hazard.steps, at, side="right") - 1
    return hazard.height[np.maximum(place, 0)] + hazard.tail_rate * np.maximum(at - hazard.known_to, 0.0)
