"""The cleaned log: nothing is lost, the papers' rows are kept, and a day is a whole day."""

import datetime as dt
import json
import os
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.data.cleaning.clean import clean_table
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.policies import Reading
from crmlib.data.sources import open_table
from crmlib.errors import DataError, StudyError

COLUMNS = {"customer_id": "id", "date": "day", "amount": "paid"}


def shop(rows, columns=("id", "day", "paid"), **facts):
    mapping = {ours: theirs for ours, theirs in COLUMNS.items() if theirs in columns}
    return crm.open_study(pd.DataFrame(rows, columns=list(columns), dtype="object"), columns=mapping, **facts)


def outcomes(study):
    return study.quality.rows.set_index("outcome")["rows"].to_dict()


def test_the_full_cdnow_log_is_used_whole():
    rows = crm.open_study("cdnow").quality.rows
    assert rows["rows"].tolist() == [69_659, 69_659, 0]
    assert rows["amount"].tolist() == [2_500_315.63, 2_500_315.63, 0.0]


def test_rows_that_the_papers_count_are_kept_and_counted():
    policies = crm.open_study("cdnow").quality.policies.set_index("policy")
    assert policies.loc["equal_rows", ["setting", "rows", "amount"]].tolist() == ["keep", 255, 4332.88]
    assert policies.loc["zero_amounts", ["setting", "rows"]].tolist() == ["purchase", 80]


def test_the_sample_is_a_subset_of_the_full_log():
    whole, sample = (crm.open_study(name).transactions.to_pandas() for name in ("cdnow", "cdnow-sample"))
    key = ["customer_id", "date", "quantity", "amount"]
    part = whole[whole["customer_id"].isin(sample["customer_id"])]
    assert sorted(map(tuple, part[key].to_numpy())) == sorted(map(tuple, sample[key].to_numpy()))


def test_as_of_is_a_whole_day():
    rows = [["a", "2024-01-01 00:00:00", 1], ["a", "2024-01-01 23:59:59.5", 2], ["a", "2024-01-02", 4]]
    study = shop(rows, as_of="2024-01-01")
    assert outcomes(study) == {"in the source": 3, "used": 2, "after 2024-01-01": 1}
    assert study.quality.rows["amount"].tolist() == [7.0, 3.0, 4.0]


def test_every_unusable_row_keeps_its_reason_and_its_text():
    rows = [
        ["a", "2024-01-01", "10"],
        ["", "2024-01-02", "1.10"],
        ["NaN", "2024-01-02", "2.20"],
        ["b", "yesterday", "3.30"],
        ["b", None, "4.40"],
        ["b", "2024-01-02", "ten"],
        ["b", "2024-01-02", None],
        ["b", "2024-01-02", "inf"],
    ]
    study = shop(rows)
    assert study.quality.quarantine[["reason", "source_row"]].to_numpy().tolist() == [
        ["no customer id", 2],
        ["customer id is a word for missing (policies.missing_ids)", 3],
        ["unreadable date", 4],
        ["no date", 5],
        ["unreadable amount", 6],
        ["no amount", 7],
        ["infinite or impossibly large amount", 8],
    ]
    assert study.quality.quarantine["date"][2] == "yesterday"
    table = study.quality.rows.set_index("outcome")
    assert table.loc["in the source"].tolist() == [8, 21.0]
    assert table["rows"].iloc[1:].sum() == 8


def test_money_adds_up_where_floating_point_would_not():
    rows = [["a", "2024-01-01", "0.1"]] * 1000 + [["", "2024-01-01", "0.2"]] * 1000
    table = shop(rows).quality.rows.set_index("outcome")["amount"]
    assert Decimal(str(table["used"])) == Decimal("100.0")
    assert Decimal(str(table["no customer id"])) == Decimal("200.0")


def test_a_log_without_one_usable_row_is_refused_with_the_cure():
    with pytest.raises(
        DataError, match=r"unreadable date.*'day' holds, for example, '31/12/2024'.*date_format"
    ):
        shop([["a", "31/12/2024", 1]]).as_of  # noqa: B018


def test_latest_ignores_one_date_in_2099():
    days = pd.date_range("2024-01-01", periods=400).strftime("%Y-%m-%d").tolist()
    study = shop([["a", day, 1] for day in [*days, "2099-12-31"]], as_of="latest")
    assert study.as_of == dt.date(2025, 2, 3)
    assert outcomes(study)["after 2025-02-03"] == 1


def test_latest_is_the_last_day_of_a_log_with_a_long_pause():
    days = ["2020-01-01"] * 50 + ["2024-06-01"] * 50
    assert shop([["a", day, 1] for day in days]).as_of == dt.date(2024, 6, 1)


def test_as_of_before_the_first_purchase_is_refused():
    with pytest.raises(StudyError, match="2023-12-31 is before the log, which goes from 2024-01-05"):
        shop([["a", "2024-01-05", 1]], as_of="2023-12-31").as_of  # noqa: B018


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of its own with one study."""
    folder = tmp_path / "data" / "shop"
    folder.mkdir(parents=True)
    (folder / "orders.csv").write_text(
        "customer_id,date,amount\n007,2024-01-05,10.00\n007,2024-02-05,12.50\n"
    )
    (folder / "study.yaml").write_text("title: A shop\ntables: {transactions: {source: orders.csv}}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cleaned_logs(project):
    return sorted((project / ".cache" / "crmlib" / "cleaned").iterdir())


def test_the_log_is_cleaned_once(project):
    assert crm.open_study("shop").transactions.count().to_pyarrow().as_py() == 2
    (first,) = cleaned_logs(project)
    stamp = (first / "used.parquet").stat().st_mtime_ns
    crm.open_study("shop", as_of="2024-01-31").transactions.count().to_pyarrow()
    assert [first] == cleaned_logs(project)
    assert (first / "used.parquet").stat().st_mtime_ns == stamp


def test_a_changed_source_or_policy_is_cleaned_anew(project):
    folder = project / "data" / "shop"
    key = crm.open_study("shop").data_key
    with (folder / "orders.csv").open("a") as more:
        more.write("008,2024-02-06,1\n")
    grown = crm.open_study("shop")
    assert grown.data_key != key
    assert grown.transactions.count().to_pyarrow().as_py() == 3
    with (folder / "study.yaml").open("a") as more:
        more.write("policies: {zero_amounts: no_purchase}\n")
    assert crm.open_study("shop").data_key not in (key, grown.data_key)


@pytest.mark.thorough
def test_two_processes_may_clean_at_once(project):
    code = "import crmlib as crm; print(crm.open_study('shop').transactions.count().to_pyarrow())"
    path = os.pathsep.join(sys.path)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=project,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [run.communicate()[0].strip() for run in runs] == ["2", "2", "2"]
    assert len(cleaned_logs(project)) == 1


def test_sources_are_named_with_rows_and_digest(project):
    import hashlib

    source = crm.open_study("shop").quality.sources.iloc[0]
    content = (project / "data" / "shop" / "orders.csv").read_bytes()
    assert source.tolist() == ["orders.csv", 2, hashlib.sha256(content).hexdigest()]


def test_a_notebook_publishes_figures_and_tables_that_others_read(project):
    study = crm.open_study("shop")
    results = study.results("02_customer_base_audit")
    results.figure("customers", crm.Estimate(1, "count"))
    results.headline("One customer.")
    results.table("best", pd.DataFrame({"customer_id": ["007"], "net": [22.5]}))
    assert study.figures()["customers"]["value"] == 1
    folder = project / "reports" / "shop" / "by-hand"
    assert (
        json.loads((folder / "metrics" / "02_customer_base_audit.json").read_text())["headline"]
        == "One customer."
    )
    assert study.published("best")["customer_id"].tolist() == ["007"]
    assert study.published("worst").reason == "no chapter published worst"
    assert [*study.figures()] == ["customers"]


def test_there_are_no_figures_before_a_notebook_has_run(project):
    assert crm.open_study("shop").figures() == {}


def test_a_row_set_aside_names_its_place_in_a_large_source_too(tmp_path):
    rows = 300_000
    log = pd.DataFrame(
        {"customer_id": np.arange(rows).astype(str), "date": "2024-01-05", "amount": "1", "status": "paid"}
    )
    wrong = [7, 150_001, 299_999]
    log.loc[wrong, "date"] = "soon"
    log.to_parquet(tmp_path / "log.parquet", row_group_size=5_000)  # several threads read it at once
    clean_table(open_table(tmp_path / "log.parquet"), TRANSACTIONS, Reading(), tmp_path)
    aside = pd.read_parquet(tmp_path / "quarantine.parquet")
    assert (aside["source_row"] - 1).tolist() == wrong
    assert aside["customer_id"].tolist() == [str(place) for place in wrong]
    used = pd.read_parquet(tmp_path / "used.parquet")
    assert used["customer_id"].astype(int).is_monotonic_increasing
