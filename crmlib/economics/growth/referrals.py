"""Who recommended whom, how many customers a customer has brought by each age, and how the recommended differ.

The recommended are compared with others who joined in the same month, market and channel.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.arguments import check_choice
from crmlib.data.sources import lacking
from crmlib.economics.growth import sentences
from crmlib.economics.growth.data import BY, NONE, PROBLEMS, USED, GrowthData
from crmlib.economics.loyalty import compared_within_cells, with_two_others
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows, unless
from crmlib.statistics import Array, normal_quantile, with_ends

STEP = 30  # days, by which ages are counted
AGES = (90, 180, 360, 720)
_WINS = "group age customers wins wins_per_customer wins_per_customer_low wins_per_customer_high"
_AGAINST = (
    "outcome comparison referred others mean mean_others difference difference_low difference_high risk_ratio e_value "
    "e_value_low"
)
OUTCOMES = {"again": "came back", "worth": "brought", "later": "brought after the first day"}
CELLS = ("channel", "market")


def used_links(data: GrowthData) -> pd.DataFrame:
    """The links that have no problem."""
    return data.links[data.links["problem"] == USED]


def why_no_links(data: GrowthData) -> str:
    """Why there is no link that can be used; empty where there is one."""
    if len(used_links(data)):
        return ""
    return lacking(customers=data.customers) or "no customer has a referrer that can be used"


def group_of(used: pd.DataFrame, by: str) -> pd.Series:
    """Who recommended, or whether there was an offer, in words."""
    words = {"True": "with an offer", "False": "without an offer"} if by == "referral_offer" else {}
    return used[by].astype("string").fillna(NONE).replace(words)


def referral_checks(data: GrowthData) -> pd.DataFrame:
    """How many recommendations can be used: `problem, links, share`, every link counted once."""
    found = data.links
    if found.empty:
        return no_rows("problem links share", why_no_links(data))
    counts = found["problem"].value_counts().reindex([USED, *PROBLEMS], fill_value=0)
    counts = counts[(counts > 0) | (counts.index == USED)]
    assert counts.sum() == len(found), "a link was lost"
    table = counts.rename_axis("problem").rename("links").reset_index()
    return with_finding(table.assign(share=table["links"] / len(found)), sentences.links_in_words)


@unless(why_no_links, "customer_id generation direct downstream")
def referral_tree(data: GrowthData) -> pd.DataFrame:
    """Who has brought others: `generation` (0 for who was not recommended), `direct`, and all `downstream`."""
    parent = used_links(data)["referrer_id"]
    ids = pd.Index(np.unique([*parent.index, *parent]))
    up = np.full(len(ids), -1)
    up[ids.get_indexer(parent.index)] = ids.get_indexer(parent)
    generation, below, at = np.zeros(len(ids), dtype=int), np.zeros(len(ids), dtype=int), up.copy()
    while (at >= 0).any():  # a step up at a time: no cycle is left, so it ends
        generation += at >= 0
        below += np.bincount(at[at >= 0], minlength=len(ids))
        at = np.where(at >= 0, up[at], -1)
    direct = np.bincount(up[up >= 0], minlength=len(ids))
    table = pd.DataFrame(
        {"customer_id": ids, "generation": generation, "direct": direct, "downstream": below}
    )
    brought = table[table["direct"] > 0]
    return brought.sort_values(["downstream", "customer_id"], ascending=[False, True], ignore_index=True)


def referral_wins(data: GrowthData, by: str | None = None) -> pd.DataFrame:
    """How many customers has a customer brought at the same age, the young censored?

    By `group` (all, or `by` "recommender_type" or "referral_offer" of the recommended) and `age` in days: `customers`
    who are that old, `wins` that were seen, and the mean `wins_per_customer` with its interval.
    """
    check_choice("by", by, BY)
    used, joined = used_links(data), data.joined.dropna()
    if used.empty:
        return no_rows(_WINS, why_no_links(data))
    if data.new_from is not None:
        joined = joined[joined >= pd.Timestamp(data.new_from)]
    lived = ((pd.Timestamp(data.day) - joined).dt.days + 1) // STEP
    age = (used["joined"] - used["referrer_joined"]).dt.days // STEP
    who = joined.index.get_indexer(used["referrer_id"])
    events = pd.DataFrame({"who": who, "step": age, "group": group_of(used, by) if by else "all"})
    rows = []
    for name, some in events[events["who"] >= 0].groupby("group"):
        wins, mean, error = _mean_wins(lived.to_numpy(), some["who"].to_numpy(), some["step"].to_numpy())
        for days in AGES:
            last = days // STEP - 1
            if last < len(mean) and (old := int((lived > last).sum())):
                row = {"group": name, "age": days, "customers": old, "wins": int(wins[last])}
                rows.append(row | with_ends("wins_per_customer", mean[last], error[last]))
    if not rows:
        return no_rows(_WINS, f"no customer is known for {fmt.days(min(AGES))}")
    table = pd.DataFrame(rows)
    table["wins_per_customer_low"] = table["wins_per_customer_low"].clip(lower=0.0)
    return with_finding(table, sentences.wins_in_words)


def _mean_wins(lived: Array, who: Array, step: Array) -> tuple[Array, Array, Array]:
    """Wins so far, their mean per customer and its standard error, by step of age; who is younger is censored.

    Mean cumulative function with the robust error of Lawless & Nadeau, Technometrics 37(2), 1995.
    """
    seen = step < lived[who]
    who, step = who[seen], step[seen]
    steps = int(lived.max(initial=0))
    at_risk = np.array([(lived > k).sum() for k in range(steps)], dtype=float)
    wins = np.bincount(step, minlength=steps)[:steps].astype(float)
    rate = wins / at_risk
    # What each customer moves the mean: own wins less what is expected, while they are at risk.
    expected = np.concatenate([[0.0], np.cumsum(rate / at_risk)])
    square = np.array([(expected[np.minimum(lived, k + 1)] ** 2).sum() for k in range(steps)])
    persons, place = np.unique(who, return_inverse=True)
    cells = place * steps + step
    own = np.bincount(cells, 1 / at_risk[step], len(persons) * steps).reshape(len(persons), steps)
    own = own.cumsum(axis=1)
    theirs = np.stack([expected[np.minimum(lived[persons], k + 1)] for k in range(steps)], axis=1)
    variance = square + ((own - theirs) ** 2 - theirs**2).sum(axis=0)
    return wins.cumsum(), rate.cumsum(), np.sqrt(np.maximum(variance, 0.0))


def referred_against_others(data: GrowthData) -> pd.DataFrame:
    """Do the recommended come back more and bring more than others who joined in the same month?

    By `outcome` and `comparison` (all others; others of the same month, channel and market of the first order and line
    of business): `referred, others`, their means, the `difference` with an interval; of who came back the `risk_ratio`,
    its E-value and that of the end of its interval that is nearer to 1.
    """
    noted = data.links
    used = noted.index[noted["problem"] == USED]
    if not len(used):
        return no_rows(_AGAINST, why_no_links(data))
    people = data.known_long
    people = people[people.index.isin(used) | ~people.index.isin(noted.index)]  # links set aside are neither
    first = data.first_orders.reindex(people.index)
    kinds = [first[name] for name in CELLS if name in first]
    if "product_type" in data.known_customers:
        kinds.append(data.known_customers["product_type"].reindex(people.index))
    keys = [people["born"].dt.to_period("M").astype(str)]
    keys += [kind.astype(object).where(kind.notna(), NONE) for kind in kinds]
    cell = people.groupby([key.to_numpy() for key in keys]).ngroup().to_numpy()
    joined = people.index.isin(used)
    usable = with_two_others(joined, cell)
    if not (joined & usable).any():
        why = f"none of {joined.sum()} referred customers known for {data.within_days} days has two others alike"
        return no_rows(_AGAINST, why)
    rows = []
    who, everyone = people.index.to_numpy(), np.zeros(len(people), dtype=int)
    for column, outcome in OUTCOMES.items():
        values = people[column].to_numpy(dtype=float)
        for name, groups, kept in (("all others", everyone, joined >= 0), ("others like them", cell, usable)):
            found = compared_within_cells(values[kept], joined[kept], groups[kept], who[kept])
            row = {"outcome": outcome, "comparison": name, "referred": int((joined & kept).sum())}
            row |= {"others": int((~joined & kept).sum()), "mean": found.members, "mean_others": found.others}
            ratio = found.members / found.others if column == "again" and found.others > 0 else np.nan
            wide = np.exp(normal_quantile(0.95) * found.ratio_error)
            at_one, at_end = e_values(ratio, ratio / wide, ratio * wide)
            row |= {"risk_ratio": ratio, "e_value": at_one, "e_value_low": at_end}
            rows.append(row | with_ends("difference", found.members - found.others, found.error))
    table = pd.DataFrame(rows)[_AGAINST.split()]
    return with_finding(table, sentences.referred_in_words, data.within_days)


def e_value(ratio: float) -> float:
    """How strongly something unseen would have to go with both, to undo a risk ratio.

    Notes
    -----
    VanderWeele & Ding, Annals of Internal Medicine 167(4), 2017.

    Examples
    --------
    >>> round(e_value(1.5), 2), round(e_value(1 / 1.5), 2), e_value(1.0)
    (2.37, 2.37, 1.0)
    """
    if not ratio > 0:
        if np.isnan(ratio):
            return np.nan
        raise CrmError(f"ratio is {ratio}; a ratio of two risks is above 0")
    above = max(ratio, 1 / ratio)
    return float(above + np.sqrt(above * (above - 1)))


def e_values(ratio: float, low: float, high: float) -> tuple[float, float]:
    """The E-value of a ratio, and of the end of its interval that is nearer to 1: 1 where it holds 1."""
    if np.isnan([ratio, low, high]).any():
        return (e_value(ratio) if not np.isnan(ratio) else np.nan), np.nan
    return e_value(ratio), (1.0 if low <= 1 <= high else e_value(low if low > 1 else high))
