"""The findings of this room: one sentence per table, which is the title of its chart.

A function returns "" where there is nothing to say. Money is written in `crmlib.findings.UNNAMED` currency, for tables
do not know theirs.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import UNNAMED, Estimate, compared, with_finding


def forecasts_tracked(tracking: pd.DataFrame) -> str:
    """How far each model's sum of holdout purchases is from what happened."""
    sums = tracking[tracking["holdout"]].groupby("model", sort=False)[["actual", "predicted"]].sum()
    if sums.empty:
        return ""
    happened = float(sums["actual"].iloc[0])
    if not happened > 0:
        most = float(sums["predicted"].max())
        return f"No purchase happened in the holdout; {fmt.number(most)} predicted"
    errors, purchases = sums["predicted"] / happened - 1, f"the {fmt.plural(happened, 'holdout purchase')}"
    best, worst = errors.abs().idxmin(), errors.abs().idxmax()
    near, far = fmt.short_name(best), fmt.short_name(worst)
    if len(errors) == 1:
        return f"{near} predicts {_off(errors[best])} {purchases} that happened"
    if not errors[worst]:
        return f"All predictions meet {purchases}"
    if fmt.change(errors[best]) == fmt.change(errors[worst]):
        return (
            f"{'Both' if len(errors) == 2 else 'All'} predict {_off(errors[best])} {purchases} that happened"
        )
    if abs(errors[best]) == abs(errors[worst]):
        return f"{near} and {far} are equally far from {purchases}, on both sides"
    closest = f"{near} comes closest to {purchases} ({fmt.change(errors[best])})"
    return f"{closest}; {far} is furthest off ({fmt.change(errors[worst])})"


def _off(error: float) -> str:
    if abs(error) < 0.0005:
        return "just about"
    return f"{fmt.share(abs(error))} {'fewer' if error < 0 else 'more'} than"


def worst_group(groups: pd.DataFrame, group: str) -> str:
    """The group where the first model is furthest off."""
    known = groups.dropna(subset=["actual_mean", "predicted_mean"])
    if known.empty:
        return ""
    model, rows = next(iter(known.groupby("model", sort=False)))
    worst = rows.loc[(rows["predicted_mean"] - rows["actual_mean"]).abs().idxmax()]
    actual, predicted = (fmt.number(float(worst[f"{name}_mean"])) for name in ("actual", "predicted"))
    if actual == predicted:
        gap = fmt.number(float(abs(worst["predicted_mean"] - worst["actual_mean"])))
        return f"{fmt.short_name(model)} is within {gap} of what happened in every group"
    where = f"furthest off in group {worst[group]}: {predicted} predicted, {actual} happened"
    return f"{fmt.short_name(model)} is {where}"


def with_findings_by_model(frame: pd.DataFrame, group: str = "") -> pd.DataFrame:
    """The frame with a finding of all its models together and of each alone."""
    arguments, sentence = ((group,), worst_group) if group else ((), forecasts_tracked)
    for model, rows in frame.groupby("model", sort=False):
        frame.attrs[f"finding_{model}"] = fmt.capital(sentence(rows, *arguments))
    return with_finding(frame, sentence, *arguments)


def p_alive_by_history(grid: pd.DataFrame, age: float, time_unit: str) -> str:
    """How P(alive) falls with the number of purchases, the last of them being as long ago."""
    if grid.isna().to_numpy().all():
        return ""
    recency = grid.columns[grid.shape[1] // 2]
    repeaters = grid.loc[grid.index > 0, recency].dropna()
    if len(repeaters) < 2:
        low, high = float(np.nanmin(grid)), float(np.nanmax(grid))
        return f"P(alive) runs from {fmt.share(low)} to {fmt.share(high)}"
    when = f"Last bought in {time_unit} {fmt.number(float(recency))} of {fmt.number(age)}"
    few, many = repeaters.index[0], repeaters.index[-1]
    first = f"{fmt.share(float(repeaters.iloc[0]))} after {fmt.plural(few, 'repeat purchase')}"
    return f"{when}: P(alive) is {first}, {fmt.share(float(repeaters.iloc[-1]))} after {fmt.number(many)}"


def purchases_by_history(grid: pd.DataFrame, horizon: str, time_unit: str) -> str:
    """The history of which most is expected, and what an earlier last purchase would change."""
    if grid.isna().to_numpy().all():
        return ""
    values = grid.to_numpy(dtype=float)
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    most, times, recency = float(values[row, column]), grid.index[row], float(grid.columns[column])
    if not most > 0:
        return f"No purchases are expected in {horizon}, whatever the history"
    title = f"Most is expected at {fmt.plural(times, 'repeat purchase')}, the last in {time_unit} {fmt.number(recency)}"
    title += f": {fmt.number(most)} in {horizon}"
    same = grid.iloc[row].dropna()
    if len(same) > 1 and same.iloc[0] < most:
        title += f", but {fmt.number(float(same.iloc[0]))} if it was in {time_unit} {fmt.number(float(same.index[0]))}"
    return title


def chances_of_buying(deciles: pd.DataFrame) -> str:
    """How far each forecast's chances are off, averaged over tenths of customers."""
    known = deciles.dropna(subset=["predicted_mean", "actual_mean"])
    if known.empty:
        return ""
    gap = (known["predicted_mean"] - known["actual_mean"]).abs() * known["customers"]
    gaps = (
        gap.groupby(known["model"], sort=False).sum() / known.groupby("model", sort=False)["customers"].sum()
    )
    # One probability for everybody is right on average but ranks nobody: it cannot be the best forecast.
    comparable = gaps[known.groupby("model", sort=False).size() > 1]
    gaps = comparable if len(comparable) else gaps
    best, worst = gaps.idxmin(), gaps.idxmax()
    name = fmt.capital(fmt.short_name(best))
    near = f"{name}'s probabilities are off by {fmt.share(gaps[best])} of customers on average"
    if len(gaps) == 1:
        return near
    if fmt.share(gaps[best]) == fmt.share(gaps[worst]):
        return f"All forecasts are off by {fmt.share(gaps[best])} of customers on average"
    return f"{near}, {fmt.short_name(worst)}'s by {fmt.share(gaps[worst])}"


def overdue_buyers(table: pd.DataFrame, false_alarm_rate: float | None) -> str:
    """How many repeat buyers are overdue."""
    known = table.dropna(subset=["overdue_share"])
    if known.empty:
        return ""
    overdue, customers = float(known["overdue"].sum()), float(known["customers"].sum())
    title = f"{fmt.plural(overdue, 'customer is', 'customers are')} overdue: {fmt.share(overdue / customers)}"
    if false_alarm_rate is None:
        return f"{title} of repeat buyers"
    return f"{title} of repeat buyers, where {fmt.share(false_alarm_rate)} are expected if nobody has lapsed"


def chances_of_leaving(groups: pd.DataFrame) -> str:
    """Whether predicted chances are off beyond chance, and where most."""
    if groups.empty:
        return ""
    predicted, actual = groups["predicted_mean"], groups["actual_mean"]
    off, count = (predicted < groups["low"]) | (predicted > groups["high"]), fmt.plural(len(groups), "group")
    if not off.any():
        return (
            f"Predicted probabilities are right, within chance, in {'all ' if len(groups) > 1 else ''}{count}"
        )
    worst = (predicted - actual).abs().where(off).idxmax()
    where = f"{fmt.share(predicted[worst])} was predicted and {fmt.share(actual[worst])} left"
    return f"Probabilities are off beyond chance in {int(off.sum())} of {count}, most where {where}"


def gains(deciles: pd.DataFrame) -> str:
    """How many of those who left are among the riskiest tenth, by model."""
    first = deciles[(deciles["decile"] == 1) & (deciles["model"] != "base rate")]
    if first.empty:
        return ""
    others = [f"{fmt.short_name(row.model)} {fmt.share(row.gain)}" for row in first.iloc[1:].itertuples()]
    against = f"; {fmt.listing(others)}" if others else ""
    best = fmt.share(float(first["gain"].iloc[0]))
    return f"The riskiest 10 % of customers contain {best} of those who left{against}"


def churn_of_tenths(deciles: pd.DataFrame) -> str:
    """How many left of the riskiest tenth, and of the safest."""
    if deciles.empty:
        return ""
    rows = deciles[deciles["model"] == deciles["model"].iloc[0]]
    first, last = rows.iloc[0], rows.iloc[-1]
    times = f"{fmt.number(first['lift'], 1)} times the average"
    riskiest = f"{fmt.share(first['churn_rate'])} of the riskiest tenth left, {times}"
    return f"{riskiest}; {fmt.share(last['churn_rate'])} of the safest"


def features_that_count(importance: pd.DataFrame) -> str:
    """The features that matter most to a model."""
    counting = importance[importance["importance"] > 0]
    if counting.empty:
        return "" if importance.empty else "No feature improves predictions for held-out customers"
    names = [fmt.short_name(str(name).replace("_", " ")) for name in counting["feature"].head(2)]
    if len(names) == 1:
        return f"{fmt.capital(names[0])} alone matters"
    return f"{fmt.capital(names[0])} matters most, then {names[1]}"


def survival_compared(curves: pd.DataFrame) -> str:
    """Who is still there, at half the tenure that every group was seen for."""
    curves = curves.dropna(subset=["tenure", "survival"])
    if curves.empty:
        return ""
    at = float(curves.groupby("group")["tenure"].max().min()) / 2
    at = float(np.floor(at)) if at >= 1 else at
    there = curves[curves["tenure"] <= at].groupby("group", sort=False)["survival"].last()
    when, most, least = f"After {fmt.plural(at, 'month')}", there.idxmax(), there.idxmin()
    if len(there) == 1:
        return f"{when}, {fmt.share(there[most])} of contracts are still there"
    if fmt.share(there[most]) == fmt.share(there[least]):
        return f"{when}, {fmt.share(there[most])} of contracts are still there in every group"
    stay = f"{fmt.share(there[most])} of contracts are still there after {fmt.plural(at, 'month')}"
    return f"{fmt.short_name(most)}: {stay}; {fmt.short_name(least)}: {fmt.share(there[least])}"


def order_by_effect(curve: pd.DataFrame, low: float, high: float) -> str:
    """What choosing by predicted effect brings; `low` and `high` are the interval of the Qini coefficient."""
    share, qini = curve["share"].to_numpy(dtype=float), curve["qini"].to_numpy(dtype=float)
    if high < 0:
        return "Choosing by predicted effect is worse than by chance"
    if not low > 0:
        return "Choosing by predicted effect is not shown to be better than by chance in this experiment"
    top = int(np.argmax(qini - qini[-1] * share))
    found = f"The {fmt.share(float(share[top]))} with the highest predicted effect"
    if not qini[-1] > 0:
        return f"{found} gain; contacting everybody gains nothing"
    if curve["qini_low"].iloc[top] > qini[-1]:
        return f"{found} gain more than contacting everybody would: some customers should not be contacted"
    part = float(qini[top] / qini[-1])
    brought = "as much as" if part >= 1 else f"{fmt.share(part)} of what"
    return f"{found} bring {brought} contacting everybody brings"


def spend_of_groups(groups: pd.DataFrame) -> str:
    """Which group spent most in the holdout, and which least."""
    known = groups.dropna(subset=["spend"]).set_index("group")["spend"]
    if known.empty:
        return ""
    best, worst = known.idxmax(), known.idxmin()
    most, least = (fmt.money(float(known[name]), UNNAMED) for name in (best, worst))
    title = f"{fmt.short_name(best)} spent {most} per customer in the holdout"
    return f"{title}, {fmt.short_name(worst)} {least}" if known[best] > known[worst] else title


def rankings_compared(scores: pd.DataFrame, enough: bool = True) -> str:
    """How much of later spend the fifth holds that each ranking puts first: the best ranking beside the last."""
    known = scores.dropna(subset=["top_20_share"])
    if known.empty:
        return ""
    if not enough:
        return "Too few later purchases to tell which ranking is better"
    first, last = known.iloc[0], known.iloc[-1]
    best = f"The fifth of customers ranked first by {fmt.short_name(first['model'])}"
    best += f" brought {fmt.share(first['top_20_share'])} of later spend"
    if len(known) == 1:
        return best
    sentence = f"{best}, by {fmt.short_name(last['model'])} {fmt.share(last['top_20_share'])}"
    return compared(sentence, Estimate(last["behind"], "points", last["behind_low"], last["behind_high"]))
