"""What keeps customers: a loyalty programme on one account, and cohorts whose retention only appears to rise."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.customers.audit.cohorts import cohort_comparison
from crmlib.customers.rfm.summary import rfm_summary
from crmlib.customers.treatments import loyalty
from crmlib.data.sources import lacking
from crmlib.economics.growth import sentences
from crmlib.economics.growth.data import GrowthData
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
    """What has the loyalty programme brought and cost: `entry`, `side` (merit or demerit), `amount`, `low, high`?

    Merits: what members bought beyond others like them (matched), at the margin of the firm, over all months since they
    joined; breakage. Demerits: rewards redeemed, of which for purchases made anyway, and outstanding points.
    """
    if missing := lacking(loyalty_ledger=data.loyalty_ledger):
        return no_rows(_ACCOUNT, missing)
    enrolments = loyalty.programme_enrolments(data.transactions, data.loyalty_ledger, as_of=data.day)
    uplift, debt = loyalty_uplift(enrolments), programme_liability(data.loyalty_ledger, as_of=data.day)
    if why := why_none(uplift) or why_none(debt):
        return no_rows(_ACCOUNT, why)
    ledger = data.of_table(data.loyalty_ledger, "date", "kind", "points", "amount")
    ledger = ledger.assign(date=pd.to_datetime(ledger["date"]))
    joined = ledger.groupby("customer_id")["date"].min()
    months = float((pd.Timestamp(data.day) - joined).dt.days.clip(lower=0).sum()) / MONTH_DAYS
    money = data.rows.filter(data.rows.counted).agg(worth=_.worth.sum(), revenue=_.amount.sum())
    sums = money.to_pyarrow().to_pylist()[0]
    margin = sums["worth"] / sums["revenue"] if sums["revenue"] else np.nan
    row, owed = uplift.set_index("comparison").loc["matched"], debt.iloc[0]
    more = row[["difference", "low", "high"]].to_numpy(dtype=float)
    merit, paid = more * months * margin, float(ledger.loc[ledger["kind"] == "redeemed", "amount"].sum())
    # Of what members buy, the part that they would have bought without the programme.
    relative = np.maximum(more * row["relative"] / more[0], 0.0) if more[0] else np.zeros(3)
    anyway, whole = paid / (1 + relative), owed["liability_without_breakage"]
    entries = [
        (f"{data.value} that members would not have brought", MERIT, "money", *merit),
        ("rewards redeemed so far", DEMERIT, "money", -paid, -paid, -paid),
        ("for purchases that they would have made anyway", OF_WHICH, "money", *-anyway),
        ("points outstanding, if all were redeemed", DEMERIT, "money", -whole, -whole, -whole),
        ("of these never redeemed (breakage)", MERIT, "money", *[whole - owed["liability"]] * 3),
        (IN_ALL, "", "money", *(merit - paid - owed["liability"])),
    ]
    table = pd.DataFrame(entries, columns=_ACCOUNT.split())
    return with_finding(table, sentences.programme_in_words, len(joined))


def points_pressure(data: GrowthData) -> pd.DataFrame:
    """Do members buy faster as a reward draws near, heavy and light buyers? See `treatments.loyalty`."""
    found = loyalty.points_pressure(data.transactions, data.loyalty_ledger, as_of=data.day)
    return with_finding(found, sentences.pressure_in_words)


def triangle(data: GrowthData) -> pd.DataFrame:
    """Cohorts by age and calendar: `cohort_comparison`, with `money_share` (of the money of the first period)."""
    terms = dict(as_of=data.day, margin=data.margin, new_from=data.new_from)
    table = cohort_comparison(data.transactions, **terms)
    if table.empty:
        return table.assign(money_share=0.0)
    value = "contribution" if "contribution" in table.columns else "revenue"
    first = table[table["age"] == 0].set_index("cohort")[value]
    start = table["cohort"].map(first)
    found = table.assign(money_share=table[value] / start.where(start > 0))
    return with_finding(found, sentences.money_kept_in_words, value, measure="money_share")


def apparent_rise(data: GrowthData) -> pd.DataFrame:
    """Does retention rise with age although no customer changes?

    By `period` of 91 days since the first order: `customers` who bought in the one before, the share `kept` who bought
    in it, the same share `if_unchanged`, of customers drawn from the fitted BG/NBD model, each of whom has one pace and
    one chance to leave for ever, and the mean chance of all of them, `unchanged`.

    References
    ----------
    Fader & Hardie, Journal of Interactive Marketing 24(2), 2010.
    """
    days = PERIOD_DAYS
    seen = _periods(data, days)
    periods = int(seen["lived"].max()) if len(seen) else 0
    if periods < 3:
        why = f"no new customer is known for three periods of {days} days after the first order"
        return no_rows(_KEPT, why)
    new = data.rows.semi_join(data.new_customers, "customer_id")
    summary = rfm_summary(new, as_of=data.day, time_unit="D")
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
    return with_finding(table, sentences.rise_in_words, days)


def _periods(data: GrowthData, days: int) -> pd.DataFrame:
    """Of each new customer, how many whole periods were `lived`, and a bit for each with a purchase."""
    rows = data.rows.filter(_.counted).inner_join(data.new_customers, "customer_id")
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
