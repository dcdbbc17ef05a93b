"""Beyond what a backtest asks for care, or says no.

The thresholds are conventions: no theorem gives them. They are named and explained, to be edited where a
decision can bear more, or less.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd


def limit(value: float, why: str) -> Any:
    """A threshold and the reason for it."""
    return field(default=value, metadata={"why": why})


@dataclass(frozen=True)
class Explained:
    """Thresholds that say why they are where they are."""

    def explain(self) -> pd.DataFrame:
        """What each threshold is and why: `threshold`, `value`, `why`."""
        rows = [(one.name, getattr(self, one.name), one.metadata["why"]) for one in fields(self)]
        return pd.DataFrame(rows, columns=["threshold", "value", "why"])


@dataclass(frozen=True)
class Thresholds(Explained):
    """Beyond which values a model is to be used with care (`_care`), or not at all (`_refuse`).

    Every field is explained by `explain()`.

    Examples
    --------
    >>> Thresholds(total_error_care=0.2).explain().loc[0, "why"]
    'a total off by a tenth moves a budget'
    """

    total_error_care: float = limit(0.10, "a total off by a tenth moves a budget")
    total_error_refuse: float = limit(0.30, "a total off by a third misleads whoever plans by it")
    group_error_care: float = limit(0.20, "purchases predicted for the wrong group of customers, of all")
    group_error_refuse: float = limit(0.50, "half the purchases are predicted for the wrong customers")
    probability_gap_care: float = limit(0.10, "a stated 30 % chance to buy that is 20 % or 40 % picks others")
    probability_gap_refuse: float = limit(0.20, "stated chances to buy hardly mean anything")
    coverage_gap_care: float = limit(0.05, "intervals hold fewer or more customers than the model says")
    coverage_gap_refuse: float = limit(0.15, "intervals of customers are wrong by every seventh customer")
    pit_distance_care: float = limit(0.06, "the distribution of counts is off by as much somewhere")
    pit_distance_refuse: float = limit(0.20, "counts do not follow the predicted distribution")
    rmse_ratio_care: float = limit(1.00, "a rule without a model errs no more per customer")
    rmse_ratio_refuse: float = limit(1.10, "a rule without a model errs clearly less per customer")
    gini_behind_care: float = limit(0.05, "RFM or last year's revenue finds the best customers better")
    gini_behind_refuse: float = limit(0.20, "RFM or last year's revenue finds far more of the best customers")
    origin_error_care: float = limit(0.20, "totals from other starting days were off by as much")
    origin_error_refuse: float = limit(0.50, "totals from other starting days were off by half")
    totals_held_fewest: float = limit(
        0.50, "the model's own 80 % interval of a total missed it as often as not"
    )
    fewest_purchases: float = limit(100.0, "fewer holdout purchases prove nothing: chance alone is 10 %")
    fewest_customers: float = limit(500.0, "fewer customers leave the parameters loose")
