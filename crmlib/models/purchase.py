"""The predictions of all models of repeat purchases, computed once per unique history."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from crmlib.arguments import check_range
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.findings import with_finding
from crmlib.models._histories import Histories, distinct_pairs, read_histories, refuse_unidentified
from crmlib.models._inference import Array, LogLikelihood
from crmlib.models._special import expit
from crmlib.models.scoring import HistoryModel
from crmlib.models.sentences import p_alive_by_history, purchases_by_history
from crmlib.progress import progress


@dataclass(frozen=True)
class HistoryGrids:
    """Grids by frequency (index) and recency (columns, in the model's unit); nan where no customer can be.

    `age` is that of all these customers, `horizon` what purchases are expected within, in words.
    """

    p_alive: pd.DataFrame
    expected_purchases: pd.DataFrame
    age: float
    horizon: str


SAMPLE = 10_000  # customers on whom the starts are tried, where distinct histories are more than three times as many


class PurchaseModel(HistoryModel):
    """A model in which customers buy at their own rate until they silently drop out.

    Data are frames with a row per customer and the columns `frequency` (number of repeat purchases),
    `recency` (age at the last purchase) and `T` (age now), as `crmlib.rfm_summary` makes them; to `fit`, a
    column `weight` may say how many customers a row stands for. Lengths of time are numbers in the model's
    unit of time or texts such as "12M".
    """

    def fit(self, data: pd.DataFrame) -> Self:
        """Estimate the parameters by maximum likelihood.

        Parameters
        ----------
        data : DataFrame
            Columns `frequency`, `recency`, `T`; optionally `weight` and `customer_id`.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If a row holds what no purchase history can be, or a customer is there twice.
        FitError
            If the data cannot identify the parameters.
        """
        unit = self._unit_of(data)
        histories = read_histories(data, weighted=True)
        refuse_unidentified(histories)
        self.time_unit_ = unit
        sample = None
        if len(histories.weight) > 3 * SAMPLE:
            sample = self._log_likelihood(histories.sample(SAMPLE)), float(SAMPLE)
        total = histories.weight.sum()
        with progress(f"{self.name} is fitted"):
            self._estimate(self._log_likelihood(histories), self._starts(histories), total, sample)
        return self

    def expected_purchases(self, data: pd.DataFrame, future_t: float | str) -> pd.Series:
        """How many purchases each customer is expected to make in the next `future_t`.

        Parameters
        ----------
        data : DataFrame
            Columns `frequency`, `recency`, `T`.
        future_t : float or str
            A number in the model's unit of time, or a text such as "12M".

        Returns
        -------
        Series
            Aligned with `data`.
        """
        return self._score(data, "expected_purchases", self._expected(self._periods(future_t)))

    def expected_purchases_discounted(
        self, data: pd.DataFrame, future_t: float | str, discount_rate: float
    ) -> pd.Series:
        """What each customer's purchases in the next `future_t` are worth today, in purchases.

        The expected rate of purchases u from now counts exp(−discount_rate · u).

        Parameters
        ----------
        data, future_t
            As in `expected_purchases`.
        discount_rate : float
            Continuously compounded, per unit of the model's time.

        Returns
        -------
        Series
            Aligned with `data`.
        """
        length = self._periods(future_t)
        check_range("discount_rate", discount_rate, "a rate per unit of time, 0 or more", least=0)

        def answer(x: Array, t_x: Array, age: Array) -> Array:
            return self._alive(x, t_x, age) * self._discounted_if_alive(x, age, length, discount_rate)

        return self._score(data, "expected_purchases_discounted", answer)

    @overload
    def expected_purchases_new_customer(self, t: float | str) -> float: ...
    @overload
    def expected_purchases_new_customer(self, t: Sequence[float] | Array) -> Array: ...
    def expected_purchases_new_customer(self, t: float | str | Sequence[float] | Array) -> float | Array:
        """How many repeat purchases a customer is expected to make within `t` after the first purchase.

        Parameters
        ----------
        t : float, str or array of float
            Numbers in the model's unit of time, or a text such as "12M".

        Returns
        -------
        float, or an array of the shape of `t`
        """
        if isinstance(t, str) or np.ndim(t) == 0:
            return float(self._purchases_of_new(np.array([self._periods(t, "t")]))[0])  # type: ignore[arg-type]
        ages = np.asarray(t, dtype=float)
        if not (np.all(np.isfinite(ages)) and np.all(ages >= 0)):
            raise CrmError("t holds values that are negative, missing or infinite; give lengths of time")
        return self._purchases_of_new(ages.ravel()).reshape(ages.shape)

    def expected_probability_alive(self, data: pd.DataFrame) -> pd.Series:
        """How probable it is that each customer has not dropped out yet, aligned with `data`."""
        return self._score(data, "probability_alive", self._alive)

    def expected_probability_no_purchase(self, data: pd.DataFrame, future_t: float | str) -> pd.Series:
        """How probable it is that each customer buys nothing in the next `future_t`, as in `expected_purchases`."""
        return self._score(data, "probability_no_purchase", self._pmf(0, self._periods(future_t)))

    def expected_repurchase(self, data: pd.DataFrame, future_t: float | str) -> pd.Series:
        """Of those who bought in the last period, which share is expected to buy in the next?

        Parameters
        ----------
        data : DataFrame
            Columns `frequency`, `recency`, `T`.
        future_t : float or str
            Length of both periods: a number in the model's unit of time, or a text such as "26W".

        Returns
        -------
        Series
            `buyers` (in the last period), `expected_rate` (mean probability that they buy in the next) and
            `alive` (mean probability that they are still customers now, bought or not).
        """
        length = self._periods(future_t)
        recent = data[data["T"] - data["recency"] < length]
        if recent.empty:
            raise CannotAnswerError(f"nobody bought in the last {future_t}; choose a longer period")
        return pd.Series(
            {
                "buyers": float(len(recent)),
                "expected_rate": 1 - float(self.expected_probability_no_purchase(recent, length).mean()),
                "alive": float(self.expected_probability_alive(recent).mean()),
            }
        )

    @overload
    def probability_of_purchases(self, n: int, data: pd.DataFrame, future_t: float | str) -> pd.Series: ...
    @overload
    def probability_of_purchases(
        self, n: Sequence[int], data: pd.DataFrame, future_t: float | str
    ) -> pd.DataFrame: ...
    def probability_of_purchases(
        self, n: int | Sequence[int], data: pd.DataFrame, future_t: float | str
    ) -> pd.Series | pd.DataFrame:
        """How probable it is that each customer makes exactly `n` purchases in the next `future_t`.

        Parameters
        ----------
        n : int or sequence of int
            Numbers of purchases, 0 or more.
        data, future_t
            As in `expected_purchases`.

        Returns
        -------
        Series aligned with `data`, or for several `n` a DataFrame with a column for each.
        """
        t = self._periods(future_t)
        counts = list(n) if isinstance(n, Sequence | np.ndarray) else [n]
        if wrong := [k for k in counts if not (np.isfinite(k) and k >= 0 and k == int(k))]:
            raise CrmError(f"n holds {wrong[0]!r}; a number of purchases is a whole number, 0 or more")
        self._check_unit(data)
        histories = read_histories(data)
        known = histories.frequency, histories.recency, histories.T
        columns = {int(count): self._pmf(int(count), t)(*known)[histories.row] for count in counts}
        frame = pd.DataFrame(columns, index=data.index)
        frame.columns.name = "purchases"
        return frame if isinstance(n, Sequence | np.ndarray) else frame[int(n)].rename("probability")

    def sample_purchases(
        self, data: pd.DataFrame, future_t: float | str, n: int, random_state: int | np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw each customer's number of purchases in the next `future_t`, given the history.

        Each draw takes the customer's own rate and lifetime from their exact distribution given the history.

        Parameters
        ----------
        data, future_t
            As in `expected_purchases`.
        n : int
            Draws per customer.
        random_state : int or numpy Generator

        Returns
        -------
        array of int, shape (n, n_customers)
        """
        t = self._periods(future_t)
        self._check_unit(data)
        known = read_histories(data)
        random = np.random.default_rng(random_state)
        alive = self._alive(known.frequency, known.recency, known.T)[known.row]
        x, age = known.frequency[known.row], known.T[known.row]
        drawn = np.zeros((n, len(x)), dtype=np.int64)
        for draw in drawn:  # a draw at a time, so that memory stays that of the answer
            lives = random.random(len(x)) < alive
            draw[lives] = self._sample_if_alive(x[lives], age[lives], t, random)
        return drawn

    def history_grids(
        self, *, age: float, future_t: float | str, most: int = 20, steps: int = 40
    ) -> HistoryGrids:
        """P(alive) and expected purchases by frequency and recency.

        Parameters
        ----------
        age : float
            How long ago all these customers bought first (T), in the model's unit.
        future_t : float or str
            What purchases are expected within.
        most, steps : int
            Highest frequency; values of recency above 0.

        Examples
        --------
        >>> from crmlib import BetaGeoModel
        >>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W")
        >>> model.history_grids(age=40.0, future_t="39W", most=2, steps=2).p_alive.round(2).loc[1:]
        recency    0.0   20.0  40.0
        frequency
        1           NaN  0.59  0.75
        2           NaN  0.53  0.81
        """
        check_range("age", age, "how long ago customers bought first, above 0", above=0)
        recency = np.linspace(0.0, age, steps + 1)
        frame = pd.MultiIndex.from_product([range(most + 1), recency], names=["frequency", "recency"])
        histories = frame.to_frame(index=False).assign(T=float(age))
        possible = histories[(histories["frequency"] > 0) == (histories["recency"] > 0)]
        table = possible.assign(alive=self.expected_probability_alive(possible))
        table["purchases"] = self.expected_purchases(possible, future_t)
        grids = table.pivot(index="frequency", columns="recency", values=["alive", "purchases"])
        columns = pd.Index(recency, name="recency")
        alive, purchases = (grids[name].reindex(columns=columns) for name in ("alive", "purchases"))
        period = self.time_unit_.singular if self.time_unit_ else "period"
        horizon = f"{self._periods(future_t):.4g} {period}s"
        with_finding(alive, p_alive_by_history, float(age), period)
        with_finding(purchases, purchases_by_history, horizon, period)
        return HistoryGrids(alive, purchases, float(age), horizon)

    # -- what a model supplies, on arrays of unique histories ------------------------------------------------

    @abstractmethod
    def _log_likelihood(self, histories: Histories) -> LogLikelihood:
        """Log parameters -> (total log-likelihood, its gradient)."""

    @abstractmethod
    def _starts(self, histories: Histories) -> list[dict[str, float]]:
        """Parameters to start the search from, lengths of time in proportion to the data's."""

    @abstractmethod
    def _purchases_of_new(self, t: Array) -> Array:
        """Expected repeat purchases within each t of a new customer."""

    @abstractmethod
    def _sample_if_alive(
        self, x: Array, age: Array, t: float, random: np.random.Generator
    ) -> NDArray[np.int64]:
        """A draw of the purchases within t of customers who are alive now."""

    def _expected(self, t: float) -> Callable[[Array, Array, Array], Array]:
        def answer(x: Array, t_x: Array, age: Array) -> Array:
            return self._alive(x, t_x, age) * self._purchases_if_alive(x, age, t)

        return answer

    def _pmf(self, n: int, t: float) -> Callable[[Array, Array, Array], Array]:
        def answer(x: Array, t_x: Array, age: Array) -> Array:
            log_odds = self._log_odds_dead(x, t_x, age)
            dead = expit(log_odds) if n == 0 else 0.0
            pair, first = distinct_pairs(x, age)  # what a living customer will do depends on these two alone
            return dead + expit(-log_odds) * self._pmf_if_alive(n, x[first], age[first], t)[pair]

        return answer

    def _score(
        self, data: pd.DataFrame, name: str, answer: Callable[[Array, Array, Array], ArrayLike]
    ) -> pd.Series:
        """Answer once per unique history and give each customer the answer of theirs."""
        self._check_unit(data)
        known = read_histories(data)
        if not len(data):
            return pd.Series(index=data.index, name=name, dtype=float)
        values = np.asarray(answer(known.frequency, known.recency, known.T), dtype=float)
        return pd.Series(values[known.row], index=data.index, name=name)
