"""What customers replied or were promised, and what they did afterwards; neither is shown to cause the other."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd

from crmlib.customers._log import fetch
from crmlib.data.sources import lacking
from crmlib.economics.growth import sentences
from crmlib.economics.growth.data import GrowthData
from crmlib.economics.growth.referrals import used_links
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import difference_of_shares, mean_with_ends, share_with_ends

FOLLOW_UP_DAYS = 30
_AFTER = (
    "question group customers share again again_low again_high brought_after brought_after_low brought_after_high "
    "brought_others bought_before"
)
_THEMES = "theme comments followed_share again_followed again_not difference low high"
_NPS = ((9, "promoters"), (7, "passives"), (0, "detractors"))


def after_opinions(data: GrowthData) -> pd.DataFrame:
    """What did customers do within `within_days` after an answer or a promise?

    By `question` and `group`: `customers`, their `share`, who bought `again`, what they brought (`brought_after`), each
    with an interval, others brought per customer (`brought_others`), and who had `bought_before`. The first of each
    customer counts.
    """
    some = [events for events in (*_answers(data), *_promises(data)) if len(events)]
    if not some:
        missing = lacking(surveys=data.surveys, touchpoints=data.touchpoints)
        return no_rows(_AFTER, missing or "no answer and no promise is known")
    events = pd.concat(some)
    last = pd.Timestamp(data.day) - pd.Timedelta(data.within_days - 1, "D")
    # The first of each customer that is old enough: one customer counts once.
    events = events[events["date"] < last].sort_values("date").drop_duplicates(["question", "customer_id"])
    rows = _behaviour(data, events)
    if rows.empty:
        return no_rows(_AFTER, f"no answer is {data.within_days} days old")
    found = []
    for (question, _place, group), some in rows.groupby(["question", "place", "group"]):
        row = {"question": question, "group": group, "customers": len(some)}
        row |= {"share": len(some) / (rows["question"] == question).sum()}
        row |= share_with_ends("again", some["again"].sum(), len(some))
        row |= mean_with_ends("brought_after", some["worth"])
        found.append(row | {"brought_others": some["brought"].mean(), "bought_before": some["before"].mean()})
    return with_finding(pd.DataFrame(found)[_AFTER.split()], sentences.afterwards_in_words, data.within_days)


def _answers(data: GrowthData) -> list[pd.DataFrame]:
    """Likelihood to recommend in three groups, and whether expectations were met: `question`, `place`, `group`."""
    replies = data.of_table(data.surveys, "date", "question", "score")
    if replies.empty:
        return []
    replies = replies.dropna(subset=["score"]).assign(date=pd.to_datetime(replies["date"]).dt.normalize())
    nps = replies[replies["question"] == "nps"]
    place = np.select([nps["score"] >= bar for bar, _name in _NPS], [0, 1, 2], 2)
    names = np.array([name for _bar, name in _NPS])[place]
    found = [nps.assign(question="likely to recommend", place=place, group=names)]
    both = (
        replies[replies["question"] == name].drop_duplicates(["customer_id", "date"])
        for name in ("expectation", "expectation met")
    )
    before, after = (some.set_index(["customer_id", "date"])["score"] for some in both)
    apart = (after - before).dropna().rename("apart").reset_index()
    place = 1 - np.sign(apart["apart"]).astype(int)
    names = np.array(["better than expected", "as expected", "worse than expected"])[place]
    found.append(apart.assign(question="expectation", place=place, group=names))
    return [some[["question", "place", "group", "customer_id", "date"]] for some in found]


def _promises(data: GrowthData) -> list[pd.DataFrame]:
    """Promises that were due: kept on time, or not."""
    made = open_promises(data)
    if made.empty:
        return []
    kept = (made["kept"] <= made["due"]).to_numpy()
    names = np.where(kept, "promise kept on time", "promise not kept")
    found = made.assign(question="promise", place=np.where(kept, 0, 1), group=names, date=made["due"])
    return [found[["question", "place", "group", "customer_id", "date"]]]


def open_promises(data: GrowthData) -> pd.DataFrame:
    """Promises by customer, when they were due and kept; those of whom nobody is a customer are left out."""
    made = data.of_table(data.touchpoints, "promise_due", "promise_kept_on")
    due, kept = (pd.to_datetime(made[name]).dt.normalize() for name in ("promise_due", "promise_kept_on"))
    return made[["customer_id"]].assign(due=due, kept=kept)[due <= pd.Timestamp(data.day)]


def _behaviour(data: GrowthData, events: pd.DataFrame) -> pd.DataFrame:
    """Of each event: whether the customer bought within `within_days` after it (`again`), what they brought (`worth`),
    whom they brought, and whether they had bought within as many days before it.
    """
    if events.empty:
        return events
    asked = events[["customer_id", "date"]].drop_duplicates().astype({"date": "datetime64[us]"})
    table = ibis.memtable(asked)
    rows = data.rows.mutate(customer_id=data.rows.customer_id.cast("string"))
    rows = rows.inner_join(table.select("customer_id", at=table.date.cast("date")), "customer_id")
    age = rows.day.delta(rows["at"], unit="day")
    after, before = (age > 0) & (age <= data.within_days), (age <= 0) & (age > -data.within_days)
    sums = fetch(
        rows.group_by("customer_id", "at").agg(
            again=(after & rows.counted).any().cast("float64"), worth=rows.worth.sum(where=after).fill_null(0.0),
            before=(before & rows.counted).any().cast("float64"),
        )
    )  # fmt: skip
    sums = sums.assign(date=pd.to_datetime(sums.pop("at")).astype("datetime64[ns]"))
    found = events.astype({"date": "datetime64[ns]"}).merge(sums, on=["customer_id", "date"], how="left")
    found = found.fillna({"again": 0.0, "worth": 0.0, "before": 0.0})
    used = used_links(data)[["referrer_id", "joined"]]
    pairs = found[["customer_id", "date"]].reset_index()
    pairs = pairs.merge(used, left_on="customer_id", right_on="referrer_id")
    days = (pd.to_datetime(pairs["joined"]) - pairs["date"]).dt.days
    soon = pairs[(days > 0) & (days <= data.within_days)]
    return found.assign(brought=soon.groupby("index").size().reindex(found.index, fill_value=0))


def themes(data: GrowthData) -> pd.DataFrame:
    """What are comments about, how many were followed up within 30 days, and who came back after that?"""
    replies = data.of_table(data.surveys, "date", "theme", "followed_up_on")
    replies = replies[replies["theme"].notna()]
    if replies.empty:
        return no_rows(_THEMES, lacking(surveys=data.surveys) or "no comment with a theme is known")
    date = pd.to_datetime(replies["date"]).dt.normalize() + pd.Timedelta(FOLLOW_UP_DAYS, "D")
    replies = replies.assign(date=date, followed=pd.to_datetime(replies["followed_up_on"]) <= date)
    last = pd.Timestamp(data.day) - pd.Timedelta(data.within_days - 1, "D")
    old = replies[replies["date"] < last].sort_values("date").drop_duplicates(["theme", "customer_id"])
    rows = _behaviour(data, old.assign(question=old["theme"]).reset_index(drop=True))
    found = []
    for theme, some in [("all themes", replies), *replies.groupby("theme")]:
        seen = rows if theme == "all themes" else rows[rows["theme"] == theme]
        came = (seen.loc[seen["followed"].eq(is_followed), "again"] for is_followed in (True, False))
        counts = [(int(again.sum()), len(again)) for again in came]
        row = [theme, len(some), some["followed"].mean(), *(yes / n if n else np.nan for yes, n in counts)]
        apart = difference_of_shares(*counts[0], *counts[1]) if all(n for _yes, n in counts) else None
        ends = (apart.difference, apart.low, apart.high) if apart else (np.nan, np.nan, np.nan)
        found.append((*row, *ends))
    table = pd.DataFrame(found, columns=_THEMES.split())
    table = table.sort_values("comments", ascending=False, kind="stable", ignore_index=True)
    return with_finding(table, sentences.themes_in_words, data.within_days)
