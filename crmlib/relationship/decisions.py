"""Page one: what happened, why, and what to do, from what the chapters have published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crmlib import format as fmt
from crmlib.customers.audit.months import last_complete_month, last_months
from crmlib.customers.rfm.summary import rfm_summary
from crmlib.errors import CrmError
from crmlib.findings import Estimate
from crmlib.models.churn.data import churn_data
from crmlib.no_rows import no_rows, why_none
from crmlib.relationship.actions import (
    Effect,
    contracts_to_save,
    customers_to_thank,
    customers_to_win_back,
    margin_of,
    measured_effect,
)
from crmlib.relationship.published import Published
from crmlib.relationship.revenue import (
    difference_of_revenue,
    revenue_by_first_purchase,
    share_that_left,
)
from crmlib.relationship.sentences import (
    change_in_words,
    contracts_in_words,
    month_in_words,
    save_in_words,
    win_back_in_words,
)

if TYPE_CHECKING:
    from crmlib.study import Study
    from crmlib.study.results import NotebookResults

AUDIT, CHURN, VALUE = "02_customer_base_audit", "05_churn", "06_lifetime_value"
_BELIEVE = {"01_data_check": "Data", CHURN: "Chances and lists", VALUE: "Forecast and value"}


@dataclass(frozen=True)
class Decisions:
    """What a manager needs to know first; frames without rows, with the reason, where nothing was measured.

    Attributes
    ----------
    sentences : tuple of str
        What happened, why, and what to do with the money at stake.
    believe : tuple of str
        How far to believe it.
    revenue : DataFrame
        As of `revenue_by_first_purchase`.
    forecast : Estimate
        Revenue expected from today's customers in the coming quarter; not known where chapter 6 has none.
    leavers : DataFrame
        As of `share_that_left`, for a firm without a purchase log.
    to_contact : DataFrame
        The list to act on: as of `customers_to_win_back`, or `contracts_to_save` for a firm without a purchase log.
    to_thank : DataFrame
        As of `customers_to_thank`.
    """

    sentences: tuple[str, ...]
    believe: tuple[str, ...]
    revenue: pd.DataFrame
    forecast: Estimate
    leavers: pd.DataFrame
    to_contact: pd.DataFrame
    to_thank: pd.DataFrame


def decisions(
    study: Study,
    results: NotebookResults,
    *,
    horizon: str = "26W",
    horizon_months: int = 3,
    lowest_chance: float = 0.1,
    assumed_change: float | None = None,
    contact_cost: float | None = None,
) -> Decisions:
    """What happened, why, and what should be done about it?

    Parameters
    ----------
    study : Study
    results : NotebookResults
        Of the notebook that asks: what other chapters have published is looked for beside its own results.
    horizon : str, default "26W"
        The time that chapter 5's chances to buy are about.
    horizon_months : int, default 3
        With contracts: leaving within this time is churn.
    lowest_chance : float, default 0.1
        Silent customers with a lower chance to buy are not listed: they have left.
    assumed_change, contact_cost : float, optional
        Assumption of what a contact adds to the chance to buy (a share) and its cost (money), for a firm whose
        experiments have not measured it.

    Returns
    -------
    Decisions

    Examples
    --------
    >>> import tempfile
    >>> import crmlib as crm
    >>> from pathlib import Path
    >>> from crmlib.study.results import NotebookResults
    >>> firm = crm.open_study("cdnow-sample")
    >>> found = decisions(firm, NotebookResults("12_decisions", Path(tempfile.mkdtemp())))
    >>> found.revenue.groupby("band", sort=False)["revenue"].sum().round().tolist()
    [78843.0, 90680.0, 74569.0]
    """
    if (assumed_change is None) != (contact_cost is None):
        raise CrmError("assumed_change and contact_cost belong together: give both, or neither")
    published = Published(study, results.folder)
    believe = tuple(f"{name}: {said}" for key, name in _BELIEVE.items() if (said := published.headline(key)))
    if not study.has("transactions"):
        return _of_contracts(study, published, believe, horizon_months)
    log, currency = study.transactions, study.currency
    summary = rfm_summary(log, as_of=study.as_of, time_unit=study.time_unit, collapse=study.collapse)
    start, end = last_months(12, as_of=study.as_of)
    margin = margin_of(log, start=start, end=end, margin=study.margin)
    effect, source = _effect(study, assumed_change, contact_cost)
    late = published.table("overdue_customers")
    to_contact = customers_to_win_back(
        late, summary, horizon=horizon, margin=margin, effect=effect, lowest_chance=lowest_chance
    )
    ahead = fmt.length(horizon, study.time_unit)
    to_do = win_back_in_words(to_contact, ahead, source, currency, lowest=lowest_chance)
    by_customers, by_factors = (published.table(f"change_by_{parts}") for parts in ("customers", "factors"))
    window = fmt.capital(published.figure(AUDIT, "period").window or "the last months")
    return Decisions(
        sentences=_told(
            _month(study, published),
            change_in_words(by_customers, by_factors, window, currency),
            to_do or f"No list of customers to contact: {why_none(to_contact)}.",
        ),
        believe=believe,
        revenue=revenue_by_first_purchase(log, as_of=study.as_of, new_from=study.new_customers_known_from),
        forecast=published.figure(VALUE, "expected_revenue_next_quarter"),
        leavers=no_rows("group share_left", "this firm has a purchase log"),
        to_contact=to_contact,
        to_thank=customers_to_thank(summary, late),
    )


def _told(*sentences: str) -> tuple[str, ...]:
    return tuple(filter(None, sentences))


def _effect(study: Study, change: float | None, cost: float | None) -> tuple[Effect | None, str]:
    """What a contact changes, measured or else assumed, and the words for where that comes from."""
    measured = measured_effect(study.transactions, study.table("experiments"), as_of=study.as_of)
    if measured:
        more = f"a contact adds {fmt.points(measured.change)} to the chance to buy"
        return measured, f"as {more} in the experiment {measured.source}"
    if change is None or cost is None:
        return None, ""
    return Effect(change, cost), f"assumed: a contact adds {fmt.points(change)} to the chance to buy"


def _month(study: Study, published: Published) -> str:
    review = published.table("month_review")
    if not len(review):
        return ""
    last = last_complete_month(study.as_of)
    year = review.loc[review["customers"] == "all", "change_year"].notna().any()
    months = [(one.start_time.date(), one.end_time.date()) for one in (last - (12 if year else 1), last)]
    _change, *interval = difference_of_revenue(study.transactions, *months, margin=study.margin)
    return month_in_words(review, (interval[0], interval[1]), study.currency)


def _of_contracts(study: Study, published: Published, believe: tuple[str, ...], months: int) -> Decisions:
    """The same for a firm of which only its customers with a contract are known."""
    data = churn_data(study, horizon_months=months)
    leavers = share_that_left(data)
    to_contact = contracts_to_save(published.table("customers_to_contact"))
    reason = "no table transactions"
    happened = "" if data.reason else contracts_in_words(data.churned.mean(), len(data.features))
    why = "" if why_none(leavers) else f"{leavers.attrs['finding']}. This is where they leave, not yet why."
    to_do = save_in_words(to_contact, study.currency)
    return Decisions(
        sentences=_told(happened, why, to_do or f"No list of customers to contact: {why_none(to_contact)}."),
        believe=believe,
        revenue=no_rows("band cohort period revenue", reason),
        forecast=Estimate(None, "money"),
        leavers=leavers,
        to_contact=to_contact,
        to_thank=no_rows("customer_id spent purchases last_bought usual_gap_days silent_days", reason),
    )
