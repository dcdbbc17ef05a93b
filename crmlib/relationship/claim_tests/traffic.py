"""Traffic misleads: the loss from ranking channels by visits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.data.sources import lacking, open_optional
from crmlib.relationship.claim_tests.data import ClaimData
from crmlib.relationship.claim_tests.tested import Part, cannot, result
from crmlib.statistics import bootstrap_weights

BAR = 0.1  # of the value of a visit: less is no reason to rank otherwise
FEWEST_CHANNELS, FEWEST_MONTHS, RESAMPLES = 4, 12, 400


def traffic(data: ClaimData) -> list[dict[str, Any]]:
    """How much less does a visit bring in the busiest third of channels than in the third that brings most per visit?

    The best channels are chosen in every other month and judged in the months between, so that chance does not choose
    its own winners. Values are those of new customers within a year; resamples are of months.
    """
    if reason := lacking(marketing_spend=data.marketing_spend, customers=data.customers):
        return cannot("traffic", reason)
    rows = open_optional(data.marketing_spend)
    assert rows is not None
    if "clicks" not in rows.columns:
        return cannot("traffic", "no clicks in the table marketing_spend")
    money = rows.select("channel", "clicks", day=rows.date.cast("date")).to_pandas()
    month = pd.to_datetime(money["day"]).dt.to_period("M")
    money = money.assign(month=month, channel=money["channel"].astype(str))
    visits = money.groupby(["month", "channel"])["clicks"].sum().astype(float).unstack().fillna(0.0)
    people = data.known_long
    known = data.known_customers.reindex(index=people.index, columns=["acquisition_channel"])
    keys = [people["born"].dt.to_period("M"), known["acquisition_channel"].astype(object)]
    worth = people.groupby(keys)["worth"].sum().unstack()
    months = visits.index.intersection(worth.index)
    seen = visits.loc[months, visits.sum() > 0]
    brought = worth.reindex(index=months, columns=seen.columns).fillna(0.0)
    if seen.shape[1] < FEWEST_CHANNELS or len(months) < FEWEST_MONTHS:
        has = f"{fmt.plural(seen.shape[1], 'channel')} and {fmt.plural(len(months), 'month')} with visits and values"
        return cannot("traffic", f"{has}; {FEWEST_CHANNELS} and {FEWEST_MONTHS} are needed")
    tables = seen.to_numpy(), brought.to_numpy(float)
    drawn = [lost(*tables, weights) for weights in bootstrap_weights(len(months), RESAMPLES, 0)]
    value, error = lost(*tables, np.ones(len(months))), float(np.nanstd(drawn, ddof=1))
    part = Part("share lost", value, error, "share", len(people), bar=BAR)
    channels = fmt.plural(seen.shape[1], "channel")
    why = f"{channels}; more than {fmt.share(BAR)} of the value of a visit is lost"
    return result("traffic", [part], why)


def lost(visits: np.ndarray, brought: np.ndarray, weights: np.ndarray) -> float:
    """The share lost, by months (rows) and channels; the mean of both halves of the months.

    Examples
    --------
    >>> visits, brought = np.tile([9.0, 1.0, 1.0], (4, 1)), np.tile([9.0, 2.0, 1.0], (4, 1))
    >>> lost(visits, brought, np.ones(4))
    0.5
    """
    half = np.arange(len(visits)) % 2 == 0
    top = max(visits.shape[1] // 3, 1)
    found = []
    for chosen, judged in ((half, ~half), (~half, half)):
        sums = [weights[rows] @ table[rows] for rows in (chosen, judged) for table in (visits, brought)]
        with np.errstate(invalid="ignore", divide="ignore"):
            each = [np.where(sums[at] > 0, sums[at + 1] / sums[at], 0.0) for at in (0, 2)]
        best, busy = np.argsort(-each[0], kind="stable")[:top], np.argsort(-sums[0], kind="stable")[:top]
        whole = each[1][best].mean()
        found.append(1 - each[1][busy].mean() / whole if whole > 0 else np.nan)
    return float(np.mean(found))
