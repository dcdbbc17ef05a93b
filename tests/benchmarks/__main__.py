"""Run every bench, print its table and keep all of them in README.md.

python -m tests.benchmarks [NAME ...]        such as: report rfm

Of named benches the tables in README.md are replaced, the others stay.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT, KEPT = HERE.parents[1], HERE / "README.md"
HEAD = """# Benchmarks

Ratios against a named peer or floor, measured in the same run; medians of whole processes where a line says
seconds. Written by `make bench`; absolute times depend on the machine, the ratios are what is promised. A bench
ends with an error where its promise does not hold.

Measured on {day}, {machine}, Python {python}.
"""


def main() -> None:
    wanted = sys.argv[1:]
    benches = [path for path in sorted(HERE.glob("bench_*.py")) if not wanted or path.stem[6:] in wanted]
    kept, broken, day = {}, [], f"{dt.date.today()}"
    for path in benches:
        print(f"== {path.stem}", flush=True)
        run = subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.{path.stem}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        print(run.stdout, flush=True)
        title = path.read_text(encoding="utf-8").split('"""')[1].strip().splitlines()[0]
        failed = "\n\n**The promise does not hold in this run.**" if run.returncode else ""
        alone = f"*Measured by itself on {day}.*\n\n" if wanted else ""
        kept[title] = f"## {title}\n\n{alone}{run.stdout.strip()}{failed}\n"
        broken += [path.stem] * bool(run.returncode)
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    head = HEAD.format(day=day, machine=machine, python=platform.python_version())
    if wanted:
        head, *before = re.split(r"^(?=## )", KEPT.read_text(encoding="utf-8"), flags=re.M)
        head = head.rstrip("\n") + "\n"
        kept = {one[3:].partition("\n")[0]: one.rstrip("\n") + "\n" for one in before} | kept
    KEPT.write_text("\n".join([head, *kept.values()]), encoding="utf-8")
    sys.exit(f"promises that do not hold: {', '.join(broken)}" if broken else 0)


if __name__ == "__main__":
    main()
