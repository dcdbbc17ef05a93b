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
PARTS = (
    "contribution in months of slack",
    "fall of its share of use from the emptiest to the fullest month",
    "contribution per unit in full months, less others'",
    "fixed cost per unit that others would bear more",
)


def iron(data: ClaimData) -> list[dict[str, Any]]:
    """Does Iron fill capacity that else stood idle? Tiers are those of the year before the twelve months looked at.

    Of each resource, by its own use per order (or per minute of service, whichever its use follows): Iron brings more
    than its avoidable cost in months of slack; its share of use, among customers who have a tier and with the year's
    trend taken out, falls as use rises; in full months it brings no less per unit used than others, whom it displaces.
    Below these: the fixed cost per unit that others would bear without it. The resource with most fixed cost decides.
    """
    if reason := lacking(capacity=data.capacity):
        return cannot(NAME, reason)
    first, last = (pd.Timestamp(day) for day in last_months(MONTHS, as_of=data.day))
    tiers = _tiers(data, first)
    if (tiers == TIER).sum() < FEWEST:
        return cannot(
            NAME, f"{fmt.plural((tiers == TIER).sum(), 'customer')} of the tier Iron in the year before"
        )
    resources, months = _capacity(data, first, last), _months(data, first, last)
    found: list[dict[str, Any]] = []
    for resource, rows in resources:
        name = NAME if not found else f"{NAME}: {resource}"
        found += _of_resource(name, resource, rows, months, tiers)
    return found or cannot(NAME, "no resource with twelve months of use")


def _tiers(data: ClaimData, first: pd.Timestamp) -> pd.Series:
    """The tier of each customer in the year before a day."""
    beside = dict(service_cases=data.service_cases, touchpoints=data.touchpoints, costs=data.costs)
    start, end = first - pd.DateOffset(years=1), first - pd.Timedelta(1, "D")
    try:
        profit = customer_profit(data.transactions, start=start, end=end, margin=data.margin, **beside)
        found = value_tiers(profit)
    except CannotAnswerError:
        return pd.Series(dtype=object)
    return found.set_index(found["customer_id"].astype(str))["tier"].astype(object)


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
    name: str, resource: str, rows: pd.DataFrame, months: pd.DataFrame, tiers: pd.Series
) -> list[dict[str, Any]]:
    sums = months.groupby("month")[["orders", "minutes"]].sum().reindex(rows.index).fillna(0.0)
    agree = sums.loc[:, sums.std() > 0].corrwith(rows["used"]).dropna()
    if agree.empty or agree.max() < LEAST_AGREEMENT:
        return cannot(name, f"the use of {resource} follows neither orders nor minutes of service")
    driver = str(agree.idxmax())
    each = float(rows["used"].sum() / sums[driver].sum())
    busy = rows["used"] / rows["capacity"]
    slack, full = (busy < SLACK).to_numpy(), (busy >= FULL).to_numpy()
    if not slack.any():
        return cannot(name, f"{resource} has no month of slack in the year")
    use, worth = (
        months.pivot(index="customer_id", columns="month", values=column)
        .reindex(columns=rows.index)
        .fillna(0.0)
        for column in (driver, "worth")
    )
    use, tier = use * each, tiers.reindex(use.index)
    mine, known = (tier == TIER).to_numpy(), tier.notna().to_numpy()
    used, brought, fixed = use.to_numpy(float), worth.to_numpy(float), float(rows["fixed_cost"].sum())
    trend = np.column_stack([np.ones(len(rows)), np.arange(len(rows)), busy])
    width = float(busy.max() - busy.min())

    def measured(weights: np.ndarray) -> list[float]:
        ours, others, tiered = ((weights * who) @ used for who in (mine, ~mine, known))
        got, theirs = ((weights * who) @ brought for who in (mine, ~mine))
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(tiered > 0, ours / tiered, 0.0)
            displaced = got[full].sum() / ours[full].sum() - theirs[full].sum() / others[full].sum()
            bears = fixed / others.sum() - fixed / (ours + others).sum()
        falls = -width * np.linalg.lstsq(trend, share, rcond=None)[0][2]
        return [got[slack].sum(), falls, displaced, bears]

    n = len(used)
    values, drawn = measured(np.ones(n)), np.array([measured(w) for w in bootstrap_weights(n, RESAMPLES, 0)])
    errors, units = np.std(drawn, axis=0, ddof=1), ("money", "points", "money", "money")
    parts = [
        Part(text, float(value), float(error), unit, int(mine.sum()))
        for text, value, error, unit in zip(PARTS, values, errors, units, strict=True)
    ]
    kept = parts[:3] if full.any() else parts[:2]
    why = (
        f"{resource}, by {driver}: {fmt.plural(slack.sum(), 'month')} of slack, {fmt.count(full.sum())} full"
    )
    return [*result(name, kept, why), parts[3].described(name, "what it bears now")]
