"""What the documentation tells people to type is what the command understands."""

import ast
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from crmlib.cli import main
from crmlib.report.notebooks import choose, read_notebooks

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "data").glob("*.md"))]


def blocks(kind):
    return [
        (page.name, block)
        for page in PAGES
        for block in re.findall(
            rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S
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


@pytest.mark.parametrize(("page", "preset"), presets())
def test_every_preset_in_the_pages_is_accepted(page, preset):
    ((name, values),) = yaml.safe_load(preset).items()
    parameters = choose(read_notebooks(ROOT / "notebooks"), name).parameters
    for key, value in values.items():
        assert key in parameters, f"{name} has no {key}"
        assert parameters[key].accept(value, page) == value


def test_presets_were_found():
    assert {"README.md", "entries.py"} <= {page for page, _preset in presets()}


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_two_commands_are_the_first_lines_of_the_readme():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line.split("#")[0].strip() for line in lines[2:4]] == ["make report", "make test"]
