"""Random numbers that belong to a customer, not to the order in which they are drawn.

A draw is a hash of (seed, mechanism, customer, number of the draw). So a customer's stream stays the same when
other customers are added, when the work is cut into blocks, and when another mechanism is switched off: two
worlds that differ in one switch are a pair.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from scipy.special import ndtri

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Streams:
    """All random numbers of one seed.

    Examples
    --------
    >>> streams = Streams(7)
    >>> few, many = streams.uniform("gaps", np.arange(3)), streams.uniform("gaps", np.arange(1000))
    >>> bool((few == many[:3]).all())
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._keys: dict[str, np.uint64] = {}

    def uniform(self, mechanism: str, customer: Any, draw: Any = 0) -> np.ndarray:
        """Draw uniforms in (0, 1) of the shape to which `customer` and `draw` broadcast."""
        with np.errstate(over="ignore"):  # the arithmetic is meant to be modulo 2**64
            state = _mix(self._key(mechanism) + np.asarray(customer, np.uint64) * _GOLDEN)
            state = _mix(state + np.asarray(draw, np.uint64) * _SECOND)
        return ((state >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53

    def normal(self, mechanism: str, customer: Any, draw: Any = 0) -> np.ndarray:
        """Draw standard normals."""
        return ndtri(self.uniform(mechanism, customer, draw))

    def exponential(self, mechanism: str, customer: Any, draw: Any = 0) -> np.ndarray:
        """Draw exponentials of mean 1."""
        return -np.log(self.uniform(mechanism, customer, draw))

    def geometric(self, mechanism: str, customer: Any, draw: Any, mean: Any) -> np.ndarray:
        """Draw counts 0, 1, 2, … that fall geometrically and have this mean."""
        odds = np.maximum(mean, 1e-12) / (1 + np.maximum(mean, 1e-12))
        return np.floor(np.log(self.uniform(mechanism, customer, draw)) / np.log(odds)).astype(int)

    def choice(self, mechanism: str, customer: Any, draw: Any, shares: Any) -> np.ndarray:
        """Draw positions 0, 1, … with these shares, which add up to 1 along the last axis."""
        at = self.uniform(mechanism, customer, draw)[..., None]
        return (at > np.cumsum(shares, axis=-1)[..., :-1]).sum(axis=-1)

    def _key(self, mechanism: str) -> np.uint64:
        if mechanism not in self._keys:
            digest = hashlib.blake2b(f"{self.seed}/{mechanism}".encode(), digest_size=8).digest()
            self._keys[mechanism] = np.uint64(int.from_bytes(digest, "little"))
        return self._keys[mechanism]


def _mix(state: np.ndarray) -> np.ndarray:
    """Scatter 64 bits (the finaliser of SplitMix64; Steele, Lea & Flood, 2014)."""
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))
