"""What a contact brings and costs, how many contacts pay, and the list within a budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from crmlib.economics.sentences import best_cut_off_in_words
from crmlib.errors import CrmError, DataError
from crmlib.findings import with_finding

TERMS = ["effect", "p_stay", "value", "offer_cost", "contact_cost"]


def contacts_by_risk(
    p_churn: ArrayLike,
    value: ArrayLike,
    *,
    success_rate: ArrayLike = 0.3,
    offer_cost: ArrayLike = 10.0,
    contact_cost: ArrayLike = 1.0,
) -> pd.DataFrame:
    """What contacting each customer brings if a known share of those who would leave can be kept.

    Who would leave is kept at the success rate and then takes the offer; who would stay takes it as well.
    Where an experiment has been run, use `contacts_by_effect`: those at risk are not those who respond.

    Parameters
    ----------
    p_churn : Series or array, shape (customers,)
        Probability of leaving, 0 to 1; or, to judge a list afterwards, who left (0 or 1).
    value : Series, array or float
        Money that a customer who is kept is worth, such as lifetime value.
    success_rate : float, default 0.3
        Share of those who would leave that the contact keeps.
    offer_cost : float, default 10.0
        Money per offer taken up.
    contact_cost : float, default 1.0
        Money per contact.

    Returns
    -------
    DataFrame
        One row per customer, indexed as `p_churn`: `effect` (probability that the contact keeps the customer),
        `p_stay` (that they stay without it), `value, offer_cost, contact_cost`, and per contact the expected
        `gain` (effect times value), `cost` and `profit` (gain less cost), money.

    Raises
    ------
    DataError
        If a value is missing, a probability is outside 0 to 1, a cost below 0, or two series have different
        indexes.

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
    index = same_customers(p_churn=p_churn, value=value, success_rate=success_rate)
    return _contacts(risk * success, 1.0 - risk, value, offer_cost, contact_cost, index)


def contacts_by_effect(
    effect: ArrayLike,
    value: ArrayLike,
    *,
    offer_cost: ArrayLike = 10.0,
    contact_cost: ArrayLike = 1.0,
    p_stay: ArrayLike | None = None,
) -> pd.DataFrame:
    """What contacting each customer brings if the difference that it makes to each is known.

    Parameters
    ----------
    effect : Series or array, shape (customers,)
        Change of the outcome by the contact, of an experiment: of the probability of staying, or of spend.
        May be negative: some are woken up.
    value : Series, array or float
        Money per unit of the outcome: lifetime value for staying, the margin for spend.
    offer_cost, contact_cost
        As in `contacts_by_risk`.
    p_stay : Series or array, optional
        Probability of staying, and so of taking the offer, without the contact; without it, everyone who is
        contacted takes the offer.

    Returns
    -------
    DataFrame
        As `contacts_by_risk`.

    Raises
    ------
    DataError
        As there.

    Notes
    -----
    Ascarza, "Retention futility", Journal of Marketing Research 55(1), 2018.

    Examples
    --------
    >>> contacts_by_effect(pd.Series([0.2, -0.1]), 200, p_stay=0.5)[["gain", "cost", "profit"]]
       gain  cost  profit
    0  40.0   8.0    32.0
    1 -20.0   5.0   -25.0
    """
    change = numbers_of("effect", effect)
    stay = 1.0 - change if p_stay is None else numbers_of("p_stay", p_stay, 0, 1)
    index = same_customers(effect=effect, value=value, p_stay=p_stay)
    return _contacts(change, stay, value, offer_cost, contact_cost, index)


def _contacts(
    effect: np.ndarray,
    p_stay: np.ndarray,
    value: ArrayLike,
    offer_cost: ArrayLike,
    contact_cost: ArrayLike,
    index: pd.Index | None,
) -> pd.DataFrame:
    money = numbers_of("value", value)
    costs = numbers_of("offer_cost", offer_cost, 0), numbers_of("contact_cost", contact_cost, 0)
    columns = np.broadcast_arrays(effect, p_stay, money, *costs)
    if columns[0].ndim != 1:
        raise DataError(
            f"customers come in one dimension, and not in shape {columns[0].shape}; give a Series"
        )
    terms = pd.DataFrame(dict(zip(TERMS, columns, strict=True)), index=index)
    gain = terms["effect"] * terms["value"]
    # The offer goes to those who would have stayed and to those who were kept.
    cost = terms["contact_cost"] + terms["offer_cost"] * (terms["p_stay"] + terms["effect"]).clip(0.0, 1.0)
    return terms.assign(gain=gain, cost=cost, profit=gain - cost)


def same_customers(**values: ArrayLike | None) -> pd.Index | None:
    """The index that all series among the values have, or a refusal: they would be matched by place."""
    indexes = [(name, one.index) for name, one in values.items() if isinstance(one, pd.Series)]
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


def profit_curve(contacts: pd.DataFrame, *, by: ArrayLike | None = None) -> pd.DataFrame:
    """How much the campaign earns as more and more customers are contacted.

    Parameters
    ----------
    contacts : DataFrame
        `profit` and `cost` per contact, one row per customer, such as of `contacts_by_risk`; made of outcomes
        and not of predictions, it is the profit that came about.
    by : Series or array, optional
        Score to contact customers by, the highest first; the expected profit itself by default.

    Returns
    -------
    DataFrame
        One row per possible cut-off, nobody first: `share_contacted`, `customers`, `score` (the lowest that is
        contacted), `profit` and `cost` (money, of all contacted). Equal scores are contacted together.

    Raises
    ------
    DataError
        If there is no customer, a score is missing, or scores have another index than contacts.

    Examples
    --------
    >>> contacts = contacts_by_risk([0.5, 0.3, 0.0], 200)
    >>> profit_curve(contacts)[["share_contacted", "profit"]].round(2)
       share_contacted  profit
    0             0.00     0.0
    1             0.33    22.5
    2             0.67    31.6
    3             1.00    20.6
    """
    if contacts.empty:
        raise DataError("contacts has no row; give one customer at least")
    same_customers(contacts=contacts["profit"], by=by)
    score = numbers_of("by", contacts["profit"] if by is None else by)
    if score.shape != (len(contacts),):
        raise DataError(
            f"by has shape {score.shape} and contacts {len(contacts):,} rows; give one score each"
        )
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))  # of each group of equals
    money = contacts[["profit", "cost"]].to_numpy(dtype=float)[order].cumsum(axis=0)[last]
    assert np.allclose(money[-1], contacts[["profit", "cost"]].sum()), "money was lost on the way"
    money = np.vstack([np.zeros(2), money])
    customers, lowest = np.append(0, last + 1), np.append(np.inf, ranked[last])
    columns = {"share_contacted": customers / len(contacts), "customers": customers, "score": lowest}
    curve = pd.DataFrame({**columns, "profit": money[:, 0], "cost": money[:, 1]})
    return with_finding(curve, best_cut_off_in_words)


def best_cut_off(curve: pd.DataFrame) -> pd.Series:
    """How many customers to contact: the row of a profit curve with the most profit.

    Parameters
    ----------
    curve : DataFrame
        Of `profit_curve`.

    Returns
    -------
    Series
        `share_contacted, customers, score, profit, cost`; the fewest customers where several cut-offs earn
        the same, and nobody where no contact pays.

    Examples
    --------
    >>> best_cut_off(profit_curve(contacts_by_risk([0.5, 0.3, 0.0], 200)))["share_contacted"].round(3)
    np.float64(0.667)
    """
    return curve.loc[curve["profit"].idxmax()].rename("best cut-off")


def campaign_list(contacts: pd.DataFrame, *, budget: float | None = None) -> pd.DataFrame:
    """Which customers to contact, within a budget if there is one.

    Parameters
    ----------
    contacts : DataFrame
        Of `contacts_by_risk` or `contacts_by_effect`.
    budget : float, optional
        Money that contacts and offers may be expected to cost.

    Returns
    -------
    DataFrame
        The rows of `contacts` that pay, those that earn most per unit of cost first, with `profit_so_far` and
        `cost_so_far`. The list ends before the first customer whom the budget does not cover; no other list
        within the budget earns more than this one and that customer.

    Raises
    ------
    CrmError
        If the budget is below 0.

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
    if budget is not None and not budget >= 0:
        raise CrmError(f"budget is {budget}; give money, 0 or more, or None for no limit")
    paying = contacts[contacts["profit"] > 0]
    cost = paying["cost"].to_numpy(dtype=float)
    with np.errstate(divide="ignore"):
        order = np.argsort(-paying["profit"].to_numpy(dtype=float) / cost, kind="stable")
    spent = np.cumsum(cost[order])
    kept = order if budget is None else order[: np.searchsorted(spent, budget * (1 + 1e-12), side="right")]
    chosen = paying.iloc[kept]
    return chosen.assign(profit_so_far=chosen["profit"].cumsum(), cost_so_far=chosen["cost"].cumsum())
