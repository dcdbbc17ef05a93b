"""From order to order: the time until the next order, and which product follows which."""

from __future__ import annotations

from itertools import pairwise

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.economics.growth import sentences
from crmlib.economics.growth.data import GrowthData
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
    return days.filter(days.number <= ORDERS).semi_join(data.new_customers, "customer_id")


def order_gaps(data: GrowthData) -> pd.DataFrame:
    """How long until the second, third and fourth order, those who have not come yet censored?

    By `step`: `customers`, of whom `came`, `median_gap` (days; not known where less than half come), the shares
    `within_30`, `within_90` and `within_365` (Kaplan–Meier), the last with an interval.
    """
    table = data.kept("days of orders", lambda: _days_of_orders(data))
    if table.empty:
        return no_rows(_GAPS, "no new customer in the log")
    found = []
    for before, after in pairwise(table.columns):
        known = table[table[before].notna()]
        if known.empty:
            break
        row = {"step": f"{before} to {after}", "customers": len(known), "came": int(known[after].count())}
        found.append(row | came_within(known[before], known[after], pd.Timestamp(data.day), WITHIN))
    return with_finding(pd.DataFrame(found), sentences.gaps_in_words)


def _days_of_orders(data: GrowthData) -> pd.DataFrame:
    """The days of the first orders of each new customer (index), a column each."""
    days = fetch(_numbered(data).select("customer_id", "number", "day"))
    table = days.pivot(index="customer_id", columns="number", values="day")
    return table.reindex(columns=range(1, ORDERS + 1)).apply(pd.to_datetime)


def came_within(
    since: pd.Series, until: pd.Series, last: pd.Timestamp, within: tuple[int, ...]
) -> dict[str, float]:
    """How soon something came, of those for whom it has not come yet censored: `median_gap` (days) and shares.

    `within_DAYS` for each number of days (Kaplan–Meier), the last one with its interval; not known where nobody was
    followed so long.
    """
    spells = pd.DataFrame({"tenure_months": (until.fillna(last) - since).dt.days, "ended": until.notna()})
    curve = survival_curves(spells).set_index("tenure")
    half = curve.index[curve["survival"] <= 0.5]
    row = {"median_gap": float(half.min()) if len(half) else np.nan}
    nothing = pd.Series(np.nan, index=curve.columns)
    for days in within:
        seen = curve.loc[:days].iloc[-1] if curve.index[-1] >= days else nothing
        row[f"within_{days}"] = 1 - seen["survival"]
    return row | {f"within_{days}_low": 1 - seen["high"], f"within_{days}_high": 1 - seen["low"]}


def _steps(data: GrowthData) -> pd.DataFrame:
    """What was mainly bought with the first three orders, and the line of business, of new customers who came back."""
    rows = data.with_line_of_business(_numbered(data).filter(_.number <= 3))
    days = fetch(rows.select("customer_id", "number", "bought", "line"))
    table = days.pivot(index=["customer_id", "line"], columns="number", values="bought")
    table = table.reindex(columns=[1, 2, 3])
    return table[table[2].notna()].reset_index("line")


def next_after(data: GrowthData) -> pd.DataFrame:
    """What is the second order, by the first: `first, then, customers, share, low, high, usual, lift, verdict`.

    `usual` is the share among all second orders of the same lines of business; the `chance` is adjusted for all pairs
    (Benjamini–Yekutieli). First products with fewer than 30 customers who came back are left out.
    """
    from scipy.stats import binom

    if data.no_product:
        return no_rows(_NEXT, data.no_product)
    steps = data.kept("steps", lambda: _steps(data)).rename(columns={1: "first", 2: "then"})
    if steps.empty:
        return no_rows(_NEXT, "nobody has come back")
    # Usual: what the customers of the same line of business bought second, whatever they had bought first.
    lines = pd.crosstab(steps["line"], steps["then"], normalize="index")
    starts = pd.crosstab(steps["first"], steps["line"], normalize="index")
    usual = (starts @ lines).stack().rename("usual")
    table = steps.groupby(["first", "then"]).size().rename("customers").reset_index()
    table = table.join(usual, on=["first", "then"])
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
    order = ["place", "lift", "customers"]
    frequent = frequent.assign(place=place).sort_values(
        order, ascending=[True, False, False], ignore_index=True
    )
    return with_finding(frequent[_NEXT.split()], sentences.paths_in_words)


def purchase_paths(data: GrowthData) -> pd.DataFrame:
    """Which ways do customers take over their first three orders: `path, customers, share`?"""
    if data.no_product:
        return no_rows(_PATHS, data.no_product)
    table = data.kept("steps", lambda: _steps(data))
    whole = table[table[3].notna()]
    if whole.empty:
        return no_rows(_PATHS, "nobody has ordered three times")
    path = whole[1].str.cat([whole[2], whole[3]], sep=" → ")
    counts = path.value_counts().rename_axis("path").rename("customers").reset_index()
    return counts.assign(share=counts["customers"] / len(whole))
