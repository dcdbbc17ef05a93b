"""The rules of a customer's states: a file that a firm can edit, read and checked."""

from __future__ import annotations

import ast
import math
import operator
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd

from crmlib.arguments import check_choice, check_columns, check_range
from crmlib.data.files.contents import edited_number, read_edited
from crmlib.data.sources import open_table
from crmlib.errors import CrmError, did_you_mean

FACTS = (
    "lead signed_up activated lost months_since_activated orders on_time months_silent overdue p_no_purchase "
    "contact_margin under_contract contract_ended months_since_contact gone months_back won_back recommended promoter"
).split()
STANDARD = Path(__file__).with_name("states.toml")
_WORDS = ("when", "rule", "owner", "next")
_COMPARE = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.GtE: operator.ge,
    ast.Gt: operator.gt,
}  # fmt: skip
_ALLOWED = (ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Name, ast.Constant, ast.And, ast.Or, ast.Not, ast.Load)
_PERIODS = (
    *("horizon_months", "back_months", "win_back_months", "advocate_months"),
    *("stable_gaps", "unstable_orders"),
)
_RATES = ("late_gap_rate", "false_alarm_rate", "gone_chance")


@dataclass(frozen=True)
class State:
    """One state: its condition, rule in words and owner, where customers go from it, and the `message` that helps."""

    name: str
    when: str
    rule: str
    owner: str
    next: str
    also: tuple[str, ...] = ()
    message: str = ""

    @property
    def moves(self) -> tuple[str, ...]:
        """All moves that the table allows, to stay included."""
        return tuple(dict.fromkeys((self.name, self.next, *self.also)))


@dataclass(frozen=True)
class Rules:
    """The states of one reading in the order in which they are asked, and the thresholds that they use."""

    name: str
    reading: str
    gone: str
    states: tuple[State, ...]
    thresholds: Mapping[str, float]

    @property
    def names(self) -> list[str]:
        """The states, in the order in which they are asked."""
        return [state.name for state in self.states]

    @property
    def who_is_gone(self) -> tuple[Any, ...]:
        """The condition of being gone, and the thresholds that decide it."""
        used = {node.id for node in ast.walk(ast.parse(self.gone)) if isinstance(node, ast.Name)}
        used |= {"horizon_months"}
        if "overdue" in used:
            used |= {"false_alarm_rate", "advocate_months"}
        return self.gone, *sorted((name, value) for name, value in self.thresholds.items() if name in used)

    @property
    def frame(self) -> pd.DataFrame:
        """The table of states, as a person reads it: `state`, `rule`, `owner`, `next_hop`, `moves`, `reading`."""
        rows = [
            (state.name, state.rule, state.owner, state.next, ", ".join(state.moves[1:]), self.name)
            for state in reversed(self.states)
        ]
        return pd.DataFrame(rows, columns=["state", "rule", "owner", "next_hop", "moves", "reading"])

    def condition(self, text: str, row: ibis.Table) -> ibis.Value:
        """A condition over the facts of a table; a fact that is not known makes a comparison false."""
        return _read(ast.parse(text, mode="eval").body, row, self.thresholds)

    def place(self, row: ibis.Table) -> ibis.Value:
        """The place among `names` of the first state whose condition holds; null where none does."""
        cases = [(self.condition(state.when, row), place) for place, state in enumerate(self.states)]
        return ibis.cases(*cases).cast("int8")


def read_rules(source: Any = None, reading: str = "extended", **thresholds: float) -> Rules:
    """The states of a reading, from a file that a firm can edit.

    `source`: a file like `crmlib/customers/life_cycle/states.toml`, which is the one by default, or what is read from
    it. `reading`: which of its tables. `**thresholds`: to be used instead of those of the file. Raises CrmError if the
    reading, a state or a fact is unknown, a state lacks a rule, an owner or a next hop, or a threshold is out of range:
    the message names it.

    Examples
    --------
    >>> read_rules(reading="literal").names
    ['terminated', 'win-back', 'switch-back', 'latent', 'unstable', 'new prospect']
    >>> read_rules(gone_chance=0.8).thresholds["gone_chance"]
    0.8
    """
    found = source if isinstance(source, Mapping) else read_toml(source or STANDARD, STANDARD)
    tables = {name: part for name, part in found.items() if isinstance(part, Mapping)}
    readings = [name for name, part in tables.items() if isinstance(part.get("states"), Mapping)]
    check_choice("reading", reading, readings)
    limits = {**found.get("thresholds", {})}
    for name in thresholds:
        check_choice("threshold", name, limits)
    limits |= thresholds
    part = found[reading]
    states = tuple(_state(name, about, [*part["states"]]) for name, about in part["states"].items())
    rules = Rules(reading, str(part.get("reading", reading)), str(found.get("gone", "")), states, limits)
    _check_thresholds(limits)
    for what, text in [("gone", rules.gone), *((f"state {state.name!r}", state.when) for state in states)]:
        _check_condition(what, text, limits)
    return rules


def read_toml(path: Any, standard: Path) -> dict[str, Any]:
    """A file of tables that a firm can edit; `standard` is the one to copy."""
    try:
        return tomllib.loads(read_edited(path, standard))
    except tomllib.TOMLDecodeError as error:
        raise CrmError(f"{path} cannot be read: {error}") from None


def _state(name: str, about: Mapping[str, Any], names: list[str]) -> State:
    """A state of the file, checked for all required entries."""
    for word in _WORDS:
        if not isinstance(about, Mapping) or not about.get(word):
            more = ": who came back is so for a time, and goes on from there" if "back" in name else ""
            raise CrmError(f"state {name!r} has no {word!r}{more}; every state has {', '.join(_WORDS)}")
    for target in (about["next"], *about.get("also", ())):
        if target not in names:
            raise CrmError(f"state {name!r} leads to {target!r}, which is no state of the reading; "
                           f"{did_you_mean(target, names)}")  # fmt: skip
    when, rule, owner, after = (str(about[word]) for word in _WORDS)
    return State(name, when, rule, owner, after, tuple(about.get("also", ())), str(about.get("message", "")))


def _check_thresholds(limits: Mapping[str, Any]) -> None:
    for name in (*_PERIODS, *_RATES, "contact_cost", "activation_months", "promoter_score"):
        value = limits.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise CrmError(f"threshold {name!r} is {value!r}; give a number, so that it has an end")
    for name in _PERIODS:
        if limits[name] < 1 or limits[name] != int(limits[name]):
            raise CrmError(f"threshold {name!r} is {limits[name]}; give a whole number from 1")
    for name in _RATES:
        check_range(f"threshold {name!r}", limits[name], "a share between 0 and 1", above=0, below=1)


def _check_condition(what: str, text: str, limits: Mapping[str, Any]) -> None:
    """Refuse what is no condition, and names that are neither facts nor thresholds."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise CrmError(f"{what}: {text!r} is no condition; join facts by and, or, not, < and >") from None
    for node in ast.walk(tree):
        if not isinstance(node, (*_ALLOWED, *_COMPARE)) or isinstance(getattr(node, "value", 0), str):
            raise CrmError(f"{what}: {text!r} holds more than facts, numbers, and, or, not and comparisons")
        if isinstance(node, ast.Name) and node.id == "won_back" and "months_back" not in text:
            raise CrmError(f"{what}: {text!r} has no end; join won_back with months_back < back_months")
        if isinstance(node, ast.Name) and node.id not in FACTS and node.id not in limits:
            raise CrmError(f"{what}: {node.id!r} is no fact and no threshold; {did_you_mean(node.id, FACTS)}")


def _read(node: ast.AST, row: ibis.Table, limits: Mapping[str, float]) -> Any:
    """A checked condition as an expression of the engine."""
    if isinstance(node, ast.BoolOp):
        parts = [_read(value, row, limits) for value in node.values]
        return reduce(operator.and_ if isinstance(node.op, ast.And) else operator.or_, parts)
    if isinstance(node, ast.UnaryOp):
        return ~_read(node.operand, row, limits)
    if isinstance(node, ast.Compare):
        terms = [_read(value, row, limits) for value in (node.left, *node.comparators)]
        pairs = zip(terms[:-1], node.ops, terms[1:], strict=True)
        found = [_COMPARE[type(op)](left, right) for left, op, right in pairs]
        return reduce(operator.and_, [condition.fill_null(False) for condition in found])
    if isinstance(node, ast.Constant):
        return ibis.literal(node.value)
    name = node.id  # type: ignore[attr-defined]
    return row[name] if name in FACTS else ibis.literal(limits[name])


def read_transitions(source: Any, names: list[str]) -> np.ndarray:
    """A transition table that somebody wrote or edited, as a matrix in the order of `names`.

    `source`: `state`, `next_state` and `probability`, a row for each move; a state without a row stays as it is.
    `names`: the states of the reading. Raises CrmError if a state is unknown, a probability is none, or those of a
    state do not sum to 1: the message names it.

    Examples
    --------
    >>> table = pd.DataFrame({"state": ["a", "a"], "next_state": ["a", "b"], "probability": [0.9, 0.1]})
    >>> read_transitions(table, ["a", "b"]).tolist()
    [[0.9, 0.1], [0.0, 1.0]]
    """
    table = source if isinstance(source, pd.DataFrame) else open_table(source).to_pandas()
    needed = ("state", "next_state", "probability")
    check_columns("transitions", table, needed, "it needs state, next_state, probability")
    table = table.dropna(how="all", subset=[*needed])
    for column in ("state", "next_state"):
        if unknown := [name for name in table[column] if name not in names]:
            raise CrmError(f"the transition table names the unknown state {unknown[0]!r}; "
                           f"{did_you_mean(str(unknown[0]), names)}")  # fmt: skip
    chance = np.array([edited_number(value) for value in table["probability"]])
    if len(wrong := np.flatnonzero(~((chance >= 0) & (chance <= 1)))):
        row = table.iloc[wrong[0]]
        raise CrmError(f"from {row['state']!r} to {row['next_state']!r} the probability is {row['probability']}; "
                       "give a share from 0 to 1")  # fmt: skip
    matrix = np.zeros((len(names), len(names)))
    places = [[names.index(name) for name in table[column]] for column in ("state", "next_state")]
    np.add.at(matrix, tuple(places), chance)
    sums, stays = matrix.sum(axis=1), ~np.isin(names, table["state"].to_numpy(dtype=str))
    matrix[stays] = np.eye(len(names))[stays]
    for name, total in zip(np.array(names)[~stays], sums[~stays], strict=True):
        if not math.isclose(total, 1.0, abs_tol=1e-4):
            raise CrmError(
                f"the probabilities from {str(name)!r} sum to {total:.4g}; for each state they sum to 1"
            )
    return matrix
