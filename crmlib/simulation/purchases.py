"""When customers buy, and what: orders by a renewal process on each customer's own clock, lines by taste."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.simulation import catalogue
from crmlib.simulation.clock import Clock, Window
from crmlib.simulation.customers import People
from crmlib.simulation.world import World

QUIET_AFTER_DAYS, QUIET_FOR_DAYS, QUIET_PACE = 600.0, 130.0, 0.03
MORE_LINES, MOST_LINES = 0.45, 4
DISCOUNTS = (0.10, 0.35)
RESTOCKED = 0.85  # share of the cost of goods that a return brings back
NEW_CATEGORY, LAUNCHED_AFTER = 2, 0.35  # sold from this share of the history on
AGEING = np.array(
    [0.2, 0.0, -0.2]
)  # of the categories: how fast pieces beyond the first go down, in logarithms a year
ENTRY_FIRST = 0.5  # share of first orders that start small
ENTRY_STAYS = 0.3  # less risk of leaving of who starts small, in logarithms


@dataclass
class Orders:
    """The orders of a block, one position each, by customer and time."""

    row: np.ndarray  # position of the customer in the block
    number: np.ndarray  # 0, 1, … of the customer
    day: np.ndarray

    def take(self, kept: np.ndarray) -> Orders:
        """Keep some orders."""
        return Orders(self.row[kept], self.number[kept], self.day[kept])


def quiet_pace(world: World) -> float:
    """The share of the usual pace that is left in a quiet spell."""
    return max(QUIET_PACE ** world.effects["dormancy"], 1e-3)


def awake_share(world: World) -> float:
    """The share of their usual pace at which customers buy in the long run, quiet spells included."""
    quiet = QUIET_FOR_DAYS / (QUIET_FOR_DAYS + QUIET_AFTER_DAYS)
    return 1 - quiet * (1 - quiet_pace(world))


def quiet_windows(world: World, people: People) -> list[Window]:
    """Spells in which a customer all but stops buying, and comes back by themselves."""
    pace = np.full(len(people), quiet_pace(world))
    windows, day = [], people.join
    for spell in range(3 + world.years // 2):
        start = day + QUIET_AFTER_DAYS * world.streams.exponential("quiet after", people.index, spell)
        day = start + QUIET_FOR_DAYS * world.streams.exponential("quiet for", people.index, spell)
        windows.append(Window(start, day, pace))
    return windows


def buying_clock(world: World, people: People, windows: list[Window], ahead_days: float) -> Clock:
    """The clock on which a customer's orders are due, from joining until the look ahead ends."""
    end = np.full(len(people), world.days + ahead_days)
    return Clock(world.seasons, people.curve, people.join, end, people.orders_per_year, windows)


def orders(world: World, people: People, clock: Clock) -> Orders:
    """Every order that is due before the clock stops."""
    row, number, reading = _readings(world, people, clock.last)
    day = clock.when(row, reading)
    return Orders(row, number, day).take(np.isfinite(day))


def _readings(world: World, people: People, last: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Readings of the clock at which orders are due: sums of gaps of mean 1."""
    straight = np.flatnonzero(~people.tries_first)
    rows, numbers, readings = [straight], [np.zeros(len(straight), int)], [np.zeros(len(straight))]
    open_rows, reached, done, width = np.arange(len(people)), np.zeros(len(people)), 0, 8
    while len(open_rows):
        sums = reached[:, None] + np.cumsum(_gaps(world, people, open_rows, done, width), axis=1)
        due = sums <= last[open_rows, None]
        at, step = np.nonzero(due)
        rows.append(open_rows[at])
        numbers.append(done + step + 1 - people.tries_first[open_rows[at]])
        readings.append(sums[at, step])
        still = due[:, -1]
        open_rows, reached = open_rows[still], sums[still, -1]
        done, width = done + width, width * 2
    row, number, reading = (np.concatenate(parts) for parts in (rows, numbers, readings))
    order = np.lexsort((number, row))
    return row[order], number[order], reading[order]


def _gaps(world: World, people: People, rows: np.ndarray, done: int, width: int) -> np.ndarray:
    """Gaps of mean 1: exponential; regular, a sum of four; clumpy, mostly short and now and then long."""
    index, draw = people.index[rows][:, None], done + np.arange(width)[None, :]
    shape = people.gap_shape[rows]
    gaps = world.streams.exponential("gap", index, 4 * draw)
    regular = shape == 1
    for part in (1, 2, 3):
        gaps[regular] += world.streams.exponential("gap", index[regular], 4 * draw + part)
    gaps[regular] /= 4
    clumpy = shape == 2
    short = world.streams.uniform("gap", index[clumpy], 4 * draw + 1) < 0.75
    gaps[clumpy] *= np.where(short, 0.25, 3.25)
    return gaps


def ageing(world: World, category: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Times the pieces beyond the first that a line has: the old sell ever fewer, the new ever more."""
    years_to_go = np.maximum(world.days - day, 0.0) / 365.25
    return np.exp(AGEING[category] * world.effects["product_ageing"] * years_to_go)


def launch_day(world: World) -> float:
    """The first day on which the new category is sold."""
    return np.floor(LAUNCHED_AFTER * world.days)


@dataclass
class Lines:
    """The lines of a block's orders; `order` is the position of the order."""

    order: np.ndarray
    number: np.ndarray
    category: np.ndarray
    grade: np.ndarray
    quantity: np.ndarray
    unit_price: np.ndarray
    discount: np.ndarray
    amount: np.ndarray
    cost: np.ndarray
    returned: np.ndarray  # day on which it came back, infinite if never


def lines(world: World, people: People, found: Orders) -> Lines:
    """What the orders hold; draws go by customer, order and line."""
    streams, index = world.streams, people.index[found.row]
    more = np.minimum(streams.geometric("lines", index, found.number, MORE_LINES), MOST_LINES - 1)
    order = np.repeat(np.arange(len(index)), 1 + more)
    number = np.arange(len(order)) - np.repeat(np.cumsum(1 + more) - (1 + more), 1 + more)
    row, who, draw = found.row[order], index[order], found.number[order] * MOST_LINES + number
    kind = people.kind[row]
    own = streams.uniform("category", who, 2 * draw) < 0.6
    any_one = streams.choice("category", who, 2 * draw + 1, np.full(3, 1 / 3))
    category = np.where(own, people.favourite[row], any_one)
    # The third category of every line of business is new: it is not sold before its launch.
    category = np.where((category == NEW_CATEGORY) & (found.day[order] < launch_day(world)), 0, category)
    grade = streams.choice("grade", who, 2 * draw, catalogue.GRADE_SHARES[people.income_class[row]])
    small = (found.number[order] == 0) & (streams.uniform("grade", who, 2 * draw + 1) < ENTRY_FIRST)
    grade = np.where(small, 0, grade)
    age = ageing(world, category, found.day[order])
    quantity = 1 + streams.geometric("quantity", who, draw, people.extra_quantity[row] * age)
    price = np.round(catalogue.PRICES[kind, category, grade] * catalogue.MARKET_PRICES[people.market[row]], 2)
    low, high = DISCOUNTS
    off = np.where(
        streams.uniform("discount", who, 2 * draw) < people.discount_share[row],
        low + (high - low) * streams.uniform("discount", who, 2 * draw + 1),
        0.0,
    )
    discount = np.round(price * quantity * off, 2)
    back = streams.uniform("return", who, 2 * draw) < people.return_share[row]
    after = 3 + 22 * streams.uniform("return", who, 2 * draw + 1)
    cost_share = catalogue.COST_SHARES[kind, category, grade]
    return Lines(
        order=order,
        number=number,
        category=category,
        grade=grade,
        quantity=quantity,
        unit_price=price,
        discount=discount,
        amount=np.round(price * quantity - discount, 2),
        cost=np.round(price * cost_share * quantity, 2),
        returned=np.where(back, found.day[order] + after, np.inf),
    )


def entry_window(world: World, people: People, found: Orders, held: Lines) -> Window:
    """What it does to the risk of leaving to begin with the smallest product."""
    small = (found.number[held.order] == 0) & (held.number == 0) & (held.grade == 0)
    start = np.full(len(people), np.nan)
    start[found.row[held.order[small]]] = found.day[held.order[small]]
    factor = np.full(len(people), np.exp(-ENTRY_STAYS * world.effects["entry_product"]))
    return Window(start, np.where(np.isfinite(start), np.inf, np.nan), factor)
