"""Time and memory of fitting BG/NBD and Pareto/NBD, beside lifetimes.

    python -m tests.benchmarks.bench_models [--customers 300000] [--more 2000000] [--many 10000000]
        [--distinct 100000] [--peer PYTHON]

`--peer` is the Python of an environment that has lifetimes 0.11.3, pandas and pyarrow; without it one is made
in a temporary folder. Prints a table in Markdown and ends with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from tests.benchmarks.bench_lifetime_value import write_customers
from tests.benchmarks.peers import make_peer, measure
from tests.models.worlds import LAWS, pareto_histories

CDNOW = Path(__file__).parents[2] / "data" / "cdnow-sample" / "transactions.csv.gz"
LEAST_TIMES_FASTER = {"BG/NBD": 10, "BG/NBD, more": 20, "Pareto/NBD": 5}
MOST_AT_A_BOUNDARY = 2  # times what a fit takes whose parameters all have an end
MOST_MEGABYTES = 600
MOST_OF_START = 0.6
STARTS = 7
PATIENCE = 20

OURS = """
import pandas as pd
from crmlib import (BetaGeoModel, ParetoNBDModel)
data = pd.read_parquet(sys.argv[1])
report("BG/NBD", lambda: BetaGeoModel().fit(data))
if "Pareto/NBD" in sys.argv:
    report("Pareto/NBD", lambda: ParetoNBDModel().fit(data))
"""
# Pareto/NBD of lifetimes takes many minutes: it is stopped once the promise is shown with room to spare.
LIFETIMES = """
import signal
import pandas as pd
from lifetimes import BetaGeoFitter, ParetoNBDFitter
data = pd.read_parquet(sys.argv[1])
x, t_x, T = (data[one] for one in ("frequency", "recency", "T"))
def no_longer_than(seconds, run):
    def stop(*_): raise TimeoutError
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        run()
    except TimeoutError:
        pass
    signal.alarm(0)
report("BG/NBD", lambda: BetaGeoFitter().fit(x, t_x, T), 1)
if "Pareto/NBD" in sys.argv:
    report("Pareto/NBD", lambda: no_longer_than(int(sys.argv[-1]), lambda: ParetoNBDFitter().fit(x, t_x, T)), 1)
"""
# Peaks from the kernel's own mark of this process: what getrusage says begins with the parent's.
MEMORY = """
import numpy as np, pandas as pd
from crmlib import BetaGeoModel
def megabytes(mark):
    (line,) = [one for one in open("/proc/self/status") if one.startswith(mark)]
    return int(line.split()[1]) / 1e3
data = pd.DataFrame({one: np.load(f"{sys.argv[1]}/{one}.npy") for one in sys.argv[2:]}, copy=False)
before = megabytes("VmRSS")
report("BG/NBD", lambda: BetaGeoModel().fit(data), 1)
found["megabytes"] = megabytes("VmHWM") - before
"""
START = {
    "crmlib": "import pandas as pd; from crmlib import BetaGeoModel; "
    "BetaGeoModel().fit(pd.read_csv({file!r}))",
    "lifetimes": "import pandas as pd; from lifetimes import BetaGeoFitter; d = pd.read_csv({file!r}); "
    "BetaGeoFitter().fit(d['frequency'], d['recency'], d['T'])",
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=300_000)
    arguments.add_argument("--more", type=int, default=2_000_000)
    arguments.add_argument("--many", type=int, default=10_000_000)
    arguments.add_argument("--distinct", type=int, default=100_000)
    arguments.add_argument("--peer", help="a Python that has lifetimes 0.11.3, pandas and pyarrow")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peer = given.peer or make_peer(folder / "peer")
        good = compare_fits(folder, given.customers, given.more, peer)
        good &= compare_histories(folder, given.distinct, peer)
        good &= compare_starts(folder, peer)
        good &= bound_memory(folder, given.many)
    sys.exit(not good)


def compare_fits(folder: Path, customers: int, more: int, peer: str) -> bool:
    """Print how many times as fast as lifetimes, and say whether every bound is met."""
    print("| fit | customers | crmlib, s | lifetimes 0.11.3, s | times as fast | at least |")
    print("|---|---|---|---|---|---|")
    good = True
    for size, models in ((customers, ("BG/NBD", "Pareto/NBD")), (more, ("BG/NBD",))):
        file = write_customers(folder / f"{size}.parquet", size)
        ours = measure(sys.executable, OURS, file, *models)
        patience = round(PATIENCE * ours.get("Pareto/NBD", 0)) + 1
        theirs = measure(peer, LIFETIMES, file, *models, patience)
        for model in models:
            least = LEAST_TIMES_FASTER[model + ", more" * (size != customers)]
            faster = theirs[model] / ours[model]
            good &= faster >= least
            print(
                f"| {model} | {size:,} | {ours[model]:.3f} | {theirs[model]:.2f} | {faster:.1f} | {least} |"
            )
    return good


def compare_histories(folder: Path, customers: int, peer: str) -> bool:
    """Print Pareto/NBD on histories of every kind, and say whether every bound is met."""
    print(
        "\n| Pareto/NBD, customers who | times | distinct | crmlib, s | lifetimes, s | times as fast | at most |"
    )
    print("|---|---|---|---|---|---|---|")
    good = True
    for days, times in ((1.0, "daily"), (1 / 24, "hourly")):
        plain = None
        for law in LAWS:
            data = pareto_histories(law, customers, seed=1, days=days)
            file = folder / "histories.parquet"
            data.to_parquet(file)
            ours = measure(sys.executable, OURS, file, "Pareto/NBD")["Pareto/NBD"]
            patience = round(PATIENCE * ours) + 1
            theirs = measure(peer, LIFETIMES, file, "Pareto/NBD", patience)["Pareto/NBD"]
            plain = plain or ours
            good &= theirs / ours >= LEAST_TIMES_FASTER["Pareto/NBD"] if law == "both differ" else True
            good &= ours <= MOST_AT_A_BOUNDARY * plain
            distinct = len(data.drop_duplicates()) / customers
            least = f"{'over ' if theirs >= patience else ''}{theirs / ours:.1f}"
            print(
                f"| {law} | {times} | {distinct:.0%} | {ours:.2f} | {theirs:.1f} | {least} | "
                f"{ours / plain:.2f} of {MOST_AT_A_BOUNDARY} × the first |"
            )
    return good


def compare_starts(folder: Path, peer: str) -> bool:
    """Print how long a process takes from its start to the first fit, in turns with lifetimes."""
    file = str(folder / "cdnow.csv")
    cdnow_table().to_csv(file, index=False)
    best = {"crmlib": float("inf"), "lifetimes": float("inf")}
    for _ in range(STARTS):
        for name, python in (("crmlib", sys.executable), ("lifetimes", peer)):
            begin = time.perf_counter()
            subprocess.run(
                [python, "-W", "ignore", "-c", START[name].format(file=file)], check=True, capture_output=True
            )
            best[name] = min(best[name], time.perf_counter() - begin)
    share = best["crmlib"] / best["lifetimes"]
    print(
        f"\nFrom process start to the first BG/NBD fit of CDNOW: crmlib {best['crmlib']:.2f} s, lifetimes "
        f"{best['lifetimes']:.2f} s: {share:.2f} of it (at most {MOST_OF_START})."
    )
    return share <= MOST_OF_START


def cdnow_table() -> pd.DataFrame:
    """CDNOW's sample up to 1997-09-30, in weeks."""
    log = pd.read_csv(CDNOW, parse_dates=["date"]).query("date <= '1997-09-30'")
    dates = log.drop_duplicates(["customer_id", "date"]).groupby("customer_id")["date"]
    weeks = (pd.Timestamp("1997-09-30") - dates.min()).dt.days / 7
    recency = (dates.max() - dates.min()).dt.days / 7
    return pd.DataFrame({"frequency": dates.size() - 1, "recency": recency, "T": weeks})


def bound_memory(folder: Path, customers: int) -> bool:
    """Print what a fit takes above the table it fits, daily data of two years."""
    import numpy as np

    table = pd.read_parquet(write_customers(folder / "many.parquet", customers))
    columns = ["customer_id", "frequency", "recency", "T"]
    for one in columns:
        np.save(folder / f"{one}.npy", table[one].to_numpy())
    del table
    found = measure(sys.executable, MEMORY, folder, *columns)
    print(
        f"\nBG/NBD, {customers:,} customers: {found['BG/NBD']:.1f} s, {found['megabytes']:.0f} MB above the "
        f"table (at most {MOST_MEGABYTES})."
    )
    return found["megabytes"] <= MOST_MEGABYTES


if __name__ == "__main__":
    main()
