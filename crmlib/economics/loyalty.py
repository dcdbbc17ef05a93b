"""A loyalty programme's money: what the points that members hold will cost, and when it pays back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, end_of, fetch
from crmlib.data.sources import lacking, open_table
from crmlib.economics.formula_clv import check_share
from crmlib.errors import CrmError, DataError, did_you_mean
from crmlib.no_rows import no_rows

KINDS = ("joined", "earned", "redeemed", "expired")


@dataclass(frozen=True)
class ProgrammeLiability:
    """What the points in members' accounts will cost.

    Attributes
    ----------
    members : int
        Customers with an account.
    points_outstanding : float
        Earned, and neither redeemed nor expired.
    point_value : float
        Money that a redeemed point costs.
    breakage : float
        Share of outstanding points that will never be redeemed.
    liability : float
        Outstanding points times their value times the share that will be redeemed.
    liability_without_breakage : float
        The most it can be.
    dormant_share : float
        Share of outstanding points in accounts that did not move for a year.
    reason : str
        Why it is not known; then every figure is nan.
    """

    members: float = np.nan
    points_outstanding: float = np.nan
    point_value: float = np.nan
    breakage: float = np.nan
    liability: float = np.nan
    liability_without_breakage: float = np.nan
    dormant_share: float = np.nan
    reason: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """The figures as one row; no row where they are not known."""
        figures = {name: value for name, value in asdict(self).items() if name != "reason"}
        return no_rows(figures, self.reason) if self.reason else pd.DataFrame([figures])


def programme_liability(
    loyalty_ledger: Any,
    *,
    as_of: Any,
    point_value: float | None = None,
    breakage: float | None = None,
    dormant_days: int = 365,
) -> ProgrammeLiability:
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
    ProgrammeLiability
        With a `reason` where there is no table, or nothing has been redeemed yet and a value it would tell is not
        given.

    Raises
    ------
    DataError
        If a column is missing, a kind is unknown, or points are.

    Examples
    --------
    >>> ledger = pd.DataFrame({"customer_id": list("aaab"), "kind": ["earned", "redeemed", "expired", "earned"],
    ...     "date": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-06-01", "2024-06-01"]),
    ...     "points": [200.0, -90.0, -10.0, 50.0], "amount": [None, 4.5, None, None]})
    >>> found = programme_liability(ledger, as_of="2024-12-31")
    >>> found.points_outstanding, found.point_value, found.breakage, round(found.liability, 2)
    (150.0, 0.05, 0.1, 6.75)
    """
    day = as_day(as_of, "as_of")
    if missing := lacking(loyalty_ledger=loyalty_ledger):
        return ProgrammeLiability(reason=missing)
    accounts, moved = _accounts(loyalty_ledger, as_of=day)
    redeemed, expired = -moved["redeemed"], -moved["expired"]
    worth, lost = point_value, breakage
    if worth is None:
        if not (redeemed > 0 and moved["cost"] > 0):
            why = "no redemption with its cost, so nobody knows what a point costs; give point_value"
            return ProgrammeLiability(reason=why)
        worth = moved["cost"] / redeemed
    if not 0 <= worth < np.inf:
        raise CrmError(f"point_value is {worth}; give money per point, 0 or more")
    if lost is None:
        if not redeemed + expired > 0:
            return ProgrammeLiability(reason="nothing redeemed and nothing expired so far; give breakage")
        lost = expired / (redeemed + expired)
    check_share("breakage", lost)
    outstanding = float(accounts["points"].sum())
    assert np.isclose(outstanding, moved["earned"] - redeemed - expired), "points were lost between accounts"
    asleep = accounts["last"] < pd.Timestamp(end_of(day)) - pd.Timedelta(days=dormant_days)
    dormant = accounts.loc[asleep, "points"].sum() / outstanding if outstanding > 0 else np.nan
    most = outstanding * worth
    return ProgrammeLiability(
        len(accounts), outstanding, worth, lost, most * (1 - lost), most, float(dormant)
    )


def programme_payback_months(
    *,
    members: int,
    gain_per_member_month: float,
    set_up_cost: float,
    running_cost_per_month: float = 0.0,
    reward_cost_per_member_month: float = 0.0,
) -> float:
    """After how many months has the programme earned what it cost to begin?

    Parameters
    ----------
    members : int
        Customers in the programme, the same throughout.
    gain_per_member_month : float
        Profit before rewards that the programme brings per member and month: the uplift against a control times
        the margin, not the spend of members.
    set_up_cost, running_cost_per_month : float
        Money of the programme as a whole.
    reward_cost_per_member_month : float, default 0.0
        Money per member and month, breakage taken off.

    Returns
    -------
    float
        Infinite where a month earns nothing.

    Raises
    ------
    CrmError
        If members or a cost is negative.

    Examples
    --------
    >>> programme_payback_months(members=1000, gain_per_member_month=2.0, set_up_cost=6000,
    ...     running_cost_per_month=500, reward_cost_per_member_month=0.5)
    6.0
    """
    costs = {
        "members": members,
        "set_up_cost": set_up_cost,
        "running_cost_per_month": running_cost_per_month,
        "reward_cost_per_member_month": reward_cost_per_member_month,
    }
    for name, value in costs.items():
        if not 0 <= value < np.inf:
            raise CrmError(f"{name} is {value}; give a finite number, 0 or more")
    earned = members * (gain_per_member_month - reward_cost_per_member_month) - running_cost_per_month
    return set_up_cost / earned if earned > 0 else np.inf


def _accounts(loyalty_ledger: Any, *, as_of: Any) -> tuple[pd.DataFrame, dict[str, float]]:
    """Points and last movement of each account, and what moved in all."""
    table = open_table(loyalty_ledger)
    for name in ("customer_id", "date", "kind", "points"):
        if name not in table.columns:
            raise DataError(f"loyalty_ledger: no column {name!r}; {did_you_mean(name, table.columns)}")
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
