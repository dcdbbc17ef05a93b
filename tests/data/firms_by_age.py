"""Firms with a known start, whose logs can be cut: customers won each month, by growth, season, launch and quality."""

import numpy as np
import pandas as pd

LAST_DAY = pd.Timestamp("2024-12-31")
KINDS = (
    "steady",
    "growing",
    "seasonal",
    "growing and seasonal",
    "shrinking",
    "launch",
    "ever worse customers",
)


def firm(kind, *, days, customers, rng):
    """A purchase log of a firm that starts `days` before its last day.

    New customers come at a rate that grows, follows a season or starts with a rush; each buys at a rate of their own
    (gamma), and leaves after the first purchase or after an exponential time; seasons move purchases as well.
    """
    grows = {"growing": rng.uniform(0.2, 1), "growing and seasonal": rng.uniform(0.2, 0.8)}
    growth = {**grows, "shrinking": -rng.uniform(0.2, 1)}.get(kind, 0.0)
    season = rng.uniform(0.4, 1) if "seasonal" in kind else rng.uniform(0, 0.3)
    rush = rng.uniform(1, 5) if kind == "launch" else 0.0
    worse = rng.uniform(0.1, 0.5) if kind == "ever worse customers" else 0.0
    per_year, shape, years = rng.uniform(1.5, 15), rng.uniform(0.6, 2), rng.uniform(0.7, 3)
    once, peak = rng.uniform(0.1, 0.6), rng.uniform(0, 365)
    day = np.arange(days)
    wave = np.exp(season * np.cos(2 * np.pi * (day - peak) / 365))
    passed = np.concatenate([[0], np.cumsum(wave / wave.mean())])
    come = np.exp(growth * day / 365) * wave * (1 + rush * np.exp(-day / 30))
    joined = rng.choice(days, size=customers, p=come / come.sum())
    rate = rng.gamma(shape, per_year / shape, customers) * np.exp(-worse * joined / 365) / 365
    stays = np.where(rng.random(customers) < once, 0, rng.exponential(365 * years, customers))
    left = np.interp(np.minimum(joined + stays, days), np.arange(days + 1), passed)
    count = rng.poisson(rate * (left - passed[joined]))
    who = np.repeat(np.arange(customers), count)
    when = passed[joined][who] + rng.random(len(who)) * (left - passed[joined])[who]
    bought = np.floor(np.interp(when, passed, np.arange(days + 1))).astype(int).clip(max=days - 1)
    rows = np.concatenate([np.arange(customers), who]), np.concatenate([joined, bought])
    date = LAST_DAY - pd.to_timedelta(days - 1 - rows[1], unit="D")
    return pd.DataFrame({"customer_id": rows[0].astype(str), "date": date, "amount": 10.0})


def last_days(log, days):
    """The log cut to its last days."""
    return log[log["date"] > log["date"].max() - pd.Timedelta(days, "D")]


def simulated_log(random_state, *, customers=5000, years=3):
    """The purchases of a firm of `simulate_firm`."""
    from crmlib.simulation.simulate import simulate_firm

    rows = simulate_firm(customers, years, random_state=random_state).tables["transactions"]
    return rows[["customer_id", "date", "amount"]].assign(date=pd.to_datetime(rows["date"]))
