"""Customers whose time since the last purchase is unusually long for them, at a chosen false alarm rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from scipy.special import betainc, betaln, gammaln

from crmlib import format as fmt
from crmlib.arguments import check_range, check_share
from crmlib.customers._log import as_day, fetch, floor, seen_by
from crmlib.data.sources import lacking
from crmlib.errors import CrmError, not_measured
from crmlib.findings import with_finding
from crmlib.models._histories import read_histories
from crmlib.models._inference import Array
from crmlib.models._special import bisect
from crmlib.models.backtesting.scores import FREQUENCY_GROUPS, frequency_group
from crmlib.models.purchase import PurchaseModel
from crmlib.models.sentences import overdue_buyers, winnable_in_words
from crmlib.no_rows import NoRows, no_rows, why_none
from crmlib.statistics import normal_quantile
from crmlib.units import TimeUnit

FEWEST = 50  # customers with two gaps, below which regularity is not measured
RESOLVED = 20  # periods that two gaps must span: in fewer, purchases of one period hide short gaps
_COLUMNS = (
    "customer_id frequency usual_gap time_since_last_purchase overdue_after chance_of_silence overdue".split()
)
_LEAST_LOST = 0.01  # purchases at risk; where the model sees nobody leave, there are none
_WINNABLE = "customer_id spent last_bought usual_gap_days silent_days chance_to_buy"
MOST_REGULAR = 30  # phases of a gap; more regular buyers are treated as this regular


@dataclass(frozen=True)
class Regularity:
    """How evenly customers buy: the shape of their gaps, 1 for purchases at random, more for a rhythm.

    `low, high`: 95 %; `customers`: those it was learned from; if too few, a `reason`, and purchases count as random.
    """

    shape: float
    low: float
    high: float
    customers: int
    reason: str = ""

    @property
    def phases(self) -> int:
        """The whole number nearest to the shape, at least 1: phases of an Erlang gap."""
        return 1 if self.reason else max(round(min(self.shape, MOST_REGULAR)), 1)

    @property
    def sentence(self) -> str:
        """The finding in a sentence."""
        if self.reason:
            return not_measured(self.reason)
        reach = fmt.interval(self.low, self.high, "ratio")
        shape = f"shape {fmt.number(self.shape, 2)}, 95 % interval {reach}"
        shape = shape if self.shape <= MOST_REGULAR else f"shape over {MOST_REGULAR}"
        if self.phases > 1:
            return f"Customers buy regularly ({shape}): a gap is unusual sooner than with random purchases."
        if self.high < 1:
            many = "long gaps are usual, so more active customers are called overdue than the chosen rate"
            return f"Purchases come in clusters ({shape}): {many}."
        return f"Purchases are random, or nearly so ({shape})."


def purchase_regularity(transactions: Any, *, as_of: Any, collapse: str = "D") -> Regularity:
    """Do customers buy at random or in a rhythm?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day that counts, to its end.
    collapse : {"D", "H", "W", "M", "Q", "Y"}
        Purchases of one customer within one such period are one purchase.

    Returns
    -------
    Regularity
        With a `reason` where fewer than 50 customers have bought three times, 20 periods or more apart.

    Notes
    -----
    Wheat & Morrison, "Estimating purchase regularity with two interpurchase times", Journal of Marketing
    Research 27(1), 1990: the first gap's share of a customer's first two is Beta(k, k), whatever their rate,
    when gaps are Gamma with shape k; its variance around one half gives k. Which customers have two gaps
    depends on the gaps' sum alone, which their share is independent of; so do those with two gaps of fewer
    than 20 periods together, who are left out because rounding to periods makes them look regular.

    Examples
    --------
    >>> import crmlib as crm
    >>> found = purchase_regularity(crm.open_study("cdnow-sample").transactions, as_of="1998-06-30")
    >>> round(found.shape, 2), found.customers
    (0.88, 674)
    """
    unit = TimeUnit.parse(collapse)
    if missing := lacking(transactions=transactions):
        return Regularity(np.nan, np.nan, np.nan, 0, missing)
    rows = seen_by(transactions, as_day(as_of, "as_of")).filter(_.counted)
    periods = rows.select("customer_id", period=floor(rows.date, unit).cast("timestamp(6)")).distinct()
    number = ibis.row_number().over(group_by=periods.customer_id, order_by=periods.period)
    first = periods.mutate(number=number).filter(_.number < 3)
    dates = {f"p{place}": _.period.max(where=_.number == place) for place in range(3)}
    three = first.group_by("customer_id").agg(**dates).filter(_.p2.notnull())
    gaps = fetch(three.select("p0", "p1", "p2"))
    gaps = gaps[gaps["p2"] - gaps["p0"] >= pd.Timedelta(RESOLVED * unit.days, "D")]
    if len(gaps) < FEWEST:
        why = (
            f"{len(gaps)} customers have bought three times, {RESOLVED} {unit.plural} or more from first to third; "
            f"how regularly customers buy needs {FEWEST}, so purchases are assumed to be random"
        )
        return Regularity(np.nan, np.nan, np.nan, len(gaps), why)
    share = ((gaps["p1"] - gaps["p0"]) / (gaps["p2"] - gaps["p0"])).to_numpy(float)
    away = (share - 0.5) ** 2
    variance, error = away.mean(), away.std(ddof=1) / np.sqrt(len(away))
    reach = normal_quantile(0.95) * error
    low, shape, high = (_shape(float(variance + shift)) for shift in (reach, 0.0, -reach))
    return Regularity(shape, low, high, len(gaps))


def _shape(variance: float) -> float:
    """k of Beta(k, k) with this variance; infinite for a perfect rhythm."""
    return max(1 / (8 * variance) - 0.5, 0.0) if variance > 0 else np.inf


class OverdueCustomers(NoRows):
    """Customers with their silence; without rows, and with the `reason`, where no model could be judged."""

    _metadata = [*NoRows._metadata, "false_alarm_rate"]  # noqa: RUF012  (pandas' own protocol)

    false_alarm_rate: float = np.nan

    def by_frequency(self) -> pd.DataFrame:
        """How many customers are overdue, by how often they had bought before?

        Returns
        -------
        DataFrame
            By `frequency_group` (repeat purchases, "0" to "6", "7+"): `customers`, `overdue` (of them),
            `overdue_share` (nan for "0": there is no gap to judge by).

        Examples
        --------
        >>> from crmlib import ParetoNBDModel
        >>> model = ParetoNBDModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669, time_unit="W")
        >>> customers = pd.DataFrame({"frequency": [0, 4], "recency": [0.0, 10.0], "T": [40.0, 40.0]})
        >>> overdue_customers(customers, model).by_frequency()
          frequency_group  customers  overdue  overdue_share
        0               0          1        0            NaN
        1               4          1        1            1.0
        """
        if missing := why_none(self):
            return no_rows(["frequency_group", "customers", "overdue", "overdue_share"], missing)
        grouped = self.groupby(frequency_group(self["frequency"].to_numpy()))["overdue"]
        table = pd.DataFrame({"customers": grouped.size(), "overdue": grouped.sum()})
        table["overdue_share"] = (table["overdue"] / table["customers"]).where(table.index > 0)
        table.insert(0, "frequency_group", FREQUENCY_GROUPS[table.index])
        return with_finding(table.reset_index(drop=True), overdue_buyers, self.false_alarm_rate)


def overdue_customers(
    summary: pd.DataFrame,
    model: PurchaseModel | None,
    *,
    false_alarm_rate: float = 0.05,
    regularity: Regularity | int = 1,
) -> OverdueCustomers:
    """Which customers have been silent unusually long for their own rhythm?

    Parameters
    ----------
    summary : CustomerSummary or DataFrame
        Columns `frequency, recency, T`; optionally `customer_id`.
    model : ParetoNBDModel, ModifiedBetaGeoModel or BetaGeoModel
        Fitted; how rates differ between customers (r, alpha) is taken from it. None, as
        `ActivityComparison.fit_best` has it where no model could be judged, is answered without rows.
    false_alarm_rate : float, default 0.05
        Of those who go on buying as ever, the share that is called overdue on a day.
    regularity : Regularity or int, default 1
        From `purchase_regularity`, or the phases of a gap: 1 for purchases at random.

    Returns
    -------
    OverdueCustomers
        Aligned with `summary`: `customer_id` where there is one, `frequency`, `usual_gap` (recency / frequency),
        `time_since_last_purchase`, `overdue_after` (silence from which the customer is called overdue),
        `chance_of_silence` (of one at least as long, had the customer gone on buying), `overdue`
        (bool). For who bought once there is no gap to judge by: nan, never overdue; use P(active).

    Raises
    ------
    CrmError
        If the rate is no share, or the model has no rates of its own (r, alpha).

    Notes
    -----
    Given that a customer is alive and made x repeat purchases by age T, the last of them falls before t_x with
    a chance that is (t_x / T)^x for purchases at random, whatever the rate: the posterior-predictive tail of the
    gap with shape x and scale t_x (Pareto II). Gaps of k phases (Erlang): the current gap is in its j-th phase,
    j = 0 … k − 1, and then t_x / T is Beta(k x, j + 1); phases are weighted by their posterior chance
    under rates that are Gamma(r, alpha) across customers. The share of alarms among those who never lapse is
    the chosen rate for every x; a customer's own 80th percentile of past gaps would alarm about a quarter.

    Examples
    --------
    >>> from crmlib import ParetoNBDModel
    >>> model = ParetoNBDModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669, time_unit="W")
    >>> customers = pd.DataFrame({"frequency": [0, 4], "recency": [0.0, 20.0], "T": [40.0, 40.0]})
    >>> late = overdue_customers(customers, model)
    >>> late[["usual_gap", "overdue_after", "chance_of_silence", "overdue"]].round(3)
       usual_gap  overdue_after  chance_of_silence  overdue
    0        NaN            NaN                NaN    False
    1        5.0         22.295              0.062    False
    """
    check_range("false_alarm_rate", false_alarm_rate, "a share between 0 and 1, as 0.05", above=0, below=1)
    if model is None:
        nobody = OverdueCustomers(columns=_COLUMNS, dtype=float)
        nobody.reason = getattr(regularity, "reason", "") or "no model of purchases could be judged"
        return nobody
    phases = regularity.phases if isinstance(regularity, Regularity) else int(regularity)
    rates = model._fitted("params_")
    if not {"r", "alpha"} <= rates.keys() or not 1 <= phases <= MOST_REGULAR:
        raise CrmError(
            f"give a Pareto/NBD, BG/NBD or MBG/NBD model, not {type(model).__name__}, and 1 to {MOST_REGULAR} phases"
        )
    model._check_unit(summary)
    known = read_histories(summary)
    some = known.frequency > 0
    x, t_x, age = known.frequency[some], known.recency[some], known.T[some]
    law = _Silence(phases, rates["r"], rates["alpha"], x)
    chance, after = np.full((2, len(known.frequency)), np.nan)
    chance[some] = law.chance(t_x, age)
    after[some] = law.longest(t_x, false_alarm_rate)
    with np.errstate(invalid="ignore"):
        gap = known.recency / np.where(known.frequency > 0, known.frequency, np.nan)
    values = known.frequency, gap, known.T - known.recency, after, chance, chance <= false_alarm_rate
    columns = {name: of_history[known.row] for name, of_history in zip(_COLUMNS[1:], values, strict=True)}
    found = OverdueCustomers(columns, index=summary.index)
    if "customer_id" in summary:
        found.insert(0, "customer_id", summary["customer_id"])
    found.false_alarm_rate = float(false_alarm_rate)
    return found


class _Silence:
    """The law of a living customer's last purchase, given frequency and age, when gaps have some phases."""

    def __init__(self, phases: int, r: float, alpha: float, x: Array) -> None:
        self.k, self.r, self.alpha = phases, r, alpha
        self.a = phases * x

    def chance(self, t_x: Array, age: Array) -> Array:
        """P(the last purchase lies at t_x or before)."""
        j = np.arange(self.k)[:, None]
        log_weight = gammaln(self.a + j + self.r) - gammaln(j + 1) + betaln(self.a, j + 1)
        log_weight = log_weight + j * np.log(self.k * age / (self.alpha + self.k * age))
        weight = np.exp(log_weight - log_weight.max(axis=0))
        return np.sum(weight * betainc(self.a, j + 1, t_x / age), axis=0) / weight.sum(axis=0)

    def longest(self, t_x: Array, chance: float) -> Array:
        """The silence from which the chance is at most this: found on the logarithm of silence / t_x."""
        low, high = np.full_like(t_x, -30.0), np.full_like(t_x, 60.0)
        end = bisect(lambda y: self.chance(t_x, t_x * (1 + np.exp(y))) > chance, low, high, halvings=32)
        return t_x * np.exp(end)


def winnable_customers(
    summary: pd.DataFrame,
    overdue: pd.DataFrame,
    model: PurchaseModel | None,
    horizon: float | str,
    *,
    margin: float | None = None,
    least_chance: float = 0.1,
    currency: str = "",
) -> pd.DataFrame:
    """Who is silent beyond their habit and may still be won back, those with most money at risk first?

    Parameters
    ----------
    summary, overdue, model
        Of `rfm_summary`, what `overdue_customers` says of them, and the model given to it.
    horizon : float or str
        A number in the model's unit of time, or a text such as "26W".
    margin : float, optional
        Profit as a share of revenue; without it, money at risk is revenue.
    least_chance : float, default 0.1
        Customers with a smaller chance to buy within the horizon are left out: they are most probably gone.
    currency : str
        The name of the money, for the finding.

    Returns
    -------
    DataFrame
        `customer_id`, `spent` (net, so far), `last_bought`, `usual_gap_days`, `silent_days`, `chance_to_buy` (within
        the horizon, if nothing is done) and `margin_at_risk`, or `revenue_at_risk` where no margin is known: what a
        customer still active would bring within the horizon at the mean spend so far, less what is expected now; a
        contact gains less. Without customers who have
        hardly left by the model. No rows where `overdue` has none, with its `reason`.

    Examples
    --------
    >>> from crmlib import ParetoNBDModel, rfm_summary
    >>> model = ParetoNBDModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669, time_unit="W")
    >>> days = pd.date_range("2024-01-01", periods=4, freq="30D")
    >>> customers = rfm_summary(pd.DataFrame({"customer_id": "a", "date": days, "amount": 20.0}), as_of="2024-08-15")
    >>> late = overdue_customers(customers, model, false_alarm_rate=0.1)
    >>> found = winnable_customers(customers, late, model, "26W")
    >>> found[["customer_id", "silent_days", "chance_to_buy", "revenue_at_risk"]].round(2).values.tolist()
    [['a', 137.0, 0.28, 22.79]]
    """
    check_share("least_chance", least_chance)
    columns = [*_WINNABLE.split(), money := "revenue_at_risk" if margin is None else "margin_at_risk"]
    if (missing := why_none(overdue)) or model is None:
        return no_rows(columns, missing)
    late, days = overdue["overdue"].to_numpy(), TimeUnit.parse(summary.time_unit).days
    rows = summary[late]
    alive, expected = model.expected_probability_alive(rows), model.expected_purchases(rows, horizon)
    worth = rows["mean_spend_per_period"].clip(lower=0) * (1.0 if margin is None else margin)
    found = pd.DataFrame(rows[["customer_id"]]).assign(
        spent=rows["net"],
        last_bought=rows["last_purchase"],
        usual_gap_days=overdue.loc[late, "usual_gap"] * days,
        silent_days=rows["time_since_last_purchase"] * days,
        chance_to_buy=1 - model.expected_probability_no_purchase(rows, horizon),
    )
    lost = expected * (1 / alive.clip(lower=1e-12) - 1)
    found[money] = worth * lost
    found = found.loc[(found["chance_to_buy"] >= least_chance) & (lost >= _LEAST_LOST), columns]
    if found.empty:
        return no_rows(columns, "no customer is silent beyond their habit and still winnable")
    found = found.sort_values(money, ascending=False, kind="stable", ignore_index=True)
    return with_finding(found, winnable_in_words, least_chance, currency)
