"""Lessons 1 to 5: the log, the audit, cohorts, treatments and segments."""

from __future__ import annotations

from typing import Any

import pandas as pd

from crmlib.lessons.exercise import exercise
from crmlib.lessons.exercises.frames import LAST_DAY, after_first, bought, contracts, of_year, purchase_days
from crmlib.simulation.simulate import SimulatedFirm

Answer = tuple[Any, dict[str, Any]]
FOR_80_PER_CENT = 7.85  # (1.96 + 0.84) squared: a test at 5 % with a power of 80 %


@exercise("1.1")
def _orders(firm: SimulatedFirm) -> Answer:
    log, lines = firm.tables["transactions"], bought(firm)
    return log["order_id"].nunique(), {
        "You counted rows. A row is one product of an order, or a return.": len(log),
        "You left the returns out, but a row is still one product of an order.": len(lines),
        "You counted days with a purchase. A customer can order twice on one day.": len(purchase_days(lines)),
        "These are customers.": log["customer_id"].nunique(),
    }


@exercise("1.2")
def _order_value(firm: SimulatedFirm) -> Answer:
    log, lines = firm.tables["transactions"], bought(firm)
    orders = log["order_id"].nunique()
    return log["amount"].sum() / orders, {
        "This is before returns: money that went back to the customer is no revenue.": lines["amount"].sum()
        / orders,
        "This is the mean of the rows. An order has several.": log["amount"].mean(),
        "This is per customer, not per order.": log["amount"].sum() / log["customer_id"].nunique(),
        "A return is not an order. You counted orders and returns in the divisor.": log["amount"].sum()
        / (orders + log["returned"].sum()),
    }


@exercise("2.1")
def _one_time(firm: SimulatedFirm) -> Answer:
    lines = bought(firm)
    days = purchase_days(of_year(lines, 2025)).groupby("customer_id").size()
    ever = purchase_days(lines).groupby("customer_id").size()
    rows = of_year(firm.tables["transactions"], 2025).groupby("customer_id").size()
    return (days == 1).mean(), {
        "You looked at the whole log. The question is about 2025.": (ever == 1).mean(),
        "You counted rows. One order of three products is one purchase.": (rows == 1).mean(),
        "These are the buyers who bought on more than one day.": (days > 1).mean(),
        "You divided by all customers ever. The base is the buyers of 2025.": (days == 1).sum() / len(ever),
    }


@exercise("2.2")
def _top_tenth(firm: SimulatedFirm) -> Answer:
    log = firm.tables["transactions"]
    year = of_year(log, 2025)
    spend = year.groupby("customer_id")["amount"].sum().sort_values(ascending=False)
    by_order = year.groupby("order_id")["amount"].sum().sort_values(ascending=False)
    ever = log.groupby("customer_id")["amount"].sum().sort_values(ascending=False)
    return spend.iloc[: round(0.1 * len(spend))].sum() / spend.sum(), {
        "These are the largest orders. Add up the orders of each customer first.": by_order.iloc[
            : round(0.1 * len(by_order))
        ].sum()
        / by_order.sum(),
        "You used all years. The question is about 2025.": ever.iloc[: round(0.1 * len(ever))].sum() / ever.sum(),
        "This is the best fifth. The question is about the best tenth.": spend.iloc[: round(0.2 * len(spend))].sum()
        / spend.sum(),
    }


@exercise("3.1")
def _second_within_a_year(firm: SimulatedFirm) -> Answer:
    rows = after_first(firm)
    rows = rows[~rows["returned"]]
    first = rows["date"] - pd.to_timedelta(rows["age"], unit="D")
    cohort = rows[first.dt.year == 2023]
    size = cohort["customer_id"].nunique()
    again = cohort[(cohort["age"] > 0) & (cohort["age"] <= 365)]["customer_id"].nunique()
    in_2023 = cohort[(cohort["age"] > 0) & (cohort["date"].dt.year == 2023)]["customer_id"].nunique()
    return again / size, {
        "You counted a second purchase at any time. Give everybody the same 365 days.": cohort[
            cohort["age"] > 0
        ]["customer_id"].nunique()
        / size,
        "You stopped at the end of 2023. Who came in December then had one month, others had twelve.": in_2023
        / size,
        "Two products on the first day are one purchase. Look at later days only.": (
            cohort[cohort["age"] <= 365].groupby("customer_id").size() > 1
        ).mean(),
        "You took customers of all years. The cohort is those who first bought in 2023.": rows[
            (rows["age"] > 0) & (rows["age"] <= 365)
        ]["customer_id"].nunique()
        / rows["customer_id"].nunique(),
    }


@exercise("3.2")
def _mixed_retention(firm: SimulatedFirm) -> Answer:
    light = float((contracts(firm)["plan"] == "light").mean())

    def left(month: int) -> float:
        return light * 0.80**month + (1 - light) * 0.98**month

    return left(6) / left(5), {
        "This is the mean of the two rates. It holds in month 1 only: after that the light plans are fewer.": left(
            1
        ),
        "This is the share of the start that is still there after month 6. Divide it by those after month 5.": left(6),
        "This is month 5. Month 6 leads from those after 5 months to those after 6.": left(5) / left(4),
    }


def _outcome(firm: SimulatedFirm, name: str, days: int, value: pd.Series | None = None) -> pd.DataFrame:
    """Participants of an experiment with their number of orders, or their sum of `value`, within so many days."""
    people = firm.tables["experiments"].query("experiment == @name")
    log = firm.tables["transactions"]
    rows = (log if value is not None else bought(firm).drop_duplicates("order_id")).merge(
        people[["customer_id", "assigned"]], on="customer_id"
    )
    age = (rows["date"] - rows["assigned"]).dt.days
    weight = pd.Series(1.0, rows.index) if value is None else rows["amount"] - rows["cost"]
    sums = {
        what: weight[inside].groupby(rows["customer_id"]).sum()
        for what, inside in {"after": (age > 0) & (age <= days), "before": (age <= 0) & (age > -days)}.items()
    }
    return people.assign(**{what: people["customer_id"].map(found).fillna(0.0) for what, found in sums.items()})


@exercise("4.1")
def _reminder(firm: SimulatedFirm) -> Answer:
    people = _outcome(firm, "reminder-2025", 90)
    treated, control = (people[people["group"] == group] for group in ("treated", "control"))
    return treated["after"].mean() - control["after"].mean(), {
        "This compares the treated with their own past. A season changes both groups; use the control group.": treated[
            "after"
        ].mean()
        - treated["before"].mean(),
        "You left out those who bought nothing. Chance put them into the groups too, with 0 orders.": treated[
            treated["after"] > 0
        ]["after"].mean()
        - control[control["after"] > 0]["after"].mean(),
        "The sign is turned round: treated minus control.": control["after"].mean() - treated["after"].mean(),
        "You compared sums. The groups are not equally large.": treated["after"].sum() - control["after"].sum(),
    }


@exercise("4.2", tolerance=0.005)
def _sample_size(firm: SimulatedFirm) -> Answer:
    people = _outcome(firm, "reminder-2025", 90)
    after = people[people["group"] == "control"]["after"]
    n = 2 * FOR_80_PER_CENT * after.var() / 0.1**2
    return n, {
        "The factor 2 is missing: both groups vary by chance.": n / 2,
        "This is the number in both groups together. How many in each?": 2 * n,
        "You used the standard deviation. The formula has its square.": n / after.std(),
        "The difference stands squared in the divisor: half the difference needs four times the customers.": n * 0.1,
    }


@exercise("5.1")
def _frequency_and_later_spend(firm: SimulatedFirm) -> Answer:
    lines = bought(firm)
    days = purchase_days(lines[lines["date"] <= "2024-12-31"]).groupby("customer_id").size()
    later = of_year(firm.tables["transactions"], 2025).groupby("customer_id")["amount"].sum()
    spend = later.reindex(days.index).fillna(0.0)
    some = spend[spend > 0]
    return days.corr(spend, method="spearman"), {
        "This is the correlation of the amounts, in which a few large spenders decide. Use the ranks.": days.corr(
            spend
        ),
        "You left out those who bought nothing in 2025. They are the ones whom a forecast has to find.": days[
            some.index
        ].corr(some, method="spearman"),
        "You counted rows. Count days with a purchase.": lines[lines["date"] <= "2024-12-31"]
        .groupby("customer_id")
        .size()
        .corr(spend, method="spearman"),
    }


@exercise("5.2")
def _frozen_cut(firm: SimulatedFirm) -> Answer:
    lines = bought(firm)
    early = lines[lines["date"] <= "2024-12-31"].groupby("customer_id")["date"].max()
    silent = (pd.Timestamp("2024-12-31") - early).dt.days
    all_now = (LAST_DAY - lines.groupby("customer_id")["date"].max()).dt.days
    now = all_now[early.index]
    return (now > silent.median()).mean(), {
        "You drew the cut-off anew at the end of 2025. Then half are always above it, whatever happens.": (
            now > now.median()
        ).mean(),
        "You took the new customers of 2025 in. Follow the same customers.": (all_now > silent.median()).mean(),
    }
