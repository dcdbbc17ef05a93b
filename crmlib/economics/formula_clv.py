"""Lifetime value by formula: constant retention, and customers who move between states (a Markov chain)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from crmlib.arguments import check_choice, check_range, check_share
from crmlib.errors import CrmError


def simple_clv(
    contribution: float,
    retention_rate: float,
    discount_rate: float,
    *,
    timing: str,
    growth_rate: float = 0.0,
) -> float:
    """What a customer is worth at constant retention, under a named timing convention.

    Parameters
    ----------
    contribution : float
        The first margin, in money per period.
    retention_rate : float
        Share of customers who stay from one period to the next, 0 to 1.
    discount_rate : float
        Per period, such as 0.10; at least 0.
    timing : {"next_period_if_retained", "next_period_certain", "now"}
        When the first margin arrives: at the end of the first period if the customer is still there, then in any
        case, or at once with the acquisition. No default: the answer depends on it.
    growth_rate : float, default 0
        Growth of the margin from one period to the next.

    Returns
    -------
    float
        Present value without acquisition cost: the sum over an endless horizon.

    Raises
    ------
    CrmError
        If a rate is out of range, or the sum has no limit because the margin of those who stay outgrows
        the discounting.

    Notes
    -----
    Gupta & Lehmann, "Customers as assets" (2003). With ``d = 1 + i - r (1 + g)`` the three conventions
    are ``m r / d``, ``m / d`` and ``m (1 + i) / d``.

    Examples
    --------
    >>> round(simple_clv(100, 0.8, 0.1, timing="now"), 2)
    366.67
    """
    check_range("contribution", contribution, "a finite amount of money")
    check_share("retention_rate", retention_rate)
    check_range("discount_rate", discount_rate, "a rate per period, 0 or more (10 % is 0.10)", least=0)
    check_range("growth_rate", growth_rate, "a rate per period above -1, such as 0.02", above=-1)
    left = 1.0 + discount_rate - retention_rate * (1.0 + growth_rate)
    if not left > 0:
        raise CrmError(
            f"retention_rate {retention_rate}, growth_rate {growth_rate} and discount_rate {discount_rate} "
            "give an infinite value: margins outgrow the discounting; lower one or use a finite horizon"
        )
    return float(contribution * first_margin(timing, retention_rate, discount_rate) / left)


def first_margin(timing: str, retention_rate: ArrayLike, discount_rate: float) -> np.ndarray:
    """The first margin's weight in `simple_clv`, one period from now, under a named timing convention."""
    weights = {
        "next_period_if_retained": retention_rate,
        "next_period_certain": 1.0,
        "now": 1.0 + discount_rate,
    }
    check_choice("timing", timing, weights)
    return np.asarray(weights[timing], dtype=float)


def recency_migration(
    repurchase_probabilities: Sequence[float] | np.ndarray,
    contribution: float,
    contact_cost: float,
    *,
    contacted: int | None = None,
    uncontacted: Sequence[float] | np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The transition matrix and rewards of customers who move by periods since their last purchase.

    State 1 has just bought; state k last bought k - 1 periods earlier; the last state is gone for good.

    Parameters
    ----------
    repurchase_probabilities : sequence of float
        For each state but the last, the probability of a purchase in the coming period.
    contribution, contact_cost : float
        Money per purchase, and per contact.
    contacted : int, optional
        How many states, counted from the first, are contacted; default all.
    uncontacted : sequence of float, optional
        The probabilities of those who are not contacted. Without them, who is not contacted does not buy, and is gone.

    Returns
    -------
    transitions : ndarray, shape (states + 1, states + 1)
    rewards : ndarray, shape (states + 1,)
        Money at the start of a period in each state.

    Notes
    -----
    Dwyer (1989, reprinted 1997), as a Markov chain by Pfeifer & Carraway, Journal of Interactive Marketing
    14(2), 2000.

    Examples
    --------
    >>> transitions, rewards = recency_migration([0.3, 0.2], 40, 4)
    >>> transitions.tolist()
    [[0.3, 0.7, 0.0], [0.2, 0.0, 0.8], [0.0, 0.0, 1.0]]
    >>> rewards.tolist()
    [36.0, -4.0, 0.0]
    """
    states = len(repurchase_probabilities)
    contacted = states if contacted is None else contacted
    check_range("contacted", contacted, f"0 to {states}, the number of states", least=0, most=states)
    transitions = np.zeros((states + 1, states + 1))
    transitions[states, states] = 1.0
    rewards = np.zeros(states + 1)
    rewards[0] = contribution
    rewards[:contacted] -= contact_cost
    for state in range(states):
        known = repurchase_probabilities if state < contacted else uncontacted
        if known is None:
            transitions[state, states] = 1.0
            continue
        check_share(f"repurchase_probabilities[{state}]", known[state])
        transitions[state, 0] = known[state]
        transitions[state, state + 1] += 1.0 - known[state]
    return transitions, rewards


def markov_value(transitions: np.ndarray, rewards: np.ndarray, discount_rate: float) -> np.ndarray:
    """What a customer is worth in each state of a Markov chain: V = (I - P / (1 + d))^-1 R.

    Timing: the reward of the present state arrives now, at the start of the period; the horizon is endless.

    Parameters
    ----------
    transitions : array, shape (states, states)
        Probabilities of moving from row to column in a period; rows sum to 1 (less if customers leave).
    rewards : array, shape (states,)
        Money at the start of a period in each state.
    discount_rate : float
        Per period, above 0.

    Returns
    -------
    ndarray, shape (states,)

    Notes
    -----
    Pfeifer & Carraway, "Modeling customer relationships as Markov chains", Journal of Interactive Marketing
    14(2), 2000.

    Examples
    --------
    >>> transitions, rewards = recency_migration([0.30, 0.20, 0.15, 0.05], 40, 4)
    >>> (markov_value(transitions, rewards, 0.2).round(3) + 0.0).tolist()
    [52.32, 5.554, 1.251, -1.82, 0.0]
    """
    moves, money = np.asarray(transitions, dtype=float), np.asarray(rewards, dtype=float)
    states = len(money)
    if moves.shape != (states, states):
        raise CrmError(f"transitions has shape {moves.shape} and rewards {states} states; they must agree")
    wrong = ~(moves >= 0).all(axis=1) | (moves.sum(axis=1) > 1 + 1e-9)
    if wrong.any():
        raise CrmError(
            f"transitions row {int(np.flatnonzero(wrong)[0])} holds a negative probability, no number, "
            "or sums to more than 1; each row is the distribution of the next state"
        )
    check_range("discount_rate", discount_rate, "a rate above 0, for an endless horizon", above=0)
    return np.linalg.solve(np.eye(states) - moves / (1.0 + discount_rate), money)
