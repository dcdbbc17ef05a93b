"""The findings of this room, each in one sentence; see `crmlib.models.sentences`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import CONTRADICTED, SUPPORTED, UNNAMED

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
    """Which segment is worth most per customer, and which least."""
    known = table.dropna(subset=["clv_mean"]).set_index("segment")["clv_mean"]
    if known.empty:
        return ""
    best, worst = known.idxmax(), known.idxmin()
    each = f"{money(float(known[best]))} each"
    if len(known) == 1:
        return f"{fmt.short_name(best)}: worth {each}"
    if not known[best] > known[worst]:
        return f"All {len(known)} groups are worth the same: {each}"
    least = f"{fmt.short_name(worst)}: least, {money(float(known[worst]))}"
    return f"{fmt.short_name(best)}: worth most, {each}; {least}"


def value_of_months(table: pd.DataFrame) -> str:
    """The month whose new customers are worth most, and the month with the least."""
    known = table.dropna(subset=["clv_mean"]).set_index("month")["clv_mean"]
    if known.empty:
        return ""
    best, worst = known.idxmax(), known.idxmin()
    title = f"A customer acquired in {fmt.month(best)} is worth {money(float(known[best]))}"
    if known[best] > known[worst]:
        title += f", the most; {money(float(known[worst]))} in {fmt.month(worst)}, the least"
    return title


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


def worth_of_next_points(curve: pd.DataFrame, rate: float, points: float) -> str:
    """What a customer is worth at the firm's retention, and what the next points add."""
    rates = curve["retention_rate"].to_numpy(dtype=float)
    if len(rates) < 2:
        return ""
    low, high = rates.min() - 1e-9, rates.max() + 1e-9
    if not low <= rate <= high:
        return f"The firm's retention of {fmt.share(rate)} lies outside the curve"
    ordered = curve.sort_values("retention_rate")
    now, then = np.interp([rate, rate + points], ordered["retention_rate"], ordered["net"])
    worth = f"At {fmt.share(rate)} retention a customer is worth {money(now)}"
    worth += "" if np.allclose(curve["gross"], curve["net"]) else " net"
    if rate + points > high:
        return f"{worth}; {fmt.points(points)} more are outside the curve"
    if now <= 0:
        return f"{worth}; {fmt.points(points)} more give {money(then)}"
    return f"{worth}; {fmt.points(points)} more add {fmt.share(then / now - 1)}"


def rise_beside_claim(curve: pd.DataFrame, rate: float, claimed: float) -> str:
    """What five points more add, beside what is claimed of them."""
    known = curve.dropna(subset=["net_change"]).sort_values("retention_rate")
    if len(known) < 2:
        return ""
    here = float(np.interp(rate, known["retention_rate"], known["net_change"], left=np.nan, right=np.nan))
    if not np.isfinite(here):
        return (
            f"At {fmt.share(rate)} retention net value is not positive, so its percentage rise is undefined"
        )
    side = f"{'more than' if here > claimed else 'not'} the claimed {fmt.share(claimed)}"
    side = "as claimed" if fmt.share(here) == fmt.share(claimed) else side
    return f"At {fmt.share(rate)} retention, five points more add {fmt.share(here)}, {side}"


def experiments_that_differ(read: pd.DataFrame, is_money: bool) -> str:
    """How many experiments made things better or worse, and which most."""
    known = read.dropna(subset=["difference", "low", "high"])
    if known.empty:
        return ""
    several = known.groupby("experiment").nunique().gt(1).any()
    parts = ["experiment", *(name for name in ("arm", "outcome") if several.get(name, False))]
    known = known.assign(name=known[parts].astype(str).agg(": ".join, axis=1))
    known = known.sort_values("difference", ascending=False, kind="stable")
    better, worse = (known[known["verdict"] == verdict] for verdict in (SUPPORTED, CONTRADICTED))
    count, written = fmt.plural(len(known), "experiment"), _written(is_money)
    if better.empty and worse.empty:
        return (
            f"None of {count} shows a difference" if len(known) > 1 else "The experiment shows no difference"
        )
    found = []
    if len(better):
        most = f"{fmt.short_name(better['name'].iloc[0])} most: {written(better['difference'].iloc[0])} each"
        found.append(f"{fmt.number(len(better))} of {count} made things better, {most}")
    if len(worse):
        last = f"{written(worse['difference'].iloc[-1])} each"
        found.append(f"{fmt.short_name(worse['name'].iloc[-1])} made them worse: {last}")
    return "; ".join(found)


def members_beside_others(uplift: pd.DataFrame, is_money: bool) -> str:
    """How much more members buy than others like them, beside the naive difference."""
    rows, written = (
        uplift.dropna(subset=["difference", "low", "high"]).set_index("comparison"),
        _written(is_money),
    )
    if rows.empty:
        return ""
    if "matched" not in rows.index:
        return "No member has similar customers for a comparison"
    like, low, high = (float(rows.loc["matched", name]) for name in ("difference", "low", "high"))
    amount = f"{written(like)} a month ({written(low)} to {written(high)})"
    if "after joining" not in rows.index:
        return f"Compared with similar customers, members buy {amount} more"
    naive = f"Members buy {written(float(rows.loc['after joining', 'difference']))} a month more than others"
    if low <= 0 <= high:
        return f"{naive}; compared with similar customers, no difference is shown: {amount}"
    return f"{naive}; compared with similar customers, it is {amount}"


def _written(is_money: bool) -> Callable[[float], str]:
    return money if is_money else fmt.number
