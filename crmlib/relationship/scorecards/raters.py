"""Scores by raters: how far two of them agree, and where they disagree with what is measured."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.data.sources import open_optional
from crmlib.findings import MET, NOT_MET, Estimate
from crmlib.no_rows import no_rows
from crmlib.statistics import bootstrap_weights, percentile_interval
from crmlib.study import Study

TOP = 4.0  # points: proven
_COLUMNS = "element rater score evidence"
_FEWEST = 5  # elements for an interval


def scores_of(study: Study, model: str) -> pd.DataFrame:
    """The last score of each rater for each element of a framework: `element, rater, score, evidence`."""
    table = open_optional(study.table("maturity_scores"))
    if table is None:
        return no_rows(_COLUMNS, "no table maturity_scores")
    rows = fetch(table).reindex(columns=["model", "date", *_COLUMNS.split()])
    rows = rows[rows["model"].astype(str).str.casefold() == model.casefold()]
    rows = rows.sort_values(["date", "rater", "score"], na_position="first")
    rows = rows.dropna(subset=["score"]).drop_duplicates(["element", "rater"], keep="last")
    return rows[_COLUMNS.split()] if len(rows) else no_rows(_COLUMNS, f"no score of {model}")


def agreement(scores: pd.DataFrame) -> tuple[Estimate, str]:
    """Weighted kappa of the raters with its 95 % interval, and what it says in a sentence.

    Of more than two raters, the mean over their pairs. The interval is by resampling elements, from five on.

    Notes
    -----
    Cohen 1968, with squared differences: 1 is full agreement, 0 that of chance.

    Examples
    --------
    >>> scores = pd.DataFrame({"element": [*"abcabc"], "rater": [*"rrrsss"], "score": [0, 2, 4, 1, 2, 4]})
    >>> print(agreement(scores)[1])
    2 raters, 3 elements: weighted kappa 0.92, too few elements for an interval
    """
    wide = scores.pivot_table(index="element", columns="rater", values="score").dropna(axis=1, how="all")
    pairs = [wide[[*pair]].dropna().to_numpy() for pair in combinations(wide.columns, 2)]
    pairs = [pair for pair in pairs if len(pair) > 1]
    if not pairs:
        return Estimate(None, "ratio"), "One rater alone: whether another would agree is not known"
    elements = min(len(pair) for pair in pairs)
    found = float(np.mean([_kappa(pair, np.ones(len(pair))) for pair in pairs]))
    words = f"{fmt.plural(len(wide.columns), 'rater')}, {fmt.plural(elements, 'element')}: weighted kappa "
    if not np.isfinite(found):
        return Estimate(None, "ratio"), f"{words}undefined, for they gave the same score everywhere"
    if elements < _FEWEST:
        return Estimate(found, "ratio"), f"{words}{fmt.number(found, 2)}, too few elements for an interval"
    drawn = [[_kappa(pair, weights) for weights in bootstrap_weights(len(pair), 999, 0)] for pair in pairs]
    low, high = percentile_interval(np.ma.masked_invalid(drawn).mean(axis=0).filled(np.nan))
    ends = fmt.interval(float(low), float(high), "ratio")
    return Estimate(found, "ratio", float(low), float(high)), f"{words}{fmt.number(found, 2)} ({ends})"


def _kappa(pair: np.ndarray, weights: np.ndarray) -> float:
    weights = weights / weights.sum()
    first, second = pair.T
    apart = float(weights @ (first - second) ** 2)
    chance = float(weights @ first**2 + weights @ second**2 - 2 * (weights @ first) * (weights @ second))
    return 1 - apart / chance if chance > 1e-12 else np.nan


def ratings(scores: pd.DataFrame, card: pd.DataFrame) -> pd.DataFrame:
    """By element: the raters' scores, their evidence, and the share of measured targets that are met.

    `score` is the mean, `score_low` and `score_high` the lowest and the highest; `predicted_score` four times the share
    of targets met, unknown where nothing with a target is measured. `says` is where scores and measures part by
    two points or more. Elements that were scored and are not in the framework's file stand at the end.
    """
    columns = "element raters score score_low score_high evidence targets targets_met predicted_score says"
    if scores.empty:
        return no_rows(columns, getattr(scores, "reason", "no score"))
    judged = card[card["standing"].isin([MET, NOT_MET])]
    table = scores.groupby("element").agg(
        raters=("rater", "nunique"), score=("score", "mean"), score_low=("score", "min"), score_high=("score", "max"),
        evidence=("evidence", lambda words: "; ".join(words.dropna().astype(str).unique())),
    )  # fmt: skip
    of_targets = judged["standing"].eq(MET).groupby(judged["element"]).agg(targets="size", targets_met="sum")
    table = table.join(of_targets, how="outer")
    table = table.reindex([*dict.fromkeys([*card["element"], *scores["element"]])])
    table[["targets", "targets_met"]] = table[["targets", "targets_met"]].fillna(0).astype(int)
    table["predicted_score"] = TOP * table["targets_met"] / table["targets"].where(table["targets"] > 0)
    gap = (table["score"] - table["predicted_score"]).where(table["targets"] > 1, 0.0)
    cases = {
        "not scored": table["score"].isna(),
        "scores alone: opinion": table["predicted_score"].isna(),
        "scored higher than measured": gap >= 2,
        "scored lower than measured": gap <= -2,
        "one target alone tells little": table["targets"] == 1,
    }
    table["says"] = np.select([*cases.values()], [*cases], "scores and measures agree")
    return table.rename_axis("element").reset_index()[columns.split()]
