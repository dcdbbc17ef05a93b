"""The findings of this room, each in one sentence; see `crmlib.models.sentences`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import MET, NOT_MET, UNNAMED, Compared, Estimate, compared, money
from crmlib.statistics import Array, normal_quantile, percentile_interval

Ends = tuple[float, float]


def set_apart(sentence: str, difference: float, ends: Ends, unit: fmt.Unit = "money") -> Compared:
    """A sentence that compares, with the difference and the ends of its interval."""
    return compared(sentence, Estimate(difference, unit, *ends, currency=UNNAMED))


def cost_of_customers(table: pd.DataFrame, by: str, apart: tuple[float, float]) -> str:
    """What a customer costs, of all and of paid channels, or in the first and the last cohort (`apart`: ends)."""
    rows = table[np.isfinite(table["cac"])]
    if rows.empty:
        return "What a new customer costs is not known: nobody was won"
    if by != "channel":
        first, last = rows.iloc[0], rows.iloc[-1]
        quarters = (fmt.period(row[by], "Q") for row in (first, last))
        sentence = "A new customer cost {} in {} and {} in {}".format(
            money(first["cac"]), next(quarters), money(last["cac"]), next(quarters)
        )
        if len(rows) < 2:
            return sentence
        return set_apart(sentence, last["cac"] - first["cac"], apart)
    known = rows.set_index("channel")["cac"]
    sentence = f"A new customer costs {money(known.iloc[0])}"
    paid = "paid channels" in known
    return f"{sentence}, one of paid channels {money(known['paid channels'])}" if paid else sentence


def dearest_lead(table: pd.DataFrame, apart: Callable[[str, str], tuple[Ends, Ends]]) -> str:
    """Which channel's prospects are cheapest, and which channel's are won most often.

    `apart`: the ends of the differences of two channels in cost per lead and in share won.
    """
    rows = table.iloc[1:]
    known = np.isfinite(rows["cpl"]) & (rows["cpl"] > 0) & rows["close_rate"].notna()
    rows = rows[known].set_index("channel")
    if len(rows) < 2:
        return ""
    cheap, sure = rows["cpl"].idxmin(), rows["close_rate"].idxmax()
    other = rows["close_rate"].drop(cheap).idxmax() if cheap == sure else sure
    won, cost = rows["close_rate"].map(fmt.share), rows["cpl"].map(money)
    costs, shares = apart(cheap, other)
    gaps = rows.loc[cheap, ["cpl", "close_rate"]] - rows.loc[other, ["cpl", "close_rate"]]
    cheapest = f"Prospects of {cheap} are cheapest, {cost[cheap]} each, of {other} {cost[other]}"
    cheapest = set_apart(cheapest, gaps["cpl"], costs)
    likelier = f"{won[cheap]} of them are won, of {other} {won[other]}"
    likelier = set_apart(likelier, gaps["close_rate"], shares, "points")
    return Compared.of(f"{cheapest}; {likelier}", likelier.difference)


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
    parts = [
        f"{fmt.listing([*map(str, who)])} {'have' if len(who) > 1 else 'has'} {what}"
        for who, what in ((won, "earned the cost"), (lost, "not"))
        if len(who)
    ]
    return f"Within {days}: {', '.join(parts) or 'no channel differs from its cost beyond chance'}"


def earned_back(curve: pd.DataFrame, days: float, cac: float) -> str:
    """When customers have earned what it cost to win them."""
    if not np.isfinite(cac):
        return f"A new customer has brought {money(curve['value_per_customer'].iloc[-1])}; the cost of one is not known"
    if not np.isfinite(days):
        longest = fmt.plural(30 * int(curve["age"].iloc[-1]), "day")
        return f"Within {longest} customers have not earned what it cost to win them, {money(cac)} each"
    when = "with the first purchase" if days == 0 else f"after {fmt.plural(round(days), 'day')}"
    return f"The {money(cac)} that a new customer costs are earned back {when}"


def worst_leak(table: pd.DataFrame, drawn: Array) -> str:
    """At which step most contribution is lost; `drawn`: resamples of the leaks."""
    known = table[table["leak"].notna()].sort_values("leak", ascending=False)
    if known.empty:
        return ""
    row = known.iloc[0]
    lost = "if those lost were like those who went on"
    sentence = f"Most is lost at the step {row['step']}: {money(row['leak'])}, {lost}"
    if len(known) < 2:
        return sentence
    second, at = known.iloc[1], known.index
    low, high = percentile_interval(drawn[:, at[0]] - drawn[:, at[1]])
    sentence = f"{sentence}; at {second['step']} {money(second['leak'])}"
    return set_apart(sentence, row["leak"] - second["leak"], (float(low), float(high)))


def rivals_in_words(table: pd.DataFrame, apart: list[Ends]) -> str:
    """Whether customers of rivals take longer and cost more; `apart`: ends of the differences in days and in cost."""
    rows = table.set_index("origin")
    if len(rows) < 2 or not np.isfinite(rows["median_days"]).all():
        return ""
    theirs, ours = rows.loc["from a rival"], rows.loc["others"]
    gaps = [theirs[name] - ours[name] for name in ("median_days", "cost_per_win")]
    slower = fmt.plural(theirs["median_days"], "day"), fmt.days(ours["median_days"])
    takes = "A customer won from a rival takes {}, another {}".format(*slower)
    days = set_apart(takes, gaps[0], apart[0], "days")
    costs = f"it costs {money(theirs['cost_per_win'])} against {money(ours['cost_per_win'])}"
    dearer = set_apart(costs, gaps[1], apart[1])
    return Compared.of(f"{days}; {dearer}", dearer.difference)


def visits_in_words(_: pd.DataFrame, table: pd.DataFrame, agreement: float) -> str:
    """Where the ranking of channels by visits misleads; `low` and `high` of the table: ends of the difference."""
    gap = (table["share_of_brought"] - table["share_of_visits"]).fillna(0.0)
    if len(table) < 2 or not gap.abs().max() > 0:
        return ""
    row = table.loc[gap.abs().idxmax()]
    visits, value = fmt.share(row["share_of_visits"]), fmt.share(row["share_of_brought"])
    sentence = f"{fmt.capital(row['channel'])} brings {visits} of visits and {value} of the value"
    largest = set_apart(sentence, gap[gap.abs().idxmax()], (row["low"], row["high"]), "points")
    if not np.isfinite(agreement):
        return largest
    ranks = f"rank correlation of visits with value per visit: {fmt.number(agreement, 2)}"
    return Compared.of(f"{largest}; {ranks}", largest.difference)


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
        return f"{now}; three years or more are needed to see a trend"
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
    apart = fmt.listing([*map(str, table.loc[table["conflict"], "channel"])])
    return f"{sentence}; the two targets conflict for {apart}" if apart else sentence


def worth_of_channels(table: pd.DataFrame, between: Array, level: float) -> str:
    """Which channel's customers are worth most, and which least; `between` are draws of the difference."""
    best, worst = table.iloc[0], table.iloc[-1]
    sentence = f"a customer of {best['channel']} is worth {money(best['worth'])}"
    if len(table) == 1:
        reach = fmt.interval(best["worth_low"], best["worth_high"], "money", UNNAMED)
        return f"{sentence} ({reach}), not discounted"
    low, high = percentile_interval(between, level=level)
    difference = Estimate(float(np.mean(between)), "money", float(low), float(high), level, UNNAMED)
    sentence = f"{sentence}, of {worst['channel']} {money(worst['worth'])}, not discounted"
    return compared(sentence, difference)


def credit_of_channels(table: pd.DataFrame, wins: int) -> str:
    """Where the rules differ most over the wins of a channel."""
    rules = table[["first_touch", "last_touch", "linear", "removal"]].dropna(axis=1)
    if wins == 0:
        return "no path ended with a win: there is nothing to credit"
    gap = (rules.max(axis=1) - rules.min(axis=1)).to_numpy()
    at = int(gap.argmax())
    names = {"linear": "equal parts", "removal": "its removal"}
    rule = rules.iloc[at].rename(lambda name: names.get(name, fmt.column(name)))
    most, least = (f"{fmt.count(rule[name])} by {name}" for name in (rule.idxmax(), rule.idxmin()))
    sentence = f"of {fmt.plural(wins, 'win')}, {table['channel'][at]} is credited with {most} and {least}"
    if table["removal"].isna().all():
        sentence += "; no removal effect is shown, for no path that ended without a win is known"
    return sentence


def next_customer(table: pd.DataFrame, spread: pd.DataFrame) -> str:
    """Where one more customer costs least, and for how many channels this is unknown.

    `spread`: covariance of the wins that a rise of each budget by its own size would bring.
    """
    known = table[table["verdict"] == "estimated"].sort_values("marginal_cac")
    unknown = int(table["verdict"].str.startswith("cannot be estimated").sum())
    if unknown == len(table):
        return "what one more customer would cost cannot be estimated for any channel"
    rest = f"; for {fmt.count(unknown)} of {fmt.plural(len(table), 'channel')} it cannot be estimated"
    rest = rest if unknown else ""
    if known.empty:
        return f"no channel is shown to win more customers by a larger budget{rest}"
    best = known.iloc[0]
    reach = fmt.interval(best["marginal_cac_low"], best["marginal_cac_high"], "money", UNNAMED)
    cost, average = money(best["marginal_cac"]), money(best["average_cac"])
    sentence = f"one more customer by {best['channel']} costs {cost} ({reach}), on average {average}{rest}"
    if len(known) < 2:
        return sentence
    next_best, names = known.iloc[1], known["channel"].head(2)
    per_1000 = 1000 / known["spent"].head(2).to_numpy() * [1, -1]
    error = np.sqrt(per_1000 @ spread.loc[names, names].to_numpy() @ per_1000)
    gain = 1000 / best["marginal_cac"] - 1000 / next_best["marginal_cac"]
    half = normal_quantile(0.95) * float(error)
    ends = gain - half, gain + half
    wins = f"{money(1000)} more win {fmt.number(1000 / best['marginal_cac'], 1)} customers"
    other = f"by {next_best['channel']} {fmt.number(1000 / next_best['marginal_cac'], 1)}"
    return set_apart(f"{sentence}; {wins}, {other}", gain, ends, "ratio")


def value_seen_after(table: pd.DataFrame, horizon_days: int) -> str:
    """How much of the later top tenth the first and the last age find, and what acting at once loses."""
    first, last = table.iloc[0], table.iloc[-1]
    if np.isnan(first["top_captured"]):
        return "Later value cannot be compared: hardly anybody bought again after the last of these days"
    when = "on the first day" if first["days"] == 0 else f"after {fmt.plural(int(first['days']), 'day')}"
    captured = f"{fmt.share(first['top_captured'])} of the later best customers are among the best {when}"
    if len(table) == 1:
        return captured
    after = f"{fmt.share(last['top_captured'])} after {fmt.plural(int(last['days']), 'day')}"
    lost = Estimate.of_row(first, "lost_per_customer", "money", currency=UNNAMED)
    return compared(
        f"{captured}, {after}; to choose at once loses {money(lost.value)} per customer chosen", lost
    )
