"""Platinum customers are not price-sensitive: an equivalence test on a randomised price."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

from crmlib import format as fmt
from crmlib.customers.tiers.value_tiers import value_tiers
from crmlib.data.sources import lacking, open_optional, optional
from crmlib.errors import CannotAnswerError
from crmlib.relationship.claim_tests.data import ClaimData
from crmlib.relationship.claim_tests.tested import Part, cannot, result
from crmlib.statistics import difference_of_means

KIND, TIER = "price", "Platinum"
SIDES: tuple[Literal[1, -1], ...] = (1, -1)
MARGIN = 0.1  # of the customers buy less or more often: as much as a price rise of 8 % has to bring
WINDOW_DAYS = 180
FEWEST = 30  # on either side, as for the tests of tiers


def price(data: ClaimData) -> list[dict[str, Any]]:
    """Do as many Platinum customers buy again within 180 days at a randomised higher price?

    Tiers are by what customers brought in the year before the price. Two parts: they buy not much less often, and not
    much more often (equivalence by two one-sided tests: Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics
    15(6), 1987). That nothing is found beyond chance does not show that there is nothing.
    """
    if reason := lacking(experiments=data.experiments):
        return cannot("price", reason)
    table = open_optional(data.experiments)
    assert table is not None
    trial = data.of_table(table.filter(optional(table, "kind", "string") == KIND), "assigned", "group")
    trial = trial.assign(date=pd.to_datetime(trial["assigned"])).sort_values("date")
    trial = trial.drop_duplicates("customer_id")
    trial = trial[trial["date"] <= data.last(WINDOW_DAYS)]
    if trial.empty:
        return cannot("price", f"no randomised price is {WINDOW_DAYS} days old")
    found = data.around(trial, WINDOW_DAYS).set_index("customer_id")
    try:
        tier = value_tiers(found["worth"])["tier"].astype(str).to_numpy()
    except CannotAnswerError as refusal:
        return cannot("price", str(refusal))
    again = [found.loc[(tier == TIER) & (found["group"] == name), "again"] for name in ("treated", "control")]
    sizes = [len(some) for some in again]
    if min(sizes) < FEWEST:
        people = fmt.plural(sum(sizes), "Platinum customer")
        return cannot("price", f"{people} whose price was drawn by chance")
    apart = difference_of_means(*again)
    names = ("again, not much less often", "again, not much more often")
    parts = [
        Part(name, apart.difference, apart.standard_error, "points", sum(sizes), direction, -direction * MARGIN)
        for name, direction in zip(names, SIDES, strict=True)
    ]  # fmt: skip
    return result("price", parts, f"dearer less usual price, within {fmt.points(MARGIN)} of no difference")
