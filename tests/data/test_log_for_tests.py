"""The sample of a log that is used for backtests."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest

from crmlib import rolling_origins
from crmlib.data.log_for_tests import log_for_tests
from crmlib.models.beta_geo import BetaGeoModel
from tests.models.worlds import beta_geo_world


def test_a_small_log_is_not_sampled():
    log = ibis.memtable({"customer_id": ["a", "a", "b"], "amount": [1.0, 2.0, 3.0]})
    found = log_for_tests(log)
    assert found.rows is log
    assert found.sentence == "Forecasts are tested on all 2 customers."
    assert log_for_tests(log.limit(0)).sentence == "", "no log, nothing to say"


def test_sampled_customers_have_all_their_rows_and_the_sample_is_reproducible():
    rows = pd.DataFrame({"customer_id": np.repeat([f"c{i}" for i in range(5000)], 3), "amount": 1.0})
    log = ibis.memtable(rows)
    first, again = (log_for_tests(log, most=1000).rows.to_pandas() for _ in range(2))
    times = first.groupby("customer_id").size()
    assert abs(len(times) - 1000) < 4 * np.sqrt(1000 * 0.8)
    assert (times == 3).all()
    assert set(first["customer_id"]) == set(again["customer_id"])
    longer = pd.concat([rows, rows.assign(customer_id=rows["customer_id"].str.replace("c", "d"))])
    more = log_for_tests(ibis.memtable(longer), most=2000).rows.to_pandas()
    assert set(first["customer_id"]) <= set(more["customer_id"]), "who is drawn depends on the id alone"


@pytest.mark.thorough
def test_forecast_errors_of_the_sample_equal_those_of_all_customers():
    log, cut, last = beta_geo_world(20_000, seed=2)
    asked = dict(first=cut, as_of=last, horizon="26W", step="13W", models=[BetaGeoModel()])
    everybody = rolling_origins(log, **asked).totals
    some = rolling_origins(log_for_tests(ibis.memtable(log), most=5_000).rows, **asked).totals
    # in units of what the model itself expects of chance: 80 % within the interval, so 1.28 standard errors
    error = (some["high"] - some["low"]) / 2 / 1.28 / some["predicted"]
    assert (abs(some["total_error"] - everybody["total_error"]) < 4 * error).all()
