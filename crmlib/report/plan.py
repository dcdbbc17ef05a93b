"""The plan of a report: all checks are made before anything runs."""

from __future__ import annotations

import graphlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import crmlib
from crmlib.data.kept import digest_of
from crmlib.errors import DataError, RunError, StudyError, did_you_mean
from crmlib.report.notebooks import RUNNER_OWNED, Notebook, Parameter, choose, read_notebooks
from crmlib.secrets import holds_secret
from crmlib.study import Study, open_study
from crmlib.study.places import find_root, find_study, notebooks_folder
from crmlib.study.yaml_text import read_yaml


@dataclass(frozen=True)
class Chapter:
    """A notebook of the report, the parameters it gets, and whether it is to run.

    `run` is false for a notebook that ``--only`` left out: it comes from the cache or not at all.
    `afresh` is true for one that must not come from the cache.
    """

    notebook: Notebook
    parameters: dict[str, Any]
    missing: tuple[str, ...] = ()
    run: bool = True
    afresh: bool = False

    @property
    def name(self) -> str:
        """The notebook's name, such as "02_customer_base_audit"."""
        return self.notebook.name

    @property
    def overrides(self) -> dict[str, Any]:
        """The parameters that differ from the notebook's own: what Papermill injects."""
        own = self.notebook.parameters
        return {name: value for name, value in self.parameters.items() if value != own[name].default}

    @property
    def cannot_run(self) -> str:
        """Why the chapter cannot run on this study, or an empty text."""
        if not self.missing:
            return ""
        return f"needs table{'s' if len(self.missing) > 1 else ''} {', '.join(self.missing)}"


@dataclass(frozen=True)
class Plan:
    """A study, its chapters in an order in which they can run, what was asked for, and the files it is made from."""

    study: Study
    root: Path
    chapters: tuple[Chapter, ...]
    asked: dict[str, Any]
    inputs: list[dict[str, Any]]
    library: dict[Path, int]  # its files, and when each was changed
    study_file: tuple[Path, str]  # and its digest

    @property
    def state(self) -> dict[str, str]:
        """What every notebook depends on, by path: the digest of the study file and the keys of the tables."""
        path, digest = self.study_file
        keys = {name: self.study.cleaned.key(name) for name in self.study.file.tables}
        return {str(path): digest} | {f"{path.parent}/{name}": key for name, key in keys.items()}

    def require_unchanged(self, *, databases: bool = False) -> None:
        """Go on if every input is what the plan has read: the study file, the sources and the library.

        `databases`: also what came from databases, where to look once more takes a scan of the table. Raises a RunError
        that names those that are not.
        """
        path, digest = self.study_file
        changed = [] if path.is_file() and digest_of(path) == digest else [path.name]
        for table in self.study.file.tables:
            if self.study.cleaned.database(table) is None:
                changed += _changed(self.study, table)
            elif databases:
                try:
                    changed += _changed(self.study, table)
                except DataError as complaint:  # it cannot be asked any more
                    raise RunError(f"{complaint}; nothing was published") from None
        changed += [file.name for file, time in _library().items() ^ self.library.items() if time]
        if changed:
            raise RunError(
                f"{', '.join(sorted(set(changed)))} changed during the run; nothing was published and the "
                "latest report is unchanged. Run again when the inputs are complete"
            )

    def chapter(self, name: str) -> Chapter:
        """Return the chapter of a notebook."""
        return next(chapter for chapter in self.chapters if chapter.name == name)

    def why_not(self, chapter: Chapter) -> str:
        """Return why a chapter cannot run on this study and what would change that, or an empty text."""
        if not chapter.missing:
            return ""
        entries = " and ".join(f"“{table}: {{source: {table}.csv}}”" for table in chapter.missing)
        it = "them" if len(chapter.missing) > 1 else "it"
        return f"{chapter.cannot_run}. To supply {it}, add {entries} under “tables:” in {self.study.name}/study.yaml."


def plan_report(
    study: str,
    *,
    only: Sequence[str] = (),
    as_of: str | None = None,
    set: Sequence[str] = (),
    fresh: bool = False,
    root: Path | None = None,
) -> Plan:
    """Say what a report on a study will run, or refuse.

    `study`: a study's name, or the path of its study.yaml. `only`: notebooks to run again ("02" or a name); the rest is
    taken from the cache. Empty: all. `as_of`: a date instead of the study's own. `set`: ``key=value`` for every
    notebook that has the parameter, ``02.key=value`` for one. `fresh`: take nothing from the cache. `root`: the
    project's folder. By default the nearest parent that holds `data` or `notebooks`. Raises StudyError if the study, a
    notebook, a preset or a `set` is refused; DataError if the purchase log is refused; it is cleaned here, once for all
    notebooks.
    """
    root = (root or find_root()).resolve()
    library, path = _library(), find_study(study)
    digest = digest_of(path)
    opened = open_study(study, as_of=as_of)
    notebooks = in_running_order(read_notebooks(notebooks_folder(root)))
    chosen = {choose(notebooks, word).name for word in only}
    run = _with_all_it_reads(notebooks, chosen) if chosen else {notebook.name for notebook in notebooks}
    given = _presets(notebooks, opened.file.notebooks)
    for text in set:
        _override(given, notebooks, text)
    address = _as_the_kernel_finds_it(study, root)
    if opened.has("transactions"):  # cleaned here, so that data are refused before anything runs
        _refuse_without_purchases(opened)
    chapters = []
    for notebook in notebooks:
        parameters = _parameters(notebook, given[notebook.name], address, as_of)
        missing = tuple(table for table in notebook.needs if not opened.has(table))
        to_run, afresh = notebook.name in run, fresh or notebook.name in chosen
        chapters.append(Chapter(notebook, parameters, missing, to_run, afresh))
    asked = {"study": study, "as_of": as_of, "set": list(set), "only": sorted(chosen)}
    plan = Plan(opened, root, tuple(chapters), asked, _inputs(opened), library, (path, digest))
    plan.require_unchanged()
    return plan


def _changed(study: Study, table: str) -> list[str]:
    """The files of a table that changed or appeared since they were first read."""
    states = study.cleaned.states(table)
    try:
        files = study.cleaned.files(table)
    except DataError:  # the last one has gone
        files = []
    gone_or_new = [file.name for file in {*files} ^ {*states}]
    known = [file for file in files if file in states]
    return gone_or_new + [file.name for file in known if not states[file].is_still_that_of(file)]


def _library() -> dict[Path, int]:
    """The library's files, and when each was last changed."""
    return {file: file.stat().st_mtime_ns for file in Path(crmlib.__file__).parent.rglob("*.py")}


def _refuse_without_purchases(study: Study) -> None:
    first = study.cleaned.report("transactions").days["first_purchase"]
    if first is None or first > study.as_of.isoformat():
        raise DataError(
            f"transactions: there is no purchase up to {study.as_of}, only returns; check which column is the amount, "
            "its sign, and as_of"
        )


def _inputs(study: Study) -> list[dict[str, Any]]:
    """Return every file of a study with its `table`, `file`, `rows` and `sha256`.

    `rows` is None for one of several files of a table whose files are not counted apart.
    """
    found = []
    for table in study.file.tables:
        states = study.cleaned.states(table)
        rows = _rows(study, table, [*states])
        found += [
            {"table": table, "file": file.name, "rows": rows.get(file), "sha256": state.sha256}
            for file, state in states.items()
        ]
    return found


def _rows(study: Study, table: str, files: list[Path]) -> dict[Path, int]:
    # The cleaning has counted what the source holds, used or not.
    by_name = study.cleaned.files_by_name(table)
    counted = {by_name[source["file"]]: int(source["rows"]) for source in study.cleaned.report(table).sources}
    return {files[0]: sum(counted.values())} if len(files) == 1 else counted


def in_running_order(notebooks: list[Notebook]) -> list[Notebook]:
    """Put each notebook after those it reads; otherwise in the order of names.

    Raises StudyError if one reads a notebook that is not there, or two read each other.
    """
    by_name = {notebook.name: notebook for notebook in notebooks}
    for notebook in notebooks:
        for read in notebook.after:
            if read not in by_name:
                raise StudyError(
                    f"{notebook.name} reads {read!r}, which does not exist; {did_you_mean(read, by_name)}"
                )
    sorter = graphlib.TopologicalSorter({notebook.name: notebook.after for notebook in notebooks})
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise StudyError(f"notebooks read each other in a circle: {' -> '.join(error.args[1])}") from error
    order: list[Notebook] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += [by_name[name] for name in ready]
        sorter.done(*ready)
    return order


def _with_all_it_reads(notebooks: list[Notebook], names: set[str]) -> set[str]:
    """Add what the named notebooks read, directly or through others (`notebooks` are in running order)."""
    found = set(names)
    for notebook in reversed(notebooks):
        if notebook.name in found:
            found.update(notebook.after)
    return found


def _presets(
    notebooks: list[Notebook], section: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Read the study's `notebooks:` section."""
    given: dict[str, dict[str, Any]] = {notebook.name: {} for notebook in notebooks}
    named: dict[str, str] = {}
    for word, values in section.items():
        notebook = choose(notebooks, word)
        if named.setdefault(notebook.name, word) != word:
            raise StudyError(
                f"notebooks: {notebook.name} is listed twice, as {named[notebook.name]!r} and as {word!r}; keep one"
            )
        for key, value in values.items():
            parameter = _known(notebook, key, f"notebooks: {word}")
            given[notebook.name][key] = parameter.accept(value, f"notebooks: {word}")
    return given


def _override(given: dict[str, dict[str, Any]], notebooks: list[Notebook], text: str) -> None:
    """Add one ``key=value`` or ``02.key=value`` of the command line to what is given."""
    path, equals, raw = text.partition("=")
    if not equals:
        raise StudyError(f"--set {text!r} has no '='; write --set key=value")
    if holds_secret(raw):
        raise StudyError(
            f"--set {path}: the value holds a password; parameters are stored in notebooks in clear, "
            "so put it into an environment variable and name that variable in the study file"
        )
    word, _, key = path.strip().rpartition(".")
    among = [choose(notebooks, word)] if word else notebooks
    owners = [notebook for notebook in among if word or key in notebook.parameters]
    if not owners:
        every = sorted({name for notebook in notebooks for name in notebook.parameters} - set(RUNNER_OWNED))
        raise StudyError(f"--set {text}: no notebook has a parameter {key!r}; {did_you_mean(key, every)}")
    for notebook in owners:
        parameter = _known(notebook, key, f"--set {text}")
        value = raw if isinstance(parameter.default, str) else _plain_value(raw, text)
        given[notebook.name][key] = parameter.accept(value, f"--set {text}")


def _plain_value(raw: str, text: str) -> Any:
    try:
        return read_yaml(raw, f"--set {text}")
    except StudyError:
        if re.fullmatch(r"[\d-]+", raw):
            return raw  # a day that no calendar has; refused as a text, with what is allowed
        raise StudyError(f"--set {text}: {raw!r} is no plain value (a number, true, false, a text)") from None


def _known(notebook: Notebook, key: str, where: str) -> Parameter:
    if key in RUNNER_OWNED:
        by_as_of = "use --as-of, or as_of in the study file"
        cure = "name the study as the argument" if key == "study" else by_as_of
        raise StudyError(f"{where}: {key!r} is not set here; {cure}")
    if key not in notebook.parameters:
        allowed = [name for name in notebook.parameters if name not in RUNNER_OWNED]
        raise StudyError(f"{where}: {notebook.name} has no parameter {key!r}; {did_you_mean(key, allowed)}")
    return notebook.parameters[key]


def _as_the_kernel_finds_it(study: str, root: Path) -> str:
    """A study's name where it means the same from the project's root, in which kernels work; else its path."""
    path = find_study(study)
    try:
        same = find_study(path.parent.name, root) == path
    except StudyError:
        same = False
    return path.parent.name if same else str(path)


def _parameters(notebook: Notebook, given: dict[str, Any], study: str, as_of: str | None) -> dict[str, Any]:
    """Return every parameter of a notebook with the value it gets, in the order of its cell."""
    values = {name: parameter.default for name, parameter in notebook.parameters.items()} | given
    if "study" not in values:
        raise StudyError(f"{notebook.path}: the parameters cell must hold `study = ...`")
    values["study"] = study
    if as_of is not None:
        if "as_of" not in values:
            raise StudyError(f"--as-of {as_of}: {notebook.name} has no parameter as_of, so it cannot follow")
        values["as_of"] = as_of
    return values
