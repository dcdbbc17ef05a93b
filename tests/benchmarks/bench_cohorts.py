"""Processor time of the cohort table and of RFM with segments, beside openretailscience on the same log.

    python -m tests.benchmarks.bench_cohorts [--peer PYTHON]

Two million lines of 400,000 orders, from one Parquet file through Ibis on DuckDB in both. Medians of seven pairs, each
in a process of its own, whose first call does not count. Ends with 1 if one costs more than the bound.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.peers import make_peer

PEER = ["openretailscience==0.48.1"]
PAIRS, AT_MOST = 7, 1.1
LOG = """
COPY (
  SELECT 'C' || lpad((((hash(o) % 1000000) / 1e6) ** 2 * 60000)::BIGINT::VARCHAR, 7, '0') AS customer_id,
         'O' || o AS transaction_id, round(5 + (hash(i + 777) % 1000) / 10.0, 2)::DOUBLE AS unit_spend,
         TIMESTAMP '2023-01-01' + to_seconds((((hash(o + 1000000007) % 1000000) / 1e6) * 731 * 86400)::BIGINT)
           AS transaction_date
  FROM (SELECT i, i // 5 AS o FROM range(2000000) t(i))
) TO '{file}' (FORMAT parquet)
"""
BEGIN = """
import sys, time, ibis
log = ibis.duckdb.connect().read_parquet(sys.argv[1])
def spent(run):
    run()
    start = time.process_time(); run(); print(time.process_time() - start)
"""
THEIRS = {
    "cohort table": """
from openretailscience.analysis.cohort import CohortAnalysis
spent(lambda: CohortAnalysis(log, aggregation_column="customer_id", agg_func="nunique", period="month").df)
""",
    "RFM with segments": """
from openretailscience.segmentation.rfm import RFMSegmentation
spent(lambda: RFMSegmentation(log, current_date="2024-12-31").df)
""",
}
CLEANED = """
import crmlib as crm
log = log.rename(date="transaction_date", amount="unit_spend", order_id="transaction_id")
never = ibis.null("timestamp")
log = log.mutate(is_purchase=log.amount >= 0, reversed_on=never, returned_purchase_date=never)
"""
OURS = {
    "cohort table": CLEANED + 'spent(lambda: crm.cohort_comparison(log, as_of="2024-12-31"))',
    "RFM with segments": CLEANED + 'spent(lambda: crm.rfm_segments(log, as_of="2024-12-31"))',
}


def main() -> None:
    import duckdb

    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--peer", help=f"a Python that has {PEER[0]}")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "log.parquet"
        duckdb.sql(LOG.format(file=file))
        peer = given.peer or make_peer(Path(name) / "peer", PEER)
        print("2,000,000 lines of 400,000 orders, seconds of processor time\n")
        print("| | crmlib | openretailscience 0.48.1 | times | at most |\n|---|---|---|---|---|")
        times = {what: compare(what, file, peer) for what in OURS}
    sys.exit(max(times.values()) > AT_MOST)


def compare(what: str, file: Path, peer: str) -> float:
    """Print a row, and give the median of the pairs' ratios."""
    pairs = [(spent(sys.executable, OURS[what], file), spent(peer, THEIRS[what], file)) for _ in range(PAIRS)]
    ours, theirs = (statistics.median(one) for one in zip(*pairs, strict=True))
    times = statistics.median(one / other for one, other in pairs)
    print(f"| {what} | {ours:.2f} | {theirs:.2f} | {times:.2f} | {AT_MOST} |", flush=True)
    return times


def spent(python: str, script: str, file: Path) -> float:
    done = subprocess.run(
        [python, "-c", BEGIN + script, str(file)], check=True, capture_output=True, text=True
    )
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
