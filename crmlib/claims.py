"""Claims that data can support or contradict: a bar, a direction, and how strong the evidence is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from crmlib.findings import (
    ASSOCIATED,
    CONTRADICTED,
    MET,
    NOT_MET,
    SUPPORTED,
    UNDECIDED,
    UNTESTED,
    Estimate,
    Finding,
)  # fmt: skip

Kind = Literal["target", "description", "effect"]
Evidence = Literal["randomised", "natural", "observational"]


@dataclass(frozen=True)
class Claim:
    """A claim in a form that data can support or contradict.

    - `text`, `source`: the claim; its author, with the year.
    - `needs`: tables or columns without which it cannot be tested.
    - `kind`: {"description", "effect", "target"}.
    - `evidence`: {"observational", "natural", "randomised"}: where the data come from. No effect is supported by
      observation alone.
    - `bar`: the value that the estimate is compared with.
    - `direction`: {1, -1}: 1 if the claim says that the estimate is above the bar, -1 if below.
    - `smallest_difference`: the smallest distance from the bar that matters; 0 where every difference does.

    Examples
    --------
    >>> claim = Claim("Platinum buys more", smallest_difference=0.5)
    >>> claim.verdict(0.6, 1.4), claim.verdict(-0.4, 0.3), claim.verdict(-2, -1), claim.verdict(-0.4, 1.4)
    ('supported', 'contradicted', 'contradicted', 'undecided')
    >>> Claim("the card makes members buy more", kind="effect").verdict(0.6, 1.4)
    'goes with it; cause not tested'
    >>> Claim("LTV is 3 × CAC", kind="target", bar=3.0).verdict(3.2, 4.0)
    'met'
    """

    text: str
    source: str = ""
    needs: str = ""
    kind: Kind = "description"
    evidence: Evidence = "observational"
    bar: float = 0.0
    direction: Literal[1, -1] = 1
    smallest_difference: float = 0.0
    assumptions: tuple[str, ...] = ()

    def verdict(self, low: float, high: float) -> str:
        """The verdict that the interval of an estimate gives."""
        if math.isnan(low) or math.isnan(high):
            return UNTESTED
        ends = sorted(self.direction * (end - self.bar) for end in (low, high))
        if self.kind == "target":
            return MET if ends[0] >= 0 else NOT_MET if ends[1] < 0 else UNDECIDED
        within = self.smallest_difference > 0 and max(-ends[0], ends[1]) < self.smallest_difference
        if ends[1] < 0 or within:
            return CONTRADICTED
        if not ends[0] > 0:
            return UNDECIDED
        return ASSOCIATED if self.kind == "effect" and self.evidence == "observational" else SUPPORTED

    def test(self, estimate: Estimate, why: str = "") -> Finding:
        """Compare an estimate with the claim.

        Parameters
        ----------
        estimate : Estimate
            With its interval; one that is not known cannot be tested.
        why : str
            What was found, or what is missing, in a sentence.
        """
        verdict = self.verdict(estimate.low, estimate.high) if estimate.is_known else UNTESTED
        return self._finding(verdict, estimate, why)

    def cannot_be_tested(self, why: str, estimate: Estimate | None = None) -> Finding:
        """The finding where data or figures are missing, with what is missing."""
        return self._finding(UNTESTED, estimate, why)

    def _finding(self, verdict: str, estimate: Estimate | None, why: str) -> Finding:
        """The claim, its verdict and the reason in a sentence or two."""
        return Finding(f"“{self.text}”: {verdict}. {why}".strip(), estimate, verdict)
