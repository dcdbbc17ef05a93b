"""Outcomes of the customers of an experiment after the assignment, and their history before it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import pandas as pd
from ibis import _

from crmlib.arguments import check_range
from crmlib.customers._log import as_day, dated, end_of, fetch, money_of, open_columns, seen_by, with_ids_of
from crmlib.data.sources import as_transactions, lacking, open_optional
from crmlib.errors import CrmError, DataError, did_you_mean
from crmlib.no_rows import no_rows

_COLUMNS = (
    "experiment customer_id kind group assigned cost purchases purchases_before spend_before spend "
    "profit complete bought unsubscribed"
)
STANDING = ("acquisition_channel", "product_type", "market")  # known when a customer joins, and lasting


def experiment_outcomes(
    transactions: Any,
    experiments: Any,
    *,
    days: int,
    as_of: Any,
    margin: float | None = None,
    control: str = "control",
) -> pd.DataFrame:
    """What did each customer of each experiment buy in the days after chance decided, and before?

    Parameters
    ----------
    transactions, margin
        As in `rfm_summary`; `margin` as in `cohort_comparison`.
    experiments : ibis.Table or DataFrame
        One row per experiment and customer: `experiment, customer_id, assigned, group` (the control, or an arm
        such as "treated"); optionally `kind, cost` (money), `outcome, unsubscribed_on`.
    days : int
        Length of the window from `assigned` on, that day included, and of the window just before it.
    as_of : date or str
        Last day that is known.
    control : str, default "control"
        What `group` says of those who were left alone.

    Returns
    -------
    DataFrame
        One row per experiment and customer: `experiment, customer_id, kind, group, assigned, complete` (the
        window had ended by `as_of`), `purchases` (days with one), `bought` (0 or 1), `spend` (net of returns)
        and, where it is known, `profit`, of the window; `purchases_before, spend_before`; `cost` (money, nan
        where unknown), `unsubscribed` (0 or 1, in the window) and, where the table has one, `outcome`. Without rows,
        and with the `reason`, where there are not both tables.

    Raises
    ------
    DataError
        If a column is missing, an experiment has no control, a day of assignment is missing, or a customer
        stands twice in an experiment.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a"], "amount": [10.0, 30.0],
    ...                     "date": pd.to_datetime(["2024-02-28", "2024-03-05"])})
    >>> test = pd.DataFrame({"experiment": "birthday", "customer_id": ["a", "b"], "group": ["treated", "control"],
    ...                      "assigned": pd.to_datetime("2024-03-01")})
    >>> found = experiment_outcomes(log, test, days=28, as_of="2024-06-30")
    >>> found[["customer_id", "bought", "spend", "spend_before"]]
      customer_id  bought  spend  spend_before
    0           a       1   30.0          10.0
    1           b       0    0.0           0.0
    """
    check_range("days", days, "the length of the window in days, 1 or more", least=1)
    last = as_day(as_of, "as_of")
    if missing := lacking(transactions=transactions, experiments=experiments):
        return no_rows(_COLUMNS, missing)
    people = read_people(experiments, transactions)
    done = fetch(_measures(transactions, people, days, last, margin))
    assigned = fetch(people)
    _check_people(assigned, control)
    found = assigned.merge(done, on=["experiment", "customer_id"], how="left", validate="one_to_one")
    numbers = [name for name in done.columns if name not in ("experiment", "customer_id")]
    found[numbers] = found[numbers].fillna(0.0)
    counts = ["purchases", "purchases_before"]
    found[counts] = found[counts].astype("int64")
    end = found["assigned"] + pd.Timedelta(days, "D")
    left = found.pop("unsubscribed_on").between(found["assigned"], end, inclusive="left")
    found = found.assign(
        complete=end <= pd.Timestamp(end_of(last)),
        bought=(found["purchases"] > 0).astype("int64"),
        unsubscribed=left.astype("int64"),
    )
    assert len(found) == len(assigned), "a customer was lost between experiment and purchase log"
    return found.sort_values(["experiment", "customer_id"], kind="stable").reset_index(drop=True)


def read_people(experiments: Any, transactions: Any) -> ibis.Table:
    """The table of experiments with every column that is read here, and its customers as the log has them."""
    table = open_columns(experiments, "experiments", "experiment", "customer_id", "assigned", "group")
    table = with_ids_of(as_transactions(transactions), table)
    absent = {
        name: ibis.null("string") for name in ("kind", "cost", "unsubscribed_on") if name not in table.columns
    }
    people = table.mutate(**absent)
    people = people.mutate(
        experiment=people.experiment.cast("string"),
        kind=people.kind.cast("string").fill_null(""),
        assigned=people.assigned.try_cast("timestamp(6)"),
        group=people.group.cast("string"),
        cost=people.cost.cast("float64"),
        unsubscribed_on=people.unsubscribed_on.cast("timestamp(6)"),
    )
    names = ["experiment", "customer_id", "kind", "group", "assigned", "cost", "unsubscribed_on"]
    return people.select(*names, *(["outcome"] if "outcome" in table.columns else []))


def check_groups(people: pd.DataFrame, table: str, control: str) -> None:
    """Refuse experiments in which some customers have no group, or nobody is the control."""
    if missing := int(people["group"].isna().sum()):
        raise DataError(f"{table}: group is missing in {missing:,} rows; say who was treated and who was not")
    alone = (people["group"] == control).groupby(people["experiment"]).any()
    for name in alone.index[~alone]:
        found = sorted(map(str, people.loc[people["experiment"] == name, "group"].unique()))
        words = ", ".join(map(repr, found[:5]))
        raise DataError(
            f"{table}: in {name!r} no group is {control!r}, but {words}; say control={found[0]!r}"
        )


def _check_people(people: pd.DataFrame, control: str) -> None:
    check_groups(people, "experiments", control)
    if people["assigned"].isna().any():
        missing = int(people["assigned"].isna().sum())
        raise DataError(
            f"experiments: assigned is missing or no date in {missing:,} rows; without it no window begins"
        )
    twice = people.duplicated(["experiment", "customer_id"])
    if twice.any():
        first, count = people[twice].iloc[0], f"{int(twice.sum()):,}"
        raise DataError(
            f"experiments: customer {first['customer_id']!r} occurs twice in {first['experiment']!r} ({count} such "
            "rows); keep the first assignment, or name each round of the experiment"
        )


def _measures(
    transactions: Any, people: ibis.Table, days: int, last: dt.date, margin: float | None
) -> ibis.Table:
    """Purchases and money of the customers who bought in a window, or in the one before."""
    rows = seen_by(transactions, last)
    money = money_of(rows, margin)
    money = {"spend": money.pop("revenue"), **money}
    log = rows.select("customer_id", when=dated(rows), counted=rows.counted, **money)
    windows = people.select("experiment", "customer_id", "assigned").distinct()
    both = log.inner_join(windows, "customer_id")
    length = ibis.interval(days=days)
    within = (both.when >= both.assigned) & (both.when < both.assigned + length)
    before = (both.when < both.assigned) & (both.when >= both.assigned - length)
    near = both.mutate(within=within, before=before).filter(within | before)
    return near.group_by("experiment", "customer_id").agg(
        purchases=_.when.date().nunique(where=_.within & _.counted),
        purchases_before=_.when.date().nunique(where=_.before & _.counted),
        spend_before=_.spend.sum(where=_.before).fill_null(0.0),
        **{name: near[name].sum(where=near.within).fill_null(0.0) for name in money},
    )


def experiment_features(
    transactions: Any, experiments: Any, *, experiment: str, customers: Any = None, recent_days: int = 90
) -> pd.DataFrame:
    """What was known of each customer of an experiment before the day on which chance decided?

    Each customer is seen as of their own day; what happened later, returns among it, is not seen.

    - `transactions`: cleaned purchase log.
    - `experiments`: as in `experiment_outcomes`.
    - `experiment`: the name of one experiment.
    - `customers`: adds its `acquisition_channel`, `product_type` and `market`.
    - `recent_days`: how far back recent purchases and spend reach.

    Returns: indexed by `customer_id`, in its order: `purchases` (days with one), `spend` (net), `recent_purchases,
    recent_spend, days_since_first, days_since_last` (of purchases; nan for who had none), and the columns of
    `customers`. Raises CrmError if there is no such experiment.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "a"], "amount": [10.0, 30.0, 99.0],
    ...                     "date": pd.to_datetime(["2023-06-01", "2024-02-20", "2024-03-01"])})
    >>> test = pd.DataFrame({"experiment": "birthday", "customer_id": ["a", "b"], "group": ["treated", "control"],
    ...                      "assigned": pd.to_datetime("2024-03-01")})
    >>> found = experiment_features(log, test, experiment="birthday")
    >>> found.reset_index()[["customer_id", "purchases", "recent_spend", "days_since_last"]]
      customer_id  purchases  recent_spend  days_since_last
    0           a          2          30.0             10.0
    1           b          0           0.0              NaN
    """
    people = read_people(experiments, transactions)
    assigned = fetch(people.filter(_.experiment == experiment).select("customer_id").order_by("customer_id"))
    if assigned.empty:
        names = fetch(people.select("experiment").distinct())["experiment"].tolist()
        raise CrmError(f"experiment is {experiment!r}; {did_you_mean(experiment, sorted(names))}")
    history = _history(transactions, people, experiment, recent_days)
    found = assigned.merge(history, on="customer_id", how="left")
    sums = ["purchases", "spend", "recent_purchases", "recent_spend"]
    found[sums] = found[sums].fillna(0.0)
    found = found.astype({"purchases": "int64", "recent_purchases": "int64"})
    lasting = open_optional(customers)
    if lasting is not None:
        lasting = with_ids_of(as_transactions(transactions), lasting)
        names = [name for name in STANDING if name in lasting.columns]
        standing = fetch(lasting.select("customer_id", *names))
        found = found.merge(standing, on="customer_id", how="left", validate="many_to_one")
    assert len(found) == len(assigned), "a customer was lost between experiment and purchase log"
    return found.set_index("customer_id")


def _history(transactions: Any, people: ibis.Table, experiment: str, recent_days: int) -> pd.DataFrame:
    """Purchases of each customer before their day, as they looked then."""
    rows = as_transactions(transactions).select("customer_id", "date", "amount", "is_purchase", "reversed_on")
    days = people.filter(people.experiment == experiment).select("customer_id", "assigned").distinct()
    seen = rows.inner_join(days, "customer_id").filter(_.date.date() < _.assigned.date())
    back = seen.reversed_on.notnull() & (seen.reversed_on.date() < seen.assigned.date())
    seen = seen.mutate(
        counted=seen.is_purchase & ~back,
        recent=seen.date >= seen.assigned - ibis.interval(days=recent_days),
        ago=seen.assigned.date().delta(seen.date.date(), unit="day"),
    )
    found = seen.group_by("customer_id").agg(
        purchases=_.date.date().nunique(where=_.counted),
        spend=_.amount.sum(),
        recent_purchases=_.date.date().nunique(where=_.counted & _.recent),
        recent_spend=_.amount.sum(where=_.recent),
        days_since_first=_.ago.max(where=_.counted),
        days_since_last=_.ago.min(where=_.counted),
    )
    return fetch(found).astype({"days_since_first": float, "days_since_last": float})
