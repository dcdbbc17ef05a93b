"""What it costs to win a customer and what customers bring, by channel: the one object of the chapter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from crmlib import format as fmt
from crmlib.economics.acquisition import attribution, channel_values, costs, early_value, marginal_cac, work
from crmlib.economics.acquisition import funnel as funnels
from crmlib.economics.acquisition import values as curves
from crmlib.economics.acquisition.data import AcquisitionData
from crmlib.findings import Estimate, in_currency


class Acquisition(AcquisitionData):
    """What does it cost to win a customer, what do customers bring, and where are prospects lost?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day that counts.
    leads, marketing_spend, customers, staff_hours : ibis.Table or DataFrame, optional
        The firm's tables, as the dictionary has them; what rests on one that is missing is not known.
    margin : float, optional
        Contribution as a share of revenue, where the log has no `cost`.
    new_from : date or str, optional
        The study's `new_customers_known_from`.
    months : int, default 12
        The last complete months, for which costs are told.
    close_days : int, default 180
        The share of prospects won is that within so many days.
    currency : str
        The name of the money.

    Notes
    -----
    A customer's channel is that of the prospect who became the customer, else `customers.acquisition_channel`. Spend
    meets the customers it won by the median time from prospect to purchase of its channel. Intervals are by
    clusters: campaigns and their days or months for what is shown and clicked, months for costs per prospect and
    customer, weeks of prospects, days of first purchases.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "b"], "date": pd.to_datetime(["2024-01-20", "2024-02-09"]),
    ...                     "amount": [30.0, 20.0]})
    >>> spend = pd.DataFrame({"date": pd.to_datetime(["2024-01-01", "2024-02-01"]), "channel": "search",
    ...                       "amount": [10.0, 14.0]})
    >>> found = Acquisition(log, "2024-02-29", marketing_spend=spend, margin=0.5)
    >>> float(found.cost_per_customer()["cac"].iloc[0])
    12.0
    """

    def unit_costs(self) -> pd.DataFrame:
        """What do 1,000 impressions, a click, a prospect and a trial cost, and how many prospects are won?

        One row per `channel`, all first, of the last complete months: `spent`, `impressions`, `clicks` (of organic
        channels visits), `leads`, `trials`, `cpm`, `cpc` (per click), `cpl` (per lead), `cpa` (per action, a trial: no
        cost per click), `ctr`, `close_rate` (within `close_days`, open prospects censored), `median_days` to the
        first purchase, `roi_per_lead` (close rate × contribution of a customer within 360 days ÷ CPL − 1), what these
        prospects will bring per unit of spend and per hour of selling (`brought_per_money`, `brought_per_hour`), and a
        `remark`.
        """
        groups = curves.groups_of(self, "channel") if self.value == "contribution" else []
        year = {name: curves.age_curve(money, acquired, self.day) for name, money, acquired in groups}
        return costs.unit_costs(self, {name: curve.within(funnels.LIFE_DAYS) for name, curve in year.items()})

    def cost_per_customer(self, by: str = "channel") -> pd.DataFrame:
        """What does a new customer cost?

        `by` "channel" (of the last complete months: all, paid channels, and each) or "cohort" (all channels, by
        quarter of the first purchase). `customers`, `spent` (lagged), `wages` (of prospecting, selling and marketing),
        `cac_spend` (spend alone) and `cac` (fully loaded) per new customer, with intervals, `lag_days`, and a `remark`
        where a cost is zero or infinite.
        """
        return costs.acquisition_cost(self, by)

    def cost_parts(self) -> pd.DataFrame:
        """Of which parts does the cost of a customer consist: `part`, `amount`, `share`, `per_customer`."""
        return costs.cost_parts(self)

    def value_by_age(self, by: str = "channel", ages: Sequence[int] = curves.AGES) -> pd.DataFrame:
        """What has a customer brought within so many days of the first purchase, less the cost of winning one?

        By `channel` or `cohort` (quarter) and `age` (days): `customers`, `complete` (all of them are old enough),
        `brought` (contribution, else revenue, per customer acquired), `after_cost` (less CAC), each with its
        interval, and `basis`: complete, or partial and how many customers are old enough.
        """
        return curves.value_by_age(self, by, ages)

    def value_curve(self) -> pd.DataFrame:
        """What has a customer brought by each age: `age` (30 days), `customers`, `value_per_customer`, `cac`."""
        return curves.value_curve(self)

    def to_come(self, values: pd.DataFrame) -> pd.Series:
        """What is expected of a customer acquired so far, by channel, from `values` of `customer_lifetime_value`?"""
        return curves.to_come(self, values)

    def targets(self, to_come: pd.Series | None = None, by: str = "channel") -> pd.DataFrame:
        """Is LTV three times CAC, and is CAC earned back within 12 months?

        By `channel` or `cohort`: what was `brought` within 720 days, or as long as is known; with the expectation of a
        model (`to_come`, discounted to today at the rate that it was made with), what was brought so far (never
        discounted). `ltv` (both), its `ratio` to `cac`, months to earn it back
        (`payback`: at the pace of the first 90 days; `adjusted`: as observed, with those who leave), the verdicts
        on the targets, and whether they `conflict`.
        """
        return curves.targets(self, to_come, by)

    def target_sensitivity(self, row: Any) -> pd.DataFrame:
        """How do the two targets fare at other costs and other bars, for a row of `targets`?"""
        return curves.target_sensitivity(row)

    def funnel(self, by: Sequence[str] = ("channel",)) -> pd.DataFrame:
        """How many get how far, from impressions to first purchases?

        `by` "channel", "cohort" (quarter in which prospects came) or both. `impressions`, `clicks`, `leads`, those who
        were `interested` (a trial), `considered`, `activated` and `won`, `lost` or still `open`, `close_rate` (within
        `close_days`, won and lost compete, open prospects censored; not known of cohorts too young for it),
        `median_days`, `customers_before` (bought before they were prospects) and `complete` (nobody is open).
        """
        return funnels.funnel(self, list(by))

    def leaks(self) -> pd.DataFrame:
        """At which step is most contribution lost?

        By `step`, of prospects at least `close_days` old: `entered`, `lost`, `share_lost`, `won_of_those` (of those who
        go on) and `leak`: what those lost at the step would have brought within 360 days, had they been like those who
        went on. That is an upper end: they may be different.
        """
        return funnels.leaks(self, self._worth)

    def rivals(self) -> pd.DataFrame:
        """What do customers won from rivals cost beside others: days, hours and money per win?"""
        return funnels.rivals(self)

    def traffic(self) -> pd.DataFrame:
        """Which channels, organic and paid, bring visits and which value? Where does a ranking by visits mislead?"""
        return funnels.traffic(self)

    def open_prospects(self) -> pd.DataFrame:
        """Which open prospects are expected to bring most: the chance to be won yet × value within 360 days?"""
        return funnels.open_prospects(self)

    def followed(self) -> pd.DataFrame:
        """What became of the prospects of each quarter: share won, revenue and contribution so far, per prospect?"""
        return funnels.followed(self)

    def receipts(self) -> pd.DataFrame:
        """By month: acquisition cost, revenue of new and of earlier customers, and what selling costs of revenue.

        `acquisition_spend` (with wages), `new_revenue`, `repeat_revenue`, `repeat_value` (their contribution),
        `spend_share` (of it), `selling_cost` (wages of prospecting, selling and administration), `selling_share` (of
        revenue). The finding "selling_share" tells its trend.
        """
        return work.receipts(self)

    def workload(self) -> pd.DataFrame:
        """By year: hours per prospect, win and customer, accounts per manager today, share of the staff who left."""
        return work.workload(self)

    def channel_values(self, horizon: str = "36M") -> pd.DataFrame:
        """What does a customer of each channel bring, what is expected included, and is the cost earned back?

        One row per `channel`, the most valuable first; see `channel_values.channel_values`. `worth` is contribution
        from the first purchase on, not discounted, `cac` the fully loaded one.
        """
        return channel_values.of_firm(self, horizon)

    def attribution(self, touchpoints: Any) -> pd.DataFrame:
        """With how many of the wins do four rules credit each channel? See `attribution.attribution`."""
        return attribution.attribution(touchpoints, self.leads, as_of=self.day)

    def marginal_cac(self) -> pd.DataFrame:
        """What would one more customer cost by a larger budget of each channel? See `marginal_cac.marginal_cac`."""
        return marginal_cac.marginal_cac(self.leads, self.marketing_spend, as_of=self.day)

    def early_value(self) -> pd.DataFrame:
        """How soon can the value of new customers be told, after 0, 7, 30, 90 days? See `early_value.early_value`."""
        return early_value.early_value(
            self.transactions,
            as_of=self.day,
            margin=self.margin,
            new_from=self.new_from,
            days=(0, 7, 30, 90),
            horizon_days=365,
        )

    def sentences(self, *frames: pd.DataFrame) -> list[str]:
        """What the frames of this chapter say, a sentence each, in the currency."""
        return [in_currency(frame.attrs.get("finding", ""), self.currency) for frame in frames]

    def key_figures(self) -> dict[str, Estimate]:
        """New customers of the last complete months, what one costs, and the days until that is earned back."""
        window = f"the {fmt.length(self.months, 'M')} to {fmt.month(self.window[1])}"
        costs, row, days = self.cost_per_customer(), pd.Series(dtype=float), pd.Series(dtype=float)
        if len(costs):
            row, aim = costs.iloc[0], self.targets()
            days = aim.iloc[0] if len(aim) else days

        def found(row: pd.Series, name: str, unit: fmt.Unit, times: float = 1.0) -> Estimate:
            value, low, high = (
                row.get(key, math.nan) * times for key in (name, f"{name}_low", f"{name}_high")
            )
            return Estimate(value, unit, low, high, window=window)

        return {
            "customers_won": found(row, "customers", "count"),
            "blended_cac": found(row, "cac", "money"),
            "payback_days": found(days, "adjusted", "days", curves.MONTH_DAYS),
        }

    @property
    def _worth(self) -> float:
        """What a customer brings within 360 days, or as long as is known."""
        return curves.age_curve(self.money, self.acquired, self.day).within(funnels.LIFE_DAYS)
