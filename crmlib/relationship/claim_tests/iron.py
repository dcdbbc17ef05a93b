"""Iron fills capacity: four parts, resource by resource."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.customers.audit.months import last_months
from crmlib.customers.profit.customer_profit import customer_profit
from crmlib.customers.tiers.value_tiers import value_tiers
from crmlib.data.sources import lacking, open_optional, optional
from crmlib.errors import CannotAnswerError
from crmlib.relationship.claim_tests.data import FEWEST, ClaimData
from crmlib.relationship.claim_tests.tested import Part, cannot, result
from crmlib.statistics import bootstrap_weights

NAME, TIER, MONTHS = "iron", "Iron", 12
SLACK, FULL = 0.9, 0.98  # of the capacity in use
LEAST_AGREEMENT = 0.8  # correlation of a resource's use with orders or minutes of service
RESAMPLES = 300


def iron(data: ClaimData) -> list[dict[str, Any]]:
    """Does Iron fill capacity that else stood idle? Tiers are those of the year before the twelve months looked at.

    Of each resource, by its own use per order (or per minute of service, whichever its use follows): Iron brings more
    than its avoidable cost in months of slack; its share of use is higher in the third of months with least use than in
    that with most; in full months it brings no less per unit used than others, whom it displaces. Below these: the
    fixed cost per unit that others would bear without it. The resource with most fixed cost decides.
    """
    if reason := lacking(capacity=data.capacity):
        return cannot(NAME, reason)
    first, last = (pd.Timestamp(day) for day in last_months(MONTHS, as_of=data.day))
    tiers = _tiers(data, first)
    of_iron = set() if tiers is None else set(tiers.loc[tiers["tier"] == TIER, "customer_id"].astype(str))
    if len(of_iron) < FEWEST:
        return cannot(NAME, f"{fmt.plural(len(of_iron), 'customer')} of the tier Iron in the year before")
    resources, months = _capacity(data, first, last), _months(data, first, last)
    found: list[dict[str, Any]] = []
    for resource, rows in resources:
        name = NAME if not found else f"{NAME}: {resource}"
        found += _of_resource(name, resource, rows, months, of_iron)
    return found or cannot(NAME, "no resource with twelve months of use")


def _tiers(data: ClaimData, first: pd.Timestamp) -> pd.DataFrame | None:
    beside = dict(service_cases=data.service_cases, touchpoints=data.touchpoints, costs=data.costs)
    start, end = first - pd.DateOffset(years=1), first - pd.Timedelta(1, "D")
    try:
        profit = customer_profit(data.transactions, start=start, end=end, margin=data.margin, **beside)
        return value_tiers(profit)
    except CannotAnswerError:
        return None


def _capacity(data: ClaimData, first: pd.Timestamp, last: pd.Timestamp) -> list[tuple[str, pd.DataFrame]]:
    """Resources with the use of each month, those with most fixed cost first."""
    rows = open_optional(data.capacity)
    assert rows is not None
    rows = rows.select("resource", "capacity", "used", date=rows.date.cast("date").truncate("M"),
                       fixed_cost=optional(rows, "fixed_cost", "float64").fill_null(0.0))  # fmt: skip
    table = rows.to_pandas()
    table = table.assign(month=pd.to_datetime(table.pop("date"))).astype({"capacity": float, "used": float})
    table = table[table["month"].between(first, last) & (table["capacity"] > 0)]
    groups = [
        (str(name), some.set_index("month"))
        for name, some in table.groupby("resource")
        if len(some) >= MONTHS
    ]
    return sorted(groups, key=lambda pair: -float(pair[1]["fixed_cost"].sum()))


def _months(data: ClaimData, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """By customer and month: `orders`, `minutes` of service, and `worth` after the cost of these."""
    rows = data.rows.filter((_.day >= first.date()) & (_.day <= last.date()))
    sums = {"worth": _.worth.sum(), "orders": _.order.nunique(where=_.counted)}
    bought = fetch(rows.group_by("customer_id", month=rows.day.truncate("M")).agg(**sums))
    cases = data.of_cases("opened", "minutes", "cost")
    month = pd.to_datetime(cases["opened"]).dt.to_period("M").dt.start_time
    cases = cases.assign(month=month, minutes=cases["minutes"].astype(float).fillna(0.0))
    rate = (data.costs.per_service_minute if data.costs else None) or 0.0
    cases["worth"] = -cases["minutes"] * rate - cases["cost"].astype(float).fillna(0.0)
    cases = cases[cases["month"].between(first, last)]
    parts = [
        part.astype({"customer_id": str})
        for part in (bought.assign(month=pd.to_datetime(bought["month"])), cases)
    ]
    both = pd.concat(parts)[["customer_id", "month", "worth", "orders", "minutes"]].fillna(0.0)
    return both.groupby(["customer_id", "month"]).sum().reset_index()


def _of_resource(
    name: str, resource: str, rows: pd.DataFrame, months: pd.DataFrame, of_iron: set[str]
) -> list[dict[str, Any]]:
    sums = months.groupby("month")[["orders", "minutes"]].sum().reindex(rows.index).fillna(0.0)
    agree = sums.corrwith(rows["used"]).dropna()
    if agree.empty or agree.max() < LEAST_AGREEMENT:
        return cannot(name, f"the use of {resource} follows neither orders nor minutes of service")
    driver = str(agree.idxmax())
    each = float(rows["used"].sum() / sums[driver].sum())
    share = rows["used"] / rows["capacity"]
    low, high = share <= share.quantile(1 / 3), share >= share.quantile(2 / 3)
    slack, full = share < SLACK, share >= FULL
    use, worth = months[driver] * each, months["worth"]
    kinds = {
        **{f"use {name}": use * months["month"].isin(rows.index[some]) for name, some in
           (("low", low), ("high", high), ("full", full), ("all", share >= 0))},
        **{f"worth {name}": worth * months["month"].isin(rows.index[some]) for name, some in
           (("slack", slack), ("full", full))},
    }  # fmt: skip
    by_customer = pd.DataFrame(kinds).groupby(months["customer_id"]).sum()
    mine = by_customer.index.isin(of_iron)
    fixed = float(rows["fixed_cost"].sum())

    def measured(weights: np.ndarray) -> list[float]:
        totals = pd.Series(weights @ by_customer.to_numpy(), by_customer.columns)
        iron = pd.Series((weights * mine) @ by_customer.to_numpy(), by_customer.columns)
        others = totals - iron
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = [iron[f"use {part}"] / totals[f"use {part}"] for part in ("low", "high")]
            displaced = iron["worth full"] / iron["use full"] - others["worth full"] / others["use full"]
            dearer = fixed / others["use all"] - fixed / totals["use all"]
        return [iron["worth slack"], shares[0] - shares[1], displaced, dearer]

    n = len(by_customer)
    values, drawn = measured(np.ones(n)), np.array([measured(w) for w in bootstrap_weights(n, RESAMPLES, 0)])
    errors = np.std(drawn, axis=0, ddof=1)
    texts = (
        "contribution in months of slack",
        "share of use, months of least less months of most use",
        "contribution per unit in full months, less others'",
        "fixed cost per unit that others would bear more",
    )
    parts = [Part(text, float(value), float(error), unit, int(mine.sum())) for text, value, error, unit in
             zip(texts, values, errors, ("money", "points", "money", "money"), strict=True)]  # fmt: skip
    if not slack.any():
        return cannot(name, f"{resource} has no month of slack in the year")
    kept = parts[:3] if full.any() else parts[:2]
    why = (
        f"{resource}, by {driver}: {fmt.plural(slack.sum(), 'month')} of slack, {fmt.count(full.sum())} full"
    )
    return [*result(name, kept, why), parts[3].row(name, texts[3]) | {"why": "what it bears now"}]
