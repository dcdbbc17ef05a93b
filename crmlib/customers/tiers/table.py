"""The pyramid in figures: how many customers each tier has, and what they bring."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.customers.tiers.cut_offs import TIERS
from crmlib.errors import CrmError

_MONEY = ("revenue", "profit", "cost_to_serve")


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
    >>> from crmlib.customers.tiers.value_tiers import value_tiers
    >>> profit = pd.DataFrame({"profit": [400, 250, 150, 80, 40, 20, 10, -20, -130, -200]})
    >>> table = tier_table(value_tiers(profit, cut_offs={"platinum": 0.1, "gold": 0.2}), profit)
    >>> table[["tier", "customers", "profit", "share_of_profit"]].round(3)
           tier  customers  profit  share_of_profit
    0  Platinum          1     400            0.667
    1      Gold          2     400            0.667
    2      Iron          4     150            0.250
    3      Lead          3    -350           -0.583
    """
    if not tiers.index.equals(profit.index) or not tiers.index.is_unique:
        raise CrmError(
            f"tiers hold {len(tiers):,} rows and profit {len(profit):,}, not the same customers under the same "
            "index; pass the frame that the tiers were made from"
        )
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
    shown = [
        name
        for name in ("revenue", "cost_to_serve", "profit")
        if name in profit.columns and profit[name].any()
    ]
    listed = profit[["customer_id", *shown]].assign(tier=tiers["tier"], is_new=tiers["is_new"])
    sure = chances[["customer_id", "most_likely"]].assign(
        chance=chances[list(TIERS)].max(axis=1), expected=chances["shrunk"]
    )
    told = pd.DataFrame(listed).merge(pd.DataFrame(sure), on="customer_id", how="left", validate="one_to_one")
    assert len(told) == len(profit), "a customer was lost between tables"
    columns = ["customer_id", "tier", "most_likely", "chance", "is_new", *shown, "expected"]
    return told.sort_values(["tier", "expected"], ascending=False, ignore_index=True)[columns]
