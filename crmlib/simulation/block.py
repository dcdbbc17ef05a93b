"""One block of customers, from their traits to the last consequence of what they bought.

Each step looks only at what came before it, and changes only what comes after: a complaint shortens a custom,
it does not alter the purchases before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from crmlib.simulation import demand, loyalty, purchases, service, subscriptions, who_comes
from crmlib.simulation.clock import Clock, Window
from crmlib.simulation.customers import People, draw_people
from crmlib.simulation.purchases import Lines, Orders
from crmlib.simulation.referrals import History, settle_referrals
from crmlib.simulation.service import Cases, Promises
from crmlib.simulation.subscriptions import Contracts
from crmlib.simulation.trials import Trial, draw_trials
from crmlib.simulation.world import World

SMALLEST, LARGEST = 256, 32_768  # of those who may come
CANDIDATES = 2.1  # who may come, for each customer


@dataclass
class Block:
    """What happened to a block of customers, up to the end of the look ahead."""

    people: People
    others: People  # who came to the firm's notice and are not customers, or not yet
    trials: list[Trial]
    promises: Promises
    contract: Window  # when contracts would run if nothing ended them early
    contracts: Contracts
    quiet: list[Window]
    buying: Clock
    leaving: Clock
    left: np.ndarray  # day on which each left for good, infinite if not within the look ahead
    member_since: np.ndarray
    orders: Orders
    lines: Lines
    cases: Cases


def candidates(n_customers: int) -> int:
    """How many people may come, of whom about `n_customers` do."""
    return int(np.ceil(CANDIDATES * n_customers))


def blocks(world: World, n_customers: int, ahead_days: float = 0.0) -> Iterator[Block]:
    """Simulate customers block by block; blocks begin at fixed places, so that more customers only add.

    A customer is recommended only by one of an earlier block, who is complete by then.
    """
    history, low = History(), 0
    while low < candidates(n_customers):
        high = min(low + min(max(low, SMALLEST), LARGEST), candidates(n_customers))
        known = settle_referrals(world, draw_people(world, np.arange(low, high)), history)
        comes = who_comes.won(world, known) & (known.join < world.days)
        people = known.take(comes)
        people.only_by_referral |= people.offered & ~who_comes.won(world, people, offers=False)
        contract = subscriptions.contract_window(world, people)
        block = live(world, people, draw_trials(world, people, contract), contract, ahead_days)
        history.add(world, high, people, block.orders, block.left)
        yield replace(block, others=known.take(~comes))
        low = high


def live(world: World, people: People, trials: list[Trial], contract: Window, ahead_days: float) -> Block:
    """Let customers live through the firm's history and the days ahead."""
    promised = service.promises(world, people)
    quiet = purchases.quiet_windows(world, people)
    windows = quiet + [trial.buying_window() for trial in trials if trial.buying_days]
    buying = purchases.buying_clock(world, people, windows, ahead_days)
    due = demand.served(world, people, purchases.orders(world, people, buying))
    since = loyalty.joined(world, people, due)
    # Membership follows from orders and speeds up only later ones: a second run leaves the earlier as they are.
    windows.append(loyalty.member_window(world, since))
    buying = purchases.buying_clock(world, people, windows, ahead_days)
    due = demand.served(world, people, purchases.orders(world, people, buying))
    held = purchases.lines(world, people, due)
    asked = service.cases(world, people, due, held)
    leaving = leaving_clock(world, people, trials, promised, due, held, asked, ahead_days)
    age = leaving.when(np.arange(len(people)), world.streams.exponential("leaves", people.index))
    left = people.join + np.maximum(age, 1e-6)
    kept = due.day < left[due.row]
    found, held, asked = _only(kept, due, held, asked)
    still = [
        replace(trial, assigned=np.where(trial.assigned < left, trial.assigned, np.nan))
        if trial.kind == "price"
        else trial
        for trial in trials
    ]
    return Block(
        people=people,
        others=people.take(np.zeros(0, int)),
        trials=still,
        promises=promised,
        contract=contract,
        contracts=subscriptions.contracts(world, people, left, trials, contract),
        quiet=quiet,
        buying=buying,
        leaving=leaving,
        left=left,
        member_since=np.where(since < left, since, np.nan),
        orders=found,
        lines=held,
        cases=asked,
    )


def leaving_clock(
    world: World,
    people: People,
    trials: list[Trial],
    promised: Promises,
    due: Orders,
    held: Lines,
    asked: Cases,
    ahead_days: float,
) -> Clock:
    """The clock, by age, on which customers leave: fast at first, and for a year after something went wrong."""
    windows = [purchases.entry_window(world, people, due, held)]
    windows += service.broken_promise_windows(world, promised)
    windows += service.slow_reply_windows(world, people, due, asked)
    windows += [trial.leaving_window() for trial in trials if trial.leaving_days and trial.kind != "price"]
    by_age = [
        Window(window.start - people.join, window.end - people.join, window.factor) for window in windows
    ]
    n = len(people)
    end = world.days + ahead_days - people.join
    return Clock(world.ageing, np.zeros(n, int), np.zeros(n), end, people.leaving_per_year, by_age)


def _only(kept: np.ndarray, due: Orders, held: Lines, asked: Cases) -> tuple[Orders, Lines, Cases]:
    """Leave out the orders that the customer did not stay for, their lines and their cases."""
    place = np.cumsum(kept) - 1
    line = kept[held.order]
    held = Lines(**{name: values[line] for name, values in vars(held).items()})
    held.order = place[held.order]
    asked = asked.take(kept[asked.order])
    asked.order = place[asked.order]
    return due.take(kept), held, asked
