"""One row per customer: what the chapters found, the next action, its reason and what it is expected to gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, fetch, purchase_days
from crmlib.no_rows import no_rows, why_none
from crmlib.relationship.allocation import NOBODY, Holdout, best_actions, hold_out, plan_holdout
from crmlib.relationship.rules import Rule
from crmlib.statistics import normal_quantile

if TYPE_CHECKING:
    from crmlib.study import Study

BASE_CHANCE = (
    0.2  # to buy within the window, where no chapter has one: only the size of the holdout rests on it
)
CAP_DAYS = 14  # nobody is written to more often
# What each published table adds to the row of a customer: its columns, and what they are called here.
_TAKEN: dict[str, Mapping[str, str]] = {
    "lifetime_value": {
        name: name
        for name in ("segment", "p_alive", "expected_purchases", "clv", "clv_low", "clv_high", "frequency")
    },
    "customers_by_segment": {"segment": "segment", "cluster": "cluster", "frequency": "frequency"},
    "value_tiers": {"tier": "tier"},
    "states_of_customers": {"state": "state"},
    "customers_at_risk": {"p_churn": "p_churn"},
    "winnable_customers": {"chance_to_buy": "chance_to_buy", "silent_days": "silent_days"},
    "next_offers": {"next_product": "next_product"},
    "referral_values": {"referral_value": "referral_value"},
}
_PLAIN = (
    "segment cluster tier state p_alive expected_purchases clv clv_low clv_high frequency p_churn".split()
)
_PLAIN += (
    "chance_to_buy silent_days next_product referral_value overdue open_case consent contacted_days".split()
)
TEXTS = ("segment", "cluster", "tier", "state", "next_product")
COLUMNS = [
    "customer_id", "segment", "cluster", "tier", "state", "p_alive", "expected_purchases", "clv", "clv_low",
    "clv_high", "p_churn", "next_product", "referral_value", "overdue", "next_action", "reason", "expected_gain",
    "gain_low", "gain_high", "cost", "assumed", "left_out",
]  # fmt: skip
LIST = [
    "customer_id", "next_action", "reason", "expected_gain", "gain_low", "gain_high", "cost", "assumed", "left_out",
    "rule", "assigned", "owner", "done_on", "outcome",
]  # fmt: skip
RULED = (*_PLAIN,)  # what conditions may name


@dataclass(frozen=True)
class NextActions:
    """Every customer with what to do, and the list of those for whom there is something to do.

    Attributes
    ----------
    customers : DataFrame
        One row per customer: `COLUMNS`; `reason` says why there is no action, where there is none.
    to_do : DataFrame
        The chosen, the largest gain first: `LIST`; `left_out` is left alone, so that the next run can tell what the
        actions changed. Owner, day and outcome are for those who act.
    gap : float
        How much more the best list within the budget could gain at most, a share.
    holdouts : dict
        By rule: its `Holdout`.
    checked : tuple of float
        What a list chosen by every second purchase was expected to gain, and what it gains by the other purchases;
        nan where too few customers bought twice.
    """

    customers: pd.DataFrame
    to_do: pd.DataFrame
    gap: float
    holdouts: dict[str, Holdout]
    checked: tuple[float, float]


def spend_by_customer(transactions: Any, *, as_of: Any) -> pd.DataFrame:
    """What does a customer spend per purchase, shrunk by how much is known of the customer?

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
    numbered = days.mutate(
        even=ibis.row_number().over(group_by="customer_id", order_by="date") % 2 == 0, square=_.revenue**2
    )
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
    """One row per customer with what the chapters have published of them; what no chapter found is not known.

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
    for found in tables.values():
        more = pd.Index(found["customer_id"].astype(str))
        ids = ids.append(more[ids.get_indexer(more) < 0])
    for table, found in tables.items():
        names, place = _TAKEN[table], ids.get_indexer(found["customer_id"].astype(str))
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
    return frame.reindex(columns=["customer_id", *_PLAIN])


def _contact(study: Study, ids: pd.Index) -> dict[str, Any]:
    """Whether each customer may be written to, was written to lately, and has an open case."""
    found: dict[str, Any] = {}
    if study.has("customers", "consent"):
        said = fetch(study.table("customers").select("customer_id", "consent")).set_index("customer_id")
        consent = said["consent"].groupby(level=0).min().reindex(ids)
        found["consent"] = consent.eq(True).to_numpy()  # nobody who has not said yes
    if study.has("service_cases"):
        open_ = fetch(study.table("service_cases").filter(_.closed.isnull()).select("customer_id").distinct())
        found["open_case"] = ids.isin(open_["customer_id"])
    if study.has("touchpoints"):
        out = study.table("touchpoints").filter((_.direction == "out") & _.customer_id.notnull())
        last = fetch(out.group_by("customer_id").agg(last=_.date.max())).set_index("customer_id")["last"]
        days = (pd.Timestamp(study.as_of) - last.dt.normalize()).dt.days
        found["contacted_days"] = days.reindex(ids).to_numpy(dtype=float)
    return found


def next_actions(
    customers: pd.DataFrame,
    rules: Sequence[Rule],
    spend: pd.DataFrame,
    *,
    margin: float | None,
    as_of: Any,
    budget: float | None = None,
    capacity: int | None = None,
    key: str = "",
    before: pd.DataFrame | None = None,
) -> NextActions:
    """What to do for which customer, with the gain expected, within a budget or a number of contacts?

    Parameters
    ----------
    customers : DataFrame
        As of `customers_as_published`.
    rules : sequence of Rule
    spend : DataFrame
        As of `spend_by_customer`.
    margin : float, optional
        Contribution as a share of revenue; where it is not known, no gain is.
    as_of : date
        The day on which the list is made.
    budget, capacity
        As in `best_actions`.
    key : str
        Of the draw of who is left out.
    before : DataFrame, optional
        An earlier list: `customer_id, rule, left_out`.

    Returns
    -------
    NextActions
    """
    spend = spend.reindex(customers["customer_id"])
    allowed, barred = _allowed(customers)
    gain, error, cost, fits = _gains(customers, rules, spend[["spend", "error"]].to_numpy(), allowed, margin)
    found = best_actions(gain, cost, budget=budget, capacity=capacity)
    chosen = np.flatnonzero(found.option != NOBODY)
    option = found.option[chosen]
    frame = customers.assign(next_action=None, expected_gain=np.nan, gain_low=np.nan, gain_high=np.nan)
    frame = frame.assign(cost=np.nan, assumed=None, left_out=None, rule=None)
    frame["reason"] = _why_nothing(fits, gain, barred, margin)
    reach = normal_quantile(0.95) * error[chosen, option]
    written = {
        "next_action": np.array([rule.action for rule in rules], dtype=object),
        "reason": np.array([rule.why for rule in rules], dtype=object),
        "rule": np.array([rule.rule for rule in rules], dtype=object),
        "assumed": np.array([not rule.source for rule in rules], dtype=object),
    }
    for name, words in written.items():
        values = frame[name].to_numpy(dtype=object, copy=True)
        values[chosen] = words[option] if len(rules) else None
        frame[name] = values
    money = {"expected_gain": gain[chosen, option], "cost": cost[chosen, option]}
    money |= {"gain_low": money["expected_gain"] - reach, "gain_high": money["expected_gain"] + reach}
    for name, amounts in money.items():
        values = frame[name].to_numpy(copy=True)
        values[chosen] = amounts
        frame[name] = values
    to_do = frame.iloc[chosen].assign(assigned=pd.Timestamp(as_of), owner="", done_on="", outcome="")
    holdouts = _holdouts(to_do, rules)
    to_do["left_out"] = _left_out(to_do, holdouts, key, before)
    frame.loc[to_do.index, "left_out"] = to_do["left_out"]
    total = to_do["expected_gain"].sum()
    assert np.isclose(total, found.gain), "the list and its total differ"
    to_do = to_do.sort_values(["expected_gain", "customer_id"], ascending=[False, True])[LIST]
    to_do = to_do.reset_index(drop=True)
    if to_do.empty:
        to_do = no_rows(LIST, _nothing(frame["reason"]))
    checked = _checked(customers, rules, spend, allowed, margin, budget=budget, capacity=capacity)
    return NextActions(frame[COLUMNS], to_do, found.gap, holdouts, checked)


def _allowed(customers: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Who may be contacted now, and why the others may not."""
    barred = np.full(len(customers), "", dtype=object)
    barred[(customers["contacted_days"] < CAP_DAYS).to_numpy()] = f"contacted within the last {CAP_DAYS} days"
    barred[(customers["consent"] == False).to_numpy()] = "has not agreed to be written to"  # noqa: E712
    return barred == "", barred


def _gains(
    customers: pd.DataFrame,
    rules: Sequence[Rule],
    spend: np.ndarray,
    allowed: np.ndarray,
    margin: float | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gain, its error and cost of each rule for each customer, and for whom each rule is."""
    shape = (len(customers), len(rules))
    gain, error, fits = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    cost = np.broadcast_to(np.array([rule.cost for rule in rules]), shape)
    width = 2 * normal_quantile(0.95)
    value = customers["clv"].to_numpy(dtype=float)
    value_error = ((customers["clv_high"] - customers["clv_low"]) / width).to_numpy(dtype=float)
    worths = {"purchase": spend.T.clip(min=0.0) * (np.nan if margin is None else margin)}
    worths["value"] = np.stack([value, value_error]) * (np.nan if margin is None else 1.0)
    for place, rule in enumerate(rules):
        worth, worth_error = worths[rule.worth]
        fits[:, place] = rule.applies(customers)
        here = fits[:, place] & allowed
        gain[here, place] = rule.change * worth[here] - rule.cost
        error[here, place] = rule.gain_error(worth, np.nan_to_num(worth_error))[here]
    return gain, error, cost, fits


def _why_nothing(fits: np.ndarray, gain: np.ndarray, barred: np.ndarray, margin: float | None) -> np.ndarray:
    reason = np.full(len(fits), "no rule is for this customer", dtype=object)
    concerned = fits.any(axis=1)
    reason[concerned] = (
        "the gain is not known without a margin" if margin is None else "the gain is not known"
    )
    best = np.where(np.isnan(gain), -np.inf, gain).max(axis=1, initial=-np.inf)
    reason[concerned & np.isfinite(best)] = "a contact costs more than it is expected to bring"
    reason[best > 0] = "others bring more within the budget"
    reason[concerned & (barred != "")] = barred[concerned & (barred != "")]
    return reason


def _nothing(reasons: pd.Series) -> str:
    """The reason of most, where there is nothing to do for anybody."""
    return str(reasons.mode().iloc[0]) if len(reasons) else "there is no customer"


def _holdouts(to_do: pd.DataFrame, rules: Sequence[Rule]) -> dict[str, Holdout]:
    found = {}
    for rule in rules:
        mine = to_do[to_do["rule"] == rule.rule]
        chance = float(mine["chance_to_buy"].mean()) if mine["chance_to_buy"].notna().any() else BASE_CHANCE
        if len(mine):
            found[rule.rule] = plan_holdout(len(mine), chance, rule.change)
    return found


def _left_out(
    to_do: pd.DataFrame, holdouts: Mapping[str, Holdout], key: str, before: pd.DataFrame | None
) -> np.ndarray:
    known = before if before is not None and len(before) else None
    earlier = known[known["left_out"].eq(True)] if known is not None else to_do[:0]
    pairs = set(zip(earlier["customer_id"], earlier["rule"], strict=True))
    stratum = to_do["tier"].fillna(to_do["segment"]).fillna("all")
    chosen, left = to_do.assign(stratum=stratum), pd.Series(False, to_do.index)
    for name, plan in holdouts.items():
        mine = chosen[chosen["rule"] == name]
        if plan.share:
            left[mine.index] = hold_out(mine, plan.share, key=key, before=pairs)
    return left.to_numpy()


def _checked(
    customers: pd.DataFrame, rules: Sequence[Rule], spend: pd.DataFrame, allowed: np.ndarray,
    margin: float | None, **limits: Any,
) -> tuple[float, float]:  # fmt: skip
    """The gain of a list chosen by every second purchase: as expected then, and by the other purchases."""
    other = spend["odd"].notna().to_numpy()
    only = [rule for rule in rules if rule.worth == "purchase"]
    if margin is None or not only or not other.any():
        return float("nan"), float("nan")
    half = np.column_stack([spend["even"], np.zeros(len(spend))])
    gain, _error, cost, _fits = _gains(customers, only, half, allowed & other, margin)
    found = best_actions(gain, cost, **limits)
    chosen = np.flatnonzero(found.option != NOBODY)
    again = np.column_stack([spend["odd"].fillna(0.0), np.zeros(len(spend))])
    by_others, _error, _cost, _fits = _gains(customers, only, again, allowed & other, margin)
    return found.gain, float(by_others[chosen, found.option[chosen]].sum())
