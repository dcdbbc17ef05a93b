"""How the dates of a column are written, decided from the whole column, or asked about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.reading import read_date
from crmlib.data.contracts.contract import Column
from crmlib.data.guessing.findings import Finding, Question
from crmlib.data.policies import AS_WRITTEN

_DAYS = (
    *"%d/%m/%Y %m/%d/%Y %d.%m.%Y %m.%d.%Y %d-%m-%Y %m-%d-%Y %Y.%m.%d %Y%m%d".split(),
    *"%d/%m/%y %m/%d/%y %d.%m.%y %m.%d.%y %d-%m-%y %m-%d-%y %d-%b-%y %d-%b-%Y".split(),
    *("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_NUMBERS = {"excel": (20_000, 80_000), "unix": (500_000_000, 4_000_000_000)}  # 1954 to 2119; 1985 to 2096
_DAY_TIMES = tuple(day + time for day in _DAYS for time in _TIMES)
_MOST_SHAPES = 200
_WORTH_A_FORMAT = 0.001  # of the column; fewer dates are typing errors, and are set aside
BOTH_WAYS = 0.02  # of the values readable in one of two ways alone, and as many in the other: then both occur


@dataclass(frozen=True)
class DateGuess:
    """Formats and zone of a date column, what speaks for them, and the readings if they are in doubt."""

    formats: tuple[str, ...]
    timezone: str | None
    evidence: str
    question: str = ""
    readings: tuple[str, ...] = ()


def guess_dates(column: ir.Column) -> DateGuess:
    """Find the formats that read a whole column of dates.

    Day and month are told apart by the dates that can be read one way only. Where there are none, or both
    orders occur, the guess carries a question and the possible readings.

    Parameters
    ----------
    column : ibis column
        Dates as text; a column of dates or timestamps needs no format.
    """
    if not column.type().is_string():
        return DateGuess((), None, "the column holds dates, not text")
    texts = column.name("text").as_table().mutate(text=_.text.strip()).filter(_.text != "")
    examples = _examples(texts)
    formats = [one for one in (*_DAY_TIMES, *_NUMBERS) if any(_fits(text, one) for text in examples)]
    # What one example rules out another may need: the engine decides between the two orders on all rows.
    swapped = {one.replace("%d", "%?").replace("%m", "%d").replace("%?", "%m") for one in formats}
    formats = [one for one in _DAY_TIMES if one in {*formats, *swapped}] + [
        o for o in _NUMBERS if o in formats
    ]
    seen = _readings(texts, ["iso", *formats])
    formats = [one for one in ("iso", *formats) if seen[one].any()]
    if not formats:
        example = examples[0] if examples else ""
        return DateGuess((), None, f"no known format reads {example!r}; say it under date_format")
    return _decide(seen, formats)


def _examples(texts: ibis.Table) -> list[str]:
    """The first and the last text, by the alphabet, of each shape that a column's texts have."""
    shape = texts.text.re_replace("[0-9]", "0").re_replace("[A-Za-z]+", "a")
    shapes = texts.mutate(shape=shape).group_by("shape").agg(n=_.count(), low=_.text.min(), high=_.text.max())
    found = shapes.order_by(_.n.desc()).limit(_MOST_SHAPES).to_pandas()
    return [*found["low"], *found["high"]]


def _fits(text: str, pattern: str) -> bool:
    try:
        if pattern in _NUMBERS:
            low, high = _NUMBERS[pattern]
            return low <= float(text) <= high
        return bool(datetime.strptime(text, pattern))
    except ValueError:
        return False


def _readings(texts: ibis.Table, formats: list[str]) -> pd.DataFrame:
    """Number and example of the texts by which of the formats read them (one column each)."""
    flags = {f"f{i}": _reads(texts.text, one) for i, one in enumerate(formats)}
    flags["offset"] = texts.text.re_search(r":[0-9.]+ ?[+-][0-9]{2}:?([0-9]{2})?$")
    groups = texts.select("text", **flags).group_by(list(flags)).agg(rows=_.count(), example=_.text.min())
    return groups.to_pandas().rename(columns={f"f{i}": one for i, one in enumerate(formats)})


def _reads(text: ir.StringColumn, pattern: str) -> ir.BooleanValue:
    readable = read_date(text, [pattern]).notnull()
    if pattern in _NUMBERS:
        low, high = _NUMBERS[pattern]
        readable = readable & text.try_cast("float64").between(low, high)
    return readable.fill_null(False)


def _decide(seen: pd.DataFrame, formats: list[str]) -> DateGuess:
    proofs: list[str] = []
    for sign in ("/", ".", "-"):
        day_first = [one for one in formats if one.startswith(f"%d{sign}%m")]
        month_first = [one for one in formats if one.startswith(f"%m{sign}%d")]
        order = _day_order(seen, day_first, month_first)
        if isinstance(order, DateGuess):
            return order
        formats = [one for one in formats if one not in order[0]]
        proofs += order[1]
    return _cover(seen, formats, "".join(proofs))


def _day_order(
    seen: pd.DataFrame, day_first: list[str], month_first: list[str]
) -> tuple[list[str], list[str]] | DateGuess:
    """The formats to drop and the proof of it; a guess with a question where that cannot be told."""
    if not day_first or not month_first:
        return [], []
    day, month = seen[day_first].any(axis=1), seen[month_first].any(axis=1)
    total = seen["rows"].sum()
    only_day, only_month = seen.loc[day & ~month, "rows"].sum(), seen.loc[month & ~day, "rows"].sum()
    readings = (_longest(seen, day_first), _longest(seen, month_first))
    example = str(seen.loc[day & month, "example"].min()) if (day & month).any() else ""
    if min(only_day, only_month) >= BOTH_WAYS * total:
        question = (
            f"both orders of day and month occur: {only_day:,} dates can only be {readings[0]} (such as "
            f"{seen.loc[day & ~month, 'example'].min()!r}), {only_month:,} only {readings[1]} (such as "
            f"{seen.loc[month & ~day, 'example'].min()!r}); export the dates anew as 2024-12-31"
        )
        return DateGuess((), None, question, question)
    if only_day == only_month == 0:
        question = (
            f"every date can be read with the day first or the month first: {example!r} is "
            + " or ".join(f"{_spoken(example, one)} ({one})" for one in readings)
        )
        return DateGuess((), None, question, question, readings)
    dropped, only = (month_first, day & ~month) if only_day > only_month else (day_first, month & ~day)
    proof = f"; {_longest(seen, dropped)} cannot read {seen.loc[only, 'example'].min()!r}"
    return dropped, [proof]


def _longest(seen: pd.DataFrame, formats: list[str]) -> str:
    """The format that reads the most rows."""
    return max(formats, key=lambda one: (seen.loc[seen[one], "rows"].sum(), -len(one)))


def _spoken(text: str, pattern: str) -> str:
    return fmt.date(pd.to_datetime(text, format=pattern))


def _cover(seen: pd.DataFrame, formats: list[str], proof: str) -> DateGuess:
    """As few formats as read (nearly) every date, the most frequent first."""
    total, left = int(seen["rows"].sum()), seen
    chosen: list[str] = []
    while formats and left["rows"].sum() > _WORTH_A_FORMAT * total:
        best = _longest(left, formats)
        gained = left.loc[left[best], "rows"].sum()
        if gained <= _WORTH_A_FORMAT * total:
            break
        chosen.append(best)
        left = left[~left[best]]
    read = total - int(left["rows"].sum())
    evidence = f"{read:,} of {total:,} dates are read by {' and '.join(map(_named, chosen))}{proof}"
    if read < total:
        evidence += f"; not, for example, {left['example'].min()!r}"
    offset = "iso" in chosen and bool(seen["offset"].any())
    if offset:
        evidence += "; they carry offsets, and the clock as written is the firm's own"
    formats_needed = () if chosen == ["iso"] else tuple(chosen)
    return DateGuess(formats_needed, AS_WRITTEN if offset else None, evidence)


def _named(pattern: str) -> str:
    return {"iso": "ISO 8601", "excel": "Excel's serial days", "unix": "seconds since 1970"}.get(
        pattern, pattern
    )


def guess_date_formats(
    table: ibis.Table, here: list[tuple[Column, str]], given: Mapping[str, Any]
) -> Iterator[Finding | Question]:
    """One list of formats for all date columns; nothing is quoted of those that are personal."""
    dated = {c: theirs for c, theirs in here if c.kind == "date"}
    if given.get("date_format") and dated:
        yield Finding("date_format", tuple(given["date_format"]), "named by you")
        return
    open_columns = stacked_texts(table, [theirs for column, theirs in dated.items() if not column.personal])
    guess = _guess(open_columns)
    formats = guess.formats if guess else ()
    if guess and guess.question:
        where = f"{next(iter(dated.values()))!r}: " if len(dated) == 1 else ""
        yield Question("date_format", where + guess.question, guess.readings)
        return
    evidence = [guess.evidence] if guess else []
    for column, theirs in dated.items():
        own = _guess(stacked_texts(table, [theirs])) if column.personal else None
        if own is None:
            continue
        ours = _settled(own, formats)
        if not ours and own.readings:
            question = f"every {column.name} can be read with the day first or the month first"
            yield Question("date_format", question, own.readings)
            return
        if not set(own.formats or ("iso",)) <= set(formats or ("iso",)):
            formats = tuple(dict.fromkeys((*(formats or (("iso",) if guess else ())), *ours)))
            evidence.append(f"the {column.name} is read by {' and '.join(ours)}")
    if evidence:
        yield Finding("date_format", formats, "; ".join(evidence))
    if guess and guess.timezone:
        yield Finding(
            "timezone", guess.timezone, "the dates carry offsets; a day is the firm's own, as written"
        )


def _settled(own: DateGuess, formats: Sequence[str]) -> tuple[str, ...]:
    """A personal column's formats; where they are in doubt, the order of day and month that the others show."""
    if not own.readings:
        return own.formats or ("iso",)
    orders = {one[:2] for one in formats if one[:2] in ("%d", "%m")}
    return tuple(one for one in own.readings if one[:2] in orders) if len(orders) == 1 else ()


def _guess(stacked: ibis.Table | None) -> DateGuess | None:
    if stacked is None or stacked.filter(_.text.notnull()).limit(1).to_pyarrow().num_rows == 0:
        return None
    return guess_dates(stacked.text)


def stacked_texts(table: ibis.Table, columns: Sequence[str]) -> ibis.Table | None:
    """The texts of several columns, one below the other: `text`, and the `column` that it stands in."""
    texts = [
        table.select(text=table[name], column=ibis.literal(name))
        for name in columns
        if table[name].type().is_string()
    ]
    return (ibis.union(*texts) if len(texts) > 1 else texts[0]) if texts else None
