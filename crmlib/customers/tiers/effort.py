"""Effort against value: where service is given in no proportion to what a tier brings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.customers.tiers.cut_offs import TIERS
from crmlib.errors import CrmError

# What the theory recommends for a tier (Zeithaml, Rust & Lemon 2001); a reading, not a finding.
TREATMENTS = {
    "Platinum": "a named contact, first call on capacity, asked for advice; no discounts they did not ask for",
    "Gold": "bundles and reasons to buy all here; find out what is bought elsewhere before any discount",
    "Iron": "good standard service, self-service first; lift those who could be Gold, spend nothing extra",
    "Lead": "find the cause of the cost, serve more cheaply, charge for extra work; part only as a last step",
}


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
    if not tiers.index.equals(profit.index):
        raise CrmError("tiers and profit do not hold the same customers under the same index")
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
    return table.reset_index()[[*order, "out_of_proportion", "treatment"]]
