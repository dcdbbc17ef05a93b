"""One row per customer with the findings of all chapters, and the expected spend per purchase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, fetch, purchase_days
from crmlib.no_rows import why_none

if TYPE_CHECKING:
    from crmlib.study import Study

# The columns that each published table adds to the row of a customer, and their names here.
_TAKEN: dict[str, Mapping[str, str]] = {
    "lifetime_value": {
        name: name
        for name in ("segment", "p_alive", "expected_purchases", "clv", "clv_low", "clv_high", "frequency")
    },
    "customers_by_segment": {name: name for name in ("segment", "cluster", "need", "frequency")},
    "value_tiers": {"tier": "tier"},
    "states_of_customers": {"state": "state"},
    "customers_at_risk": {"p_churn": "p_churn"},
    "winnable_customers": {"chance_to_buy": "chance_to_buy", "silent_days": "silent_days"},
    "next_offers": {"next_product": "next_product"},
    "referral_values": {"referral_value": "referral_value"},
}
TEXTS = ("segment", "cluster", "need", "tier", "state", "next_product")
# What conditions may name.
RULED = """
segment cluster need tier state p_alive expected_purchases clv clv_low clv_high frequency p_churn chance_to_buy
silent_days next_product referral_value overdue open_case consent contacted_days
""".split()


def spend_by_customer(transactions: Any, *, as_of: Any) -> pd.DataFrame:
    """What does a customer spend per purchase, by a credibility estimate?

    Parameters
    ----------
    transactions, as_of
        As in `rfm_summary`.

    Returns
    -------
    DataFrame
        By `customer_id`: `spend` (money per day with a purchase, net), its `error`, and the same of every second
        day (`even`), with the mean of the other days (`odd`).

    Notes
    -----
    Bühlmann's credibility: the mean of a customer with n purchases moves to the mean of all by 1 / (1 + n · between /
    within), the variances between and within customers as
    Bühlmann and Straub estimate them (Bühlmann & Gisler, A Course in Credibility Theory, 2005, chapter 4).

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": list("aaabbb"), "amount": [9.0, 10.0, 11.0, 29.0, 30.0, 31.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"] * 2)})
    >>> spend_by_customer(log, as_of="2024-01-31")["spend"].round(2).tolist()
    [10.02, 29.98]
    """
    days = purchase_days(transactions, as_day(as_of, "as_of")).filter(_.purchase == 1)
    number = ibis.row_number().over(group_by="customer_id", order_by="date")
    numbered = days.mutate(even=number % 2 == 0, square=_.revenue**2)
    parts = {"": ibis.literal(True), "_even": _.even, "_odd": ~_.even}
    sums = {f"n{name}": _.revenue.count(where=where) for name, where in parts.items()}
    sums |= {f"sum{name}": _.revenue.sum(where=where) for name, where in parts.items()}
    sums |= {f"squares{name}": _.square.sum(where=where) for name, where in parts.items()}
    found = fetch(numbered.group_by("customer_id").agg(**sums).order_by("customer_id")).fillna(0.0)
    table = found.set_index("customer_id")
    spend, error = _credible(table["n"], table["sum"], table["squares"])
    even, _error = _credible(table["n_even"], table["sum_even"], table["squares_even"])
    odd = table["sum_odd"] / table["n_odd"].where(table["n_odd"] > 0)
    return pd.DataFrame({"spend": spend, "error": error, "even": even, "odd": odd})


def _credible(n: pd.Series, total: pd.Series, squares: pd.Series) -> tuple[pd.Series, pd.Series]:
    mean = total / n.where(n > 0)
    freedom = float((n - 1).clip(lower=0).sum())
    within = max(float((squares - n * mean.fillna(0.0) ** 2).clip(lower=0).sum()), 0.0) / max(freedom, 1.0)
    all_ = max(float(n.sum()), 1.0)
    middle = float(total.sum()) / all_
    apart = float((n * (mean.fillna(middle) - middle) ** 2).sum()) - max(int((n > 0).sum()) - 1, 0) * within
    between = max(apart / max(all_ - float((n**2).sum()) / all_, 1e-9), 0.0)
    kept = n * between / (n * between + within) if between or within else pd.Series(1.0, n.index)
    return middle + kept * (mean.fillna(middle) - middle), (between * (1 - kept)) ** 0.5


def customers_as_published(study: Study, everybody: Sequence[str]) -> pd.DataFrame:
    """One row per customer with what the chapters have published; nan where no chapter has a value.

    Parameters
    ----------
    study : Study
    everybody : sequence of str
        Ids of the customers of the purchase log; those are added whom a chapter knows otherwise, as by a contract.

    Returns
    -------
    DataFrame
        `customer_id` and the columns that conditions may name.
    """
    tables = {name: study.published(name) for name in _TAKEN}
    tables = {name: found for name, found in tables.items() if not why_none(found)}
    if "states_of_customers" in tables:
        states = tables["states_of_customers"]
        tables["states_of_customers"] = states[~states["customer_id"].str.startswith("lead:")]
    ids, columns = pd.Index(everybody, name="customer_id"), dict[str, Any]()
    places: dict[str, np.ndarray] = {}
    for table, found in tables.items():
        mine = pd.Index(found["customer_id"].astype(str))
        places[table] = place = ids.get_indexer(mine)
        new = place < 0
        place[new] = len(ids) + np.arange(int(new.sum()))
        ids = ids.append(mine[new]) if new.any() else ids
    for table, found in tables.items():
        names, place = _TAKEN[table], places[table]
        assert len(np.unique(place)) == len(place), f"{table} has a customer twice"
        for theirs, ours in names.items():
            if theirs in found and ours not in columns:
                kind = object if ours in TEXTS else float
                values = np.full(len(ids), None if kind is object else np.nan, dtype=kind)
                values[place] = found[theirs].to_numpy(dtype=kind)
                columns[ours] = values
    assert ids.is_unique, "a customer is there twice"
    columns["overdue"] = ~np.isnan(columns.get("silent_days", np.full(len(ids), np.nan)))
    frame = pd.DataFrame({"customer_id": ids, **columns, **_contact(study, ids)})
    return frame.reindex(columns=["customer_id", *RULED])


def _contact(study: Study, ids: pd.Index) -> dict[str, Any]:
    """Whether each customer may be written to, was written to lately, and has an open case."""
    found: dict[str, Any] = {}
    if study.has("customers", "consent"):
        known = fetch(study.table("customers").select("customer_id", "consent")).set_index("customer_id")
        consent = known["consent"].groupby(level=0).min().reindex(ids)
        found["consent"] = consent.eq(True).to_numpy()  # an empty consent is none
    if study.has("service_cases"):
        open_ = fetch(study.table("service_cases").filter(_.closed.isnull()).select("customer_id").distinct())
        found["open_case"] = ids.isin(open_["customer_id"])
    if study.has("touchpoints"):
        out = study.table("touchpoints").filter((_.direction == "out") & _.customer_id.notnull())
        last = fetch(out.group_by("customer_id").agg(last=_.date.max())).set_index("customer_id")["last"]
        days = (pd.Timestamp(study.as_of) - last.dt.normalize()).dt.days
        found["contacted_days"] = days.reindex(ids).to_numpy(dtype=float)
    return found
