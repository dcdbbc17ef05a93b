"""How right forecasts of who buys again were: scores with bootstrap intervals, and the finding in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.models._inference import Array
from crmlib.models.backtesting.holdout_metrics import gap

LEVEL = 0.95
_MEASURES = ("brier", "log_loss", "auc")


def activity_scores(
    told: Mapping[str, tuple[str, Array]],
    happened: Array,
    deciles: pd.DataFrame,
    *,
    resamples: int,
    random_state: int,
) -> pd.DataFrame:
    """Scores of forecasts of the same customers, as `ActivityComparison.scores` has them.

    Parameters
    ----------
    told : mapping of str
        Forecast to its kind and its probabilities, shape (customers,).
    happened : array of bool, shape (customers,)
    deciles : DataFrame
        As `ActivityComparison.deciles`.
    resamples, random_state : int
        Of the bootstrap over customers, the same draws for every forecast.
    """
    names = list(told)
    chances = np.stack([told[name][1] for name in names])
    drawn = _bootstrap(chances, happened, resamples, random_state)  # resamples, measures, forecasts
    measured = _measures(_Prepared(chances, happened), np.ones(len(happened)))
    best = int(np.argmin(measured[0]))
    tails = [100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2]
    behind = np.percentile(drawn[:, 0] - drawn[:, 0, best : best + 1], tails, axis=0)
    rows = []
    for place, name in enumerate(names):
        row: dict[str, object] = {"forecast": name, "kind": told[name][0]}
        row |= {"predicted": chances[place].mean(), "actual": happened.mean()}
        for number, measure in enumerate(_MEASURES):
            low, high = np.percentile(drawn[:, number, place], tails)
            row |= {measure: measured[number, place], f"{measure}_low": low, f"{measure}_high": high}
        row |= {"brier_behind": measured[0, place] - measured[0, best]}
        row |= {"behind_low": behind[0, place], "behind_high": behind[1, place]}
        row["gap"] = gap(deciles[deciles["model"] == name], relative=False)
        row["verdict"] = "best" if place == best else "as good" if behind[0, place] <= 0 else "behind"
        rows.append(row)
    return pd.DataFrame(rows).sort_values("brier", kind="stable").reset_index(drop=True)


def judge(scores: pd.DataFrame) -> str:
    """Who is right, and by how much, in words; a pure function of `ActivityComparison.scores`."""
    best, others = scores.iloc[0], scores.iloc[1:]
    actual = best["actual"]
    told = (
        f"{best['forecast']} is nearest to who bought (Brier score {best['brier']:.3f}, base rate "
        f"{_brier(scores, 'base rate', actual):.3f}) and expected {fmt.share(best['predicted'])} of customers to buy; "
        f"{fmt.share(actual)} did."
    )
    same = others[others["verdict"] == "as good"]["forecast"].tolist()
    if same:
        told += f" Not to be told apart from it: {', '.join(same)}."
    behind = others[others["verdict"] == "behind"]
    if len(behind):
        listed = [
            f"{row['forecast']} by {row['brier_behind']:.3f} ({row['behind_low']:.3f} to {row['behind_high']:.3f})"
            for _, row in behind.iterrows()
        ]
        told += f" Behind: {', '.join(listed)}."
    return told


def _brier(scores: pd.DataFrame, name: str, actual: float) -> float:
    found = scores.loc[scores["forecast"] == name, "brier"]
    return float(found.iloc[0]) if len(found) else float(actual * (1 - actual))


class _Prepared:
    """Losses of every customer, and each forecast's order, computed once for all resamples."""

    def __init__(self, chances: Array, happened: Array) -> None:
        right = np.where(happened, chances, 1 - chances)
        with np.errstate(divide="ignore"):
            self.losses = np.stack([(1 - right) ** 2, -np.log(right)])  # measures, forecasts, customers
        ranks = [np.unique(one, return_inverse=True) for one in chances]
        # A level's buyers and its others side by side, so that one count finds both.
        self.rank = [(len(values), 2 * place + happened) for values, place in ranks]


def _measures(known: _Prepared, weight: Array) -> Array:
    """Brier score, log loss and AUC of every forecast, shape (3, forecasts), of weighted customers."""
    losses = known.losses @ weight / weight.sum()
    areas = []
    for levels, place in known.rank:
        below, above = np.bincount(place, weight, 2 * levels).reshape(levels, 2).T
        beaten = np.cumsum(below) - below / 2
        areas.append(above @ beaten / (above.sum() * below.sum()))
    return np.vstack([losses, areas])


def _bootstrap(chances: Array, happened: Array, resamples: int, random_state: int) -> Array:
    random = np.random.default_rng(random_state)
    known, n = _Prepared(chances, happened), len(happened)
    draws = (np.bincount(random.integers(0, n, n), minlength=n).astype(float) for _ in range(resamples))
    return np.stack([_measures(known, weight) for weight in draws])
