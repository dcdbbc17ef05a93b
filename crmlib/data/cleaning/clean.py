"""One pipeline for every table: each row is used, or set aside with a reason.

A fault in a required column sets the row aside. A fault in another one leaves that value empty and is
counted, for the rest of the row can be used. Rows in = rows used + rows set aside, and the money of every
money column adds up to the cent. Rows after a study's `as_of` are split off later, by whoever asks for a date,
so that one cleaned table serves every date.
"""

from __future__ import annotations

from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib.data.cleaning import reconcile, steps
from crmlib.data.cleaning.free_columns import with_free_columns
from crmlib.data.cleaning.places import Files, Tables, place_of
from crmlib.data.cleaning.repeats import EQUAL_ROW, set_aside_repeats
from crmlib.data.cleaning.values import judge_rows, read_values, refuse_several_currencies
from crmlib.data.contracts.contract import Contract
from crmlib.data.engine import in_our_words
from crmlib.data.files.csv_files import FILE_COLUMN, UNSPLIT
from crmlib.data.kept import QUARANTINE, USED, CleaningReport
from crmlib.data.policies import Reading
from crmlib.errors import DataError


def clean_table(raw: ibis.Table, contract: Contract, reading: Reading, folder: Path) -> CleaningReport:
    """Clean a table into `used.parquet` and `quarantine.parquet`.

    `raw`: the table as it stands, text or typed. `contract`: what it must and may hold. `reading`: which column is
    which, in which formats, by which policies, and what is personal. `folder`: where the two files go; it must exist.
    Neither holds a personal column unless `reading` says so. Returns rows and money by outcome, which add up; asserted
    against the files as written. Raises DataError if a required column is missing, or there are rows and none can be
    used.
    """
    with in_our_words(contract.name), place_of(raw, folder) as place:
        return _cleaned(place.in_order(raw), contract, reading, place)


def _cleaned(raw: ibis.Table, contract: Contract, reading: Reading, place: Files | Tables) -> CleaningReport:
    is_log, policies = contract.name == "transactions", reading.policies
    contract, named = with_free_columns(contract, raw, reading.columns, reading.decimal)
    columns = contract.resolve(named, [name for name in raw.columns if name not in (FILE_COLUMN, UNSPLIT)])
    rows, further = read_values(raw, contract, columns, reading), []
    if is_log:
        rows = steps.prepare_log(rows, policies)
        further = steps.reasons_of_log(rows, reading)
    elif contract.name == "surveys":
        further = steps.reasons_of_surveys(rows)
    staged = place.staged(judge_rows(rows, contract, reading, further))
    staged = steps.set_sums_aside(staged, policies) if is_log else staged
    if not reading.currency:
        refuse_several_currencies(staged, contract)
    keep_equal = not is_log or policies.equal_rows == "keep"
    judged = set_aside_repeats(staged, contract, keep_equal)  # keeps a reference to cached tables
    return _account_for(place.judged(judged), contract, columns, reading, place)


def _account_for(
    staged: ibis.Table, contract: Contract, columns: dict[str, str], reading: Reading, place: Files | Tables
) -> CleaningReport:
    """Write the rows that are used and those set aside, and the report of both."""
    usable = staged.filter(_.reason.isnull())
    is_log = contract.name == "transactions"
    if is_log:
        used = steps.used_of_log(usable, reading.policies)
    else:
        used = _contract_columns(usable, contract, reading.keep_personal)
    here = {*used.columns} & {*staged.columns}
    money = [c.name for c in contract.columns if c.kind == "money" and c.name in here]
    changed = reconcile.what_is_changed(staged, contract, reading)
    counts = {key: what.count() for key, (_column, what) in changed.items()}
    counts[EQUAL_ROW] = staged.equals_earlier.sum()
    tally, changes = reconcile.tally_by_reason(staged, money, counts)
    if is_log and not any(part.rows for part in tally.values()):
        raise DataError(f"{contract.name}: the source has a header but no rows; export it again")
    if None not in tally:
        raise DataError(reconcile.nothing_usable(staged, contract, columns, tally))
    place.write(used, USED)
    place.write(_as_written(staged, contract, money, reading), QUARANTINE)
    files = {file: place.read(file) for file in (USED, QUARANTINE)}
    reconcile.assert_reconciled(tally, money, files, contract.name)
    return CleaningReport(
        reconcile.rows_by_outcome(tally, money),
        reconcile.changed_values(usable, changed, changes),
        reconcile.rows_by_file(staged),
        columns,
        reconcile.what_is_filled(usable, contract, *place.empty(USED)),
        **(steps.report_of_log(staged, place.read(USED), reading.policies) if is_log else {}),
    )


def _contract_columns(usable: ibis.Table, contract: Contract, keep_personal: bool) -> ibis.Table:
    """Every column of the contract in its order, empty where the firm has none."""
    types = contract.cleaned_types(keep_personal)
    kept = {name: usable[name] if name in usable.columns else ibis.null(kind) for name, kind in types.items()}
    return usable.order_by("source_row").select(**kept)


def _as_written(staged: ibis.Table, contract: Contract, money: list[str], reading: Reading) -> ibis.Table:
    """The rows set aside: reason, place in the source, original text, and the money that could be read."""
    aside = staged.filter(_.reason.notnull())
    texts: dict[str, ir.Value] = {}
    for column in contract.columns:
        names = (f"written_{column.name}", column.name)
        found = [aside[name] for name in names if name in staged.columns]
        if found:  # the text of an id that is not required is kept only where it differs
            apart = column.kind == "id" and not column.required
            texts[column.name] = ibis.coalesce(*found) if apart else found[0]
    # Nobody knows which part of a line that cannot be split is personal.
    all_of_it = reading.keep_personal and reading.hash_secret is None
    line = aside.unsplit_line if all_of_it else aside.unsplit_line.re_extract("^[^:]*", 0)
    texts.setdefault("line", line)
    readable = {f"readable_{name}": reconcile.countable(aside, name) for name in money}
    return aside.select("reason", "source_row", "source_file", **texts, **readable).order_by("source_row")
