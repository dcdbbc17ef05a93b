"""Lessons 10 to 14: winning, keeping and growing customers, frameworks and decisions."""

from __future__ import annotations

from typing import Any

import pandas as pd

from crmlib.lessons.exercise import exercise
from crmlib.lessons.exercises.customers import _outcome
from crmlib.lessons.exercises.frames import bought, first_day, of_year, repeat_share
from crmlib.simulation.simulate import SimulatedFirm

Answer = tuple[Any, dict[str, Any]]
WINNING = ("prospecting", "selling", "marketing")


@exercise("10.1")
def _cac(firm: SimulatedFirm) -> Answer:
    spend = of_year(firm.tables["marketing_spend"], 2025)["amount"].sum()
    hours = of_year(firm.tables["staff_hours"], 2025)
    wages = hours[hours["activity"].isin(WINNING)]["cost"].sum()
    won = (first_day(firm).dt.year == 2025).sum()
    leads = len(of_year(firm.tables["leads"], 2025, "created"))
    return (spend + wages) / won, {
        "The wages are missing: of prospecting, selling and marketing.": spend / won,
        "You divided by leads. Most of them never buy.": (spend + wages) / leads,
        "You added all wages. Service and account management are for customers whom the firm has.": (
            spend + hours["cost"].sum()
        )
        / won,
        "You divided by all buyers of 2025. Which of them are new?": (spend + wages)
        / of_year(bought(firm), 2025)["customer_id"].nunique(),
    }


@exercise("10.2")
def _cost_per_lead(firm: SimulatedFirm) -> Answer:
    spend = of_year(firm.tables["marketing_spend"], 2025).query("channel == 'social'")
    leads = of_year(firm.tables["leads"], 2025, "created").query("channel == 'social'")
    return spend["amount"].sum() / len(leads), {
        "This is the cost per click.": spend["amount"].sum() / spend["clicks"].sum(),
        "This is the cost per 1,000 impressions.": 1000 * spend["amount"].sum() / spend["impressions"].sum(),
        "This is the cost per prospect won. Count all leads.": spend["amount"].sum()
        / leads["won_on"].notna().sum(),
        "You took all channels.": of_year(firm.tables["marketing_spend"], 2025)["amount"].sum()
        / len(of_year(firm.tables["leads"], 2025, "created")),
    }


@exercise("11.1")
def _five_points(firm: SimulatedFirm) -> Answer:
    r, i = repeat_share(firm), 0.10

    def multiple(rate: float) -> float:
        return rate / (1 + i - rate)

    return multiple(r + 0.05) / multiple(r) - 1, {
        "Five points are r + 0.05, not r × 1.05.": multiple(1.05 * r) / multiple(r) - 1,
        "This is the new value as a multiple of the old one. By which share is it larger?": multiple(r + 0.05)
        / multiple(r),
        "This is the difference of the two multiples. Divide it by the first one.": multiple(r + 0.05)
        - multiple(r),
    }


@exercise("11.2")
def _members_before(firm: SimulatedFirm) -> Answer:
    ledger, lines = firm.tables["loyalty_ledger"], bought(firm)
    joined = ledger[ledger["kind"] == "joined"].groupby("customer_id")["date"].min()
    first = first_day(firm)
    known = first[first.dt.year == 2023].index
    orders = {
        year: of_year(lines, year).groupby("customer_id")["order_id"].nunique().reindex(known).fillna(0)
        for year in (2024, 2025)
    }
    in_2025 = known.isin(joined[joined.dt.year == 2025].index)
    never = ~known.isin(joined.index)
    member = known.isin(joined.index)
    before = orders[2024]
    return before[in_2025].mean() / before[never].mean(), {
        "This is 2025, when they were members. Look at the year before they joined.": orders[2025][in_2025].mean()
        / orders[2025][never].mean(),
        "You took members of all years. Many of them were members in 2024 already.": before[member].mean()
        / before[never].mean(),
        "You compared with everybody else. Some of them are members.": before[in_2025].mean()
        / before[~in_2025].mean(),
    }


@exercise("12.1")
def _lift(firm: SimulatedFirm) -> Answer:
    people = firm.tables["customers"].set_index("customer_id")["product_type"]
    lines = bought(firm)
    has = pd.crosstab(lines["customer_id"], lines["category"]) > 0
    shop = has[has.index.map(people) == "physical"]

    def lift(some: pd.DataFrame) -> float:
        return (some["kitchen"] & some["garden"]).mean() / (some["kitchen"].mean() * some["garden"].mean())

    return lift(shop), {
        "You took all customers. Those of the bank cannot buy either, and that alone makes a lift.": lift(has),
        "This is the share of kitchen buyers who bought garden. Divide it by the share of everybody who did.": shop[
            shop["kitchen"]
        ]["garden"].mean(),
        "This is the share who bought both. What would it be if the two had nothing to do with each other?": (
            shop["kitchen"] & shop["garden"]
        ).mean(),
    }


@exercise("12.2")
def _referral_value(firm: SimulatedFirm) -> Answer:
    referrer = firm.tables["customers"]["referrer_id"].dropna()
    people = referrer.nunique()
    return len(referrer) * (60 + 20) / people, {
        "This is the lower bound: everybody would have come anyway, and only the cost of winning is saved.": len(
            referrer
        )
        * 20
        / people,
        "The cost of winning them is saved as well.": len(referrer) * 60 / people,
        "You divided by all customers. The question is about those who recommended.": len(referrer)
        * 80
        / len(firm.tables["customers"]),
        "This is per recommended customer. How much is it per customer who recommended?": 80.0,
    }


@exercise("13.1")
def _two_raters(firm: SimulatedFirm) -> Answer:
    scores = firm.tables["maturity_scores"].pivot_table(
        index=["model", "element"], columns="rater", values="score"
    )
    gap = (scores["rater 1"] - scores["rater 2"]).abs()
    return (gap <= 1).mean(), {
        "This is the share of exactly equal scores. One point apart counts as agreement here.": (gap == 0).mean(),
        "This is the mean distance in points.": gap.mean(),
        "This is the correlation. Two raters can agree on the order and differ by two points everywhere.": scores[
            "rater 1"
        ].corr(scores["rater 2"]),
    }


@exercise("13.2")
def _more_than_one_id(firm: SimulatedFirm) -> Answer:
    people = firm.tables["customers"]
    mail = people.duplicated("email", keep=False)
    phone = people["phone"].notna() & people.duplicated("phone", keep=False)
    return (mail | phone).sum(), {
        "E-mail alone misses those who gave a second address.": mail.sum(),
        "Phone alone misses those who gave no number the second time.": phone.sum(),
        "Two persons can have one name.": people.duplicated("name", keep=False).sum(),
        "You left out the first id of each. How many ids share a person with another one?": (
            people.duplicated("email") | (people["phone"].notna() & people.duplicated("phone"))
        ).sum(),
    }


@exercise("14.1")
def _profit_per_offer(firm: SimulatedFirm) -> Answer:
    lines = firm.tables["transactions"]
    people = _outcome(firm, "offer-2024", 365, lines["amount"])
    treated, control = (people[people["group"] == group] for group in ("treated", "control"))
    gain = treated["after"].mean() - control["after"].mean()
    return gain - 4, {
        "The offer costs 4 for everybody who gets it.": gain,
        "This is what the treated brought. The control group brought nearly as much without an offer.": treated[
            "after"
        ].mean()
        - 4,
        "This compares with the year before. Use the control group.": treated["after"].mean()
        - treated["before"].mean()
        - 4,
    }


@exercise("14.2")
def _may_be_written_to(firm: SimulatedFirm) -> Answer:
    lines, people = bought(firm), firm.tables["customers"]
    before, after = (set(of_year(lines, year)["customer_id"]) for year in (2024, 2025))
    silent = people[people["customer_id"].isin(before - after)]
    trial = firm.tables["experiments"].query("experiment == 'offer-2025'")
    control = trial[trial["group"] == "control"]["customer_id"]
    in_control = silent["customer_id"].isin(control)
    in_trial = silent["customer_id"].isin(trial["customer_id"])
    return (silent["consent"] & ~in_control).sum(), {
        "Not all of them agreed to be written to.": len(silent),
        "The control group of offer-2025 must not get an offer before the test is over.": silent["consent"].sum(),
        "You forgot the consent.": (~in_control).sum(),
        "Who was treated may get another offer: leave out the control group alone.": (
            silent["consent"] & ~in_trial
        ).sum(),
    }
