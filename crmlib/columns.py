"""Tables as readers see them: every column has one label and one unit in columns.toml, for the whole suite."""

from __future__ import annotations

import html
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from crmlib import format as fmt
from crmlib.errors import NO_ROW, CrmError, did_you_mean, not_measured

if TYPE_CHECKING:
    import pandas as pd

_UNBROKEN = "\N{NO-BREAK SPACE}"
_TEXT = ("text", "name", "flag", "day", "date", "month")  # units of columns that stand flush left


class Column(NamedTuple):
    """What a column is called, and the unit of its values: of `crmlib.format.write`, or one of these.

    "time": in the study's unit of time. "by row": in the unit that the frame's column `unit` gives for each row.
    Empty: by the type of the values.
    """

    label: str
    unit: str = ""


_TOML = Path(__file__).with_suffix(".toml")
COLUMNS = {name: Column(*about) for name, about in tomllib.loads(_TOML.read_text(encoding="utf-8")).items()}
Labels = Mapping[str, str | tuple[str, str]]


@dataclass(frozen=True, repr=False)
class ShownTable:
    """A table with labels and written cells, which a notebook displays and a page keeps."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int  # rows of the whole table
    file: str = ""  # address of the whole table
    reason: str = ""  # why there is no row

    def __repr__(self) -> str:
        if not self.rows:
            return not_measured(self.reason) if self.reason else NO_ROW
        lines = [[one.label for one in self.columns], *self.rows]
        return "\n".join("  ".join(line).replace(_UNBROKEN, " ") for line in lines)

    def _repr_html_(self) -> str | None:
        if not self.rows:
            return None
        head = "".join(_cell("th", one.label, one, "col") for one in self.columns)
        body = "\n".join(f"<tr>{self._row(row)}</tr>" for row in self.rows)
        table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        return table + (f"\n<p>{self.note}</p>" if self.note else "")

    def _row(self, row: Sequence[str]) -> str:
        first, *others = zip(row, self.columns, strict=True)
        return _cell("th", *first, "row") + "".join(_cell("td", *one) for one in others)

    @property
    def note(self) -> str:
        """How much of the table is shown, and where all of it is."""
        part = f"{len(self.rows):,} of {self.total:,} rows" if len(self.rows) < self.total else ""
        name = html.escape(self.file.rpartition("/")[2])
        link = f'<a href="{html.escape(self.file)}">{name}</a>' if self.file else ""
        return (
            f"{part}; all of them: {link}"
            if part and link
            else f"The table as a file: {link}"
            if link
            else part
        )


def show_table(
    found: Any,
    columns: Sequence[str] | None = None,
    rows: int | None = 10,
    labels: Labels | None = None,
    *,
    currency: str = "",
    time_unit: str = "W",
    file: str = "",
) -> ShownTable:
    """Write a table for readers.

    Parameters
    ----------
    found : DataFrame, Series or named tuple
        Of a series and a tuple every entry is a row, with the label and unit that columns.toml has for its name.
    columns : sequence of str, optional
        Those to show, in this order; None shows all. The ends of an interval (`gini_low`, `gini_high`) stand in the
        cell of their estimate, and `low` and `high` in a column of their own, in the unit of the column before them.
    rows : int, optional
        The first so many are shown; None shows all.
    labels : mapping, optional
        Column to another label, or to a pair of a label and a unit, where columns.toml does not fit.
    currency, time_unit : str
        Of the study.
    file : str
        Address of the whole table.

    Returns
    -------
    ShownTable

    Raises
    ------
    CrmError
        If a column is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"customer_id": ["007"], "net": [1234.5], "p_alive": [0.004], "T": [1.84]})
    >>> show_table(frame, currency="EUR", labels={"net": "spent"})
    customer  spent  P(alive)  known for
    007  EUR 1,234  under 1 %  1.8 weeks
    """
    frame = as_table(found)
    about = COLUMNS | {name: _relabelled(name, given) for name, given in (labels or {}).items()}
    names = [str(name) for name in (frame.columns if columns is None else columns)]
    if absent := [name for name in names if name not in frame.columns]:
        raise CrmError(f"there is no column {absent[0]!r}; {did_you_mean(absent[0], frame.columns)}")
    shown = frame.head(len(frame) if rows is None else rows)
    headings: list[Column] = []
    cells: list[list[str]] = []
    for name, sources in _with_their_ends(names):
        column = about.get(name) or Column(fmt.column(name))
        if (
            name == "low" and headings and not column.unit
        ):  # the ends of an interval of what stands before them
            column = Column(column.label, headings[-1].unit)
        column = column if column.unit else column._replace(unit=_unit_of(shown[sources[0]]))
        unit = time_unit if column.unit == "time" else column.unit
        if unit == "by row" and "unit" not in frame:
            unit = _unit_of(shown[sources[0]])
        units = shown["unit"] if unit == "by row" else [unit] * len(shown)
        values = zip(*(shown[one] for one in sources), strict=True)
        headings.append(column)
        cells.append([_written(value, of, currency) for value, of in zip(values, units, strict=True)])
    reason = "" if len(frame) else getattr(found, "reason", "")
    return ShownTable(tuple(headings), tuple(zip(*cells, strict=True)), len(frame), file, reason)


def as_table(found: Any) -> pd.DataFrame:
    """A frame whose named index has become columns, and whose row numbers are gone; of a series, a row per entry."""
    import pandas as pd

    if not isinstance(found, pd.DataFrame):
        entries = found._asdict() if hasattr(found, "_asdict") else dict(found)
        about = [COLUMNS.get(name) or Column(fmt.column(str(name))) for name in entries]
        rows = {
            "entry": [one.label for one in about],
            "value_of_entry": pd.Series([*entries.values()], dtype=object),
        }
        return pd.DataFrame(rows | {"unit": [one.unit for one in about]})
    if found.index.names == [None]:
        is_text = not (found.index.empty or pd.api.types.is_integer_dtype(found.index))
        return found.rename_axis(index="entry").reset_index() if is_text else found.reset_index(drop=True)
    return found.reset_index()


def _relabelled(name: str, given: str | tuple[str, str]) -> Column:
    """A label given in a notebook, and with it perhaps a unit."""
    if isinstance(given, str):
        return Column(given, COLUMNS[name].unit if name in COLUMNS else "")
    return Column(*given)


def _unit_of(values: pd.Series) -> str:
    """The unit of a column that has none, by its type."""
    return {"b": "flag", "i": "count", "u": "count", "f": "ratio", "M": "day"}.get(values.dtype.kind, "text")


def _with_their_ends(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each column to show, with the columns that its cells are made of: itself, and the ends of its interval."""
    for name in names:
        of, _, end = name.rpartition("_")
        ends = [f"{name}_low", f"{name}_high"]
        if name == "low" and "high" in names:
            yield name, ["low", "high"]
        elif set(ends) <= set(names):
            yield name, [name, *ends]
        elif name not in ("unit", "high") and not (end in ("low", "high") and of in names):
            yield name, [name]


def _written(values: Sequence[Any], unit: str, currency: str) -> str:
    """A cell: a value, the ends of an interval, or a value with them."""
    *value, low, high = values if len(values) > 1 else (*values, None, None)
    text = " ".join(fmt.write(one, unit, currency) if unit else fmt.cell(one) for one in value)
    if fmt.is_known(low) or fmt.is_known(high):
        ends = fmt.interval(low, high, unit or "ratio", currency)
        text = f"{text} ({ends})" if text else ends
    return text if unit in ("text", "name") else text.replace(" ", _UNBROKEN).replace(f"{_UNBROKEN}(", " (")


def _cell(tag: str, text: str, column: Column, scope: str = "") -> str:
    """A cell of HTML; numbers stand flush right."""
    kind = f' scope="{scope}"' if scope else ""
    kind += "" if column.unit in _TEXT else ' class="number"'
    return f"<{tag}{kind}>{html.escape(text)}</{tag}>"
