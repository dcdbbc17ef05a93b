"""Does this firm's Platinum behave as the theory says? Its claims, each tested on the period after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from crmlib.customers.activity import span
from crmlib.customers.tiers.capacity_claim import capacity_taken, capacity_use
from crmlib.customers.tiers.next_behaviour import next_behaviour
from crmlib.errors import CrmError
from crmlib.findings import UNTESTED, Claim
from crmlib.statistics import difference_of_means

FEWEST = 30  # customers on either side, below which an interval says nothing
SMALLEST_EFFECT = 0.1  # standard deviations: who differs by less needs no other service
_SOURCE = "Zeithaml, Rust & Lemon 2001"
OTHERS = "the others"


class TierClaim(NamedTuple):
    """A claim about a tier: the measure that it is about, and whom the tier is compared with."""

    tier: str
    claim: Claim
    measure: str
    against: str = OTHERS


def _claim(text: str, needs: str, direction: Literal[1, -1] = 1) -> Claim:
    return Claim(text, source=_SOURCE, needs=needs, direction=direction)


CLAIMS = (
    TierClaim("Platinum", _claim("are heavy users", "transactions"), "purchases"),
    TierClaim(
        "Platinum",
        _claim("buy less at a discount (which is not price sensitivity)", "transactions.discount", -1),
        "discount_share",
    ),
    TierClaim(
        "Platinum", _claim("try new offers", "a product first sold in the period"), "new_product_share"
    ),
    TierClaim("Platinum", _claim("are loyal: buy in the next period", "transactions"), "active"),
    TierClaim("Platinum", _claim("have been customers for longer", "transactions"), "tenure_years"),
    TierClaim(
        "Gold",
        _claim("take more discounts than Platinum", "transactions.discount"),
        "discount_share",
        "Platinum",
    ),
    TierClaim(
        "Gold",
        _claim("buy from several vendors", "customers.share_of_wallet", -1),
        "share_of_wallet",
        "Platinum",
    ),
    TierClaim(
        "Iron", _claim("fill capacity: more than stands idle anyway", "capacity"), "capacity", "idle capacity"
    ),
    TierClaim(
        "Lead",
        _claim("demand more attention than their spending merits", "service_cases.minutes"),
        "minutes_beyond",
    ),
    TierClaim("Lead", _claim("complain", "service_cases.kind"), "complaints"),
    TierClaim("Lead", _claim("complain where others read it", "service_cases.public"), "public_complaints"),
)


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
        (the difference in standard deviations), `verdict` ("supported" where the whole interval lies on the claimed
        side, "contradicted" where it lies on the other side or within a tenth of a standard deviation of no
        difference, "undecided", "cannot be tested") and `why`, what is missing where it cannot be.

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
                     tier_mean  other_mean           verdict
    claim
    are heavy users        1.0         0.0         supported
    complain               NaN         NaN  cannot be tested
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
            _tested(one, tier, measures) if one.measure != "capacity" else _of_capacity(one, taken)
            for one in CLAIMS
        ]
    )


def _of_capacity(one: TierClaim, taken: dict[str, float] | None) -> dict[str, Any]:
    if taken is None:
        return _untested(one, f"needs {one.claim.needs}")
    verdict = one.claim.verdict(taken["low"], taken["high"])
    return _named(one) | taken | {"effect": np.nan, "verdict": verdict, "why": ""}


def _named(one: TierClaim) -> dict[str, Any]:
    return {"tier": one.tier, "claim": one.claim.text, "against": one.against, "measure": one.measure}


def _tested(one: TierClaim, tier: np.ndarray, measures: pd.DataFrame) -> dict[str, Any]:
    if one.measure not in measures:
        return _untested(one, f"needs {one.claim.needs}")
    values = measures[one.measure].to_numpy(dtype=float)
    known, mine = np.isfinite(values), tier == one.tier
    theirs = ~mine if one.against == OTHERS else tier == one.against
    ours, others = values[known & mine], values[known & theirs]
    if min(len(ours), len(others)) < FEWEST:
        few = f"{len(ours):,} customers against {len(others):,}; {FEWEST} are needed on either side"
        return _untested(one, few, len(ours))
    found = difference_of_means(ours, others)
    spread = np.sqrt((ours.var(ddof=1) + others.var(ddof=1)) / 2)
    claim = replace(one.claim, smallest_difference=SMALLEST_EFFECT * spread)
    return _named(one) | {
        "customers": len(ours), "tier_mean": found.treated, "other_mean": found.control,
        "difference": found.difference, "low": found.low, "high": found.high,
        "effect": found.difference / spread if spread else 0.0,
        "verdict": claim.verdict(found.low, found.high), "why": "",
    }  # fmt: skip


def _untested(one: TierClaim, why: str, count: int = 0) -> dict[str, Any]:
    empty = dict.fromkeys(("tier_mean", "other_mean", "difference", "low", "high", "effect"), np.nan)
    return _named(one) | {"customers": count} | empty | {"verdict": UNTESTED, "why": why}
