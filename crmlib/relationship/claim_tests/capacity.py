"""Resources by month, what customers used of them, and the tiers of the year before."""

from __future__ import annotations

import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.customers.profit.customer_profit import customer_profit
from crmlib.customers.tiers.value_tiers import value_tiers
from crmlib.data.sources import open_optional, optional
from crmlib.errors import CannotAnswerError
from crmlib.relationship.claim_tests.data import ClaimData

MONTHS = 12


def tiers_before(data: ClaimData, first: pd.Timestamp) -> pd.Series:
    """The tier of each customer in the year before a day."""
    beside = dict(service_cases=data.service_cases, touchpoints=data.touchpoints, costs=data.costs)
    start, end = first - pd.DateOffset(years=1), first - pd.Timedelta(1, "D")
    try:
        profit = customer_profit(data.transactions, start=start, end=end, margin=data.margin, **beside)
        found = value_tiers(profit)
    except CannotAnswerError:
        return pd.Series(dtype=object)
    return found.set_index(found["customer_id"].astype(str))["tier"].astype(object)


def resources_of(data: ClaimData, first: pd.Timestamp, last: pd.Timestamp) -> list[tuple[str, pd.DataFrame]]:
    """Resources with the use of each month, those with most fixed cost first."""
    rows = open_optional(data.capacity)
    assert rows is not None
    rows = rows.select("resource", "capacity", "used", date=rows.date.cast("date").truncate("M"),
                       fixed_cost=optional(rows, "fixed_cost", "float64").fill_null(0.0))  # fmt: skip
    table = rows.to_pandas()
    table = table.assign(month=pd.to_datetime(table.pop("date"))).astype({"capacity": float, "used": float})
    table = table[table["month"].between(first, last) & (table["capacity"] > 0)]
    groups = [(str(name), some.set_index("month").sort_index()) for name, some in table.groupby("resource")]
    groups = [(name, some) for name, some in groups if len(some) >= MONTHS]
    return sorted(groups, key=lambda pair: -float(pair[1]["fixed_cost"].sum()))


def use_by_month(data: ClaimData, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """By customer and month: `orders`, `minutes` of service, and `worth` after the cost of these."""
    rows = data.rows.filter((_.day >= first.date()) & (_.day <= last.date()))
    sums = {"worth": _.worth.sum(), "orders": _.order.nunique(where=_.counted)}
    bought = fetch(rows.group_by("customer_id", month=rows.day.truncate("M")).agg(**sums))
    cases = data.of_table(data.service_cases, "opened", "minutes", "cost")
    month = pd.to_datetime(cases["opened"]).dt.to_period("M").dt.start_time
    cases = cases.assign(month=month, minutes=cases["minutes"].astype(float).fillna(0.0))
    rate = (data.costs.per_service_minute if data.costs else None) or 0.0
    cases["worth"] = -cases["minutes"] * rate - cases["cost"].astype(float).fillna(0.0)
    cases = cases[cases["month"].between(first, last)]
    bought = bought.assign(month=pd.to_datetime(bought["month"]))
    both = pd.concat([part.astype({"customer_id": str}) for part in (bought, cases)])
    both = both[["customer_id", "month", "worth", "orders", "minutes"]].fillna(0.0)
    return both.groupby(["customer_id", "month"]).sum().reset_index()
