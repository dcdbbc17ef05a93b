"""The findings of this room, each in one sentence; see `crmlib.models.sentences`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import UNNAMED, Estimate, compared, money


def pairs_in_words(table: pd.DataFrame, possible: int, least_lift: float) -> str:
    """Which two products are bought together most surely, and how many pairs are."""
    sure = table[table["verdict"] == "bought together"]
    more, many = f"at least {fmt.share(least_lift - 1)} more often than chance", len(sure)
    if sure.empty:
        return f"of {fmt.plural(possible, 'pair')} of products, none is shown to be bought together {more}"
    best = sure.iloc[0]
    times = fmt.number(best["lift_for_size"], 1)
    reach = fmt.interval(best["lift_for_size_low"], best["lift_for_size_high"], "ratio")
    return (
        f"{best['product']} and {best['other']} are together {times} times as often as by chance in orders as large "
        f"({reach}); of {fmt.plural(possible, 'pair')}, {fmt.plural(many, 'is', 'are')} together {more}"
    )


def next_product_in_words(table: pd.DataFrame, offers: int, days: int, low: float, high: float) -> str:
    """Whether products bought by the same customers predict the next one better than popularity."""
    ours, popular = (table.set_index("method").loc[name] for name in ("item-to-item", "popularity"))
    gap = Estimate(float(ours["hit_rate"] - popular["hit_rate"]), "points", low, high)
    who, shown = fmt.plural(ours["customers"], "customer"), fmt.plural(offers, "product")
    sentence = (
        f"of {who} who bought a product for the first time in the last {fmt.plural(days, 'day')}, "
        f"{fmt.share(ours['hit_rate'])} bought one of the {shown} that buyers of their products own most, "
        f"{fmt.share(popular['hit_rate'])} one of the {shown} that are most popular"
    )
    return compared(sentence, gap)


def gaps_in_words(table: pd.DataFrame) -> str:
    """How many come back within a year after each order, and how soon."""
    known = table.dropna(subset=["within_365"])
    if known.empty:
        return "no customer is known for a year after an order"
    came = zip(known["within_365"].map(fmt.share), known["step"].str[0], strict=True)
    parts = [f"{share} after order {order}" for share, order in came]
    return f"within a year the next order comes from {fmt.listing(parts)}"


def paths_in_words(table: pd.DataFrame) -> str:
    """What is bought next more often than usual after which first product."""
    sure = table[table["verdict"] == "more than usual"]
    if sure.empty:
        return "what the second order is does not depend on the first beyond chance"
    row = sure.iloc[0]
    return (
        f"after {row['first']}, {fmt.share(row['share'])} of second orders are {row['then']}, against "
        f"{fmt.share(row['usual'])} of all second orders"
    )


def drivers_in_words(table: pd.DataFrame, value: str, days: int) -> str:
    """Which beginning goes with the best customers, and how many do beyond chance."""
    tested = table[table["when"] == "known at the first order"]
    best = tested[tested["verdict"] == "better"]
    within = f"{value} within {fmt.plural(days, 'day')}"
    later = len(table) - len(tested)
    after = f"; {fmt.plural(later, 'sign')} set afterwards {'is' if later == 1 else 'are'} no driver"
    after = after if later else ""
    if best.empty:
        return f"of {fmt.plural(len(tested), 'beginning')}, none goes with more {within} beyond chance{after}"
    row = best.iloc[0]
    reach = fmt.interval(row["difference_low"], row["difference_high"], "money", UNNAMED)
    return (
        f"customers with {row['beginning']} bring {money(row['difference'])} more {within} than the mean "
        f"({reach}); of {fmt.plural(len(tested), 'beginning')}, {fmt.count(len(best))} go with better customers beyond "
        f"chance{after}"
    )


def links_in_words(table: pd.DataFrame) -> str:
    """How many recommendations are used, and why others are not."""
    rows = table.set_index("problem")["links"]
    aside = rows.drop("used")
    sentence = f"{fmt.plural(rows['used'], 'recommendation')} of {fmt.count(rows.sum())} can be used"
    if not aside.sum():
        return sentence
    return f"{sentence}; set aside: {fmt.listing([f'{fmt.count(n)} with {why}' for why, n in aside.items()])}"


def wins_in_words(table: pd.DataFrame) -> str:
    """How many customers 100 customers have brought at the age of a year, or at the nearest one that is known."""
    ages = table["age"].unique()
    age = ages[np.abs(ages - 360).argmin()]
    rows = table[table["age"] == age].sort_values("wins_per_customer", ascending=False)
    parts = []
    for _place, row in rows.iterrows():
        reach = fmt.interval(100 * row["wins_per_customer_low"], 100 * row["wins_per_customer_high"], "ratio")
        name = "" if row["group"] == "all" else f" ({row['group']})"
        parts.append(f"{fmt.number(100 * row['wins_per_customer'], 1)}{name}, {reach}")
    return f"within {fmt.plural(int(age), 'day')} of joining, 100 customers have brought {'; '.join(parts)}"


def type_one_in_words(table: pd.DataFrame) -> str:
    """Between which shares of the referred would not have come otherwise, and on which ground."""
    row = table[table["used"]].iloc[0]
    sentence = (
        f"of the recommended, {fmt.interval(row['low'], row['high'], 'share')} would not have come otherwise "
        f"({row['basis']})"
    )
    offer = table[table["basis"] == "the offer given by chance"]
    if len(offer) and row["high"] < offer["low"].iloc[0]:
        at_least = fmt.share(offer["low"].iloc[0])
        return f"{sentence}: that contradicts the offer, which alone has won at least {at_least}"
    return sentence


def types_in_words(table: pd.DataFrame, days: int) -> str:
    """Whose recommendations bring the customers who are worth most."""
    rows = table[(table["by"] == "recommender type") & (table["known"] >= 30) & (table["group"] != "(none)")]
    if len(rows) < 2:
        return ""
    best, worst = (rows.loc[getattr(rows["mean"], how)()] for how in ("idxmax", "idxmin"))
    sure = "the intervals do not overlap" if best["low"] > worst["high"] else "the intervals overlap"
    return (
        f"customers recommended by {best['group']} bring {money(best['mean'])} within {fmt.plural(days, 'day')}, by "
        f"{worst['group']} {money(worst['mean'])}: {sure}"
    )


def account_in_words(table: pd.DataFrame) -> str:
    """What recommendations have brought, between two ends."""
    rows = table.set_index("entry")
    whole, people = rows.loc["in all"], rows.iloc[0]["at_least"]
    reach = fmt.interval(whole["at_least"], whole["at_most"], "money", UNNAMED)
    return f"{fmt.plural(people, 'recommended customer')} brought {reach}, by how many would not have come otherwise"


def groups_in_words(table: pd.DataFrame) -> str:
    """How many customers are worth more by whom they bring than by what they buy."""
    counts, people = table.set_index("group")["customers"].map(fmt.count), table["customers"].sum()
    return (
        f"of {fmt.plural(people, 'customer')}, {counts['Advocates']} buy little and bring others (Advocates), "
        f"{counts['Champions']} buy much and bring others (Champions)"
    )


def referred_in_words(table: pd.DataFrame, days: int) -> str:
    """Whether the referred come back more than others like them, and what would undo it."""
    row = table[(table["outcome"] == "came back") & (table["comparison"] == "others like them")].iloc[0]
    ours, others = fmt.share(row["mean"]), fmt.share(row["mean_others"])
    within = fmt.plural(days, "day")
    sentence = f"of the recommended {ours} came back within {within}, of others like them {others}"
    if row["e_value_low"] > 1:
        times = fmt.number(row["e_value_low"], 2)
        sentence += f"; something unseen that goes {times} times as often with both would undo it"
    return compared(sentence, Estimate.of_row(row, "difference", "points"))


def afterwards_in_words(table: pd.DataFrame, days: int) -> str:
    """How promoters and detractors, and those to whom promises were kept or not, bought afterwards."""
    parts = []
    for _question, rows in table.groupby("question", sort=False):
        if len(rows) > 1:
            ends = [f"{fmt.share(row['again'])} ({row['group']})" for row in (rows.iloc[0], rows.iloc[-1])]
            low, high = rows["again_low"], rows["again_high"]
            apart = low.iloc[0] > high.iloc[-1] or high.iloc[0] < low.iloc[-1]
            parts.append(f"{ends[0]} against {ends[1]}{'' if apart else ', which may be chance'}")
    return f"within {fmt.plural(days, 'day')} afterwards bought {'; '.join(parts)}" if parts else ""


def themes_in_words(table: pd.DataFrame, days: int) -> str:
    """How many comments were followed up, and whether those customers came back more."""
    row = table[table["theme"] == "all themes"].iloc[0]
    comments, came, others = fmt.plural(row["comments"], "comment"), row["again_followed"], row["again_not"]
    sentence = f"{fmt.share(row['followed_share'])} of {comments} were followed up within 30 days"
    if not np.isfinite(row["difference"]):
        return sentence
    gap = Estimate(row["difference"], "points", row["low"], row["high"])
    within = fmt.plural(days, "day")
    bought = f"{fmt.share(came)} of these customers bought within {within}, of the others {fmt.share(others)}"
    return compared(f"{sentence}; {bought}", gap)


def moves_in_words(table: pd.DataFrame) -> str:
    """Whether customers move up to dearer products from order to order."""
    up, down = (fmt.share(table[name].iloc[0]) for name in ("up", "down"))
    sentence = f"{up} of next orders go up to a dearer product, {down} down"
    return compared(sentence, Estimate.of_row(table.iloc[0], "net_up", "points"))


def ladder_in_words(table: pd.DataFrame) -> str:
    """How many of those who began with the cheapest product go up within a year."""
    rows = table[(table["category"] == "all categories") & table["within_365"].notna()]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    reach = fmt.interval(row["within_365_low"], row["within_365_high"], "share")
    first = "the cheapest product of a category" if row["rung"] == 1 else f"rung {fmt.count(row['rung'])}"
    up = fmt.share(row["within_365"])
    return f"of those who began with {first}, {up} bought a dearer one within a year ({reach})"


def plans_in_words(table: pd.DataFrame) -> str:
    """How often the plan of a contract changes, and how often only its price."""
    same = table["move"].str.startswith("same plan")
    other, total = table.loc[~same, "changes"].sum(), table["changes"].sum()
    changes, moved, rest = fmt.plural(total, "change"), fmt.count(other), fmt.count(total - other)
    return f"of {changes} of a contract, {moved} went to another plan, {rest} changed the price only"


def held_in_words(table: pd.DataFrame, days: int) -> str:
    """How many customers hold one kind of product only."""
    row, last = table.iloc[0], table.iloc[-1]
    kinds, within = fmt.plural(int(row["held"][0]), "kind"), fmt.plural(days, "day")
    sentence = f"{fmt.share(row['share'])} of customers bought {kinds} of product within {within}"
    sentence += f" and brought {money(row['brought'])}"
    return sentence if len(table) == 1 else f"{sentence}; those with {last['held']} {money(last['brought'])}"


def programme_in_words(table: pd.DataFrame, members: int) -> str:
    """Whether a loyalty programme has brought more than it costs."""
    row = table.set_index("entry").loc["in all"]
    paid = Estimate(row["amount"], "money", row["low"], row["high"], currency=UNNAMED)
    word, who = "earned" if row["amount"] >= 0 else "lost", fmt.plural(members, "member")
    return compared(f"the loyalty programme has {word} {money(abs(row['amount']))} on {who}", paid)


def money_kept_in_words(table: pd.DataFrame, value: str) -> str:
    """How much of its first month's money a cohort brings a year later."""
    rows = table[(table["age"] == 12) & table["complete"] & table["is_new"]].dropna(subset=["money_share"])
    if rows.empty:
        return f"no cohort is a year old, to see which share of its first {value} it still brings"
    middle = fmt.share(float(rows["money_share"].median()))
    return f"a year later, the middle cohort brings {middle} of the {value} of its first month"


def rise_in_words(table: pd.DataFrame, days: int) -> str:
    """That retention rises although no customer changes, and how much of the rise is left."""
    first, last = table.iloc[0], table.iloc[-1]
    ends = [[fmt.share(row[name]) for row in (first, last)] for name in ("kept", "if_unchanged")]
    period = fmt.plural(days, "day")
    return (
        f"retention per {period} appears to rise from {ends[0][0]} to {ends[0][1]}; it would rise from {ends[1][0]} to "
        f"{ends[1][1]} if no customer ever changed, only because those who buy seldom drop out of the count"
    )


def pressure_in_words(table: pd.DataFrame) -> str:
    """Whether purchases crowd into the second half of the time to a reward."""
    rows = table.set_index("members")
    if not len(table):
        return ""
    parts = []
    for name in ("heavy", "light"):
        row = rows.loc[name]
        hurry = "hurry" if row["low"] > 0.5 else "do not hurry beyond chance"
        parts.append(f"{name} buyers {hurry} ({fmt.share(row['share_in_second_half'])} in the second half)")
    return f"before a reward, {fmt.listing(parts)}"


def change_in_words(table: pd.DataFrame, value: str) -> str:
    """Which part of a change in revenue came with customers alone, which with products alone, and which with both."""
    parts = table.groupby("part")["change"].sum()
    texts = [
        f"{_signed(parts[name])} with {name}"
        for name in ("customers alone", "products alone")
        if name in parts
    ]
    rest = float(parts.drop(["customers alone", "products alone"], errors="ignore").sum())
    whole = f"{value} changed by {_signed(float(table['change'].sum()))}"
    return f"{whole}: {fmt.listing([*texts, f'{_signed(rest)} with both or neither'])}"


def _signed(amount: float) -> str:
    return f"{'+' if amount >= 0 else '−'}{money(abs(amount))}"


def ageing_in_words(table: pd.DataFrame, days: int) -> str:
    """How much of what it brought in its first period a product brings in a later one."""
    if len(table) < 2:
        return f"no product is known for two periods of {fmt.plural(days, 'day')}"
    row = table.iloc[-1]
    ends = fmt.interval(row["share_low"], row["share_high"], "share")
    return (
        f"in period {row['age'] + 1:.0f} of {fmt.plural(days, 'day')} after its launch, a product brings "
        f"{fmt.share(row['share'])} of what it brought in the first ({ends})"
    )
