"""The log of beliefs about customers (customer development): what was tested fairly, and how it came out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.customers._log import fetch
from crmlib.no_rows import no_rows
from crmlib.relationship.scorecards.facts import Facts

_COLUMNS = (
    "belief customer_group stage test pass_if pass_mark pass_mark_set_on result result_on outcome".split()
)
STAGES = ["discovery", "validation", "get", "keep", "grow"]


def hypotheses(facts: Facts) -> pd.DataFrame:
    """Every belief of the log with its outcome, in the order of the stages.

    `outcome`: "passed" or "failed"; "open" without a result; "no test" and why, where there is no pass mark or it was
    not set on a day before that of the result: a mark that is set afterwards can be met by any result.
    """
    rows = facts.table("hypotheses")
    if rows is None:
        return no_rows(_COLUMNS, "no table hypotheses")
    found = fetch(rows).reindex(columns=_COLUMNS[:-1])
    found["outcome"] = outcome(found)
    order = found["stage"].map({stage: place for place, stage in enumerate(STAGES)})
    return (
        found.assign(order=order).sort_values(["order", "pass_mark_set_on"]).reset_index(drop=True)[_COLUMNS]
    )


def outcome(rows: pd.DataFrame) -> np.ndarray:
    """What came of each belief; see `hypotheses`.

    Examples
    --------
    >>> rows = pd.DataFrame({"pass_mark": [0.1, 0.1], "pass_if": ["at least", "at most"], "result": [0.2, 0.2],
    ...                      "pass_mark_set_on": pd.to_datetime(["2024-01-01", "2024-03-02"]),
    ...                      "result_on": pd.to_datetime(["2024-03-01", "2024-03-01"])})
    >>> outcome(rows).tolist()
    ['passed', 'no test: the pass mark was not set before the result']
    """
    mark, result = rows["pass_mark"].astype(float), rows["result"].astype(float)
    at_most = rows["pass_if"].eq("at most")
    set_on, known_on = (
        pd.to_datetime(rows[name]).dt.normalize() for name in ("pass_mark_set_on", "result_on")
    )
    met = np.where(at_most, result <= mark, result >= mark)
    cases = [
        (result.isna(), "open"),
        (mark.isna(), "no test: there is no pass mark"),
        (set_on.isna() | known_on.isna(), "no test: a day is missing"),
        (set_on >= known_on, "no test: the pass mark was not set before the result"),
        (met, "passed"),
    ]
    return np.select([case for case, _word in cases], [word for _case, word in cases], "failed")
