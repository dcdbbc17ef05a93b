"""Small studies at the edges of what a firm's log and tables can hold, each made from a seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from crmlib.data.simulate import simulate_firm

FIRST, LAST = "2023-01-02", "2024-12-30"
Small = tuple[dict[str, pd.DataFrame], dict[str, Any]]


def shop(
    customers: int = 60, rows: int = 400, first: str = FIRST, last: str = LAST, seed: int = 0
) -> pd.DataFrame:
    """A log of customers who buy at a pace of their own, some once; the first row is on the first day."""
    random = np.random.default_rng(seed)
    pace = random.gamma(0.7, size=customers)
    who = np.concatenate([np.arange(customers), random.choice(customers, rows, p=pace / pace.sum())])[:rows]
    days = random.choice(pd.date_range(first, last), rows)
    days[0] = pd.Timestamp(first)
    log = pd.DataFrame({"customer_id": [f"c{one}" for one in who], "date": days})
    return log.assign(amount=random.gamma(2.0, 20.0, rows).round(2) + 1)


def visits(days: list[str] | pd.DatetimeIndex, customers: int, amount: float = 20.0) -> pd.DataFrame:
    """A log in which everybody buys on each of these days."""
    pairs = [(f"c{who}", day, amount) for who in range(customers) for day in pd.to_datetime(days)]
    return pd.DataFrame(pairs, columns=["customer_id", "date", "amount"])


def returned(log: pd.DataFrame, share: float, times: float = 1.0) -> pd.DataFrame:
    """A log with a share of its rows given back three days later, at so many times their amount."""
    back = log.sample(frac=share, random_state=1)
    later = back.assign(date=pd.to_datetime(back["date"]) + pd.Timedelta(days=3), amount=-times * back["amount"])
    return pd.concat([log, later.assign(date=later["date"].clip(upper=pd.Timestamp(LAST)))], ignore_index=True)


def words(log: pd.DataFrame, column: str, *values: str) -> pd.DataFrame:
    """A log with a column that takes these values by turns."""
    return log.assign(**{column: [values[row % len(values)] for row in range(len(log))]})


def survivors(counts: list[int]) -> pd.DataFrame:
    """A log in which as many customers as are counted buy in each half year."""
    days = pd.date_range(FIRST, periods=len(counts), freq="182D")
    rows = [(f"c{who}", day, 30.0) for day, count in zip(days, counts, strict=True) for who in range(count)]
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"])


def ids(name: Callable[[int], str]) -> pd.DataFrame:
    """A log whose customers are called so."""
    log = shop()
    return log.assign(customer_id=[name(int(one[1:])) for one in log["customer_id"]])


def whale() -> pd.DataFrame:
    """A log in which one customer pays 99 % of all."""
    log = shop()
    others = log["customer_id"] != "c0"
    paid = log["amount"].where(others, 99 * log.loc[others, "amount"].sum() / (~others).sum())
    return log.assign(amount=paid.round(2))


def heavy() -> pd.DataFrame:
    """A log of amounts without a mean."""
    log = shop()
    return log.assign(amount=(np.random.default_rng(2).pareto(0.9, len(log)) + 0.01).round(2))


def late_comers() -> pd.DataFrame:
    """A log of one old row, then of customers who all came in the last weeks."""
    return pd.concat([shop(1, 1), shop(50, 120, first="2024-12-01").replace({"customer_id": {"c0": "c50"}})])


LOGS: dict[str, Callable[[], tuple[pd.DataFrame, dict[str, Any]]]] = {
    "nobody bought twice": lambda: (shop(80, 80), {}),
    "one came back": lambda: (pd.concat([shop(80, 80), shop(80, 80)[:1].assign(date=LAST)]), {}),
    "everybody bought twice": lambda: (visits(["2023-03-01", "2024-03-01"], 40), {}),
    "eight customers": lambda: (shop(8, 60), {}),
    "two customers": lambda: (shop(2, 20), {}),
    "two customers, once each": lambda: (shop(2, 2), {}),
    "three customers": lambda: (shop(3, 9), {}),
    "one customer": lambda: (shop(1, 30), {}),
    "one row": lambda: (shop(1, 1), {}),
    "two rows": lambda: (visits([FIRST, LAST], 1), {}),
    "thirty customers": lambda: (shop(30, 200), {"margin": 0.4}),
    "constant spend": lambda: (shop().assign(amount=10.0), {}),
    "even retention": lambda: (survivors([100, 80, 64, 51]), {}),
    "all stay": lambda: (survivors([50, 50, 50, 50, 50]), {"margin": 0.3}),
    "all leave": lambda: (survivors([50, 0, 0, 1]), {}),
    "clockwork": lambda: (visits(pd.date_range(FIRST, LAST, freq="28D"), 40), {}),
    "clockwork in days": lambda: (visits(pd.date_range("2024-10-01", LAST), 12), {"time_unit": "D"}),
    "one month": lambda: (shop(first="2024-12-01"), {}),
    "two weeks": lambda: (shop(first="2024-12-17"), {"margin": 0.4}),
    "three months": lambda: (shop(first="2024-10-01"), {}),
    "eleven months": lambda: (shop(first="2024-02-01"), {}),
    "ten years": lambda: (shop(120, 900, first="2015-01-01"), {}),
    "ten years in months": lambda: (shop(120, 900, first="2015-01-01"), {"time_unit": "M"}),
    "years as unit": lambda: (shop(), {"time_unit": "Y"}),
    "hours as unit": lambda: (shop(), {"time_unit": "H"}),
    "merged by month": lambda: (shop(), {"policies": {"purchases_merged_within": "M"}}),
    "a gap of years": lambda: (pd.concat([shop(40, 150, "2008-01-01", "2009-12-31"), shop(80, 300, "2024-06-01")]), {}),
    "all on one day": lambda: (shop(first=LAST), {}),
    "all in one second": lambda: (shop(first=LAST).assign(date="2024-12-30 12:00:00"), {}),
    "two days": lambda: (visits(["2024-12-01", "2024-12-02"], 50), {}),
    "one came each day": lambda: (shop(300, 300).assign(date=pd.date_range(FIRST, periods=300)), {}),
    "all came at last": lambda: (late_comers(), {}),
    "as of the first day": lambda: (shop(), {"as_of": FIRST}),
    "as of the second week": lambda: (shop(), {"as_of": "2023-01-15"}),
    "as of the middle": lambda: (shop(), {"as_of": "2024-01-01"}),
    "as of years later": lambda: (shop(), {"as_of": "2031-12-31"}),
    "one row far ahead": lambda: (pd.concat([shop(), shop()[:1].assign(date="2190-01-01")]), {}),
    "a century ago": lambda: (shop(first="1901-01-01", last="1903-12-31"), {}),
    "one product": lambda: (words(shop(), "product", "tea"), {}),
    "one category": lambda: (words(shop(), "category", "tea"), {}),
    "a category for each row": lambda: (words(shop(), "category", *map(str, range(400))), {}),
    "one market of one customer": lambda: (shop().assign(market=lambda log: log.customer_id.eq("c3").map({True: "A", False: "B"})), {}),
    "a market for each customer": lambda: (shop().assign(market=lambda log: "m" + log.customer_id), {}),
    "empty columns": lambda: (shop().assign(market=None, category=None, product=None, channel=None, cost=None), {}),
    "everything filled once": lambda: (shop().assign(**{name: ["x"] + [None] * 399 for name in ("market", "category", "product", "channel")}), {}),
    "many lines an order": lambda: (pd.concat([shop(40, 120).assign(order_id=range(120), product=f"p{one}", category=f"k{one % 4}") for one in range(8)]), {}),
    "a third given back": lambda: (returned(shop(), 0.33), {}),
    "a third given back in part": lambda: (returned(shop(), 0.33, 0.5), {"margin": 0.4}),
    "all given back": lambda: (returned(shop(), 1.0), {}),
    "more given back than paid": lambda: (returned(shop(), 0.5, 3.0), {}),
    "more given back, with margin": lambda: (returned(shop(), 0.5, 3.0), {"margin": 0.4}),
    "only money back": lambda: (shop().assign(amount=-5.0), {}),
    "amounts of zero": lambda: (shop().assign(amount=0.0), {}),
    "mostly zero": lambda: (shop().assign(amount=lambda log: log["amount"].where(log.index % 20 == 0, 0.0)), {}),
    "zeros are no purchase": lambda: (shop().assign(amount=lambda log: log["amount"].where(log.index % 20 == 0, 0.0)), {"policies": {"zero_amounts": "no_purchase"}}),
    "heavy tails": lambda: (heavy(), {}),
    "one pays 99 %": lambda: (whale(), {"margin": 0.2}),
    "amounts of 1e12": lambda: (shop().assign(amount=lambda log: log["amount"] * 1e12), {}),
    "amounts of a cent": lambda: (shop().assign(amount=0.01), {}),
    "amounts below a cent": lambda: (shop().assign(amount=lambda log: log["amount"] * 1e-6), {}),
    "no decimals": lambda: (shop().assign(amount=lambda log: (log["amount"] * 100).round()), {"currency": "JPY"}),
    "ids of 200 letters": lambda: (ids(lambda one: f"{one}-" + "x" * 200), {}),
    "ids in many scripts": lambda: (ids(lambda one: f"顧客 <b>{one}</b> \"Ünï, 'é'\" عميل 🛒"), {}),
    "margin of nothing": lambda: (shop(), {"margin": 0.0}),
    "margin of all": lambda: (shop(), {"margin": 1.0, "discount_rate_per_year": 0.0}),
    "a margin": lambda: (shop(200, 1500), {"margin": 0.35, "discount_rate_per_year": 0.1}),
    "measured cost": lambda: (shop(200, 1500).assign(cost=lambda log: 0.6 * log["amount"]), {}),
    "sold at cost": lambda: (shop().assign(cost=lambda log: log["amount"]), {}),
    "sold below cost": lambda: (shop(200, 1500).assign(cost=lambda log: 1.5 * log["amount"]), {}),
    "cost of one row": lambda: (shop().assign(cost=[5.0] + [None] * 399), {}),
    "dear to serve": lambda: (shop(200, 900), {"margin": 0.1, "costs": {"per_order": 50, "fixed_per_year": 100}}),
    "two hundred customers": lambda: (shop(200, 1500), {}),
    "two hundred, thrice": lambda: (visits(["2023-02-01", "2023-12-01", "2024-11-01"], 200), {}),
}  # fmt: skip


@cache
def firm() -> dict[str, pd.DataFrame]:
    """The tables of a small simulated firm, and features of its customers."""
    tables = dict(simulate_firm(150, 2, random_state=3).tables)
    people = tables["customers"][["customer_id"]].reset_index(drop=True)
    random = np.random.default_rng(4)
    features = people.assign(
        tenure=random.integers(1, 60, len(people)), plan=random.choice(["a", "b"], len(people))
    )
    leaves = random.random(len(people)) < 1 / (1 + np.exp(features["tenure"] / 10 - 2))
    return tables | {"customer_features": features.assign(churned=np.where(leaves, "yes", "no"))}


OPTIONAL = tuple(name for name in firm() if name != "transactions")


def one_row(name: str) -> pd.DataFrame:
    """The first row of a table."""
    return firm()[name][:1]


def of_others(name: str) -> pd.DataFrame:
    """A table that speaks of customers whom the log does not know."""
    table = firm()[name]
    return table.assign(customer_id="other" + table["customer_id"]) if "customer_id" in table else table


def bare(name: str) -> pd.DataFrame:
    """A table with nothing in its columns but those that are required."""
    from crmlib.data.contracts import CONTRACTS

    table = firm()[name]
    required = [column.name for column in CONTRACTS[name].columns if column.required]
    return table.assign(**{column: None for column in table.columns if column not in required})


def with_firm(log_facts: dict[str, Any] | None = None, **tables: pd.DataFrame) -> Small:
    """The simulated firm's log with these tables."""
    return {"transactions": firm()["transactions"], **tables}, {"currency": "EUR", **(log_facts or {})}


def set_to(table: str, **columns: Any) -> dict[str, pd.DataFrame]:
    """A table of the firm with columns set to a value."""
    return {table: firm()[table].assign(**columns)}


def chosen(table: str, column: str, value: str) -> dict[str, pd.DataFrame]:
    """The rows of a table in which a column has a value."""
    return {table: firm()[table].loc[lambda rows: rows[column] == value]}


TABLES: dict[str, Callable[[], Small]] = {
    **{f"{name} alone": lambda name=name: with_firm(**{name: firm()[name]}) for name in OPTIONAL},
    "every table": lambda: with_firm({"costs": {"per_service_minute": 0.6}}, **{name: firm()[name] for name in OPTIONAL}),
    "one row of each table": lambda: with_firm(**{name: one_row(name) for name in OPTIONAL}),
    "tables of other customers": lambda: with_firm(**{name: of_others(name) for name in OPTIONAL}),
    "only what is required": lambda: with_firm(**{name: bare(name) for name in OPTIONAL}),
    "contracts without a log": lambda: ({"subscriptions": firm()["subscriptions"]}, {"as_of": "2025-12-31"}),
    "one contract without a log": lambda: ({"subscriptions": one_row("subscriptions")}, {"as_of": "2025-12-31"}),
    "features without a log": lambda: ({"customer_features": firm()["customer_features"]}, {"as_of": "2025-12-31"}),
    "all contracts ended": lambda: with_firm(**set_to("subscriptions", end="2025-12-01", end_reason="cancelled")),
    "no contract ended": lambda: with_firm(**set_to("subscriptions", end=None, end_reason=None)),
    "contracts for nothing": lambda: with_firm(**set_to("subscriptions", price_per_month=0.0)),
    "contracts of one day": lambda: with_firm(**set_to("subscriptions", start="2025-12-30", end="2025-12-31", end_reason="cancelled")),
    "nobody treated": lambda: with_firm(**chosen("experiments", "group", "control")),
    "nobody in control": lambda: with_firm(**chosen("experiments", "group", "treated")),
    "experiments of the last day": lambda: with_firm(**set_to("experiments", assigned="2025-12-31")),
    "surveys all alike": lambda: with_firm(**set_to("surveys", score=5, question="trust")),
    "points earned by nobody": lambda: with_firm(**chosen("loyalty_ledger", "kind", "joined")),
    "points of zero": lambda: with_firm(**set_to("loyalty_ledger", points=0)),
    "all left": lambda: with_firm(**set_to("customer_features", churned="yes")),
    "nobody left": lambda: with_firm(**set_to("customer_features", churned="no")),
    "not known who left": lambda: with_firm(**set_to("customer_features", churned=None)),
    "features without a difference": lambda: with_firm(**set_to("customer_features", tenure=5, plan="a")),
    "a feature that tells all": lambda: with_firm(**set_to("customer_features", tenure=firm()["customer_features"]["churned"].eq("yes").astype(int))),
    "spend of nothing": lambda: with_firm(**set_to("marketing_spend", amount=0.0), leads=firm()["leads"]),
    "a budget of nothing": lambda: with_firm(**set_to("budget", revenue=0.0, marketing_spend=0.0, new_customers=0)),
    "no capacity": lambda: with_firm(**set_to("capacity", capacity=0.0, used=0.0)),
    "service for nothing": lambda: with_firm({"costs": {"per_service_minute": 0.6}}, **set_to("service_cases", minutes=0.0, cost=0.0)),
}  # fmt: skip

STUDIES: dict[str, Callable[[], Small]] = {
    **{name: lambda make=make: ({"transactions": make()[0]}, make()[1]) for name, make in LOGS.items()},
    **TABLES,
}
