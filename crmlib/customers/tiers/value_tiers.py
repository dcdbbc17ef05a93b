"""The tier of each customer, by fixed shares or clusters, and by different cost allocations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.arguments import check_choice, check_columns, check_range, checked
from crmlib.customers.clusters.choice import STABLE
from crmlib.customers.clusters.fits import adjusted_rand, shared_customers
from crmlib.customers.sentences import keys_of_allocation
from crmlib.customers.tiers.pyramid import (
    BEST_FIRST,
    COSTS,
    MADE,
    TIERS,
    Pyramid,
    TierCutOffs,
    as_cut_offs,
    in_money,
)
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.findings import with_finding

if TYPE_CHECKING:  # only tiers cut by clusters wait for scikit-learn
    from crmlib.customers.clusters.cluster_segments import ClusterSegments

METHODS = ("shares", "clusters")
MINIMUM_EXPOSURE_DAYS = 90  # a first order's costs come at once, its customer's profit over months
GROUPS = 3  # Platinum, Gold and Iron; Lead is split off before, at zero
SAME = 0.8  # share of customers from which two cuts do not differ
# What a cost can be shared out by, as columns of customer_profit, and how it reads.
KEYS = {
    "service_minutes": "per minute of service",
    "contacts": "per contact",
    "cases": "per service case",
    "orders": "per order",
    "return_rows": "per return",
    "revenue": "by revenue",
    "equally": "equally",
}


class ValueTiers(Pyramid):
    """The customers with their tier; `.cut_offs` in money, `.value` says what was cut, `.notes` what was decided.

    `.clusters` holds the fitted clusters, with their stability and the verdict on them, where tiers were cut so;
    `.options` what else was asked of `value_tiers`, so that the same customers can be cut in another way.
    """

    _metadata = [*Pyramid._metadata, "cut_offs", "notes", "clusters", "options"]  # noqa: RUF012

    cut_offs: TierCutOffs | None = None
    notes: tuple[str, ...] = ()
    clusters: ClusterSegments | None = None
    options: Mapping[str, Any] = {}

    @checked
    def compare_cuts(self, summary: pd.DataFrame, *, random_state: int = 0) -> pd.DataFrame:
        """Fixed shares or clusters: how do the ways to cut tiers differ, and which one should be used here?

        Parameters
        ----------
        summary : CustomerSummary
            `customer_id, frequency, time_since_last_purchase`, for clusters on recency, frequency and value.
        random_state : int
            For the clusters.

        Returns
        -------
        DataFrame
            Three rows, fixed shares first: `cut`, `Platinum, Gold, Iron, Lead` (customers), `same` (share of
            customers in the same tier as by fixed shares), `rand` (adjusted Rand index with them), `groups` (whether
            the clusters are groups and no mere cuts), `stability` (adjusted Rand index of resamples), `jaccard` (of
            the cluster that is found again least) and `sentence`; of clusters that cannot be made only the sentence,
            with the reason.
        """
        check_columns("profit", self, ["customer_id"], MADE)
        behaviour = ["frequency", "time_since_last_purchase"]
        known = summary.set_index("customer_id")[behaviour].reindex(self["customer_id"])
        # The log may hold only returns of a customer: purchases before it begins are not known.
        longest = known["time_since_last_purchase"].max()
        filled = known.fillna({"frequency": 0, "time_since_last_purchase": longest})
        merged = self.assign(**{name: filled[name].to_numpy() for name in behaviour})
        fixed = value_tiers(merged, **self.options)
        cuts = {"clusters of value": [], "clusters of recency, frequency and value": behaviour}
        options = {**self.options, "method": "clusters", "random_state": random_state}
        rows = [_cut("fixed shares", fixed, fixed)]
        for cut, names in cuts.items():
            try:
                rows.append(_cut(cut, value_tiers(merged, features=names, **options), fixed))
            except CannotAnswerError as reason:
                rows.append({"cut": cut, "groups": False, "sentence": f"Prefer fixed shares: {reason}."})
        return pd.DataFrame(rows)

    def allocation_sensitivity(self) -> pd.DataFrame:
        """How much do the tiers depend on how the cost to serve is shared out?

        Needs `revenue, cost_of_goods, cost_to_serve, profit` and the keys to share by, as `customer_profit` returns
        them; cut-offs that are shares are drawn anew under each key.

        Returns
        -------
        DataFrame
            One row per key, "as calculated" first: `key`, `changed` (customers whose tier differs from "as
            calculated"), `share_changed`, `Platinum, Gold, Iron, Lead` (customers), `lead_profit` (money that Lead
            loses) and `peak_share` of the whale curve. The total of the cost is the same in every row; keys that
            the tables do not hold are left out, and without any cost to serve there is no row.

        Examples
        --------
        >>> profit = pd.DataFrame({"revenue": [100.0, 60.0], "cost_of_goods": [40.0, 30.0],
        ...                        "cost_to_serve": [0.0, 40.0], "profit": [60.0, -10.0], "orders": [3, 1]})
        >>> value_tiers(profit).allocation_sensitivity()[["key", "changed", "Lead"]]
                      key  changed  Lead
        0   as calculated        0     1
        1       per order        1     0
        2      by revenue        1     0
        3         equally        1     0
        """
        check_columns("profit", self, COSTS, MADE)
        pool = float(self["cost_to_serve"].sum())
        if not pool > 0:
            columns = ["key", "changed", "share_changed", *BEST_FIRST, "lead_profit", "peak_share"]
            return pd.DataFrame(columns=columns)
        before = value_tiers(self, **self.options)["tier"]
        rows = [_row("as calculated", self["profit"], before, before)]
        for name, key in KEYS.items():
            units = pd.Series(1.0, index=self.index) if name == "equally" else self.get(name)
            if units is None or not units.sum() > 0:
                continue
            # A customer whose returns outweigh the purchases is charged nothing, rather than paid.
            units = units.clip(lower=0)
            shared = pool * units / units.sum()
            assert np.isclose(shared.sum(), pool), "cost was lost in sharing it out"
            value = self["revenue"] - self["cost_of_goods"] - shared
            tiers = value_tiers(self.assign(profit=value), **self.options)["tier"]
            rows.append(_row(key, value, tiers, before))
        return with_finding(pd.DataFrame(rows), keys_of_allocation)


def value_tiers(
    profit: pd.DataFrame | pd.Series,
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
    profit : DataFrame or Series
        One row per customer, as `customer_profit` returns it: `profit`, or only `revenue` where no cost is
        known; `exposure_days` and `customer_id` where there are such columns. A series holds profits, or revenues
        where its name is "revenue".
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
        The rows and columns of `profit`, with `is_new` and `tier` (ordered categorical: Lead < Iron < Gold <
        Platinum). Without costs nobody is Lead, and `.kind` says "revenue tiers". `.table()`, `.effort()`,
        `.ways_out_of_lead()` and `.customer_list(chances)` sum the tiers up; `.compare_cuts(summary)` and
        `.allocation_sensitivity()` say how much they depend on the cut and on how costs are shared out.

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
    >>> profit = pd.Series([400, 250, 150, 80, 40, 20, 10, -20, -130, -200])
    >>> value_tiers(profit, cut_offs={"platinum": 0.1, "gold": 0.2})["tier"].tolist()
    ['Platinum', 'Gold', 'Gold', 'Iron', 'Iron', 'Iron', 'Iron', 'Lead', 'Lead', 'Lead']
    """
    check_choice("method", method, METHODS)
    if isinstance(profit, pd.Series):
        profit = profit.to_frame("revenue" if profit.name == "revenue" else "profit")
    column = "profit" if "profit" in profit.columns else "revenue"
    values, has_costs = _values(profit, column), column == "profit"
    # Nobody can have been there for longer than the period that was looked at.
    least_days = min(minimum_exposure_days, getattr(profit, "days", None) or minimum_exposure_days)
    new = _is_new(profit, least_days)
    lead = (values < 0) & ~new if has_costs else np.zeros(len(values), dtype=bool)
    found = ValueTiers(pd.DataFrame(profit).assign(is_new=new))
    if method == "clusters":
        codes, found.clusters = _cluster_codes(profit, column, ~lead, tuple(features), random_state)
        found.cut_offs, notes = None if features else _least_values(values, codes), [found.clusters.sentence_]
    else:
        found.cut_offs, notes = in_money(values[~lead], as_cut_offs(cut_offs))
        codes = 1 + (values >= found.cut_offs.gold).astype("int8") + (values >= found.cut_offs.platinum)
        codes[lead] = 0
    found["tier"] = pd.Categorical.from_codes(codes, categories=list(TIERS), ordered=True)
    found.value = column
    found.options = {"cut_offs": cut_offs, "minimum_exposure_days": least_days}
    found.notes = tuple(notes + _notes(values, new, has_costs))
    return found


def _values(profit: pd.DataFrame, column: str) -> np.ndarray:
    if column not in profit.columns:
        raise CrmError("profit has no column 'profit' or 'revenue'; pass what customer_profit returns")
    values = profit[column].to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise CrmError(
            f"{column} is missing or infinite for {int((~np.isfinite(values)).sum()):,} customers; leave them out"
        )
    if "customer_id" in profit.columns and not profit["customer_id"].is_unique:
        twice = profit["customer_id"][profit["customer_id"].duplicated()].iloc[0]
        raise CrmError(f"customer {twice!r} occurs twice in profit; one row per customer is needed")
    return values


def _is_new(profit: pd.DataFrame, minimum: int) -> np.ndarray:
    check_range("minimum_exposure_days", minimum, "0 or more", least=0)
    if "exposure_days" not in profit.columns:
        return np.zeros(len(profit), dtype=bool)
    return profit["exposure_days"].to_numpy() < minimum


def _least_values(values: np.ndarray, codes: np.ndarray) -> TierCutOffs:
    """Cut-offs in money of groups that do not overlap."""
    platinum, gold = (float(values[codes >= code].min()) for code in (3, 2))
    return TierCutOffs(platinum, gold, by="money")


def _notes(values: np.ndarray, new: np.ndarray, has_costs: bool) -> list[str]:
    notes = []
    if not has_costs:
        notes.append("no cost is known: these are revenue tiers, and no customer can be Lead")
    spared = int((new & (values < 0)).sum()) if has_costs else 0
    if spared:
        notes.append(f"with a loss but too new to judge, so Iron: {spared:,}")
    if len(values) and (values == values[0]).all():
        notes.append("all customers have the same value: they cannot be divided into tiers")
    if has_costs and len(values) and (values < 0).all():
        notes.append("every customer costs more than they bring")
    return notes


def _cluster_codes(
    profit: pd.DataFrame, column: str, rest: np.ndarray, features: tuple[str, ...], random_state: int
) -> tuple[np.ndarray, ClusterSegments]:
    """Code of each customer's tier (0 Lead to 3 Platinum), by clusters in order of their mean value.

    Only who has a value of 0 or more is clustered; who is spared from Lead stays Iron.
    """
    from crmlib.customers.clusters.cluster_segments import ClusterSegments

    check_columns("profit", profit, features, "merge it in by customer_id")
    values = profit[column].to_numpy(dtype=float)
    kept = rest & (values >= 0)
    data = profit.loc[kept, list(dict.fromkeys([column, *features]))]
    found = ClusterSegments(GROUPS, random_state=random_state).fit(pd.DataFrame(data))
    means = pd.Series(values[kept]).groupby(found.labels_).mean()
    place = means.rank(method="first").astype("int8").to_numpy()
    codes = np.where(rest, 1, 0).astype("int8")
    codes[kept] = place[found.labels_]
    return codes, found


def _cut(cut: str, tiers: ValueTiers, fixed: ValueTiers) -> dict[str, Any]:
    codes = [frame["tier"].cat.codes.to_numpy("int64") for frame in (fixed, tiers)]
    shared = shared_customers(codes[0], codes[1], len(TIERS))
    assert shared.sum() == len(tiers), "a customer was lost between tiers"
    same = float(np.trace(shared) / len(tiers)) if len(tiers) else np.nan
    row = {"cut": cut, **dict(zip(BEST_FIRST, shared.sum(axis=0)[::-1], strict=True))}
    row |= {"same": same, "rand": adjusted_rand(shared)}
    clusters = tiers.clusters
    if clusters is None:
        return row | {"groups": False, "stability": np.nan, "jaccard": np.nan, "sentence": ""}
    jaccard = float(clusters.stability_["jaccard"].min())
    row |= {"groups": clusters.groups_, "stability": clusters.rand_, "jaccard": jaccard}
    return row | {"sentence": preferred_cut(same, clusters.groups_, jaccard)}


def preferred_cut(same: float, groups: bool, jaccard: float) -> str:
    """Code of each tier (0 Lead to 3 Platinum): clusters of values of 0 or more by their mean; the spared stay Iron."""
    both = f"{fmt.share(same)} of customers are in the same tier both ways"
    if not groups:
        return (
            "Prefer fixed shares: there are no separate groups (clusters would be cuts), so a "
            f"size that the firm can serve is the better criterion; {both}."
        )
    if jaccard < STABLE:
        return (
            "Prefer fixed shares: there are groups, but one of them is not found again in resamples (Jaccard "
            f"{jaccard:.2f}); {both}."
        )
    if same >= SAME:
        return f"Both are possible: {both}; fixed shares are easier to explain and to keep over time."
    return (
        f"Prefer the clusters: they are groups that are found again (Jaccard {jaccard:.2f} or more), and fixed "
        f"shares divide them; {both}."
    )


def _row(key: str, value: pd.Series, tiers: pd.Series, before: pd.Series) -> dict[str, Any]:
    changed = int((tiers != before).sum())
    total = value.sum()
    return {
        "key": key,
        "changed": changed,
        "share_changed": changed / max(len(value), 1),
        **{tier: int((tiers == tier).sum()) for tier in BEST_FIRST},
        "lead_profit": float(value[tiers == "Lead"].sum()),
        "peak_share": float(value.clip(lower=0).sum() / total) if total > 0 else np.nan,
    }
