"""metrics.json is what its schema says: no figure without base, verdict and interval, and nobody's own data."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from crmlib import format as fmt
from crmlib.data.contracts import CONTRACTS
from crmlib.findings import BUSINESS, JUDGED, Estimate
from crmlib.report import publish
from crmlib.study.results import NotebookResults

SCHEMA = json.loads(Path(publish.__file__).with_name("metrics.schema.json").read_text(encoding="utf-8"))
PERSONAL = {column.name for contract in CONTRACTS.values() for column in contract.columns if column.personal}


@pytest.fixture
def run(tmp_path):
    value = NotebookResults("06_lifetime_value", tmp_path, "EUR")
    facts = {"model": "BG/NBD", "value": "revenue"}
    value.figure(
        "coming_quarter", Estimate(900.0, "money", 800.0, 1000.0, window="13 weeks"), assumed=True, **facts
    )
    value.headline("Not usable: it did not converge.", figure="do not use")
    start = NotebookResults("00_start_here", tmp_path, "EUR")
    start.figure("bought_again", Estimate(None, "share"))
    return tmp_path


def test_what_is_published_is_valid_and_has_its_verdict_beside_it(run):
    publish.write_metrics(run)
    made = json.loads((run / "metrics.json").read_text())
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(made, SCHEMA)
    figure = made["06_lifetime_value"]["figures"]["coming_quarter"]
    assert (figure["verdict"], figure["assumed"]) == ("do not use", True)
    assert figure["refused"] == "Not usable: it did not converge."
    assert json.loads((run / "metrics.schema.json").read_text()) == SCHEMA


@pytest.mark.parametrize("gone", ["base", "verdict", "assumed", "low", "refused"])
def test_a_figure_without_its_base_or_verdict_is_not_valid(run, gone):
    made = publish.write_metrics(run)
    del made["06_lifetime_value"]["figures"]["coming_quarter"][gone]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, SCHEMA)


def test_its_words_are_those_of_the_library():
    figure = SCHEMA["$defs"]["figure"]["properties"]
    assert {*figure["unit"]["enum"]} == {*fmt.UNITS}
    assert {*figure["verdict"]["enum"]} == {*JUDGED, ""}
    assert {*SCHEMA["$defs"]["notebook"]["properties"]["business"]["enum"]} == {*BUSINESS, ""}


def test_it_has_no_place_for_what_is_a_persons_own():
    named = {*SCHEMA["$defs"]["figure"]["properties"], *SCHEMA["$defs"]["notebook"]["properties"]}
    assert not named & PERSONAL
    assert SCHEMA["$defs"]["figure"]["additionalProperties"] is False
    assert SCHEMA["$defs"]["notebook"]["additionalProperties"] is False
