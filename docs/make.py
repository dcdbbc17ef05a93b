"""Make what the site shows by running it, then the site: python docs/make.py

The example report is that of the simulated firm, which has every table. The gallery shows the charts as that report
drew them, and the few that it lacks as the example in their docstring does; the reference has a page of every public
name, with the picture that the example of a chart draws.
"""

from __future__ import annotations

import ast
import base64
import doctest
import inspect
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import build_main

import crmlib as crm
from crmlib import charts
from crmlib.lazy import homes
from crmlib.report.notebooks import read_notebooks

HERE = Path(__file__).parent
ROOT = HERE.parent
MADE, REFERENCE = HERE / "_made", HERE / "reference"
EXAMPLE = "simulated-firm"
ROOMS = {
    "study": "Open a firm",
    "customers": "Who the customers are",
    "models": "What they will do",
    "economics": "What they are worth",
    "relationship": "How they are managed",
    "findings": "Findings",
    "errors": "Errors",
    "simulation": "A firm whose truth is known",
    "lessons": "A course",
}


def main() -> None:
    for folder in (MADE, REFERENCE, HERE / "_build"):
        shutil.rmtree(folder, ignore_errors=True)
    (MADE / "pictures").mkdir(parents=True)
    REFERENCE.mkdir()
    report(MADE / "site" / "report")
    drawn = {name: draw(name) for name in charts.__all__ if name != "Chart"}
    shown = {name: (f"{name}.png", alt) for name, alt in drawn.items()} | charts_of_report()
    used = chapters()
    pages = {"crmlib": crm.__all__, "crmlib.charts": charts.__all__}
    described: set[str] = set()  # results that have been described
    for package, names in pages.items():
        for name in names:
            text = reference(package, name, shown, drawn, used, described)
            (REFERENCE / f"{short(package, name)}.rst").write_text(text, encoding="utf-8")
    (REFERENCE / "index.rst").write_text(contents(), encoding="utf-8")
    (HERE / "gallery.rst").write_text(gallery(shown), encoding="utf-8")
    strict = ["--fail-on-warning", "--keep-going", "--quiet", "--fresh-env", "--jobs", "auto"]
    sys.exit(build_main([*strict, "-b", "html", str(HERE), str(HERE / "_build" / "html")]))


def report(target: Path) -> None:
    """The example report, as the command makes it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from crmlib.cli import main; main(prog_name='crm')"]
        subprocess.run([*command, "report", EXAMPLE, "--out", folder], cwd=ROOT, check=True)
        shutil.copytree(Path(folder) / EXAMPLE / "latest", target)


def draw(name: str) -> str:
    """Save the picture that the example of a chart's docstring draws; its words for those who cannot see it."""
    chart = getattr(charts, name)
    lines = [ast.parse(one.source) for one in doctest.DocTestParser().get_examples(inspect.getdoc(chart))]
    space = dict(vars(sys.modules[chart.__module__]))
    for line in lines:
        called = [
            one
            for one in ast.walk(line)
            if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == name
        ]
        if called:
            drawn = eval(compile(ast.Expression(called[0]), name, "eval"), space)
            assert not drawn.empty, f"the example of {name} has nothing to draw"
            drawn.save(MADE / "pictures" / f"{name}.png")
            return str(drawn.alt)
        exec(compile(line, name, "exec"), space)
    raise SystemExit(f"the docstring of {name} has no example that draws it")


def charts_of_report() -> dict[str, tuple[str, str]]:
    """The first picture of each chart in the example report: its file and its words."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted((MADE / "site" / "report" / "notebooks").glob("*.ipynb")):
        named: dict[str, str] = {}  # variables that hold a chart
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"]).strip()
            named |= dict(re.findall(r"(\w+) = crm\.charts\.(\w+)\(", source))
            calls = set(re.findall(r"charts\.(\w+)\(", source))
            last = source.rpartition("\n")[2].strip()
            name = named.get(last, calls.pop() if len(calls) == 1 else "")
            pictures = [one for one in cell.get("outputs", ()) if "image/png" in one.get("data", {})]
            if name and name not in found and len(pictures) == 1:
                file = f"{name}-in-{path.stem}.png"
                (MADE / "pictures" / file).write_bytes(base64.b64decode(pictures[0]["data"]["image/png"]))
                found[name] = file, pictures[0]["metadata"]["image/png"]["alt"]
    return found


def chapters() -> dict[str, list[str]]:
    """The chapters of the report whose code uses a name."""
    found: dict[str, list[str]] = {}
    for notebook in read_notebooks(ROOT / "notebooks"):
        cells = json.loads((ROOT / "notebooks" / f"{notebook.name}.ipynb").read_text(encoding="utf-8"))[
            "cells"
        ]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        for name in set(re.findall(r"\b(?:crm\.)?((?:charts\.)?\w+)", code)):
            found.setdefault(name, []).append(notebook.name)
    return found


def short(package: str, name: str) -> str:
    return f"charts.{name}" if package.endswith("charts") else name


def first_line(thing: object) -> str:
    return re.split(r"\n\s*\n", inspect.getdoc(thing) or "")[0].replace("\n", " ")


def reference(
    package: str,
    name: str,
    shown: dict[str, tuple[str, str]],
    drawn: dict[str, str],
    used: dict[str, list[str]],
    described: set[str],
) -> str:
    """The page of a public name, from its docstring; with that of what it returns, where that is ours."""
    thing, title = getattr(sys.modules[package], name), f"crm.{short(package, name)}"
    parts = [f"{title}\n{'=' * len(title)}"]
    is_chart = name in drawn and package.endswith("charts")
    if is_chart:
        parts.append(picture(*shown[name]))
    parts.append(directive(package, name, thing))
    if is_chart and shown[name][1] != drawn[name]:
        parts += [".. rubric:: What the example draws", picture(f"{name}.png", drawn[name])]
    if result := returned(thing):
        where = f"{result.__module__}.{result.__qualname__}"
        if where in described or result.__name__ in crm.__all__:
            parts.append(f"It returns a :py:class:`~{where}`.")
        else:
            described.add(where)
            parts += [".. rubric:: What it returns", directive(result.__module__, result.__name__, result)]
    if in_chapters := used.get(short(package, name)):
        links = ", ".join(f'<a href="../report/{one}.html">{one}</a>' for one in sorted(in_chapters))
        parts.append(f".. raw:: html\n\n   <p>Shown in the example report: {links}.</p>")
    return "\n\n".join(parts) + "\n"


def picture(file: str, alt: str) -> str:
    return f".. image:: /_made/pictures/{file}\n   :alt: {alt}\n   :class: chart"


def directive(module: str, name: str, thing: object) -> str:
    if not inspect.isclass(thing):
        return f".. autofunction:: {module}.{name}"
    is_frame = any(base.__name__ == "DataFrame" for base in thing.__mro__)
    members = ", ".join(
        one
        for base in ([thing] if is_frame else thing.__mro__[::-1])
        if base.__module__.startswith("crmlib.")
        for one, member in vars(base).items()
        if not one.startswith("_") and inspect.getdoc(getattr(thing, one)) and is_ours(member)
    )  # fmt: skip
    return f".. autoclass:: {module}.{name}" + (f"\n   :members: {members}" if members else "")


def is_ours(member: object) -> bool:
    return isinstance(member, (property, classmethod, staticmethod)) or inspect.isfunction(member)


def returned(thing: object) -> type | None:
    """The class of what a function returns, if it is one of ours."""
    if inspect.isclass(thing):
        return None
    function = inspect.unwrap(thing)  # type: ignore[arg-type]
    name = str(function.__annotations__.get("return"))
    result = vars(sys.modules[function.__module__]).get(name)
    return result if inspect.isclass(result) and result.__module__.startswith("crmlib.") else None


def contents() -> str:
    """The list of all public names by what they answer."""
    by_room: dict[str, list[str]] = {room: [] for room in ROOMS}
    for name, module in homes("crmlib").items():
        if module != "crmlib":
            by_room[module.split(".")[1]].append(name)
    lists = [(ROOMS[room], "", names) for room, names in by_room.items()]
    lists.append(("Charts", "charts.", charts.__all__))
    parts = ["Reference\n=========", "Every public name of ``import crmlib as crm``, with what it answers."]
    for title, before, names in lists:
        parts.append(f"{title}\n{'-' * len(title)}")
        face = charts if before else crm
        rows = [
            f"   * - :doc:`crm.{before}{name} <{before}{name}>`\n     - {first_line(getattr(face, name))}"
            for name in sorted(names, key=str.lower)
        ]
        parts.append(".. list-table::\n   :widths: 35 65\n\n" + "\n".join(rows))
        listed = "\n".join(f"   {before}{name}" for name in sorted(names, key=str.lower))
        parts.append(f".. toctree::\n   :hidden:\n\n{listed}")
    return "\n\n".join(parts) + "\n"


def gallery(shown: dict[str, tuple[str, str]]) -> str:
    """All charts, as the example report drew them."""
    title = "Gallery\n======="
    words = (
        f"All {len(shown)} charts, drawn when this site was made: most as in :doc:`the example report <example>`, "
        "the others by the example of their docstring. A chart takes a frame and a finding, which is its title, and "
        "computes nothing; choose one to see how it is called. How to change one: :doc:`how-to/change-a-chart`."
    )
    cards = "\n\n".join(
        f"   .. grid-item-card:: {name}\n      :link: reference/charts.{name}\n      :link-type: doc\n\n"
        f"      .. image:: /_made/pictures/{file}\n         :alt: {alt}\n\n"
        f"      {first_line(getattr(charts, name))}"
        for name, (file, alt) in shown.items()
    )
    return f"{title}\n\n{words}\n\n.. grid:: 1 2 2 3\n   :gutter: 3\n\n{cards}\n"


if __name__ == "__main__":
    main()
