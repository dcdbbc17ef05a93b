"""Maximum likelihood in log parameters, and what the data say about each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
LogLikelihood = Callable[[Array], tuple[float, Array]]

REACH = np.log(1e4)  # a parameter may move this far, in logs, from the first start: there is the boundary
STEP = 1e-4  # of the differences that turn the gradient into the Hessian
GRADIENT_TOLERANCE = 1e-6  # per customer: a maximum whose gradient is larger has not converged
NEAR = 1e-8  # log-likelihood per customer still to be gained from where Newton steps finish
NEWTON_STEPS = 8
MOVES_ALONG = 0.1  # logs by which a parameter follows one that is moved by 1 beyond its boundary


@dataclass(frozen=True)
class Finding:
    """One thing a reader of the parameters must know, and what to do about it."""

    parameters: tuple[str, ...]
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{', '.join(self.parameters)}: {self.what} {self.cure}"


@dataclass(frozen=True)
class Diagnosis:
    """Whether a fit converged, and what in it is weakly or not identified.

    Attributes
    ----------
    converged : bool
    gradient_norm : float
        Largest absolute element of the gradient of the log-likelihood per customer, in log parameters
        that are not at a boundary.
    findings : tuple of Finding
        Empty if there is no problem.
    without_interval : tuple of str
        Parameters at the boundary of the search, and those that move with one there: beyond it the data go on
        to fit as well, so their intervals are open to that side and no standard error is theirs.
    """

    converged: bool
    gradient_norm: float
    findings: tuple[Finding, ...] = field(default=())
    without_interval: tuple[str, ...] = ()

    def __str__(self) -> str:
        state = "converged" if self.converged else "NOT converged"
        lines = [
            f"{state} (gradient {self.gradient_norm:.1e})",
            *(f"- {finding}" for finding in self.findings),
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Maximum:
    """A maximum of a log-likelihood, in log parameters."""

    log_params: Array
    loglik: float
    gradient_norm: float
    covariance: Array  # of the log parameters; nan in the rows of those at a boundary or on a flat ridge
    at_boundary: NDArray[np.bool_]
    flat: tuple[tuple[int, ...], ...]  # groups of parameters along whose direction nothing changes
    moving: NDArray[np.bool_]  # those that would move on with a parameter at a boundary

    @property
    def converged(self) -> bool:
        return bool(self.gradient_norm < GRADIENT_TOLERANCE)


def maximise(loglik: LogLikelihood, starts: Sequence[Array], n_customers: float) -> Maximum:
    """Maximise a log-likelihood over log parameters from the first start, and from the others if that fails.

    Everything depends on differences of log parameters and of log-likelihoods alone, so that the path is the
    same in any unit of time if the starts are.

    Parameters
    ----------
    loglik : callable
        Log parameters -> (log-likelihood, its gradient), both totals over the customers.
    starts : sequence of arrays
        Log parameters to start from.
    n_customers : float
        Total weight: the objective is the mean.
    """
    bounds = np.stack([starts[0] - REACH, starts[0] + REACH], axis=1)
    best = _climb(loglik, starts[0], bounds, n_customers)
    for start in starts[1:]:
        if best.converged and not best.at_boundary.any():
            break
        other = _climb(loglik, start, bounds, n_customers)
        if other.loglik > best.loglik + 1e-6:
            best = other
    return best


def _climb(loglik: LogLikelihood, start: Array, bounds: Array, n_customers: float) -> Maximum:
    offset = loglik(start)[0]

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
    return Maximum(theta, float(loglik(theta)[0]), norm, covariance, at_boundary, flat, moving)


def _search_in_bounds(loss: LogLikelihood, start: Array, bounds: Array) -> Array:
    # Not at the top of the module: most fits do without, and it doubles the time of the first import.
    from scipy.optimize import minimize

    options = {"gtol": 1e-7, "ftol": 1e-15, "maxiter": 1000, "maxfun": 4000}
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x


def _descend(loss: LogLikelihood, start: Array, bounds: Array) -> Array | None:
    """A few quasi-Newton steps (BFGS) from a true Hessian, or None where that is not the easy way down."""
    theta, (value, gradient) = start, loss(start)
    values, vectors = np.linalg.eigh(_hessian(loss, theta))
    hessian = (vectors * np.maximum(np.abs(values), 1e-3 * np.abs(values).max())) @ vectors.T
    for _ in range(60):
        step = -np.linalg.solve(hessian, gradient)
        if -(step @ gradient) < NEAR:
            return theta
        step /= max(1.0, float(np.max(np.abs(step))))
        for share in (1.0, 0.3, 0.1, 0.01):
            trial = theta + share * step
            trial_value, trial_gradient = loss(trial)
            if trial_value < value + 1e-4 * share * (step @ gradient):
                break
        else:
            return None
        if np.any(trial < bounds[:, 0]) or np.any(trial > bounds[:, 1]):
            return None
        moved, change = trial - theta, trial_gradient - gradient
        if moved @ change > 0:
            pulled = hessian @ moved
            hessian = hessian + np.outer(change, change) / (moved @ change)
            hessian -= np.outer(pulled, pulled) / (moved @ pulled)
        theta, value, gradient = trial, trial_value, trial_gradient
    return None


def _polish(loss: LogLikelihood, theta: Array, free: NDArray[np.bool_], bounds: Array) -> tuple[Array, Array]:
    """Newton steps from where the quasi-Newton method stopped: ridges need them to be precise."""
    hessian, seen_at, gradient = _hessian(loss, theta), theta, loss(theta)[1]
    for _ in range(NEWTON_STEPS):
        inner = hessian[np.ix_(free, free)]
        if not free.any() or np.min(np.linalg.eigvalsh(inner)) <= 1e-14:
            break
        step = np.zeros_like(theta)
        step[free] = -np.linalg.solve(inner, gradient[free])
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
    """Which free parameters follow one at a boundary, so that a standard error with that one held says nothing."""
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


@dataclass(frozen=True, repr=False)
class ModelSummary:
    """What was fitted and how well each parameter is known.

    Attributes
    ----------
    title : str
    frame : DataFrame
        Indexed by parameter: estimate, standard error, low 95 %, high 95 %.
    fit : str
        Likelihood, information criteria, diagnosis.
    """

    title: str
    frame: pd.DataFrame
    fit: str

    def __repr__(self) -> str:
        table = self.frame.to_string(float_format=_number, na_rep="not identified")
        return "\n".join(part for part in (self.title, table, self.fit) if part)

    def _repr_html_(self) -> str:
        from html import escape  # its table of entities is large, and most models are never shown

        lines = "<br>".join(escape(line) for line in self.fit.splitlines())
        table = self.frame.to_html(float_format=_number, border=0, na_rep="not identified")
        return f"<p><strong>{escape(self.title)}</strong></p>{table}<p>{lines}</p>"


def _number(value: float) -> str:
    return f"{value:.4g}"


def p_value_all_equal(values: ArrayLike, errors: ArrayLike) -> float:
    """How probable are groups that differ as much as these, if all have the same true value?

    Parameters
    ----------
    values, errors : array, shape (groups,)
        Each group's estimate and its standard error; groups without a known error above 0 are left out.

    Returns
    -------
    float
        nan where fewer than two groups are left.

    Notes
    -----
    Cochran's Q: Cochran, Biometrics 10, 1954.

    Examples
    --------
    >>> round(p_value_all_equal([10.0, 12.0, 11.0], [1.0, 1.0, 1.0]), 3)
    0.368
    """
    from scipy.special import chdtrc

    value, error = np.asarray(values, dtype=float), np.asarray(errors, dtype=float)
    told = np.isfinite(value) & np.isfinite(error) & (error > 0)
    if told.sum() < 2:
        return np.nan
    weight, value = 1 / error[told] ** 2, value[told]
    spread = weight @ (value - np.average(value, weights=weight)) ** 2
    return float(chdtrc(told.sum() - 1, spread))
