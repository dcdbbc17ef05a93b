"""Which beginnings bring the best customers, and which signs only come with them afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.economics.growth import sentences
from crmlib.economics.growth.data import NONE, GrowthData
from crmlib.errors import CrmError, did_you_mean
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import Array, benjamini_yekutieli, with_ends

KNOWN, AFTERWARDS = "known at the first order", "set afterwards"
BETTER, WORSE, BY_CHANCE, NO_DRIVER = "better", "worse", "may be chance", "no driver: set afterwards"
FEWEST = 30  # customers, below which a mean is mostly chance
MOST_VALUES = 20  # of a column, beyond which all others are one
# What a firm notes of a customer when they join; all else in the table may have been noted at any time.
AT_JOINING = (
    "acquisition_channel", "partner_id", "product_type", "market", "recommender_type", "referral_offer", "won_from",
)  # fmt: skip
_NOT_TAGS = ("joined", "referrer_id", "manager_id", "name", "email", "phone", "birthday")
_QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")
_COLUMNS = (
    "beginning driver tag when customers mean difference difference_low difference_high after_first again chance "
    "verdict"
)


def drivers(data: GrowthData, known: Sequence[str] = ()) -> pd.DataFrame:
    """Which beginnings bring customers who are worth more than the mean, and which signs come only with them?

    By `driver` (a column) and `tag` (its value): `when` it was known, `customers` (at least 30, known for
    `within_days`), the `mean` brought within them, its `difference` from the mean of all with an interval, what was
    brought `after_first`, after the first day, the share who came `again`, the `chance` of such a difference, adjusted
    for all that were known at the first order (Benjamini–Yekutieli), and the `verdict`. What the firm sets afterwards
    is no driver: who stays longer has more time to get it. `known` names columns of `customers` that are noted at
    joining.
    """
    people = data.known_long
    if len(people) < 2 * FEWEST:
        days = f"{data.within_days} days"
        return no_rows(_COLUMNS, f"{len(people)} new customers are known for {days}; {2 * FEWEST} are needed")
    tags = [*_tags(data, people, known)]
    parts = [_by_value(people, name, when, tag) for name, when, tag in tags]
    parts = [part for part in parts if len(part)]
    if not parts:
        return no_rows(_COLUMNS, f"no column splits the new customers into groups of {FEWEST}")
    found = pd.concat(parts, ignore_index=True)
    found["chance"] = benjamini_yekutieli(found["chance"].where(found["when"] == KNOWN))
    sure = np.where(found["difference"] > 0, BETTER, WORSE)
    verdict = np.where(found["chance"] <= 0.05, sure, BY_CHANCE)
    found["verdict"] = np.where(found["when"] == KNOWN, verdict, NO_DRIVER)
    found["place"] = found["verdict"].map({BETTER: 0, WORSE: 1, BY_CHANCE: 2, NO_DRIVER: 3})
    order = ["place", "difference", "driver", "tag"]
    found = found.sort_values(order, ascending=[True, False, True, True], ignore_index=True)
    return with_finding(found[_COLUMNS.split()], sentences.drivers_in_words, data.value, data.within_days)


def _tags(data: GrowthData, people: pd.DataFrame, known: Sequence[str]) -> Any:
    """Each column that says something of customers: its name, whether known at the first order, values."""
    for name, tag in data.first_orders.items():
        if name != "product" or "category" not in data.first_orders:
            bought = name in ("category", "product", data.item)
            yield f"first {name}" if bought else f"{name} of the first order", KNOWN, tag
    table = data.known_customers
    if lost := [name for name in known if name not in table.columns]:
        nearest = did_you_mean(lost[0], map(str, table.columns))
        raise CrmError(f"known names {lost[0]!r}, which customers lacks; {nearest}")
    for name, tag in table.items():
        if name in (*_NOT_TAGS, *data.first_orders) or str(name).startswith("has_"):
            continue
        if tag.dtype.kind in "mM" or tag.nunique() < 1:
            continue
        if tag.dtype.kind in "fiu":
            quarter = np.ceil(4 * tag.rank(pct=True)).map(dict(enumerate(_QUARTERS, 1)))
            tag = quarter if tag.nunique() > 4 else tag
        yield fmt.column(str(name)), KNOWN if name in (*AT_JOINING, *known) else AFTERWARDS, tag
    if "referrer_id" in table:
        yield "recommended", KNOWN, table["referrer_id"].notna()
    dates = {"loyalty programme": (data.loyalty_ledger, "date"), "contract": (data.subscriptions, "start")}
    for name, (source, column) in dates.items():
        rows = data.of_table(source, column)
        if len(rows):
            first = pd.to_datetime(rows.groupby("customer_id")[column].min()).dt.normalize()
            first = first.reindex(people.index)
            yield f"{name} by the first order", KNOWN, first <= people["born"]
            yield f"{name} later", AFTERWARDS, first > people["born"]


def _by_value(people: pd.DataFrame, driver: str, when: str, tag: pd.Series) -> pd.DataFrame:
    """The customers of each value of a column against the mean of all."""
    of = tag.reindex(people.index)
    if when == KNOWN:
        of = of.astype(object).where(of.notna(), NONE)
    of = of.dropna().astype(str).replace({"True": "yes", "False": "no"})
    many = of.value_counts()
    of = of.where(of.isin(many.index[:MOST_VALUES]), "(others)")
    rows = people.loc[of.index].assign(tag=of)
    sums = rows.groupby("tag")["worth"].agg(["size", "mean", "var"])
    sums = sums[(sums["size"] >= FEWEST) & (len(rows) - sums["size"] >= FEWEST)]
    if {*sums.index} == {"yes", "no"}:  # two ways to say one thing
        sums = sums.loc[["yes"]]
    if sums.empty:
        return pd.DataFrame()
    others = rows.groupby("tag")[["later", "again"]].mean().reindex(sums.index)
    gap, error, chance = against_the_rest(rows["worth"].to_numpy(dtype=float), sums)
    found = pd.DataFrame({"driver": driver, "tag": sums.index, "when": when}, index=sums.index)
    found = found.assign(customers=sums["size"], mean=sums["mean"], chance=chance, again=others["again"])
    found = found.assign(after_first=others["later"], **with_ends("difference", gap, error))
    return found.assign(beginning=f"{driver}: " + found["tag"])


def against_the_rest(values: Array, groups: pd.DataFrame) -> tuple[Array, Array, Array]:
    """How far each group's mean is from that of all, its standard error, and the chance of it if all were alike.

    `groups` has `size`, `mean` and `var`. The larger error of two is used: that of customers who differ by group, and
    that of customers who are all alike; the first is too small where a small group has missed the few large values.
    """
    from scipy.special import stdtr

    n, total = groups["size"].to_numpy(dtype=float), float(len(values))
    mean, own = groups["mean"].to_numpy(), groups["var"].to_numpy()
    gap, share = mean - values.mean(), 1 - n / total
    rest_mean = (values.sum() - n * mean) / (total - n)
    squares = (values**2).sum() - ((n - 1) * own + n * mean**2)
    rest = np.maximum(squares - (total - n) * rest_mean**2, 0.0) / np.maximum(total - n - 1, 1)
    apart = share * np.sqrt(own / n + rest / (total - n))
    alike = share * np.sqrt(values.var(ddof=1) * (1 / n + 1 / (total - n)))
    error = np.maximum(apart, alike)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, np.abs(gap) / error, 0.0)
    return gap, error, 2 * stdtr(n - 1, -t)
