"""The key figures that no other chapter computes: each is a function named as its figure in figures.toml."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import SUPPORTED
from crmlib.no_rows import no_rows, why_none
from crmlib.rankings import rank_correlation
from crmlib.relationship.duplicates import NONE_FOUND
from crmlib.relationship.scorecards import groups
from crmlib.relationship.scorecards.facts import Facts, ratio
from crmlib.relationship.scorecards.measure import MEASURES, Found, mean_of, measure, part_of, share
from crmlib.statistics import normal_quantile

__all__ = ["MEASURES"]

CONTACT_DAYS = 90  # without a word from the firm, after which a customer counts as forgotten
_SHORT, _LOST = "short of the plan", "that partners cost more than they bring"
_BOUGHT, _PLANNED = "customers who bought", "accounts with a plan"


def _known_of(buyers: pd.DataFrame, column: pd.Series) -> pd.Series:
    """Whether it holds for each buyer; False for a buyer who is not in the table."""
    return column.reindex(buyers.index).eq(True)


@measure("profiles", "buyers")
def identified(profiles: pd.DataFrame, buyers: pd.DataFrame) -> Found:
    """Buyers who stand in the customers' table with an e-mail address or a telephone number."""
    return share(_known_of(buyers, profiles["reachable"]), _BOUGHT)


@measure("profiles", "buyers")
def profile_filled(profiles: pd.DataFrame, buyers: pd.DataFrame) -> Found:
    """Of name, e-mail, telephone, birthday, market and channel, the share that is filled, over buyers."""
    filled = profiles["filled"].reindex(buyers.index).fillna(0.0)
    return Found(mean_of(filled), _BOUGHT, filled.index[filled < 1 - 1e-9])


def _listed(facts: Facts) -> pd.DataFrame:
    """For each id of the table customers: is it a duplicate (`extra`), and has its person several ids (`several`)?"""
    found, ids = facts.duplicates, facts.profiles.index.astype(str)
    if (why := why_none(found)) not in ("", NONE_FOUND):
        return no_rows("extra several", why)
    extra = ids.isin(found["same_as"])
    several = extra | ids.isin(found["customer_id"])
    return pd.DataFrame({"extra": extra, "several": several}, facts.profiles.index)


@measure("profiles", _listed)
def listed_twice(_profiles: pd.DataFrame, listed: pd.DataFrame) -> Found:
    """Ids that are likely duplicates of another customer; it concerns all ids of those customers."""
    share, concerned = float(listed["extra"].mean()), listed.index[listed["several"]]
    return Found(share, "customers in the table customers", concerned)


@measure("profiles", "buyers", customers="consent")
def consented(profiles: pd.DataFrame, buyers: pd.DataFrame) -> Found:
    """Buyers to whom the firm may write; a missing consent is none."""
    return share(_known_of(buyers, profiles["consent"]), _BOUGHT)


@measure("profiles", "buyers", customers="birthday birthday_consent")
def birthday_reachable(profiles: pd.DataFrame, buyers: pd.DataFrame) -> Found:
    """Buyers whose birthday is known and may be used to write to them."""
    return share(_known_of(buyers, profiles["birthday"]), _BOUGHT)


@measure("habits", touchpoints="fields_learned")
def fields_per_contact(habits: pd.DataFrame) -> Found:
    """Fields of the profile that a contact fills; it concerns customers whose contacts filled none."""
    rows = habits[habits["contacts"] > 0]
    found, silent = ratio(rows["fields"], rows["contacts"]), rows.index[rows["learned"] == 0]
    return Found(found, "contacts with customers", silent)


@measure(groups.value_types)
def growable_customers(types: pd.DataFrame) -> Found:
    """Customers of little value today who buy most of what they need elsewhere; the money is what they spend there."""
    many, money = types.set_index("value_type").loc["most growable", ["customers", "untapped"]]
    concerned = dict(customers=many, money=money, money_is="that they spend elsewhere")
    return Found(float(many), "customers who bought, share of wallet known", **concerned)


@measure("profiles", "buyers", customers="share_of_wallet")
def wallet(profiles: pd.DataFrame, buyers: pd.DataFrame) -> Found:
    """The mean share of buyers' need that is bought here; it concerns those who buy less than half here."""
    known = profiles["share_of_wallet"].reindex(buyers.index).dropna()
    return Found(mean_of(known), _BOUGHT, known.index[known < 0.5])


def _of_sent(rows: pd.DataFrame, part: str, whole: str, base: str) -> Found:
    by_customer = rows.groupby("customer_id")[[part, whole]].sum()
    found = ratio(by_customer[part], by_customer[whole])
    return Found(found, base, by_customer.index[by_customer[part] == 0])


@measure("sent", touchpoints="response")
def response_rate(sent: pd.DataFrame) -> Found:
    """Contacts by the firm after which the customer clicked, replied or bought; it concerns those who never did."""
    base = "contacts by the firm whose outcome is noted"
    return _of_sent(sent, "responses", "answerable", base)


@measure("sent")
def cost_per_contact(sent: pd.DataFrame) -> Found:
    """What a contact by the firm costs: outlays, and minutes at the study's price of a minute."""
    found = _of_sent(sent, "spent", "sent", "contacts by the firm")
    return found._replace(concerned=None, money=float(sent["spent"].sum()), money_is="spent on contacts")


@measure("asked")
def answered_in_day(asked: pd.DataFrame) -> Found:
    """What customers asked and had answered within 24 hours; it concerns those who once waited longer."""
    late = asked.loc[asked["in_day"] < asked["asked"], "customer_id"]
    found = ratio(asked["in_day"], asked["asked"], asked["customer_id"])
    return Found(found, "questions and cases of customers", late)


@measure("habits", touchpoints="promise_due")
def promises_broken(habits: pd.DataFrame) -> Found:
    """Promises due in the window that were not kept by their day; it concerns the customers who had them."""
    rows = habits[habits["promises"] > 0]
    found, late = ratio(rows["broken"], rows["promises"]), rows.index[rows["broken"] > 0]
    return Found(found, "promises that were due", late)


@measure("answers")
def feedback_followed(answers: pd.DataFrame) -> Found:
    """Poor answers that the firm followed up; it concerns customers of whom one was left alone."""
    rows = answers[answers["poor"] > 0]
    found, alone = ratio(rows["followed"], rows["poor"]), rows.index[rows["followed"] < rows["poor"]]
    return Found(found, "poor answers", alone)


@measure("sent", touchpoints="customised")
def customised(sent: pd.DataFrame) -> Found:
    """Contacts by the firm that were made for the customer; it concerns those who never had one."""
    return _of_sent(sent, "customised", "sent", "contacts by the firm")


@measure("sent", "buyers", touchpoints="customised")
def customised_for_best(sent: pd.DataFrame, buyers: pd.DataFrame) -> Found:
    """Share of customised contacts to the fifth of buyers with most value, less that to the others."""
    rows = sent.groupby("customer_id")[["customised", "sent"]].sum()
    rows = rows[rows.index.isin(buyers.index)]
    best = buyers["value"].rank(pct=True).reindex(rows.index) > 0.8
    parts = (ratio(some["customised"], some["sent"]) for some in (rows[best], rows[~best]))
    (to_best, _low, high), (to_others, _low, high_of_others) = parts
    reach, apart = float(np.hypot(high - to_best, high_of_others - to_others)), to_best - to_others
    found, without = (apart, apart - reach, apart + reach), rows.index[best & (rows["customised"] == 0)]
    return Found(found, "contacts with customers who bought", without)


@measure(Facts.experiments)
def effects_shown(read: pd.DataFrame) -> Found:
    """Randomised experiments whose treatment changed what customers do, beyond chance."""
    base = fmt.plural(read["experiment"].nunique(), "randomised experiment")
    return Found(float((read["verdict"] == SUPPORTED).sum()), base)


@measure(groups.success_parts, customers="goal_reached adoption")
def success(parts: pd.DataFrame) -> Found:
    """Mean of three: goal reached, share in use, no open case; it concerns those below half."""
    mean = parts.mean(axis=1)
    return Found(mean_of(mean), _BOUGHT, mean.index[mean < 0.5])


@measure("habits", "profiles", "buyers", touchpoints="direction", customers="consent")
def contacted_lately(habits: pd.DataFrame, profiles: pd.DataFrame, buyers: pd.DataFrame) -> Found:
    """Buyers with consent to whom the firm wrote or spoke within the last days."""
    gap = habits["days_since_sent"].reindex(buyers.index[_known_of(buyers, profiles["consent"])])
    return share(gap <= CONTACT_DAYS, "customers who bought and may be written to")


@measure(groups.significance)
def significant_customers(holds: pd.DataFrame) -> Found:
    """Customers who matter beyond what they buy: by future value, volume, the doors they open, the cost they carry."""
    ids = holds.index[holds.any(axis=1)]
    return Found(float(len(ids)), _BOUGHT, ids)


@measure(groups.partners, network_partners="value_received_per_year cost_per_year")
def network_balance(rows: pd.DataFrame) -> Found:
    """What the network brings in a year less what it costs; the money concerned is what partners lose the firm."""
    lost = -float(rows["balance"].clip(upper=0).sum())
    return Found(float(rows["balance"].sum()), "partners", money=lost, money_is=_LOST)


@measure(groups.partners, network_partners="value_received_per_year cost_per_year")
def partners_losing(rows: pd.DataFrame) -> Found:
    """Partners who cost more than they bring."""
    number, lost = float((rows["balance"] < 0).sum()), -float(rows["balance"].clip(upper=0).sum())
    return Found(number, "partners", money=lost, money_is=_LOST)


@measure(groups.sides)
def both_gain(rows: pd.DataFrame) -> Found:
    """Buyers who are satisfied and bring money; it concerns those who bring money and are not satisfied."""
    gains, content = rows["value"] > 0, rows["satisfied"] == 1
    base, at_risk = "customers who bought and answered", rows.index[gains & ~content]
    return share(gains & content, base, concerned=at_risk)


@measure("profiles", customers="manager_id")
def accounts_per_manager(profiles: pd.DataFrame) -> Found:
    """Customers with a manager per manager."""
    managers = profiles["manager_id"].dropna()
    each = len(managers) / managers.nunique()
    return Found(each, "customers with a manager", managers.index)


@measure("staff")
def hours_on_customers(staff: pd.DataFrame) -> Found:
    """Of the hours of selling and serving, the share spent on customers won before: accounts and service."""
    kept = staff["activity"].isin(["account management", "service"])
    won = staff["activity"].isin(["prospecting", "selling"])
    rows, paid = staff[kept | won], float(staff.loc[won, "cost"].sum())
    found = ratio(rows["hours"].where(kept, 0.0), rows["hours"], rows["employee_id"])
    wages = "of wages for winning customers"
    return Found(found, "hours of selling and serving", money=paid, money_is=wages)


@measure("staff", staff_hours="left_on")
def staff_left(staff: pd.DataFrame) -> Found:
    """Of the employees of the window, the share who left in it; the money concerned is their wages."""
    left = staff.groupby("employee_id")["left"].any()
    paid = float(staff.loc[staff["employee_id"].isin(left.index[left]), "cost"].sum())
    return Found(part_of(left), "employees", money=paid, money_is="of wages of those who left")


@measure("answers")
def satisfied(answers: pd.DataFrame) -> Found:
    """Customers whose last answer on satisfaction was four of five or better; it concerns the others."""
    content = answers["satisfied"].dropna() == 1
    return share(content, "customers who said how satisfied they are")


@measure("answers")
def promoters(answers: pd.DataFrame) -> Found:
    """Customers who would recommend the firm, with nine of ten or more; it concerns the others."""
    would = answers["promoter"].dropna() == 1
    return share(would, "customers who said whether they would recommend the firm")


@measure(groups.accounts)
def plan_captured(rows: pd.DataFrame) -> Found:
    """The share of the planned value that came; it concerns accounts below plan, and what they lack."""
    found, short = ratio(rows["realised"], rows["planned_value"]), rows.loc[rows["against_plan"] < 0]
    lack = -float(short["against_plan"].sum())
    return Found(found, _PLANNED, short["customer_id"], money=lack, money_is=_SHORT)


@measure(groups.accounts)
def plan_reached(rows: pd.DataFrame) -> Found:
    """Accounts that brought what their plan names; it concerns the others, and what they lack."""
    gap = rows.set_index("customer_id")["against_plan"]
    lack = -float(gap.clip(upper=0).sum())
    return share(gap >= 0, _PLANNED, money=lack, money_is=_SHORT)


@measure(groups.accounts, customers="goal_reached")
def value_recognised(rows: pd.DataFrame) -> Found:
    """Accounts with a plan that reached the goal for which they buy."""
    return share(rows.set_index("customer_id")["goal_reached"].dropna(), _PLANNED)


@measure(groups.loyalty_groups)
def loyalty_and_value(rows: pd.DataFrame) -> Found:
    """The rank correlation of the time since the first purchase with the value of the window."""
    rho = rank_correlation(rows["tenure_days"], rows["value"])
    reach = normal_quantile(0.95) * 1.03 / np.sqrt(max(len(rows) - 3, 1))  # Fieller's variance of Fisher's z
    low, high = np.tanh(np.arctanh(np.clip(rho, -0.9999, 0.9999)) + np.array([-reach, reach]))
    base, barnacles = "customers who bought before the window and in it", rows["loyalty_group"] == "barnacles"
    return Found((rho, float(low), float(high)), base, rows.index[barnacles])


@measure(groups.loyalty_groups)
def barnacle_value(rows: pd.DataFrame) -> Found:
    """What the customers of long standing and little value bring."""
    some, base = rows[rows["loyalty_group"] == "barnacles"], "customers of long standing and little value"
    return Found(float(some["value"].sum()), base, some.index)


@measure(groups.loyalty_groups, "habits", touchpoints="direction")
def friends_contacted(rows: pd.DataFrame, habits: pd.DataFrame) -> Found:
    """Customers of long standing and much value to whom the firm wrote or spoke within the last days."""
    gap = habits["days_since_sent"].reindex(rows.index[rows["loyalty_group"] == "true friends"])
    base = "customers of long standing and much value"
    return share(gap <= CONTACT_DAYS, base)


@measure(groups.hypotheses)
def hypotheses_tested(rows: pd.DataFrame) -> Found:
    """Beliefs that were tested against a pass mark set before the result."""
    fair = rows["outcome"].isin(["passed", "failed"])
    return Found(part_of(fair), "beliefs in the log")
