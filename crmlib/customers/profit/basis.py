"""Which figures of a customer's profit are measured, which assumed, and which are missing."""

from __future__ import annotations

import pandas as pd

from crmlib import format as fmt
from crmlib.customers.profit.cost_to_serve import Effort
from crmlib.study_file import Costs


def basis_of(
    told: pd.DataFrame,
    known: pd.DataFrame,
    margin: float | None,
    prices: Costs,
    cases: Effort | None,
    contacts: Effort | None,
) -> pd.DataFrame:
    """One row per component of profit: `component, money, basis, source`."""
    discounts = told["discounts"].sum() if "discounts" in told else float("nan")
    listed = [
        ("gross", told["gross"].sum(), "measured", "transactions.amount of purchases"),
        ("returns", told["returns"].sum(), "measured", "transactions.amount of returns"),
        (
            "discounts (already off)",
            discounts,
            "measured" if "discounts" in told else "missing",
            "transactions.discount",
        ),
        ("cost of goods", -told["cost_of_goods"].sum(), *_goods(known, margin)),
        ("cost of service cases", -told["cost_of_cases"].sum(), *_effort("service_cases", cases, prices)),
        ("cost of contacts", -told["cost_of_contacts"].sum(), *_effort("touchpoints", contacts, prices)),
        (
            "cost of returns",
            -told["cost_of_returns"].sum(),
            *_rate("returned rows", "per_return", prices.per_return),
        ),
        ("cost of orders", -told["cost_of_orders"].sum(), *_rate("orders", "per_order", prices.per_order)),
        (
            "cost of the account",
            -told["cost_of_account"].sum(),
            *_rate("years", "fixed_per_year", prices.fixed_per_year),
        ),
    ]
    table = pd.DataFrame(listed, columns=["component", "money", "basis", "source"])
    return table.assign(money=table["money"] + 0.0)  # no −0.0


def has_costs(known: pd.DataFrame) -> bool:
    """Whether the log has costs to measure the cost of goods by."""
    return "goods_sold" in known and known["amount_sold"].sum() > 0


def _goods(known: pd.DataFrame, margin: float | None) -> tuple[str, str]:
    if has_costs(known):
        without, rows = int(known["rows_without_cost"].sum()), int(known["rows_within"].sum())
        filled = "the share that the others cost" if margin is None else f"margin {fmt.share(margin)}"
        note = f"; {without:,} of {rows:,} rows have none and count at {filled}" if without else ""
        return "measured", f"transactions.cost{note}"
    if margin is not None:
        return "assumed", f"margin {fmt.share(margin)} of revenue"
    return "missing", "neither transactions.cost nor a margin: profit is an upper bound"


def _effort(table: str, effort: Effort | None, prices: Costs) -> tuple[str, str]:
    """Minutes and contacts are measured, what one costs is assumed; money in the table is measured."""
    if effort is None:
        return "missing", f"no table {table}"
    if not effort.measures:
        return "missing", f"{table} says neither minutes nor cost"
    rates = {"minutes": prices.per_service_minute, "contacts": prices.per_contact}
    names = {"minutes": "per_service_minute", "contacts": "per_contact"}
    assumed = [
        f"{one} × {rates[one]:g} (costs.{names[one]})"
        for one in effort.measures
        if rates.get(one) is not None
    ]
    unpriced = [
        f"{one} without costs.{names[one]}" for one in effort.measures if one in rates and rates[one] is None
    ]
    money = ["cost"] if "cost" in effort.measures else []
    source = f"{table}: " + "; ".join([*money, *assumed, *unpriced, *effort.notes])
    if assumed:
        return "assumed", source
    return ("measured" if money else "missing"), source


def _rate(what: str, name: str, money: float | None) -> tuple[str, str]:
    if money is None:
        return "missing", f"no costs.{name}"
    return "assumed", f"{what} × {money:g} (costs.{name})"


def missing_costs(basis: pd.DataFrame) -> str:
    """Say in one sentence what of the cost is not known, and what follows from that.

    Parameters
    ----------
    basis : DataFrame
        `.basis` of what `customer_profit` returns.

    Examples
    --------
    >>> basis = pd.DataFrame({"component": ["gross", "cost of goods"], "basis": ["measured", "assumed"]})
    >>> missing_costs(basis)
    'Every cost is measured or assumed.'
    """
    costs = basis[basis["component"].str.startswith("cost")]
    missing = costs.loc[costs["basis"] == "missing", "component"].tolist()
    if not missing:
        return "Every cost is measured or assumed."
    if len(missing) == len(costs):
        return (
            "No cost is known, so these are revenue tiers: nobody can be Lead, and who buys most may cost most. "
            "A margin or `costs:` in the study, a `cost` in the log or a table of service cases would change that."
        )
    return f"Not known, and so counted as nothing: {', '.join(missing)}; true profit is that much lower."
