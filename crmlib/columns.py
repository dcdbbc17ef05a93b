"""Tables as readers see them: every column has one label and one unit in columns.toml, for the whole suite."""

from __future__ import annotations

import html
import re
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
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
# Blanks at which no line may break: between a number and its unit, and within a day.
TOGETHER = re.compile(r"(?<=\d) (?=%|(?:day|week|month|year|point)s?\b)")
_IN_WORDS = re.compile(rf"\b\d{{1,2}} (?:{_MONTHS})[a-z]* \d{{4}}\b")
# Tables, entries of study files, and columns of a firm's tables.
_NAMED = re.compile(r"(?<=no table )[a-z_]+|\b[a-z_]{2,}\.[a-z_]{2,}\b|\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")
_TEXT = ("text", "code", "name", "flag", "day", "date", "month")  # units of columns that stand flush left


class Column(NamedTuple):
    """What a column is called, and the unit of its values: of `crmlib.format.write`, or one of these.

    "time": in the study's unit of time. "code": a word of a study file, such as the name of a table. "by row": in the
    unit that the frame's column `unit` gives for each row.
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
    unknown: tuple[str, ...] = ()  # labels of what is not known of any row, and is left out

    def __repr__(self) -> str:
        if not self.rows:
            return not_measured(self.reason) if self.reason else NO_ROW
        lines = [[column.label for column in self.columns], *self.rows]
        return "\n".join("  ".join(line).replace(_UNBROKEN, " ") for line in lines)

    def _repr_html_(self) -> str | None:
        if not self.rows:
            return None
        head = "".join(_cell("th", column.label, column, "col") for column in self.columns)
        body = "\n".join(f"<tr>{self._row(row)}</tr>" for row in self.rows)
        table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        return table + (f"\n<p>{self.note}</p>" if self.note else "")

    def _row(self, row: Sequence[str]) -> str:
        first, *others = zip(row, self.columns, strict=True)
        return _cell("th", *first, "row") + "".join(_cell("td", *cell) for cell in others)

    @property
    def note(self) -> str:
        """How much of the table is shown, where all of it is, and what is not known."""
        part = f"{len(self.rows):,} of {self.total:,} rows" if len(self.rows) < self.total else ""
        name = html.escape(self.file.rpartition("/")[2])
        link = f'<a href="{html.escape(self.file)}">{name}</a>' if self.file else ""
        where = ("; all of them: " if part else "The table as a file: ") + link if link else ""
        unknown = f"Not known here: {html.escape(', '.join(self.unknown))}" if self.unknown else ""
        return ". ".join(filter(None, [part + where, unknown]))


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

    - `found`: of a series and a tuple every entry is a row, with the label and unit that columns.toml has for its name.
      What is not known of any row is left out, and named beneath the table.
    - `columns`: those to show, in this order; None shows all. The ends of an interval (`gini_low`, `gini_high`) stand
      in the cell of their estimate, and `low` and `high` in a column of their own, in the unit of the column before
      them.
    - `rows`: the first so many are shown; None shows all.
    - `labels`: column to another label, or to a pair of a label and a unit, where columns.toml does not fit.
    - `currency`, `time_unit`: of the study.
    - `file`: address of the whole table.

    Raises CrmError if a column is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"customer_id": ["007"], "net": [1234.5], "p_alive": [0.004], "T": [1.84]})
    >>> show_table(frame, currency="EUR", labels={"net": "spent"})
    customer  spent  P(alive)  known for
    007  EUR 1,234  under 1 %  1.8 weeks
    """
    from crmlib.no_rows import NoRows  # not at the top: it brings pandas

    frame = as_table(found)
    about = {**COLUMNS, **{name: _relabelled(name, given) for name, given in (labels or {}).items()}}
    names = [str(name) for name in (frame.columns if columns is None else columns)]
    if absent := [name for name in names if name not in frame.columns]:
        raise CrmError(f"there is no column {absent[0]!r}; {did_you_mean(absent[0], frame.columns)}")
    frame, names, unknown = _known(frame, names, about)
    shown = frame.head(len(frame) if rows is None else rows)
    headings: list[Column] = []
    cells: list[list[str]] = []
    for name, sources in _with_their_ends(names):
        column = _about(name, about)
        if not column.unit:  # the ends of an interval are in the unit of what stands before them
            follows = name == "low" and headings
            column = column._replace(unit=headings[-1].unit if follows else _unit_of(shown[sources[0]]))
        unit = time_unit if column.unit == "time" else column.unit
        if unit == "by row" and "unit" not in frame:
            unit = _unit_of(shown[sources[0]])
        units = shown["unit"] if unit == "by row" else [unit] * len(shown)
        values = zip(*(shown[source] for source in sources), strict=True)
        headings.append(column)
        cells.append([_written(value, of, currency) for value, of in zip(values, units, strict=True)])
    reason = found.reason if isinstance(found, NoRows) else ""
    table = tuple(zip(*cells, strict=True))
    return ShownTable(tuple(headings), table, len(frame), file, reason, tuple(unknown))


def _known(
    frame: pd.DataFrame, names: list[str], about: Mapping[str, Column]
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """What is known: the rows of a series and the columns of a frame; and the labels of what is not."""
    if "value_of_entry" in frame:
        known = frame[frame["value_of_entry"].notna()]
        gone = frame.loc[frame["value_of_entry"].isna(), "entry"].tolist()
        return (known, names, gone) if len(known) else (frame, names, [])
    kept = [name for name in names if not len(frame) or frame[name].notna().any()]
    if not kept:
        return frame, names, []
    ends = ("low", "high")  # of an interval, which has no label of its own
    left_out = [name for name in names if name not in kept and not name.endswith(ends)]
    return frame, kept, [_about(name, about).label for name in left_out]


def _about(name: str, about: Mapping[str, Column]) -> Column:
    return about.get(name) or Column(fmt.column(name))


def as_table(found: Any) -> pd.DataFrame:
    """A frame whose named index has become columns, and whose row numbers are gone; of a series, a row per entry."""
    import pandas as pd

    if not isinstance(found, pd.DataFrame):
        entries = found._asdict() if hasattr(found, "_asdict") else dict(found)
        about = [_about(str(name), COLUMNS) for name in entries]
        rows = pd.DataFrame({"entry": [column.label for column in about]})
        rows["value_of_entry"] = pd.Series([*entries.values()], dtype=object)
        return rows.assign(unit=[column.unit for column in about])
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
    text = " ".join(fmt.write(number, unit, currency) if unit else fmt.cell(number) for number in value)
    if fmt.is_known(low) or fmt.is_known(high):
        ends = fmt.interval(low, high, unit or "ratio", currency)
        text = f"{text} ({ends})" if text else ends
    text = text if value else text or fmt.NOT_KNOWN
    if unit in ("text", "name", "code"):
        return text
    return text.replace(" ", _UNBROKEN).replace(f"{_UNBROKEN}(", " (")


def _cell(tag: str, text: str, column: Column, scope: str = "") -> str:
    """A cell of HTML; numbers stand flush right."""
    kind = f' scope="{scope}"' if scope else ""
    kind += "" if column.unit in _TEXT else ' class="number"'
    return f"<{tag}{kind}>{_inner(text, column.unit)}</{tag}>"


def _inner(text: str, unit: str) -> str:
    if unit == "code" and text:
        return f"<code>{html.escape(text)}</code>"
    return marked(text) if unit == "text" else html.escape(text)


def marked(text: str) -> str:
    """HTML of a text: code stands between backticks, days are written in words, numbers keep their units beside them.

    Examples
    --------
    >>> marked("a < b: set `as_of`"), marked("no table service_cases")
    ('a &lt; b: set <code>as_of</code>', 'no table <code>service_cases</code>')
    >>> marked("after 2024-01-31 in 5 days").replace(_UNBROKEN, "~")
    'after 31~Jan~2024 in 5~days'
    """
    text = fmt.with_days(text)
    text = _IN_WORDS.sub(lambda day: day[0].replace(" ", _UNBROKEN), TOGETHER.sub(_UNBROKEN, text))
    parts = html.escape(_NAMED.sub(r"`\g<0>`", text) if "`" not in text else text).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
