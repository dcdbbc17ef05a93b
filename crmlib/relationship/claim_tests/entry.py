"""Customers who begin with the smallest product buy again more often."""

from __future__ import annotations

from typing import Any

import numpy as np

from crmlib import format as fmt
from crmlib.economics.growth.upsell import ALL, entry_ladder, rungs
from crmlib.economics.loyalty import compared_within_cells, with_two_others
from crmlib.relationship.claim_tests.data import FEWEST, ClaimData
from crmlib.relationship.claim_tests.tested import Part, cannot, result

FROM_DAYS, UNTIL_DAYS = 180, 365  # after the first order, between which a purchase counts


def entry(data: ClaimData) -> list[dict[str, Any]]:
    """Do customers who begin with the cheapest product of a category still buy more often after half a year?

    Against those who begin with a dearer one of the same category, quarter, market and line of business. With it the
    ladder: how many go up to a dearer product within a year, and how long the step takes.
    """
    ladder = rungs(data)
    if ladder.empty:
        return cannot("entry", "the log names no product and category, or no category has two products")
    first = data.first_orders.reset_index().merge(ladder, on=["category", "product"])
    born = data.values.set_index("customer_id")["born"]
    first = first.assign(date=first["customer_id"].map(born).astype("datetime64[ns]"))
    first = first[first["date"] <= data.last(UNTIL_DAYS)]
    quarter = first["date"].dt.to_period("Q").astype(str)
    later = first[["customer_id", "rung", "category"]].assign(quarter=quarter)
    half_a_year_on = first["date"] + np.timedelta64(FROM_DAYS, "D")
    found = data.around(later.assign(date=half_a_year_on), UNTIL_DAYS - FROM_DAYS)
    smallest = (found["rung"] == 1).to_numpy()
    cell = found.groupby(["quarter", "category", "market", "product_type"]).ngroup().to_numpy()
    kept = with_two_others(smallest, cell) if len(found) else smallest
    began = f"{fmt.plural((smallest & kept).sum(), 'customer')} who began with the smallest product"
    if (smallest & kept).sum() < FEWEST or (~smallest & kept).sum() < FEWEST:
        return cannot("entry", began)
    again, who = found["again"].to_numpy(float)[kept], found["customer_id"].to_numpy()[kept]
    apart = compared_within_cells(again, smallest[kept], cell[kept], who)
    n = int(smallest[kept].sum())
    part = Part("bought again after half a year", apart.members - apart.others, apart.error, "points", n)
    why = f"{began}, others alike"
    steps = entry_ladder(data)
    step = steps[(steps["category"] == ALL) & (steps["rung"] == 1)] if len(steps) else steps
    if len(step):
        row = step.iloc[0]
        up, wait = fmt.share(row["within_365"]), fmt.days(row["median_gap"])
        why += f"; {up} go up within a year, half of those who ever do within {wait}"
    return result("entry", [part], why)
