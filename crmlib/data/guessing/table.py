"""Look at the file of an optional table: which column is which, how it is written, and what speaks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis
from ibis import _

from crmlib.data.cleaning.values import names_customer
from crmlib.data.contracts.contract import Column, Contract
from crmlib.data.guessing.columns import Match, Profile, match_by_name, profile_columns
from crmlib.data.guessing.dates import DateGuess, guess_dates
from crmlib.data.guessing.findings import Finding, Guess, Question
from crmlib.data.guessing.money import guess_decimal
from crmlib.data.guessing.stranger import open_stranger, sample_of
from crmlib.data.guessing.table_names import names_of
from crmlib.errors import DataError, did_you_mean

_MOSTLY = 0.5  # of the filled values have to look like what the column is said to hold
_NEARLY_ALL = 0.9
_LONGEST_FLAG = 20  # letters of a yes or no, however it is put


def guess_table(
    contract: Contract,
    source: str | Path,
    *,
    base: Path | None = None,
    given: Mapping[str, Any] | None = None,
) -> Guess:
    """Look at the file of an optional table and guess how it has to be read.

    Parameters
    ----------
    contract : Contract
        What the table must and may hold.
    source : str or Path
        A file, folder or pattern, as in a study file.
    base : Path, optional
        Folder that a relative path starts from.
    given : mapping, optional
        What is known already, and not guessed: `sheet`, `date_format`, `decimal`, `columns.customer_id` and the like.

    Returns
    -------
    Guess
        Findings with their evidence, which quotes no id of a customer and nothing personal; and questions where
        two readings are possible, or a required column was not found.

    Raises
    ------
    DataError
        If the file cannot be read, or holds no rows.

    Examples
    --------
    >>> import tempfile
    >>> from crmlib.data.contracts import MARKETING_SPEND
    >>> file = Path(tempfile.mkdtemp()) / "spend.csv"
    >>> _ = file.write_text("Monat;Kanal;Kosten\\n01.02.2024;Messe;1.200,50\\n15.03.2024;Messe;900,00\\n")
    >>> guess = guess_table(MARKETING_SPEND, file)
    >>> guess.values["columns.amount"], guess.values["decimal"], guess.values["date_format"]
    ('Kosten', ',', ('%d.%m.%Y',))
    """
    given = dict(given or {})
    opened = open_stranger(source, base, given)
    table, own, found = opened.table, opened.own, list(opened.found)
    matches = _match(contract, profile_columns(sample_of(table, own)), _named(given, contract, own))
    found += [_finding(contract, name, one) for name, one in matches.items()]
    unused = [name for name in own if name not in {one.column for one in matches.values()}]
    if unused and not contract.free_columns:
        found.append(
            Finding(
                "not used", tuple(unused), "no column of the contract; --column NAME=COLUMN says otherwise"
            )
        )
    questions = [
        Question(
            f"columns.{column.name}",
            f"which column is the {column.name} ({column.purpose})?",
            tuple(own[:40]),
        )
        for column in contract.columns
        if column.required and column.name not in matches
    ]
    here = [(column, matches[column.name].column) for column in contract.columns if column.name in matches]
    seen = [*_decimal(table, here, given), *_dates(table, here, given)]
    questions += [one for one in seen if isinstance(one, Question)]
    found += [one for one in seen if isinstance(one, Finding)]
    return Guess(opened.place, opened.files, tuple(found), tuple(questions))


def _named(given: Mapping[str, Any], contract: Contract, own: Sequence[str]) -> dict[str, str]:
    """The columns that a person named, checked on both sides."""
    named = {k.removeprefix("columns."): str(v) for k, v in given.items() if k.startswith("columns.")}
    for ours, theirs in named.items():
        if ours not in contract.names:
            raise DataError(f"{contract.name} has no column {ours!r}; {did_you_mean(ours, contract.names)}")
        if theirs not in own:
            raise DataError(
                f"columns.{ours}: there is no column {theirs!r}; {did_you_mean(theirs, own[:40])}"
            )
    return named


def _match(contract: Contract, profiles: dict[str, Profile], named: dict[str, str]) -> dict[str, Match]:
    kinds = {column.name: column for column in contract.columns}

    def holds(purpose: str, profile: Profile, exact: bool) -> bool:
        return _holds(kinds[purpose], profile, exact)

    hidden = [name for name, column in kinds.items() if column.personal or names_customer(column)]
    found = match_by_name(profiles, named, names_of(contract), holds, hidden)
    for column in contract.columns:  # the one column left whose content can be nothing else
        taken = {match.column for match in found.values()}
        left = [name for name, one in profiles.items() if name not in taken and _can_only_be(column, one)]
        if column.required and column.name not in found and len(left) == 1:
            found[column.name] = Match(left[0], "by its content: no other column holds such values")
    return {name: found[name] for name in contract.names if name in found}


def _holds(column: Column, profile: Profile, exact: bool) -> bool:
    """Whether what a column of the file holds can be what its name promises."""
    if profile.filled == 0:
        return exact and column.required  # the cleaning then says what is missing
    if column.kind == "date":  # serial days and seconds are numbers; then only a whole name will do
        return profile.date >= _MOSTLY or (exact and profile.number >= _MOSTLY)
    if column.kind in ("number", "money"):
        return profile.number >= _MOSTLY and (profile.date < _MOSTLY or profile.decimals > 0)
    if column.kind == "flag":
        return profile.longest <= _LONGEST_FLAG and profile.date < _MOSTLY
    if column.name == "email":
        return "@" in profile.example
    if column.name == "name":
        return profile.number < _MOSTLY
    return profile.date < _MOSTLY


def _can_only_be(column: Column, profile: Profile) -> bool:
    if column.kind == "date":
        return profile.date > _NEARLY_ALL
    return column.kind == "money" and profile.number > _NEARLY_ALL and profile.decimals > _MOSTLY


def _finding(contract: Contract, name: str, match: Match) -> Finding:
    column = next(one for one in contract.columns if one.name == name)
    aside = "; personal: only whether it is filled is kept, unless the study says personal_columns: keep"
    return Finding(f"columns.{name}", match.column, match.evidence + (aside if column.personal else ""))


def _stacked(table: ibis.Table, columns: Sequence[str]) -> ibis.Table | None:
    """The texts of several columns, one below the other, under the first one's name."""
    texts = [table[name].name(columns[0]).as_table() for name in columns if table[name].type().is_string()]
    return (ibis.union(*texts) if len(texts) > 1 else texts[0]) if texts else None


def _decimal(
    table: ibis.Table, here: list[tuple[Column, str]], given: Mapping[str, Any]
) -> Iterator[Finding | Question]:
    columns = [theirs for column, theirs in here if column.kind in ("money", "number")]
    stacked = _stacked(table, columns)
    if stacked is not None:
        yield from guess_decimal(stacked, {"amount": stacked.columns[0]}, given)


def _dates(
    table: ibis.Table, here: list[tuple[Column, str]], given: Mapping[str, Any]
) -> Iterator[Finding | Question]:
    """One list of formats for all date columns; nothing is quoted of those that are personal."""
    dated = {c: theirs for c, theirs in here if c.kind == "date"}
    if given.get("date_format") and dated:
        yield Finding("date_format", tuple(given["date_format"]), "named by you")
        return
    open_columns = _stacked(table, [theirs for column, theirs in dated.items() if not column.personal])
    guess = _guess(open_columns)
    formats = guess.formats if guess else ()
    if guess and guess.question:
        yield Question("date_format", guess.question, guess.readings)
        return
    evidence = [guess.evidence] if guess else []
    for column, theirs in dated.items():
        own = _guess(_stacked(table, [theirs])) if column.personal else None
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
    if stacked is None or stacked.filter(_[stacked.columns[0]].notnull()).limit(1).to_pyarrow().num_rows == 0:
        return None
    return guess_dates(stacked[stacked.columns[0]])
