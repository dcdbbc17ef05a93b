"""A period's profit in two halves that differ by chance alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from crmlib.customers._log import as_day
from crmlib.customers.profit.cost_to_serve import as_costs
from crmlib.customers.profit.customer_profit import profit_in_weeks
from crmlib.errors import CannotAnswerError
from crmlib.study_file import Costs

FEWEST_WEEKS = 8


def profit_halves(
    transactions: Any,
    *,
    start: Any,
    end: Any,
    margin: float | None = None,
    service_cases: Any = None,
    touchpoints: Any = None,
    costs: Costs | Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """What would each customer's profit have been in another period just like this one, twice?

    The weeks are dealt out to two halves in the order of Thue and Morse (0110 1001 …), so that a trend or a
    season falls on both alike, and so do habits such as every second week: what is left between them is
    noise.

    Parameters
    ----------
    transactions, start, end, margin, service_cases, touchpoints, costs
        As for `customer_profit`.

    Returns
    -------
    DataFrame
        By customer: `customer_id`, `one`, `other` (profit of the halves; revenue where no cost is known),
        `value` (their sum: the period's) and `exposure_days`.

    Raises
    ------
    CannotAnswerError
        If the period has fewer than 8 weeks.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a"], "amount": [10.0, 30.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-10"])})
    >>> profit_halves(log, start="2024-01-01", end="2024-02-29")[["one", "other", "value"]]
        one  other  value
    0  10.0   30.0   40.0
    """
    first, last = as_day(start, "start"), as_day(end, "end")
    weeks = ((last - first).days + 1) // 7
    if weeks < FEWEST_WEEKS:
        raise CannotAnswerError(
            f"{first} to {last} are {max(weeks, 0)} weeks; {FEWEST_WEEKS} are needed to tell noise from habit"
        )
    prices = as_costs(costs)
    tables, period = (service_cases, touchpoints), (first, last)
    whole = profit_in_weeks(transactions, period, margin, tables, prices)
    value = "profit" if "profit" in whole else "revenue"
    # An account costs the same in either half, whether or not anything happens in it.
    moving = prices.model_copy(update={"fixed_per_year": None if prices.fixed_per_year is None else 0.0})
    account = whole["cost_of_account"] / 2
    found = pd.DataFrame(whole[["customer_id", "exposure_days"]])
    for name, odd in (("one", 0), ("other", 1)):
        dealt = [week for week in range((last - first).days // 7 + 1) if week.bit_count() % 2 == odd]
        half = profit_in_weeks(transactions, period, margin, tables, moving, dealt)
        found[name] = found["customer_id"].map(half.set_index("customer_id")[value]).fillna(0.0) - account
    found["value"] = found["one"] + found["other"]
    assert abs(found["value"].sum() - whole[value].sum()) < 0.005 + 1e-9 * whole["gross"].sum(), (
        "the halves do not add up to the period"
    )
    return found
