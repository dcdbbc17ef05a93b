"""Contracts as they stood on earlier days: nothing of the time after a day is in what was known on it."""

import pandas as pd
import pytest

from crmlib.customers.retention.contracts import contract_samples
from crmlib.errors import CrmError

ROWS = pd.DataFrame(
    [
        # stays throughout; dearer from May on
        ("stays", "s", "2023-01-01", "2024-04-30", 10.0, "changed"),
        ("stays", "s", "2024-05-01", None, 12.0, None),
        ("leaves", "l", "2023-01-01", "2024-05-15", 9.0, "cancelled"),
        ("comes", "c", "2024-07-10", None, 8.0, None),
        ("returns", "r", "2023-01-01", "2024-02-10", 7.0, "cancelled"),
        ("returns", "r", "2024-08-01", None, 7.5, None),
    ],
    columns=["customer_id", "subscription_id", "start", "end", "price_per_month", "end_reason"],
).assign(start=lambda rows: pd.to_datetime(rows["start"]), end=lambda rows: pd.to_datetime(rows["end"]))


def test_each_day_sees_what_ran_then_and_who_left_by_the_next():
    found = contract_samples(ROWS, as_of="2024-09-30", horizon_months=3, cut_offs=3)
    table = {(str(row.date.date()), row.customer_id): row for row in found.itertuples()}
    labels = {key: row.churned for key, row in table.items()}
    assert {key: one for key, one in labels.items() if one == one} == {
        ("2023-12-31", "stays"): "No", ("2023-12-31", "leaves"): "No", ("2023-12-31", "returns"): "Yes",
        ("2024-03-31", "stays"): "No", ("2024-03-31", "leaves"): "Yes",
        ("2024-06-30", "stays"): "No",
    }  # fmt: skip
    assert {who for day, who in labels if day == "2024-09-30"} == {"stays", "comes", "returns"}
    assert table["2024-03-31", "stays"].price_per_month == 10.0  # the price of May was not known in March
    assert table["2024-06-30", "stays"].price_per_month == 12.0
    assert table["2024-09-30", "returns"].tenure_months == pytest.approx(2.0, abs=0.1)  # from the new start
    assert table["2024-03-31", "leaves"].outcome_known_on == pd.Timestamp("2024-06-30")
    assert not {"end", "ended", "end_reason", "spell"} & set(found)


def test_no_contract_on_those_days_is_no_answer():
    found = contract_samples(ROWS, as_of="2022-12-31", horizon_months=3, cut_offs=2)
    assert found.empty
    assert found.reason.startswith("no contract ran between 2022-06-30 and 2022-12-31")
    with pytest.raises(CrmError, match="give 1 or more of each"):
        contract_samples(ROWS, as_of="2024-09-30", horizon_months=0)
