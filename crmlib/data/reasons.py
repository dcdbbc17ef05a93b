"""Why a row is not used: one reason per row, the first that applies."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib.data.books import LARGEST_AMOUNT, equal_to_earlier, later_of
from crmlib.data.policies import Policies
from crmlib.errors import DataError

UNSPLIT_LINE = "line cannot be split into columns"
MISSING_WORD = "customer id is a word for missing (policies.missing_ids)"
LATER_LINE = "later line of an order, whose total is counted once"
EQUAL_ROW = "equal to an earlier row"
OTHER_TOTAL = "later line of an order, with another total than its first"


def first_reason(rows: ibis.Table, currency: str | None, policies: Policies) -> ir.StringValue:
    """The fault that a row has by itself, or null; `rows` are read but not yet judged."""
    written = {name: _is_written(rows[f"written_{name}"]) for name in ("customer_id", "date", "amount")}
    cases: list[tuple[ir.BooleanValue, str]] = []
    if "unsplit_line" in rows.columns:
        cases.append((rows.unsplit_line.notnull(), UNSPLIT_LINE))
    cases += [
        (rows.customer_id.isnull() & ~written["customer_id"], "no customer id"),
        (rows.customer_id.isnull(), MISSING_WORD),
        (rows.date.isnull() & ~written["date"], "no date"),
        (rows.date.isnull(), "unreadable date"),
        (rows.amount.isnull() & ~written["amount"], "no amount"),
        (rows.amount.isnull() | rows.amount.isnan(), "unreadable amount"),
        (rows.amount.abs() > LARGEST_AMOUNT, "infinite or impossibly large amount"),
    ]
    if "currency" in rows.columns and currency:
        other = rows.currency.fill_null(currency).upper() != currency.upper()
        cases.append((other, "other currency"))
    if "is_excluded" in rows.columns:
        cases.append((rows.is_excluded, "cancelled or test order"))
    if "cancelled_at" in rows.columns:
        cases.append((rows.cancelled_at.notnull(), "cancelled or test order"))
    if policies.returns == "set_aside":
        cases.append((rows.amount < 0, "return (policy returns: set_aside)"))
    return ibis.cases(*cases, else_=ibis.null("string"))


def _is_written(text: ir.StringValue) -> ir.BooleanValue:
    return text.fill_null("").strip() != ""


def set_aside_repeats(staged: ibis.Table, policies: Policies) -> ibis.Table:
    """Give repeated line ids, repeated order totals and (if so decided) equal rows their reason.

    Adds `equals_earlier`: whether a row that is usable so far equals an earlier one in every column.

    `staged` is the judged log; a row that has a reason already keeps it, but for later lines of an order
    whose total is counted on its first line: that is why they are not used, whatever else they lack.

    Raises
    ------
    DataError
        If orders have to be told apart, and there is no order id.
    """
    if policies.amount_is == "order_total":
        staged = _with_reasons(staged, _later_lines(staged), override=True)
    if "line_id" in staged.columns:
        staged = _with_reasons(staged, _named(later_of(staged, "line_id"), "repeated line id"))
    equal = _named(equal_to_earlier(staged), EQUAL_ROW).cache()
    if _is_empty(equal):
        return staged.mutate(equals_earlier=ibis.literal(False))
    staged = staged.left_join(equal, "source_row").drop("source_row_right")
    staged = staged.mutate(equals_earlier=_.why.notnull())
    if policies.equal_rows == "set_aside":
        staged = staged.mutate(reason=_.reason.fill_null(_.why))
    return staged.drop("why")


def _named(rows: ibis.Table, reason: str) -> ibis.Table:
    return rows.select("source_row", why=ibis.literal(reason))


def _with_reasons(staged: ibis.Table, reasons: ibis.Table, override: bool = False) -> ibis.Table:
    reasons = reasons.cache()
    if _is_empty(reasons):
        return staged
    joined = staged.left_join(reasons, "source_row").drop("source_row_right")
    order = (joined.why, joined.reason) if override else (joined.reason, joined.why)
    return joined.mutate(reason=ibis.coalesce(*order)).drop("why")


def _is_empty(rows: ibis.Table) -> bool:
    return rows.count().to_pyarrow().as_py() == 0


def _later_lines(staged: ibis.Table) -> ibis.Table:
    """The lines of each order after the first one that states its total."""
    if "order_id" not in staged.columns:
        raise DataError(
            "policies.amount_is is 'order_total', but there is no column order_id to tell which lines are one "
            "order; name it under columns, or use amount_is: row"
        )
    states_total = _is_written(staged.written_amount) & staged.order_id.notnull()
    first = staged.filter(states_total).group_by("order_id").agg(first_row=_.source_row.min())
    totals = staged.select(first_row="source_row", first_amount="amount")
    first = first.left_join(totals, "first_row").drop("first_row_right")
    lines = staged.select("source_row", "order_id", "amount", "reason").join(first, "order_id")
    lines = lines.filter((_.source_row != _.first_row) & (_.reason.fill_null("") != UNSPLIT_LINE))
    same = _.amount.isnull() | (_.amount - _.first_amount).abs().fill_null(0).round(2).isin([0.0])
    return lines.select("source_row", why=ibis.ifelse(same, LATER_LINE, OTHER_TOTAL))
