"""How products sell with age, and which of a change came with customers and which with products: counted by hand."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm

DAY = "2024-12-31"


def log_of(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    log = pd.DataFrame(rows, columns=["customer_id", "date", "product", "amount"])
    return log.assign(date=pd.to_datetime(log["date"]))


def test_a_change_is_divided_among_customers_and_products_as_by_hand():
    log = log_of(
        ("stayed", "2022-12-31", "kept", 10), ("stayed", "2024-06-01", "kept", 14),
        ("stayed", "2023-05-01", "ended", 7),
        ("stayed", "2024-05-01", "launched", 9), ("left", "2023-03-01", "kept", 20), ("left", "2023-03-02", "ended", 5),
        ("came", "2024-03-01", "kept", 30), ("came", "2024-03-01", "launched", 3), ("left", "2023-04-01", "kept", -2),
    )  # fmt: skip
    found = crm.Growth(log, DAY, within_days=366).change_by_products()
    cells = found.set_index(["customers", "products"])["change"].to_dict()
    assert cells == {
        ("stayed", "kept"): 4, ("stayed", "ended"): -7, ("stayed", "launched"): 9, ("left", "kept"): -18,
        ("left", "ended"): -5, ("came", "kept"): 30, ("came", "launched"): 3,
    }  # fmt: skip
    parts = found.groupby("part")["change"].sum()
    assert parts.to_dict() == {"both": -2, "customers alone": 12, "neither": 4, "products alone": 2}
    text = "Revenue changed by +16.00: +12.00 with customers alone, +2.00 with products alone and +2.00 with both or"
    assert crm.Growth(log, DAY).sentences(found) == [f"{text} neither"]


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_add_up_whatever_is_bought(seed):
    random = np.random.default_rng(seed)
    n = 400
    days = pd.Timestamp("2022-12-01") + pd.to_timedelta(random.integers(0, 760, n), "D")
    log = pd.DataFrame({"customer_id": random.integers(0, 60, n).astype(str), "date": days})
    log = log.assign(
        product=random.integers(0, 25, n).astype(str), amount=random.gamma(2, 9, n).round(2) + 0.01
    )
    found = crm.Growth(log, DAY, within_days=366).change_by_products()
    kept = log[log["date"].between("2022-12-31", DAY)]  # 366 days end on 31 December 2024, as many before
    now = kept["date"] > "2023-12-31"
    assert found["after"].sum() == pytest.approx(kept.loc[now, "amount"].sum())
    assert found["before"].sum() == pytest.approx(kept.loc[~now, "amount"].sum())


def test_products_of_a_log_that_begins_with_them_have_no_age():
    launches = [(f"p{n}", f"2023-0{1 + n % 9}-15") for n in range(12)]
    rows = [("a", "2021-01-01", "old", 50.0), ("a", "2024-01-01", "old", 50.0)]
    for name, day in launches:
        later = (pd.Timestamp(day) + pd.Timedelta(400, "D")).date().isoformat()
        rows += [("a", day, name, 10.0), ("b", later, name, 4.0)]
    found = crm.Growth(log_of(*rows), "2025-12-31").product_ages()
    assert found["products"].tolist() == [12, 12]
    assert found["first_period"].tolist() == [120, 120]
    assert found["share"].tolist() == pytest.approx([1, 0.4])


def test_a_log_without_products_or_too_short_says_so():
    log = log_of(("a", "2024-06-01", "tea", 5.0))
    assert (
        crm.Growth(log.drop(columns="product"), DAY).product_ages().reason
        == "the log names no product or category"
    )
    assert crm.Growth(log, DAY).change_by_products().reason == "the log has no two periods of 365 days"
