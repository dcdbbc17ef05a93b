"""Iron customers fill spare capacity: four parts, resource by resource."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers.audit.months import last_months
from crmlib.data.sources import lacking
from crmlib.relationship.claim_tests.capacity import MONTHS, resources_of, tiers_before, use_by_month
from crmlib.relationship.claim_tests.data import FEWEST, ClaimData
from crmlib.relationship.claim_tests.tested import Part, cannot, result
from crmlib.statistics import bootstrap_weights

NAME, TIER = "iron", "Iron"
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
    """Do Iron customers fill capacity that would be idle? Tiers are those of the year before the last twelve months.

    Of each resource, by its own use per order (or per minute of service, whichever its use follows): Iron brings more
    than its avoidable cost in months of slack; its share of use, among customers who have a tier and with the year's
    trend taken out, falls as use rises; in full months it brings no less per unit used than others, whom it displaces.
    Below these: the fixed cost per unit that others would bear without it. The resource with most fixed cost decides.
    """
    if reason := lacking(capacity=data.capacity):
        return cannot(NAME, reason)
    first, last = (pd.Timestamp(day) for day in last_months(MONTHS, as_of=data.day))
    tiers = tiers_before(data, first)
    if (n := (tiers == TIER).sum()) < FEWEST:
        return cannot(NAME, f"{fmt.plural(n, 'customer')} of the tier Iron in the year before")
    resources, months = resources_of(data, first, last), use_by_month(data, first, last)
    found: list[dict[str, Any]] = []
    for resource, rows in resources:
        name = NAME if not found else f"{NAME}: {resource}"
        found += _of_resource(name, resource, rows, months, tiers)
    return found or cannot(NAME, "no resource with twelve months of use")


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
    wide = months.pivot(index="customer_id", columns="month", values=[driver, "worth"])
    use, worth = (wide[column].reindex(columns=rows.index).fillna(0.0) for column in (driver, "worth"))
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
    slack_months = fmt.plural(slack.sum(), "month")
    why = f"{resource}, by {driver}: {slack_months} of slack, {fmt.count(full.sum())} full"
    return [*result(name, kept, why), parts[3].described(name, "what it bears now")]
