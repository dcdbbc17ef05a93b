"""The log is cleaned once, and nothing is lost: every row is used, or set aside with a reason.

Rows in = rows used + rows set aside, and their money adds up to the cent. Rows after a study's `as_of`
are split off later, by whoever asks for a date, so that one cleaned log serves every date.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib.data.books import (
    EQUAL_ROWS,
    LARGEST_AMOUNT,
    Tally,
    assert_reconciled,
    calendar,
    later_of,
    policy_counts,
    readable_money,
    rows_by_fate,
    rows_by_file,
    tally_by_reason,
)
from crmlib.data.policies import Policies
from crmlib.data.reading import read_date, read_number, read_text
from crmlib.data.returns import match_returns
from crmlib.data.sources import engine
from crmlib.data.tables import TRANSACTIONS
from crmlib.errors import DataError

_ROW, _FILE = "source_row", "filename"


@dataclass(frozen=True)
class Reading:
    """How the text of a table is read: the firm's formats, and its currency."""

    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: Sequence[str] = ()
    decimal: str = "."
    timezone: str = "UTC"
    currency: str | None = None


@dataclass(frozen=True)
class CleaningReport:
    """What became of every row: `rows` by fate and `policies` by decision, as lists of records."""

    rows: list[dict[str, Any]]
    policies: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    columns: list[str]
    days: dict[str, Any]

    def to_json(self) -> str:
        """The report as text, for the folder of the cleaned log."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> CleaningReport:
        """Read back what `to_json` wrote."""
        return cls(**json.loads(text))


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
    columns = TRANSACTIONS.resolve(dict(reading.columns), [c for c in raw.columns if c not in (_ROW, _FILE)])
    staged_file = folder / "staged.parquet"
    engine().to_parquet(_judge(raw, columns, reading, policies), staged_file)
    staged = engine().read_parquet(str(staged_file))
    staged = _set_aside_repeats(staged, policies)
    used = staged.filter(_.reason.isnull())
    tally = tally_by_reason(staged)
    if not tally.get(None, (0, 0))[0]:
        raise DataError(_nothing_usable(staged, columns, tally))
    engine().to_parquet(_used_columns(used, policies), folder / "transactions.parquet")
    engine().to_parquet(_quarantine_columns(staged), folder / "quarantine.parquet")
    report = CleaningReport(
        rows=rows_by_fate(tally),
        policies=policy_counts(staged, folder, policies),
        sources=rows_by_file(staged),
        columns=sorted(columns),
        days=calendar(folder),
    )
    assert_reconciled(tally, folder)
    staged_file.unlink()
    return report


def _judge(raw: ibis.Table, columns: dict[str, str], reading: Reading, policies: Policies) -> ibis.Table:
    """Read every column and give each row that cannot be used its reason."""
    present = {ours: raw[theirs] for ours, theirs in columns.items()}
    read: dict[str, Any] = {
        column.name: _read(present[column.name], column.kind, reading, policies, column.name)
        for column in TRANSACTIONS.columns
        if column.name in present
    }
    own = [raw[name] for name in raw.columns if name not in (_ROW, _FILE)]
    rows = raw.select(
        **read,
        written_customer_id=present["customer_id"].cast("string"),
        written_date=present["date"].cast("string"),
        written_amount=present["amount"].cast("string"),
        row_hash=ibis.struct({f"c{i}": column.cast("string") for i, column in enumerate(own)}).hash(),
        source_file=raw[_FILE] if _FILE in raw.columns else ibis.literal("frame"),
        source_row=ibis.row_number() + 1,
    )
    if "returned" in read:
        rows = rows.mutate(
            flipped=_.returned.fill_null(False) & (_.amount > 0),
            amount=ibis.ifelse(_.returned.fill_null(False), -_.amount.abs(), _.amount),
        )
    rows = _name_guests(rows, policies)
    return rows.mutate(reason=_first_reason(rows, reading, policies))


def _read(column: ir.Column, kind: str, reading: Reading, policies: Policies, name: str) -> ir.Value:
    if kind == "date":
        return read_date(column, reading.date_format, reading.timezone)
    if kind in ("money", "number"):
        return read_number(column, reading.decimal)
    if kind == "flag":
        return column.cast("string").lower().isin(["1", "true", "t", "yes", "y", "x", "return", "returned"])
    return read_text(column, policies.missing_ids if name == "customer_id" else ())


def _name_guests(rows: ibis.Table, policies: Policies) -> ibis.Table:
    guest = rows.customer_id.isnull()
    if policies.guests == "one_customer_per_order" and "order_id" in rows.columns:
        named = ibis.literal("guest of order ") + rows.order_id
        return rows.mutate(is_guest=guest, customer_id=rows.customer_id.fill_null(named))
    return rows.mutate(is_guest=guest)


def _first_reason(rows: ibis.Table, reading: Reading, policies: Policies) -> ir.StringValue:
    missing = rows.written_customer_id.fill_null("").strip() == ""
    cases: list[tuple[ir.BooleanValue, str | ir.StringValue]] = [
        (rows.customer_id.isnull() & missing, "no customer id"),
        (rows.customer_id.isnull(), "customer id is a word for missing"),
        (rows.date.isnull() & (rows.written_date.fill_null("").strip() == ""), "no date"),
        (rows.date.isnull(), "unreadable date"),
        (rows.amount.isnull() & (rows.written_amount.fill_null("").strip() == ""), "no amount"),
        (rows.amount.isnull() | rows.amount.isnan(), "unreadable amount"),
        (rows.amount.abs() > LARGEST_AMOUNT, "infinite or impossibly large amount"),
    ]
    if "currency" in rows.columns and reading.currency:
        other = rows.currency.fill_null(reading.currency).upper() != reading.currency.upper()
        cases.append((other, "other currency"))
    if "status" in rows.columns:
        excluded = [word.lower() for word in policies.excluded_statuses]
        cases.append((rows.status.fill_null("").lower().isin(excluded), "cancelled or test order"))
    if policies.returns == "set_aside":
        cases.append((rows.amount < 0, "return (policy returns: set_aside)"))
    return ibis.cases(*cases, else_=ibis.null("string"))


def _set_aside_repeats(staged: ibis.Table, policies: Policies) -> ibis.Table:
    """Give repeated line ids, repeated order totals and (if so decided) equal rows their reason."""
    later = []
    if "line_id" in staged.columns:
        later.append((later_of(staged, ["line_id"]), "repeated line id"))
    if policies.equal_rows == "set_aside":
        later.append((later_of(staged, EQUAL_ROWS), "equal to an earlier row"))
    if policies.amount_is == "order_total":
        if "order_id" not in staged.columns:
            raise DataError(
                "policies.amount_is is 'order_total', but there is no column order_id to tell which lines are one "
                "order; name it under columns, or use amount_is: row"
            )
        later.append((later_of(staged, ["order_id"]), "order total repeated on a later line"))
    for rows, reason in later:
        repeated = rows.select(_ROW, repeats=ibis.literal(reason))
        staged = staged.left_join(repeated, _ROW).drop(f"{_ROW}_right")
        staged = staged.mutate(reason=_.reason.fill_null(_.repeats)).drop("repeats")
    return staged


def _used_columns(used: ibis.Table, policies: Policies) -> ibis.Table:
    """The cleaned log: contract columns, and what is a purchase, from when to when."""
    kept = [c for c in TRANSACTIONS.names if c in used.columns and c not in ("status", "returned")]
    never = ibis.null("timestamp(6)")
    is_purchase = used.amount > 0 if policies.zero_amounts == "no_purchase" else used.amount >= 0
    has_returns = used.filter(_.amount < 0).limit(1).count().to_pyarrow().as_py() > 0
    if not has_returns:
        return used.select(*kept, is_purchase=is_purchase, reversed_on=never, returned_purchase_date=never)
    product = used.product if "product" in used.columns else ibis.null("string")
    rows = used.select("source_row", "customer_id", "date", "amount", product=product)
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
        f"Column {columns[name]!r} holds, for example, {example['written_' + name]!r}; {cure}"
    )
