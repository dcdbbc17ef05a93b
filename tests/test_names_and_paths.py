"""Whatever files, folders and studies are called, a command ends with 0, 1 or 2, and never with a traceback."""

import os
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crmlib.cli import main

LOG = "customer_id,date,amount\nA,2024-01-05,10\nB,2024-02-05,12\nA,2024-03-06,7\n"
STUDY = {"title": "A shop", "tables": {"transactions": {"source": "orders.csv"}}}
GENERATE = (Phase.explicit, Phase.reuse, Phase.generate)  # each try takes a command: what fails is not made smaller
NASTIEST = "a{0}{{b}}'c\"d\\e%20#?*[1] \u00a0\n\u202e\x1bé;$HOME`x`&~year=2024"


def crm(*arguments, folder: Path):
    """Run a command in a folder; it must end as a command does."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(main, list(arguments), prog_name="crm")
    finally:
        os.chdir(before)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code in (0, 1, 2)
    assert "fault of crmlib" not in done.output
    assert not [sign for sign in "\x1b\u202e\x00" if sign in done.output]
    return done


def project(root: Path, name: str = "shop", file: str = "orders.csv", text: str | None = None) -> Path:
    """A project with a study of one file."""
    folder = root / "data" / name
    folder.mkdir(parents=True)
    (folder / file).write_text(LOG)
    study = STUDY | {"tables": {"transactions": {"source": file}}}
    (folder / "study.yaml").write_text(yaml.safe_dump(study) if text is None else text, encoding="utf-8")
    return root


NAMES = (
    st.text(st.sampled_from("ab{}[]*?!'\"\\%#~$`&;:= \t\n\r\x1b\x7f\u00a0\u202eé漢😀.-_"), min_size=1, max_size=30)
    | st.sampled_from([NASTIEST, "year=2024", "-x", "--out", "~", "$HOME", "con:", "a" * 250, "é" * 120])
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 250)


@given(NAMES, NAMES, NAMES)
@settings(max_examples=25, deadline=None, phases=GENERATE)
def test_names_of_projects_studies_and_files(tmp_path_factory, top, name, file):
    root = tmp_path_factory.mktemp("any") / top
    project(root, name, f"{file}.csv")
    done = crm("check", "--", name, folder=root)
    assert "(3 rows)" in done.output or name.endswith((".yaml", ".yml")), done.output


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.dates()
    | st.text(max_size=8)
    | st.sampled_from(["orders.csv", "latest", ".", "..", "/", "~nobody/x", "file://[", "http://x", "*", "**", "[", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["title", "as_of", "currency", "margin", "time_unit", "privacy", "costs", "simulation", "sample", "policies"]
KEYS += ["notebooks", "personal_columns", "discount_rate_per_year", "log_starts", "data_kind", "tables"]
ENTRY = ["source", "columns", "table", "sheet", "delimiter", "encoding", "decimal", "amount_unit", "date_format"]
ENTRY += ["timezone", "rename"]


@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
    st.dictionaries(st.sampled_from(ENTRY), VALUES, max_size=2),
)
@settings(max_examples=60, deadline=None, phases=GENERATE)
def test_study_files_of_any_content(tmp_path_factory, entries, of_the_log):
    table = {"transactions": {"source": "orders.csv"} | of_the_log}
    text = yaml.safe_dump({"title": "A shop", "tables": table} | entries, allow_unicode=True)
    crm("check", "shop", folder=project(tmp_path_factory.mktemp("any"), text=text))


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%#@`,? \n\t0129.~=<\\\u2028é"), max_size=60))
@settings(max_examples=200, deadline=None, phases=GENERATE)
def test_study_files_of_any_text(tmp_path_factory, text):
    crm("check", "shop", folder=project(tmp_path_factory.mktemp("any"), text=text))
