"""The Customer Pyramid: who pays for the party, who is solid, who fills capacity and who costs money."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlib.customers.tiers.cut_offs import TIERS, TierCutOffs, in_money
from crmlib.errors import CrmError, did_you_mean

if TYPE_CHECKING:
    from crmlib.customers.clusters.cluster_segments import ClusterSegments

METHODS = ("shares", "clusters")
MINIMUM_EXPOSURE_DAYS = 90  # a first order's costs come at once, its customer's profit over months


class ValueTiers(pd.DataFrame):
    """A tier per customer; `.cut_offs` in money, `.value` says what was cut, `.notes` what was decided.

    `.clusters` holds the fitted clusters, with their stability and the verdict on them, where tiers were cut so.
    """

    _metadata = ["cut_offs", "value", "notes", "clusters"]  # noqa: RUF012  (pandas' own protocol)

    cut_offs: TierCutOffs | None = None
    value: str | None = None
    notes: tuple[str, ...] = ()
    clusters: ClusterSegments | None = None

    @property
    def _constructor(self) -> Callable[..., ValueTiers]:
        return ValueTiers

    @property
    def kind(self) -> str:
        """What to call them: "profit tiers", or "revenue tiers" where no cost is known."""
        return "revenue tiers" if self.value == "revenue" else "profit tiers"

    def of(self, tier: str) -> pd.Series:
        """`customers` of a tier, and the `value` that they bring together; nan for Lead where no cost is known."""
        own = self.loc[self["tier"] == tier, self.value]
        found = pd.Series({"customers": len(own), "value": own.sum()})
        return found * np.nan if tier == "Lead" and self.value == "revenue" else found


def value_tiers(
    profit: pd.DataFrame,
    *,
    cut_offs: TierCutOffs | Mapping[str, Any] | None = None,
    method: str = "shares",
    value: str | None = None,
    features: Sequence[str] = (),
    minimum_exposure_days: int = MINIMUM_EXPOSURE_DAYS,
    random_state: int = 0,
) -> ValueTiers:
    """Which tier of the Customer Pyramid is each customer in?

    Parameters
    ----------
    profit : DataFrame
        One row per customer, as `customer_profit` returns it: `profit`, or only `revenue` where no cost is
        known; `exposure_days` and `customer_id` where there are such columns.
    cut_offs : TierCutOffs or mapping, optional
        Platinum the best 5 % of those who are not Lead and Gold the next 15 %, by default. An earlier
        result's `.cut_offs` measure with the same ruler.
    method : {"shares", "clusters"}
        "clusters" cuts where the customers themselves divide: k-means on the value, Lead split off first.
    value : str, optional
        Column to cut; `profit` by default, `revenue` where there is none.
    features : sequence of str
        For "clusters": further columns, such as frequency and recency; groups are ordered by mean value.
    minimum_exposure_days : int
        Who has been a customer for fewer days is not judged Lead but Iron, with `is_new` true; in a period that is
        shorter, who has not been there for all of it.
    random_state : int
        For "clusters".

    Returns
    -------
    ValueTiers
        Indexed like `profit`: `customer_id` where given, the value's column, `is_new` and `tier` (ordered
        categorical: Lead < Iron < Gold < Platinum). Without costs nobody is Lead, and `.kind` says
        "revenue tiers".

    Raises
    ------
    CrmError
        If a column is missing or has gaps, a customer stands twice, or cut-offs do not add up.
    CannotAnswerError
        For "clusters": if there are too few different values to make three groups.

    References
    ----------
    Zeithaml, V. A., Rust, R. T. and Lemon, K. N. (2001), "The Customer Pyramid", California Management
    Review 43(4), 118-142.

    Examples
    --------
    >>> profit = pd.DataFrame({"profit": [400, 250, 150, 80, 40, 20, 10, -20, -130, -200]})
    >>> value_tiers(profit, cut_offs={"platinum": 0.1, "gold": 0.2})["tier"].tolist()
    ['Platinum', 'Gold', 'Gold', 'Iron', 'Iron', 'Iron', 'Iron', 'Lead', 'Lead', 'Lead']
    """
    if method not in METHODS:
        raise CrmError(f"method is {method!r}; {did_you_mean(str(method), METHODS)}")
    column = value or ("profit" if "profit" in profit.columns else "revenue")
    values = _values(profit, column)
    cuts = cut_offs if isinstance(cut_offs, TierCutOffs) else TierCutOffs(**(cut_offs or {}))
    has_costs = column != "revenue"
    new = _is_new(profit, minimum_exposure_days)
    lead = (values < 0) & ~new if has_costs else np.zeros(len(values), dtype=bool)
    found = ValueTiers({column: values}, index=profit.index)
    if "customer_id" in profit.columns:
        found.insert(0, "customer_id", profit["customer_id"].to_numpy())
    found["is_new"] = new
    if method == "clusters":
        from crmlib.customers.tiers.by_clusters import cluster_codes

        codes, found.clusters = cluster_codes(profit, column, ~lead, tuple(features), random_state)
        found.cut_offs, notes = None if features else _least_values(values, codes), [found.clusters.sentence_]
    else:
        found.cut_offs, notes = in_money(values[~lead], cuts)
        codes = 1 + (values >= found.cut_offs.gold).astype("int8") + (values >= found.cut_offs.platinum)
        codes[lead] = 0
    found["tier"] = pd.Categorical.from_codes(codes, categories=list(TIERS), ordered=True)
    found.value = column
    found.notes = tuple(notes + _notes(values, new, has_costs))
    return found


def _values(profit: pd.DataFrame, column: str) -> np.ndarray:
    if column not in profit.columns:
        raise CrmError(
            f"profit has no column {column!r}; {did_you_mean(column, map(str, profit.columns[:40]))}; "
            "pass what customer_profit returns"
        )
    values = profit[column].to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise CrmError(
            f"{column} is missing or infinite for {int((~np.isfinite(values)).sum()):,} customers; "
            "fill it in or leave them out"
        )
    if "customer_id" in profit.columns and not profit["customer_id"].is_unique:
        twice = profit["customer_id"][profit["customer_id"].duplicated()].iloc[0]
        raise CrmError(f"customer {twice!r} stands twice in profit; one row per customer is needed")
    return values


def _is_new(profit: pd.DataFrame, minimum: int) -> np.ndarray:
    if minimum < 0:
        raise CrmError(f"minimum_exposure_days is {minimum}; allowed: 0 or more")
    if "exposure_days" not in profit.columns:
        return np.zeros(len(profit), dtype=bool)
    # Nobody can have been there for longer than the period that was looked at.
    whole = getattr(profit, "days", None) or minimum
    return profit["exposure_days"].to_numpy() < min(minimum, whole)


def _least_values(values: np.ndarray, codes: np.ndarray) -> TierCutOffs:
    """Cut-offs in money of groups that do not overlap."""
    platinum, gold = (float(values[codes >= code].min()) for code in (3, 2))
    return TierCutOffs(platinum, gold, by="money")


def _notes(values: np.ndarray, new: np.ndarray, has_costs: bool) -> list[str]:
    notes = []
    if not has_costs:
        notes.append("no cost is known: these are revenue tiers, and nobody can be Lead")
    spared = int((new & (values < 0)).sum()) if has_costs else 0
    if spared:
        notes.append(f"at a loss but too new to be judged, and so Iron: {spared:,}")
    if len(values) and (values == values[0]).all():
        notes.append("all customers have the same value: there are no tiers to tell apart")
    if has_costs and len(values) and (values < 0).all():
        notes.append("every customer costs more than they bring")
    return notes
