"""Cross-selling by baskets: which two products are bought together more often than chance would have it."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.arguments import check_range
from crmlib.customers._log import fetch
from crmlib.economics.growth import sentences
from crmlib.economics.growth.data import GrowthData
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import Array, benjamini_yekutieli, normal_quantile

PARTS = 20  # of the customers, each left out once to see how sure a lift is
FEWEST_BASKETS = 5  # with both products, below which a pair is not listed
LEAST_LIFT = 1.1  # less is no reason for an offer, and sizes of orders are compared roughly
EXACT_SIZES = 8  # up to which baskets are compared with those of exactly their size
_COLUMNS = (
    "pair product other baskets support confidence lift expected lift_for_size lift_for_size_low lift_for_size_high "
    "chance verdict"
)
TOGETHER, BY_CHANCE = "bought together", "may be chance"


def affinity(data: GrowthData, support: float = 0.001) -> pd.DataFrame:
    """Which two products are in the same order more often than chance would have it?

    One row per pair that is in `support` of the orders or more (a share; at least 5 orders), the surest first: `pair`
    of `product` and `other`, `baskets` (with both), `support` (their share), `confidence` (of orders with the first,
    share with the other), `lift` (share of both against the product of the two shares), `expected` (orders with both,
    if partners were drawn at random in orders of each size and line of business), `lift_for_size` (baskets against
    expected) with its interval, `chance` (of a lift above 1.1, adjusted for all pairs possible: Benjamini–Yekutieli)
    and the `verdict`. Intervals are by customers, of whom a twentieth at a time is left out.
    """
    check_range(
        "support", support, "a share of the orders above 0 and up to 1, such as 0.001", above=0, most=1
    )
    if data.no_product:
        return no_rows(_COLUMNS, data.no_product)
    held = _held(data)
    names = held.group_by("item").agg(n=_.count()).filter(_.n >= FEWEST_BASKETS)
    names = fetch(names.mutate(orders=held.basket.nunique().as_scalar()).order_by(_.n.desc(), "item"))
    orders = int(names["orders"].max()) if len(names) else 0
    fewest = max(FEWEST_BASKETS, support * orders)
    names = names[names["n"] >= fewest]
    if len(names) < 2:
        return no_rows(_COLUMNS, f"fewer than two products are in {fmt.count(fewest)} orders or more")
    lines = _coded(held, names["item"])
    pairs, parts, margins = _counted(lines, fewest, len(names))
    if pairs.empty:
        return no_rows(_COLUMNS, f"no two products are together in {fmt.count(fewest)} orders or more")
    first, second, n = (pairs[name].to_numpy() for name in ("a", "b", "n"))
    expected = _expected(margins.sum(axis=0), first, second)
    without = np.stack([_expected(margins.sum(axis=0) - part, first, second) for part in margins])
    error = _error(n - parts, without, margins.sum(axis=(1, 2)) > 0)
    single = names["n"].to_numpy(dtype=float)
    p = _chance(n, expected * LEAST_LIFT, error, int((margins.sum(axis=(1, 2)) > 0).sum()))
    possible = len(names) * (len(names) - 1) // 2
    reach = normal_quantile(0.95) * error
    with np.errstate(divide="ignore"):
        lift = n / expected
    found = pd.DataFrame(
        {
            "product": names["item"].to_numpy()[first], "other": names["item"].to_numpy()[second], "baskets": n,
            "support": n / orders, "confidence": n / single[first],
            "lift": n * orders / (single[first] * single[second]),
            "expected": expected, "lift_for_size": lift,
            "lift_for_size_low": lift * np.exp(-reach), "lift_for_size_high": lift * np.exp(reach),
            "chance": benjamini_yekutieli(pd.Series(p), tests=possible).to_numpy(),
        }
    )  # fmt: skip
    found["verdict"] = np.where(found["chance"] <= 0.05, TOGETHER, BY_CHANCE)
    found.insert(0, "pair", found["product"] + " + " + found["other"])
    order = ["verdict", "lift_for_size_low", "product", "other"]
    found = found.sort_values(order, ascending=[True, False, True, True], ignore_index=True)
    return with_finding(found, sentences.pairs_in_words, possible, LEAST_LIFT)


def _held(data: GrowthData) -> ibis.Table:
    """What each order held, each product once, with the part of the customer and the line of business."""
    rows = data.rows.filter(_.counted & _[data.product].notnull())
    rows = rows.select("customer_id", "order", item=rows[data.product].cast("string"))
    known = data.lines_of_business is not None
    rows, sums = (data.with_line_of_business(rows), {"line": _.line.max()}) if known else (rows, {})
    part = (rows.customer_id.cast("string").hash().abs() % PARTS).cast("int8")
    held = rows.mutate(part=part).group_by("order", "item").agg(part=_.part.max(), **sums)
    held = held.mutate(basket=_.order.hash()).drop("order")
    return (held if known else held.mutate(line=ibis.literal(0, "int64"))).cache()


def _coded(held: ibis.Table, names: pd.Series) -> ibis.Table:
    """Products as numbers, and the class of the size of the order."""
    codes = pd.DataFrame({"item": names.to_numpy(), "code": np.arange(len(names), dtype="int32")})
    rows = held.inner_join(ibis.memtable(codes), "item").select("code", "line", "basket", "part")
    rows = rows.mutate(size=_.count().over(group_by="basket")).filter(_.size > 1)
    # Few large baskets of one size: sizes that differ by less than a fifth are compared with each other.
    wide = (EXACT_SIZES + (4 * (rows.size / EXACT_SIZES).log2()).floor()).cast("int64")
    kind = ibis.ifelse(rows.size <= EXACT_SIZES, rows.size, wide)
    return rows.mutate(sized=rows.line * 1000 + kind).cache()


def _counted(lines: ibis.Table, fewest: float, items: int) -> tuple[pd.DataFrame, Array, Array]:
    """Pairs that are frequent enough, how often in each part of the customers, and how many partners each product
    has by part, size of the order and product.
    """
    other = lines.view()
    both = lines.inner_join(other, [lines.basket == other.basket, lines.code < other.code])
    # One whole number for each pair is several times faster to count than two columns or names.
    both = both.select(pair=lines.code.cast("int64") * items + other.code, part=lines.part)
    by_part = both.group_by("pair", "part").agg(m=_.count())
    by_part = fetch(by_part.filter(_.m.sum().over(group_by="pair") >= fewest).order_by("pair"))
    place, pair = pd.factorize(by_part["pair"])
    pairs = pd.DataFrame({"a": pair // items, "b": pair % items})
    parts = np.zeros((PARTS, len(pairs)))
    parts[by_part["part"], place] = by_part["m"]
    pairs["n"] = parts.sum(axis=0).astype(int)
    sums = fetch(lines.group_by("part", "sized", "code").agg(partners=(_.size - 1).sum()))
    sizes, sized = np.unique(sums["sized"], return_inverse=True)
    margins = np.zeros((PARTS, len(sizes), items))
    margins[sums["part"], sized, sums["code"]] = sums["partners"]
    return pairs, parts, margins


def _expected(margins: Array, first: Any, second: Any) -> Array:
    """How many orders would hold both, were partners in orders of each size drawn in proportion.

    For each size, u_i u_j with the observed number of partners of each product: sum over j of u_i u_j, j not i.
    """
    total = margins.sum(axis=1, keepdims=True)
    scale = np.divide(margins, np.sqrt(total), out=np.zeros_like(margins), where=total > 0)
    u = scale
    for _step in range(200):
        rest = u.sum(axis=1, keepdims=True) - u
        new = np.sqrt(u * np.divide(margins, rest, out=np.zeros_like(u), where=rest > 0))
        done = (np.abs(new - u) <= 1e-9 + 1e-7 * u).all()
        u = new
        if done:
            break
    return np.asarray((u[:, first] * u[:, second]).sum(axis=0))


def _error(without_n: Array, without_expected: Array, there: Any) -> Array:
    """Standard error of the logarithm of a lift: each part of the customers is left out once."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(without_n[there] / without_expected[there])
    parts = len(logs)
    spread = ((logs - logs.mean(axis=0)) ** 2).sum(axis=0)
    error = np.sqrt(spread * (parts - 1) / parts)
    return np.where(np.isfinite(error), error, np.inf)


def _chance(n: Any, expected: Array, error: Array, parts: int) -> Array:
    """The chance of as many orders or more: the larger one of customers' parts and of independent orders."""
    from scipy.special import pdtrc, stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.log(n / expected) / error
    by_part = stdtr(max(parts - 1, 1), -np.where(np.isfinite(t), t, 0.0)) if parts > 2 else np.ones(len(n))
    return np.maximum(by_part, pdtrc(np.asarray(n) - 1.0, expected))
