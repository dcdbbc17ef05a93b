"""Referred customers are better: margin at equal age, net of what it cost to win them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.data.sources import lacking, open_optional
from crmlib.economics.growth.data import USED
from crmlib.economics.growth.referrals import e_value, why_no_links
from crmlib.relationship.claim_tests.data import FEWEST, ClaimData
from crmlib.relationship.claim_tests.tested import Part, cannot, result
from crmlib.statistics import Array, bootstrap_weights, normal_quantile

NAME = "referred"
RESAMPLES = 300
REFERRAL = "referral"  # the channel whose spend is the rewards


def referred(data: ClaimData) -> list[dict[str, Any]]:
    """Do the referred bring more within a year, net of rewards and acquisition cost, than those who came otherwise?

    Of the same month of joining, market and line of business; against all others, and against the paid channel that
    brings most net of its cost. Resamples are of referral trees, whose members are alike. That they are better
    *because* they were referred only a randomised offer could show; else the reason says how strongly something
    unseen would have to go with both to explain it (E-value of the standardised difference).
    """
    if reason := why_no_links(data) or lacking(marketing_spend=data.marketing_spend):
        return cannot(NAME, reason)
    people = _people(data)
    is_referred = people["referred"].to_numpy()
    if is_referred.sum() < FEWEST or (~is_referred).sum() < FEWEST:
        return cannot(NAME, f"{fmt.plural(is_referred.sum(), 'referred customer')} known for a year")
    paid = people[~is_referred & (people["cost"] > 0)].groupby("channel")["net"].agg(["mean", "size"])
    paid = paid[paid["size"] >= FEWEST].sort_values("mean", ascending=False)
    against = {f"the paid channel {name}": is_referred | (people["channel"] == name) for name in paid.index}
    parts, hidden = [], np.nan
    for name, rows in {"all others": is_referred | True, **against}.items():
        value, error, n = within_cells(people[rows])
        if np.isnan(value) and name != "all others":
            continue
        parts.append(Part(f"net {data.value} within a year, against {name}", value, error, "money", n))
        spread = float(people.loc[rows, "net"].std())
        least = max(value - normal_quantile(0.95) * error, 0.0) / spread if spread > 0 else 0.0
        hidden = np.nanmin([hidden, e_value(float(np.exp(0.91 * least)))])
        if name != "all others":
            break  # the best channel with comparable customers
    why = (
        f"{fmt.plural(is_referred.sum(), 'referred customer')}, others of the same month, market and line of business; "
        f"not shown to be because of it: something unseen of strength {fmt.number(hidden, 1)} would explain it"
        + ("" if len(parts) > 1 else "; no paid channel has enough customers alike")
    )
    return result(NAME, parts, why)


def _people(data: ClaimData) -> pd.DataFrame:
    """New customers known for a year: `net` of the `cost` to win them, `channel`, `referred`, `cell` and `tree`."""
    noted = data.links
    used = noted.loc[noted["problem"] == USED, "referrer_id"]
    everybody = data.values.set_index("customer_id")
    table = data.known_customers.reindex(everybody.index).reindex(columns=["acquisition_channel"])
    channel = table["acquisition_channel"].astype(object).fillna("(not known)").astype(str)
    channel = channel.mask(channel.index.isin(used.index), REFERRAL)
    spend = open_optional(data.marketing_spend)
    assert spend is not None
    money = spend.select("channel", "amount", day=spend.date.cast("date")).to_pandas()
    money = money[pd.to_datetime(money["day"]) <= pd.Timestamp(data.day)]
    spent = money.groupby(money["channel"].astype(str))["amount"].sum().astype(float)
    cost = channel.map(spent / channel.value_counts()).fillna(0.0).astype(float)
    people = everybody.assign(channel=channel, cost=cost, net=everybody["worth"] - cost)
    people = people.assign(referred=people.index.isin(used.index))
    people = people[people["lived"] & ~people.index.isin(noted.index[noted["problem"] != USED])]
    kinds = data.kinds.reindex(people.index).fillna("")
    keys = [people["born"].dt.to_period("M").astype(str), kinds["market"], kinds["product_type"]]
    cell = people.groupby([key.to_numpy() for key in keys]).ngroup()
    return people.assign(cell=cell, tree=roots(people.index, used))


def roots(people: pd.Index, used: pd.Series) -> np.ndarray:
    """The first customer of the referral tree of each one."""
    at = pd.Series(people, index=people)
    while (higher := at.map(used)).notna().any():
        at = higher.fillna(at)
    return at.to_numpy(str)


def within_cells(people: pd.DataFrame) -> tuple[float, float, int]:
    """Net of the referred less that of others in the same cells, its error by resamples of trees, and how many.

    Cells count by their referred customers; those without both are left out.
    """
    referred, cell = people["referred"].to_numpy(), people["cell"].to_numpy()
    sizes = np.array([np.bincount(cell[who], minlength=cell.max() + 1) for who in (referred, ~referred)])
    kept = ((sizes[0] > 0) & (sizes[1] > 1))[cell]
    if (kept & referred).sum() < FEWEST // 2:
        return np.nan, np.nan, int((kept & referred).sum())
    referred, cell = referred[kept], np.unique(cell[kept], return_inverse=True)[1]
    net, tree = people["net"].to_numpy(float)[kept], people["tree"].to_numpy()[kept]

    def apart(weights: Array) -> float:
        n = [np.bincount(cell[who], weights[who], cell.max() + 1) for who in (referred, ~referred)]
        sums = [np.bincount(cell[who], (weights * net)[who], cell.max() + 1) for who in (referred, ~referred)]
        known = (n[0] > 0) & (n[1] > 0)
        gap = sums[0][known] / n[0][known] - sums[1][known] / n[1][known]
        return float(np.average(gap, weights=n[0][known])) if known.any() else np.nan

    drawn = [apart(weights) for weights in bootstrap_weights(len(net), RESAMPLES, 0, groups=tree)]
    return apart(np.ones(len(net))), float(np.nanstd(drawn, ddof=1)), int(referred.sum())
