"""Where one tier ends and the next begins: as shares of customers, as shares of profit, or in money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib import format as fmt
from crmlib.errors import CrmError, did_you_mean

TIERS = ("Lead", "Iron", "Gold", "Platinum")
_BY = ("customers", "profit", "money")
_LEAST = float(np.nextafter(0.0, 1.0))  # nobody without a positive value is better than Iron


@dataclass(frozen=True)
class TierCutOffs:
    """How large Platinum and Gold are, counted among those who are not Lead.

    Parameters
    ----------
    platinum, gold : float
        by "customers": the best share of them, and the next. by "profit": the best customers who together
        bring that share of the profit, and the next. by "money": the least value of a tier's customer.
    by : {"customers", "profit", "money"}

    Examples
    --------
    >>> TierCutOffs(0.1, 0.2)
    TierCutOffs(platinum=0.1, gold=0.2, by='customers')
    """

    platinum: float = 0.05
    gold: float = 0.15
    by: str = "customers"

    def __post_init__(self) -> None:
        if self.by not in _BY:
            raise CrmError(f"cut_offs: by is {self.by!r}; {did_you_mean(str(self.by), _BY)}")
        if self.by == "money":
            if not self.platinum >= self.gold > 0:
                raise CrmError(
                    f"cut_offs: Platinum from {self.platinum} and Gold from {self.gold}; allowed: money above 0, "
                    "Platinum's not below Gold's"
                )
        elif not (self.platinum > 0 and self.gold >= 0 and self.platinum + self.gold <= 1):
            raise CrmError(
                f"cut_offs: platinum {self.platinum} and gold {self.gold} do not add up; allowed: shares above 0 "
                "that are together at most 1, such as 0.05 and 0.15"
            )


def in_money(values: np.ndarray, cut_offs: TierCutOffs) -> tuple[TierCutOffs, list[str]]:
    """The same cut-offs as least values, for those who are not Lead; and what had to be decided.

    Customers of equal value are never torn apart: where a cut-off falls among them, all are in the lower
    tier, so that no tier is larger than it was meant to be.
    """
    if cut_offs.by == "money":
        return cut_offs, []
    ranked = np.sort(values)[::-1]
    counts = _counts(ranked, cut_offs)
    least, notes = [], []
    for tier, count in zip(("Platinum", "Gold"), counts, strict=True):
        money, torn = _least_value(ranked, count)
        least.append(max(money, _LEAST))
        if torn:
            notes.append(
                f"{torn:,} customers share the value at the cut-off of {tier} and are all in the tier below"
            )
    if cut_offs.by == "customers" and 0 < len(ranked) < round(1 / cut_offs.platinum):
        notes.append(
            f"{fmt.share(cut_offs.platinum)} of {len(ranked)} customers is rounded up to one who is Platinum"
        )
    return TierCutOffs(least[0], min(least), by="money"), notes


def _counts(ranked: np.ndarray, cut_offs: TierCutOffs) -> tuple[int, int]:
    """How many customers are Platinum, and Platinum or Gold, before ties are looked at; rounded up."""
    shares = (cut_offs.platinum, cut_offs.platinum + cut_offs.gold)
    if cut_offs.by == "customers":
        first, both = (int(np.ceil(share * len(ranked) - 1e-9)) for share in shares)
        return first, both
    brought = np.cumsum(np.maximum(ranked, 0.0))
    if not len(brought) or brought[-1] <= 0:
        return 0, 0
    first, both = (int(np.searchsorted(brought, share * brought[-1] * (1 - 1e-12))) + 1 for share in shares)
    return first, both


def _least_value(ranked: np.ndarray, count: int) -> tuple[float, int]:
    """The value of the last of the best `count`; if others share it, the next higher value, and how many share."""
    if count == 0:
        return np.inf, 0
    if count >= len(ranked) or ranked[count] != ranked[count - 1]:
        return float(ranked[count - 1]), 0
    above = ranked[ranked > ranked[count - 1]]
    return (float(above[-1]) if len(above) else np.inf), int((ranked == ranked[count - 1]).sum())
