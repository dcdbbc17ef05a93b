"""What differs between two runs is said beyond chance only, and no customer is lost."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from crmlib.cli import main
from crmlib.errors import RunError
from crmlib.findings import Estimate
from crmlib.report.compare import compare_runs, find_run
from crmlib.study.results import NotebookResults


def a_run(folder, repeat, value, tiers, study="shop", currency="EUR"):
    """A run with a share and an amount, with their intervals, and the tiers of some customers."""
    audit = NotebookResults("02_customer_base_audit", folder, currency)
    month = dict(change=None, value="revenue")
    audit.figure("month_value", Estimate(value, "money", value - 10, value + 10, window="May 2024"), **month)
    start = NotebookResults("00_start_here", folder, currency)
    start.figure("bought_again", Estimate(repeat, "share", repeat - 0.02, repeat + 0.02))
    start.figure("revenue_so_far", Estimate(1000.0, "money"))
    made = NotebookResults("04_value_tiers", folder, currency)
    rows = pd.DataFrame(tiers, columns=["customer_id", "tier", "revenue", "cost_to_serve"])
    made.table("value_tiers", rows)
    metrics = {path.stem: json.loads(path.read_text()) for path in (folder / "metrics").glob("*.json")}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    notebooks = [{"name": "02_customer_base_audit", "status": "ok"}]
    facts = {"run": folder.name, "study": study, "seconds": 1.0, "notebooks": notebooks}
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


OLD = [
    ("a", "Gold", 100.0, 5.0),
    ("b", "Iron", 50.0, 5.0),
    ("c", "Iron", 40.0, 5.0),
    ("d", "Gold", 90.0, 5.0),
]
NEW = [
    ("a", "Gold", 100.0, 5.0),
    ("b", "Gold", 150.0, 5.0),
    ("d", "Iron", 90.0, 60.0),
    ("e", "Lead", 1.0, 9.0),
]


@pytest.fixture
def runs(tmp_path):
    return a_run(tmp_path / "r1", 0.30, 500.0, OLD), a_run(tmp_path / "r2", 0.40, 502.0, NEW)


def test_a_figure_that_moved_beyond_chance_is_named_and_one_that_did_not_is_not(runs):
    """.30 ± .02 and .40 ± .02 differ by 7 standard errors, 500 ± 10 and 502 ± 10 by .3."""
    found = compare_runs(*runs)
    assert found.moved["figure"].tolist() == ["customers who came back at least once"]
    row = found.moved.iloc[0]
    assert (row["before"], row["after"], row["change"]) == ("30 %", "40 %", "+10 points")
    assert row["p_value"] < 1e-6
    assert found.sentences[0].startswith("2 figures compared, 1 moved beyond chance")
    assert "1 figure without an interval: not compared." in found.sentences


def test_customers_in_another_tier_have_the_reason_and_nobody_is_lost(runs):
    found = compare_runs(*runs)
    moved = found.groups["tier"].set_index("customer_id")
    assert moved["why"].to_dict() == {"b": "revenue 50 → 150", "d": "cost to serve 5 → 60"}
    counts = found.counts["tier"].set_index(["before", "after"])["customers"].to_dict()
    assert counts == {
        ("Iron", "Gold"): 1, ("Gold", "Iron"): 1, ("Iron", "is gone"): 1, ("was not there", "Lead"): 1,
    }  # fmt: skip


def test_a_run_that_lacks_a_column_or_a_file_is_compared_as_far_as_it_goes(runs):
    """Costs to serve may be known in the later run alone; a file may be damaged, or gone."""
    table, metrics = (runs[0] / "tables" / "value_tiers.parquet", runs[1] / "metrics.json")
    rows = pd.read_parquet(table)
    for kept, why in (
        (["revenue"], "the cuts moved"),
        ([], "not known: the runs have no column of it in common"),
    ):
        rows[["customer_id", "tier", *kept]].to_parquet(table)
        moved = compare_runs(*runs).groups["tier"].set_index("customer_id")["why"]
        assert moved["d"] == why
    table.write_text("no table")
    with pytest.raises(RunError, match="value_tiers.parquet is damaged or gone"):
        compare_runs(*runs)
    for damage in (lambda: metrics.write_text("{"), metrics.unlink):
        damage()
        with pytest.raises(RunError, match="metrics.json is damaged or gone"):
            compare_runs(*runs)


def test_two_runs_without_a_true_change_are_rarely_reported_to_differ(tmp_path):
    random, found = np.random.default_rng(4), 0
    for number in range(80):
        ends = [
            a_run(
                tmp_path / f"{number}{name}", 0.3 + random.normal(0, 0.0102), 500 + random.normal(0, 5.1), OLD
            )
            for name in "ab"
        ]
        found += len(compare_runs(*ends).moved) > 0
    assert found / 80 <= 0.1


def test_other_currencies_keys_and_studies(tmp_path, runs):
    euros = compare_runs(runs[0], a_run(tmp_path / "r3", 0.3, 400.0, OLD, currency="USD"))
    assert any("Not the same quantity, base or currency" in line for line in euros.sentences)
    hashed = [(f"h{name}", *rest) for name, *rest in OLD]
    other = compare_runs(runs[0], a_run(tmp_path / "r4", 0.3, 500.0, hashed))
    assert "No customer's tier is in both runs; was another privacy key used?" in other.sentences
    with pytest.raises(RunError, match="of two studies, shop and bakery"):
        compare_runs(runs[0], a_run(tmp_path / "r5", 0.3, 500.0, OLD, study="bakery"))


def test_a_run_is_found_by_its_id_and_another_is_refused_with_the_nearest(tmp_path, monkeypatch):
    run = a_run(tmp_path / "reports" / "shop" / "runs" / "20240501T000000Z-aaaaaa", 0.3, 500.0, OLD)
    assert find_run(run.name, tmp_path) == run.resolve()
    with pytest.raises(RunError, match="20240501T000000Z-aaaaaa"):
        find_run("20240501T000000Z-aaaaab", tmp_path)
    (run / "run.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        find_run(run.name, tmp_path)


def test_the_command_prints_both(runs):
    output = CliRunner().invoke(main, ["compare", *map(str, runs)])
    assert output.exit_code == 0, output.output
    assert "customers who came back at least once  30 %  40 %  +10 points" in output.output
    assert "Customers in another tier: 2" in output.output
