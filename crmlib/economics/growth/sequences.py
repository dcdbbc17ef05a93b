"""From order to order: how long until the next one, and what follows on what."""

from __future__ import annotations

from itertools import pairwise

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.economics.growth.data import GrowthData
from crmlib.economics.growth.sentences import gaps_in_words, paths_in_words
from crmlib.findings import with_finding
from crmlib.models.survival_curves import survival_curves
from crmlib.no_rows import no_rows
from crmlib.statistics import benjamini_yekutieli, wilson_interval

ORDERS = 4  # the first so many are followed
WITHIN = (30, 90, 365)
FEWEST = 30  # customers, below which what follows is mostly chance
MORE, LESS, BY_CHANCE = "more than usual", "less than usual", "may be chance"
_GAPS = "step customers came median_gap within_30 within_90 within_365 within_365_low within_365_high"
_NEXT = "first then customers share low high usual lift chance verdict"
_PATHS = "path customers share"


def _numbered(data: GrowthData) -> ibis.Table:
    """The first days with an order of each new customer, numbered from 1, and what was mainly bought on each."""
    rows = data.rows.filter(_.counted)
    bought = rows[data.group].cast("string").fill_null("(none)") if data.group else ibis.literal("")
    days = rows.mutate(bought=bought).group_by("customer_id", "day").agg(bought=_.bought.argmax(_.amount))
    days = days.mutate(number=ibis.row_number().over(group_by="customer_id", order_by="day") + 1)
    return days.filter(days.number <= ORDERS).semi_join(data.people, "customer_id")


def order_gaps(data: GrowthData) -> pd.DataFrame:
    """How long until the second, third and fourth order; see `Growth.order_gaps`."""
    days = fetch(_numbered(data).select("customer_id", "number", "day"))
    if days.empty:
        return no_rows(_GAPS, "no new customer in the log")
    table = days.pivot(index="customer_id", columns="number", values="day")
    table = table.reindex(columns=range(1, ORDERS + 1)).apply(pd.to_datetime)
    found = []
    for before, after in pairwise(table.columns):
        known = table[table[before].notna()]
        if known.empty:
            break
        came = known[after].notna()
        until = known[after].fillna(pd.Timestamp(data.day))
        spells = pd.DataFrame({"tenure_months": (until - known[before]).dt.days, "ended": came})
        curve = survival_curves(spells).set_index("tenure")
        left = curve["survival"]
        row = {"step": f"{before} to {after}", "customers": len(known), "came": int(came.sum())}
        row["median_gap"] = float(left.index[left <= 0.5].min()) if (left <= 0.5).any() else np.nan
        for days_after in WITHIN:
            seen = curve.loc[:days_after] if curve.index[-1] >= days_after else curve.iloc[:0]
            row[f"within_{days_after}"] = 1 - seen["survival"].iloc[-1] if len(seen) else np.nan
        row["within_365_low"] = 1 - seen["high"].iloc[-1] if len(seen) else np.nan
        row["within_365_high"] = 1 - seen["low"].iloc[-1] if len(seen) else np.nan
        found.append(row)
    return with_finding(pd.DataFrame(found), gaps_in_words)


def _steps(data: GrowthData) -> pd.DataFrame:
    """What was mainly bought with the first three orders, and the line of business, of new customers who came back."""
    rows = data.with_line_of_business(_numbered(data).filter(_.number <= 3))
    days = fetch(rows.select("customer_id", "number", "bought", "line"))
    table = days.pivot(index=["customer_id", "line"], columns="number", values="bought").reindex(
        columns=[1, 2, 3]
    )
    return table[table[2].notna()].reset_index("line")


def next_after(data: GrowthData) -> pd.DataFrame:
    """What the second order is, by the first one; see `Growth.next_after`."""
    from scipy.stats import binom

    if not data.group:
        return no_rows(_NEXT, "the log names no product or category")
    steps = _steps(data).rename(columns={1: "first", 2: "then"})
    if steps.empty:
        return no_rows(_NEXT, "nobody has come back")
    # Usual: what the customers of the same line of business bought second, whatever they had bought first.
    lines = pd.crosstab(steps["line"], steps["then"], normalize="index")
    starts = pd.crosstab(steps["first"], steps["line"], normalize="index")
    usual = (starts @ lines).stack().rename("usual")
    table = (
        steps.groupby(["first", "then"])
        .size()
        .rename("customers")
        .reset_index()
        .join(usual, on=["first", "then"])
    )
    came, of = table["customers"], table.groupby("first")["customers"].transform("sum")
    low, high = wilson_interval(came, of)
    table = table.assign(share=came / of, low=low, high=high, lift=came / of / table["usual"])
    tails = np.minimum(binom.cdf(came, of, table["usual"]), binom.sf(came - 1, of, table["usual"]))
    table["chance"] = benjamini_yekutieli(pd.Series(np.minimum(2 * tails, 1.0)).where(of >= FEWEST))
    sure = np.where(table["lift"] > 1, MORE, LESS)
    table["verdict"] = np.where(table["chance"] <= 0.05, sure, BY_CHANCE)
    frequent = table[of >= FEWEST]
    if frequent.empty:
        return no_rows(_NEXT, f"no first product has {FEWEST} customers who came back")
    place = frequent["verdict"].map({MORE: 0, BY_CHANCE: 1, LESS: 2})
    frequent = frequent.assign(place=place).sort_values(
        ["place", "lift", "customers"], ascending=[True, False, False]
    )
    return with_finding(frequent.reset_index(drop=True)[_NEXT.split()], paths_in_words)


def purchase_paths(data: GrowthData) -> pd.DataFrame:
    """Which ways customers take over their first three orders; see `Growth.purchase_paths`."""
    if not data.group:
        return no_rows(_PATHS, "the log names no product or category")
    table = _steps(data)
    whole = table[table[3].notna()]
    if whole.empty:
        return no_rows(_PATHS, "nobody has ordered three times")
    path = whole[1].str.cat([whole[2], whole[3]], sep=" → ")
    counts = path.value_counts().rename_axis("path").rename("customers").reset_index()
    return counts.assign(share=counts["customers"] / len(whole))
