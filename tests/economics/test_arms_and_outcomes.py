"""Experiments with several arms and outcomes, and what may not be said where the cost is not known."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.errors import CrmError, DataError

ARMS = ["Mens E-Mail", "No E-Mail", "Womens E-Mail"]
NAMED = {"outcome": ["visit", "conversion", "spend"], "control": "No E-Mail"}


@pytest.fixture(scope="module")
def mails():
    """Customers of an e-mail test in three groups: of 30,000, mail for men makes 3 % more visit, for women nobody."""
    random = np.random.default_rng(4)
    group = random.choice(ARMS, 30_000)
    visit = random.random(30_000) < 0.1 + 0.03 * (group == "Mens E-Mail")
    conversion = visit & (random.random(30_000) < 0.1)
    spend = conversion * random.gamma(2.0, 50.0, 30_000)
    frame = pd.DataFrame({"experiment": "e-mail", "group": group, "spend": spend})
    return frame.assign(visit=visit.astype(int), conversion=conversion.astype(int))


def test_every_arm_is_held_against_the_control_in_every_outcome(mails):
    read = crm.read_experiments(mails, **NAMED)
    assert read[["arm", "outcome"]].to_numpy().tolist() == [
        [arm, outcome] for arm in ("Mens E-Mail", "Womens E-Mail") for outcome in NAMED["outcome"]
    ]
    by = read.set_index(["arm", "outcome"])
    assert by.loc[("Mens E-Mail", "visit"), "verdict"] == "supported"
    assert (by.loc["Womens E-Mail", "verdict"] == "undecided").all()
    assert (read["p_holm"] >= read["p_value"]).all()
    sizes = mails["group"].value_counts()
    assert by.loc[("Mens E-Mail", "visit"), ["treated", "control"]].tolist() == [
        sizes["Mens E-Mail"],
        sizes["No E-Mail"],
    ]
    pair = mails[mails["group"] != "Womens E-Mail"]
    alone = pair.assign(group=np.where(pair["group"] == "No E-Mail", "control", "treated"))
    one = crm.read_experiments(alone, outcome="visit").iloc[0]
    assert one[["difference", "low", "high"]].tolist() == pytest.approx(
        by.loc[("Mens E-Mail", "visit"), ["difference", "low", "high"]].tolist()
    )
    chart = crm.charts.experiment_effects(read[read["outcome"] == "visit"], outcome="visits")
    assert "e-mail: Mens E-Mail" in chart.alt


def test_a_group_without_its_control_is_asked_for(mails):
    with pytest.raises(DataError, match=r"no group is 'control', but 'Mens E-Mail', 'No E-Mail', .*control="):
        crm.read_experiments(mails, outcome="visit")
    with pytest.raises(DataError, match="group is missing in 1 rows"):
        crm.read_experiments(mails.assign(group=mails["group"].where(mails.index > 0)), **NAMED)


def test_money_per_unit_is_given_by_outcome(mails):
    with pytest.raises(CrmError, match="give it by name, such as {'spend': 0.4}"):
        crm.read_experiments(mails, **NAMED, value_per_unit=0.4)
    with pytest.raises(CrmError, match="value_per_unit names 'spent'; did you mean 'spend'"):
        crm.read_experiments(mails, **NAMED, value_per_unit={"spent": 0.4})
    worth = crm.read_experiments(mails.assign(cost=0.01), **NAMED, value_per_unit={"visit": 5.0})
    pays = worth.set_index(["arm", "outcome"])["pays"]
    assert pays["Mens E-Mail", "visit"] == "supported"
    assert pays["Mens E-Mail", "spend"] == "cannot be tested"


@pytest.mark.parametrize("cost", ["no column", "one is missing"])
def test_without_a_cost_no_treatment_is_called_profitable(mails, cost):
    priced = mails if cost == "no column" else mails.assign(cost=np.where(mails.index == 0, np.nan, 0.01))
    priced = priced.assign(group=priced["group"].where(priced.index > 0, "Mens E-Mail"))
    row = crm.read_experiments(priced, outcome="visit", control="No E-Mail", value_per_unit=5.0).iloc[0]
    assert (row["verdict"], row["pays"]) == ("supported", "cannot be tested")
    assert np.isnan([row["cost_per_message"], row["value_per_message"], row["value_low"]]).all()
    assert "whether that pays cannot be tested: the cost of treatment is not known" in row["sentence"]
    free = crm.read_experiments(
        mails.assign(cost=0.0), outcome="visit", control="No E-Mail", value_per_unit=5.0
    ).iloc[0]
    assert free["pays"] == "supported"
    assert free["cost_per_message"] == 0


def test_arms_of_a_table_go_from_the_log_to_the_campaign():
    random = np.random.default_rng(0)
    people = [f"c{number}" for number in range(1500)]
    arms = pd.Series(random.permutation(["mail", "call", "none"] * 500), index=people)
    bought = random.random(1500) < 0.2 + 0.3 * (arms == "call").to_numpy()
    log = pd.DataFrame(
        {"customer_id": np.array(people)[bought], "date": pd.Timestamp("2024-03-05"), "amount": 10.0}
    )
    before = pd.DataFrame({"customer_id": people, "amount": random.gamma(2.0, 5.0, 1500)})
    log = pd.concat([log, before.assign(date=pd.Timestamp("2024-01-10"))], ignore_index=True)
    test = pd.DataFrame({"experiment": "spring", "customer_id": people, "group": arms.to_numpy()})
    test["assigned"] = pd.Timestamp("2024-03-01")
    known = {"as_of": "2024-06-30", "margin": 0.5, "control": "none", "days": 30}
    read = crm.read_experiments(crm.experiment_outcomes(log, test, **known), outcome="bought", control="none")
    assert read.set_index("arm")["verdict"].to_dict() == {"call": "supported", "mail": "undecided"}
    found = crm.campaign_from_experiment(log, test, **known)
    assert found.experiment == "spring: call"
    assert "give contact_cost" in found.to_contact.reason
    assert found.curve.empty
    priced = crm.campaign_from_experiment(log, test, **known, contact_cost=0.1)
    assert len(priced.to_contact) == 1500  # the call helps everybody, and five times its cost


def test_a_table_of_experiments_keeps_the_names_of_its_arms(tmp_path):
    folder = tmp_path / "data" / "shop"
    folder.mkdir(parents=True)
    (folder / "log.csv").write_text("customer_id,date,amount\n" + "c1,2024-01-05,9\nc2,2024-02-05,8\n" * 3)
    groups = ["Control", "Mens E-Mail", "TREATED", "Womens E-Mail"]
    rows = "".join(f"mail,c{number},2024-03-01,{group}\n" for number, group in enumerate(groups))
    (folder / "tests.csv").write_text("experiment,customer_id,assigned,group\n" + rows)
    (folder / "study.yaml").write_text(
        "title: Shop\nas_of: 2024-06-30\ntables:\n"
        "  transactions: {source: log.csv}\n  experiments: {source: tests.csv}\n"
    )
    study = crm.open_study(folder / "study.yaml")
    found = crm.experiment_outcomes(
        study.transactions, study.table("experiments"), days=30, as_of=study.as_of
    )
    assert found["group"].tolist() == ["control", "Mens E-Mail", "treated", "Womens E-Mail"]
