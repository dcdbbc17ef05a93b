"""The table that names a segment for every pair of a recency and a frequency score."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from crmlib.errors import CrmError

RULE_COLUMNS = ("segment", "r_min", "r_max", "f_min", "f_max")

_DEFAULT = (
    ("Champions", 4, 5, 4, 5),
    ("Loyal", 3, 5, 3, 5),
    ("Potential loyalists", 4, 5, 2, 2),
    ("New customers", 5, 5, 1, 1),
    ("Promising", 4, 4, 1, 1),
    ("Need attention", 3, 3, 2, 2),
    ("About to sleep", 3, 3, 1, 1),
    ("Cannot lose", 1, 1, 4, 5),
    ("At risk", 1, 2, 3, 5),
    ("Hibernating", 2, 2, 1, 2),
    ("Lost", 1, 1, 1, 2),
)


def default_segments() -> pd.DataFrame:
    """The common named segments on five scores, as a table to edit.

    Returns
    -------
    DataFrame
        `segment, r_min, r_max, f_min, f_max`, both ends included; the first row that matches wins.

    Examples
    --------
    >>> default_segments().head(2)
         segment  r_min  r_max  f_min  f_max
    0  Champions      4      5      4      5
    1      Loyal      3      5      3      5
    """
    return pd.DataFrame(_DEFAULT, columns=list(RULE_COLUMNS))


def check_segments(rules: pd.DataFrame, scores: int) -> pd.DataFrame:
    """The rules as they are used, or a refusal that names the column, the row or the pair left out."""
    for column in RULE_COLUMNS:
        if column not in rules.columns:
            raise CrmError(f"segments has no column {column!r}; it needs {', '.join(RULE_COLUMNS)}")
    if rules["segment"].isna().any():
        raise CrmError("segments has a row without a name; fill the column segment")
    bounds = rules[list(RULE_COLUMNS[1:])].apply(pd.to_numeric, errors="coerce")
    for row in range(len(rules)):
        r_min, r_max, f_min, f_max = bounds.iloc[row]
        ordered = 1 <= r_min <= r_max <= scores and 1 <= f_min <= f_max <= scores
        if not ordered or (bounds.iloc[row] % 1 != 0).any():
            raise CrmError(
                f"segments: {rules['segment'].iloc[row]!r} has r {rules['r_min'].iloc[row]} to "
                f"{rules['r_max'].iloc[row]} and f {rules['f_min'].iloc[row]} to {rules['f_max'].iloc[row]}; "
                f"allowed: whole numbers from 1 to {scores}, the smaller one first"
            )
    checked = bounds.reset_index(drop=True)
    checked.insert(0, "segment", rules["segment"].astype(str).to_numpy())
    grid = _first_match(checked, scores)
    uncovered = [(r, f) for r, f in product(range(1, scores + 1), repeat=2) if grid[r - 1, f - 1] < 0]
    if uncovered:
        r, f = uncovered[0]
        raise CrmError(
            f"segments leave {len(uncovered)} of {scores**2} pairs of scores without a name, such as r {r}, f {f}; "
            f"add a last row from 1 to {scores} for all others"
        )
    return checked


def segment_of_scores(
    rules: pd.DataFrame, scores: int, r_score: np.ndarray, f_score: np.ndarray
) -> pd.Categorical:
    """Each customer's segment: the first rule that matches, categories in the rules' order."""
    names = list(dict.fromkeys(rules["segment"]))
    grid = _first_match(rules, scores)[r_score - 1, f_score - 1]
    return pd.Categorical(rules["segment"].to_numpy()[grid], categories=names, ordered=True)


def _first_match(rules: pd.DataFrame, scores: int) -> np.ndarray:
    """Row of the first matching rule for every (r, f), -1 where there is none."""
    grid = np.full((scores, scores), -1)
    bounds = rules[list(RULE_COLUMNS[1:])].to_numpy(int)
    for row in reversed(range(len(bounds))):  # an earlier rule overwrites a later one
        r_min, r_max, f_min, f_max = bounds[row]
        grid[r_min - 1 : r_max, f_min - 1 : f_max] = row
    return grid
