"""What the customers of each channel bring, also of a channel in its second month."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crmlib.customers._log import fetch
from crmlib.customers.rfm.summary import rfm_summary
from crmlib.economics.acquisition.costs import acquisition_cost
from crmlib.economics.acquisition.data import UNKNOWN, AcquisitionData
from crmlib.economics.acquisition.sentences import worth_of_channels
from crmlib.economics.formula_clv import check_share
from crmlib.errors import DataError, FitError
from crmlib.findings import with_finding
from crmlib.models._histories import require_columns
from crmlib.models._inference import Array
from crmlib.models.base import LikelihoodModel
from crmlib.models.beta_geo import BetaGeoModel
from crmlib.models.gamma_gamma import GammaGammaModel
from crmlib.no_rows import no_rows
from crmlib.statistics import percentile_interval
from crmlib.units import TimeUnit, periods, unit_of

COLUMNS = (
    "channel customers median_age_days purchases_per_customer brought_so_far "
    "worth worth_low worth_high cac p_payback_12m"
)
DRAWS, SIMULATED, SEED, LEVEL = 200, 20, 0, 0.8  # LEVEL of the interval of the value
COMMON_ERROR = (
    0.12  # standard deviation, in logs, by which a model misses the spend of all customers in a year
)
FURTHEST = 2.0  # that a parameter is drawn from its place, in logs: beyond, the data say nothing
FEWEST_LIVES = 0.5  # of q + p x - 2: below, the spread of spend has no end


def channel_values(
    customers: pd.DataFrame, *, margin: float, cac: Mapping[str, float] | None = None, horizon: str = "36M"
) -> pd.DataFrame:
    """What does a customer of each channel bring from the first purchase on, and is the cost earned back?

    One model for all customers, and each customer's own purchases: a channel differs by what its customers have done.
    Fits per channel, and traits of channels that lean on all, were tried and foresaw no better in small channels.

    Parameters
    ----------
    customers : CustomerSummary
        Of `rfm_summary`, with a column `channel`.
    margin : float
        Share of spend that is profit, 0 to 1.
    cac : mapping of str to float, optional
        Money per customer won, by channel.
    horizon : str
        How long customers are counted, from the first purchase, older ones until now; not discounted.

    Returns
    -------
    DataFrame
        One row per channel, the most valuable first: `channel, customers, median_age_days, purchases_per_customer` (so
        far, the first included), `brought_so_far`, `worth` (both money per customer; within the horizon, what is
        expected included), `worth_low, worth_high` (80 %; of the parameters, of chance, and of what a model misses of
        all alike), `cac`, and `p_payback_12m`: how probable it is that its customers of the last 12 months bring their
        cost within 12 months of their first purchase.

    Notes
    -----
    Fader, Hardie & Lee (2005) for the purchases, Fader & Hardie (2013) for the spend.
    """
    check_share("margin", margin)
    if not len(customers):
        return no_rows(COLUMNS, "no customer with a purchase and a channel")
    require_columns(customers, ("channel", "net"))
    if missing := int(customers["channel"].isna().sum()):
        raise DataError(f"channel is missing for {missing:,} customers; leave them out, or give them a name")
    known = customers.reset_index(drop=True)
    unit = unit_of(customers) or TimeUnit.W
    try:
        models = BetaGeoModel(time_unit=unit.value).fit(known), GammaGammaModel().fit(known)
    except FitError as error:
        return no_rows(COLUMNS, str(error))
    random = np.random.default_rng(SEED)
    draws = [_draws(model, random) for model in models]
    of, names = pd.factorize(known["channel"], sort=True)
    ages, year = known["T"].to_numpy(float), periods("1Y", unit)
    young = ages < year
    worth = margin * _sums(known, of, draws, periods(horizon, unit), random) / np.bincount(of)
    late = np.bincount(of[young], minlength=len(names))
    in_year = np.zeros_like(worth)
    if young.any():
        in_year = margin * _sums(known[young], of[young], draws, year, random, len(names))
    cost = np.array([float((cac or {}).get(str(name), np.nan)) for name in names])
    low, high = percentile_interval(worth, level=LEVEL)
    by_channel = known.groupby(of)
    table = pd.DataFrame(
        {
            "channel": names,
            "customers": by_channel.size(),
            "median_age_days": by_channel["T"].median() * unit.days,
            "purchases_per_customer": by_channel["frequency"].mean() + 1,
            "brought_so_far": margin * by_channel["net"].mean(),
            "worth": worth.mean(axis=0),
            "worth_low": low,
            "worth_high": high,
            "cac": cost,
            "p_payback_12m": np.where(
                np.isnan(cost) | (late == 0), np.nan, (in_year >= cost * late).mean(axis=0)
            ),
        }
    ).sort_values("worth", ascending=False)
    between = worth[:, table.index[0]] - worth[:, table.index[-1]]
    return with_finding(table.reset_index(drop=True), worth_of_channels, between, LEVEL)


def of_firm(data: AcquisitionData, horizon: str) -> pd.DataFrame:
    """The values of a firm's channels by its tables; see `Acquisition.channel_values`."""
    margin, people = data.margin, fetch(data.people)
    people = people[people["channel"] != UNKNOWN]
    if margin is None and data.value == "contribution":
        margin = float(data.money["worth"].sum() / data.money["revenue"].sum())
    if margin is None or people.empty:
        return no_rows(
            COLUMNS, "no margin and no costs" if len(people) else "no new customer whose channel is known"
        )
    costs = acquisition_cost(data)
    summary = rfm_summary(data.transactions, as_of=data.day)
    customers = summary.merge(people[["customer_id", "channel"]], on="customer_id")
    cac = costs.set_index("channel")["cac"].to_dict() if len(costs) else {}
    return channel_values(customers, margin=margin, cac=cac, horizon=horizon)


def _draws(model: LikelihoodModel, random: np.random.Generator) -> Array:
    """Parameters as the data may have them; those that the data do not tell stay where they are."""
    values, vectors = np.linalg.eigh(np.nan_to_num(model._log_covariance))
    root = vectors * np.sqrt(np.maximum(values, 0))
    away = random.standard_normal((DRAWS, len(root))) @ root.T
    away *= np.minimum(1, FURTHEST / np.abs(away).max(axis=1, keepdims=True))
    return np.asarray(np.exp(np.log(model._values()) + away), float)


def _sums(
    mine: pd.DataFrame,
    of: Array,
    draws: list[Array],
    horizon: float,
    random: np.random.Generator,
    many: int = 0,
) -> Array:
    """What each channel's customers bring within the horizon, or so far where they are older, by draw."""
    many = many or int(of.max()) + 1
    x, t_x, age = (mine[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    money, left = np.maximum(mine["monetary_value"].to_numpy(float), 0), np.maximum(horizon - age, 0)
    sums, noise = np.zeros((DRAWS, many)), np.zeros(many)
    for at, (purchase, (p, q, v)) in enumerate(zip(*draws, strict=True)):
        model = BetaGeoModel.from_params(**dict(zip(BetaGeoModel.parameter_names, purchase, strict=True)))
        alive, shape = model._alive(x, t_x, age), np.maximum(q, 1.05) + p * x
        each = p * (v + x * money) / (shape - 1)
        expected = alive * model._purchase_curve(x, age, horizon)(left)
        sums[at] = np.bincount(of, expected * each, many) * np.exp(COMMON_ERROR * random.standard_normal())
        if at < SIMULATED:
            bought = np.where(random.random(len(x)) < alive, model._sample_if_alive(x, age, left, random), 0)
            spread = (bought - expected) ** 2 + bought / p + bought**2 / np.maximum(shape - 2, FEWEST_LIVES)
            noise += np.bincount(of, each**2 * spread, many) / SIMULATED
    sums += np.sqrt(noise) * random.standard_normal(sums.shape)
    return sums + np.bincount(of, mine["net"].to_numpy(float), many)
