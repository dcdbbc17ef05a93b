"""Coherence of the simulated firm's tables, over many seeds."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.special import chdtrc

from crmlib.data.contracts import CONTRACTS
from crmlib.simulation.simulate import simulate_firm

SEEDS = range(6)


@pytest.fixture(scope="module", params=SEEDS)
def firm(request):
    return simulate_firm(400, 3 if request.param % 2 else 2, random_state=request.param)


@pytest.fixture(scope="module")
def tables(firm):
    return firm.tables


def first_purchase(tables):
    return tables["transactions"].groupby("customer_id")["date"].min()


def test_tables_are_those_of_the_contracts_in_words_types_and_keys(firm, tables):
    kinds = {"text": "O", "id": "O", "date": "M", "number": "f", "money": "f", "flag": "b"}
    assert len(tables) == 16
    for name, frame in tables.items():
        contract = CONTRACTS[name]
        known = {column.name: column for column in contract.columns}
        assert set(frame.columns) <= set(known)
        for column in contract.columns:
            if column.required:
                unless = frame[column.unless].notna() if column.unless else False
                assert (frame[column.name].notna() | unless).all(), (name, column.name)
        for column, values in frame.items():
            wanted = known[column]
            assert values.dtype.kind == kinds[wanted.kind], (name, column)
            if wanted.words:
                assert set(values.dropna()) <= set(wanted.words), (name, column)
            if wanted.low is not None:
                assert not (values < wanted.low).any(), (name, column)
            if wanted.high is not None:
                assert not (values > wanted.high).any(), (name, column)
            if wanted.refers_to:
                table, key = wanted.refers_to.split(".")
                assert set(values.dropna()) <= set(tables[table][key]), (name, column)
        if contract.key:
            assert frame[contract.key].is_unique, name


def test_nothing_is_dated_after_the_last_day_but_what_is_due(firm, tables):
    last = pd.Timestamp(firm.as_of) + pd.Timedelta(1, "D")
    for name, frame in tables.items():
        for column in frame.select_dtypes("datetime").columns.difference(["promise_due"]):
            assert not (frame[column] >= last).any(), (name, column)


def test_a_referred_customer_has_a_referrer_who_was_buying(tables):
    customers, bought = tables["customers"], tables["transactions"]
    referred = customers[customers["referrer_id"].notna()]
    assert len(referred) > 10
    own = bought[~bought["returned"]].merge(referred, left_on="customer_id", right_on="referrer_id")
    since_a_purchase = (own["joined"] - own["date"]).dt.days
    own = own[since_a_purchase.between(0, 10_000)]
    assert set(own["customer_id_y"]) == set(referred["customer_id"])  # each bought before
    assert (referred["acquisition_channel"] == "referral").all()
    assert (referred["customer_id"] > referred["referrer_id"]).all()


def test_a_complaint_has_a_purchase_before_it_and_every_case_its_order(tables):
    cases = tables["service_cases"]
    orders = tables["transactions"].query("~returned").groupby("order_id")[["customer_id", "date"]].first()
    found = cases.join(orders, on="order_id", rsuffix="_of_order")
    assert (found["customer_id"] == found["customer_id_of_order"]).all()
    assert (found["opened"] >= found["date"]).all()
    assert (found["kind"] == "complaint").sum() > 20
    assert not (cases["first_reply"] < cases["opened"]).any()
    assert not (cases["closed"] < cases["first_reply"]).any()


def test_a_return_comes_after_its_purchase_and_undoes_it(tables):
    rows = tables["transactions"]
    back = rows[rows["returned"]].assign(line_id=lambda frame: frame["line_id"].str.removesuffix("R"))
    both = back.merge(rows[~rows["returned"]], on="line_id", suffixes=("_back", ""))
    assert len(both) == len(back) > 0
    assert (both["date_back"] >= both["date"]).all()
    assert (both["amount_back"] == -both["amount"]).all()
    assert (both["customer_id_back"] == both["customer_id"]).all()


def test_spend_by_channel_precedes_the_customers_it_brought(tables):
    leads, spend = tables["leads"], tables["marketing_spend"]
    leads = leads.assign(month=leads["created"].to_numpy().astype("datetime64[M]").astype(int))
    spend = spend.assign(month=spend["date"].to_numpy().astype("datetime64[M]").astype(int))
    keys = ["month", "channel", "market", "product_type"]
    assert (spend["date"].dt.day == 1).all()
    found = leads.merge(spend, on=keys, suffixes=("", "_spent"), how="left", validate="many_to_one")
    assert (found["date"] <= found["created"]).all()
    assert not (found["won_on"] < found["date"]).any()
    assert (spend.loc[spend["channel"] == "organic", "amount"] == 0).all()
    assert (spend.loc[~spend["channel"].isin(["organic", "referral"]), "amount"] > 0).all()


def test_leads_take_one_stage_after_the_other_and_are_won_by_the_first_purchase(tables):
    leads = tables["leads"]
    stages = ["created", "interested_on", "considered_on", "activated_on", "won_on"]
    for before, after in pairwise(stages):
        assert not (leads[after] < leads[before]).any()
        assert not (leads[after].notna() & leads[before].isna()).any()
    assert not (leads["lost_on"].notna() & leads["won_on"].notna()).any()
    won = leads.dropna(subset="won_on").set_index("customer_id")["won_on"]
    first = first_purchase(tables)
    assert (first.reindex(won.index) == won).all()
    joined = tables["customers"].set_index("customer_id")["joined"]
    ours = leads.dropna(subset="customer_id").set_index("customer_id")["activated_on"]
    assert (joined.reindex(ours.index) == ours).all()


def test_nobody_buys_before_joining(tables):
    joined = tables["customers"].set_index("customer_id")["joined"]
    first = first_purchase(tables)
    assert (joined.reindex(first.index) <= first).all()


def test_an_employee_works_between_the_first_and_the_last_day(tables):
    hours = tables["staff_hours"]
    assert not (hours["left_on"] < hours["date"]).any()
    month_end = hours["date"] + pd.offsets.MonthEnd(1)
    assert (hours["hired_on"] <= month_end).all()


def test_the_ledger_never_gives_away_points_that_nobody_has(tables):
    ledger = tables["loyalty_ledger"]
    assert (ledger.groupby("customer_id")["points"].cumsum() >= 0).all()
    assert ledger.groupby("customer_id")["kind"].first().eq("joined").all()
    bought = tables["transactions"].query("~returned").groupby(["customer_id", "date"]).size()
    moved = ledger[ledger["kind"].isin(["earned", "redeemed"])].groupby(["customer_id", "date"]).size()
    second = tables["customers"]["customer_id"][tables["customers"]["acquisition_channel"].isna()]
    main = moved[~moved.index.get_level_values(0).isin("C0" + second.str[2:])]
    assert main.index.isin(bought.index).all()


def test_a_contract_goes_from_price_to_price_without_a_gap(tables):
    rows = tables["subscriptions"].sort_values(["subscription_id", "start"])
    assert not (rows["end"] < rows["start"]).any()
    after = rows.groupby("subscription_id")["start"].shift(-1)
    assert ((after - rows["end"]).dropna() == pd.Timedelta(1, "D")).all()
    assert (rows["end_reason"].eq("changed") == after.notna()).all()
    assert (rows["end"].isna() == rows["end_reason"].isna()).all()
    both = set(rows["customer_id"]) & set(tables["transactions"]["customer_id"])
    assert len(both) > 10  # contracts stand beside free purchases


def pairs(rows, date):
    return set(zip(rows["customer_id"], rows[date], strict=True))


def test_contacts_of_the_treated_are_in_the_table_of_contacts(tables):
    trials = tables["experiments"]
    sent = tables["touchpoints"]
    for kind in ("reminder", "birthday", "newsletter"):
        treated = trials[(trials["kind"] == kind) & (trials["group"] == "treated")]
        control = trials[(trials["kind"] == kind) & (trials["group"] == "control")]
        got = pairs(sent[sent["kind"] == kind], "date")
        assert pairs(treated, "assigned") <= got
        assert not pairs(control, "assigned") & got
    refused = trials.dropna(subset="unsubscribed_on")["customer_id"]
    assert not tables["customers"].set_index("customer_id").loc[refused, "consent"].any()


def test_a_birthday_message_comes_on_the_birthday_of_who_agreed(tables):
    trials = tables["experiments"].query("kind == 'birthday'").merge(tables["customers"], on="customer_id")
    born, day = trials["birthday"].dt.dayofyear, trials["assigned"].dt.dayofyear
    assert ((born - day).abs() <= 1).all()


def test_two_ids_of_one_person_share_the_personal_columns(tables):
    customers = tables["customers"]
    second = customers[customers["customer_id"].str.startswith("C5")]
    main = customers.set_index("customer_id").loc["C0" + second["customer_id"].str[2:]]
    assert len(second) >= 2
    same = [(second[key].to_numpy() == main[key].to_numpy()) for key in ("email", "phone", "name")]
    assert (same[0] | same[1]).all()
    assert not same[2].all()  # typing errors


def test_assignment_is_random_and_balanced():
    """Groups of 25 firms: shares of the treated are binomial (one false alarm in 1,000)."""
    squares, degrees = 0.0, 0
    for seed in range(25):
        trials = simulate_firm(150, 1, random_state=seed).tables["experiments"]
        for _, group in trials.groupby("experiment")["group"]:
            if len(group) >= 20:
                squares += (2 * (group == "treated").sum() - len(group)) ** 2 / len(group)
                degrees += 1
    assert degrees > 50
    assert 0.0005 < chdtrc(degrees, squares) < 0.9995


def test_promises_are_made_and_mostly_kept():
    sent = pd.concat([simulate_firm(400, 3, random_state=seed).tables["touchpoints"] for seed in range(3)])
    given = sent[sent["kind"] == "promise"]
    due = given[given["promise_due"] <= "2025-12-31"]
    kept = (due["promise_kept_on"] <= due["promise_due"] + pd.Timedelta(1, "D")).mean()
    assert len(due) > 200
    assert abs(kept - 0.83) < 4 * np.sqrt(0.83 * 0.17 / len(due))


def test_every_comment_has_a_theme():
    answered = simulate_firm(400, 3, random_state=1).tables["surveys"]
    assert (answered["comment"].notna() == answered["theme"].notna()).all()
    assert answered["comment"].notna().sum() > 50
