"""One frame and one study give the same answers to several threads at once as to one after the other."""

from concurrent.futures import ThreadPoolExecutor

import ibis
import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers._log import customer_totals
from crmlib.data.engine import engine, frame_table
from crmlib.data.sources import open_table
from crmlib.data.staging import LOCK


def log(rows=600):
    random = np.random.default_rng(4)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, rows), "D")
    amounts = random.gamma(2, 20, rows).round(2) * np.where(random.random(rows) < 0.05, -1, 1)
    return pd.DataFrame(
        {"customer_id": random.integers(0, 90, rows).astype(str), "date": days, "amount": amounts}
    )


FRAME = log()
BOUGHT = FRAME[FRAME["amount"] > 0]  # no return has to be matched, which takes most of the time
QUESTIONS = (
    lambda source: crm.rfm_summary(source, as_of="2024-10-31"),
    lambda source: crm.cohort_comparison(source, as_of="2024-10-31"),
    lambda source: customer_totals(source, start="2024-02-01", end="2024-09-30"),
)


@pytest.mark.parametrize("opened", [lambda: FRAME, lambda: crm.open_study(FRAME)], ids=["frame", "study"])
def test_four_threads_of_six_calls_are_as_good_as_one(opened):
    source = opened()

    def answer(question):
        if isinstance(source, crm.Study):
            return pd.DataFrame(question(source.transactions))
        return pd.DataFrame(question(source if question is QUESTIONS[0] else BOUGHT))

    def calls(thread):
        return [answer(QUESTIONS[(thread + call) % 3]) for call in range(6)]

    with ThreadPoolExecutor(4) as pool:
        at_once = [pool.submit(calls, thread) for thread in range(4)]
        # A lock that is never let go hangs for ever; a busy machine is only slow.
        answers = [call.result(timeout=600) for call in at_once]
    alone = [answer(question) for question in QUESTIONS]
    for thread, found in enumerate(answers):
        for call, frame in enumerate(found):
            pd.testing.assert_frame_equal(frame, alone[(thread + call) % 3])


@pytest.mark.thorough
def test_a_frame_that_nobody_holds_is_forgotten():
    def held():
        return engine().con.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchone()[0]

    crm.rfm_summary(log(), as_of="2024-10-31")
    before = held()
    for _ in range(5):
        crm.rfm_summary(log(), as_of="2024-10-31")
    assert held() <= before + 2


def test_a_table_that_is_let_go_during_a_query_waits_for_its_end():
    def held():
        return engine().con.execute("SELECT count(*) FROM duckdb_tables() WHERE temporary").fetchone()[0]

    tables = [frame_table(log(20)).mutate(double=ibis._.amount * 2).cache()]  # what others left is gone now
    before = held() - 1
    with LOCK, ThreadPoolExecutor(1) as pool:  # garbage is collected in another thread while a query runs
        pool.submit(tables.clear).result(timeout=60)
        assert held() == before + 1
    crm.rfm_summary(BOUGHT, as_of="2024-10-31")
    assert held() == before


def test_an_engine_that_a_users_program_prefers_is_not_used():
    theirs, before = ibis.duckdb.connect(), ibis.options.default_backend
    ibis.set_backend(theirs)
    try:
        for source in (FRAME, ibis.memtable(FRAME)):
            assert open_table(source).get_backend() is engine()
        crm.rfm_summary(FRAME, as_of="2024-10-31")
        assert theirs.con.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchone()[0] == 0
        assert ibis.options.default_backend is theirs
    finally:
        ibis.options.default_backend = before
