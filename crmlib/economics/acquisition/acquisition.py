"""What it costs to win a customer and what customers bring, by channel: the one object of the chapter."""

from __future__ import annotations

import pandas as pd

from crmlib import format as fmt
from crmlib.economics.acquisition import attribution as _attribution
from crmlib.economics.acquisition import channel_values as _channel_values
from crmlib.economics.acquisition import costs, work
from crmlib.economics.acquisition import early_value as _early_value
from crmlib.economics.acquisition import funnel as funnels
from crmlib.economics.acquisition import marginal_cac as _marginal_cac
from crmlib.economics.acquisition import values as curves
from crmlib.economics.acquisition.data import AcquisitionData
from crmlib.findings import Estimate


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
        The last complete months, whose costs are shown.
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

    # What a customer costs and brings, and the two rules of thumb.
    cost_per_customer, cost_parts = costs.acquisition_cost, costs.cost_parts
    value_by_age, value_curve, to_come = curves.value_by_age, curves.value_curve, curves.to_come
    targets, channel_values = curves.targets, _channel_values.of_firm
    target_sensitivity = staticmethod(curves.target_sensitivity)
    early_value, marginal_cac = _early_value.early_value, _marginal_cac.marginal_cac
    # From prospects to customers.
    funnel, leaks, traffic = funnels.funnel, funnels.leaks, funnels.traffic
    rivals, rivals_apart = funnels.rivals, funnels.rivals_apart
    open_prospects, followed = funnels.open_prospects, funnels.followed
    attribution = _attribution.attribution
    # Months and years.
    receipts, workload = work.receipts, work.workload

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

    def key_figures(self) -> dict[str, Estimate]:
        """New customers of the last complete months, what one costs, and the days until that is earned back."""
        window = f"the {fmt.length(self.months, 'M')} to {fmt.month(self.window[1])}"
        found, aim = self.cost_per_customer(), self.targets()
        row, days = (frame.iloc[0] if len(frame) else pd.Series(dtype=float) for frame in (found, aim))
        return {
            "customers_won": Estimate.of_row(row, "customers", "count", window=window),
            "blended_cac": Estimate.of_row(row, "cac", "money", window=window),
            "payback_days": Estimate.of_row(days, "adjusted", "days", times=curves.MONTH_DAYS, window=window),
        }
