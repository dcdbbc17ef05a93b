"""How soon value can be by_days: by hand, by chance, and bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm

START = pd.Timestamp("2024-01-01")


def log_of(first, later, day=100):
    """Each customer buys on the first day, and once again for the later amount."""
    rows = []
    for number, (now, then) in enumerate(zip(first, later, strict=True)):
        rows += [(number, START, float(now)), (number, START + pd.Timedelta(day, "D"), float(then))]
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"])


def early_value(log, **options):
    return crm.Acquisition(log, as_of="2025-12-31", **options).early_value()


def by_days(log, **options):
    return early_value(log, **options).set_index("days")


def test_who_buys_much_later_bought_much_at_once():
    amounts = np.arange(1, 41)
    row = by_days(log_of(amounts, 10 * amounts)).loc[0]
    assert row["rank_correlation"] == pytest.approx(1)
    assert row["top_captured"] == 1
    assert row["share_held"] == pytest.approx(sum([40, 39, 38, 37]) / amounts.sum())


def test_the_other_way_round():
    amounts = np.arange(1, 41)
    row = by_days(log_of(amounts, 10 * amounts[::-1])).loc[0]
    assert row["rank_correlation"] == pytest.approx(-1)
    assert row["top_captured"] == 0


def test_money_lost_by_acting_early_by_hand():
    first, month, later = np.arange(1, 41), np.arange(40, 0, -1), 10.0 * np.arange(40, 0, -1)
    log = pd.concat([log_of(first, 1000 * month, day=20), log_of(first, later)[1::2]])
    table = by_days(log)
    # The four best of the first day bring 10, 20, 30 and 40 later; those of the 30th day 400, 390, 380 and 370.
    assert table.loc[0, "lost_per_customer"] == pytest.approx((1540 - 100) / 4)
    assert table.loc[30, "lost_per_customer"] == 0


def test_what_comes_after_the_horizon_or_before_the_last_age_is_not_later_value():
    amounts = np.arange(1, 41)
    log = log_of(amounts, amounts)
    noise = (
        log_of(amounts, 1000 * amounts[::-1], day=400)[1::2],
        log_of(amounts, 1000 * amounts[::-1], day=50)[1::2],
    )
    assert by_days(pd.concat([log, *noise])).loc[0, "rank_correlation"] == pytest.approx(1)


def test_customers_whose_horizon_is_not_over_are_left_out():
    old, young = log_of(range(1, 41), range(1, 41)), log_of([5] * 40, [5] * 40)
    young = young.assign(customer_id=young["customer_id"] + 100, date=young["date"] + pd.Timedelta(600, "D"))
    assert by_days(pd.concat([old, young])).loc[0, "customers"] == 40
    assert "are needed" in early_value(young).reason


def test_margin_scales_the_loss_and_nothing_else():
    random = np.random.default_rng(0)
    log = log_of(random.gamma(2, 5, 60).round(2), random.gamma(2, 5, 60).round(2))
    whole, part = by_days(log), by_days(log, margin=0.25)
    assert part["lost_per_customer"].tolist() == pytest.approx((whole["lost_per_customer"] / 4).tolist())
    assert part["rank_correlation"].tolist() == pytest.approx(whole["rank_correlation"].tolist())
