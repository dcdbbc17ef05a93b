"""Up-selling: moves between dearer and cheaper products and plans, products held, and the ladder from the smallest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.data.sources import lacking
from crmlib.economics.growth import sentences
from crmlib.economics.growth.data import ALL_TYPES, GrowthData
from crmlib.economics.growth.sequences import came_within
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import mean_with_ends, with_ends

MOST_RUNGS = 4  # of more products than these, the rungs of a category are quarters of its prices
FEWEST = 30  # customers of a rung, below which what follows is mostly chance
ALL = "all categories"
_STEPS = {1: "up", 0: "same_rung", -1: "down"}
_MOVES = f"category moves {' '.join(_STEPS.values())} net_up net_up_low net_up_high"
_LADDER = "category rung customers went_up within_365 within_365_low within_365_high median_gap"
_PLANS = "product_type move changes share customers price_change"
_HELD = "product_type held customers share brought brought_low brought_high again"


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
    """Do customers go up to dearer products, from order to order in a category?

    By `category` (all first): `moves`, the shares `up`, `same_rung` and `down`, and `net_up` (up less down) with an
    interval by customer. A product's rung is its place among the prices of its category, or the quarter of them.
    """
    table = _orders(data)
    before = table.groupby(["customer_id", "category"])["rung"].shift()
    moved = table.assign(step=np.sign(table["rung"] - before)).dropna(subset=["step"])
    if moved.empty:
        why = "the log names no product and category, or nobody has bought twice in a category"
        return no_rows(_MOVES, why)
    found = []
    for name, rows in [(ALL, moved), *moved.groupby("category")]:
        share = {word: (rows["step"] == step).mean() for step, word in _STEPS.items()}
        net = rows["step"].mean()
        # By customer: the moves of one customer take each other back.
        scatter = (rows["step"] - net).groupby(rows["customer_id"]).sum()
        error = float(np.sqrt((scatter**2).sum())) / len(rows)
        found.append({"category": name, "moves": len(rows), **share, **with_ends("net_up", net, error)})
    return with_finding(pd.DataFrame(found), sentences.moves_in_words)


def entry_ladder(data: GrowthData) -> pd.DataFrame:
    """How many go up from the rung with which they began, and how soon?

    By `category` and `rung` (1 is the cheapest): `customers`, of whom `went_up`, the share `within_365` days with an
    interval (Kaplan–Meier) and `median_gap` in days. Who is on a low rung has more rungs to go up to.
    """
    table, of = _orders(data), ["customer_id", "category"]
    if table.empty:
        return no_rows(_LADDER, "the log names no product and category")
    first = table.drop_duplicates(of).rename(columns={"rung": "start", "day": "since"})
    both = table.merge(first, on=of)
    higher = both[both["rung"] > both["start"]].drop_duplicates(of)
    spells = first.merge(higher[[*of, "day"]], on=of, how="left")
    top = table.groupby("category")["rung"].max()
    spells = spells[spells["start"] < spells["category"].map(top)]
    found: list[dict[str, Any]] = []
    for name, rows in [(ALL, spells), *spells.groupby("category")]:
        for start, some in rows.groupby("start"):
            if len(some) >= FEWEST:
                went_up = int(some["day"].notna().sum())
                row = {"category": name, "rung": int(start), "customers": len(some), "went_up": went_up}
                found.append(row | came_within(some["since"], some["day"], pd.Timestamp(data.day), (365,)))
    if not found:
        return no_rows(_LADDER, f"no rung has {FEWEST} customers")
    return with_finding(pd.DataFrame(found)[_LADDER.split()], sentences.ladder_in_words)


def plan_moves(data: GrowthData) -> pd.DataFrame:
    """What changed from one row of a contract to the next: `move`, `changes`, `customers`, mean `price_change`?

    Of all customers, and of those of each `product_type`, where several are noted.
    """
    if missing := lacking(subscriptions=data.subscriptions):
        return no_rows(_PLANS, missing)
    rows = data.of_table(data.subscriptions, "subscription_id", "start", "price_per_month", "plan")
    rows["subscription_id"] = rows["subscription_id"].fillna(rows["customer_id"])
    rows = rows.sort_values(["customer_id", "subscription_id", "start"], ignore_index=True)
    before = rows.groupby(["customer_id", "subscription_id"])[["price_per_month", "plan"]].shift()
    rows = rows.assign(rise=rows["price_per_month"] - before["price_per_month"], earlier=before["plan"])
    rows = rows[rows["rise"].notna()]
    if rows.empty:
        return no_rows(_PLANS, "no contract has changed")
    kind = np.where(rows["earlier"] == rows["plan"], "same plan", "another plan")
    price = np.select([rows["rise"] > 0, rows["rise"] < 0], ["dearer", "cheaper"], "same price")
    moves = pd.Series(kind, index=rows.index) + ", " + price
    sums = dict(changes=("rise", "size"), customers=("customer_id", "nunique"), price_change=("rise", "mean"))
    found = []
    for name, some in data.by_product_type(rows.assign(move=moves), rows["customer_id"].astype(str)):
        table = some.groupby("move").agg(**sums).sort_values("changes", ascending=False).reset_index()
        found.append(table.assign(product_type=name, share=table["changes"] / len(some)))
    table = pd.concat(found, ignore_index=True)[_PLANS.split()]
    return with_finding(table, _of_all, sentences.plans_in_words)


def products_held(data: GrowthData) -> pd.DataFrame:
    """How many kinds of product did customers buy within `within_days`, and what did they bring?

    By `held`, of all customers and of those of each `product_type`, where several are noted: `customers`, their
    `share`, mean `brought` with an interval, and the share who came `again`. Who buys more buys more kinds: it does
    not say that one kind more would bring as much.
    """
    if data.no_product:
        return no_rows(_HELD, data.no_product)
    rows = data.baskets(data.group).inner_join(data.new_customers, "customer_id")
    rows = rows.filter(_.day.delta(_.born, unit="day") < data.within_days)
    kinds = fetch(rows.group_by("customer_id").agg(kinds=_.item.nunique()))
    kinds = kinds.set_index(kinds["customer_id"].astype(str))["kinds"]
    table = data.known_long.join(kinds, how="inner")
    if table.empty:
        return no_rows(_HELD, f"no new customer is known for {data.within_days} days")
    named = table["kinds"].clip(upper=5).astype(int).astype(str).replace("5", "5 or more")
    found = []
    for name, people in data.by_product_type(table.assign(held=named), table.index):
        for held, some in people.groupby("held"):
            row = {
                "product_type": name,
                "held": held,
                "customers": len(some),
                "share": len(some) / len(people),
            }
            found.append(row | {"again": some["again"].mean()} | mean_with_ends("brought", some["worth"]))
    table = pd.DataFrame(found)[_HELD.split()]
    return with_finding(table, _of_all, sentences.held_in_words, data.within_days)


def _of_all(table: pd.DataFrame, sentence: Callable[..., str], *about: Any) -> str:
    """What a sentence says of all customers."""
    return sentence(table[table["product_type"] == ALL_TYPES], *about)
