"""Who buys what next, which beginnings bring good customers, whom they bring: the one object of the chapter."""

from __future__ import annotations

from crmlib import format as fmt
from crmlib.economics.growth import affinity as _affinity
from crmlib.economics.growth import drivers as _drivers
from crmlib.economics.growth import (
    keeping,
    opinions,
    product_life,
    referral_value,
    referrals,
    sequences,
    upsell,
)
from crmlib.economics.growth import next_product as _next_product
from crmlib.economics.growth.data import GrowthData
from crmlib.findings import Estimate


class Growth(GrowthData):
    """What do customers buy next, which beginnings bring good ones, and what are recommendations worth?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log; baskets need `order_id`, else a customer's rows of a day are one order.
    as_of : date or str
        Last day that counts.
    customers, subscriptions, loyalty_ledger, surveys, touchpoints : ibis.Table or DataFrame, optional
        The firm's tables, as the dictionary has them; what rests on one that is missing has no rows.
    item : str, optional
        The column that says what was bought; by default `product` for baskets and offers, `category` for paths.
    within_days : int, default 365
        Days after the first order, or after an answer, within which value is counted.
    margin : float, optional
        Contribution as a share of revenue, where the log has no `cost`.
    new_from : date or str, optional
        The study's `new_customers_known_from`.
    currency : str
        The name of the money.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "date": pd.to_datetime(["2024-01-01"] * 2 + ["2024-01-02"]),
    ...                     "amount": [10.0, 5.0, 8.0], "product": ["tea", "cup", "tea"]})
    >>> people = pd.DataFrame({"customer_id": ["a", "b"], "referrer_id": [None, "a"],
    ...                        "joined": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    >>> Growth(log, "2024-12-31", people).referral_tree()
      customer_id  generation  direct  downstream
    0           a           0       1           1
    """

    # Cross-selling, the next product and the paths from order to order.
    affinity = _affinity.affinity
    next_product, next_offers = _next_product.next_product, _next_product.next_offers
    order_gaps, next_after = sequences.order_gaps, sequences.next_after
    purchase_paths = sequences.purchase_paths
    # Up-selling, and what goes with customers of much value.
    grade_moves, entry_ladder = upsell.grade_moves, upsell.entry_ladder
    plan_moves, products_held = upsell.plan_moves, upsell.products_held
    drivers = _drivers.drivers
    # The life of products beside that of customers.
    product_ages, change_by_products = product_life.product_ages, product_life.change_by_products
    # Recommendations.
    referral_checks, referral_tree = referrals.referral_checks, referrals.referral_tree
    referral_wins = referrals.referral_wins
    referred_by_type, type_one_share = referral_value.referred_by_type, referral_value.type_one_share
    referral_account, value_groups = referral_value.referral_account, referral_value.value_groups
    referral_values = referral_value.referral_values
    referred_against_others = referrals.referred_against_others
    # Opinions and promises, the loyalty programme, and cohorts.
    after_opinions, themes = opinions.after_opinions, opinions.themes
    loyalty_account, points_pressure = keeping.loyalty_account, keeping.points_pressure
    triangle, apparent_rise = keeping.triangle, keeping.apparent_rise

    def key_figures(self) -> dict[str, Estimate]:
        """Who comes back within a year of the first order, and how many customers 100 have brought by then."""
        gaps, wins = self.order_gaps(), self.referral_wins()
        again, brought = Estimate(None, "share"), Estimate(None, "ratio")
        if len(gaps):
            base = fmt.plural(gaps["customers"].iloc[0], "new customer")
            again = Estimate.of_row(gaps.iloc[0], "within_365", "share", base=base)
        year = wins[wins["age"] == 360] if len(wins) else wins
        if len(year):
            brought = Estimate.of_row(year.iloc[0], "wins_per_customer", "ratio", times=100)
        return {"second_order": again, "customers_brought": brought}
