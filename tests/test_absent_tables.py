"""A table that a firm lacks is an empty one: it has its columns, measures nothing, and is never zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.profit.customer_profit import profit_days
from crmlib.customers.retention.contracts import contract_samples, contract_spells
from crmlib.customers.treatments.experiments import experiment_features
from crmlib.customers.treatments.loyalty import points_pressure
from crmlib.data.contracts import CONTRACTS
from crmlib.data.sources import empty_table, open_optional, open_table
from crmlib.economics.retention.spending_case import prospects_by_month
from crmlib.errors import CannotAnswerError, StudyError
from crmlib.no_rows import NoRows, no_rows, why_none

DAY = "2024-12-31"
OPTIONAL = [name for name in CONTRACTS if name != "transactions"]


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """Two years of 120 customers, each of whom buys at a pace of their own."""
    random = np.random.default_rng(8)
    days = pd.date_range("2023-01-01", DAY)
    pace = random.gamma(2.0, 3.0, 120)
    who = np.repeat(np.arange(120), random.poisson(pace) + 1)
    return pd.DataFrame(
        {"customer_id": [f"c{one}" for one in who], "date": random.choice(days, len(who)), "amount": 10.0}
    )


@pytest.fixture(scope="module")
def study() -> crm.Study:
    return crm.open_study("cdnow-sample")


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_absent_table_is_an_empty_one_of_its_contract(name: str) -> None:
    study = crm.open_study("cdnow-sample")
    table = study.table(name)
    kept = [column.name for column in CONTRACTS[name].columns if not column.personal]
    assert [column for column in table.columns if not column.startswith("has_")] == kept
    assert table.count().to_pyarrow().as_py() == 0
    assert not study.has(name)
    assert study.absent_tables == [name]


@pytest.mark.parametrize("name", OPTIONAL)
def test_it_has_the_types_of_a_table_that_is_there(name: str) -> None:
    """Of the simulated firm, which has nearly every table; the telephone company has the other one."""
    firm = crm.open_study("telco" if name == "customer_features" else "simulated-firm")
    there, absent = firm.table(name), empty_table(CONTRACTS[name])
    types = {column: absent.schema()[column] for column in there.columns if column in absent.columns}
    assert {column: there.schema()[column] for column in types} == types
    assert set(absent.columns) <= set(there.columns)


def test_personal_columns_are_as_the_study_has_them(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("customer_id,date,amount\na,2024-01-05,5\n")
    about = "title: A stall\npersonal_columns: keep\ntables: {transactions: {source: log.csv}}\n"
    (tmp_path / "study.yaml").write_text(about)
    assert {"birthday", "has_birthday"} <= set(
        crm.open_study(tmp_path / "study.yaml").table("customers").columns
    )
    assert "birthday" not in empty_table(CONTRACTS["customers"]).columns


def test_a_name_that_no_table_has_is_refused(study: crm.Study) -> None:
    with pytest.raises(StudyError, match="no table 'service_case'; did you mean 'service_cases'"):
        study.table("service_case")


def test_a_firm_without_a_log_has_an_empty_one() -> None:
    telco = crm.open_study("telco")
    assert telco.table("transactions").count().to_pyarrow().as_py() == 0
    with pytest.raises(StudyError, match="has no purchase log"):
        telco.transactions  # noqa: B018


def test_results_name_the_tables_that_were_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path))
    study = crm.open_study("cdnow-sample")
    results = study.results("02_base")
    for name in ("leads", "capacity", "leads", "transactions"):
        study.table(name)
    results.headline("A finding.")
    assert (
        '"absent_tables": [\n  "leads",\n  "capacity"\n ]' in (tmp_path / "metrics/02_base.json").read_text()
    )


PERIOD = {"start": "2024-01-01", "end": DAY}
COSTS = {"per_service_minute": 1.0, "per_contact": 2.0}
CALLS = {
    "customer_profit": (
        lambda log, t: crm.customer_profit(
            log, service_cases=t("service_cases"), touchpoints=t("touchpoints"), costs=COSTS, **PERIOD
        )
    ),
    "profit_basis": (
        lambda log, t: (
            crm.customer_profit(
                log, service_cases=t("service_cases"), touchpoints=t("touchpoints"), costs=COSTS, **PERIOD
            ).basis
        )
    ),
    "profit_days": (
        lambda log, t: profit_days(
            log, service_cases=t("service_cases"), touchpoints=t("touchpoints"), margin=0.4, **PERIOD
        )
    ),
    "tier_claims": (
        lambda log, t: crm.tier_claims(
            crm.value_tiers(crm.customer_profit(log, start="2023-01-01", end="2023-12-31")),
            log,
            customers=t("customers"),
            service_cases=t("service_cases"),
            capacity=t("capacity"),
            **PERIOD,
        )
    ),
    "month_review": lambda log, t: crm.month_review(log, as_of=DAY, budget=t("budget")),
    "buyers_case": lambda log, t: crm.buyers_case(log, as_of=DAY, marketing_spend=t("marketing_spend")).basis,
    "contract_spells": lambda _, t: contract_spells(t("subscriptions"), DAY),
    "contract_samples": lambda _, t: contract_samples(t("subscriptions"), as_of=DAY),
    "contract_retention": lambda _, t: crm.contract_retention(t("subscriptions"), as_of=DAY),
    "revenue_movements": lambda _, t: crm.revenue_movements(t("subscriptions"), as_of=DAY),
    "contracts_case": lambda _, t: crm.contracts_case(t("subscriptions"), as_of=DAY).basis,
    "prospects_by_month": lambda _, t: prospects_by_month(t("leads"), t("marketing_spend"), as_of=DAY),
    "spending_readout": (
        lambda log, t: (
            crm.spending_readout(
                crm.buyers_case(log, as_of=DAY),
                t("leads"),
                t("marketing_spend"),
                as_of=DAY,
            ).table
        )
    ),
    "experiment_outcomes": lambda log, t: crm.experiment_outcomes(log, t("experiments"), days=28, as_of=DAY),
    "read_experiments": (
        lambda log, t: crm.read_experiments(
            crm.experiment_outcomes(log, t("experiments"), days=28, as_of=DAY), outcome="profit"
        )
    ),
    "campaign_from_experiment": (
        lambda log, t: (
            crm.campaign_from_experiment(
                log, t("experiments"), customers=t("customers"), as_of=DAY, margin=0.4
            ).to_contact
        )
    ),
    "experiment_features": (
        lambda log, t: experiment_features(log, _experiment(log), experiment="x", customers=t("customers"))
    ),
    "programme_enrolments": lambda log, t: crm.programme_enrolments(log, t("loyalty_ledger"), as_of=DAY),
    "loyalty_uplift": lambda log, t: crm.loyalty_uplift(
        crm.programme_enrolments(log, t("loyalty_ledger"), as_of=DAY)
    ),
    "programme_liability": lambda _, t: crm.programme_liability(t("loyalty_ledger"), as_of=DAY),
    "referral_checks": lambda log, t: crm.Growth(log, DAY, t("customers")).referral_checks(),
    "plan_moves": lambda log, t: crm.Growth(log, DAY, subscriptions=t("subscriptions")).plan_moves(),
    "loyalty_account": lambda log, t: crm.Growth(
        log, DAY, loyalty_ledger=t("loyalty_ledger")
    ).loyalty_account(),
    "after_opinions": (
        lambda log, t: crm.Growth(
            log, DAY, surveys=t("surveys"), touchpoints=t("touchpoints")
        ).after_opinions()
    ),
    "themes": lambda log, t: crm.Growth(log, DAY, surveys=t("surveys")).themes(),
    "points_pressure": lambda log, t: points_pressure(log, t("loyalty_ledger"), as_of=DAY),
    "churn_data": lambda _, t: crm.leak_check(crm.churn_data(t("customer_features"))),
}
MEASURED = ("customer_profit", "profit_basis", "profit_days", "tier_claims", "month_review", "buyers_case")


def _experiment(log: pd.DataFrame) -> pd.DataFrame:
    people = pd.DataFrame({"customer_id": sorted(log["customer_id"].unique()), "experiment": "x"})
    return people.assign(group="control", assigned=pd.Timestamp("2024-06-01"))


@pytest.mark.parametrize("name", CALLS)
def test_none_and_an_empty_table_are_the_same_absence(name: str, log: pd.DataFrame, study: crm.Study) -> None:
    call = CALLS[name]
    answers = [
        call(log, table) for table in (lambda _: None, study.table, lambda one: study.table(one).to_pandas())
    ]
    for other in answers[1:]:
        pd.testing.assert_frame_equal(pd.DataFrame(answers[0]), pd.DataFrame(other))
        assert why_none(answers[0]) == why_none(other)
    assert bool(len(answers[0])) == (name in MEASURED or name == "experiment_features")
    if answers[0].empty:
        assert isinstance(answers[0], NoRows)
        assert answers[0].reason.startswith("no table ")
        assert len(answers[0].columns) >= 3
        assert repr(answers[0].tail(12).round(3)) == f"Not measured: {answers[0].reason}."


def test_what_is_not_measured_is_not_zero(log: pd.DataFrame, study: crm.Study) -> None:
    cases = study.table("service_cases")
    basis = crm.customer_profit(log, service_cases=cases, costs=COSTS, **PERIOD).basis.set_index("component")
    row = basis.loc["cost of service cases"]
    assert (row["basis"], row["source"]) == ("missing", "no table service_cases")
    case = crm.contracts_case(study.table("subscriptions"), as_of=DAY)
    assert np.isnan([case.retained, case.value_per_customer]).all()
    found = case.claim().finding
    assert found.verdict == "cannot be tested"
    assert found.sentence.endswith("Not measured: no table subscriptions.")
    assert not crm.Estimate.rows_of(no_rows(["customer_id"], "no table leads")).is_known
    assert crm.Estimate.rows_of(pd.DataFrame({"customer_id": []})).value == 0


def test_without_a_log_nobody_is_called_inactive() -> None:
    telco = crm.open_study("telco")
    log = telco.table("transactions")
    found = crm.compare_activity(log, as_of=telco.as_of, models=[crm.ParetoNBDModel()])
    assert found.reason == "no table transactions"
    assert np.isnan(found.best["auc"])
    summary = crm.rfm_summary(log, as_of=telco.as_of)
    model = found.fit_best(summary)
    late = crm.overdue_customers(summary, model)
    assert model is None
    assert late.by_frequency().empty
    assert crm.winnable_customers(summary, late, model, "26W").empty
    assert crm.purchase_regularity(log, as_of=telco.as_of).phases == 1


def test_a_model_of_contracts_that_are_not_there(study: crm.Study) -> None:
    data = crm.churn_data(study)
    leaks = crm.leak_check(data)
    tested = crm.evaluate_churn(data.without_leaks(leaks))
    importance = tested.permutation_importance()
    at_risk = crm.customers_at_risk(data, tested)
    campaign = crm.retention_campaign(tested.predictions, at_risk.customers)
    frames = [
        leaks,
        tested.scores,
        tested.measures,
        tested.deciles,
        importance,
        crm.churn_survival(data, importance),
    ]
    frames += [
        at_risk.customers,
        campaign.curve,
        campaign.measures,
        campaign.sensitivity,
        campaign.to_contact,
    ]
    assert {why_none(frame) for frame in frames} == {"no table customer_features, subscriptions"}
    verdict = tested.verdict()
    assert str(verdict) == "Not measured: no table customer_features, subscriptions."
    assert verdict.after("") == ""
    assert np.isnan(tested.model_scores["roc_auc"])


def test_a_chapter_without_any_answer_stops() -> None:
    crm.require_an_answer("no table subscriptions", "")
    with pytest.raises(CannotAnswerError, match="no table subscriptions; no table transactions"):
        crm.require_an_answer("no table subscriptions", "no table transactions")


def test_a_table_with_a_row_is_there() -> None:
    rows = pd.DataFrame({"date": [pd.Timestamp(DAY)], "amount": [1.0]})
    assert open_optional(rows) is not None
    assert open_optional(open_table(rows)) is not None
