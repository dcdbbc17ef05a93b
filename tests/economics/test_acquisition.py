"""What it costs to win a customer: by hand, on the simulated firm, and at the edges of what tables can hold."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.economics.acquisition.closing import closing
from crmlib.economics.acquisition.costs import roi_per_lead
from crmlib.economics.acquisition.ratios import ratio
from crmlib.economics.acquisition.values import UnitEconomics
from crmlib.economics.acquisition.work import seasonal_trend
from crmlib.errors import CrmError, DataError

DAY = "2024-12-31"


def days(*texts):
    return pd.to_datetime([*texts])


def leads_of(n, won, channel="search", created="2024-06-01", after=10):
    """So many prospects of a day, of whom the first are won after so many days and the others lost."""
    came = pd.Timestamp(created)
    later = came + pd.Timedelta(after, "D")
    return pd.DataFrame(
        {
            "lead_id": [f"{channel}{created}{one}" for one in range(n)],
            "created": came,
            "channel": channel,
            "interested_on": [came if one < 10 * won else pd.NaT for one in range(n)],
            "won_on": [later if one < won else pd.NaT for one in range(n)],
            "lost_on": [pd.NaT if one < won else later for one in range(n)],
            "customer_id": [f"{channel}{created}c{one}" if one < won else None for one in range(n)],
        }
    )


def log_of(leads, amount=100.0):
    won = leads.dropna(subset=["won_on"])
    return pd.DataFrame({"customer_id": won["customer_id"], "date": won["won_on"], "amount": amount})


def spend_of(amount, channel="search", date="2024-06-01", **more):
    """So much on a day, and nothing on a day long before it."""
    spent = pd.DataFrame({"date": days(date), "channel": channel, "amount": [float(amount)], **more})
    nothing = pd.DataFrame({"date": days("2023-06-01"), "channel": channel, "amount": [0.0]})
    return pd.concat([nothing, spent], ignore_index=True)


def firm_of(leads, spend, log=None, **options):
    log = log_of(leads) if log is None else log
    return crm.Acquisition(log, DAY, leads=leads, marketing_spend=spend, margin=0.5, **options)


# -- worked numbers


def test_cpm_cpc_cpl_and_cac_of_the_worked_example():
    """2,000; 500,000 impressions; 4,000 clicks; 200 leads; 5 % close: CPM 4, CPC .50, CPL 10, CAC 200."""
    leads = leads_of(200, 10)
    spend = spend_of(2000, impressions=500_000.0, clicks=4_000.0)
    firm = firm_of(leads, spend)
    row = firm.unit_costs().set_index("channel").loc["search"]
    assert [row["cpm"], row["cpc"], row["cpl"]] == pytest.approx([4, 0.5, 10])
    assert row["cpa"] == pytest.approx(20)  # 100 trials: an action is no click
    assert row["close_rate"] == pytest.approx(0.05)
    assert firm.cost_per_customer().set_index("channel").loc["search", "cac_spend"] == pytest.approx(200)


def test_the_funnel_of_blank_and_dorf():
    """10,000 clicks at .50 are 5,000; 5 % try it: 500; 10 % of those pay: 50; a customer costs 100."""
    leads = leads_of(500, 50)
    firm = firm_of(leads, spend_of(5000, clicks=10_000.0))
    row = firm.funnel().iloc[0]
    assert [row["clicks"], row["interested"], row["won"]] == [10_000, 500, 50]
    assert firm.cost_per_customer()["cac"].iloc[0] == pytest.approx(100)


def test_roi_per_lead_of_the_worked_example():
    assert float(roi_per_lead(0.05, 400.0, 10.0)) == pytest.approx(1.0)
    assert np.isnan(roi_per_lead(0.05, 400.0, 0.0))


def test_the_targets_of_the_worked_example_conflict():
    firm = UnitEconomics.of_contract(price_per_month=100, margin=0.8, churn_per_month=0.02, cac=1200)
    assert (firm.ltv, firm.payback) == pytest.approx((4000, 15))
    assert firm.ratio == pytest.approx(10 / 3)
    months = np.arange(1, 40)  # what a cohort has paid by the end of each month
    paid = 80 * np.cumsum(0.98 ** (months - 1))
    assert paid[int(np.floor(firm.adjusted)) - 1] < 1200 < paid[int(np.ceil(firm.adjusted)) - 1]
    assert firm.verdicts == ("met", "not met")
    assert "conflict" in firm.conflict
    cheap = UnitEconomics.of_contract(price_per_month=100, margin=0.8, churn_per_month=0.02, cac=100)
    assert cheap.conflict == ""
    dear = UnitEconomics.of_contract(price_per_month=100, margin=0.8, churn_per_month=0.02, cac=5000)
    assert dear.adjusted == np.inf  # more than a customer ever brings


# -- open prospects


def test_open_prospects_are_censored_and_lost_ones_compete():
    rows = [("won", 1), ("won", 3), ("lost", 2), ("open", 2), ("open", 5), ("won", 5)]
    counts = pd.DataFrame(rows, columns=["event", "days"]).assign(leads=1, month="m", week=[0, 1, 2, 3, 4, 5])
    won = closing(counts).won
    left, share = 1.0, 0.0
    for day in range(6):  # one prospect after another, by hand
        there = sum(at >= day for _, at in rows)
        here = [event for event, at in rows if at == day]
        share += left * here.count("won") / there
        left *= 1 - (here.count("won") + here.count("lost")) / there
        assert won[day] == pytest.approx(share)


def test_counting_open_prospects_as_lost_would_be_too_low():
    """Half are won, after 0 to 200 days; a prospect came on each day of the last year."""
    random = np.random.default_rng(5)
    came = pd.Timestamp(DAY) - pd.to_timedelta(random.integers(0, 365, 8000), unit="D")
    due = came + pd.to_timedelta(random.integers(0, 200, 8000), unit="D")
    won = random.random(8000) < 0.5
    ids = np.arange(8000).astype(str)
    leads = pd.DataFrame(
        {"lead_id": ids, "created": came, "channel": "x", "customer_id": np.where(won, ids, None)}
    )
    leads["won_on"], leads["lost_on"] = due.where(won), due.where(~won)
    row = firm_of(leads, spend_of(1), log_of(leads), close_days=200).funnel().iloc[0]
    assert row["close_rate_low"] < 0.5 < row["close_rate_high"]
    assert row["won"] / row["leads"] < 0.4  # the naive share
    assert row["open"] > 2000


# -- intervals


def test_intervals_by_days_cover_where_clicks_of_a_day_are_alike():
    random, hits, wilson_hits = np.random.default_rng(1), 0, 0
    from crmlib.statistics import wilson_interval

    for _ in range(300):
        shown = np.full(60, 2000)
        clicks = random.binomial(shown, random.beta(4, 196, 60))
        _, low, high = ratio(clicks, shown)
        hits += low < 0.02 < high
        low, high = wilson_interval(clicks.sum(), shown.sum())
        wilson_hits += low < 0.02 < high
    assert 0.91 < hits / 300 < 0.985
    assert wilson_hits / 300 < 0.6


# -- costs


def test_spend_meets_its_customers_by_the_time_to_close():
    """30 days from prospect to purchase: the money of March is that of April's customers."""
    months = pd.date_range("2024-01-01", "2024-12-01", freq="MS")
    leads = pd.concat(
        [leads_of(10 * (one + 1), one + 1, created=f"{m:%Y-%m}-05", after=30) for one, m in enumerate(months)]
    )
    spend = pd.concat([spend_of(100 * (one + 1), date=str(m.date())) for one, m in enumerate(months)])
    spend["date"] += pd.Timedelta(4, "D")  # a day of the month, so it is not spread over it
    firm = firm_of(leads, spend.reset_index(drop=True))
    row = firm.cost_per_customer().iloc[0]
    assert row["lag_days"] == 30
    assert row["cac_spend"] == pytest.approx(100, rel=0.1)


def test_the_cost_is_fully_loaded_and_its_parts_add_up():
    leads = leads_of(100, 10).assign(hours=0.5)
    staff = pd.DataFrame(
        {
            "employee_id": "e",
            "date": days("2024-06-01"),
            "activity": ["selling"],
            "hours": 50.0,
            "cost": 900.0,
        }
    )
    staff = pd.concat([staff, staff.assign(activity="service", cost=7000.0)])
    firm = firm_of(leads, spend_of(100, component="inbound"), staff_hours=staff)
    row = firm.cost_per_customer().iloc[0]
    assert row["cac"] == pytest.approx(100)
    assert row["cac_spend"] == pytest.approx(10)
    parts = firm.cost_parts().set_index("part")
    assert parts["per_customer"].sum() == pytest.approx(100)
    assert parts.loc["wages of selling", "amount"] == pytest.approx(900)


def test_blended_and_paid_are_apart():
    leads = pd.concat([leads_of(20, 10), leads_of(40, 30, channel="organic")])
    table = firm_of(leads, spend_of(400)).cost_per_customer().set_index("channel")
    assert table.loc["all channels", "cac"] == pytest.approx(10)
    assert table.loc["paid channels", "cac"] == pytest.approx(40)
    assert table.loc["organic", "cac"] == 0
    assert "zero" in table.loc["organic", "remark"]


# -- value by age


def test_value_by_age_by_brute_force():
    firm = crm.open_study("simulated-firm")
    found = crm.Acquisition(
        firm.transactions, firm.as_of, leads=firm.table("leads"), marketing_spend=firm.table("marketing_spend"),
        customers=firm.table("customers"),
    ).value_by_age(by="cohort")  # fmt: skip
    log = firm.transactions.to_pandas()
    born = (
        log[log["is_purchase"] & log["reversed_on"].isna()]
        .groupby("customer_id")["date"]
        .min()
        .dt.normalize()
    )
    log["on"] = (
        log["date"]
        .where(log["is_purchase"], log["returned_purchase_date"])
        .fillna(log["date"])
        .dt.normalize()
    )
    log = log.join(born.rename("born"), on="customer_id").dropna(subset=["born"])
    people = born[born.dt.to_period("Q") == "2024Q1"]
    for age in (0, 30, 360):
        rows = log[log["customer_id"].isin(people.index) & ((log["on"] - log["born"]).dt.days <= age)]
        here = found[(found["cohort"] == "2024-01-01") & (found["age"] == age)].iloc[0]
        assert here["complete"]
        assert here["brought"] == pytest.approx((rows["amount"] - rows["cost"]).sum() / len(people))


def test_young_cohorts_are_partial_and_what_nobody_lived_is_not_known():
    old, young = leads_of(20, 10), leads_of(20, 10, created="2024-12-01")
    leads = pd.concat([old, young])
    table = firm_of(leads, spend_of(100)).value_by_age()
    table = table.query("channel == 'search' and age in [0, 30, 180, 720]")
    assert table["complete"].tolist() == [True, False, False, False]
    assert table["basis"].str.extract(r"(\d+) customers")[0].fillna("").tolist() == ["", "10", "10", "0"]
    assert np.isnan(table["brought"].iloc[-1])


def test_payback_is_read_off_what_customers_brought():
    """50 on the first day and 50 after 60 days each: 75 is earned back half way through the second month."""
    leads = leads_of(20, 10, created="2024-01-01", after=0)
    log = log_of(leads)
    log = pd.concat([log, log.assign(date=log["date"] + pd.Timedelta(60, "D"))])
    row = firm_of(leads, spend_of(750, date="2024-01-01"), log).targets().iloc[0]
    assert row["ltv"] == pytest.approx(100)
    assert row["ratio"] == pytest.approx(100 / 75)
    assert row["adjusted"] == pytest.approx(45 / (365.25 / 12))
    assert row["payback"] == pytest.approx(75 / (100 / 90) / (365.25 / 12))


# -- the simulated firm: on, off and reversed


def simulated(effects, n=4000):
    made = crm.simulate_firm(n, 3, random_state=11, effects=effects)
    tables = {name: made.tables[name] for name in ("leads", "marketing_spend", "customers", "staff_hours")}
    return made, crm.Acquisition(
        made.tables["transactions"],
        "2025-12-31",
        **tables,
    )


def test_channels_rank_by_value_as_their_quality_does():
    made, firm = simulated({}, 8000)
    year = firm.value_by_age().query("age == 360").set_index("channel")
    truth = made.truth["channels"].set_index("channel")["value_at_joining"]
    both = pd.concat([year, truth], axis=1, join="inner")
    error = (both["brought_high"] - both["brought_low"]) / 3.92
    again = [both["brought"] + np.random.default_rng(seed).normal(0, error) for seed in range(200)]
    ceiling = np.median([both["brought"].corr(one, method="spearman") for one in again])  # by noise alone
    found = both["brought"].corr(both["value_at_joining"], method="spearman")
    assert found > 0.7
    assert found >= ceiling - 0.2, ceiling


def test_without_channel_quality_channels_do_not_differ_beyond_chance():
    _, firm = simulated({"channel_quality": 0, "referred_better": 0, "referral_offer": 0, "discounts": 0})
    rows = firm.value_by_age().query("age == 180 and channel != 'all channels' and channel != '(not known)'")
    error = (rows["brought_high"] - rows["brought_low"]) / 3.92
    from crmlib.statistics import p_value_all_equal

    assert p_value_all_equal(rows["brought"], error) > 0.01


# -- bad input


def test_spend_without_customers_and_customers_without_spend_in_words():
    leads = leads_of(20, 10, channel="organic")
    table = firm_of(leads, spend_of(500)).cost_per_customer().set_index("channel")
    assert table.loc["search", "cac"] == np.inf
    assert "nobody was won" in table.loc["search", "remark"]
    assert table.loc["organic", "cac"] == 0


def test_rows_with_more_clicks_than_impressions_are_left_out_and_reported():
    spend = pd.concat(
        [
            spend_of(100, impressions=1000.0, clicks=50.0),
            spend_of(80, impressions=10.0, clicks=90.0, market="x"),
        ]
    )
    row = firm_of(leads_of(20, 10), spend).unit_costs().set_index("channel").loc["search"]
    assert row["ctr"] == pytest.approx(0.05)
    assert row["cpm"] == pytest.approx(100)
    assert "more clicks than impressions" in row["remark"]


def test_a_purchase_before_the_lead_gives_no_time_to_close():
    early = leads_of(5, 5, created="2024-07-01", after=-30).assign(interested_on=pd.NaT)
    early["lead_id"] = "e" + early["lead_id"]
    row = firm_of(pd.concat([leads_of(20, 10), early]), spend_of(100)).funnel().iloc[0]
    assert row["customers_before"] == 5
    assert row["close_rate"] == pytest.approx(0.5)
    assert row["median_days"] == 10


def test_a_lead_won_twice_is_one_and_a_customer_of_two_leads_too():
    leads = leads_of(20, 10)
    again = leads.head(3).assign(won_on=lambda rows: rows["won_on"] + pd.Timedelta(5, "D"))
    other = leads.head(2).assign(
        lead_id=["x1", "x2"], channel="later", created=days("2024-06-05", "2024-06-05")
    )
    firm = firm_of(pd.concat([leads, again, other]), spend_of(100), log_of(leads))
    assert firm.funnel().iloc[0]["leads"] == 22
    assert firm.cost_per_customer().set_index("channel")["customers"].to_dict() == {
        "all channels": 10, "paid channels": 10, "search": 10,
    }  # fmt: skip


def test_a_refund_is_subtracted_and_reported():
    spend = pd.concat([spend_of(500), spend_of(-100)])
    row = firm_of(leads_of(20, 10), spend).cost_per_customer().set_index("channel").loc["search"]
    assert row["cac"] == pytest.approx(40)
    assert "refunds of 100" in row["remark"]


def test_spend_in_a_month_without_leads_counts():
    spend = pd.concat([spend_of(500), spend_of(300, date="2024-09-01")])
    assert firm_of(leads_of(20, 10), spend).cost_per_customer()["cac"].iloc[0] == pytest.approx(80)


def test_a_channel_of_three_customers_is_marked():
    leads = pd.concat([leads_of(200, 100), leads_of(9, 3, channel="tiny")])
    spend = pd.concat([spend_of(500), spend_of(50, channel="tiny")])
    table = firm_of(leads, spend).cost_per_customer().set_index("channel")
    assert "only 3 customers" in table.loc["tiny", "remark"]
    assert "only" not in table.loc["search", "remark"]


def test_what_cannot_be_used_is_refused_by_name():
    with pytest.raises(DataError, match="leads has no column 'channel'"):
        firm_of(leads_of(5, 2).drop(columns="channel"), spend_of(1), log_of(leads_of(5, 2))).funnel()
    with pytest.raises(CrmError, match="months is 0"):
        firm_of(leads_of(5, 2), spend_of(1), months=0)


def test_without_tables_nothing_is_measured():
    firm = crm.Acquisition(log_of(leads_of(5, 2)), DAY, margin=0.5)
    for found in (
        firm.funnel(),
        firm.rivals(),
        firm.traffic(),
        firm.open_prospects(),
        firm.followed(),
        firm.workload(),
    ):
        assert found.empty
        assert found.reason
    assert firm.cost_per_customer().empty
    assert not firm.key_figures()["blended_cac"].is_known


# -- open prospects, leaks, receipts


def test_leaks_are_what_the_lost_would_have_brought_at_most():
    firm = firm_of(leads_of(200, 10, created="2024-03-01"), spend_of(100))
    row = firm.leaks().iloc[0]  # 100 of 200 were interested, 10 of these won, 50 each
    assert row["step"] == "prospect → interested"
    assert row["lost"] == 100
    assert row["leak"] == pytest.approx(100 * 0.1 * 50)


def test_the_chance_of_open_prospects_is_that_of_their_stage_and_age():
    """Asked a year earlier, and compared with who was won since."""
    firm = crm.open_study("simulated-firm")
    leads = firm.table("leads").to_pandas()
    early = crm.Acquisition(
        firm.transactions, "2024-12-31", leads=leads, marketing_spend=firm.table("marketing_spend")
    ).open_prospects()
    won = early["lead_id"].map(leads.set_index("lead_id")["won_on"].notna())
    assert early["p_won"].sum() == pytest.approx(won.sum(), rel=0.2)
    best = early["p_won"] > early["p_won"].median()
    assert won[best].mean() > 2 * won[~best].mean()


def test_a_trend_is_separated_from_seasons():
    months = pd.Series(pd.date_range("2021-01-01", periods=48, freq="MS"))
    random, hits = np.random.default_rng(3), 0
    season = 0.1 * np.sin(months.dt.month / 2)
    for _ in range(200):
        hits += seasonal_trend(months, season + random.normal(0, 0.02, 48))[1] < 0.05
    assert hits / 200 < 0.09
    assert (
        seasonal_trend(months, season - 0.02 * (months.dt.year - 2021) + random.normal(0, 0.02, 48))[1] < 0.05
    )
    assert np.isnan(seasonal_trend(months[:20], season[:20])[1])


def test_receipts_add_up_to_the_log():
    firm = firm_of(leads_of(20, 10, created="2024-03-01"), spend_of(100, date="2024-03-01"))
    table = firm.receipts()
    assert table["new_revenue"].sum() == pytest.approx(1000)
    assert table["repeat_revenue"].sum() == 0
    assert table["acquisition_spend"].sum() == pytest.approx(100)
