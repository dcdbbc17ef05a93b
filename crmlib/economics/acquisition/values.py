"""What customers have brought by each age, less what it cost to win them, and when that is earned back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.claims import Claim
from crmlib.customers._log import fetch
from crmlib.economics.acquisition import sentences
from crmlib.economics.acquisition.costs import acquisition_cost
from crmlib.economics.acquisition.data import AGE_DAYS, ALL, AcquisitionData
from crmlib.economics.acquisition.ratios import ratio
from crmlib.errors import CrmError
from crmlib.findings import MET, NOT_MET, with_finding
from crmlib.no_rows import no_rows, why_none
from crmlib.statistics import normal_quantile, with_ends

AGES = (0, 30, 60, 90, 180, 360, 720)  # days of the table
PACE_DAYS = 90  # from which the simple payback goes on
MONTH_DAYS = 365.25 / 12
_SKOK = "Skok, For Entrepreneurs, 2010"
LEAST_RATIO = Claim("LTV is at least 3 × CAC", _SKOK, kind="target", bar=3.0)
MOST_MONTHS = Claim("CAC is earned back within 12 months", _SKOK, kind="target", bar=12.0, direction=-1)
_BY_AGE = (
    "age customers complete brought brought_low brought_high after_cost after_cost_low after_cost_high basis"
)


@dataclass(frozen=True)
class UnitEconomics:
    """What a customer brings against the cost of winning one, and the two rules of thumb.

    Attributes
    ----------
    ltv, cac : float
        Money per customer: all that one brings, before acquisition cost; what it costs to win one.
    payback, adjusted : float
        Months until `cac` is earned back: at the pace of a customer who stays, and with those who leave; infinite
        where it never is.

    Examples
    --------
    >>> firm = UnitEconomics.of_contract(price_per_month=100, margin=0.80, churn_per_month=0.02, cac=1200)
    >>> round(firm.ltv), round(firm.ratio, 2), firm.payback, round(firm.adjusted, 1)
    (4000, 3.33, 15.0, 17.7)
    >>> print(firm.conflict)
    The rules of thumb conflict: LTV is 3.33 × CAC (target 3: met), but CAC is earned back in 17.7 months (target 12:
    not met).
    """

    ltv: float
    cac: float
    payback: float
    adjusted: float

    @classmethod
    def of_contract(
        cls, *, price_per_month: float, margin: float, churn_per_month: float, cac: float
    ) -> UnitEconomics:
        """With a constant price, margin and churn (shares); LTV is not discounted."""
        if not 0 < churn_per_month <= 1 or not price_per_month * margin > 0 or not cac >= 0:
            raise CrmError(
                f"price_per_month is {price_per_month}, margin {margin}, churn_per_month {churn_per_month}, cac {cac}; "
                "give a price and a margin above 0, a share who leave above 0 up to 1, and a cost of 0 or more"
            )
        each = price_per_month * margin
        left = 1 - cac * churn_per_month / each  # of the customers, once the cost is earned back
        if churn_per_month == 1:
            adjusted = 1.0 if cac <= each else np.inf
        else:
            adjusted = float(np.log(left) / np.log1p(-churn_per_month)) if left > 0 else np.inf
        return cls(each / churn_per_month, cac, cac / each, adjusted)

    @property
    def ratio(self) -> float:
        """LTV per unit of CAC; infinite where customers cost nothing."""
        return self.ltv / self.cac if self.cac > 0 else np.inf

    @property
    def verdicts(self) -> tuple[str, str]:
        """Of LTV ≥ 3 × CAC, and of CAC earned back within 12 months (with those who leave)."""
        return LEAST_RATIO.verdict(self.ratio, self.ratio), MOST_MONTHS.verdict(self.adjusted, self.adjusted)

    @property
    def conflict(self) -> str:
        """That one target is met and the other is not, in a sentence; empty where they agree."""
        conflict = {*self.verdicts} == {MET, NOT_MET}
        return sentences.conflict_in_words(self.ratio, self.adjusted) if conflict else ""


@dataclass(frozen=True)
class AgeCurve:
    """Cumulative value per customer by steps of 30 days, from 0 (the first day) on, with its standard errors."""

    customers: int
    lived: np.ndarray
    value: np.ndarray
    error: np.ndarray

    def at(self, days: int) -> tuple[float, float]:
        """The value within so many days of the first purchase and its standard error; nan where nobody lived them."""
        place = days // AGE_DAYS
        return (self.value[place], self.error[place]) if place < len(self.value) else (np.nan, np.nan)

    def within(self, days: int, of: np.ndarray | None = None) -> float:
        """The value within so many days, or as long as is known; or its error, if that is passed."""
        values = self.value if of is None else of
        return float(values[min(days // AGE_DAYS, len(values) - 1)]) if len(values) else np.nan

    def reaches(self, amount: float) -> float:
        """Days after which the value is `amount`, read off between steps; infinite where it is not seen to be."""
        if not len(self.value) or not np.isfinite(amount):
            return np.nan
        above = np.flatnonzero(self.value >= amount)
        if not len(above):
            return np.inf
        first = int(above[0])
        if first == 0:
            return 0.0
        step = self.value[first] - self.value[first - 1]
        return AGE_DAYS * float(first - (self.value[first] - amount) / step)


def age_curve(money: pd.DataFrame, acquired: pd.DataFrame, day: Any) -> AgeCurve:
    """What customers have brought by each age.

    Parameters
    ----------
    money : DataFrame
        `worth` by `born` (day of the first purchase) and `age` (0 is that day, 1 the 30 days after it, and so on).
    acquired : DataFrame
        `customers` by `born`.
    day : date
        The last day that counts.

    Returns
    -------
    AgeCurve
        Each step is the mean over the customers who have lived it to its end: nothing is expected, and old customers
        stand for young ones only where these are not old enough. Errors by clusters of days of first purchase.
    """
    sizes = acquired.groupby("born")["customers"].sum()
    lived = ((pd.Timestamp(day) - sizes.index).days.to_numpy(dtype=int)) // AGE_DAYS
    n, steps = sizes.to_numpy(dtype=float), int(lived.max(initial=-1)) + 1
    if not steps:
        nothing = np.array([], dtype=float)
        return AgeCurve(0, nothing, nothing, nothing)
    there = np.arange(steps) <= lived[:, None]
    rows = money[money["born"].isin(sizes.index)]
    place = sizes.index.get_indexer(rows["born"])
    age = rows["age"].to_numpy(dtype=int)
    inside = age < steps
    flat = np.bincount(place[inside] * steps + age[inside], rows["worth"][inside], len(n) * steps)
    brought = flat.reshape(len(n), steps) * there
    people = n @ there
    each = brought.sum(axis=0) / people
    moves = ((brought - each * there * n[:, None]) / people).cumsum(axis=1)
    error = np.sqrt(len(n) / max(len(n) - 1, 1) * (moves**2).sum(axis=0))
    return AgeCurve(int(n.sum()), people, each.cumsum(), error if len(n) > 1 else np.full(steps, np.nan))


def groups_of(data: AcquisitionData, by: str) -> list[tuple[Any, pd.DataFrame, pd.DataFrame]]:
    """All customers, then those of each channel or quarter of the first purchase: name, money and acquired."""
    frames = [data.money, data.acquired]
    keys = [rows[by] if by in rows else rows["born"].dt.to_period("Q").dt.start_time for rows in frames]
    both = [*zip(frames, keys, strict=True)]
    names = sorted(keys[1].unique())
    some = [(name, *(rows[(key == name).to_numpy()] for rows, key in both)) for name in names]
    return [(ALL, *frames), *some] if by == "channel" else some


def value_by_age(data: AcquisitionData, by: str = "channel") -> pd.DataFrame:
    """What has a customer brought within so many days of the first purchase, less the cost of winning one?

    By `channel` or `cohort` (quarter) and `age` (days): `customers`, `complete` (all of them are old enough), `brought`
    (contribution, else revenue, per customer acquired), `after_cost` (less CAC), each with its interval, and `basis`:
    complete, or partial and how many customers are old enough.
    """
    if data.acquired.empty:
        return no_rows(f"{by} {_BY_AGE}", "no new customer in the log")
    costs, found = acquisition_cost(data, by).set_index(by), []
    for name, money, acquired in groups_of(data, by):
        curve = age_curve(money, acquired, data.day)
        youngest = (pd.Timestamp(data.day) - acquired["born"].max()).days
        known = costs.loc[name] if name in costs.index else {}
        cost, low, high = (known.get(f"cac{end}", np.nan) for end in ("", "_low", "_high"))
        of_cost = 0.0 if cost == 0 else (high - low) / 2 / normal_quantile(0.95)
        for age in AGES:
            value, error = curve.at(age)
            old = fmt.plural(int(curve.lived[age // AGE_DAYS : age // AGE_DAYS + 1].sum()), "customer")
            row = {by: name, "age": age, "customers": curve.customers, "complete": youngest >= age}
            row |= with_ends("brought", value, error)
            row |= with_ends("after_cost", value - cost, float(np.hypot(error, of_cost)))
            found.append(row | {"basis": "complete" if youngest >= age else f"partial: {old} old enough"})
    return with_finding(pd.DataFrame(found), sentences.value_less_cost, by)


def value_curve(data: AcquisitionData) -> pd.DataFrame:
    """What has a customer brought by each age: `age` (30 days), `customers`, `value_per_customer`, `cac`?"""
    curve = age_curve(data.money, data.acquired, data.day)
    costs = acquisition_cost(data)
    cac = float(costs["cac"].iloc[0]) if len(costs) else np.nan
    if not len(curve.value):
        return no_rows("age customers value_per_customer cac", "no new customer in the log")
    found = pd.DataFrame({"age": np.arange(len(curve.value)), "customers": curve.lived.astype(int)})
    found = found.assign(value_per_customer=curve.value, cac=cac)
    return with_finding(found[found["customers"] > 0], sentences.earned_back, curve.reaches(cac), cac)


_TARGETS = (
    "channel customers observed_days brought to_come cac ratio± ltv± ratio_verdict payback "
    "adjusted± payback_verdict conflict"
)


def targets(data: AcquisitionData, to_come: pd.Series | None = None) -> pd.DataFrame:
    """Is LTV three times CAC, and is CAC earned back within 12 months?

    By `channel`: what was `brought` within 720 days, or as long as is known; with the expectation of a
    model (`to_come`, discounted to today at the rate that it was made with), what was brought so far (never
    discounted). `ltv` (both), its `ratio` to `cac`, months to earn it back (`payback`: at the pace of the first 90
    days; `adjusted`: as observed, with those who leave), the verdicts on the targets, and whether they `conflict`.
    """
    costs = acquisition_cost(data)
    if costs.empty:
        return no_rows(_TARGETS, why_none(costs))
    about, reach, found = costs.dropna(subset=["cac"]).set_index("channel"), normal_quantile(0.95), []
    modelled = to_come is not None and len(to_come) > 0
    for name, money, acquired in groups_of(data, "channel"):
        if name not in about.index:
            continue
        row, curve = about.loc[name], age_curve(money, acquired, data.day)
        cac, longest = float(row["cac"]), AGE_DAYS * (len(curve.value) - 1)
        days, ahead = min(max(AGES), longest), 0.0
        brought, error = curve.at(days)
        if modelled and to_come is not None:  # all that today's customers have brought, whatever their age
            days, ahead = longest, float(to_come.get(name, np.nan))
            sums = money.groupby("born")["worth"].sum(), acquired.groupby("born")["customers"].sum()
            brought, low, high = ratio(*(each.reindex(sums[1].index) for each in sums))
            error = (high - low) / 2 / reach
        ltv = with_ends("ltv", brought + ahead, error)
        pace = curve.at(PACE_DAYS)[0] / (PACE_DAYS / MONTH_DAYS)
        ends = np.array([ltv["ltv_low"], ltv["ltv_high"]])
        ratios = ends / [row["cac_high"], row["cac_low"]] if cac > 0 else np.full(2, np.inf)
        moved = (replace(curve, value=curve.value + sign * reach * curve.error) for sign in (1, -1))
        reached = [
            end_curve.reaches(row[end]) for end_curve, end in zip(moved, ("cac_low", "cac_high"), strict=True)
        ]
        months = np.array([*reached, curve.reaches(cac)]) / MONTH_DAYS if cac > 0 else np.zeros(3)
        if np.isinf(months[0]) and longest < MOST_MONTHS.bar * MONTH_DAYS:
            months[:] = np.nan  # too young to have failed
        economics = UnitEconomics(ltv["ltv"], cac, cac / pace if pace > 0 else np.inf, months[2])
        verdicts = LEAST_RATIO.verdict(*ratios), MOST_MONTHS.verdict(*months[:2])
        found.append(
            {"channel": name, "customers": curve.customers, "observed_days": days, "brought": brought}
            | {"to_come": ahead if modelled else np.nan, "cac": cac, "ratio": economics.ratio, **ltv}
            | {"ratio_low": ratios[0], "ratio_high": ratios[1], "ratio_verdict": verdicts[0]}
            | {"payback": economics.payback, "adjusted": months[2], "adjusted_low": months[0]}
            | {"adjusted_high": months[1], "payback_verdict": verdicts[1]}
            | {"conflict": {*verdicts} == {MET, NOT_MET}}
        )
    if not found:
        return no_rows(_TARGETS, "the cost per customer is known of no channel")
    return with_finding(pd.DataFrame(found), sentences.targets_in_words)


def to_come(data: AcquisitionData, values: pd.DataFrame) -> pd.Series:
    """What will a customer acquired so far still bring, by channel, by `values` of `customer_lifetime_value`?"""
    if not len(values):
        return pd.Series(dtype=float)
    people = fetch(data.people.select("customer_id", "channel"))
    known = values.set_index(values["customer_id"].astype(str))["clv"]
    clv = people["customer_id"].astype(str).map(known).fillna(0.0)
    return pd.concat([pd.Series({ALL: clv.mean()}), clv.groupby(people["channel"].astype(str)).mean()])


def target_sensitivity(row: Any) -> pd.DataFrame:
    """How do the two targets fare at other costs and other bars, for a row of `targets`?"""
    found = []
    for times in (0.8, 1.0, 1.25):
        cac = row["cac"] * times
        for bar, months in ((2.0, 6.0), (3.0, 12.0), (4.0, 18.0)):
            ratio = row["ltv"] / cac if cac > 0 else np.inf
            slower = row["adjusted"] * times  # the curve is nearly straight near where it is earned back
            verdicts = MET if ratio >= bar else NOT_MET, MET if slower <= months else NOT_MET
            found.append((times, cac, ratio, bar, verdicts[0], slower, months, verdicts[1]))
    names = "times cac ratio least_ratio ratio_verdict adjusted most_months payback_verdict".split()
    return pd.DataFrame(found, columns=names)
