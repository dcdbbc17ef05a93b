"""The findings of this room: one sentence per table, which is the title of its chart.

A function returns "" where there is nothing to say. Money is written in `crmlib.findings.UNNAMED` currency, for tables
do not know theirs.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import UNNAMED, Compared, Estimate, compared, with_finding
from crmlib.statistics import normal_quantile

DRAWN = 4  # forecasts that a chart of chances draws and names


def forecasts_tracked(tracking: pd.DataFrame) -> str:
    """How far the models' sums of holdout purchases are from what happened; one total cannot rank them."""
    sums = tracking[tracking["holdout"]].groupby("model", sort=False)[["actual", "predicted"]].sum()
    if sums.empty:
        return ""
    happened = float(sums["actual"].iloc[0])
    if not happened > 0:
        most = float(sums["predicted"].max())
        return f"No purchase happened in the holdout; {fmt.number(most)} predicted"
    errors, purchases = sums["predicted"] / happened - 1, f"the {fmt.plural(happened, 'holdout purchase')}"
    if len(errors) == 1:
        return f"{fmt.short_name(errors.index[0])} predicts {_off(errors.iloc[0])} {purchases} that happened"
    low, high = float(errors.min()), float(errors.max())
    if fmt.change(low) == fmt.change(high):
        return f"{'Both' if len(errors) == 2 else 'All'} predict {_off(low)} {purchases} that happened"
    return f"{len(errors)} forecasts are off by {fmt.change(low)} to {fmt.change(high)} of {purchases} that happened"


def _off(error: float) -> str:
    if abs(error) < 0.0005:
        return "just about"
    return f"{fmt.share(abs(error))} {'fewer' if error < 0 else 'more'} than"


def groups_off(groups: pd.DataFrame, group: str) -> str:
    """In how many groups the first model is off beyond chance, corrected for their number."""
    known = groups.dropna(subset=["actual_mean", "predicted_mean"])
    if known.empty:
        return ""
    model, rows = next(iter(known.groupby("model", sort=False)))
    name, beyond = fmt.short_name(model), _off_beyond_chance(rows)
    if not beyond.any():
        return f"{name} is within chance of what happened in {_all_of(rows)}"
    worst = rows.loc[(rows["predicted_mean"] - rows["actual_mean"]).abs().where(beyond).idxmax()]
    actual, predicted = (fmt.number(float(worst[f"{name}_mean"])) for name in ("actual", "predicted"))
    such = f"such as {worst[group]}: {predicted} predicted, {actual} happened"
    return f"{name} is off beyond chance in {beyond.sum()} of {fmt.plural(len(rows), 'group')}, {such}"


def _off_beyond_chance(rows: pd.DataFrame) -> pd.Series:
    """Of each group whether prediction and outcome differ, with 5 % for all groups together (Bonferroni)."""
    gap = (rows["predicted_mean"] - rows["actual_mean"]).abs()
    return gap > normal_quantile(1 - 0.05 / len(rows)) * rows["standard_error"]


def _all_of(rows: pd.DataFrame) -> str:
    return f"all {len(rows)} groups" if len(rows) > 1 else "the only group"


def with_findings_by_model(frame: pd.DataFrame, group: str = "") -> pd.DataFrame:
    """The frame with a finding of all its models together and of each alone."""
    arguments, sentence = ((group,), groups_off) if group else ((), forecasts_tracked)
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
    """In how many tenths of the customers each forecast's chances are off beyond chance; of those that are drawn."""
    known = deciles.dropna(subset=["predicted_mean", "actual_mean"])
    by_model = dict(list(known.groupby("model", sort=False))[:DRAWN])
    # One probability for everybody is one group, and ranks nobody.
    several = {name: rows for name, rows in by_model.items() if len(rows) > 1 or len(by_model) == 1}
    off = [
        f"{fmt.short_name(name)} {_off_beyond_chance(rows).sum()} of {len(rows)}"
        for name, rows in several.items()
    ]
    return f"Groups whose chances are off beyond chance: {', '.join(off)}" if off else ""


def comparison_sentence(scores: pd.DataFrame) -> str:
    """Which forecast errs least, and which of the others err more beyond chance."""
    best, others = scores.iloc[0], scores.iloc[1:]
    base = scores.set_index("forecast")["brier"].get("base rate", best["actual"] * (1 - best["actual"]))
    sentence = (
        f"{fmt.capital(best['forecast'])} has the best Brier score ({best['brier']:.3f}, base rate {base:.3f}) and "
        f"expected {fmt.share(best['predicted'])} of customers to buy; {fmt.share(best['actual'])} did."
    )
    same = others.loc[~others["behind_beyond_chance"], "forecast"].tolist()
    if same:
        sentence += f" Not clearly worse: {', '.join(same)}."
    worse = [
        f"{row.forecast} by {row.brier_behind:.3f} ({row.behind_low:.3f} to {row.behind_high:.3f})"
        for row in others[others["behind_beyond_chance"]].itertuples()
    ]
    return sentence + (f" Worse: {', '.join(worse)}." if worse else "")


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


def winnable_in_words(customers: pd.DataFrame, least_chance: float, currency: str) -> str:
    """How many customers are silent and winnable, and the money at risk with them."""
    money = str(customers.columns[-1])
    what = "revenue" if money.startswith("revenue") else "contribution"
    at_risk = fmt.money(float(customers[money].sum()), currency)
    who = f"{fmt.plural(len(customers), 'customer is', 'customers are')} silent beyond their habit"
    chance = f"with a chance of {fmt.share(least_chance)} or more to buy"
    return f"{who} and still winnable, {chance}; {at_risk} of {what} is at risk with them, not the gain of a call"


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
    """How many of those who left are among the riskiest tenth, by model, and whether they differ beyond chance."""
    first = deciles[(deciles["decile"] == 1) & (deciles["model"] != "base rate")]
    if first.empty:
        return ""
    best = float(first["gain"].iloc[0])
    others = [
        compared(
            f"{fmt.short_name(row.model)} {fmt.share(row.gain)}",
            Estimate(best - row.gain, "points", row.lead_low, row.lead_high),
        )
        for row in first.iloc[1:].itertuples()
    ]
    found = f"The riskiest 10 % of customers contain {fmt.share(best)} of those who left"
    return Compared.of("; ".join([found, *others]), others[0].difference) if others else found


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
    """The features that improve a model's predictions beyond chance: by more than two standard errors."""
    if importance.empty:
        return ""
    counting = importance[importance["importance"] > 2 * importance["standard_error"]]
    if counting.empty:
        return "No feature improves predictions for held-out customers beyond chance"
    names = [fmt.short_name(fmt.column(str(name))) for name in counting["feature"].head(2)]
    if len(names) == 1:
        return f"{fmt.capital(names[0])} alone matters"
    lead = counting["importance"].iloc[0] - counting["importance"].iloc[1]
    if lead > 2 * float(np.hypot(*counting["standard_error"].iloc[:2])):
        return f"{fmt.capital(names[0])} matters most, beyond chance; then {names[1]}"
    return f"{fmt.capital(names[0])} and {names[1]} matter most; which of them more is within chance"


def survival_compared(curves: pd.DataFrame) -> str:
    """Who is still there, at half the tenure that every group was seen for, and whether groups differ."""
    curves = curves.dropna(subset=["tenure", "survival"])
    if curves.empty:
        return ""
    at = float(curves.groupby("group")["tenure"].max().min()) / 2
    at = float(np.floor(at)) if at >= 1 else at
    there = curves[curves["tenure"] <= at].groupby("group", sort=False).last()
    share, when = there["survival"], f"after {fmt.plural(at, 'month')}"
    most, least = share.idxmax(), share.idxmin()
    if len(there) == 1:
        return f"{fmt.capital(when)}, {fmt.share(share[most])} of contracts are still there"
    if fmt.share(share[most]) == fmt.share(share[least]):
        return f"{fmt.capital(when)}, {fmt.share(share[most])} of contracts are still there in every group"
    error = ((there["high"] - there["low"]) / (2 * normal_quantile(0.95))).fillna(0.0)
    stay = f"{fmt.short_name(most)}: {fmt.share(share[most])} of contracts are still there {when}"
    sentence = f"{stay}; {fmt.short_name(least)}: {fmt.share(share[least])}"
    return compared(sentence, difference_of_extremes(share, error, "points"))


def difference_of_extremes(
    values: pd.Series, errors: pd.Series, unit: Literal["points", "money"]
) -> Estimate:
    """How far the highest of several groups is above the lowest, at 95 % for all pairs of them (Bonferroni)."""
    ends, pairs = [values.idxmax(), values.idxmin()], len(values) * (len(values) - 1) / 2
    gap = float(values[ends[0]] - values[ends[1]])
    reach = normal_quantile(1 - 0.05 / pairs) * float(np.hypot(*errors[ends]))
    return Estimate(gap, unit, gap - reach, gap + reach, currency=UNNAMED)


def order_by_effect(curve: pd.DataFrame, low: float, high: float) -> str:
    """What choosing half by predicted effect brings; `low` and `high` are the interval of the Qini coefficient."""
    share, qini, least = (curve[name].to_numpy(dtype=float) for name in ("share", "qini", "qini_low"))
    if high < 0:
        return "Choosing by predicted effect is worse than by chance"
    if not low > 0:
        return "Choosing by predicted effect is not shown to be better than by chance in this experiment"
    half, least_of_half = (float(np.interp(0.5, share, curve)) for curve in (qini, least))
    found = "The half with the highest predicted effect"
    if not qini[-1] > 0:
        return f"{found} gains; contacting everybody gains nothing"
    if least_of_half > qini[-1]:
        return f"{found} gains more than contacting everybody would: some customers should not be contacted"
    part = half / float(qini[-1])
    brought = "as much as" if part >= 1 else f"{fmt.share(part)} of what"
    return f"{found} brings {brought} contacting everybody brings, more than by chance"


def spend_of_groups(groups: pd.DataFrame) -> str:
    """Which group spent most in the holdout, which least, and whether they differ beyond chance."""
    rows = groups.dropna(subset=["spend"]).set_index("group")
    known = rows["spend"]
    if known.empty:
        return ""
    best, worst = known.idxmax(), known.idxmin()
    most, least = (fmt.money(float(known[name]), UNNAMED) for name in (best, worst))
    title = f"{fmt.short_name(best)} spent {most} per customer in the holdout"
    if not known[best] > known[worst]:
        return title
    error = (rows["spend_high"] - rows["spend_low"]) / (2 * normal_quantile(0.95))
    title += f", {fmt.short_name(worst)} {least}"
    return compared(title, difference_of_extremes(known, error, "money"))


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
