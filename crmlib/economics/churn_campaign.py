"""Which customers at risk to contact: what a churn score would have earned, and today's list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.arguments import check_columns
from crmlib.economics.contacts import campaign_list, contacts_by_risk, expected_maximum_profit, profit_curve
from crmlib.economics.sentences import best_cut_off_in_words
from crmlib.errors import not_measured
from crmlib.findings import REFUSE, Verdict, in_currency, with_finding
from crmlib.no_rows import no_rows, why_none
from crmlib.statistics import normal_quantile

_RANKINGS = {"churn model": "p_churn", "tenure alone": "p_tenure"}
_COLUMNS = {
    "curve": "share_contacted customers score profit cost ranking",
    "measures": "ranking best_share gain_per_customer emp emp_share",
    "sensitivity": "assumption half list_half once_more list_once_more",
}
_WRONG = {"success rate": "success_rate", "offer cost": "offer_cost", "contact cost": "contact_cost"}


@dataclass(frozen=True)
class RetentionCampaign:
    """What contacting customers at risk earns; frames without rows where there is nobody to contact.

    Attributes
    ----------
    sentence : str
        The finding, with the figures that are assumed.
    curve : DataFrame
        `ranking`, `share_contacted`, `profit`: of customers held out, as it came about for those who left.
    measures : DataFrame
        One row per `ranking`: `best_share` and `gain_per_customer` at the assumed success rate; `emp` and
        `emp_share`, the published expected maximum profit per customer and the share then contacted.
    sensitivity : DataFrame
        One row per `assumption` that is wrong by half: `half` and `once_more`, the best share to contact then,
        `list_half` and `list_once_more`, what the planned list would earn per customer.
    to_contact : DataFrame
        Who to contact now: the rows of the list given that pay, with `profit` expected per contact and
        `profit_so_far`, those that earn most per cost first.
    """

    sentence: str
    curve: pd.DataFrame
    measures: pd.DataFrame
    sensitivity: pd.DataFrame
    to_contact: pd.DataFrame


def retention_campaign(
    held_out: pd.DataFrame,
    to_save: pd.DataFrame,
    *,
    value: float = 200.0,
    success_rate: float = 0.3,
    offer_cost: float = 10.0,
    contact_cost: float = 1.0,
    budget: float | None = None,
    verdict: Verdict | None = None,
    currency: str = "",
) -> RetentionCampaign:
    """Whom to contact, how much it earns, and what if the assumptions are wrong?

    Parameters
    ----------
    held_out : DataFrame
        Customers whom the model had not seen: `churned`, `p_churn` and, for comparison, `p_tenure`.
    to_save : DataFrame
        Customers who are still there: `p_churn`, and whatever else the list shall show.
    value : float, default 200.0
        Money that a customer is worth who is kept.
    success_rate : float, default 0.3
        Share of those who would leave that a contact keeps: a guess, until an experiment of the firm's own tells.
    offer_cost, contact_cost : float
        Money per offer taken up, and per contact. Who would stay takes the offer as well.
    budget : float, optional
        Money that contacts and offers may be expected to cost.
    verdict : Verdict, optional
        On the predictions: of those that are not to be used there is neither a profit nor a list.
    currency : str
        The name of the money.

    Examples
    --------
    >>> held_out = pd.DataFrame({"churned": [True, False, False, False], "p_churn": [0.8, 0.3, 0.1, 0.01]})
    >>> print(retention_campaign(held_out, held_out.drop(columns="churned")).sentence)
    Contacting 25 % of customers earns most, 56.00 (customers of the test; assumed: value 200, success 30 %,
    offer 10.00, contact 1.00)
    """
    check_columns("held_out", held_out, ("churned", "p_churn"), "give ChurnEvaluation.predictions")
    nobody = why_none(held_out)
    if not nobody and verdict is not None and verdict.verdict == REFUSE:
        nobody = f"the {verdict.subject}'s predictions are not to be used, so no profit is computed from them"
    if nobody:
        frames = {name: no_rows(columns, nobody) for name, columns in _COLUMNS.items()}
        frames["to_contact"] = no_rows([*to_save.columns, "profit", "profit_so_far"], nobody)
        return RetentionCampaign(not_measured(nobody), **frames)
    terms = {"success_rate": success_rate, "offer_cost": offer_cost, "contact_cost": contact_cost}
    outcome = held_out["churned"].astype(float)
    came_true = contacts_by_risk(outcome, value, **terms)
    scores = {name: held_out[p] for name, p in _RANKINGS.items() if p in held_out}
    scores = {name: score for name, score in scores.items() if score.notna().all()}
    curves = {name: profit_curve(came_true, by=score) for name, score in scores.items()}
    curve = pd.concat([found.assign(ranking=name) for name, found in curves.items()], ignore_index=True)
    if len(curves) > 1:
        curve.attrs["lead"] = _lead(came_true["profit"], *scores.values())
    best = best_cut_off_in_words(curve)
    with_finding(curve, lambda _: f"{best} (value and costs assumed)")
    given = {"value": fmt.money(value, currency), "success": fmt.share(success_rate)}
    given |= {"offer": fmt.money(offer_cost, currency), "contact": fmt.money(contact_cost, currency)}
    assumed = ", ".join(f"{name} {figure}" for name, figure in given.items())
    planned = contacts_by_risk(to_save["p_churn"], value, **terms)
    chosen = campaign_list(planned, budget=budget)
    sentence = in_currency(f"{best} (customers of the test; assumed: {assumed})", currency)
    measures = _measures(curves, scores, outcome, value, terms)
    to_contact = to_save.loc[chosen.index].assign(**chosen[["profit", "profit_so_far"]])
    wrong = _sensitivity(held_out, outcome, value, terms)
    return RetentionCampaign(sentence, curve, measures, wrong, to_contact)


def _lead(profit: pd.Series, first: pd.Series, second: pd.Series) -> tuple[float, float]:
    """95 % interval of the first ranking's profit less the second's, both at the share where they earned most."""
    money = profit.to_numpy(dtype=float)
    lists = []
    for score in (first, second):
        order = np.argsort(-score.to_numpy(dtype=float), kind="stable")
        best = int(np.append(0.0, money[order].cumsum()).argmax())
        lists.append(np.isin(np.arange(len(money)), order[:best]))
    difference = money * (lists[0].astype(float) - lists[1])
    reach = normal_quantile(0.95) * float(difference.std()) * np.sqrt(len(money))
    return float(difference.sum() - reach), float(difference.sum() + reach)


def _measures(
    curves: dict[str, pd.DataFrame],
    scores: dict[str, pd.Series],
    outcome: pd.Series,
    value: float,
    terms: dict[str, float],
) -> pd.DataFrame:
    costs = {name: terms[name] for name in ("offer_cost", "contact_cost")}
    rows = []
    for name, curve in curves.items():
        best = curve.loc[curve["profit"].idxmax()]
        emp = expected_maximum_profit(scores[name], outcome, clv=value, **costs)
        earned = best["profit"] / len(outcome)
        rows.append((name, best["share_contacted"], earned, emp.profit_per_customer, emp.share_contacted))
    return pd.DataFrame(rows, columns=_COLUMNS["measures"].split())


def _sensitivity(
    held_out: pd.DataFrame, outcome: pd.Series, value: float, terms: dict[str, float]
) -> pd.DataFrame:
    """The best share to contact, and what the planned list earns, where one assumption is wrong by half."""
    p = held_out["p_churn"]
    plan = (contacts_by_risk(p, value, **terms)["profit"] > 0).to_numpy()
    rows = []
    for assumption, term in _WRONG.items():
        row: dict[str, object] = {"assumption": assumption}
        for name, factor in (("half", 0.5), ("once_more", 1.5)):
            changed = terms | {term: terms[term] * factor}
            expected = contacts_by_risk(p, value, **changed)["profit"]
            true = contacts_by_risk(outcome, value, **changed)["profit"]
            row[name] = float((expected > 0).mean())
            row[f"list_{name}"] = float(np.where(plan, true, 0.0).mean())
        rows.append(row)
    return pd.DataFrame(rows)
