"""Firms that have a purchase log alone: every answer keeps the columns that it has elsewhere."""

from __future__ import annotations

import dataclasses
import inspect

import pandas as pd
import pytest

import crmlib as crm

OF_THE_FIRM = {"matrix"}  # its columns are the states in which somebody is


@pytest.fixture(scope="module")
def firm():
    return crm.simulate_firm(800, 3, random_state=1)


def answers(of: object) -> list[str]:
    """The methods that need no argument."""
    found = inspect.getmembers(type(of), lambda one: callable(one) and not isinstance(one, type))
    return [
        name
        for name, _method in found
        if not name.startswith("_")
        and all(
            one.default is not one.empty or one.kind is one.VAR_POSITIONAL or one.kind is one.VAR_KEYWORD
            for one in inspect.signature(getattr(of, name)).parameters.values()
        )
    ]


@pytest.mark.parametrize("chapter", [crm.Acquisition, crm.Growth, crm.LifeCycle])
def test_an_answer_without_its_tables_has_the_columns_of_one_with_them(firm, chapter):
    names = {field.name for field in dataclasses.fields(chapter)} - {"transactions"}
    log, tables = firm.tables["transactions"], firm.tables
    whole = chapter(log, firm.as_of, **{name: tables[name] for name in names & {*tables}})
    alone = chapter(log[["customer_id", "date", "amount", "cost"]], firm.as_of)
    asked = [name for name in answers(whole) if name not in OF_THE_FIRM]
    assert len(asked) >= 10
    for name in asked:
        if isinstance(with_tables := getattr(whole, name)(), pd.DataFrame):
            assert {*with_tables.columns} <= {*getattr(alone, name)().columns}, name
