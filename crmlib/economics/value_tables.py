"""Tables of lifetime value: in all, by segment and month, under other assumptions, and the top customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.arguments import check_choice
from crmlib.customers._log import belongs_to, fetch, seen_by
from crmlib.economics.lifetime_value import customer_lifetime_value
from crmlib.economics.sentences import value_of_months, widest_assumption
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.models.backtesting.origin_errors import OriginErrors
from crmlib.models.purchase import PurchaseModel
from crmlib.models.scoring import Spend
from crmlib.statistics import check_level
from crmlib.units import TimeUnit, periods

ASSUMPTIONS = {"horizon": "horizon", "margin": "margin", "discount_rate_per_year": "discount rate"}


@dataclass(frozen=True)
class CustomerEquity:
    """The value of all customers together, in money: corrected by past errors, and as the model has it.

    `low` and `high` are ends of the interval around `value`, nan where errors are not known; without a correction
    `value` is `uncorrected`.
    """

    customers: int
    value: float
    uncorrected: float
    low: float
    high: float
    basis: str
    level: float = 0.8

    def in_words(self, value: str, ahead: str, currency: str = "") -> str:
        """The total in a sentence: of which `value` ("revenue" or "contribution") and within what (`ahead`)."""
        who, money = fmt.plural(self.customers, "customer"), fmt.money(self.value, currency)
        expected = f"Today's {who} are expected to bring {money} of {value} within {ahead}"
        if np.isnan(self.low):
            return f"{expected}; how far this may be off is not known."
        reach = fmt.interval(self.low, self.high, "money", currency)
        return f"{expected} ({fmt.share(self.level)} interval {reach})."


def customer_equity(
    values: pd.DataFrame, *, errors: OriginErrors | None = None, level: float = 0.8
) -> CustomerEquity:
    """What the customer base is worth: the sum of lifetime values, corrected by past errors, with an interval.

    Parameters
    ----------
    values : DataFrame
        As `customer_lifetime_value` returns it.
    errors : OriginErrors, optional
        Of `RollingOrigins.choose`, over a horizon like that of `values`.
    level : float, default 0.8

    Returns
    -------
    CustomerEquity
        The interval lies around the corrected value and holds the error of the choice of model and correction. The
        errors of single customers cancel out in a total and those of the model do not, so there is no interval
        without errors of earlier totals.

    Examples
    --------
    >>> from crmlib.models.backtesting.origin_errors import learn_from_origins
    >>> days = pd.to_datetime(["2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01"])
    >>> past = learn_from_origins(pd.DataFrame({"BG/NBD": [-0.12, -0.05, -0.1, -0.04]}, days), 91)
    >>> equity = customer_equity(pd.DataFrame({"clv": [100.0, 20.0, 30.0]}), errors=past)
    >>> equity.uncorrected, round(equity.value), round(equity.low), round(equity.high)
    (150.0, 161, 147, 176)
    """
    check_level(level)
    total = float(values["clv"].sum())
    if errors is None:
        basis = "no interval: give errors of rolling origins, since customers' own intervals do not add up"
        return CustomerEquity(len(values), total, total, np.nan, np.nan, basis)
    corrected = total * errors.correction
    low, high = errors.interval(corrected, level)
    basis = f"{fmt.share(level)} by the errors at {fmt.plural(len(errors.tests), 'rolling origin')}"
    return CustomerEquity(len(values), corrected, total, low, high, basis, level)


def clv_sensitivity(
    transaction_model: PurchaseModel,
    spend_model: Spend,
    data: pd.DataFrame,
    *,
    base: Mapping[str, Any],
    changes: Mapping[str, Sequence[Any]],
) -> pd.DataFrame:
    """How far the total moves when one assumption is changed and the others stay.

    Parameters
    ----------
    transaction_model, spend_model, data
        As in `customer_lifetime_value`.
    base : mapping
        `horizon`, `margin` and `discount_rate_per_year`.
    changes : mapping
        Other settings of some of these.

    Returns
    -------
    DataFrame
        One row per setting, the base among them: `assumption, setting` (in words), `value, clv` (money)
        and `change` (against the base, relative).

    Examples
    --------
    >>> from crmlib import BetaGeoModel
    >>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W")
    >>> data = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]})
    >>> base = {"horizon": "52W", "margin": 0.5, "discount_rate_per_year": 0.1}
    >>> clv_sensitivity(model, 20.0, data, base=base, changes={"margin": [0.25]})[["setting", "change"]]
      setting  change
    0    25 %    -0.5
    1    50 %     0.0
    """
    for name in changes:
        check_choice("changes", name, ASSUMPTIONS)

    def total(terms: Mapping[str, Any]) -> float:
        values = customer_lifetime_value(transaction_model, spend_model, data, **terms, interval=None)
        return float(values["clv"].sum())

    whole, tables = total(base), []
    for name, settings in changes.items():
        every = [*settings, base[name]]
        table = pd.DataFrame({"setting": [_setting(name, setting) for setting in every], "value": every})
        table.insert(0, "assumption", ASSUMPTIONS[name])
        table["clv"] = [*(total({**base, name: setting}) for setting in settings), whole]
        tables.append(table.sort_values("clv", kind="stable"))
    found = pd.concat(tables, ignore_index=True)
    found["change"] = found["clv"] / whole - 1 if whole > 0 else np.nan
    return with_finding(found, widest_assumption)


def value_by_acquisition_month(
    transactions: Any,
    transaction_model: PurchaseModel,
    spend_model: Spend,
    summary: pd.DataFrame,
    *,
    life: str,
    discount_rate_per_year: float,
    margin: float,
    new_from: Any = None,
) -> pd.DataFrame:
    """What a customer is worth within the first `life` after the first purchase, by month of acquisition.

    What has happened is counted, what has not is expected: a young cohort is mostly expectation.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log that `summary` was made from.
    transaction_model, spend_model, discount_rate_per_year, margin
        As in `customer_lifetime_value`.
    summary : CustomerSummary
        Of `rfm_summary`.
    life : str
        Such as "2Y", the same for every month.
    new_from : date or str, optional
        The study's `new_customers_known_from`: months that begin before it are left out, since their
        customers may be older.

    Returns
    -------
    DataFrame
        One row per month: `month` (its first day), `customers`, `clv_mean` (money per customer acquired: the
        sum of the two that follow), `so_far` (margin on net spend within `life`, the first order included,
        not discounted), `expected` (until the cohort's mean age is `life`, discounted to now), `share_expected` and
        `standard_error` of the mean, from what its customers differ in.
    """
    unit = TimeUnit.parse(summary.time_unit)
    length = periods(life, unit)
    month = pd.to_datetime(summary["first_purchase"]).dt.to_period("M").dt.start_time
    terms: dict[str, Any] = {"discount_rate_per_year": discount_rate_per_year, "margin": margin}
    realised = margin * _realised(transactions, summary.as_of, round(length * unit.days))
    each = pd.DataFrame({"month": month, "so_far": summary["customer_id"].map(realised).fillna(0.0)})
    each["expected"] = 0.0
    for _month, rows in summary.groupby(month):
        left = max(length - float(rows["T"].mean()), 0.0)
        about = dict(horizon=left, interval=None, **terms)
        values = customer_lifetime_value(transaction_model, spend_model, rows, **about)
        each.loc[rows.index, "expected"] = values["clv"]
    each["clv_mean"] = each["so_far"] + each["expected"]
    by_month = each.groupby("month")
    table = by_month[["clv_mean", "so_far", "expected"]].mean()
    table.insert(0, "customers", by_month.size())
    table["share_expected"] = table["expected"] / table["clv_mean"].where(table["clv_mean"] > 0)
    table["standard_error"] = by_month["clv_mean"].sem()
    table = table.rename_axis("month").reset_index()
    if new_from is not None:
        table = table[table["month"] >= pd.Timestamp(new_from)].reset_index(drop=True)
    return with_finding(table, value_of_months, fmt.length(life, unit))


def top_customers(
    values: pd.DataFrame, summary: pd.DataFrame, *, n: int = 10, currency: str = ""
) -> pd.DataFrame:
    """The customers worth most, and why.

    Parameters
    ----------
    values : DataFrame
        Of `customer_lifetime_value`.
    summary : CustomerSummary
        That the values were made from, in the same order.
    n : int
        How many.
    currency : str
        The name of the money.

    Returns
    -------
    DataFrame
        `customer_id, clv, clv_low, clv_high` and `why`: the history, the probability of being alive and what
        is expected, in words. The best first; of equals the one who comes first in the summary.

    Examples
    --------
    >>> values = pd.DataFrame({"customer_id": ["a"], "expected_purchases": [8.13], "expected_spend": [41.2],
    ...     "p_alive": [0.98], "clv": [310.0], "clv_low": [120.0], "clv_high": [520.0]})
    >>> summary = pd.DataFrame({"customer_id": ["a"], "frequency": [12], "time_since_last_purchase": [2.0]})
    >>> top_customers(values, summary, currency="USD").loc[0, "why"]
    '12 repeat purchases, the last 2.0 ago; P(alive) 98 %; 8.1 purchases expected at USD 41.20'
    """
    if list(values["customer_id"]) != list(summary["customer_id"]):
        raise CrmError(
            "values and summary are not the same customers in the same order; make one from the other"
        )
    best = values["clv"].sort_values(ascending=False, kind="stable").index[:n]
    unit, known, chosen = getattr(summary, "time_unit", None), summary.loc[best], values.loc[best]
    since = [
        fmt.write(ago, TimeUnit.parse(unit).value) if isinstance(unit, str) else fmt.number(ago, 1)
        for ago in known["time_since_last_purchase"]
    ]
    why = [
        f"{fmt.count(frequency)} repeat purchases, the last {ago} ago; P(alive) {fmt.chance(row.p_alive)}; "
        f"{row.expected_purchases:.1f} purchases expected at {fmt.money(row.expected_spend, currency)}"
        for frequency, ago, row in zip(known["frequency"], since, chosen.itertuples(), strict=True)
    ]
    kept = chosen[["customer_id", "clv", "clv_low", "clv_high"]]
    return kept.assign(why=why).reset_index(drop=True)


def _setting(name: str, value: Any) -> str:
    """A setting as a chart shows it."""
    if name == "horizon":
        return fmt.length(value, "D") if isinstance(value, str) else fmt.number(value)
    return fmt.share(value)


def _realised(transactions: Any, as_of: dt.date, days: int) -> pd.Series:
    """Net spend of each customer within so many days of the first purchase."""
    rows = seen_by(transactions, as_of)
    born = rows.filter(_.counted).group_by("customer_id").agg(born=_.date.min())
    money = rows.select("customer_id", "amount", when=belongs_to(rows).fill_null(rows.date))
    joined = money.inner_join(born, "customer_id")
    within = joined.filter(joined.when.date().delta(joined.born.date(), unit="day") < days)
    return fetch(within.group_by("customer_id").agg(net=_.amount.sum())).set_index("customer_id")["net"]
