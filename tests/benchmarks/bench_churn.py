"""Time of the churn model beside the same nested search written by hand, and memory of scoring with reasons.

    python -m tests.benchmarks.bench_churn [--customers 1000000] [--trees 100000]

`--trees` customers are scored with Shapley values of trees. Prints tables in Markdown and ends with 1 if a bound is
missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.peers import measure

MOST_TIMES_BY_HAND = 1.3
MOST_GIGABYTES = 1.0
PIECE = 50_000
MOST_GROWTH = 1.25  # of the peak, when the table is four times as long

OURS = """
import crmlib as crm
table = crm.open_study("telco").table("customer_features").to_pandas()
report("search", lambda: crm.evaluate_churn(crm.churn_data(table), resamples=200), 3)
"""
BY_HAND = """
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

table = pd.read_csv("data/telco/customers.csv.gz", dtype={"customer_id": str}).drop(columns="customer_id")
y = table.pop("churn").eq("Yes").to_numpy()
words = table.select_dtypes(object).columns.tolist()
numbers = [name for name in table if name not in words]

def linear():
    scaled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    encode = make_column_transformer((scaled, numbers), (OneHotEncoder(handle_unknown="ignore"), words))
    return make_pipeline(encode, LogisticRegression(max_iter=1000))

def trees(**options):
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    encode = make_column_transformer((ordinal, words), remainder="passthrough")
    return make_pipeline(encode, HistGradientBoostingClassifier(random_state=0, **options))

CANDIDATES = [linear, lambda: trees(max_leaf_nodes=8), trees]

def folds():
    return StratifiedKFold(5, shuffle=True, random_state=0)

def search():
    found = np.zeros(len(y))
    for train, test in folds().split(table, y):
        X, z, tried = table.iloc[train], y[train], []
        for make in CANDIDATES:
            score = cross_val_predict(make(), X, z, cv=folds(), method="decision_function")[:, None]
            line = LogisticRegression(C=np.inf).fit(score, z)
            tried.append((log_loss(z, line.predict_proba(score)[:, 1]), make, line))
        _, make, line = min(tried, key=lambda one: one[0])
        best = make().fit(X, z)
        found[test] = line.predict_proba(best.decision_function(table.iloc[test])[:, None])[:, 1]
    return [metric(y, found) for metric in (roc_auc_score, average_precision_score, brier_score_loss, log_loss)]

report("search", search, 3)
"""
SCORING = """
import pandas as pd
import crmlib as crm
kind, train, source, target = sys.argv[1:]
model = crm.ChurnModel(kind).fit(pd.read_parquet(train), keep_leaks=True)
report("scoring", lambda: model.score_parquet(source, target, reasons=3), 1)
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=1_000_000)
    arguments.add_argument("--trees", type=int, default=100_000)
    given = arguments.parse_args()
    good = compare_search()
    with tempfile.TemporaryDirectory() as name:
        good &= compare_memory(Path(name), given.customers, given.trees)
    sys.exit(not good)


def compare_search() -> bool:
    """Print how long choosing, calibrating and judging takes beside the same by hand, and whether it is met."""
    ours, theirs = measure(sys.executable, OURS)["search"], measure(sys.executable, BY_HAND)["search"]
    times = ours / theirs
    print("Choose, calibrate and judge in five folds, 7,043 customers × 19 features\n")
    print("| | seconds | × by hand |\n|---|---|---|")
    print(f"| scikit-learn by hand, four metrics | {theirs:.1f} | 1.0 |")
    print(f"| evaluate_churn, with all its tables and 200 resamples | {ours:.1f} | {times:.2f} |")
    print(f"\nAt most {MOST_TIMES_BY_HAND} × by hand.")
    return times <= MOST_TIMES_BY_HAND


def write_customers(file: Path, customers: int) -> Path:
    """Customers with 12 numbers and 8 categories, of whom more leave the smaller the first number is.

    Written in pieces: the peak of a process started later counts from the size of the one that starts it.
    """
    rng = np.random.default_rng(0)
    writer = None
    for start in range(0, customers, PIECE):
        piece = pa.Table.from_pandas(_customers(rng, min(PIECE, customers - start), start))
        writer = writer or pq.ParquetWriter(file, piece.schema)
        writer.write_table(piece)
    assert writer is not None, "there is one customer at least"
    writer.close()
    return file


def _customers(rng: np.random.Generator, size: int, start: int) -> pd.DataFrame:
    columns: dict[str, object] = {"customer_id": np.arange(start, start + size).astype(str)}
    numbers = rng.normal(size=(size, 12)).round(4)
    columns |= {f"number_{i}": numbers[:, i] for i in range(12)}
    words = np.array(["never", "monthly", "yearly", "weekly", "other"])
    columns |= {f"category_{i}": words[rng.integers(0, 5, size)] for i in range(8)}
    left = rng.random(size) < 1 / (1 + np.exp(1.5 + numbers[:, 0] - 0.5 * numbers[:, 1] ** 2))
    return pd.DataFrame({**columns, "churned": np.where(left, "Yes", "No")})


def compare_memory(folder: Path, customers: int, with_trees: int) -> bool:
    """Print time and peak of scoring with reasons, and whether the peak stays where it is as tables grow."""
    train = write_customers(folder / "train.parquet", 20_000)
    print("\nScoring from Parquet to Parquet with three reasons each, 20 features\n")
    print("| | customers | seconds | peak GB |\n|---|--:|--:|--:|")
    peaks = {}
    for kind, rows in (
        ("logistic", customers // 4), ("logistic", customers), ("gradient_boosting", with_trees),
    ):  # fmt: skip
        source = write_customers(folder / "customers.parquet", rows)
        found = measure(sys.executable, SCORING, kind, train, source, folder / "scored.parquet")
        peaks[kind, rows] = found["gigabytes"]
        print(f"| {kind} | {rows:,} | {found['scoring']:.1f} | {found['gigabytes']:.2f} |")
    growth = peaks["logistic", customers] / peaks["logistic", customers // 4]
    print(
        f"\nAt most {MOST_GIGABYTES} GB, and a table four times as long takes at most {MOST_GROWTH} × as much."
    )
    return max(peaks.values()) <= MOST_GIGABYTES and growth <= MOST_GROWTH


if __name__ == "__main__":
    main()
