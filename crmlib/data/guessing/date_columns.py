"""Detect the date formats of a table, one list for all its date columns, and their time zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

import ibis
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.reading import moves_day, parse_moment, read_moment, read_text, within_calendar
from crmlib.data.contracts.contract import Column
from crmlib.data.engine import first_row, has_rows, most_frequent
from crmlib.data.guessing.dates import DateGuess, guess_dates, unread_dates
from crmlib.data.guessing.findings import Finding, Question
from crmlib.data.policies import AS_WRITTEN

_BY_YOU = "named by you"
_MANY_CLOCKS = 1_000
_FEW_CLOCKS = 0.05  # of the times of day differ from the one, or two, that are midnight elsewhere
_ELSEWHERE = "; if the firm's days begin elsewhere, say where, as in --timezone Europe/Berlin"


def guess_date_formats(
    table: ibis.Table, here: list[tuple[Column, str]], given: Mapping[str, Any]
) -> Iterator[Finding | Question]:
    """One list of formats for all date columns; nothing is quoted of those that are personal."""
    dated = {c: theirs for c, theirs in here if c.kind == "date"}
    numeric = [name for name in dated.values() if table[name].type().is_numeric()]
    table = table.mutate(**{name: read_text(table[name]) for name in numeric})
    open_columns = stacked_texts(table, [theirs for column, theirs in dated.items() if not column.personal])
    if given.get("date_format") and dated:
        stated = tuple(given["date_format"])
        named = [theirs for column, theirs in dated.items() if f"columns.{column.name}" in given]
        if open_columns is not None and not named and (unread := unread_dates(open_columns.text, stated)):
            name = next(f"{column.name}={theirs}" for column, theirs in dated.items())
            cure = f"; or name the column all the same, and such rows are set aside: --column {name}"
            yield Question("date_format", f"by {' and '.join(stated)}, {unread}{cure}")
        yield Finding("date_format", stated, "named by you")
        return
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
        if own.question and not own.readings:
            question = f"the {column.name} is written in no known format, or in several that disagree; "
            yield Question("date_format", question + "say every format of the file: --date-format %d/%m/%Y")
            return
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


def _settled(own: DateGuess, formats: Sequence[str]) -> tuple[str, ...]:
    """A personal column's formats; if ambiguous, the order of day and month in the other columns."""
    if not own.readings:
        return own.formats or ("iso",)
    orders = {pattern[:2] for pattern in formats if pattern[:2] in ("%d", "%m")}
    return tuple(reading for reading in own.readings if reading[:2] in orders) if len(orders) == 1 else ()


def _guess(stacked: ibis.Table | None) -> DateGuess | None:
    return guess_dates(stacked.text) if stacked is not None and has_rows(stacked.drop_null("text")) else None


def stacked_texts(table: ibis.Table, columns: Sequence[str]) -> ibis.Table | None:
    """The texts of several columns, one below the other: `text`, and the `column` that it stands in."""
    written = [name for name in columns if table[name].type().is_string()]
    texts = [table.select(text=table[name], column=ibis.literal(name)) for name in written]
    return (ibis.union(*texts) if len(texts) > 1 else texts[0]) if texts else None


def guess_timezone(
    table: ibis.Table, here: list[tuple[Column, str]], given: Mapping[str, Any]
) -> Iterator[Finding | Question]:
    """The time zone of a file's moments, if it has any, and how many dates it moves to another day."""
    dated = [theirs for column, theirs in here if column.kind == "date" and not column.personal]
    zone = given.get("timezone")
    zones = {found for name in dated if (found := getattr(table[name].type(), "timezone", None))}
    if zones:
        own = next(iter(zones)) if len(zones) == 1 and zones <= available_timezones() else "UTC"
        yield from [] if zone else _midnights(table, dated, own)
        evidence = _BY_YOU if zone else f"the days are those of {own}{_ELSEWHERE}"
        yield Finding("timezone", zone or own, evidence)
        return
    seen = _with_offsets(stacked_texts(table, dated), zone or "UTC")
    if zone:
        total = seen["offset"] + seen["utc"]
        moves = f"{fmt.count(seen['moved'])} of {fmt.count(total)} dates with an offset to another day"
        moves = moves if total else "none, for none has an offset"
        yield Finding("timezone", zone, f"{_BY_YOU}; it moves {moves}")
    elif seen["offset"]:
        yield Finding("timezone", AS_WRITTEN, "the dates carry offsets; a day is the firm's own, as written")
    elif seen["utc"]:
        yield from _midnights(table, dated, "UTC")
        yield Finding("timezone", "UTC", "the dates are written in UTC, and so are the days" + _ELSEWHERE)


def _midnights(table: ibis.Table, dated: Sequence[str], zone: str) -> Iterator[Question]:
    """A question where every time is the same late hour: it is midnight further east, where the next day begins."""
    for name in dated:
        moment = within_calendar(read_moment(table[name], timezone=zone))
        moments = table.select(moment=moment).drop_null("moment")
        clocks = most_frequent(moments, "clock", _.moment.strftime("%H:%M:%S"), _MANY_CLOCKS)
        often = sorted(clock["clock"] for clock in clocks[:2])
        others = sum(clock["rows"] for clock in clocks if clock["clock"] not in often)
        late = [clock for clock in often if clock >= "12" and clock.endswith(":00:00")]
        if often and late == often and others <= _FEW_CLOCKS * sum(clock["rows"] for clock in clocks):
            yield Question(
                "timezone",
                f"nearly every time in {name!r} is {' or '.join(often)} in {zone}, as is midnight further east: all "
                "days would be one too early. Say where the firm's days begin, as in --timezone Europe/Berlin; or "
                f"--timezone {zone} if these are the hours of the purchases",
            )
            return


def _with_offsets(dates: ibis.Table | None, zone: str) -> dict[str, int]:
    """How many dates carry an offset, or say that they are UTC, and how many a zone moves to another day."""
    if dates is None:
        return {"offset": 0, "utc": 0, "moved": 0}
    longer = dates.filter(_.text.length() > len("2024-01-05 10:30"))  # only these are looked at closely
    longer = longer.mutate(moment=parse_moment(longer.text, (), zone)).view()
    found = longer.agg(
        offset=_.text.re_search(r":[0-9.]+ ?[+-][0-9]{2}:?([0-9]{2})?$").sum(),
        utc=_.text.re_search(r":[0-9.]+ ?(Z|UTC|GMT)$").sum(),
        moved=moves_day(longer.text, within_calendar(longer.moment)).sum(),
    )
    return {name: int(count or 0) for name, count in first_row(found).items()}
