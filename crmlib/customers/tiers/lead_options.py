"""What to do with customers who cost money: what each way out would bring."""

from __future__ import annotations

import pandas as pd

from crmlib import format as fmt
from crmlib.errors import CrmError


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
    if not tiers.index.equals(profit.index):
        raise CrmError("tiers and profit do not hold the same customers under the same index")
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
    told = pd.DataFrame(ways, columns=["way", "gain", "assumes"])
    told.insert(2, "of_loss", told["gain"] / loss if loss > 0 else float("nan"))
    return told if len(lead) else told.iloc[:0]
