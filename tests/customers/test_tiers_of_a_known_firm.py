"""On the simulated firm, whose truth is known: tiers are recovered as well as the noise allows."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.tiers.chances import another_period, chances_of
from crmlib.customers.tiers.pyramid import TIERS
from crmlib.simulation.simulate import simulate_firm

YEAR = {"start": "2025-01-01", "end": "2025-12-31"}


def tables_and_truth(simulated, study):
    names = ("service_cases", "touchpoints")
    tables = {name: simulated.tables[name] for name in names}
    return (
        simulated.tables["transactions"],
        simulated.truth["customers"],
        {**YEAR, **tables, "costs": study.costs},
    )


@pytest.fixture(scope="module")
def firm():
    study = crm.open_study("simulated-firm")
    settings = study.file.simulation
    truth = simulate_firm(settings.n_customers, settings.years, random_state=settings.random_state).truth
    tables = {name: study.table(name) for name in ("service_cases", "touchpoints")}
    return study, truth["customers"], {**YEAR, **tables, "costs": study.costs}


def recovered(transactions, truth, known):
    """Tiers of those who were customers all year, expected and true: a part of a year's profit is not what it shows."""
    profit = crm.customer_profit(transactions, **known)
    there = profit.merge(truth[truth["alive"]], on="customer_id")
    mine = profit["customer_id"].isin(there.loc[there["exposure_days"] == 365, "customer_id"]).to_numpy()
    true = (
        there.set_index("customer_id")
        .loc[profit["customer_id"][mine], "profit_per_year"]
        .reset_index(drop=True)
    )
    again = another_period(transactions, profit, **known)[1].at(np.flatnonzero(mine))
    values = pd.DataFrame(profit[mine]).reset_index(drop=True)
    chances = chances_of(values, again)
    right = crm.value_tiers(pd.DataFrame({"profit": true}))["tier"].astype(str)
    hits, best = ((right == chances[name].astype(str)).mean() for name in ("tier", "most_likely"))
    assert mine.sum() > 800
    assert best > hits
    error = (chances["shrunk"] - true).pow(2).mean()
    assert error < 0.8 * (values["profit"] - true).pow(2).mean()
    assert chances[list(TIERS)].mean().round(1).tolist() == pytest.approx([0.1, 0.7, 0.1, 0.0], abs=0.11)
    return chances.expected_hits - hits, chances.ceiling - best


@pytest.mark.thorough
def test_true_tiers_are_recovered_at_the_rate_that_the_noise_allows(firm):
    """The mean of two firms: of 1,000 customers of one a share is known to within .025."""
    study, truth, known = firm
    other = tables_and_truth(simulate_firm(5000, 3, random_state=1), study)
    hits, ceiling = np.mean([recovered(study.transactions, truth, known), recovered(*other)], axis=0)
    # What is beyond chance is the noise's shape, which is no bell.
    assert abs(hits) < 0.08
    assert abs(ceiling) < 0.06


def test_lead_does_what_the_firm_was_made_to_do(firm):
    """Demanding customers cost more than they bring, whoever is called Lead by half a year's figures."""
    study, truth, known = firm
    half = known | {"end": "2025-06-30"}
    profit = crm.customer_profit(study.transactions, **half)
    tiers = crm.value_tiers(profit)
    lead = truth[truth["customer_id"].isin(tiers.loc[tiers["tier"] == "Lead", "customer_id"])]
    assert lead["demanding"].mean() > 1.5 * truth["demanding"].mean()
    claims = crm.tier_claims(
        tiers, study.transactions, start="2025-07-01", end="2025-12-31", customers=study.table("customers"),
        service_cases=study.table("service_cases"),
    ).set_index("measure")  # fmt: skip
    for measure in ("minutes_beyond", "complaints", "purchases", "active"):
        assert claims.loc[measure, "verdict"] == "supported", measure


def test_money_of_the_pyramid_is_the_firm_s(firm):
    study, _truth, known = firm
    profit = crm.customer_profit(study.transactions, **known)
    basis = profit.basis.set_index("component")["money"]
    assert profit["profit"].sum() == pytest.approx(basis.drop("discounts (already off)").sum())
    cases = study.table("service_cases")
    cases = cases.filter(cases.opened >= pd.Timestamp("2025-01-01")).to_pandas()
    known_ids = set(profit["customer_id"]) | set(profit.left_out["customer_id"])
    assert set(cases["customer_id"]) <= known_ids
    spent = (cases["minutes"] * study.costs.per_service_minute + cases["cost"].fillna(0)).sum()
    left_out = profit.left_out.query("table == 'service_cases'")["money"].sum()
    assert profit["cost_of_cases"].sum() + left_out == pytest.approx(spent)
    tiers = crm.value_tiers(profit)
    assert np.isclose(tiers.table()["profit"].sum(), profit["profit"].sum())
