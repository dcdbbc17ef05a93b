"""Who will buy again within a horizon: purchase models, rules and a classifier judged on the same holdout.

P(alive) cannot be observed; a purchase in a horizon can, so that is forecast, calibrated and compared here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import as_day
from crmlib.customers.rfm.split import rfm_train_test_split
from crmlib.customers.rfm.summary import CustomerSummary
from crmlib.data.sources import lacking
from crmlib.errors import CannotAnswerError, not_measured
from crmlib.findings import CARE, NOT_JUDGED, REFUSE, Reason, Verdict, judge, with_finding
from crmlib.models._inference import Array
from crmlib.models.backtesting.forecasts import Forecast, check_models, fit_fresh
from crmlib.models.backtesting.scores import by_probability, gap
from crmlib.models.backtesting.verdict import Thresholds
from crmlib.models.purchase import PurchaseModel
from crmlib.models.sentences import chances_of_buying, comparison_sentence
from crmlib.no_rows import no_rows
from crmlib.rankings import Ranking, log_losses, squared_losses
from crmlib.statistics import bootstrap_weights, normal_quantile, percentile_interval, with_intervals
from crmlib.units import periods

SHOWN = 0.0005  # a Brier score is written to three digits; smaller differences are not seen
_FEATURES = ("frequency", "recency", "T", "time_since_last_purchase", "mean_spend_per_period")
FEWEST = 30  # buyers, and others, to learn from and to judge by
_SCORES = (
    "forecast kind predicted actual brier brier_low brier_high log_loss log_loss_low log_loss_high "
    "auc auc_low auc_high brier_behind behind_low behind_high gap behind_beyond_chance"
)
_DECILES = "model decile customers actual_mean predicted_mean standard_error"


@dataclass(frozen=True)
class ActivityComparison:
    """Forecasts of who buys again, on one holdout that none of them has seen.

    - `scores`: one row per `forecast`, the best Brier score first: `kind` (model, rule, classifier), `predicted` and
      `actual` (share of customers who buy), `brier`, `log_loss` and `auc`, each with the 95 % interval of a bootstrap
      over customers (`brier_low`, ...), `brier_behind` (the best) with `behind_low, behind_high` of the paired
      difference, `gap` (mean distance of predicted and actual share over tenths, beyond chance) and
      `behind_beyond_chance` (whether it errs more than the best of them, beyond chance and visibly in three digits).
    - `deciles`: one row per forecast (`model`, the best first) and tenth of it (`decile`, 10 the highest): `customers`,
      `actual_mean`, `predicted_mean`, `standard_error`.
    - `sentence`: which errs least, and by how much.
    - `earlier`, `calibration_end`: rules and classifiers learned who, of those known on `earlier`, bought up to
      `calibration_end`; all were judged by who bought after it.
    - `models`: as they were given, not fitted.
    - `horizon`: length of the holdout: as asked for, or shortened.
    - `hiatus`: in the models' unit of time: the silence after which the rule fitted in the time before calls a customer
      gone.
    - `reason`: why nothing could be compared; then the frames have no rows.
    """

    scores: pd.DataFrame
    deciles: pd.DataFrame
    sentence: str
    earlier: dt.date
    calibration_end: dt.date
    models: tuple[PurchaseModel, ...]
    horizon: str = "26W"
    customers: int = 0
    hiatus: float = np.nan
    reason: str = ""

    @property
    def basis(self) -> str:
        """What the forecasts were judged by, in a sentence."""
        if self.reason:
            return not_measured(self.reason)
        return f"Forecasts are tested on which of {self.customers:,} customers bought after {self.calibration_end}."

    @property
    def best(self) -> pd.Series:
        """The first row of `scores`; nan where there is none."""
        return self.scores.reindex(index=[0]).iloc[0]

    def in_words(self, within: str) -> str:
        """How many customers bought in the test, of which length `within` is, and how many were expected to."""
        if self.reason:
            return not_measured(self.reason)
        expected, bought = fmt.share(self.of_model["predicted"]), fmt.share(self.of_model["actual"])
        who, day = fmt.plural(self.customers, "customer"), fmt.date(self.calibration_end)
        found = f"{bought} of {who} bought again within {within} after {day}"
        return f"{found}; the best purchase model expected {expected}."

    @property
    def of_model(self) -> pd.Series:
        """The row of `scores` of the best purchase model, by which customers are listed; nan where there is none."""
        return self.scores[self.scores["kind"] == "model"].reset_index().reindex([0]).iloc[0]

    def verdict(self) -> Verdict:
        """Whether the chances of the best purchase model are to be used: against simpler rules, and what happened."""
        if self.reason:
            return Verdict("forecast", NOT_JUDGED, (self.reason,))
        row, best = self.of_model, self.best
        base = self.scores.set_index("forecast")["brier"].get("base rate", np.nan)
        gap = f"Its chances are off by {fmt.share(row['gap'])} on average, beyond chance."
        scores = f"Brier score {fmt.number(best['brier'], 3)} against {fmt.number(row['brier'], 3)}"
        behind = f"{fmt.capital(best['forecast'])} errs less, beyond chance ({scores})."
        expected, bought = float(row["predicted"]), float(row["actual"])
        chance = normal_quantile(0.95) * np.sqrt(bought * (1 - bought) / self.customers)
        off = abs(expected - bought) - chance > Thresholds.total_error_care * bought
        total = f"It expected {fmt.share(expected)} of customers to buy, and {fmt.share(bought)} did: beyond chance."
        reasons = [
            Reason(REFUSE, "One chance for everybody errs no more.") if row["brier"] >= base else None,
            Reason(CARE, behind) if row["behind_beyond_chance"] else None,
            Thresholds().reason("probability_gap", float(row["gap"]), gap),
            Reason(CARE, total) if off else None,
        ]
        return judge(str(row["forecast"]), reasons, "No other forecast of purchases errs less beyond chance.")

    def fit_best(self, summary: CustomerSummary) -> PurchaseModel | None:
        """The model that was least wrong, fitted to what is known now; None where none could be judged or fitted."""
        by_name = {model.name: model for model in self.models}
        order = self.scores.loc[self.scores["forecast"].isin(list(by_name))].sort_values("brier")
        try:
            return fit_fresh(by_name[str(order["forecast"].iloc[0])], summary) if len(order) else None
        except CannotAnswerError:
            return None


def compare_activity(
    transactions: Any,
    *,
    as_of: Any,
    models: Sequence[PurchaseModel],
    horizon: str = "26W",
    shortest: str | None = None,
    time_unit: str = "W",
    collapse: str = "D",
    resamples: int = 200,
    random_state: int = 0,
) -> ActivityComparison:
    """Which forecast is nearest to who will buy again: purchase models, rules of silence, or a classifier?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day of the holdout.
    models : sequence of PurchaseModel
        To fit, such as `[ParetoNBDModel(), ModifiedBetaGeoModel()]`; they stay as they are.
    horizon : str
        Length of the holdout, such as "26W"; the log must cover more than two of them.
    shortest : str, optional
        Where that is too long, because the log is short or all customers bought, it is halved down to this length.
    time_unit, collapse
        As in `rfm_summary`.
    resamples : int
        Of the bootstrap.
    random_state : int

    Returns
    -------
    ActivityComparison
        With a `reason` where there is no log, it is too short, or too few customers bought again or did not.

    Notes
    -----
    Beside the models: everybody's base rate; the hiatus rule with the threshold that misclassified fewest before
    (Wübben & von Wangenheim 2008) and its two shares of buyers; the share of buyers by time since the last
    purchase (decreasing, isotonic); logistic regression and gradient boosting on frequency, recency, T, time
    since the last purchase and spend. These learn from the horizon before the holdout's; a model needs no
    outcome and learns from all purchases up to the holdout.

    Examples
    --------
    >>> import crmlib as crm
    >>> log = crm.open_study("cdnow-sample").transactions
    >>> found = compare_activity(log, as_of="1998-06-30", models=[crm.ParetoNBDModel()])
    >>> found.scores.set_index("forecast").loc["Pareto/NBD", ["predicted", "actual", "auc"]].astype(float).round(2)
    predicted    0.20
    actual       0.22
    auc          0.79
    Name: Pareto/NBD, dtype: float64
    """
    given = check_models(models)
    last = as_day(as_of, "as_of")
    days, least = (round(periods(length, "D")) for length in (horizon, shortest or horizon))
    split = {"time_unit": time_unit, "collapse": collapse}
    about: dict[str, Any] = {"models": tuple(given)}
    try:
        while True:
            cut, earlier = (last - dt.timedelta(days=back * days) for back in (1, 2))
            about |= {"earlier": earlier, "calibration_end": cut, "horizon": horizon}
            if missing := lacking(transactions=transactions):
                raise CannotAnswerError(missing)
            try:
                halves = rfm_train_test_split(transactions, calibration_end=cut, as_of=last, **split)
                lesson = rfm_train_test_split(transactions, calibration_end=earlier, as_of=cut, **split)
                happened, learned = _bought(halves, last), _bought(lesson, cut)
                break
            except CannotAnswerError:
                if (days := days // 14 * 7) < least:  # whole weeks
                    raise
                horizon = f"{days // 7}W"
        length = float(halves["holdout_T"].iloc[0])
        chances = {
            model.name: 1 - fit_fresh(model, halves).expected_probability_no_purchase(halves, length)
            for model in given
        }
    except CannotAnswerError as error:
        why = str(error)
        empty = no_rows(_SCORES, why), no_rows(_DECILES, why), not_measured(why)
        return ActivityComparison(*empty, reason=why, **about)
    hiatus = fit_hiatus(lesson["time_since_last_purchase"].to_numpy(), learned)
    forecasts = [
        Forecast(name, "model", chance.to_numpy(), chance.to_numpy()) for name, chance in chances.items()
    ]
    forecasts += learned_forecasts(lesson, learned, halves, hiatus, random_state)
    scores = compare_probabilities(forecasts, happened, resamples=resamples, random_state=random_state)
    groups = {forecast.name: by_probability(forecast, happened) for forecast in forecasts}
    # The best first, one group last.
    order = sorted(scores["forecast"], key=lambda name: len(groups[name]) == 1)
    deciles = pd.concat([groups[name] for name in order], ignore_index=True)
    with_finding(deciles, chances_of_buying)
    sentence = comparison_sentence(scores)
    return ActivityComparison(scores, deciles, sentence, **about, customers=len(halves), hiatus=hiatus)


def fit_hiatus(silence: Array, came_back: Array) -> float:
    """After which silence a customer is called gone: the threshold that would have been wrong least often.

    `silence` is the time since the last purchase at a day in the past, `came_back` says who bought after it; silences
    up to the threshold are called active, longer ones gone.

    Examples
    --------
    >>> fit_hiatus(np.array([1.0, 2, 3, 10, 20]), np.array([True, True, False, False, False]))
    2.0
    """
    lengths, place = np.unique(np.asarray(silence, dtype=float), return_inverse=True)
    back, gone = (
        np.bincount(place, who, len(lengths)).cumsum() for who in (came_back, np.logical_not(came_back))
    )
    # wrong at each threshold: those within it who did not come back, and those beyond it who did
    return float(lengths[np.argmin(gone + back[-1] - back)])


def learned_forecasts(
    lesson: pd.DataFrame, learned: Array, halves: pd.DataFrame, hiatus: float, random_state: int
) -> list[Forecast]:
    """P(at least one purchase) by rules of silence and by classifiers that learn from the time before.

    "base rate": everybody's share of buyers. "hiatus rule": the share on either side of the hiatus. "time since
    last purchase": the share by it (decreasing, isotonic). "RFM logistic", "RFM boosting": by RFM features.

    They learn from `lesson`, customers at a day in the past, of whom `learned` says who bought after it; `halves` are
    the customers to forecast.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.isotonic import IsotonicRegression

    then, now = (customers["time_since_last_purchase"].to_numpy() for customers in (lesson, halves))
    rates = [(learned[side].sum() + 0.5) / (side.sum() + 1) for side in (then > hiatus, then <= hiatus)]
    falling = IsotonicRegression(increasing=False, out_of_bounds="clip").fit(then, learned)
    edge = 0.5 / (len(learned) + 1)  # a share of none or all is not taken for certain
    rules = {
        "base rate": np.full(len(halves), learned.mean()),
        "hiatus rule": np.where(now <= hiatus, rates[1], rates[0]),
        "time since last purchase": np.clip(falling.predict(now), edge, 1 - edge),
    }
    boosting = HistGradientBoostingClassifier(
        max_iter=100, max_leaf_nodes=15, learning_rate=0.05, random_state=random_state
    )
    classifiers = {
        name: chances_by_history(lesson, learned, halves, kind)
        for name, kind in {"RFM logistic": None, "RFM boosting": boosting}.items()
    }
    return [
        Forecast(name, kind, chance, chance)
        for kind, chances in (("rule", rules), ("classifier", classifiers))
        for name, chance in chances.items()
    ]


def chances_by_history(
    lesson: pd.DataFrame, learned: Array, now: pd.DataFrame, classifier: Any = None
) -> Array:
    """The chance of each customer by RFM features, learned from customers at a day in the past.

    `classifier`: of scikit-learn; None: logistic regression.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    if classifier is None:
        scaled = FunctionTransformer(np.log1p), StandardScaler()
        classifier = make_pipeline(*scaled, LogisticRegression(max_iter=1000))
    past, present = (customers[list(_FEATURES)].clip(lower=0).to_numpy(float) for customers in (lesson, now))
    return classifier.fit(past, learned).predict_proba(present)[:, 1]


def compare_probabilities(
    forecasts: Sequence[Forecast], happened: Array, *, resamples: int, random_state: int
) -> pd.DataFrame:
    """`ActivityComparison.scores` of forecasts of the same customers, of whom `happened` says who bought."""
    chances = np.stack([forecast.any_purchase for forecast in forecasts])
    losses = np.stack([squared_losses(chances, happened), log_losses(chances, happened)])
    rankings = [Ranking(chance, happened) for chance in chances]
    weights = bootstrap_weights(len(happened), resamples, random_state)
    # shape (1 + resamples, 3, forecasts); the first round is the customers as they are
    every = [np.ones(len(happened)), *weights]
    areas = [[ranking.levels(w).roc_auc() for ranking in rankings] for w in every]
    rounds = np.stack([np.vstack([losses @ w / w.sum(), area]) for w, area in zip(every, areas, strict=True)])
    best = int(rounds[0, 0].argmin())
    behind = rounds[:, 0] - rounds[:, 0, [best]]
    low, high = percentile_interval(behind[1:])
    table = {
        "forecast": [forecast.name for forecast in forecasts],
        "kind": [forecast.kind for forecast in forecasts],
        "predicted": chances.mean(axis=1),
        "actual": happened.mean(),
        **with_intervals(("brier", "log_loss", "auc"), rounds[0], rounds[1:]),
        "brier_behind": behind[0],
        "behind_low": low,
        "behind_high": high,
        "gap": [gap(by_probability(forecast, happened)) for forecast in forecasts],
        "behind_beyond_chance": low >= SHOWN,
    }
    return pd.DataFrame(table).sort_values("brier", kind="stable", ignore_index=True)


def _bought(halves: CustomerSummary, day: dt.date) -> Array:
    bought = halves["holdout_frequency"].to_numpy() > 0
    if min(bought.sum(), (~bought).sum()) < FEWEST:
        raise CannotAnswerError(
            f"of {len(bought):,} customers {int(bought.sum()):,} bought in the horizon up to {day}; a comparison "
            f"needs {FEWEST} who did and {FEWEST} who did not: choose a shorter horizon or a longer log"
        )
    return bought
