"""What a row is: an order line or an order; and whether an order's total stands on each of its lines."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
from ibis import _

from crmlib.data.contracts.contract import plain_name

_ALIKE = 0.95  # of the orders with several lines state one amount on all of them
_ENOUGH_ORDERS = 5  # with several lines; fewer prove nothing, unless the column's name says "total"
_TOTALS = (
    "order_total",
    "total",
    "grand_total",
    "order_value",
    "gesamtbetrag",
    "rechnungsbetrag",
    "bestellwert",
)


@dataclass(frozen=True)
class Grain:
    """Whether rows are lines or orders, what `policies.amount_is` has to be, and what speaks for it."""

    row_is: str
    amount_is: str
    evidence: str


def guess_grain(rows: ibis.Table, amount_name: str) -> Grain:
    """Tell order lines from orders, and catch an order's total that is repeated on every line.

    Parameters
    ----------
    rows : ibis.Table
        `order_id` (text or null) and `amount` (number or null) of every row.
    amount_name : str
        The file's name for the amount: "Order Total" speaks for itself.

    Notes
    -----
    Equal amounts on the lines of an order may be chance where all things cost the same: the share of
    orders that are alike is held against the chance that two rows of the log are.
    """
    orders = rows.filter(_.order_id.notnull()).group_by("order_id")
    orders = orders.agg(lines=_.count(), stated=_.amount.count(), low=_.amount.min(), high=_.amount.max())
    several = orders.lines > 1
    alike = several & ((orders.low == orders.high) | orders.low.isnull())
    found = orders.agg(
        orders=orders.count(),
        several=several.sum().fill_null(0),
        alike=alike.sum().fill_null(0),
        blank=(several & (orders.stated == 1)).sum().fill_null(0),
    )
    counts = {key: int(value) for key, value in found.to_pyarrow().to_pylist()[0].items()}
    if not counts["several"]:
        return Grain("order", "row", f"no order number stands twice in {counts['orders']:,} orders")
    several_orders = f"{counts['alike']:,} of {counts['several']:,} orders with several lines"
    named_total = any(plain_name(amount_name).startswith(word) for word in _TOTALS)
    share, chance = counts["alike"] / counts["several"], _chance_alike(rows)
    proven = counts["several"] >= _ENOUGH_ORDERS and chance < 0.5
    if share >= _ALIKE and (proven or named_total):
        first = "on the first line alone" if counts["blank"] else "the same on every line"
        return Grain(
            "line of an order",
            "order_total",
            f"in {several_orders} {amount_name!r} stands {first}: it is the order's total, "
            "and adding up the lines would count it more than once",
        )
    return Grain(
        "line of an order", "row", f"lines of one order have amounts of their own (equal in {several_orders})"
    )


def _chance_alike(rows: ibis.Table) -> float:
    """The chance that two rows of the log have the same amount."""
    counts = rows.filter(_.amount.notnull()).group_by("amount").agg(n=_.count().cast("float64"))
    found = counts.agg(same=(counts.n * counts.n).sum(), total=counts.n.sum()).to_pyarrow().to_pylist()[0]
    return (found["same"] or 0.0) / max((found["total"] or 0.0) ** 2, 1.0)
