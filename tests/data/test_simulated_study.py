"""A simulated firm as a study: made once, completely or not at all; its truth is hidden from analyses."""

import ast
import errno
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

import crmlib as crm
from crmlib.cli import main
from crmlib.data.contracts import CONTRACTS
from crmlib.errors import DataError, StudyError
from crmlib.simulation.settings import TABLES, Simulation
from crmlib.simulation.simulate import simulate_firm
from crmlib.simulation.writer import keep_simulated, write_firm
from crmlib.study.file import check_study

ROOT = Path(__file__).parents[2]
SMALL = Simulation(n_customers=150, years=1, random_state=9)


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRMLIB_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.thorough
def test_a_study_of_parameters_has_every_table_as_it_was_simulated(project):
    (project / "data" / "toy").mkdir()
    text = {
        "title": "A toy",
        "currency": "EUR",
        "as_of": "2025-12-31",
        "simulation": SMALL.model_dump(),
    }
    (project / "data" / "toy" / "study.yaml").write_text(yaml.safe_dump(text))
    study = crm.open_study("toy")
    tables = simulate_firm(150, 1, random_state=9).tables
    assert study.file.data_kind == "simulated"
    assert study.title == "A toy (simulated)"
    assert study.transactions.count().to_pyarrow().as_py() == len(tables["transactions"])
    assert study.transactions.amount.sum().to_pyarrow().as_py() == pytest.approx(
        tables["transactions"]["amount"].sum()
    )
    for name in set(TABLES) - {"transactions"}:
        assert study.table(name).count().to_pyarrow().as_py() == len(tables[name]), (
            name
        )  # nothing is set aside
    assert [path.name for path in (project / "data" / "toy").iterdir()] == ["study.yaml"]
    made = list((project / "cache" / "simulated").iterdir())
    assert len(made) == 1
    stamps = {path: path.stat().st_mtime_ns for path in made[0].glob("*.parquet")}
    assert crm.open_study("toy").cleaned.source_folder == made[0]
    assert stamps == {path: path.stat().st_mtime_ns for path in made[0].glob("*.parquet")}


def test_tables_and_simulation_do_not_go_together():
    with pytest.raises(StudyError, match="remove `tables`"):
        check_study({"title": "x", "simulation": {}, "tables": {"transactions": {"source": "a.csv"}}}, "here")


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"n_customers": 0}, "simulation.n_customers.*n_customers is 0"),
        ({"custmers": 10}, "simulation.custmers: no such entry"),
        ({"effects": {"remindrs": 0}}, "did you mean 'reminders'"),
        ({"effects": {"treatments": 0, "reminders": 1}}, "contradict each other"),
    ],
)
def test_a_study_file_is_refused_as_the_function_refuses(entry, complaint):
    with pytest.raises(StudyError, match=complaint):
        check_study({"title": "x", "simulation": entry}, "here")


def test_the_bundled_firm_is_a_seed_and_no_file():
    folder = ROOT / "data" / "simulated-firm"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "study.yaml"]
    assert "simulated" in yaml.safe_load((folder / "study.yaml").read_text())["title"].lower()


def test_another_process_makes_the_same_files_byte_by_byte(tmp_path):
    write_firm(SMALL, tmp_path / "here")
    code = (
        "import sys; from pathlib import Path; from crmlib.simulation.settings import Simulation; "
        "from crmlib.simulation.writer import write_firm; "
        f"write_firm(Simulation.model_validate_json({SMALL.model_dump_json()!r}), Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "5", "TZ": "Asia/Tokyo"}
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "there")], check=True, env=environment, cwd=ROOT
    )
    for name in TABLES:
        files = [(tmp_path / place / f"{name}.parquet").read_bytes() for place in ("here", "there")]
        assert files[0] == files[1], name


def _make(cache):
    return keep_simulated(SMALL, Path(cache)).name


def test_two_processes_make_the_same_firm_at_once(tmp_path):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        names = pool.map(_make, [tmp_path, tmp_path], chunksize=1)
    assert names[0] == names[1]
    assert [path.name for path in (tmp_path / "simulated").iterdir()] == [names[0]]
    assert len(list((tmp_path / "simulated" / names[0]).glob("*.parquet"))) == len(TABLES)


def test_files_hold_what_the_frames_hold(tmp_path):
    firm = simulate_firm(150, 1, random_state=9)
    folder = firm.write(tmp_path / "toy")
    for name, frame in firm.tables.items():
        written = pd.read_parquet(folder / f"{name}.parquet")
        pd.testing.assert_frame_equal(written, frame, check_dtype=False)
        assert list(frame.columns) == [one for one in CONTRACTS[name].names if one in frame.columns]
    assert not any("truth" in path.name for path in folder.rglob("*"))


def test_a_folder_is_replaced_only_when_asked_and_only_if_it_is_a_simulated_firm(tmp_path):
    write_firm(SMALL, tmp_path / "toy")
    before = (tmp_path / "toy" / "transactions.parquet").read_bytes()
    other = SMALL.model_copy(update={"random_state": 10})
    with pytest.raises(DataError, match="exists already"):
        write_firm(other, tmp_path / "toy")
    assert (tmp_path / "toy" / "transactions.parquet").read_bytes() == before
    write_firm(other, tmp_path / "toy", force=True)
    assert (tmp_path / "toy" / "transactions.parquet").read_bytes() != before
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "orders.csv").write_text("mine")
    with pytest.raises(DataError, match="something else than a simulated firm"):
        write_firm(SMALL, tmp_path / "own", force=True)
    assert (tmp_path / "own" / "orders.csv").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "toy"]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes there")
def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """A limit of the size of files stands for the disk that is full."""
    import resource
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DataError, match=f"{os.strerror(errno.EFBIG)}.*Nothing was left behind"):
            write_firm(SMALL, tmp_path / "toy")
        with pytest.raises(DataError, match="Nothing was left behind"):
            keep_simulated(SMALL, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.rglob("*.parquet"))
    assert not list(tmp_path.rglob(".simulating*"))


@pytest.mark.thorough
def test_the_command_writes_a_study_that_opens(project):
    run = CliRunner().invoke(
        main,
        ["simulate", "class", "--customers", "120", "--years", "1", "--seed", "3", "--effect", "reminders=0"],
    )
    assert run.exit_code == 0, run.output
    assert "simulated firm of 120 customers" in run.output
    study = crm.open_study("class")
    assert study.title == "class (simulated firm)"
    frames = simulate_firm(120, 1, random_state=3, effects={"reminders": 0}).tables
    assert study.transactions.count().to_pyarrow().as_py() == len(frames["transactions"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["class", "--customers", "0"], "n_customers is 0"),
        (["class", "--effect", "reminders"], "write a mechanism and its strength"),
        (["class", "--effect", "returns=-1"], "returns is -1"),
        (["a/b"], "cannot be called 'a/b'"),
    ],
)
def test_the_command_refuses_with_a_sentence(project, arguments, complaint):
    run = CliRunner().invoke(main, ["simulate", *arguments])
    assert run.exit_code == 2
    assert complaint in run.output
    assert not list((project / "data").iterdir())


def test_neither_notebooks_nor_library_read_the_truth():
    """Nothing outside the simulator imports it but who opens a study or writes one; nothing names its truth."""
    may = {"study/tables.py", "study/file.py", "cli/data.py"}
    for path in (ROOT / "crmlib").rglob("*.py"):
        relative = path.relative_to(ROOT / "crmlib").as_posix()
        if relative.startswith(("simulation/", "lessons/")):  # a lesson ends with the truth
            continue
        text = path.read_text(encoding="utf-8")
        modules = [
            node.module or ""
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.ImportFrom) and node.level == 0
        ]
        found = [one for one in modules if one.startswith("crmlib.simulation")]
        assert not found or relative in may, (relative, found)
        assert not any("truth" in one for one in modules), relative
        assert ".truth" not in text, relative
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert ".truth" not in text, path.name
        assert "simulate_firm" not in text, path.name
        assert "crmlib.data.simulat" not in text, path.name
