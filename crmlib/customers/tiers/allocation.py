"""How many customers change tier when the cost to serve is shared out by another key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.tiers.cut_offs import TIERS, TierCutOffs
from crmlib.customers.tiers.value_tiers import value_tiers
from crmlib.errors import CrmError

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
    return pd.DataFrame(rows)


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
