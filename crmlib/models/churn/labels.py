"""Who left, as firms write it: Yes and No, churned and stayed, 1 and 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.errors import DataError
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
_SHOWN = 12


@dataclass(frozen=True)
class Labels:
    """Who left: `churned` is 1, 0 or nan where it is not known; `said` is how the words were read."""

    churned: Array
    said: str


def read_labels(column: pd.Series, *, positive: str | None = None) -> Labels:
    """Read which customers left from the words of a column.

    Parameters
    ----------
    column : Series
        Words, numbers or booleans; empty where it is not known.
    positive : str, optional
        The word that means "left", where it is none of the usual ones; every other word then means "stayed".

    Returns
    -------
    Labels

    Raises
    ------
    DataError
        If a word has no known meaning, with the words found.

    Examples
    --------
    >>> read_labels(pd.Series(["Yes", "No", None, "No"], name="Churn")).said
    'Churn: "Yes" means left (1), "No" means stayed (2); 1 not known'
    """
    words = pd.Series(column).map(_word, na_action="ignore").astype(object)
    words = words.where(words.notna() & ~words.str.lower().isin(MISSING).fillna(False), None)
    counts = words.value_counts()
    meaning = {word: _meaning(str(word), positive) for word in counts.index}
    unknown = [str(word) for word, value in meaning.items() if value is None]
    if unknown or (positive is not None and True not in meaning.values()):
        found = ", ".join(f"{word!r}" for word in counts.index[:_SHOWN])
        said = f"{unknown[0]!r} has no known meaning" if unknown else f"there is no {positive!r}"
        raise DataError(
            f"{column.name}: {said}; found {found}. Say which word means that the customer left, as in "
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
    said = f"{column.name}: {', '.join(parts)}" + (f"; {unread:,} not known" if unread else "")
    return Labels(churned, said)


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
