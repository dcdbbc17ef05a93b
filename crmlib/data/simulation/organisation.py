"""The firm itself: people and their hours, partners, capacity, plan, and what two raters think of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.data.simulation import catalogue
from crmlib.data.simulation.world import World

CUSTOMERS_PER_SEAT = {"prospecting": 1000, "selling": 1000, "account management": 1500, "service": 1500}
_LETTER = {"prospecting": "R", "selling": "R", "account management": "M", "service": "S"}
SCORECARDS = {
    "qci": "analysis & planning|proposition|people & organisation|information & technology|process management|"
    "customer management activity|customer experience|measuring the effect",
    "buttle": "customer portfolio analysis|customer intimacy|network development|value proposition|"
    "managing the life cycle",
    "payne": "strategy development|value creation|multichannel integration|information management|"
    "performance assessment",
    "idic": "identify|differentiate|interact|customise",
}
EVIDENCE = np.array(
    ["none", "heard of it", "a written plan", "seen at work", "measured effect"], dtype=object
)
PARTNERS = (
    ("P01", "partner", 9_000, 4_000, 15_000),
    ("P02", "partner", 6_000, 3_000, 9_000),
    ("P03", "partner", 12_000, 2_000, 8_000),
    ("P04", "partner", 3_000, 1_000, 5_000),
    ("P05", "supplier", 0, 60_000, 75_000),
    ("P06", "supplier", 0, 30_000, 32_000),
    ("P07", "owner", 40_000, 20_000, 40_000),
    ("P08", "customer", 2_000, 8_000, 9_000),
    ("P09", "employee", 5_000, 6_000, 6_000),
)


def employee(world: World, activity: str, index: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Who looks after a customer at a time: one seat for some hundreds of customers, at times newly filled."""
    seat = index // CUSTOMERS_PER_SEAT[activity]
    letter = _LETTER[activity]
    successor = day >= _change(world, letter, seat)
    seats, place = np.unique(seat * 2 + successor, return_inverse=True)
    return np.array([_name(letter, one) for one in seats.tolist()], dtype=object)[place]


def _name(letter: str, code: int) -> str:
    return f"{letter}{code // 2 + 1:04d}" + ("b" if code % 2 else "")


def _change(world: World, letter: str, seat: np.ndarray) -> np.ndarray:
    """The first day of a month on which a seat is newly filled; beyond the history for most."""
    month = (
        np.floor(4 * len(world.months) * world.streams.uniform(f"turnover {letter}", seat)).astype(int) + 1
    )
    days = (world.months.astype("datetime64[D]") - world.start).astype(float)
    return np.append(days, np.inf)[np.minimum(month, len(days))]


def staff_hours(world: World, worked: pd.DataFrame, n_customers: int) -> pd.DataFrame:
    """Hours by employee, month and activity; those not spent on customers are administration.

    `worked` has `employee_id`, `month`, `activity` and `hours`.
    """
    books = [worked, _administration(world, n_customers)]
    table = pd.concat(books).groupby(["employee_id", "month", "activity"], as_index=False)["hours"].sum()
    table["hours"] = table["hours"].round(2)
    table["cost"] = (table["hours"] * catalogue.WAGE_PER_HOUR).round(2)
    table["date"] = world.months[table["month"].to_numpy()].astype("datetime64[us]")
    return table.drop(columns="month").merge(_contracts(world, n_customers), on="employee_id")


def _seats(world: World, n_customers: int) -> pd.DataFrame:
    """Every employee there ever was, with the first and the last day in days of the history."""
    found = []
    for activity in ("selling", "account management", "service"):
        seat = np.arange((n_customers - 1) // CUSTOMERS_PER_SEAT[activity] + 1)
        letter = _LETTER[activity]
        change = _change(world, letter, seat)
        hired = -np.floor(900 * world.streams.uniform(f"hired {letter}", seat))
        names = [_name(letter, 2 * one) for one in seat.tolist()]
        found.append(pd.DataFrame({"employee_id": names, "from": hired, "to": change - 1}))
        again = np.flatnonzero(np.isfinite(change))
        names = [_name(letter, 2 * one + 1) for one in again.tolist()]
        found.append(pd.DataFrame({"employee_id": names, "from": change[again], "to": np.inf}))
    team = pd.DataFrame({"employee_id": ["K0001"], "from": -400.0, "to": np.inf})  # marketing
    return pd.concat([*found, team], ignore_index=True)


def _administration(world: World, n_customers: int) -> pd.DataFrame:
    seats = _seats(world, n_customers)
    months = (world.months.astype("datetime64[D]") - world.start).astype(float)
    there = (seats["from"].to_numpy()[:, None] <= months[None, :]) & (
        months[None, :] <= seats["to"].to_numpy()[:, None]
    )
    row, month = np.nonzero(there)
    name = seats["employee_id"].to_numpy()[row]
    marketing = np.array([one.startswith("K") for one in name])
    return pd.DataFrame(
        {
            "employee_id": name,
            "month": month,
            "activity": np.where(marketing, "marketing", "administration"),
            "hours": np.where(marketing, 40.0, 8.0),
        }
    )


def _contracts(world: World, n_customers: int) -> pd.DataFrame:
    seats = _seats(world, n_customers)
    return pd.DataFrame(
        {
            "employee_id": seats["employee_id"],
            "hired_on": world.date(seats["from"].to_numpy()),
            "left_on": world.date(seats["to"].to_numpy()),
        }
    )


def partners(world: World) -> pd.DataFrame:
    """The network: suppliers, customers, owners, partners, employees."""
    columns = ["partner_id", "kind", "cost_per_year", "value_received_per_year", "value_given_per_year"]
    table = pd.DataFrame(PARTNERS, columns=columns).astype(dict.fromkeys(columns[2:], float))
    table["since"] = world.date(-900.0 + 80.0 * np.arange(len(table)))
    return table


def capacity(world: World, orders_by_month: np.ndarray, service_hours: np.ndarray) -> pd.DataFrame:
    """What is limited, and how much of it was used: parcels a month, hours of service."""
    parts = []
    for name, used, cost in (("parcels", orders_by_month, 1.2), ("service hours", service_hours, 9.0)):
        most = float(np.ceil(1.15 * used.max())) if used.max() > 0 else 1.0
        parts.append(
            pd.DataFrame(
                {
                    "date": world.months.astype("datetime64[us]"),
                    "resource": name,
                    "capacity": most,
                    "used": np.round(used, 1),
                    "fixed_cost": round(most * cost, 2),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def budget(world: World, revenue: np.ndarray, spent: np.ndarray, joined: np.ndarray) -> pd.DataFrame:
    """The plan: what came about, misjudged by a tenth, and on the whole too hopeful."""
    month = np.arange(len(world.months))
    wrong = np.exp(0.03 + 0.10 * world.streams.normal("plan", month[None, :], np.arange(3)[:, None]))
    return pd.DataFrame(
        {
            "date": world.months.astype("datetime64[us]"),
            "revenue": np.round(revenue * wrong[0], -1),
            "marketing_spend": np.round(spent * wrong[1], -1),
            "new_customers": np.round(joined * wrong[2]),
        }
    )


def maturity_scores(world: World) -> pd.DataFrame:
    """Four scorecards by two raters, of whom the second is stricter and both err."""
    rows = [(model, element) for model, text in SCORECARDS.items() for element in text.split("|")]
    place = np.arange(len(rows))
    level = 2.1 + 0.9 * world.streams.normal("maturity", place)
    parts = []
    for rater, strict in enumerate((0.2, -0.3)):
        score = np.clip(np.round(level + strict + 0.5 * world.streams.normal("rating", place, rater)), 0, 4)
        parts.append(
            pd.DataFrame(rows, columns=["model", "element"]).assign(
                rater=f"rater {rater + 1}",
                score=score,
                evidence=EVIDENCE[score.astype(int)],
                date=np.datetime64("2025-11-03", "us"),
            )
        )
    return pd.concat(parts, ignore_index=True)
