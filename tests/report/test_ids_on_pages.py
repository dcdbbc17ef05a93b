"""On a page the digits of an id are no quantity: no thousands, no fraction that a program added."""

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from crmlib.report.pages import _table


def cells(frame):
    table = BeautifulSoup(_table(frame.to_html(), "a table"), "html.parser")
    return [cell.get_text() for cell in table.select("tbody td")]


@pytest.mark.parametrize(
    "name", ["customer_id", "CustomerID", "Customer ID", "StockCode", "first_product", "order_no", "customer"]
)
@pytest.mark.parametrize("written", [[12347.0, 85123.0], [12347, 85123], ["12347", "85123"]])
def test_an_id_is_written_as_it_is(name, written):
    assert cells(pd.DataFrame({name: written})) == ["12347", "85123"]


@pytest.mark.parametrize("name", ["customers", "value_per_customer", "paid", "revenue", "lines per order"])
def test_a_quantity_has_its_thousands_apart(name):
    assert cells(pd.DataFrame({name: [12347, 85123]})) == ["12,347", "85,123"]


def test_years_with_fractions_are_quantities():
    assert cells(pd.DataFrame({"change_year": [0.5, 1.25]})) == ["0.50", "1.25"]
