"""A firm's own spend on acquisition and retention in the customer equity test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import as_day, fetch
from crmlib.data.sources import lacking, open_table
from crmlib.economics.retention.case import RetentionCase
from crmlib.economics.retention.spending import EquityTest, ResponseCurve, fit_response, judged_curve
from crmlib.errors import FitError, not_measured
from crmlib.no_rows import no_rows, why_none

RIPE_DAYS = 90  # a prospect younger than this may still be won
_OPEN = 0.99  # a ceiling whose interval reaches this is not known
_FLAT = 0.95  # of the ceiling reached by the smallest spend: then no response to more is seen
_TIMES = (1.25, 1.5, 2.0, 3.0)  # ceilings to try, in shares won today
_SPENDING = "curve ceiling next_customer_costs value per_prospect equity best_equity best_per_prospect"
_MONTHS = "month spend prospects won spend_per_prospect share_won"


def prospects_by_month(leads: Any, marketing_spend: Any, *, as_of: Any) -> pd.DataFrame:
    """What was spent per prospect in each month, and which share of its prospects was won?

    Parameters
    ----------
    leads : ibis.Table or DataFrame
        One row per prospect: `created`, `won_on` (empty if not won).
    marketing_spend : ibis.Table or DataFrame
        Columns `date, amount`.
    as_of : date or str
        Last day that counts; months whose prospects had less than 90 days to be won are left out.

    Returns
    -------
    DataFrame
        By `month`: `spend`, `prospects`, `won` (within 90 days), `spend_per_prospect`, `share_won`. Without rows, and
        with the `reason`, where there are not both tables, or no month has had its 90 days.

    Examples
    --------
    >>> leads = pd.DataFrame({"created": pd.to_datetime(["2024-01-05", "2024-01-09"]),
    ...                       "won_on": pd.to_datetime(["2024-01-20", None])})
    >>> spend = pd.DataFrame({"date": pd.to_datetime(["2024-01-01"]), "amount": [10.0]})
    >>> prospects_by_month(leads, spend, as_of="2024-12-31")[["spend_per_prospect", "share_won"]].values.tolist()
    [[5.0, 0.5]]
    """
    day = as_day(as_of, "as_of")
    if missing := lacking(leads=leads, marketing_spend=marketing_spend):
        return no_rows(_MONTHS, missing)
    people, money = open_table(leads), open_table(marketing_spend)
    won = people.won_on.cast("date").delta(people.created.cast("date"), unit="day") <= RIPE_DAYS
    by_month = people.mutate(month=people.created.cast("date").truncate("M"), won=won.fill_null(False))
    prospects = by_month.group_by("month").agg(prospects=_.count(), won=_.won.sum())
    spent = money.mutate(month=money.date.cast("date").truncate("M")).group_by("month")
    table = prospects.inner_join(spent.agg(spend=_.amount.cast("float64").sum()), "month")
    ripe = ibis.literal(day - pd.Timedelta(RIPE_DAYS + 31, "D").to_pytimedelta())
    frame = fetch(table.filter(_.month <= ripe).order_by("month"))
    if frame.empty:
        return no_rows(_MONTHS, f"no month with leads and spend lies {RIPE_DAYS} days before {day}")
    frame = frame.astype({"month": "datetime64[s]"})[["month", "spend", "prospects", "won"]]
    frame["spend_per_prospect"] = frame["spend"] / frame["prospects"]
    return frame.assign(share_won=frame["won"] / frame["prospects"])


@dataclass(frozen=True)
class SpendingReadout:
    """What the data show about a firm's spending.

    Attributes
    ----------
    sentences : tuple of str
        Findings, and what is missing for more.
    table : DataFrame
        One row per response `curve` of acquisition, fitted or judged: its `ceiling`; `next_customer_costs` at
        today's spend and `value` of a customer (money; not known without a margin); `per_prospect` today and
        `best_per_prospect`, `equity` per prospect today and `best_equity`. Where spend on keeping customers is known
        also `per_customer`, `best_per_customer` and `multiplier`: what one unit more of today's budget would add.
        Without rows where nothing is known.
    by_month : DataFrame
        As of `prospects_by_month`.
    """

    sentences: tuple[str, ...]
    table: pd.DataFrame
    by_month: pd.DataFrame


def spending_readout(
    case: RetentionCase,
    leads: Any,
    marketing_spend: Any,
    *,
    as_of: Any,
    acquisition_ceiling: float | None = None,
    retention_spend: float | None = None,
    retention_ceiling: float | None = None,
) -> SpendingReadout:
    """Is too much or too little spent on winning and on keeping customers?

    Parameters
    ----------
    case : RetentionCase
        Margin, retention and discount rate. Where no margin is known, what a customer is worth is not either.
    leads, marketing_spend, as_of
        As for `prospects_by_month`: what was spent and who was won, up to the last day that counts.
    acquisition_ceiling : float, optional
        Share of prospects that no spend would pass: a judgement. By default fitted to the months; where they do not
        show a response, several multiples of today's share are tried.
    retention_spend : float, optional
        Money per customer and period that is spent on keeping them today.
    retention_ceiling : float, optional
        Retention that no spend would pass: a judgement; half-way from today's to 1 by default.

    Notes
    -----
    Blattberg & Deighton (1996): win customers until the next one costs what one is worth; the first margin counts.
    Spend was not varied by chance: months in which more was spent may be those in which more was to be had.
    """
    by_month = prospects_by_month(leads, marketing_spend, as_of=as_of)
    if missing := why_none(by_month):
        return SpendingReadout((not_measured(missing),), no_rows(_SPENDING, missing), by_month)
    spent, people, won = by_month[["spend", "prospects", "won"]].sum()
    today, share = float(spent / people), float(won / people)
    if not (today > 0 and 0 < share < 1):
        sentence = "Without spend, wins and losses the response to spend cannot be estimated."
        return SpendingReadout((sentence,), no_rows(_SPENDING, "the response cannot be estimated"), by_month)
    curves, origin = _curves(by_month, today, share, acquisition_ceiling)
    sentences = [f"Today's spend wins {fmt.share(share)} of the prospects.", origin]
    keep = None
    if retention_spend is None:
        sentences.append("The spend on retention is not known, so the retention rate is kept as it is.")
    else:
        rate = case.terms.retention_rate
        ceiling = (1 + rate) / 2 if retention_ceiling is None else retention_ceiling
        keep = judged_curve(spend=retention_spend, rate=rate, ceiling=ceiling)
        sentences.append(f"The ceiling of retention, {fmt.share(ceiling)}, is a judgement.")
    rows = {name: _row(case, curve, today, keep, retention_spend) for name, curve in curves.items()}
    table = pd.DataFrame([{"curve": name, **row} for name, row in rows.items()])
    if case.value != "contribution":
        sentences.append("No margin is known, and revenue alone does not show whether more spend pays.")
        return SpendingReadout(tuple(sentences), table, by_month)
    more = table["next_customer_costs"] < table["value"]
    side = "more" if more.all() else "less" if not more.any() else "more or less, depending on the curve,"
    worth = f"the {case.value} of a customer at constant retention"
    sentences.append(f"Spend {side} per prospect, as long as the next customer costs less than {worth}.")
    return SpendingReadout(tuple(sentences), table, by_month)


def _curves(
    by_month: pd.DataFrame, today: float, share: float, ceiling: float | None
) -> tuple[dict[str, ResponseCurve], str]:
    """Response curves of acquisition to look at, and where they are from."""
    if ceiling is not None:
        curve = judged_curve(spend=today, rate=share, ceiling=ceiling)
        return {"judged": curve}, f"The ceiling of acquisition, {fmt.share(ceiling)}, is a judgement."
    try:
        found = fit_response(*by_month[["spend_per_prospect", "prospects", "won"]].to_numpy(float).T)
        if found.ceiling_high < _OPEN and found.rate(found.observed[0]) < _FLAT * found.ceiling:
            between = f"between {fmt.share(found.ceiling_low)} and {fmt.share(found.ceiling_high)}"
            return {"fitted": found}, f"The months show a response: the ceiling lies {between}."
    except FitError:
        pass
    ceilings = {times: times * share for times in _TIMES if times * share < 1}
    curves = {
        f"judged: at most {times:g} × today's share": judged_curve(spend=today, rate=share, ceiling=most)
        for times, most in ceilings.items()
    }
    origin = (
        "The months' spend per prospect shows no response: ceilings are judgements, and the answer depends on"
    )
    return curves, f"{origin} them. Vary the spend at random to find out."


def _row(
    case: RetentionCase,
    win: ResponseCurve,
    today: float,
    keep: ResponseCurve | None,
    retention_spend: float | None,
) -> dict[str, float]:
    contribution, rate = case.value_per_customer, case.discount_rate
    row = {"ceiling": win.ceiling, "next_customer_costs": 1 / win.slope(today), "per_prospect": today}
    if case.value != "contribution":  # revenue pays for nothing
        return {**row, **dict.fromkeys(("value", "equity", "best_equity", "best_per_prospect"), np.nan)}
    if keep is None or retention_spend is None:
        value = float(case.terms.gross())
        best = win.spend_for(value)
        equity = {"equity": win.rate(today) * value - today, "best_equity": win.rate(best) * value - best}
        return {**row, "value": value, **equity, "best_per_prospect": best}
    test = EquityTest(contribution, rate, win, keep)
    now, plan = test.of(today, retention_spend), test.best()
    split = test.best(today + win.rate(today) * retention_spend)
    return {
        **row, "value": now.clv,
        "equity": now.equity, "best_equity": plan.found.equity, "best_per_prospect": plan.acquisition_spend,
        "per_customer": retention_spend, "best_per_customer": plan.retention_spend, "multiplier": split.multiplier,
    }  # fmt: skip
