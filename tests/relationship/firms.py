"""Small firms as folders with a study file, their tables written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

import crmlib as crm

# Contribution is half of revenue: a 100, b 50, c 10, d 5 in 2024; all but d bought before.
LOG = """
a 2023-02-01 40
b 2023-06-01 40
c 2023-10-01 40
a 2024-02-01 200
b 2024-03-01 100
c 2024-04-01 20
d 2024-05-01 10
"""
CUSTOMERS = pd.DataFrame(
    {
        "customer_id": [*"abcd"],
        "name": ["Ann", "Bob", "Cid", None],
        "email": ["a@x.org", None, "c@x.org", None],
        "phone": ["1", "2", None, None],
        "birthday": ["1980-01-01", "1981-01-01", None, "1983-01-01"],
        "consent": ["yes", None, "yes", "no"],  # missing is none
        "birthday_consent": ["yes", "yes", "yes", "yes"],
        "joined": ["2023-02-01", "2023-06-01", "2023-10-01", "2024-05-01"],
        "market": ["DE", "DE", "FR", "FR"],
        "acquisition_channel": ["search", "search", None, "search"],
        "share_of_wallet": [0.5, 0.8, 0.05, None],
        "goal_reached": ["yes", "no", "no", None],
        "adoption": [0.8, 0.5, 0.1, 0.3],
        "planned_value": [80, 90, None, 500],  # d joined within the year
        "manager_id": ["M1", "M1", None, None],
        "referrer_id": [None, None, "a", "a"],
    }
)
TOUCHPOINTS = pd.DataFrame(
    [
        ("a", "2024-02-10", "e-mail", "offer", "out", "clicked", "yes", 2, "2024-03-01", "2024-03-01"),
        ("a", "2024-11-10", "e-mail", "offer", "out", "none", "no", 0, None, None),
        ("b", "2024-06-10", "phone", "call", "out", "none", "no", 0, "2024-06-20", "2024-06-25"),
        ("b", "2024-07-10", "phone", "call", "out", None, "no", 0, "2024-08-01", None),
        ("c", "2023-07-10", "phone", "call", "out", "replied", "yes", 5, "2023-08-01", None),  # before the year
    ],
    columns=(
        "customer_id date channel kind direction response customised fields_learned promise_due promise_kept_on"
    ).split(),
)  # fmt: skip
CASES = pd.DataFrame(
    [
        ("a", "2024-03-01 10:00", "2024-03-01 12:00", "2024-03-02", "e-mail"),
        ("a", "2024-04-01 10:00", "2024-04-02 10:00", "2024-04-03", "e-mail"),
        ("b", "2024-05-01 10:00", "2024-05-03 12:00", None, "phone"),
        ("c", "2024-06-01 10:00", None, None, "phone"),
        ("c", "2024-12-31 20:00", None, None, "phone"),  # less than a day before the end
    ],
    columns="customer_id opened first_reply closed channel".split(),
)
SURVEYS = pd.DataFrame(
    [
        ("a", "2024-03-05", "satisfaction", 5, None), ("b", "2024-03-05", "satisfaction", 4, None),
        ("b", "2024-09-05", "satisfaction", 2, "2024-09-09"), ("c", "2024-03-05", "nps", 3, None),
    ],
    columns="customer_id date question score followed_up_on".split(),
)  # fmt: skip
PARTNERS = pd.DataFrame(
    {
        "partner_id": ["P1", "P2"],
        "kind": ["supplier", "partner"],
        "since": ["2020-01-01"] * 2,
        "cost_per_year": [10.0, 30.0],
        "value_received_per_year": [50.0, 5.0],
        "value_given_per_year": [40.0, 20.0],
    }
)
TABLES = {
    "customers": CUSTOMERS,
    "touchpoints": TOUCHPOINTS,
    "service_cases": CASES,
    "surveys": SURVEYS,
    "network_partners": PARTNERS,
}


def scores(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    """Rows of model, element, rater and score."""
    return pd.DataFrame(rows, columns=["model", "element", "rater", "score"]).assign(date="2024-06-01")


def firm(folder: Path, log: str = LOG, margin: float | None = 0.5, **tables: pd.DataFrame) -> crm.Study:
    """A study of these tables, with no figure of another chapter."""
    rows = pd.DataFrame([line.split() for line in log.strip().splitlines()])
    rows.columns = ["customer_id", "date", "amount"]
    entries: dict[str, Any] = {"transactions": rows, **tables}
    about = "title: A stall\ncurrency: EUR\nas_of: 2024-12-31\nlog_starts: with_firm\n"
    about += "" if margin is None else f"margin: {margin}\n"
    about += "tables:\n"
    folder.mkdir(exist_ok=True)
    for name, table in entries.items():
        table.to_csv(folder / f"{name}.csv", index=False)
        about += f"  {name}: {{source: {name}.csv}}\n"
    (folder / "study.yaml").write_text(about)
    return crm.open_study(folder / "study.yaml")
