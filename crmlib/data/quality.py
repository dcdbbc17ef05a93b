"""The log is cleaned once, and nothing is lost: every row is used, or set aside with a reason.

Rows in = rows used + rows set aside, and their money adds up to the cent. Rows after a study's `as_of`
are split off later, by whoever asks for a date, so that one cleaned log serves every date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib.data.amounts import earned_amounts
from crmlib.data.books import (
    Tally,
    assert_reconciled,
    calendar,
    policy_counts,
    readable_money,
    rows_by_fate,
    rows_by_file,
    tally_by_reason,
)
from crmlib.data.cleaning_report import CleaningReport
from crmlib.data.csv_files import FILE_COLUMN, UNSPLIT
from crmlib.data.hashing import hash_of
from crmlib.data.policies import Policies
from crmlib.data.pseudonyms import pseudonym
from crmlib.data.reading import read_moment, read_number, read_text, within_calendar
from crmlib.data.reasons import first_reason, set_aside_repeats
from crmlib.data.returns import match_returns
from crmlib.data.sources import engine
from crmlib.data.states import count_states
from crmlib.data.tables import TRANSACTIONS
from crmlib.errors import DataError

_ROW = "source_row"
_ADDED = (_ROW, FILE_COLUMN, UNSPLIT)
# Writing dictionaries of millions of ids takes longer than the ids themselves.
_QUICK = {"COMPRESSION": "lz4", "STRING_DICTIONARY_PAGE_SIZE_LIMIT": 10_000}
_NOT_KEPT = (
    "unit_price",
    "status",
    "cancelled_at",
    "returned",
    "refunded",
    "tax",
    "shipping",
)  # spent by now


@dataclass(frozen=True)
class Reading:
    """How the text of a table is read: the firm's formats, its currency, and the key that hides its ids."""

    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: Sequence[str] = ()
    decimal: str = "."
    timezone: str = "UTC"
    currency: str | None = None
    hash_secret: str | None = None


def clean_transactions(raw: ibis.Table, reading: Reading, policies: Policies, folder: Path) -> CleaningReport:
    """Clean a purchase log into `transactions.parquet` and `quarantine.parquet`.

    Parameters
    ----------
    raw : ibis.Table
        The log as it stands, text or typed.
    reading : Reading
        Which column is which, and in which formats.
    policies : Policies
        What to do with returns, zero amounts, guests, repeated rows and cancelled orders.
    folder : Path
        Where the two files go; it must exist.

    Returns
    -------
    CleaningReport
        Rows and money by fate, which add up; asserted against the files as written.

    Raises
    ------
    DataError
        If a required column is missing, or no row can be used, with the reasons and an example.
    """
    columns = TRANSACTIONS.resolve(dict(reading.columns), [c for c in raw.columns if c not in _ADDED])
    staged_file = folder / "staged.parquet"
    _write(_judge(raw, columns, reading, policies), staged_file)
    # Rows are numbered as they stand in the file: a window over the source would take one core for all of it.
    staged = engine().read_parquet(str(staged_file), file_row_number=True)
    staged = staged.mutate(source_row=_.file_row_number + 1).drop("file_row_number")
    view = ibis.util.gen_name("judged")
    try:
        judged = set_aside_repeats(staged, policies)  # holds on to tables that the view reads
        # As a view of the engine, what the questions below have in common is put into SQL once.
        return _keep_books(engine().create_view(view, judged), columns, policies, folder)
    finally:
        engine().drop_view(view, force=True)
        staged_file.unlink()


def _keep_books(
    staged: ibis.Table, columns: dict[str, str], policies: Policies, folder: Path
) -> CleaningReport:
    """Write the rows that are used and those set aside, and the report of both."""
    tally = tally_by_reason(staged)
    if not tally.get(None, (0, 0))[0]:
        raise DataError(_nothing_usable(staged, columns, tally))
    used = _used_columns(staged.filter(_.reason.isnull()), policies)
    engine().to_parquet(used, folder / "transactions.parquet", **_QUICK)
    engine().to_parquet(_quarantine_columns(staged), folder / "quarantine.parquet")
    assert_reconciled(tally, folder)
    return CleaningReport(
        rows=rows_by_fate(tally),
        policies=policy_counts(staged, folder, policies),
        states=count_states(staged.status, policies.excluded_statuses) if "status" in columns else [],
        sources=rows_by_file(staged),
        columns=sorted(columns),
        days=calendar(folder),
    )


def _write(rows: ibis.Table, file: Path) -> None:
    """Run the reading; what the engine cannot do with these data is said in our words."""
    import duckdb

    try:
        engine().to_parquet(rows, file, **_QUICK)
    except duckdb.Error as complaint:
        raise DataError(
            f"transactions: the source cannot be read: {str(complaint).strip().splitlines()[0]} Check timezone, "
            "date_format and the source in the study"
        ) from complaint


def _judge(raw: ibis.Table, columns: dict[str, str], reading: Reading, policies: Policies) -> ibis.Table:
    """Read every column and give each row that cannot be used its reason."""
    present = {ours: raw[theirs] for ours, theirs in columns.items()}
    read: dict[str, Any] = {
        column.name: _read(present[column.name], column.kind, reading, policies, column.name)
        for column in TRANSACTIONS.columns
        if column.name in present
    }
    written = {
        name: present[name].cast("string") for name in ("customer_id", "date", "amount") if name in present
    }
    if "amount" not in read:
        read["amount"] = read["quantity"] * read["unit_price"]
        written["amount"] = present["quantity"].cast("string") + " × " + present["unit_price"].cast("string")
    own = [raw[name] for name in raw.columns if name not in (_ROW, FILE_COLUMN)]
    rows = raw.select(
        **read,
        **{f"written_{name}": text for name, text in written.items()},
        **({"unsplit_line": raw[UNSPLIT]} if UNSPLIT in raw.columns else {}),
        row_hash=hash_of(*[column.cast("string") for column in own]),
        source_file=raw[FILE_COLUMN] if FILE_COLUMN in raw.columns else ibis.literal("frame"),
    )
    # As a view, what was read is computed once, however often the next step asks for it.
    rows = earned_amounts(rows.view().mutate(date=within_calendar(_.date)), policies)
    if "status" in read and policies.excluded_statuses:  # seven languages of them: looked up once
        words = [word.lower() for word in policies.excluded_statuses]
        rows = rows.mutate(is_excluded=_.status.lower().isin(words).fill_null(False))
    rows = _name_guests(rows, policies).view()
    judged = rows.mutate(reason=first_reason(rows, reading.currency, policies))
    return judged if reading.hash_secret is None else _pseudonymised(judged, reading.hash_secret)


def _pseudonymised(rows: ibis.Table, secret: str) -> ibis.Table:
    """No id as the firm writes it, and no line that may hold one, gets any further than this."""
    hidden = {name: pseudonym(rows[name], secret) for name in ("customer_id", "written_customer_id")}
    if "unsplit_line" in rows.columns:
        hidden["unsplit_line"] = ibis.ifelse(rows.unsplit_line.isnull(), ibis.null("string"), "(hidden)")
    return rows.mutate(**hidden)


def _read(column: ir.Column, kind: str, reading: Reading, policies: Policies, name: str) -> ir.Value:
    if kind == "date":
        return read_moment(column, reading.date_format, reading.timezone)
    if kind in ("money", "number"):
        return read_number(column, reading.decimal)
    if kind == "flag":
        return column.cast("string").lower().isin(["1", "true", "t", "yes", "y", "x", "return", "returned"])
    return read_text(column, policies.missing_ids if name == "customer_id" else ())


def _name_guests(rows: ibis.Table, policies: Policies) -> ibis.Table:
    guest = rows.customer_id.isnull()
    if policies.guests == "set_aside":
        return rows.mutate(is_guest=guest)
    if "order_id" not in rows.columns:
        raise DataError(
            "policies.guests is 'one_customer_per_order', but there is no column order_id; name it under columns, "
            "or use guests: set_aside"
        )
    named = ibis.literal("guest of order ") + rows.order_id
    return rows.mutate(is_guest=guest, customer_id=rows.customer_id.fill_null(named))


def _used_columns(used: ibis.Table, policies: Policies) -> ibis.Table:
    """The cleaned log: contract columns, and what is a purchase, from when to when."""
    kept = [c for c in TRANSACTIONS.names if c in used.columns and c not in _NOT_KEPT]
    never = ibis.null("timestamp(6)")
    is_purchase = used.amount > 0 if policies.zero_amounts == "no_purchase" else used.amount >= 0
    if "refunded_in_full" in used.columns:
        is_purchase = is_purchase & ~used.refunded_in_full
    has_returns = used.filter(_.amount < 0).limit(1).count().to_pyarrow().as_py() > 0
    if not has_returns:
        return used.select(*kept, is_purchase=is_purchase, reversed_on=never, returned_purchase_date=never)
    known = {
        name: used[name] if name in used.columns else ibis.null("string") for name in ("product", "order_id")
    }
    rows = used.select("source_row", "customer_id", "date", "amount", **known)
    matched = match_returns(rows, in_full=policies.returns == "match")
    joined = used.mutate(is_purchase=is_purchase).left_join(matched, _ROW)
    return joined.select(*kept, "is_purchase", "reversed_on", "returned_purchase_date")


def _quarantine_columns(staged: ibis.Table) -> ibis.Table:
    return (
        staged.filter(_.reason.notnull())
        .select(
            "reason",
            _ROW,
            "source_file",
            customer_id="written_customer_id",
            date="written_date",
            amount="written_amount",
            line=_.unsplit_line if "unsplit_line" in staged.columns else ibis.null("string"),
            readable_amount=readable_money(staged),
        )
        .order_by(_ROW)
    )


def _nothing_usable(staged: ibis.Table, columns: dict[str, str], tally: Tally) -> str:
    if not tally:
        return "transactions: the source has a header but no rows; export it again"
    reason, (rows, _money) = max(
        ((key, value) for key, value in tally.items() if key), key=lambda item: item[1][0]
    )
    example = staged.filter(_.reason == reason).limit(1).to_pyarrow().to_pylist()[0]
    name = next((word for word in ("date", "amount") if word in reason), "customer_id")
    cure = {
        "date": 'say how dates are written under date_format, as in "%d/%m/%Y"',
        "amount": "say which column it is under columns, and the decimal sign under decimal",
    }.get(name, "say which column it is under columns, or see policies")
    return (
        f"transactions: no row can be used; {rows} of {sum(r for r, _m in tally.values())} have the fault: {reason}. "
        f"Column {columns.get(name, name)!r} holds, for example, {example['written_' + name]!r}; {cure}"
    )
