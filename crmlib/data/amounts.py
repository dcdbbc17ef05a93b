"""From the amounts as they stand to what a row earned: returns negative, refunds and tax taken off."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib.data.policies import Policies
from crmlib.errors import DataError


def earned_amounts(rows: ibis.Table, policies: Policies) -> ibis.Table:
    """Turn `amount` into what the row earned, and say beside it what was changed.

    A row marked as returned gets a negative amount (`flipped`); parts that are no revenue are taken off
    (`taken_off`); what was refunded later is taken off in proportion (`refunded`), and a purchase that
    was refunded in full is none (`refunded_in_full`).

    Raises
    ------
    DataError
        If a part to be taken off has no column.
    """
    if "returned" in rows.columns:
        back = _.returned.fill_null(False)
        rows = rows.mutate(flipped=back & (_.amount > 0), amount=ibis.ifelse(back, -_.amount.abs(), _.amount))
    if policies.amount_includes:
        rows = rows.mutate(taken_off=_parts(rows, policies)).mutate(
            gross=_.amount, amount=_.amount - _.taken_off
        )
    else:
        rows = rows.mutate(gross=_.amount)
    if "refunded" in rows.columns:
        given_back = ibis.least(_.refunded.abs().fill_null(0), _.gross)
        given_back = ibis.ifelse(_.gross > 0, given_back, 0.0)
        rows = rows.mutate(refunded=given_back)
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
