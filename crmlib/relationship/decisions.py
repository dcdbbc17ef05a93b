"""Page one: what happened, why, and what to do, from what the chapters have published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from crmlib import format as fmt
from crmlib.columns import COLUMNS
from crmlib.customers.audit.months import last_complete_month
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
from crmlib.relationship.calendars import accounts_of_managers, calendar, pacing, pacing_in_words
from crmlib.relationship.next_actions import NextActions, actions_of
from crmlib.relationship.outlook import Outlook, outlook
from crmlib.relationship.revenue import (
    difference_of_revenue,
    revenue_by_first_purchase,
    share_that_left,
)
from crmlib.relationship.sentences import (
    change_in_words,
    contracts_in_words,
    how_far_to_believe,
    month_in_words,
    save_in_words,
    win_back_in_words,
)
from crmlib.study.published import estimate_of

if TYPE_CHECKING:
    from crmlib.study import Study


@dataclass(frozen=True)
class Decisions:
    """What a manager needs to know first; frames without rows, with the reason, where nothing was measured.

    Attributes
    ----------
    sentences : tuple of str
        What happened, why, and what to do with the money at stake.
    believe : tuple of str
        How far to believe it.
    business : str
        "better", "worse" or "no change beyond chance": the last complete month; empty where it is not known.
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
    ahead : str
        The time that the list's chances are about, as in chapter 5.
    listed_of : str
        Of which customers the list is a part.
    actions : NextActions
        Every customer with the next action, and the list of what to do within the budget.
    outlook : Outlook
        What is forecast, and how right earlier forecasts were.
    calendar, managers, pacing : DataFrame
        As of `calendars.calendar`, `accounts_of_managers` and `pacing`.
    opening : tuple of str
        What became of the earlier lists, and where the month that runs will end.
    """

    sentences: tuple[str, ...]
    believe: tuple[str, ...]
    business: str
    revenue: pd.DataFrame
    forecast: Estimate
    leavers: pd.DataFrame
    to_contact: pd.DataFrame
    to_thank: pd.DataFrame
    ahead: str
    listed_of: str
    actions: NextActions
    outlook: Outlook
    calendar: pd.DataFrame
    managers: pd.DataFrame
    pacing: pd.DataFrame
    opening: tuple[str, ...]

    @property
    def listed(self) -> Estimate:
        """How many customers to contact."""
        return Estimate(len(self.to_contact), "count", base=self.listed_of)

    @property
    def at_stake(self) -> Estimate:
        """The money of the list: at risk, or an expected gain, as `money_is` says; not known without a list."""
        total = float(self.to_contact.iloc[:, -1].sum()) if len(self.to_contact) else None
        return Estimate(total, "money")

    @property
    def money_is(self) -> str:
        """What the money of the list is, such as "revenue at risk, not gain"."""
        return COLUMNS[str(self.to_contact.columns[-1])].label


def decisions(
    study: Study,
    *,
    horizon_months: int = 3,
    assumed_change: float | None = None,
    contact_cost: float | None = None,
    budget: float | None = None,
    capacity: int | None = None,
) -> Decisions:
    """What happened, why, and what should be done about it?

    Parameters
    ----------
    study : Study
        What its other notebooks have published in this run is read, as far as they ran.
    horizon_months : int, default 3
        With contracts: leaving within this time is churn.
    assumed_change, contact_cost : float, optional
        Assumption of what a contact adds to the chance to buy (a share) and its cost (money), for a firm whose
        experiments have not measured it.
    budget, capacity : float and int, optional
        Most money for the actions of the list, or most customers on it.

    Returns
    -------
    Decisions

    Examples
    --------
    >>> import crmlib as crm
    >>> found = decisions(crm.open_study("cdnow-sample"))
    >>> found.revenue.groupby("band", sort=False)["revenue"].sum().round().tolist()
    [78843.0, 90680.0, 74569.0]
    """
    if (assumed_change is None) != (contact_cost is None):
        raise CrmError("assumed_change and contact_cost belong together: give both, or neither")
    if not study.has("transactions"):
        return _of_contracts(study, horizon_months, dict(budget=budget, capacity=capacity))
    log, currency = study.transactions, study.currency
    summary = rfm_summary(log, as_of=study.as_of, time_unit=study.time_unit, collapse=study.collapse)
    effect, source = _effect(study, assumed_change, contact_cost)
    margin = margin_of(log, as_of=study.as_of, margin=study.margin)
    assumed = study.value_terms().margin_assumed and not study.has("transactions", "cost")
    winnable = study.published("winnable_customers")
    refused = _refused(study, "winnable")
    if refused or not len(winnable):
        none = study.figures().get("winnable", {}).get("value") == 0
        why = f"{'there are no' if none else 'no chapter found'} customers who are silent beyond their habit and "
        why += "can still be won"
        why = f"the chances to buy are not usable: {refused}" if refused else why
        winnable = no_rows("customer_id revenue_at_risk", why)
    to_contact = customers_to_win_back(winnable, summary, margin=margin, effect=effect)
    moved, factors = study.published("change_by_customers"), study.published("change_by_factors")
    if study.new_customers_known_from:
        moved = moved.assign(newly=0)  # first seen is not first bought
    period = study.figures().get("period_value", {})
    ahead = study.figures().get("at_risk", {}).get("window", "").partition(" after ")[0] or "period"
    month, business = _month(study)
    return Decisions(
        sentences=_sentences(
            month,
            change_in_words(moved, factors, period.get("window", ""), period.get("against"), currency),
            win_back_in_words(to_contact, ahead, source, currency),
            by_margin=" (margin assumed)" if assumed else "",
        ),
        believe=_believe(study, source),
        business=business,
        revenue=revenue_by_first_purchase(log, as_of=study.as_of, new_from=study.new_customers_known_from),
        forecast=_figure(study, "coming_quarter"),
        leavers=no_rows("group share_left", "this firm has a purchase log"),
        to_contact=to_contact,
        to_thank=customers_to_thank(summary, winnable),
        ahead=ahead,
        listed_of="customers with two purchases or more",
        **_ahead(study, margin, horizon_months, dict(budget=budget, capacity=capacity)),
    )


def _ahead(study: Study, margin: float | None, months: int, limits: dict[str, Any]) -> dict[str, Any]:
    """The next actions, the forecasts and what is due."""
    actions = actions_of(study, margin=margin, **limits)
    log = study.transactions if study.has("transactions") else None
    ahead, pace = outlook(study, horizon_months=months), pacing(log, study.table("budget"), as_of=study.as_of)
    return {
        "actions": actions,
        "outlook": ahead,
        "calendar": calendar(study, actions.customers),
        "managers": accounts_of_managers(study, actions.customers),
        "pacing": pace,
        "opening": (*ahead.opening, *filter(None, [pacing_in_words(pace, study.currency)])),
    }


def _figure(study: Study, key: str) -> Estimate:
    """A figure of another chapter with its interval; not known where it has not published it, or refuses its use."""
    found = study.figures().get(key)
    if found is None or found["refused"]:
        return Estimate(None, "text")
    return estimate_of(found)


def _refused(study: Study, key: str) -> str:
    """Why a figure of another chapter is not to be used; empty where it may be."""
    return str(study.figures().get(key, {}).get("refused", "")).removeprefix("Not usable: ").rstrip(".")


def _sentences(*sentences: str, by_margin: str = "") -> tuple[str, ...]:
    """The sentences that are not empty; an assumed margin is marked."""
    texts = (text for text in sentences if text)
    return tuple(text.replace(" of contribution", f" of contribution{by_margin}") for text in texts)


def _effect(study: Study, change: float | None, cost: float | None) -> tuple[Effect | None, str]:
    """The effect of a contact, measured or else assumed, and a phrase for its source."""
    measured = measured_effect(study.transactions, study.table("experiments"), as_of=study.as_of)
    if measured:
        more = f"a contact adds {fmt.points(measured.change)} to the chance to buy"
        return measured, f"as {more} in the experiment {measured.source}"
    if change is None or cost is None:
        return None, ""
    return Effect(change, cost), f"assumed: a contact adds {fmt.points(change)} to the chance to buy"


def _believe(study: Study, source: str) -> tuple[str, ...]:
    unknown, buyers = Estimate(None, "ratio"), study.has("transactions")
    error = _figure(study, "coming_quarter_error") if buyers else unknown
    lift = unknown if buyers else _figure(study, "churn_lift")
    refused = _refused(study, "coming_quarter") if buyers else _refused(study, "churn_lift")
    return tuple(how_far_to_believe(source, error, lift, refused))


def _month(study: Study) -> tuple[str, str]:
    """The last complete month in a sentence and in a word."""
    review = study.published("month_review")
    if not len(review):
        return "", ""
    last = last_complete_month(study.as_of)
    back = 12 if review.loc[review["customers"] == "all", "change_year"].notna().any() else 1
    then, now = ((month.start_time.date(), month.end_time.date()) for month in (last - back, last))
    found, low, high = difference_of_revenue(study.transactions, then, now, margin=study.margin)
    compared = review.loc[review["customers"] == "all", ["change_month", "change_year"]].notna().any().any()
    word = Estimate(found, "money", low, high).in_a_word
    return month_in_words(review, (low, high), study.currency), word if compared else ""


def _of_contracts(study: Study, months: int, limits: dict[str, Any]) -> Decisions:
    """Page one of a firm that has contracts and no purchase log."""
    data = churn_data(study, horizon_months=months)
    leavers = share_that_left(data)
    to_contact = contracts_to_save(study.published("customers_to_contact"))
    reason = "no table transactions"
    happened = "" if data.reason else contracts_in_words(data.churned.mean(), len(data.features))
    first = leavers.attrs.get("finding", " ")
    why = f"Where: {first[0].lower()}{first[1:]}. This says where they leave, not yet why."
    return Decisions(
        sentences=_sentences(
            happened, "" if why_none(leavers) else why, save_in_words(to_contact, study.currency)
        ),
        believe=_believe(
            study, "assumed value of a customer, success rate and costs, not the firm's own figures"
        ),
        business="",
        revenue=no_rows("band cohort period revenue", reason),
        forecast=Estimate(None, "money"),
        leavers=leavers,
        to_contact=to_contact,
        to_thank=no_rows("customer_id spent purchases last_bought usual_gap_days silent_days", reason),
        ahead=fmt.length(months, "M"),
        listed_of="customers with a contract",
        **_ahead(study, study.margin, months, limits),
    )
