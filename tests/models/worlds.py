"""Purchase logs of worlds whose laws are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

START = pd.Timestamp("2023-01-02")
CALIBRATION, HOLDOUT = 364, 364  # days


def beta_geo_world(
    customers: int,
    *,
    seed: int,
    holdout_rate: float = 1.0,
    r: float = 0.6,
    alpha: float = 60.0,
    a: float = 0.8,
    b: float = 2.5,
) -> tuple[pd.DataFrame, str, str]:
    """A log in which BG/NBD holds, time in days; from the cut on, rates may be other ones.

    Customers come throughout the calibration. Purchases fall on days; one a day at most counts, so rates
    are low. Returns the log, the calibration's last day and the holdout's.
    """
    random = np.random.default_rng(seed)
    born = random.integers(0, CALIBRATION // 2, customers)
    rate = random.gamma(r, 1 / alpha, customers)
    dropout = random.beta(a, b, customers)
    rows = [np.stack([np.arange(customers), born], axis=1)]
    alive, now = np.arange(customers), born.astype(float)
    while len(alive):
        gap = random.standard_exponential(len(alive)) / rate[alive]
        left = np.maximum(CALIBRATION - now[alive], 0.0)
        gap = np.where(gap > left, left + (gap - left) / holdout_rate, gap)
        now[alive] = now[alive] + gap
        alive = alive[now[alive] < CALIBRATION + HOLDOUT]
        rows.append(np.stack([alive, np.ceil(now[alive])], axis=1))
        alive = alive[random.random(len(alive)) >= dropout[alive]]
    who, day = np.concatenate(rows).astype(int).T
    log = pd.DataFrame({"customer_id": np.char.add("c", who.astype(str)), "amount": 10.0})
    log["date"] = START + pd.to_timedelta(day, unit="D")
    # as they stand in the log: the cut is the end of the day that is CALIBRATION days after the start
    cut, last = (START + pd.Timedelta(days, "D") for days in (CALIBRATION, CALIBRATION + HOLDOUT))
    return log[log["date"] <= last].reset_index(drop=True), str(cut.date()), str(last.date())
