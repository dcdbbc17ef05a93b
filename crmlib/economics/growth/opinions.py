"""What customers replied or were promised, and what they did afterwards; neither is shown to cause the other."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd

from crmlib.customers._log import fetch
from crmlib.data.sources import lacking
from crmlib.economics.growth.data import GrowthData
from crmlib.economics.growth.referrals import used_links
from crmlib.economics.growth.sentences import afterwards_in_words, themes_in_words
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import difference_of_shares, normal_quantile, wilson_interval

FOLLOW_UP_DAYS = 30
_AFTER = (
    "question group customers share again again_low again_high brought_after brought_after_low brought_after_high "
    "brought_others bought_before"
)
_THEMES = "theme comments followed_share again_followed again_not difference low high"
_NPS = ((9, "promoters"), (7, "passives"), (0, "detractors"))


def after_opinions(data: GrowthData) -> pd.DataFrame:
    """What customers did after an answer or a promise; see `Growth.after_opinions`."""
    events = pd.concat([*_answers(data), *_promises(data)] or [pd.DataFrame(columns=["customer_id"])])
    if events.empty:
        missing = lacking(surveys=data.surveys, touchpoints=data.touchpoints)
        return no_rows(_AFTER, missing or "no answer and no promise is known")
    last = pd.Timestamp(data.day) - pd.Timedelta(data.within_days - 1, "D")
    # The first of each customer that is old enough: one customer counts once.
    events = events[events["date"] < last].sort_values("date").drop_duplicates(["question", "customer_id"])
    rows = _behaviour(data, events)
    if rows.empty:
        return no_rows(_AFTER, f"no answer is {data.within_days} days old")
    found, reach = [], normal_quantile(0.95)
    for (question, place, group), some in rows.groupby(["question", "place", "group"]):
        n, of = len(some), (rows["question"] == question).sum()
        low, high = wilson_interval(some["again"].sum(), n)
        error = some["worth"].std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
        mean = some["worth"].mean()
        row = (question, group, n, n / of, some["again"].mean(), float(low), float(high))
        found.append(
            (
                *row,
                mean,
                mean - reach * error,
                mean + reach * error,
                some["brought"].mean(),
                some["before"].mean(),
                place,
            )
        )
    table = pd.DataFrame(found, columns=[*_AFTER.split(), "place"])
    table = table.sort_values(["question", "place"], ignore_index=True).drop(columns="place")
    return with_finding(table, afterwards_in_words, data.within_days)


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
    made = made.rename(columns={"promise_due": "due", "promise_kept_on": "kept"})
    made = made.assign(
        due=pd.to_datetime(made["due"]).dt.normalize(), kept=pd.to_datetime(made["kept"]).dt.normalize()
    )
    return made[
        made["due"].notna() & (made["due"] <= pd.Timestamp(data.day)) & (made["customer_id"] != "None")
    ]


def _behaviour(data: GrowthData, events: pd.DataFrame) -> pd.DataFrame:
    """Of each event: whether the customer bought within `within_days` after it (`again`), what they brought (`worth`),
    whom they brought, and whether they had bought within as many days before it.
    """
    if events.empty:
        return events
    table = ibis.memtable(
        events[["customer_id", "date"]]
        .drop_duplicates()
        .assign(date=lambda rows: rows["date"].astype("datetime64[us]"))
    )
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
    sums = sums.assign(date=pd.to_datetime(sums.pop("at")))
    found = events.assign(date=events["date"].astype("datetime64[ns]")).merge(
        sums.assign(date=sums["date"].astype("datetime64[ns]")), on=["customer_id", "date"], how="left"
    )
    numbers = ["again", "worth", "before"]
    found[numbers] = found[numbers].fillna(0.0)
    used = used_links(data)[["referrer_id", "joined"]]
    pairs = (
        found[["customer_id", "date"]]
        .reset_index()
        .merge(used, left_on="customer_id", right_on="referrer_id")
    )
    days = (pd.to_datetime(pairs["joined"]) - pairs["date"]).dt.days
    soon = pairs[(days > 0) & (days <= data.within_days)]
    return found.assign(brought=soon.groupby("index").size().reindex(found.index, fill_value=0))


def themes(data: GrowthData) -> pd.DataFrame:
    """What comments are about, how many were followed up, and who came back; see `Growth.themes`."""
    replies = data.of_table(data.surveys, "date", "theme", "followed_up_on")
    replies = replies[replies["theme"].notna()]
    if replies.empty:
        return no_rows(_THEMES, lacking(surveys=data.surveys) or "no comment with a theme is known")
    replies = replies.assign(
        date=pd.to_datetime(replies["date"]).dt.normalize() + pd.Timedelta(FOLLOW_UP_DAYS, "D")
    )
    replies["followed"] = pd.to_datetime(replies["followed_up_on"]) <= replies["date"]
    last = pd.Timestamp(data.day) - pd.Timedelta(data.within_days - 1, "D")
    old = replies[replies["date"] < last].sort_values("date").drop_duplicates(["theme", "customer_id"])
    rows = _behaviour(data, old.assign(question=old["theme"]).reset_index(drop=True))
    found = []
    for theme, some in [("all themes", replies), *replies.groupby("theme")]:
        seen = rows if theme == "all themes" else rows[rows["theme"] == theme]
        counts = [
            (int(part["again"].sum()), len(part))
            for part in (seen[seen["followed"]], seen[~seen["followed"].astype(bool)])
        ]
        row = [theme, len(some), some["followed"].mean(), *(yes / n if n else np.nan for yes, n in counts)]
        if all(n for _yes, n in counts):
            apart = difference_of_shares(*counts[0], *counts[1])
            found.append((*row, apart.difference, apart.low, apart.high))
        else:
            found.append((*row, np.nan, np.nan, np.nan))
    table = pd.DataFrame(found, columns=_THEMES.split())
    table = table.sort_values("comments", ascending=False, kind="stable", ignore_index=True)
    return with_finding(table, themes_in_words, data.within_days)
