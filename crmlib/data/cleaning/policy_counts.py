"""The rows that each policy affects, the order states in a purchase log, and its first and last day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib.data.cleaning.reconcile import MONEY, countable
from crmlib.data.cleaning.repeats import hash_of, several_times
from crmlib.data.policies import Policies, spellings

SALE, NO_SALE = "counted as sales", "set aside"
_MOST_STATES = 10  # listed one by one; an unknown word among them is seen at a glance
_MOST_WORDS = 3  # of a setting that is a list; the study file has them all

# A date in 2099 is a typing error, not the last day: fewer than one row in 200 after a gap of a quarter.
STRAY_GAP_DAYS = 92
STRAY_SHARE = 0.005


def policy_counts(staged: ibis.Table, used: ibis.Table, policies: Policies) -> list[dict[str, Any]]:
    """What each decision concerns, in rows and money, whichever way it was taken."""
    counted = _count_flagged(staged, _concerned(staged, policies))
    counted["returned in full"] = _counted(
        used.filter(_.reversed_on.notnull()).agg(rows=_.count(), money=_.amount.cast(MONEY).sum())
    )
    counted["purchases_merged_within"] = _counted(_merged(used, policies.purchases_merged_within))
    settings = policies.model_dump()
    return [{"policy": name, "setting": _setting(settings.get(name)), **one} for name, one in counted.items()]


def _concerned(staged: ibis.Table, policies: Policies) -> dict[str, tuple[ir.BooleanValue, ir.Value]]:
    """The rows that each decision is about, and the money of each that it is about."""
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
    if "is_excluded" in staged.columns:
        concerned["excluded_statuses"] = (staged.is_excluded, money)
    if policies.excluded_products and "product" in staged.columns and policies.amount_is == "row":
        no_product = staged.product.lower().isin(spellings(policies.excluded_products)).fill_null(False)
        concerned["excluded_products"] = (no_product, money)
    if "cancelled_at" in staged.columns:
        concerned["cancelled_at (filled)"] = (staged.cancelled_at.notnull(), money)
    if "flipped" in staged.columns:
        concerned["returned (positive amounts made negative)"] = (staged.flipped.fill_null(False), money)
    if "taken_off" in staged.columns:
        concerned["amount_includes"] = (staged.taken_off != 0, staged.taken_off.cast(MONEY))
    if "refunded" in staged.columns:
        usable = staged.reason.isnull() & (staged.refunded > 0)
        concerned["refunded (taken off the amount)"] = (usable, staged.refunded.cast(MONEY))
        full = usable & staged.refunded_in_full  # what was taken off them is all that they were
        concerned["refunded in full (no purchase; the amount before)"] = (full, staged.refunded.cast(MONEY))
    return concerned


def _count_flagged(
    rows: ibis.Table, concerned: dict[str, tuple[ir.BooleanValue, ir.Value]]
) -> dict[str, dict[str, Any]]:
    """Rows and money under each flag, in one pass over the log."""
    measures: dict[str, ir.Value] = {}
    for place, (flag, money) in enumerate(concerned.values()):
        measures |= {f"rows{place}": flag.sum(), f"money{place}": money.sum(where=flag)}
    found = rows.agg(**measures).to_pyarrow().to_pylist()[0]
    return {
        name: {"rows": int(found[f"rows{place}"] or 0), "amount": float(found[f"money{place}"] or 0)}
        for place, name in enumerate(concerned)
    }


def _merged(used: ibis.Table, unit: str) -> ibis.Table:
    """Purchases beyond the first within a customer's period, and the money of such periods."""
    purchases = used.filter(_.is_purchase).mutate(period=_.date.truncate(unit), money=_.amount.cast(MONEY))
    key = ["customer_id", "period"]
    hashed = purchases.mutate(candidate=hash_of(*[purchases[name] for name in key]))
    few = hashed.semi_join(several_times(hashed, "candidate"), "candidate")
    periods = few.group_by(key).agg(rows=_.count() - 1, money=_.money.sum())
    return periods.filter(_.rows > 0).agg(rows=_.rows.sum(), money=_.money.sum())


def _setting(value: Any) -> str:
    if not isinstance(value, (tuple, list)):
        return str(value or "")
    if len(value) <= _MOST_WORDS:
        return ", ".join(value)
    return f"{', '.join(value[:_MOST_WORDS])} and {len(value) - _MOST_WORDS} more"


def _counted(query: ibis.Table) -> dict[str, Any]:
    found = query.to_pyarrow().to_pylist()[0]
    return {"rows": int(found["rows"] or 0), "amount": float(found["money"] or 0)}


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
    is_sale = ~state.isin(spellings(excluded))
    outcome = ibis.ifelse(is_sale, SALE, NO_SALE)
    counted = written.group_by(state=state, outcome=outcome).agg(rows=_.rows.sum())
    records = counted.order_by(_.rows.desc(), "state").to_pyarrow().to_pylist()
    listed = [{**record, "state": record["state"] or "(none)"} for record in records[:_MOST_STATES]]
    for outcome in (SALE, NO_SALE):
        others = [record["rows"] for record in records[_MOST_STATES:] if record["outcome"] == outcome]
        if others:
            name = f"({len(others)} other{'s' * (len(others) > 1)})"
            listed.append({"state": name, "rows": sum(others), "outcome": outcome})
    return listed


def calendar(used: ibis.Table) -> dict[str, Any]:
    """First and last day, the first with a purchase, and the last that is no stray: what `as_of: latest` means."""
    days = used.group_by(day=_.date.date()).agg(rows=_.count(), bought=_.is_purchase.any())
    days = days.order_by("day").to_pandas()
    bought = days["day"][days["bought"]]
    gaps = days["day"].diff().dt.days if len(days) > 1 else days["rows"] * 0
    after = days["rows"][::-1].cumsum()[::-1]
    stray = (gaps > STRAY_GAP_DAYS) & (after < STRAY_SHARE * days["rows"].sum())
    latest = days["day"][: stray.idxmax()].iloc[-1] if stray.any() else days["day"].iloc[-1]
    return {
        "first": str(days["day"].iloc[0])[:10],
        "first_purchase": str(bought.iloc[0])[:10] if len(bought) else None,
        "last": str(days["day"].iloc[-1])[:10],
        "latest": str(latest)[:10],
    }
