"""From an experiment to a campaign: predicted effects, the profit of a list by them, and today's list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.arguments import check_choice
from crmlib.customers._log import as_day, fetch, seen_by
from crmlib.customers.treatments.experiments import experiment_features, experiment_outcomes
from crmlib.economics.contacts import campaign_list, contacts_by_effect
from crmlib.economics.experiments import read_experiments
from crmlib.economics.sentences import best_cut_off_in_words
from crmlib.errors import CannotAnswerError, not_measured
from crmlib.findings import with_finding
from crmlib.models import uplift_effects
from crmlib.models.uplift import UpliftModel
from crmlib.models.uplift_effects import Heterogeneity, UpliftCurves
from crmlib.no_rows import no_rows, why_none

RANKINGS = ("predicted effect", "longest silent")
_QINI = ["share", "qini", "qini_low", "qini_high"]
_CURVE = "ranking share_contacted profit profit_low profit_high"
_LIST = ["customer_id", "effect", "days_since_last", "profit", "profit_so_far"]


@dataclass(frozen=True)
class ExperimentCampaign:
    """Whom to contact according to an experiment; frames without rows where it gives no answer.

    Attributes
    ----------
    experiment : str
        With its arm where it has several.
    sentence : str
        The finding.
    heterogeneity : Heterogeneity or None
        Whether there is a difference between customers to use.
    uplift : UpliftCurves
        Of the predicted effect on purchases, out of fold.
    curve : DataFrame
        `ranking` ("predicted effect", "longest silent"), `share_contacted`, `profit`, `profit_low, profit_high`: what
        the experiment's customers would have earned had only so many been contacted, as measured, not predicted.
    to_contact : DataFrame
        Customers of today whom it pays to contact: `customer_id, effect` (purchases), `days_since_last`, `profit`
        expected per contact and `profit_so_far`. Nobody where chance explains both average and differences.
    """

    experiment: str
    sentence: str
    heterogeneity: Heterogeneity | None
    uplift: UpliftCurves
    curve: pd.DataFrame
    to_contact: pd.DataFrame


def campaign_from_experiment(
    transactions: Any,
    experiments: Any,
    *,
    as_of: Any,
    experiment: str | None = None,
    control: str = "control",
    customers: Any = None,
    days: int = 60,
    margin: float | None = None,
    contact_cost: float | None = None,
    budget: float | None = None,
    random_state: int = 0,
) -> ExperimentCampaign:
    """Whom does the message move, does choosing by that earn more than writing to the longest silent, and whom now?

    The effect on purchases is learned by an X-learner; a purchase is worth the mean profit of one.

    Parameters
    ----------
    transactions, experiments, as_of, days, margin, control
        As in `experiment_outcomes`; without `cost` in the log, a margin is needed.
    experiment : str, optional
        By default the one that moved purchases most surely (highest z), as is its arm where it has several.
    customers : ibis.Table or DataFrame, optional
        As in `experiment_features`.
    contact_cost : float, optional
        Money per contact; by default what treating a customer cost in the experiment. Where neither is known,
        `curve` and `to_contact` have no rows: what is not known is not free.
    budget : float, optional
        Money for contacts now.
    random_state : int

    Returns
    -------
    ExperimentCampaign
        With the reason as `sentence`, and nothing else, where there are not both tables, neither costs nor a margin are
        known, no experiment can be read, customers are too few or chance did not decide.

    Notes
    -----
    Ascarza, Journal of Marketing Research 55(1), 2018: those at risk are not those who respond.

    Examples
    --------
    >>> people = [f"c{number}" for number in range(20)]
    >>> test = pd.DataFrame({"experiment": "birthday", "customer_id": people, "group": ["treated", "control"] * 10,
    ...                      "assigned": pd.Timestamp("2024-03-01")})
    >>> log = pd.DataFrame({"customer_id": people, "date": pd.Timestamp("2024-03-05"), "amount": 10.0})
    >>> campaign_from_experiment(log, test, as_of="2024-06-30", experiment="birthday", margin=0.4).sentence
    'Not measured: birthday: 10 treated and 10 control customers are too few to learn effects from; ...'
    """
    known = {"as_of": as_of, "days": days, "margin": margin, "control": control}
    outcomes = experiment_outcomes(transactions, experiments, **known)
    if missing := why_none(outcomes):
        return _nothing(missing)
    outcomes = outcomes[outcomes["complete"]]
    if "profit" not in outcomes:
        why = "margin is None and the log has no cost; give margin, such as 0.4, to know what a purchase is worth"
        return _nothing(why)
    if experiment is not None:
        outcomes = _only(outcomes, experiment)
    read = read_experiments(outcomes, outcome="purchases", control=control)
    if experiment is None and (missing := why_none(read)):
        return _nothing(missing)
    if experiment is None and read["z"].isna().all():
        return _nothing("in no experiment do purchases differ from customer to customer")
    name, people = _surest(read, outcomes, control)
    treated = people["group"] != control
    tested = people["experiment"].iloc[0]
    features = experiment_features(transactions, experiments, experiment=tested, customers=customers)
    features = features.loc[people.index]
    try:
        model = UpliftModel(random_state=random_state).fit(features, treated, people["purchases"])
    except CannotAnswerError as reason:
        return _nothing(f"{name}: {reason}", name)
    value = float(people["profit"].sum() / max(people["purchases"].sum(), 1))
    paid = people.loc[treated, "cost"]
    cost = float(paid.mean(skipna=False)) if contact_cost is None else contact_cost
    found, fitted = uplift_effects.heterogeneity_test(model.cross_fitted_), model.cross_fitted_
    silent = features["days_since_last"].fillna(np.inf).rank()
    scores = dict(zip(RANKINGS, (fitted["effect"], silent), strict=True))
    curves = {
        ranking: uplift_effects.uplift_curves(fitted.assign(effect=score), random_state=random_state)
        for ranking, score in scores.items()
    }
    sentence = f"{name}: {found.sentence}"
    if np.isnan(cost):
        why = (
            "contact_cost is None and the experiment has no cost for all who were treated; give contact_cost"
        )
        frames = (no_rows(columns, why) for columns in (_CURVE, _LIST))
        return ExperimentCampaign(name, sentence, found, curves[RANKINGS[0]], *frames)
    many = len(fitted)
    earned = [_earned(of.curve, many, value, cost).assign(ranking=name) for name, of in curves.items()]
    to_contact = pd.DataFrame(columns=_LIST)  # nobody is contacted for an effect that chance explains
    if found.usable or found.average_low > 0:
        today = _today(transactions, as_of, customers)
        effect = uplift_effects.calibrated_effects(fitted, model.predict(today[features.columns]))
        contacts = contacts_by_effect(effect, value, contact_cost=cost, offer_cost=0.0)
        chosen = campaign_list(contacts, budget=budget).join(today["days_since_last"])
        to_contact = chosen.reset_index()[_LIST]
    curve = with_finding(pd.concat(earned, ignore_index=True), best_cut_off_in_words)
    return ExperimentCampaign(name, sentence, found, curves[RANKINGS[0]], curve, to_contact)


def _nothing(reason: str, name: str = "") -> ExperimentCampaign:
    """The answer where no experiment shows whom to contact."""
    uplift = UpliftCurves(no_rows(_QINI, reason), np.nan, np.nan, np.nan)
    frames = (no_rows(columns, reason) for columns in (_CURVE, _LIST))
    return ExperimentCampaign(name, not_measured(reason), None, uplift, *frames)


def _only(outcomes: pd.DataFrame, experiment: str) -> pd.DataFrame:
    check_choice("experiment", experiment, sorted(outcomes["experiment"].unique()))
    return outcomes[outcomes["experiment"] == experiment]


def _surest(read: pd.DataFrame, outcomes: pd.DataFrame, control: str) -> tuple[str, pd.DataFrame]:
    """The customers of the experiment, and of its arm, with the highest z; of the first one where none is read."""
    if read.empty or read["z"].isna().all():
        row = outcomes.loc[outcomes["group"] != control, ["experiment", "group"]].min()
        name, arm = row["experiment"], row["group"]
    else:
        name, arm = read.loc[read["z"].idxmax(), ["experiment", "arm"]]
    everybody = outcomes[outcomes["experiment"] == name]
    label = name if everybody["group"].nunique() <= 2 else f"{name}: {arm}"
    return str(label), everybody[everybody["group"].isin([control, arm])].set_index("customer_id")


def _earned(curve: pd.DataFrame, customers: int, value: float, cost: float) -> pd.DataFrame:
    """Money from the outcome gained per customer of the base."""
    spent = cost * curve["share"] * customers
    of = {"profit": "uplift", "profit_low": "uplift_low", "profit_high": "uplift_high"}
    money = {name: curve[column] * value * customers - spent for name, column in of.items()}
    return pd.DataFrame({"share_contacted": curve["share"], **money})


def _today(transactions: Any, as_of: Any, customers: Any) -> pd.DataFrame:
    """What is known now of everybody who has bought."""
    day = as_day(as_of, "as_of")
    buyers = fetch(seen_by(transactions, day).select("customer_id").distinct().order_by("customer_id"))
    now = buyers.assign(experiment="now", group="control", assigned=pd.Timestamp(day) + pd.Timedelta(1, "D"))
    return experiment_features(transactions, now, experiment="now", customers=customers)
