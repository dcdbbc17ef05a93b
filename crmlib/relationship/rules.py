"""The rules by which customers get a next action: a table that a firm copies beside its study file and edits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.treatments.experiments import experiment_outcomes
from crmlib.data.files.contents import edited_number
from crmlib.data.sources import open_table
from crmlib.economics.experiments import read_experiments
from crmlib.errors import DataError, StudyError, did_you_mean
from crmlib.no_rows import no_rows, why_none

OWN = "rules.csv"  # beside the study file, instead of the library's
WORTHS = ("purchase", "value")
_CONDITION = re.compile(r"(\w+)\s*(?:(known)|(>=|<=|!=|>|<|=)\s*(.+))")
_COMPARE = {">=": np.greater_equal, "<=": np.less_equal, ">": np.greater, "<": np.less, "=": np.equal}
_COMPARE["!="] = np.not_equal
_WORDS = {"yes": True, "no": False}


@dataclass(frozen=True)
class Rule:
    """One row of the table of rules.

    Attributes
    ----------
    rule, action, why : str
        Its name, what to do, and the reason, in words.
    when, unless : str
        Conditions such as "p_churn >= 0.2 and tier = Gold" or "next_product known", of columns of the customers.
    worth : {"purchase", "value"}
        What the change is one of: the chance of a purchase, or of keeping the customer's value.
    change, change_error : float
        What the action adds to the chance, a share, and its standard error; nan where the change is assumed.
    cost : float
        Money per customer.
    experiment : str
        Name or kind of the experiment that measures the change; `source` has the name where one did.
    """

    rule: str
    action: str
    when: str
    unless: str
    why: str
    worth: str
    change: float
    cost: float
    experiment: str
    change_error: float = float("nan")
    source: str = ""

    def applies(self, customers: pd.DataFrame) -> np.ndarray:
        """To which customers it applies; not to one of whom a column of its conditions is not known."""
        here = _holds(self.when, customers) if self.when else np.ones(len(customers), dtype=bool)
        return here & ~_holds(self.unless, customers) if self.unless else here

    def gain_error(self, worth: np.ndarray, worth_error: np.ndarray) -> np.ndarray:
        """Standard error of the gain: of the change, where it was measured, and of what it is a change of."""
        measured = 0.0 if np.isnan(self.change_error) else self.change_error
        return np.hypot(worth * measured, self.change * worth_error)


_GIVEN = [field.name for field in fields(Rule)][:-2]


def read_rules(path: Path, columns: Iterable[str]) -> list[Rule]:
    """The rules of a file, checked.

    Parameters
    ----------
    path : Path
        A CSV with the columns of `rules.csv`.
    columns : iterable of str
        That conditions may name.

    Returns
    -------
    list of Rule

    Raises
    ------
    StudyError
        That names the row and what is allowed: for a missing column, two rules of one name, a condition that cannot be
        read or names an unknown column, a change that is no share, a cost below 0.

    Examples
    --------
    >>> known = ["overdue", "open_case", "p_churn", "frequency", "p_alive", "next_product"]
    >>> [rule.rule for rule in read_rules(Path(__file__).with_name("rules.csv"), known)][:2]
    ['win back', 'keep the contract']
    """
    table = open_table(path).to_pandas()
    if missing := [name for name in _GIVEN if name not in table]:
        raise StudyError(f"{path}: no column {missing[0]!r}; the columns are {', '.join(_GIVEN)}")
    known: list[str] = [*columns]
    rules: list[Rule] = []
    table = table[_GIVEN].dropna(how="all").fillna("").astype(str).map(str.strip)
    for place, row in zip(table.index, table.to_dict("records"), strict=True):
        where = f"{path.name}, row {place + 2}"
        for name in ("rule", "action", "why"):
            if not row[name]:
                raise StudyError(f"{where}: {name} is empty")
        if any(row["rule"] == rule.rule for rule in rules):
            raise StudyError(f"{where}: there are two rules {row['rule']!r}; give each its own name")
        if row["worth"] not in WORTHS:
            raise StudyError(f"{where}: worth is {row['worth']!r}; allowed: {', '.join(WORTHS)}")
        for name in ("when", "unless"):
            for column, _how, _value in _conditions(row[name], f"{where}, {name}"):
                if column not in known:
                    cure = did_you_mean(column, known)
                    raise StudyError(f"{where}: {name} names {column!r}, which customers lack; {cure}")
        row["change"] = _number(row["change"], -1.0, 1.0, f"{where}: change")
        row["cost"] = _number(row["cost"], 0.0, np.inf, f"{where}: cost")
        rules.append(Rule(**row))
    return rules


def _number(text: str, low: float, high: float, where: str) -> float:
    value = edited_number(text)
    if not low <= value <= high or np.isinf(value):
        allowed = "a share such as 0.02" if high == 1.0 else "money, 0 or more"
        raise StudyError(f"{where} is {text!r}; allowed: {allowed}")
    return value


def _conditions(text: str, where: str) -> list[tuple[str, str, Any]]:
    """Column, comparison and value of each condition."""
    found = []
    for part in re.split(r"\s+and\s+", text) if text else []:
        match = _CONDITION.fullmatch(part.strip())
        if not match:
            raise StudyError(
                f"{where}: {part!r} is no condition; write it like p_churn >= 0.2, tier = Gold, overdue = yes or "
                "next_product known, several with and between"
            )
        column, is_known, how, value = match.groups()
        value = (value or "").strip()
        try:
            plain: Any = _WORDS.get(value) if value in _WORDS else float(value)
        except ValueError:
            plain = value
        if how not in (None, "=", "!=") and not isinstance(plain, float):
            raise StudyError(f"{where}: {part!r} compares with a text; {how} needs a number")
        found.append((column, is_known or how, plain))
    return found


def _holds(text: str, customers: pd.DataFrame) -> np.ndarray:
    holds = np.ones(len(customers), dtype=bool)
    for column, how, value in _conditions(text, "conditions"):
        values = customers[column]
        known = values.notna().to_numpy()
        holds &= known
        if how == "known" or not holds.any():
            continue
        there = values.to_numpy()[known]
        if isinstance(value, float):
            there = pd.to_numeric(pd.Series(there), errors="coerce").to_numpy(dtype=float)
        elif isinstance(value, str):
            there = there.astype(object).astype(str)
        met = np.zeros(len(customers), dtype=bool)
        met[known] = np.asarray(_COMPARE[how](there, value), dtype=bool)
        holds &= met
    return holds


def effects_of(transactions: Any, experiments: Any, **known: Any) -> pd.DataFrame:
    """What each experiment changed of who bought; without rows where they cannot be read, which chapter 9 names."""
    try:
        outcomes = experiment_outcomes(transactions, experiments, **known)
    except DataError as fault:
        return no_rows("experiment", str(fault))
    return outcomes if why_none(outcomes) else read_experiments(outcomes, outcome="bought")


def measured(rules: list[Rule], transactions: Any, experiments: Any, *, as_of: Any, days: int) -> list[Rule]:
    """The rules with the change that the firm's own experiments found, where they tested it.

    Parameters
    ----------
    rules : list of Rule
    transactions, experiments, as_of, days
        As in `experiment_outcomes`; of several experiments of a kind the one with the least error counts.

    Returns
    -------
    list of Rule
        A measured change is shrunk towards 0 by its own error (1 − error² / change², at least 0): of several, the
        largest are too large. The cost is that of the experiment where it is known.

    Examples
    --------
    >>> measured([], None, None, as_of="2024-06-30", days=60)
    []
    """
    if not rules or why_none(read := effects_of(transactions, experiments, as_of=as_of, days=days)):
        return rules
    read = read.assign(error=(read["difference"] / read["z"]).abs()).dropna(subset=["error"])
    found = []
    for rule in rules:
        mine = read[(read["experiment"] == rule.experiment) | (read["kind"] == rule.experiment)]
        if rule.experiment and rule.worth == "purchase" and len(mine):
            best = mine.loc[mine["error"].idxmin()]
            change, error = float(best["difference"]), float(best["error"])
            kept = max(0.0, 1.0 - (error / change) ** 2) if change else 0.0
            cost = rule.cost if pd.isna(best["cost_per_message"]) else float(best["cost_per_message"])
            named: dict[str, Any] = dict(source=str(best["experiment"]), cost=cost)
            rule = replace(rule, change=kept * change, change_error=kept**0.5 * error, **named)
        found.append(rule)
    return found
