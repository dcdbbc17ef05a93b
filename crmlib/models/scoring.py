"""Scores of customers: computed once per distinct history, in memory or for tables larger than memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.models._histories import Histories
from crmlib.models._inference import Array
from crmlib.models._parquet import join_scores
from crmlib.models.gamma_gamma import GammaGammaModel
from crmlib.models.predictive import count_quantiles, spend_quantiles
from crmlib.models.purchase import PurchaseModel

Spend = GammaGammaModel | float


def score_parquet(
    transaction_model: PurchaseModel,
    source: str | Path,
    target: str | Path,
    *,
    future_t: float | str,
    spend_model: GammaGammaModel | None = None,
    memory_limit: str = "2GB",
) -> int:
    """Score a Parquet table of customers that may be larger than memory.

    Distinct histories are scored once and joined back by DuckDB, from Parquet to Parquet.

    Parameters
    ----------
    transaction_model : BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel or BetaGeoBetaBinomModel
    source : path
        Parquet file, or a pattern such as "customers/*.parquet", with `frequency`, `recency` and `T` in the
        model's unit of time, and `monetary_value` if there is a spend model.
    target : path
        Parquet file to write, at once when it is complete: all columns of `source` and `expected_purchases`,
        `p_alive` and, with a spend model, `expected_spend`. The order of rows may differ.
    future_t : float or str
        A number in the model's unit of time, or a text such as "12M".
    spend_model : GammaGammaModel, optional
    memory_limit : str, default "2GB"
        What the engine may hold at once; beyond it, it spills to disk beside `target`.

    Returns
    -------
    int
        Rows written: as many as were read.

    Raises
    ------
    DataError
        If a column is missing, is there already, or holds impossible values.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from crmlib.models import BetaGeoModel
    >>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W")
    >>> with TemporaryDirectory() as folder:
    ...     source, target = Path(folder, "customers.parquet"), Path(folder, "scored.parquet")
    ...     pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]}).to_parquet(source)
    ...     score_parquet(model, source, target, future_t="39W")
    ...     pd.read_parquet(target).round(3)
    1
       frequency  recency      T  expected_purchases  p_alive
    0          2    30.43  38.86               1.226    0.727
    """
    horizon = transaction_model._periods(future_t)
    score = partial(score_histories, transaction_model, 1.0, horizon=horizon)
    columns = {"expected_purchases": "s.expected_purchases", "p_alive": "s.p_alive"}
    if spend_model is not None:
        columns["expected_spend"] = spend_sql(spend_model)
    spend = spend_model is not None
    return join_scores(source, target, score, columns, spend=spend, memory_limit=memory_limit)


def spend_sql(spend: Spend) -> str:
    """Expected spend per purchase, as SQL of the customer `c`."""
    if not isinstance(spend, GammaGammaModel):
        return double_sql(spend)
    p, q, _ = (double_sql(one) for one in spend._values())
    shape = f"({p} * c.frequency + {q} - 1)"
    return f"CASE WHEN {shape} > 0 THEN {p} * {spend_scale_sql(spend)} / {shape} ELSE 'inf'::DOUBLE END"


def spend_scale_sql(spend: Spend) -> str:
    """The unit of `spend_low` and `spend_high`, x m + v, as SQL of the customer `c`."""
    if not isinstance(spend, GammaGammaModel):
        return double_sql(1.0)
    money = "CASE WHEN c.frequency > 0 THEN c.frequency * greatest(c.monetary_value, 0) ELSE 0 END"
    return f"({double_sql(spend.params_['v'])} + {money})"


def double_sql(value: float) -> str:
    """A number as SQL that keeps all its digits: a bare literal would be a decimal."""
    return f"'{float(value)!r}'::DOUBLE"


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
    pair, first = distinct_pairs(x, age)
    alive = model._alive(x, known.recency, age)
    purchases = model._purchases_if_alive(x[first], age[first], horizon)
    discounted = purchases
    if discount_rate:
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


def distinct_pairs(frequency: Array, age: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Distinct pairs of frequency and T: which of them each history has, and the first history that has it."""
    code, ages = pd.factorize(age)
    pair, _ = pd.factorize(frequency.astype(np.int64) * len(ages) + code)
    return pair, np.flatnonzero(~pd.Series(pair).duplicated())


def _spend_interval(
    model: PurchaseModel, spend: Spend, known: Histories, alive: Array, horizon: float, level: float
) -> Array:
    def counts_given_alive(n: Array, x: Array, age: Array) -> Array:
        return model._pmfs_if_alive(n, x, age, horizon)

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
