"""All that is known of one customer: history, value, contacts and what is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch, purchase_days
from crmlib.customers.rfm.summary import rfm_summary
from crmlib.errors import CannotAnswerError, StudyError
from crmlib.models.pareto_nbd import ParetoNBDModel
from crmlib.no_rows import no_rows
from crmlib.relationship.next_actions import NOTHING

if TYPE_CHECKING:
    from crmlib.study import Study

_FACTS = "segment cluster need tier state p_churn next_action reason next_product referral_value".split()
_PROFILE = "joined acquisition_channel manager_id consent planned_value"


@dataclass(frozen=True)
class OneCustomer:
    """One customer of a study.

    Attributes
    ----------
    sentences : tuple of str
        Value, past and predicted, and what to do.
    facts : DataFrame
        `fact` and `value`, as written for readers: what the chapters found, the manager, consent.
    purchases : DataFrame
        By day: `date, revenue`, the newest first.
    course : DataFrame
        As `crmlib.charts.one_customer` draws it.
    contacts, cases, promises : DataFrame
        The newest contacts, open cases, and promises not kept yet; without rows where the firm has no such table.
    """

    customer_id: str
    sentences: tuple[str, ...]
    facts: pd.DataFrame
    purchases: pd.DataFrame
    course: pd.DataFrame
    contacts: pd.DataFrame
    cases: pd.DataFrame
    promises: pd.DataFrame


def one_customer(study: Study, customer_id: str) -> OneCustomer:
    """What is known of a customer, from the firm's tables and the latest report?

    Raises
    ------
    StudyError
        If no table knows the customer.

    Examples
    --------
    >>> import crmlib as crm
    >>> found = one_customer(crm.open_study("cdnow-sample"), "00111")
    >>> len(found.purchases), found.course["p_alive"].iloc[-1].round(2)
    (16, np.float64(0.99))
    """
    report = study.published("customers")
    mine = report[report["customer_id"] == customer_id] if len(report) else report
    purchases, course, why = _history(study, customer_id)
    rows = {
        "contacts": _rows(study, "touchpoints", customer_id, "date channel kind direction response"),
        "cases": _rows(study, "service_cases", customer_id, "opened closed channel kind theme"),
        "promises": _rows(study, "touchpoints", customer_id, "date channel promise_due promise_kept_on"),
    }
    known = _rows(study, "customers", customer_id, _PROFILE)
    if purchases.empty and mine.empty and all(table.empty for table in (*rows.values(), known)):
        raise StudyError(
            f"{study.name} has no customer {customer_id!r}; ids are as in the report's lists"
            + (", where they are hashed" if study.ids_by else "")
        )
    cases, promises = rows["cases"], rows["promises"]
    facts = [] if mine.empty else [(name, mine[name].iloc[0]) for name in _FACTS if name in mine]
    facts += [] if known.empty else [(name, known[name].iloc[0]) for name in known.columns]
    written = [(fmt.column(name), fmt.cell(value)) for name, value in facts if fmt.is_known(value)]
    if len(cases):
        cases = cases[cases["closed"].isna()].drop(columns="closed")
    if len(promises):
        promises = promises[promises["promise_due"].notna() & promises["promise_kept_on"].isna()]
        promises = promises.drop(columns="promise_kept_on")
    return OneCustomer(
        customer_id=customer_id,
        sentences=tuple(_sentences(study, purchases, mine, why)),
        facts=pd.DataFrame(written, columns=["fact", "value"]),
        purchases=purchases,
        course=course,
        contacts=rows["contacts"],
        cases=cases,
        promises=promises,
    )


def _rows(study: Study, table: str, customer_id: str, names: str) -> pd.DataFrame:
    wanted = [name for name in names.split() if name in study.table(table).columns]
    if not study.has(table):
        return no_rows(wanted, f"no table {table}")
    found = fetch(study.table(table).filter(_.customer_id == customer_id).select(*wanted))
    return found.sort_values(wanted[0], ascending=False, kind="stable").reset_index(drop=True)


def _history(study: Study, customer_id: str) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Days with a purchase, the newest first; P(alive) at the ends of months; and why that is not known."""
    empty, course = no_rows("date revenue", "no purchase"), no_rows("month p_alive", "no purchase")
    if not study.has("transactions"):
        return empty, course, "no table transactions"
    days = purchase_days(study.transactions, study.as_of, collapse=study.collapse)
    found = fetch(days.filter((_.customer_id == customer_id) & (_.purchase == 1)).order_by("date"))
    if found.empty:
        return empty, course, "there is no purchase that was kept"
    bought, unit = found["date"], study.time_unit.days
    ends = pd.date_range(bought.iloc[0], pd.Timestamp(study.as_of), freq="ME", normalize=True)
    ends = ends if len(ends) else pd.DatetimeIndex([pd.Timestamp(study.as_of)])  # within the first month
    seen = [bought[bought <= end] for end in ends]
    first = bought.iloc[0]
    table = pd.DataFrame({
        "customer_id": [str(end.date()) for end in ends],
        "frequency": [len(days) - 1 for days in seen],
        "recency": [(days.iloc[-1] - first).days / unit for days in seen],
        "T": [(end - first).days / unit for end in ends],
    })  # fmt: skip
    purchases = found[["date", "revenue"]][::-1].reset_index(drop=True)
    units = dict(time_unit=study.time_unit, collapse=study.collapse)
    try:
        model = ParetoNBDModel().fit(rfm_summary(study.transactions, as_of=study.as_of, **units))
        alive = model.expected_probability_alive(table).to_numpy(dtype=float)
    except CannotAnswerError as complaint:
        return purchases, course, str(complaint)
    months = ends.to_period("M").to_timestamp()
    return purchases, pd.DataFrame({"month": months, "p_alive": alive}), ""


def _sentences(study: Study, purchases: pd.DataFrame, mine: pd.DataFrame, why: str) -> list[str]:
    lines = []
    if len(purchases):
        last = purchases["date"].iloc[0]
        lines.append(
            f"{fmt.capital(fmt.plural(len(purchases), 'purchase'))} so far, the last on {fmt.date(last)}: "
            f"{fmt.money(float(purchases['revenue'].sum()), study.currency)} in all."
        )
    if why:
        lines.append(f"P(alive) is not known: {why}.")
    row: dict[str, Any] = {} if mine.empty else mine.iloc[0].to_dict()
    if fmt.is_known(row.get("clv")):
        ends = fmt.interval(row["clv_low"], row["clv_high"], "money", study.currency)
        lines.append(f"Predicted, from now on: {fmt.money(row['clv'], study.currency)} ({ends}).")
    if row and row["next_action"] != NOTHING:
        gain = fmt.money(row["expected_gain"], study.currency)
        rests = ", assumed" if row["assumed"] else ""
        left = " The customer is left out by chance: do nothing." if row["left_out"] is True else ""
        action = f"{row['next_action']}, as {row['reason']}"
        lines.append(f"What to do: {action}; expected gain {gain}{rests}.{left}")
    elif row:
        lines.append(f"Nothing to do now: {row['reason']}.")
    else:
        lines.append("No report has been made of this study yet; crm report makes one.")
    return lines
