"""Clouds without groups, and groups: what a clustering has to tell apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Random = np.random.Generator


def bell(random: Random, customers: int, features: int) -> NDArray[np.float64]:
    """One bell, its features correlated."""
    return random.standard_normal((customers, features)) @ random.standard_normal((features, features))


def box(random: Random, customers: int, features: int) -> NDArray[np.float64]:
    """The same density throughout a box of unequal sides."""
    return random.uniform(-1, 1, (customers, features)) * random.uniform(1, 3, features)


def heavy(random: Random, customers: int, features: int) -> NDArray[np.float64]:
    """Student's t with 2 degrees of freedom: no variance, and far outliers in every direction."""
    scale = np.sqrt(random.chisquare(2, (customers, 1)) / 2)
    return random.standard_normal((customers, features)) / scale


def spending(random: Random, customers: int, features: int) -> NDArray[np.float64]:
    """Lognormal, as amounts are."""
    return np.exp(random.normal(3, 1, (customers, features)))


CLOUDS = {"bell": bell, "box": box, "heavy": heavy, "spending": spending}


def groups(
    random: Random, customers: int, features: int, *, apart: float = 6.0, number: int = 3
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Bells of unit spread whose centres are `apart`, and which of them each customer is from."""
    centres = np.zeros((number, features))
    centres[np.arange(number), np.arange(number) % features] = apart / np.sqrt(2)
    centres[features:] *= -1
    true = random.integers(number, size=customers)
    return centres[true] + random.standard_normal((customers, features)), true


def frame(points: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(points, columns=[f"feature_{place}" for place in range(points.shape[1])])
