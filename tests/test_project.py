"""The project's own promises: what is declared in two places agrees, and imports run one way."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import crmlib
from crmlib import findings

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# A package's name at conda-forge where it differs from its name at PyPI.
CONDA_NAMES = {"duckdb": "python-duckdb", "ibis-framework": "ibis-duckdb", "matplotlib": "matplotlib-base"}

ROOMS = [
    {
        *(
            "arguments",
            "claims",
            "columns",
            "errors",
            "findings",
            "format",
            "lazy",
            "no_rows",
            "progress",
            "rankings",
            "secrets",
            "statistics",
        ),
        *("units", "visible"),
    },
    {"data"},
    {"simulation"},
    {"study"},
    {"customers"},
    {"models"},
    {"economics"},
    {"relationship"},
    {"lessons"},
    {"report"},
    {"cli"},
]


def bounds(requirement):
    name, limits = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(.*)", requirement).groups()
    return CONDA_NAMES.get(name.lower(), name.lower()), limits.replace(" ", "")


def test_conda_environment_has_the_names_and_bounds_of_the_project():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    found = dict(bounds(one) for one in listed if isinstance(one, str) and one != "pip")
    wanted = dict(bounds(one) for one in PROJECT["dependencies"])
    wanted |= dict(bounds(one) for one in PROJECT["optional-dependencies"]["lab"])
    wanted |= {"python": PROJECT["requires-python"]}
    wanted |= dict(bounds(one) for one in PROJECT["optional-dependencies"]["test"] if one.startswith("nbval"))
    assert found == wanted


@pytest.mark.parametrize(
    "lock",
    [
        "requirements.lock",
        "requirements-test.lock",
        "requirements-lab.lock",
        "requirements-docs.lock",
        "requirements-class.lock",
    ],
)
def test_locks_are_hashed_and_name_no_address(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==", text, flags=re.M)
    assert len(pinned) > 50
    hashed = re.findall(r"^[A-Za-z0-9._-]+==[^\n]*\\\n    --hash=sha256:", text, flags=re.M)
    assert len(hashed) == len(pinned)


def test_locks_pin_the_same_versions():
    def pins(lock):
        text = (ROOT / lock).read_text(encoding="utf-8")
        return set(re.findall(r"^([A-Za-z0-9._-]+==[^ \\]+)", text, flags=re.M))

    run = pins("requirements.lock")
    assert run <= pins("requirements-test.lock")
    assert run <= pins("requirements-lab.lock")
    assert run <= pins("requirements-docs.lock")
    assert run <= pins("requirements-class.lock")
    assert "jupyterlab" not in {one.split("==")[0] for one in run}


def test_every_dependency_is_locked():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").lower()
    for requirement in PROJECT["dependencies"]:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower()
        name = name.replace(".", "-")
        assert re.search(rf"^{re.escape(name)}==", text, flags=re.M), f"{name} is not locked; run make lock"


def room(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "crmlib" else None


def imports():
    for path in sorted((ROOT / "crmlib").rglob("*.py")):
        relative = path.relative_to(ROOT).with_suffix("")
        if relative.name == "__init__" and len(relative.parts) == 2:
            continue  # the public face re-exports from every room
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                if room(name):
                    yield relative, relative.parts[1], room(name)


def test_a_room_imports_only_from_rooms_below_it():
    floor = {name: level for level, names in enumerate(ROOMS) for name in names} | {"charts": 0}
    wrong = [
        f"{path} imports {imported}"
        for path, own, imported in imports()
        if own != imported and floor[imported] > floor[own]
    ]
    assert wrong == []


def test_every_room_has_its_floor():
    floor = {name for names in ROOMS for name in names} | {"charts"}
    assert {own for _path, own, _imported in imports()} <= floor


def test_the_version_stands_everywhere():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert PROJECT["version"] == crmlib.__version__ == cited["version"]
    assert " AND ".join(cited["license"]) == PROJECT["license"]
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()


KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def test_the_changelog_has_the_form_of_keep_a_changelog():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, flags=re.M)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", one) for one in versions[1:])
    for section in re.split(r"^## .+$", text, flags=re.M)[1:]:
        kinds = re.findall(r"^### (.+)$", section, flags=re.M)
        assert kinds
        assert kinds == [one for one in KINDS if one in kinds]


# A quantile of the normal distribution, in full or rounded, and what Wilson's interval is made of.
INTERVALS = re.compile(
    r"\bndtri\b|NormalDist|norm\.ppf|wilson(?!_interval)\w*\(|\b1\.9(?:6|59\d*|2\d*)\b|\b3\.84\d*\b|\bz2?\s?\*\*\s?2"
)
ELSEWHERE = {
    "crmlib/statistics.py": "their place",
    "crmlib/models/predictive.py": "interpolates a distribution function on normal probability paper",
    "crmlib/simulation/streams.py": "makes normal draws of uniform ones",
}


def test_intervals_stand_in_statistics_alone():
    found = {
        str(path.relative_to(ROOT)): line
        for path in (ROOT / "crmlib").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if INTERVALS.search(line)
    }
    assert found.keys() - ELSEWHERE.keys() == set(), found
    assert found.keys() >= ELSEWHERE.keys(), "an exception that nobody needs; take it off the list"


# NumPy 2.5 warns of both inside pandas 2.3: of texts and of days named by a word.
WITHOUT_UNIT = re.compile(r"Timedelta\(\s*(?:[a-z]+s=|[\"'])")


def test_time_spans_name_their_unit():
    found = {
        str(path.relative_to(ROOT)): line
        for place in ("crmlib", "tests", "notebooks", "docs")
        for path in (ROOT / place).rglob("*")
        if path.suffix in (".py", ".ipynb", ".md") and path.name != "test_project.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if WITHOUT_UNIT.search(line)
    }
    assert found == {}, 'write pd.Timedelta(30, "D")'


def test_nothing_in_the_tree_is_larger_than_two_megabytes():
    hidden = re.compile(r"\.(git|venv.*|cache|mypy_cache)|reports|dist")
    large = [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and not hidden.fullmatch(path.relative_to(ROOT).parts[0])
        and path.stat().st_size > 2_000_000
    ]
    assert large == []


@pytest.mark.parametrize(
    "study", sorted((ROOT / "data").glob("*/study.yaml")), ids=lambda path: path.parent.name
)
def test_every_data_set_says_what_it_is(study):
    kind = yaml.safe_load(study.read_text(encoding="utf-8"))["data_kind"]
    text = (study.parent / "README.md").read_text(encoding="utf-8")
    assert f"**{kind.capitalize()}.**" in text
    assert "**Origin.**" in text
    assert "**Licence.**" in text


# Names under which packages are imported, where they differ from the packages' own.
IMPORT_NAMES = {
    "beautifulsoup4": "bs4",
    "ibis-framework": "ibis",
    "ipython": "IPython",
    "pillow": "PIL",
    "markdown-it-py": "markdown_it",
    "python-calamine": "python_calamine",
    "ruamel.yaml": "ruamel",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}


def test_every_import_of_the_library_is_declared():
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["reasons"]]
    for extra in ("class", "spark", "linkage"):
        wanted += PROJECT["optional-dependencies"][extra]
    named = [re.match(r"[A-Za-z0-9._-]+", one)[0].lower() for one in wanted]
    declared = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in named} | {"crmlib"}
    found = set()
    for path in (ROOT / "crmlib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {one.name.split(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.split(".")[0])
    assert found - set(sys.stdlib_module_names) <= declared


# Files in which a word that is also a verdict means something else: what a service case is about, how people met.
OTHER_MEANINGS = {"service.py": "use", "customers.py": "met", "truth.py": "met"}


def test_the_words_of_verdicts_stand_in_one_place():
    words = {value for name, value in vars(findings).items() if name.isupper() and isinstance(value, str)}
    words -= {findings.BETTER, findings.WORSE}  # plain words of many sentences too
    assert {findings.CARE, findings.UNDECIDED, findings.NOT_MET, findings.WARN} <= words
    written = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.value!r}"
        for path in sorted((ROOT / "crmlib").rglob("*.py"))
        if path.name != "findings.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in words - {OTHER_MEANINGS.get(path.name)}
    ]
    assert written == []
