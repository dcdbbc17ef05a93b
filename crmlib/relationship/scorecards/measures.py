"""The key figures that no other chapter computes, each with the customers and the money that it concerns.

A measure is a function of `Facts` named as its figure in figures.toml; what it needs of the firm's tables stands in
`@measure`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers.treatments.experiments import experiment_outcomes
from crmlib.data.sources import open_optional
from crmlib.economics.experiments import read_experiments
from crmlib.findings import SUPPORTED, Estimate
from crmlib.no_rows import why_none
from crmlib.relationship.scorecards.facts import Facts, ratio
from crmlib.relationship.scorecards.groups import accounts, loyalty_grid, partners, roles, sides, value_types
from crmlib.relationship.scorecards.hypotheses import hypotheses
from crmlib.statistics import normal_quantile, wilson_interval
from crmlib.study.results import FIGURES

_SHORT = "short of the plan"
_LOST = "that partners cost more than they bring"
CONTACT_DAYS = 90  # without a word from the firm, after which a customer counts as forgotten


class Measure(NamedTuple):
    """A figure, how many customers and how much money a change of it concerns, and why it is not known.

    `money_is` says in words what the money is where it is not what the customers brought.
    """

    estimate: Estimate
    customers: float = np.nan
    money: float = np.nan
    reason: str = ""
    money_is: str = ""


MEASURES: dict[str, Callable[[Facts], Measure]] = {}
_Found = Callable[[Facts], Measure]


def measure(**needs: str) -> Callable[[_Found], _Found]:
    """Register a measure; `needs`: columns by table, each with a value in one row at least."""

    def registered(compute: _Found) -> _Found:
        def measured(facts: Facts) -> Measure:
            missing = [_lacking(facts, table, columns.split()) for table, columns in needs.items()]
            if reason := next(filter(None, missing), ""):
                return unknown(compute.__name__, reason)
            found = compute(facts)
            return (
                found if found.estimate.is_known or found.reason else found._replace(reason="there is no row")
            )

        MEASURES[compute.__name__] = measured
        return measured

    return registered


def unknown(key: str, reason: str) -> Measure:
    """A figure that is not known, and why."""
    return Measure(Estimate(None, FIGURES[key]["unit"]), reason=reason)


def _lacking(facts: Facts, table: str, columns: list[str]) -> str:
    if open_optional(facts.study.table(table)) is None:
        return f"no table {table}"
    empty = [column for column in columns if not facts.study.has(table, column)]
    return f"{table}.{empty[0]} is empty" if empty else ""


def _measure(
    facts: Facts, found: Any, key: str, base: str, concerned: Any = None, money: float | None = None
) -> Measure:
    """A figure of the window, with whom it concerns: ids of customers, and their money or another amount."""
    value, low, high = found if isinstance(found, tuple) else (found, np.nan, np.nan)
    unit = FIGURES[key]["unit"]
    if unit == "share":
        low, high = max(low, 0.0), min(high, 1.0)
    estimate = Estimate(value, unit, low, high, currency=facts.study.currency, base=base, window=facts.window)
    if concerned is None:
        return Measure(estimate, money=np.nan if money is None else money)
    ids = pd.Index(concerned).unique()
    if money is None and len(facts.buyers):
        money = float(facts.buyers["value"].reindex(ids).sum())
    return Measure(estimate, float(len(ids)), np.nan if money is None else money)


def _share(facts: Facts, holds: pd.Series, key: str, base: str) -> Measure:
    """The share of customers of whom something holds; it concerns the others."""
    holds = holds.astype(bool)
    n = len(holds)
    if not n:
        return unknown(key, f"there are no {base}")
    low, high = wilson_interval(int(holds.sum()), n)
    return _measure(facts, (float(holds.mean()), float(low), float(high)), key, base, holds.index[~holds])


def _of_buyers(facts: Facts, column: pd.Series, key: str) -> Measure:
    """A share of the buyers; one who does not stand in the table has it not."""
    if reason := why_none(facts.buyers):
        return unknown(key, reason)
    return _share(facts, column.reindex(facts.buyers.index).eq(True), key, "customers who bought")


# -- identify: who is it?


@measure(customers="")
def identified(facts: Facts) -> Measure:
    """Buyers who stand in the customers' table with an e-mail address or a telephone number."""
    return _of_buyers(facts, facts.profiles["reachable"], "identified")


@measure(customers="")
def profile_filled(facts: Facts) -> Measure:
    """Of name, e-mail, telephone, birthday, market and channel, the share that is filled, over buyers."""
    if reason := why_none(facts.buyers):
        return unknown("profile_filled", reason)
    filled = facts.profiles["filled"].reindex(facts.buyers.index).fillna(0.0)
    found = ratio(filled, pd.Series(1.0, index=filled.index))
    return _measure(facts, found, "profile_filled", "customers who bought", filled.index[filled < 1 - 1e-9])


@measure(customers="consent")
def consented(facts: Facts) -> Measure:
    """Buyers to whom the firm may write; a missing consent is none."""
    return _of_buyers(facts, facts.profiles["consent"], "consented")


@measure(customers="birthday birthday_consent")
def birthday_reachable(facts: Facts) -> Measure:
    """Buyers whose birthday is known and may be used to write to them."""
    return _of_buyers(facts, facts.profiles["birthday"], "birthday_reachable")


@measure(touchpoints="fields_learned")
def fields_per_contact(facts: Facts) -> Measure:
    """Fields of the profile that a contact fills; it concerns customers whose contacts filled none."""
    rows = facts.habits[facts.habits["contacts"] > 0]
    silent = rows.index[rows["learned"] == 0]
    found = ratio(rows["fields"], rows["contacts"])
    return _measure(facts, found, "fields_per_contact", "contacts with customers", silent)


# -- differentiate: who is worth what?


@measure(customers="share_of_wallet")
def growable_customers(facts: Facts) -> Measure:
    """Customers of little value today who buy most of what they need elsewhere; the money is what they spend there."""
    types = value_types(facts)
    if reason := why_none(types):
        return unknown("growable_customers", reason)
    row = types.set_index("value_type").loc["most growable"]
    base = "customers who bought and whose share of wallet is known"
    found = _measure(facts, float(row["customers"]), "growable_customers", base, money=float(row["untapped"]))
    return found._replace(customers=float(row["customers"]), money_is="that they spend elsewhere")


@measure(customers="share_of_wallet")
def wallet(facts: Facts) -> Measure:
    """The mean share of buyers' need that is bought here; it concerns those who buy less than half here."""
    known = facts.profiles["share_of_wallet"].reindex(facts.buyers.index).dropna()
    found = ratio(known, pd.Series(1.0, index=known.index))
    return _measure(facts, found, "wallet", "customers who bought", known.index[known < 0.5])


# -- interact: what is said, and how soon?


def _of_sent(facts: Facts, part: str, whole: str, key: str, base: str) -> Measure:
    rows = facts.sent
    if reason := why_none(rows):
        return unknown(key, reason)
    by_customer = rows.groupby("customer_id")[[part, whole]].sum()
    found = ratio(by_customer[part], by_customer[whole])
    return _measure(facts, found, key, base, by_customer.index[by_customer[part] == 0])


@measure(touchpoints="direction response")
def response_rate(facts: Facts) -> Measure:
    """Contacts by the firm after which the customer clicked, replied or bought; it concerns those who never did."""
    return _of_sent(
        facts, "responses", "answerable", "response_rate", "contacts by the firm whose outcome is noted"
    )


@measure(touchpoints="direction")
def cost_per_contact(facts: Facts) -> Measure:
    """What a contact by the firm costs: outlays, and minutes at the study's price of a minute."""
    found = _of_sent(facts, "spent", "sent", "cost_per_contact", "contacts by the firm")
    if found.reason:
        return found
    return found._replace(
        customers=np.nan, money=float(facts.sent["spent"].sum()), money_is="spent on contacts"
    )


@measure()
def answered_in_day(facts: Facts) -> Measure:
    """What customers asked and had answered within 24 hours; it concerns those who once waited longer."""
    rows = facts.asked
    if reason := why_none(rows):
        return unknown("answered_in_day", reason)
    found = ratio(rows["in_day"], rows["asked"], rows["customer_id"])
    late = rows.loc[rows["in_day"] < rows["asked"], "customer_id"]
    return _measure(facts, found, "answered_in_day", "questions and cases of customers", late)


@measure(touchpoints="promise_due")
def promises_broken(facts: Facts) -> Measure:
    """Promises due in the window that were not kept by their day; it concerns the customers who had them."""
    rows = facts.habits[facts.habits["promises"] > 0]
    found = ratio(rows["broken"], rows["promises"])
    return _measure(facts, found, "promises_broken", "promises that were due", rows.index[rows["broken"] > 0])


@measure(surveys="")
def feedback_followed(facts: Facts) -> Measure:
    """Poor answers that the firm followed up; it concerns customers of whom one was left alone."""
    if reason := why_none(facts.answers):
        return unknown("feedback_followed", reason)
    rows = facts.answers[facts.answers["poor"] > 0]
    alone = rows.index[rows["followed"] < rows["poor"]]
    return _measure(facts, ratio(rows["followed"], rows["poor"]), "feedback_followed", "poor answers", alone)


# -- customise: are customers treated differently?


@measure(touchpoints="direction customised")
def customised(facts: Facts) -> Measure:
    """Contacts by the firm that were made for the customer; it concerns those who never had one."""
    return _of_sent(facts, "customised", "sent", "customised", "contacts by the firm")


@measure(touchpoints="direction customised")
def customised_for_best(facts: Facts) -> Measure:
    """Share of customised contacts to the fifth of buyers with most value, less that to the others."""
    if reason := why_none(facts.sent) or why_none(facts.buyers):
        return unknown("customised_for_best", reason)
    rows = facts.sent.groupby("customer_id")[["customised", "sent"]].sum()
    rows = rows[rows.index.isin(facts.buyers.index)]
    best = facts.buyers["value"].rank(pct=True).reindex(rows.index) > 0.8
    ends = [ratio(some["customised"], some["sent"]) for some in (rows[best], rows[~best])]
    one, two = (high - value for value, _low, high in ends)
    reach = float(np.hypot(one, two))
    gap = ends[0][0] - ends[1][0]
    without = rows.index[best & (rows["customised"] == 0)]
    found = (gap, gap - reach, gap + reach)
    return _measure(facts, found, "customised_for_best", "contacts with customers who bought", without)


@measure(experiments="")
def effects_shown(facts: Facts) -> Measure:
    """Randomised experiments whose treatment changed what customers do, beyond chance."""
    study = facts.study
    if not study.has("transactions"):
        return unknown("effects_shown", "no table transactions")
    outcomes = experiment_outcomes(study.transactions, study.table("experiments"), days=60, as_of=facts.day)
    if reason := why_none(outcomes) or why_none(read := read_experiments(outcomes, outcome="bought")):
        return unknown("effects_shown", reason)
    count, treated = int((read["verdict"] == SUPPORTED).sum()), outcomes["customer_id"].unique()
    base = fmt.plural(read["experiment"].nunique(), "randomised experiment")
    return _measure(facts, count, "effects_shown", base, treated)


# -- the habits


@measure(customers="goal_reached adoption")
def success(facts: Facts) -> Measure:
    """Mean of three: goal reached, share in use, no open case; it concerns those below half."""
    if reason := why_none(facts.buyers):
        return unknown("success", reason)
    rows = facts.profiles.reindex(facts.buyers.index)
    score = pd.DataFrame(
        {"goal": rows["goal_reached"].astype(float), "adoption": rows["adoption"].astype(float)}
    )
    score = score.dropna()
    if facts.study.has("service_cases"):
        score["quiet"] = (facts.open_cases.reindex(score.index).fillna(0) == 0).astype(float)
    mean = score.mean(axis=1)
    found = ratio(mean, pd.Series(1.0, index=mean.index))
    return _measure(facts, found, "success", "customers who bought", mean.index[mean < 0.5])


@measure(touchpoints="direction", customers="consent")
def contacted_lately(facts: Facts) -> Measure:
    """Buyers with consent to whom the firm wrote or spoke within the last days."""
    if reason := why_none(facts.buyers):
        return unknown("contacted_lately", reason)
    allowed = facts.profiles["consent"].reindex(facts.buyers.index).eq(True)
    gap = facts.habits["days_since_sent"].reindex(facts.buyers.index[allowed])
    return _share(
        facts, gap <= CONTACT_DAYS, "contacted_lately", "customers who bought and may be written to"
    )


# -- the value chain


@measure()
def significant_customers(facts: Facts) -> Measure:
    """Customers who matter beyond what they buy: by future value, volume, the doors they open, the cost they carry."""
    table, ids = roles(facts)
    if reason := why_none(table):
        return unknown("significant_customers", reason)
    return _measure(facts, float(len(ids)), "significant_customers", "customers who bought", ids)


@measure(network_partners="value_received_per_year cost_per_year")
def network_balance(facts: Facts) -> Measure:
    """What the network brings in a year less what it costs; the money concerned is what partners lose the firm."""
    rows = partners(facts)
    lost = -float(rows["balance"].clip(upper=0).sum())
    found = _measure(facts, float(rows["balance"].sum()), "network_balance", "partners", money=lost)
    return found._replace(money_is=_LOST)


@measure(network_partners="value_received_per_year cost_per_year")
def partners_losing(facts: Facts) -> Measure:
    """Partners who cost more than they bring."""
    rows = partners(facts)
    lost = -float(rows["balance"].clip(upper=0).sum())
    found = _measure(facts, float((rows["balance"] < 0).sum()), "partners_losing", "partners", money=lost)
    return found._replace(money_is=_LOST)


@measure(surveys="")
def both_gain(facts: Facts) -> Measure:
    """Buyers who are satisfied and bring money; it concerns those who bring money and are not satisfied."""
    rows = sides(facts)
    if reason := why_none(rows):
        return unknown("both_gain", reason)
    gains, content = rows["value"] > 0, rows["satisfied"] == 1
    found = _share(facts, gains & content, "both_gain", "customers who bought and answered")
    at_risk = rows.index[gains & ~content]
    return found._replace(customers=float(len(at_risk)), money=float(rows.loc[at_risk, "value"].sum()))


@measure(customers="manager_id")
def accounts_per_manager(facts: Facts) -> Measure:
    """Customers with a manager per manager."""
    managers = facts.profiles["manager_id"].dropna()
    number = len(managers) / managers.nunique()
    return _measure(facts, number, "accounts_per_manager", "customers with a manager", managers.index)


@measure(staff_hours="")
def hours_on_customers(facts: Facts) -> Measure:
    """Of the hours of selling and serving, the share spent on customers won before: accounts and service."""
    rows = facts.staff()
    if reason := why_none(rows):
        return unknown("hours_on_customers", reason)
    hours = rows.assign(kept=rows["activity"].isin(["account management", "service"]))
    hours = hours[hours["kept"] | hours["activity"].isin(["prospecting", "selling"])]
    found = ratio(hours["hours"].where(hours["kept"], 0.0), hours["hours"], hours["employee_id"])
    paid = float(hours.loc[~hours["kept"], "cost"].sum())
    about = _measure(facts, found, "hours_on_customers", "hours of selling and serving", money=paid)
    return about._replace(money_is="of wages for winning customers")


@measure(staff_hours="left_on")
def staff_left(facts: Facts) -> Measure:
    """Of the employees of the window, the share who left in it; the money concerned is their wages."""
    rows = facts.staff()
    if reason := why_none(rows):
        return unknown("staff_left", reason)
    left = rows.groupby("employee_id")["left"].any()
    low, high = wilson_interval(int(left.sum()), len(left))
    paid = float(rows.loc[rows["employee_id"].isin(left.index[left]), "cost"].sum())
    found = (float(left.mean()), float(low), float(high))
    return _measure(facts, found, "staff_left", "employees", money=paid)._replace(
        money_is="of wages of those who left"
    )


# -- what customers say


@measure(surveys="")
def satisfied(facts: Facts) -> Measure:
    """Customers whose last answer on satisfaction was four of five or better; it concerns the others."""
    return _of_answers(facts, "satisfied", "customers who said how satisfied they are")


@measure(surveys="")
def promoters(facts: Facts) -> Measure:
    """Customers who would recommend the firm, with nine of ten or more; it concerns the others."""
    return _of_answers(facts, "promoter", "customers who said whether they would recommend the firm")


def _of_answers(facts: Facts, column: str, base: str) -> Measure:
    key = {"satisfied": "satisfied", "promoter": "promoters"}[column]
    if reason := why_none(facts.answers):
        return unknown(key, reason)
    return _share(facts, facts.answers[column].dropna() == 1, key, base)


# -- accounts


@measure(customers="planned_value")
def plan_captured(facts: Facts) -> Measure:
    """The share of the planned value that came; it concerns accounts below plan, and what they lack."""
    rows = accounts(facts)
    if reason := why_none(rows):
        return unknown("plan_captured", reason)
    found, below = ratio(rows["realised"], rows["planned_value"]), rows[rows["gap"] < 0]
    base = "accounts with a plan"
    short = -float(below["gap"].sum())
    return _measure(facts, found, "plan_captured", base, below["customer_id"], short)._replace(
        money_is=_SHORT
    )


@measure(customers="planned_value")
def plan_reached(facts: Facts) -> Measure:
    """Accounts that brought what their plan names; it concerns the others, and what they lack."""
    rows = accounts(facts)
    if reason := why_none(rows):
        return unknown("plan_reached", reason)
    found = _share(facts, rows.set_index("customer_id")["gap"] >= 0, "plan_reached", "accounts with a plan")
    return found._replace(money=-float(rows["gap"].clip(upper=0).sum()), money_is=_SHORT)


@measure(customers="planned_value goal_reached")
def value_recognised(facts: Facts) -> Measure:
    """Accounts with a plan that reached the goal for which they buy."""
    rows = facts.profiles[facts.profiles["planned_value"] > 0]
    reached = rows["goal_reached"].dropna().astype(bool)
    return _share(facts, reached, "value_recognised", "accounts with a plan")


# -- long and short, much and little


@measure()
def loyalty_and_value(facts: Facts) -> Measure:
    """The rank correlation of the time since the first purchase with the value of the window."""
    _table, rows = loyalty_grid(facts)
    if reason := why_none(rows):
        return unknown("loyalty_and_value", reason)
    rho = float(rows["tenure_days"].corr(rows["value"], method="spearman"))
    reach = normal_quantile(0.95) * 1.03 / np.sqrt(max(len(rows) - 3, 1))  # Fieller's variance of Fisher's z
    low, high = np.tanh(np.arctanh(np.clip(rho, -0.9999, 0.9999)) + np.array([-reach, reach]))
    barnacles = rows.index[rows["loyalty_group"] == "barnacles"]
    base = "customers who bought before the window and in it"
    return _measure(facts, (rho, float(low), float(high)), "loyalty_and_value", base, barnacles)


@measure()
def barnacle_value(facts: Facts) -> Measure:
    """What the customers of long standing and little value bring."""
    _table, rows = loyalty_grid(facts)
    if reason := why_none(rows):
        return unknown("barnacle_value", reason)
    some = rows[rows["loyalty_group"] == "barnacles"]
    money = float(some["value"].sum())
    return _measure(facts, money, "barnacle_value", "customers of long standing and little value", some.index)


@measure(touchpoints="direction")
def friends_contacted(facts: Facts) -> Measure:
    """Customers of long standing and much value to whom the firm wrote or spoke within the last days."""
    _table, rows = loyalty_grid(facts)
    if reason := why_none(rows):
        return unknown("friends_contacted", reason)
    friends = rows.index[rows["loyalty_group"] == "true friends"]
    gap = facts.habits["days_since_sent"].reindex(friends)
    base = "customers of long standing and much value"
    return _share(facts, gap <= CONTACT_DAYS, "friends_contacted", base)


# -- beliefs


@measure(hypotheses="")
def hypotheses_tested(facts: Facts) -> Measure:
    """Beliefs that were tested against a pass mark set before the result."""
    rows = hypotheses(facts)
    fair = rows["outcome"].isin(["passed", "failed"])
    low, high = wilson_interval(int(fair.sum()), len(rows))
    found = (float(fair.mean()), float(low), float(high))
    return _measure(facts, found, "hypotheses_tested", "beliefs in the log")
