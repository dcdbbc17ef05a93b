"""The data dictionary: every table and column that a firm can supply, written from the contracts.

`python -m tests.data.dictionary` writes data/README.md anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crmlib.data.contracts import CONTRACTS
from crmlib.data.contracts.contract import Column, Contract


def dictionary() -> str:
    """The data dictionary as Markdown: of each table what a row is, its keys, and every column with its purpose.

    Examples
    --------
    >>> text = dictionary()
    >>> [line for line in text.splitlines() if line.startswith("| `amount`")][0]
    '| `amount` | money | required | paid for the row, net of discount; negative is money back |'
    """
    parts = [
        Path(__file__).with_suffix(".md").read_text(encoding="utf-8"),
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
        parts.append(f"Each `{contract.key}` occurs once.")
    if contract.dated_by:
        parts.append(f"A row is known from its `{contract.dated_by}` on.")
    if contract.free_columns:
        parts.append("All other columns of the source are kept under their own names.")
    yield " ".join(parts) + "\n"
    yield "| Column | Kind | | Purpose |\n|---|---|---|---|"
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
    write_dictionary(Path(__file__).parents[2] / "data")
