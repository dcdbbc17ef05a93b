"""Scores of forecasts in a holdout: errors, groups, rankings, distributions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.customers._log import customer_totals
from crmlib.customers.rfm.segments import rfm_segments
from crmlib.models._histories import Histories, distinct_pairs, read_histories
from crmlib.models._inference import Array
from crmlib.models.backtesting.forecasts import Forecast
from crmlib.models.purchase import PurchaseModel
from crmlib.rankings import Ranking, log_losses, rank_correlation, squared_losses, tenths
from crmlib.statistics import bootstrap_weights, normal_quantile, with_intervals

# Repeat purchases; from 7 on one group.
FREQUENCY_GROUPS = np.array([*map(str, range(7)), "7+"], dtype=object)
# Share of customers, about as many as are in the best RFM segment; every ranking is measured at it.
DEPTH = 0.20
LEVEL = 0.8  # of the intervals of totals
RESAMPLES = 200  # of customers, for the intervals of differences between rankings
YEAR = 365  # days of "last year's revenue"

LEVELS = (0.5, 0.8, 0.95)  # nominal probabilities of the intervals that are checked
DRAWN = 50_000  # customers drawn, at least, to learn how far single customers stray from their expectation

Score = dict[str, Any]


def frequency_group(frequency: Any) -> NDArray[np.intp]:
    """The place of each number of repeat purchases in `FREQUENCY_GROUPS`."""
    return np.minimum(frequency, len(FREQUENCY_GROUPS) - 1).astype(np.intp)


def by_frequency(forecast: Forecast, frequency: Array, happened: Array) -> pd.DataFrame:
    """Purchases by how often customers had bought before: `frequency_group` "0" to "6", "7+"."""
    group = frequency_group(frequency)
    table = _by_group(forecast, "frequency_group", group, happened, forecast.purchases)
    return table.assign(frequency_group=FREQUENCY_GROUPS[table["frequency_group"]])


def by_decile(forecast: Forecast, happened: Array) -> pd.DataFrame:
    """Purchases by tenth of customers, 1 with the lowest prediction; equal predictions share a tenth."""
    return _by_group(forecast, "decile", tenths(forecast.purchases), happened, forecast.purchases)


def by_probability(forecast: Forecast, happened: Array) -> pd.DataFrame:
    """Share of customers with a purchase, by tenth of P(at least one)."""
    chance = forecast.any_purchase
    return _by_group(forecast, "decile", tenths(chance), (happened > 0).astype(float), chance)


def _by_group(
    forecast: Forecast, name: str, group: NDArray[Any], happened: Array, predicted: Array
) -> pd.DataFrame:
    columns = {name: group, "actual": happened, "predicted": predicted, "away": happened - predicted}
    table = (
        pd.DataFrame(columns)
        .groupby(name, as_index=False)
        .agg(
            customers=("away", "size"),
            actual_mean=("actual", "mean"),
            predicted_mean=("predicted", "mean"),
            standard_error=("away", "sem"),
        )
    )
    table.insert(0, "model", forecast.name)
    # one customer has no spread, so no interval is possible
    return table.fillna({"standard_error": np.inf})


def gap(table: pd.DataFrame, *, relative: bool = False) -> float:
    """How far groups were off beyond chance: mean over customers, or relative to what happened.

    Of each group's distance one standard error is taken off: a few customers in a group stray by as much.
    """
    weight = table["customers"].to_numpy(float)
    away = np.abs(table["predicted_mean"] - table["actual_mean"]) - table["standard_error"]
    total = weight @ np.maximum(away, 0.0)
    whole = weight @ table["actual_mean"] if relative else weight.sum()
    return float(total / whole) if whole > 0 else np.nan


def relative_error(predicted: float, actual: float) -> float:
    """Predicted / actual - 1; nan where nothing happened."""
    return predicted / actual - 1 if actual > 0 else np.nan


def errors(forecast: Forecast, frequency: Array, happened: Array) -> dict[str, float]:
    """Total and per-customer errors of purchases and of P(at least one).

    `frequency` counts repeat purchases in the calibration, `happened` purchases in the holdout; the answer has the
    columns from `actual` to `probability_gap` of `BacktestResult.scores`.
    """
    predicted, chance, some = forecast.purchases, forecast.any_purchase, happened > 0
    away, total = predicted - happened, float(happened.sum())
    return {
        "actual": total,
        "predicted": float(predicted.sum()),
        "total_error": relative_error(float(predicted.sum()), total),
        "mae": float(np.abs(away).mean()),
        "rmse": float(np.sqrt((away**2).mean())),
        "correlation": float(pd.DataFrame([predicted, happened]).T.corr().iloc[0, 1]),
        "spearman": rank_correlation(predicted, happened),
        "brier": float(squared_losses(chance, some).mean()),
        "log_loss": float(log_losses(chance, some).mean()),
        "group_error": gap(by_frequency(forecast, frequency, happened), relative=True),
        "probability_gap": gap(by_probability(forecast, happened)),
    }


def ranking(score: Array, purchases: Array, spend: Array) -> dict[str, float]:
    """How well a score puts first the customers who will bring most.

    The highest score is best; customers of equal score share what they bring. `spearman` is with purchases;
    `top_20_share` of all spend from the fifth ranked best.
    """
    held = float(Ranking(score, spend).levels().captured_by(DEPTH))
    return {"spearman": rank_correlation(score, purchases), "top_20_share": held}


def best_rivals(
    forecasts: Sequence[Forecast], transactions: Any, halves: pd.DataFrame, random_state: int
) -> dict[str, Score]:
    """For each model, the best simple ranking, and how much more of the spend that ranking's top fifth has."""
    rivals, spend = rankings_without_a_model(transactions, halves), _happened(halves)[1]
    own = {forecast.name: forecast.ranks_by for forecast in forecasts}
    ranked = {name: Ranking(score, spend) for name, score in (rivals | own).items()}
    weights = bootstrap_weights(len(spend), RESAMPLES, np.random.default_rng(random_state))
    rounds = [
        {name: ranking.levels(each).captured_by(DEPTH) for name, ranking in ranked.items()}
        for each in (None, *weights)
    ]
    held = pd.DataFrame(rounds, dtype=float)
    rival = str(held.loc[0, list(rivals)].fillna(-1.0).idxmax())
    found: dict[str, Score] = {}
    for name in own:
        ahead = (held[rival] - held[name]).to_numpy()
        found[name] = {"rival": rival} | with_intervals(["rival_ahead"], ahead[:1], ahead[1:, None])
    return found


def forecast_scores(forecast: Forecast, halves: pd.DataFrame) -> Score:
    """Errors of a forecast, and how well it ranks: by expected money where there is any, else by purchases."""
    happened, spend = _happened(halves)
    score: Score = {"model": forecast.name, "kind": forecast.kind, "customers": len(halves)}
    score |= errors(forecast, halves["frequency"].to_numpy(), happened)
    if forecast.spend is not None:
        predicted, total = float(forecast.spend.sum()), float(spend.sum())
        score |= {"actual_spend": total, "predicted_spend": predicted}
        score["spend_error"] = relative_error(predicted, total)
    return score | {"top_20_share": ranking(forecast.ranks_by, happened, spend)["top_20_share"]}


def model_scores(
    forecast: Forecast, check: PredictiveCheck, halves: pd.DataFrame, length: float, random_state: int
) -> Score:
    """The same of a model, and whether its distributions are right."""
    model = forecast.model
    assert model is not None, "a model's scores are asked of a rule"
    low, high = predictive_total(model, halves, length, random_state).interval(LEVEL)
    covered = check.coverage.set_index("nominal").loc[LEVEL]
    return forecast_scores(forecast, halves) | {
        "predicted_low": low,
        "predicted_high": high,
        "log_score": check.log_score,
        "coverage_gap": float(covered["actual"] - covered["implied"]),
        "pit_distance": check.distance_to_uniform,
        "loglik": model.loglik_,
        "converged": model.diagnosis_.converged,
    }


def rankings_without_a_model(transactions: Any, halves: pd.DataFrame) -> dict[str, Array]:
    """Scores of customers that need no model: what they spent in all and last year, and the sum of their RFM scores."""
    rfm = rfm_segments(halves)
    start = halves.as_of - dt.timedelta(days=YEAR - 1)
    lately = customer_totals(transactions, start=start, end=halves.as_of).set_index("customer_id")["revenue"]
    return {
        "spend so far": halves["net"].to_numpy(float),
        "RFM score": rfm[["r_score", "f_score", "m_score"]].sum(axis=1).to_numpy(float),
        "last year's revenue": lately.reindex(halves["customer_id"], fill_value=0.0).to_numpy(float),
    }


def ranking_scores(transactions: Any, halves: pd.DataFrame) -> list[Score]:
    """How well customers are ranked without a model."""
    happened, spend = _happened(halves)
    about = {"kind": "ranking", "customers": len(halves)}
    given = rankings_without_a_model(transactions, halves)
    return [{"model": name} | about | ranking(score, happened, spend) for name, score in given.items()]


def _happened(halves: pd.DataFrame) -> tuple[Array, Array]:
    return halves["holdout_frequency"].to_numpy(), halves["holdout_spend"].to_numpy()


@dataclass(frozen=True)
class PredictiveCheck:
    """How the purchases that happened compare with the distribution that a model predicted.

    `pit`: of shape (customers,): randomised probability integral transform: uniform between 0 and 1 for a true model.
    `log_score`: mean of -log P(the count that happened); smaller is better, on data the model has not seen. `coverage`:
    a row per nominal level: `nominal`, `implied` (the share of customers that the model itself expects in its
    intervals: counts are discrete, so it is more than nominal) and `actual`.
    """

    pit: Array
    log_score: float
    coverage: pd.DataFrame

    @property
    def distance_to_uniform(self) -> float:
        """The largest distance of the PIT's shares below from what they should be (Kolmogorov–Smirnov)."""
        ordered, n = np.sort(self.pit), len(self.pit)
        return float(max((np.arange(1, n + 1) / n - ordered).max(), (ordered - np.arange(n) / n).max()))


def check_counts(
    model: PurchaseModel,
    customers: pd.DataFrame,
    counts: NDArray[np.int64],
    future_t: float,
    random_state: int | np.random.Generator,
) -> PredictiveCheck:
    """Compare each customer's count with the model's distribution of it, exactly.

    `counts` are the purchases in the `future_t` after, in the model's unit of time; `random_state` is for the
    randomised part of the PIT.

    Intervals are equal-tailed. Czado, Gneiting & Held (2009), Predictive model assessment for count data, Biometrics
    65(4), 1254–1261.
    """
    known = read_histories(customers)
    ends = np.array([end for level in LEVELS for end in ((1 - level) / 2, (1 + level) / 2)])
    walk = _walk_up(model, known, counts, future_t, ends)
    random = np.random.default_rng(random_state)
    pit = walk.below + random.random(len(counts)) * walk.exactly
    rows = []
    for place, level in enumerate(LEVELS):
        low, high = 2 * place, 2 * place + 1
        inside = (counts >= walk.quantile[known.row, low]) & (counts <= walk.quantile[known.row, high])
        implied = walk.up_to[:, high] - walk.under[:, low]
        rows.append((level, float(implied[known.row].mean()), float(inside.mean())))
    coverage = pd.DataFrame(rows, columns=["nominal", "implied", "actual"])
    return PredictiveCheck(pit, float(-np.log(np.maximum(walk.exactly, 1e-300)).mean()), coverage)


@dataclass
class _Walk:
    """P(fewer), P(exactly) per customer; per history the quantiles, with P(up to) and P(under) each."""

    below: Array
    exactly: Array
    quantile: NDArray[np.int64]
    up_to: Array
    under: Array


def _walk_up(
    model: PurchaseModel, known: Histories, counts: NDArray[np.int64], t: float, ends: Array
) -> _Walk:
    """Go through 0, 1, 2 … purchases, for as long as somebody may buy or has bought that often.

    Future purchases of living customers depend on frequency and T alone: one probability per such pair.
    """
    alive = model._alive(known.frequency, known.recency, known.T)
    pair, unique = distinct_pairs(known.frequency, known.T)
    x, age = known.frequency[unique], known.T[unique]
    most = np.zeros(len(x), dtype=np.int64)
    np.maximum.at(most, pair[known.row], counts)
    customers = np.split(np.argsort(counts, kind="stable"), np.cumsum(np.bincount(counts))[:-1])
    size = (len(alive), len(ends))
    (below, exactly), (up_to, under) = np.zeros((2, len(counts))), np.zeros((2, *size))
    walk = _Walk(below, exactly, np.full(size, -1), up_to, under)
    total, fresh = np.zeros(len(x)), np.zeros(len(x))
    left, active, n = np.arange(len(x)), np.arange(len(alive)), 0
    while len(left):
        fresh[left] = model._pmf_if_alive(n, x[left], age[left], t)
        total[left] += fresh[left]
        at, of = alive[active], pair[active]
        exactly = at * fresh[of] + (1 - at if n == 0 else 0.0)
        up_to = np.minimum(1 - at + at * total[of], 1.0)
        new = (up_to[:, None] >= ends) & (walk.quantile[active] < 0)
        row, column = np.nonzero(new)
        walk.quantile[active[row], column] = n
        walk.up_to[active[row], column] = up_to[row]
        walk.under[active[row], column] = (up_to - exactly)[row]
        if n < len(customers):
            here, position = customers[n], np.searchsorted(active, known.row[customers[n]])
            walk.exactly[here] = exactly[position]
            walk.below[here] = (up_to - exactly)[position]
        left = left[(total[left] < ends[-1]) | (n < most[left])]
        waiting = np.zeros(len(x), dtype=bool)
        waiting[left] = True
        active, n = active[waiting[pair[active]]], n + 1
    return walk


@dataclass(frozen=True)
class PredictiveTotal:
    """A total of purchases with its two sources of chance.

    `of_customers` and `of_parameters` are standard deviations: from what single customers do at the fitted
    parameters, and from not knowing the parameters; those that the data do not identify add nothing.
    """

    mean: float
    of_customers: float
    of_parameters: float

    def interval(self, level: float) -> tuple[float, float]:
        """Low and high end; too narrow for its level, because effects outside the model are not in it."""
        half = normal_quantile(level) * float(np.hypot(self.of_customers, self.of_parameters))
        return max(self.mean - half, 0.0), self.mean + half


def predictive_total(
    model: PurchaseModel, customers: pd.DataFrame, future_t: float, random_state: int | np.random.Generator
) -> PredictiveTotal:
    """How many purchases all customers make together, and how far chance may carry them from it."""
    mean = model.expected_purchases(customers, future_t).to_numpy()
    draws = -(-DRAWN // len(customers))
    drawn = model.sample_purchases(customers, future_t, draws, random_state)
    of_customers = np.sqrt(((drawn - mean) ** 2).sum() / draws)
    covariance = np.nan_to_num(model._fitted("_log_covariance"))
    known, length = read_histories(customers), model._periods(future_t)
    each = np.bincount(known.row)
    slopes = model._slopes(
        lambda moved: float(each @ moved._expected(length)(known.frequency, known.recency, known.T))
    )
    of_parameters = np.sqrt(max(slopes @ covariance @ slopes, 0.0))
    return PredictiveTotal(float(mean.sum()), float(of_customers), float(of_parameters))
