"""The built wheel and source archive: complete, small, and enough for a stranger with pip and an empty folder.

`make dist` runs this after it has built both; `make test` does not, for each environment takes a minute to fill.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from crmlib import __version__

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
WHEEL = DIST / f"crmlib-{__version__}-py3-none-any.whl"
SOURCE = DIST / f"crmlib-{__version__}.tar.gz"
OLDEST, NEWEST = "3.11", "3.13"
# In bytes. What would break it is a data set that belongs into an extra.
LARGEST_WHEEL, LARGEST_SOURCE, LARGEST_FILE_IN_WHEEL = 2_100_000, 3_500_000, 500_000


def names() -> list[str]:
    return zipfile.ZipFile(WHEEL).namelist()


def interpreter(version: str) -> str | None:
    """A Python of this version on this machine, if there is one that starts."""
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places = [*sorted(home.glob(f"{version}.*/bin/python3")), shutil.which(f"python{version}")]
    for place in filter(None, places):
        answer = subprocess.run([place, "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"],
                              capture_output=True, text=True)  # fmt: skip
        if answer.stdout.strip() == version:
            return str(place)
    return None


def test_exactly_one_wheel_and_one_archive_were_built() -> None:
    assert sorted(DIST.iterdir()) == [WHEEL, SOURCE]


def test_they_are_small() -> None:
    assert WHEEL.stat().st_size <= LARGEST_WHEEL
    assert SOURCE.stat().st_size <= LARGEST_SOURCE
    large = [
        one.filename for one in zipfile.ZipFile(WHEEL).infolist() if one.file_size > LARGEST_FILE_IN_WHEEL
    ]
    assert large == []


def test_the_wheel_has_every_file_of_the_library_and_nothing_of_the_tests() -> None:
    library = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "crmlib").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {"crmlib/py.typed", "crmlib/__init__.pyi", "crmlib/columns.toml"} <= library <= {*names()}
    assert {name.split("/")[0] for name in names()} == {"crmlib", f"crmlib-{__version__}.dist-info"}


def test_the_wheel_has_every_notebook_and_study() -> None:
    kept = ["git", "ls-files", "notebooks", "data"]  # what was made here by a command is not ours to ship
    listed = subprocess.run(kept, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {f"crmlib/_bundled/{name}" for name in listed} <= {*names()}
    assert "crmlib/_bundled/docs/glossary.md" in names()


def test_every_data_set_in_the_wheel_comes_with_its_licence() -> None:
    with_data = {name.split("/")[3] for name in names() if re.search(r"_bundled/data/.*\.gz$", name)}
    assert {"cdnow", "telco"} <= with_data
    for name in sorted(with_data):
        assert f"crmlib/_bundled/data/{name}/LICENSE" in names()
        assert f"crmlib-{__version__}.dist-info/licenses/data/{name}/LICENSE" in names()


def test_metadata_are_complete() -> None:
    text = zipfile.ZipFile(WHEEL).read(f"crmlib-{__version__}.dist-info/METADATA").decode()
    metadata = Parser().parsestr(text)
    assert (metadata["Name"], metadata["Version"], metadata["Requires-Python"]) == (
        "crmlib",
        __version__,
        ">=3.11",
    )
    assert metadata["License-Expression"] == "BSD-3-Clause AND MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Summary"]
    assert metadata["Author"]
    assert metadata["Keywords"]
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert (
        "BSD 3-Clause"
        in zipfile.ZipFile(WHEEL).read(f"crmlib-{__version__}.dist-info/licenses/LICENSE").decode()
    )


def test_the_source_archive_can_be_tested_and_leaves_out_what_is_made() -> None:
    with tarfile.open(SOURCE) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "CHANGELOG.md", "CITATION.cff", "LICENSE", "requirements-test.lock"} <= inside
    assert {"tests/conftest.py", "docs/conf.py", "data/cdnow/LICENSE"} <= inside
    assert [
        name
        for name in inside
        if name.startswith(("reports/cdnow", "docs/_build", "docs/_made", ".ci", "dist", ".cache"))
    ] == []


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_a_new_user_installs_it_and_gets_a_report(version: str, tmp_path: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    subprocess.run([python, "-m", "venv", tmp_path / "env"], check=True)
    tools = next(one for one in (tmp_path / "env" / "bin", tmp_path / "env" / "Scripts") if one.is_dir())
    install = [tools / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", WHEEL]
    subprocess.run(install, check=True)

    folder = tmp_path / "empty"
    folder.mkdir()
    (tmp_path / "home").mkdir()
    own = ("PYTHON", "CRMLIB_", "VIRTUAL_ENV", "IPYTHON", "JUPYTER", "MPL", "XDG_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    clean["HOME"] = str(tmp_path / "home")

    def crm(*words: str, **more: str) -> str:
        done = subprocess.run(
            [tools / "crm", *words], cwd=folder, env=clean | more, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    page = Path(crm("report", "cdnow").splitlines()[-1])
    assert page == folder / "reports" / "cdnow" / "latest" / "index.html"
    assert page.stat().st_size > 10_000
    assert {one.name for one in folder.iterdir()} == {"reports", ".cache"}
    assert {one.name for one in (folder / ".cache").iterdir()} == {"crmlib"}
    assert {one.name for one in (folder / "reports").iterdir()} == {"cdnow"}
    # What matplotlib and IPython keep for every program of a user is not ours, but nothing else may be there.
    left = {
        one.relative_to(tmp_path / "home").parts[:2]
        for one in (tmp_path / "home").rglob("*")
        if one.is_file()
    }
    assert {part for part in left if part[0] != ".ipython"} <= {
        (".cache", "matplotlib"),
        (".cache", "fontconfig"),
    }

    for path in ("reports", ".cache"):
        shutil.rmtree(folder / path)
    crm("check", "cdnow", CRMLIB_CACHE_DIR=str(tmp_path / "elsewhere"))
    assert [*folder.iterdir()] == []
    assert (tmp_path / "elsewhere").is_dir()
