"""The data dictionary: every table and column that a firm can supply, from the contracts themselves.

`python -m crmlib.data.contracts.dictionary` writes data/README.md anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crmlib.data.contracts import CONTRACTS
from crmlib.data.contracts.contract import Column, Contract

_HEAD = """\
# The tables of a study

<!-- Written by `python -m crmlib.data.contracts.dictionary` from the contracts in crmlib/data/contracts/. -->

Each folder here is a study: a firm's `study.yaml`, which says where its tables are and how they are read. Every
study has `transactions`, or in their place `subscriptions` or `customer_features`; each other table lets more
notebooks run, and `crm list STUDY` says which.

- `crm new NAME --transactions FILE` begins a study.
- `crm add STUDY TABLE FILE` adds a table to it.
- `crm check STUDY` shows what became of every row.

How a table is read:

- **Columns** may have any name in the file: `columns: {customer_id: CustNo}` in the study says which is which.
- **Required** columns have to hold something readable in every row; a row in which one does not is set aside with
  the reason. A fault in any other column leaves that value empty and is counted. Rows and money add up to the cent.
  Empty is what is blank, or says NULL, NaN or n/a.
- **Dates** are days or moments in any format (`date_format`), numbers and **money** in any usual dress (`decimal`),
  shares also in per cent. **Flags** are yes and no in several languages: opt-in, ja, oui, 1; withdrawn, nein, 0.
- **Words** of a column that allows only some are known in several spellings; for others, and for a channel that is
  spelt two ways, `rename: {channel: {"google-ads": "Google Ads"}}` says what is meant. Nothing is merged unasked.
- **Ids** are compared by one text in every table and file: blanks around them, the `.0` of a program that read
  them as numbers, and the quotes of a spreadsheet (`="00123"`) are taken off. Leading zeros, capitals and blanks
  within may tell two customers apart: they stay, and the data check counts ids that differ in them alone.
  `1.23457E+11` has lost its digits and `#REF!` is an error: no id is left, so a row that needs it is set aside.
- **Sums** among the rows of the log ("Grand Total", or no customer and the amount of all others) are set aside.
- **Keys**: `customer_id` is the same id in every table. A key that points to nothing is counted, and its row is used.
  A table that shares no customer with the log fails the data check.
- **What is lost** has limits: the data check warns where more than 5 % of the log's rows, or of its known money,
  are set aside by a fault, and fails beyond 20 % of rows or 15 % of money. A row whose amount cannot be read has
  unknown money, not none. What the study leaves out by a decision, such as cancelled orders, is not lost.
- **As of a day**, a notebook sees the rows dated up to it, and of their later course nothing.
- **A table that a firm lacks** is an empty one: `study.table(name)` has its columns and no rows, functions then
  give their columns without rows and say why, and nothing unknown counts as zero.
- **Personal** columns say who a customer is. They are read to tell whether they are filled (`has_birthday`), and
  reach no cache, report or log unless the study says `personal_columns: keep`. With `privacy: hash`, customer ids
  are hashed as well.
"""


def dictionary() -> str:
    """The data dictionary as Markdown: of each table what a row is, its keys, and every column with its purpose.

    Examples
    --------
    >>> text = dictionary()
    >>> [line for line in text.splitlines() if line.startswith("| `amount`")][0]
    '| `amount` | money | required | paid for the row, net of discount; negative is money back |'
    """
    parts = [
        _HEAD,
        "| Table | One row is |\n|---|---|\n" + "\n".join(_in_short(c) for c in CONTRACTS.values()),
    ]
    parts += ["\n".join(_table(contract)) for contract in CONTRACTS.values()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _in_short(contract: Contract) -> str:
    return f"| [{contract.name}](#{contract.name}) | {contract.grain.removeprefix('one row ')} |"


def _table(contract: Contract) -> Iterator[str]:
    yield f"## {contract.name}\n"
    parts = [f"{contract.grain[0].upper()}{contract.grain[1:]}."]
    if contract.key:
        parts.append(f"No `{contract.key}` stands twice.")
    if contract.dated_by:
        parts.append(f"A row is known from its `{contract.dated_by}` on.")
    if contract.free_columns:
        parts.append("Whatever else the source has is a column too, under its own name.")
    yield " ".join(parts) + "\n"
    yield "| Column | Kind | | What for |\n|---|---|---|---|"
    for column in contract.columns:
        needed = ", ".join(
            word
            for word, is_so in {"required": column.required, "personal": column.personal}.items()
            if is_so
        )
        yield f"| `{column.name}` | {_kind(column)} | {needed} | {_purpose(column)} |"


def _kind(column: Column) -> str:
    unit = f", {column.unit}" if column.unit else ""
    return f"{column.kind}{unit}{_range(column)}"


def _range(column: Column) -> str:
    if column.low is not None and column.high is not None:
        return f", {column.low:g} to {column.high:g}"
    return f", from {column.low:g}" if column.low is not None else ""


def _purpose(column: Column) -> str:
    parts = [column.purpose]
    if column.words:
        parts.append(f"one of: {', '.join(column.words)}{', or another' if column.other_words else ''}")
    if column.refers_to:
        parts.append(f"a key of `{column.refers_to}`")
    if column.not_before:
        parts.append(f"not before `{column.not_before}`")
    if column.planned:
        parts.append("may lie ahead")
    if column.known_from:
        parts.append(f"known from `{column.known_from}` on")
    return "; ".join(parts)


def write_dictionary(folder: Path) -> Path:
    """Write the dictionary to README.md of a folder."""
    path = folder / "README.md"
    path.write_text(dictionary(), encoding="utf-8")
    return path


if __name__ == "__main__":
    write_dictionary(Path(__file__).parents[3] / "data")
