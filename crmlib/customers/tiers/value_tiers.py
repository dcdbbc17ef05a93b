"""The Customer Pyramid: who is Platinum, Gold, Iron and Lead, and where one tier ends and the next begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers.clusters.cluster_segments import ClusterSegments
from crmlib.errors import CrmError, did_you_mean

TIERS = ("Lead", "Iron", "Gold", "Platinum")
_BY = ("customers", "profit", "money")
_LEAST = float(np.nextafter(0.0, 1.0))  # nobody without a positive value is better than Iron
METHODS = ("shares", "clusters")
MINIMUM_EXPOSURE_DAYS = 90  # a first order's costs come at once, its customer's profit over months
GROUPS = 3  # Platinum, Gold and Iron; Lead is split off before, at zero


@dataclass(frozen=True)
class TierCutOffs:
    """How large Platinum and Gold are, counted among those who are not Lead.

    Parameters
    ----------
    platinum, gold : float
        by "customers": the best share of them, and the next. by "profit": the best customers who together
        bring that share of the profit, and the next. by "money": the least value of a tier's customer.
    by : {"customers", "profit", "money"}

    Examples
    --------
    >>> TierCutOffs(0.1, 0.2)
    TierCutOffs(platinum=0.1, gold=0.2, by='customers')
    """

    platinum: float = 0.05
    gold: float = 0.15
    by: str = "customers"

    def __post_init__(self) -> None:
        if self.by not in _BY:
            raise CrmError(f"cut_offs: by is {self.by!r}; {did_you_mean(str(self.by), _BY)}")
        if self.by == "money":
            if not self.platinum >= self.gold > 0:
                raise CrmError(
                    f"cut_offs: Platinum from {self.platinum} and Gold from {self.gold}; allowed: money above 0, "
                    "Platinum's not below Gold's"
                )
        elif not (self.platinum > 0 and self.gold >= 0 and self.platinum + self.gold <= 1):
            raise CrmError(
                f"cut_offs: platinum {self.platinum} and gold {self.gold} do not add up; allowed: shares above 0 "
                "that are together at most 1, such as 0.05 and 0.15"
            )


def in_money(values: np.ndarray, cut_offs: TierCutOffs) -> tuple[TierCutOffs, list[str]]:
    """The same cut-offs as least values, for those who are not Lead; and what had to be decided.

    Customers of equal value are never torn apart: where a cut-off falls among them, all are in the lower
    tier, so that no tier is larger than it was meant to be.
    """
    if cut_offs.by == "money":
        return cut_offs, []
    ranked = np.sort(values)[::-1]
    counts = _counts(ranked, cut_offs)
    least, notes = [], []
    for tier, count in zip(("Platinum", "Gold"), counts, strict=True):
        money, torn = _least_value(ranked, count)
        least.append(max(money, _LEAST))
        if torn:
            notes.append(
                f"{torn:,} customers share the value at the cut-off of {tier} and are all in the tier below"
            )
    if cut_offs.by == "customers" and 0 < len(ranked) < round(1 / cut_offs.platinum):
        notes.append(
            f"{fmt.share(cut_offs.platinum)} of {len(ranked)} customers is rounded up to one who is Platinum"
        )
    return TierCutOffs(least[0], min(least), by="money"), notes


def _counts(ranked: np.ndarray, cut_offs: TierCutOffs) -> tuple[int, int]:
    """How many customers are Platinum, and Platinum or Gold, before ties are looked at; rounded up."""
    shares = (cut_offs.platinum, cut_offs.platinum + cut_offs.gold)
    if cut_offs.by == "customers":
        first, both = (int(np.ceil(share * len(ranked) - 1e-9)) for share in shares)
        return first, both
    brought = np.cumsum(np.maximum(ranked, 0.0))
    if not len(brought) or brought[-1] <= 0:
        return 0, 0
    first, both = (int(np.searchsorted(brought, share * brought[-1] * (1 - 1e-12))) + 1 for share in shares)
    return first, both


def _least_value(ranked: np.ndarray, count: int) -> tuple[float, int]:
    """The value of the last of the best `count`; if others share it, the next higher value, and how many share."""
    if count == 0:
        return np.inf, 0
    if count >= len(ranked) or ranked[count] != ranked[count - 1]:
        return float(ranked[count - 1]), 0
    above = ranked[ranked > ranked[count - 1]]
    return (float(above[-1]) if len(above) else np.inf), int((ranked == ranked[count - 1]).sum())


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
        result's `.cut_offs` keep the limits in money.
    method : {"shares", "clusters"}
        "clusters" cuts where the customers themselves divide: k-means on the value, Lead split off first.
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
    column = "profit" if "profit" in profit.columns else "revenue"
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
            "profit has neither a column 'profit' nor 'revenue'; pass what customer_profit returns"
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


def cluster_codes(
    profit: pd.DataFrame, column: str, rest: np.ndarray, features: tuple[str, ...], random_state: int
) -> tuple[np.ndarray, ClusterSegments]:
    """Code of each customer's tier (0 Lead to 3 Platinum), by clusters in order of their mean value.

    Only who has a value of 0 or more is clustered; who is spared from Lead stays Iron.
    """
    for name in features:
        if name not in profit.columns:
            raise CrmError(f"features name {name!r}, which profit lacks; merge it in by customer_id")
    values = profit[column].to_numpy(dtype=float)
    kept = rest & (values >= 0)
    data = profit.loc[kept, list(dict.fromkeys([column, *features]))]
    found = ClusterSegments(GROUPS, random_state=random_state).fit(pd.DataFrame(data))
    means = pd.Series(values[kept]).groupby(found.labels_).mean()
    place = means.rank(method="first").astype("int8").to_numpy()
    codes = np.where(rest, 1, 0).astype("int8")
    codes[kept] = place[found.labels_]
    return codes, found
