"""Does this firm's Platinum behave as the theory says? Its claims, each tested on the period after."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, NamedTuple

import ibis
import numpy as np
import pandas as pd

from crmlib.claims import Claim
from crmlib.customers._log import fetch, orders_among, seen_by, span, with_ids_of, within
from crmlib.customers.profit.cost_to_serve import filled_columns
from crmlib.data.sources import open_optional
from crmlib.errors import CrmError
from crmlib.findings import UNTESTED
from crmlib.statistics import difference_of_means, normal_quantile

FEWEST = 30  # customers on either side, below which an interval says nothing
SMALLEST_EFFECT = 0.1  # standard deviations: who differs by less needs no other service
_SOURCE = "Zeithaml, Rust & Lemon 2001"
OTHERS = "the others"


class TierClaim(NamedTuple):
    """A claim about a tier: the measure that it is about, and whom the tier is compared with."""

    tier: str
    text: str
    measure: str
    direction: Literal[1, -1] = 1
    against: str = OTHERS

    def verdict(self, low: float, high: float, smallest: float = 0.0) -> str:
        """What the 95 % interval of the difference says of it."""
        claim = Claim(self.text, _SOURCE, direction=self.direction, smallest_difference=smallest)
        return claim.verdict(low, high)


CLAIMS = (
    TierClaim("Platinum", "are heavy users", "purchases"),
    TierClaim("Platinum", "buy less at a discount (which is not price sensitivity)", "discount_share", -1),
    TierClaim("Platinum", "try new offers", "new_product_share"),
    TierClaim("Platinum", "are loyal: buy in the next period", "active"),
    TierClaim("Platinum", "have been customers for longer", "tenure_years"),
    TierClaim("Gold", "take more discounts than Platinum", "discount_share", 1, "Platinum"),
    TierClaim("Gold", "buy from several vendors", "share_of_wallet", -1, "Platinum"),
    TierClaim("Iron", "fill capacity: more than stands idle anyway", "capacity", 1, "idle capacity"),
    TierClaim("Lead", "demand more attention than their spending merits", "minutes_beyond"),
    TierClaim("Lead", "complain", "complaints"),
    TierClaim("Lead", "complain where others read it", "public_complaints"),
)
NEEDS = {  # what a measure needs beside the purchases
    "discount_share": "transactions.discount",
    "new_product_share": "a product first sold in the period",
    "share_of_wallet": "customers.share_of_wallet",
    "capacity": "capacity",
    "minutes_beyond": "service_cases.minutes",
    "complaints": "service_cases.kind",
    "public_complaints": "service_cases.public",
}


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
    >>> claims = tier_claims(tiers, log, start="2024-02-10", end="2024-03-31").set_index("claim")
    >>> claims.loc[["are heavy users", "complain"], ["tier_mean", "other_mean", "verdict"]]
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
    tier, use = tiers["tier"].astype(str).to_numpy(), capacity_use(capacity, first, last)
    rows = []
    for claim in CLAIMS:
        if claim.measure == "capacity":
            purchases = measures["purchases"].to_numpy(dtype=float)
            result = _capacity_taken(claim, tier == claim.tier, purchases, everybody, use)
        else:
            result = _tested(claim, tier, measures)
        named = {"tier": claim.tier, "claim": claim.text, "against": claim.against, "measure": claim.measure}
        rows.append(named | result)
    return pd.DataFrame(rows)


def _tested(claim: TierClaim, tier: np.ndarray, measures: pd.DataFrame) -> dict[str, Any]:
    if claim.measure not in measures:
        return _untested(f"needs {NEEDS[claim.measure]}")
    values = measures[claim.measure].to_numpy(dtype=float)
    known, mine = np.isfinite(values), tier == claim.tier
    theirs = ~mine if claim.against == OTHERS else tier == claim.against
    ours, others = values[known & mine], values[known & theirs]
    if min(len(ours), len(others)) < FEWEST:
        few = f"{len(ours):,} customers against {len(others):,}; {FEWEST} are needed on either side"
        return _untested(few, len(ours))
    found = difference_of_means(ours, others)
    spread = np.sqrt((ours.var(ddof=1) + others.var(ddof=1)) / 2)
    return {
        "customers": len(ours), "tier_mean": found.treated, "other_mean": found.control,
        "difference": found.difference, "low": found.low, "high": found.high,
        "effect": found.difference / spread if spread else 0.0,
        "verdict": claim.verdict(found.low, found.high, SMALLEST_EFFECT * spread), "why": "",
    }  # fmt: skip


def _untested(why: str, count: int = 0) -> dict[str, Any]:
    empty = dict.fromkeys(("tier_mean", "other_mean", "difference", "low", "high", "effect"), np.nan)
    return {"customers": count} | empty | {"verdict": UNTESTED, "why": why}


def next_behaviour(
    customer_ids: pd.Series,
    transactions: Any,
    first: dt.date,
    last: dt.date,
    *,
    customers: Any = None,
    service_cases: Any = None,
) -> tuple[pd.DataFrame, float]:
    """One row per customer; a column for each behaviour that the tables hold, NaN where it is not known.

    `purchases` (orders), `active`, `tenure_years` at the start, `discount_share` of what was bought,
    `new_product_share` (purchases of products first sold in the period), `share_of_wallet`, `complaints`,
    `public_complaints` and `minutes_beyond` (service minutes above those that the firm gives for such revenue).
    Beside it the purchases of everybody, newcomers among them.
    """
    found = pd.DataFrame(index=pd.Index(customer_ids, name="customer_id"))
    log = seen_by(transactions, last)
    everybody = fetch(_bought(log, first)).set_index("customer_id")
    bought = everybody.reindex(found.index)
    found["purchases"] = bought["purchases"].fillna(0)
    found["active"] = (found["purchases"] > 0).astype(float)
    found["tenure_years"] = (pd.Timestamp(first) - bought["first_seen"]).dt.days / 365.25
    if "discounts" in bought:
        list_price = bought["revenue"] + bought["discounts"]
        known = (list_price > 0) & (found["purchases"] > 0)
        found["discount_share"] = bought["discounts"] / list_price.where(known)
    if "new_products" in bought and bought["new_products"].any():
        found["new_product_share"] = bought["new_products"] / bought["rows"].where(bought["rows"] > 0)
    known, asked = open_optional(customers), open_optional(service_cases)
    if known is not None and filled_columns(known, ["share_of_wallet"]):
        wallet = fetch(with_ids_of(log, known).select("customer_id", share="share_of_wallet"))
        found["share_of_wallet"] = wallet.set_index("customer_id")["share"].astype(float).reindex(found.index)
    if asked is not None:
        cases = fetch(_cases(with_ids_of(log, asked), first, last)).set_index("customer_id")
        found[cases.columns] = cases.reindex(found.index).fillna(0.0)
        if "minutes" in found:
            revenue = bought["revenue"].fillna(0).clip(lower=0)
            usual = found["minutes"].sum() / revenue.sum() if revenue.sum() > 0 else float("nan")
            found["minutes_beyond"] = found.pop("minutes") - usual * revenue
    return found, float(everybody["purchases"].sum())


def _bought(rows: ibis.Table, first: dt.date) -> ibis.Table:
    inside = rows.counted & within(rows.date, first)
    sums = {
        "first_seen": rows.date.min(),
        "purchases": orders_among(rows, inside),
        "rows": inside.sum(),
        "revenue": rows.amount.sum(where=inside),
    }
    if "discount" in rows.columns:
        sums["discounts"] = rows.discount.cast("float64").fill_null(0.0).sum(where=inside)
    if "product" in rows.columns:
        sold = rows.filter(rows.is_purchase & rows["product"].notnull())
        debuts = sold.group_by("product").agg(debut=sold.date.min())
        rows = rows.left_join(debuts, "product")
        sums["new_products"] = (inside & within(rows.debut, first)).fill_null(False).sum()
    return rows.group_by("customer_id").agg(**sums)


def _cases(cases: ibis.Table, first: dt.date, last: dt.date) -> ibis.Table:
    rows = cases.filter(within(cases.opened.cast("timestamp(6)"), first, last))
    filled = filled_columns(cases, ["kind", "public", "minutes"])
    sums = {"cases": rows.count().cast("float64")}
    if "kind" in filled:
        complaint = (rows.kind == "complaint").fill_null(False)
        sums["complaints"] = complaint.sum().cast("float64")
        if "public" in filled:
            seen = complaint & rows.public.cast("boolean").fill_null(False)
            sums["public_complaints"] = seen.sum().cast("float64")
    if "minutes" in filled:
        sums["minutes"] = rows.minutes.cast("float64").sum()
    return rows.group_by("customer_id").agg(**sums)


def capacity_use(capacity: Any, first: dt.date, last: dt.date) -> float:
    """Share of the capacity that was used in a period, the mean over its months and resources; NaN without any.

    Examples
    --------
    >>> import pandas as pd
    >>> month = pd.DataFrame({"date": [pd.Timestamp("2024-01-01")], "capacity": [80.0], "used": [60.0]})
    >>> capacity_use(month, dt.date(2024, 1, 1), dt.date(2024, 1, 31))
    0.75
    """
    rows = open_optional(capacity)
    if rows is None:
        return np.nan
    rows = rows.filter(within(rows.date.cast("timestamp(6)"), first, last) & (rows.capacity > 0))
    used = fetch(rows.select(share=rows.used / rows.capacity))["share"]
    return float(used.astype(float).mean()) if len(used) else np.nan


def _capacity_taken(
    claim: TierClaim, mine: np.ndarray, purchases: np.ndarray, everybody: float, use: float
) -> dict[str, Any]:
    """The share of the capacity that a tier's purchases take (`tier_mean`), against the share idle (`other_mean`).

    Every purchase, of everybody and of newcomers, is supposed to take as much; the interval is from the spread among
    customers.
    """
    if not np.isfinite(use) or not everybody > 0 or not mine.any():
        return _untested(f"needs {NEEDS[claim.measure]}")
    own = np.where(mine, purchases, 0.0)
    share = own.sum() / everybody
    error = np.sqrt(len(own) * np.var(own - share * purchases)) / everybody
    difference, reach = use * share - (1 - use), normal_quantile(0.95) * use * error
    low, high = difference - reach, difference + reach
    return {
        "customers": int(mine.sum()), "tier_mean": use * share, "other_mean": 1 - use, "difference": difference,
        "low": low, "high": high, "effect": np.nan, "verdict": claim.verdict(low, high), "why": "",
    }  # fmt: skip
