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


def _gamma(shape: float, scale: float):
    return lambda random, size: random.gamma(shape, 1 / scale, size)


# How readily customers buy (per day) and drop out: in both they differ, or in one of them nobody does, or nobody drops
# out at all. Where they do not differ, a parameter of the fit has no upper end.
LAWS = {
    "both differ": (_gamma(0.55, 74.0), _gamma(0.6, 82.0)),
    "alike in dropout": (_gamma(0.8, 30.0), lambda random, size: np.full(size, 1 / 300)),
    "alike in buying": (lambda random, size: np.full(size, 0.03), _gamma(0.6, 80.0)),
    "alike in both": (lambda random, size: np.full(size, 0.03), lambda random, size: np.full(size, 1 / 300)),
    "nobody drops out": (_gamma(0.55, 74.0), lambda random, size: np.full(size, 1e-12)),
}


def pareto_histories(law: str, customers: int, *, seed: int, days: float = 1.0) -> pd.DataFrame:
    """Customers of 200 to 400 days in whom Pareto/NBD holds; times are known to so many days (1 / 24: to the hour)."""
    random = np.random.default_rng(seed)
    rates, dropouts = LAWS[law]
    age = random.uniform(200, 400, customers)
    rate = rates(random, customers)
    alive = np.minimum(random.standard_exponential(customers) / dropouts(random, customers), age)
    frequency = random.poisson(rate * alive)
    last = alive * random.random(customers) ** (1 / np.maximum(frequency, 1))
    age = np.ceil(age / days) * days
    recency = np.where(frequency > 0, np.clip(np.ceil(last / days) * days, days, age), 0.0)
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": age})
