"""A whole report from folders, a study and a file with the nastiest names that a system allows."""

import json
import stat
from dataclasses import replace

import pytest

NAME = "a{0}{{b}}'c\"d\\e%20#?*[1] \u00a0\n\u202e\x1bé;$HOME`x`&~year=2024"


@pytest.mark.thorough
def test_a_report_from_a_folder_with_the_nastiest_name(unrun, tmp_path):
    root = unrun.root.rename(tmp_path / NAME)
    folder = (root / "data" / "tiny").rename(root / "data" / NAME)
    (folder / "orders.csv").rename(folder / "orders[1].csv")
    text = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(text.replace("source: orders.csv", 'source: "orders[1].csv"'))
    done = replace(unrun, root=root).crm("report", NAME, "--only", "01", "--out", str(root / "out {x}"))
    assert done.code == 0, done.err
    assert not [sign for sign in "\u202e\x1b" if sign in done.out]
    latest = root / "out {x}" / NAME / "latest"
    assert json.loads((latest / "run.json").read_text())["inputs"][0]["file"] == "orders[1].csv"
    pages = [latest / "index.html", latest / "01_data_check.html"]
    assert not [page for page in pages if "\u202e" in page.read_text() or "\x1b" in page.read_text()]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in latest.resolve().rglob("*") if path.is_file()}
    assert len(modes) == 1
