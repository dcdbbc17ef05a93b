"""The profit of each customer in a period, after the cost to serve."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import numpy as np
import pandas as pd

from crmlib.arguments import check_share
from crmlib.customers._log import dated, fetch, orders_among, seen_by, span, within
from crmlib.customers.profit.cost_to_serve import (
    CASES,
    TOUCHPOINTS,
    Effort,
    as_costs,
    as_number,
    basis_of,
    effort_of,
    has_costs,
)
from crmlib.customers.sentences import ranks_compared
from crmlib.errors import DataError
from crmlib.findings import with_finding
from crmlib.no_rows import ResultFrame
from crmlib.study.file import Costs

COLUMNS = (
    "customer_id orders return_rows gross returns revenue discounts cost_of_goods service_minutes contacts cases "
    "cost_of_cases cost_of_contacts cost_of_returns cost_of_orders cost_of_account cost_to_serve profit "
    "exposure_days first_seen"
).split()
PARTS = ("cost_of_cases", "cost_of_contacts", "cost_of_returns", "cost_of_orders", "cost_of_account")


class CustomerProfit(ResultFrame):
    """Profit per customer; `.basis` says what is measured and what assumed, `.left_out` whose cost is in no row.

    Examples
    --------
    >>> CustomerProfit({"revenue": [900, 500, 90], "profit": [-50, 200, 20]}).ranks["profit_rank"].tolist()
    [3.0, 1.0, 2.0]
    """

    _metadata = ["basis", "left_out", "days"]  # noqa: RUF012  (pandas' own protocol)

    basis: pd.DataFrame | None = None
    left_out: pd.DataFrame | None = None
    days: int | None = None  # length of the period

    @property
    def ranks(self) -> pd.DataFrame:
        """`revenue_rank` and `profit_rank` of each customer, 1 the best, equal values share the mean.

        Without rows where the two are one: where no cost is known, or where each costs the same share of revenue.
        """
        known = pd.DataFrame(self if "profit" in self else {"revenue": [], "profit": []})
        ranks = known[["revenue", "profit"]].rank(ascending=False).add_suffix("_rank")
        alike = ranks["revenue_rank"].equals(ranks["profit_rank"])
        return with_finding(ranks[:0] if alike else ranks, ranks_compared)

    @property
    def missing_costs(self) -> str:
        """Which costs are not known, and what that means, in one sentence."""
        assert self.basis is not None, "made by customer_profit"
        costs = self.basis[self.basis["component"].str.startswith("cost")]
        missing = costs.loc[costs["basis"] == "missing", "component"].tolist()
        if not missing:
            return "Every cost is measured or assumed."
        if len(missing) == len(costs):
            return (
                "No cost is known, so these are revenue tiers: no customer can be Lead, and large buyers may have high "
                "costs. "
                "A margin or `costs:` in the study, a `cost` in the log or a table of service cases would change that."
            )
        return f"Not known, so not subtracted: {', '.join(missing)}; customers bring less by these."


def customer_profit(
    transactions: Any,
    *,
    start: Any,
    end: Any,
    margin: float | None = None,
    service_cases: Any = None,
    touchpoints: Any = None,
    costs: Costs | Mapping[str, float] | None = None,
) -> CustomerProfit:
    """What did each customer bring in a period, after the cost of goods and the cost to serve them?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log; where it has `cost` (of goods), the margin is measured.
    start, end : date or str
        First and last day of the period, both within it.
    margin : float, optional
        Contribution margin as a share of revenue, where the log has no cost.
    service_cases, touchpoints : ibis.Table or DataFrame, optional
        Tables of the study: `customer_id`, `opened` or `date`, and of `minutes, contacts, cost` what there is.
    costs : Costs or mapping, optional
        `study.costs`: money per service minute, contact, return, order, and per customer and year.

    Returns
    -------
    CustomerProfit
        One row per customer of the log with a purchase, return or case in the period, by customer:

        customer_id : str
        orders, return_rows : int, purchases, and rows that were money back
        gross, returns, revenue : float, money of purchases, money back (≤ 0), and both together
        discounts : float, price taken off, already no part of revenue; where the log has it
        cost_of_goods : float
        service_minutes, contacts, cases : float, what the tables say of the customer, 0 without a table
        cost_of_cases, cost_of_contacts, cost_of_returns, cost_of_orders, cost_of_account, cost_to_serve : float
        profit : float, revenue − cost_of_goods − cost_to_serve; absent where no cost is known at all
        exposure_days : int, days of the period since the customer's first row in the log
        first_seen : timestamp, that row

        `.basis`: `component, money` (NaN of what is missing), `basis` (measured, assumed or missing) and `source`; what
        is missing counts as nothing, so that profit is then an upper bound. `.left_out`: `customer_id, table, rows,
        money, why` of cases and contacts whose cost is in no row: of people who are not in the log, and of customers
        who were only written to: a customer who did nothing has no row.

    Raises
    ------
    CrmError, DataError
        If a parameter or a table is refused.

    Notes
    -----
    A return's money counts in the period of its purchase, its handling when it comes back. Cost of winning
    customers is none of theirs and is left out.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "b"], "amount": [100.0, 20.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-20"])})
    >>> cases = pd.DataFrame({"customer_id": ["b"], "opened": pd.to_datetime(["2024-01-21"]), "minutes": [30.0]})
    >>> found = customer_profit(log, start="2024-01-01", end="2024-01-31", margin=0.5, service_cases=cases,
    ...                         costs={"per_service_minute": 1.0})
    >>> found[["customer_id", "revenue", "cost_to_serve", "profit", "exposure_days"]]
      customer_id  revenue  cost_to_serve  profit  exposure_days
    0           a    100.0            0.0    50.0             31
    1           b     20.0           30.0   -20.0             12
    """
    check_share("margin", margin)
    (first, last), prices = span(start, end), as_costs(costs)
    log = seen_by(transactions, last)
    sales = _sales(log, first)
    cases = effort_of(service_cases, log, CASES, first, last)
    contacts = effort_of(touchpoints, log, TOUCHPOINTS, first, last)
    known = _with_effort(sales, cases, contacts, prices)
    counted = known[(known["rows_within"] > 0) | (known["cases"] > 0)]
    priced = _priced(counted.reset_index(drop=True), first, last, margin, prices)
    found = CustomerProfit(priced)
    found.days = (last - first).days + 1
    found.basis = basis_of(priced, counted, margin, prices, cases, contacts)
    ids = (sales["customer_id"], counted["customer_id"])
    found.left_out = _left_out(*ids, prices, {CASES[0]: cases, TOUCHPOINTS[0]: contacts})
    if (found.basis["basis"][found.basis["component"].str.startswith("cost")] == "missing").all():
        found = found.drop(columns="profit")
    _reconcile(found)
    return found


def profit_days(
    transactions: Any,
    *,
    start: Any,
    end: Any,
    margin: float | None = None,
    service_cases: Any = None,
    touchpoints: Any = None,
    costs: Costs | Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """On which days did money of a customer come or go, and how much?

    Parameters are those of `customer_profit`. A day's purchases are one row, its service another; an account's fixed
    cost is in none.

    Returns: `customer_id`, `money` (profit; without a known cost revenue) and `steady` (whether it is the cost of a
    contact by the firm). What customers that the log does not know cost is left out.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "a"], "amount": [10.0, 5.0, 30.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-10"])})
    >>> profit_days(log, start="2024-01-01", end="2024-02-29").values.tolist()
    [['a', 15.0, False], ['a', 30.0, False]]
    """
    (first, last), prices = span(start, end), as_costs(costs)
    log = seen_by(transactions, last)
    unpriced = () if prices.per_order else ("orders",)
    sales = _sales(log, first, by_day=True, leave_out=("rows_within", "discounts", *unpriced))
    revenue = sales["gross"] + sales["returns"]
    service = sales["return_rows"] * (prices.per_return or 0.0)
    service = service + sales.get("orders", 0) * (prices.per_order or 0.0)
    money = revenue - _goods(sales, revenue, margin) - service
    days = [sales[["customer_id"]].assign(money=money, steady=False)]
    known = fetch(log.select("customer_id").distinct())["customer_id"]
    for table, about in ((service_cases, CASES), (touchpoints, TOUCHPOINTS)):
        effort = effort_of(table, log, about, first, last, by_day=True)
        if effort is not None:
            spent = effort.per_customer[["customer_id"]].assign(money=-effort.priced(prices))
            days.append(spent[spent["customer_id"].isin(known)].assign(steady=about is TOUCHPOINTS))
    found = pd.concat(days, ignore_index=True)
    return found[found["money"] != 0].reset_index(drop=True)


def _sales(
    rows: ibis.Table, first: dt.date, *, by_day: bool = False, leave_out: Sequence[str] = ()
) -> pd.DataFrame:
    """One row per customer of the log, or per customer and day of the period; money, and what fills missing costs.

    `leave_out`: columns that are not needed, as days are many.
    """
    own = within(dated(rows), first)
    bought, back = rows.is_purchase & own, ~rows.is_purchase & within(rows.date, first)
    sums = {
        "rows_within": (own | back).sum(),
        "orders": orders_among(rows, rows.counted & own),
        "return_rows": back.sum(),
        "gross": rows.amount.sum(where=bought),
        "returns": rows.amount.sum(where=own & ~rows.is_purchase),
    }
    if "discount" in rows.columns:
        sums["discounts"] = as_number(rows.discount, "transactions.discount").sum(where=own)
    if "cost" in rows.columns:
        cost = as_number(rows.cost, "transactions.cost")
        has = cost.notnull()
        sums |= {
            "goods_known": cost.sum(where=own & has),
            "amount_without_cost": rows.amount.sum(where=own & ~has),
            "rows_without_cost": (own & ~has).sum(),
            "goods_sold": cost.sum(where=bought & has),
            "amount_sold": rows.amount.sum(where=bought & has),
        }
    counted = {name: value.fill_null(0) for name, value in sums.items() if name not in leave_out}
    # What comes back of an earlier purchase costs on the day on which it does.
    day = ibis.ifelse(own, dated(rows), rows.date).date().name("day")
    keys = ["customer_id", day] if by_day else ["customer_id"]
    table = rows.filter(own | back).group_by(keys).agg(**counted)
    if not by_day:
        table = rows.group_by("customer_id").agg(first_seen=rows.date.min()).left_join(table, "customer_id")
        table = table.select("customer_id", "first_seen", **{name: table[name].fill_null(0) for name in sums})
    sales = fetch(table.order_by("customer_id", "day") if by_day else table.order_by("customer_id"))
    # Sums of the same amounts differ in their last bits by the order of the rows; equal customers stay equal.
    return sales.round(6)


def _with_effort(
    sales: pd.DataFrame, cases: Effort | None, contacts: Effort | None, prices: Costs
) -> pd.DataFrame:
    """Sales with what the tables say of the same customers, 0 where they say nothing."""
    known = sales.assign(contacts=0.0, service_minutes=0.0)
    for effort, rows, money in ((cases, "cases", "cost_of_cases"), (contacts, "touches", "cost_of_contacts")):
        if effort is None:
            known = known.assign(**{rows: 0, money: 0.0})
            continue
        table = effort.per_customer.assign(money=effort.priced(prices)).set_index("customer_id")
        table = table.reindex(known["customer_id"]).fillna(0.0).set_axis(known.index)
        known = known.assign(**{rows: table["rows"].astype("int64"), money: table["money"]})
        known["service_minutes"] += table.get("minutes", 0.0)
        known["contacts"] += table.get("contacts", 0.0)
    return known


def _priced(
    known: pd.DataFrame, first: dt.date, last: dt.date, margin: float | None, prices: Costs
) -> pd.DataFrame:
    """The public columns: units times cost per unit."""
    revenue = known["gross"] + known["returns"]
    revenue = revenue.where(revenue.abs() > 1e-12 * known["gross"], 0.0)  # no more than rounding is left
    exposure = (pd.Timestamp(last) - known["first_seen"].dt.normalize()).dt.days + 1
    exposure = exposure.clip(upper=(last - first).days + 1)
    priced = known.assign(
        revenue=revenue,
        cost_of_goods=_goods(known, revenue, margin),
        cost_of_returns=known["return_rows"] * (prices.per_return or 0.0),
        cost_of_orders=known["orders"] * (prices.per_order or 0.0),
        cost_of_account=exposure / 365.25 * (prices.fixed_per_year or 0.0),
        exposure_days=exposure,
    )
    priced["cost_to_serve"] = priced[list(PARTS)].sum(axis=1)
    priced["profit"] = revenue - priced["cost_of_goods"] - priced["cost_to_serve"]
    counts = dict.fromkeys(("orders", "return_rows", "exposure_days"), "int64")
    columns = [name for name in COLUMNS if name in priced]
    return priced[columns].astype({**counts, "first_seen": "datetime64[s]"})


def _goods(known: pd.DataFrame, revenue: pd.Series, margin: float | None) -> pd.Series:
    """Cost of goods: from the log; for rows without one, by the margin or else by the cost share of the other rows."""
    if has_costs(known):
        share = known["goods_sold"].sum() / known["amount_sold"].sum() if margin is None else 1 - margin
        return known["goods_known"] + known["amount_without_cost"] * share
    return revenue * (0.0 if margin is None else 1 - margin)


def _left_out(
    known: pd.Series, counted: pd.Series, prices: Costs, tables: Mapping[str, Effort | None]
) -> pd.DataFrame:
    """Cases and contacts whose cost is in no row, and why."""
    found = [pd.DataFrame(columns=["customer_id", "table", "rows", "money", "why"])]
    for name, effort in tables.items():
        if effort is not None:
            ids = effort.per_customer["customer_id"]
            why = np.where(ids.isin(known), "only written to", "not in the log")
            listed = effort.per_customer.assign(table=name, money=effort.priced(prices), why=why)
            found.append(listed.loc[~ids.isin(counted), list(found[0].columns)])
    return pd.concat([table for table in found if len(table)] or found[:1], ignore_index=True)


def _reconcile(found: CustomerProfit) -> None:
    parts = found[["gross", "returns", "cost_of_goods", "cost_to_serve"]]
    if not np.isfinite(parts.to_numpy(dtype=float)).all():
        raise DataError("the log's amount or cost holds an infinite value; correct it or leave the row out")
    if "profit" in found:
        money = parts.sum()
        whole = money["gross"] + money["returns"] - money["cost_of_goods"] - money["cost_to_serve"]
        assert abs(found["profit"].sum() - whole) < 0.005 + 1e-12 * money.abs().sum(), (
            "profit does not add up"
        )
