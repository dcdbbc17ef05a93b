"""What a simulated firm is made from: a few numbers, checked before anything is made."""

from __future__ import annotations

import operator
from typing import Any

from pydantic import Field, field_validator

from crmlib.data.policies import Strict
from crmlib.errors import DataError
from crmlib.simulation.effects import check_effects

TABLES = (
    "transactions",
    "customers",
    "touchpoints",
    "service_cases",
    "marketing_spend",
    "leads",
    "subscriptions",
    "loyalty_ledger",
    "surveys",
    "experiments",
    "network_partners",
    "staff_hours",
    "capacity",
    "budget",
    "maturity_scores",
    "hypotheses",
)
FEWEST_CUSTOMERS, MOST_CUSTOMERS, MOST_YEARS = 2, 2_300_000, 20


class Simulation(Strict):
    """The entry `simulation` of a study file; the same parameters make the same firm."""

    n_customers: int = Field(5000, description="about how many customers, 2 to 2,300,000")
    years: int = Field(3, description="whole years of history up to 2025-12-31, 1 to 20")
    random_state: int = Field(0, description="the seed, a whole number from 0")
    effects: dict[str, float] = Field(default_factory=dict, description="mechanism: strength; 0 is off")

    @field_validator("n_customers", "years", "random_state", mode="before")
    @classmethod
    def _whole(cls, value: Any, info: Any) -> int:
        low, high = {
            "n_customers": (FEWEST_CUSTOMERS, MOST_CUSTOMERS),
            "years": (1, MOST_YEARS),
            "random_state": (0, 2**63 - 1),
        }[info.field_name]
        return _whole_number(info.field_name, value, low, high)

    @field_validator("effects")
    @classmethod
    def _possible(cls, effects: dict[str, float]) -> dict[str, float]:
        check_effects(effects)
        return effects


def simulation(n_customers: Any, years: Any, random_state: Any, effects: Any) -> Simulation:
    """Check the parameters of a firm.

    Raises
    ------
    DataError
        Naming the parameter, what it is and what is allowed.
    """
    check_effects(effects)
    return Simulation(
        n_customers=_whole_number("n_customers", n_customers, FEWEST_CUSTOMERS, MOST_CUSTOMERS),
        years=_whole_number("years", years, 1, MOST_YEARS),
        random_state=_whole_number("random_state", random_state, 0, 2**63 - 1),
        effects={str(name): float(value) for name, value in (effects or {}).items()},
    )


def _whole_number(name: str, value: Any, low: int, high: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise DataError(f"{name} is {value!r}; a whole number from {low} to {high:,} is needed") from None
    if isinstance(value, bool) or not low <= number <= high:
        why = "; a comparison needs somebody to compare with" if name == "n_customers" and number == 1 else ""
        raise DataError(f"{name} is {value!r}; it has to be from {low} to {high:,}{why}")
    return number
