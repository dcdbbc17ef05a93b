"""Column matching: where the content of a column contradicts its name, the user is asked."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crmlib as crm
from crmlib.data.contracts import CONTRACTS, TRANSACTIONS
from crmlib.data.guessing.table import guess_table
from crmlib.errors import DataError
from tests.data.test_guess import columns, evidence, look
from tests.data.test_new_study import project, run  # noqa: F401

ITEMS = """Transaction_ID,Date,Customer_Name,Total_Items,Total_Cost
1,2024-01-05,Ann A,3,71.65
2,2024-01-06,Bob B,2,25.93
3,2024-03-07,Ann A,6,41.49
"""
ITEM_PRICE = """order-id,buyer-email,purchase-date,quantity-purchased,item-price
1,a@x.example,2024-01-05,3,30.00
2,b@x.example,2024-01-06,2,20.00
3,c@x.example,2024-01-07,1,10.00
"""
CENTS = "customer_id,date,amount_cents\nA,2024-01-05,1050\nB,2024-01-06,1999\n"


def asked(guess):
    return [one.entry for one in guess.undecided]


def log(header, rows, n=60):
    """A log of n rows: each row is that of `rows` at its place, by turns."""
    lines = [",".join(str(one(i) if callable(one) else one) for one in rows) for i in range(n)]
    return header + "\n" + "\n".join(lines) + "\n"


def who(i):
    return f"c{i % 7:03d}"


def day(i):
    return f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}"


def money(i):
    return f"{5 + (i * 37) % 90}.{i % 100:02d}"


# --- amounts ---


def test_a_count_of_pieces_is_no_amount(tmp_path):
    guess = look(tmp_path, ITEMS)
    assert asked(guess) == ["columns.amount"]
    assert "Total_Cost" in guess.undecided[0].answers
    named = look(tmp_path, ITEMS, **{"columns.amount": "Total_Cost"})
    assert not named.questions
    assert "cost" not in columns(named)
    assert "two customers of one name count as one" in evidence(named, "columns.customer_id")


def test_a_total_is_not_taken_for_the_price_of_one(tmp_path):
    guess = look(tmp_path, ITEM_PRICE)
    assert [(one.entry, one.answers) for one in guess.questions] == [
        ("columns.amount", ("item-price", "none"))
    ]
    assert "rises in proportion to 'quantity-purchased'" in guess.questions[0].text
    total = look(tmp_path, ITEM_PRICE, **{"columns.amount": "item-price"})
    assert not total.questions
    assert "unit_price" not in columns(total)
    priced = look(tmp_path, ITEM_PRICE, **{"columns.amount": "none"})
    assert not priced.questions
    assert "computed as 'quantity-purchased' times 'item-price'" in evidence(priced, "columns.unit_price")


@pytest.mark.parametrize("is_total", [True, False])
@pytest.mark.parametrize("with_product", [True, False])
def test_whether_a_price_is_a_total_is_seen_in_many_rows(tmp_path, is_total, with_product):
    prices = [2.5, 40, 7.25, 19.99, 3.1]
    price = lambda i: round(prices[i % 5] * (1 + i // 5 % 4 if is_total else 1), 2)  # noqa: E731
    text = log(
        "customer_id,date,product,quantity,price" if with_product else "customer_id,date,note,quantity,price",
        (who, day, lambda i: f"p{i % 5}", lambda i: 1 + i // 5 % 4, price),
        400,
    )
    assert asked(look(tmp_path, text)) == (["columns.amount"] if is_total else [])


def test_whole_numbers_beside_money_with_cents_may_count_pieces(tmp_path):
    text = log("customer_id,date,sales,price", (who, day, lambda i: 1 + i % 5, money))
    assert asked(look(tmp_path, text)) == ["columns.amount"]
    assert asked(look(tmp_path, text, **{"columns.amount": "sales"})) == []
    totals = log("customer_id,date,sales,price", (who, day, lambda i: 100 * (1 + i % 5), money))
    assert asked(look(tmp_path, totals)) == []


def test_a_cost_above_the_amount_is_doubted(tmp_path):
    text = log("customer_id,date,amount,cost", (who, day, money, lambda i: float(money(i)) * 2))
    guess = look(tmp_path, text)
    assert [(one.entry, one.answers) for one in guess.questions] == [("columns.cost", ("none", "cost"))]
    assert columns(look(tmp_path, text, **{"columns.cost": "none"}))["cost"] == "none"
    assert not look(tmp_path, text, **{"columns.cost": "cost"}).questions


@pytest.mark.parametrize(
    "names", [["total margin"], ["Total Tax", "average_order_value", "amount_percent", "order value rank"]]
)
def test_other_money_and_other_numbers_are_no_amount(tmp_path, names):
    text = log(f"customer_id,date,{','.join(names)}", (who, day, *[money] * len(names)))
    assert asked(look(tmp_path, text)) == ["columns.amount"]


# --- units ---


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("amount_cents", "cents"),
        ("Betrag (Cent)", "cents"),
        ("amountInPence", "cents"),
        ("revenue_k", "thousands"),
        ("Umsatz TEUR", "thousands"),
        ("amount_eur", None),
    ],
)
def test_a_unit_in_a_name_is_read(tmp_path, name, unit):
    guess = look(tmp_path, log(f"customer_id,date,{name}", (who, day, lambda i: 100 + i)))
    assert not guess.questions
    assert guess.values.get("amount_unit") == unit


def test_cents_with_decimals_are_asked_about(tmp_path):
    text = log("customer_id,date,amount_cents", (who, day, money))
    assert asked(look(tmp_path, text)) == ["amount_unit"]
    assert "amount_unit" not in look(tmp_path, text, amount_unit="whole").values
    assert look(tmp_path, text, amount_unit="cents").values["amount_unit"] == "cents"
    with pytest.raises(DataError, match="amount_unit is 'cent'; did you mean 'cents'"):
        look(tmp_path, text, amount_unit="cent")


def test_money_in_cents_is_divided_exactly(project):  # noqa: F811
    (project / "orders.csv").write_text(CENTS)
    assert run("new", "shop", "--transactions", "orders.csv", "--yes").exit_code == 0
    study = crm.open_study("shop")
    assert study.file.tables["transactions"].amount_unit == "cents"
    assert sorted(study.transactions.amount.to_pandas()) == [10.5, 19.99]
    assert "the source gives money in cents" in run("check", "shop").output


def test_one_column_in_cents_leaves_the_others(project):  # noqa: F811
    text = "customer_id,date,amount_cents,cost\nA,2024-01-05,1050,3.5\nB,2024-01-06,1999,4\n"
    (project / "orders.csv").write_text(text)
    assert run("new", "shop", "--transactions", "orders.csv", "--yes").exit_code == 0
    rows = crm.open_study("shop").transactions.select("amount", "cost").to_pandas()
    assert sorted(rows.to_numpy().tolist()) == [[10.5, 3.5], [19.99, 4.0]]


# --- customers ---


@pytest.mark.parametrize(
    ("name", "values", "size"),
    [
        ("customer_type", ["Member", "Normal"], 4),
        ("Customer Age", [34, 52, 41, 34], 4),
        ("Customer Age", [34, 52, 41, 34], 60),
        ("customer_city", ["Oslo", "Rome", "Bonn"], 60),
        ("Customer Category", ["Senior", "Teen"], 60),
        ("new_customer", ["yes", "no"], 4),
        ("City", ["Oslo", "Rome"], 60),
        ("Branch", ["A", "B", "C"], 4),
        ("Rating", [4, 5, 3], 60),
        ("user_session", ["s1", "s2", "s1"], 60),
    ],
)
def test_attributes_of_customers_are_no_ids(tmp_path, name, values, size):
    text = log(f"{name},date,amount", (lambda i: values[i % len(values)], day, money), size)
    assert asked(look(tmp_path, text)) == ["columns.customer_id"]


@pytest.mark.parametrize(
    "name", ["Loyalty Customer ID", "CustomerNo.", "Member", "Sold-to customer", "buyer"]
)
def test_an_id_with_a_longer_name_is_found_without_repeat_customers(tmp_path, name):
    text = log(f"{name},date,amount", (lambda i: f"c{i:03d}", day, money))
    guess = look(tmp_path, text)
    assert not guess.questions
    assert columns(guess)["customer_id"] == name


def test_a_column_with_two_values_is_no_id(tmp_path):
    text = log("Member,date,amount", (lambda i: ["yes", "no"][i % 2], day, money))
    assert asked(look(tmp_path, text)) == ["columns.customer_id"]


def test_an_id_per_order_beside_one_that_repeats_is_asked_about(tmp_path):
    text = log(
        "order_id,customer_id,customer_unique_id,customer_city,order_date,amount",
        (lambda i: f"o{i}", lambda i: f"x{i}", who, "Oslo", day, money),
    )
    guess = look(tmp_path, text)
    assert [(one.entry, one.answers) for one in guess.questions] == [
        ("columns.customer_id", ("customer_unique_id", "customer_id"))
    ]
    assert "never comes again in 60 orders" in guess.questions[0].text


def test_nested_columns_are_no_ids(tmp_path):
    nested = [{"id": who(i), "name": "x"} for i in range(9)]
    frame = pd.DataFrame({"customer": nested, "date": pd.to_datetime(["2024-01-05"] * 9), "amount": 2.5})
    frame.to_parquet(tmp_path / "log.parquet")
    assert asked(guess_table(TRANSACTIONS, tmp_path / "log.parquet")) == ["columns.customer_id"]
    (tmp_path / "study.yaml").write_text(
        "title: x\ntables:\n  transactions: {source: log.parquet, columns: {customer_id: customer}}\n"
    )
    with pytest.raises(DataError, match="columns.customer_id names 'customer', which has several values"):
        crm.open_study(tmp_path / "study.yaml").quality.rows  # noqa: B018


# --- signs, states, products, groups ---


@pytest.mark.parametrize(
    ("name", "sale", "back"),
    [
        ("type", "Sale", "Refund"),
        ("Dr/Cr", "DR", "CR"),
        ("Belegart", "Rechnung", "Gutschrift"),
        ("is_return", 0, 1),
        ("Returned", "No", "Yes"),
        ("Event Type", "Payment", "Refund"),
    ],
)
def test_a_column_that_decides_a_sign_is_asked_about(tmp_path, name, sale, back):
    text = log(f"customer_id,date,amount,{name}", (who, day, "10.50", lambda i: back if i % 6 == 5 else sale))
    (question,) = look(tmp_path, text).undecided
    assert question.entry == "policies.return_words"
    assert f"'{name}' holds {str(sale).lower()} (50 rows), {str(back).lower()} (10 rows)" in question.text


@pytest.mark.parametrize(
    ("name", "sale", "back"), [("Belegart", "Rechnung", "Gutschrift"), ("Dr/Cr", "DR", "CR")]
)
def test_the_answer_decides_the_sign(project, name, sale, back):  # noqa: F811
    text = log(f"customer_id,date,amount,{name}", (who, day, "10.50", lambda i: back if i % 6 == 5 else sale))
    (project / "orders.csv").write_text(text)
    made = run("new", "shop", "--transactions", "orders.csv", "--yes")
    assert made.exit_code == 2
    assert f"'{name}' holds {str(sale).lower()} (50 rows), {str(back).lower()} (10 rows)" in made.output
    answer = f"policies.return_words={str(back).lower()}"
    assert run("new", "shop", "--transactions", "orders.csv", "--yes", "--answer", answer).exit_code == 0
    assert crm.open_study("shop").quality.rows["amount"][1] == 40 * 10.5
    none = ("--answer", "policies.return_words=none", "--force")
    assert run("new", "shop", "--transactions", "orders.csv", "--yes", *none).exit_code == 0
    assert crm.open_study("shop").quality.rows["amount"][1] == 60 * 10.5


def test_a_sign_that_the_amounts_have_already_is_not_asked_about(tmp_path):
    text = log(
        "customer_id,date,amount,type",
        (who, day, lambda i: -9.5 if i % 6 == 5 else 10.5, lambda i: "refund" if i % 6 == 5 else "sale"),
    )
    assert not look(tmp_path, text).questions


def test_credit_and_debit_cards_do_not_mark_returns(tmp_path):
    text = log("customer_id,date,amount,card_type", (who, day, money, lambda i: ["credit", "debit"][i % 2]))
    assert not look(tmp_path, text).questions


def test_states_that_are_no_sale(project):  # noqa: F811
    states = [
        *("draft", "Payment error", "payment_error", "VOID", "abandoned", "Chargeback", "wc-checkout-draft"),
        *("Entwurf", "Erreur de paiement", "contracargo", "Cancelled by buyer", "Order failed: card"),
    ]
    text = log("customer_id,date,amount,status", (who, day, 10, lambda i: [*states, "paid"][i % 13]), 65)
    (project / "orders.csv").write_text(text)
    assert run("new", "shop", "--transactions", "orders.csv", "--yes").exit_code == 0
    rows = crm.open_study("shop").quality.rows.set_index("outcome")["rows"]
    assert (rows["used"], rows["cancelled or test order"]) == (5, 60)


def test_events_before_a_purchase_are_no_sales(tmp_path):
    events = ["view", "cart", "purchase"]
    text = log("user_id,event_time,event_type,total", (who, day, lambda i: events[i % 3], money))
    guess = look(tmp_path, text)
    assert columns(guess)["status"] == "event_type"
    assert "purchase (20) counted as sales" in evidence(guess, "policies.excluded_statuses")
    assert asked(look(tmp_path, text.replace("purchase", "watch"))) == ["columns.status"]


def test_the_state_of_a_person_is_not_that_of_an_order(tmp_path):
    text = log("customer_id,date,amount,Marital_Status", (who, day, money, "single"))
    assert "status" not in columns(look(tmp_path, text))


def test_returned_orders_with_positive_amounts_are_asked_about(tmp_path):
    text = log("customer_id,date,amount,status", (who, day, money, lambda i: ["paid", "Returned"][i % 2]))
    assert asked(look(tmp_path, text)) == ["policies.excluded_statuses"]
    longer = text.replace("Returned", "Shipped - Returned to Seller")
    assert asked(look(tmp_path, longer)) == ["policies.excluded_statuses"]
    aside = look(tmp_path, text, **{"policies.excluded_statuses": "set aside"})
    assert aside.values["policies.excluded_statuses"][-1] == "returned"
    assert not look(tmp_path, text, **{"policies.excluded_statuses": "keep"}).questions


def test_postage_that_stands_as_a_product_is_named_and_asked_about(project):  # noqa: F811
    codes = ["85123A", "22423", "POST", "M", "gift_0001_20"]
    text = log("customer_id,date,amount,StockCode", (who, day, 10, lambda i: codes[i % 5]))
    (project / "orders.csv").write_text(text)
    made = run("new", "kept", "--transactions", "orders.csv", "--yes")
    assert made.exit_code == 0
    assert "probably no product: gift_0001_20 (12 rows), m (12 rows), post (12 rows); assumed" in made.output
    assert crm.open_study("kept").quality.rows["rows"][1] == 60
    run("new", "shop", "--transactions", "orders.csv", answers="set aside\n")
    rows = crm.open_study("shop").quality.rows.set_index("outcome")["rows"]
    assert rows["no product (policies.excluded_products)"] == 36


def test_the_description_shows_that_a_code_is_no_product(tmp_path):
    text = log(
        "customer_id,date,amount,sku,description",
        (who, day, money, lambda i: f"x{i % 3}", lambda i: ["Shirt", "Shipping fee", "Hat"][i % 3]),
    )
    assert "x1 (20 rows)" in evidence(look(tmp_path, text), "policies.excluded_products")
    sizes = log("customer_id,date,amount,product", (who, day, money, lambda i: "sml"[i % 3]))
    assert not look(tmp_path, sizes).questions


def test_a_group_with_nearly_as_many_values_as_rows_is_none(project):  # noqa: F811
    groups = ["market", "channel", "category"]
    text = log(
        f"customer_id,date,amount,{','.join(groups)}", (who, day, money, *[lambda i: f"street {i}"] * 3), 400
    )
    (project / "orders.csv").write_text(text)
    (project / "data" / "shop").mkdir()
    entry = "title: x\ntables:\n  transactions: {source: ../../orders.csv}\n"
    (project / "data" / "shop" / "study.yaml").write_text(entry)
    assert not {*groups} & {*crm.open_study("shop").transactions.columns}
    checked = run("check", "shop").output
    assert all(f"{group}: '{group}' has nearly as many values as rows" in checked for group in groups)
    assert not {*groups} & {*columns(look(project, text))}


def test_a_computed_amount_says_so_everywhere(project):  # noqa: F811
    text = log(
        "customer_id,date,quantity,unit_price", (who, day, lambda i: 1 + i % 3, lambda i: money(i // 3 * 3))
    )
    (project / "orders.csv").write_text(text)
    made = run("new", "shop", "--transactions", "orders.csv", "--yes")
    words = "computed as 'quantity' times 'unit_price'"
    assert words in made.output
    assert words in " ".join((project / "data/shop/study.yaml").read_text().replace("#", "").split())
    assert words in run("check", "shop").output


# --- whatever else stands in the file ---

NOISE = {
    "customer_city": lambda i: ["Oslo", "Rome"][i % 2],
    "Customer Type": lambda i: ["A", "B"][i % 2],
    "customer_age": lambda i: 20 + i % 40,
    "Total Items": lambda i: 1 + i % 4,
    "number_of_orders": lambda i: i % 9,
    "gross margin percentage": lambda i: "4.76",
    "profit": lambda i: f"{i % 9}.55",
    "Ship Date": day,
    "Marital Status": lambda i: "single",
    "Postal Code": lambda i: 10000 + i,
    "payment method": lambda i: ["credit", "debit"][i % 2],
}
TRUE = {
    "customer_id": (["customer_id", "Kundennr", "Client ID", "buyer email"], who),
    "date": (["date", "Order Date", "Bestelldatum", "InvoiceDate"], day),
    "amount": (["amount", "Total", "Umsatz", "Net Sales", "Total_Cost", "belopp"], money),
}


@pytest.mark.thorough
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.tuples(*[st.sampled_from(names) for names, _values in TRUE.values()]),
    noise=st.sets(st.sampled_from(sorted(NOISE)), max_size=6),
    left_out=st.sampled_from(["", "", *TRUE]),
    order=st.randoms(use_true_random=False),
)
def test_a_guess_is_right_or_asks(tmp_path, names, noise, left_out, order):
    named = dict(zip(TRUE, names, strict=True))
    true = {named[one]: values for one, (_names, values) in TRUE.items() if one != left_out}
    parts = list((true | {one: NOISE[one] for one in noise}).items())
    order.shuffle(parts)
    text = log(",".join(name for name, _values in parts), [values for _name, values in parts])
    guess = look(tmp_path, text)
    for one in TRUE:
        right = one != left_out and columns(guess).get(one) == named[one]
        assert right or f"columns.{one}" in asked(guess), (one, columns(guess))


# --- ids that are lost, and columns that cannot be read ---

LOST = ["1.02E+12", "1,02E+12", "-1.5E+09", "#REF!", "#N/A", "#WERT!", "#####", "'1.02E+12'"]
WHOLE_IDS = ["1.02E+02", "13085.0", '=""0013""', "C+1", "1E5", "#1 Mum!", "k-7"]


@pytest.mark.thorough
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(LOST), max_size=60), st.lists(st.sampled_from(WHOLE_IDS), max_size=60))
def test_ids_are_asked_about_where_more_than_2_percent_are_lost(tmp_path, lost, whole):
    def one(i):
        ids = [*lost, *whole]
        return f'"{ids[i]}"' if i < len(ids) else who(i)

    text = log("customer_id,date,amount", [one, day, money], n=150)
    guess = look(tmp_path, text)
    assert asked(guess) == (["columns.customer_id"] if len(lost) > 0.02 * 150 else [])
    assert not look(tmp_path, text, **{"columns.customer_id": "customer_id"}).questions


def test_few_lost_ids_are_no_question(tmp_path):
    for few, entries in ((3, []), (4, ["columns.customer_id"])):
        ids = ["#REF!"] * few + [who(i) for i in range(few, 150)]
        assert (
            asked(look(tmp_path, log("customer_id,date,amount", [ids.__getitem__, day, money], 150)))
            == entries
        )


@pytest.mark.parametrize("lost", LOST)
def test_a_log_without_an_id_is_no_study(project, lost):  # noqa: F811
    (project / "log.csv").write_text(log("customer_id,date,amount", [f'"{lost}"', day, money], n=40))
    out = run("new", "shop", "--transactions", "log.csv", "--yes")
    assert out.exit_code == 2
    assert f"40 of 40 ids in 'customer_id' are lost, such as {lost!r}: " in out.output
    assert not (project / "data" / "shop").exists()


def test_lost_ids_of_another_table_are_asked_about(tmp_path):
    (tmp_path / "c.csv").write_text(log("customer_id,joined,city", ["1.02E+12", day, "Bern"]))
    assert "columns.customer_id" in asked(guess_table(CONTRACTS["customers"], tmp_path / "c.csv"))


@pytest.mark.parametrize(
    ("written", "cause"),
    [
        ("15.29L", "a word or unit beside the number"),
        ("1.5m", "a word or unit beside the number"),
        ("15.29 Cr", "CR or DR"),
        ("12 %", "a percentage"),
        ("3 x 4.50", "more than one number"),
    ],
)
def test_the_question_for_the_amount_says_why_its_column_is_none(tmp_path, written, cause):
    question = look(tmp_path, log("customer_id,date,amount", [who, day, written])).undecided[0]
    assert question.entry == "columns.amount"
    assert f"'amount': 60 values cannot be read, such as {written!r}: {cause}" in question.text


def test_the_question_for_the_date_says_why_its_column_is_none(tmp_path):
    named = log("customer_id,date,amount", [who, "Fri Apr 07 2023", money])
    question = look(tmp_path, named).undecided[0]
    assert question.entry == "columns.date"
    assert "'date': 60 of 60 dates cannot be read, such as 'Fri Apr 07 2023'" in question.text
    settled = look(tmp_path, named, **{"columns.date": "date", "date_format": ("%a %b %d %Y",)})
    assert not settled.questions
    born = look(tmp_path, named.replace("date", "birth date")).undecided[0]
    assert "'birth date': name or content speak against it" in born.text
    assert "2023" not in born.text
