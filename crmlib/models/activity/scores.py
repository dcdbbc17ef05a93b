"""How right forecasts of who buys again were: scores with bootstrap intervals, and the finding in words."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.models._inference import Array
from crmlib.models.backtesting.holdout_metrics import gap
from crmlib.rankings import Ranking, log_losses, squared_losses
from crmlib.statistics import bootstrap_weights, percentile_interval, with_intervals

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
    measured, *resampled = _bootstrap(chances, happened, resamples, random_state)
    drawn = np.array(resampled)
    best = int(np.argmin(measured[0]))
    behind = percentile_interval(drawn[:, 0] - drawn[:, 0, best : best + 1])
    rows = []
    for place, name in enumerate(names):
        row: dict[str, object] = {"forecast": name, "kind": told[name][0]}
        row |= {"predicted": chances[place].mean(), "actual": happened.mean()}
        row |= with_intervals(_MEASURES, measured[:, place], drawn[:, :, place])
        row |= {"brier_behind": measured[0, place] - measured[0, best]}
        row |= {"behind_low": behind[0][place], "behind_high": behind[1][place]}
        row["gap"] = gap(deciles[deciles["model"] == name], relative=False)
        row["behind_beyond_chance"] = bool(behind[0][place] > 0)
        rows.append(row)
    return pd.DataFrame(rows).sort_values("brier", kind="stable").reset_index(drop=True)


def compared_in_words(scores: pd.DataFrame) -> str:
    """Which forecast errs least, and which of the others err more beyond chance."""
    best, others = scores.iloc[0], scores.iloc[1:]
    actual = best["actual"]
    sentence = (
        f"{best['forecast']} is nearest to who bought (Brier score {best['brier']:.3f}, base rate "
        f"{_brier(scores, 'base rate', actual):.3f}) and expected {fmt.share(best['predicted'])} of customers to buy; "
        f"{fmt.share(actual)} did."
    )
    same = others.loc[~others["behind_beyond_chance"], "forecast"].tolist()
    if same:
        sentence += f" No worse than it beyond chance: {', '.join(same)}."
    worse = [
        f"{row['forecast']} by {row['brier_behind']:.3f} ({row['behind_low']:.3f} to {row['behind_high']:.3f})"
        for _, row in others[others["behind_beyond_chance"]].iterrows()
    ]
    return sentence + (f" Worse: {', '.join(worse)}." if worse else "")


def _brier(scores: pd.DataFrame, name: str, actual: float) -> float:
    found = scores.loc[scores["forecast"] == name, "brier"]
    return float(found.iloc[0]) if len(found) else float(actual * (1 - actual))


def _bootstrap(chances: Array, happened: Array, resamples: int, random_state: int) -> Array:
    """Brier score, log loss and AUC, shape (1 + resamples, 3, forecasts); first of the customers as they are."""
    losses = np.stack([squared_losses(chances, happened), log_losses(chances, happened)])
    rankings = [Ranking(one, happened) for one in chances]
    weights = bootstrap_weights(len(happened), resamples, random_state)
    return np.stack(
        [
            np.vstack([losses @ one / one.sum(), [ranking.levels(one).roc_auc() for ranking in rankings]])
            for one in chain([np.ones(len(happened))], weights)
        ]
    )
