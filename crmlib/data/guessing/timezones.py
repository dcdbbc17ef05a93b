"""Where the days of a file's moments begin, and what that does to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import ibis
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.reading import moves_day, read_date
from crmlib.data.contracts.contract import Column
from crmlib.data.guessing.dates import stacked_texts
from crmlib.data.guessing.findings import Finding
from crmlib.data.policies import AS_WRITTEN

_ELSEWHERE = "; if the firm's days begin elsewhere, say where, as in --timezone Europe/Berlin"


def guess_timezone(
    table: ibis.Table, here: list[tuple[Column, str]], given: Mapping[str, Any]
) -> Iterator[Finding]:
    """The time zone of a file's moments, if it has any, and how many dates it moves to another day."""
    dated = [theirs for column, theirs in here if column.kind == "date" and not column.personal]
    zone = given.get("timezone")
    if any(getattr(table[name].type(), "timezone", None) for name in dated):
        yield Finding(
            "timezone", zone or "UTC", "named by you" if zone else "the days are those of UTC" + _ELSEWHERE
        )
        return
    seen = _with_offsets(stacked_texts(table, dated), zone or "UTC")
    if zone:
        dates = (
            f"{fmt.count(seen['moved'])} of {fmt.count(seen['offset'] + seen['utc'])} dates with an offset"
        )
        moves = f"{dates} to another day" if seen["offset"] + seen["utc"] else "none, for none has an offset"
        yield Finding("timezone", zone, f"named by you; it moves {moves}")
    elif seen["offset"]:
        yield Finding("timezone", AS_WRITTEN, "the dates carry offsets; a day is the firm's own, as written")
    elif seen["utc"]:
        yield Finding("timezone", "UTC", "the dates are written in UTC, and so are the days" + _ELSEWHERE)


def _with_offsets(dates: ibis.Table | None, zone: str) -> dict[str, int]:
    """How many dates carry an offset, or say that they are UTC, and how many a zone moves to another day."""
    if dates is None:
        return {"offset": 0, "utc": 0, "moved": 0}
    longer = dates.filter(_.text.length() > len("2024-01-05 10:30"))  # only these are looked at closely
    found = longer.agg(
        offset=_.text.re_search(r":[0-9.]+ ?[+-][0-9]{2}:?([0-9]{2})?$").sum(),
        utc=_.text.re_search(r":[0-9.]+ ?(Z|UTC|GMT)$").sum(),
        moved=moves_day(longer.text, read_date(longer.text, timezone=zone)).sum(),
    )
    return {name: int(count or 0) for name, count in found.to_pyarrow().to_pylist()[0].items()}
