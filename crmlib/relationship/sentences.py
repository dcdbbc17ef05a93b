"""The sentences of page one, each of tables and figures of the chapters; see `crmlib.customers.sentences`.

A function returns "" where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import Estimate, beyond_chance, compared
from crmlib.no_rows import why_none
from crmlib.relationship.allocation import Holdout
from crmlib.statistics import difference_of_shares

_SURE = {True: " (beyond chance)", False: " (may be chance)", None: ""}
_LOST, _WON = ("lapsed", "bought less"), ("bought more", "came back")


def revenue_by_band(frame: pd.DataFrame) -> str:
    """From which customers most of the last month's revenue comes."""
    last = frame[frame["period"] == frame["period"].max()]
    total = float(last["revenue"].sum())
    if not total > 0:
        return ""
    most = last.loc[last["revenue"].idxmax()]
    share = fmt.share(float(most["revenue"]) / total) if frame["band"].nunique() > 1 else "all"
    who = most["band"] if str(most["band"]).startswith("first seen") else f"of {most['band']}"
    return f"Customers {who} bring {share} of the revenue of {fmt.month(most['period'])}"


def largest_share_that_left(groups: pd.DataFrame, looked_at: int) -> str:
    """Where most left, and by how much more than elsewhere; it was chosen among as many groups (Bonferroni)."""
    first, rest = groups.iloc[0], groups.iloc[1:].sum(numeric_only=True)
    counts = (int(part[name]) for part in (first, rest) for name in ("left", "customers"))
    apart = difference_of_shares(*counts, level=1 - 0.05 / looked_at)
    return compared(
        f"Of the customers with “{first['group']}” {fmt.share(first['share_left'])} left, of the others "
        f"{fmt.share(rest['left'] / rest['customers'])}",
        Estimate(apart.difference, "points", apart.low, apart.high),
    )


def month_in_words(review: pd.DataFrame, interval: tuple[float, float], currency: str) -> str:
    """The last complete month against the year before (else the month before) and the budget.

    `interval`: ends of the interval of the difference, for whether it is beyond chance.
    """
    rows = review[review["customers"] == "all"].set_index("measure")
    noun = "contribution" if "contribution" in rows.index else "revenue"
    row = rows.loc[noun]
    if not fmt.is_known(row["value"]):
        return ""
    month = pd.Timestamp(row["month"])
    text = f"{fmt.month(month)} brought {fmt.money(row['value'], currency)} of {noun}"
    year = fmt.is_known(row["change_year"])
    change = row["change_year"] if year else row["change_month"]
    if fmt.is_known(change):
        base = fmt.month(month - pd.DateOffset(months=12 if year else 1))
        text += f", {against(change)} in {base}{_SURE[beyond_chance(*interval)]}"
    plan = rows.loc["revenue", "against_budget"]
    if fmt.is_known(plan):
        text += f"; revenue was {against(plan).removesuffix(' than').removesuffix(' as')} "
        text += "than the budget" if plan else "as the budget"
    return text + "."


def against(change: float) -> str:
    """A relative change up to the word that it is compared by.

    Examples
    --------
    >>> against(-0.3), against(0.12), against(0.0)
    ('30 % less than', '12 % more than', 'as much as')
    """
    if not change:
        return "as much as"
    return f"{fmt.share(abs(change))} {'more' if change > 0 else 'less'} than"


def change_in_words(
    by_customers: pd.DataFrame, by_factors: pd.DataFrame, window: str, against: str | None, currency: str
) -> str:
    """Why the value changed: gross losses and gains, the net, and the factor with the largest effect."""
    if not len(by_customers):
        return ""
    change = by_customers.set_index("step")["change"]
    lost, won, new = float(change[[*_LOST]].sum()), float(change[[*_WON]].sum()), float(change["new"])
    net = float(change["after"] - change["before"])

    def money(value: float) -> str:
        return fmt.money(value, currency)

    last = "the last " if window[:1].isdigit() else ""
    since = f"in {last}{window.removesuffix(', complete')}" if window else "since the period before"
    since += f" against {against}" if window and against else ""
    text = (
        f"Why: {since}, customers who stopped or bought less took {money(-lost)} away, those who came back or bought "
        f"more brought {money(won)}, new ones {money(new)}: net {'+' if net > 0 else ''}{money(net)}."
    )
    newly = by_customers.set_index("step")["newly"]
    if newly["before"] > 2 * newly["after"]:
        then, now = fmt.plural(newly["before"], "first purchase"), fmt.count(newly["after"])
        text += f" The time before has {then}, this one {now if newly['after'] else 'none'}."
    effects = by_factors.set_index("factor")["effect"] if len(by_factors) else pd.Series(dtype=float)
    same = effects[np.sign(effects) == np.sign(net)]
    if len(same):
        largest = same.abs().idxmax()
        effect = f"{'+' if net > 0 else ''}{money(float(same[largest]))}"
        text += f" The largest factor is {_FACTORS.get(largest, largest)} ({effect})."
    return text


_FACTORS = {
    "acquired customers": "the number of customers acquired so far",
    "share active": "the share of customers who buy at all",
    "active customers": "the number of customers who buy at all",
    "purchases per active customer": "how often they buy",
    "spend per purchase": "the money per purchase",
    "margin": "the margin",
}


def win_back_in_words(listed: pd.DataFrame, horizon: str, source: str, currency: str) -> str:
    """What to do about buyers who are silent, with the money at stake; or why nothing."""
    if nobody := why_none(listed):
        return f"What to do: contact nobody for now, as {nobody}."
    money = str(listed.columns[-1])
    total = fmt.money(float(listed[money].sum()), currency)
    who = f"{fmt.plural(len(listed), 'customer')} who {'is' if len(listed) == 1 else 'are'}"
    text = f"What to do: contact the {who} silent beyond their habit and can still be won"
    if money.startswith("expected_gain"):
        return f"{text}; the expected gain is {total} ({source})."
    what = "contribution" if money == "margin_at_risk" else "revenue"
    return f"{text}; {total} of {what} is at risk in the next {horizon}, which is not yet a gain."


def contracts_in_words(left: float, customers: int) -> str:
    """What happened to the customers with a contract."""
    return f"Of the {fmt.plural(customers, 'customer')} with a contract, {fmt.share(left)} left."


def save_in_words(listed: pd.DataFrame, currency: str) -> str:
    """What to do about contracts at risk; the money rests on assumed figures, and says so."""
    if nobody := why_none(listed):
        return f"What to do: contact nobody for now, as {nobody}."
    total = fmt.money(float(listed["expected_gain_assumed"].sum()), currency)
    who = fmt.plural(len(listed), "customer")
    return (
        f"What to do: contact the {who} for whom a contact pays by assumed figures; the expected gain is {total} "
        "(assumed)."
    )


def how_far_to_believe(effect: str, error: Estimate, lift: Estimate, refused: str = "") -> list[str]:
    """How sure the sentences, the list and the forecast are.

    `effect`: where the effect of a contact comes from, empty where it is not known. `error`: of the same forecast for
    an earlier quarter (its window), a share. `lift`: how much more often those at highest risk left, in a test.
    `refused`: why the forecast is not to be used, empty where it may be.
    """
    lines = [
        f"The gain of a contact rests on this: {effect}."
        if effect
        else "What a contact changes is not known: leave alone whom the list of next actions leaves out, and a later "
        "report can tell."
    ]
    if refused:
        lines.append(f"The forecast is not usable: {refused}.")
    if error.is_known:
        off = f"{fmt.share(abs(error.value))} too {'high' if error.value > 0 else 'low'}"
        lines.append(f"The same forecast for the {error.window} was {off}; it knows no seasons.")
    if lift.is_known:
        often = f"{fmt.number(lift.value)} times as often as the average customer"
        lines.append(f"In a test on customers unknown to the model, the riskiest tenth left {often}.")
        return [*lines, "That more leave in one group than elsewhere is no cause."]
    meant = "“Beyond chance” means that a 95 % interval excludes no change"
    return [*lines, f"{meant}; seasons and prices are not chance."]


def next_actions_in_words(
    to_do: pd.DataFrame,
    gap: float,
    holdouts: Mapping[str, Holdout],
    checked: tuple[float, float],
    currency: str,
) -> list[str]:
    """What the list is expected to gain, how near it is to the best, what was checked, and what it can teach."""
    if nobody := why_none(to_do):
        return [f"There is nothing to do now: {nobody}."]
    total, cost = float(to_do["expected_gain"].sum()), float(to_do["cost"].sum())
    near = f"no list within the same limits gains over {fmt.share(gap)} more"
    near = near if gap > 0.0005 else "no list within the same limits gains more"
    lines = [
        f"The {fmt.plural(len(to_do), 'action')} of the list cost {fmt.money(cost, currency)} and are expected to gain "
        f"{fmt.money(total, currency)} more than that; {near}."
    ]
    if assumed := float(to_do.loc[to_do["assumed"].eq(True), "expected_gain"].sum()):
        rests = "rests on assumed changes, which no experiment has tested"
        lines.append(f"Of the gain, {fmt.money(assumed, currency)} {rests}.")
    expected, by_others = (fmt.money(gain, currency) for gain in checked)
    if fmt.is_known(checked[0]) and checked[0] > 0:
        planned = f"a list chosen by every second purchase was expected to gain {expected}"
        lines.append(f"Check: {planned}; by the other purchases it gains {by_others}.")
    for rule, plan in holdouts.items():
        name, customers = fmt.capital(rule), fmt.plural(int((to_do["rule"] == rule).sum()), "customer")
        smallest = fmt.points(plan.smallest)
        if not plan.share:
            known = fmt.is_known(plan.smallest)
            shows = f"; the smallest change it could show is {smallest}" if known else ""
            lines.append(f"{name}: with {customers} nothing can be learnt{shows}. Nobody is left out.")
            continue
        after = "this list" if plan.runs == 1 else f"{fmt.plural(plan.runs, 'list')} read together"
        lines.append(
            f"{name}: {fmt.share(plan.share)} of {customers} are left out by chance. The smallest change that one list "
            f"shows is {smallest} of the chance to buy; the expected one shows after {after}."
        )
    return lines
