"""The rows that each policy affects, the order states in a purchase log, and its first and last day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.reconcile import MONEY, countable
from crmlib.data.cleaning.repeats import hash_of, several_times
from crmlib.data.engine import first_row, has_rows
from crmlib.data.policies import Policies, spellings

SALE, NO_SALE = "counted as sales", "set aside"
_MOST_STATES = 10  # listed one by one; an unknown word among them is seen at a glance
_MOST_WORDS = 3  # of a setting that is a list; the study file has them all

# A date in 2099 is a typing error, not the last day: fewer than one row in 200 after a gap of a quarter.
STRAY_GAP_DAYS = 92
STRAY_SHARE = 0.005


def policy_counts(staged: ibis.Table, used: ibis.Table, policies: Policies) -> list[dict[str, Any]]:
    """Rows and money that each policy affects, whatever its setting."""
    concerned = _concerned(staged)
    measures: dict[str, ir.Value] = {}
    for place, (flag, money) in enumerate(concerned.values()):
        measures |= {f"rows{place}": flag.sum(), f"money{place}": money.sum(where=flag)}
    found = first_row(staged.agg(**measures))  # in one pass over the log
    counted = {name: (found[f"rows{place}"], found[f"money{place}"]) for place, name in enumerate(concerned)}
    returned = used.filter(_.reversed_on.notnull()).agg(rows=_.count(), money=_.amount.cast(MONEY).sum())
    merged = _merged(used, policies.purchases_merged_within)
    for name, query in (("returned in full", returned), ("purchases_merged_within", merged)):
        counted[name] = (0, 0.0) if query is None else tuple(first_row(query).values())
    settings = policies.model_dump()
    return [
        {
            "policy": name,
            "setting": _setting(settings.get(name)),
            "rows": int(rows or 0),
            "amount": float(money or 0),
        }
        for name, (rows, money) in counted.items()
    ]


def _concerned(staged: ibis.Table) -> dict[str, tuple[ir.BooleanValue, ir.Value]]:
    """For each policy: the rows that it affects, and their money."""
    money = countable(staged, "amount")
    zero = staged.reason.isnull() & (staged.amount == 0)
    if "refunded_in_full" in staged.columns:
        zero = zero & ~staged.refunded_in_full
    concerned = {
        "returns": (staged.amount < 0, money),
        "zero_amounts": (zero, money),
        "guests": (staged.is_guest, money),
        "equal_rows": (staged.equals_earlier, money),
    }
    marks = {
        "excluded_statuses": "is_excluded",
        "excluded_products": "is_no_product",
        "cancelled_at (filled)": "cancelled_at",
        "returned (positive amounts made negative)": "flipped",
    }
    for policy, name in marks.items():
        if name in staged.columns:
            mark = staged[name]
            concerned[policy] = (mark if mark.type().is_boolean() else mark.notnull(), money)
    if "taken_off" in staged.columns:
        concerned["amount_includes"] = (staged.taken_off != 0, staged.taken_off.cast(MONEY))
    if "refunded" in staged.columns:
        usable = staged.reason.isnull() & (staged.refunded > 0)
        concerned["refunded (taken off the amount)"] = (usable, staged.refunded.cast(MONEY))
        full = usable & staged.refunded_in_full  # what was taken off them is all that they were
        concerned["refunded in full (no purchase; the amount before)"] = (full, staged.refunded.cast(MONEY))
    return concerned


def _merged(used: ibis.Table, unit: str) -> ibis.Table | None:
    """Purchases beyond the first within a customer's period, and the money of such periods; None if there are none."""
    purchases = used.filter(_.is_purchase).mutate(period=_.date.truncate(unit), money=_.amount.cast(MONEY))
    key = ["customer_id", "period"]
    hashed = purchases.mutate(candidate=hash_of(*[purchases[name] for name in key]))
    several = several_times(hashed, "candidate")
    if not has_rows(several):
        return None
    few = hashed.semi_join(several, "candidate")
    periods = few.group_by(key).agg(rows=_.count() - 1, money=_.money.sum())
    return periods.filter(_.rows > 0).agg(rows=_.rows.sum(), money=_.money.sum())


def _setting(value: Any) -> str:
    if not isinstance(value, (tuple, list)):
        return str(value or "")
    if len(value) <= _MOST_WORDS:
        return ", ".join(value)
    return f"{', '.join(value[:_MOST_WORDS])} and {len(value) - _MOST_WORDS} more"


def count_states(status: ir.StringColumn, excluded: Sequence[str]) -> list[dict[str, Any]]:
    """Rows in each state of an order, and whether the state counts as a sale.

    `status`: state of each row's order, as `read_text` reads it. `excluded`: states that are no sale, in any case.
    Returns `state` (in small letters), `rows` and `outcome`; the ten largest, then the others together per outcome.

    Examples
    --------
    >>> log = ibis.memtable({"status": ["Bezahlt", "bezahlt", "Storniert"]})
    >>> [(one["state"], one["rows"], one["outcome"]) for one in count_states(log.status, ["storniert"])]
    [('bezahlt', 2, 'counted as sales'), ('storniert', 1, 'set aside')]
    """
    written = status.name("status").as_table().group_by("status").agg(rows=_.count())  # few, of many rows
    state = written.status.fill_null("").lower()
    outcome = ibis.ifelse(state.isin(spellings(excluded)), NO_SALE, SALE)
    counted = written.group_by(state=state, outcome=outcome).agg(rows=_.rows.sum())
    records = counted.order_by(_.rows.desc(), "state").to_pyarrow().to_pylist()
    listed = [{**record, "state": record["state"] or "(none)"} for record in records[:_MOST_STATES]]
    for outcome in (SALE, NO_SALE):
        others = [record["rows"] for record in records[_MOST_STATES:] if record["outcome"] == outcome]
        if others:
            name = f"({fmt.plural(len(others), 'other')})"
            listed.append({"state": name, "rows": sum(others), "outcome": outcome})
    return listed


def calendar(used: ibis.Table) -> dict[str, Any]:
    """First and last day, the first with a purchase, and the last that is no stray: what `as_of: latest` means."""
    days = used.group_by(day=_.date.date()).agg(rows=_.count(), bought=_.is_purchase.any())
    days = days.order_by("day").to_pandas().set_index("day")
    days.index = pd.to_datetime(days.index)
    bought, late = days.index[days["bought"]], stray_days(days["rows"][::-1])
    named = {"first": days.index[0], "first_purchase": bought[0] if len(bought) else None}
    named |= {"last": days.index[-1], "latest": days.index[-1 - late]}
    return {name: day and str(day)[:10] for name, day in named.items()}


def stray_days(counts: pd.Series) -> int:
    """How many of the first days are strays, far from the others; `counts` by day, from either end of the calendar."""
    gaps = counts.index.to_series().diff().dt.days.abs().to_numpy()
    before = counts.cumsum().shift(fill_value=0).to_numpy()
    stray = (gaps > STRAY_GAP_DAYS) & (before < STRAY_SHARE * counts.sum())
    return int(np.flatnonzero(stray)[-1]) if stray.any() else 0
