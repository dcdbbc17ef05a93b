"""What is said about channels: their customers' worth, what they brought, and what one more would cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import UNNAMED, Estimate, compared
from crmlib.statistics import Array, percentile_interval


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
    names = {
        "first_touch": "first touch",
        "last_touch": "last touch",
        "linear": "equal parts",
        "removal": "its removal",
    }
    high, low = rules.iloc[at].idxmax(), rules.iloc[at].idxmin()
    said = (
        f"of {fmt.plural(wins, 'win')}, {table['channel'][at]} is credited with {fmt.count(rules.iloc[at][high])} by "
        f"{names[high]} and {fmt.count(rules.iloc[at][low])} by {names[low]}"
    )
    if table["removal"].isna().all():
        said += "; no removal effect is shown, for no path that ended without a win is known"
    return said


def next_customer(table: pd.DataFrame) -> str:
    """Where one more customer costs least, and of how many channels it cannot be told."""
    told = table[table["verdict"] == "told"].sort_values("marginal_cac")
    unknown = int(table["verdict"].str.startswith("cannot be told").sum())
    if unknown == len(table):
        return "what one more customer would cost cannot be told for any channel"
    rest = (
        f"; for {fmt.count(unknown)} of {fmt.plural(len(table), 'channel')} it cannot be told"
        if unknown
        else ""
    )
    if told.empty:
        return f"no channel is shown to win more customers by a larger budget{rest}"
    best = told.iloc[0]
    reach = fmt.interval(best["marginal_cac_low"], best["marginal_cac_high"], "money", UNNAMED)
    cost, average = fmt.money(best["marginal_cac"], UNNAMED), fmt.money(best["average_cac"], UNNAMED)
    return f"one more customer by {best['channel']} costs {cost} ({reach}), on average {average}{rest}"


def told_after(table: pd.DataFrame, horizon_days: int) -> str:
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
