"""What customers did in a period, by the behaviours that the theory claims for the tiers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import pandas as pd

from crmlib.customers._log import end_of, fetch, seen_by
from crmlib.customers.profit.cost_to_serve import filled_columns
from crmlib.customers.profit.customer_profit import orders_among
from crmlib.data.sources import open_optional


def next_behaviour(
    customer_ids: pd.Series,
    transactions: Any,
    first: dt.date,
    last: dt.date,
    *,
    customers: Any = None,
    service_cases: Any = None,
) -> tuple[pd.DataFrame, float]:
    """One row per customer; a column for each behaviour that the tables hold, NaN where it is not known.

    `purchases` (orders), `active`, `tenure_years` at the start, `discount_share` of what was bought,
    `new_product_share` (purchases of products first sold in the period), `share_of_wallet`, `complaints`,
    `public_complaints` and `minutes_beyond` (service minutes above those that the firm gives for such revenue).
    Beside it the purchases of everybody, newcomers among them.
    """
    found = pd.DataFrame(index=pd.Index(customer_ids, name="customer_id"))
    everybody = fetch(_bought(seen_by(transactions, last), first)).set_index("customer_id")
    bought = everybody.reindex(found.index)
    found["purchases"] = bought["purchases"].fillna(0)
    found["active"] = (found["purchases"] > 0).astype(float)
    found["tenure_years"] = (pd.Timestamp(first) - bought["first_seen"]).dt.days / 365.25
    if "discounts" in bought:
        list_price = bought["revenue"] + bought["discounts"]
        found["discount_share"] = bought["discounts"] / list_price.where(
            (list_price > 0) & (found["purchases"] > 0)
        )
    if "new_products" in bought and bought["new_products"].any():
        found["new_product_share"] = bought["new_products"] / bought["rows"].where(bought["rows"] > 0)
    known, asked = open_optional(customers), open_optional(service_cases)
    if known is not None and filled_columns(known, ["share_of_wallet"]):
        wallet = fetch(
            known.select(customer_id=known.customer_id.cast("string"), share=known.share_of_wallet)
        )
        found["share_of_wallet"] = wallet.set_index("customer_id")["share"].astype(float).reindex(found.index)
    if asked is not None:
        cases = fetch(_cases(asked, first, last)).set_index("customer_id")
        found[cases.columns] = cases.reindex(found.index).fillna(0.0)
        if "minutes" in found:
            revenue = bought["revenue"].fillna(0).clip(lower=0)
            usual = found["minutes"].sum() / revenue.sum() if revenue.sum() > 0 else float("nan")
            found["minutes_beyond"] = found.pop("minutes") - usual * revenue
    return found, float(everybody["purchases"].sum())


def _bought(rows: ibis.Table, first: dt.date) -> ibis.Table:
    within = rows.counted & (rows.date >= ibis.literal(dt.datetime.combine(first, dt.time())))
    sums = {
        "first_seen": rows.date.min(),
        "purchases": orders_among(rows, within),
        "rows": within.sum(),
        "revenue": rows.amount.sum(where=within),
    }
    if "discount" in rows.columns:
        sums["discounts"] = rows.discount.cast("float64").fill_null(0.0).sum(where=within)
    if "product" in rows.columns:
        sold = rows.filter(rows.is_purchase & rows["product"].notnull())
        debuts = sold.group_by("product").agg(debut=sold.date.min())
        rows = rows.left_join(debuts, "product")
        is_new = within & (rows.debut >= ibis.literal(dt.datetime.combine(first, dt.time())))
        sums["new_products"] = is_new.fill_null(False).sum()
    return rows.group_by("customer_id").agg(**sums)


def _cases(cases: ibis.Table, first: dt.date, last: dt.date) -> ibis.Table:
    when = cases.opened.cast("timestamp(6)")
    rows = cases.filter((when >= ibis.literal(dt.datetime.combine(first, dt.time()))) & (when < end_of(last)))
    filled = filled_columns(cases, ["kind", "public", "minutes"])
    sums = {"cases": rows.count().cast("float64")}
    if "kind" in filled:
        complaint = (rows.kind == "complaint").fill_null(False)
        sums["complaints"] = complaint.sum().cast("float64")
        if "public" in filled:
            seen = complaint & rows.public.cast("boolean").fill_null(False)
            sums["public_complaints"] = seen.sum().cast("float64")
    if "minutes" in filled:
        sums["minutes"] = rows.minutes.cast("float64").sum()
    return rows.group_by(customer_id=rows.customer_id.cast("string")).agg(**sums)
