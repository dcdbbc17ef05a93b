"""A row is not an order: split orders into lines, and nothing that counts orders, purchases or customers moves."""

import re

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.treatments.experiments import experiment_features
from crmlib.customers.treatments.loyalty import points_pressure

DAY = "2024-08-31"
SPAN = {"start": "2024-02-01", "end": "2024-07-31"}
LEDGER = pd.DataFrame(
    {
        "customer_id": ["c0", "c0", "c1", "c1"],
        "date": pd.to_datetime(["2024-01-10", "2024-06-10", "2024-03-05", "2024-07-20"]),
        "kind": ["joined", "redeemed"] * 2,
    }
)
PEOPLE = [f"c{number}" for number in range(5)]
TRIAL = pd.DataFrame(
    {"experiment": "x", "customer_id": PEOPLE, "assigned": pd.Timestamp("2024-04-01")}
).assign(group=["treated", "control", "treated", "control", "treated"], cost=0.1)
ANSWERS = {
    "month_review": lambda log: crm.month_review(log, as_of=DAY),
    "purchases_by_month": lambda log: crm.purchases_by_month(log, as_of=DAY),
    "rfm_summary": lambda log: crm.rfm_summary(log, as_of=DAY),
    "rfm_train_test_split": lambda log: crm.rfm_train_test_split(
        log, calibration_end="2024-06-01", as_of=DAY
    ),
    "first_products": lambda log: crm.first_products(log, as_of=DAY, within_days=60),
    "period_profile": lambda log: vars(crm.period_profile(log, **SPAN, by=["market", "channel"])),
    "recent_change": lambda log: vars(crm.recent_change(log, as_of=DAY, months=3).change),
    "cohort_comparison": lambda log: crm.cohort_comparison(log, as_of=DAY),
    "cohort_history": lambda log: crm.cohort_history(log, cohort=("2024-01-01", "2024-03-31"), as_of=DAY),
    "repeat_rate": lambda log: crm.repeat_rate(log, as_of=DAY),
    "customer_profit": lambda log: crm.customer_profit(log, **SPAN, margin=0.5, costs={"per_order": 1.0}),
    "purchase_regularity": lambda log: crm.purchase_regularity(log, as_of=DAY),
    "repurchase_rate": lambda log: crm.repurchase_rate(log, days=30, as_of=DAY),
    "experiment_outcomes": lambda log: crm.experiment_outcomes(log, TRIAL, days=30, as_of=DAY),
    "experiment_features": lambda log: experiment_features(log, TRIAL, experiment="x"),
    "programme_enrolments": lambda log: crm.programme_enrolments(log, LEDGER, as_of=DAY, months=1),
    "points_pressure": lambda log: points_pressure(log, LEDGER, as_of=DAY),
}


def rows_of(orders, lines):
    """A log of these orders in one line each, or in as many as are said; amounts of both add up exactly."""
    rows = []
    for number, ((customer, day, quarters, product), count) in enumerate(zip(orders, lines, strict=True)):
        cuts = np.linspace(0, quarters, count + 1).astype(int)
        when = pd.Timestamp("2024-01-01") + pd.Timedelta(day, "D")
        paid = np.diff(cuts) / 4
        rows += [(customer, when, one, f"n{number}", product, f"m{number % 2}") for one in paid]
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount", "order_id", "product", "market"])


def plain(answer):
    """Frames alone, ready to be compared."""
    parts = answer.items() if isinstance(answer, dict) else [("", answer)]
    return {name: pd.DataFrame(one) if isinstance(one, pd.DataFrame) else one for name, one in parts}


def outcome(question, log):
    try:
        return plain(question(log))
    except crm.errors.CrmError as refusal:
        return {"refusal": re.sub(r"\d+ rows", "rows", str(refusal))}


@pytest.mark.thorough
def test_only_lines_move_when_orders_are_split_into_lines():
    random = np.random.default_rng(8)
    orders = [
        (
            random.choice(PEOPLE),
            random.integers(1, 221),
            random.integers(4, 401),
            random.choice(["tea", "jam"]),
        )
        for _ in range(random.integers(6, 26))
    ]
    print(orders, lines := random.integers(1, 5, len(orders)).tolist())  # shown where it fails
    whole, split = rows_of(orders, [1] * len(orders)), rows_of(orders, lines)
    for name, question in ANSWERS.items():
        one, other = outcome(question, whole), outcome(question, split)
        assert one.keys() == other.keys(), name
        for part, value in one.items():
            if isinstance(value, pd.DataFrame):
                pd.testing.assert_frame_equal(value, other[part], obj=f"{name} {part}", rtol=1e-12)
            elif isinstance(value, pd.Series):
                pd.testing.assert_series_equal(value, other[part], obj=f"{name} {part}", rtol=1e-12)
            else:
                assert repr(value) == repr(other[part]), f"{name} {part}"  # nan is nan


def test_orders_of_a_month_are_distinguished_by_customer_and_id():
    log = rows_of([("c0", 0, 8, "tea"), ("c1", 0, 8, "tea")], [3, 1]).assign(order_id="1")
    review = crm.month_review(log, as_of="2024-01-31").set_index(["customers", "measure"])["value"]
    assert (review["all", "orders"], review["all", "buyers"], review["all", "revenue"]) == (2, 2, 4.0)
    without = crm.month_review(log.drop(columns="order_id"), as_of="2024-01-31")
    assert without.set_index(["customers", "measure"]).loc[("all", "orders"), "value"] == 4
