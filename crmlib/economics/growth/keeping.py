"""What keeps customers: a loyalty programme on one account, and cohorts whose retention only appears to rise."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.customers.audit.cohorts import cohort_comparison
from crmlib.customers.rfm.summary import rfm_summary
from crmlib.customers.treatments.loyalty import programme_enrolments
from crmlib.data.sources import lacking
from crmlib.economics.growth.data import GrowthData
from crmlib.economics.growth.sentences import money_kept_in_words, programme_in_words, rise_in_words
from crmlib.economics.loyalty import loyalty_uplift, programme_liability
from crmlib.findings import with_finding
from crmlib.models.beta_geo import BetaGeoModel
from crmlib.no_rows import no_rows, why_none

IN_ALL = "in all"
MERIT, DEMERIT, OF_WHICH = "merit", "demerit", "of which"
_ACCOUNT = "entry side unit amount low high"
_KEPT = "period customers kept if_unchanged unchanged"
MONTH_DAYS, PERIOD_DAYS = 365.25 / 12, 91
SIMULATED, FEWEST, MOST_PERIODS = 20_000, 100, 60


def loyalty_account(data: GrowthData) -> pd.DataFrame:
    """What a loyalty programme has brought and cost; see `Growth.loyalty_account`."""
    if missing := lacking(loyalty_ledger=data.loyalty_ledger):
        return no_rows(_ACCOUNT, missing)
    uplift = loyalty_uplift(programme_enrolments(data.transactions, data.loyalty_ledger, as_of=data.day))
    debt = programme_liability(data.loyalty_ledger, as_of=data.day)
    for found in (uplift, debt):
        if why := why_none(found):
            return no_rows(_ACCOUNT, why)
    ledger = data.of_table(data.loyalty_ledger, "date", "kind", "points", "amount")
    ledger = ledger.assign(date=pd.to_datetime(ledger["date"]))
    joined = ledger.groupby("customer_id")["date"].min()
    months = float((pd.Timestamp(data.day) - joined).dt.days.clip(lower=0).sum()) / MONTH_DAYS
    money = data.rows.filter(data.rows.counted).agg(worth=_.worth.sum(), revenue=_.amount.sum())
    sums = money.to_pyarrow().to_pylist()[0]
    margin = sums["worth"] / sums["revenue"] if sums["revenue"] else np.nan
    row, owed = uplift.set_index("comparison").loc["matched"], debt.iloc[0]
    merit = np.array([row["difference"], row["low"], row["high"]]) * months * margin
    paid = float(ledger.loc[ledger["kind"] == "redeemed", "amount"].sum())
    # Of what members buy, the part that they would have bought without the programme.
    relative = np.maximum(
        np.array([row["low"], row["difference"], row["high"]]) * row["relative"] / row["difference"], 0.0
    )
    anyway = paid / (1 + relative[[1, 2, 0]]) if row["difference"] else np.full(3, paid)
    whole = owed["liability_without_breakage"]
    entries = [
        (f"{data.value} that members would not have brought", MERIT, "money", *merit),
        ("rewards redeemed so far", DEMERIT, "money", -paid, -paid, -paid),
        ("for purchases that they would have made anyway", OF_WHICH, "money", *-anyway[[0, 2, 1]]),
        ("points outstanding, if all were redeemed", DEMERIT, "money", -whole, -whole, -whole),
        ("of these never redeemed (breakage)", MERIT, "money", *[whole - owed["liability"]] * 3),
        (IN_ALL, "", "money", *(merit - paid - owed["liability"])),
    ]
    table = pd.DataFrame(entries, columns=_ACCOUNT.split())
    return with_finding(table, programme_in_words, len(joined))


def triangle(data: GrowthData) -> pd.DataFrame:
    """Cohorts by age and calendar, customers and money; see `Growth.triangle`."""
    terms = dict(as_of=data.day, margin=data.margin, new_from=data.new_from)
    table = cohort_comparison(data.transactions, **terms)
    if table.empty:
        return table.assign(money_share=0.0)
    value = "contribution" if "contribution" in table.columns else "revenue"
    first = table[table["age"] == 0].set_index("cohort")[value]
    start = table["cohort"].map(first)
    found = table.assign(money_share=table[value] / start.where(start > 0))
    return with_finding(found, money_kept_in_words, value, measure="money_share")


def apparent_rise(data: GrowthData) -> pd.DataFrame:
    """Does retention rise although nobody changes? See `Growth.apparent_rise`."""
    days = PERIOD_DAYS
    seen = _periods(data, days)
    periods = int(seen["lived"].max()) if len(seen) else 0
    if periods < 3:
        return no_rows(
            _KEPT, f"no new customer is known for three periods of {days} days after the first order"
        )
    summary = rfm_summary(data.rows.semi_join(data.people, "customer_id"), as_of=data.day, time_unit="D")
    model = BetaGeoModel().fit(summary)
    simulated, unchanged = _simulated(model, days, periods)
    bits, lived = seen["active"].to_numpy(), seen["lived"].to_numpy()
    found = []
    for number in range(periods):  # everybody has bought before the first period
        known = (lived > number) & ((bits >> (number - 1) & 1 > 0) if number else True)
        kept = float((bits[known] >> number & 1).mean()) if known.sum() >= FEWEST else np.nan
        expected = simulated[simulated[:, number - 1] if number else slice(None), number].mean()
        found.append((number + 1, int(known.sum()), kept, expected, unchanged))
    table = pd.DataFrame(found, columns=_KEPT.split())
    table = table[table["customers"] >= FEWEST]
    if table.empty:
        return no_rows(_KEPT, f"fewer than {FEWEST} customers are known for three periods of {days} days")
    return with_finding(table, rise_in_words, days)


def _periods(data: GrowthData, days: int) -> pd.DataFrame:
    """Of each new customer, how many whole periods were `lived`, and a bit for each with a purchase."""
    rows = data.rows.filter(_.counted).inner_join(data.people, "customer_id")
    age = rows.day.delta(rows.born, unit="day").cast("int64")
    rows = rows.mutate(period=((age - 1) / days).floor().cast("int64"), later=age > 0)
    bit = ibis.literal(1, "int64") << ibis.least(ibis.greatest(rows.period, 0), MOST_PERIODS - 1)
    found = fetch(rows.group_by("customer_id", "born").agg(active=bit.bit_or(where=rows.later).fill_null(0)))
    lived = (pd.Timestamp(data.day) - pd.to_datetime(found["born"])).dt.days // days
    return found.assign(lived=lived.clip(upper=MOST_PERIODS - 1)).astype({"active": "int64"})


def _simulated(model: BetaGeoModel, days: int, periods: int) -> tuple[np.ndarray, float]:
    """Who of many customers, drawn from a model in which nobody changes, buys in each period; and the chance to buy
    in a period after one with a purchase, which stays the same for each customer: its mean over all of them.
    """
    random = np.random.default_rng(20251231)
    r, alpha, a, b = (model.params_[name] for name in ("r", "alpha", "a", "b"))
    pace = random.gamma(r, 1 / alpha, SIMULATED) * days
    leaves = np.clip(random.beta(a, b, SIMULATED), 1e-12, 1 - 1e-12)
    alive, active = np.ones(SIMULATED, dtype=bool), np.zeros((SIMULATED, periods), dtype=bool)
    for number in range(periods):
        bought = random.poisson(pace) * alive
        active[:, number] = bought > 0
        # How many purchases they would stay for has no memory: it can be drawn anew in each period.
        alive &= random.geometric(leaves) > bought
    return active, float((np.exp(-pace * leaves) - np.exp(-pace)).mean())
