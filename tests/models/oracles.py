"""The papers' closed forms in arithmetic of as many digits as they need, and simulation from the definitions."""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import numpy as np
import pandas as pd

History = tuple[float, float, float]
Params = dict[str, float]


def settled(closed_form: Callable[[], mp.mpf]) -> mp.mpf:
    """The value of a closed form, with digits added until more of them change nothing."""
    before = None
    for digits in (40, 80, 160, 320, 640):
        with mp.workdps(digits):
            try:
                now = closed_form()
            except (ZeroDivisionError, mp.libmp.NoConvergence, ValueError):
                continue
            if before is not None and abs(now - before) <= abs(now) * mp.mpf(10) ** -14:
                return now
            before = now
    raise ArithmeticError("the closed form does not settle")


def moved_off(value: float, pole: float) -> mp.mpf:
    """A parameter as it is, but for a removable pole of the closed form, which is approached."""
    exact = mp.mpf(float(value))
    return exact + mp.mpf(10) ** (-mp.mp.dps // 3) if exact == pole else exact


# -- BG/NBD (Fader, Hardie & Lee 2005) and, with a chance to drop out at the start, MBG/NBD (Batislam et al. 2007)


def beta_geo_likelihood(history: History, params: Params, at_start: int = 0) -> mp.mpf:
    """Equation 6 of the paper, as a sum of the likelihood of being alive and of having dropped out."""

    def value() -> mp.mpf:
        x, t_x, age = map(mp.mpf, map(float, history))
        r, alpha, a, b = (mp.mpf(float(params[one])) for one in ("r", "alpha", "a", "b"))
        met = x + at_start
        common = mp.gammaprod([r + x], [r]) * alpha**r
        alive = mp.beta(a, b + met) / mp.beta(a, b) * (alpha + age) ** -(r + x)
        dead = mp.mpf(0)
        if met > 0:
            dead = mp.beta(a + 1, b + met - 1) / mp.beta(a, b) * (alpha + t_x) ** -(r + x)
        return common * (alive + dead)

    return settled(value)


def beta_geo_alive(history: History, params: Params, at_start: int = 0) -> mp.mpf:
    """P(alive): the share of the likelihood that belongs to being alive."""
    x, t_x, age = map(float, history)
    if x + at_start == 0:
        return mp.mpf(1)

    def value() -> mp.mpf:
        r, alpha, a, b = (mp.mpf(float(params[one])) for one in ("r", "alpha", "a", "b"))
        growth = ((alpha + mp.mpf(age)) / (alpha + mp.mpf(t_x))) ** (r + mp.mpf(x))
        return 1 / (1 + a / (b + mp.mpf(x) + at_start - 1) * growth)

    return settled(value)


def beta_geo_purchases(history: History, t: float, params: Params, at_start: int = 0) -> mp.mpf:
    """Equation 10 of the paper: expected purchases within t, with 2F1."""
    x, _, age = map(float, history)

    def value() -> mp.mpf:
        r, alpha, b = (mp.mpf(float(params[one])) for one in ("r", "alpha", "b"))
        a = moved_off(params["a"], 1)
        rate, survived = r + mp.mpf(x), b + mp.mpf(x) + at_start
        z = mp.mpf(t) / (alpha + mp.mpf(age) + mp.mpf(t))
        c = a + survived - 1
        return c / (a - 1) * (1 - (1 - z) ** rate * mp.hyp2f1(rate, survived, c, z))

    return beta_geo_alive(history, params, at_start) * settled(value)


def beta_geo_rate(history: History, u: mp.mpf, params: Params, at_start: int = 0) -> mp.mpf:
    """Expected purchases per unit of time, u from now, of a customer who is alive now."""
    x, _, age = map(float, history)
    r, alpha, a, b = (mp.mpf(float(params[one])) for one in ("r", "alpha", "a", "b"))
    rate, scale, survived = r + mp.mpf(x), alpha + mp.mpf(age), b + mp.mpf(x) + at_start
    return rate / scale * mp.hyp2f1(rate + 1, a, a + survived, -u / scale)


def beta_geo_pmf(n: int, history: History, t: float, params: Params, at_start: int = 0) -> mp.mpf:
    """P(n purchases within t): by Poisson purchases, of which the first fatal one is the last."""
    x, _, age = map(float, history)

    def value() -> mp.mpf:
        r, alpha, a, b = (mp.mpf(float(params[one])) for one in ("r", "alpha", "a", "b"))
        rate, survived = r + mp.mpf(x), b + mp.mpf(x) + at_start
        z = mp.mpf(t) / (alpha + mp.mpf(age) + mp.mpf(t))
        wished = [mp.rf(rate, k) / mp.factorial(k) * z**k * (1 - z) ** rate for k in range(n + 1)]
        stay = mp.beta(a, survived + n) / mp.beta(a, survived)
        if n == 0:
            return wished[0]
        fatal = mp.beta(a + 1, survived + n - 1) / mp.beta(a, survived)
        return stay * wished[n] + fatal * (1 - mp.fsum(wished[:n]))

    alive = beta_geo_alive(history, params, at_start)
    return alive * settled(value) + (1 - alive if n == 0 else 0)


# -- Pareto/NBD (Schmittlein, Morrison & Colombo 1987, as derived by Fader & Hardie 2005) ------------------------


def pareto_nbd_terms(history: History, params: Params) -> tuple[mp.mpf, mp.mpf]:
    """The likelihood's parts for being alive and for having dropped out, the latter by two 2F1."""

    def parts() -> tuple[mp.mpf, mp.mpf]:
        x, t_x, age = map(mp.mpf, map(float, history))
        r, alpha, s, beta = (mp.mpf(float(params[one])) for one in ("r", "alpha", "s", "beta"))
        total, high, low = r + s + x, max(alpha, beta), min(alpha, beta)
        second = s + 1 if alpha >= beta else r + x

        def term(time: mp.mpf) -> mp.mpf:
            z = (high - low) / (high + time)
            return mp.hyp2f1(total, second, total + 1, z) / (high + time) ** total

        common = mp.gammaprod([r + x], [r]) * alpha**r * beta**s
        alive = common * (alpha + age) ** -(r + x) * (beta + age) ** -s
        return alive, common * s / total * (term(t_x) - term(age))

    alive = settled(lambda: parts()[0])
    dead = settled(lambda: parts()[1]) if history[2] > history[1] else mp.mpf(0)
    return alive, dead


def pareto_nbd_likelihood(history: History, params: Params) -> mp.mpf:
    """The likelihood of one history."""
    return mp.fsum(pareto_nbd_terms(history, params))


def pareto_nbd_alive(history: History, params: Params) -> mp.mpf:
    """P(alive)."""
    alive, dead = pareto_nbd_terms(history, params)
    return alive / (alive + dead)


def pareto_nbd_purchases(history: History, t: float, params: Params) -> mp.mpf:
    """Expected purchases within t."""
    x, _, age = map(float, history)

    def value() -> mp.mpf:
        r, alpha, beta = (mp.mpf(float(params[one])) for one in ("r", "alpha", "beta"))
        s = moved_off(params["s"], 1)
        scale = beta + mp.mpf(age)
        growth = (scale / (scale + mp.mpf(t))) ** (s - 1)
        return (r + mp.mpf(x)) / (alpha + mp.mpf(age)) * scale / (s - 1) * (1 - growth)

    return pareto_nbd_alive(history, params) * settled(value)


def pareto_nbd_rate(history: History, u: mp.mpf, params: Params) -> mp.mpf:
    """Expected purchases per unit of time, u from now, of a customer who is alive now."""
    x, _, age = map(float, history)
    r, alpha, s, beta = (mp.mpf(float(params[one])) for one in ("r", "alpha", "s", "beta"))
    return (r + x) / (alpha + age) * (1 + u / (beta + age)) ** -s


def pareto_nbd_pmf(n: int, history: History, t: float, params: Params) -> mp.mpf:
    """P(n purchases within t): alive all the time, or dropped out at some u and n purchases before."""
    x, _, age = map(float, history)
    r, alpha, s, beta = (mp.mpf(float(params[one])) for one in ("r", "alpha", "s", "beta"))
    rate, scale, ages = r + mp.mpf(x), alpha + mp.mpf(age), beta + mp.mpf(age)

    def wished(u: mp.mpf) -> mp.mpf:
        z = u / (scale + u)
        return mp.rf(rate, n) / mp.factorial(n) * z**n * (1 - z) ** rate

    def dropout(u: mp.mpf) -> mp.mpf:
        return s / ages * (1 + u / ages) ** -(s + 1)

    end = mp.mpf(t)
    with mp.workdps(25):
        cuts = [mp.mpf(0), *(end * mp.mpf(2) ** -k for k in range(30, -1, -1))]
        within = mp.quad(lambda u: wished(u) * dropout(u), cuts)
    alive = pareto_nbd_alive(history, params)
    value = alive * (wished(end) * (1 + end / ages) ** -s + within)
    return value + (1 - alive if n == 0 else 0)


def discounted(rate: Callable[[mp.mpf], mp.mpf], horizon: float, discount_rate: float) -> mp.mpf:
    """The integral of exp(−δu) over a purchase rate, over pieces that halve towards 0."""
    end = mp.mpf(horizon)
    cuts = [mp.mpf(0), *(end * mp.mpf(2) ** -k for k in range(30, -1, -1))]
    with mp.workdps(20):
        return mp.quad(lambda u: mp.exp(-discount_rate * u) * rate(u), cuts)


# -- simulation ------------------------------------------------------------------------------------------------


def simulate(
    model: str, params: Params, n: int, length: float, seed: int, all_aged: bool = False
) -> pd.DataFrame:
    """Customers who bought and dropped out as the model ("bg", "mbg" or "pareto") says.

    They were acquired evenly over the first half of the period, or all at its start.
    """
    random = np.random.default_rng(seed)
    age = np.full(n, length) if all_aged else random.uniform(length / 2, length, n)
    rate = random.gamma(params["r"], 1 / params["alpha"], n)
    if model == "pareto":
        until = np.minimum(age, random.exponential(size=n) / random.gamma(params["s"], 1 / params["beta"], n))
        most = np.full(n, np.inf)
    else:
        fatal = np.log(random.random(n)) / np.log1p(-random.beta(params["a"], params["b"], n))
        most = np.floor(fatal) + (model == "bg")
        until = age
    wished = random.poisson(rate * until)
    x = np.minimum(wished, most)
    # Given their number, purchases are uniform over the time: the x-th of `wished` is a scaled beta variable.
    last = random.beta(np.maximum(x, 1), np.maximum(wished - x + 1, 1)) * until
    return pd.DataFrame({"frequency": x, "recency": np.where(x > 0, last, 0.0), "T": age})


def sample_spend(model, data, purchases, random_state):
    """Draws of each customer's total spend on numbers of purchases (draws, customers), by a Gamma-Gamma model."""
    random, params = np.random.default_rng(random_state), model.params_
    x, k = data["frequency"].to_numpy(float), np.asarray(purchases, dtype=float)
    total = params["v"] + x * np.where(x > 0, data["monetary_value"], 0.0)
    rate = random.gamma(np.broadcast_to(params["p"] * x + params["q"], k.shape)) / total
    return np.where(k > 0, random.gamma(params["p"] * np.maximum(k, 1.0)) / rate, 0.0)
