"""Measures: key figures of this chapter, with the customers and the money that they concern."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crmlib.data.sources import open_optional
from crmlib.findings import Estimate
from crmlib.no_rows import why_none
from crmlib.relationship.scorecards.facts import Facts, ratio
from crmlib.statistics import wilson_interval
from crmlib.study.results import FIGURES


class Measure(NamedTuple):
    """A figure, how many customers and how much money a change of it concerns, and why it is not known.

    `money_is` says in words what the money is where it is not what the customers brought.
    """

    estimate: Estimate
    customers: float = np.nan
    money: float = np.nan
    reason: str = ""
    money_is: str = ""


class Found(NamedTuple):
    """The result of a measure: a value, alone or with its interval, its base, and whom it concerns.

    `concerned`: ids of customers; `money`: an amount instead of what they brought; `customers`: their number where it
    has no ids. `reason`: why there is no value.
    """

    value: Any
    base: str
    concerned: Any = None
    customers: float = np.nan
    money: float = np.nan
    money_is: str = ""
    reason: str = ""


MEASURES: dict[str, Callable[[Facts], Measure]] = {}


def measure(*frames: str | Callable[[Facts], pd.DataFrame], **needs: str) -> Callable[..., Any]:
    """Register a measure, a function named as its figure.

    `frames`: frames of `Facts`, or functions of it, that the measure takes; without a row it is not known. `needs`:
    columns by table of the firm, each with a value in one row at least.
    """

    def registered(compute: Callable[..., Found]) -> Callable[..., Found]:
        key = compute.__name__

        def checked(facts: Facts) -> Measure:
            for table, columns in needs.items():
                if reason := _lacking(facts, table, columns.split()):
                    return unknown(key, reason)
            rows = []
            for frame in frames:
                rows.append(getattr(facts, frame) if isinstance(frame, str) else frame(facts))
                if reason := why_none(rows[-1]):
                    return unknown(key, reason)
            return _measured(facts, key, compute(*rows))

        MEASURES[key] = checked
        return compute

    return registered


def unknown(key: str, reason: str) -> Measure:
    """A figure that is not known, and why."""
    return Measure(Estimate(None, FIGURES[key]["unit"]), reason=reason)


def _lacking(facts: Facts, table: str, columns: list[str]) -> str:
    if open_optional(facts.study.table(table)) is None:
        return f"no table {table}"
    empty = [column for column in columns if not facts.study.has(table, column)]
    return f"{table}.{empty[0]} is empty" if empty else ""


def _measured(facts: Facts, key: str, found: Found) -> Measure:
    """A figure of the window, with whom it concerns."""
    if found.reason:
        return unknown(key, found.reason)
    value, low, high = found.value if isinstance(found.value, tuple) else (found.value, np.nan, np.nan)
    unit, money, customers = FIGURES[key]["unit"], found.money, found.customers
    if unit == "share":
        low, high = max(low, 0.0), min(high, 1.0)
    currency = facts.study.currency
    estimate = Estimate(value, unit, low, high, currency=currency, base=found.base, window=facts.window)
    if found.concerned is not None:
        ids = pd.Index(found.concerned).unique()
        customers = float(len(ids))
        if np.isnan(money) and len(facts.buyers):
            money = float(facts.buyers["value"].reindex(ids).sum())
    reason = "" if estimate.is_known else "there is no such row"
    return Measure(estimate, customers, money, reason, found.money_is)


def share(holds: pd.Series, base: str, **concerned: Any) -> Found:
    """The share of customers of whom something holds; it concerns the others."""
    if holds.empty:
        return Found(None, base, reason=f"there are no {base}")
    holds = holds.astype(bool)
    return Found(part_of(holds), base, **{"concerned": holds.index[~holds], **concerned})


def part_of(holds: pd.Series) -> tuple[float, float, float]:
    """A share with its 95 % interval (Wilson)."""
    low, high = wilson_interval(int(holds.sum()), len(holds))
    return float(holds.mean()), float(low), float(high)


def mean_of(values: pd.Series) -> tuple[float, float, float]:
    """A mean with its 95 % interval."""
    return ratio(values, pd.Series(1.0, index=values.index))
