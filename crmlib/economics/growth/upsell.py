"""Up-selling: moves between dearer and cheaper products and plans, products held, and the ladder from the smallest."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.data.sources import lacking
from crmlib.economics.growth.data import GrowthData
from crmlib.economics.growth.sentences import held_in_words, ladder_in_words, moves_in_words, plans_in_words
from crmlib.findings import with_finding
from crmlib.models.survival_curves import survival_curves
from crmlib.no_rows import no_rows
from crmlib.statistics import normal_quantile

MOST_RUNGS = 4  # of more products than these, the rungs of a category are quarters of its prices
FEWEST = 30  # customers of a rung, below which what follows is mostly chance
ALL = "all categories"
_MOVES = "category moves up same_rung down net_up net_up_low net_up_high"
_LADDER = "category rung customers went_up within_365 within_365_low within_365_high median_gap"
_PLANS = "move changes share customers price_change"
_HELD = "held customers share brought brought_low brought_high again"


def rungs(data: GrowthData) -> pd.DataFrame:
    """Each product's `rung` in its category, 1 the cheapest, by the median price of a piece."""
    rows = data.rows
    if "category" not in rows.columns or "product" not in rows.columns:
        return pd.DataFrame(columns=["category", "product", "rung"])
    pieces = rows.quantity.cast("float64") if "quantity" in rows.columns else ibis.literal(1.0)
    bought = rows.filter(rows.counted & (rows.amount > 0) & (pieces > 0)).mutate(price=rows.amount / pieces)
    names = [bought[name].cast("string").name(name) for name in ("category", "product")]
    found = fetch(bought.group_by(names).agg(price=_.price.median(), n=_.count()))
    found = found.dropna(subset=["category", "product"]).sort_values(["category", "price", "product"])
    place = found.groupby("category").cumcount()
    of = found.groupby("category")["price"].transform("size")
    quarter = (place * MOST_RUNGS) // of
    return found.assign(rung=place.where(of <= MOST_RUNGS, quarter) + 1)[of > 1].reset_index(drop=True)


def _orders(data: GrowthData) -> pd.DataFrame:
    """By new customer, category and day: the highest rung bought on it, in order of time."""
    known = rungs(data)
    if known.empty:
        return pd.DataFrame(columns=["customer_id", "category", "day", "rung"])
    rows = data.rows.filter(_.counted)
    rows = rows.mutate(category=rows.category.cast("string"), product=rows["product"].cast("string"))
    table = ibis.memtable(known[["category", "product", "rung"]].astype({"rung": "int64"}))
    rows = rows.inner_join(table, ["category", "product"])
    found = fetch(rows.group_by("customer_id", "category", "day").agg(rung=_.rung.max()))
    found = found.assign(day=pd.to_datetime(found["day"]))
    return found.sort_values(["customer_id", "category", "day"], ignore_index=True)


def grade_moves(data: GrowthData) -> pd.DataFrame:
    """From order to order in a category, is the product dearer or cheaper? See `Growth.grade_moves`."""
    table = _orders(data)
    before = table.groupby(["customer_id", "category"])["rung"].shift()
    moved = table.assign(step=np.sign(table["rung"] - before)).dropna(subset=["step"])
    if moved.empty:
        return no_rows(
            _MOVES, "the log names no product and category, or nobody has bought twice in a category"
        )
    found = []
    for name, rows in [(ALL, moved), *moved.groupby("category")]:
        share = {
            word: float((rows["step"] == step).mean())
            for word, step in (("up", 1), ("same", 0), ("down", -1))
        }
        net = rows["step"].mean()
        # By customer: the moves of one customer take each other back.
        scatter = (rows["step"] - net).groupby(rows["customer_id"]).sum()
        reach = normal_quantile(0.95) * float(np.sqrt((scatter**2).sum())) / len(rows)
        found.append((name, len(rows), *share.values(), net, net - reach, net + reach))
    return with_finding(pd.DataFrame(found, columns=_MOVES.split()), moves_in_words)


def entry_ladder(data: GrowthData) -> pd.DataFrame:
    """How many go up from each rung, and how soon? See `Growth.entry_ladder`."""
    table = _orders(data)
    if table.empty:
        return no_rows(_LADDER, "the log names no product and category")
    first = table.drop_duplicates(["customer_id", "category"]).rename(
        columns={"rung": "start", "day": "since"}
    )
    both = table.merge(first, on=["customer_id", "category"])
    higher = both[both["rung"] > both["start"]].drop_duplicates(["customer_id", "category"])
    spells = first.merge(
        higher[["customer_id", "category", "day"]], on=["customer_id", "category"], how="left"
    )
    top = table.groupby("category")["rung"].max()
    spells = spells[spells["start"] < spells["category"].map(top)]
    spells["ended"] = spells["day"].notna()
    spells["tenure_months"] = (spells["day"].fillna(pd.Timestamp(data.day)) - spells["since"]).dt.days
    found: list[tuple[Any, ...]] = []
    for name, rows in [(ALL, spells), *spells.groupby("category")]:
        for start, some in rows.groupby("start"):
            if len(some) >= FEWEST:
                curve = survival_curves(some).set_index("tenure")
                half, year = curve["survival"] <= 0.5, curve.loc[:365].iloc[-1]
                known = curve.index[-1] >= 365
                ends = [1 - year[end] if known else np.nan for end in ("survival", "high", "low")]
                median = float(curve.index[half].min()) if half.any() else np.nan
                found.append((name, int(start), len(some), int(some["ended"].sum()), *ends, median))
    if not found:
        return no_rows(_LADDER, f"no rung has {FEWEST} customers")
    return with_finding(pd.DataFrame(found, columns=_LADDER.split()), ladder_in_words)


def plan_moves(data: GrowthData) -> pd.DataFrame:
    """What changed from one row of a contract to the next? See `Growth.plan_moves`."""
    if missing := lacking(subscriptions=data.subscriptions):
        return no_rows(_PLANS, missing)
    rows = data.of_table(data.subscriptions, "subscription_id", "start", "price_per_month", "plan")
    rows = rows.sort_values(["customer_id", "subscription_id", "start"], ignore_index=True)
    before = rows.groupby(["customer_id", "subscription_id"])[["price_per_month", "plan"]].shift()
    rows = rows.assign(rise=rows["price_per_month"] - before["price_per_month"], earlier=before["plan"])
    rows = rows[rows["rise"].notna()]
    if rows.empty:
        return no_rows(_PLANS, "no contract has changed")
    kind = np.where(rows["earlier"] == rows["plan"], "same plan", "another plan")
    price = np.select([rows["rise"] > 0, rows["rise"] < 0], ["dearer", "cheaper"], "same price")
    moves = pd.Series(kind, index=rows.index) + ", " + price
    table = rows.groupby(moves.rename("move")).agg(
        changes=("rise", "size"), customers=("customer_id", "nunique"), price_change=("rise", "mean")
    )
    table = table.assign(share=table["changes"] / len(rows)).reset_index()
    table = table.sort_values("changes", ascending=False, ignore_index=True)[_PLANS.split()]
    return with_finding(table, plans_in_words)


def products_held(data: GrowthData) -> pd.DataFrame:
    """How many different products do customers hold, and what do they bring? See `Growth.products_held`."""
    if not data.group:
        return no_rows(_HELD, "the log names no product or category")
    people = data.values[data.values["lived"]]
    rows = data.baskets(data.group).inner_join(data.people, "customer_id")
    rows = rows.filter(_.day.delta(_.born, unit="day") < data.within_days)
    held = fetch(rows.group_by("customer_id").agg(held=_.item.nunique()))
    held = held.assign(customer_id=held["customer_id"].astype(str)).set_index("customer_id")["held"]
    table = people.assign(held=people["customer_id"].map(held)).dropna(subset=["held"])
    if table.empty:
        return no_rows(_HELD, f"no new customer is known for {data.within_days} days")
    named = table["held"].clip(upper=5).astype(int).astype(str).replace("5", "5 or more")
    found = table.groupby(named.rename("held")).agg(
        customers=("worth", "size"),
        brought=("worth", "mean"),
        spread=("worth", "std"),
        again=("again", "mean"),
    )
    reach = normal_quantile(0.95) * found.pop("spread") / np.sqrt(found["customers"])
    found = found.assign(
        share=found["customers"] / len(table),
        brought_low=found["brought"] - reach,
        brought_high=found["brought"] + reach,
    )
    return with_finding(found.reset_index()[_HELD.split()], held_in_words, data.within_days)
