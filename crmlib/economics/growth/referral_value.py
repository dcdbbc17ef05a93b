"""What recommendations are worth: the share who would not have come otherwise, and the value of who brings them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.arguments import check_range
from crmlib.economics.growth import sentences
from crmlib.economics.growth.data import BY, GrowthData
from crmlib.economics.growth.referrals import group_of, used_links, why_no_links
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows, unless
from crmlib.statistics import mean_with_ends, normal_quantile

NOTHING, OFFER, ENTERED = "nothing is known", "the offer given by chance", "entered by hand"
_VALUES = "customer_id referral_value low high"
_ACCOUNT = "entry unit at_least at_most"
IN_ALL = "in all"
CHAMPIONS, AFFLUENTS, ADVOCATES, MISERS = "Champions", "Affluents", "Advocates", "Misers"


@unless(why_no_links, "basis low high used")
def type_one_share(
    data: GrowthData, entered: tuple[float, float] | None = None, offer_share: float | None = None
) -> pd.DataFrame:
    """Which share of the recommended would not have come otherwise (type one)?

    Bounds `low` and `high` by `basis`; the last is `used`. `offer_share`: the chance with which the recommended got an
    offer; those whom it has won are of type one. `entered`: a range from a survey or a trial of the firm's own.
    """
    try:
        low, high = (0.0, 1.0) if entered is None else map(float, entered)
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0 <= low <= high <= 1:
        raise CrmError(
            f"type_one is {entered}; give two shares from 0 to 1, the lower first, such as (0.4, 0.8)"
        )
    rows: list[tuple[str, float, float]] = [(NOTHING, 0.0, 1.0)]
    if offer_share is not None:
        check_range(
            "offer_share", offer_share, "the share of the referred who got an offer", above=0, below=1
        )
        offered = used_links(data)["referral_offer"].astype("boolean").dropna()
        rows.append((OFFER, won_by_offer(int(offered.sum()), int((~offered).sum()), offer_share), 1.0))
    if entered is not None:
        rows.append((ENTERED, low, high))
    table = pd.DataFrame(rows, columns=["basis", "low", "high"])
    table["used"] = table.index == len(table) - 1
    return with_finding(table, sentences.type_one_in_words)


def won_by_offer(offered: int, others: int, offer_share: float) -> float:
    """At least this share of the referred would not have come without the offer that chance gave to some.

    As many would have come with as without it, by the odds of getting one; what is more, the offer has won. The lower
    end of a 95 % interval of the ratio; who is won by an offer would not have come without a recommendation either.

    Examples
    --------
    >>> round(won_by_offer(600, 400, 0.5), 3), won_by_offer(50, 50, 0.5)
    (0.146, 0.0)
    """
    if not offered or not others:
        return 0.0
    ratio = offered / others * (1 - offer_share) / offer_share
    low = ratio * math.exp(-normal_quantile(0.95) * math.sqrt(1 / offered + 1 / others))
    return offered / (offered + others) * max(1 - 1 / low, 0.0)


@unless(why_no_links, "by group referred known mean low high again")
def referred_by_type(data: GrowthData) -> pd.DataFrame:
    """What do the recommended bring, `by` recommender or offer: `referred`, `known` so long, `mean`, `again`?"""
    used, rows = used_links(data), []
    people = data.values.set_index("customer_id").reindex(used.index)
    for by in BY:
        for name, some in people.groupby(group_of(used, by).to_numpy()):
            lived = some[some["lived"].eq(True)]
            row = {"by": fmt.column(by), "group": name, "referred": len(some), "known": len(lived)}
            row |= mean_with_ends("mean", lived["worth"])
            rows.append(row | {"again": lived["again"].astype(float).mean()})
    table = pd.DataFrame(rows).rename(columns={"mean_low": "low", "mean_high": "high"})
    return with_finding(table, sentences.types_in_words, data.within_days)


def worth_of(data: GrowthData, values: pd.DataFrame | None) -> pd.Series:
    """What each customer has brought so far, and what is expected of them where `values` (with `clv`) say it."""
    so_far = data.values.set_index("customer_id")["total"]
    if values is None or not len(values):
        return so_far
    ahead = values.assign(customer_id=values["customer_id"].astype(str)).set_index("customer_id")["clv"]
    return so_far.add(ahead.reindex(so_far.index).fillna(0.0))


def referral_account(
    data: GrowthData,
    share: pd.DataFrame,
    values: pd.DataFrame | None = None,
    saved: float = 0.0,
    reward: float = 0.0,
) -> pd.DataFrame:
    """What have recommendations brought: `entry`, `at_least` and `at_most`, which hold whoever is of type one.

    `share` is the answer of `type_one_share`, `values` that of `customer_lifetime_value`; `saved` and `reward` are
    money per recommended customer: what winning one costs otherwise, and what the firm pays.

    Notes
    -----
    Kumar, Petersen & Leone, Journal of Marketing 74(5), 2010: type one brings its value and the cost saved, type two
    the cost alone.
    """
    for name, amount in (("saved", saved), ("reward", reward)):
        check_range(name, amount, "money per customer, 0 or more", least=0)
    if share.empty:
        return no_rows(_ACCOUNT, why_no_links(data))
    used = used_links(data)
    worth = np.sort(worth_of(data, values).reindex(used.index).fillna(0.0).to_numpy())
    n, (low, high) = len(worth), _bounds(share)
    # Whoever they are: nobody knows which of the referred are the ones who would not have come.
    sums = np.concatenate([[0.0], worth.cumsum()])
    few, many = math.floor(low * n), math.ceil(high * n)
    least = min(sums[k] for k in range(few, many + 1))
    most = max(sums[-1] - sums[n - k] for k in range(few, many + 1))
    year_ago = pd.Timestamp(data.day) - pd.Timedelta(365, "D")
    new, lately = (data.values["born"] > year_ago).sum(), (used["joined"] > year_ago).sum()
    part = min(lately / new, 1.0) if new else np.nan
    other = saved - reward
    without = [saved / (1 - part * end) if saved and part * end < 1 else np.nan for end in (low, high)]
    expected = " and expected" if values is not None and len(values) else ""
    rows = [
        ("customers who were recommended", "count", n, n),
        ("of them, would not have come otherwise", "count", few, many),
        (f"their {data.value}, so far{expected}", "money", least, most),
        ("cost of winning customers that was saved", "money", saved * n, saved * n),
        ("rewards", "money", -reward * n, -reward * n),
        (IN_ALL, "money", least + other * n, most + other * n),
        ("recommended, of the new customers of a year", "share", part, part),
        ("cost of a new customer", "money", saved or np.nan, saved or np.nan),
        ("cost of a new customer without recommendations", "money", *without),
    ]
    return with_finding(pd.DataFrame(rows, columns=_ACCOUNT.split()), sentences.account_in_words)


def _bounds(share: pd.DataFrame) -> np.ndarray:
    """The lower and upper share of type one customers used in the bounds."""
    return share.loc[share["used"], ["low", "high"]].to_numpy(dtype=float).ravel()


@unless(why_no_links, _VALUES)
def referral_values(
    data: GrowthData,
    share: pd.DataFrame,
    values: pd.DataFrame | None = None,
    saved: float = 0.0,
    reward: float = 0.0,
) -> pd.DataFrame:
    """What those are worth whom each customer has brought: `customer_id`, `low`, `high` and the middle of the two.

    The share of type one of what they are worth, and `saved` less `reward` for each. Parameters as of
    `referral_account`.
    """
    own, referrer = worth_of(data, values), used_links(data)["referrer_id"]
    worth = own.reindex(referrer.index).fillna(0.0).groupby(referrer)
    ends = np.sort(np.outer(worth.sum(), _bounds(share)), axis=1)
    ends += (saved - reward) * worth.size().to_numpy()[:, None]
    found = pd.DataFrame({"customer_id": worth.size().index, "low": ends[:, 0], "high": ends[:, 1]})
    return found.assign(referral_value=found[["low", "high"]].mean(axis=1))[_VALUES.split()]


def value_groups(
    data: GrowthData,
    share: pd.DataFrame,
    values: pd.DataFrame | None = None,
    saved: float = 0.0,
    reward: float = 0.0,
) -> pd.DataFrame:
    """Champions, Affluents, Advocates and Misers: who buys much, and who brings others?

    By `group`: `customers`, their mean `clv` and referral value between two ends, and how many are `unsure`: in another
    group at the other end of `share`. Much is above the median customer; the referral value is the share of type one of
    what those brought are worth, and `saved` less `reward` for each. Parameters as of `referral_account`.
    """
    if share.empty:
        columns = "group customers clv referral_value_low referral_value_high unsure"
        return no_rows(columns, why_no_links(data))
    own, names = worth_of(data, values), ["referral_value_low", "referral_value_high"]
    brought = referral_values(data, share, values, saved, reward).set_index("customer_id")[["low", "high"]]
    brought = brought.set_axis(names, axis=1).reindex(own.index).fillna(0.0)

    def named(referral: pd.Series) -> np.ndarray:
        much, many = own >= own.median(), referral > max(referral.median(), 0.0)
        return np.select([much & many, much, many], [CHAMPIONS, AFFLUENTS, ADVOCATES], MISERS)

    unsure = named(brought[names[0]]) != named(brought[names[1]])
    table = brought.assign(clv=own, unsure=unsure).groupby(named(brought.mean(axis=1)))
    found = pd.DataFrame(
        {"customers": table.size(), **table[["clv", *names]].mean(), "unsure": table["unsure"].sum()}
    )
    found = found.reindex([CHAMPIONS, AFFLUENTS, ADVOCATES, MISERS]).fillna({"customers": 0, "unsure": 0})
    assert found["customers"].sum() == len(own), "a customer was lost between groups"
    return with_finding(found.rename_axis("group").reset_index(), sentences.groups_in_words)
