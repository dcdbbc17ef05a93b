"""Match returns to purchases.

A purchase reversed in full is no purchase from the day of its return on, and only from then: whoever
looks at an earlier date still sees it. So nothing is deleted; purchases and returns carry dates.
"""

from __future__ import annotations

import ibis
from ibis import _

from crmlib.data.engine import has_rows

_NEVER = ibis.null("timestamp(6)")


def with_matched_returns(log: ibis.Table, *, in_full: bool = True) -> ibis.Table:
    """A log with `reversed_on` and `returned_purchase_date`; its rows are numbered by `source_row`."""
    names = ("product", "order_id")
    known = {name: (log[name] if name in log.columns else ibis.null()).cast("string") for name in names}
    rows = log.select("source_row", "customer_id", "date", "amount", **known)
    return log.left_join(match_returns(rows, in_full=in_full), "source_row").drop("source_row_right")


def match_returns(rows: ibis.Table, *, in_full: bool = True) -> ibis.Table:
    """Match each return to the purchase it undoes, or else to the one whose spend it reduces.

    A return undoes the customer's latest earlier purchase of the same absolute amount (and product,
    where known), one to one: the last bought goes back first. Any other return reduces the spend of the
    customer's latest purchase that has not gone back by then. A return that names an order of this customer
    is about that order: it undoes no purchase of another, and reduces one of another only if nothing of its
    own order still stands.

    `rows`: columns `source_row, customer_id, date, amount` (returns are the negative ones), `product` and `order_id`
    (null where not known). `in_full`: whether a purchase of the same amount is undone; if not, every return only
    reduces spend. Returns `source_row, reversed_on, returned_purchase_date` for the rows that a return concerns.
    """
    with_returns = rows.filter(_.amount < 0).select("customer_id").distinct()
    events = rows.semi_join(with_returns, "customer_id")
    events = events.mutate(date=_.date.cast("timestamp(6)"), product=_.product.fill_null(""))
    events = events.mutate(is_return=_.amount < 0, size=_.amount.abs().round(2)).cache()
    # Without order numbers half of the work is not needed.
    name_orders = has_rows(events.filter(_.is_return & _.order_id.notnull()))
    paired = _pairs(events if in_full else events.limit(0), name_orders)
    return _reduce_latest_purchase(events, paired, name_orders)


def _pairs(events: ibis.Table, name_orders: bool) -> ibis.Table:
    """Purchases and the returns that undo them: within an order first, then among what names no order."""
    key, order = ["customer_id", "product", "size"], ["customer_id", "order_id"]
    purchases, returns = events.filter(~_.is_return), events.filter(_.is_return)
    if not name_orders:
        return _pair_equal_amounts(purchases, returns, key).cache()
    within = _pair_equal_amounts(purchases, returns, ["order_id", *key]).cache()
    free = returns.anti_join(purchases, order)  # a return that names an order of the customer belongs to it
    rest = purchases.anti_join(within, "source_row")
    return within.union(_pair_equal_amounts(rest, free, key)).cache()


def _pair_equal_amounts(purchases: ibis.Table, returns: ibis.Table, key: list[str]) -> ibis.Table:
    """Pair like brackets: a purchase opens, a return of the same amount closes the last one open."""
    order = ["date", "is_return", "source_row"]
    so_far = ibis.window(group_by=key, order_by=order, preceding=None, following=0)
    candidates = purchases.semi_join(returns, key).union(returns)
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


def _reduce_latest_purchase(events: ibis.Table, paired: ibis.Table, name_orders: bool) -> ibis.Table:
    """Add the returns without a pair, each with the latest purchase still standing on its day."""
    purchases = events.filter(~_.is_return).left_join(paired, "source_row")
    purchases = purchases.select("customer_id", "order_id", "date", "reversed_on")
    loose = events.filter(_.is_return).anti_join(paired, "source_row")
    loose = loose.select("source_row", "customer_id", "order_id", "date")
    if name_orders:
        own = _latest_standing(loose, purchases, ["customer_id", "order_id"]).cache()
        others = _latest_standing(loose.anti_join(own, "source_row"), purchases, ["customer_id"])
        reduced = own.union(others)
    else:
        reduced = _latest_standing(loose, purchases, ["customer_id"])
    return paired.union(reduced.select("source_row", reversed_on=_NEVER, returned_purchase_date="bought_on"))


def _latest_standing(loose: ibis.Table, purchases: ibis.Table, key: list[str]) -> ibis.Table:
    """For each return the day of the latest purchase with its key that has not gone back by then."""
    bought = purchases.semi_join(loose, key).select(*key, "reversed_on", bought_on="date")
    never_reversed = bought.filter(_.reversed_on.isnull()).drop("reversed_on").distinct()
    # The latest so far, purchases before the returns of their moment: no engine but a few can join "as of" a date.
    purchased = never_reversed.mutate(source_row=ibis.null("int64"), date="bought_on")
    purchased = purchased.select("source_row", *key, "date", "bought_on")
    walked = loose.select("source_row", *key, "date", bought_on=_NEVER).union(purchased)
    order = [walked.date, walked.bought_on.isnull()]
    so_far = ibis.window(group_by=key, order_by=order, preceding=None, following=0)
    walked = walked.mutate(bought_on=walked.bought_on.max().over(so_far))
    lasting = walked.filter(_.source_row.notnull())
    # Purchases that go back later still stood on the day of the return; they are few.
    later = bought.filter(_.reversed_on.notnull()).rename({f"{name}_bought": name for name in key})
    same = [loose[name] == later[f"{name}_bought"] for name in key]
    passing = loose.join(later, [*same, later.bought_on <= loose.date, later.reversed_on > loose.date])
    found = lasting.select("source_row", "bought_on").union(passing.select("source_row", "bought_on"))
    return found.group_by("source_row").agg(bought_on=_.bought_on.max()).filter(_.bought_on.notnull())
