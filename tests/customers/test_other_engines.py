"""The queries of the functions that read a log, written for engines that are not here: they compile, no more."""

from __future__ import annotations

from pathlib import Path

import ibis
import pytest

import crmlib as crm
from crmlib.data.engine import _Engine

ROOT = Path(__file__).parents[2]
ENGINES = ("snowflake", "bigquery", "databricks", "trino", "athena", "clickhouse", "postgres")


@pytest.fixture(scope="module")
def queries():
    """Every query that DuckDB was asked, by the function that asked it."""
    study = crm.open_study(ROOT / "data/cdnow-sample/study.yaml")
    log, day = study.transactions, study.as_of
    start, end = crm.last_months(12, as_of=day)
    year = dict(start=start, end=end)
    functions = {
        "rfm_summary": lambda: crm.rfm_summary(log, as_of=day),
        "period_profile": lambda: crm.period_profile(log, **year),
        "repeat_rate": lambda: crm.repeat_rate(log, as_of=day),
        "cohort_comparison": lambda: crm.cohort_comparison(log, as_of=day),
        "month_review": lambda: crm.month_review(log, as_of=day),
        "customer_profit": lambda: crm.customer_profit(log, **year),
        "purchases_by_month": lambda: crm.purchases_by_month(log, as_of=day),
        "retention_by_age": lambda: crm.retention_by_age(log, as_of=day),
        "repurchase_rate": lambda: crm.repurchase_rate(log, as_of=day, days=90),
        "rfm_train_test_split": lambda: crm.rfm_train_test_split(
            log, calibration_end="1997-09-30", as_of=day
        ),
        "log_start": lambda: study.log_start,
    }
    asked, found, own = [], {}, _Engine.compile
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            _Engine, "compile", lambda self, query, **how: asked.append(query) or own(self, query, **how)
        )
        for name, function in functions.items():
            asked.clear()
            function()
            found[name] = [*asked]
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_the_queries_of_the_log_compile(queries, engine):
    assert all(queries.values())
    for name, asked in queries.items():
        for query in asked:
            assert "SELECT" in ibis.to_sql(query, dialect=engine), name
