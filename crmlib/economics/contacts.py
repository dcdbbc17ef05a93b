"""Profit of contacts: how many pay, the list within a budget, and the value of a ranking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import betaincc

from crmlib.arguments import check_range
from crmlib.economics.sentences import best_cut_off_in_words
from crmlib.errors import DataError
from crmlib.findings import with_finding


def contacts_by_risk(
    p_churn: ArrayLike,
    value: ArrayLike,
    *,
    success_rate: float = 0.3,
    offer_cost: float = 10.0,
    contact_cost: float = 1.0,
) -> pd.DataFrame:
    """What contacting each customer brings if a known share of those who would leave can be kept.

    Who would leave is kept at the success rate and then takes the offer; who would stay takes it as well.

    Parameters
    ----------
    p_churn : Series or array, shape (customers,)
        Probability of leaving, 0 to 1; or, to judge a list afterwards, who left (0 or 1).
    value : Series, array or float
        Money that a customer who is kept is worth, such as lifetime value.
    success_rate : float, default 0.3
        Share of those who would leave that the contact keeps.
    offer_cost, contact_cost : float
        Money per offer taken up, and per contact.

    Returns
    -------
    DataFrame
        One row per customer, indexed as `p_churn`: `effect` (probability that the contact keeps the customer),
        `p_stay` (that they stay without it), `value, offer_cost, contact_cost`, and per contact the expected
        `gain` (effect times value), `cost` and `profit` (gain less cost), money.

    Notes
    -----
    Neslin, Gupta, Kamakura, Lu & Mason, Journal of Marketing Research 43(2), 2006.

    Examples
    --------
    >>> contacts_by_risk(pd.Series([0.5, 0.0]), 200)[["gain", "cost", "profit"]]
       gain  cost  profit
    0  30.0   7.5    22.5
    1   0.0  11.0   -11.0
    """
    risk, success = numbers_of("p_churn", p_churn, 0, 1), numbers_of("success_rate", success_rate, 0, 1)
    index = same_customers(p_churn=p_churn, value=value)
    return _contacts(risk * success, 1.0 - risk, value, offer_cost, contact_cost, index)


def contacts_by_effect(
    effect: ArrayLike,
    value: ArrayLike,
    *,
    offer_cost: float = 10.0,
    contact_cost: float = 1.0,
    p_stay: ArrayLike | None = None,
) -> pd.DataFrame:
    """What contacting each customer brings if the difference that it makes to each is known; as `contacts_by_risk`.

    The effect is a change of the outcome, of staying or of spend, and may be negative; `value` is money per unit of
    it. Without `p_stay` everyone who is contacted takes the offer. Ascarza, "Retention futility", Journal of
    Marketing Research 55(1), 2018.
    """
    change = numbers_of("effect", effect)
    stay = 1.0 - change if p_stay is None else numbers_of("p_stay", p_stay, 0, 1)
    index = same_customers(effect=effect, value=value, p_stay=p_stay)
    return _contacts(change, stay, value, offer_cost, contact_cost, index)


def _contacts(
    effect: np.ndarray,
    p_stay: np.ndarray,
    value: ArrayLike,
    offer_cost: float,
    contact_cost: float,
    index: pd.Index | None,
) -> pd.DataFrame:
    terms = pd.DataFrame({"effect": effect, "p_stay": p_stay}, index=index).assign(
        value=numbers_of("value", value),
        offer_cost=numbers_of("offer_cost", offer_cost, 0),
        contact_cost=numbers_of("contact_cost", contact_cost, 0),
    )
    gain = terms["effect"] * terms["value"]
    # The offer goes to those who would have stayed and to those who were kept.
    cost = terms["contact_cost"] + terms["offer_cost"] * (terms["p_stay"] + terms["effect"]).clip(0.0, 1.0)
    return terms.assign(gain=gain, cost=cost, profit=gain - cost)


def same_customers(**values: ArrayLike | None) -> pd.Index | None:
    """The index that all series among the values have, or a refusal: they would be matched by place."""
    indexes = [(name, series.index) for name, series in values.items() if isinstance(series, pd.Series)]
    for name, index in indexes[1:]:
        if not index.equals(indexes[0][1]):
            raise DataError(
                f"{indexes[0][0]} and {name} have different indexes; give both for the same customers in one order"
            )
    return indexes[0][1] if indexes else None


def numbers_of(name: str, values: ArrayLike, least: float = -np.inf, most: float = np.inf) -> np.ndarray:
    """The values as floats, or a refusal if one is missing or out of range."""
    numbers = np.asarray(values, dtype=float)
    if missing := int((~np.isfinite(numbers)).sum()):
        raise DataError(
            f"{name} has {missing:,} values that are no number; leave these customers out or fill them"
        )
    wrong = (numbers < least) | (numbers > most)
    if wrong.any():
        allowed = f"{least:g} to {most:g}" if np.isfinite(most) else f"{least:g} or more"
        raise DataError(f"{name} has {numbers[wrong].flat[0]:g}; allowed: {allowed}")
    return numbers


def profit_curve(contacts: pd.DataFrame, *, by: ArrayLike) -> pd.DataFrame:
    """How much the campaign earns as more and more customers are contacted, the highest score `by` first.

    `contacts` has `profit` and `cost` per contact; made of outcomes, it is the profit that came about.

    Returns
    -------
    DataFrame
        One row per possible cut-off, nobody first: `share_contacted`, `customers`, `score` (the lowest that is
        contacted), `profit` and `cost` (money, of all contacted), `behind_error` (standard error of the profit here
        less that at the best cut-off). Equal scores are contacted together.

    Examples
    --------
    >>> contacts = contacts_by_risk([0.5, 0.3, 0.0], 200)
    >>> profit_curve(contacts, by=contacts["profit"])[["share_contacted", "profit"]].round(2).values.tolist()
    [[0.0, 0.0], [0.33, 22.5], [0.67, 31.6], [1.0, 20.6]]
    """
    same_customers(contacts=contacts["profit"], by=by)
    score = numbers_of("by", by)
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))  # of each group of equals
    money = contacts[["profit", "cost"]].to_numpy(dtype=float)[order].cumsum(axis=0)[last]
    assert np.allclose(money[-1], contacts[["profit", "cost"]].sum()), "money was lost on the way"
    money = np.vstack([np.zeros(2), money])
    customers, lowest = np.append(0, last + 1), np.append(np.inf, ranked[last])
    columns = {"share_contacted": customers / len(contacts), "customers": customers, "score": lowest}
    curve = pd.DataFrame({**columns, "profit": money[:, 0], "cost": money[:, 1]})
    squares = np.append(0.0, (contacts["profit"].to_numpy(dtype=float)[order] ** 2).cumsum()[last])
    best = int(money[:, 0].argmax())
    between = np.abs(squares - squares[best]) - (money[:, 0] - money[best, 0]) ** 2 / len(contacts)
    curve["behind_error"] = np.sqrt(np.maximum(between, 0.0))
    return with_finding(curve, best_cut_off_in_words)


def campaign_list(contacts: pd.DataFrame, *, budget: float | None = None) -> pd.DataFrame:
    """Which customers to contact, within an optional budget (expected cost of contacts and offers).

    Returns
    -------
    DataFrame
        The rows of `contacts` that pay, those that earn most per unit of cost first, with `profit_so_far` and
        `cost_so_far`. The list ends before the first customer whom the budget does not cover; no other list
        within the budget earns more than this one and that customer.

    Notes
    -----
    Ratio order with a cut is the linear relaxation of the knapsack problem (Dantzig, Operations Research 5(2),
    1957).

    Examples
    --------
    >>> contacts = contacts_by_risk(pd.Series([0.5, 0.3, 0.0], index=["a", "b", "c"]), 200)
    >>> list(campaign_list(contacts).index), list(campaign_list(contacts, budget=10).index)
    (['a', 'b'], ['a'])
    """
    check_range("budget", budget, "money, 0 or more, or None for no limit", least=0)
    paying = contacts[contacts["profit"] > 0]
    cost = paying["cost"].to_numpy(dtype=float)
    with np.errstate(divide="ignore"):
        order = np.argsort(-paying["profit"].to_numpy(dtype=float) / cost, kind="stable")
    spent = np.cumsum(cost[order])
    kept = order if budget is None else order[: np.searchsorted(spent, budget * (1 + 1e-12), side="right")]
    chosen = paying.iloc[kept]
    return chosen.assign(profit_so_far=chosen["profit"].cumsum(), cost_so_far=chosen["cost"].cumsum())


@dataclass(frozen=True)
class ExpectedProfit:
    """What a score earns on average over the success rates that are possible.

    `profit_per_customer` is money per customer of the base, contacted or not, if the cut-off is the best for each
    success rate; `share_contacted` the share of customers that is contacted then, on average.
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
        Money that a customer is worth who is kept: the same for all in the published measure.
    offer_cost, contact_cost : float, default 10.0 and 1.0
        Money per offer taken up, and per contact.

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
    left, scores = numbers_of("churned", churned, 0, 1), numbers_of("score", score)
    if not 0 < left.sum() < len(left):
        raise DataError(
            f"churned has {int(left.sum()):,} of {len(left):,} customers leaving; a ranking needs both kinds"
        )
    value, alpha, beta = numbers_of("clv", clv), success_alpha, success_beta
    _, group, customers = np.unique(-scores, return_inverse=True, return_counts=True)  # equal scores together
    kept = np.bincount(group, weights=left * (value - offer_cost))
    cost = np.bincount(group, weights=(1.0 - left) * offer_cost) + customers * contact_cost
    steps = _hull_steps(kept, cost)
    kept, cost, customers = (np.add.reduceat(column, steps) for column in (kept, cost, customers))
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
