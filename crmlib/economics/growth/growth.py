"""Who buys what next, which beginnings bring good customers, whom they bring: the one object of the chapter."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from crmlib import format as fmt
from crmlib.customers.treatments.loyalty import points_pressure
from crmlib.economics.growth import (
    affinity,
    drivers,
    keeping,
    matched,
    next_product,
    opinions,
    referral_value,
    referrals,
    sequences,
    upsell,
)
from crmlib.economics.growth.data import GrowthData
from crmlib.economics.growth.sentences import pressure_in_words
from crmlib.findings import Estimate, in_currency, with_finding
from crmlib.no_rows import no_rows


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
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "date": pd.to_datetime(["2024-01-01"] * 2 + ["2024-01-02"]),
    ...                     "amount": [10.0, 5.0, 8.0], "product": ["tea", "cup", "tea"]})
    >>> people = pd.DataFrame({"customer_id": ["a", "b"], "referrer_id": [None, "a"],
    ...                        "joined": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    >>> Growth(log, "2024-12-31", people).referral_tree()
      customer_id  generation  direct  downstream
    0           a           0       1           1
    """

    def affinity(self, support: float = 0.001) -> pd.DataFrame:
        """Which two products are in the same order more often than chance would have it?

        One row per pair that is in `support` of the orders or more (a share; at least 5 orders), the surest first:
        `pair` of `product` and `other`, `baskets` (with both), `support` (their share), `confidence` (of orders with
        the first, share with the other), `lift` (share of both against the product of the two shares), `expected`
        (orders with both, if partners were drawn at random in orders of each size and line of business),
        `lift_for_size` (baskets against expected) with its interval, `chance` (of a lift above 1.1, adjusted for all
        pairs possible:
        Benjamini–Yekutieli) and the `verdict`. Intervals are by customers, of whom a twentieth at a time is left out.
        """
        return affinity.affinity(self, support)

    def next_product(self, horizon_days: int = 90) -> pd.DataFrame:
        """How well can the next product that a customer has never bought before be told?

        By `method`, learned before the last `horizon_days` and tested on them: "item-to-item" (cosine of the customers
        of two products; Linden, Smith & York, IEEE Internet Computing 7(1), 2003) and "popularity" (in the line of
        business). `customers` (who bought something new), `hit_rate` (one of the first three was it) and `mrr` (mean
        of one over its place), each with an interval by customer.
        """
        return next_product.next_product(self, horizon_days)

    def next_offers(self, tested: pd.DataFrame) -> pd.DataFrame:
        """What to offer to whom who bought within a year: `customer_id, next_product, because, score`.

        By the method that did better in `tested`, the answer of `next_product`; the highest scores first.
        """
        return next_product.next_offers(self, tested)

    def order_gaps(self) -> pd.DataFrame:
        """How long until the second, third and fourth order, those who have not come yet censored?

        By `step`: `customers`, of whom `came`, `median_gap` (days; not known where less than half come), the shares
        `within_30`, `within_90` and `within_365` (Kaplan–Meier), the last with an interval.
        """
        return sequences.order_gaps(self)

    def next_after(self) -> pd.DataFrame:
        """What is the second order, by the first: `first, then, customers, share, low, high, usual, lift, verdict`.

        `usual` is the share among all second orders of the same lines of business; the `chance` is adjusted for all
        pairs (Benjamini–Yekutieli). First products with fewer than 30 customers who came back are left out.
        """
        return sequences.next_after(self)

    def purchase_paths(self) -> pd.DataFrame:
        """Which ways do customers take over their first three orders: `path, customers, share`?"""
        return sequences.purchase_paths(self)

    def drivers(self, known: Sequence[str] = ()) -> pd.DataFrame:
        """Which beginnings bring customers who are worth more than the mean, and which signs come only with them?

        By `driver` (a column) and `tag` (its value): `when` it was known, `customers` (at least 30, known for
        `within_days`), the `mean` brought within them, its `difference` from the mean of all with an interval, what
        was brought `after_first`, after the first day, the share who came `again`, the `chance` of such a difference,
        adjusted for all that were known at the first order (Benjamini–Yekutieli), and the `verdict`. What the firm
        sets afterwards is no driver: who stays longer has more time to get it. `known` names columns of `customers`
        that are noted at joining.
        """
        return drivers.drivers(self, known)

    def referral_checks(self) -> pd.DataFrame:
        """How many recommendations can be used: `problem, links, share`, every link counted once."""
        return referrals.referral_checks(self)

    def referral_tree(self) -> pd.DataFrame:
        """Who has brought others: `generation` (0 for who was not recommended), `direct`, and all `downstream`."""
        return referrals.referral_tree(self)

    def referral_wins(self, by: str | None = None) -> pd.DataFrame:
        """How many customers has a customer brought at the same age, the young censored?

        By `group` (all, or `by` "recommender_type" or "referral_offer" of the recommended) and `age` in days:
        `customers` who are that old, `wins` that were seen, and the mean `wins_per_customer` with its interval.
        """
        return referrals.referral_wins(self, by)

    def referred_by_type(self) -> pd.DataFrame:
        """What do the recommended bring, `by` recommender or offer: `referred`, `known` so long, `mean`, `again`?"""
        return referral_value.referred_by_type(self)

    def type_one_share(
        self, entered: tuple[float, float] | None = None, offer_share: float | None = None
    ) -> pd.DataFrame:
        """Which share of the recommended would not have come otherwise (type one)?

        Bounds `low` and `high` by `basis`; the last is `used`. `offer_share`: the chance with which the recommended got
        an offer; those whom it has won are of type one. `entered`: a range from a survey or a trial of the firm's own.
        """
        return referral_value.type_one_share(self, entered, offer_share)

    def referral_account(
        self, share: pd.DataFrame, values: pd.DataFrame | None = None, saved: float = 0.0, reward: float = 0.0
    ) -> pd.DataFrame:
        """What have recommendations brought: `entry`, `at_least` and `at_most`, which hold whoever is of type one.

        `share` is the answer of `type_one_share`, `values` that of `customer_lifetime_value`; `saved` and `reward` are
        money per recommended customer: what winning one costs otherwise, and what the firm pays.

        Notes
        -----
        Kumar, Petersen & Leone, Journal of Marketing 74(5), 2010: type one brings its value and the cost saved, type
        two the cost alone.
        """
        return referral_value.referral_account(self, share, values, saved, reward)

    def value_groups(
        self, share: pd.DataFrame, values: pd.DataFrame | None = None, saved: float = 0.0, reward: float = 0.0
    ) -> pd.DataFrame:
        """Champions, Affluents, Advocates and Misers: who buys much, and who brings others?

        By `group`: `customers`, their mean `clv` and referral value between two ends, and how many are `unsure`: in
        another group at the other end of `share`. Much is above the median customer. Parameters as of
        `referral_account`.
        """
        return referral_value.value_groups(self, share, values, saved, reward)

    def referral_values(
        self, share: pd.DataFrame, values: pd.DataFrame | None = None, saved: float = 0.0, reward: float = 0.0
    ) -> pd.DataFrame:
        """What those are worth whom each customer has brought: `customer_id`, `referral_value`, the middle of its ends.

        As in `referral_account`.
        """
        if share.empty:
            return no_rows("customer_id referral_value", "no table says who recommended whom")
        found = referral_value.referral_value(self, share, values, saved, reward)
        return pd.DataFrame(
            {"customer_id": found["customer_id"], "referral_value": (found["low"] + found["high"]) / 2}
        )

    def referred_against_others(self) -> pd.DataFrame:
        """Do the recommended come back more and bring more than others who joined in the same month?

        By `outcome` and `comparison` (all others; others of the same month, channel and market of the first order and
        line of business): `referred, others`, their means, the `difference` with an interval; of who came back the
        `risk_ratio`, its E-value and that of the end of its interval that is nearer to 1.
        """
        return matched.referred_against_others(self)

    def after_opinions(self) -> pd.DataFrame:
        """What did customers do within `within_days` after an answer or a promise?

        By `question` and `group`: `customers`, their `share`, who bought `again`, what they brought (`brought_after`),
        each with an interval, others brought per customer (`brought_others`), and who had `bought_before`. The first
        of each customer counts.
        """
        return opinions.after_opinions(self)

    def themes(self) -> pd.DataFrame:
        """What are comments about, how many were followed up within 30 days, and who came back after that?"""
        return opinions.themes(self)

    def grade_moves(self) -> pd.DataFrame:
        """Do customers go up to dearer products, from order to order in a category?

        By `category` (all first): `moves`, the shares `up`, `same_rung` and `down`, and `net_up` (up less down) with an
        interval by customer. A product's rung is its place among the prices of its category, or the quarter of them.
        """
        return upsell.grade_moves(self)

    def entry_ladder(self) -> pd.DataFrame:
        """How many go up from the rung with which they began, and how soon?

        By `category` and `rung` (1 is the cheapest): `customers`, of whom `went_up`, the share `within_365` days with
        an interval (Kaplan–Meier) and `median_gap` in days. Who is on a low rung has more rungs to go up to.
        """
        return upsell.entry_ladder(self)

    def plan_moves(self) -> pd.DataFrame:
        """What changed from one row of a contract to the next: `move`, `changes`, `customers`, mean `price_change`?"""
        return upsell.plan_moves(self)

    def products_held(self) -> pd.DataFrame:
        """How many kinds of product did customers buy within `within_days`, and what did they bring?

        By `held`: `customers`, their `share`, mean `brought` with an interval, and the share who came `again`. Who buys
        more buys more kinds: it does not say that one kind more would bring as much.
        """
        return upsell.products_held(self)

    def loyalty_account(self) -> pd.DataFrame:
        """What has the loyalty programme brought and cost: `entry`, `side` (merit or demerit), `amount`, `low, high`?

        Merits: what members bought beyond others like them (matched), at the margin of the firm, over all months since
        they joined; breakage. Demerits: rewards redeemed, of which for purchases made anyway, and outstanding points.
        """
        return keeping.loyalty_account(self)

    def points_pressure(self) -> pd.DataFrame:
        """Do members buy faster as a reward draws near, heavy and light buyers? See `treatments.loyalty`."""
        return with_finding(
            points_pressure(self.transactions, self.loyalty_ledger, as_of=self.day), pressure_in_words
        )

    def triangle(self) -> pd.DataFrame:
        """Cohorts by age and calendar: `cohort_comparison`, with `money_share` (of the money of the first period)."""
        return keeping.triangle(self)

    def apparent_rise(self) -> pd.DataFrame:
        """Does retention rise with age although no customer changes?

        By `period` of 91 days since the first order: `customers` who bought in the one before, the share `kept` who
        bought in it, the same share `if_unchanged`, of customers drawn from the fitted BG/NBD model, each of whom has
        one pace and one chance to leave for ever, and the mean chance of all of them, `unchanged`.

        References
        ----------
        Fader & Hardie, Journal of Interactive Marketing 24(2), 2010.
        """
        return keeping.apparent_rise(self)

    def sentences(self, *frames: pd.DataFrame) -> list[str]:
        """What the frames of this chapter say, a sentence each, in the currency."""
        return [in_currency(frame.attrs.get("finding", ""), self.currency) for frame in frames]

    def key_figures(self) -> dict[str, Estimate]:
        """Who comes back within a year of the first order, and how many customers 100 have brought by then."""
        gaps, wins = self.order_gaps(), self.referral_wins()
        again, brought = Estimate(None, "share"), Estimate(None, "ratio")
        if len(gaps):
            row = gaps.iloc[0]
            base = fmt.plural(row["customers"], "new customer")
            again = Estimate(
                row["within_365"], "share", row["within_365_low"], row["within_365_high"], base=base
            )
        year = wins[wins["age"] == 360] if len(wins) else wins
        if len(year):
            row = year.iloc[0]
            brought = Estimate(
                100 * row["wins_per_customer"],
                "ratio",
                100 * row["wins_per_customer_low"],
                100 * row["wins_per_customer_high"],
            )
        return {"second_order": again, "customers_brought": brought}
