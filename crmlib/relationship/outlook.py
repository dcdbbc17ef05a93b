"""The forecasts of this run, and how accurate those of earlier runs were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crmlib import format as fmt
from crmlib.findings import Estimate
from crmlib.no_rows import no_rows, why_none
from crmlib.relationship.customer_record import CustomerForecasts, customer_forecasts
from crmlib.relationship.earlier_lists import COLUMNS as READ_OUT
from crmlib.relationship.earlier_lists import lists_read_out
from crmlib.relationship.forecasts import COLUMNS, LEVEL, monthly_sums, next_forecasts
from crmlib.relationship.track_record import COUNTED, SCORED, record_of, scores, track_record

if TYPE_CHECKING:
    from crmlib.study import Study


@dataclass(frozen=True)
class Outlook:
    """The forecasts of this run, and the record of earlier ones.

    Attributes
    ----------
    forecasts : DataFrame
        As of `next_forecasts`, with `known_to`, the last day of the log; the run locks them.
    scores : DataFrame
        Those of earlier runs that this run scores, once.
    record : DataFrame
        As of `track_record`: all scored so far.
    lists : DataFrame
        As of `lists_read_out`.
    customers : CustomerForecasts
        Who will buy, who will leave, and how right that was before.
    opening : tuple of str
        What became of the earlier lists.
    sentences : tuple of str
        The forecast and its record, as far as they can be said.
    """

    forecasts: pd.DataFrame
    scores: pd.DataFrame
    record: pd.DataFrame
    lists: pd.DataFrame
    customers: CustomerForecasts
    opening: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def next_month(self) -> Estimate:
        """Revenue of the next complete month, with its 90 % band."""
        if why_none(self.forecasts):
            return Estimate(None, "money")
        row = _next_month(self.forecasts)
        value, low, high = (float(row[name]) for name in ("forecast", "low", "high"))
        return Estimate(value, "money", low, high, LEVEL, window=fmt.month(row["target"]))


def outlook(study: Study, *, horizon_months: int = 3) -> Outlook:
    """What will the next month and quarter bring, and how right was that before?

    Parameters
    ----------
    study : Study
        Its ledger holds what earlier runs have locked. Forecasts in another currency, and those that were made when
        their target was over, as by a run for an earlier day, do not count.
    horizon_months : int
        With contracts: leaving within this time is churn.

    Returns
    -------
    Outlook

    Examples
    --------
    >>> import crmlib as crm
    >>> print(outlook(crm.open_study("cdnow-sample")).sentences[0])
    July 1998 is expected to bring USD 5,810 of revenue (USD 0 to USD 12,247, 90 % band).
    """
    customers = customer_forecasts(study, horizon_months=horizon_months)
    if not study.has("transactions"):
        why = "no table transactions"
        nothing, none, never, unread = (no_rows(names, why) for names in (COLUMNS, SCORED, COUNTED, READ_OUT))
        return Outlook(nothing, none, never, unread, customers, sentences=customers.sentences)
    months = monthly_sums(study.transactions, as_of=study.as_of)
    forecasts = next_forecasts(months, as_of=study.as_of, new_from=study.new_customers_known_from)
    known_to = pd.Timestamp(study.cleaned.report("transactions").days["latest"])
    locked, known = study.locked("forecasts"), study.locked("forecast_scores")
    late = other = 0
    if len(locked):
        same, ahead = locked["currency"] == study.currency, locked["known_to"] < locked["target_end"]
        other, late = int((~same).sum()), int((same & ~ahead).sum())
        locked = locked[same & ahead]
    if len(known):
        known = known[known["currency"] == study.currency]
    fresh = scores(locked, months, as_of=study.as_of, known=known if len(known) else None)
    scored = [rows[SCORED] for rows in (known, fresh) if len(rows)]
    record = track_record(pd.concat(scored) if scored else fresh, months)
    if len(forecasts):
        forecasts = forecasts.assign(known_to=known_to, cap=_caps(forecasts, locked))
    lists = lists_read_out(
        study.locked("next_actions"), study.transactions, study.table("actions_done"),
        as_of=study.as_of, currency=study.currency, ids_by=study.ids_by,
    )  # fmt: skip
    sentences = [_expected(forecasts, study.currency)]
    sentences += [record_of(record, horizon).sentence for horizon in ("month", "quarter")]
    sentences += [_not_counted(late, "made when their target was over")]
    sentences += [_not_counted(other, "in another currency"), *customers.sentences]
    opening = () if why_none(lists) else tuple(lists["result"])
    return Outlook(forecasts, fresh, record, lists, customers, opening, tuple(filter(None, sentences)))


def _caps(forecasts: pd.DataFrame, locked: pd.DataFrame) -> list[float]:
    """The cap on losses, as fixed by the first run before anything was scored."""
    keys = ["horizon", "measure", "customers"]
    if not len(locked):
        return forecasts["cap"].tolist()
    first = locked.sort_values("origin").drop_duplicates(keys).set_index(keys)["cap"]
    own = zip(forecasts[keys].itertuples(index=False, name=None), forecasts["cap"], strict=True)
    return [float(first.get(key, cap)) for key, cap in own]


def _next_month(forecasts: pd.DataFrame) -> pd.Series:
    return forecasts.query("horizon == 'month' and measure == 'revenue' and customers == 'all'").iloc[0]


def _expected(forecasts: pd.DataFrame, currency: str) -> str:
    if why_none(forecasts):
        return ""
    row = _next_month(forecasts)
    revenue = fmt.money(row["forecast"], currency)
    text = f"{fmt.month(row['target'])} is expected to bring {revenue} of revenue"
    if not fmt.is_known(row["low"]):
        return f"{text}; so few months cannot show how far it may be off."
    return f"{text} ({fmt.interval(row['low'], row['high'], 'money', currency)}, {fmt.share(LEVEL)} band)."


def _not_counted(count: int, why: str) -> str:
    return f"{fmt.plural(count, 'earlier forecast')} {why}: not counted." if count else ""
