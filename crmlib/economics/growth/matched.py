"""The referred against others who joined in the same month, market and channel, and how much could be hidden."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.economics.growth import sentences
from crmlib.economics.growth.data import NONE, GrowthData
from crmlib.economics.growth.referrals import USED, links, why_no_links
from crmlib.economics.loyalty import compared_within_cells, with_two_others
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import normal_quantile, with_ends

_COLUMNS = (
    "outcome comparison referred others mean mean_others difference difference_low difference_high risk_ratio e_value "
    "e_value_low"
)
OUTCOMES = {"again": "came back", "worth": "brought", "later": "brought after the first day"}
CELLS = ("channel", "market")


def referred_against_others(data: GrowthData) -> pd.DataFrame:
    """Do the recommended come back more and bring more than others who joined in the same month?

    By `outcome` and `comparison` (all others; others of the same month, channel and market of the first order and line
    of business): `referred, others`, their means, the `difference` with an interval; of who came back the `risk_ratio`,
    its E-value and that of the end of its interval that is nearer to 1.
    """
    noted = links(data)
    used = noted.index[noted["problem"] == USED]
    if not len(used):
        return no_rows(_COLUMNS, why_no_links(data))
    people = data.known_long
    people = people[people.index.isin(used) | ~people.index.isin(noted.index)]  # links set aside are neither
    first = data.first_orders.reindex(people.index)
    kinds = [first[name] for name in CELLS if name in first]
    if "product_type" in data.known_customers:
        kinds.append(data.known_customers["product_type"].reindex(people.index))
    keys = [people["born"].dt.to_period("M").astype(str)]
    keys += [kind.astype(object).where(kind.notna(), NONE) for kind in kinds]
    cell = people.groupby([key.to_numpy() for key in keys]).ngroup().to_numpy()
    joined = people.index.isin(used)
    usable = with_two_others(joined, cell)
    if not (joined & usable).any():
        why = f"none of {joined.sum()} referred customers known for {data.within_days} days has two others alike"
        return no_rows(_COLUMNS, why)
    rows = []
    who, everyone = people.index.to_numpy(), np.zeros(len(people), dtype=int)
    for column, outcome in OUTCOMES.items():
        values = people[column].to_numpy(dtype=float)
        for name, groups, kept in (("all others", everyone, joined >= 0), ("others like them", cell, usable)):
            found = compared_within_cells(values[kept], joined[kept], groups[kept], who[kept])
            row = {"outcome": outcome, "comparison": name, "referred": int((joined & kept).sum())}
            row |= {"others": int((~joined & kept).sum()), "mean": found.members, "mean_others": found.others}
            ratio = found.members / found.others if column == "again" and found.others > 0 else np.nan
            wide = np.exp(normal_quantile(0.95) * found.ratio_error)
            at_one, at_end = e_values(ratio, ratio / wide, ratio * wide)
            row |= {"risk_ratio": ratio, "e_value": at_one, "e_value_low": at_end}
            rows.append(row | with_ends("difference", found.members - found.others, found.error))
    table = pd.DataFrame(rows)[_COLUMNS.split()]
    return with_finding(table, sentences.referred_in_words, data.within_days)


def e_value(ratio: float) -> float:
    """How strongly something unseen would have to go with both, to undo a risk ratio.

    Notes
    -----
    VanderWeele & Ding, Annals of Internal Medicine 167(4), 2017.

    Examples
    --------
    >>> round(e_value(1.5), 2), round(e_value(1 / 1.5), 2), e_value(1.0)
    (2.37, 2.37, 1.0)
    """
    if not ratio > 0:
        if np.isnan(ratio):
            return np.nan
        raise CrmError(f"ratio is {ratio}; a ratio of two risks is above 0")
    above = max(ratio, 1 / ratio)
    return float(above + np.sqrt(above * (above - 1)))


def e_values(ratio: float, low: float, high: float) -> tuple[float, float]:
    """The E-value of a ratio, and of the end of its interval that is nearer to 1: 1 where it holds 1."""
    if np.isnan([ratio, low, high]).any():
        return (e_value(ratio) if not np.isnan(ratio) else np.nan), np.nan
    return e_value(ratio), (1.0 if low <= 1 <= high else e_value(low if low > 1 else high))
