"""Normalise customer ids: remove only what spreadsheets and other programs add around them.

"13085", "13085.0", " 13085" and ="13085" are one id in every table and source. "007" and "7", "a1" and "A1" may be
two: they stay apart, and the data check counts them.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from crmlib.data.cleaning.reading import SPREADSHEET_ERROR, bytes_of, read_text, where

# ="00123", '00123 and "00123", as spreadsheets keep text that looks like a number.
_WRAPPED = r"""^(?:=?"+(.*?)"+|=?'([-+0-9].*?)'?|=([0-9]+))$"""
# A column of whole numbers that was read as one of fractions; "1.000" may be a thousand, and stays as it is.
_POINT_ZERO = r"^([-+]?[0-9]+)[.,]0{1,2}$"
_SCIENTIFIC = r"^[-+]?[0-9](?:[.,]([0-9]*))?[eE]\+([0-9]{1,3})$"
_LARGEST = 2**53  # above this a float cannot hold every whole number
_LONGEST = 32  # bytes; a longer text is the name of a product
ERROR_TEXT = "written as an error of a spreadsheet"
LOST_DIGITS = "in scientific notation, with digits lost"
CHANGED = "read without what a program put around it (.0, quotes, an equals sign)"


def read_id(text: ir.StringColumn) -> ir.StringColumn:
    """Normalise an id; null where no id is left, with the reason in `id_fault`.

    Examples
    --------
    >>> ids = ibis.memtable({"id": ["13085.0", '="00123"', "1.3085E+04", "1.23457E+11", "#REF!", "A-7"]})
    >>> [one or "" for one in read_id(ids.id).to_pyarrow().to_pylist()]
    ['13085', '00123', '13085', '', '', 'A-7']
    """
    return ibis.ifelse(_suspect(text), _without_dress(text), text)


def own_ids(column: ir.Column) -> ir.Column:
    """Ids of a frame: whole numbers as int64, also where pandas holds them as floats; else normalised text.

    Examples
    --------
    >>> own_ids(ibis.memtable({"id": [12347.0, None]}).id).to_pyarrow().to_pylist()
    [12347, None]
    >>> own_ids(ibis.memtable({"id": ["0012", "13085.0"]}).id).to_pyarrow().to_pylist()
    ['0012', '13085']
    """
    if column.type().is_integer():
        return column.cast("int64")
    text = read_id(read_text(column))
    if column.type().is_floating() and not holds_other(text):
        return text.try_cast("int64")
    return text


def holds_other(text: ir.StringColumn) -> bool:
    """Whether there is an id that is no whole number."""
    return bool((text.notnull() & text.try_cast("int64").isnull()).any().to_pyarrow().as_py())


def id_fault(text: ir.StringColumn) -> ir.StringColumn:
    """Why `read_id` found no id in a text: a spreadsheet's error, or digits that scientific notation cut off."""
    bare = _unwrapped(text)
    faults = {SPREADSHEET_ERROR: ERROR_TEXT, _SCIENTIFIC: LOST_DIGITS}
    return ibis.cases(*[(bare.re_search(pattern), fault) for pattern, fault in faults.items()])


def _suspect(text: ir.StringColumn) -> ir.BooleanColumn:
    """Whether a program may have added something to the id: a cheap test, as most ids are plain."""
    strange = ibis.or_(text < "0", text.startswith("="), *map(text.contains, ".,+"))
    return (text < "A") & (bytes_of(text) <= _LONGEST) & strange  # what begins with a letter is no number


def _without_dress(text: ir.StringColumn) -> ir.StringColumn:
    bare = _unwrapped(text)
    plain = where(~bare.re_search(SPREADSHEET_ERROR), bare.re_replace(_POINT_ZERO, r"\1"))
    return ibis.ifelse(bare.re_search(_SCIENTIFIC), _written_out(bare), plain)


def _unwrapped(text: ir.StringColumn) -> ir.StringColumn:
    return text.re_replace(_WRAPPED, r"\1\2\3").strip().nullif("")


def _written_out(text: ir.StringColumn) -> ir.StringColumn:
    """The whole number that scientific notation stands for, where all its digits are there."""
    complete = text.re_extract(_SCIENTIFIC, 1).length() >= text.re_extract(_SCIENTIFIC, 2).try_cast("int64")
    number = text.replace(",", ".").try_cast("float64")
    whole = complete & (number % 1 == 0) & (number.abs() < _LARGEST)
    return where(whole, number).cast("int64").cast("string")
