"""Contacts by months of silence: their effect, their cost, and when to stop."""

from __future__ import annotations

import math

import ibis
import numpy as np
import pandas as pd
from ibis import _
from scipy.optimize import isotonic_regression

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.customers.treatments.experiments import experiment_outcomes
from crmlib.data.sources import open_optional
from crmlib.economics.experiments import read_experiments
from crmlib.economics.life_cycle import sentences
from crmlib.economics.life_cycle.data import LifeCycleData, with_states
from crmlib.economics.life_cycle.values import contact_policy
from crmlib.errors import DataError
from crmlib.findings import Estimate, with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import Array

MONTH_DAYS = 30  # within which a hop is made
FEWEST = 30  # customers as long silent, below which a chance to buy is not taken for known
LEFT_ALONE = "assumed: who is not contacted never buys again"
_COLUMNS = "months_contacted chance value last_gain best basis"


def _readout(life: LifeCycleData, kind: str, days: int) -> pd.Series | None:
    """The firm's experiments of a kind together, read by the share who bought; None where there is none."""

    def outcomes() -> pd.DataFrame:
        try:
            return experiment_outcomes(life.transactions, life.experiments, days=days, as_of=life.as_of)
        except DataError:  # no control, or no day of it: chapter 9 names the fault
            return pd.DataFrame()

    rows: pd.DataFrame = life.kept(("outcomes", days), outcomes)
    rows = rows[(rows["kind"] == kind) & rows["complete"]] if len(rows) else rows
    read = read_experiments(rows.assign(experiment=kind), outcome="bought") if len(rows) else rows
    return read.iloc[0] if len(read) else None


def share_moved(life: LifeCycleData, kind: str) -> float:
    """Of those contacted by a message of a kind, the share who bought because of it; nan where it is not measured."""
    row = _readout(life, kind, MONTH_DAYS) if kind else None
    return np.nan if row is None else float(row["difference"])


def effect_of_contact(life: LifeCycleData, kind: str = "reminder", days: int = MONTH_DAYS) -> Estimate:
    """By which share a message of a kind raises the chance to buy within so many days, by the firm's experiments.

    Not known where there is none: a log in which all were contacted, or none, cannot tell.
    """
    row = _readout(life, kind, days)
    if row is None or not row["control_mean"] > 0:
        return Estimate(None, "share")
    value, low, high = (float(row[name] / row["control_mean"]) for name in ("difference", "low", "high"))
    return Estimate(value, "share", low, high, base=f"{fmt.count(row['treated'])} treated customers")


def cost_of_contact(life: LifeCycleData) -> float | None:
    """What a message of the firm costs on average; None where no cost is known."""
    rows = open_optional(life.touchpoints)
    if rows is None or not {"direction", "cost"} <= {*rows.columns}:
        return None
    found = rows.filter((rows.direction == "out") & rows.cost.notnull()).cost.mean().to_pyarrow().as_py()
    return None if found is None else float(found)


@with_states(_COLUMNS)
def policy(
    life: LifeCycleData, contact_cost: float | None = None, effect: Estimate | None = None
) -> pd.DataFrame:
    """After how many months of silence should contacts stop?

    Parameters
    ----------
    contact_cost : float, optional
        Money per contact; without it 1.00 is assumed, and the finding says so.
    effect : Estimate, optional
        By which share a contact raises the chance to buy, as of `contact_effect`; where it is not known, who is not
        contacted never buys again, which is assumed.

    Returns
    -------
    DataFrame
        `months_contacted`, the `value` of one who has just bought under this policy, `last_gain` (what contacting in
        the last of these months adds), `best`, `chance` (to buy in the month, falling with the silence) and `basis`.
    """
    if not life.rate:
        return no_rows(_COLUMNS, "what a customer will ever bring has no end at a discount rate of 0")
    chance, each, contacted = _by_silence(life)
    if not len(chance):
        return no_rows(_COLUMNS, f"no silence of a month is known of {FEWEST} customers")
    paid = 1.0 if contact_cost is None else contact_cost
    known = effect if effect is not None and effect.is_known else None

    def at(size: float | None) -> pd.DataFrame:
        return contact_policy(chance, each, paid, life.rate, effect=size, contacted=contacted)

    table = at(None if known is None else known.value)
    table["chance"] = [np.nan, *chance]
    table["basis"] = LEFT_ALONE if known is None else "by the measured effect of a contact"
    ends = [] if known is None or math.isnan(known.low) else [known.low, known.high]
    others = [int(at(size)["best"].to_numpy().argmax()) for size in ends]
    spelt = f", a contact taken to cost {sentences.money(paid)}: assumed" if contact_cost is None else ""
    return with_finding(table[_COLUMNS.split()], sentences.where_to_stop, others, spelt)


def _by_silence(life: LifeCycleData) -> tuple[Array, float, float]:
    """The chance to buy by months of silence, the money of a month with a purchase, and the share contacted.

    The chance does not rise with the silence: of neighbours where it would, the mean.
    """
    last, rows = life.data.last, life.data.events.filter(_.buys)
    gap = rows.next_bought.cast("int64") - rows.month
    counted = rows.group_by(gap=ibis.least(gap, last + 1 - rows.month), open=gap > last - rows.month)
    found = fetch(counted.agg(n=_.count()))
    length = int(found["gap"].max()) if len(found) else 0
    parts = found[~found["open"]], found[found["open"]]
    ended, open_ = (np.bincount(part["gap"].astype(int), part["n"], length + 1) for part in parts)
    # Those who are still silent were at risk in all months but the one after the log's last.
    at_risk = (ended + open_)[::-1].cumsum()[::-1][1:] - open_[1:]
    enough = np.append(at_risk >= FEWEST, False)
    reach = int(np.argmin(enough))
    chance = ended[1 : reach + 1] / at_risk[:reach]
    if reach:
        chance = isotonic_regression(chance, weights=at_risk[:reach], increasing=False).x
    sums = fetch(rows.agg(money=rows[life.money].sum(), n=_.count()))
    events = life.data.events.filter(_.orders > 0)
    touched = fetch(events.agg(n=(_.contact_month == _.month).sum(), months=(_.until - _.month + 1).sum()))
    share = float(touched["n"].iloc[0] or 0) / max(float(touched["months"].iloc[0] or 0), 1.0)
    each = float(sums["money"].iloc[0] or 0) / max(int(sums["n"].iloc[0]), 1)
    return np.asarray(chance, dtype=float), each, share
