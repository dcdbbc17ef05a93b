"""Small firms whose months are known: to forecast them month by month, and to ask how right the bands were."""

from __future__ import annotations

import numpy as np
import pandas as pd

HISTORY, LOOKS = 24, 24  # months before the first forecast, and forecasts


def firm(seed: int, *, trend: float = 0.0, season: float = 0.0, news: float = 12.0) -> pd.DataFrame:
    """The log of a small firm: customers come, buy at paces of their own, and leave.

    `trend`: growth of the number of new customers per month, a share. `season`: standard deviation of the log of the
    demand of the twelve months of a year, the same in every year. `news`: new customers per month.
    """
    random = np.random.default_rng(seed)
    months = HISTORY + LOOKS + 6
    demand = np.exp(season * random.standard_normal(12))
    demand /= demand.mean()
    born = np.concatenate(
        [np.zeros(int(news * 8), dtype=int)]
        + [np.full(random.poisson(news * (1 + trend) ** m * demand[m % 12]), m) for m in range(1, months)]
    )
    count = len(born)
    pace, leave = random.gamma(1.2, 0.5, count), random.beta(1.0, 9.0, count)
    spend = random.gamma(6.0, 8.0, count)
    ends = born + random.geometric(leave)
    rows = []
    for month in range(months):
        here = np.flatnonzero((born <= month) & (ends > month))
        bought = random.poisson(pace[here] * demand[month % 12]) + (born[here] == month)
        who = np.repeat(here, bought)
        day = random.integers(1, 28, len(who))
        first = pd.Period("2020-01", "M") + month
        date = first.start_time + pd.to_timedelta(day, unit="D")
        rows.append(
            pd.DataFrame(
                {"customer_id": who, "date": date, "amount": spend[who] * random.gamma(3, 1 / 3, len(who))}
            )
        )
    log = pd.concat(rows, ignore_index=True)
    return log.assign(customer_id="c" + log["customer_id"].astype(str))
