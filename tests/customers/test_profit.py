"""Profit per customer adds up to the log and the tables, and says what of it is measured."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib.customers._log import customer_totals
from crmlib.customers.profit.customer_profit import customer_profit, profit_days
from crmlib.errors import CrmError, DataError
from tests.customers.logs import log_of, purchase_logs

YEAR = {"start": "2024-01-01", "end": "2024-12-31"}


def cases_of(*rows: tuple, **extra: list) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["customer_id", "opened"]).assign(**extra)
    return frame.assign(opened=pd.to_datetime(frame["opened"]))


def by_hand() -> pd.DataFrame:
    """a buys twice and sends one back, b buys once, c bought the year before."""
    return log_of(
        ("a", "2024-01-01", 100.0), ("a", "2024-03-01", 60.0), ("a", "2024-03-10", -60.0),
        ("b", "2024-12-22", 40.0), ("c", "2023-06-01", 70.0),
    ).assign(
        order_id=["1", "2", "2", "3", "0"], cost=[50.0, 30.0, -30.0, 25.0, 30.0], discount=[10.0, 0.0, 0.0, 5.0, 0.0]
    )  # fmt: skip


def test_every_component_by_hand():
    cases = cases_of(
        ("a", "2024-03-09"), ("c", "2024-05-01"), ("x", "2024-05-01"), minutes=[10.0, 30.0, 5.0], contacts=[2, 1, 1],
        cost=[4.0, 0.0, 1.0],
    )  # fmt: skip
    letters = pd.DataFrame({"customer_id": ["b"], "date": pd.to_datetime(["2024-12-24"]), "cost": [0.7]})
    prices = {
        "per_service_minute": 0.5, "per_contact": 1.0, "per_return": 6.0, "per_order": 3.0, "fixed_per_year": 36.525,
    }  # fmt: skip
    found = customer_profit(by_hand(), **YEAR, service_cases=cases, touchpoints=letters, costs=prices)
    table = found.set_index("customer_id")
    assert found["customer_id"].tolist() == ["a", "b", "c"]
    assert table["exposure_days"].tolist() == [366, 10, 366]
    assert table["revenue"].tolist() == [100.0, 40.0, 0.0]
    assert table["returns"].tolist() == [-60.0, 0.0, 0.0]
    assert table["discounts"].tolist() == [10.0, 5.0, 0.0]
    assert table["cost_of_goods"].tolist() == [50.0, 25.0, 0.0]
    assert table["orders"].tolist() == [1, 1, 0]  # what went back in full is no purchase, as through a study
    assert table["cost_of_cases"].tolist() == [10 * 0.5 + 2 + 4, 0.0, 15.0 + 1]
    assert table["cost_of_contacts"].tolist() == [0.0, 0.7, 0.0]
    assert table["cost_of_returns"].tolist() == [6.0, 0.0, 0.0]
    assert table["cost_of_orders"].tolist() == [3.0, 3.0, 0.0]
    assert table["cost_of_account"].tolist() == pytest.approx([36.6, 1.0, 36.6])
    assert table["profit"].tolist() == pytest.approx([50 - 11 - 6 - 3 - 36.6, 15 - 0.7 - 3 - 1, -16 - 36.6])
    basis = found.basis.set_index("component")
    assert basis["money"].drop("discounts (already off)").sum() == pytest.approx(found["profit"].sum())
    assert basis.loc["cost of goods", "basis"] == "measured"
    assert basis.loc["cost of service cases", "basis"] == "assumed"
    assert basis.loc["cost of contacts", "basis"] == "measured"
    assert "minutes × 0.5 (costs.per_service_minute)" in basis.loc["cost of service cases", "source"]
    assert found.left_out.values.tolist() == [["x", "service_cases", 1, 5 * 0.5 + 1 + 1.0, "not in the log"]]


def test_who_was_only_written_to_is_no_customer_at_a_loss():
    letters = pd.DataFrame(
        {"customer_id": ["a", "c", "y"], "date": pd.to_datetime(["2024-12-24"] * 3), "cost": 0.5}
    )
    found = customer_profit(by_hand(), **YEAR, touchpoints=letters)
    assert found["customer_id"].tolist() == ["a", "b"]
    assert found["cost_of_contacts"].sum() == 0.5
    assert found.left_out[["customer_id", "money", "why"]].values.tolist() == [
        ["c", 0.5, "only written to"], ["y", 0.5, "not in the log"],
    ]  # fmt: skip


def test_without_costs_there_is_no_profit():
    log = by_hand().drop(columns="cost")
    found = customer_profit(log, **YEAR)
    assert "profit" not in found
    assert (found["cost_to_serve"] == 0).all()
    assumed = customer_profit(log, **YEAR, margin=0.4)
    assert assumed["profit"].tolist() == pytest.approx([40.0, 16.0])
    assert assumed.basis.set_index("component").loc["cost of goods", "basis"] == "assumed"
    served = customer_profit(log, **YEAR, costs={"per_order": 60.0})
    assert served["profit"].tolist() == [40.0, -20.0]
    assert "upper bound" in served.basis.set_index("component").loc["cost of goods", "source"]


@pytest.mark.parametrize("wrap", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_gaps_are_filled_with_the_mean_and_stated(wrap):
    log = by_hand().assign(cost=[50.0, np.nan, np.nan, 20.0, 35.0])
    cases = wrap(cases_of(*[("a", "2024-03-09")] * 2, ("b", "2024-05-01"), minutes=[10.0, np.nan, 20.0]))
    if wrap is pl.from_pandas:
        cases = cases.with_columns(pl.col("minutes").fill_null(float("nan")))
    found = customer_profit(wrap(log), **YEAR, service_cases=cases, costs={"per_service_minute": 1.0})
    table, basis = found.set_index("customer_id"), found.basis.set_index("component")
    assert table.loc["a", "cost_of_goods"] == pytest.approx(50.0)  # what came back cost what went out
    assert table.loc["a", "service_minutes"] == pytest.approx(25.0)
    assert "2 of 4 rows have none" in basis.loc["cost of goods", "source"]
    assert "1 of 3 rows of service_cases have no minutes" in basis.loc["cost of service cases", "source"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"margin": 1.4}, "margin is 1.4"),
        ({"start": "2025-01-01"}, "the start may not be after the end"),
        ({"costs": {"per_retrun": 3}}, "did you mean 'per_return'"),
        ({"costs": {"per_return": -3}}, "per_return is -3"),
        ({"costs": {"per_return": float("nan")}}, "per_return is nan"),
        ({"service_cases": cases_of(("a", "2024-01-01"), minutes=[-1.0])}, "negative or infinite"),
        ({"service_cases": cases_of(("a", "2024-01-01"), minutes=["x"])}, "numbers are needed"),
        ({"service_cases": pd.DataFrame({"customer_id": ["a"]})}, "service_cases has no column 'opened'"),
        ({"transactions": by_hand().assign(cost=np.inf)}, "infinite"),
    ],
)
def test_bad_input_is_refused(changed, says):
    given_ = {"transactions": by_hand(), **YEAR, **changed}
    with pytest.raises((CrmError, DataError), match=says):
        customer_profit(given_.pop("transactions"), **given_)


def test_an_empty_column_is_no_cost_of_nothing():
    letters = pd.DataFrame(
        {"customer_id": ["a"], "date": pd.to_datetime(["2024-12-24"]), "cost": [None], "minutes": [np.nan]}
    )
    found = customer_profit(
        by_hand().drop(columns="cost"), **YEAR, touchpoints=letters, costs={"per_service_minute": 1.0}
    )
    assert "profit" not in found
    contacts = found.basis.set_index("component").loc["cost of contacts"]
    assert np.isnan(contacts["money"])  # not known, and not a cost of 0
    assert contacts[["basis", "source"]].tolist() == [
        "missing", "touchpoints says neither minutes nor cost",
    ]  # fmt: skip


def test_an_empty_period_has_no_customers_and_one_before_the_log_is_refused():
    found = customer_profit(by_hand(), start="2023-07-01", end="2023-12-31", margin=0.4)
    assert found["orders"].sum() == 0
    assert found.basis["money"].fillna(0).sum() == 0
    with pytest.raises(
        CrmError, match="2022-12-31 is before the log, which goes from 2023-06-01 to 2024-12-22"
    ):
        customer_profit(by_hand(), start="2022-01-01", end="2022-12-31", margin=0.4)


@settings(max_examples=10)
@given(purchase_logs(), st.integers(0, 60), st.integers(0, 30))
def test_money_and_customers_agree_with_the_lenses(log, after, days):
    start = dt.date(2023, 12, 28) + dt.timedelta(days=after)
    period = {"start": start, "end": start + dt.timedelta(days=days)}
    found = customer_profit(log, **period, margin=0.5).set_index("customer_id")
    seen = customer_totals(log, **period, margin=0.5).set_index("customer_id")
    assert set(seen.index) <= set(found.index)
    assert found.loc[seen.index, "revenue"].tolist() == pytest.approx(seen["revenue"].tolist())
    assert found["profit"].tolist() == pytest.approx((found["revenue"] * 0.5).tolist())
    assert (found["gross"] + found["returns"]).tolist() == pytest.approx(found["revenue"].tolist())
    assert found["exposure_days"].between(1, days + 1).all()


@settings(max_examples=6)
@given(
    purchase_logs(),
    st.lists(st.tuples(st.sampled_from("abxy"), st.integers(0, 70), st.none() | st.integers(0, 50))),
)
def test_days_and_tables_lose_no_row(log, cases):
    table = pd.DataFrame(cases, columns=["customer_id", "day", "minutes"]).astype({"customer_id": "object"})
    table["minutes"] = table["minutes"].astype(float)
    table["opened"] = table["date"] = pd.Timestamp("2023-12-28") + pd.to_timedelta(
        table["day"].astype(float), "D"
    )
    period = {"start": "2024-01-01", "end": "2024-02-28"}
    costs = {"per_service_minute": 1.0, "fixed_per_year": 5.0, "per_order": 1.0, "per_return": 2.0}
    options = {**period, "service_cases": table, "touchpoints": table, "costs": costs, "margin": 0.3}
    whole = customer_profit(log, **options)
    counted = whole["cases"].sum() + whole.left_out.query("table == 'service_cases'")["rows"].sum()
    assert counted == table["opened"].between("2024-01-01", "2024-02-28 23:59").sum()
    days = profit_days(log, **options)
    by_customer = whole.set_index("customer_id")
    expected = by_customer["profit"] + by_customer["cost_of_account"]
    found = days.groupby("customer_id")["money"].sum().reindex(expected.index).fillna(0.0)
    assert found.to_dict() == pytest.approx(expected.to_dict(), abs=1e-5)
    assert -days.loc[days["steady"].astype(bool), "money"].sum() >= whole["cost_of_contacts"].sum() - 1e-5
