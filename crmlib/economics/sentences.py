"""The findings of this room, each in one sentence; see `crmlib.models.sentences`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import CONTRADICTED, SUPPORTED, UNNAMED, UNTESTED, Estimate, Finding
from crmlib.statistics import wilson_interval

money = partial(fmt.money, currency=UNNAMED)
_GROUPS = 20  # of customers, by lifetime value


def spread_of_value(values: pd.DataFrame) -> str:
    """What the middle customer is worth, and each of the best twentieth."""
    clv = values["clv"].dropna().to_numpy(dtype=float)
    if not len(clv):
        return ""
    median = money(float(np.median(clv)))
    if len(clv) == 1:
        return f"The only customer is worth {median}"
    groups = min(_GROUPS, len(clv))
    best = np.partition(clv, -(len(clv) // groups))[-(len(clv) // groups) :]
    size = fmt.share(len(best) / len(clv))
    return f"The median customer is worth {median}, the best {size} {money(float(best.mean()))} each"


def value_of_groups(table: pd.DataFrame) -> str:
    """What a customer of each segment is worth, from the least to the most, by the model."""
    return _range_of_value(table, "segment", fmt.short_name)


def value_of_months(table: pd.DataFrame) -> str:
    """What a customer acquired in each month is worth, from the least to the most, by the model."""
    return _range_of_value(table, "month", fmt.month)


def _range_of_value(table: pd.DataFrame, by: str, name: Callable[[Any], str]) -> str:
    """The lowest and the highest mean of several groups; the extremes of many are partly chance."""
    known = table.dropna(subset=["clv_mean"]).set_index(by)["clv_mean"]
    if known.empty:
        return ""
    best, worst = known.idxmax(), known.idxmin()
    most, least = (money(float(known[one])) for one in (best, worst))
    if len(known) == 1:
        return f"{name(best)}: a customer is worth {most}"
    if not known[best] > known[worst]:
        return f"A customer is worth the same in all {fmt.plural(len(known), by)}: {most}"
    span = f"A customer is worth from {least} ({name(worst)}) to {most} ({name(best)})"
    return f"{span}, by the model; how much of that is chance is not tested"


def widest_assumption(settings: pd.DataFrame) -> str:
    """The assumption that moves lifetime value most."""
    known = (
        settings.dropna(subset=["clv"]).sort_values("clv", kind="stable").groupby("assumption", sort=False)
    )
    if not len(known):
        return ""
    low, high = known.first(), known.last()
    first = (high["clv"] - low["clv"]).sort_values(ascending=False, kind="stable").index[0]
    low, high = low.loc[first], high.loc[first]
    if high["clv"] == low["clv"]:
        return "No assumption that was varied moves lifetime value"
    span = f"lifetime value goes from {money(low['clv'])} to {money(high['clv'])}"
    name = fmt.short_name(first).capitalize()
    return f"{name} matters most: from {low['setting']} to {high['setting']}, {span}"


def best_cut_off_in_words(curve: pd.DataFrame) -> str:
    """Where a campaign earns most, and what another ranking would earn."""
    known = curve.dropna(subset=["share_contacted", "profit"])
    if known.empty:
        return ""
    if not known["profit"].max() > 0:
        return "No contact is profitable: contact nobody"
    rankings = known["ranking"] if "ranking" in known else pd.Series("", index=known.index)
    tops = known.loc[known["profit"].groupby(rankings, sort=False).idxmax()]
    names, first = rankings[tops.index].tolist(), tops.iloc[0]
    share, profit = first["share_contacted"], first["profit"]
    if len(tops) == 1:
        if share == 1:
            return f"Contacting everybody earns most: {money(profit)}"
        best = f"Contacting {fmt.share(share)} of customers earns most: {money(profit)}"
        return f"{best}; contacting all earns {money(known['profit'].iloc[-1])}"
    if not profit > 0:
        return f"No contact by {fmt.short_name(names[0])} pays"
    other = int(tops["profit"].iloc[1:].argmax()) + 1
    best = f"{fmt.capital(fmt.short_name(names[0]))} earns {money(profit)} at {fmt.share(share)} of customers"
    return f"{best}; {fmt.short_name(names[other])} at most {money(tops['profit'].iloc[other])}"


def worth_of_next_points(curve: pd.DataFrame, rate: float, points: float, of: str = "") -> str:
    """What a customer is worth at the firm's retention, and what the next points add; of profit or of revenue."""
    rates = curve["retention_rate"].to_numpy(dtype=float)
    if len(rates) < 2:
        return ""
    low, high = rates.min() - 1e-9, rates.max() + 1e-9
    if not low <= rate <= high:
        return f"The firm's retention of {fmt.share(rate)} lies outside the curve"
    ordered = curve.sort_values("retention_rate")
    net_known = bool(ordered["net"].notna().any())
    now, then = np.interp(
        [rate, rate + points], ordered["retention_rate"], ordered["net" if net_known else "gross"]
    )
    worth = f"At {fmt.share(rate)} retention a customer brings {money(now)}{of} in all"
    if net_known and not np.allclose(curve["gross"], curve["net"]):
        worth += ", net of acquisition cost"
    if rate + points > high:
        return f"{worth}; {fmt.points(points)} more are outside the curve"
    if now <= 0:
        return f"{worth}; {fmt.points(points)} more give {money(then)}"
    return f"{worth}; {fmt.points(points)} more add {fmt.share(then / now - 1)}"


def claim_in_words(curve: pd.DataFrame, finding: Finding, claimed: float) -> str:
    """What five points more add, and the verdict on what is claimed of them: the title of `rise_by_retention`."""
    rise, bar = finding.estimate, fmt.share(claimed)
    if rise is None or not rise.is_known:
        why = finding.sentence.partition(f"{UNTESTED}. ")[2].removesuffix(".")
        return f"“{bar} more profit” {UNTESTED}: {why[:1].lower()}{why[1:]}"
    if finding.verdict == UNTESTED:
        cost = "before acquisition cost, which is not known"
        return f"“{bar} more profit” {UNTESTED}: five points more add {fmt.share(rise.value)} {cost}"
    side = {SUPPORTED: f"more than {bar}", CONTRADICTED: f"less than {bar}"}
    beside = side.get(finding.verdict, f"which may be {bar}")
    return f"“{bar} more profit” is {finding.verdict}: five points more add {rise}, {beside}"


def retention_in_words(case: Any, point: pd.Series, claim: str, currency: str) -> tuple[str, ...]:
    """The answer of a `RetentionCase`: how many stay, what one point more brings and may cost, and the claim."""
    low, high = wilson_interval(case.retained, case.customers)
    rate = Estimate(case.retained / case.customers, "share", low=float(low), high=float(high))
    stay = f"Of {fmt.count(case.customers)} customers at the start of the last period, {rate} were retained"
    gain = f"One more point of retention brings {fmt.money(point['gain'], currency)} of {case.value} per new customer"
    cost = "what it may cost is not known, because no margin is"
    if case.value == "profit":
        most = fmt.money(point["affordable_cost"], currency)
        cost = f"a programme that adds it pays if it costs less than {most} per customer and period"
    return f"{stay}: they {case.definition}.", f"{gain}; {cost}.", f"{claim}."


def experiments_that_differ(read: pd.DataFrame, is_money: bool) -> str:
    """Which experiments made things better or worse beyond chance, after correction for their number."""
    known = read.dropna(subset=["difference", "low", "high"])
    if known.empty:
        return ""
    known = known.sort_values("difference", ascending=False, kind="stable")
    found, count = (
        [],
        fmt.plural(len(known), "comparison" if known["experiment"].duplicated().any() else "experiment"),
    )
    for verdict, side in ((SUPPORTED, "better"), (CONTRADICTED, "worse")):
        rows = known[known["verdict"] == verdict]
        if len(rows):
            each = _most_of(rows if verdict == SUPPORTED else rows.iloc[::-1], _written(is_money))
            found.append(f"{fmt.number(len(rows))} of {count} made things {side} beyond chance{each}")
    if found:
        return "; ".join(found)
    if len(known) == 1:
        return "The experiment shows no difference beyond chance"
    return f"None of {count} shows a difference beyond chance"


def _most_of(rows: pd.DataFrame, written: Callable[[float], str]) -> str:
    """The first of some differences, and whether it is larger than the others beyond chance."""
    first, others = rows.iloc[0], rows.iloc[1:]
    ends = f"{written(first['low'])} to {written(first['high'])}"
    name = f"{fmt.short_name(first['name'])}: {written(first['difference'])} each ({ends})"
    if others.empty:
        return f", {name}"
    apart = (others["high"] < first["low"]) | (others["low"] > first["high"])
    return f", most {name}" if apart.all() else "; which of them most is not decided"


def members_beside_others(uplift: pd.DataFrame, is_money: bool) -> str:
    """How much more members buy than others like them, beside the naive difference; beyond chance or not."""
    rows, written = (
        uplift.dropna(subset=["difference", "low", "high"]).set_index("comparison"),
        _written(is_money),
    )
    if rows.empty:
        return ""
    if "matched" not in rows.index:
        return "No member has similar customers for a comparison"
    like, low, high = (float(rows.loc["matched", name]) for name in ("difference", "low", "high"))
    ends = f"({written(low)} to {written(high)})"
    found = f"the difference of {written(like)} a month is not beyond chance {ends}"
    if not low <= 0 <= high:
        found = f"they buy {written(abs(like))} a month {_side(like)}, beyond chance {ends}"
    found = f"compared with similar customers, {found}"
    if "after joining" not in rows.index:
        return found.replace("they", "members")
    naive = float(rows.loc["after joining", "difference"])
    return f"Members buy {written(abs(naive))} a month {_side(naive)} than others; {found}"


def _side(difference: float) -> str:
    return "more" if difference >= 0 else "less"


def _written(is_money: bool) -> Callable[[float], str]:
    return money if is_money else fmt.number
