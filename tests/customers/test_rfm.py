import datetime as dt
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import crmlib as crm
from crmlib import rfm_segments, rfm_summary, rfm_train_test_split
from crmlib.customers.rfm.summary import BornInHoldout, CustomerSummary, LeftOut, rfm_measures
from crmlib.units import TimeUnit
from tests.customers.logs import START, cdnow_sample, log_of, purchase_logs

FEW = settings(max_examples=12)  # other ones each time
DAYS = st.integers(0, 75).map(lambda n: (START + pd.Timedelta(n, "D")).date())
FLOOR = {"H": "h", "D": "D", "W": "W", "M": "M", "Q": "Q", "Y": "Y"}


def by_hand(log: pd.DataFrame, as_of: dt.date, unit: str, collapse: str) -> pd.DataFrame:
    """The definition, customer by customer and row by row."""

    def start(instant: pd.Timestamp) -> pd.Timestamp:
        return pd.Period(instant, FLOOR[collapse]).start_time

    end = pd.Timestamp(as_of) + pd.Timedelta(1, "D")
    length = pd.Timedelta(TimeUnit.parse(unit).days, "D")
    found = []
    for customer, own in log[log.date < end].groupby("customer_id"):
        bought = own[own.is_purchase & ~(own.reversed_on < end)]
        if bought.empty:
            continue
        spend = {start(instant): 0.0 for instant in bought.date.sort_values()}
        for row in own.itertuples():
            belongs = row.date if row.is_purchase else row.returned_purchase_date
            if not pd.isna(belongs) and start(belongs) in spend:
                spend[start(belongs)] += row.amount
        first, *repeat = spend
        last = list(spend)[-1]
        found.append(
            {
                "customer_id": customer,
                "frequency": len(repeat),
                "recency": (last - first) / length,
                "T": (start(end - pd.Timedelta(1, "us")) - first) / length,
                "monetary_value": np.mean([spend[one] for one in repeat]) if repeat else 0.0,
                "first_purchase": bought.date.min(),
                "last_purchase": bought.date.max(),
                "orders": len(bought),
                "gross": own.amount[own.is_purchase].sum(),
                "returns": own.amount[~own.is_purchase].sum(),
                "net": own.amount.sum(),
                "mean_spend_per_period": np.mean(list(spend.values())),
            }
        )
    return pd.DataFrame(found)


@FEW
@given(log=purchase_logs(), as_of=DAYS, unit=st.sampled_from("HDWMQY"), collapse=st.sampled_from("HDWMQY"))
def test_summary_equals_the_definition_row_by_row(log, as_of, unit, collapse):
    assume(log.empty or pd.Timestamp(as_of) >= log.date.min().normalize())
    summary = rfm_summary(log, as_of=as_of, time_unit=unit, collapse=collapse)
    expected = by_hand(log, as_of, unit, collapse)
    if expected.empty:
        assert summary.empty
    else:
        ours = pd.DataFrame(summary)[list(expected.columns)]
        pd.testing.assert_frame_equal(ours, expected, check_dtype=False, atol=1e-9, rtol=1e-12)
    assert np.allclose(summary.time_since_last_purchase, summary["T"] - summary.recency)
    seen = log[log.date < pd.Timestamp(as_of) + pd.Timedelta(1, "D")]
    assert summary.net.sum() + summary.left_out.net == pytest.approx(seen.amount.sum(), abs=1e-9)
    assert len(summary) + summary.left_out.customers == seen.customer_id.nunique()


@FEW
@given(log=purchase_logs(), cut=st.integers(0, 40), more=st.integers(1, 40), collapse=st.sampled_from("HDWM"))
def test_split_keeps_the_calibration_whole_and_loses_no_money(log, cut, more, collapse):
    first, last = START + pd.Timedelta(cut, "D"), START + pd.Timedelta(cut + more, "D")
    assume(log.empty or first >= log.date.min().normalize())
    halves = rfm_train_test_split(log, calibration_end=first, as_of=last, collapse=collapse)
    truncated = log[log.date < first + pd.Timedelta(1, "D")]
    alone = rfm_summary(truncated, as_of=first, collapse=collapse)
    pd.testing.assert_frame_equal(halves[list(alone.columns)], alone, rtol=1e-12)
    seen = log[log.date < last + pd.Timedelta(1, "D")]
    money = halves[["net", "holdout_spend", "holdout_late_returns"]].sum().sum()
    assert money + halves.left_out.net + halves.born_in_holdout.spend == pytest.approx(
        seen.amount.sum(), abs=1e-9
    )


@FEW
@given(log=purchase_logs(returns=False), cut=st.integers(0, 40))
def test_without_returns_both_halves_make_the_whole(log, cut):
    end = START + pd.Timedelta(80, "D")
    assume(log.empty or START + pd.Timedelta(cut, "D") >= log.date.min().normalize())
    halves = rfm_train_test_split(log, calibration_end=START + pd.Timedelta(cut, "D"), as_of=end)
    whole = rfm_summary(log, as_of=end).set_index("customer_id").loc[halves.customer_id]
    assert (halves.frequency + halves.holdout_frequency).tolist() == whole.frequency.tolist()
    assert np.allclose(halves["T"] + halves.holdout_T, whole["T"])
    born = halves.born_in_holdout
    assert born.customers == log.customer_id.nunique() - len(halves)
    assert born.spend == pytest.approx(log.amount.sum() - whole.net.sum(), abs=1e-9)


@FEW
@given(log=purchase_logs(), seed=st.randoms(use_true_random=False), factor=st.sampled_from([0.01, 3.0, 1e6]))
def test_row_order_changes_nothing_and_money_scales(log, seed, factor):
    order = list(range(len(log)))
    seed.shuffle(order)
    shuffled = log.iloc[order].assign(amount=log.amount * factor)
    plain, scaled = (rfm_summary(one, as_of=START + pd.Timedelta(60, "D")) for one in (log, shuffled))
    money = ["monetary_value", "gross", "returns", "net", "mean_spend_per_period"]
    pd.testing.assert_frame_equal(plain.drop(columns=money), scaled.drop(columns=money))
    assert np.allclose(plain[money] * factor, scaled[money], rtol=1e-9, atol=1e-9 * factor)


def test_unit_changes_only_the_ages():
    log = cdnow_sample().head(500)
    weeks, days = (rfm_summary(log, as_of="1998-06-30", time_unit=unit) for unit in "WD")
    ages = ["recency", "T", "time_since_last_purchase"]
    assert np.allclose(weeks[ages] * 7, days[ages])
    pd.testing.assert_frame_equal(weeks.drop(columns=ages), days.drop(columns=ages))


def test_classic_cdnow_table_comes_out_of_the_raw_rows():
    log = cdnow_sample()
    halves = rfm_train_test_split(log, calibration_end="1997-09-30", as_of="1998-06-30", time_unit="W")
    published = pd.read_csv("tests/customers/data/cdnow_calibration.csv.gz")
    numbers = log.drop_duplicates("customer_id").set_index("customer_id").sample_id.astype(int)
    ours = halves.assign(ID=halves.customer_id.map(numbers)).sort_values("ID").reset_index(drop=True)
    assert len(ours) == 2357
    assert ours.ID.tolist() == published.ID.tolist()
    assert ours.frequency.tolist() == published.x.tolist()
    for name, theirs in {"recency": "t_x", "T": "T", "monetary_value": "zbar"}.items():
        assert (ours[name] - published[theirs]).abs().max() <= 0.005 + 1e-9, name
    assert halves.holdout_frequency.sum() == 1882  # the holdout's repeat purchases in the literature
    assert set(halves.holdout_T) == {39.0}
    assert halves.born_in_holdout == BornInHoldout(customers=0, purchases=0, spend=0.0)


def test_returns_reduce_the_period_they_belong_to():
    log = log_of(
        ("a", "2024-01-01", 10),
        ("a", "2024-01-08", 40),
        ("a", "2024-02-01", -15),
        ("a", "2024-02-02", -1),
        is_purchase=[True, True, False, False],
        returned_purchase_date=[pd.NaT, pd.NaT, pd.Timestamp("2024-01-08"), pd.NaT],
    ).astype({"is_purchase": bool, "returned_purchase_date": "datetime64[ns]"})
    row = rfm_summary(log, as_of="2024-02-05").iloc[0]
    assert (row.frequency, row.monetary_value, row.mean_spend_per_period) == (1, 25.0, 17.5)
    assert (row.gross, row.returns, row.net, row.orders) == (50.0, -16.0, 34.0, 2)
    before = rfm_summary(log, as_of="2024-01-31").iloc[0]
    assert (before.monetary_value, before.returns) == (40.0, 0.0)


def test_a_reversed_purchase_counts_until_the_day_it_goes_back():
    log = log_of(("a", "2024-01-01", 50), ("a", "2024-01-09 12:00", -50), is_purchase=[True, False])
    back = pd.Timestamp("2024-01-09 12:00")
    log = log.assign(reversed_on=[back, pd.NaT], returned_purchase_date=[pd.NaT, pd.Timestamp("2024-01-01")])
    log["is_purchase"] = log.is_purchase.astype(bool)
    assert rfm_summary(log, as_of="2024-01-08").net.tolist() == [50.0]
    gone = rfm_summary(log, as_of="2024-01-09")
    assert gone.empty
    assert gone.left_out == LeftOut(customers=1, net=0.0)
    halves = rfm_train_test_split(log, calibration_end="2024-01-08", as_of="2024-01-09")
    assert halves[["net", "holdout_frequency", "holdout_late_returns"]].values.tolist() == [
        [50.0, 0.0, -50.0]
    ]


def test_two_rows_on_one_day_are_one_purchase_in_both_halves():
    days = ["2024-01-01", "2024-01-01", "2024-01-05", "2024-01-05", "2024-01-09", "2024-01-09"]
    log = log_of(*[("a", day, 10) for day in days])
    halves = rfm_train_test_split(log, calibration_end="2024-01-05", as_of="2024-01-09").iloc[0]
    assert (halves.frequency, halves.monetary_value) == (1, 20.0)
    assert (halves.holdout_frequency, halves.holdout_monetary_value) == (1, 20.0)


def test_orders_are_distinct_order_ids_and_rows_without_one():
    rows = [("a", "2024-01-01", 1), ("a", "2024-01-01", 2), ("a", "2024-01-02", 3), ("a", "2024-01-03", 4)]
    log = log_of(*rows, ("b", "2024-01-03", 4), order_id=["x", "x", "x", None, None])
    assert rfm_summary(log, as_of="2024-01-03").orders.tolist() == [2, 1]
    assert rfm_summary(log.drop(columns="order_id"), as_of="2024-01-03").orders.tolist() == [4, 1]


def test_repeat_spend_that_cancels_is_zero_not_dust():
    log = log_of(("a", "2024-01-01", 0.1), ("a", "2024-01-02", 0.3), ("a", "2024-01-03", -0.3))
    log = log.assign(returned_purchase_date=[pd.NaT, pd.NaT, pd.Timestamp("2024-01-02")])
    assert rfm_summary(log, as_of="2024-01-03").monetary_value.tolist() == [0.0]


def test_empty_log_refunds_only_and_everybody_bought_today():
    nobody = rfm_summary(log_of(("a", "2024-01-02", 5)), as_of="2024-01-01")
    assert nobody.empty
    assert "monetary_value" in nobody.columns
    assert nobody.left_out == LeftOut(0, 0.0)
    refunds = rfm_summary(log_of(("a", "2024-01-01", -5), ("b", "2024-01-01", -2)), as_of="2024-01-01")
    assert (len(refunds), refunds.left_out) == (0, LeftOut(2, -7.0))
    today = rfm_summary(log_of(("a", "2024-01-01 23:59:59", 5), ("b", "2024-01-01", 6)), as_of="2024-01-01")
    assert today[["frequency", "recency", "T", "monetary_value"]].values.tolist() == [[0, 0, 0, 0]] * 2


def test_polars_and_arrow_frames_give_the_same():
    import ibis
    import polars
    import pyarrow

    log = cdnow_sample()[["customer_id", "date", "amount"]].head(200)
    expected = rfm_summary(log, as_of="1998-06-30")
    for other in (polars.from_pandas(log), pyarrow.Table.from_pandas(log), ibis.memtable(log)):
        pd.testing.assert_frame_equal(rfm_summary(other, as_of="1998-06-30"), expected)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"as_of": "yesterdayish"}, "as_of is 'yesterdayish'"),
        ({"as_of": None}, "as_of is None"),
        ({"as_of": 20240131}, "as_of is 20240131"),
        ({"as_of": "2024-01-01", "time_unit": "fortnight"}, "time_unit is 'fortnight'"),
    ],
)
def test_refusals_name_the_parameter(wrong, message):
    with pytest.raises(crm.CrmError, match=message):
        rfm_summary(log_of(("a", "2024-01-01", 5)), **wrong)


def test_split_refuses_a_holdout_without_days():
    with pytest.raises(crm.CrmError, match="calibration_end is 2024-01-02, not before as_of"):
        rfm_train_test_split(log_of(("a", "2024-01-01", 5)), calibration_end="2024-01-02", as_of="2024-01-02")


def test_unit_and_day_travel_with_the_summary():
    log = log_of(("a", "2024-01-01", 5), ("b", "2024-01-03", 7), ("b", "2024-01-05", 7))
    summary = rfm_summary(log, as_of="2024-01-31", time_unit="D")
    made = {
        "slice": summary[summary.frequency > 0],
        "columns": summary[["frequency", "recency", "T"]],
        "copy": summary.copy(),
        "assign": summary.assign(x=1),
        "sort": summary.sort_values("T").head(1),
        "reset": summary.reset_index(drop=True),
        "query": summary.query("frequency > 0"),
        "merge": summary.merge(pd.DataFrame({"customer_id": ["a"], "tier": ["Gold"]}), how="left"),
        "pickle": pickle.loads(pickle.dumps(summary)),
        "concat": pd.concat([summary, summary]),
    }
    for how, frame in made.items():
        assert isinstance(frame, CustomerSummary), how
        assert (frame.time_unit, frame.as_of) == (TimeUnit.D, dt.date(2024, 1, 31)), how
        assert frame.left_out == LeftOut(0, 0.0), how


def test_summaries_of_two_units_do_not_pretend_to_have_one():
    log = log_of(("a", "2024-01-01", 5))
    mixed = pd.concat([rfm_summary(log, as_of="2024-01-31", time_unit=unit) for unit in "DW"])
    assert mixed.time_unit is None
    assert mixed.as_of == dt.date(2024, 1, 31)


@pytest.mark.thorough
@FEW
@given(log=purchase_logs(), as_of=DAYS, unit=st.sampled_from("HDWMQY"), collapse=st.sampled_from("HDWMQY"))
def test_segments_of_a_log_are_those_of_its_summary(log, as_of, unit, collapse):
    assume(log.empty or pd.Timestamp(as_of) >= log.date.min().normalize())
    how = {"as_of": as_of, "time_unit": unit, "collapse": collapse}
    summary = rfm_summary(log, **how)
    measures = ["customer_id", "frequency", "time_since_last_purchase", "net"]
    pd.testing.assert_frame_equal(
        pd.DataFrame(rfm_measures(log, **how))[measures], pd.DataFrame(summary)[measures], check_dtype=False
    )
    if len(summary):
        assert rfm_segments(log, **how)["segment"].equals(rfm_segments(summary)["segment"])
