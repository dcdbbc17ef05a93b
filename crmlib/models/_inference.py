"""Maximum likelihood in log parameters: where a log-likelihood is highest, and how sharply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LogLikelihood = Callable[[Array], tuple[float, Array]]

REACH = np.log(1e4)  # a parameter may move this far, in logs, from the first start: there is the boundary
STEP = 1e-4  # of the differences that turn the gradient into the Hessian
GRADIENT_TOLERANCE = 1e-6  # per customer: a maximum whose gradient is larger has not converged
NEAR = 1e-12  # log-likelihood per customer still to be gained from where Newton steps finish
FLAT = 1e-6  # the same, where a parameter may be on its way to a boundary
NEWTON_STEPS = 8
# In log-likelihood: where a sample's end is further below the best, all customers do not end either.
CLOSE = 10.0
MOVES_ALONG = 0.1  # logs by which a parameter follows one that is moved by 1 beyond its boundary


@dataclass(frozen=True)
class _Start:
    """Where a search begins, and roughly the Hessian of the loss there, if it is known."""

    place: Array
    hessian: Array | None = None


@dataclass(frozen=True)
class Maximum:
    """A maximum of a log-likelihood, in log parameters."""

    log_params: Array
    loglik: float
    gradient_norm: float
    hessian: Array  # of the loss per customer
    covariance: Array  # of the log parameters; nan in the rows of those at a boundary or on a flat ridge
    at_boundary: NDArray[np.bool_]
    flat: tuple[tuple[int, ...], ...]  # groups of parameters along whose direction nothing changes
    moving: NDArray[np.bool_]  # those that would move on with a parameter at a boundary

    @property
    def converged(self) -> bool:
        """Whether the gradient is near 0 at the optimum."""
        return bool(self.gradient_norm < GRADIENT_TOLERANCE)


def maximise(
    loglik: LogLikelihood,
    starts: Sequence[Array],
    n_customers: float,
    *,
    basis: Array | None = None,
    sample: tuple[LogLikelihood, float] | None = None,
) -> Maximum:
    """Maximise a log-likelihood over log parameters from the first start, and from the others if that fails.

    Everything depends on differences of log parameters and of log-likelihoods alone, so that the path is the same in
    any unit of time if the starts are.

    - `loglik`: log parameters -> (log-likelihood, its gradient), both totals over the customers.
    - `starts`: log parameters to start from.
    - `n_customers`: total weight: the objective is the mean.
    - `basis`: rows are the sums of log parameters in which to search, such as log r and log r - log alpha: where r has
      no upper end, the rate r / alpha still has one value. By default the log parameters themselves.
    - `sample`: the log-likelihood of a sample of many customers, and its weight. The starts are tried on it; with all
      customers the search begins where it ends.
    """
    turn = np.eye(len(starts[0])) if basis is None else basis
    back: Array = np.linalg.inv(turn).astype(float)

    def turned(of: LogLikelihood) -> LogLikelihood:
        def of_turned(place: Array) -> tuple[float, Array]:
            value, gradient = of(back @ place)
            return value, back.T @ gradient

        return of_turned

    begin = [_Start(turn @ start) for start in starts]
    reach = REACH * np.abs(turn).sum(axis=1)
    bounds = np.stack([begin[0].place - reach, begin[0].place + reach], axis=1)
    if sample:
        begin = _ends_of_sample(turned(loglik), _climb_all(turned(sample[0]), begin, bounds, sample[1]))
    best = max(_climb_all(turned(loglik), begin, bounds, n_customers), key=lambda end: end.loglik)
    return _turned_back(best, back)


def _turned_back(best: Maximum, back: Array) -> Maximum:
    """A maximum in terms of the log parameters; what depends on an unknown parameter is unknown too."""
    made_of = back != 0
    unknown = made_of @ np.isnan(np.diag(best.covariance))
    covariance = back @ np.nan_to_num(best.covariance) @ back.T
    covariance[unknown] = covariance[:, unknown] = np.nan
    flat = tuple(
        tuple(int(row) for row in np.flatnonzero(made_of[:, group].any(axis=1))) for group in best.flat
    )
    moving = (made_of @ (best.at_boundary | best.moving)) & ~best.at_boundary
    log_params = back @ best.log_params
    return replace(best, log_params=log_params, covariance=covariance, flat=flat, moving=moving)


def _ends_of_sample(loglik: LogLikelihood, ends: Sequence[Maximum]) -> list[_Start]:
    """Where to begin with all customers: at the ends that are high for them too, each summit or ridge once."""
    different = {round(end.loglik, 3): end for end in ends}.values()
    by_height = {loglik(end.log_params)[0]: end for end in different}
    high = sorted((height for height in by_height if height > max(by_height) - CLOSE), reverse=True)
    return [_Start(by_height[height].log_params, by_height[height].hessian) for height in high]


def _climb_all(
    loglik: LogLikelihood, starts: Sequence[_Start], bounds: Array, n_customers: float
) -> list[Maximum]:
    """Climb from the first start, and from the others too if that does not end well within the bounds."""
    ends: list[Maximum] = []
    for start in starts:
        ends.append(_climb(loglik, start, bounds, n_customers))
        if ends[-1].converged and not ends[-1].at_boundary.any():
            break
    return ends


def _climb(loglik: LogLikelihood, start: _Start, bounds: Array, n_customers: float) -> Maximum:
    offset = loglik(start.place)[0]

    def loss(theta: Array) -> tuple[float, Array]:
        value, gradient = loglik(theta)
        if not (np.isfinite(value) and np.all(np.isfinite(gradient))):
            return np.inf, np.zeros_like(theta)
        return (offset - value) / n_customers, -gradient / n_customers

    for search in (_descend, _search_in_bounds):
        found = search(loss, start, bounds)
        if found is None:
            continue
        at_boundary = np.min(np.abs(found[:, None] - bounds), axis=1) < 1e-3
        theta, hessian = _polish(loss, found, ~at_boundary, bounds)
        norm = float(np.max(np.abs(loss(theta)[1][~at_boundary]), initial=0.0))
        if norm < GRADIENT_TOLERANCE:
            break
    covariance, flat = _covariance(hessian * n_customers, ~at_boundary)
    moving = _moving(hessian, at_boundary)
    return Maximum(theta, float(loglik(theta)[0]), norm, hessian, covariance, at_boundary, flat, moving)


def _search_in_bounds(loss: LogLikelihood, start: _Start, bounds: Array) -> Array:
    # Not at the top of the module: most fits do without, and it doubles the time of the first import.
    from scipy.optimize import minimize

    options = {"gtol": 1e-7, "ftol": 1e-15, "maxiter": 1000, "maxfun": 4000}
    return minimize(loss, start.place, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x


def _descend(loss: LogLikelihood, start: _Start, bounds: Array) -> Array | None:
    """Quasi-Newton steps (BFGS) within the bounds, or None where that is not the easy way down."""
    theta, (value, gradient) = start.place, loss(start.place)
    values, vectors = np.linalg.eigh(_hessian(loss, theta) if start.hessian is None else start.hessian)
    hessian = (vectors * np.maximum(np.abs(values), 1e-3 * np.abs(values).max())) @ vectors.T
    leaps = 0
    for _ in range(80):
        free = ~_pressed(theta, gradient, bounds)
        step = np.zeros_like(theta)
        step[free] = -np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        gain = -(step @ gradient)
        if gain < NEAR:
            return theta
        step /= max(1.0, float(np.max(np.abs(step))))
        room = np.where(step > 0, bounds[:, 1] - theta, bounds[:, 0] - theta)[step != 0]
        to_bound = float(np.min(room / step[step != 0]))  # whole, for along a ridge parameters move together
        # A slope that fades out: is there an end to it?
        if gain < FLAT and np.max(np.abs(step)) > 0.1 and leaps < 2:
            leaps += 1
            trial = np.clip(theta + to_bound * step, bounds[:, 0], bounds[:, 1])
            trial_value, trial_gradient = loss(trial)
            if trial_value < value:
                theta, value, gradient = trial, trial_value, trial_gradient
                continue
        step *= min(1.0, to_bound)
        for share in (1.0, 0.3, 0.1, 0.01):
            trial = np.clip(theta + share * step, bounds[:, 0], bounds[:, 1])
            trial_value, trial_gradient = loss(trial)
            if trial_value < value - 1e-4 * share * gain:
                break
        else:
            return None
        moved, change = trial - theta, trial_gradient - gradient
        if moved @ change > 0:
            pulled = hessian @ moved
            hessian = hessian + np.outer(change, change) / (moved @ change)
            hessian -= np.outer(pulled, pulled) / (moved @ pulled)
        theta, value, gradient = trial, trial_value, trial_gradient
    return None


def _pressed(theta: Array, slope: Array, bounds: Array) -> NDArray[np.bool_]:
    """Which parameters are at a bound, with a loss that would fall further beyond it."""
    at_low, at_high = np.abs(theta - bounds.T) < 1e-3
    return (at_low & (slope >= 0)) | (at_high & (slope <= 0))


def _polish(loss: LogLikelihood, theta: Array, free: NDArray[np.bool_], bounds: Array) -> tuple[Array, Array]:
    """Newton steps from where the quasi-Newton method stopped: ridges need them to be precise."""
    hessian, seen_at, gradient = _hessian(loss, theta), theta, loss(theta)[1]
    for _ in range(NEWTON_STEPS):
        values, vectors = np.linalg.eigh(hessian[np.ix_(free, free)])
        curved = vectors[:, values > 1e-14]  # along the others nothing changes
        if not curved.size:
            break
        step = np.zeros_like(theta)
        step[free] = -curved @ ((curved.T @ gradient[free]) / values[values > 1e-14])
        trial = np.clip(theta + np.clip(step, -0.5, 0.5), bounds[:, 0], bounds[:, 1])
        trial_gradient = loss(trial)[1]
        if np.max(np.abs(trial_gradient[free])) >= np.max(np.abs(gradient[free])):
            break
        moved = float(np.max(np.abs(trial - theta)))
        theta, gradient = trial, trial_gradient
        if moved < 1e-10:
            break
        if np.max(np.abs(theta - seen_at)) > 1e-5:
            hessian, seen_at = _hessian(loss, theta), theta
    return theta, hessian


def _hessian(loss: LogLikelihood, theta: Array) -> Array:
    steps = STEP * np.eye(len(theta))
    rows = [(loss(theta + step)[1] - loss(theta - step)[1]) / (2 * STEP) for step in steps]
    return (np.array(rows) + np.array(rows).T) / 2


def _moving(hessian: Array, at_boundary: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Free parameters tied to one at a boundary, so that their standard errors with it held mean nothing."""
    free, moving = np.flatnonzero(~at_boundary), np.zeros(len(hessian), dtype=bool)
    if at_boundary.any() and len(free):
        follow = np.linalg.pinv(hessian[np.ix_(free, free)]) @ hessian[np.ix_(free, at_boundary)]
        moving[free] = (np.abs(follow) > MOVES_ALONG).any(axis=1)
    return moving


def _covariance(information: Array, free: NDArray[np.bool_]) -> tuple[Array, tuple[tuple[int, ...], ...]]:
    """Invert the information of the free parameters, leaving out those that lie on a flat direction."""
    size = len(information)
    covariance = np.full((size, size), np.nan)
    where = np.flatnonzero(free)
    flat: list[tuple[int, ...]] = []
    while len(where):
        values, vectors = np.linalg.eigh(information[np.ix_(where, where)])
        if values[0] > 1e-4:  # a standard error below 100, in logs
            covariance[np.ix_(where, where)] = np.linalg.inv(information[np.ix_(where, where)])
            break
        share = np.abs(vectors[:, 0])
        group = where[share > 0.1]
        flat.append(tuple(int(subgroup) for subgroup in group))
        where = where[share <= 0.1]
    return covariance, tuple(flat)
