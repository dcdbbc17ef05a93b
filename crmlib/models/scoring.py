"""Scores of customers: computed once per distinct history, in memory or for tables larger than memory."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.models._histories import Histories
from crmlib.models._inference import Array
from crmlib.models.gamma_gamma import GammaGammaModel
from crmlib.models.predictive import count_quantiles, spend_quantiles
from crmlib.models.purchase import PurchaseModel

Spend = GammaGammaModel | float


def score_histories(
    model: PurchaseModel,
    spend: Spend,
    known: Histories,
    horizon: float,
    *,
    discount_rate: float = 0.0,
    level: float | None = None,
) -> pd.DataFrame:
    """What customers with each history will do within a horizon.

    Parameters
    ----------
    model : PurchaseModel
    spend : GammaGammaModel or float
        A number is the spend on every purchase.
    known : Histories
    horizon, discount_rate : float
        In the model's unit of time; the rate compounds continuously.
    level : float, optional
        Probability of the predictive interval.

    Returns
    -------
    DataFrame
        A row per history: `p_alive`, `expected_purchases`, `discounted_purchases` and, given a level,
        `spend_low` and `spend_high`: quantiles of discounted spend, in units of x m + v of a Gamma-Gamma
        customer (in money where `spend` is a number).

    Notes
    -----
    The quantiles are exact but for when a purchase falls: each is discounted by the mean factor of its
    history.
    """
    x, age = known.frequency, known.T
    # what is expected of a living customer depends on frequency and T alone
    ages = pd.factorize(age)
    pair, _ = pd.factorize(x.astype(np.int64) * len(ages[1]) + ages[0])
    first = np.zeros(pair.max(initial=-1) + 1, dtype=np.intp)
    first[pair[::-1]] = np.arange(len(pair))[::-1]
    alive = model._alive(x, known.recency, age)
    purchases = model._purchases_if_alive(x[first], age[first], horizon)
    discounted = model._discounted_if_alive(x[first], age[first], horizon, discount_rate)
    scores = pd.DataFrame(
        {
            "p_alive": alive,
            "expected_purchases": alive * purchases[pair],
            "discounted_purchases": alive * discounted[pair],
        }
    )
    if level is not None:
        mean_factor = np.divide(discounted, purchases, out=np.ones_like(discounted), where=purchases > 0)
        scores[["spend_low", "spend_high"]] = mean_factor[pair][:, None] * _spend_interval(
            model, spend, known, alive, horizon, level
        )
    return scores


def _spend_interval(
    model: PurchaseModel, spend: Spend, known: Histories, alive: Array, horizon: float, level: float
) -> Array:
    def counts_given_alive(n: int, x: Array, age: Array) -> Array:
        return model._pmf_if_alive(n, x, age, horizon)

    levels = ((1 - level) / 2, (1 + level) / 2)
    found = np.zeros((len(alive), 2))
    some = alive > 0
    x, age = known.frequency[some], known.T[some]
    if isinstance(spend, GammaGammaModel):
        p, q, _ = spend._values()
        found[some] = spend_quantiles(counts_given_alive, x, age, alive[some], levels, p, q)
    else:
        found[some] = spend * count_quantiles(counts_given_alive, x, age, alive[some], levels)
    return found
