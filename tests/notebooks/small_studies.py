"""Small studies at the edges of what a firm's log and tables can hold, each made from a seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from crmlib.data.contracts import CONTRACTS
from crmlib.simulation.simulate import simulate_firm

FIRST, LAST, ROWS = "2023-01-02", "2024-12-30", 800
Small = tuple[dict[str, pd.DataFrame], dict[str, Any]]


def shop(
    customers: int = 150, rows: int = ROWS, first: str = FIRST, last: str = LAST, seed: int = 0
) -> pd.DataFrame:
    """A log of customers who buy at a pace of their own, some once; the first row is on the first day."""
    random = np.random.default_rng(seed)
    pace = random.gamma(0.7, size=customers)
    who = np.concatenate([np.arange(customers), random.choice(customers, rows, p=pace / pace.sum())])[:rows]
    days = random.choice(pd.date_range(first, last), rows)
    days[0] = pd.Timestamp(first)
    log = pd.DataFrame({"customer_id": [f"c{one}" for one in who], "date": days})
    return log.assign(amount=random.gamma(2.0, 20.0, rows).round(2) + 1)


def changed(**columns: Any) -> pd.DataFrame:
    """The log of a shop with columns changed or added."""
    return shop().assign(**columns)


def visits(days: list[str] | pd.DatetimeIndex, customers: int, amount: float = 20.0) -> pd.DataFrame:
    """A log in which everybody buys on each of these days."""
    pairs = [(f"c{who}", day, amount) for who in range(customers) for day in pd.to_datetime(days)]
    return pd.DataFrame(pairs, columns=["customer_id", "date", "amount"])


def returned(log: pd.DataFrame, share: float, times: float = 1.0) -> pd.DataFrame:
    """A log with a share of its rows given back three days later, at so many times their amount."""
    back = log.sample(frac=share, random_state=1)
    later = back.assign(
        date=pd.to_datetime(back["date"]) + pd.Timedelta(3, "D"), amount=-times * back["amount"]
    )
    return pd.concat(
        [log, later.assign(date=later["date"].clip(upper=pd.Timestamp(LAST)))], ignore_index=True
    )


def survivors(counts: list[int]) -> pd.DataFrame:
    """A log in which as many customers as are counted buy in each half year."""
    days = pd.date_range(FIRST, periods=len(counts), freq="182D")
    rows = [(f"c{who}", day, 30.0) for day, count in zip(days, counts, strict=True) for who in range(count)]
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"])


def ids(name: Callable[[str], str]) -> pd.DataFrame:
    """A log whose customers are called so."""
    return changed(customer_id=lambda log: log["customer_id"].map(name))


def times(factor: float) -> pd.DataFrame:
    """A log of amounts so many times as large, not rounded."""
    return changed(amount=lambda log: log["amount"] * factor)


def costing(factor: float) -> pd.DataFrame:
    """A log with a measured cost of so many times the amount."""
    return changed(cost=lambda log: log["amount"] * factor)


def mostly_zero() -> pd.DataFrame:
    """A log in which one row of twenty was paid for."""
    return changed(amount=lambda log: log["amount"].where(log.index % 20 == 0, 0.0))


def filled(*rows: int) -> pd.DataFrame:
    """A log with words in these rows and nothing in the others."""
    column = ["x" if row in rows else None for row in range(ROWS)]
    return changed(market=column, category=column, product=column, channel=column)


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


def lines() -> pd.DataFrame:
    """A log of orders of eight lines in four categories."""
    orders = shop(rows=200).assign(order_id=range(200))
    return pd.concat([orders.assign(product=f"p{line}", category=f"k{line % 4}") for line in range(8)])


def late_comers() -> pd.DataFrame:
    """A log of one old row, then of customers who all came in the last weeks."""
    return pd.concat([shop(1, 1), shop(50, 120, first="2024-12-01").replace({"customer_id": {"c0": "c50"}})])


LOGS: dict[str, Callable[[], tuple[pd.DataFrame, dict[str, Any]]]] = {
    "nobody bought twice": lambda: (shop(80, 80), {}),
    "one came back": lambda: (pd.concat([shop(80, 80), shop(80, 80)[:1].assign(date=LAST)]), {}),
    "everybody bought twice": lambda: (visits(["2023-03-01", "2024-03-01"], 60), {}),
    "everybody bought thrice": lambda: (visits(["2023-02-01", "2023-12-01", "2024-11-01"], 200), {}),
    "one row": lambda: (shop(1, 1), {}),
    "two rows": lambda: (visits([FIRST, LAST], 1), {}),
    "one customer": lambda: (shop(1, 30), {}),
    "two customers": lambda: (shop(2, 20), {}),
    "two customers, once each": lambda: (shop(2, 2), {}),
    "three customers": lambda: (shop(3, 9), {}),
    "eight customers": lambda: (shop(8, 60), {}),
    "sixty customers": lambda: (shop(60, 400), {"margin": 0.4}),
    "constant spend": lambda: (changed(amount=10.0), {}),
    "even retention": lambda: (survivors([100, 80, 64, 51]), {}),
    "all stay": lambda: (survivors([60, 60, 60, 60, 60]), {"margin": 0.3}),
    "all stay, undiscounted": lambda: (survivors([60, 60, 60, 60, 60]), {"discount_rate_per_year": 0}),
    "all leave": lambda: (survivors([60, 0, 0, 1]), {}),
    "clockwork": lambda: (visits(pd.date_range(FIRST, LAST, freq="28D"), 60), {}),
    "clockwork in days": lambda: (visits(pd.date_range("2024-09-01", LAST, freq="2D"), 60), {"time_unit": "D"}),
    "two weeks": lambda: (shop(first="2024-12-17"), {"margin": 0.4}),
    "one month": lambda: (shop(first="2024-12-01"), {}),
    "three months": lambda: (shop(first="2024-10-01"), {}),
    "eleven months": lambda: (shop(first="2024-02-01"), {}),
    "ten years": lambda: (shop(first="2015-01-01"), {}),
    "ten years in months": lambda: (shop(first="2015-01-01"), {"time_unit": "M"}),
    "years as unit": lambda: (shop(), {"time_unit": "Y"}),
    "hours as unit": lambda: (shop(), {"time_unit": "H"}),
    "merged by month": lambda: (shop(), {"policies": {"purchases_merged_within": "M"}}),
    "a gap of years": lambda: (pd.concat([shop(60, 200, "2008-01-01", "2009-12-31"), shop(first="2024-06-01")]), {}),
    "all on one day": lambda: (shop(first=LAST), {}),
    "all in one second": lambda: (changed(date="2024-12-30 12:00:00"), {}),
    "two days": lambda: (visits(["2024-12-01", "2024-12-02"], 60), {}),
    "one came each day": lambda: (shop(300, 300).assign(date=pd.date_range(FIRST, periods=300)), {}),
    "all came at last": lambda: (late_comers(), {}),
    "as of the first day": lambda: (shop(), {"as_of": FIRST}),
    "as of the second week": lambda: (shop(), {"as_of": "2023-01-15"}),
    "as of the middle": lambda: (shop(), {"as_of": "2024-01-01"}),
    "as of years later": lambda: (shop(), {"as_of": "2031-12-31"}),
    "one row far ahead": lambda: (pd.concat([shop(), shop()[:1].assign(date="2190-01-01")]), {}),
    "a century ago": lambda: (shop(first="1901-01-01", last="1903-12-31"), {}),
    "one product": lambda: (changed(product="tea", category="tea"), {}),
    "a category for each row": lambda: (changed(category=[f"k{row}" for row in range(ROWS)]), {}),
    "one market of one customer": lambda: (changed(market=lambda log: log["customer_id"].eq("c3").map(str)), {}),
    "a market for each customer": lambda: (changed(market=lambda log: "m" + log["customer_id"]), {}),
    "empty columns": lambda: (filled(), {}),
    "columns filled once": lambda: (filled(0), {}),
    "many lines an order": lambda: (lines(), {}),
    "a third given back": lambda: (returned(shop(), 0.33), {}),
    "a third given back in part": lambda: (returned(shop(), 0.33, 0.5), {"margin": 0.4}),
    "all given back": lambda: (returned(shop(), 1.0), {}),
    "more given back than paid": lambda: (returned(shop(), 0.5, 3.0), {}),
    "more given back, with margin": lambda: (returned(shop(), 0.5, 3.0), {"margin": 0.4}),
    "only money back": lambda: (changed(amount=-5.0), {}),
    "amounts of zero": lambda: (changed(amount=0.0), {}),
    "mostly zero": lambda: (mostly_zero(), {}),
    "zeros are no purchase": lambda: (mostly_zero(), {"policies": {"zero_amounts": "no_purchase"}}),
    "heavy tails": lambda: (heavy(), {}),
    "one pays 99 %": lambda: (whale(), {"margin": 0.2}),
    "amounts of 1e11": lambda: (times(1e9), {}),
    "amounts of a cent": lambda: (changed(amount=0.01), {}),
    "amounts below a cent": lambda: (times(1e-6), {}),
    "no decimals": lambda: (changed(amount=lambda log: (100 * log["amount"]).round()), {"currency": "JPY"}),
    "ids of 200 letters": lambda: (ids(lambda one: f"{one}-" + "x" * 200), {}),
    "ids in many scripts": lambda: (ids(lambda one: f"顧客 <b>{one}</b> Ünï, 'é' \"عميل\" 🛒"), {}),
    "a margin": lambda: (shop(), {"margin": 0.35, "discount_rate_per_year": 0.1}),
    "margin of nothing": lambda: (shop(), {"margin": 0.0}),
    "margin of all": lambda: (shop(), {"margin": 1.0, "discount_rate_per_year": 0.0}),
    "measured cost": lambda: (costing(0.6), {}),
    "sold at cost": lambda: (costing(1.0), {}),
    "sold below cost": lambda: (costing(1.5), {}),
    "cost of one row": lambda: (changed(cost=[5.0] + [None] * (ROWS - 1)), {}),
    "dear to serve": lambda: (shop(), {"margin": 0.1, "costs": {"per_order": 50, "fixed_per_year": 100}}),
}  # fmt: skip


@cache
def firm() -> dict[str, pd.DataFrame]:
    """The tables of a small simulated firm, features of its customers, and who did what of a list."""
    tables = dict(simulate_firm(400, 2, random_state=3).tables)
    people = tables["customers"][["customer_id"]].reset_index(drop=True)
    random = np.random.default_rng(4)
    features = people.assign(
        tenure=random.integers(1, 60, len(people)), plan=random.choice(["a", "b"], len(people))
    )
    leaves = random.random(len(people)) < 1 / (1 + np.exp(features["tenure"] / 10 - 2))
    done = people.head(40).assign(
        rule="win back", assigned="2025-09-30", owner="sales", done_on="2025-10-05", outcome="called"
    )
    tables["actions_done"] = done.assign(done_on=done["done_on"].where(done.index % 2 == 0))
    return tables | {"customer_features": features.assign(churned=np.where(leaves, "yes", "no"))}


OPTIONAL = tuple(name for name in CONTRACTS if name != "transactions")


def one_row(name: str) -> pd.DataFrame:
    """The first row of a table."""
    return firm()[name][:1]


def of_others(name: str) -> pd.DataFrame:
    """A table that speaks of customers whom the log does not know."""
    table = firm()[name]
    return table.assign(customer_id="other" + table["customer_id"]) if "customer_id" in table else table


def bare(name: str) -> pd.DataFrame:
    """A table with nothing in its columns but those that are required."""
    table = firm()[name]
    required = [column.name for column in CONTRACTS[name].columns if column.required]
    return table.assign(**{column: None for column in table.columns if column not in required})


def with_firm(log_facts: dict[str, Any] | None = None, **tables: pd.DataFrame) -> Small:
    """The simulated firm's log with these tables."""
    return {"transactions": firm()["transactions"], **tables}, {"currency": "EUR", **(log_facts or {})}


WAGES = {"costs": {"per_service_minute": 0.6}}


def who_left() -> pd.Series:
    """A feature that says the same as the outcome."""
    return firm()["customer_features"]["churned"].map({"yes": "x", "no": "y"})


def set_to(table: str, **columns: Any) -> dict[str, pd.DataFrame]:
    """A table of the firm with columns set to a value."""
    return {table: firm()[table].assign(**columns)}


def chosen(table: str, column: str, value: str) -> dict[str, pd.DataFrame]:
    """The rows of a table in which a column has a value."""
    return {table: firm()[table].loc[lambda rows: rows[column] == value]}


TABLES: dict[str, Callable[[], Small]] = {
    **{f"{name} alone": lambda name=name: with_firm(**{name: firm()[name]}) for name in OPTIONAL},
    "every table": lambda: with_firm(WAGES, **{name: firm()[name] for name in OPTIONAL}),
    "one row of each table": lambda: with_firm(**{name: one_row(name) for name in OPTIONAL}),
    "tables of other customers": lambda: with_firm(**{name: of_others(name) for name in OPTIONAL}),
    "only what is required": lambda: with_firm(**{name: bare(name) for name in OPTIONAL}),
    "contracts without a log": lambda: ({"subscriptions": firm()["subscriptions"]}, {"as_of": "2025-12-31"}),
    "one contract without a log": lambda: ({"subscriptions": one_row("subscriptions")}, {"as_of": "2025-12-31"}),
    "features without a log": lambda: ({"customer_features": firm()["customer_features"]}, {"as_of": "2025-12-31"}),
    "all contracts ended": lambda: with_firm(**set_to("subscriptions", end="2025-12-01", end_reason="cancelled")),
    "no contract ended": lambda: with_firm(**set_to("subscriptions", end=None, end_reason=None)),
    "contracts for nothing": lambda: with_firm(**set_to("subscriptions", price_per_month=0.0)),
    "contracts of one day": lambda: with_firm(**set_to("subscriptions", start="2025-12-30", end="2025-12-30")),
    "nobody treated": lambda: with_firm(**chosen("experiments", "group", "control")),
    "nobody in control": lambda: with_firm(**chosen("experiments", "group", "treated")),
    "experiments of the last day": lambda: with_firm(**set_to("experiments", assigned="2025-12-31")),
    "surveys all alike": lambda: with_firm(**set_to("surveys", score=5, question="trust")),
    "points earned by nobody": lambda: with_firm(**chosen("loyalty_ledger", "kind", "joined")),
    "points of zero": lambda: with_firm(**set_to("loyalty_ledger", points=0)),
    "all left": lambda: with_firm(**set_to("customer_features", churned="yes")),
    "features without words": lambda: with_firm(**set_to("customer_features", churned="perhaps")),
    "nobody left": lambda: with_firm(**set_to("customer_features", churned="no")),
    "not known who left": lambda: with_firm(**set_to("customer_features", churned=None)),
    "features without a difference": lambda: with_firm(**set_to("customer_features", tenure=5, plan="a")),
    "a feature that tells all": lambda: with_firm(**set_to("customer_features", plan=who_left())),
    "spend of nothing": lambda: with_firm(**set_to("marketing_spend", amount=0.0), leads=firm()["leads"]),
    "a budget of nothing": lambda: with_firm(**set_to("budget", revenue=0.0, new_customers=0)),
    "no capacity": lambda: with_firm(**set_to("capacity", capacity=0.0, used=0.0)),
    "service for nothing": lambda: with_firm(WAGES, **set_to("service_cases", minutes=0.0, cost=0.0)),
}  # fmt: skip

STUDIES: dict[str, Callable[[], Small]] = {
    **{name: lambda make=make: ({"transactions": make()[0]}, make()[1]) for name, make in LOGS.items()},
    **TABLES,
}
