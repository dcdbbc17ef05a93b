"""One row per customer, with the unit of time and the day that its figures hold for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from crmlib.units import TimeUnit

SUMMARY_COLUMNS = (
    "customer_id",
    "frequency",
    "recency",
    "T",
    "monetary_value",
    "time_since_last_purchase",
    "first_purchase",
    "last_purchase",
    "orders",
    "gross",
    "returns",
    "net",
    "mean_spend_per_period",
)


@dataclass(frozen=True)
class LeftOut:
    """Customers without a purchase that counts, and their money, which no row of a summary holds."""

    customers: int
    net: float


@dataclass(frozen=True)
class BornInHoldout:
    """Customers whose first purchase falls in the holdout: no model of the calibration knows them.

    `spend` is all the net money of the holdout from customers whom the calibration does not know.
    """

    customers: int
    purchases: int
    spend: float


class CustomerSummary(pd.DataFrame):
    """One row per customer: a DataFrame that knows its unit of time and its last day.

    Made by `rfm_summary` and `rfm_train_test_split`. The attributes stay with slices, copies, left merges and
    pickles, so that a model refuses a summary that counts time in another unit than it was fitted in.

    Attributes
    ----------
    time_unit : TimeUnit
        Unit of `recency`, `T`, `time_since_last_purchase` and `holdout_T`.
    as_of : datetime.date
        Last day that counts, to its end; the calibration's last day after a split.
    left_out : LeftOut
        Customers who have no row because no purchase of theirs counts.
    born_in_holdout : BornInHoldout or None
        After `rfm_train_test_split`: customers who came in the holdout.

    Examples
    --------
    >>> frame = CustomerSummary({"customer_id": ["a"], "frequency": [2]}).with_facts(time_unit=TimeUnit.W)
    >>> frame[frame.frequency > 1].time_unit.plural
    'weeks'
    """

    _metadata = ["time_unit", "as_of", "left_out", "born_in_holdout"]  # noqa: RUF012  (pandas' own protocol)

    time_unit: TimeUnit | None = None
    as_of: dt.date | None = None
    left_out: LeftOut | None = None
    born_in_holdout: BornInHoldout | None = None

    @property
    def _constructor(self) -> Callable[..., CustomerSummary]:
        return CustomerSummary

    def with_facts(self, **facts: Any) -> CustomerSummary:
        """A new summary of the same columns that carries these attributes."""
        summary = self.copy(deep=False)
        for name, fact in facts.items():
            if name not in self._metadata:
                raise AttributeError(f"a customer summary carries {', '.join(self._metadata)}, not {name!r}")
            object.__setattr__(summary, name, fact)
        return summary

    def __finalize__(self, other: Any, method: str | None = None, **kwargs: Any) -> CustomerSummary:
        # pandas hands over the merge or the concatenation itself, whose sources hold the attributes.
        if method in ("merge", "concat"):
            sources = [other.left] if method == "merge" else list(other.objs)
            for name in self._metadata:
                facts = [getattr(source, name, None) for source in sources]
                same = all(fact == facts[0] for fact in facts)
                object.__setattr__(self, name, facts[0] if same else None)
            return self
        return super().__finalize__(other, method=method, **kwargs)
