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
    return (spend + wages) / won, dict(
        no_wages=spend / won,
        per_lead=(spend + wages) / leads,
        all_wages=(spend + hours["cost"].sum()) / won,
        all_buyers=(spend + wages) / of_year(bought(firm), 2025)["customer_id"].nunique(),
    )


@exercise("10.2")
def _cost_per_lead(firm: SimulatedFirm) -> Answer:
    spend = of_year(firm.tables["marketing_spend"], 2025).query("channel == 'social'")
    leads = of_year(firm.tables["leads"], 2025, "created").query("channel == 'social'")
    return spend["amount"].sum() / len(leads), dict(
        per_click=spend["amount"].sum() / spend["clicks"].sum(),
        per_thousand=1000 * spend["amount"].sum() / spend["impressions"].sum(),
        per_customer=spend["amount"].sum() / leads["won_on"].notna().sum(),
        all_channels=of_year(firm.tables["marketing_spend"], 2025)["amount"].sum()
        / len(of_year(firm.tables["leads"], 2025, "created")),
    )


@exercise("11.1")
def _five_points(firm: SimulatedFirm) -> Answer:
    r, i = repeat_share(firm), 0.10

    def multiple(rate: float) -> float:
        return rate / (1 + i - rate)

    return multiple(r + 0.05) / multiple(r) - 1, dict(
        times=multiple(1.05 * r) / multiple(r) - 1,
        multiple=multiple(r + 0.05) / multiple(r),
        difference=multiple(r + 0.05) - multiple(r),
    )


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
    member = known.isin(joined.index)
    never = ~member
    before = orders[2024]
    return before[in_2025].mean() / before[never].mean(), dict(
        after=orders[2025][in_2025].mean() / orders[2025][never].mean(),
        all_members=before[member].mean() / before[never].mean(),
        everybody_else=before[in_2025].mean() / before[~in_2025].mean(),
    )


@exercise("12.1")
def _lift(firm: SimulatedFirm) -> Answer:
    people = firm.tables["customers"].set_index("customer_id")["product_type"]
    lines = bought(firm)
    has = pd.crosstab(lines["customer_id"], lines["category"]) > 0
    shop = has[has.index.map(people) == "physical"]

    def lift(some: pd.DataFrame) -> float:
        return (some["kitchen"] & some["garden"]).mean() / (some["kitchen"].mean() * some["garden"].mean())

    return lift(shop), dict(
        all_customers=lift(has),
        confidence=shop[shop["kitchen"]]["garden"].mean(),
        share=(shop["kitchen"] & shop["garden"]).mean(),
    )


@exercise("12.2")
def _referral_value(firm: SimulatedFirm) -> Answer:
    referrer = firm.tables["customers"]["referrer_id"].dropna()
    people = referrer.nunique()
    return len(referrer) * (60 + 20) / people, dict(
        lower_bound=len(referrer) * 20 / people,
        not_saved=len(referrer) * 60 / people,
        all_customers=len(referrer) * 80 / len(firm.tables["customers"]),
        per_recommended=80.0,
    )


@exercise("13.1")
def _two_raters(firm: SimulatedFirm) -> Answer:
    scores = firm.tables["maturity_scores"]
    scores = scores.pivot_table(index=["model", "element"], columns="rater", values="score")
    gap = (scores["rater 1"] - scores["rater 2"]).abs()
    return (gap <= 1).mean(), dict(
        equal=(gap == 0).mean(), distance=gap.mean(), correlation=scores["rater 1"].corr(scores["rater 2"])
    )


@exercise("13.2")
def _more_than_one_id(firm: SimulatedFirm) -> Answer:
    people = firm.tables["customers"]
    mail, has_phone = people.duplicated("email", keep=False), people["phone"].notna()
    phone = has_phone & people.duplicated("phone", keep=False)
    later = people.duplicated("email") | (has_phone & people.duplicated("phone"))
    return (mail | phone).sum(), dict(
        mail=mail.sum(),
        phone=phone.sum(),
        name=people.duplicated("name", keep=False).sum(),
        without_first=later.sum(),
    )


@exercise("14.1")
def _profit_per_offer(firm: SimulatedFirm) -> Answer:
    lines = firm.tables["transactions"]
    people = _outcome(firm, "offer-2024", 365, lines["amount"])
    treated, control = (people[people["group"] == group] for group in ("treated", "control"))
    gain = treated["after"].mean() - control["after"].mean()
    return gain - 4, dict(
        no_cost=gain,
        treated_only=treated["after"].mean() - 4,
        own_past=treated["after"].mean() - treated["before"].mean() - 4,
    )


@exercise("14.2")
def _may_be_written_to(firm: SimulatedFirm) -> Answer:
    lines, people = bought(firm), firm.tables["customers"]
    before, after = (set(of_year(lines, year)["customer_id"]) for year in (2024, 2025))
    silent = people[people["customer_id"].isin(before - after)]
    trial = firm.tables["experiments"].query("experiment == 'offer-2025'")
    control = trial[trial["group"] == "control"]["customer_id"]
    in_control = silent["customer_id"].isin(control)
    in_trial = silent["customer_id"].isin(trial["customer_id"])
    return (silent["consent"] & ~in_control).sum(), dict(
        no_consent=len(silent),
        control=silent["consent"].sum(),
        no_test=(~in_control).sum(),
        whole_test=(silent["consent"] & ~in_trial).sum(),
    )
