"""The books of the cleaning: rows and money by fate, and what each decision concerns."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib.data.hashing import hash_of
from crmlib.data.policies import Policies
from crmlib.data.sources import engine

LARGEST_AMOUNT = 1e12  # beyond it a sum no longer keeps its cents in the engine's decimals
MONEY = "decimal(38, 4)"
EQUAL_ROWS = [
    "row_hash",
    "customer_id",
    "date",
    "amount",
]  # the hash of the whole row, confirmed by three columns

_MOST_WORDS = 3  # of a setting that is a list; the study file has them all

# A date in 2099 is a typing error, not the last day: fewer than one row in 200 after a gap of a quarter.
STRAY_GAP_DAYS = 92
STRAY_SHARE = 0.005


def readable_money(rows: ibis.Table) -> ir.Value:
    """The row's money where it can be counted: unreadable and infinite amounts are rows without money."""
    countable = rows.amount.notnull() & ~rows.amount.isnan() & (rows.amount.abs() <= LARGEST_AMOUNT)
    return ibis.ifelse(countable, rows.amount, ibis.null("float64")).cast(MONEY)


def later_of(staged: ibis.Table, key: str) -> ibis.Table:
    """Usable rows whose key stands in an earlier usable row."""
    usable = staged.filter(_.reason.isnull() & staged[key].notnull())
    return _later(usable.mutate(candidate=hash_of(usable[key])), "candidate", [key])


def equal_to_earlier(staged: ibis.Table) -> ibis.Table:
    """Usable rows that equal an earlier usable row in every column of the source."""
    return _later(staged.filter(_.reason.isnull()), "row_hash", EQUAL_ROWS)


def _later(rows: ibis.Table, candidate: str, key: list[str]) -> ibis.Table:
    several = _several(rows, candidate)
    if not several.count().to_pyarrow().as_py():
        return rows.select("source_row", "amount").limit(0)
    rows = rows.semi_join(several, candidate).select(
        "source_row", "amount", *[k for k in key if k != "amount"]
    )
    first = rows.group_by(key).agg(first=_.source_row.min(), times=_.count()).filter(_.times > 1)
    return rows.join(first, key).filter(_.source_row > _.first).select("source_row", "amount")


def _several(rows: ibis.Table, candidate: str) -> ibis.Table:
    """The 64-bit hashes that stand several times: few do, and a hundred million texts would not fit."""
    return rows.group_by(candidate).agg(times=_.count()).filter(_.times > 1).select(candidate).cache()


Tally = dict[str | None, tuple[int, Decimal]]


def tally_by_reason(staged: ibis.Table) -> Tally:
    """Rows and money by reason; None stands for the rows that are used."""
    totals = staged.group_by("reason").agg(rows=_.count(), money=readable_money(staged).sum()).to_pyarrow()
    return {row["reason"]: (row["rows"], row["money"] or Decimal(0)) for row in totals.to_pylist()}


def rows_by_fate(tally: Tally) -> list[dict[str, Any]]:
    total = (sum(rows for rows, _money in tally.values()), sum(money for _rows, money in tally.values()))
    aside = sorted(((key, *value) for key, value in tally.items() if key is not None), key=lambda t: -t[1])
    fates = [("in the source", *total), ("used", *tally[None]), *aside]
    return [{"fate": fate, "rows": rows, "amount": float(money)} for fate, rows, money in fates]


def assert_reconciled(tally: Tally, folder: Path) -> None:
    """What was written is what was counted, to the row and to the cent."""
    written = {
        "used": engine().read_parquet(str(folder / "transactions.parquet")).amount.cast(MONEY),
        "set aside": engine().read_parquet(str(folder / "quarantine.parquet")).readable_amount,
    }
    aside = [value for key, value in tally.items() if key is not None]
    counted = {
        "used": tally[None],
        "set aside": (
            sum(rows for rows, _money in aside),
            sum((money for _rows, money in aside), Decimal(0)),
        ),
    }
    for fate, amount in written.items():
        table = amount.as_table()
        found = table.agg(rows=table.count(), money=table[0].sum()).to_pyarrow().to_pylist()[0]
        rows, money = found["rows"], found["money"] or Decimal(0)
        assert (rows, money) == counted[fate], (
            f"rows {fate}: counted {counted[fate]} but wrote {(rows, money)}; this is a fault of crmlib"
        )


def policy_counts(staged: ibis.Table, folder: Path, policies: Policies) -> list[dict[str, Any]]:
    """What each decision concerns, in rows and money, whichever way it was taken."""
    clean = engine().read_parquet(str(folder / "transactions.parquet"))
    counted = _count_flagged(staged, _concerned(staged, policies))
    counted["returned in full"] = _counted(
        clean.filter(_.reversed_on.notnull()).agg(rows=_.count(), money=_.amount.cast(MONEY).sum())
    )
    counted["purchases_merged_within"] = _counted(_merged(clean, policies.purchases_merged_within))
    settings = policies.model_dump()
    return [{"policy": name, "setting": _setting(settings.get(name)), **one} for name, one in counted.items()]


def _concerned(staged: ibis.Table, policies: Policies) -> dict[str, tuple[ir.BooleanValue, ir.Value]]:
    """The rows that each decision is about, and the money of each that it is about."""
    money = readable_money(staged)
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


def _merged(clean: ibis.Table, unit: str) -> ibis.Table:
    """Purchases beyond the first within a customer's period, and the money of such periods."""
    purchases = clean.filter(_.is_purchase).mutate(period=_.date.truncate(unit), money=_.amount.cast(MONEY))
    key = ["customer_id", "period"]
    hashed = purchases.mutate(candidate=hash_of(*[purchases[name] for name in key]))
    few = hashed.semi_join(_several(hashed, "candidate"), "candidate")
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


def rows_by_file(staged: ibis.Table) -> list[dict[str, Any]]:
    return staged.group_by(file="source_file").agg(rows=_.count()).order_by("file").to_pyarrow().to_pylist()


def calendar(folder: Path) -> dict[str, Any]:
    """First and last day, the first with a purchase, and the last that is no stray: what `as_of: latest` means."""
    clean = engine().read_parquet(str(folder / "transactions.parquet"))
    days = clean.group_by(day=_.date.date()).agg(rows=_.count(), bought=_.is_purchase.any())
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
