"""With `privacy: hash`, no id of the firm's is in anything that is written, and nothing else changes."""

import hashlib

import pandas as pd
import pytest

import crmlib as crm
from crmlib.errors import StudyError

SECRET = "a secret that is long enough"
LOG = (
    "customer_id,date,amount\nACME-0001,2024-01-05,10\nACME-0001,2024-02-05,12\nACME-0002,2024-02-06,7\n"
    "ACME-0003,soon,7\nACME-0004,2024-02-06\n"
)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "shop"
    folder.mkdir(parents=True)
    (folder / "orders.csv").write_text(LOG)
    (folder / "customers.csv").write_text("customer_id,joined\nACME-0001,2024-01-01\n")
    (folder / "study.yaml").write_text(
        "title: A shop\nprivacy: hash\n"
        "tables: {transactions: {source: orders.csv}, customers: {source: customers.csv}}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRMLIB_HASH_SECRET", SECRET)
    return tmp_path


def test_no_file_that_is_written_holds_an_id(shop):
    study = crm.open_study("shop")
    results = study.results("02_customer_base_audit")
    results.table("summary", crm.rfm_summary(study.transactions, as_of=study.as_of))
    results.table("quarantine", study.quality.quarantine)
    written = [
        path for path in shop.rglob("*") if path.is_file() and "data" not in path.relative_to(shop).parts
    ]
    assert {path.name for path in written} >= {
        "used.parquet",
        "quarantine.parquet",
        "summary.parquet",
    }
    for path in written:
        assert b"ACME" not in path.read_bytes(), path
        if path.suffix == ".parquet":
            assert "ACME" not in pd.read_parquet(path).to_csv(), path


def test_a_hash_is_that_of_the_id_and_the_secret(shop):
    ids = set(crm.open_study("shop").transactions.customer_id.to_pandas())
    inner = hashlib.sha256(f"{SECRET}ACME-0001".encode()).hexdigest()
    assert hashlib.sha256(f"{SECRET}{inner}".encode()).hexdigest()[:20] in ids
    assert len(ids) == 2


def test_the_same_customer_has_the_same_hash_in_every_table(shop):
    study = crm.open_study("shop")
    assert set(study.table("customers").customer_id.to_pandas()) < set(
        study.transactions.customer_id.to_pandas()
    )


def test_another_secret_gives_other_hashes(shop, monkeypatch):
    first = set(crm.open_study("shop").transactions.customer_id.to_pandas())
    monkeypatch.setenv("CRMLIB_HASH_SECRET", SECRET[::-1])
    assert not first & set(crm.open_study("shop").transactions.customer_id.to_pandas())


@pytest.mark.parametrize(("value", "fault"), [(None, "is not set"), ("short", "has 5 characters")])
def test_without_a_secret_nothing_is_read(shop, monkeypatch, value, fault):
    if value is None:
        monkeypatch.delenv("CRMLIB_HASH_SECRET")
    else:
        monkeypatch.setenv("CRMLIB_HASH_SECRET", value)
    with pytest.raises(StudyError, match=f"privacy is 'hash', and CRMLIB_HASH_SECRET {fault}"):
        crm.open_study("shop").as_of  # noqa: B018
