"""The findings of this room, each in one sentence; see `crmlib.models.sentences`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import MET, NOT_MET, UNNAMED, Estimate, compared
from crmlib.statistics import Array, normal_quantile, percentile_interval

money = partial(fmt.money, currency=UNNAMED)


def cost_of_customers(table: pd.DataFrame, by: str) -> str:
    """What a customer costs, of all and of paid channels, or in the first and the last cohort."""
    rows = table[np.isfinite(table["cac"])]
    if rows.empty:
        return "What a new customer costs is not known: nobody was won"
    if by != "channel":
        first, last = rows.iloc[0], rows.iloc[-1]
        quarters = [f"{money(row['cac'])} in {fmt.period(row[by], 'Q')}" for row in (first, last)]
        sentence = f"A new customer cost {' and '.join(quarters)}"
        return compared(sentence, difference_of(rows, "cac", rows.index[-1], rows.index[0], "money"))
    known = rows.set_index("channel")["cac"]
    sentence = f"A new customer costs {money(known.iloc[0])}"
    paid = "paid channels" in known
    return f"{sentence}, one of paid channels {money(known['paid channels'])}" if paid else sentence


def difference_of(
    table: pd.DataFrame, column: str, first: Any, second: Any, unit: fmt.Unit, pairs: int = 1
) -> Estimate:
    """How far one row's value is above another's, from their intervals; NaN where these are not known."""
    names = [column, f"{column}_low", f"{column}_high"]
    ends = (tuple(table.loc[row, names].astype(float)) for row in (first, second))
    gap, low, high = difference_of_estimates(*ends, pairs=pairs)
    return Estimate(gap, unit, low, high, currency=UNNAMED)


def difference_of_estimates(
    first: tuple[float, ...], second: tuple[float, ...], *, pairs: int = 1
) -> tuple[float, float, float]:
    """How far two independent estimates are apart, each a value and the ends of its 95 % interval.

    `pairs`: among how many pairs this one was chosen (Bonferroni). The difference and the ends of its interval.

    References
    ----------
    Zou, G. Y. and Donner, A. (2008), "Construction of confidence limits about effect measures", Statistics in
    Medicine 27, 1693-1702.

    Examples
    --------
    >>> [round(end, 4) for end in difference_of_estimates((0.8, 0.6918, 0.8769), (0.6, 0.4905, 0.7004))]
    [0.2, 0.0524, 0.3338]
    """
    (one, low, high), (other, other_low, other_high) = first, second
    wider = normal_quantile(1 - 0.05 / pairs) / normal_quantile(0.95)
    below, above = np.hypot(one - low, other_high - other), np.hypot(high - one, other - other_low)
    gap = one - other
    return gap, float(gap - wider * below), float(gap + wider * above)


def dearest_lead(table: pd.DataFrame) -> str:
    """The channel whose prospects cost least, beside the other one of whose prospects most are won."""
    rows = table.iloc[1:]
    rows = rows[np.isfinite(rows["cpl"]) & (rows["cpl"] > 0) & rows["close_rate"].notna()].set_index(
        "channel"
    )
    if len(rows) < 2:
        return ""
    cheap = rows["cpl"].idxmin()
    other = rows["close_rate"].drop(cheap).idxmax()
    won, cost = rows["close_rate"].map(fmt.share), rows["cpl"].map(money)
    sentence = f"A prospect of {cheap} costs {cost[cheap]}, of {other} {cost[other]}"
    sentence += f"; {won[cheap]} and {won[other]} are won"
    pairs = len(rows) * (len(rows) - 1) // 2
    return compared(sentence, difference_of(rows, "close_rate", cheap, other, "points", pairs))


def conflict_in_words(ratio: float, months: float) -> str:
    """That the two rules of thumb disagree."""
    parts = [fmt.number(ratio, 2), MET if ratio >= 3 else NOT_MET, MET if months <= 12 else NOT_MET]
    back = f"earned back in {fmt.write(months, 'M')}" if np.isfinite(months) else "not earned back"
    return (
        f"The rules of thumb conflict: LTV is {parts[0]} × CAC (target 3: {parts[1]}), but CAC is {back} (target 12: "
        f"{parts[2]})."
    )


def value_less_cost(table: pd.DataFrame, by: str) -> str:
    """Which channels have earned their cost at the oldest age that is known, or how cohorts have done."""
    known = table[np.isfinite(table["after_cost"]) & np.isfinite(table["after_cost_low"])]
    if by == "channel":
        known = known[known["channel"] != "all channels"]
    if known.empty:
        return ""
    young = known.loc[known["age"] <= 360, "age"]
    age = int(young.max() if len(young) else known["age"].min())
    rows, days = known[known["age"] == age].set_index(by), fmt.plural(age, "day")
    won, lost = rows.index[rows["after_cost_low"] > 0], rows.index[rows["after_cost_high"] < 0]
    if by != "channel":
        return f"Within {days}, {len(won)} of {len(rows)} cohorts have earned their cost beyond chance"
    told = [
        f"{fmt.listing([*map(str, who)])} {'have' if len(who) > 1 else 'has'} {what}"
        for who, what in ((won, "earned the cost"), (lost, "not"))
        if len(who)
    ]
    return f"Within {days}: {', '.join(told) or 'no channel differs from its cost beyond chance'}"


def earned_back(curve: pd.DataFrame, days: float, cac: float) -> str:
    """When customers have earned what it cost to win them."""
    if not np.isfinite(cac):
        return f"A new customer has brought {money(curve['value_per_customer'].iloc[-1])}; the cost of one is not known"
    if not np.isfinite(days):
        longest = fmt.plural(30 * int(curve["age"].iloc[-1]), "day")
        return f"Within {longest} customers have not earned what it cost to win them, {money(cac)} each"
    when = "with the first purchase" if days == 0 else f"after {fmt.plural(round(days), 'day')}"
    return f"The {money(cac)} that a new customer costs are earned back {when}"


def worst_leak(table: pd.DataFrame) -> str:
    """How much contribution is lost at the two steps where most is."""
    rows = table.dropna(subset=["leak"]).set_index("step").sort_values("leak", ascending=False)
    if rows.empty:
        return ""
    first, *others = (f"at the step {step} {money(leak)}" for step, leak in rows["leak"].items())
    found = f"{fmt.capital(first)} is lost"
    as_if = "if those lost were like those who went on"
    if not others:
        return f"{found}, {as_if}"
    pairs = len(rows) * (len(rows) - 1) // 2
    return compared(
        f"{found}, {others[0]}, {as_if}",
        difference_of(rows, "leak", rows.index[0], rows.index[1], "money", pairs),
    )


def rivals_in_words(table: pd.DataFrame) -> str:
    """Whether customers of rivals take longer and cost more."""
    rows = table.set_index("origin")
    if len(rows) < 2 or not np.isfinite(rows["median_days"]).all():
        return ""
    theirs, ours = rows.loc["from a rival"], rows.loc["others"]
    days = f"{fmt.plural(theirs['median_days'], 'day')} against {fmt.days(ours['median_days'])}"
    costs = f"{money(theirs['cost_per_win'])} against {money(ours['cost_per_win'])}"
    sentence = f"A customer won from a rival takes {days} and costs {costs}"
    return compared(sentence, difference_of(rows, "cost_per_win", "from a rival", "others", "money"))


def visits_in_words(table: pd.DataFrame, agreement: float) -> str:
    """Where the ranking of channels by visits misleads."""
    gap = (table["share_of_brought"] - table["share_of_visits"]).fillna(0.0)
    if len(table) < 2 or not gap.abs().max() > 0:
        return ""
    row = table.loc[gap.abs().idxmax()]
    visits, value = fmt.share(row["share_of_visits"]), fmt.share(row["share_of_brought"])
    sentence = f"{fmt.capital(row['channel'])} brings {visits} of visits and {value} of the value"
    if not np.isfinite(agreement):
        return sentence
    return f"{sentence}; rank correlation of visits with value per visit: {fmt.number(agreement, 2)}"


def best_prospects(table: pd.DataFrame) -> str:
    """How much open prospects are expected to bring, and how much of it the best tenth."""
    total = float(table["expected_value"].sum())
    best = float(table["expected_value"].head(max(len(table) // 10, 1)).sum())
    if not total > 0:
        return "Open prospects are expected to bring nothing"
    sentence = f"{fmt.plural(len(table), 'open prospect')}: {money(total)} expected"
    return sentence if len(table) < 10 else f"{sentence}, {fmt.share(best / total)} of it from the best tenth"


def receipts_in_words(table: pd.DataFrame, value: str) -> str:
    """Whether acquisition spend was below what earlier customers brought, in the last twelve months."""
    rows = table.tail(12).dropna(subset=["acquisition_spend"])
    if rows.empty:
        return ""
    spent, came = float(rows["acquisition_spend"].sum()), float(rows["repeat_value"].sum())
    below = int((rows["acquisition_spend"] < rows["repeat_value"]).sum())
    where = "below" if spent < came else "above"
    return (
        f"Acquisition cost {money(spent)} in {fmt.plural(len(rows), 'month')}, {where} the {money(came)} of {value} "
        f"from earlier customers; it was below in {below} of them"
    )


def trend_in_words(table: pd.DataFrame, per_year: float, p_value: float) -> str:
    """Whether the cost of selling and administration, as a share of revenue, falls."""
    known = table["selling_share"].dropna()
    if known.empty:
        return ""
    now = f"Selling and administration cost {fmt.share(float(known.tail(12).mean()))} of revenue"
    if np.isnan(p_value):
        return f"{now}; a trend cannot be told from less than three years"
    if p_value >= 0.05:
        return f"{now}; no trend beyond chance"
    word = "falling" if per_year < 0 else "rising"
    return f"{now}, {word} by {fmt.points(abs(per_year))} a year, beyond chance"


def targets_in_words(table: pd.DataFrame) -> str:
    """Whether LTV is three times CAC and CAC is earned back within a year, and where the two conflict."""
    if table.empty or not np.isfinite(table["ltv"].iloc[0]):
        return ""
    row = table.iloc[0]
    earned = np.isfinite(row["adjusted"])
    back = f"earned back in {fmt.write(row['adjusted'], 'M')}" if earned else "not earned back yet"
    sentence = f"LTV is {fmt.number(row['ratio'], 2)} × CAC (target 3: {row['ratio_verdict']})"
    sentence += f", and CAC is {back} (target 12: {row['payback_verdict']})"
    apart = fmt.listing([*map(str, table.loc[table["conflict"], table.columns[0]])])
    return f"{sentence}; the two targets conflict for {apart}" if apart else sentence


def worth_of_channels(table: pd.DataFrame, between: Array, level: float) -> str:
    """Which channel's customers are worth most, and which least; `between` are draws of the difference."""
    best, worst = table.iloc[0], table.iloc[-1]
    mean = fmt.money(best["worth"], UNNAMED)
    if len(table) == 1:
        reach = fmt.interval(best["worth_low"], best["worth_high"], "money", UNNAMED)
        return f"a customer of {best['channel']} is worth {mean} ({reach})"
    low, high = percentile_interval(between, level=level)
    difference = Estimate(float(np.mean(between)), "money", float(low), float(high), level, UNNAMED)
    sentence = (
        f"a customer of {best['channel']} is worth {mean}, of {worst['channel']} "
        f"{fmt.money(worst['worth'], UNNAMED)}"
    )
    return compared(sentence, difference)


def credit_of_channels(table: pd.DataFrame, wins: int) -> str:
    """Where the rules differ most over the wins of a channel."""
    rules = table[["first_touch", "last_touch", "linear", "removal"]].dropna(axis=1)
    if wins == 0:
        return "no path ended with a win: there is nothing to credit"
    gap = (rules.max(axis=1) - rules.min(axis=1)).to_numpy()
    at = int(gap.argmax())
    names = dict(
        first_touch="first touch", last_touch="last touch", linear="equal parts", removal="its removal"
    )
    high, low = rules.iloc[at].idxmax(), rules.iloc[at].idxmin()
    sentence = (
        f"of {fmt.plural(wins, 'win')}, {table['channel'][at]} is credited with {fmt.count(rules.iloc[at][high])} by "
        f"{names[high]} and {fmt.count(rules.iloc[at][low])} by {names[low]}"
    )
    if table["removal"].isna().all():
        sentence += "; no removal effect is shown, for no path that ended without a win is known"
    return sentence


def next_customer(table: pd.DataFrame) -> str:
    """Where one more customer costs least, and of how many channels it cannot be told."""
    told = table[table["verdict"] == "told"].sort_values("marginal_cac")
    unknown = int(table["verdict"].str.startswith("cannot be told").sum())
    if unknown == len(table):
        return "what one more customer would cost cannot be told for any channel"
    rest = f"; for {fmt.count(unknown)} of {fmt.plural(len(table), 'channel')} it cannot be told"
    rest = rest if unknown else ""
    if told.empty:
        return f"no channel is shown to win more customers by a larger budget{rest}"
    best = told.iloc[0]
    reach = fmt.interval(best["marginal_cac_low"], best["marginal_cac_high"], "money", UNNAMED)
    cost, average = fmt.money(best["marginal_cac"], UNNAMED), fmt.money(best["average_cac"], UNNAMED)
    return f"one more customer by {best['channel']} costs {cost} ({reach}), on average {average}{rest}"


def value_seen_after(table: pd.DataFrame, horizon_days: int) -> str:
    """How much of the later top tenth the first and the last age find, and what acting at once loses."""
    first, last = table.iloc[0], table.iloc[-1]
    when = "on the first day" if first["days"] == 0 else f"after {fmt.plural(int(first['days']), 'day')}"
    captured = f"{fmt.share(first['top_captured'])} of the later best customers are among the best {when}"
    lost = Estimate(
        float(first["lost_per_customer"]), "money", first["lost_per_customer_low"], first["lost_per_customer_high"],
        currency=UNNAMED,
    )  # fmt: skip
    if len(table) == 1:
        return captured
    after = f"{fmt.share(last['top_captured'])} after {fmt.plural(int(last['days']), 'day')}"
    return compared(
        f"{captured}, {after}; to choose at once loses {fmt.money(lost.value, UNNAMED)} per customer chosen",
        lost,
    )
