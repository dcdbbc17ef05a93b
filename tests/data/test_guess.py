"""Format detection: guesses are right and give evidence, and ambiguous cases become questions."""

import ibis
import pandas as pd
import pytest

from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.guessing.dates import guess_dates
from crmlib.data.guessing.findings import Finding
from crmlib.data.guessing.purchase_log import guess_grain
from crmlib.data.guessing.table import guess_table
from crmlib.errors import DataError

SHOPIFY = """Name,Email,Financial Status,Currency,Subtotal,Shipping,Taxes,Total,Discount Amount,Created at,\
Lineitem quantity,Lineitem name,Lineitem price,Shipping Country,Cancelled at,Refunded Amount,Source
#1001,ann@example.org,paid,EUR,50.00,5.00,8.78,55.00,0.00,2025-10-07 09:50:26 +0200,1,Mask,30.00,DE,,0.00,web
#1001,ann@example.org,,,,,,,,2025-10-07 09:50:26 +0200,2,Cream,10.00,,,,
#1002,bob@example.org,refunded,EUR,20.00,5.00,3.78,25.00,0.00,2025-10-08 23:50:26 +0200,1,Mask,20.00,DE,,25.00,web
#1003,bob@example.org,paid,EUR,20.00,5.00,3.78,25.00,0.00,2025-10-09 23:50:26 +0200,1,Mask,20.00,DE,\
2025-10-10 08:00:00 +0200,0.00,web
"""
WOOCOMMERCE = """Order Number,Order Status,Order Date,Customer Note,Email (Billing),Country Code (Billing),\
Order Shipping Amount,Order Refund Amount,Order Total Amount,Order Total Tax Amount,SKU,Item Name,\
Quantity (- Refund),Item Cost
101,Completed,2024-01-05 10:22,,ann@example.org,DE,5,0,45,7.18,S1,Shirt,1,20
101,Completed,2024-01-05 10:22,,ann@example.org,DE,5,0,45,7.18,S2,Cap,2,10
102,Cancelled,2024-02-15 10:22,,bob@example.org,DE,5,0,45,7.18,S2,Cap,2,10
"""
GERMAN = """Kundennr;Bestelldatum;Rechnungsnr;Umsatz netto (EUR);Artikel
00012;31.12.2024;R1;1.234,50 €;Hemd
1e5;05.01.2025;R2;9,50 €;Hüte
"""
PRICES = """InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,6,12/1/2010 8:26,2.55,17850,United Kingdom
C536379,D,-1,12/13/2010 9:41,27.5,14527,United Kingdom
"""


def look(tmp_path, text, encoding="utf-8", name="orders.csv", **given):
    (tmp_path / name).write_bytes(text.encode(encoding))
    return guess_table(TRANSACTIONS, tmp_path / name, given=given)


def columns(guess):
    return {
        entry.removeprefix("columns."): value
        for entry, value in guess.values.items()
        if entry.startswith("columns.")
    }


def evidence(guess, entry):
    return next(one.evidence for one in guess.findings if one.entry == entry)


def test_a_shopify_export_is_detected(tmp_path):
    guess = look(tmp_path, SHOPIFY)
    assert not guess.questions
    assert columns(guess) == {
        "customer_id": "Email",
        "date": "Created at",
        "amount": "Total",
        "order_id": "Name",
        "status": "Financial Status",
        "cancelled_at": "Cancelled at",
        "refunded": "Refunded Amount",
        "currency": "Currency",
        "discount": "Discount Amount",
        "tax": "Taxes",
        "shipping": "Shipping",
        "channel": "Source",
        "market": "Shipping Country",
    }
    assert guess.values["policies.amount_is"] == "order_total"
    assert guess.values["timezone"] == "as written"
    assert guess.values["currency"] == "EUR"
    assert "tax ('Taxes') is 16 % of the amount" in evidence(guess, "policies.amount_includes")


def test_a_woocommerce_export_is_detected(tmp_path):
    guess = look(tmp_path, WOOCOMMERCE)
    assert not guess.questions
    assert columns(guess)["customer_id"] == "Email (Billing)"
    assert columns(guess)["amount"] == "Order Total Amount"
    assert not {"product", "quantity", "cost", "unit_price"} & columns(guess).keys()
    assert guess.values["policies.amount_is"] == "order_total"
    assert "in 1 of 1 orders with several lines" in evidence(guess, "policies.amount_is")
    assert "not stated in the file" in evidence(guess, "currency")


def test_a_german_export(tmp_path):
    guess = look(tmp_path, GERMAN, "cp1252")
    assert columns(guess) == {
        "customer_id": "Kundennr",
        "date": "Bestelldatum",
        "order_id": "Rechnungsnr",
        "amount": "Umsatz netto (EUR)",
        "product": "Artikel",
    }
    wanted = {
        "encoding": "cp1252",
        "delimiter": ";",
        "decimal": ",",
        "date_format": ("%d.%m.%Y",),
        "currency": "EUR",
    }
    assert wanted.items() <= guess.values.items()
    assert evidence(guess, "decimal") == "2 of 2 amounts can be read with a decimal comma, such as '9,50 €'"
    assert (
        evidence(guess, "date_format")
        == "2 of 2 dates are read by %d.%m.%Y; %m.%d.%Y cannot read '31.12.2024'"
    )


def test_quantity_and_unit_price_stand_for_the_amount(tmp_path):
    guess = look(tmp_path, PRICES)
    assert not guess.questions
    found = columns(guess)
    assert (found["quantity"], found["unit_price"]) == ("Quantity", "UnitPrice")
    assert "amount" not in found
    assert guess.values["date_format"] == ("%m/%d/%Y %H:%M",)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Numéro client,Date de commande,Montant TTC", ("Numéro client", "Date de commande", "Montant TTC")),
        ("Codice cliente,Data ordine,Importo", ("Codice cliente", "Data ordine", "Importo")),
        ("ID cliente,Fecha de pedido,Importe total", ("ID cliente", "Fecha de pedido", "Importe total")),
        ("Klantnummer,Besteldatum,Totaalbedrag", ("Klantnummer", "Besteldatum", "Totaalbedrag")),
        ("customerId,orderDate,orderTotal", ("customerId", "orderDate", "orderTotal")),
        ("CUST_NO,TRANS_DATE,TRAN_AMOUNT", ("CUST_NO", "TRANS_DATE", "TRAN_AMOUNT")),
        ("wer,wann,wieviel", ("wer", "wann", "wieviel")),
    ],
)
def test_columns_are_known_in_several_languages_and_by_content(tmp_path, header, found):
    guess = look(tmp_path, header + "\na,2024-01-05,9.50\na,2024-02-05,8.25\nb,2024-02-06,7.10\n")
    assert tuple(columns(guess)[one] for one in ("customer_id", "date", "amount")) == found


def test_columns_named_by_the_user_are_kept(tmp_path):
    text = "payer,customer,date,amount,fee\nx,a,2024-01-05,9.5,1\n"
    guess = look(tmp_path, text, **{"columns.customer_id": "payer", "columns.amount": "fee"})
    assert columns(guess)["customer_id"] == "payer"
    assert columns(guess)["amount"] == "fee"
    with pytest.raises(
        DataError, match="columns.customer_id: there is no column 'pay'; did you mean 'payer'"
    ):
        look(tmp_path, text, **{"columns.customer_id": "pay"})


def test_the_evidence_contains_no_personal_values(tmp_path):
    assert not [one for one in look(tmp_path, SHOPIFY).findings if "example.org" in one.evidence]


def test_a_column_that_cannot_be_found_is_asked_for(tmp_path):
    guess = look(tmp_path, "x,y,z\n1,2024-01-05,blue\n2,2024-01-06,red\n")
    assert [one.entry for one in guess.questions] == ["columns.customer_id", "columns.amount"]
    assert guess.questions[0].answers == ("x", "y", "z")


def test_a_file_without_header_or_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match="the first line looks like data, not like a header"):
        look(tmp_path, "1,2024-01-05,9.5\n2,2024-01-06,7\n")
    with pytest.raises(DataError, match="the file has a header but no rows"):
        look(tmp_path, "customer_id,date,amount\n")


# --- dates ---


def dates(*texts):
    return guess_dates(ibis.memtable(pd.DataFrame({"day": texts})).day)


@pytest.mark.parametrize(
    ("texts", "formats"),
    [
        (("01/02/2024", "25/12/2024"), ("%d/%m/%Y",)),
        (("01/02/2024", "12/25/2024"), ("%m/%d/%Y",)),
        (("1.2.24 9:30", "25.1.24 10:00"), ("%d.%m.%y %H:%M",)),
        (("2024-01-05", "2024-01-06 10:00:00"), ()),
        (("45296", "45297.5"), ("excel",)),
        (("1704412800", "1704499200"), ("unix",)),
        (("20240105", "20241231"), ("%Y%m%d",)),
        (("11-Feb-13", "12-Mar-13"), ("%d-%b-%y",)),
        (("January 5, 2024", "March 31, 2024"), ("%B %d, %Y",)),
        (("01/13/2024 9:05 PM", "02/01/2024 10:00 AM"), ("%m/%d/%Y %I:%M %p",)),
        (("2024-01-05", "2024-01-26", "25/12/2024"), ("iso", "%d/%m/%Y")),
    ],
)
def test_the_format_of_dates_is_decided_from_all_of_them(texts, formats):
    guess = dates(*texts)
    assert (guess.formats, guess.question) == (formats, "")


def test_one_date_in_a_thousand_decides():
    texts = [f"{1 + i % 12:02d}/{1 + i % 11:02d}/2024" for i in range(999)]
    assert dates(*texts, "13/01/2024").formats == ("%d/%m/%Y",)
    assert dates(*texts, "01/13/2024").formats == ("%m/%d/%Y",)


def test_dates_that_can_be_read_both_ways_are_asked_about():
    guess = dates("01/02/2024", "03/04/2024")
    assert guess.readings == ("%d/%m/%Y", "%m/%d/%Y")
    assert guess.question == (
        "every date can be read with the day first or the month first: '01/02/2024' is 1 February 2024 (%d/%m/%Y) or "
        "2 January 2024 (%m/%d/%Y)"
    )


def test_dates_in_both_orders_are_refused():
    guess = dates("13/02/2024", "03/14/2024", "01/02/2024")
    assert not guess.readings
    assert "both orders of day and month occur: 1 dates can only be %d/%m/%Y" in guess.question


def test_a_typing_error_does_not_decide():
    texts = [f"{1 + i % 28:02d}/{1 + i % 12:02d}/2024" for i in range(500)]
    guess = dates(*texts, "02/30/2024x", "05/31/2024")
    assert guess.formats == ("%d/%m/%Y",)
    assert guess.evidence.startswith("500 of 502 dates are read by %d/%m/%Y")


# --- grain and money ---


def grain(rows, name="amount"):
    return guess_grain(ibis.memtable(pd.DataFrame(rows, columns=["order_id", "amount"])), name)


def test_an_order_total_on_every_line_is_caught_without_a_name():
    rows = [(f"o{i // 2}", float(10 + i // 2)) for i in range(40)]
    assert grain(rows).amount_is == "order_total"
    assert (
        "in 20 of 20 orders with several lines 'amount' stands the same on every line" in grain(rows).evidence
    )


def test_order_lines_with_their_own_amounts_are_kept():
    assert grain([(f"o{i // 2}", float(i)) for i in range(40)]).amount_is == "row"


def test_equal_prices_are_no_order_totals():
    """A shop where everything costs 10: lines agree, but so do all rows."""
    assert grain([(f"o{i // 2}", 10.0) for i in range(40)]).amount_is == "row"


def test_unique_order_numbers_mean_rows_are_orders():
    found = grain([(f"o{i}", 5.0) for i in range(9)])
    assert (found.row_is, found.amount_is) == ("order", "row")


@pytest.mark.parametrize(
    ("amounts", "decimal"),
    [(("9,50", "1.234,00"), ","), (("9.50", "1,234.00"), None), (("9", "10"), None)],
)
def test_the_decimal_sign(tmp_path, amounts, decimal):
    lines = "".join(f"a;2024-01-05;{one}\n" for one in amounts)
    assert look(tmp_path, "customer;date;amount\n" + lines).values.get("decimal") == decimal


def test_an_ambiguous_decimal_sign_is_asked_about(tmp_path):
    guess = look(tmp_path, "customer;date;amount\na;2024-01-05;1.500\n")
    assert [(one.entry, one.answers) for one in guess.questions] == [("decimal", (".", ","))]


@pytest.mark.parametrize(
    ("header", "amount", "currency"),
    [("amount", "£5.00", "GBP"), ("amount_chf", "5.00", "CHF"), ("amount", "5.00", None)],
)
def test_the_currency(tmp_path, header, amount, currency):
    guess = look(tmp_path, f"customer,date,{header}\na,2024-01-05,{amount}\n")
    assert guess.values["currency"] == currency


def test_refunded_orders_without_a_refunded_amount_are_set_aside(tmp_path):
    guess = look(tmp_path, "customer,date,amount,status\na,2024-01-05,5,paid\nb,2024-01-06,5,Refunded\n")
    assert guess.values["policies.excluded_statuses"][-1] == "refunded"
    assert Finding("export", "x", "y") not in guess.findings
