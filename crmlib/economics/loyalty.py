"""The money of a loyalty programme: its effect and the liability of outstanding points."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from ibis import _

from crmlib.arguments import check_choice, check_range, check_share
from crmlib.customers._log import as_day, end_of, fetch, open_columns
from crmlib.data.sources import lacking
from crmlib.economics.sentences import members_beside_others
from crmlib.errors import DataError
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows, why_none
from crmlib.statistics import check_level, normal_quantile

_LIABILITY = [
    *("members", "points_outstanding", "point_value", "breakage", "liability", "liability_without_breakage"),
    "dormant_share",
]
KINDS = ("joined", "earned", "redeemed", "expired")
COMPARISONS = ("before joining", "after joining", "matched")
_UPLIFT = ["comparison", "members", "others", "difference", "low", "high", "relative"]


def programme_liability(
    loyalty_ledger: Any,
    *,
    as_of: Any,
    point_value: float | None = None,
    breakage: float | None = None,
    dormant_days: int = 365,
) -> pd.DataFrame:
    """How much do the points that members hold still cost?

    Parameters
    ----------
    loyalty_ledger : ibis.Table or DataFrame
        Movements of the accounts: `customer_id, date, kind` ("joined", "earned", "redeemed", "expired"),
        `points` (positive in, negative out); optionally `amount` (money that a redemption cost).
    as_of : date or str
        Last day that counts.
    point_value : float, optional
        Money per point redeemed; by default what redemptions have cost per point.
    breakage : float, optional
        Share of outstanding points that will never be redeemed; by default expired points over those expired
        and redeemed so far. That is a guess: points redeem sooner than they expire, so a young programme's is
        too low, and the liability on the safe side.
    dormant_days : int, default 365
        An account that did not move for so long is dormant.

    Returns
    -------
    DataFrame
        One row: `members` (customers with an account), `points_outstanding` (earned, and neither redeemed nor expired),
        `point_value` and `breakage` as given or found, `liability` (outstanding points times their value times the
        share that will be redeemed), `liability_without_breakage` (the most it can be) and `dormant_share` (of
        outstanding points, in accounts that did not move for a year). Without a row, and with the `reason`, where
        there is no table, or nothing has been redeemed yet and a value it would show is not given.

    Examples
    --------
    >>> ledger = pd.DataFrame({"customer_id": list("aaab"), "kind": ["earned", "redeemed", "expired", "earned"],
    ...     "date": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-06-01", "2024-06-01"]),
    ...     "points": [200.0, -90.0, -10.0, 50.0], "amount": [None, 4.5, None, None]})
    >>> found = programme_liability(ledger, as_of="2024-12-31")
    >>> found[["points_outstanding", "point_value", "breakage", "liability"]].round(2)
       points_outstanding  point_value  breakage  liability
    0               150.0         0.05       0.1       6.75
    """
    day = as_day(as_of, "as_of")
    if missing := lacking(loyalty_ledger=loyalty_ledger):
        return no_rows(_LIABILITY, missing)
    accounts, moved = _accounts(loyalty_ledger, as_of=day)
    redeemed, expired = -moved["redeemed"], -moved["expired"]
    worth, lost = point_value, breakage
    if worth is None:
        if not (redeemed > 0 and moved["cost"] > 0):
            why = "no redemption with its cost, so the cost of a point is not known; give point_value"
            return no_rows(_LIABILITY, why)
        worth = moved["cost"] / redeemed
    check_range("point_value", worth, "money per point, 0 or more", least=0)
    if lost is None:
        if not redeemed + expired > 0:
            return no_rows(_LIABILITY, "nothing redeemed and nothing expired so far; give breakage")
        lost = expired / (redeemed + expired)
    check_share("breakage", lost)
    outstanding = float(accounts["points"].sum())
    assert np.isclose(outstanding, moved["earned"] - redeemed - expired), "points were lost between accounts"
    asleep = accounts["last"] < pd.Timestamp(end_of(day)) - pd.Timedelta(dormant_days, "D")
    dormant = accounts.loc[asleep, "points"].sum() / outstanding if outstanding > 0 else np.nan
    most = outstanding * worth
    row = (len(accounts), outstanding, worth, lost, most * (1 - lost), most, float(dormant))
    return pd.DataFrame([row], columns=_LIABILITY)


def _accounts(loyalty_ledger: Any, *, as_of: Any) -> tuple[pd.DataFrame, dict[str, float]]:
    """Points and last movement of each account, and what moved in all."""
    table = open_columns(loyalty_ledger, "loyalty_ledger", "customer_id", "date", "kind", "points")
    cost = table.amount.cast("float64") if "amount" in table.columns else _.points.cast("float64") * 0
    rows = table.mutate(points=table.points.cast("float64"), cost=cost)
    rows = rows.filter(rows.date.cast("timestamp(6)") < end_of(as_of))
    kinds = fetch(
        rows.group_by("kind").agg(points=_.points.sum(), cost=_.cost.sum(), missing=_.points.isnull().sum())
    ).set_index("kind")
    if other := set(map(str, kinds.index)) - set(KINDS):
        raise DataError(f"loyalty_ledger: kind has {min(other)!r}; allowed: {', '.join(KINDS)}")
    if kinds["missing"].sum() > 0:
        raise DataError(
            f"loyalty_ledger: points are missing in {int(kinds['missing'].sum()):,} rows; fill or drop them"
        )
    moved = {kind: float(kinds["points"].get(kind, 0.0)) for kind in KINDS}
    moved["cost"] = float(kinds["cost"].get("redeemed", 0.0))
    moved["earned"] += moved["joined"]  # some programmes welcome with points
    accounts = fetch(
        rows.group_by("customer_id").agg(points=_.points.sum(), last=_.date.cast("timestamp(6)").max())
    )
    return accounts, moved


def loyalty_uplift(
    enrolments: pd.DataFrame, *, measure: str = "spend", months: int = 6, level: float = 0.95
) -> pd.DataFrame:
    """How much more do members buy because of the programme, and how much because heavy buyers join?

    Parameters
    ----------
    enrolments : DataFrame
        Of `programme_enrolments`.
    measure : {"spend", "purchases"}, default "spend"
    months : int, default 6
        The one given to `programme_enrolments`.
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
    check_choice("measure", measure, ("spend", "purchases"))
    if missing := why_none(enrolments):
        return no_rows(_UPLIFT, missing)
    known = enrolments[enrolments["tenure_months"] >= months]
    before, after = (known[f"{measure}_{when}"].to_numpy(float) / months for when in ("before", "after"))
    joined = known["joined"].to_numpy(dtype=bool)
    usable = with_two_others(joined, known["cell"].to_numpy())
    if not (joined & usable).any():
        why = f"none of {int(joined.sum()):,} members known for {months} months has two similar others; shorten months"
        return no_rows(_UPLIFT, why)
    who = known["customer_id"].to_numpy()
    everyone, cell = np.zeros(len(known), dtype=int), known["cell"].to_numpy()
    cases = [(before, everyone, joined >= 0), (after, everyone, joined >= 0), (after - before, cell, usable)]
    rows = []
    for name, (values, groups, kept) in zip(COMPARISONS, cases, strict=True):
        apart = compared_within_cells(values[kept], joined[kept], groups[kept], who[kept])
        gap, reach = apart.members - apart.others, normal_quantile(level) * apart.error
        level_of = before if name == "before joining" else after
        without = level_of[kept & joined].mean() - gap
        figures = (int(joined[kept].sum()), int((~joined[kept]).sum()), gap, gap - reach, gap + reach)
        rows.append((name, *figures, gap / without if without > 0 else np.nan))
    found = pd.DataFrame(rows, columns=_UPLIFT)
    return with_finding(found, members_beside_others, measure == "spend")


def with_two_others(joined: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Whether each row's cell holds a member and at least two others, so that their variance is known."""
    sizes = pd.DataFrame({"cell": cell, "joined": joined}).groupby("cell")["joined"].agg(["sum", "size"])
    return ((sizes["sum"] > 0) & (sizes["size"] - sizes["sum"] >= 2)).reindex(cell).to_numpy(dtype=bool)


class WithinCells(NamedTuple):
    """Means of members and of others like them; standard errors of the difference and of the log of the ratio."""

    members: float
    others: float
    error: float
    ratio_error: float


def compared_within_cells(
    values: np.ndarray, joined: np.ndarray, groups: np.ndarray, who: np.ndarray
) -> WithinCells:
    """Members against others within groups, weighted by members; standard errors by customer."""
    frame = pd.DataFrame({"value": values, "joined": joined, "group": groups})
    cells = frame.groupby(["group", "joined"])["value"].agg(["mean", "size"]).unstack("joined")
    place = cells.index.get_indexer(groups)
    members, others = (cells["size"][who].to_numpy() for who in (True, False))
    theirs = cells["mean"][False].to_numpy()
    share = members / members.sum()
    first, second = float(share @ cells["mean"][True].to_numpy()), float(share @ theirs)
    # How much each row moves the two means: a member by its own part, another by those it stands for.
    own = np.where(joined, (values - first) / members.sum(), 0.0)
    stands_for = share[place] * (values - theirs[place]) / np.sqrt(others * np.maximum(others - 1, 1))[place]
    moved = np.where(joined, (theirs[place] - second) / members.sum(), stands_for)
    moves = pd.DataFrame({"first": own, "second": moved}).groupby(who).sum()
    error = float(np.sqrt(((moves["first"] - moves["second"]) ** 2).sum()))
    if not (first > 0 and second > 0):
        return WithinCells(first, second, error, np.nan)
    ratio = float(np.sqrt(((moves["first"] / first - moves["second"] / second) ** 2).sum()))
    return WithinCells(first, second, error, ratio)
