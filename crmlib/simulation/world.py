"""What all parts of a simulated firm share: its calendar, its switches, its random streams and its curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, wraps

import numpy as np

from crmlib.simulation import catalogue
from crmlib.simulation.clock import Curves
from crmlib.simulation.streams import Streams

AS_OF = np.datetime64("2025-12-31", "D")
DAYS_PER_YEAR = 365.25
LOOK_AHEAD_DAYS = 5 * 366  # the curves go on after as_of: expected values look that far


@dataclass(frozen=True)
class World:
    """A firm's history of whole years that ends on `AS_OF`; times are days since its first morning."""

    years: int
    seed: int
    effects: dict[str, float]
    streams: Streams = field(repr=False)
    made: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def start(self) -> np.datetime64:
        """The first day."""
        return np.datetime64(f"{2026 - self.years}-01-01", "D")

    @cached_property
    def days(self) -> int:
        """Days of history; `as_of` is the last of them."""
        return int((AS_OF - self.start).astype(int)) + 1

    def date(self, day: np.ndarray) -> np.ndarray:
        """Dates of times; no date where a time is not finite."""
        return self.moment(np.floor(day))

    def moment(self, day: np.ndarray) -> np.ndarray:
        """Dates and times of day, to the minute; none where a time is not finite."""
        known = np.isfinite(day)
        minutes = np.floor(np.where(known, day, 0) * 1440).astype("timedelta64[m]")
        return np.where(known, self.start + minutes, np.datetime64("NaT", "m")).astype("datetime64[us]")

    def day(self, date: str) -> float:
        """The time of a date's first moment."""
        return float((np.datetime64(date, "D") - self.start).astype(int))

    @cached_property
    def calendar_years(self) -> range:
        """The years of history."""
        return range(2026 - self.years, 2026)

    @cached_property
    def months(self) -> np.ndarray:
        """The first day of every month of history, as dates."""
        return np.arange(self.start.astype("datetime64[M]"), np.datetime64("2026-01", "M"))

    def month(self, day: np.ndarray) -> np.ndarray:
        """Position in `months` of times within the history."""
        whole = np.floor(day).astype("timedelta64[D]")
        return ((self.start + whole).astype("datetime64[M]") - self.months[0]).astype(int)

    @cached_property
    def seasons(self) -> Curves:
        """Years of buying passed since the first day, by market and product type (market × 4 + type).

        Those of customers who buy little follow, with seasons that are weaker, or stronger, by `small_fill_slack`.
        """
        day = np.arange(self.days + LOOK_AHEAD_DAYS)
        date = self.start + day.astype("timedelta64[D]")
        of_year = (date - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(int)
        weekday = (date.astype(int) + 3) % 7
        usual, calm = self.effects["seasons"], np.exp(-catalogue.CALM * self.effects["small_fill_slack"])
        curves = []
        for small, market, kind in np.ndindex(2, len(catalogue.MARKETS), len(catalogue.PRODUCT_TYPES)):
            size = min(usual * calm, 5.0) if small else usual
            wave = catalogue.SEASON_SIZE[kind] * np.cos(2 * np.pi * (of_year - 330 + 25 * market) / 365)
            week = 0.25 * np.isin(weekday, [4, 5]) - 0.3 * (weekday == 6)
            holiday = catalogue.HOLIDAY_SIZE[kind] * ((of_year >= 328) & (of_year < 357))
            pause = -0.4 * ((of_year >= 357) | (of_year < 5))
            curves.append(np.exp(size * (wave + week + pause)) * (1 + size * holiday))
        daily = np.array(curves)
        # A whole year of every curve counts as one, so that a rate per year means what it says.
        daily /= daily[:, :365].mean(axis=1, keepdims=True) * DAYS_PER_YEAR
        return Curves(np.concatenate([np.zeros((len(daily), 1)), np.cumsum(daily, axis=1)], axis=1))

    @cached_property
    def come(self) -> np.ndarray:
        """By market, the share of those of the whole history who have come by each day.

        More and more, or fewer, with good and bad times of the market's own, which come and go within two years.
        """
        years = (np.arange(self.days) + 0.5) / 365.25
        market = np.arange(len(catalogue.MARKETS))
        phase, length = (self.streams.uniform("times", market, draw)[:, None] for draw in (0, 1))
        wave = np.sin(2 * np.pi * (phase + years / (1.3 + 0.7 * length)))
        pace = np.exp(catalogue.MARKET_GROWTH_PER_YEAR[:, None] * years + catalogue.TIMES * wave)
        grown = np.concatenate([np.zeros((len(market), 1)), np.cumsum(pace, axis=1)], axis=1)
        return grown / grown[:, -1:]

    @cached_property
    def edges(self) -> np.ndarray:
        """The first day of every month of history, and the day after the last."""
        firsts = np.append(self.months, np.datetime64("2026-01", "M")).astype("datetime64[D]")
        return (firsts - self.start).astype(int)

    @cached_property
    def growth(self) -> np.ndarray:
        """The share of those of the whole history who come in each month, by month and market."""
        return np.diff(self.come[:, self.edges], axis=1).T

    @cached_property
    def ageing(self) -> Curves:
        """Years of risk passed by age: the first weeks count four times as much as later ones."""
        age = np.arange(self.days + LOOK_AHEAD_DAYS + 1)
        return Curves(((age + 3 * 45 * -np.expm1(-age / 45)) / DAYS_PER_YEAR)[None, :])


def once(make: Callable[[World], np.ndarray]) -> Callable[[World], np.ndarray]:
    """Make what follows from a world alone only once."""

    @wraps(make)
    def found(world: World) -> np.ndarray:
        if make.__qualname__ not in world.made:
            world.made[make.__qualname__] = make(world)
        return world.made[make.__qualname__]

    return found


def only_where(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Texts where they are known, and nothing elsewhere."""
    found = np.full(known.shape, None, dtype=object)
    found[known] = np.broadcast_to(values, known.shape)[known]
    return found
