"""Promoters refer more customers afterwards."""

from __future__ import annotations

from typing import Any

import pandas as pd

from crmlib import format as fmt
from crmlib.data.sources import lacking
from crmlib.economics.growth.referrals import used_links, why_no_links
from crmlib.relationship.claim_tests.answers import first_answers
from crmlib.relationship.claim_tests.data import BASELINE, FEWEST, ClaimData, controls
from crmlib.relationship.claim_tests.slopes import slope
from crmlib.relationship.claim_tests.tested import Part, cannot, result

WINDOW_DAYS = 365  # after an answer, in which a customer brought counts
PROMOTER = 0.9  # of the best answer, from which on a customer is a promoter (Reichheld 2003: 9 and 10 of 10)


def promoters(data: ClaimData) -> list[dict[str, Any]]:
    """Do promoters bring more customers in the year *after* their answer than others with the same history?

    One answer per customer; whom they had brought before, tenure, recency, orders, spend, complaints and market are
    held equal. Who comes before the answer does not count, for having brought somebody may make a promoter.
    """
    if reason := lacking(surveys=data.surveys) or why_no_links(data):
        return cannot("promoters", reason)
    found = data.around(first_answers(data, "nps", WINDOW_DAYS), WINDOW_DAYS)
    found = found[found["tenure"].notna()].reset_index(drop=True)
    if len(found) < FEWEST:
        return cannot("promoters", f"{fmt.plural(len(found), 'customer')} whose answer is a year old")
    links, asked = used_links(data)[["referrer_id", "joined"]], found[["customer_id", "date"]]
    links = links.merge(asked, left_on="referrer_id", right_on="customer_id")
    days = (pd.to_datetime(links["joined"]) - links["date"]).dt.days
    later, before = (
        links[some].groupby("customer_id").size().reindex(found["customer_id"], fill_value=0).to_numpy(float)
        for some in ((days > 0) & (days <= WINDOW_DAYS), days <= 0)
    )
    if not later.any():
        return cannot("promoters", "nobody who answered brought a customer afterwards")
    found = found.assign(before=before)
    is_promoter = (found["score"] >= PROMOTER - 1e-9).astype(float)
    value, error = slope(later, is_promoter, controls(found, *BASELINE, "before"))
    n = int(is_promoter.sum())
    why = f"{fmt.plural(n, 'promoter')} against {fmt.plural(len(found) - n, 'other')} with the same history"
    part = Part("customers brought within a year", value, error, "ratio", len(found))
    return result("promoters", [part], why)
