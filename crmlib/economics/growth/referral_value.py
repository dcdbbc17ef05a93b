"""What recommendations are worth: the share who would not have come otherwise, and the value of who brings them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.economics.growth.data import GrowthData
from crmlib.economics.growth.referrals import BY, used_links, why_no_links
from crmlib.economics.growth.sentences import (
    account_in_words,
    groups_in_words,
    type_one_in_words,
    types_in_words,
)
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import normal_quantile

NOTHING, OFFER, ENTERED = "nothing is known", "the offer given by chance", "entered by hand"
_SHARE, _TYPES = "basis low high used", "by group referred known mean low high again"
_ACCOUNT, _GROUPS = (
    "entry unit at_least at_most",
    "group customers clv referral_value_low referral_value_high unsure",
)
IN_ALL = "in all"
CHAMPIONS, AFFLUENTS, ADVOCATES, MISERS = "Champions", "Affluents", "Advocates", "Misers"


def type_one_share(
    data: GrowthData, entered: tuple[float, float] | None = None, offer_share: float | None = None
) -> pd.DataFrame:
    """Which share of the referred would not have come otherwise; see `Growth.type_one_share`."""
    used = used_links(data)
    if used.empty:
        return no_rows(_SHARE, why_no_links(data))
    if entered is not None and not 0 <= entered[0] <= entered[1] <= 1:
        raise CrmError(
            f"type_one is {entered}; give two shares from 0 to 1, the lower first, such as (0.4, 0.8)"
        )
    rows: list[tuple[str, float, float]] = [(NOTHING, 0.0, 1.0)]
    if offer_share is not None:
        if not 0 < offer_share < 1:
            raise CrmError(
                f"offer_share is {offer_share}; give a share between 0 and 1: of the referred who got an offer"
            )
        offered = used["referral_offer"].astype("boolean").fillna(False)
        rows.append((OFFER, won_by_offer(int(offered.sum()), int((~offered).sum()), offer_share), 1.0))
    if entered is not None:
        rows.append((ENTERED, float(entered[0]), float(entered[1])))
    table = pd.DataFrame(rows, columns=["basis", "low", "high"])
    table["used"] = table.index == len(table) - 1
    return with_finding(table, type_one_in_words)


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


def referred_by_type(data: GrowthData) -> pd.DataFrame:
    """What the referred bring, by who recommended and by offer; see `Growth.referred_by_type`."""
    used = used_links(data)
    if used.empty:
        return no_rows(_TYPES, why_no_links(data))
    people = data.values.set_index("customer_id").reindex(used.index)
    rows = []
    for by in BY:
        words = {"True": "with an offer", "False": "without an offer"} if by == "referral_offer" else {}
        group = used[by].astype("string").fillna("(none)").replace(words)
        label = fmt.column(by)
        for name, some in people.groupby(group.to_numpy()):
            lived = some[some["lived"].eq(True)]
            n, mean = len(lived), lived["worth"].mean()
            reach = normal_quantile(0.95) * lived["worth"].std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
            rows.append(
                (
                    label,
                    name,
                    len(some),
                    n,
                    mean,
                    mean - reach,
                    mean + reach,
                    lived["again"].astype(float).mean(),
                )
            )
    return with_finding(pd.DataFrame(rows, columns=_TYPES.split()), types_in_words, data.within_days)


def referral_value(
    data: GrowthData,
    share: pd.DataFrame,
    values: pd.DataFrame | None,
    saved: float = 0.0,
    reward: float = 0.0,
) -> pd.DataFrame:
    """The referral value of each customer who has brought others: one row per referrer.

    `referred`, `worth` (of those brought), `low` and `high`: share of type one × worth + (saved − reward) each.
    """
    used = used_links(data)
    worth = worth_of(data, values).reindex(used.index).fillna(0.0)
    sums = worth.groupby(used["referrer_id"]).agg(["size", "sum"]).set_axis(["referred", "worth"], axis=1)
    one = share.loc[share["used"], ["low", "high"]].to_numpy(dtype=float).ravel()
    ends = (
        np.sort(np.outer(sums["worth"], one), axis=1)
        + ((saved - reward) * sums["referred"]).to_numpy()[:, None]
    )
    return sums.assign(low=ends[:, 0], high=ends[:, 1]).rename_axis("customer_id").reset_index()


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
    """What recommendations have brought, between two ends; see `Growth.referral_account`."""
    for name, amount in (("saved", saved), ("reward", reward)):
        if not 0 <= amount < np.inf:
            raise CrmError(f"{name} is {amount}; give money per customer, 0 or more")
    if share.empty:
        return no_rows(_ACCOUNT, why_no_links(data))
    used = used_links(data)
    worth = np.sort(worth_of(data, values).reindex(used.index).fillna(0.0).to_numpy())
    n = len(worth)
    low, high = share.loc[share["used"], ["low", "high"]].to_numpy(dtype=float).ravel()
    # Whoever they are: nobody knows which of the referred are the ones who would not have come.
    sums = np.concatenate([[0.0], worth.cumsum()])
    few, many = math.floor(low * n), math.ceil(high * n)
    least = min(sums[k] for k in range(few, many + 1))
    most = max(sums[-1] - sums[n - k] for k in range(few, many + 1))
    new = int((data.values["born"] > pd.Timestamp(data.day) - pd.Timedelta(365, "D")).sum())
    lately = int((used["joined"] > pd.Timestamp(data.day) - pd.Timedelta(365, "D")).sum())
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
    return with_finding(pd.DataFrame(rows, columns=_ACCOUNT.split()), account_in_words)


def value_groups(
    data: GrowthData,
    share: pd.DataFrame,
    values: pd.DataFrame | None = None,
    saved: float = 0.0,
    reward: float = 0.0,
) -> pd.DataFrame:
    """Customers by their own value and the value of those whom they brought; see `Growth.value_groups`."""
    if share.empty:
        return no_rows(_GROUPS, why_no_links(data))
    own = worth_of(data, values)
    brought = referral_value(data, share, values, saved, reward).set_index("customer_id")[["low", "high"]]
    brought = brought.reindex(own.index).fillna(0.0)
    cut = own.median()

    def named(referral: pd.Series) -> np.ndarray:
        bar = max(referral.median(), 0.0)
        much, many = own >= cut, referral > bar
        return np.select([much & many, much, many], [CHAMPIONS, AFFLUENTS, ADVOCATES], MISERS)

    middle = brought.mean(axis=1)
    table = pd.DataFrame({"group": named(middle), "clv": own, **brought.add_prefix("referral_value_")})
    table["unsure"] = named(brought["low"]) != named(brought["high"])
    names = [CHAMPIONS, AFFLUENTS, ADVOCATES, MISERS]
    found = table.groupby("group").agg(
        customers=("clv", "size"), clv=("clv", "mean"), referral_value_low=("referral_value_low", "mean"),
        referral_value_high=("referral_value_high", "mean"), unsure=("unsure", "sum"),
    )  # fmt: skip
    found = found.reindex(names).fillna({"customers": 0, "unsure": 0}).reset_index()
    assert found["customers"].sum() == len(own), "a customer was lost between groups"
    return with_finding(found, groups_in_words)
