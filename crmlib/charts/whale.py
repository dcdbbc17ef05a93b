"""Charts of value per customer: how far the best carry the others, and whether who buys most brings most."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.charts.layout import finish, no_data, sheet, value_axis
from crmlib.charts.style import BLUE, ORANGE, SOFT, TIER_COLOURS, Chart, house_style

_MOST_DOTS = 3000


@house_style()
def profit_whale(curve: pd.DataFrame, *, value: str = "profit", currency: str = "") -> Chart:
    """Draw the cumulative profit of customers, the best first: the peak, and the tail that loses it again.

    Parameters
    ----------
    curve : DataFrame
        `customers`, `share_of_customers` and `profit` (of the best so many together), from nobody to all.
    value : str
        What is added up: "profit" or "revenue".
    currency : str
        The name of the money.
    """
    if len(curve) < 2:
        return no_data(f"No customer's {value} to add up")
    people, money = (curve[one].to_numpy(dtype=float) for one in ("share_of_customers", "profit"))
    peak, total = int(money.argmax()), float(money[-1])
    _, axes = sheet(2.5)
    drawn = money / total if total > 0 else money
    axes.plot(people, drawn, color=BLUE)
    axes.axhline(drawn[-1], color=SOFT, linewidth=0.8)
    tail = money[peak] - total > 1e-9 * max(abs(money[peak]), abs(total))
    if tail:
        axes.fill_between(people[peak:], drawn[peak:], drawn[-1], color=ORANGE, alpha=0.25, linewidth=0)
        axes.plot(people[peak], drawn[peak], "o", color=ORANGE, markersize=6)
    axes.set_xlim(0, 1)
    axes.set_ylim(min(0.0, float(drawn.min())) * 1.05, max(float(drawn.max()), 0.0) * 1.08 or 1.0)
    word = value_axis(axes, "y", kind="share" if total > 0 else "money", largest=float(np.abs(money).max()))
    value_axis(axes, "x", kind="share")
    axes.set_xlabel(f"Customers by {value}, the best first")
    title = _title(people, money, peak, tail, value, currency)
    unit = f"{value.capitalize()} of the best customers together, "
    unit += "share of the total" if total > 0 else f"{word}{currency or 'money'}"
    everybody = fmt.plural(curve["customers"].iloc[-1], "customer")
    alt = f"Curve over {everybody}. {title}. All: {fmt.money(total, currency)}."
    return finish(axes, title, alt, unit=unit)


def _title(people: np.ndarray, money: np.ndarray, peak: int, tail: bool, value: str, currency: str) -> str:
    total, lost = float(money[-1]), fmt.money(float(money[peak] - money[-1]), currency)
    if tail and peak == 0:
        return f"No customer brings {value}; all together lose {lost}"
    if tail:
        best = f"{fmt.share(float(people[peak]))} of customers bring "
        best += (
            fmt.share(float(money[peak] / total)) if total > 0 else fmt.money(float(money[peak]), currency)
        )
        return (
            f"{best} of {value}; the others lose {lost} again"
            if total > 0
            else f"{best}; the others lose {lost}"
        )
    if not total > 0:
        return f"No customer brings {value}"
    fifth = float(np.interp(0.2, people, money)) / total
    return f"The best 20 % of customers bring {fmt.share(fifth)} of {value}; none loses any"


@house_style()
def revenue_against_profit(customers: pd.DataFrame) -> Chart:
    """Draw each customer's rank by revenue against the rank by profit, in the colours of the tiers.

    Parameters
    ----------
    customers : DataFrame
        `revenue_rank` and `profit_rank` (1 the best) and `tier`. Of more than 3,000 every so-and-so-many-th
        is drawn.
    """
    count = len(customers)
    if count < 2:
        return no_data("No two rankings to compare")
    ranked = customers.sort_values("revenue_rank", kind="stable")
    top = ranked.head(max(1, round(0.1 * count)))
    poor = float((top["profit_rank"] > count / 2).mean())
    title = f"Of the tenth that buys most, {fmt.share(poor)} are in the worse half by profit"
    _, axes = sheet(3.3)
    dots = ranked.iloc[:: -(-count // _MOST_DOTS)]
    size = min(7.0, max(2.5, 60 / len(dots) ** 0.5))
    names = [name for name in TIER_COLOURS if (dots["tier"].astype(str) == name).any()]
    for name in names:
        mine = dots[dots["tier"].astype(str) == name]
        axes.plot(
            mine["revenue_rank"] / count, mine["profit_rank"] / count, "o", markersize=size, alpha=0.6,
            color=TIER_COLOURS[name], markeredgewidth=0, rasterized=True, label=name,
        )  # fmt: skip
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(1.01, -0.01)
    value_axis(axes, "x", kind="share")
    value_axis(axes, "y", kind="share")
    axes.set_xlabel("Rank by revenue: the customers who buy most at the left")
    for place, name in enumerate(names):
        axes.text(
            0.25 * place, 1.03, f"● {name}", transform=axes.transAxes, color=TIER_COLOURS[name], weight="bold"
        )
    shown = "" if len(dots) == count else f" {len(dots):,} of them are drawn."
    alt = f"Dots of {fmt.plural(count, 'customer')} by rank, tiers {fmt.listing(names)}.{shown} {title}."
    return finish(axes, title, alt, unit="Rank by profit: the customers who bring most at the top")
