"""All chapters over small studies at the edges of what logs and tables can hold: how each ended.

    python -m tests.benchmarks.bench_chapters [NAME ...]        such as: "one row" "two customers"

Each study runs in a warm process, one per core. A chapter ends well or is not run for a reason; it neither fails nor
warns, and its page shows no nan, inf, None or negative zero. Ends with 1 where one does not.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.notebooks.small_studies import STUDIES
from tests.notebooks.warm import Ended, run_study


def main() -> None:
    names = sys.argv[1:] or list(STUDIES)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        found = []
        for name, one in zip(names, pool.map(run, names), strict=True):
            found.append(one)
            print(f"{name}: {sum(map(is_wrong, one[0]))} wrong", file=sys.stderr, flush=True)
    print(f"{len(names)} studies, CPU seconds for all chapters of each\n")
    print("| study | ok | not run | failed or with a fault | seconds |\n|---|--:|--:|--:|--:|")
    for name, (ended, seconds) in zip(names, found, strict=True):
        ok, not_run = (sum(one.how == how for one in ended) for how in ("ok", "not run"))
        refused = next((f"refused: {one.why}" for one in ended if one.how == "refused"), "")
        print(
            f"| {name}{refused and ' (refused)'} | {ok} | {not_run} | {sum(map(is_wrong, ended))} | {seconds:.1f} |"
        )
    wrong = [
        (name, one) for name, (ended, _) in zip(names, found, strict=True) for one in ended if is_wrong(one)
    ]
    for name, one in wrong:
        print(f"\n{name}, {one.chapter}: {one.how}. {one.why}\n", *one.faults, sep="\n", file=sys.stderr)
    sys.exit(bool(wrong))


def run(name: str) -> tuple[list[Ended], float]:
    """How each chapter of a study ended, and the seconds of CPU that they took."""
    began = time.process_time()
    try:
        ended = run_study(*STUDIES[name]())
    except Exception as error:  # of one study, which must not take the others along
        ended = [Ended("the study itself", "failed", repr(error))]
    return ended, time.process_time() - began


def is_wrong(ended: Ended) -> bool:
    """Whether a chapter failed, says nothing, or shows what no reader should see."""
    return ended.how == "failed" or bool(ended.faults) or not ended.why


if __name__ == "__main__":
    main()
