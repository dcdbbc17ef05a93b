"""The pyramid in figures: what each tier brings and takes, by which key of costs, and the ways out of Lead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers.sentences import effort_beside_value, keys_of_allocation, pyramid
from crmlib.customers.tiers.value_tiers import TIERS, TierCutOffs, value_tiers
from crmlib.errors import CrmError
from crmlib.findings import with_finding

_MONEY = ("revenue", "profit", "cost_to_serve")
# What the theory recommends for a tier (Zeithaml, Rust & Lemon 2001); a reading, not a finding.
TREATMENTS = {
    "Platinum": "a named contact, first call on capacity, asked for advice; no discounts they did not ask for",
    "Gold": "bundles and reasons to buy all here; find out what is bought elsewhere before any discount",
    "Iron": "good standard service, self-service first; lift those who could be Gold, spend nothing extra",
    "Lead": "find the cause of the cost, serve more cheaply, charge for extra work; part only as a last step",
}
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


def tier_table(tiers: pd.DataFrame, profit: pd.DataFrame) -> pd.DataFrame:
    """How many customers does each tier have, and how much of revenue and profit?

    Parameters
    ----------
    tiers : ValueTiers
        Or any frame with a `tier` column, indexed like `profit`.
    profit : DataFrame
        What the tiers were made from: `revenue`, `profit`, `cost_to_serve`, as far as there are such columns.

    Returns
    -------
    DataFrame
        Four rows, Platinum first, empty tiers among them: `tier`, `customers`, `share_of_customers`, and for
        each column of money its sum, `share_of_…` and `…_per_customer`. Shares are fractions and add up to 1;
        NaN where the total is not positive, for then there is nothing to share out.

    Raises
    ------
    CrmError
        If the two frames do not hold the same rows.

    Examples
    --------
    >>> profit = pd.DataFrame({"profit": [400, 250, 150, 80, 40, 20, 10, -20, -130, -200]})
    >>> table = tier_table(value_tiers(profit, cut_offs={"platinum": 0.1, "gold": 0.2}), profit)
    >>> table[["tier", "customers", "profit", "share_of_profit"]].round(3)
           tier  customers  profit  share_of_profit
    0  Platinum          1     400            0.667
    1      Gold          2     400            0.667
    2      Iron          4     150            0.250
    3      Lead          3    -350           -0.583
    """
    _check_same(tiers, profit)
    money = [
        name for name in _MONEY if name in profit.columns and (name != "cost_to_serve" or profit[name].any())
    ]
    grouped = profit[money].groupby(tiers["tier"].astype(str).to_numpy())
    order = list(reversed(TIERS))
    sums = grouped.sum().reindex(order, fill_value=0)
    count = grouped.size().reindex(order, fill_value=0)
    assert count.sum() == len(profit), "a customer was lost between tiers"
    table = pd.DataFrame({"tier": pd.Categorical(order, categories=list(TIERS), ordered=True)})
    table["customers"] = count.to_numpy()
    table["share_of_customers"] = table["customers"] / max(len(profit), 1)
    for name in money:
        total = profit[name].sum()
        assert np.isclose(sums[name].sum(), total), f"{name} was lost between tiers"
        table[name] = sums[name].to_numpy()
        table[f"share_of_{name}"] = table[name] / total if total > 0 else np.nan
        table[f"{name}_per_customer"] = table[name] / table["customers"].where(table["customers"] > 0)
        if name in ("revenue", "profit"):
            with_finding(table, pyramid, name, measure=f"share_of_{name}")
    return table


def tier_list(profit: pd.DataFrame, tiers: pd.DataFrame, chances: pd.DataFrame) -> pd.DataFrame:
    """The list to work with: each customer, the tier, how sure it is, and the money behind it.

    Parameters
    ----------
    profit, tiers : CustomerProfit, ValueTiers
        Of the same customers, under the same index.
    chances : TierProbabilities
        Of the same customers, by `customer_id`.

    Returns
    -------
    DataFrame
        The best first: `customer_id, tier, most_likely` (the tier that the true value is most likely in), `chance` (of
        that one), `is_new`, `revenue`, `cost_to_serve` and `profit` where they are known, and `expected` (the value
        with the noise taken off).
    """
    money = ("revenue", "cost_to_serve", "profit")
    shown = [name for name in money if name in profit.columns and profit[name].any()]
    listed = profit[["customer_id", *shown]].assign(tier=tiers["tier"], is_new=tiers["is_new"])
    sure = chances[["customer_id", "most_likely"]].assign(
        chance=chances[list(TIERS)].max(axis=1), expected=chances["shrunk"]
    )
    listed = pd.DataFrame(listed).merge(
        pd.DataFrame(sure), on="customer_id", how="left", validate="one_to_one"
    )
    assert len(listed) == len(profit), "a customer was lost between tables"
    columns = ["customer_id", "tier", "most_likely", "chance", "is_new", *shown, "expected"]
    return listed.sort_values(["tier", "expected"], ascending=False, ignore_index=True)[columns]


def effort_against_value(tiers: pd.DataFrame, profit: pd.DataFrame) -> pd.DataFrame:
    """Where does the firm spend service in no proportion to value?

    Parameters
    ----------
    tiers : ValueTiers
        Under the same index as `profit`.
    profit : CustomerProfit
        `revenue, cost_of_goods, cost_to_serve`.

    Returns
    -------
    DataFrame
        Platinum first: `tier`, `customers`, `value` (revenue − cost of goods: what there is before service), `effort`
        (cost to serve), `share_of_value`, `share_of_effort`, `effort_per_value` (effort as a share of the tier's
        value), `out_of_proportion` (share of effort ÷ share of value: above 1 more service than value) and
        `treatment`, what the theory recommends. NaN where the value is not positive.

    Examples
    --------
    >>> profit = pd.DataFrame({"revenue": [90.0, 10.0], "cost_of_goods": [0.0, 0.0], "cost_to_serve": [5.0, 15.0]})
    >>> tiers = pd.DataFrame({"tier": ["Platinum", "Lead"]})
    >>> table = effort_against_value(tiers, profit)
    >>> table.loc[table["customers"] > 0, ["tier", "effort_per_value", "out_of_proportion"]].round(2)
           tier  effort_per_value  out_of_proportion
    0  Platinum              0.06               0.28
    3      Lead              1.50               7.50
    """
    _check_same(tiers, profit)
    value = profit["revenue"] - profit["cost_of_goods"]
    frame = pd.DataFrame(
        {"tier": tiers["tier"].astype(str), "value": value, "effort": profit["cost_to_serve"]}
    )
    grouped = frame.groupby("tier")
    table = grouped.sum().assign(customers=grouped.size()).reindex(list(reversed(TIERS)), fill_value=0)
    assert table["customers"].sum() == len(profit), "a customer was lost between tiers"
    for name in ("value", "effort"):
        total = table[name].sum()
        table[f"share_of_{name}"] = table[name] / total if total > 0 else np.nan
    table["effort_per_value"] = table["effort"] / table["value"].where(table["value"] > 0)
    positive = table["share_of_value"].where(table["share_of_value"] > 0)
    table["out_of_proportion"] = table["share_of_effort"] / positive
    table["treatment"] = [TREATMENTS[tier] for tier in table.index]
    order = ["tier", "customers", "value", "effort", "share_of_value", "share_of_effort", "effort_per_value"]
    found = table.reset_index()[[*order, "out_of_proportion", "treatment"]]
    return with_finding(found, effort_beside_value)


def allocation_sensitivity(
    profit: pd.DataFrame, *, cut_offs: TierCutOffs | Mapping[str, Any] | None = None, **options: Any
) -> pd.DataFrame:
    """How much do the tiers depend on how the cost to serve is shared out?

    Parameters
    ----------
    profit : CustomerProfit
        `revenue, cost_of_goods, cost_to_serve, profit` and the keys to share by, as `customer_profit` returns them.
    cut_offs, **options
        As for `value_tiers`; cut-offs as shares are drawn anew under each key.

    Returns
    -------
    DataFrame
        One row per key, "as calculated" first: `key`, `changed` (customers whose tier differs from "as calculated"),
        `share_changed`, `Platinum, Gold, Iron, Lead` (customers), `lead_profit` (money that Lead loses) and
        `peak_share` of the whale curve. The total of the cost is the same in every row; keys that the
        tables do not hold are left out, and without any cost to serve there is no row.

    Examples
    --------
    >>> profit = pd.DataFrame({"revenue": [100.0, 60.0], "cost_of_goods": [40.0, 30.0], "cost_to_serve": [0.0, 40.0],
    ...                        "profit": [60.0, -10.0], "orders": [3, 1]})
    >>> allocation_sensitivity(profit)[["key", "changed", "Lead"]]
                  key  changed  Lead
    0   as calculated        0     1
    1       per order        1     0
    2      by revenue        1     0
    3         equally        1     0
    """
    for name in ("revenue", "cost_of_goods", "cost_to_serve"):
        if name not in profit.columns:
            raise CrmError(f"profit has no column {name!r}; pass what customer_profit returns")
    pool = float(profit["cost_to_serve"].sum())
    if not pool > 0:
        return pd.DataFrame(
            columns=["key", "changed", "share_changed", *reversed(TIERS), "lead_profit", "peak_share"]
        )
    before = value_tiers(profit, cut_offs=cut_offs, **options)["tier"]
    rows = [_row("as calculated", profit["profit"], before, before)]
    for name, key in KEYS.items():
        units = pd.Series(1.0, index=profit.index) if name == "equally" else profit.get(name)
        if units is None or not units.sum() > 0:
            continue
        # A customer whose returns outweigh the purchases is charged nothing, rather than paid.
        units = units.clip(lower=0)
        shared = pool * units / units.sum()
        assert np.isclose(shared.sum(), pool), "cost was lost in sharing it out"
        value = profit["revenue"] - profit["cost_of_goods"] - shared
        tiers = value_tiers(profit.assign(profit=value), cut_offs=cut_offs, **options)["tier"]
        rows.append(_row(key, value, tiers, before))
    return with_finding(pd.DataFrame(rows), keys_of_allocation)


def _row(key: str, value: pd.Series, tiers: pd.Series, before: pd.Series) -> dict[str, Any]:
    changed = int((tiers != before).sum())
    total = value.sum()
    return {
        "key": key,
        "changed": changed,
        "share_changed": changed / max(len(value), 1),
        **{tier: int((tiers == tier).sum()) for tier in reversed(TIERS)},
        "lead_profit": float(value[tiers == "Lead"].sum()),
        "peak_share": float(value.clip(lower=0).sum() / total) if total > 0 else np.nan,
    }


def ways_out_of_lead(
    profit: pd.DataFrame,
    tiers: pd.DataFrame,
    *,
    avoidable_share: float = 0.5,
    price_rise: float = 0.05,
    leave: float = 0.1,
    cheaper: float = 0.25,
) -> pd.DataFrame:
    """Drop Lead, charge them, or serve them more cheaply: what would each bring per period?

    Parameters
    ----------
    profit : CustomerProfit
        `revenue, cost_of_goods, cost_to_serve, profit`.
    tiers : ValueTiers
        Of the same customers, under the same index.
    avoidable_share : float
        Share of the cost to serve that would really fall away with the customers; wages and buildings stay, at
        least at first.
    price_rise, leave : float
        A rise of Lead's prices or fees by this share of revenue, and the share of them who leave for it.
    cheaper : float
        Share of Lead's avoidable cost to serve that cheaper service (self-service, fewer visits) saves.

    Returns
    -------
    DataFrame
        One row per `way` ("drop them", "raise prices", "serve them more cheaply", "charge until nobody loses
        money"): `gain` (money per period against today), `of_loss` (the same as a share of what Lead loses) and
        `assumes`, in words. To drop them forgoes their margin and saves only what is avoidable: the gain can be
        negative. No row where nobody is Lead.

    Examples
    --------
    >>> profit = pd.DataFrame({"revenue": [100.0], "cost_of_goods": [60.0], "cost_to_serve": [50.0], "profit": [-10.0]})
    >>> tiers = pd.DataFrame({"tier": ["Lead"]})
    >>> ways_out_of_lead(profit, tiers)["gain"].round(2).tolist()
    [-15.0, 3.0, 6.25, 10.0]
    """
    given = {"avoidable_share": avoidable_share, "price_rise": price_rise, "leave": leave, "cheaper": cheaper}
    for name, share in given.items():
        if not 0 <= share <= 1:
            raise CrmError(f"{name} is {share}; allowed: a share from 0 to 1, such as 0.5")
    _check_same(tiers, profit)
    lead = profit[(tiers["tier"] == "Lead").to_numpy()]
    revenue, goods, service = (
        float(lead[name].sum()) for name in ("revenue", "cost_of_goods", "cost_to_serve")
    )
    margin, loss = revenue - goods, service + goods - revenue
    avoidable = avoidable_share * service
    lost_by_leaving = margin - avoidable
    ways = [
        ("drop them", -lost_by_leaving, f"{fmt.share(avoidable_share)} of the cost to serve them falls away"),
        (
            "raise prices",
            (1 - leave) * price_rise * revenue - leave * lost_by_leaving,
            f"{fmt.share(price_rise)} more, and {fmt.share(leave)} of them leave for it",
        ),
        ("serve them more cheaply", cheaper * avoidable, f"{fmt.share(cheaper)} less of the avoidable cost"),
        ("charge until nobody loses money", loss, "fees cover each one's loss, and nobody leaves"),
    ]
    table = pd.DataFrame(ways, columns=["way", "gain", "assumes"])
    table.insert(2, "of_loss", table["gain"] / loss if loss > 0 else float("nan"))
    return table if len(lead) else table.iloc[:0]


def _check_same(tiers: pd.DataFrame, profit: pd.DataFrame) -> None:
    if not tiers.index.equals(profit.index) or not tiers.index.is_unique:
        raise CrmError(
            f"tiers hold {len(tiers):,} rows and profit {len(profit):,}, not the same customers under the same "
            "index; pass the frame that the tiers were made from"
        )
