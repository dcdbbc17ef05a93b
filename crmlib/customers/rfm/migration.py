"""Movement of customers between segments from one day to a later one, with the same cut-offs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import as_day
from crmlib.customers.rfm.segments import RfmCutOffs, RfmSegments, rfm_segments
from crmlib.customers.rfm.summary import rfm_measures
from crmlib.customers.sentences import moves_of_segments
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.findings import Compared, Estimate, compared, with_finding
from crmlib.statistics import normal_quantile

BEST = ("Champions", "Loyal")
NOT_YET, NO_LONGER = "not yet a customer", "no longer a customer"


@dataclass(frozen=True)
class SegmentMigration:
    """Segments of the same customers on two days, under one set of cut-offs.

    - `matrix`: customers by segment on the first day (rows) and on the second (columns), each segment once, empty ones
      too. The last row, "not yet a customer", came between the days; the last column, "no longer a customer", holds
      those whose every purchase has gone back since.
    - `sizes`: `segment`; customers `before` and `after`; and `drawn_anew`, after by cut-offs drawn on the second day,
      under which a fifth always scores highest, however many have left.
    - `customers`: one row per customer of either day: `customer_id, before, after` (categorical).
    - `cut_offs`: those of the first day, or as given.
    """

    matrix: pd.DataFrame
    sizes: pd.DataFrame
    customers: pd.DataFrame
    cut_offs: RfmCutOffs

    @property
    def shares(self) -> pd.DataFrame:
        """The matrix as shares of each row, adding up to 1; a segment that nobody was in has no row."""
        matrix = self.matrix[self.matrix.sum(axis=1) > 0]
        return matrix.div(matrix.sum(axis=1), axis=0)

    @property
    def best(self) -> Compared:
        """How the share of Champions and Loyal changed, and whether that is beyond chance.

        Only a fall is sure to be one, as frequency and spend add up over the years.
        Interval (95 %): each customer's pull on the two shares, of the days on which they were known (linearised).
        """
        was, now = self.customers["before"], self.customers["after"]
        known = np.array([was != NOT_YET, now != NO_LONGER])
        good = np.array([was.isin(BEST), now.isin(BEST)])
        sizes = np.maximum(known.sum(axis=1), 1)
        shares = good.sum(axis=1) / sizes
        pull = np.diff((good - known * shares[:, None]) / sizes[:, None], axis=0)
        change, reach = float(np.diff(shares)[0]), normal_quantile(0.95) * float(np.sqrt((pull**2).sum()))
        then, today = map(fmt.share, shares)
        sentence = f"By the cut-offs of the earlier day, Champions and Loyal are {today} of customers; then {then} were"
        if change > reach:
            sentence += "; purchases and spend only add up, so part of the rise comes from counting longer"
        return compared(sentence, Estimate(change, "points", change - reach, change + reach))


def segment_migration(
    transactions: Any,
    *,
    before: Any,
    after: Any,
    time_unit: str = "W",
    collapse: str = "D",
    cut_offs: RfmCutOffs | None = None,
    **rules: Any,
) -> SegmentMigration:
    """Who moved from which segment to which between two days?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    before, after : date or str
        The two days, each to its end.
    time_unit, collapse
        As in `rfm_summary`.
    cut_offs, **rules
        As in `rfm_segments`, with `scores` and `segments`; by default cut-offs are drawn on the first day and kept for
        the second.

    Returns
    -------
    SegmentMigration

    Raises
    ------
    CrmError, DataError
        If a parameter or the log is refused.
    CannotAnswerError
        If nobody had bought by the first day.

    Notes
    -----
    Frequency and spend count all purchases up to each day, so that a customer's frequency score can rise and never
    fall: decline shows in recency alone, as a move from Champions and Loyal to At risk and Cannot lose.

    Examples
    --------
    >>> import crmlib as crm
    >>> log = crm.open_study("cdnow-sample").transactions
    >>> moved = segment_migration(log, before="1997-09-30", after="1998-06-30")
    >>> moved.matrix.loc["Champions", ["Champions", "Loyal", "At risk", "Cannot lose"]].tolist()
    [273, 18, 22, 169]
    """
    first, second = as_day(before, "before"), as_day(after, "after")
    if first >= second:
        raise CrmError(f"before is {first}, not earlier than after {second}; give the earlier day first")
    was = rfm_measures(transactions, as_of=first, time_unit=time_unit, collapse=collapse)
    if was.empty:
        raise CannotAnswerError(f"nobody had bought by {first}, the day before; give a later one")
    now = rfm_measures(transactions, as_of=second, time_unit=time_unit, collapse=collapse)
    earlier = rfm_segments(was, cut_offs=cut_offs, **rules)
    kept = earlier.cut_offs
    assert kept is not None, "segments carry their cut-offs"
    rules["scores"] = kept.scores
    later = rfm_segments(now, cut_offs=kept, **rules) if len(now) else earlier.iloc[:0]
    anew = rfm_segments(now, **rules) if len(now) else later
    customers = _customers(earlier, later)
    matrix = with_finding(_matrix(customers), moves_of_segments, fmt.date(first, short=True))
    return SegmentMigration(matrix, _sizes(earlier, later, anew), customers, kept)


def _customers(earlier: RfmSegments, later: RfmSegments) -> pd.DataFrame:
    names = list(earlier["segment"].cat.categories)
    sides = [pd.DataFrame(day).set_index("customer_id")["segment"].astype(object) for day in (earlier, later)]
    both = pd.concat(sides, axis=1, keys=["before", "after"]).sort_index()
    for side, absent in (("before", NOT_YET), ("after", NO_LONGER)):
        both[side] = pd.Categorical(both[side].fillna(absent), categories=[*names, absent], ordered=True)
    return both.rename_axis("customer_id").reset_index()


def _matrix(customers: pd.DataFrame) -> pd.DataFrame:
    matrix = pd.crosstab(customers["before"], customers["after"], dropna=False)
    assert matrix.to_numpy().sum() == len(customers), "a customer was lost between the two days"
    return matrix


def _sizes(earlier: RfmSegments, later: RfmSegments, anew: RfmSegments) -> pd.DataFrame:
    counts = {
        name: day["segment"].value_counts(sort=False)
        for name, day in (("before", earlier), ("after", later), ("drawn_anew", anew))
    }
    sizes = pd.DataFrame(counts).rename_axis("segment").reset_index()
    assert (sizes[["before", "after"]].sum() == [len(earlier), len(later)]).all(), "a customer was lost"
    return sizes
