"""Which purchase a return undoes.

A purchase reversed in full is no purchase from the day of its return on, and only from then: whoever
looks at an earlier date still sees it. So nothing is deleted; purchases and returns carry dates.
"""

from __future__ import annotations

import ibis
from ibis import _

_NEVER = ibis.null("timestamp(6)")


def match_returns(rows: ibis.Table, *, in_full: bool = True) -> ibis.Table:
    """Match each return to the purchase it undoes, or else to the one whose spend it reduces.

    A return undoes the customer's latest earlier purchase of the same absolute amount (and product,
    where known), one to one: the last bought goes back first. Any other return reduces the spend of the
    customer's latest purchase that has not gone back by then.

    Parameters
    ----------
    rows : ibis.Table
        Columns `source_row, customer_id, date, amount` (returns are the negative ones) and `product`.
    in_full : bool
        Whether a purchase of the same amount is undone; if not, every return only reduces spend.

    Returns
    -------
    ibis.Table
        `source_row, reversed_on, returned_purchase_date` for the rows that a return concerns.
    """
    with_returns = rows.filter(_.amount < 0).select("customer_id").distinct()
    events = (
        rows.semi_join(with_returns, "customer_id")
        .mutate(
            date=_.date.cast("timestamp(6)"),
            is_return=_.amount < 0,
            size=_.amount.abs().round(2),
            product=_.product.fill_null(""),
        )
        .cache()
    )
    paired = _pair_equal_amounts(events if in_full else events.limit(0)).cache()
    return _reduce_latest_purchase(events, paired)


def _pair_equal_amounts(events: ibis.Table) -> ibis.Table:
    """Pair like brackets: a purchase opens, a return of the same amount closes the last one open."""
    key = ["customer_id", "product", "size"]
    order = ["date", "is_return", "source_row"]
    so_far = ibis.window(group_by=key, order_by=order, preceding=None, following=0)
    candidates = events.semi_join(events.filter(_.is_return), key)
    walked = candidates.mutate(balance=ibis.ifelse(_.is_return, -1, 1).sum().over(so_far))
    # A return with nothing open takes the balance to a new low; counting from that low, it closes nothing.
    walked = walked.mutate(low=ibis.least(0, _.balance.min().over(so_far)))
    in_order = ibis.window(group_by=key, order_by=order)
    walked = walked.mutate(closes_nothing=_.is_return & (_.balance < _.low.lag(1, 0).over(in_order)))
    brackets = walked.filter(~_.closes_nothing).mutate(level=_.balance - _.low + _.is_return.cast("int64"))
    at_level = ibis.window(group_by=[*key, "level"], order_by=order)
    return brackets.select(
        "source_row",
        reversed_on=ibis.ifelse(_.is_return, _NEVER, _.date.lead().over(at_level)),
        returned_purchase_date=ibis.ifelse(_.is_return, _.date.lag().over(at_level), _NEVER),
    ).filter(_.reversed_on.notnull() | _.returned_purchase_date.notnull())


def _reduce_latest_purchase(events: ibis.Table, paired: ibis.Table) -> ibis.Table:
    """Add the returns without a pair, each with the latest purchase still standing on its day."""
    purchases = events.filter(~_.is_return).left_join(paired, "source_row")
    purchases = purchases.select("customer_id", "date", "reversed_on")
    loose = events.filter(_.is_return).anti_join(paired, "source_row")
    loose = loose.select("source_row", "customer_id", "date")
    never_reversed = purchases.filter(_.reversed_on.isnull()).select("customer_id", bought_on="date")
    never_reversed = never_reversed.distinct()
    lasting = loose.asof_join(never_reversed, loose.date >= never_reversed.bought_on, "customer_id")
    lasting = lasting.select("source_row", "bought_on")
    # Purchases that go back later still stood on the day of the return; they are few.
    later = purchases.filter(_.reversed_on.notnull()).select(
        buyer="customer_id", bought_on="date", reversed_on="reversed_on"
    )
    passing = loose.join(
        later,
        [
            loose.customer_id == later.buyer,
            later.bought_on <= loose.date,
            later.reversed_on > loose.date,
        ],
    ).select("source_row", "bought_on")
    latest = lasting.union(passing).group_by("source_row").agg(returned_purchase_date=_.bought_on.max())
    latest = latest.filter(_.returned_purchase_date.notnull())
    return paired.union(
        latest.select("source_row", reversed_on=_NEVER, returned_purchase_date="returned_purchase_date")
    )
