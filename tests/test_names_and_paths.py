"""Whatever files, folders and studies are called, a command ends with 0, 1 or 2, and never with a traceback."""

import os
import stat
import tempfile
import traceback
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crmlib import open_study
from crmlib.cli import main
from crmlib.data.engine import engine, in_our_words
from crmlib.data.files.source_files import source_files
from crmlib.data.sources import open_table
from crmlib.data.staging import flush_folder
from crmlib.errors import DataError
from crmlib.report.pages import render
from crmlib.study.places import cache_folder

LOG = "customer_id,date,amount\nA,2024-01-05,10\nB,2024-02-05,12\nA,2024-03-06,7\n"
STUDY = {"title": "A shop", "tables": {"transactions": {"source": "orders.csv"}}}
GENERATE = (
    Phase.explicit,
    Phase.reuse,
    Phase.generate,
)  # each try takes a command: what fails is not made smaller
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
    st.text(
        st.sampled_from("ab{}[]*?!'\"\\%#~$`&;:= \t\n\r\x1b\x7f\u00a0\u202eé漢😀.-_"), min_size=1, max_size=30
    )
    | st.sampled_from([NASTIEST, "year=2024", "-x", "--out", "~", "$HOME", "con:", "a" * 250, "é" * 120])
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 250)


@pytest.mark.thorough
@given(NAMES, NAMES, NAMES)
@settings(max_examples=3, phases=GENERATE)
def test_names_of_projects_studies_and_files(tmp_path_factory, top, name, file):
    root = tmp_path_factory.mktemp("any") / top
    project(root, name, f"{file}.csv")
    done = crm("check", "--", name, folder=root)
    assert "(3 rows)" in done.output or name.endswith((".yaml", ".yml")), done.output
    words = ("--transactions", f"data/{name}/{file}.csv", "--currency", "EUR", "--yes")
    done = crm("new", "fresh", *words, folder=root)
    assert done.exit_code == 0, done.output
    assert "(3 rows)" in crm("check", "fresh", folder=root).output


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.dates()
    | st.text(max_size=8)
    | st.sampled_from(
        ["orders.csv", "latest", ".", "..", "/", "~nobody/x", "file://[", "http://x", "*", "**", "[", ""]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = [
    "title",
    "as_of",
    "currency",
    "margin",
    "time_unit",
    "privacy",
    "costs",
    "simulation",
    "sample",
    "policies",
]
KEYS += ["notebooks", "personal_columns", "discount_rate_per_year", "log_starts", "data_kind", "tables"]
ENTRY = [
    "source",
    "columns",
    "table",
    "sheet",
    "delimiter",
    "encoding",
    "decimal",
    "amount_unit",
    "date_format",
]
ENTRY += ["timezone", "rename"]


@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
    st.dictionaries(st.sampled_from(ENTRY), VALUES, max_size=2),
)
@settings(max_examples=15, phases=GENERATE)
def test_study_files_of_any_content(tmp_path_factory, entries, of_the_log):
    table = {"transactions": {"source": "orders.csv"} | of_the_log}
    text = yaml.safe_dump({"title": "A shop", "tables": table} | entries, allow_unicode=True)
    crm("check", "shop", folder=project(tmp_path_factory.mktemp("any"), text=text))


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%#@`,? \n\t0129.~=<\\\u2028é"), max_size=60))
@settings(max_examples=40, phases=GENERATE)
def test_study_files_of_any_text(tmp_path_factory, text):
    crm("check", "shop", folder=project(tmp_path_factory.mktemp("any"), text=text))


FRAME = pd.DataFrame({"customer_id": ["A", "B"], "amount": ["1", "2"]})
WRITERS = {
    "csv": lambda path: FRAME.to_csv(path, index=False),
    "parquet": FRAME.to_parquet,
    "jsonl": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "feather": FRAME.to_feather,
    "xlsx": lambda path: FRAME.to_excel(path, index=False),
}


@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_is_taken_by_its_name_before_it_is_a_pattern(tmp_path, ending):
    folder = tmp_path / "year=2024"
    folder.mkdir()
    for name in ("orders[1]", "orders1", "a*", "ab", "back\\slash[1]"):
        WRITERS[ending](folder / f"{name}.{ending}")
    for name in ("orders[1]", "a*", "back\\slash[1]"):
        rows = open_table(f"{name}.{ending}", base=folder)
        assert rows.crmlib_source_file.to_pandas().tolist() == [f"{name}.{ending}"] * 2
        assert rows.columns == ("customer_id", "amount", "crmlib_source_file")
    assert [one.name for one in source_files(f"orders?.{ending}", base=folder)] == [f"orders1.{ending}"]


def test_hidden_files_are_no_data_and_what_is_no_file_is_refused(tmp_path):
    for name in ("orders.csv", "._orders.csv", ".hidden.csv", "~$orders.csv"):
        (tmp_path / name).write_text(LOG)
    os.mkfifo(tmp_path / "pipe.csv")
    assert [one.name for one in source_files(str(tmp_path))] == ["orders.csv"]
    assert [one.name for one in source_files("*.csv", base=tmp_path)] == ["orders.csv"]
    assert source_files("._orders.csv", base=tmp_path) == [tmp_path / "._orders.csv"]  # it is named
    for one in (tmp_path / "pipe.csv", "/dev/zero"):
        with pytest.raises(DataError, match="is a pipe or a device"):
            source_files(one)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "a" * 300),
        ("check", "a" * 300 + ".yaml"),
        ("check", ""),
        ("check", "pipe.yaml"),
        ("report", "shop", "--as-of", "9999-12-31"),
        ("report", "shop", "--as-of", "0001-01-01"),
        ("report", "shop", "--only", ""),
        ("report", "shop", "--set", "top=" + "[" * 5000),
        ("new", "one", "--transactions", "pipe.yaml"),
        ("new", "one", "--transactions", "/dev/zero"),
        ("new", "one", "--transactions", "a" * 300 + ".csv"),
        ("new", "one", "--transactions", "orders.csv", "--as-of", "9999-12-31"),
        ("new", "one", "--transactions", "orders.csv", "--title", "a\x1b[2J"),
    ],
)
def test_what_cannot_be_meant_ends_with_2(tmp_path, arguments):
    project(tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "orders.csv").write_text(LOG)
    assert crm(*arguments, folder=tmp_path).exit_code == 2


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOMB, "20 aliases"),
        ("title: " + "[" * 50_000, "30 levels"),
        ("title: &a [*a]", "stands within itself"),
        ("title: A shop\n" + "# a comment\n" * 100_000, "longer than 1,000,000 characters"),
        ("title: !!bool perhaps", "which is no value of its kind"),
        ('title: "turned \\u202e round"', "U+202E is in the title"),
        ('title: "a\\x1b[2J"', "U+001B is in the title"),
        ('title: "a\\0b"', "U+0000 is in the title"),
        ("title: A shop\nas_of: 9999-12-31", "allowed: a day from 1900-01-01 to 2199-12-31"),
    ],
)
def test_a_study_file_is_no_deeper_longer_or_odder_than_one_needs(tmp_path, text, expected):
    tables = "\ntables: {transactions: {source: orders.csv}}\n"
    done = crm("check", "shop", folder=project(tmp_path, text=text + tables))
    assert done.exit_code == 2
    assert expected in done.output


def test_an_alias_that_is_meant_is_read(tmp_path):
    text = "title: A shop\ntables:\n  transactions: &how {source: orders.csv}\n  returns: *how\n"
    assert "'returns' is not" in crm("check", "shop", folder=project(tmp_path, text=text)).output


def test_a_folder_whose_name_is_no_text_is_named(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    project(Path(folder))
    assert "rename it" in crm("check", "shop", folder=Path(folder)).output


def test_a_page_shows_what_would_turn_text_round_as_a_mark():
    page = render(
        "failure.html.j2",
        study={"title": "a\u202eb", "name": "\x1b[2J"},
        failures=[],
        record={"run": "1", "notebooks": []},
    )
    assert not [sign for sign in "\u202e\x1b" if sign in page]


def test_rows_are_set_aside_under_the_name_of_their_file_from_the_study_on(tmp_path, monkeypatch):
    folder = project(tmp_path / "here") / "data" / "shop"
    for place in (folder / "2023", tmp_path / "away"):
        place.mkdir()
        (place / "orders.csv").write_text(LOG + "C,soon,7\n")
    sources = ["2023/orders.csv", str(tmp_path / "away" / "orders.csv")]
    study = STUDY | {"tables": {"transactions": {"source": sources}}}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    monkeypatch.chdir(tmp_path / "here")
    firm = open_study("shop")
    assert set(firm.quality.quarantine.source_file) == {"2023/orders.csv", "orders.csv"}
    assert firm.quality.sources["file"].tolist() == ["2023/orders.csv", "orders.csv"]
    assert firm.quality.sources["rows"].tolist() == [4, 4]
    for path in (tmp_path / "here" / ".cache").rglob("*.json"):
        assert str(tmp_path) not in path.read_text()


def test_the_engine_never_quotes_a_row():
    with pytest.raises(DataError) as refused, in_our_words("customers"):
        engine().raw_sql("SELECT CAST('Jane Doe' AS INTEGER)")
    shown = "".join(traceback.format_exception(refused.value))
    assert "a value is not of its column's type (ConversionException)" in str(refused.value)
    assert "Jane" not in shown.replace("CAST('Jane Doe' AS INTEGER)", "")


@pytest.mark.parametrize("row", [f"Jane,{'Doe' * 1_000_000}", 'Jane,"a"b"', "Jane,Doe,of,Ham"])
def test_a_line_that_the_engine_does_not_read_is_not_quoted(tmp_path, row):
    (tmp_path / "orders.csv").write_text(f"customer_id,note\n{row}\n")
    with pytest.raises(DataError, match="orders.csv, line 2") as refused:
        open_table("orders.csv", base=tmp_path)
    assert "Jane" not in "".join(traceback.format_exception(refused.value))


def test_what_is_published_has_the_rights_of_new_files(tmp_path):
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    (folder / "tables").mkdir(mode=0o700)
    for name in ("a.csv", "tables/b.parquet"):
        (folder / name).write_text("x")
        (folder / name).chmod(0o600)
    umask = os.umask(0o027)
    try:
        flush_folder(folder)
    finally:
        os.umask(umask)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o640}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "tables")} == {0o750}


@pytest.mark.parametrize("found", ["nothing", "open to all", "a link"])
def test_a_cache_among_temporary_files_is_ours_alone(tmp_path, monkeypatch, found):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("CRMLIB_CACHE_DIR", raising=False)
    expected, other = tmp_path / f"crmlib-cache-{os.getuid()}", tmp_path / "other"
    other.mkdir()
    if found == "open to all":
        expected.mkdir()
        expected.chmod(0o777)
    if found == "a link":
        expected.symlink_to(other)
    (tmp_path / "file").touch()
    folder = cache_folder(tmp_path / "file")
    assert (folder == expected) == (found == "nothing")
    assert folder.parent == tmp_path
    assert stat.S_IMODE(folder.lstat().st_mode) == 0o700
