"""What a loyalty programme changes, once it is out that heavy buyers join by themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.errors import CrmError, did_you_mean
from crmlib.no_rows import no_rows, why_none
from crmlib.statistics import check_level, normal_quantile

COMPARISONS = ("before joining", "after joining", "matched")
_COLUMNS = ["comparison", "members", "others", "difference", "low", "high", "relative"]


def loyalty_uplift(
    joined_or_not: pd.DataFrame, *, measure: str = "spend", months: int = 6, level: float = 0.95
) -> pd.DataFrame:
    """How much more do members buy because of the programme, and how much because heavy buyers join?

    Parameters
    ----------
    joined_or_not : DataFrame
        Of `joiners`.
    measure : {"spend", "purchases"}, default "spend"
    months : int, default 6
        The one given to `joiners`.
    level : float, default 0.95
        Of the intervals.

    Returns
    -------
    DataFrame
        By `comparison`: "before joining" (members against others before there was anything to be loyal to: the
        self-selection), "after joining" (the naive uplift) and "matched": the change from before to after,
        against that of others of the same month, tenure and purchases. `members, others, difference, low,
        high` (per member and month) and `relative` (to what members would have done without it). Only
        customers who were known for all of the months before. Without rows, and with the `reason`, where nobody
        joined, or no member has others like them.

    Notes
    -----
    Coarsened exact matching (Iacus, King & Porro, Political Analysis 20(1), 2012) with difference in differences;
    standard errors by customer, who may stand beside several members. What is not in the log, such as a growing
    need, makes members join and buy alike: the matched figure is still too high by as much. Only chance settles
    it: invite some and not others, and use `read_experiments`.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": list("abcdef"), "joined": [True, True] + [False] * 4, "cell": 0,
    ...     "tenure_months": 9, "spend_before": [60.0, 60, 60, 60, 48, 48], "spend_after": [66.0, 78, 60, 66, 48, 48]})
    >>> loyalty_uplift(rows)[["comparison", "difference"]]
           comparison  difference
    0  before joining        1.00
    1   after joining        2.75
    2         matched        1.75
    """
    check_level(level)
    if measure not in ("spend", "purchases"):
        raise CrmError(f"measure is {measure!r}; {did_you_mean(measure, ['spend', 'purchases'])}")
    if missing := why_none(joined_or_not):
        return no_rows(_COLUMNS, missing)
    known = joined_or_not[joined_or_not["tenure_months"] >= months]
    before, after = (
        known[f"{measure}_{when}"].to_numpy(dtype=float) / months for when in ("before", "after")
    )
    joined = known["joined"].to_numpy(dtype=bool)
    sizes = known.groupby("cell")["joined"].agg(members="sum", all="size")
    # Two others at least, so that their own scatter is known.
    usable = (
        known["cell"]
        .map((sizes["members"] > 0) & (sizes["all"] - sizes["members"] >= 2))
        .to_numpy(dtype=bool)
    )
    if not (joined & usable).any():
        why = f"none of {int(joined.sum()):,} members known for {months} months has two others alike; shorten months"
        return no_rows(_COLUMNS, why)
    who = known["customer_id"].to_numpy()
    everyone, cell = np.zeros(len(known), dtype=int), known["cell"].to_numpy()
    cases = [(before, everyone, joined >= 0), (after, everyone, joined >= 0), (after - before, cell, usable)]
    rows = []
    for name, (values, groups, kept) in zip(COMPARISONS, cases, strict=True):
        gap, error = _compare(values[kept], joined[kept], groups[kept], who[kept])
        reach = normal_quantile(level) * error
        level_of = before if name == "before joining" else after
        without = level_of[kept & joined].mean() - gap
        told = (int(joined[kept].sum()), int((~joined[kept]).sum()), gap, gap - reach, gap + reach)
        rows.append((name, *told, gap / without if without > 0 else np.nan))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _compare(
    values: np.ndarray, joined: np.ndarray, groups: np.ndarray, who: np.ndarray
) -> tuple[float, float]:
    """Members less others within groups, weighted by members; standard error by customer."""
    frame = pd.DataFrame({"value": values, "joined": joined, "group": groups})
    cells = frame.groupby(["group", "joined"])["value"].agg(["mean", "size"]).unstack("joined")
    place = cells.index.get_indexer(groups)
    members, others = (cells["size"][one].to_numpy() for one in (True, False))
    theirs = cells["mean"][False].to_numpy()
    share = members / members.sum()
    gap = float(share @ (cells["mean"][True].to_numpy() - theirs))
    # How much each row moves the figure: a member by its own part, another by those it stands for.
    own = (values - theirs[place] - gap) / members.sum()
    stands_for = -share[place] * (values - theirs[place]) / np.sqrt(others * np.maximum(others - 1, 1))[place]
    moves = pd.Series(np.where(joined, own, stands_for)).groupby(who).sum()
    return gap, float(np.sqrt((moves**2).sum()))
