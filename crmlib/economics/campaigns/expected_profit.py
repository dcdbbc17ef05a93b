"""Expected maximum profit: what a churn score is worth in money when nobody knows how well contacts work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincc

from crmlib.economics.campaigns.contact_profit import same_customers
from crmlib.errors import CrmError, DataError

_TINY = 1e-12


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
    clv: float = 200.0,
    offer_cost: float = 10.0,
    contact_cost: float = 1.0,
) -> ExpectedProfit:
    """How much a churn score earns per customer, at the best cut-off for each success rate that may be true.

    Parameters
    ----------
    score : array, shape (customers,)
        The higher, the likelier to leave.
    churned : array, shape (customers,)
        Who left, of customers whom the score's model has not seen: 0 or 1, or booleans.
    success_alpha, success_beta : float, default 6.0 and 14.0
        The share of leavers that a contact keeps is beta-distributed; by default .3 on average.
    clv : float, default 200.0
        Money that a customer is worth who is kept, the same for all.
    offer_cost, contact_cost : float, default 10.0 and 1.0
        Money per offer taken up, and per contact.

    Returns
    -------
    ExpectedProfit

    Raises
    ------
    DataError
        If nobody or everybody left, the lengths or indexes differ, or a score is missing.
    CrmError
        If a parameter is out of range.

    Notes
    -----
    EMP of Verbraken, Verbeke & Baesens, IEEE Transactions on Knowledge and Data Engineering 25(5), 2013. The
    cut-offs that can be best are the corners of the score's ROC convex hull; between two of them profit is
    linear in the success rate, so the mean is a sum of beta probabilities and no integration is needed. It
    supposes that leavers are kept at the same rate wherever they stand in the ranking.

    Examples
    --------
    >>> emp = expected_maximum_profit([0.9, 0.8, 0.3, 0.1], [1, 0, 0, 0])
    >>> print(f"{emp.profit_per_customer:.2f} {emp.share_contacted:.2f}")
    14.00 0.25
    """
    same_customers(score=score, churned=churned)
    left = _outcome(churned)
    if not clv > 0:
        raise CrmError(f"clv is {clv}; give money above 0, or use expected_maximum_profit_by_value")
    return _expected(
        score, left, np.full(len(left), float(clv)), success_alpha, success_beta, offer_cost, contact_cost
    )


def expected_maximum_profit_by_value(
    score: ArrayLike,
    churned: ArrayLike,
    value: ArrayLike,
    *,
    success_alpha: float = 6.0,
    success_beta: float = 14.0,
    offer_cost: float = 10.0,
    contact_cost: float = 1.0,
) -> ExpectedProfit:
    """How much a ranking earns per customer where customers are worth different amounts.

    Not the published measure, and not to be compared with it: there, all customers are worth the same.

    Parameters
    ----------
    score : array, shape (customers,)
        Customers are contacted by it, the highest first: a risk, or better a risk times a value.
    churned : array, shape (customers,)
        As in `expected_maximum_profit`.
    value : array, shape (customers,)
        Money that each customer is worth who is kept.
    success_alpha, success_beta, offer_cost, contact_cost : float
        As in `expected_maximum_profit`.

    Returns
    -------
    ExpectedProfit

    Raises
    ------
    CrmError
        As there.

    Examples
    --------
    >>> left, value = [1, 1, 0, 0], [10.0, 400.0, 100.0, 100.0]
    >>> by_risk = expected_maximum_profit_by_value([0.9, 0.8, 0.3, 0.1], left, value)
    >>> by_money = expected_maximum_profit_by_value([9.0, 320.0, 30.0, 10.0], left, value)
    >>> by_money.profit_per_customer > by_risk.profit_per_customer
    True
    """
    same_customers(score=score, churned=churned, value=value)
    left, worth = _outcome(churned), np.asarray(value, dtype=float)
    if worth.shape != left.shape or not np.isfinite(worth).all():
        raise DataError(
            f"value has shape {worth.shape} or values that are no number; give money for each of {len(left):,}"
        )
    return _expected(score, left, worth, success_alpha, success_beta, offer_cost, contact_cost)


def _expected(
    score: ArrayLike,
    left: np.ndarray,
    value: np.ndarray,
    alpha: float,
    beta: float,
    offer_cost: float,
    contact_cost: float,
) -> ExpectedProfit:
    """The mean over the success rate of the best cut-off's profit.

    At success rate g, contacting down to a cut-off earns g·A - B: A is what could be kept among those contacted,
    B what contacts and offers to those who would stay cost.
    """
    if not (0 < alpha < np.inf and 0 < beta < np.inf):
        raise CrmError(f"success_alpha is {alpha} and success_beta {beta}; both are positive and finite")
    if not (offer_cost >= 0 and contact_cost >= 0):
        raise CrmError(f"offer_cost is {offer_cost} and contact_cost {contact_cost}; a cost is 0 or more")
    group, customers = _ranked_groups(score, left)
    kept = np.bincount(group, weights=left * (value - offer_cost))
    cost = np.bincount(group, weights=(1.0 - left) * offer_cost) + customers * contact_cost
    steps = _hull_steps(kept, cost)
    kept, cost, customers = (np.add.reduceat(one, steps) for one in (kept, cost, customers))
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.where(
            kept > 0, np.clip(cost / kept, 0.0, 1.0), 1.0
        )  # success rate from which a step pays
    pays = betaincc(alpha, beta, needed)
    mean_where_it_pays = alpha / (alpha + beta) * betaincc(alpha + 1.0, beta, needed)
    profit = float(kept @ mean_where_it_pays - cost @ pays) / len(left)
    return ExpectedProfit(profit, float(customers @ pays) / len(left))


def _ranked_groups(score: ArrayLike, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The place of each customer among the distinct scores, the highest first, and how many share each."""
    scores = np.asarray(score, dtype=float)
    if scores.shape != left.shape:
        raise DataError(
            f"score has shape {scores.shape} and churned {left.shape}; give both for the same customers"
        )
    if not np.isfinite(scores).all():
        raise DataError(
            f"score has {int((~np.isfinite(scores)).sum()):,} values that are no number; score everybody"
        )
    _, group, size = np.unique(-scores, return_inverse=True, return_counts=True)
    return group, size.astype(float)


def _hull_steps(kept: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """First group of each edge of the upper convex hull of the cumulative sums.

    Pooling neighbours until what is kept per cost falls from edge to edge is a decreasing isotonic regression.
    """
    from scipy.optimize import isotonic_regression

    weights = np.maximum(
        cost, _TINY * max(float(cost.sum()), 1.0)
    )  # a contact that costs nothing weighs next to it
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
