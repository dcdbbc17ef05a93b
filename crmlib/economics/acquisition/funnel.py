"""From impressions to first purchases: who gets how far, where prospects are lost, and who is still open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.economics.acquisition import sentences
from crmlib.economics.acquisition.closing import closing
from crmlib.economics.acquisition.costs import paid_channels
from crmlib.economics.acquisition.data import ALL, SALES, STAGES, AcquisitionData, by_channel, of_channel
from crmlib.economics.acquisition.ratios import difference, with_ratio
from crmlib.economics.acquisition.values import AgeCurve, age_curve
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows, why_none
from crmlib.rankings import rank_correlation
from crmlib.statistics import bootstrap_weights, percentile_interval, with_intervals

REACHED = ("leads", *STAGES)
_FUNNEL = (
    "impressions clicks leads interested considered activated won lost open close_rate± median_days customers_before "
    "complete"
)
_NO_LEADS = "no table leads, or no prospect in it"
RESAMPLES = 200  # of weeks or months
LIFE_DAYS = 360  # within which what a customer brings counts here


def curve_of(data: AcquisitionData, channel: str = ALL) -> AgeCurve:
    """What customers of a channel, or all, have brought by each age."""
    return age_curve(of_channel(data.money, channel), of_channel(data.acquired, channel), data.day)


def funnel(data: AcquisitionData, by: Sequence[str] = ("channel",)) -> pd.DataFrame:
    """How many get how far, from impressions to first purchases?

    `by` "channel", "cohort" (quarter in which prospects came) or both. `impressions`, `clicks`, `leads`, those who were
    `interested` (a trial), `considered`, `activated` and `won`, `lost` or still `open`, `close_rate` (within
    `close_days`, won and lost compete, open prospects censored; not known of cohorts too young for it), `median_days`,
    `customers_before` (bought before they were prospects) and `complete` (nobody is open).
    """
    rows, by = data.closing, list(by)
    if rows.empty:
        return no_rows([*by, *_FUNNEL.split()], _NO_LEADS)
    rows = rows.assign(cohort=rows["month"].dt.to_period("Q").dt.start_time)
    shown = data.spend.assign(cohort=data.spend["date"].dt.to_period("Q").dt.start_time)
    seen = shown.groupby(by)[["impressions", "clicks"]].sum(min_count=1)
    groups = rows.groupby(by)
    if by == ["channel"]:
        seen.loc[ALL] = shown[["impressions", "clicks"]].sum(min_count=1)
        groups = [((name,), some) for name, some in by_channel(rows)]
    found = []
    for names, some in groups:
        shows = seen.reindex([names[0] if len(by) == 1 else names]).iloc[0]
        counts = {name: some[name].sum(min_count=1) for name in REACHED}
        ends = some.groupby("event")["leads"].sum()
        before = int(some.loc[some["days"] < 0, "leads"].sum())
        row = {**dict(zip(by, names, strict=True)), **shows, **counts, "lost": ends.get("lost", 0)}
        row |= {"open": ends.get("open", 0), **closing(some).columns(data.close_days)}
        found.append(row | {"customers_before": before, "complete": not ends.get("open", 0)})
    return pd.DataFrame(found)


def leaks(data: AcquisitionData) -> pd.DataFrame:
    """At which step is most contribution lost?

    By `step`, of prospects at least `close_days` old: `entered`, `lost`, `share_lost`, `won_of_those` (of those who go
    on) and `leak`: what those lost at the step would have brought within 360 days, had they been like those who went
    on. That is an upper end: they may be different.
    """
    rows = data.closing
    last = pd.Timestamp(data.day) - pd.Timedelta(data.close_days, "D")
    rows = rows[(rows["month"] + pd.offsets.MonthEnd(0) <= last) & (rows["days"] >= 0)]
    if rows.empty:
        why = f"no month of prospects is {data.close_days} days old"
        return no_rows("step entered lost won_of_those share_lost± leak±", why)
    reached = [name for name in REACHED if rows[name].notna().all()]
    weeks = rows.groupby(["month", "week"])[reached].sum().to_numpy(float)
    drawn = [np.ones(len(weeks)), *bootstrap_weights(len(weeks), RESAMPLES, 0, poisson=True)]
    through = np.array(drawn) @ weeks
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = 1 - through[:, 1:] / through[:, :-1]
        # Had they gone on, as many of them would have been won as of the others who did.
        chance = np.where(through[:, 1:] > 0, through[:, -1:] / through[:, 1:], np.nan)
    leak = rate * chance * through[0, :-1] * curve_of(data).within(LIFE_DAYS)
    if len(weeks) < 2:  # one week does not tell how weeks differ
        rate[1:], leak[1:] = np.nan, np.nan
    both = np.stack([rate, leak], axis=1)
    steps = [f"{_word(before)} → {_word(after)}" for before, after in pairwise(reached)]
    table = pd.DataFrame(
        {"step": steps, "entered": through[0, :-1], "lost": through[0, :-1] - through[0, 1:]}
    )
    intervals = with_intervals(("share_lost", "leak"), both[0], both[1:])
    return with_finding(table.assign(won_of_those=chance[0], **intervals), sentences.worst_leak, leak[1:])


def _word(stage: str) -> str:
    return {"leads": "prospect", "created": "prospect", "won": "first purchase"}.get(stage, stage)


def rivals(data: AcquisitionData) -> pd.DataFrame:
    """What do customers won from rivals cost beside others: days, hours and money per win?"""
    rows = data.closing[data.closing["days"] >= 0]
    names = "origin leads won close_rate± median_days hours_per_win± cost_per_win±"
    if rows.empty or not rows["rival"].any():
        why = _NO_LEADS if rows.empty else "no prospect with the rival who served it (won_from)"
        return no_rows(names, why)
    # Money by the prospects of each channel, wages by their hours.
    cpl = data.spend.groupby("channel")["amount"].sum() / rows.groupby("channel")["leads"].sum()
    hours, paid = data.staff[data.staff["activity"].isin(SALES)][["hours", "cost"]].astype(float).sum()
    wage = paid / hours if hours > 0 else 0.0
    cost = rows["channel"].map(cpl).fillna(0.0) * rows["leads"] + rows["hours"].fillna(0.0) * wage
    rows = rows.assign(cost=cost, cluster=rows["month"].astype(str) + rows["week"].astype(str))
    found, ways, costs = [], [], []
    for is_rival, some in rows.groupby("rival"):
        closes = closing(some)
        ways.append(closes)
        costs.append((some["cost"], some["won"], some["cluster"]))
        row: dict[str, Any] = {
            "origin": "from a rival" if is_rival else "others",
            "leads": some["leads"].sum(),
        }
        row |= {"won": some["won"].sum(), **closes.columns(data.close_days)}
        row = with_ratio(row, "hours_per_win", some["hours"], some["won"], some["cluster"])
        found.append(with_ratio(row, "cost_per_win", some["cost"], some["won"], some["cluster"]))
    apart = [(ways[1].apart(ways[0])), difference(costs[1], costs[0])[1:]] if len(ways) == 2 else []
    table = pd.DataFrame(found)
    if apart:
        gaps = table[["median_days", "cost_per_win"]].diff().iloc[-1]
        ends = zip(
            ("days to the first purchase", "cost per win"), gaps, apart, ("days", "money"), strict=True
        )
        table.attrs["apart"] = [(name, gap, *both, unit) for name, gap, both, unit in ends]
    return with_finding(table, sentences.rivals_in_words, apart)


def rivals_apart(data: AcquisitionData) -> pd.DataFrame:
    """How far customers won from rivals are from others: `measure, difference, low, high, unit, customers`."""
    found = rivals(data)
    names = "measure difference low high unit"
    if "apart" not in found.attrs:
        return no_rows(
            f"{names} customers", why_none(found) or "no customer was won from a rival, or all were"
        )
    return pd.DataFrame(found.attrs["apart"], columns=names.split()).assign(
        customers=int(found["won"].iloc[-1])
    )


def traffic(data: AcquisitionData) -> pd.DataFrame:
    """Which channels, organic and paid, bring visits and which value? Where does a ranking by visits mislead?"""
    visits = data.spend.groupby("channel")["clicks"].sum(min_count=1).dropna()
    names = "channel paid visits customers brought share_of_visits share_of_brought brought_per_visit"
    if not visits.sum() > 0:
        return no_rows(names, "no clicks in the table marketing_spend")
    paid, found, each = paid_channels(data), [], []
    for name in visits.index:
        curve = curve_of(data, name)
        brought = curve.within(LIFE_DAYS), curve.within(LIFE_DAYS, curve.error)
        each.append(brought if curve.customers else (0.0, 0.0))
        found.append((name, name in paid, visits[name], curve.customers, curve.customers * each[-1][0]))
    table = pd.DataFrame(found, columns=["channel", "paid", "visits", "customers", "brought"])
    table["share_of_visits"] = table["visits"] / table["visits"].sum()
    total = table["brought"].sum()
    table["share_of_brought"] = table["brought"] / total if total > 0 else np.nan
    table["brought_per_visit"] = per_visit = table["brought"] / table["visits"].where(table["visits"] > 0)
    agreement = rank_correlation(table["visits"], per_visit.fillna(0)) if len(table) > 2 else np.nan
    drawn = _shares_drawn(data, table["channel"].tolist(), np.array(each))
    low, high = percentile_interval(drawn, level=1 - 0.05 / len(table))  # the largest of so many is named
    table = table.assign(low=low, high=high).sort_values("visits", ascending=False, ignore_index=True)
    return with_finding(table.drop(columns=["low", "high"]), sentences.visits_in_words, table, agreement)


def _shares_drawn(data: AcquisitionData, channels: list[str], each: np.ndarray) -> np.ndarray:
    """Share of value less share of visits of each channel, in resamples of months and of what customers bring."""
    parts = (data.spend, "clicks", "date"), (data.acquired, "customers", "born")
    tables = [
        rows.groupby([rows[day].dt.to_period("M"), "channel"])[many].sum().unstack()
        for rows, many, day in parts
    ]
    months = tables[0].index.union(tables[1].index)
    weights = np.array([*bootstrap_weights(len(months), RESAMPLES * 5, 0, poisson=True)])
    seen, won = (weights @ table.reindex(months, columns=channels).fillna(0.0).to_numpy() for table in tables)
    noise = np.random.default_rng(0).standard_normal(won.shape) * np.nan_to_num(each[:, 1])
    value = won * (each[:, 0] + noise)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(value / value.sum(axis=1, keepdims=True) - seen / seen.sum(axis=1, keepdims=True))


def open_prospects(data: AcquisitionData) -> pd.DataFrame:
    """Which open prospects are expected to bring most: the chance to be won yet × value within 360 days?"""
    names = "lead_id channel stage days p_won brought expected_value"
    if data.closing.empty:
        return no_rows(names, _NO_LEADS)
    rows = data.prospects
    assert rows is not None
    known = [name for name in STAGES[:-1] if data.closing[name].notna().all()]
    stages = ["created", *known, STAGES[-1]]
    steps = pd.concat([_step(rows, *pair, data.day) for pair in pairwise(stages)])
    stage: ibis.Value = ibis.literal("created")
    for name in stages[1:-1]:
        stage = ibis.ifelse(rows[name].notnull(), name, stage)
    since = ibis.coalesce(*(rows[name] for name in reversed(stages[:-1])))
    waits = ibis.literal(data.day).delta(since, unit="day").cast("int64")
    waiting = rows.filter(rows.event == "open").select("lead_id", "channel", stage=stage, days=waits)
    table = fetch(waiting)
    if table.empty:
        return no_rows(names, "no prospect is open")
    table["p_won"], table["brought"] = 0.0, curve_of(data).within(LIFE_DAYS)
    for channel, some in table.groupby("channel"):
        theirs, later = steps[steps["channel"] == channel], 1.0
        for name in reversed(stages[:-1]):
            closes = closing(theirs[theirs["stage"] == name], resamples=0)
            here = some.index[some["stage"] == name]
            table.loc[here, "p_won"] = later * closes.still(table.loc[here, "days"])
            later *= float(closes.won[-1]) if len(closes.won) else 0.0
        value = curve_of(data, str(channel)).within(LIFE_DAYS)
        if np.isfinite(value):
            table.loc[some.index, "brought"] = value
    table["stage"] = table["stage"].map(_word)
    table["expected_value"] = table["p_won"] * table["brought"]
    order = ["expected_value", "lead_id"]
    table = table.sort_values(order, ascending=[False, True], ignore_index=True)[names.split()]
    return with_finding(table, sentences.best_prospects)


def _step(rows: ibis.Table, stage: str, after: str, day: dt.date) -> pd.DataFrame:
    """How many went on from a stage, were lost at it or are there still, by channel and days since it was reached."""
    here = rows.filter(rows[stage].notnull())
    ended = ibis.ifelse(here.event == "lost", here.lost, ibis.null("date"))
    until = ibis.coalesce(here[after], ended, ibis.ifelse(here.event == "won", here.won, ibis.null("date")))
    event = ibis.cases((here[after].notnull(), "won"), (here.event == "open", "open"), else_="lost")
    days = ibis.coalesce(until, ibis.literal(day)).delta(here[stage], unit="day").cast("int64")
    here = here.mutate(event=event, days=ibis.greatest(days, 0), stage=ibis.literal(stage))
    counts = here.group_by("channel", "stage", "event", "days").agg(leads=_.count())
    return fetch(counts).assign(month=0, week=0)


def followed(data: AcquisitionData) -> pd.DataFrame:
    """What became of the prospects of each quarter: share won, revenue and contribution so far, per prospect?"""
    names = "cohort leads won open close_rate"
    if data.closing.empty:
        return no_rows(f"{names}± revenue brought brought_per_lead", _NO_LEADS)
    brought = data.rows.group_by("customer_id").agg(revenue=_.amount.sum(), brought=_.worth.sum())
    # A customer is one prospect, the earliest that was won.
    joined = data.won_prospects.agg(created=_.created.min()).inner_join(brought, "customer_id")
    by_quarter = joined.group_by(cohort=joined.created.truncate("Q"))
    found = fetch(by_quarter.agg(revenue=_.revenue.sum(), brought=_.brought.sum()))
    found = found.set_index(pd.to_datetime(found.pop("cohort"))).astype(float)
    table = funnel(data, ["cohort"])[[*names.split(), "close_rate_low", "close_rate_high"]]
    table = table.join(found, on="cohort").fillna({"revenue": 0.0, "brought": 0.0})
    return table.assign(brought_per_lead=table["brought"] / table["leads"])
