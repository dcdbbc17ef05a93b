"""Cleaning steps of the purchase log and of surveys that are not in their contracts."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib.data.cleaning.policy_counts import calendar, count_states, policy_counts
from crmlib.data.cleaning.reading import is_of_currency
from crmlib.data.cleaning.repeats import EQUAL_ROW, with_reasons
from crmlib.data.cleaning.returns import with_matched_returns
from crmlib.data.cleaning.values import LARGEST_AMOUNT, OTHER_CURRENCY, UNSPLIT_LINE
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.engine import first_row, has_rows
from crmlib.data.policies import GROUPS, Policies, Reading, mostly_different, spellings
from crmlib.errors import DataError

LATER_LINE = "later line of an order, whose total is counted once"
OTHER_TOTAL = "later line of an order, with another total than its first"
TOTAL_ROW = "a sum of other rows"
CANCELLED = "cancelled or test order"
NO_PRODUCT = "no product (policies.excluded_products)"
UNUSED_RETURN = "return (policy returns: set_aside)"
# Rows that the study leaves out on purpose, or that would count something twice: they do not count as lost.
LEFT_OUT = (LATER_LINE, TOTAL_ROW, OTHER_CURRENCY, CANCELLED, NO_PRODUCT, UNUSED_RETURN, EQUAL_ROW)
# Labels of totals in pivot tables and exports, in the languages of the order states.
_TOTAL = (
    r"(?:(?:grand|sub|sous)[ -]?|gesamt|zwischen|eind|general )?"
    r"(?:totals?|totales?|totaal|totaux|totalt|summe|gesamt|gesamtergebnis|suma|somm[ae]|soma|summa|sum)"
)
SAYS_TOTAL = rf"(?i)^{_TOTAL}(?: g[ée]n[ée]ral| geral| complessivo)?\s*:?$"
HOLDS_TOTAL = rf"(?i)\b{_TOTAL}\b"
_FEWEST_SUMMED = 3  # rows; an amount may be the sum of two others by chance
_SPENT_BY_NOW = "unit_price status cancelled_at returned refunded tax shipping".split()
_SCALES = {"nps": 10.0}  # of a survey's questions; others go to 5 unless scale_max says otherwise
_USUAL_SCALE = 5.0


def reasons_of_surveys(rows: ibis.Table) -> list[tuple[ir.BooleanValue, str]]:
    """Rows whose score is above `scale_max`, or above the usual scale of their question."""
    usual = ibis.cases(*[(rows.question == name, top) for name, top in _SCALES.items()], else_=_USUAL_SCALE)
    top = rows.scale_max.fill_null(usual) if "scale_max" in rows.columns else usual
    return [(rows.score > top, "score above its scale (scale_max)")]


def prepare_log(rows: ibis.Table, policies: Policies) -> ibis.Table:
    """Compute net amounts, mark excluded order states and products, and name guest customers."""
    rows = _earned_amounts(rows, policies)
    if "status" in rows.columns and policies.excluded_statuses:  # seven languages of them: looked up once
        words = ibis.array(spellings(policies.excluded_statuses))  # quicker than a long list of IN
        rows = rows.mutate(is_excluded=words.contains(rows.status.lower()).fill_null(False))
    # Where an order's total is counted once, it stands on such a line as well.
    if "product" in rows.columns and policies.excluded_products and policies.amount_is == "row":
        rows = rows.mutate(is_no_product=rows.product.lower().isin(spellings(policies.excluded_products)))
    return _name_guests(rows.mutate(says_total=_says_total(rows)), policies).view()


def reasons_of_log(rows: ibis.Table, reading: Reading) -> list[tuple[ir.BooleanValue, str]]:
    """Rows in another currency, of orders that are no sale, and returns that are not used."""
    cases: list[tuple[ir.BooleanValue, str]] = []
    if "currency" in rows.columns and reading.currency:
        code, written = reading.currency.upper(), rows.currency.fill_null("")
        cases.append(((written.upper() != code) & ~is_of_currency(written, [code]), OTHER_CURRENCY))
    if "is_excluded" in rows.columns:
        cases.append((rows.is_excluded, CANCELLED))
    if "cancelled_at" in rows.columns:
        cases.append((rows.cancelled_at.notnull(), CANCELLED))
    if "is_no_product" in rows.columns:
        cases.append((rows.is_no_product, NO_PRODUCT))
    if reading.policies.returns == "set_aside":
        cases.append((rows.amount < 0, UNUSED_RETURN))
    return cases


def set_sums_aside(staged: ibis.Table, policies: Policies) -> ibis.Table:
    """Set aside sums of other rows, and later lines of an order whose total is counted once, whatever they lack."""
    staged = with_reasons(staged, _sums_of_others(staged), override=True)
    if policies.amount_is != "order_total":
        return staged
    return with_reasons(staged, _later_lines(staged), override=True)


def report_of_log(staged: ibis.Table, used: ibis.Table, policies: Policies) -> dict[str, Any]:
    """What each decision concerns, the states of orders, and the first and last day."""
    has_states = "status" in staged.columns
    return {
        "policies": policy_counts(staged, used, policies),
        "states": count_states(staged.status, policies.excluded_statuses) if has_states else [],
        "days": calendar(used),
        "no_groups": [name for name in GROUPS if name in staged.columns and name not in used.columns],
    }


def _earned_amounts(rows: ibis.Table, policies: Policies) -> ibis.Table:
    """Turn `amount` into net revenue, and mark what was changed.

    A row marked as returned gets a negative amount (`flipped`); parts that are no revenue are taken off
    (`taken_off`); what was refunded later is taken off in proportion (`refunded`), and a purchase that
    was refunded in full is none (`refunded_in_full`).

    Raises DataError if a part to be taken off has no column.
    """
    if "returned" in rows.columns:
        back = _.returned.fill_null(False)
        rows = rows.mutate(flipped=back & (_.amount > 0), amount=ibis.ifelse(back, -_.amount.abs(), _.amount))
    rows = rows.mutate(gross=_.amount)
    if policies.amount_includes:
        rows = rows.mutate(taken_off=_parts(rows, policies))
        rows = rows.mutate(amount=_.amount - _.taken_off)
    if "refunded" in rows.columns:
        given_back = ibis.least(_.refunded.abs().fill_null(0), _.gross)
        rows = rows.mutate(refunded=ibis.ifelse(_.gross > 0, given_back, 0.0))
        full = (_.refunded > 0) & (_.refunded >= _.gross - 0.005)
        in_proportion = ibis.ifelse(_.amount == _.gross, _.refunded, _.refunded * (_.amount / _.gross))
        rows = rows.mutate(
            refunded_in_full=full,
            refunded=ibis.ifelse(full, _.amount, ibis.ifelse(_.refunded > 0, in_proportion, 0.0)),
        ).mutate(amount=ibis.ifelse(_.refunded_in_full, 0.0, _.amount - _.refunded))
    return rows.drop("gross")


def _parts(rows: ibis.Table, policies: Policies) -> ir.NumericValue:
    total = ibis.literal(0.0)
    for part in policies.amount_includes:
        if part not in rows.columns:
            raise DataError(
                f"policies.amount_includes names {part!r}, but there is no column {part!r}; name it under columns, "
                "or leave it out"
            )
        total = total + rows[part].abs().fill_null(0)
    return ibis.ifelse(rows.amount < 0, -total, total)


def _name_guests(rows: ibis.Table, policies: Policies) -> ibis.Table:
    guest = rows.customer_id.isnull()
    if policies.guests == "set_aside":
        return rows.mutate(is_guest=guest)
    if "order_id" not in rows.columns:
        raise DataError(
            "policies.guests is 'one_customer_per_order', but there is no column order_id; name it under columns, "
            "or use guests: set_aside"
        )
    named = ibis.literal("guest of order ") + rows.order_id
    return rows.mutate(is_guest=guest, customer_id=rows.customer_id.fill_null(named))


def _says_total(rows: ibis.Table) -> ir.BooleanValue:
    """Whether a row without a date or a customer is labelled as a total."""
    names = [name for name in ("written_customer_id", "order_id", "written_date") if name in rows.columns]
    says = ibis.or_(*[rows[name].re_search(SAYS_TOTAL).fill_null(False) for name in names])
    return ibis.ifelse(rows.date.isnull() | rows.customer_id.isnull(), says, False)


def _sums_of_others(staged: ibis.Table) -> ibis.Table | None:
    """Rows labelled as totals, and the row without a customer that equals the sum of all others; None without any."""
    fine = ~staged.says_total & (staged.amount.abs() <= LARGEST_AMOUNT)
    named = fine & ~staged.is_guest
    largest = staged.amount.abs().max(where=named)
    counts = {"rows": named.sum(), "say_so": staged.says_total.sum(), "guests": staged.is_guest.sum()}
    found = first_row(staged.agg(money=staged.amount.sum(where=fine), largest=largest, **counts))
    money, largest = found["money"] or 0.0, found["largest"] or 0.0
    is_sum = (2 * staged.amount - money).abs() < max(0.01, 1e-9 * abs(money))
    enough = (found["rows"] or 0) >= _FEWEST_SUMMED
    if not found["say_so"] and not (enough and found["guests"]):
        return None
    is_sum = staged.is_guest & is_sum & (staged.amount.abs() > largest) & enough
    return staged.filter(staged.says_total | is_sum).select("source_row", why=ibis.literal(TOTAL_ROW))


def _later_lines(staged: ibis.Table) -> ibis.Table:
    """The lines of each order after the first one that states its total."""
    if "order_id" not in staged.columns:
        raise DataError(
            "policies.amount_is is 'order_total', but there is no column order_id to tell which lines are one "
            "order; name it under columns, or use amount_is: row"
        )
    states_total = staged.written_amount.notnull() & staged.order_id.notnull()
    first = staged.filter(states_total).group_by("order_id").agg(first_row=_.source_row.min())
    totals = staged.select(first_row="source_row", first_amount="amount")
    first = first.left_join(totals, "first_row").drop("first_row_right")
    lines = staged.select("source_row", "order_id", "amount", "reason").join(first, "order_id")
    lines = lines.filter((_.source_row != _.first_row) & (_.reason.fill_null("") != UNSPLIT_LINE))
    same = _.amount.isnull() | (_.amount - _.first_amount).abs().fill_null(0).round(2).isin([0.0])
    return lines.select("source_row", why=ibis.ifelse(same, LATER_LINE, OTHER_TOTAL))


def _no_groups(used: ibis.Table) -> list[str]:
    """Group columns that have nearly as many values as rows, and so form no groups."""
    names = [name for name in GROUPS if name in used.columns]
    asked = {f"values {name}": used[name].approx_nunique() for name in names}
    asked |= {f"rows {name}": used[name].count() for name in names}
    found = first_row(used.agg(**asked)) if names else {}
    return [name for name in names if mostly_different(found[f"values {name}"], found[f"rows {name}"])]


def used_of_log(used: ibis.Table, policies: Policies) -> ibis.Table:
    """The cleaned log: the contract's columns, which rows are purchases, and when they were returned."""
    gone = {*_SPENT_BY_NOW, *_no_groups(used)}
    kept = [c for c in TRANSACTIONS.names if c in used.columns and c not in gone]
    never = ibis.null("timestamp(6)")
    is_purchase = used.amount > 0 if policies.zero_amounts == "no_purchase" else used.amount >= 0
    if "refunded_in_full" in used.columns:
        is_purchase = is_purchase & ~used.refunded_in_full
    if not has_rows(used.filter(_.amount < 0)):
        return used.select(*kept, is_purchase=is_purchase, reversed_on=never, returned_purchase_date=never)
    matched = with_matched_returns(used.mutate(is_purchase=is_purchase), in_full=policies.returns == "match")
    return matched.select(*kept, "is_purchase", "reversed_on", "returned_purchase_date")
