"""Functions that several exercises share: the purchases of a firm, by order, year and customer."""

from __future__ import annotations

import pandas as pd

from crmlib.simulation.simulate import SimulatedFirm

LAST_DAY = pd.Timestamp("2025-12-31")
PER_MINUTE = 0.60  # wages of 36 an hour


def bought(firm: SimulatedFirm) -> pd.DataFrame:
    """The lines of the log that are no returns."""
    log = firm.tables["transactions"]
    return log[~log["returned"]]


def of_year(lines: pd.DataFrame, year: int, column: str = "date") -> pd.DataFrame:
    """The rows of a calendar year."""
    return lines[lines[column].dt.year == year]


def contribution(lines: pd.DataFrame) -> pd.Series:
    """Revenue less cost of goods by customer, returns taken off."""
    return (lines["amount"] - lines["cost"]).groupby(lines["customer_id"]).sum()


def first_day(firm: SimulatedFirm) -> pd.Series:
    """The day of each customer's first purchase."""
    return bought(firm).groupby("customer_id")["date"].min()


def purchase_days(lines: pd.DataFrame) -> pd.DataFrame:
    """One row per customer and day with a purchase."""
    return lines[["customer_id", "date"]].drop_duplicates()


def after_first(firm: SimulatedFirm, days: int | None = None) -> pd.DataFrame:
    """All rows of the log up to so many days after the customer's first purchase, with their `age` in days."""
    log = firm.tables["transactions"]
    age = (log["date"] - log["customer_id"].map(first_day(firm))).dt.days
    rows = log.assign(age=age)
    return rows if days is None else rows[rows["age"] <= days]


def repeat_share(firm: SimulatedFirm) -> float:
    """Which share of the buyers of 2024 bought in 2025."""
    lines = bought(firm)
    before, after = (of_year(lines, year)["customer_id"].unique() for year in (2024, 2025))
    return float(pd.Series(before).isin(after).mean())


def contracts(firm: SimulatedFirm) -> pd.DataFrame:
    """One row per contract: rows that differ by their price are merged."""
    table = firm.tables["subscriptions"]
    running = table[table["end"].isna()]["customer_id"]
    first_and_last = {"start": "min", "end": "max", "plan": "first"}
    found = table.groupby("customer_id").agg(first_and_last)
    found.loc[running, "end"] = pd.NaT
    return found
