"""Who will buy again within a horizon: purchase models, rules and a classifier judged on the same holdout.

P(alive) cannot be observed; whether a customer buys at least once in a horizon can, so that is what is
forecast, calibrated and compared here.
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
from crmlib.customers.rfm.summary import CustomerSummary, rfm_train_test_split
from crmlib.data.sources import lacking
from crmlib.errors import CannotAnswerError, not_measured
from crmlib.findings import with_finding
from crmlib.models._histories import read_histories
from crmlib.models._inference import Array
from crmlib.models.backtesting.forecasts import (
    Forecast,
    check_models,
    fit_fresh,
    fit_hiatus,
    learned_forecasts,
)
from crmlib.models.backtesting.scores import by_probability, compare_probabilities
from crmlib.models.purchase import PurchaseModel
from crmlib.models.scoring import distinct_pairs
from crmlib.models.sentences import chances_of_buying
from crmlib.no_rows import no_rows
from crmlib.units import periods

FEWEST = 30  # buyers, and others, to learn from and to judge by
_SCORES = (
    "forecast kind predicted actual brier brier_low brier_high log_loss log_loss_low log_loss_high "
    "auc auc_low auc_high brier_behind behind_low behind_high gap behind_beyond_chance"
)
_DECILES = "model decile customers actual_mean predicted_mean standard_error"


def probability_active(
    model: PurchaseModel | None, customers: pd.DataFrame, horizon: float | str
) -> pd.Series:
    """How probable is it that each customer buys at least once in the horizon?

    Parameters
    ----------
    model : PurchaseModel
        Fitted, such as Pareto/NBD or MBG/NBD. None, as `ActivityComparison.fit_best` has it where no model could
        be judged, is answered with nan.
    customers : DataFrame
        Columns `frequency, recency, T`.
    horizon : float or str
        A number in the model's unit of time, or a text such as "26W".

    Returns
    -------
    Series
        Aligned with `customers`.

    Notes
    -----
    P(alive) × (1 − P(no purchase | alive)), computed once per distinct history; what depends on frequency and
    age alone once per pair of them, so that a million customers take a fraction of a second.

    Examples
    --------
    >>> from crmlib.models import ParetoNBDModel
    >>> model = ParetoNBDModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669, time_unit="W")
    >>> customers = pd.DataFrame({"frequency": [0, 4], "recency": [0.0, 36.0], "T": [39.0, 39.0]})
    >>> probability_active(model, customers, "26W").round(2).tolist()
    [0.05, 0.75]
    """
    if model is None:
        return pd.Series(np.nan, index=customers.index, name="p_active")
    length = model._periods(horizon, "horizon")
    model._check_unit(customers)
    known = read_histories(customers)
    pair, first = distinct_pairs(known.frequency, known.T)
    none = model._pmf_if_alive(0, known.frequency[first], known.T[first], length)
    buys = model._alive(known.frequency, known.recency, known.T) * (1 - none[pair])
    return pd.Series(np.clip(buys, 0.0, 1.0)[known.row], index=customers.index, name="p_active")


def expected_repurchase(model: PurchaseModel, summary: pd.DataFrame, horizon: float | str) -> pd.Series:
    """Of those who bought in the last period, which share does a model expect to buy in the next?

    Parameters
    ----------
    model : PurchaseModel
        Fitted.
    summary : CustomerSummary
        Columns `frequency, recency, T`.
    horizon : float or str
        Length of both periods: a number in the model's unit of time, or a text such as "26W".

    Returns
    -------
    Series
        `buyers` (in the last period), `expected_rate` (mean probability that they buy in the next) and
        `alive` (mean probability that they are still customers now, bought or not).

    Examples
    --------
    >>> from crmlib.models import ParetoNBDModel
    >>> model = ParetoNBDModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669, time_unit="W")
    >>> customers = pd.DataFrame({"frequency": [0, 4], "recency": [0.0, 36.0], "T": [39.0, 39.0]})
    >>> expected_repurchase(model, customers, "26W").round(2).tolist()
    [1.0, 0.75, 0.96]
    """
    length = model._periods(horizon, "horizon")
    recent = summary[summary["T"] - summary["recency"] < length]
    if recent.empty:
        raise CannotAnswerError(f"nobody bought in the last {horizon}; choose a longer period")
    return pd.Series(
        {
            "buyers": float(len(recent)),
            "expected_rate": float(probability_active(model, recent, length).mean()),
            "alive": float(model.expected_probability_alive(recent).mean()),
        }
    )


@dataclass(frozen=True)
class ActivityComparison:
    """Forecasts of who buys again, on one holdout that none of them has seen.

    Attributes
    ----------
    scores : DataFrame
        One row per `forecast`, the best Brier score first: `kind` (model, rule, classifier), `predicted` and
        `actual` (share of customers who buy), `brier`, `log_loss` and `auc`, each with the 95 % interval of a
        bootstrap over customers (`brier_low`, ...), `brier_behind` (the best) with `behind_low, behind_high` of the
        paired difference, `gap` (mean distance of predicted and actual share over tenths, beyond chance) and
        `behind_beyond_chance` (whether it errs more than the best of them, beyond chance and visibly in three digits).
    deciles : DataFrame
        One row per forecast (`model`) and tenth of it (`decile`, 10 the highest): `customers`, `actual_mean`,
        `predicted_mean`, `standard_error`.
    sentence : str
        Which errs least, and by how much.
    earlier, calibration_end : date
        Rules and classifiers learned who, of those known on `earlier`, bought up to `calibration_end`; all
        were judged by who bought after it.
    models : tuple of PurchaseModel
        As they were given, not fitted.
    customers : int
    hiatus : float
        In the models' unit of time: the silence after which the rule fitted in the time before calls a customer gone.
    reason : str
        Why nothing could be compared; then the frames have no rows.
    """

    scores: pd.DataFrame
    deciles: pd.DataFrame
    sentence: str
    earlier: dt.date
    calibration_end: dt.date
    models: tuple[PurchaseModel, ...]
    customers: int = 0
    hiatus: float = np.nan
    reason: str = ""

    @property
    def basis(self) -> str:
        """What the forecasts were judged by, in a sentence."""
        if self.reason:
            return not_measured(self.reason)
        return f"Forecasts are judged by who of {self.customers:,} customers bought after {self.calibration_end}."

    @property
    def best(self) -> pd.Series:
        """The first row of `scores`; nan where there is none."""
        return self.scores.reindex(index=[0]).iloc[0]

    def fit_best(self, summary: CustomerSummary) -> PurchaseModel | None:
        """The model that was least wrong, fitted to what is known now; None where none could be judged or fitted."""
        by_name = {one.name: one for one in self.models}
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
    days = round(periods(horizon, "D"))
    cut = last - dt.timedelta(days=days)
    earlier = cut - dt.timedelta(days=days)
    split = {"time_unit": time_unit, "collapse": collapse}
    about: dict[str, Any] = {"earlier": earlier, "calibration_end": cut, "models": tuple(given)}
    try:
        if missing := lacking(transactions=transactions):
            raise CannotAnswerError(missing)
        halves = rfm_train_test_split(transactions, calibration_end=cut, as_of=last, **split)
        lesson = rfm_train_test_split(transactions, calibration_end=earlier, as_of=cut, **split)
        happened, learned = _bought(halves, last), _bought(lesson, cut)
        length = float(halves["holdout_T"].iloc[0])
        chances = {one.name: probability_active(fit_fresh(one, halves), halves, length) for one in given}
    except CannotAnswerError as error:
        why = str(error)
        frames = no_rows(_SCORES, why), no_rows(_DECILES, why)
        return ActivityComparison(*frames, not_measured(why), reason=why, **about)
    hiatus = fit_hiatus(lesson["time_since_last_purchase"].to_numpy(), learned)
    forecasts = [Forecast(name, "model", one.to_numpy(), one.to_numpy()) for name, one in chances.items()]
    forecasts += learned_forecasts(lesson, learned, halves, hiatus, random_state)
    deciles = pd.concat([by_probability(one, happened) for one in forecasts], ignore_index=True)
    with_finding(deciles, chances_of_buying)
    scores = compare_probabilities(forecasts, happened, resamples=resamples, random_state=random_state)
    sentence = comparison_sentence(scores)
    return ActivityComparison(scores, deciles, sentence, **about, customers=len(halves), hiatus=hiatus)


def _bought(halves: CustomerSummary, day: dt.date) -> Array:
    bought = halves["holdout_frequency"].to_numpy() > 0
    if min(bought.sum(), (~bought).sum()) < FEWEST:
        raise CannotAnswerError(
            f"of {len(bought):,} customers {int(bought.sum()):,} bought in the horizon up to {day}; a comparison "
            f"needs {FEWEST} who did and {FEWEST} who did not: choose a shorter horizon or a longer log"
        )
    return bought


def comparison_sentence(scores: pd.DataFrame) -> str:
    """Which forecast errs least, and which of the others err more beyond chance."""
    best, others = scores.iloc[0], scores.iloc[1:]
    base = scores.set_index("forecast")["brier"].get("base rate", best["actual"] * (1 - best["actual"]))
    sentence = (
        f"{best['forecast']} is nearest to who bought (Brier score {best['brier']:.3f}, base rate {base:.3f}) and "
        f"expected {fmt.share(best['predicted'])} of customers to buy; {fmt.share(best['actual'])} did."
    )
    same = others.loc[~others["behind_beyond_chance"], "forecast"].tolist()
    if same:
        sentence += f" No worse than it beyond chance: {', '.join(same)}."
    worse = [
        f"{row.forecast} by {row.brier_behind:.3f} ({row.behind_low:.3f} to {row.behind_high:.3f})"
        for row in others[others["behind_beyond_chance"]].itertuples()
    ]
    return sentence + (f" Worse: {', '.join(worse)}." if worse else "")
