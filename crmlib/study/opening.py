"""Open a study: a firm by name or path, or a purchase log in a file or a frame."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from crmlib.data.contracts import CONTRACTS
from crmlib.data.databases import DatabaseRows, is_address
from crmlib.data.files.source_files import SUFFIXES
from crmlib.data.kept import digest_of
from crmlib.errors import StudyError, did_you_mean
from crmlib.study.file import OF_FILES, READING, StudyFile, check_study, read_study_file
from crmlib.study.places import find_root, find_study, root_of
from crmlib.study.study import Study
from crmlib.study.tables import require_same
from crmlib.units import FIRST_DAY, LAST_DAY

_MADE = {"tables", "simulation", "sample"}
_FACTS_OF_A_LOG = [*READING, *(name for name in StudyFile.model_fields if name not in _MADE)]


def open_study(
    study: str | Path | Study | Any,
    *,
    columns: Mapping[str, str] | None = None,
    as_of: str | dt.date | None = None,
    **facts: Any,
) -> Study:
    """Open a firm: a study by name or path, or a purchase log in a file or a frame.

    Parameters
    ----------
    study : str, Path, DataFrame or Study
        A name means `data/NAME/study.yaml` in the nearest parent folder, a path of a study file itself; a file
        such as "orders.csv", or the address of a database with `table` or `query` among the facts, is looked at as
        `crm new` does, and what was guessed stands in the study's `repr`; or
        a pandas, Polars or PyArrow frame that holds a purchase log. A Study is returned as it is, or as of another day.
    columns : mapping, optional
        Of a log: contract column to the log's column, as in `{"customer_id": "CustNo"}`.
    as_of : str or date, optional
        Last day that counts, instead of the study's own: a text such as "1998-06-30", a date or a timestamp.
    **facts
        Of a log: entries of a study file, such as `currency="EUR"` or `margin=0.4`, and of its table, such as
        `date_format`, `decimal`, `timezone` and `amount_unit`; of a file also `sheet`, `encoding` and `delimiter`.

    Raises
    ------
    StudyError
        If there is no such study, an entry of it is not allowed, or a file does not say how it is to be read; the
        message then names the argument that does.
    DataError
        When the purchase log is first used, if it cannot be.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"CustNo": ["007", "007"], "day": ["2024-01-05", "2024-02-01"], "paid": [10.0, 20.0]})
    >>> shop = open_study(log, columns={"customer_id": "CustNo", "date": "day", "amount": "paid"})
    >>> shop.as_of, shop.transactions.count().to_pyarrow().as_py()
    (datetime.date(2024, 2, 1), 2)
    """
    override = _as_date(as_of)
    text = str(study) if isinstance(study, (str, Path)) else ""
    is_file = bool(text) and (text.lower().endswith(SUFFIXES) or is_address(text))
    by_name = isinstance(study, (str, Path, Study)) and not is_file
    if by_name and (given := [*(["columns"] if columns else []), *facts]):
        raise StudyError(f"{', '.join(given)} go with a frame; a study by name says it in its study.yaml")
    if isinstance(study, Study):
        return study if override is None else replace(study, as_of_override=override, absent_tables=[])
    if by_name:
        path = find_study(study)
        require_same(str(path), digest_of(path), path.name)
        return Study(path.parent.name, read_study_file(path), path.parent, root_of(path), None, override)
    if not (is_file or hasattr(study, "columns") or hasattr(study, "schema")):
        raise StudyError(
            f"open_study got {'None' if study is None else f'a value of type {type(study).__name__}'}; allowed: the "
            "name or path of a study, or a pandas, Polars or PyArrow frame with a purchase log"
        )
    allowed = [key for key in _FACTS_OF_A_LOG if is_file or key not in OF_FILES]
    for key in facts:
        if key not in allowed:
            raise StudyError(
                f"{key}: no such entry of a purchase log alone; {did_you_mean(key, allowed)}. Other tables "
                "stand in a study file: crm new, crm add"
            )
    reading = {key: facts.pop(key) for key in READING if key in facts}
    if is_file:
        return _study_of_file(study, columns or {}, reading, facts, override)
    entry = {"source": "frame", "columns": dict(columns or {}), **reading}
    content = {"title": "a purchase log", **facts, "tables": {"transactions": entry}}
    return Study("frame", check_study(content, "open_study"), Path.cwd(), find_root(), study, override)


def _study_of_file(
    source: str | Path,
    columns: Mapping[str, str],
    reading: dict[str, Any],
    facts: dict[str, Any],
    as_of: dt.date | None,
) -> Study:
    """The study that `crm new` would write of a purchase log, with what is given here instead of what was guessed."""
    from crmlib.data.guessing.table import guess_table
    from crmlib.study.entries import study_of_guess

    given = {f"columns.{ours}": theirs for ours, theirs in columns.items()} | reading
    if "currency" in facts:
        given["currency"] = facts["currency"]
    if isinstance(form := given.get("date_format"), str):
        given["date_format"] = (form,)
    guess = guess_table(CONTRACTS["transactions"], source, given=given)
    content = study_of_guess(guess.source.name, guess)
    content["tables"]["transactions"] |= reading
    file = check_study(content | facts, guess.source.name)
    if isinstance(guess.source, DatabaseRows):
        return Study(guess.source.table or "query", file, Path.cwd(), find_root(), None, as_of)
    return Study(guess.source.stem, file, guess.source.parent, find_root(), None, as_of)


def _as_date(as_of: str | dt.date | None) -> dt.date | None:
    if as_of is None or str(as_of) == "latest":
        return None
    # Timestamps begin with their day. In a text nothing may follow it: the text itself goes into the run's record.
    text = as_of if isinstance(as_of, str) else str(as_of)[:10]
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise StudyError(f"as_of is {as_of!r}; give a day such as 1998-06-30, or latest") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise StudyError(f"as_of is {as_of!r}; give a day from {FIRST_DAY} to {LAST_DAY}, or latest")
    return day
