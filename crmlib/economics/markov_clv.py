"""Lifetime value of customers who move between states: Dwyer's migration model as a Markov chain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crmlib.economics.formula_clv import check_share
from crmlib.errors import CrmError


def recency_migration(
    repurchase_probabilities: Sequence[float],
    contribution: float,
    contact_cost: float,
    *,
    contacted: int | None = None,
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
        How many states, counted from the first, are contacted; default all. A customer who is not contacted
        does not buy, and is gone.

    Returns
    -------
    transitions : ndarray, shape (states + 1, states + 1)
    rewards : ndarray, shape (states + 1,)
        Money at the start of a period in each state.

    Raises
    ------
    CrmError
        If a probability is outside 0 to 1, or `contacted` exceeds the number of states.

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
    if not 0 < contacted <= states:
        raise CrmError(f"contacted is {contacted}; of {states} states, give 1 to {states}")
    transitions = np.zeros((states + 1, states + 1))
    transitions[contacted:, states] = 1.0
    rewards = np.zeros(states + 1)
    for state in range(contacted):
        probability = check_share(f"repurchase_probabilities[{state}]", repurchase_probabilities[state])
        transitions[state, 0] = probability
        transitions[state, state + 1] += 1.0 - probability
        rewards[state] = (contribution if state == 0 else 0.0) - contact_cost
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

    Raises
    ------
    CrmError
        If shapes do not fit, a probability is negative or a row sums to more than 1.

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
    if not discount_rate > 0:
        raise CrmError(f"discount_rate is {discount_rate}; an endless horizon needs a rate above 0")
    return np.linalg.solve(np.eye(states) - moves / (1.0 + discount_rate), money)
