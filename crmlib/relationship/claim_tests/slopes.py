"""Regression slopes with control variables and clustered standard errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlib.statistics import Array, normal_quantile


def slope(
    outcome: Any, cause: Any, controls: Any, weights: Any = None, groups: Any = None
) -> tuple[float, float]:
    """The slope of an outcome on a cause with control variables, and its robust standard error.

    `outcome, cause`: of shape (n,). `controls`: of shape (n, k), without a constant. `weights, groups`: of each row, by
    default 1 and the row itself; of few groups the error is as large as Student's t asks for.

    Ordinary least squares; the errors of a group go together (White, Econometrica 48, 1980; Liang & Zeger, Biometrika
    73, 1986).

    Examples
    --------
    >>> value, error = slope([1.0, 2.0, 3.0, 5.0], [0.0, 1.0, 2.0, 3.0], np.zeros((4, 0)))
    >>> round(value, 2), round(error, 2)
    (1.3, 0.16)
    """
    root = np.ones(len(outcome)) if weights is None else np.sqrt(np.asarray(weights, float))
    others = np.column_stack([np.ones(len(root)), np.asarray(controls, float)]) * root[:, None]
    both = np.column_stack([np.asarray(outcome, float), np.asarray(cause, float)]) * root[:, None]
    fitted, _squares, rank, _singular = np.linalg.lstsq(others, both, rcond=None)
    y, x = (both - others @ fitted).T
    free = len(x) - int(rank) - 1
    if free < 1 or not x @ x > 1e-9 * max(float(both[:, 1] @ both[:, 1]), 1e-300):
        return np.nan, np.nan
    value = float(x @ y / (x @ x))
    moves: Array = x * (y - value * x) / (x @ x)
    wide = len(x) / free
    if groups is not None:
        moves = pd.Series(moves).groupby(np.asarray(groups)).sum().to_numpy()
        wide *= as_student(len(moves)) ** 2
    return value, float(np.sqrt(wide * (moves**2).sum()))


def as_student(groups: int) -> float:
    """The factor on a standard error from so many groups that makes a normal interval one of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(groups - 1, 0.975)) / normal_quantile(0.95) if groups > 1 else np.nan
