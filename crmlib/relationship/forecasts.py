"""Forecasts of revenue and orders for the next month and quarter, with bands and a naive forecast to beat."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from scipy.special import stdtrit

from crmlib.customers._log import as_day, dated, fetch, orders_among, seen_by
from crmlib.customers.audit.months import last_complete_month
from crmlib.no_rows import no_rows

HORIZONS = {"month": 1, "quarter": 3}
MEASURES, CUSTOMERS = ("revenue", "orders"), ("existing", "new", "all")
LEVEL = 0.90  # of the bands
_LEVELS = (1, 3, 6, 12)  # months whose mean may be what goes on
_LOOKED_BACK = 24  # earlier forecasts that give a band its width
_FEWEST = 4  # of them, below which there is no band
COLUMNS = "origin horizon target target_end measure customers forecast low high naive cap".split()
Array = np.ndarray


def next_forecasts(months: pd.DataFrame, *, as_of: Any, new_from: Any = None) -> pd.DataFrame:
    """How much will the first complete month and quarter after a day bring, from existing and from new customers?

    Parameters
    ----------
    months : DataFrame
        As of `monthly_sums`; what is later than the last complete month is not used.
    as_of : date or str
        The last day that is known.
    new_from : date, optional
        Who was first seen before it may be older: months before it do not count.

    Returns
    -------
    DataFrame
        One row per `horizon` ("month", "quarter"), `measure` ("revenue", net of returns, in the month of the purchase;
        "orders") and `customers` ("existing": first purchase before the target; "new": within it; "all"): `origin`
        (`as_of`), `target` and `target_end` (first and last day), `forecast`, the ends of its 90 % band `low` and
        `high` (nan before it has erred four times), the `naive` forecast, and `cap`: the largest loss that counts when
        the two are compared, twice the median error of the naive forecast so far.

    Notes
    -----
    The forecast is the mean month of the last 1, 3, 6 or 12, times the ratio that targets had to it in the year before,
    or the naive forecast: of these the one that has erred least at the origins so far. The naive forecast is last
    year's same months times the trend of the last three months, or else the last month or quarter. A band has the
    width of the forecast's earlier errors, which grow with its square root (Student's t).

    Examples
    --------
    >>> import crmlib as crm
    >>> study = crm.open_study("cdnow-sample")
    >>> months = monthly_sums(study.transactions, as_of="1998-03-31")
    >>> found = next_forecasts(months, as_of="1998-03-31")
    >>> found.query("measure == 'revenue' and horizon == 'month'")[["target", "customers", "forecast"]].round()
          target customers  forecast
    0 1998-04-01  existing    9850.0
    1 1998-04-01       new       0.0
    2 1998-04-01       all    9850.0
    """
    day = as_day(as_of, "as_of")
    last, start = last_complete_month(day), pd.Period(day, "M") + 1
    months = months[months["period"] <= last]
    first = months["period"].min() + 1 if len(months) else last  # the first month is rarely whole
    if new_from is not None:
        first = max(first, pd.Period(new_from, "M"))
    if not len(months) or (last - first).n < 2:
        return no_rows(COLUMNS, "there are fewer than three complete months")
    rows = []
    for horizon, length in HORIZONS.items():
        target, end = start.start_time, (start + length - 1).end_time.normalize()
        for measure in MEASURES:
            parts = _parts(months, measure, first, last, length)
            found = [_forecast(parts, name, (start - last).n, length) for name in CUSTOMERS]
            about = pd.Timestamp(day), horizon, target, end, measure
            rows += [(*about, name, *values) for name, values in zip(CUSTOMERS, found, strict=True)]
    return pd.DataFrame(rows, columns=COLUMNS)


def monthly_sums(transactions: Any, *, as_of: Any) -> pd.DataFrame:
    """Revenue and orders by the month of the customers' first purchase (`born`) and by month (`period`)."""
    rows = with_first_month(seen_by(transactions, as_day(as_of, "as_of"), outside=True))
    sums = {"revenue": _.amount.sum(), "orders": orders_among(rows, rows.counted)}
    found = fetch(rows.group_by("born", "period").agg(**sums))
    return found.assign(
        **{name: pd.PeriodIndex(found[name], freq="M") for name in ("born", "period")},
        **{name: found[name].astype(float) for name in MEASURES},
    )


def with_first_month(rows: ibis.Table) -> ibis.Table:
    """Rows of `seen_by` with their month (`period`) and that of the customer's first purchase (`born`).

    Without a purchase that was kept, `born` is the row's own month.
    """
    born = rows.filter(rows.counted).group_by("customer_id").agg(born=_.date.min().truncate("M"))
    rows = rows.mutate(period=dated(rows).truncate("M")).left_join(born, "customer_id")
    return rows.mutate(born=_.born.fill_null(_.period))


def actual(months: pd.DataFrame, target: Any, end: Any, measure: str, customers: str) -> float:
    """The actual value of a target, from `monthly_sums`."""
    first, last = pd.Period(target, "M"), pd.Period(end, "M")
    rows = months[(months["period"] >= first) & (months["period"] <= last)]
    is_new = rows["born"] >= first
    wanted = {"existing": ~is_new, "new": is_new, "all": is_new | ~is_new}[customers]
    return float(rows.loc[wanted, measure].sum())


def _parts(
    months: pd.DataFrame, measure: str, first: pd.Period, last: pd.Period, length: int
) -> dict[str, Array]:
    """By month: the `total`, and what the window that begins in it brought from existing and new customers."""
    size = (last - first).n + 1
    born, when = (pd.PeriodIndex(months[name]).asi8 - first.ordinal for name in ("born", "period"))
    use = (when >= 0) & (when < size)
    table = np.zeros((size + 1, size))  # born before, and in each month
    np.add.at(table, (np.clip(born[use] + 1, 0, size), when[use]), months.loc[use, measure].to_numpy())
    total, before = table.sum(axis=0), table.cumsum(axis=0)
    whole = size - length + 1
    existing = np.array([before[start, start : start + length].sum() for start in range(max(whole, 0))])
    every = np.array([total[start : start + length].sum() for start in range(max(whole, 0))])
    return {"total": total, "existing": existing, "new": every - existing}


def _forecast(parts: dict[str, Array], customers: str, gap: int, length: int) -> tuple[float, ...]:
    """The forecast, its band, the naive one and the cap of losses."""
    names = ("existing", "new") if customers == "all" else (customers,)
    both = [_at_each_origin(parts["total"], parts[name], gap, length) for name in names]
    ours, naive, now = (np.sum([series[place] for series in both], axis=0) for place in (0, 1, 2))
    truth = np.sum([parts[name] for name in names], axis=0)
    happened = truth[gap + max(_SHORTEST, length) - 1 :]  # of the origins whose target is over
    past_ours, past_naive = (series[: len(happened)] for series in (now, naive))
    miss, missed = happened - past_ours, np.abs(happened - past_naive)
    enough = len(happened) >= _FEWEST
    cap = 2 * float(np.median(missed)) if enough else 0.25 * length * float(parts["total"][-3:].mean())
    size = float(max(ours[-1], 0.0))
    if not enough:
        return size, np.nan, np.nan, float(naive[-1]), cap
    unit = np.sqrt(np.maximum(past_ours, 0.05 * max(size, 1e-9)).clip(min=1e-12))[-_LOOKED_BACK:]
    apart, free = miss[-_LOOKED_BACK:] / unit, max(len(unit) / length, 2.0)
    reach = stdtrit(free, (1 + LEVEL) / 2) * np.sqrt(np.mean(apart**2) * (1 + 1 / free) * size)
    return size, max(size - reach, 0.0), size + reach, float(naive[-1]), cap


_SHORTEST = 2  # months before the first origin that is looked at


def _at_each_origin(total: Array, target: Array, gap: int, length: int) -> tuple[Array, Array, Array]:
    """The forecast and the naive one at each origin from the second month on; each uses only what was known then.

    And what the way that is best by now would have forecast then.
    """
    shortest = max(_SHORTEST, length)
    origins = range(shortest - 1, len(total))
    naive = np.array([_naive(total, target, now, gap, length) for now in origins])
    rivals = [_by_level(total, target, level, gap, length) for level in _LEVELS] + [naive]
    table, ours = np.array(rivals), np.empty(len(naive))
    erred = np.full(table.shape, np.nan)
    begun = gap + shortest - 1
    over = min(max(len(target) - begun, 0), len(naive))
    erred[:, :over] = np.abs(target[begun : begun + over] - table[:, :over])
    for place in range(len(naive)):
        known = erred[:, max(place - gap - length + 1 - _LOOKED_BACK, 0) : max(place - gap - length + 2, 0)]
        best = int(np.argmin(known.mean(axis=1))) if known.shape[1] >= _FEWEST else 1
        ours[place] = table[best, place]
    return ours, naive, table[best]


def _naive(total: Array, target: Array, now: int, gap: int, length: int) -> float:
    """Last year's same months by the trend of three months; else the last month, or quarter, that is over."""
    then = now + gap - 12
    if then >= 0 and now - 14 >= 0 and total[now - 14 : now - 11].sum() > 0:
        return float(target[then] * total[now - 2 : now + 1].sum() / total[now - 14 : now - 11].sum())
    return float(target[now - length + 1])


def _by_level(total: Array, target: Array, level: int, gap: int, length: int) -> Array:
    """The mean of the last months, times the ratio of targets to it in the year before each origin."""
    sums = np.concatenate([[0.0], total.cumsum()])
    at = np.arange(len(total))
    back = np.maximum(at + 1 - level, 0)
    mean = (sums[at + 1] - sums[back]) / (at + 1 - back)
    found = []
    for now in range(max(_SHORTEST, length) - 1, len(total)):
        last = now - gap - length + 1  # the latest origin whose target was over
        if last < 0:
            whole = total[: now + 1].mean()
            ratio = float(target[: now - length + 2].mean() / whole) if whole > 0 else 0.0
        else:
            begun = max(last - 11, 0)
            base = mean[begun : last + 1].sum()
            ratio = float(target[begun + gap : last + gap + 1].sum() / base) if base > 0 else 0.0
        found.append(mean[now] * ratio)
    return np.array(found)
