"""How accurate earlier customer forecasts were: each scored once, on customers whom no action has influenced."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.findings import BETTER, UNDECIDED, WORSE
from crmlib.no_rows import no_rows
from crmlib.rankings import squared_losses
from crmlib.relationship.allocation import keyed_hashes
from crmlib.relationship.customer_forecasts import (
    ACTIVE_DAYS,
    BUYS,
    CHANCES,
    CONTRACT,
    LEAVES,
    TOTALS,
    Forecasts,
    both,
    buyers,
    chances_of_buying,
    chances_of_ending,
    column_of,
    contracts_ended,
)
from crmlib.relationship.track_record import ENOUGH, WAIT_DAYS, both_ways, decided, first_and_apart

if TYPE_CHECKING:
    from crmlib.study import Study

MOST = 2.0  # a gain counts up to this multiple of the gain that the forecast itself expects
KEYS = ["origin", "event", "horizon"]
SCORED = [
    *KEYS, "target", "target_end", "customers", "expected", "happened", "brier", "base_brier", "gain_counted",
    "holdout", "scored_on",
]  # fmt: skip
_WHAT = {
    (BUYS, "month"): "who buys in the next month",
    (BUYS, "quarter"): "who buys in the next quarter",
    (LEAVES, "quarter"): "who of the active customers buys nothing in the next quarter",
    (LEAVES, CONTRACT): "whose contract ends",
}


@dataclass(frozen=True)
class CustomerForecasts:
    """Each customer's chances, and the record of earlier ones.

    Attributes
    ----------
    totals, chances : DataFrame
        As of `chances_of_buying` and `chances_of_ending`, with `known_to`, the last day of the log; the run locks them.
    scores : DataFrame
        Those of earlier runs that this run scores, as of `score_chances`.
    record : DataFrame
        All scores so far, and whether they are `counted`: of a target the first, and none that waits for the same days.
    sentences : tuple of str
        What is expected, the record, and what could not be scored.
    """

    totals: pd.DataFrame
    chances: pd.DataFrame
    scores: pd.DataFrame
    record: pd.DataFrame
    sentences: tuple[str, ...] = ()


def customer_forecasts(study: Study, *, horizon_months: int = 3) -> CustomerForecasts:
    """Who will buy in the next month and quarter, who will leave, and how right was that before?

    Parameters
    ----------
    study : Study
        Its ledger holds what earlier runs have locked. Forecasts in another currency, with ids by another key, and
        those that were made when their target was over do not count.
    horizon_months : int
        With contracts: within which leaving counts, as in chapter 5, whose chances they are.

    Returns
    -------
    CustomerForecasts

    Examples
    --------
    >>> import crmlib as crm
    >>> found = customer_forecasts(crm.open_study("cdnow-sample"))
    >>> found.totals[["event", "horizon", "customers", "expected"]].round()
        event  horizon  customers  expected
    0    buys    month       2357     117.0
    1    buys  quarter       2357     263.0
    2  leaves  quarter        306     181.0
    """
    key = f"{study.name} {study.ids_by}"
    totals, chances = _of_this_run(study, key, horizon_months)
    locked, known = study.locked("customer_forecasts"), study.locked("customer_scores")
    locked, not_scored = _usable(locked, study) if len(locked) else (locked, [])
    known = known[known["currency"] == study.currency][SCORED] if len(known) else known
    why = "no forecast of customers has a target that ended 30 days ago and is not scored yet"
    scores = no_rows(SCORED, why)
    if len(due := _due(locked, known, study)):
        days: set[dt.date] = {origin.date() for origin in due["origin"]}
        lists = study.locked("next_actions")
        lists = lists[lists["ids_by"] == study.ids_by] if len(lists) else lists
        asked = dict(lists=lists, done=fetch(study.table("actions_done")), as_of=study.as_of, key=key)
        scores = score_chances(due, study.locked("customer_chances", days), _what_happened(study), **asked)
    filled = [rows for rows in (known, scores) if len(rows)]
    record = customer_record(pd.concat(filled) if filled else scores)
    if why := _why_not_kept(study, study.published("customers_at_risk")):
        not_scored = [*not_scored, f"The chances of leaving of chapter 5 are not kept to be scored: {why}."]
    sentences = [expected_in_words(totals), *record_in_words(record), *not_scored]
    return CustomerForecasts(totals, chances, scores, record, tuple(filter(None, sentences)))


def _of_this_run(study: Study, key: str, horizon_months: int) -> Forecasts:
    at_risk = study.published("customers_at_risk")
    why = _why_not_kept(study, at_risk) or "no table transactions"
    found, known_to = (no_rows(TOTALS, why), no_rows(CHANCES, why)), pd.Timestamp(study.as_of)
    if study.has("transactions"):
        found = chances_of_buying(study.transactions, as_of=study.as_of, key=key)
        known_to = pd.Timestamp(study.cleaned.report("transactions").days["latest"])
    at_risk = study.published("customers_at_risk")
    if len(at_risk) and study.has("subscriptions") and not _why_not_kept(study, at_risk):
        rows, day = study.table("subscriptions"), study.as_of
        ending = chances_of_ending(at_risk, rows, as_of=day, horizon_months=horizon_months, key=key)
        found = both(found, ending)
    return (found[0].assign(known_to=known_to), found[1]) if len(found[0]) else found


def _why_not_kept(study: Study, at_risk: pd.DataFrame) -> str:
    """Why chapter 5's chances of leaving are not locked; empty where they are, or there are none."""
    if not len(at_risk):
        return ""
    if study.has("customer_features"):
        return (
            "they are learned from a table of customers and who has left, and a later one may lack those, so that "
            "nobody could look it up; those learned from contracts are kept"
        )
    return (
        "" if study.as_of_override is None else "the report is for an earlier day, and later ends are known"
    )


def _usable(locked: pd.DataFrame, study: Study) -> tuple[pd.DataFrame, list[str]]:
    """The locked forecasts that can be scored, and sentences on how many cannot."""
    needed = locked["horizon"].eq(CONTRACT).map({True: "subscriptions", False: "transactions"})
    wrong = {
        "of a table that is no longer there": ~needed.map(study.has).astype(bool),
        "in another currency": locked["currency"] != study.currency,
        "with customers' ids by another key, so that nobody can be matched": locked["ids_by"] != study.ids_by,
        "made when their target was over": locked["known_to"] >= locked["target_end"],
    }
    usable, not_scored = pd.Series(True, locked.index), []
    for why, here in wrong.items():
        if count := int((usable & here).sum()):
            not_scored.append(f"{fmt.plural(count, 'earlier forecast')} of customers {why}: not scored.")
        usable &= ~here
    return locked[usable], not_scored


def _due(locked: pd.DataFrame, known: pd.DataFrame, study: Study) -> pd.DataFrame:
    if not len(locked):
        return locked
    done = set(known[KEYS].itertuples(index=False, name=None)) if len(known) else set()
    keys = locked[KEYS].itertuples(index=False, name=None)
    fresh = np.array([key not in done for key in keys], dtype=bool)
    return locked[fresh & (locked["target_end"] + pd.Timedelta(WAIT_DAYS, "D") <= pd.Timestamp(study.as_of))]


def _what_happened(study: Study) -> Callable[[pd.Series], Any]:
    """A function of a forecast: ids of the customers who bought in its target, or whose contract ended."""

    def ids(row: pd.Series) -> Any:
        if row["horizon"] == CONTRACT:
            ended = contracts_ended(study.table("subscriptions"), row["origin"], row["target_end"])
            return ended.index[ended]
        return buyers(study.transactions, row["target"], row["target_end"])

    return ids


def score_chances(
    due: pd.DataFrame,
    chances: pd.DataFrame,
    happened: Callable[[pd.Series], Any],
    *,
    lists: pd.DataFrame,
    done: pd.DataFrame,
    as_of: Any,
    key: str,
) -> pd.DataFrame:
    """Brier scores of the forecast chances, and of one chance for everybody.

    Parameters
    ----------
    due : DataFrame
        Locked forecasts whose target is over, as of `chances_of_buying`.
    chances : DataFrame
        The chances that were locked with them.
    happened : callable
        Of a row of `due`, the ids of who bought in its target, or whose contract ended.
    lists, done : DataFrame
        As for `left_alone`.
    as_of : date
    key : str
        Of the hashes.

    Returns
    -------
    DataFrame
        One row per forecast: `customers` who are scored, how many of them were `expected` to do it and how many did
        (`happened`), the Brier score `brier` and that of the last period's rate (`base_brier`), `gain_counted` (their
        difference, as a share of the largest that counts: twice what the chances expect of themselves, the mean squared
        distance from the rate), `holdout` (whether only those are scored who were left out by chance) and `scored_on`.
    """
    rows = []
    for _place, row in due.iterrows():
        column = column_of(row["event"], row["horizon"])
        mine = chances.loc[(chances["origin"] == row["origin"]) & chances[column].notna(), ["who", column]]
        alone = left_alone(lists, done, row["origin"], row["target_end"], key)
        if alone is not None:
            mine = mine[mine["who"].isin(alone)]
        did = mine["who"].isin(keyed_hashes(happened(row), key)).to_numpy()
        did = ~did if (row["event"], row["horizon"]) == (LEAVES, "quarter") else did
        chance, base = mine[column].to_numpy(dtype=float), float(row["base_rate"])
        losses = squared_losses(chance, did), squared_losses(np.full(len(mine), base), did)
        means = (float(np.mean(loss)) if len(mine) else np.nan for loss in (*losses, (chance - base) ** 2))
        ours, constant, own = means
        gain = float(np.clip((constant - ours) / (MOST * own), -1, 1)) if own > 0 else 0.0
        counts = (len(mine), float(chance.sum()), int(did.sum()))
        rows.append((*row[SCORED[:5]], *counts, ours, constant, gain, alone is not None, pd.Timestamp(as_of)))
    return pd.DataFrame(rows, columns=SCORED)


def left_alone(lists: pd.DataFrame, done: pd.DataFrame, origin: Any, end: Any, key: str) -> np.ndarray | None:
    """The hashes of customers whom no action has influenced up to the end of a target; None means everybody.

    `lists`: earlier lists of next actions, of which those count that were made from the forecast on and before the end.
    `done`: the table `actions_done`. Where a list left customers out by chance, or somebody was acted on, only those
    left out count who are on no list otherwise and were not acted on all the same: acting on a forecast falsifies it.
    """
    acted = done.loc[done["done_on"].gt(origin) & done["done_on"].le(end), "customer_id"] if len(done) else []
    mine = lists[lists["assigned"].between(origin, end)] if len(lists) else lists
    left = mine["left_out"].eq(True) if len(mine) else pd.Series(dtype=bool)
    if not left.any() and not len(acted):
        return None
    listed = mine["customer_id"].astype(str) if len(mine) else pd.Series(dtype=str)
    treated = {*listed[~left], *map(str, acted)}
    return keyed_hashes(sorted({*listed[left]} - treated), key)


def customer_record(scored: pd.DataFrame) -> pd.DataFrame:
    """All scores, the earliest target first, and which of them are `counted`."""
    if not len(scored):
        return no_rows([*SCORED, "counted"], "no forecast of customers has been scored yet")
    rows = scored.sort_values(["target", *KEYS], ignore_index=True)
    usable = rows[rows["customers"] > 0]
    counted = first_and_apart(usable, KEYS[1:]).reindex(rows.index, fill_value=False)
    return rows.assign(counted=counted.astype(bool))


def expected_in_words(totals: pd.DataFrame) -> str:
    """How many are expected to buy, and to leave."""
    parts = []
    for row in totals.to_dict("records"):
        many, share = fmt.count(row["expected"]), fmt.share(row["expected"] / row["customers"])
        of = fmt.plural(row["customers"], "customer")
        until = f"{fmt.date(row['target'])} to {fmt.date(row['target_end'])}"
        if row["event"] == BUYS:
            parts.append(f"of {of} {many} ({share}) are expected to buy from {until}")
        elif row["horizon"] == CONTRACT:
            parts.append(f"of {of} with a contract {many} ({share}) are expected to end it from {until}")
        else:
            active = f"of {of} who bought within {ACTIVE_DAYS} days"
            parts.append(f"{active} {many} ({share}) buy nothing from {until}")
    return f"{fmt.capital('; '.join(parts))}." if parts else ""


def record_in_words(record: pd.DataFrame) -> list[str]:
    """How accurate the chances were, in a sentence per kind of forecast."""
    lines = []
    for kind, what in _WHAT.items():
        mine = record[(record["event"] == kind[0]) & (record["horizon"] == kind[1])]
        rows = mine[mine["counted"].astype(bool)]
        if len(mine) and not len(rows):
            why = "customers were acted on, and nobody was left out"
            lines.append(f"Earlier forecasts of {what} cannot be scored: {why}.")
        if not len(rows):
            continue
        many = rows["customers"]
        ours, constant = (float(np.average(rows[name], weights=many)) for name in ("brier", "base_brier"))
        evidence = both_ways(rows["gain_counted"].to_numpy(dtype=float))
        verdicts = {
            BETTER: "they are better, beyond chance",
            WORSE: "they are worse, beyond chance",
            UNDECIDED: "which is better is undecided",
        }
        who = " left out by chance" if rows["holdout"].all() else ""
        each, did = fmt.plural(round(many.mean()), "customer"), fmt.count(rows["happened"].sum())
        lines.append(
            f"Earlier forecasts of {what}: {fmt.plural(len(rows), 'target')} with {each}{who} on average; "
            f"{fmt.count(rows['expected'].sum())} were expected and {did} did. Brier score {fmt.number(ours, 3)}, of "
            f"the last period's rate for everybody {fmt.number(constant, 3)}: {verdicts[decided(*evidence)]} "
            f"(evidence {fmt.number(max(evidence))}, {fmt.number(ENOUGH)} decides)."
        )
    return lines
