"""Which first purchases bring the best customers, and which of the best have gone quiet?"""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, dated, floor, profit_of, seen_by
from crmlib.errors import CrmError, did_you_mean
from crmlib.units import TimeUnit

COLUMNS = ("rank", "first_product", "customers", "came_back_share", "value_per_customer", "standard_error")
FEWEST = 30  # customers of a product, below which its mean is mostly chance, and has no rank
# A silence this unlikely, had nothing changed, is worth a call: one in twenty of the unchanged is called too.
UNLIKELY = 0.05
# A silence of ten mean gaps is no longer slipping away: these customers have left, and are another list.
LOST_GAPS = 10.0


def first_products(
    transactions: Any,
    *,
    as_of: Any,
    by: str | None = None,
    within_days: int = 365,
    margin: float | None = None,
    new_from: Any = None,
) -> pd.DataFrame:
    """What do customers become who started with a product, and with which did the best ones start?

    Parameters
    ----------
    transactions, as_of, margin
        As in `rfm_summary`; `margin` as in `cohort_comparison`.
    by : str, optional
        Column that says what was bought; `category`, else `product` where none is named.
    within_days : int
        Each customer's value is counted over so many days from their first purchase; only customers who
        have lived them count.
    new_from : date or str, optional
        The study's `new_customers_known_from`: who was first seen before it may be older, and
        is not counted.

    Returns
    -------
    DataFrame
        One row per first product: `rank` by value per customer, 1 the highest, `first_product, customers,
        came_back_share, value_per_customer` (profit where it is known, else revenue) and its
        `standard_error`. Products with fewer than 30 customers have no rank (nan) and come last, those with
        most customers first. Who bought several on the first day counts for each of them. Empty where the log
        names no product.

    Notes
    -----
    Who starts with a product has chosen it: that its buyers become good customers does not say that
    selling it to others would make them so.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Ross, M. (2022), The Customer-Base Audit.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-01-29"]),
    ...                     "category": ["jazz", "pop", "pop"]})
    >>> found = first_products(log, as_of="2024-12-31", within_days=180)
    >>> found[["rank", "first_product", "customers", "value_per_customer"]]
       rank first_product  customers  value_per_customer
    0   NaN          jazz          1                40.0
    1   NaN           pop          1                 5.0
    """
    rows = seen_by(transactions, day := as_day(as_of, "as_of"))
    by = by or next((name for name in ("category", "product") if name in rows.columns), None)
    if by is None:
        return pd.DataFrame(columns=list(COLUMNS))
    if by not in rows.columns:
        raise CrmError(f"by is {by!r}, which the log lacks; {did_you_mean(by, rows.columns)}")
    profit = profit_of(rows, margin)
    rows = rows.mutate(
        value=rows.amount if profit is None else profit,
        day=floor(dated(rows), TimeUnit.D),
        bought=rows[by].cast("string").fill_null("(none)"),
    )
    born = rows.filter(rows.counted).group_by("customer_id").agg(born=_.day.min())
    lived = born.filter(born.born <= ibis.literal(day - pd.Timedelta(within_days, "D")))
    if new_from is not None:
        lived = lived.filter(lived.born >= ibis.literal(as_day(new_from, "new_from")))
    table = _by_first_product(rows.inner_join(lived, "customer_id"), within_days)
    ranked = table["value_per_customer"].where(table["customers"] >= FEWEST)
    table.insert(0, "rank", ranked.rank(method="first", ascending=False))
    few_last = table.sort_values("customers", ascending=False, kind="stable")
    return few_last.sort_values("rank", kind="stable", ignore_index=True)[list(COLUMNS)]


def _by_first_product(rows: ibis.Table, within_days: int) -> pd.DataFrame:
    """Customers and their value over so many days, by what they bought on the day on which they were `born`."""
    age = rows.day.delta(rows.born, unit="day")
    people = rows.group_by("customer_id").agg(
        value=rows.value.sum(where=age < within_days),
        came_back=(rows.counted & (age > 0) & (age < within_days)).any(),
    )
    starts = rows.filter(rows.counted & (rows.day == rows.born)).select("customer_id", first_product="bought")
    found = starts.distinct().inner_join(people, "customer_id").group_by("first_product").agg(
        customers=_.count(),
        came_back_share=_.came_back.cast("float64").mean(),
        value_per_customer=_.value.mean(),
        standard_error=_.value.std(how="sample") / _.count().cast("float64").sqrt(),
    )  # fmt: skip
    return found.to_pandas().sort_values("first_product", ignore_index=True)


def lapsing_customers(
    summary: pd.DataFrame, n: int = 20, *, chance: float = UNLIKELY, lost_gaps: float = LOST_GAPS
) -> pd.DataFrame:
    """Which of the best customers have been silent for longer than is usual for them?

    Parameters
    ----------
    summary : CustomerSummary or DataFrame
        Columns `customer_id, frequency, recency, T, time_since_last_purchase, last_purchase, net`.
    n : int
        How many at most.
    chance : float
        A customer is lapsing whose silence would have at most this chance, had they gone on buying as before.
    lost_gaps : float
        A customer silent for so many of their own mean gaps is lost, not lapsing.

    Returns
    -------
    DataFrame
        By net spend, highest first: `customer_id, net, purchases, last_purchase, mean_gap` and
        `time_since_last_purchase` (in the summary's unit), and `chance_of_silence`.

    Notes
    -----
    Had x repeat purchases come at random over a customer's whole time T, all of them would lie within
    `recency` with a chance of (recency / T) ** x: the silence is judged by the customer's own rate, and the
    share of unchanged customers who are listed is `chance` for every x. The rule takes past habits for
    usual ones: who buys every Christmas is silent for most of the year. P(alive) of a purchase model with
    its backtest judges better where there is one.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": ["a", "b"], "frequency": [4, 4], "recency": [8.0, 8.0],
    ...     "T": [20.0, 9.0], "time_since_last_purchase": [12.0, 1.0], "net": [90.0, 50.0],
    ...     "last_purchase": pd.to_datetime(["2024-01-01", "2024-02-12"])})
    >>> lapsing_customers(summary)[["customer_id", "mean_gap", "chance_of_silence"]].round(4)
      customer_id  mean_gap  chance_of_silence
    0           a       2.0             0.0256
    """
    if n < 1:
        raise CrmError(f"n is {n}; allowed: 1 or more")
    if not 0 < chance < 1 or lost_gaps <= 0:
        raise CrmError(
            f"chance is {chance} and lost_gaps {lost_gaps}; allowed: 0 < chance < 1 and lost_gaps > 0"
        )
    repeat = pd.DataFrame(summary[(summary["frequency"] > 0) & (summary["recency"] > 0)])
    judged = repeat.assign(
        purchases=repeat["frequency"] + 1,
        mean_gap=repeat["recency"] / repeat["frequency"],
        chance_of_silence=(repeat["recency"] / repeat["T"]) ** repeat["frequency"],
    )
    is_lost = judged["time_since_last_purchase"] >= lost_gaps * judged["mean_gap"]
    lapsing = judged[(judged["chance_of_silence"] <= chance) & ~is_lost]
    lapsing = lapsing.sort_values(["net", "customer_id"], ascending=[False, True]).head(n)
    columns = ["customer_id", "net", "purchases", "last_purchase", "mean_gap", "time_since_last_purchase"]
    return lapsing[[*columns, "chance_of_silence"]].reset_index(drop=True)
