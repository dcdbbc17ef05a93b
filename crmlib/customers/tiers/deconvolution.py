"""The distribution of an unobserved quantity, such as the purchase rate, estimated from observed counts."""

from __future__ import annotations

import numpy as np

from crmlib.statistics import Array

_RIDGE = 1e-5  # keeps the shape of the rates' distribution smooth


def fit_distribution(chance: Array, counts: Array, terms: Array, size: Array) -> Array:
    """The distribution on a grid that gives the counts their highest likelihood; its logarithm is a sum of terms.

    `chance` of each observation (rows) at each point of the grid, `size` what a point stands for; Newton's steps,
    shortened where they fail.

    References
    ----------
    Efron, B. (2016), "Empirical Bayes deconvolution estimates", Biometrika 103(1), 1-20.
    """
    terms = (terms - terms.mean(axis=0)) / terms.std(axis=0)
    share = counts / counts.sum()
    # The first two are those of a gamma distribution.
    ridge = np.where(np.arange(terms.shape[1]) < 2, 0.0, _RIDGE)

    def at(slopes: Array) -> tuple[Array, float]:
        log = terms @ slopes
        mass = np.exp(log - log.max()) * size
        mass /= mass.sum()
        return mass, float(ridge @ slopes**2 - share @ np.log(np.maximum(chance @ mass, 1e-300)))

    slopes, damping = np.zeros(terms.shape[1]), 1e-3
    mass, loss = at(slopes)
    while damping < 1e8:
        joint = chance * mass
        apart = joint / joint.sum(axis=1, keepdims=True) @ terms - mass @ terms
        slope = 2 * ridge * slopes - share @ apart
        curve = (apart * share[:, None]).T @ apart + 2 * np.diag(ridge)
        step = np.linalg.solve(curve + damping * np.diag(np.diag(curve)) + 1e-14 * np.eye(len(slopes)), slope)
        tried, less = at(slopes - step)
        if less > loss:
            damping *= 10
            continue
        gained, slopes, mass, loss = loss - less, slopes - step, tried, less
        damping = max(damping / 5, 1e-9)
        if gained < 1e-12:
            break
    return mass
