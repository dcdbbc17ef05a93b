"""The findings of this room, each in one sentence; see `crmlib.models.sentences`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import (
    CONTRADICTED,
    SUPPORTED,
    UNNAMED,
    UNTESTED,
    Compared,
    Estimate,
    Finding,
    compared,
    money,
)
from crmlib.models.sentences import difference_of_extremes
from crmlib.statistics import p_value_all_equal, wilson_interval

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
    """What customers of the highest and of the lowest segment are worth, and whether that is beyond chance."""
    rows = table.dropna(subset=["clv_mean"]).set_index("segment")
    known = rows["clv_mean"]
    if known.empty:
        return ""
    best, worst = known.idxmax(), known.idxmin()
    each = f"{money(float(known[best]))} each"
    if len(known) == 1:
        return f"{fmt.short_name(best)}: worth {each}"
    if not known[best] > known[worst]:
        return f"All {len(known)} groups are worth the same: {each}"
    sentence = f"{fmt.short_name(best)}: {each}; {fmt.short_name(worst)}: {money(float(known[worst]))}"
    return compared(sentence, difference_of_extremes(known, rows["standard_error"], "money"))


def value_of_months(table: pd.DataFrame, life: str) -> str:
    """Whether months of acquisition differ in value beyond chance, and what a customer brings within `life`."""
    rows = table.dropna(subset=["clv_mean"])
    if rows.empty:
        return ""
    mean = float(np.average(rows["clv_mean"], weights=rows["customers"]))
    each = f"bring {money(mean)} each in their first {life}, so far and expected"
    if len(rows) == 1:
        return f"Customers acquired in {fmt.month(rows['month'].iloc[0])} {each}"
    p = p_value_all_equal(rows["clv_mean"], rows["standard_error"])
    if not p < 0.05:
        return f"Customers {each}; the {len(rows)} months of acquisition do not differ beyond chance"
    low, high = (money(float(rows["clv_mean"].quantile(end))) for end in (0.25, 0.75))
    half = f"half of them between {low} and {high}"
    return f"Customers {each}; months of acquisition differ beyond chance, {half}"


def widest_assumption(settings: pd.DataFrame) -> str:
    """The assumption that moves lifetime value most."""
    ordered = settings.dropna(subset=["clv"]).sort_values("clv", kind="stable")
    known = ordered.groupby("assumption", sort=False)
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
    """Between which shares a campaign earns as much as at its best, within chance, and beside another ranking.

    `behind_error` is the standard error of the profit at a cut-off less that at the best; where there is none,
    `profit_low` and `profit_high` are the interval of the profit. The best of many cut-offs is picked with hindsight.
    """
    known = curve.dropna(subset=["share_contacted", "profit"])
    if known.empty:
        return ""
    if not known["profit"].max() > 0:
        return "No contact is profitable: contact nobody"
    rankings = known["ranking"] if "ranking" in known else pd.Series("", index=known.index)
    tops = known.loc[known["profit"].groupby(rankings, sort=False).idxmax()]
    first, of_first = tops.iloc[0], known[rankings == rankings[tops.index[0]]]
    if len(tops) == 1:
        return fmt.capital(_cut_off(first, of_first))
    name = fmt.capital(fmt.short_name(str(rankings[tops.index[0]])))
    others = [
        f"{fmt.short_name(str(rankings[place]))}: at most {money(row['profit'])}{_interval(row)}"
        for place, row in tops.iloc[1:].iterrows()
    ]
    found = "; ".join([f"{name}: {_cut_off(first, of_first)}", *others])
    apart = curve.attrs.get("lead")
    if not apart:  # the interval of the first ranking's profit less the second's
        return found
    lead = float(tops["profit"].iloc[0] - tops["profit"].iloc[1])
    return compared(found, Estimate(lead, "money", low=apart[0], high=apart[1], currency=UNNAMED))


def _cut_off(top: pd.Series, curve: pd.DataFrame) -> str:
    share, earned = fmt.share(top["share_contacted"]), f"{money(top['profit'])}{_interval(top)}"
    not_shown = f"no contact is shown to pay, at most {earned} at {share} of customers"
    if "behind_error" not in curve:
        return (
            not_shown
            if top.get("profit_low", np.inf) <= 0
            else f"contacting {share} of customers earns {earned}"
        )
    near = curve.loc[curve["profit"] >= top["profit"] - curve["behind_error"], "share_contacted"]
    low, high = float(near.min()), float(near.max())
    if low == 0:
        return not_shown
    if low == high:
        return f"contacting {'everybody' if low == 1 else f'{share} of customers'} earns most, {earned}"
    whom = f"{fmt.share(low)} or more" if high == 1 else f"{fmt.share(low)} to {fmt.share(high)}"
    return f"contacting {whom} of customers earns most, within chance: {earned}"


def _interval(row: pd.Series) -> str:
    if "profit_low" not in row or np.isnan(row["profit_low"]):
        return ""
    return f" ({fmt.interval(row['profit_low'], row['profit_high'], 'money', UNNAMED)})"


def worth_of_next_points(curve: pd.DataFrame, rate: float, points: float, of: str = "") -> str:
    """What a customer is worth at the firm's retention, and what the next points add; of contribution or of revenue."""
    rates = curve["retention_rate"].to_numpy(dtype=float)
    if len(rates) < 2:
        return ""
    low, high = rates.min() - 1e-9, rates.max() + 1e-9
    if not low <= rate <= high:
        return f"The firm's retention of {fmt.share(rate)} lies outside the curve"
    ordered = curve.sort_values("retention_rate")
    net_known = bool(ordered["net"].notna().any())
    values = ordered["net" if net_known else "gross"]
    now, then = np.interp([rate, rate + points], ordered["retention_rate"], values)
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
    text = f"“{bar} more profit” is {finding.verdict}: five points more add {rise}, {beside}"
    value, low, high = (share - claimed for share in (rise.value, rise.low, rise.high))
    return Compared.of(text, Estimate(value, "points", low, high))


def retention_in_words(
    case: Any, gain: Estimate, most: Estimate, claim: str, currency: str
) -> tuple[str, ...]:
    """The findings of a `RetentionCase`: how many stay, the worth of one more point, and the claim."""
    low, high = wilson_interval(case.retained, case.customers)
    rate = Estimate(case.retained / case.customers, "share", low=float(low), high=float(high))
    stay = f"Of the {fmt.count(case.customers)} customers of the period before the last, {rate} were retained"
    gain, most = (replace(estimate, currency=currency) for estimate in (gain, most))
    brings = f"One more point of retention brings {gain} of {case.value} per new customer"
    cost = "what it may cost is not known, because no margin is"
    if most.is_known:
        cost = f"a programme that adds it pays if it costs less than {most} per customer and period"
    return f"{stay}: they {case.definition}.", f"{brings}; {cost}.", f"{claim}."


def experiments_that_differ(read: pd.DataFrame, is_money: bool) -> str:
    """Which experiments made things better or worse beyond chance, after correction for their number."""
    known = read.dropna(subset=["difference", "low", "high"])
    if known.empty:
        return ""
    known = known.sort_values("difference", ascending=False, kind="stable")
    count = fmt.plural(len(known), "comparison" if known["experiment"].duplicated().any() else "experiment")
    better, worse = (known[known["verdict"] == verdict] for verdict in (SUPPORTED, CONTRADICTED))
    found = [
        f"{fmt.number(len(rows))} of {count} made things {side} beyond chance{_most_of(rows, is_money)}"
        for rows, side in ((better, "better"), (worse.iloc[::-1], "worse"))
        if len(rows)
    ]
    whose = "the experiment" if len(known) == 1 else f"any of {count}"
    text = "; ".join(found) or f"No difference beyond chance is shown by {whose}"
    return Compared.of(text, _difference_of(pd.concat([better, worse, known]).iloc[0], is_money))


def _most_of(rows: pd.DataFrame, is_money: bool) -> str:
    """The first of some differences, and whether it is larger than the others beyond chance."""
    first, others = rows.iloc[0], rows.iloc[1:]
    name = f"{fmt.short_name(first['name'])}: {_difference_of(first, is_money)} per customer"
    if others.empty:
        return f", {name}"
    apart = (others["high"] < first["low"]) | (others["low"] > first["high"])
    return f", most {name}" if apart.all() else "; which of them most is not decided"


def members_beside_others(uplift: pd.DataFrame, is_money: bool) -> str:
    """How much more members buy than others like them, beside the naive difference; beyond chance or not."""
    rows = uplift.dropna(subset=["difference", "low", "high"]).set_index("comparison")
    if rows.empty:
        return ""
    if "matched" not in rows.index:
        return "No member has similar customers for a comparison"
    like = _difference_of(rows.loc["matched"], is_money)
    more = _more(like.value, is_money)
    text = f"compared with similar customers, members buy {more} a month"
    if "after joining" in rows.index:
        naive = _more(float(rows.loc["after joining", "difference"]), is_money)
        text = f"Members buy {naive} a month than others; compared with similar customers, {more}"
    return compared(text, like)


def _difference_of(row: pd.Series, is_money: bool) -> Estimate:
    value, low, high = (float(row[name]) for name in ("difference", "low", "high"))
    return Estimate(value, "money" if is_money else "ratio", low, high, currency=UNNAMED)


def _more(difference: float, is_money: bool) -> str:
    amount = money(abs(difference)) if is_money else fmt.number(abs(difference))
    return f"{amount} {'more' if difference >= 0 else 'less'}"
