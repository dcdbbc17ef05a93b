"""What a churn score earns: by hand, and for those who really left."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.errors import DataError
from crmlib.findings import Verdict

HELD_OUT = pd.DataFrame(
    {
        "churned": [True, False, True, False],
        "p_churn": [0.8, 0.5, 0.4, 0.01],
        "p_tenure": [0.3, 0.4, 0.2, 0.5],
    }
)
TO_SAVE = pd.DataFrame({"customer_id": ["a", "b", "c"], "p_churn": [0.9, 0.5, 0.01]})


def test_profit_is_that_of_those_who_left():
    """Who leaves brings 0.3 × 200 − 0.3 × 10 − 1 = 56, who would have stayed costs 11."""
    found = crm.retention_campaign(HELD_OUT, TO_SAVE)
    curve = found.curve[found.curve["ranking"] == "churn model"]
    assert curve["profit"].tolist() == pytest.approx([0, 56, 45, 101, 90])
    tenure = found.curve[found.curve["ranking"] == "tenure alone"]
    assert tenure["profit"].tolist() == pytest.approx([0, -11, -22, 34, 90])
    assert found.measures.set_index("ranking").loc["churn model", "best_share"] == 0.75
    # beside the best, 101 at 75 %: the list of everybody costs one contact of 11 more, that of 25 % lacks −11 and 56
    first = curve["behind_error"].to_numpy()
    assert first[4] == pytest.approx(np.sqrt(121 - 121 / 4))
    assert first[1] == pytest.approx(np.sqrt(121 + 56**2 - 45**2 / 4))
    assert found.sentence == (
        "Churn model: contacting 25 % to 75 % of customers earns most, within chance: 101; tenure alone: at "
        "most 90.00 (difference −7.67 to 29.67: may be chance) (customers of the test; assumed: value 200, "
        "success 30 %, offer 10.00, contact 1.00)"
    )


def test_the_title_says_that_value_and_costs_are_assumed():
    assert (
        crm.retention_campaign(HELD_OUT, TO_SAVE).curve.attrs["finding"].endswith("(value and costs assumed)")
    )


def test_the_list_holds_those_who_pay_the_best_first():
    found = crm.retention_campaign(HELD_OUT, TO_SAVE)
    assert found.to_contact["customer_id"].tolist() == ["a", "b"]
    expected = [0.9 * 60 - (1 + 10 * (0.1 + 0.27)), 0.5 * 60 - (1 + 10 * (0.5 + 0.15))]
    assert found.to_contact["profit"].tolist() == pytest.approx(expected)
    assert crm.retention_campaign(HELD_OUT, TO_SAVE, budget=5.0).to_contact["customer_id"].tolist() == ["a"]


def test_wrong_assumptions_move_the_choice():
    found = crm.retention_campaign(HELD_OUT, TO_SAVE).sensitivity.set_index("assumption")
    assert found.loc["success rate", "half"] <= found.loc["success rate", "once_more"]
    assert found.loc["offer cost", "half"] >= found.loc["offer cost", "once_more"]
    # the planned list is the first three; at half the success two of them leave: 2 × (30 − 1.5 − 1) − 11
    assert found.loc["success rate", "list_half"] == pytest.approx((2 * 27.5 - 11) / 4)


def test_nobody_and_nothing():
    nobody = crm.retention_campaign(HELD_OUT.head(0), TO_SAVE.head(0))
    assert nobody.curve.empty
    assert nobody.to_contact.empty
    assert nobody.sentence == "Not measured: there is no row."
    assert crm.retention_campaign(HELD_OUT, TO_SAVE, value=5.0).sentence.startswith(
        "No contact is profitable"
    )
    refused = Verdict("churn model", "do not use", ("why",))
    unused = crm.retention_campaign(HELD_OUT, TO_SAVE, verdict=refused)
    assert "not to be used" in unused.sentence
    assert unused.to_contact.empty
    assert unused.curve.empty
    with pytest.raises(DataError, match="held_out has no column 'churned'"):
        crm.retention_campaign(TO_SAVE, TO_SAVE)


def test_the_difference_of_two_rankings_is_paired():
    """Where both rankings choose the same customers there is no difference; where one is right, it is beyond chance."""
    random = np.random.default_rng(1)
    left = random.random(4000) < 0.2
    right, wrong = np.where(left, 0.9, 0.05), random.random(4000)
    people = pd.DataFrame({"churned": left, "p_churn": right, "p_tenure": right})
    assert crm.retention_campaign(people, TO_SAVE).curve.attrs["lead"] == (0.0, 0.0)
    low, high = crm.retention_campaign(people.assign(p_tenure=wrong), TO_SAVE).curve.attrs["lead"]
    assert 0 < low < high
    low, high = crm.retention_campaign(people.assign(p_churn=wrong), TO_SAVE).curve.attrs["lead"]
    assert low < high < 0
