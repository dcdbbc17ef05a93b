"""Forecasts for each customer: the chance to buy and to leave, stored under a keyed hash of the id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, fetch, purchase_days
from crmlib.customers.audit.months import last_complete_month
from crmlib.customers.retention.contracts import back, contract_spells, contracts_later
from crmlib.customers.rfm.summary import rfm_summary
from crmlib.errors import CannotAnswerError
from crmlib.models.buying_again import FEWEST, chances_by_history
from crmlib.no_rows import no_rows
from crmlib.relationship.allocation import keyed_hashes
from crmlib.relationship.forecasts import HORIZONS
from crmlib.statistics import Array
from crmlib.units import TimeUnit

BUYS, LEAVES, CONTRACT = "buys", "leaves", "contract"
ACTIVE_DAYS = 92  # who bought within them can leave, where there are no contracts
TOTALS = "origin event horizon target target_end customers expected base_rate".split()
CHANCES = ["origin", "who"]  # and a column for each event and horizon, as `column_of` names it
Forecasts = tuple[pd.DataFrame, pd.DataFrame]


class _Target(NamedTuple):
    """The period that is forecast: the day the forecast is made, its horizon, and its first and last day."""

    origin: pd.Timestamp
    horizon: str
    start: pd.Timestamp
    end: pd.Timestamp


def chances_of_buying(transactions: Any, *, as_of: Any, key: str) -> Forecasts:
    """Who will buy in the first complete month and quarter after a day, and who of the active ones will not?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        The last day that is known.
    key : str
        Of the hashes.

    Returns
    -------
    tuple of DataFrame
        One row per `event` ("buys": at least one purchase in the target; "leaves": none, of those who bought within 92
        days) and `horizon`: `origin` (`as_of`), `target` and `target_end`, `customers`, how many of
        them are `expected` to do it (the sum of their chances), and `base_rate`, the share who did in the last such
        period that is over. And one row per customer: `origin`, `who` (a keyed hash of the id) and a column of chances
        for each row of the first frame, such as `buys_month`. Without rows where the log is too short, or fewer than 30
        did, or did not.

    Notes
    -----
    A logistic regression on frequency, recency, age, silence and spend, learned from who did in the last period that is
    over, as the customers were then, as many days before it as this target is away: so the chances add up to what that
    period brought.

    Examples
    --------
    >>> import crmlib as crm
    >>> log = crm.open_study("cdnow-sample").transactions
    >>> found = chances_of_buying(log, as_of="1998-03-31", key="")[0]
    >>> found[["event", "horizon", "customers", "expected", "base_rate"]].round(2)
        event  horizon  customers  expected  base_rate
    0    buys    month       2357    194.65       0.09
    1    buys  quarter       2357    313.67       0.16
    2  leaves  quarter        388    219.56       0.51
    """
    day, found = as_day(as_of, "as_of"), []
    start, last = pd.Period(day, "M") + 1, last_complete_month(day)
    now = rfm_summary(transactions, as_of=day)
    for horizon, length in HORIZONS.items():
        end = (start + length - 1).end_time.normalize()
        target = _Target(pd.Timestamp(day), horizon, start.start_time, end)
        before = last - length + 1
        learned_on = before.start_time - (target.start - target.origin)
        try:
            then = rfm_summary(transactions, as_of=learned_on)
        except CannotAnswerError:
            continue
        did = buyers(transactions, before.start_time, last.end_time.normalize())
        bought = then["customer_id"].isin(did).to_numpy()
        if _too_few(bought):
            continue
        chance = pd.Series(chances_by_history(then, bought, now), now["customer_id"])
        found.append(_forecast(BUYS, target, chance, bought.mean()))
        stayed, here = bought[_active(then)], _active(now)
        if length > 1 and here.any() and not _too_few(stayed):
            found.append(_forecast(LEAVES, target, 1 - chance[here], 1 - stayed.mean()))
    return _together(found, key, "too few customers bought, or did not, in the last period that is over")


def chances_of_ending(
    at_risk: pd.DataFrame, subscriptions: Any, *, as_of: Any, horizon_months: int, key: str
) -> Forecasts:
    """The same of contracts: whose will end within some months after a day?

    `at_risk`: `customer_id` and `p_churn` of chapter 5. `subscriptions`: as in `contract_spells`. The base rate is the
    share of customers with a contract of whom one ended in the months before. `horizon` is "contract".
    """
    day = as_day(as_of, "as_of")
    ended = contracts_ended(subscriptions, back(day, horizon_months), day)
    if at_risk.empty or ended.empty:
        return _together([], key, "chapter 5 has published no chances of leaving, or no contract ran before")
    chance = at_risk.groupby(at_risk["customer_id"].astype(str))["p_churn"].max()
    origin, end = pd.Timestamp(day), pd.Timestamp(back(day, -horizon_months))
    target = _Target(origin, CONTRACT, origin + pd.Timedelta(1, "D"), end)
    return _together([_forecast(LEAVES, target, chance, ended.mean())], key, "")


def buyers(transactions: Any, first: pd.Timestamp, last: pd.Timestamp) -> pd.Series:
    """The ids of customers with a purchase from one day to another."""
    days = purchase_days(transactions, last.date()).filter((_.purchase == 1) & (_.date >= first))
    return fetch(days.select("customer_id").distinct())["customer_id"]


def contracts_ended(subscriptions: Any, first: Any, last: Any) -> pd.Series:
    """By customer with a contract that ran on the first day: whether one of them has ended by the last."""
    spells = (contract_spells(subscriptions, pd.Timestamp(day).date()) for day in (first, last))
    found = contracts_later(*spells)
    return found.groupby(found["customer_id"].astype(str))["left"].max().astype(bool)


def _active(customers: pd.DataFrame) -> Array:
    return (customers["time_since_last_purchase"] * TimeUnit.W.days <= ACTIVE_DAYS).to_numpy()


def _too_few(bought: np.ndarray) -> bool:
    return bool(min(bought.sum(), (~bought).sum()) < FEWEST)


def _forecast(
    event: str, target: _Target, chance: pd.Series, base_rate: float
) -> tuple[pd.DataFrame, pd.Series]:
    """The totals of a forecast in one row, and the chance of each customer by id."""
    chance = chance.round(4)  # few different values make a small file
    totals = {"origin": target.origin, "event": event, "horizon": target.horizon}
    totals |= {"target": target.start, "target_end": target.end, "customers": len(chance)}
    totals |= {"expected": float(chance.to_numpy().sum()), "base_rate": round(float(base_rate), 4)}
    return pd.DataFrame([totals]), chance.rename(column_of(event, target.horizon))


def column_of(event: str, horizon: str) -> str:
    """The column of chances of an event."""
    return f"{event}_{horizon}"


def _together(found: Sequence[tuple[pd.DataFrame, pd.Series]], key: str, why: str) -> Forecasts:
    """Put forecasts together: a row each of the totals, a column each of the chances, and a hash for each id."""
    if not found:
        return no_rows(TOTALS, why), no_rows(CHANCES, why)
    totals = pd.concat([rows for rows, _chance in found], ignore_index=True)
    chances = pd.concat([chance for _rows, chance in found], axis=1)
    chances = chances.set_axis(pd.Index(keyed_hashes(chances.index, key), name="who")).reset_index()
    chances.insert(0, "origin", totals["origin"].iloc[0])
    return totals, chances


def both(first: Forecasts, second: Forecasts) -> Forecasts:
    """Merge the forecasts of purchases and those of contracts."""
    if not len(second[0]) or not len(first[0]):
        return first if len(first[0]) else second
    totals = pd.concat([first[0], second[0]], ignore_index=True)
    return totals, first[1].merge(second[1], on=CHANCES, how="outer", validate="one_to_one")
