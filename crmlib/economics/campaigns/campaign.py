"""Whom to contact: the profit curve, the best cut-off, the list within a budget and what hangs on what."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from crmlib.economics.campaigns.contact_profit import TERMS, numbers_of, priced, same_customers
from crmlib.errors import CrmError, DataError


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
    >>> from crmlib.economics import contacts_by_risk
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
    curve = pd.DataFrame(
        {"customers": last + 1, "score": ranked[last], "profit": money[:, 0], "cost": money[:, 1]}
    )
    nobody = pd.DataFrame({"customers": [0], "score": [np.inf], "profit": [0.0], "cost": [0.0]})
    curve = pd.concat([nobody, curve], ignore_index=True)
    curve.insert(0, "share_contacted", curve["customers"] / len(contacts))
    return curve


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
    >>> from crmlib.economics import contacts_by_risk
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
    >>> from crmlib.economics import contacts_by_risk
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


def campaign_sensitivity(
    contacts: pd.DataFrame, *, budget: float | None = None, wrong_by: float = 0.5
) -> pd.DataFrame:
    """How the choice moves, and what the chosen list would earn, if an assumption is wrong.

    Parameters
    ----------
    contacts : DataFrame
        Of `contacts_by_risk` or `contacts_by_effect`.
    budget : float, optional
        As in `campaign_list`.
    wrong_by : float, default 0.5
        Each of effect (the success rate), value, offer cost and contact cost is this share smaller, and larger.

    Returns
    -------
    DataFrame
        One row per assumption and truth, the base first: `assumption, truth` (times the assumed), `customers`
        (of the best list, were it known), `customers_in_both` lists, `profit_as_planned` (of the list chosen
        under the assumption, contacted in its order until the budget is spent), `profit_if_known` (of the best
        list) and `regret`, their difference (money).

    Examples
    --------
    >>> from crmlib.economics import contacts_by_risk
    >>> table = campaign_sensitivity(contacts_by_risk([0.5, 0.3, 0.2, 0.0], 100))
    >>> table.loc[table["truth"] <= 1, ["assumption", "truth", "customers", "profit_as_planned"]].round(2)
         assumption  truth  customers  profit_as_planned
    0          none    1.0          2                7.6
    1        effect    0.5          1               -3.2
    3         value    0.5          0               -4.4
    5    offer cost    0.5          3               14.8
    7  contact cost    0.5          2                8.6
    """
    if not 0 < wrong_by <= 1:
        raise CrmError(f"wrong_by is {wrong_by}; give a share above 0, at most 1, such as 0.5")
    numbered = contacts.reset_index(drop=True)
    planned = campaign_list(numbered, budget=budget).index
    named = {"effect": "effect", "value": "value", "offer_cost": "offer cost", "contact_cost": "contact cost"}
    cases = [("effect", "none", 1.0)]
    cases += [
        (column, said, factor) for column, said in named.items() for factor in (1 - wrong_by, 1 + wrong_by)
    ]
    rows = []
    for column, said, factor in cases:
        true = _as_if(numbered, column, factor)
        best = campaign_list(true, budget=budget)
        done = true.loc[planned]
        if budget is not None:  # the plan is carried out until the money is gone
            done = done[done["cost"].cumsum() <= budget * (1 + 1e-12)]
        as_planned, known = float(done["profit"].sum()), float(best["profit"].sum())
        both = len(planned.intersection(best.index))
        rows.append((said, factor, len(best), both, as_planned, known, known - as_planned))
    names = ["assumption", "truth", "customers", "customers_in_both"]
    return pd.DataFrame(rows, columns=[*names, "profit_as_planned", "profit_if_known", "regret"])


def _as_if(contacts: pd.DataFrame, column: str, factor: float) -> pd.DataFrame:
    """The same contacts with one term changed."""
    return priced(contacts[TERMS].assign(**{column: contacts[column] * factor}))
