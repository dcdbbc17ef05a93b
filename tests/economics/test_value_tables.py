"""Tables of lifetime value against the functions and the log that they are made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib import BetaGeoModel, GammaGammaModel
from crmlib.economics.lifetime_value import customer_lifetime_value
from crmlib.economics.value_tables import (
    clv_sensitivity,
    top_customers,
    value_by_acquisition_month,
)
from crmlib.errors import CrmError
from tests.models.conftest import CDNOW

MONEY = {"discount_rate_per_year": 0.1, "margin": 0.4}
BASE = {"horizon": "52W", "margin": 0.4, "discount_rate_per_year": 0.1}


@pytest.fixture(scope="module")
def log():
    return pd.read_csv(CDNOW, parse_dates=["date"], dtype={"customer_id": str})


@pytest.fixture(scope="module")
def summary(log):
    return crm.rfm_summary(log, as_of="1998-06-30", time_unit="W")


@pytest.fixture(scope="module")
def model(summary):
    return BetaGeoModel().fit(summary)


@pytest.fixture(scope="module")
def spend(summary):
    return GammaGammaModel().fit(summary)


@pytest.fixture(scope="module")
def values(model, spend, summary):
    return customer_lifetime_value(model, spend, summary, **BASE)


class TestBySegment:
    def test_every_customer_and_all_value_are_in_it(self, values, summary):
        segments = crm.rfm_segments(summary)
        table = values.by_segment(segments)
        assert table["segment"].tolist() == list(segments["segment"].cat.categories)
        assert table["customers"].sum() == len(values)
        assert table["clv"].sum() == pytest.approx(values["clv"].sum(), rel=1e-12)
        assert table["share_of_clv"].sum() == pytest.approx(1)
        one = table["segment"][0]
        inside = values["clv"][(segments["segment"] == one).to_numpy()]
        assert table["clv_mean"][0] == pytest.approx(inside.mean())

    def test_other_customers_are_refused(self, values, summary):
        with pytest.raises(CrmError, match="one summary"):
            values.head(10).by_segment(crm.rfm_segments(summary))


class TestSensitivity:
    def test_each_row_is_the_total_under_that_setting(self, model, spend, summary, values):
        changes = {"horizon": ["26W", "104W"], "margin": [0.2]}
        table = clv_sensitivity(model, spend, summary, base=BASE, changes=changes)
        assert table.groupby("assumption", sort=False).size().to_dict() == {"horizon": 3, "margin": 2}
        found = table.set_index(["assumption", "setting"])
        assert found.loc[("margin", "40 %"), "clv"] == pytest.approx(values["clv"].sum())
        assert found.loc[("horizon", "52 weeks"), "change"] == 0
        assert found.loc[("margin", "20 %"), "change"] == pytest.approx(-0.5)
        alone = customer_lifetime_value(model, spend, summary, **BASE | {"horizon": "26W"}, interval=None)
        assert found.loc[("horizon", "26 weeks"), "clv"] == pytest.approx(alone["clv"].sum())

    def test_an_unknown_assumption_is_refused(self, model, summary):
        with pytest.raises(CrmError, match="did you mean"):
            clv_sensitivity(model, 10.0, summary, base=BASE, changes={"margins": [0.1]})


class TestByAcquisitionMonth:
    def test_money_so_far_is_the_logs(self, log, model, spend, summary):
        table = value_by_acquisition_month(log, model, spend, summary, life="10Y", **MONEY)
        assert (
            table["customers"].tolist()
            == summary["first_purchase"].dt.month.value_counts().sort_index().tolist()
        )
        assert table["so_far"] @ table["customers"] == pytest.approx(0.4 * summary["net"].sum())

    def test_only_the_first_life_counts(self, log, model, spend, summary):
        table = value_by_acquisition_month(log, model, spend, summary, life="13W", **MONEY)
        first = log.groupby("customer_id")["date"].transform("min")
        young = log[(log["date"] - first).dt.days < 91]
        sums = 0.4 * young.groupby(first.dt.month)["amount"].sum()
        assert np.allclose(table["so_far"] * table["customers"], sums)
        assert (table["expected"] == 0).all()
        assert (table["share_expected"] == 0).all()

    def test_what_is_left_of_life_is_expected(self, log, model, spend, summary):
        table = value_by_acquisition_month(log, model, spend, summary, life="104W", **MONEY)
        january = summary[summary["first_purchase"].dt.month == 1]
        left = 104 - january["T"].mean()
        alone = customer_lifetime_value(model, spend, january, horizon=left, **MONEY, interval=None)
        assert table["expected"][0] == pytest.approx(alone["clv"].mean())
        assert table["clv_mean"][0] == pytest.approx(table["so_far"][0] + table["expected"][0])


class TestTopCustomers:
    def test_the_best_first_with_their_reasons(self, values, summary):
        table = top_customers(values, summary, n=5, currency="USD")
        assert table["clv"].tolist() == values["clv"].nlargest(5).tolist()
        who = summary.set_index("customer_id").loc[table["customer_id"][0]]
        assert table["why"][0].startswith(f"{who['frequency']} repeat purchases, the last ")
        assert " weeks ago" in table["why"][0]
        assert "USD" in table["why"][0]

    def test_another_order_is_refused(self, values, summary):
        with pytest.raises(CrmError, match="same order"):
            top_customers(values, summary.iloc[::-1])
