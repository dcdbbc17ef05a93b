"""Detect the date formats of a column from all its values; ambiguous dates become a question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.reading import parse_moment, read_text, within_calendar
from crmlib.data.engine import count_of, first_row, has_rows, most_frequent

_DAYS = (
    *"%d/%m/%Y %m/%d/%Y %d.%m.%Y %m.%d.%Y %d-%m-%Y %m-%d-%Y %Y.%m.%d %Y%m%d".split(),
    *"%d/%m/%y %m/%d/%y %d.%m.%y %m.%d.%y %d-%m-%y %m-%d-%y %d-%b-%y %d-%b-%Y".split(),
    *("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d%b%Y", "%Y年%m月%d日"),
)
_CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")
_TIMES = ("", *(sign + clock for sign in (" ", ", ", ":") for clock in _CLOCKS))  # ":" is how SAS writes it
_PARTS = {"milli": 1e3, "micro": 1e6, "nano": 1e9}
_NUMBERS = {
    "days since 1970-01-01": (5_000, 25_600),  # 1983 to 2040
    "excel": (20_000, 80_000),  # 1954 to 2119
    "unix": (5e8, 4e9),  # 1985 to 2096
    **{f"{part}seconds since 1970-01-01": (5e8 * n, 4e9 * n) for part, n in _PARTS.items()},
}
_DAY_TIMES = (*(day + time for day in _DAYS for time in _TIMES), "%Y%m%d%H%M%S", "%Y%m%dT%H%M%S")
_NAMES = {"iso": "ISO 8601", "excel": "Excel's serial days", "unix": "seconds since 1970"}
PERIOD = re.compile(  # a year alone, or with the number of a month, week or quarter, or the name of a month
    r"(?:19|20)\d\d(?:\W?(?:[A-Za-z]{1,2})?\d{1,2})?|(?:[A-Za-z]{1,2}\W?)?\d{1,2}\W{1,2}(?:19|20)\d\d"
    r"|(?i:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])(?:[A-Za-z]{0,6}\W?\d{2,4})?"
)
_WORD = re.compile(r"[^\W\d_]{3}")
_SHOWN = 60  # signs of an example
_MOST_SHAPES = 200
_MONTHS = 12
_WORTH_A_FORMAT = 0.001  # of the column; fewer dates are typing errors, and are set aside
BOTH_WAYS = 0.02  # of the values readable in one of two ways alone, and as many in the other: then both occur
_ENOUGH_DAYS = 20  # above the 12th show when a log begins and ends, to this many days:
_MONTH = 31
_MOST_UNREAD = 0.05  # of the column; more of them are no typing errors, but another format


@dataclass(frozen=True)
class DateGuess:
    """Formats of a date column, what speaks for them, and the readings if they are in doubt."""

    formats: tuple[str, ...]
    evidence: str
    question: str = ""
    readings: tuple[str, ...] = ()
    total: int = 0
    unread: int = 0


def guess_dates(column: ir.Column) -> DateGuess:
    """Find the formats that read a whole column of dates.

    The order of day and month is decided by the dates that can be read one way only. Where there are none, or both
    orders occur, the guess carries a question and the possible readings.

    `column`: dates as text; a column of dates or timestamps needs no format.
    """
    if not column.type().is_string():
        return DateGuess((), "the column holds dates, not text")
    texts = read_text(column).name("text").as_table().view()  # so that it is read once for all formats
    texts = texts.filter(_.text.re_search("[1-9]"))  # as every date has, and "n/a" and 0000-00-00 have not
    examples = _examples(texts)
    formats = [form for form in (*_DAY_TIMES, *_NUMBERS) if any(_fits(text, form) for text in examples)]
    # An example may rule out a format that others need, so the engine decides between both orders on all rows.
    swapped = {pattern.replace("%d", "%?").replace("%m", "%d").replace("%?", "%m") for pattern in formats}
    formats = [form for form in (*_DAY_TIMES, *_NUMBERS) if form in {*formats, *swapped}]
    seen = _readings(texts, ["iso", *formats])
    formats = [form for form in ("iso", *formats) if seen[form].any()]
    if not formats:
        return _unread(int(seen["rows"].sum()), int(seen["rows"].sum()), [*examples, "nothing"])
    numbers = {pattern: seen.loc[seen[pattern], "rows"].sum() for pattern in formats if pattern in _NUMBERS}
    likeliest = max(numbers, key=numbers.__getitem__, default=None)  # numbers are counted in one way
    guess = _decide(seen, [pattern for pattern in formats if pattern not in numbers or pattern == likeliest])
    if guess.question:
        return guess
    if asked := _late_swapped(texts, guess.formats):
        return DateGuess((), asked, asked)
    return _year_first(texts, guess.formats) or _other_formats(texts, guess)


def _year_first(texts: ibis.Table, formats: Sequence[str]) -> DateGuess | None:
    """A question where the last number of dates takes more values than the first: it may be the day, not the year."""
    ours = re.match(r"%[dm](\W)%[dm]\W%y", formats[0] if len(formats) == 1 else "")
    if not ours:
        return None
    numbers = {f"n{place}": _.text.re_extract(r"^(\d+)\D+\d+\D+(\d+)", place) for place in (1, 2)}
    seen = first_row(texts.mutate(**numbers).agg(n1=_.n1.nunique(), n2=_.n2.nunique(), example=_.text.min()))
    if seen["n2"] <= seen["n1"]:
        return None
    readings = (f"%y{ours[1]}%m{ours[1]}%d{formats[0][ours.end() :]}", formats[0])
    question = (
        f"dates such as {seen['example']!r} have {seen['n1']} different numbers in front and {seen['n2']} at the end: "
        f"the year may stand in front ({readings[0]}) or at the end ({readings[1]})"
    )
    return DateGuess((), question, question, readings)


def _other_formats(texts: ibis.Table, guess: DateGuess) -> DateGuess:
    """The guess, or a question where many dates cannot be read: they are no typing errors."""
    if guess.unread <= max(1, _MOST_UNREAD * guess.total):  # one alone is a typing error
        return guess
    unread = texts.filter(_date(texts.text, guess.formats).isnull())
    shapes = most_frequent(unread, "shape", _shape(_.text), 1, example=_.text.min())
    return _unread(guess.unread, guess.total, [shape["example"] for shape in shapes])


def _unread(unread: int, total: int, examples: Sequence[str]) -> DateGuess:
    """The question about dates that no known format reads."""
    shown = examples[0][:_SHOWN]
    text = f"{fmt.count(unread)} of {fmt.count(total)} dates cannot be read, such as {shown!r}; "
    if PERIOD.fullmatch(examples[0]):
        text += "if they are months, weeks or quarters, write the first day of each, as 2024-01-01; else "
    elif _WORD.search(examples[0]):
        text += "of months the English names are read, so write others as numbers; "
    elif examples[0].isdecimal() and len(examples[0]) == len("240131"):
        text += "if they are the year, month and day in two digits each: --date-format %y%m%d; else "
    elif examples[0].isdecimal():
        text += "if they count days, say from which day on: --date-format 'days since 2023-01-01'; else "
    text += (
        "empty what is no date, and say every format that occurs, as in --date-format %d/%m/%Y, which may be "
    )
    text += "repeated (under date_format in a study)"
    return DateGuess((), text, text)


def unread_dates(column: ir.StringColumn, formats: Sequence[str] = ()) -> str:
    """The question about dates that these formats, or all known ones, do not read; empty if they do."""
    texts = column.name("text").as_table().filter(_.text.re_search("[1-9]"))
    if not has_rows(texts):
        return ""
    if formats:
        unread = count_of(texts.filter(_date(texts.text, formats).isnull()))
        guess = _other_formats(texts, DateGuess((*formats,), "", total=count_of(texts), unread=unread))
    else:
        guess = guess_dates(texts.text)
    return "" if guess.readings else guess.question


def _examples(texts: ibis.Table) -> list[str]:
    """The first and the last text, by the alphabet, of each shape that a column's texts have."""
    ends = {"low": _.text.min(), "high": _.text.max()}
    found = most_frequent(texts, "shape", _shape(texts.text), _MOST_SHAPES, **ends)
    return [shape[end] for end in ends for shape in found]


def _shape(text: ir.StringColumn) -> ir.StringColumn:
    return text.re_replace("[0-9]", "0").re_replace("[A-Za-z]+", "a")


def _fits(text: str, pattern: str) -> bool:
    try:
        if pattern in _NUMBERS:
            low, high = _NUMBERS[pattern]
            return low <= float(text) <= high
        return bool(datetime.strptime(text, pattern))
    except ValueError:
        return False


def _readings(texts: ibis.Table, formats: list[str]) -> pd.DataFrame:
    """Number and example of the texts by which of the formats, "iso" first, read them (one column each)."""
    names = {f"f{i}": pattern for i, pattern in enumerate(formats)}
    moments = {name: parse_moment(texts.text, [pattern], "UTC") for name, pattern in names.items()}
    read = texts.select("text", **moments).view()
    flags = {name: _is_read(read.text, read[name], pattern) for name, pattern in names.items()}
    flags["early"] = (within_calendar(read.f0).day() <= _MONTHS).fill_null(False)
    differ = _.text.re_extract(r"^(\d+)\D", 1) != _.text.re_extract(r"^\d+\D(\d+)", 1)  # day and month
    example = ibis.coalesce(_.text.min(where=differ), _.text.min())
    groups = read.select("text", **flags).group_by(list(flags)).agg(rows=_.count(), example=example)
    return groups.to_pandas().rename(columns=names)


def _date(text: ir.StringColumn, formats: Sequence[str]) -> ir.TimestampColumn:
    return within_calendar(parse_moment(text, formats, "UTC"))


def _is_read(text: ir.StringColumn, moment: ir.TimestampColumn, pattern: str) -> ir.BooleanValue:
    readable = within_calendar(moment).notnull()
    if pattern in _NUMBERS:
        low, high = _NUMBERS[pattern]
        readable = readable & text.try_cast("float64").between(low, high)
    return readable.fill_null(False)


def _decide(seen: pd.DataFrame, formats: list[str]) -> DateGuess:
    proofs: list[str] = []
    if swapped := _half_swapped(seen, formats):
        return DateGuess((), swapped, swapped)
    for sign in ("/", ".", "-"):
        day_first = [pattern for pattern in formats if pattern.startswith(f"%d{sign}%m")]
        month_first = [pattern for pattern in formats if pattern.startswith(f"%m{sign}%d")]
        order = _day_order(seen, day_first, month_first)
        if isinstance(order, DateGuess):
            return order
        formats = [pattern for pattern in formats if pattern not in order[0]]
        proofs += order[1]
    return _cover(seen, formats, "".join(proofs))


def _half_swapped(seen: pd.DataFrame, formats: list[str]) -> str:
    """The question where a spreadsheet seems to have read some dates with day and month swapped; else empty.

    It leaves two kinds: true dates, none of which has a day above 12, and texts that it could not read, all of which
    have one. Of an honest mixture, about 60 % of the former and 40 % of the latter would be different.
    """
    orders = {order: re.compile(order + r"[/.-]%[dm]") for order in ("%d", "%m")}
    first = {order: [*filter(begins.match, formats)] for order, begins in orders.items()}
    iso = seen["iso"]
    by_day, by_month = (~iso & seen[first[order]].any(axis=1) for order in ("%d", "%m"))
    texts, dates = seen[by_day | by_month], seen[iso]
    late = dates.loc[~dates["early"], "rows"].sum()
    either = seen.loc[by_day & by_month, "rows"].sum()
    n_texts, n_dates = texts["rows"].sum(), dates["rows"].sum()
    few = min(n_texts, n_dates) <= _WORTH_A_FORMAT * seen["rows"].sum()
    if few or late > BOTH_WAYS * n_dates or either > BOTH_WAYS * n_texts:
        return ""
    text = _longest(texts, first["%d"] + first["%m"])
    shown = str(dates["example"].min())
    clock = {0: "", 6: "%H:%M", 9: "%H:%M:%S"}.get(len(shown) - len("2024-12-31"), "%H:%M:%S.%f")
    back = f"%Y-%d-%m{shown[10:11]}{clock}"
    return (
        f"a spreadsheet seems to have swapped day and month: of {fmt.count(n_dates)} dates such as {shown!r} none has "
        f"a day above {_MONTHS}, and of {fmt.count(n_texts)} texts such as {texts['example'].min()!r} none has one up "
        f"to {_MONTHS}. Export the dates anew as text; or have them swapped back: --date-format {text!r} --date-format "
        f"{back!r}; or, if they are right, --date-format {text!r} --date-format iso"
    )


def _late_swapped(texts: ibis.Table, formats: Sequence[str]) -> str:
    """The question where day and month seem to be swapped in all dates with a day up to 12; else empty.

    The days above 12 show the order and the months of the log. In that order, dates with a day up to 12 then lie far
    outside these months, and in the other order none does. Honest ones do not, and a log of whole years shows nothing.
    """
    ours = formats[0] if len(formats) == 1 else ""
    if not re.match("%[dm][/.-]%[dm]", ours):
        return ""
    theirs = ours[:1] + ours[4] + ours[2:4] + ours[1] + ours[5:]
    read = texts.select("text", ours=_date(texts.text, [ours]), theirs=_date(texts.text, [theirs]))
    sure, open_ones = read.filter(_.theirs.isnull() & _.ours.notnull()), read.filter(_.theirs.notnull())
    log = first_row(sure.agg(days=_.ours.date().nunique(), first=_.ours.min(), last=_.ours.max()))
    if log["days"] < _ENOUGH_DAYS:
        return ""
    first, last = log["first"] - pd.Timedelta(_MONTH, "D"), log["last"] + pd.Timedelta(_MONTH, "D")
    out = {order: ~open_ones[order].between(first, last) for order in ("ours", "theirs")}
    example = open_ones.text.min(where=out["ours"])
    seen = first_row(open_ones.agg(rows=_.count(), **{o: out[o].sum() for o in out}, example=example))
    if seen["theirs"] or (seen["ours"] or 0) < max(_ENOUGH_DAYS, BOTH_WAYS * seen["rows"]):
        return ""
    return (
        f"a spreadsheet seems to have swapped day and month where the day is up to {_MONTHS}: the dates with a later "
        f"day run from {fmt.date(log['first'])} to {fmt.date(log['last'])}, and {fmt.count(seen['ours'])} of "
        f"{fmt.count(seen['rows'])} others lie far outside if they are read by {ours}, such as {seen['example']!r}, "
        f"but none if by {theirs}. Export the dates anew as 2024-12-31; or have them swapped back: --date-format "
        f"{theirs!r} --date-format {ours!r}; or, if they are right, --date-format {ours!r}"
    )


def _day_order(
    seen: pd.DataFrame, day_first: list[str], month_first: list[str]
) -> tuple[list[str], list[str]] | DateGuess:
    """The formats to drop, with the proof; a guess with a question if the order of day and month is ambiguous."""
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
        return DateGuess((), question, question)
    if only_day == only_month == 0:
        question = (
            f"every date can be read with the day first or the month first: {example!r} is "
            + " or ".join(f"{fmt.date(pd.to_datetime(example, format=form))} ({form})" for form in readings)
        )
        return DateGuess((), question, question, readings)
    dropped, only = (month_first, day & ~month) if only_day > only_month else (day_first, month & ~day)
    proof = f"; {_longest(seen, dropped)} cannot read {seen.loc[only, 'example'].min()!r}"
    return dropped, [proof]


def _longest(seen: pd.DataFrame, formats: list[str]) -> str:
    """The format that reads the most rows."""
    return max(formats, key=lambda pattern: (seen.loc[seen[pattern], "rows"].sum(), -len(pattern)))


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
    called = " and ".join(_NAMES.get(pattern, pattern) for pattern in chosen)
    evidence = f"{read:,} of {total:,} dates are read by {called}{proof}"
    if read < total:
        evidence += f"; not, for example, {left['example'].min()!r}"
    return DateGuess(() if chosen == ["iso"] else tuple(chosen), evidence, total=total, unread=total - read)
