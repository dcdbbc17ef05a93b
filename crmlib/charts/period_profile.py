"""Charts of the audit's first lens: how different the customers of one period are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.charts.layout import finish, no_data, sheet, value_axis
from crmlib.charts.style import BLUE, LIGHT_BLUE, SOFT, Chart, house_style


@house_style()
def purchase_distribution(distribution: pd.DataFrame, *, value: str = "revenue") -> Chart:
    """Draw how many customers bought once, twice, … in a period, and what share of the value they brought.

    Parameters
    ----------
    distribution : DataFrame
        One row per number of purchases, fewest first: `purchases` (text, such as "10+"), `customers`,
        `customer_share` and `value_share`.
    value : str
        What the value is: "revenue" or "profit".
    """
    total = distribution["customers"].sum()
    if not total:
        return no_data("No customer bought in the period")
    names = distribution["purchases"].astype(str).tolist()
    customers = distribution["customer_share"].to_numpy(dtype=float)
    brought = distribution["value_share"].to_numpy(dtype=float)
    fewest = f"{fmt.share(customers[0])} of customers bought {_times(names[0])}"
    title = f"{fewest} and brought {fmt.share(brought[0])} of {value}"
    if not np.isfinite(brought).all():
        title, brought = fewest, np.zeros(len(names))
    _, axes = sheet(2.3)
    places = np.arange(len(names))
    axes.bar(places - 0.21, customers, width=0.4, color=BLUE)
    axes.bar(places + 0.21, brought, width=0.4, color=LIGHT_BLUE)
    axes.set_xticks(places, names)
    axes.set_xlabel("Purchases in the period")
    if brought.min() < 0:
        axes.axhline(0, color=SOFT, linewidth=0.8)
    value_axis(axes, "y", kind="share")
    listed = "; ".join(
        f"{name}: {fmt.share(one)} of customers, {fmt.share(other)} of {value}"
        for name, one, other in zip(names, customers, brought, strict=True)
    )
    alt = f"Bars by purchases in the period, {fmt.plural(total, 'customer')}. {listed}."
    return finish(axes, title, alt, unit=f"Share of customers (dark) and of {value} (light)")


def _times(name: str) -> str:
    return {"1": "once", "2": "twice"}.get(name, f"{name} times")


@house_style()
def value_deciles(deciles: pd.DataFrame, *, value: str = "revenue") -> Chart:
    """Draw the share of the value that each tenth of the customers brings, the best first.

    Parameters
    ----------
    deciles : DataFrame
        One row per group of customers, the best first: `decile`, `customers`, `value` and `value_share`.
    value : str
        What customers are ranked by: "revenue" or "profit".
    """
    deciles = deciles[deciles["customers"] > 0]
    if not deciles["value"].sum() > 0:
        return no_data(f"No positive {value} to share out")
    shares = deciles["value_share"].to_numpy(dtype=float)
    customers = deciles["customers"].to_numpy(dtype=float)
    best = f"The best {fmt.share(customers[0] / customers.sum())} of customers bring"
    title = f"{best} {fmt.share(shares[0])} of {value}"
    worse = shares[len(shares) // 2 :]
    if len(shares) > 1:
        half = fmt.share(customers[len(shares) // 2 :].sum() / customers.sum())
        title += f", the lowest {half} {fmt.share(worse.sum())}"
    else:
        title = f"One group of customers brings all {value}"
    _, axes = sheet(2.3)
    places = np.arange(len(shares))
    axes.bar(places, shares, width=0.8, color=[BLUE] + [LIGHT_BLUE] * (len(shares) - 1))
    for place, share in zip(places, shares, strict=True):
        axes.annotate(
            fmt.share(share, 0), (place, max(share, 0)), xytext=(0, 3),
            textcoords="offset points", ha="center",
        )  # fmt: skip
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.set_ylim(min(shares.min(), 0) * 1.05, max(shares.max(), 0) * 1.1)
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks(places, deciles["decile"].astype(str).tolist())
    axes.set_xlabel(f"Tenths of customers by {value}, the best first")
    listed = "; ".join(
        f"{one}: {fmt.share(share)}" for one, share in zip(deciles["decile"], shares, strict=True)
    )
    return finish(
        axes,
        title,
        f"Bars of the share of {value} by tenth of customers. {listed}.",
        unit=f"Share of {value}",
    )
