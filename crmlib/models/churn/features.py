"""Columns of a table as model inputs: the label, and features as numbers and categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.errors import DataError, FitError
from crmlib.models._inference import Array

LEFT = (
    *("yes", "y", "true", "t", "1", "churned", "churn", "churner", "left", "lost", "gone", "exited"),
    *("cancelled", "canceled", "terminated", "attrited", "attrited customer", "inactive", "lapsed"),
)
STAYED = (
    *("no", "n", "false", "f", "0", "stayed", "stay", "retained", "loyal", "kept", "active", "current"),
    *("existing", "existing customer", "not churned", "no churn", "non-churner"),
)
MISSING = ("", "na", "n/a", "nan", "null", "none", "<na>", "?", "unknown")
NUMBER, CATEGORY = "number", "category"
# Text that differs for most customers names them; a model would learn the names.
IDENTIFIER_SHARE, IDENTIFIER_LEVELS = 0.5, 50
_DATE = r"\d{4}-\d{2}-\d{2}([ T].*)?"
_SHOWN = 3
_WORDS_SHOWN = 12


@dataclass(frozen=True)
class Features:
    """The columns that a model uses, by kind, and how frames are read into them.

    `kinds`: column -> "number" or "category". `levels`: the categories of each category column, in the order of the
    alphabet. `notes`: what was left out, and how text was read.
    """

    kinds: dict[str, str]
    levels: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]

    def read(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The columns in their order: numbers as floats, categories as text, nan where missing.

        Raises
        ------
        DataError
            If a column is missing, or holds text where there were numbers.
        """
        if missing := [name for name in self.kinds if name not in frame.columns]:
            raise DataError(
                f"the table lacks {', '.join(missing)}, which the model was fitted with; an empty column will do"
            )
        read = {name: _as_kind(frame[name], kind) for name, kind in self.kinds.items()}
        return pd.DataFrame(read, index=frame.index)

    def coded(self, read: pd.DataFrame) -> pd.DataFrame:
        """The answer of `read` in numbers: a category as its place in `levels`, a new category after the last."""
        codes = {
            name: _places(read[name], self.levels[name]) if kind == CATEGORY else read[name]
            for name, kind in self.kinds.items()
        }
        return pd.DataFrame(codes, index=read.index)

    def surprises(self, read: pd.DataFrame) -> list[str]:
        """What there is in a frame (as `read` returns it) that the model has not seen, in words."""
        found = []
        for name, levels in self.levels.items():
            new = read[name].dropna()
            new = new[~new.isin(levels)]
            if len(new):
                shown = ", ".join(repr(value) for value in new.unique()[:_SHOWN])
                found.append(
                    f"{fmt.column(name)}: {len(new):,} customers have a value not seen before ({shown})"
                )
        return found


def read_features(frame: pd.DataFrame) -> Features:
    """Decide what each column is, and leave out those that can teach nothing.

    `frame`: one row per customer, features alone. Raises DataError if a column stands twice. Raises FitError if no
    column is left.

    Examples
    --------
    >>> frame = pd.DataFrame({"tenure": ["1", "34", " "], "plan": ["A", "B", "B"], "country": ["DE"] * 3})
    >>> read = read_features(frame)
    >>> read.kinds, read.notes
    ({'tenure': 'number', 'plan': 'category'}, ('country is left out: it is the same for every customer',))
    """
    twice = frame.columns[frame.columns.duplicated()].unique().tolist()
    if twice:
        raise DataError(f"column {twice[0]!r} occurs twice; rename or drop one of them")
    kinds: dict[str, str] = {}
    levels: dict[str, tuple[str, ...]] = {}
    notes = []
    for name in map(str, frame.columns):
        kind, values, why = _judge(frame[name])
        if why:
            notes.append(f"{fmt.column(name)} is left out: {why}")
            continue
        kinds[name] = kind
        if kind == CATEGORY:
            levels[name] = tuple(sorted(values.dropna().unique()))
    if not kinds:
        raise FitError(f"no column is left to learn from: {'; '.join(notes) or 'the table has none'}")
    return Features(kinds, levels, tuple(notes))


def _judge(column: pd.Series) -> tuple[str, pd.Series, str]:
    """Kind and values of a column, and why it is left out, if it is."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return CATEGORY, column, "it is a date; give the days from it to the cut-off instead"
    kind = _kind(column)
    values = _as_kind(column, kind)
    known, filled = values.nunique(), int(values.notna().sum())
    if known == 0:
        return kind, values, "it is empty for every customer"
    if known == 1 and filled == len(values):
        return kind, values, "it is the same for every customer"
    if kind == CATEGORY:
        text = values.dropna()
        if text.str.fullmatch(_DATE).all():
            return kind, values, "it is a date; give the days from it to the cut-off instead"
        if known > max(IDENTIFIER_LEVELS, IDENTIFIER_SHARE * filled):
            return kind, values, f"its {known:,} different texts identify customers rather than describe them"
    return kind, values, ""


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_numeric_dtype(column):
        return NUMBER
    text = _text(column).dropna()
    return NUMBER if len(text) and pd.to_numeric(text, errors="coerce").notna().all() else CATEGORY


def _text(column: pd.Series) -> pd.Series:
    """Text without blanks around it; words for "missing" are missing."""
    codes, values = pd.factorize(column)
    words = np.array([str(value).strip() for value in values] + [None], dtype=object)
    words[:-1] = [None if word.lower() in MISSING else word for word in words[:-1]]
    return pd.Series(words[codes], index=column.index, name=column.name, dtype=object)


def _as_kind(column: pd.Series, kind: str) -> pd.Series:
    if kind == CATEGORY:
        text = _text(column)
        return text.where(text.notna(), np.nan)
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.astype("float64")
    else:
        text = _text(column)
        numbers = pd.to_numeric(text, errors="coerce").astype("float64")
        unread = text[text.notna() & numbers.isna()]
        if len(unread):
            raise DataError(
                f"{column.name}: {unread.iloc[0]!r} is no number, as all values were that the model was fitted with "
                f"({len(unread):,} rows); correct them or leave them empty"
            )
    return numbers.where(np.isfinite(numbers), np.nan)


def _places(column: pd.Series, levels: Sequence[str]) -> pd.Series:
    places = pd.Categorical(column, categories=levels).codes.astype("float64")
    places[places < 0] = len(levels)
    return pd.Series(places, index=column.index).where(column.notna())


def of_kind(kinds: dict[str, str], kind: str) -> Sequence[str]:
    """The columns of one kind, in their order."""
    return [name for name, found in kinds.items() if found == kind]


def read_labels(column: pd.Series, *, positive: str | None = None) -> tuple[Array, str]:
    """Read which customers left from the words of a column.

    `column`: words, numbers or booleans; empty where it is not known. `positive`: the word that means "left", where it
    is none of the usual ones; every other word then means "stayed". Returns: 1 for who left, 0 for who stayed, nan
    where it is not known. How the words were read. Raises DataError if a word has no known meaning, with the words
    found.

    Examples
    --------
    >>> read_labels(pd.Series(["Yes", "No", None, "No"], name="Churn"))[1]
    'Churn: "Yes" means left (1), "No" means stayed (2); 1 not known'
    """
    words = pd.Series(column).map(_word, na_action="ignore").astype(object)
    words = words.where(words.notna() & ~words.str.lower().isin(MISSING).fillna(False), None)
    counts = words.value_counts()
    meaning = {word: _meaning(str(word), positive) for word in counts.index}
    unknown = [str(word) for word, value in meaning.items() if value is None]
    if unknown or (positive is not None and True not in meaning.values()):
        found = ", ".join(f"{word!r}" for word in counts.index[:_WORDS_SHOWN])
        wrong = f"{unknown[0]!r} has no known meaning" if unknown else f"there is no {positive!r}"
        raise DataError(
            f"{column.name}: {wrong}; found {found}. Say which word means that the customer left, as in "
            'positive="Yes"; every other one then means stayed'
        )
    churned = words.map({word: float(bool(value)) for word, value in meaning.items()}).to_numpy(dtype=float)
    parts = [
        f"{_listed([w for w in counts.index if meaning[w] is left])} means {verb} "
        f"({int(np.sum(churned == left)):,})"
        for left, verb in ((True, "left"), (False, "stayed"))
        if left in meaning.values()
    ]
    unread = int(np.isnan(churned).sum())
    return churned, f"{column.name}: {', '.join(parts)}" + (f"; {unread:,} not known" if unread else "")


def _word(value: object) -> str:
    """A label as a word: 1.0 is 1, True is true."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _meaning(word: str, positive: str | None) -> bool | None:
    low = word.lower().rstrip(".")
    if positive is not None:
        return low == str(positive).strip().lower()
    return True if low in LEFT else False if low in STAYED else None


def _listed(words: list[str]) -> str:
    shown = ", ".join(f'"{word}"' for word in words[:4])
    return shown if len(words) <= 4 else f"{shown} and {len(words) - 4} others"
