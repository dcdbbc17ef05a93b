"""The findings of this room: one sentence per table, which is the title of its chart.

A function returns "" where there is nothing to say. Money is written in `crmlib.findings.UNNAMED` currency, for tables
do not know theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import Estimate, compared, money

_VALLEY = 0.01  # p-value of a valley that is there


def change_of_total(value: str, start: float, effects: Sequence[float], names: Sequence[str]) -> str:
    """How a total moved, and the group, factor or movement with the largest effect on it."""
    if not len(effects):
        return ""
    end, value = start + sum(effects), fmt.capital(value)
    largest = int(np.abs(np.asarray(effects)).argmax())
    effect = f"{'+' if effects[largest] > 0 else ''}{money(effects[largest])}"
    reason = f"largest effect: {fmt.short_name(names[largest])} ({effect})"
    if np.isclose(start, end, rtol=1e-9, atol=1e-9):
        stayed = f"{value} stayed at {money(end)}"
        return f"{stayed}; {reason}" if abs(effects[largest]) > 1e-9 else stayed
    verb = "fell" if end < start else "rose"
    size = f" by {fmt.share(abs(end / start - 1))}" if start > 0 and end >= 0 else ""
    return f"{value} {verb}{size} to {money(end)}; {reason}"


def change_of_recurring_revenue(movements: pd.DataFrame) -> str:
    """How recurring revenue moved from the first month's start to the last one's end."""
    names = ["new", "expansion", "contraction", "churn"]
    effects = movements[names].sum().to_numpy(float) * [1, 1, -1, -1]
    return change_of_total("recurring revenue", float(movements["start"].iloc[0]), effects.tolist(), names)


def moves_of_segments(matrix: pd.DataFrame, before: str) -> str:
    """Where the customers of the best earlier segment are now."""
    matrix = matrix[matrix.sum(axis=1) > 0]
    if matrix.empty:
        return ""
    name, people = matrix.index[0], int(matrix.iloc[0].sum())
    shares = matrix.iloc[0] / people
    others = shares.drop(name, errors="ignore")
    title = f"Of {fmt.plural(people, 'customer')} in “{fmt.short_name(name)}” on {before}, "
    title += f"{fmt.share(shares.get(name, 0.0))} stayed"
    if not others.max() > 0:
        return title
    return f"{title}; {fmt.share(others.max())} went to “{fmt.short_name(others[others == others.max()].index[-1])}”"


def moves_of_tiers(matrix: pd.DataFrame) -> str:
    """How many of the best tier are in it again."""
    counts = matrix.drop(index="new", errors="ignore")
    counts = counts[counts.sum(axis=1) > 0]
    if counts.empty:
        return ""
    best = counts.index[0]
    again = fmt.share(counts.loc[best, best] / counts.loc[best].sum())
    return f"Of {best}, {again} are {best} again in the next period"


def sizes_of_segments(table: pd.DataFrame) -> str:
    """The segment that spends most, and the one with most customers."""
    if not table["customers"].sum():
        return ""
    table = table.set_index(table["segment"].astype(str))
    largest = table.loc[table["share_of_customers"].idxmax()]
    name, size = fmt.short_name(largest["segment"]), fmt.share(largest["share_of_customers"])
    most = f"{name} is the largest segment: {size} of customers"
    if table["share_of_net"].isna().all():
        return most
    richest = table.loc[table["share_of_net"].idxmax()]
    if richest["segment"] == largest["segment"]:
        return f"{most}, {fmt.share(largest['share_of_net'])} of spend"
    rich = f"{fmt.short_name(richest['segment'])}: {fmt.share(richest['share_of_customers'])} of customers"
    brings = f"brings {fmt.share(largest['share_of_net'])}"
    return f"{rich}, {fmt.share(richest['share_of_net'])} of spend; the largest segment, {name}, {brings}"


def pyramid(table: pd.DataFrame, column: str, value: str) -> str:
    """What the best tier brings, and what the last one brings or costs."""
    table = table[table["customers"] > 0]
    if table.empty:
        return ""
    first, last, share = table.iloc[0], table.iloc[-1], f"share_of_{column}"
    best = f"{first['tier']}, {fmt.share(first['share_of_customers'])} of customers,"
    if table[share].isna().all():
        return f"{best} makes {value} of {money(first[column])}; all customers together bring none"
    title = f"{best} brings {fmt.share(first[share])} of {value}"
    if len(table) == 1:
        return title
    tier = f"{last['tier']}, {fmt.share(last['share_of_customers'])},"
    if last[share] < 0:
        return f"{title}; {tier} reduces it by {fmt.share(-last[share])}"
    return f"{title}; {tier} brings {fmt.share(last[share])}"


def effort_beside_value(table: pd.DataFrame) -> str:
    """The tier that takes most service beyond its share of the value."""
    table = table[table["customers"] > 0].dropna(subset=["share_of_effort", "share_of_value"])
    if table.empty:
        return ""
    beyond = table["share_of_effort"] - table["share_of_value"]
    if beyond.max() < 0.01:
        return "Each tier gets service in proportion to its value"
    row = table.loc[beyond.idxmax()]
    takes, brings = fmt.share(row["share_of_effort"]), fmt.share(row["share_of_value"])
    return f"{row['tier']} takes {takes} of the service and brings {brings} of the value before service cost"


def stayed_beside_chance(stayed: pd.DataFrame) -> str:
    """The share of the best tier that stayed, beside the share expected if no customer changed."""
    stayed = stayed[(stayed["customers"] > 0) & stayed["by_chance"].notna()]
    if stayed.empty:
        return ""
    first = stayed.iloc[0]
    stayed_share, chance = fmt.share(first["stayed"]), fmt.share(first["by_chance"])
    title = f"{stayed_share} of {first['tier']} stayed; {chance} are expected to stay if no customer changes"
    apart = Estimate(first["stayed"] - first["by_chance"], "points", first["low"], first["high"])
    return compared(title, apart)


def total_without_change(means: pd.DataFrame, value: str) -> str:
    """How much of a period's total its customers would bring again if none changed, and what they brought."""
    active = means[means["tier"] != "not active"].dropna(subset=["before"])
    total = float(active["customers"] @ active["before"]) if len(active) else 0.0
    if not total > 0:
        return ""
    expected, after = (
        fmt.share(float(active["customers"] @ active[name]) / total) for name in ("expected", "after")
    )
    return (
        f"Customers of the first period would bring {expected} of its {value} again if none changed; "
        f"they brought {after}"
    )


def certainty_of_tiers(by_tier: pd.DataFrame) -> str:
    """How probable the best tier is, and the lowest of all; `by_tier`: as of `TierProbabilities`, best first."""
    right = by_tier.dropna(subset=["right"]).set_index("tier")["right"]
    if right.empty:
        return ""
    best, worst = right.index[0], right.idxmin()
    title = f"A customer measured as {best} is {best} with probability {fmt.share(right[best])}"
    return title + (f"; lowest for {worst}: {fmt.share(right[worst])}" if worst != best else "")


def keys_of_allocation(sensitivity: pd.DataFrame) -> str:
    """The key that moves most customers to another tier."""
    others = sensitivity[sensitivity["key"] != "as calculated"]
    if others.empty:
        return ""
    most = others.loc[others["share_changed"].idxmax()]
    if not most["share_changed"]:
        return "No customer changes tier, whichever key allocates the cost to serve"
    moved = f"moves {fmt.share(most['share_changed'])} of customers to another tier"
    return f"Allocated {most['key']}, the same cost {moved}"


def whale(curve: pd.DataFrame, value: str) -> str:
    """How much the best customers bring, and what the others lose of it again."""
    people, sums = (curve[column].to_numpy(dtype=float) for column in ("share_of_customers", "profit"))
    if len(curve) < 2:
        return ""
    peak, total = int(sums.argmax()), float(sums[-1])
    lost = money(float(sums[peak] - total))
    tail = sums[peak] - total > 1e-9 * max(abs(sums[peak]), abs(total))
    if tail and peak == 0:
        return f"No customer brings {value}; together they lose {lost}"
    best = f"{fmt.share(float(people[peak]))} of customers bring"
    if tail and total > 0:
        return f"{best} {fmt.share(float(sums[peak] / total))} of {value}; the others lose {lost}"
    if tail:
        return f"{best} {money(float(sums[peak]))}; the others lose {lost}"
    if not total > 0:
        return f"No customer brings {value}"
    fifth = float(np.interp(0.2, people, sums)) / total
    found = f"The best 20 % of customers bring {fmt.share(fifth)} of {value}"
    # Who makes a loss is known only where costs of service are.
    return f"{found}; no customer makes a loss" if value.endswith(("profit", "after service cost")) else found


def ranks_compared(ranks: pd.DataFrame) -> str:
    """Whether those who buy most are those who bring most."""
    if len(ranks) < 2:
        return ""
    top = ranks.sort_values("revenue_rank", kind="stable").head(max(1, round(0.1 * len(ranks))))
    poor = fmt.share(float((top["profit_rank"] > len(ranks) / 2).mean()))
    return f"Of the 10 % with the highest revenue, {poor} are in the lower half after costs"


def clusters_described(profile: pd.DataFrame) -> str:
    """The largest cluster, and the feature in which clusters differ most."""
    clusters = profile.drop_duplicates("cluster").set_index("cluster")
    if clusters.empty:
        return ""
    if len(clusters) == 1:
        return "All customers are one cluster"
    people = clusters["customers"] / clusters["customers"].sum()
    weights = profile["cluster"].map(people).astype(float)
    apart = (profile["standing"] ** 2 * weights).groupby(profile["feature"], sort=False).sum()
    largest = people.idxmax()
    held = f"“{fmt.short_name(clusters.loc[largest, 'name'])}”, holds {fmt.share(people[largest])}"
    most = str(apart.idxmax()).replace("_", " ")
    return f"The largest of {len(clusters)} clusters, {held}; they differ most in {most}"


def clusters_judged(choice: pd.DataFrame) -> str:
    """Whether clusters are separate groups, or cuts of one continuous distribution."""
    if choice.empty:
        return ""
    if choice["groups"].any():
        number = int(choice.loc[choice["groups"], "clusters"].iloc[-1])
        found = "more distinct than in data without groups, with a valley between all neighbours"
        return f"{number} clusters are groups: {found}"
    tried = [fmt.count(number) for number in choice["clusters"]]
    why = "where there are valleys, the clusters are not stable or not more compact than cuts"
    if not (choice["valley_p"] <= _VALLEY).any():
        beyond = (choice["silhouette"] >= choice["silhouette_null"]).all()
        why = "no valley between some neighbours"
        why += ", though silhouettes are higher than in data without groups" if beyond else ""
    return f"Cuts, not groups, with {' to '.join(dict.fromkeys([tried[0], tried[-1]]))} clusters: {why}"


def rate_compared(rates: pd.Series) -> str:
    """The share who bought again, against the year before; empty where the log does not reach back."""
    if np.isnan(rates["change"]):
        return ""
    text = f"{fmt.share(rates['rate'])} of the buyers of one period bought again in the next"
    change = Estimate(rates["change"], "points", rates["change_low"], rates["change_high"])
    more = "more" if change.value > 0 else "less"
    size = fmt.points(abs(change.value))
    return compared(f"{text}, {size} {more} than a year before among customers as new as these", change)
