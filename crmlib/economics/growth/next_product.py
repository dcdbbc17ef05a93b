"""Which product a customer buys next for the first time: item-to-item cosine against popularity, on a split in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.economics.growth import sentences
from crmlib.economics.growth.data import GrowthData
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import Array, mean_with_ends, share_with_ends

COSINE, POPULAR = METHODS = ("item-to-item", "popularity")
FEWEST_BUYERS, AT_ONCE = 5, 4096
RECENT_DAYS, OFFERS = 365, 3
_TEST = "method customers hit_rate hit_rate_low hit_rate_high mrr mrr_low mrr_high"
_OFFERS = "customer_id next_product because score"


class Bought(NamedTuple):
    """Who has bought what: `owned` (sparse, customers by items), the customers' ids and lines, and the items' names.

    `similar`: the cosine of the customers of each two products; `popular`: by line of business, see `_popularity`.
    """

    owned: Any
    customers: pd.Index
    line: Array
    items: pd.Index
    similar: Array
    popular: dict[float, Array]


def _first_days(data: GrowthData) -> pd.DataFrame:
    """The first and the last day on which each customer bought each product, and the customer's line of business."""
    rows = data.with_line_of_business(data.baskets(data.product))
    found = fetch(rows.group_by("customer_id", "item", "line").agg(first=_.day.min(), last=_.day.max()))
    found = found.assign(first=pd.to_datetime(found["first"]), last=pd.to_datetime(found["last"]))
    return found.sort_values(["customer_id", "item"], ignore_index=True)


def _bought(pairs: pd.DataFrame) -> Bought:
    from scipy.sparse import csr_array

    buyers = pairs.groupby("item")["customer_id"].size()
    items = pd.Index(buyers[buyers >= FEWEST_BUYERS].index)
    kept = pairs[pairs["item"].isin(items)]
    lines = kept.groupby("customer_id")["line"].first()
    place = lines.index.get_indexer(kept["customer_id"]), items.get_indexer(kept["item"])
    owned = csr_array((np.ones(len(kept)), place), shape=(len(lines), len(items)))
    line = lines.to_numpy(dtype=float)
    return Bought(owned, lines.index, line, items, _similarity(owned), _popularity(owned, line))


def _similarity(owned: Any) -> Array:
    """Cosine of the customers of each two products; of a product with itself 0."""
    together = (owned.T @ owned).toarray()
    buyers = np.sqrt(np.maximum(together.diagonal(), 1.0))
    found = together / buyers[:, None] / buyers[None, :]
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


def _popularity(owned: Any, lines: Array) -> dict[float, Array]:
    """The share of the customers of a line of business who have bought each product; a bit of the share of all."""
    overall = np.asarray(owned.sum(axis=0), dtype=float).ravel() / max(owned.shape[0], 1)
    of_line = {float(line): owned[lines == line] for line in np.unique(lines)}
    return {line: np.asarray(some.mean(axis=0)).ravel() + 1e-6 * overall for line, some in of_line.items()}


def _scores(known: Bought, method: str, who: Any) -> Iterator[tuple[Any, Array]]:
    """Some customers at a time, and the score of each product for them; what they own is out.

    Equal scores go by popularity.
    """
    for start in range(0, len(who), AT_ONCE):
        rows = who[start : start + AT_ONCE]
        usual = np.stack([known.popular[float(line)] for line in known.line[rows]])
        owned = known.owned[rows].toarray()
        score = usual if method == POPULAR else owned @ known.similar + 1e-9 * usual
        yield rows, np.where(owned > 0, -np.inf, score)


def next_product(data: GrowthData, horizon_days: int = 90) -> pd.DataFrame:
    """How well can a customer's next new product be predicted?

    By `method`, learned before the last `horizon_days` and tested on them: "item-to-item" (cosine of the customers of
    two products; Linden, Smith & York, IEEE Internet Computing 7(1), 2003) and "popularity" (in the line of business).
    `customers` (who bought something new), `hit_rate` (one of the first three was it) and `mrr` (mean of one over its
    place), each with an interval by customer.
    """
    if data.no_product:
        return no_rows(_TEST, data.no_product)
    pairs = data.kept("first days", lambda: _first_days(data))
    split = pd.Timestamp(data.day) - pd.Timedelta(horizon_days, "D")
    before = pairs[pairs["first"] <= split]
    known = _bought(before)
    later = pairs[(pairs["first"] > split) & pairs["item"].isin(known.items)]
    later = later[later["customer_id"].isin(known.customers)]
    if later.empty or len(known.items) < 2:
        why = f"nobody who had bought before {split.date()} has bought a product for the first time since"
        return no_rows(_TEST, why)
    who = np.unique(known.customers.get_indexer(later["customer_id"]))
    new = np.zeros((len(known.customers), len(known.items)), dtype=bool)
    new[known.customers.get_indexer(later["customer_id"]), known.items.get_indexer(later["item"])] = True
    ranks = {name: _first_hit(known, name, who, new) for name in METHODS}
    hit = {name: ranks[name] <= OFFERS for name in METHODS}
    found = [
        {"method": name, "customers": len(who), **share_with_ends("hit_rate", hit[name].sum(), len(who))}
        | mean_with_ends("mrr", pd.Series(1 / ranks[name]))
        for name in METHODS
    ]
    gap = mean_with_ends("gap", pd.Series(hit[COSINE].astype(float) - hit[POPULAR]))
    ends = gap["gap_low"], gap["gap_high"]
    return with_finding(pd.DataFrame(found), sentences.next_product_in_words, OFFERS, horizon_days, *ends)


def _first_hit(known: Bought, method: str, who: Any, new: Any) -> Array:
    """The place in the ranking of the first product that each of these customers has bought since."""
    found = []
    for rows, score in _scores(known, method, who):
        best = np.where(new[rows], score, -np.inf).max(axis=1, keepdims=True)
        # Of products with equal scores the middle one counts.
        found.append((score > best).sum(axis=1) + ((score == best).sum(axis=1) + 1) / 2)
    return np.concatenate(found)


def next_offers(data: GrowthData, tested: pd.DataFrame) -> pd.DataFrame:
    """Some customers at a time, with the score of each product that they lack; equal scores go by popularity."""
    if data.no_product:
        return no_rows(_OFFERS, data.no_product)
    pairs = data.kept("first days", lambda: _first_days(data))
    known = _bought(pairs)
    start = pd.Timestamp(data.day) - pd.Timedelta(RECENT_DAYS, "D")
    recent = pairs.groupby("customer_id")["last"].max() > start
    rows = np.flatnonzero(recent.reindex(known.customers).to_numpy(dtype=bool))
    if not len(rows) or len(known.items) < 2:
        return no_rows(_OFFERS, f"nobody has bought within {RECENT_DAYS} days, or there is only one product")
    method = tested.loc[tested["mrr"].idxmax(), "method"] if len(tested) else POPULAR
    found = []
    for some, score in _scores(known, method, rows):
        best = score.argmax(axis=1)
        why = (known.owned[some].toarray() * known.similar[best]).argmax(axis=1)
        reason = known.items[why] if method == COSINE else np.full(len(some), "bought by many")
        frame = {"customer_id": known.customers[some], "next_product": known.items[best], "because": reason}
        found.append(pd.DataFrame(frame | {"score": score.max(axis=1)}))
    table = pd.concat(found, ignore_index=True)
    table = table[np.isfinite(table["score"])]
    return table.sort_values(["score", "customer_id"], ascending=[False, True], ignore_index=True)
