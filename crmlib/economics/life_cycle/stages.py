"""The stages of each product type, from named events, and what is lost at each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import dated, end_of, fetch, money_of, seen_by, with_ids_of
from crmlib.customers.life_cycle.rules import read_toml
from crmlib.data.sources import open_optional, optional
from crmlib.economics.life_cycle import sentences
from crmlib.economics.life_cycle.data import LifeCycleData
from crmlib.errors import CrmError, did_you_mean
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import share_with_ends

STANDARD = Path(__file__).with_name("stages.toml")
STAGES = ("acquired", "activated", "retained", "grown", "referred")
EVENTS = (
    *("interest", "offer", "first use", "first order", "second order", "third order", "second category"),
    *("contract", "contract kept", "larger plan", "recommendation"),
)
YEAR, HALF = 365, 182  # days in which a stage counts; of a contract that is kept
_OF_LEADS = {"interest": "interested_on", "offer": "considered_on", "first use": "activated_on"}
_SHARE = "reached_share reached_share_low reached_share_high"
_COLUMNS = f"product_type stage event entered reached {_SHARE} median_days leak"


def read_stages(source: Any = None) -> dict[str, dict[str, str]]:
    """The event of each stage by product type, from a file like `stages.toml`.

    Examples
    --------
    >>> read_stages()["B2B cloud"]["retained"]
    'contract kept'
    """
    found = source if isinstance(source, Mapping) else read_toml(source or STANDARD, STANDARD)
    for kind, stages in found.items():
        for stage in STAGES:
            if not isinstance(stages, Mapping) or stage not in stages:
                raise CrmError(f"product type {kind!r} has no {stage!r}; every one has {', '.join(STAGES)}")
        for stage, event in stages.items():
            if stage not in STAGES or event not in EVENTS:
                word, allowed = (stage, STAGES) if stage not in STAGES else (event, EVENTS)
                raise CrmError(f"product type {kind!r}: {word!r} is unknown; {did_you_mean(word, allowed)}")
    return dict(found)


def stages(life: LifeCycleData, source: Any = None) -> pd.DataFrame:
    """Who is acquired, activated, retained, grown and referred within a year, by product type?

    Parameters
    ----------
    source : path, optional
        A file of stages like `crmlib/economics/life_cycle/stages.toml`, the default.

    Returns
    -------
    DataFrame
        By `product_type` and `stage`, of people known for a year at least: the `event` that counts, how many `entered`
        (were at the stage before) and `reached` it within a year of being known, the share with its interval,
        `median_days`, and `leak`: what those who did not would have brought in that year beyond what they did, had they
        been like those who did. That is an upper end: they may be different.
    """
    table = read_stages(source)
    people = _people(life)
    if people.empty:
        return no_rows(_COLUMNS, "no table leads or customers has product_type of people known for a year")
    rows: list[dict[str, Any]] = []
    for kind, some in people.groupby("product_type", sort=True):
        if kind not in table:
            continue
        days = np.column_stack([some[table[str(kind)][stage]].to_numpy(float) for stage in STAGES])
        days = np.where((days >= 0) & (days < YEAR), days, np.inf)
        # Who stands at a stage has passed those before it; nobody is grown or referred without being activated.
        days[:, :3] = np.minimum.accumulate(days[:, 2::-1], axis=1)[:, ::-1]
        days[:, 3:] = np.where(np.isfinite(days[:, 1:2]), days[:, 3:], np.inf)
        before, entered = np.ones(len(some), dtype=bool), np.isfinite(days)
        for place, stage in enumerate(STAGES):
            start = before if place == 0 else entered[:, min(place - 1, 2)]
            there = start & entered[:, place]
            worth = some["worth"].to_numpy(float)
            reached, lost = int(there.sum()), int(start.sum() - there.sum())
            more = worth[there].mean() - worth[start & ~there].mean() if there.any() and lost else np.nan
            row = {"product_type": kind, "stage": stage, "event": table[str(kind)][stage]}
            row |= {"entered": int(start.sum()), "reached": reached, "leak": lost * more}
            row |= share_with_ends("reached_share", reached, start.sum())
            rows.append(row | {"median_days": np.median(days[there, place]) if there.any() else np.nan})
    return with_finding(pd.DataFrame(rows, columns=_COLUMNS.split()), sentences.worst_stage)


def _people(life: LifeCycleData) -> pd.DataFrame:
    """One row per person known for a year at least: type, days to each event, money of the first year."""
    log, end = seen_by(life.transactions, life.last_day, outside=True), ibis.literal(end_of(life.last_day))
    tables = {name: open_optional(getattr(life, name)) for name in ("leads", "customers", "subscriptions")}
    known = _known(log, tables, end)
    if known.empty:
        return known
    found = known.set_index("person")
    for name, days in {**_orders(log), **_of_contracts(log, tables["subscriptions"], life)}.items():
        found[name] = days.reindex(found.index)
    found["recommendation"] = _recommendations(log, tables["customers"], end).reindex(found.index)
    last = pd.Timestamp(life.last_day)
    found = found[found["known_on"] <= last - pd.Timedelta(YEAR, "D")]
    for name in EVENTS:
        found[name] = (pd.to_datetime(found[name]) - found["known_on"]).dt.days
    worth = _worth(life, log, found["known_on"]).reindex(found.index).fillna(0.0)
    return found.assign(worth=worth).reset_index()


def _known(log: ibis.Table, tables: Mapping[str, ibis.Table | None], end: ibis.Value) -> pd.DataFrame:
    """People by the day on which they were first known, with their product type and the dates of prospects."""
    frames, leads, customers = [], tables["leads"], tables["customers"]
    prospects = pd.DataFrame(columns=["person", *_OF_LEADS])
    if leads is not None and {"lead_id", "created", "product_type"} <= {*leads.columns}:
        own = ibis.literal("lead:") + leads.lead_id.cast("string")
        if "customer_id" in leads.columns:
            leads = with_ids_of(log, leads)
            own = ibis.coalesce(leads.customer_id.cast("string"), own)
        dates = {event: optional(leads, column, "timestamp") for event, column in _OF_LEADS.items()}
        known = {"person": own, "product_type": leads.product_type, "known_on": leads.created, **dates}
        prospects = fetch(leads.filter(leads.created < end).select(**known))
        frames.append(prospects[["person", "product_type", "known_on"]])
    if customers is not None and {"joined", "product_type"} <= {*customers.columns}:
        rows = with_ids_of(log, customers).filter(_.joined < end)
        person = rows.customer_id.cast("string")
        frames.append(fetch(rows.select(person=person, product_type=rows.product_type, known_on=rows.joined)))
    if not frames:
        return pd.DataFrame()
    whole = pd.concat(frames, ignore_index=True).dropna()
    whole["known_on"] = pd.to_datetime(whole["known_on"]).dt.normalize()
    people = whole.groupby("person", as_index=False).first()
    return people.merge(prospects.groupby("person")[[*_OF_LEADS]].min(), on="person", how="left")


def _orders(log: ibis.Table) -> dict[str, pd.Series]:
    """The day of each customer's first three orders, and of the first one in another category."""
    rows = log.filter(log.counted).mutate(person=_.customer_id.cast("string"), day=_.date.cast("date"))
    days = rows.select("person", "day").distinct()
    days = days.mutate(n=ibis.row_number().over(group_by="person", order_by="day"))
    names = ("first order", "second order", "third order")
    agg = {name: _.day.min(where=_.n == place) for place, name in enumerate(names)}
    found = fetch(days.group_by("person").agg(**agg)).set_index("person")
    orders = {name: pd.to_datetime(found[name]) for name in names}
    if "category" not in log.columns:
        return {**orders, "second category": pd.Series(pd.NaT, index=found.index)}
    firsts = rows.group_by("person", "category").agg(day=_.day.min())
    firsts = firsts.mutate(n=ibis.row_number().over(group_by="person", order_by=["day", "category"]))
    other = fetch(firsts.filter(_.n == 1).select("person", "day")).set_index("person")["day"]
    return {**orders, "second category": pd.to_datetime(other)}


def _of_contracts(log: ibis.Table, rows: ibis.Table | None, life: LifeCycleData) -> dict[str, pd.Series]:
    """The day of each customer's first contract, of half a year in it, and of more than it began with."""
    names = ("contract", "contract kept", "larger plan")
    if rows is None or not {"start", "price_per_month"} <= {*rows.columns}:
        return {name: pd.Series(dtype="datetime64[ns]") for name in names}
    frame = fetch(with_ids_of(log, rows).select(*[name for name in rows.columns if name != "plan"]))
    frame["person"] = frame["customer_id"].astype(str)
    frame = frame[pd.to_datetime(frame["start"]).dt.date <= life.last_day].sort_values("start")
    start, price = pd.to_datetime(frame["start"]), frame["price_per_month"].astype(float)
    begun = start.groupby(frame["person"]).min()
    half_year = begun + pd.Timedelta(HALF, "D")
    over = pd.to_datetime(frame["end"]).fillna(pd.Timestamp.max.normalize()) if "end" in frame else start * 0
    kept = over.groupby(frame["person"]).max() >= half_year
    dearer = price > price.groupby(frame["person"]).transform("first")
    return {
        "contract": begun,
        "contract kept": half_year.where(kept),
        "larger plan": start[dearer].groupby(frame.loc[dearer, "person"]).min(),
    }


def _recommendations(log: ibis.Table, customers: ibis.Table | None, end: ibis.Value) -> pd.Series:
    """The day on which the first customer joined whom each customer recommended."""
    if customers is None or not {"joined", "referrer_id"} <= {*customers.columns}:
        return pd.Series(dtype="datetime64[ns]")
    rows = with_ids_of(log, customers).filter(_.referrer_id.notnull() & (_.joined < end))
    found = fetch(rows.group_by(person=rows.referrer_id.cast("string")).agg(day=_.joined.min()))
    return pd.to_datetime(found.set_index("person")["day"])


def _worth(life: LifeCycleData, log: ibis.Table, known_on: pd.Series) -> pd.Series:
    """What each customer brought within a year of being known."""
    worth = money_of(log, life.margin)[life.money]
    rows = log.select(person=log.customer_id.cast("string"), day=dated(log).cast("date"), worth=worth)
    since = ibis.memtable(known_on.rename("since").reset_index())
    joined = rows.inner_join(since, "person")
    joined = joined.filter(joined.day.delta(joined.since.cast("date"), unit="day") < YEAR)
    return fetch(joined.group_by("person").agg(worth=_.worth.sum())).set_index("person")["worth"]
