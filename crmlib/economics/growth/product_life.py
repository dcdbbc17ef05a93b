"""The life of products beside that of customers: how a product sells with age, and through whom revenue changed."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.economics.acquisition.ratios import ratio
from crmlib.economics.growth import sentences
from crmlib.economics.growth.data import NONE, GrowthData
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import normal_quantile

CAME, STAYED, LEFT = "came", "stayed", "left"
LAUNCHED, KEPT, ENDED = "launched", "kept", "ended"
CUSTOMERS, PRODUCTS, BOTH, NEITHER = "customers alone", "products alone", "both", "neither"
_CHANGE = "customers products part before after change change_low change_high"
_AGES = "age products first_period this_period share share_low share_high"
FEWEST = 10  # products of an age, below which one product decides


def change_by_products(data: GrowthData) -> pd.DataFrame:
    """How much of a change in revenue came with customers, and how much with products?

    The last `within_days` days are compared with as many before them. By `customers` (came: bought nothing in the
    earlier days; stayed; left) and `products` (launched: not sold in the earlier days; kept; ended): the money `before`
    and `after`, their `change` with its interval (each customer's change is one draw), and the `part` that it belongs
    to: to customers alone where the product was sold in both, to products alone where the customer bought in both, else
    to both or to neither. The changes add up. A launched product may have replaced one that would have been bought.
    """
    days, last = data.within_days, pd.Timestamp(data.day)
    first = _first_day(data)
    if data.no_product or first is None or first > last - pd.Timedelta(2 * days - 1, "D"):
        return no_rows(_CHANGE, data.no_product or f"the log has no two periods of {fmt.plural(days, 'day')}")
    item = data.rows[data.product].cast("string").fill_null(NONE)
    since = ibis.literal(last.date()).delta(data.rows.day, unit="day")
    rows = data.rows.mutate(item=item, now=since < days).filter(since < 2 * days)
    sold = {"was": (_.counted & ~_.now).any(), "is_now": (_.counted & _.now).any()}
    people, items = (rows.group_by(name).agg(**sold) for name in ("customer_id", "item"))
    groups = rows.group_by("customer_id", "item").agg(
        before=_.worth.sum(where=~_.now).fill_null(0.0), after=_.worth.sum(where=_.now).fill_null(0.0)
    )
    joined = groups.inner_join(people, "customer_id").inner_join(items, "item")
    by_person = joined.group_by(
        "customer_id", customers=_status(joined, "", CAME, STAYED, LEFT),
        products=_status(joined, "_right", LAUNCHED, KEPT, ENDED),
    ).agg(before=_.before.sum(), after=_.after.sum())  # fmt: skip
    by_person = by_person.mutate(square=(_.after - _.before) ** 2)
    sums = {name: by_person[name].sum() for name in ("before", "after", "square")}
    table = fetch(by_person.group_by("customers", "products").agg(**sums))
    reach = normal_quantile(0.95) * np.sqrt(table["square"].astype(float))
    table["change"] = table["after"] - table["before"]
    table = table.assign(change_low=table["change"] - reach, change_high=table["change"] + reach)
    same = [table["customers"] == STAYED, table["products"] == KEPT]
    table["part"] = np.select([same[0] & same[1], *same], [NEITHER, PRODUCTS, CUSTOMERS], BOTH)
    table = table.sort_values(["part", "customers", "products"], ignore_index=True)
    return with_finding(table[_CHANGE.split()], sentences.change_in_words, data.value)


def _first_day(data: GrowthData) -> pd.Timestamp | None:
    """The day of the first purchase."""
    day = data.rows.filter(_.counted).day.min().to_pyarrow().as_py()
    return None if day is None else pd.Timestamp(day)


def _status(rows: ibis.Table, side: str, came: str, stayed: str, left: str) -> ibis.Value:
    """Whether a customer or a product was there in both periods; one with returns alone counts as left."""
    was, now = rows[f"was{side}"], rows[f"is_now{side}"]
    return ibis.cases((was & now, stayed), (now, came), else_=left)


def product_ages(data: GrowthData) -> pd.DataFrame:
    """How does a product sell as it ages?

    By `age` in periods of `within_days` since its first sale: `products` that have lived it, what they brought in the
    `first_period` and in `this_period`, and the `share` of the two with its interval by products. Products that the log
    begins with are left out: when they were launched is not known.
    """
    first_day = _first_day(data)
    if data.no_product or first_day is None:
        return no_rows(_AGES, data.no_product or "there is no purchase")
    days, rows = data.within_days, data.rows.filter(_[data.product].notnull())
    rows = rows.mutate(item=rows[data.product].cast("string"))
    born = rows.filter(_.counted).group_by("item").agg(born=_.day.min())
    later = ibis.literal((first_day + pd.Timedelta(days, "D")).date())
    joined = rows.inner_join(born.filter(_.born >= later), "item")
    age = (joined.day.delta(joined.born, unit="day") / days).floor().cast("int64")
    sums = fetch(joined.group_by("item", "born", age=ibis.greatest(age, 0)).agg(worth=_.worth.sum()))
    if sums.empty:
        return no_rows(
            _AGES, f"no product was launched {fmt.plural(days, 'day')} or more after the log begins"
        )
    lived = (pd.Timestamp(data.day) + pd.Timedelta(1, "D") - pd.to_datetime(sums["born"])).dt.days // days
    wide = sums.assign(lived=lived).pivot_table(
        index=["item", "lived"], columns="age", values="worth", fill_value=0.0
    )
    found = []
    for number in range(int(lived.max())):
        old = wide[wide.index.get_level_values("lived") > number]
        if len(old) < FEWEST:
            break
        first, now = (old[at].to_numpy(float) if at in old else np.zeros(len(old)) for at in (0, number))
        found.append((number, len(old), first.sum(), now.sum(), *ratio(now, first)))
    if not found:
        return no_rows(_AGES, f"fewer than {FEWEST} products are known for {fmt.plural(days, 'day')}")
    return with_finding(pd.DataFrame(found, columns=_AGES.split()), sentences.ageing_in_words, days)
