"""The contracts of all tables, from tables.toml: the purchase log and the optional tables."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from crmlib.data.contracts.contract import Column, Contract

_TABLES = tomllib.loads(Path(__file__).with_name("tables.toml").read_text(encoding="utf-8"))
_COMMON = _TABLES.pop("common")  # columns that mean the same in several tables


def _contract(name: str, facts: dict[str, Any]) -> Contract:
    columns = {column: about or _COMMON[column] for column, about in facts.pop("columns").items()}
    return Contract(name, columns=tuple(_column(*entry) for entry in columns.items()), **facts)


def _column(name: str, about: dict[str, Any]) -> Column:
    lists: dict[str, Any] = {key: tuple(value) for key, value in about.items() if isinstance(value, list)}
    return Column(name, **about | lists)


CONTRACTS = {name: _contract(name, facts) for name, facts in _TABLES.items()}
TABLE_NAMES = tuple(CONTRACTS)
TRANSACTIONS = CONTRACTS["transactions"]
