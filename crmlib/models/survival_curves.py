"""How long contracts last, from those that have ended and those that still run: Kaplan–Meier.

Frames have one row per contract with its tenure and whether it has ended, as `crmlib.contract_spells` makes
them. lifelines does the counting; it is loaded on first use.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.arguments import check_columns
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.models._histories import numbers, refuse_rows, refuse_values, require_rows
from crmlib.models.sentences import survival_compared

TENURE, ENDED = "tenure_months", "ended"
MOST_GROUPS = 12
_WORDS = {"yes": True, "no": False, "true": True, "false": False}


def survival_curves(spells: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
    """Which share of contracts is still running at each tenure?

    - `spells`: one row per contract: `tenure_months` (or in any unit, which is that of the answer), and `ended`,
      whether it has (bool, 0 or 1, or "Yes" and "No").
    - `by`: a column to compare, such as "plan"; at most 12 values, each known from the start of the contract.

    Returns: one row per `group` ("all" without `by`) and `tenure` at which somebody left or was last seen, from 0:
    `at_risk` (contracts that reached it), `left` (ended at it), `survival` and its 95 % interval `low, high` (log–log).
    Raises DataError, CrmError if a column is missing or holds what is no tenure or no answer to whether it has ended.

    Kaplan & Meier, "Nonparametric estimation from incomplete observations", JASA 53, 1958. A contract that runs says
    nothing about how long it will: it counts for as long as it was seen. This holds where contracts seen from late on
    (table begins when they were old) are left out or few.

    Examples
    --------
    >>> spells = pd.DataFrame({"tenure_months": [1, 2, 2, 3], "ended": [True, True, False, False]})
    >>> survival_curves(spells)[["tenure", "at_risk", "left", "survival"]]
       tenure  at_risk  left  survival
    0     0.0        4     0      1.00
    1     1.0        4     1      0.75
    2     2.0        3     1      0.50
    3     3.0        1     0      0.50
    """
    known = _read_spells(spells, by)
    curves = [_curve(rows).assign(group=name) for name, rows in known.groupby("group", sort=True)]
    frame = pd.concat(curves, ignore_index=True)
    frame = frame[["group", "tenure", "at_risk", "left", "survival", "low", "high"]]
    return with_finding(frame, survival_compared)


def _read_spells(spells: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """Check tenures and ends, and give them as `group, tenure, ended` with the frame's index."""
    require_rows(spells)
    check_columns("spells", spells, (TENURE, ENDED, *([by] if by else [])))
    length = numbers(spells, TENURE)
    refuse_values(spells, TENURE, length, None)
    known = pd.DataFrame({"tenure": length, "ended": _read_ends(spells)}, index=spells.index)
    known["group"] = "all" if by is None else spells[by].astype("string").fillna("(none)").astype(object)
    if known["group"].nunique() > MOST_GROUPS:
        raise CrmError(
            f"by={by!r} has {known['group'].nunique():,} values; at most {MOST_GROUPS} can be shown: use pandas.cut"
        )
    return known


def _read_ends(spells: pd.DataFrame) -> np.ndarray:
    """Whether each contract has ended, from flags, 0 and 1, or yes and no."""
    column = spells[ENDED]
    if column.dtype.kind not in "biuf":
        text = column.astype("string").str.strip().str.lower()
        column = text.map(_WORDS)
    wrong = ~column.isin([0, 1]).to_numpy(dtype=bool, na_value=False)
    if wrong.any():
        what = f"{ENDED} does not say whether a contract has ended"
        refuse_rows(spells, wrong, what, "give true or false, 1 or 0, or Yes or No, and no blanks")
    return column.to_numpy(dtype=bool)


def _curve(known: pd.DataFrame) -> pd.DataFrame:
    from lifelines import KaplanMeierFitter

    # Tenures are few, contracts many: each distinct pair is counted once.
    counted = known.groupby(["tenure", "ended"]).size().rename("contracts").reset_index()
    fitted = KaplanMeierFitter().fit(counted["tenure"], counted["ended"], weights=counted["contracts"])
    table = fitted.event_table
    low, high = fitted.confidence_interval_.to_numpy(dtype=float).T
    survival = fitted.survival_function_.iloc[:, 0].to_numpy(dtype=float)
    certain = survival == 1.0  # before anybody left the log–log interval has no width to tell
    frame = pd.DataFrame({"tenure": table.index.to_numpy(dtype=float), "survival": survival})
    frame[["at_risk", "left"]] = table[["at_risk", "observed"]].to_numpy().astype("int64")
    frame["low"], frame["high"] = np.where(certain, 1.0, low), np.where(certain, 1.0, high)
    assert frame["left"].sum() == known["ended"].sum(), "an end was lost between tables"
    return frame
