"""How money is valued: the margin and the discount rate, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crmlib import format as fmt

PARAMETER = "given as a parameter"
DEFAULT_DISCOUNT = 0.10  # per year, where nobody says another


@dataclass(frozen=True)
class ValueTerms:
    """Margin and discount rate, each with its origin in words.

    Attributes
    ----------
    margin : float or None
        Contribution as a share of revenue; None where it is not known, and value is revenue.
    margin_origin, discount_origin : str
        Such as "given in the study file", "assumed in the study file" or "measured from the costs in the log".
    discount_rate_per_year : float
    """

    margin: float | None
    margin_origin: str
    discount_rate_per_year: float
    discount_origin: str

    @property
    def is_profit(self) -> bool:
        """Whether a margin is known."""
        return self.margin is not None

    @property
    def value(self) -> str:
        """What money is: "contribution", or "revenue" where no margin is known."""
        return "contribution" if self.is_profit else "revenue"

    @property
    def factor(self) -> float:
        """By which revenue is multiplied."""
        return 1.0 if self.margin is None else self.margin

    def valued(self, log: Any) -> Any:
        """The purchase log as these terms value it: a margin that a parameter gives replaces the costs."""
        return log.drop("cost") if self.margin_origin == PARAMETER and "cost" in log.columns else log

    @property
    def assumed(self) -> bool:
        """Whether the margin or the discount rate is an assumption."""
        return any(origin.startswith("assumed") for origin in (self.margin_origin, self.discount_origin))

    @property
    def margin_assumed(self) -> bool:
        """Whether the margin is an assumption."""
        return self.margin_origin.startswith("assumed")

    @property
    def of_margin(self) -> str:
        """The margin and its origin, where nothing is discounted."""
        if self.margin is None:
            return "No margin is known, so value is revenue."
        return f"The margin is {fmt.share(self.margin)} of revenue ({self.margin_origin}), before the cost of service."

    @property
    def sentence(self) -> str:
        """What value is, and what it rests on."""
        rate = f"discounted at {fmt.share(self.discount_rate_per_year)} per year ({self.discount_origin})"
        if self.margin is None:
            return f"Value is revenue, since no margin is known, {rate}."
        at = f"at a margin of {fmt.share(self.margin)} ({self.margin_origin})"
        return f"Value is contribution, {at}, before the cost of service, {rate}."
