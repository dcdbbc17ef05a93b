"""What the customers of each channel bring, also of a channel in its second month."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.arguments import check_columns, check_share
from crmlib.customers._log import end_of, fetch
from crmlib.customers.rfm.summary import rfm_summary
from crmlib.data.engine import has_rows
from crmlib.economics.acquisition import sentences
from crmlib.economics.acquisition.costs import acquisition_cost
from crmlib.economics.acquisition.data import UNKNOWN, AcquisitionData
from crmlib.errors import DataError, FitError
from crmlib.findings import with_finding
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
# Standard deviations, in logs, by which a model misses what all customers spend: in three years; in the rest of a year,
# which has its own season, before a year ago has shown it; and from year to year.
COMMON_ERROR, SEASON_ERROR, YEARLY_ERROR = 0.12, 0.2, 0.05
FEWEST = 30  # customers whose first year is over, to learn from
FURTHEST = 2.0  # that a parameter is drawn from its place, in logs: beyond, the data say nothing
FEWEST_LIVES = 0.5  # of q + p x - 2: below, the spread of spend has no end


def channel_values(
    customers: pd.DataFrame,
    *,
    margin: float,
    cac: Mapping[str, float] | None = None,
    horizon: str = "36M",
    earlier: pd.DataFrame | None = None,
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
    earlier : CustomerSummary, optional
        As of a year before, with `rest`: what each brought since, within a year of the first purchase. By it the
        expectation of the rest of a year is corrected: a model knows no seasons, and not what is returned later.

    Returns
    -------
    DataFrame
        One row per channel, the most valuable first: `channel, customers, median_age_days, purchases_per_customer` (so
        far, the first included), `brought_so_far`, `worth` (both money per customer; within the horizon, what is
        expected included), `worth_low, worth_high` (80 %; of the parameters, of chance, and of what a model misses of
        all alike), `cac`, and `p_payback_12m`: how probable it is that its customers of the last 12 months bring their
        cost within 12 months of their first purchase; not known without customers of a year before.

    Notes
    -----
    Fader, Hardie & Lee (2005) for the purchases, Fader & Hardie (2013) for the spend.
    """
    check_share("margin", margin)
    if not len(customers):
        return no_rows(COLUMNS, "no customer with a purchase and a channel")
    check_columns("customers", customers, ("channel", "net"))
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
    many, year = len(names), periods("1Y", unit)
    young = known["T"].to_numpy(float) < year
    before = known[:0].assign(rest=0.0) if earlier is None else earlier[earlier["T"] < year]
    # All at once, since what takes long is a draw's curve: until the horizon, to the end of the first year, a year ago.
    frames = [
        (known, of, periods(horizon, unit)),
        (known[young], of[young] + many, year),
        (before, 2 * many, year),
    ]
    every = pd.concat([rows.assign(of=code, until=until) for rows, code, until in frames], ignore_index=True)
    ahead = _ahead(every, draws, random, 2 * many + 1)
    net = known["net"].to_numpy(float)
    late, missed = np.bincount(of[young], minlength=many), _missed(before["rest"], ahead[:, -1], random)
    in_year = margin * (ahead[:, many:-1] * missed[:, None] + np.bincount(of[young], net[young], many))
    ahead = ahead[:, :many] * np.exp(COMMON_ERROR * random.standard_normal((DRAWS, 1)))
    worth = margin * (ahead + np.bincount(of, net)) / np.bincount(of)
    # Of too few customers of a year before no chance is shown: it would not hold.
    unknown = len(before) < FEWEST or not before["rest"].sum() > 0
    cost = np.array([float((cac or {}).get(str(name), np.nan)) for name in names])
    low, high = percentile_interval(worth, level=LEVEL)
    of_channel, earned = known.groupby(of), (in_year >= cost * late).mean(axis=0)
    table = pd.DataFrame({"channel": names, "customers": of_channel.size()}).assign(
        median_age_days=of_channel["T"].median() * unit.days,
        purchases_per_customer=of_channel["frequency"].mean() + 1,
        brought_so_far=margin * of_channel["net"].mean(),
        worth=worth.mean(axis=0),
        worth_low=low,
        worth_high=high,
        cac=cost,
        p_payback_12m=np.where(np.isnan(cost) | (late == 0) | unknown, np.nan, earned),
    )
    table = table.sort_values("worth", ascending=False)
    between = worth[:, table.index[0]] - worth[:, table.index[-1]]
    return with_finding(table.reset_index(drop=True), sentences.worth_of_channels, between, LEVEL)


def of_firm(data: AcquisitionData) -> pd.DataFrame:
    """What does a customer of each channel bring, what is expected included, and is the cost earned back?

    One row per `channel`, the most valuable first; see `channel_values`. `worth` is contribution from the first
    purchase on, not discounted, `cac` the fully loaded one.
    """
    margin, people = data.margin, fetch(data.people)
    people = people[people["channel"] != UNKNOWN]
    if margin is None and data.value == "contribution":
        margin = float(data.money["worth"].sum() / data.money["revenue"].sum())
    if margin is None or people.empty:
        why = "no margin and no costs" if len(people) else "no new customer whose channel is known"
        return no_rows(COLUMNS, why)
    costs = acquisition_cost(data)
    summary = rfm_summary(data.transactions, as_of=data.day)
    customers = summary.merge(people[["customer_id", "channel"]], on="customer_id")
    cac = costs.set_index("channel")["cac"].to_dict() if len(costs) else {}
    return channel_values(customers, margin=margin, cac=cac, earlier=_year_before(data))


def _year_before(data: AcquisitionData) -> pd.DataFrame | None:
    """New customers as they were seen a year before, and what they brought since within their first year."""
    then = (pd.Timestamp(data.day) - pd.DateOffset(years=1)).date()
    people = data.people.filter(_.born <= ibis.literal(then)).select("customer_id", "born")
    if not has_rows(people):
        return None
    rows = data.log.inner_join(people, "customer_id")
    in_year = rows.date.cast("date").delta(rows.born, unit="day") <= 365
    in_year &= rows.date >= ibis.literal(end_of(then))
    rest = fetch(rows.group_by("customer_id").agg(rest=rows.amount.sum(where=in_year).fill_null(0.0)))
    return rfm_summary(data.transactions, as_of=then).merge(rest, on="customer_id")


def _draws(model: LikelihoodModel, random: np.random.Generator) -> Array:
    """Draws of the parameters from their uncertainty; parameters that are not identified stay fixed."""
    values, vectors = np.linalg.eigh(np.nan_to_num(model._log_covariance))
    root = vectors * np.sqrt(np.maximum(values, 0))
    away = random.standard_normal((DRAWS, len(root))) @ root.T
    away *= np.minimum(1, FURTHEST / np.abs(away).max(axis=1, keepdims=True))
    return np.asarray(np.exp(np.log(model._values()) + away), float)


def _missed(rest: pd.Series, expected: Array, random: np.random.Generator) -> Array:
    """What customers bring in the rest of their first year, as a part of what the models expect, by draw."""
    brought, expected = max(float(rest.sum()), 1e-9), np.maximum(expected, 1e-9)
    weight = SEASON_ERROR**2 / (SEASON_ERROR**2 + np.log(expected).var())
    error = np.hypot(YEARLY_ERROR, (1 - weight) * SEASON_ERROR) * random.standard_normal(DRAWS)
    return np.asarray((brought / expected) ** weight * np.exp(error))


def _ahead(mine: pd.DataFrame, draws: list[Array], random: np.random.Generator, many: int) -> Array:
    """What each group's customers (`of`) will spend up to an age (`until`), less what they return, by draw."""
    x, t_x, age = (mine[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    money, of = np.maximum(mine["monetary_value"].to_numpy(float), 0), mine["of"].to_numpy(int)
    left = np.maximum(mine["until"].to_numpy(float) - age, 0)
    sums, noise = np.zeros((DRAWS, many)), np.zeros(many)
    spent = float(((x + 1) * money)[x > 0].sum())
    kept = float(mine["net"].to_numpy(float)[x > 0].sum()) / spent if spent > 0 else 1.0
    for at, (purchase, (p, q, v)) in enumerate(zip(*draws, strict=True)):
        model = BetaGeoModel.from_params(**dict(zip(BetaGeoModel.parameter_names, purchase, strict=True)))
        alive, shape = model._alive(x, t_x, age), np.maximum(q, 1.05) + p * x
        each = kept * p * (v + x * money) / (shape - 1)
        expected = alive * model._purchase_curve(x, age, float(left.max()))(left)
        sums[at] = np.bincount(of, expected * each, many)
        if at < SIMULATED:
            bought = np.where(random.random(len(x)) < alive, model._sample_if_alive(x, age, left, random), 0)
            spread = (bought - expected) ** 2 + bought / p + bought**2 / np.maximum(shape - 2, FEWEST_LIVES)
            noise += np.bincount(of, each**2 * spread, many) / SIMULATED
    return np.asarray(sums + np.sqrt(noise) * random.standard_normal(sums.shape))
