"""What a worker makes of one notebook: what is on disk meanwhile, and what its kernel is told."""

from __future__ import annotations

import json
import os

import pytest

from crmlib.report import worker
from crmlib.report.outcomes import Task

# Each cell of code says what stood in the file when it began.
LOOK = """
import json, pathlib
cells = json.loads(pathlib.Path({output!r}).read_text(encoding="utf-8"))["cells"]
print([cell["metadata"]["papermill"]["status"] for cell in cells])
print([len(cell.get("outputs", [])) for cell in cells])
"""
SHARE = """
import os
from crmlib.data.engine import engine
limits = "SELECT current_setting('threads'), current_setting('memory_limit')"
print(*engine().raw_sql(limits).fetchone(), os.environ["OMP_NUM_THREADS"])
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a notebook with these cells and return what each cell of code printed."""
    for name in ("CRMLIB_RUN_DIR", "CRMLIB_ENGINE_JOBS", "OMP_NUM_THREADS", "MPLBACKEND"):
        monkeypatch.setenv(name, "")  # put back at the end: a worker sets them for its kernels
    output = tmp_path / "out.ipynb"

    def run(*sources, at_a_time=1):
        common = {"metadata": {}}
        code = {"cell_type": "code", "outputs": [], "execution_count": None}
        cells = [
            common
            | ({"cell_type": "markdown"} if source.startswith("# ") else code)
            | {"id": f"cell-{number}", "source": source.replace("{output!r}", repr(str(output)))}
            for number, source in enumerate(sources)
        ]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        path = tmp_path / "in.ipynb"
        path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
        outcome = worker.run(
            Task("in", str(path), str(output), {}, str(tmp_path), str(tmp_path), 60, {}, at_a_time=at_a_time)
        )
        assert outcome.status == "ok", outcome.reason
        written = json.loads(output.read_text(encoding="utf-8"))["cells"]
        return ["".join(cell["outputs"][0]["text"]) for cell in written if cell["cell_type"] == "code"]

    return run


def test_a_cell_finds_itself_begun_on_disk_with_all_before_it(run):
    first, second = run("# Title", LOOK, "# Prose", LOOK)
    assert first.splitlines() == ["['completed', 'running', 'pending', 'pending']", "[0, 0, 0, 0]"]
    assert second.splitlines() == ["['completed', 'completed', 'completed', 'running']", "[0, 1, 0, 0]"]


def test_the_last_state_is_written_as_papermill_writes_it(run, tmp_path):
    run("# Title", "print(1)")
    text = (tmp_path / "out.ipynb").read_text(encoding="utf-8")
    assert text.startswith("{\n")
    assert {cell["metadata"]["papermill"]["status"] for cell in json.loads(text)["cells"]} == {"completed"}


def test_an_engine_takes_its_share_of_processor_and_memory(run, monkeypatch):
    monkeypatch.setenv("CRMLIB_ENGINE_MEMORY", "2GiB")
    cores = os.cpu_count()
    assert run(SHARE) == [f"{cores} 2.0 GiB 1\n"]
    assert run(SHARE, at_a_time=2) == [f"{max(1, cores // 2)} 1.0 GiB 1\n"]
