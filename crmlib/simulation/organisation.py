"""The firm itself: people and their hours, partners, capacity, plan, and what two raters think of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.simulation import catalogue, demand
from crmlib.simulation.world import World

PEOPLE_PER_SEAT = {"prospecting": 2100, "selling": 2100, "account management": 3150, "service": 3150}
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
# A belief | of whom | stage | test | pass if | pass mark | day of the mark | day of the result, or none | what is true
BELIEFS = """
They miss advice before the first order|Poland|discovery|share of twenty who say so|at least|0.5|30|75|0.6
A light plan is bought at half the price|bank|validation|share of 200 who order|at least|0.05|90|160|0.03
Referred customers need less help|referred|get|questions per order in 90 days|at most|0.5|120|240|0.4
A call within a day wins more prospects|prospects|get|difference in the share won|at least|0.02|270|250|0.03
Customers stay for a personal manager|accounts|keep|difference in the share who buy again|at least|0.05|300||0
"""
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


def seat_code(world: World, activity: str, index: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Who looks after a customer at a time: twice the seat's number, and one more once it is newly filled."""
    seat = index // PEOPLE_PER_SEAT[activity]
    return seat * 2 + (day >= _change(world, _LETTER[activity], seat))


def employee(world: World, activity: str, index: np.ndarray, day: np.ndarray) -> np.ndarray:
    """The employee's number of who looks after a customer at a time."""
    codes, place = np.unique(seat_code(world, activity, index, day), return_inverse=True)
    return _names(_LETTER[activity], codes)[place]


def _names(letter: str, codes: np.ndarray) -> np.ndarray:
    names = np.empty(len(codes), dtype=object)
    names[:] = [f"{letter}{code // 2 + 1:04d}" + ("b" if code % 2 else "") for code in codes.tolist()]
    return names


def _change(world: World, letter: str, seat: np.ndarray) -> np.ndarray:
    """The first day of a month on which a seat is newly filled; beyond the history for most."""
    month = (
        np.floor(4 * len(world.months) * world.streams.uniform(f"turnover {letter}", seat)).astype(int) + 1
    )
    days = (world.months.astype("datetime64[D]") - world.start).astype(float)
    return np.append(days, np.inf)[np.minimum(month, len(days))]


@dataclass(frozen=True)
class Hours:
    """Hours that seats worked on an activity: by code of the seat and position of the month."""

    activity: str
    code: np.ndarray
    month: np.ndarray
    hours: np.ndarray


def sum_hours(activity: str, code: np.ndarray, month: np.ndarray, hours: np.ndarray) -> Hours:
    """Sum hours by seat and month."""
    slots, place = np.unique(code * 4096 + month, return_inverse=True)
    return Hours(activity, slots // 4096, slots % 4096, np.bincount(place, hours, minlength=len(slots)))


def staff_hours(world: World, worked: list[Hours], n_candidates: int) -> pd.DataFrame:
    """Hours by employee, month and activity; those not spent on customers are administration or marketing."""
    seats = _seats(world, n_candidates)
    parts = [_administration(world, seats)]
    for activity in PEOPLE_PER_SEAT:
        mine = [part for part in worked if part.activity == activity]
        code, month, hours = (
            np.concatenate([getattr(part, name) for part in mine]) for name in ("code", "month", "hours")
        )
        total = sum_hours(activity, code, month, hours)
        name = _names(_LETTER[activity], total.code)
        parts.append(
            pd.DataFrame(
                {"employee_id": name, "month": total.month, "activity": activity, "hours": total.hours}
            )
        )
    table = pd.concat(parts, ignore_index=True).sort_values(
        ["employee_id", "month", "activity"], ignore_index=True
    )
    place = pd.Index(seats["employee_id"]).get_indexer(table["employee_id"])
    hours = table["hours"].to_numpy().round(2)
    return pd.DataFrame(
        {
            "employee_id": table["employee_id"],
            "date": world.months[table["month"].to_numpy()].astype("datetime64[us]"),
            "activity": table["activity"],
            "hours": hours,
            "cost": (hours * catalogue.WAGE_PER_HOUR).round(2),
            "hired_on": world.date(seats["from"].to_numpy()[place]),
            "left_on": world.date(seats["to"].to_numpy()[place]),
        }
    )


def _seats(world: World, n_candidates: int) -> pd.DataFrame:
    """Every employee there ever was, with the first and the last day in days of the history."""
    found = [pd.DataFrame({"employee_id": ["K0001"], "from": [-400.0], "to": [np.inf]})]  # marketing
    for activity in ("selling", "account management", "service"):
        seat = np.arange((n_candidates - 1) // PEOPLE_PER_SEAT[activity] + 1)
        letter = _LETTER[activity]
        change = _change(world, letter, seat)
        again = np.isfinite(change)
        hired = -np.floor(900 * world.streams.uniform(f"hired {letter}", seat))
        columns = {
            "employee_id": _names(letter, np.concatenate([2 * seat, 2 * seat[again] + 1])),
            "from": np.concatenate([hired, change[again]]),
            "to": np.concatenate([change - 1, np.full(again.sum(), np.inf)]),
        }
        found.append(pd.DataFrame(columns))
    return pd.concat(found, ignore_index=True)


def _administration(world: World, seats: pd.DataFrame) -> pd.DataFrame:
    """The hours of every employee that go to no customer."""
    months = (world.months.astype("datetime64[D]") - world.start).astype(float)
    since, until = seats["from"].to_numpy(), seats["to"].to_numpy()
    row, month = np.nonzero((since[:, None] <= months) & (months <= until[:, None]))
    name = seats["employee_id"].to_numpy()[row]
    marketing = name == "K0001"
    return pd.DataFrame(
        {
            "employee_id": name,
            "month": month,
            "activity": np.where(marketing, "marketing", "administration"),
            "hours": np.where(marketing, 40.0, 8.0),
        }
    )


def partners(world: World) -> pd.DataFrame:
    """The network: suppliers, customers, owners, partners, employees."""
    columns = ["partner_id", "kind", "cost_per_year", "value_received_per_year", "value_given_per_year"]
    table = pd.DataFrame(PARTNERS, columns=columns).astype(dict.fromkeys(columns[2:], float))
    table["since"] = world.date(-900.0 + 80.0 * np.arange(len(table)))
    return table


def capacity(world: World, orders_by_month: np.ndarray, service_hours: np.ndarray) -> pd.DataFrame:
    """What is limited, and how much of it was used: parcels a month, hours of service.

    Parcels for which there is no room by chance go out in the next month.
    """
    first, later = demand.expected_orders(world)
    wanted = first + later * (1 - demand.turned_away(world))
    room = np.ceil(demand.room(world) * orders_by_month.sum() / wanted.sum())
    if not world.effects["capacity"]:
        room = np.maximum(room, orders_by_month.max())
    sent, waiting = np.zeros(len(room)), 0.0
    for month, orders in enumerate(orders_by_month):
        sent[month] = min(orders + waiting, room[month])
        waiting += orders - sent[month]
    hours = np.full(len(room), np.ceil(max(1.15 * service_hours.max(), 1.0)))
    found = (("parcels", sent, room, 1.2), ("service hours", service_hours, hours, 9.0))
    parts = [
        pd.DataFrame(
            {
                "date": world.months.astype("datetime64[us]"),
                "resource": name,
                "capacity": most,
                "used": np.round(used, 1),
                "fixed_cost": np.round(most * cost, 2),
            }
        )
        for name, used, most, cost in found
    ]
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


def hypotheses(world: World) -> pd.DataFrame:
    """A log of beliefs: one was given its pass mark after its result, and one is not decided yet."""
    columns = "belief customer_group stage test pass_if pass_mark pass_mark_set_on result_on result".split()
    table = pd.DataFrame([line.split("|") for line in BELIEFS.strip().splitlines()], columns=columns)
    start = pd.Timestamp(world.months[0])
    for name in ("pass_mark_set_on", "result_on"):
        table[name] = (start + pd.to_timedelta(pd.to_numeric(table[name]), "D")).astype("datetime64[us]")
    error = world.streams.normal("belief", np.arange(len(table)))
    result = np.round(table["result"].astype(float) * (1 + 0.1 * error), 3)
    return table.assign(
        pass_mark=table["pass_mark"].astype(float), result=result.where(table["result_on"].notna())
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
