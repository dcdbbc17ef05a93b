"""What a retention contact brings and costs, customer by customer: by risk, or better by measured effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from crmlib.errors import DataError

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
    risk, success = _share("p_churn", p_churn), _share("success_rate", success_rate)
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
    stay = 1.0 - change if p_stay is None else _share("p_stay", p_stay)
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
    worth, offer, contact = (
        numbers_of("value", value),
        _cost("offer_cost", offer_cost),
        _cost("contact_cost", contact_cost),
    )
    terms = np.broadcast_arrays(effect, p_stay, worth, offer, contact)
    if terms[0].ndim != 1:
        raise DataError(f"customers come in one dimension, and not in shape {terms[0].shape}; give a Series")
    return priced(pd.DataFrame(dict(zip(TERMS, terms, strict=True)), index=index))


def priced(terms: pd.DataFrame) -> pd.DataFrame:
    """Gain, cost and profit of each contact."""
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


def numbers_of(name: str, values: ArrayLike) -> np.ndarray:
    """The values as floats, or a refusal if one is missing."""
    numbers = np.asarray(values, dtype=float)
    if not np.isfinite(numbers).all():
        missing = int((~np.isfinite(numbers)).sum())
        raise DataError(
            f"{name} has {missing:,} values that are no number; leave these customers out or fill them"
        )
    return numbers


def _share(name: str, values: ArrayLike) -> np.ndarray:
    numbers = numbers_of(name, values)
    wrong = (numbers < 0) | (numbers > 1)
    if wrong.any():
        raise DataError(f"{name} has {numbers[wrong].flat[0]:g}; it is a probability, 0 to 1")
    return numbers


def _cost(name: str, values: ArrayLike) -> np.ndarray:
    numbers = numbers_of(name, values)
    if (numbers < 0).any():
        raise DataError(f"{name} has {numbers[numbers < 0].flat[0]:g}; a cost is money, 0 or more")
    return numbers
