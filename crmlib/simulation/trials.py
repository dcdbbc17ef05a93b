"""Experiments: whom chance treats, and what the treatment does to those who get it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from crmlib.simulation.clock import Window
from crmlib.simulation.customers import People
from crmlib.simulation.world import World

READOUT_DAYS = 90


@dataclass(frozen=True)
class Trial:
    """One experiment in a block of customers; `assigned` is nan for those outside it."""

    name: str
    kind: str
    assigned: np.ndarray
    treated: np.ndarray
    cost: float
    buying: np.ndarray  # factor on the pace of buying while it works
    buying_days: float
    leaving: np.ndarray  # factor on the risk of leaving, or of cancelling for a price
    leaving_days: float

    @property
    def inside(self) -> np.ndarray:
        """Who is in the experiment."""
        return np.isfinite(self.assigned)

    def buying_window(self) -> Window:
        """What it does to the pace of buying."""
        start = np.where(self.treated & self.inside, self.assigned, np.nan)
        return Window(start, start + self.buying_days, self.buying)

    def leaving_window(self) -> Window:
        """What it does to the risk of leaving."""
        start = np.where(self.treated & self.inside, self.assigned, np.nan)
        return Window(start, start + self.leaving_days, self.leaving)

    def take(self, rows: np.ndarray) -> Trial:
        """The experiment among some customers."""
        parts = {name: value[rows] for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return replace(self, **parts)

    def with_treated(self, treated: np.ndarray) -> Trial:
        """The same experiment had chance decided otherwise."""
        return replace(self, treated=treated)


def draw_trials(world: World, people: People, contract: Window) -> list[Trial]:
    """Draw all experiments of a block of customers.

    Who is eligible follows from what is known before (when they joined, consent, a running contract), never
    from what they buy; nobody knows who has left in silence, so they are in it as well.
    """
    trials = []
    for year in world.calendar_years:
        trials.append(_reminder(world, people, year))
        trials.append(_offer(world, people, year))
        trials.append(_birthday(world, people, year))
    last = world.calendar_years[-1]
    trials.append(_price(world, people, contract, last))
    trials.append(_placebo(world, people, last))
    return trials


def _trial(
    world: World, people: People, name: str, kind: str, eligible: np.ndarray, day: np.ndarray
) -> Trial:
    nothing = np.ones(len(people))
    return Trial(
        name=name,
        kind=kind,
        assigned=np.where(eligible & (day < world.days), day, np.nan),
        treated=world.streams.uniform(f"trial {name}", people.index) < 0.5,
        cost=0.0,
        buying=nothing,
        buying_days=0.0,
        leaving=nothing,
        leaving_days=0.0,
    )


def _fixed(world: World, people: People, year: int, month_and_day: str) -> np.ndarray:
    return np.full(len(people), world.day(f"{year}-{month_and_day}"))


def _reminder(world: World, people: People, year: int) -> Trial:
    day = _fixed(world, people, year, "03-10")
    trial = _trial(
        world, people, f"reminder-{year}", "reminder", people.consent & (people.join < day - 30), day
    )
    factor = np.maximum(1 + 0.40 * world.effects["reminders"] * people.response, 0.1)
    return replace(trial, cost=0.05, buying=factor, buying_days=42.0)


def _offer(world: World, people: People, year: int) -> Trial:
    day = _fixed(world, people, year, "07-01")
    trial = _trial(world, people, f"offer-{year}", "offer", people.consent & (people.join < day - 90), day)
    strength = world.effects["retention_offers"]
    # Whom an offer keeps is drawn by itself: it has nothing to do with who is at risk.
    keeps = np.clip(0.5 + 0.3 * world.streams.normal("keeps", people.index), 0, 1)
    return replace(
        trial,
        cost=4.0,
        buying=np.maximum(1 + 0.12 * strength * people.response, 0.1),
        buying_days=60.0,
        leaving=np.exp(-1.4 * strength * keeps),
        leaving_days=180.0,
    )


def _birthday(world: World, people: People, year: int) -> Trial:
    born = people.birthday.astype("datetime64[D]")
    of_year = (born - born.astype("datetime64[Y]").astype("datetime64[D]")).astype(float)
    day = world.day(f"{year}-01-01") + np.minimum(of_year, 364)
    eligible = people.consent & people.birthday_consent & (people.join < day - 1)
    trial = _trial(world, people, f"birthday-{year}", "birthday", eligible, day)
    factor = np.maximum(1 + 0.35 * world.effects["birthday_messages"] * people.response, 0.1)
    keeps = np.full(len(people), np.exp(-0.5 * world.effects["birthday_messages"]))
    return replace(trial, cost=0.05, buying=factor, buying_days=30.0, leaving=keeps, leaving_days=90.0)


def _price(world: World, people: People, contract: Window, year: int) -> Trial:
    day = _fixed(world, people, year, "04-01")
    trial = _trial(
        world, people, f"price-{year}", "price", (contract.start < day) & (day < contract.end), day
    )
    minds = np.exp(world.effects["price_rises"] * (0.6 - 0.3 * people.income))
    return replace(trial, leaving=np.where(world.effects["price_rises"] != 0, minds, 1.0), leaving_days=365.0)


def _placebo(world: World, people: People, year: int) -> Trial:
    """A newsletter that does nothing, whatever the switches say."""
    day = _fixed(world, people, year, "09-15")
    return replace(
        _trial(
            world, people, f"newsletter-{year}", "newsletter", people.consent & (people.join < day - 30), day
        ),
        cost=0.02,
    )
