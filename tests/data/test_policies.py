"""Each policy does what its entry says, and its count and money are those of the rows it concerns."""

import pandas as pd
import pytest

import crmlib as crm
from crmlib.errors import DataError

IDS = {"customer_id": "customer", "date": "day", "amount": "paid"}


def study(rows, columns="customer day paid", policies=None, **columns_of):
    frame = pd.DataFrame(rows, columns=columns.split(), dtype="object")
    return crm.open_study(frame, columns=IDS | columns_of, policies=policies or {}, currency="EUR")


def used(shop):
    return [round(amount, 2) for amount in shop.all_transactions.order_by("date").to_pandas()["amount"]]


def outcomes(shop):
    rows = shop.quality.rows
    assert rows["rows"][0] == rows["rows"][1:].sum()
    assert rows["amount"][0] == pytest.approx(rows["amount"][1:].sum(), abs=1e-9)
    return {one.outcome: (one.rows, round(one.amount, 2)) for one in rows[3:].itertuples()}


def concerned(shop, policy):
    one = shop.quality.policies.set_index("policy").loc[policy]
    return one["rows"], round(one["amount"], 2)


def purchases(shop):
    return shop.all_transactions.is_purchase.sum().to_pyarrow().as_py()


RETURNS = [
    ["a", "2024-01-01", 50],
    ["a", "2024-01-10", 50],
    ["a", "2024-02-01", -50],
    ["b", "2024-01-05", 30],
    ["b", "2024-02-05", -10],
]


def test_returns_are_matched_with_the_latest_earlier_purchase_of_the_amount():
    shop = study(RETURNS)
    rows = shop.all_transactions.order_by("customer_id", "date").to_pandas()
    assert rows["is_purchase"].tolist() == [True, True, False, True, False]
    assert rows["reversed_on"].astype(str).tolist() == [
        "NaT",
        "2024-02-01 00:00:00",
        "NaT",
        "NaT",
        "NaT",
    ] or (rows["reversed_on"].astype(str).str[:10].tolist() == ["NaT", "2024-02-01", "NaT", "NaT", "NaT"])
    assert rows["returned_purchase_date"].astype(str).str[:10].tolist() == [
        "NaT",
        "NaT",
        "2024-01-10",
        "NaT",
        "2024-01-05",
    ]
    assert concerned(shop, "returns") == (2, -60.0)
    assert concerned(shop, "returned in full") == (1, 50.0)


def test_a_return_never_reaches_back_before_a_cut_off():
    shop = study(RETURNS)
    from crmlib.customers.rfm.summary import rfm_summary

    before = rfm_summary(shop.all_transactions, as_of="2024-01-31", time_unit="D").set_index("customer_id")
    after = rfm_summary(shop.all_transactions, as_of="2024-02-28", time_unit="D").set_index("customer_id")
    assert before.loc["a", "frequency"] == 1
    assert after.loc["a", "frequency"] == 0


def test_returns_can_reduce_spend_only_or_be_left_out():
    reduced = study(RETURNS, policies={"returns": "reduce_spend"})
    assert concerned(reduced, "returned in full") == (0, 0.0)
    left_out = study(RETURNS, policies={"returns": "set_aside"})
    assert used(left_out) == [50, 30, 50]
    assert outcomes(left_out) == {"return (policy returns: set_aside)": (2, -60.0)}
    assert concerned(left_out, "returns") == (2, -60.0)


def test_a_mark_makes_a_positive_amount_a_return():
    rows = [["a", "2024-01-01", 50, ""], ["a", "2024-01-02", 50, "yes"], ["a", "2024-01-03", -5, "yes"]]
    shop = study(rows, "customer day paid back", returned="back")
    assert used(shop) == [50, -50, -5]
    assert concerned(shop, "returned (positive amounts made negative)") == (1, -50.0)


@pytest.mark.parametrize(("setting", "count"), [("purchase", 2), ("no_purchase", 1)])
def test_zero_amounts(setting, count):
    shop = study([["a", "2024-01-01", 0], ["a", "2024-01-02", 5]], policies={"zero_amounts": setting})
    assert purchases(shop) == count
    assert concerned(shop, "zero_amounts") == (1, 0.0)


@pytest.mark.parametrize(("unit", "count", "money"), [("H", 0, 0), ("D", 1, 3), ("W", 2, 7), ("M", 2, 7)])
def test_purchases_within_a_period_are_counted_as_merged(unit, count, money):
    rows = [
        ["a", "2024-01-01 08:00", 1],
        ["a", "2024-01-01 18:00", 2],
        ["a", "2024-01-03", 4],
        ["b", "2024-01-03", 8],
    ]
    shop = study(rows, policies={"purchases_merged_within": unit})
    assert concerned(shop, "purchases_merged_within") == (count, money)
    assert len(used(shop)) == 4


def test_guests():
    rows = [
        ["a", "2024-01-01", 1, "o1"],
        ["", "2024-01-02", 2, "o2"],
        ["", "2024-01-02", 4, "o2"],
        ["", "2024-01-03", 8, ""],
    ]
    shop = study(rows, "customer day paid order", order_id="order")
    assert outcomes(shop) == {"no customer id": (3, 14.0)}
    assert concerned(shop, "guests") == (3, 14.0)
    named = study(rows, "customer day paid order", {"guests": "one_customer_per_order"}, order_id="order")
    assert outcomes(named) == {"no customer id": (1, 8.0)}
    ids = named.all_transactions.customer_id.to_pandas()
    assert sorted(ids) == ["a", "guest of order o2", "guest of order o2"]
    assert concerned(named, "guests") == (3, 14.0)


def test_guests_by_order_need_an_order_id():
    shop = study([["", "2024-01-01", 1]], policies={"guests": "one_customer_per_order"})
    with pytest.raises(
        DataError, match="'one_customer_per_order', but there is no column order_id; name it under"
    ):
        _ = shop.cleaned.report("transactions")


def test_cancelled_and_test_orders():
    rows = [
        ["a", "2024-01-01", 1, "Paid", None],
        ["a", "2024-01-02", 2, "CANCELLED", None],
        ["a", "2024-01-03", 4, "wc-failed", None],
        ["a", "2024-01-04", 8, "paid", "2024-01-05"],
        ["a", "2024-01-05", 16, None, ""],
    ]
    shop = study(rows, "customer day paid state void", status="state", cancelled_at="void")
    assert used(shop) == [1, 16]
    assert outcomes(shop) == {"cancelled or test order": (3, 14.0)}
    assert concerned(shop, "excluded_statuses") == (2, 6.0)
    assert concerned(shop, "cancelled_at (filled)") == (1, 8.0)
    assert used(study(rows, "customer day paid state void", {"excluded_statuses": []}, status="state")) == [
        1,
        2,
        4,
        8,
        16,
    ]


def test_equal_rows_are_kept_and_counted_or_set_aside():
    rows = [["a", "2024-01-01", 5, "x"]] * 3 + [["a", "2024-01-01", 5, "y"]]
    kept = study(rows, "customer day paid note")
    assert used(kept) == [5, 5, 5, 5]
    assert concerned(kept, "equal_rows") == (2, 10.0)
    aside = study(rows, "customer day paid note", {"equal_rows": "set_aside"})
    assert outcomes(aside) == {"equal to an earlier row": (2, 10.0)}
    assert concerned(aside, "equal_rows") == (2, 10.0)


def test_a_repeated_line_id_is_set_aside_where_the_first_can_be_used():
    rows = [
        ["a", "2024-01-01", 1, "L1"],
        ["a", "2024-01-02", 2, "L1"],
        ["a", "never", 4, "L2"],
        ["a", "2024-01-04", 8, "L2"],
        ["a", "2024-01-05", 16, ""],
        ["a", "2024-01-06", 32, ""],
    ]
    shop = study(rows, "customer day paid line", line_id="line")
    assert used(shop) == [1, 8, 16, 32]
    assert outcomes(shop) == {"repeated line id": (1, 2.0), "unreadable date": (1, 4.0)}


def test_an_order_total_on_every_line_is_counted_once():
    rows = [
        ["a", "2024-01-01", 40, "o1"],
        ["a", "2024-01-01", 40, "o1"],
        ["", "", "", "o1"],
        ["b", "2024-01-02", 5, "o2"],
        ["b", "2024-01-02", 7, "o2"],
        ["c", "2024-01-03", 9, ""],
        ["c", "2024-01-03", 9, ""],
    ]
    by_line = study(rows, "customer day paid order", order_id="order")
    assert sum(used(by_line)) == 110
    shop = study(rows, "customer day paid order", {"amount_is": "order_total"}, order_id="order")
    assert used(shop) == [40, 5, 9, 9]
    assert outcomes(shop) == {
        "later line of an order, whose total is counted once": (2, 40.0),
        "later line of an order, with another total than its first": (1, 7.0),
    }
    without = study([r[:3] for r in rows[:1]], policies={"amount_is": "order_total"})
    with pytest.raises(DataError, match="is 'order_total', but there is no column order_id"):
        _ = without.cleaned.report("transactions")


def test_a_cancelled_order_is_not_revived_by_its_later_lines():
    rows = [
        ["a", "2024-01-01", 40, "o1", "cancelled"],
        ["a", "2024-01-01", 40, "o1", ""],
        ["b", "2024-01-02", 5, "o2", "paid"],
    ]
    shop = study(
        rows, "customer day paid order state", {"amount_is": "order_total"}, order_id="order", status="state"
    )
    assert used(shop) == [5]


def test_refunds_are_taken_off_and_a_purchase_refunded_in_full_is_none():
    rows = [
        ["a", "2024-01-01", 50, "50.00"],
        ["a", "2024-01-02", 50, 20],
        ["a", "2024-01-03", 50, ""],
        ["b", "2024-01-04", 10, 99],
    ]
    shop = study(rows, "customer day paid back", refunded="back")
    assert used(shop) == [0, 30, 50, 0]
    assert purchases(shop) == 2
    assert concerned(shop, "refunded (taken off the amount)") == (3, 80.0)
    assert concerned(shop, "refunded in full (no purchase; the amount before)") == (2, 60.0)
    assert concerned(shop, "zero_amounts") == (0, 0.0)


def test_tax_and_shipping_are_taken_off_where_the_study_says_so():
    rows = [
        ["a", "2024-01-01", 119, 19, 0, 0],
        ["a", "2024-01-02", 124, 19, 5, 62],
        ["a", "2024-01-03", -119, -19, 0, 0],
    ]
    columns = {"tax": "vat", "shipping": "post", "refunded": "back"}
    assert used(study(rows, "customer day paid vat post back", **columns)) == [119, 62, -119]
    policies = {"amount_includes": ["tax", "shipping"]}
    shop = study(rows, "customer day paid vat post back", policies, **columns)
    assert used(shop) == [100, 50, -100]
    assert concerned(shop, "amount_includes") == (3, 24.0)
    with pytest.raises(DataError, match="policies.amount_includes names 'tax', but there is no column 'tax'"):
        _ = study(rows[:1], "customer day paid vat post back", {"amount_includes": ["tax"]}).cleaned.report(
            "transactions"
        )


def test_the_amount_can_be_quantity_times_unit_price():
    frame = pd.DataFrame(
        {
            "id": ["a", "a", "b"],
            "day": ["2024-01-01", "2024-01-02", "2024-01-03"],
            "n": ["2", "-1", "x"],
            "price": ["9.95"] * 3,
        }
    )
    columns = {"customer_id": "id", "date": "day", "quantity": "n", "unit_price": "price"}
    shop = crm.open_study(frame, columns=columns)
    assert used(shop) == [19.9, -9.95]
    assert shop.quality.quarantine[["reason", "amount"]].to_numpy().tolist() == [
        ["unreadable amount", "x × 9.95"]
    ]


def test_another_currency_is_set_aside():
    rows = [["a", "2024-01-01", 1, "eur"], ["a", "2024-01-02", 2, "CHF"], ["a", "2024-01-03", 4, None]]
    shop = crm.open_study(
        pd.DataFrame(rows, columns="customer day paid code".split(), dtype="object"),
        columns=IDS | {"currency": "code"},
        currency="EUR",
    )
    assert used(shop) == [1, 4]
    assert outcomes(shop) == {"other currency": (1, 2.0)}


def test_cancelled_and_failed_orders_in_other_languages():
    words = (
        "Storniert STORNO annulliert Abgebrochen Fehlgeschlagen Annulé ANNULÉE annule échoué Cancelado cancelada "
        "Anulado fallido Annullato geannuleerd mislukt falhou"
    ).split()
    rows = [
        ["a", "2024-01-02", place, word] for place, word in enumerate(words, 2)
    ]  # whose amount shows the word
    shop = study([["a", "2024-01-01", 1, "Bezahlt"], *rows], "customer day paid state", status="state")
    assert used(shop) == [1]
    assert outcomes(shop) == {"cancelled or test order": (len(words), sum(range(2, len(words) + 2)))}


def test_every_state_is_listed_as_sale_or_not_and_rare_ones_are_summed_up():
    words = ["paid"] * 30 + ["Storniert"] * 20 + [""] * 15
    words += [word for word in "abcdefgh" for _ in range(3)]  # which makes eleven states
    words += ["cancelled", "i", "i"]
    rows = [["a", "2024-01-01", 1, word] for word in words]
    states = study(rows, "customer day paid state", status="state").quality.states
    assert states.to_numpy().tolist()[:4] == [
        ["paid", 30, "counted as sales"],
        ["storniert", 20, "set aside"],
        ["(none)", 15, "counted as sales"],
        ["a", 3, "counted as sales"],
    ]
    assert states.to_numpy().tolist()[10:] == [
        ["(2 others)", 5, "counted as sales"],
        ["(1 other)", 1, "set aside"],
    ]
    assert states["rows"].sum() == len(rows)


def test_a_log_without_a_status_has_no_states():
    assert study([["a", "2024-01-01", 1]]).quality.states.empty


@pytest.mark.parametrize("word", ["Gast", "GUEST", "Invité", "Invitado", "ospite", "Anonymous", "Unbekannt"])
def test_a_word_for_guests_is_no_customer(word):
    shop = study([["a", "2024-01-01", 1], [word, "2024-01-02", 2]])
    assert used(shop) == [1]
    assert concerned(shop, "guests") == (1, 2.0)
