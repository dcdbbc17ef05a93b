"""Lifetime value of customers in tables larger than memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from crmlib.economics.lifetime_value import read_terms
from crmlib.errors import FitError
from crmlib.models._parquet import join_scores
from crmlib.models.gamma_gamma import GammaGammaModel
from crmlib.models.purchase import PurchaseModel
from crmlib.models.scoring import Spend, double_sql, score_histories, spend_scale_sql, spend_sql


def lifetime_value_parquet(
    transaction_model: PurchaseModel,
    spend_model: Spend,
    source: str | Path,
    target: str | Path,
    *,
    horizon: float | str,
    discount_rate_per_year: float,
    margin: float,
    level: float | None = 0.8,
    time_unit: str | None = None,
    memory_limit: str = "2GB",
) -> int:
    """Write every customer's lifetime value and predictive interval, from Parquet to Parquet.

    The values are those of `customer_lifetime_value`; distinct histories are valued once and joined back by
    DuckDB. Timing as there: money arrives with each purchase and is discounted continuously.

    Parameters
    ----------
    transaction_model, spend_model, horizon, discount_rate_per_year, margin, time_unit
        As in `customer_lifetime_value`.
    source, target, memory_limit
        As in `crmlib.models.scoring.score_parquet`.
    level : float or None, default 0.8
        Probability of the predictive interval; None leaves it out, which is faster.

    Returns
    -------
    int
        Rows written: as many as were read.

    Raises
    ------
    CrmError
        If a parameter is out of range or the unit of time is unknown.
    FitError
        If expected spend is infinite (a Gamma-Gamma model with q <= 1).
    DataError
        If a column is missing, is there already, or holds impossible values.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from crmlib.models import BetaGeoModel
    >>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W")
    >>> terms = {"horizon": "1Y", "discount_rate_per_year": 0.1, "margin": 0.3}
    >>> with TemporaryDirectory() as folder:
    ...     source, target = Path(folder, "customers.parquet"), Path(folder, "valued.parquet")
    ...     pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]}).to_parquet(source)
    ...     lifetime_value_parquet(model, 24.66, source, target, **terms)
    ...     pd.read_parquet(target)["clv"].round(2).tolist()
    1
    [11.07]
    """
    terms = read_terms(transaction_model, None, horizon, discount_rate_per_year, margin, time_unit)
    if isinstance(spend_model, GammaGammaModel) and (q := spend_model.params_["q"]) <= 1:
        raise FitError(
            f"spend_model: the fitted q is {q:.3g}, so expected spend is infinite; cap the "
            "largest purchases and fit again, or give a number such as the median spend as spend_model"
        )

    score = partial(
        score_histories,
        transaction_model,
        spend_model,
        horizon=terms.horizon,
        discount_rate=terms.discount_rate,
        level=level,
    )
    spend = spend_sql(spend_model)
    columns = {"expected_purchases": "s.expected_purchases", "expected_spend": spend, "p_alive": "s.p_alive"}
    columns["clv"] = f"{double_sql(margin)} * s.discounted_purchases * {spend}"
    if level is not None:
        scale = f"{double_sql(margin)} * {spend_scale_sql(spend_model)}"
        columns |= {"clv_low": f"{scale} * s.spend_low", "clv_high": f"{scale} * s.spend_high"}
    gamma_gamma = isinstance(spend_model, GammaGammaModel)
    return join_scores(source, target, score, columns, spend=gamma_gamma, memory_limit=memory_limit)
