"""Whom of those who may leave to contact: what a churn score would have earned, and the list for now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import betaincc

from crmlib import format as fmt
from crmlib.economics.campaigns.contacts import (
    best_cut_off,
    campaign_list,
    contacts_by_risk,
    numbers_of,
    profit_curve,
    same_customers,
)
from crmlib.economics.sentences import best_cut_off_in_words
from crmlib.errors import CrmError, DataError, not_measured
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows, why_none

_RANKINGS = {"churn model": "p_churn", "tenure alone": "p_tenure"}
_COLUMNS = {
    "curve": "share_contacted customers score profit cost ranking",
    "measures": "ranking best_share profit_per_customer emp emp_share",
    "sensitivity": "assumption half list_half once_more list_once_more",
}
_WRONG = {"success rate": "success_rate", "offer cost": "offer_cost", "contact cost": "contact_cost"}


@dataclass(frozen=True)
class RetentionCampaign:
    """What contacting customers at risk earns; frames without rows where there is nobody to contact.

    Attributes
    ----------
    sentence : str
        The finding.
    curve : DataFrame
        `ranking`, `share_contacted`, `profit`: of customers held out, as it came about for those who left.
    measures : DataFrame
        One row per `ranking`: `best_share` and `profit_per_customer` at the assumed success rate; `emp` and
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
    success_rate, offer_cost, contact_cost : float
        As in `contacts_by_risk`; what an experiment of the firm's own finds is better than any of them.
    budget : float, optional
        Money that contacts and offers may be expected to cost.

    Returns
    -------
    RetentionCampaign

    Raises
    ------
    DataError
        If a column is missing.

    Examples
    --------
    >>> held_out = pd.DataFrame({"churned": [True, False, False, False], "p_churn": [0.8, 0.3, 0.1, 0.01]})
    >>> retention_campaign(held_out, held_out.drop(columns="churned")).sentence
    'Contacting the riskiest 25 % earns 14.00 per customer of the base; contacting everybody 5.75.'
    """
    if missing := [name for name in ("churned", "p_churn") if name not in held_out]:
        raise DataError(f"held_out lacks {', '.join(missing)}; give ChurnEvaluation.predictions")
    if nobody := why_none(held_out):
        frames = {name: no_rows(columns, nobody) for name, columns in _COLUMNS.items()}
        frames["to_contact"] = no_rows([*to_save.columns, "profit", "profit_so_far"], nobody)
        return RetentionCampaign(not_measured(nobody), **frames)
    terms = {"success_rate": success_rate, "offer_cost": offer_cost, "contact_cost": contact_cost}
    outcome = held_out["churned"].astype(float)
    came_true = contacts_by_risk(outcome, value, **terms)
    scores = {
        name: held_out[p] for name, p in _RANKINGS.items() if p in held_out and held_out[p].notna().all()
    }
    curves = {name: profit_curve(came_true, by=score) for name, score in scores.items()}
    curve = pd.concat([one.assign(ranking=name) for name, one in curves.items()], ignore_index=True)
    planned = contacts_by_risk(to_save["p_churn"], value, **terms)
    chosen = campaign_list(planned, budget=budget)
    return RetentionCampaign(
        sentence=_sentence(curves["churn model"], len(held_out)),
        curve=with_finding(curve, best_cut_off_in_words),
        measures=_measures(curves, scores, outcome, value, terms),
        sensitivity=_sensitivity(held_out, outcome, value, terms),
        to_contact=to_save.loc[chosen.index].assign(
            profit=chosen["profit"], profit_so_far=chosen["profit_so_far"]
        ),
    )


def _sentence(curve: pd.DataFrame, customers: int) -> str:
    best = best_cut_off(curve)
    everybody = float(curve["profit"].iloc[-1]) / customers
    if not best["profit"] > 0:
        return f"No contact pays: contacting everybody would cost {fmt.money(-everybody)} per customer."
    return (
        f"Contacting the riskiest {fmt.share(best['share_contacted'])} earns "
        f"{fmt.money(best['profit'] / customers)} per customer of the base; contacting everybody "
        f"{fmt.money(everybody)}."
    )


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
        best = best_cut_off(curve)
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


@dataclass(frozen=True)
class ExpectedProfit:
    """What a score earns on average over the success rates that are possible.

    Attributes
    ----------
    profit_per_customer : float
        Money per customer of the base, contacted or not, if the cut-off is the best for each success rate.
    share_contacted : float
        Share of customers that is contacted then, on average.
    """

    profit_per_customer: float
    share_contacted: float


def expected_maximum_profit(
    score: ArrayLike,
    churned: ArrayLike,
    *,
    success_alpha: float = 6.0,
    success_beta: float = 14.0,
    clv: ArrayLike = 200.0,
    offer_cost: float = 10.0,
    contact_cost: float = 1.0,
) -> ExpectedProfit:
    """How much a churn score earns per customer, at the best cut-off for each success rate that may be true.

    Parameters
    ----------
    score : array, shape (customers,)
        The higher, the likelier to leave; where customers are worth different amounts, better a risk times a value.
    churned : array, shape (customers,)
        Who left, of customers whom the score's model has not seen: 0 or 1, or booleans.
    success_alpha, success_beta : float, default 6.0 and 14.0
        The share of leavers that a contact keeps is beta-distributed; by default .3 on average.
    clv : float or array, shape (customers,), default 200.0
        Money that a customer is worth who is kept: the same for all in the published measure, with which that of
        different amounts is not to be compared.
    offer_cost, contact_cost : float, default 10.0 and 1.0
        Money per offer taken up, and per contact.

    Returns
    -------
    ExpectedProfit

    Raises
    ------
    DataError
        If nobody or everybody left, the lengths or indexes differ, or a value is missing.
    CrmError
        If a parameter is out of range.

    Notes
    -----
    EMP of Verbraken, Verbeke & Baesens, IEEE Transactions on Knowledge and Data Engineering 25(5), 2013. At success
    rate g, contacting down to a cut-off earns g·A - B: A is what could be kept among those contacted, B what contacts
    and offers to those who would stay cost. The cut-offs that can be best are the corners of the score's ROC convex
    hull; between two of them profit is linear in the success rate, so the mean is a sum of beta probabilities and no
    integration is needed. It supposes that leavers are kept at the same rate wherever they stand in the ranking.

    Examples
    --------
    >>> emp = expected_maximum_profit([0.9, 0.8, 0.3, 0.1], [1, 0, 0, 0])
    >>> print(f"{emp.profit_per_customer:.2f} {emp.share_contacted:.2f}")
    14.00 0.25
    """
    same_customers(score=score, churned=churned, clv=clv)
    left, scores, value = _outcome(churned), numbers_of("score", score), numbers_of("clv", clv)
    if scores.shape != left.shape or value.shape not in ((), left.shape):
        raise DataError(
            f"score has shape {scores.shape}, clv {value.shape} and churned {left.shape}; give one each"
        )
    if value.ndim == 0 and not value > 0:
        raise CrmError(f"clv is {value}; give money above 0")
    alpha, beta = success_alpha, success_beta
    if not (0 < alpha < np.inf and 0 < beta < np.inf):
        raise CrmError(f"success_alpha is {alpha} and success_beta {beta}; both are positive and finite")
    if not (offer_cost >= 0 and contact_cost >= 0):
        raise CrmError(f"offer_cost is {offer_cost} and contact_cost {contact_cost}; a cost is 0 or more")
    _, group, customers = np.unique(-scores, return_inverse=True, return_counts=True)  # equal scores together
    kept = np.bincount(group, weights=left * (value - offer_cost))
    cost = np.bincount(group, weights=(1.0 - left) * offer_cost) + customers * contact_cost
    steps = _hull_steps(kept, cost)
    kept, cost, customers = (np.add.reduceat(one, steps) for one in (kept, cost, customers))
    with np.errstate(divide="ignore", invalid="ignore"):  # success rate from which a step pays
        needed = np.where(kept > 0, np.clip(cost / kept, 0.0, 1.0), 1.0)
    pays = betaincc(alpha, beta, needed)
    mean_where_it_pays = alpha / (alpha + beta) * betaincc(alpha + 1.0, beta, needed)
    profit = float(kept @ mean_where_it_pays - cost @ pays) / len(left)
    return ExpectedProfit(profit, float(customers @ pays) / len(left))


def _hull_steps(kept: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """First group of each edge of the upper convex hull of the cumulative sums.

    Pooling neighbours until what is kept per cost falls from edge to edge is a decreasing isotonic regression.
    """
    from scipy.optimize import isotonic_regression

    # A contact that costs nothing weighs next to nothing.
    weights = np.maximum(cost, 1e-12 * max(float(cost.sum()), 1.0))
    fitted = isotonic_regression(kept / weights, weights=weights, increasing=False)
    return fitted.blocks[:-1]


def _outcome(churned: ArrayLike) -> np.ndarray:
    left = np.asarray(churned)
    if left.ndim != 1 or left.dtype.kind not in "biuf" or not np.isin(left, (0, 1)).all():
        raise DataError(
            "churned holds something else than 0 and 1; give who left as 1 or True, who stayed as 0"
        )
    if not 0 < left.sum() < len(left):
        raise DataError(
            f"churned has {int(left.sum()):,} of {len(left):,} customers leaving; a ranking needs both kinds"
        )
    return left.astype(float)
