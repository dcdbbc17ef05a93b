"""Run every bench, print its table and keep all of them in README.md.

python -m tests.benchmarks [NAME ...]        such as: report rfm
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HEAD = """# Benchmarks

Ratios against a named peer or floor, measured in the same run; medians of whole processes where a line says
seconds. Written by `make bench`; absolute times depend on the machine, the ratios are what is promised. A bench
ends with an error where its promise does not hold.

Measured on {day}, {machine}, Python {python}.
"""


def main() -> None:
    wanted = sys.argv[1:]
    benches = [path for path in sorted(HERE.glob("bench_*.py")) if not wanted or path.stem[6:] in wanted]
    kept, broken = [], []
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
        kept.append(f"## {title}\n\n{run.stdout.strip()}{failed}\n")
        broken += [path.stem] * bool(run.returncode)
    if not wanted:
        machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
        head = HEAD.format(day=dt.date.today(), machine=machine, python=platform.python_version())
        (HERE / "README.md").write_text("\n".join([head, *kept]), encoding="utf-8")
    sys.exit(f"promises that do not hold: {', '.join(broken)}" if broken else 0)


if __name__ == "__main__":
    main()
