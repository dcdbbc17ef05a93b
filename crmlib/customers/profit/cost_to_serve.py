"""The cost to serve of each customer, and which parts are measured, assumed or missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.arguments import check_choice, check_range
from crmlib.customers._log import fetch, open_columns, with_ids_of, within
from crmlib.data.sources import open_optional, open_table
from crmlib.errors import DataError
from crmlib.study.file import Costs

# Table, the day on which a row counts, and what of it costs the firm.
CASES = ("service_cases", "opened", ("minutes", "contacts", "cost"))
TOUCHPOINTS = ("touchpoints", "date", ("minutes", "cost"))


@dataclass(frozen=True)
class Effort:
    """Costs from one table: sums per customer, the measures it has, and notes on values filled in."""

    per_customer: pd.DataFrame
    measures: tuple[str, ...]
    notes: tuple[str, ...]

    def priced(self, prices: Costs) -> pd.Series:
        """Money per customer: the table's own, and minutes and contacts at what one costs."""
        rates = {"minutes": prices.per_service_minute, "contacts": prices.per_contact, "cost": 1.0}
        units = self.per_customer[list(self.measures)]
        return (units * [rates[measure] or 0.0 for measure in self.measures]).sum(axis=1)


def as_costs(costs: Costs | Mapping[str, float] | None) -> Costs:
    """The study's assumptions, checked; none where there are none."""
    if costs is None or isinstance(costs, Costs):
        return costs or Costs()
    for name in costs:
        check_choice("costs", name, Costs.model_fields)
    for name, money in costs.items():
        check_range(f"costs: {name}", money, "money of 0 or more", least=0)
    return Costs(**costs)


def filled_columns(table: Any, wanted: Sequence[str]) -> tuple[str, ...]:
    """Those columns with at least one value; the tables of a study have all columns, some of them empty."""
    rows = open_table(table)
    there = [name for name in wanted if name in rows.columns]
    if not there:
        return ()
    counts = fetch(rows.agg(**{name: rows[name].count() for name in there})).iloc[0]
    return tuple(name for name in there if counts[name])


def effort_of(
    table: Any,
    log: ibis.Table,
    about: tuple[str, str, tuple[str, ...]],
    first: dt.date,
    last: dt.date,
    *,
    by_day: bool = False,
) -> Effort | None:
    """Sum what a table says of each customer in a period, or of each day; None where there is no table or row.

    A row without a figure that others have is taken for the mean of the others, and that is noted: to take
    it for nothing would make the customer look cheap.
    """
    name, day, wanted = about
    measures = () if table is None else filled_columns(table, wanted)
    if not measures and open_optional(table) is None:  # asked again only where nothing is filled in
        return None
    rows = with_ids_of(log, open_columns(table, name, "customer_id", day))
    rows = rows.mutate(when=rows[day].cast("timestamp(6)"))
    rows = rows.filter(within(rows.when, first, last))
    sums: dict[str, ibis.Value] = {"rows": rows.count()}
    for measure in measures:
        number = as_number(rows[measure], f"{name}.{measure}")
        sums |= {measure: number.sum(), f"{measure}_missing": number.isnull().sum()}
        whole = {"all": number.sum(), "known": number.count(), "low": number.min()}
        sums |= {f"{measure}_{what}": value for what, value in whole.items()}
    keys = [rows.customer_id, *([rows.when.date().name("day")] if by_day else [])]
    grouped = rows.group_by(keys).agg(**sums)
    in_order = grouped.order_by("customer_id", "day") if by_day else grouped.order_by("customer_id")
    frame = fetch(in_order).fillna(dict.fromkeys(measures, 0.0))
    notes = [note for measure in measures for note in _filled_in(frame, name, measure)]
    return Effort(frame[["customer_id", "rows", *measures]], measures, tuple(notes))


def as_number(column: ibis.Value, name: str) -> ibis.Value:
    """A column of numbers, in which what is not a number is empty."""
    if not column.type().is_numeric():
        raise DataError(f"{name} is {column.type()}; numbers are needed")
    number = column.cast("float64")
    return ibis.ifelse(number.isnan(), ibis.null("float64"), number)


def _filled_in(frame: pd.DataFrame, table: str, measure: str) -> list[str]:
    """Fill what is missing, in the frame that was made here; say how much that was."""
    if (frame[f"{measure}_low"] < 0).any() or not np.isfinite(frame[measure]).all():
        raise DataError(
            f"{table}.{measure} holds a value that is negative or infinite; allowed: finite numbers from 0"
        )
    missing, known = frame[f"{measure}_missing"], frame[f"{measure}_known"].sum()
    if not missing.any():
        return []
    if not known:
        return [f"{table}.{measure} is empty in the period"]
    frame[measure] += missing * (frame[f"{measure}_all"].sum() / known)
    return [
        f"{int(missing.sum()):,} of {int(frame['rows'].sum()):,} rows of {table} have no {measure} and count "
        "as the mean of the others"
    ]


def basis_of(
    profit: pd.DataFrame,
    known: pd.DataFrame,
    margin: float | None,
    prices: Costs,
    cases: Effort | None,
    contacts: Effort | None,
) -> pd.DataFrame:
    """One row per component of profit: `component, money, basis, source`."""
    discounts = (profit["discounts"].sum(), "measured") if "discounts" in profit else (np.nan, "missing")
    costs = {
        "cost of goods": ("cost_of_goods", _goods(known, margin)),
        "cost of service cases": ("cost_of_cases", _effort("service_cases", cases, prices)),
        "cost of contacts": ("cost_of_contacts", _effort("touchpoints", contacts, prices)),
        "cost of returns": ("cost_of_returns", _rate("returned rows", "per_return", prices)),
        "cost of orders": ("cost_of_orders", _rate("orders", "per_order", prices)),
        "cost of the account": ("cost_of_account", _rate("years", "fixed_per_year", prices)),
    }
    rows = [
        ("gross", profit["gross"].sum(), "measured", "transactions.amount of purchases"),
        ("returns", profit["returns"].sum(), "measured", "transactions.amount of returns"),
        ("discounts (already off)", *discounts, "transactions.discount"),
        *(
            (component, np.nan if origin[0] == "missing" else 0.0 - profit[column].sum(), *origin)
            for component, (column, origin) in costs.items()
        ),
    ]
    return pd.DataFrame(rows, columns=["component", "money", "basis", "source"])


def has_costs(known: pd.DataFrame) -> bool:
    """Whether the log has costs to measure the cost of goods by."""
    return "goods_sold" in known and known["amount_sold"].sum() > 0


def _goods(known: pd.DataFrame, margin: float | None) -> tuple[str, str]:
    if has_costs(known):
        without, rows = int(known["rows_without_cost"].sum()), int(known["rows_within"].sum())
        filled = "the share that the others cost" if margin is None else f"margin {fmt.share(margin)}"
        note = f"; {without:,} of {rows:,} rows have none and count at {filled}" if without else ""
        return "measured", f"transactions.cost{note}"
    if margin is not None:
        return "assumed", f"margin {fmt.share(margin)} of revenue"
    return "missing", "neither transactions.cost nor a margin: what customers bring is an upper bound"


def _effort(table: str, effort: Effort | None, prices: Costs) -> tuple[str, str]:
    """Minutes and contacts are measured, what one costs is assumed; money in the table is measured."""
    if effort is None:
        return "missing", f"no table {table}"
    if not effort.measures:
        return "missing", f"{table} says neither minutes nor cost"
    assumed, unpriced = [], []
    for measure, name in (("minutes", "per_service_minute"), ("contacts", "per_contact")):
        if measure in effort.measures and (price := getattr(prices, name)) is not None:
            assumed.append(f"{measure} × {price:g} (costs.{name})")
        elif measure in effort.measures:
            unpriced.append(f"{measure} without costs.{name}")
    money = ["cost"] if "cost" in effort.measures else []
    source = f"{fmt.column(table)}: " + "; ".join([*money, *assumed, *unpriced, *effort.notes])
    return "assumed" if assumed else "measured" if money else "missing", source


def _rate(what: str, name: str, prices: Costs) -> tuple[str, str]:
    price = getattr(prices, name)
    if price is None:
        return "missing", f"no costs.{name}"
    return "assumed", f"{what} × {price:g} (costs.{name})"
