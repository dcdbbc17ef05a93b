"""The house stays small: what is public has a user, what is written is reached, and both may only shrink."""

import json

import pytest

import crmlib as crm
from crmlib import charts
from crmlib.data.code_key import modules_named, modules_reached
from crmlib.lazy import homes
from tests.house import LONGEST_FILE, ROOT, circles, modules, public_names, without_user

# Public names that wait for their chapter: the life cycle and the scorecards will use them.
WAITING = {
    *("cox_model", "log_rank", "markov_value", "points_pressure", "programme_payback_months"),
    *("recency_migration", "remaining_lifetime"),
}
MOST_NAMES = {"crmlib": 80, "crmlib.charts": 35}
MOST_FILES, MOST_CODE_LINES, MOST_DOCSTRING_LINES = 190, 22_000, 8_200
HOUSE = modules()


def test_no_two_modules_import_each_other():
    assert circles(HOUSE) == []


def test_the_library_is_small():
    rest = [one for name, one in HOUSE.items() if not name.startswith("crmlib.simulation")]
    assert len(rest) <= MOST_FILES
    assert sum(one.code for one in rest) <= MOST_CODE_LINES
    assert sum(one.docstrings for one in rest) <= MOST_DOCSTRING_LINES
    assert [one.name for one in HOUSE.values() if one.lines > LONGEST_FILE] == []


def test_the_faces_are_small():
    for package, names in public_names().items():
        assert len(names) <= MOST_NAMES.get(package, 4), f"{package} has {len(names)} public names"


def test_every_public_name_has_a_user():
    """In a notebook, a page or a command; those that still wait for their chapter are named here."""
    assert {*without_user({*crm.__all__, *charts.__all__})} == WAITING


@pytest.mark.parametrize("package", ["crmlib", "crmlib.charts"])
def test_what_a_stub_lists_is_there(package):
    face = crm if package == "crmlib" else charts
    for name in homes(package):
        assert getattr(face, name) is not None
    assert {*face.__all__} <= {*dir(face)}
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        face.nonsense  # noqa: B018


def test_every_module_is_reached():
    """From the public names, the commands, the workers of a run or a notebook."""
    roots = {
        *homes("crmlib").values(),
        *homes("crmlib.charts").values(),
        "crmlib.cli",
        "crmlib.report.worker",
    }
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        roots |= {*modules_named(code_of(notebook))}
    reached = {*modules_reached(roots | {"crmlib.charts", "crmlib.lazy"}), "crmlib"}
    rooms = {name.rpartition(".")[0] for name in HOUSE}  # a package is there for what is in it
    assert {*HOUSE} - reached - rooms == set()


def code_of(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
