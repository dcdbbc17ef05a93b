"""The result of a test of a claim: its parts, each at the full level, and the verdict by the weakest part."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from crmlib.claims import Claim
from crmlib.findings import SUPPORTED, UNDECIDED, UNTESTED
from crmlib.statistics import normal_quantile

WHOLE = "the claim"
COLUMNS = "test part measure difference low high bar unit customers verdict why".split()


class Part(NamedTuple):
    """A part of a claim: the measure, its estimate and standard error, and on which side of the bar it should be."""

    measure: str
    value: float
    error: float
    unit: str
    customers: int
    direction: Literal[1, -1] = 1
    bar: float = 0.0

    @property
    def distance(self) -> float:
        """The distance from the bar in the claimed direction, in standard errors; nan where it is not known."""
        return self.direction * (self.value - self.bar) / self.error if self.error > 0 else np.nan

    def row(self, test: str, name: str, level: float = 0.95) -> dict[str, Any]:
        """The part as a row, with its interval at this level and its verdict."""
        reach = normal_quantile(level) * self.error
        low, high = self.value - reach, self.value + reach
        claim = Claim(test, bar=self.bar, direction=self.direction)
        verdict = claim.verdict(low, high) if self.error > 0 else UNTESTED
        return {
            "test": test, "part": name, "measure": self.measure, "difference": self.value, "low": low, "high": high,
            "bar": self.bar, "unit": self.unit, "customers": self.customers, "verdict": verdict,
        }  # fmt: skip

    def described(self, test: str, why: str) -> dict[str, Any]:
        """The part as a row that is only descriptive and has no verdict."""
        return self.row(test, self.measure) | {"measure": "", "verdict": "", "why": why}


def result(test: str, parts: list[Part], why: str = "", doubt: str = "") -> list[dict[str, Any]]:
    """The rows of a test: the claim, and below it each part where there are several.

    Parameters
    ----------
    test : str
        Its name, by which the ledger finds it.
    parts : list of Part
        All of them have to hold (intersection-union test: Berger, Technometrics 24(4), 1982). The claim's row has the
        numbers of the weakest one. Where that is on the wrong side, its interval is wider, for the worst of several
        parts is chosen.
    why : str
        What was compared, and what else is to be known.
    doubt : str
        Why what is found cannot support the claim; empty where nothing speaks against it.

    Examples
    --------
    >>> parts = [Part("links", 3.0, 1.0, "ratio", 9), Part("keeps", 1.0, 1.0, "ratio", 9)]
    >>> [row["verdict"] for row in result("chain", parts)]
    ['undecided', 'supported', 'undecided']
    """
    unknown = [part.measure for part in parts if np.isnan(part.distance)]
    if unknown:
        return cannot(test, f"not known: {', '.join(unknown)}")
    weakest = min(parts, key=lambda part: part.distance)
    level = 0.95 if weakest.distance > 0 else 1 - 0.05 / len(parts)
    whole = weakest.row(test, WHOLE, level) | {"why": why}
    if doubt and whole["verdict"] == SUPPORTED:
        whole |= {"verdict": UNDECIDED, "why": "; ".join(filter(None, (doubt, why)))}
    below = [part.row(test, part.measure) | {"measure": "", "why": ""} for part in parts]
    return [whole, *(below if len(parts) > 1 else [])]


def cannot(test: str, why: str) -> list[dict[str, Any]]:
    """The row of a claim that cannot be tested, with what is missing."""
    numbers = dict.fromkeys(("difference", "low", "high", "bar", "customers"), np.nan)
    row = {"test": test, "part": WHOLE, "measure": "", "unit": "ratio"}
    return [row | numbers | {"verdict": UNTESTED, "why": why}]
