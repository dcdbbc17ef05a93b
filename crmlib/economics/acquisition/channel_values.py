"""What a customer of each channel is worth, also of a channel in its second month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.customers._log import fetch
from crmlib.customers.rfm.summary import rfm_summary
from crmlib.economics.acquisition.channel_sentences import worth_of_channels
from crmlib.economics.acquisition.costs import acquisition_cost
from crmlib.economics.acquisition.data import UNKNOWN, AcquisitionData
from crmlib.economics.acquisition.pooling import (
    DROPOUT,
    PURCHASES,
    SPEND,
    Pooled,
    pool,
    purchase_likelihood,
    purchase_place,
    spend_likelihood,
    spend_place,
)
from crmlib.economics.formula_clv import check_share
from crmlib.errors import DataError, FitError
from crmlib.findings import with_finding
from crmlib.models._histories import read_histories, require_columns
from crmlib.models._inference import Array
from crmlib.models._special import beta_rule
from crmlib.models.beta_geo import BetaGeoModel
from crmlib.models.gamma_gamma import GammaGammaModel, read_spend
from crmlib.no_rows import no_rows
from crmlib.statistics import percentile_interval
from crmlib.units import TimeUnit, periods, unit_of

COLUMNS = (
    "channel customers median_age_days purchases_per_year dropout spend_per_purchase own_dropout "
    "worth worth_low worth_high cac p_payback_12m"
)
DRAWS, SEED, LEVEL = (
    200,
    0,
    0.8,
)  # LEVEL of the interval of the value
COMMON_ERROR = (
    0.12  # standard deviation, in logs, by which a model misses the spend of all customers in a year
)
PAYBACK_DRAWS, SIMULATED = 50, 40
FEWEST_LIVES = 0.5  # of q + p x - 2: below, the spread of spend has no end


@dataclass(frozen=True)
class ChannelFit:
    """Groups of customers by channel and cohort, and what is known of the traits of each.

    Attributes
    ----------
    groups : DataFrame
        `channel, cohort, customers`, a row per group.
    row : array of int, shape (customers,)
        The group of each customer.
    purchases, spend : Pooled
        Draws of the parameters of BG/NBD and of the Gamma-Gamma model.
    time_unit : TimeUnit
    """

    groups: pd.DataFrame
    row: np.ndarray
    purchases: Pooled
    spend: Pooled
    time_unit: TimeUnit


def fit_channels(customers: pd.DataFrame) -> ChannelFit:
    """Fit BG/NBD and Gamma-Gamma to channels that lean on each other, and to cohorts that lean on their channel.

    Parameters
    ----------
    customers : CustomerSummary
        Of `rfm_summary`, with a column `channel` and, if wanted, `cohort`.

    Raises
    ------
    FitError
        If all customers together do not tell the parameters.
    """
    require_columns(customers, ("channel",))
    if missing := int(customers["channel"].isna().sum()):
        raise DataError(f"channel is missing for {missing:,} customers; leave them out, or give them a name")
    unit = unit_of(customers) or TimeUnit.W
    known = customers.reset_index(drop=True)
    if "cohort" not in known:
        known["cohort"] = 0
    by_group = known.groupby(["channel", "cohort"], sort=True, observed=True)
    row, groups = by_group.ngroup().to_numpy(), by_group.size().rename("customers").reset_index()
    parts = [known[row == group] for group in range(len(groups))]
    of_channel = pd.factorize(groups["channel"])[0]
    bought = [purchase_likelihood(read_histories(part, weighted=True)) for part in parts]
    spent = [spend_likelihood(read_spend(part)) for part in parts]
    common = BetaGeoModel(time_unit=unit.value).fit(known), GammaGammaModel().fit(known)
    options = of_channel, DRAWS, np.random.default_rng(SEED)
    purchases = pool(PURCHASES, bought, purchase_place(common[0]), *options)
    return ChannelFit(groups, row, purchases, pool(SPEND, spent, spend_place(common[1]), *options), unit)


def channel_values(
    customers: pd.DataFrame,
    *,
    margin: float,
    discount_rate_per_year: float,
    cac: Mapping[str, float] | None = None,
    horizon: str = "36M",
) -> pd.DataFrame:
    """What a new customer of each channel is worth, first order included, and whether it earns back its cost.

    A small channel leans on all channels. Two months hardly show who drops out, so that the dropout of a young channel
    is that of older customers of all channels; `own_dropout` is the share that its own customers tell.

    Parameters
    ----------
    customers : CustomerSummary
        Of `rfm_summary`, with a column `channel`; with `cohort` too, cohorts lean on their channel.
    margin : float
        Share of spend that is profit, 0 to 1.
    discount_rate_per_year : float
        Effective yearly rate, such as 0.10.
    cac : mapping of str to float, optional
        Money per customer won, by channel.
    horizon : str
        How long a customer is counted, from the first purchase.

    Returns
    -------
    DataFrame
        One row per channel, the most valuable first: `channel, customers, median_age_days, purchases_per_year` and
        `dropout` (after a purchase), `spend_per_purchase` (means of a new customer), `own_dropout` (0 to 1), `worth,
        worth_low, worth_high` (money, 80 %), `cac`, and `p_payback_12m`: how probable it is that its customers of the
        last 12 months bring their cost within 12 months of their first purchase.

    Notes
    -----
    Fader, Hardie & Lee (2005) for the purchases, Fader & Hardie (2013) for the spend; traits of groups are normal in
    logs, with a Laplace approximation of each group's likelihood and spreads averaged over a grid.
    """
    check_share("margin", margin)
    if not len(customers):
        return no_rows(COLUMNS, "no customer with a purchase and a channel")
    try:
        fit = fit_channels(customers)
    except FitError as error:
        return no_rows(COLUMNS, str(error))
    months = round(periods(horizon, "M"))
    params, spend = fit.purchases.params(), _mean_spend(fit.spend.params())
    orders = _orders_of_new(params, fit.time_unit, months)
    at = (np.arange(months) + 0.5) / 12
    worth = margin * spend * (1 + orders @ (1 + discount_rate_per_year) ** -at)
    chances = _payback(customers, fit, margin, cac or {})
    rows = []
    share = fit.groups["customers"].to_numpy()
    drawn = {}
    for name, where in fit.groups.groupby("channel", sort=False, observed=True).indices.items():
        weight = share[where] / share[where].sum()
        drawn[name] = worth[:, where] @ weight
        low, high = percentile_interval(drawn[name], level=LEVEL)
        mine = customers[np.isin(fit.row, where)]
        r, alpha, a, b = np.moveaxis(params[:, where], -1, 0)
        rows.append(
            {
                "channel": name,
                "customers": len(mine),
                "median_age_days": float(mine["T"].median()) * fit.time_unit.days,
                "purchases_per_year": float((r / alpha @ weight).mean() * periods("1Y", fit.time_unit)),
                "dropout": float((a / (a + b) @ weight).mean()),
                "spend_per_purchase": float((spend[:, where] @ weight).mean()),
                "own_dropout": float(fit.purchases.own[where, DROPOUT] @ weight),
                "worth": float(drawn[name].mean()),
                "worth_low": float(low),
                "worth_high": float(high),
                "cac": float((cac or {}).get(name, np.nan)),
                "p_payback_12m": chances.get(name, np.nan),
            }
        )
    table = pd.DataFrame(rows).sort_values("worth", ascending=False, ignore_index=True)
    ends = drawn[table["channel"].iloc[0]] - drawn[table["channel"].iloc[-1]]
    return with_finding(table, worth_of_channels, ends, LEVEL)


def of_firm(data: AcquisitionData, discount_rate_per_year: float, horizon: str) -> pd.DataFrame:
    """The values of a firm's channels by its tables; see `Acquisition.channel_values`."""
    margin, costs = data.margin, acquisition_cost(data)
    if margin is None and data.value == "contribution":
        margin = float(data.money["worth"].sum() / data.money["revenue"].sum())
    people = fetch(data.people)
    people = people[people["channel"] != UNKNOWN]
    if margin is None or people.empty:
        return no_rows(
            COLUMNS, "no margin and no costs" if len(people) else "no new customer whose channel is known"
        )
    summary = rfm_summary(data.transactions, as_of=data.day)
    customers = summary.merge(people[["customer_id", "channel"]], on="customer_id")
    cac = costs.set_index("channel")["cac"].to_dict() if len(costs) else {}
    rate = discount_rate_per_year
    return channel_values(customers, cac=cac, margin=margin, discount_rate_per_year=rate, horizon=horizon)


def _mean_spend(params: Array) -> Array:
    p, q, v = np.moveaxis(params, -1, 0)
    return p * v / (q - 1)


def _orders_of_new(params: Array, unit: TimeUnit, months: int) -> Array:
    """Repeat purchases that new customers make in each month after the first, by draw and group."""
    r, alpha, a, b = (part.ravel() for part in np.moveaxis(params, -1, 0))
    ends = np.arange(1, months + 1) * periods("1M", unit)
    p, weight = beta_rule(a, b, (r + 1) * ends[-1] / alpha)
    p = np.maximum(p, 1e-300)
    found = [
        (weight / p * -np.expm1(-r[:, None] * np.log1p(p * (end / alpha)[:, None]))).sum(axis=1)
        for end in ends
    ]
    return np.diff(np.stack(found, axis=-1), axis=-1, prepend=0).reshape(*params.shape[:2], months)


def _payback(
    customers: pd.DataFrame, fit: ChannelFit, margin: float, cac: Mapping[str, float]
) -> dict[str, float]:
    """How probable it is that the young customers of each channel bring their cost within 12 months."""
    year = periods("1Y", fit.time_unit)
    age = customers["T"].to_numpy(float)
    random, chances = np.random.default_rng(SEED), {}
    purchases, spends = fit.purchases.params(), fit.spend.params()
    some = np.arange(0, len(purchases), max(1, len(purchases) // PAYBACK_DRAWS))
    for name, where in fit.groups.groupby("channel", sort=False, observed=True).indices.items():
        if name not in cac or not (young := np.isin(fit.row, where) & (age < year)).any():
            continue
        later, noise = np.zeros(len(some)), 0.0
        for group in np.unique(fit.row[young]):
            mine = customers[young & (fit.row == group)]
            for at, draw in enumerate(some):
                expected, _ = _rest(mine, purchases[draw, group], spends[draw, group], year)
                later[at] += expected.sum()
            middle = fit.purchases.middle()[group], fit.spend.middle()[group]
            noise += _rest(mine, *middle, year, random)[1].sum()
        common = np.exp(COMMON_ERROR * random.standard_normal(len(later) * SIMULATED))
        sums = customers["net"].to_numpy(float)[young].sum() + np.repeat(later, SIMULATED) * common
        sums = sums + np.sqrt(noise) * random.standard_normal(len(sums))
        chances[str(name)] = float(np.mean(margin * sums >= cac[name] * young.sum()))
    return chances


def _rest(
    mine: pd.DataFrame,
    purchase: Array,
    spend: Array,
    year: float,
    random: np.random.Generator | None = None,
) -> tuple[Array, Array]:
    """What each customer is expected to spend until 12 months after the first purchase, and its variance."""
    model = BetaGeoModel.from_params(**dict(zip(BetaGeoModel.parameter_names, purchase, strict=True)))
    x, t_x, age = (mine[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    p, q, v = spend
    shape = q + p * x
    each = p * (v + x * np.maximum(mine["monetary_value"].to_numpy(float), 0)) / (shape - 1)
    left, alive = year - age, model._alive(x, t_x, age)
    if random is None:
        return alive * model._purchase_curve(x, age, year)(left) * each, np.zeros(len(x))
    drawn = np.array(
        [
            np.where(random.random(len(x)) < alive, model._sample_if_alive(x, age, left, random), 0)
            for _ in range(SIMULATED)
        ]
    )
    mean, square = drawn.mean(axis=0), (drawn**2).mean(axis=0)
    within = mean / p + square / np.maximum(shape - 2, FEWEST_LIVES)
    return mean * each, each**2 * (square - mean**2 + within)
