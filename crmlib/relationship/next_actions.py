"""One row per customer: what the chapters found, the next action, its reason and what it is expected to gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlib.findings import Estimate
from crmlib.no_rows import no_rows, why_none
from crmlib.relationship.actions import WINDOW_DAYS
from crmlib.relationship.allocation import NOBODY, Holdout, best_actions, hold_out, plan_holdout
from crmlib.relationship.customer_table import RULED, customers_as_published, spend_by_customer
from crmlib.relationship.rules import OWN, Rule, measured, read_rules
from crmlib.relationship.sentences import next_actions_in_words
from crmlib.statistics import normal_quantile

if TYPE_CHECKING:
    from crmlib.study import Study

BASE_CHANCE = 0.2  # to buy within the window, where no chapter has one: the size of the holdout rests on it
NOTHING = "none"  # the action of a customer for whom there is nothing to do now
CAP_DAYS = 14  # nobody is written to more often
COLUMNS = [
    "customer_id", "segment", "cluster", "need", "tier", "state", "p_alive", "expected_purchases", "clv",
    "clv_low", "clv_high", "p_churn", "next_product", "referral_value", "overdue", "next_action", "reason",
    "expected_gain", "gain_low", "gain_high", "cost", "assumed", "left_out",
]  # fmt: skip
FEW = ["segment", "cluster", "need", "tier", "state", "next_action", "reason"]
LIST = [
    "customer_id", "next_action", "reason", "expected_gain", "gain_low", "gain_high", "cost", "assumed", "left_out",
    "rule", "runs", "assigned", "owner", "done_on", "outcome",
]  # fmt: skip


@dataclass(frozen=True)
class NextActions:
    """Every customer with what to do, and the list of those for whom there is something to do.

    Attributes
    ----------
    customers : DataFrame
        One row per customer: `COLUMNS`; `reason` says why there is no action, where there is none.
    to_do : DataFrame
        The chosen, the largest gain first: `LIST`; `left_out` is left alone, so that a later run can tell what the
        actions changed: after as many lists as `runs` says. Owner, day and outcome are for those who act.
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

    def sentences(self, currency: str) -> list[str]:
        """What the list gains, how near it is to the best one, and what can be learnt from it."""
        return next_actions_in_words(self.to_do, self.gap, self.holdouts, self.checked, currency)

    @property
    def gain(self) -> Estimate:
        """The gain expected of the list, after its cost; not known without a list."""
        total = None if why_none(self.to_do) else float(self.to_do["expected_gain"].sum())
        return Estimate(total, "money", base="customers on the list of next actions")

    @property
    def assumed(self) -> bool:
        """Whether a part of it rests on an assumed change."""
        return bool(self.to_do["assumed"].eq(True).any())


def actions_of(study: Study, *, margin: float | None, **limits: Any) -> NextActions:
    """The next actions of a study, by its own rules or those of the library.

    `margin`: contribution as a share of revenue. `limits`: `budget` or `capacity`. Raises StudyError where its rules
    are not sound.
    """
    own = study.folder / OWN
    rules = read_rules(own if own.is_file() else Path(__file__).with_name(OWN), RULED)
    spend = pd.DataFrame(columns=["spend", "error", "even", "odd"], dtype=float)
    if study.has("transactions"):
        log = study.transactions
        spend = spend_by_customer(log, as_of=study.as_of)
        rules = measured(rules, log, study.table("experiments"), as_of=study.as_of, days=WINDOW_DAYS)
    customers = customers_as_published(study, spend.index.astype(str))
    before = study.locked("next_actions")
    key = f"{study.name} {study.ids_by}"
    asked = dict(margin=margin, as_of=study.as_of, key=key, before=before, **limits)
    return next_actions(customers, rules, spend, **asked)


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
    gain, error, cost, fits = _gains(customers, rules, _worths(customers, spend, margin), allowed)
    found = best_actions(gain, cost, budget=budget, capacity=capacity)
    chosen = np.flatnonzero(found.option != NOBODY)
    option = found.option[chosen]
    frame = customers.assign(next_action=NOTHING, expected_gain=np.nan, gain_low=np.nan, gain_high=np.nan)
    frame = frame.assign(cost=np.nan, assumed=None, left_out=None, rule=None)
    frame["reason"] = _why_nothing(fits, gain, barred, margin)
    applied, expected = [rules[place] for place in option], gain[chosen, option]
    reach = normal_quantile(0.95) * error[chosen, option]
    of_chosen: dict[str, Any] = {"next_action": [rule.action for rule in applied]}
    of_chosen |= {"reason": [rule.why for rule in applied], "rule": [rule.rule for rule in applied]}
    of_chosen |= {"assumed": [not rule.source for rule in applied], "cost": cost[chosen, option]}
    of_chosen |= {"expected_gain": expected, "gain_low": expected - reach, "gain_high": expected + reach}
    for name, values in of_chosen.items():
        column = frame[name].to_numpy(copy=True)
        column[chosen] = values
        frame[name] = column
    to_do = frame.iloc[chosen].assign(assigned=pd.Timestamp(as_of), owner="", done_on="", outcome="")
    holdouts = _holdouts(to_do, rules)
    to_do["runs"] = [holdouts[rule].runs for rule in to_do["rule"]]
    to_do["left_out"] = _left_out(to_do, holdouts, key, before)
    frame.loc[to_do.index, "left_out"] = to_do["left_out"]
    total = to_do["expected_gain"].sum()
    assert np.isclose(total, found.gain), "the list and its total differ"
    to_do = to_do.sort_values(["expected_gain", "customer_id"], ascending=[False, True])[LIST]
    to_do = to_do.reset_index(drop=True)
    if to_do.empty:
        to_do = no_rows(LIST, _nothing(frame["reason"]))
    frame = frame.astype(dict.fromkeys(FEW, "category"))  # few words for many customers
    checked = _checked(customers, rules, spend, allowed, margin, budget=budget, capacity=capacity)
    return NextActions(frame[COLUMNS], to_do, found.gap, holdouts, checked)


def _allowed(customers: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Who may be contacted now, and why the others may not."""
    barred = np.full(len(customers), "", dtype=object)
    barred[(customers["contacted_days"] < CAP_DAYS).to_numpy()] = f"contacted within the last {CAP_DAYS} days"
    barred[(customers["consent"] == False).to_numpy()] = "has not agreed to be written to"  # noqa: E712
    return barred == "", barred


def _worths(customers: pd.DataFrame, spend: pd.DataFrame, margin: float | None) -> dict[str, np.ndarray]:
    """What a purchase and the value of each customer are worth, with the standard error; nan without a margin."""
    money = np.nan if margin is None else margin
    error = (customers["clv_high"] - customers["clv_low"]) / (2 * normal_quantile(0.95))
    value = np.stack([customers["clv"].to_numpy(dtype=float), error.to_numpy(dtype=float)])
    purchase = spend[["spend", "error"]].to_numpy().T.clip(min=0.0)
    return {"purchase": purchase * money, "value": value if margin is not None else value * np.nan}


def _gains(
    customers: pd.DataFrame, rules: Sequence[Rule], worths: Mapping[str, np.ndarray], allowed: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gain, its standard error and cost of each rule for each customer, and to whom each rule applies."""
    shape = (len(customers), len(rules))
    gain, error, fits = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    cost = np.broadcast_to(np.array([rule.cost for rule in rules]), shape)
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
    reason[concerned] = f"the gain is not known{' without a margin' if margin is None else ''}"
    best = np.where(np.isnan(gain), -np.inf, gain).max(axis=1, initial=-np.inf)
    reason[concerned & np.isfinite(best)] = "a contact costs more than it is expected to bring"
    reason[best > 0] = "others bring more within the budget"
    reason[concerned & (barred != "")] = barred[concerned & (barred != "")]
    return reason


def _nothing(reasons: pd.Series) -> str:
    """The most frequent reason, where there is nothing to do for anybody."""
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
    """Split-sample check: the gain of a list chosen by every second purchase, as expected and by the others."""
    other = spend["odd"].notna().to_numpy()
    only = [rule for rule in rules if rule.worth == "purchase"]
    if margin is None or not only or not other.any():
        return float("nan"), float("nan")

    def gains(days: str) -> tuple[np.ndarray, np.ndarray]:
        worth = spend[days].fillna(0.0).to_numpy().clip(min=0.0) * margin
        return _gains(customers, only, {"purchase": np.stack([worth, 0 * worth])}, allowed & other)[::2]

    gain, cost = gains("even")
    found = best_actions(gain, cost, **limits)
    chosen = np.flatnonzero(found.option != NOBODY)
    return found.gain, float(gains("odd")[0][chosen, found.option[chosen]].sum())
