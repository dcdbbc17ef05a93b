"""What the documentation tells people to type is what the command understands."""

import ast
import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
import yaml

import crmlib as crm
from crmlib.cli import main
from crmlib.report.notebooks import choose, read_notebooks
from crmlib.study.file import StudyFile

ROOT = Path(__file__).parents[1]
OF_THE_SITE = sorted(
    path
    for path in (ROOT / "docs").rglob("*.md")
    if not {"_build", "_made"} & {*path.relative_to(ROOT).parts}
)
PAGES = [ROOT / "README.md", *OF_THE_SITE, *sorted((ROOT / "data").glob("*.md"))]


def blocks(kind):
    return [
        (page.name, block)
        for page in PAGES
        for block in re.findall(
            rf"^ *```{kind}\n(.*?)^ *```", page.read_text(encoding="utf-8"), flags=re.M | re.S
        )
    ]


def commands():
    found = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("[", "").replace("]", "")
        for line in re.findall(
            r"(?:^|[`/; ])crm ((?:report|new|check|list|runs|prune|add|simulate|lessons) ?[^`\n#&>|\"]*)",
            text,
            flags=re.M,
        ):
            found.add(line.strip().rstrip(".,;"))
    return sorted(found)


@pytest.mark.parametrize("line", commands())
def test_every_command_in_the_pages_is_understood(line):
    words = shlex.split(line.replace("{{ ds }}", "2026-01-01").replace("--jobs N", "--jobs 2"))
    command = main.get_command(click.Context(main), words[0])
    while isinstance(command, click.Group):
        words = words[1:]
        command = command.get_command(click.Context(command), words[0])
    assert command is not None, f"there is no command {words[0]}"
    command.make_context("crm", words[1:])


def test_commands_were_found():
    assert {"report cdnow", "report shop", "check shop"} <= set(commands())


@pytest.mark.parametrize(("page", "block"), blocks("python"))
def test_python_in_the_pages_parses(page, block):
    ast.parse(block)


@pytest.mark.parametrize(("page", "block"), blocks("yaml"))
def test_yaml_in_the_pages_parses(page, block):
    assert yaml.safe_load(block)


def presets():
    """What the pages, and the study file that `crm new` writes, show as a preset of a notebook."""
    return [
        (page.name, preset)
        for page in [*PAGES, ROOT / "crmlib/study/entries.py"]
        for preset in re.findall(r"\b\d\d_[a-z_]+: \{[^}]+\}", page.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("page", "block"), blocks("json"))
def test_json_in_the_pages_parses(page, block):
    assert json.loads(block)


@pytest.mark.parametrize(("page", "preset"), presets())
def test_every_preset_in_the_pages_is_accepted(page, preset):
    ((name, values),) = yaml.safe_load(preset).items()
    parameters = choose(read_notebooks(ROOT / "notebooks"), name).parameters
    for key, value in values.items():
        assert key in parameters, f"{name} has no {key}"
        assert parameters[key].accept(value, page) == value


def test_presets_were_found():
    assert {"study-file.md", "entries.py"} <= {page for page, _preset in presets()}


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            made = re.fullmatch(r"/(gallery|reference/(charts\.)?(?P<name>\w+))\.rst", target)
            name = made and made["name"]
            assert made or (page.parent / target).exists() or (ROOT / f"docs{target}").exists(), (
                f"{page.name} links to {target}"
            )
            assert name is None or hasattr(crm.charts if made[2] else crm, name), f"{page.name}: no {name}"


def test_the_two_commands_are_the_first_lines_of_the_readme():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line.split("#")[0].strip() for line in lines[2:4]] == ["make report", "make test"]


def test_the_readme_is_two_screens():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 100


def test_every_block_of_the_site_runs_or_says_that_it_does_not():
    """Examples of Python run as tests, studies are read below, and commands run when the site is made."""
    silent = [
        f"{page.name}: {kind} {block[:40]!r}"
        for page in OF_THE_SITE
        for kind, block in fenced(page.read_text(encoding="utf-8"))
        if kind not in ("pycon", "yaml", "sh", "json", "text") and kind[:1] != "{" and "not run" not in block
    ]
    assert silent == []


def fenced(text):
    """Every block of a page, with the word after its opening; {...} are directives of the site."""
    kind, lines = None, []
    for line in text.splitlines():
        if line.strip().startswith("```"):
            if kind is None:
                kind, lines = line.strip()[3:], []
            else:
                yield kind.partition(" ")[0], "\n".join(lines)
                kind = None
        else:
            lines.append(line)
    assert kind is None, "a block without an end"


def studies_in_pages():
    return [(page, block) for page, block in blocks("yaml") if "not run" not in block]


@pytest.mark.parametrize(("page", "block"), studies_in_pages())
def test_every_study_in_the_pages_is_accepted(page, block):
    """A part of a study is put where it belongs."""
    entries = yaml.safe_load(block)
    if "title" not in entries:
        entries = {"title": "shop", "tables": {"transactions": {"source": "sqlite://shop.db"} | entries}}
    assert StudyFile.model_validate(entries).title


def test_every_name_in_the_pages_is_there():
    """Public names, as a reader would type them."""
    wrong = [
        f"{page.name}: crm.{name}"
        for page in PAGES
        for name in re.findall(r"(?<!/)\bcrm\.((?:charts\.)?[A-Za-z]\w*)", page.read_text(encoding="utf-8"))
        if not hasattr(crm.charts if "." in name else crm, name.rpartition(".")[2])
    ]
    assert wrong == []


def test_the_page_of_claims_shows_an_entry_of_the_ledger():
    page = (ROOT / "docs/how-to/add-a-claim.md").read_text(encoding="utf-8")
    (shown,) = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, flags=re.S)[1])
    assert shown in yaml.safe_load((ROOT / "crmlib/relationship/claims.yaml").read_text(encoding="utf-8"))


def test_the_page_of_optional_parts_lists_every_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs/how-to/install.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \|", page, flags=re.M))
    assert listed == {*project["optional-dependencies"]} - {"test", "docs"}
