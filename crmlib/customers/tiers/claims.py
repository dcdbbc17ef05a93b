"""Does this firm's Platinum behave as the theory says? Its claims, each tested on the period after."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crmlib.customers.activity import span
from crmlib.customers.tiers.capacity_claim import capacity_taken, capacity_use
from crmlib.customers.tiers.next_behaviour import next_behaviour
from crmlib.errors import CrmError
from crmlib.statistics import difference_of_means

FEWEST = 30  # customers on either side, below which an interval says nothing
SUPPORTED, NOT_SUPPORTED, UNTESTED = "supported", "not supported", "cannot be tested with these tables"


class Claim(NamedTuple):
    """What the theory says of a tier: a measure, which way it should differ, and from whom."""

    tier: str
    says: str
    measure: str
    sign: int
    against: str
    needs: str


CLAIMS = (
    Claim("Platinum", "are heavy users", "purchases", 1, "the others", "transactions"),
    Claim(
        "Platinum", "buy less at a discount (which is not price sensitivity)", "discount_share", -1, "the others",
        "transactions.discount",
    ),
    Claim("Platinum", "try new offers", "new_product_share", 1, "the others", "a product first sold in the period"),
    Claim("Platinum", "are loyal: buy in the next period", "active", 1, "the others", "transactions"),
    Claim("Platinum", "have been customers for longer", "tenure_years", 1, "the others", "transactions"),
    Claim("Gold", "take more discounts than Platinum", "discount_share", 1, "Platinum", "transactions.discount"),
    Claim("Gold", "buy from several vendors", "share_of_wallet", -1, "Platinum", "customers.share_of_wallet"),
    Claim("Iron", "fill capacity: more than stands idle anyway", "capacity", 1, "idle capacity", "capacity"),
    Claim(
        "Lead", "demand more attention than their spending merits", "minutes_beyond", 1, "the others",
        "service_cases.minutes",
    ),
    Claim("Lead", "complain", "complaints", 1, "the others", "service_cases.kind"),
    Claim("Lead", "complain where others read it", "public_complaints", 1, "the others", "service_cases.public"),
)  # fmt: skip


def tier_claims(
    tiers: pd.DataFrame,
    transactions: Any,
    *,
    start: Any,
    end: Any,
    customers: Any = None,
    service_cases: Any = None,
    capacity: Any = None,
) -> pd.DataFrame:
    """Do the tiers behave in the next period as the Customer Pyramid says they do?

    Parameters
    ----------
    tiers : ValueTiers
        `customer_id` and `tier`, from a period that ends before `start`: a tier that was cut from the same
        months whose behaviour is tested would prove itself.
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    start, end : date or str
        First and last day of the next period.
    customers, service_cases, capacity : ibis.Table or DataFrame, optional
        Tables of the study.

    Returns
    -------
    DataFrame
        One row per claim: `tier, claim, against` (whom it is compared with), `measure`, `customers` (of the tier,
        with a measure), `tier_mean, other_mean, difference`, `low, high` (95 % interval of the difference), `effect`
        (the difference in standard deviations), `verdict` (supported where the whole interval lies on the
        claimed side, not supported, cannot be tested with these tables) and `why`, what is missing where it
        cannot be.

    References
    ----------
    Zeithaml, V. A., Rust, R. T. and Lemon, K. N. (2001), "The Customer Pyramid", California Management
    Review 43(4), 118-142.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=80)
    >>> log = pd.DataFrame({"customer_id": [f"c{n}" for n in range(80)], "date": days[::-1], "amount": 5.0})
    >>> tiers = pd.DataFrame({"customer_id": log["customer_id"], "tier": ["Platinum"] * 40 + ["Iron"] * 40})
    >>> told = tier_claims(tiers, log, start="2024-02-10", end="2024-03-31").set_index("claim")
    >>> told.loc[["are heavy users", "complain"], ["tier_mean", "other_mean", "verdict"]]
                     tier_mean  other_mean                             verdict
    claim
    are heavy users        1.0         0.0                           supported
    complain               NaN         NaN  cannot be tested with these tables
    """
    first, last = span(start, end)
    if "customer_id" not in tiers or not tiers["customer_id"].is_unique:
        raise CrmError("tiers needs a customer_id per row, each once; pass what value_tiers returns")
    measures, everybody = next_behaviour(
        tiers["customer_id"], transactions, first, last, customers=customers, service_cases=service_cases
    )
    tier = tiers["tier"].astype(str).to_numpy()
    use = capacity_use(capacity, first, last)
    taken = capacity_taken(tier == "Iron", measures["purchases"].to_numpy(dtype=float), everybody, use)
    return pd.DataFrame(
        [
            _tested(claim, tier, measures) if claim.measure != "capacity" else _of_capacity(claim, taken)
            for claim in CLAIMS
        ]
    )


def _of_capacity(claim: Claim, taken: dict[str, float] | None) -> dict[str, Any]:
    named = _named(claim)
    if taken is None:
        return _untested(named, f"needs {claim.needs}")
    verdict = SUPPORTED if taken["low"] > 0 else NOT_SUPPORTED
    return named | taken | {"effect": np.nan, "verdict": verdict, "why": ""}


def _named(claim: Claim) -> dict[str, Any]:
    return {
        "tier": claim.tier, "claim": claim.says, "against": claim.against, "measure": claim.measure,
    }  # fmt: skip


def _tested(claim: Claim, tier: np.ndarray, measures: pd.DataFrame) -> dict[str, Any]:
    named = _named(claim)
    if claim.measure not in measures:
        return _untested(named, f"needs {claim.needs}")
    values = measures[claim.measure].to_numpy(dtype=float)
    known, mine = np.isfinite(values), tier == claim.tier
    theirs = ~mine if claim.against == "the others" else tier == claim.against
    ours, others = values[known & mine], values[known & theirs]
    if min(len(ours), len(others)) < FEWEST:
        return _untested(
            named,
            f"{len(ours):,} customers against {len(others):,}; {FEWEST} are needed on either side",
            len(ours),
        )
    found = difference_of_means(ours, others)
    spread = np.sqrt((ours.var(ddof=1) + others.var(ddof=1)) / 2)
    holds = min(claim.sign * found.low, claim.sign * found.high) > 0
    return named | {
        "customers": len(ours), "tier_mean": found.treated, "other_mean": found.control,
        "difference": found.difference, "low": found.low, "high": found.high,
        "effect": found.difference / spread if spread else 0.0,
        "verdict": SUPPORTED if holds else NOT_SUPPORTED, "why": "",
    }  # fmt: skip


def _untested(named: dict[str, Any], why: str, count: int = 0) -> dict[str, Any]:
    empty = dict.fromkeys(("tier_mean", "other_mean", "difference", "low", "high", "effect"), np.nan)
    return named | {"customers": count} | empty | {"verdict": UNTESTED, "why": why}
