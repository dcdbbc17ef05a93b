"""Run a plan's notebooks, several at a time, in the order in which they read each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from graphlib import TopologicalSorter
from multiprocessing import connection
from pathlib import Path

from crmlib import format as fmt
from crmlib.data.staging import scratch
from crmlib.report.cache import Cache
from crmlib.report.outcomes import Outcome, Task, results_of
from crmlib.report.plan import Chapter, Plan
from crmlib.report.processes import Worker
from crmlib.secrets import redact
from crmlib.study.ledger import VARIABLE
from crmlib.study.places import cache_folder
from crmlib.study.tables import RUN_STATE

SECONDS_PER_CELL = 0.2  # roughly; it only orders what has never run
Watch = Callable[[str, Outcome | None], None]  # called with a name when it starts, and again when it ended


def execute(
    plan: Plan, run: Path, cache: Cache, *, jobs: int, cell_timeout_seconds: float, watch: Watch
) -> list[Outcome]:
    """Run the chapters of a plan and say how each ended, in the plan's order.

    `run`: the staging folder: notebooks, metrics and tables land there. `jobs`: how many notebooks run at a time.
    `cell_timeout_seconds`: the longest that one cell may take. `watch`: called at starts (name, None) and ends (name,
    outcome). A notebook that fails stops those that read it, and no others. Raises RunError if an input changes
    meanwhile: what was made of two states is neither kept nor published.
    """
    (run / "notebooks").mkdir(exist_ok=True)
    return _Execution(plan, run, cache, jobs, cell_timeout_seconds, watch).finish()


class _Execution:
    def __init__(
        self, plan: Plan, run: Path, cache: Cache, jobs: int, cell_timeout_seconds: float, watch: Watch
    ) -> None:
        self.plan, self.run, self.cache = plan, run, cache
        self.cell_timeout_seconds, self.watch = cell_timeout_seconds, watch
        self.order = TopologicalSorter({chapter.name: chapter.notebook.after for chapter in plan.chapters})
        self.order.prepare()
        self.outcomes: dict[str, Outcome] = {}
        self.keys: dict[str, str] = {}
        self.waiting: list[str] = []
        self.running: dict[connection.Connection, Worker] = {}
        to_run = sum(chapter.run and not chapter.cannot_run for chapter in plan.chapters)
        self.at_a_time = max(1, min(jobs, to_run))
        self.environment = _environment(plan) | {VARIABLE: str(cache.ledger)}
        self.idle = [Worker() for _ in range(jobs)]

    def finish(self) -> list[Outcome]:
        """Run every notebook and return how each of them ended."""
        try:
            while self.order.is_active():
                self._settle_what_need_not_run()
                self._start_what_can()
                if self.running:
                    ended = connection.wait(list(self.running))
                    for worker in [self.running.pop(pipe) for pipe in list(self.running) if pipe in ended]:
                        self._collect(worker)
        finally:
            for worker in [*self.idle, *self.running.values()]:
                worker.close()
        return [self.outcomes[chapter.name] for chapter in self.plan.chapters]

    def _settle_what_need_not_run(self) -> None:
        """Take what is skipped or cached, which may make others ready, until only work is left."""
        while ready := sorted(self.order.get_ready()):
            for name in ready:
                outcome = self._without_running(self.plan.chapter(name))
                if outcome:
                    self._record(outcome)
                else:
                    self.waiting.append(name)

    def _without_running(self, chapter: Chapter) -> Outcome | None:
        if chapter.cannot_run:
            return Outcome(chapter.name, "skipped", reason=self.plan.why_not(chapter))
        broken = [read for read in chapter.notebook.reads if not self._usable(read)]
        if broken:
            number = self.plan.chapter(broken[0]).notebook.number
            ended = "was not run" if self.outcomes[broken[0]].succeeded else "failed"
            return Outcome(chapter.name, "skipped", reason=f"reads {number}, which {ended}")
        key = self.keys[chapter.name] = self.cache.key(chapter, self.run)
        seconds = None if chapter.afresh else self.cache.fetch(chapter.name, key, self.run)
        if seconds is not None:
            took = f"unchanged; took {fmt.seconds(seconds)} when it ran"
            return Outcome(chapter.name, "cached", reason=took)
        if not chapter.run:
            return Outcome(chapter.name, "skipped", reason="left out by --only, and not in the cache")
        return None

    def _usable(self, name: str) -> bool:
        """Whether notebooks that read this one can run; they also can if it lacked a table of the firm."""
        outcome = self.outcomes[name]
        return outcome.succeeded and not outcome.reason.startswith("reads ")

    def _start_what_can(self) -> None:
        while self.waiting and self.idle:
            # The longest first: begun last, it would run alone in the end, with the other workers idle.
            name, worker = max(self.waiting, key=self._length), self.idle.pop()
            self.waiting.remove(name)
            chapter = self.plan.chapter(name)
            task = Task(
                name=name,
                notebook=str(_copy_of(chapter)),
                output=str(self.run / "notebooks" / f"{name}.ipynb"),
                parameters=chapter.overrides,
                run_folder=str(self.run),
                root=str(self.plan.root),
                cell_timeout_seconds=self.cell_timeout_seconds,
                environment=self.environment,
                at_a_time=self.at_a_time,
            )
            self.watch(name, None)
            self.running[worker.submit(task)] = worker

    def _length(self, name: str) -> float:
        """Seconds that a notebook is expected to take: as many as last time, or by its number of code cells."""
        cells = sum(cell["cell_type"] == "code" for cell in self.plan.chapter(name).notebook.cells)
        return self.cache.last_seconds(name) or cells * SECONDS_PER_CELL

    def _collect(self, worker: Worker) -> None:
        outcome = worker.outcome()
        self.plan.require_unchanged()
        name = outcome.name
        self.idle.append(worker)
        for path in [self.run / "notebooks" / f"{name}.ipynb", *results_of(name, self.run)[:1]]:
            _redact_file(path)
        if outcome.status == "ok":
            self.cache.keep(name, self.keys[name], self.run, outcome.seconds)
        self._record(outcome)

    def _record(self, outcome: Outcome) -> None:
        self.outcomes[outcome.name] = outcome
        self.order.done(outcome.name)
        self.watch(outcome.name, outcome)


def _copy_of(chapter: Chapter) -> Path:
    """A file with the notebook as the plan read it; its own file may have changed since."""
    path = scratch() / f"{chapter.name}.ipynb"
    path.write_text(chapter.notebook.text, encoding="utf-8")
    return path


def _environment(plan: Plan) -> dict[str, str]:
    """What the kernels of a run have in common: the state of its inputs, its cache, its folder for passing files."""
    (scratch() / "jupyter").mkdir(exist_ok=True)
    folders = {"TMPDIR": str(scratch()), "JUPYTER_RUNTIME_DIR": str(scratch() / "jupyter")}
    cache = str(cache_folder(plan.study.root))
    return {RUN_STATE: json.dumps(plan.state), "CRMLIB_CACHE_DIR": cache, **folders}


def _redact_file(path: Path) -> None:
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        try:
            before = json.loads(text)
        except ValueError:  # cut off where its worker was killed
            path.write_text(redact(text), encoding="utf-8")
            return
        after = redact(before)
        if after != before:
            path.write_text(json.dumps(after, indent=1, ensure_ascii=False), encoding="utf-8")
