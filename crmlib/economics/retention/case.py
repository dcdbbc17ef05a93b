"""A firm's own figures for the value of retention: which are measured, assumed or missing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import as_day
from crmlib.customers.retention.contracts import contract_retention, contract_spells
from crmlib.customers.retention.repurchase import buying_streaks, repurchase_rate
from crmlib.data.sources import lacking
from crmlib.economics.retention.claim import RetentionClaim, claim_reversal, not_tested, retention_claim
from crmlib.economics.retention.profit import CLAIMED, POINTS, RetentionTerms, or_nan, retention_mix
from crmlib.economics.retention.spending import spend_per_first_purchase
from crmlib.economics.sentences import claim_in_words, retention_in_words, worth_of_next_points
from crmlib.errors import FitError, not_measured, require_an_answer
from crmlib.findings import Estimate, with_finding
from crmlib.models.shifted_beta_geo import ShiftedBetaGeoModel
from crmlib.no_rows import no_rows
from crmlib.units import TimeUnit, periods

DEFAULT_DISCOUNT = 0.10
_BASIS = ["figure", "amount", "unit", "origin"]
_MIX = "customers retention_rate gross net elasticity gross_change"


@dataclass(frozen=True)
class RetentionCase:
    """What is known of retention and of what a customer brings, by one definition of retention.

    Attributes
    ----------
    definition : str
        What a retained customer is, in words.
    period_days : float
    retained, customers : float
        Of the customers at the start of the last period, those retained to its end.
    value : str
        "contribution", or "revenue" where no margin is known.
    value_per_customer, value_error : float
        Money per retained customer and period, and its standard error.
    discount_rate : float
        Per period.
    acquisition_cost : float or None
        Money per customer acquired.
    programme_cost : float or None
        Money per customer and period that raising retention would cost.
    survivors : Series or None
        Customers still there period by period, from the first one on.
    basis : DataFrame
        By `figure`: `amount`, its `unit`, and `origin`: measured, given, assumed or missing, and how.
    reason : str
        Why nothing is known of retention; then every figure is nan, and the claim cannot be tested.
    """

    definition: str
    basis: pd.DataFrame
    period_days: float = np.nan
    retained: float = np.nan
    customers: float = np.nan
    value: str = "revenue"
    value_per_customer: float = np.nan
    value_error: float = np.nan
    discount_rate: float = np.nan
    acquisition_cost: float | None = None
    programme_cost: float | None = None
    survivors: pd.Series | None = None
    reason: str = ""

    @property
    def no_terms(self) -> str:
        """Why there is nothing that more retention could raise, or an empty text."""
        if self.reason:
            return self.reason
        if not self.value_per_customer > 0:
            return f"a retained customer brings no {self.value}, so higher retention cannot raise value"
        if not self.discount_rate + 1 > self.retained / self.customers:
            return "retention is 100 % without discounting, so value is infinite; give a discount rate"
        return ""

    @property
    def terms(self) -> RetentionTerms:
        """The same as terms of a valuation, in money of `value`; where there are none, the reason is raised."""
        require_an_answer(self.no_terms)
        costs = (or_nan(self.acquisition_cost), or_nan(self.programme_cost))
        costs = costs if self.value != "revenue" else (np.nan, np.nan)  # revenue less a cost is no profit
        rate = self.retained / self.customers
        return RetentionTerms(self.value_per_customer, rate, self.discount_rate, *costs)

    def claim(self) -> RetentionClaim:
        """Whether 5 % more retention gives 80 % more profit by these figures."""
        if self.no_terms:
            return not_tested(not_measured(self.no_terms))
        names = "retained customers discount_rate acquisition_cost programme_cost definition".split()
        known: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.value != "revenue":
            known |= {"contribution": self.value_per_customer, "contribution_error": self.value_error}
        return retention_claim(**known)

    def profit_curve(self) -> pd.DataFrame:
        """`RetentionTerms.profit_curve` with what it says of this firm, and the verdict on the claim, as titles."""
        curve, rate = self.terms.profit_curve(), self.terms.retention_rate
        with_finding(curve, worth_of_next_points, rate, POINTS, f" of {self.value}")
        return with_finding(curve, claim_in_words, self.claim().finding, CLAIMED, measure="net_change")

    def answer(self, currency: str) -> tuple[str, ...]:
        """What the firm's own figures say, in three sentences."""
        claim = claim_in_words(self.basis, self.claim().finding, CLAIMED)
        return retention_in_words(self, *self.one_point(), claim, currency)

    def one_point(self) -> tuple[Estimate, Estimate]:
        """What one more point of retention brings per new customer and may cost per customer and period."""
        gain, cost = self.terms.one_point(self.retained, self.customers, self.value_error)
        return gain, Estimate(None, "money") if self.value == "revenue" else cost

    def reversal(self) -> pd.Series:
        """Where five points more retention would give exactly 80 % more value; see `claim_reversal`."""
        found = claim_reversal(self.terms)
        return found if self.value != "revenue" else found.mask(found.index == "acquisition_cost")

    def worth_of_points(self) -> pd.DataFrame:
        """What some points more are worth; what they may cost is not known where no margin is."""
        table = self.terms.worth_of_points()
        return table if self.value != "revenue" else table.assign(affordable_cost=np.nan)

    def mix(self) -> pd.DataFrame:
        """How much constant retention understates value (sBG of the survivors); no rows where too few are known."""
        endless = "" if self.discount_rate > 0 else "undiscounted, customers may have no finite value"
        if self.survivors is None or self.no_terms or endless:
            return no_rows(_MIX, self.no_terms or endless)
        try:
            model = ShiftedBetaGeoModel().fit(self.survivors.tolist())
        except FitError as error:
            return no_rows(_MIX, str(error))
        return retention_mix(model, self.terms)


def buyers_case(
    transactions: Any,
    *,
    as_of: Any,
    period: str = "26W",
    margin: float | None = None,
    discount_rate_per_year: float | None = None,
    discount_origin: str = "given",
    acquisition_cost: float | None = None,
    acquisition_origin: str = "given",
    programme_cost: float | None = None,
    marketing_spend: Any | None = None,
    collapse: str = "D",
    new_from: Any = None,
) -> RetentionCase:
    """What is known of retention where customers have no contract: who bought again in the next period?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day that counts.
    period : str
        Length of a period of retention, such as "26W".
    margin : float, optional
        Profit as a share of revenue, where the log has no `cost`.
    discount_rate_per_year : float, optional
        .10 where it is not known.
    discount_origin : str
        Where it is from, such as "assumed in the study file".
    acquisition_cost : float, optional
        Money per customer acquired; else from `marketing_spend`, without wages.
    acquisition_origin : str
        Where the cost that is given is from.
    programme_cost : float, optional
        Money per customer and period that raising retention would cost.
    marketing_spend : ibis.Table or DataFrame, optional
        Columns `date, amount`: over the last 365 days, divided by the customers who first bought in them.
    collapse : str
        As in `rfm_summary`.
    new_from : date or str, optional
        The study's `new_customers_known_from`: customers acquired are not counted before it.

    Raises
    ------
    CannotAnswerError
        If nobody bought in one of the last two periods.

    Examples
    --------
    >>> import crmlib as crm
    >>> study = crm.open_study("cdnow-sample")
    >>> case = buyers_case(study.transactions, as_of=study.as_of, period="26W", discount_rate_per_year=0.1)
    >>> case.customers, case.retained, case.claim().finding.verdict
    (612.0, 319.0, 'cannot be tested')
    """
    day, days = as_day(as_of, "as_of"), round(periods(period, "D"))
    again = repurchase_rate(transactions, as_of=day, days=days, margin=margin, collapse=collapse)
    value = "contribution" if margin is not None or "cost" in transactions.columns else "revenue"
    buyers, bought_again = float(again["buyers"]), float(again["bought_again"])
    measured = f"measured: {fmt.count(buyers)} bought in the {days} days before the last {days}"
    missing = "" if value == "contribution" else "; no margin or cost is known, so contribution is missing"
    cost: tuple[float | None, str] = (acquisition_cost, acquisition_origin)
    if acquisition_cost is None:
        cost = spend_per_first_purchase(transactions, day, marketing_spend, new_from)
    figures = {
        "retention": (again["rate"], f"{measured}, {fmt.count(bought_again)} of them again"),
        "worth": (again["value_per_buyer"], f"measured: {value} per buyer in the last {days} days{missing}"),
        "acquisition": cost,
        "discount": (discount_rate_per_year, discount_origin),
    }
    return _case(
        **figures, definition=f"bought again within the next {days} days", period_days=days, value=value,
        retained=bought_again, customers=buyers, value_error=float(np.nan_to_num(again["value_error"])),
        programme_cost=programme_cost,
        survivors=buying_streaks(transactions, as_of=day, days=days, collapse=collapse),
    )  # fmt: skip


def contracts_case(
    subscriptions: Any,
    *,
    as_of: Any,
    margin: float | None = None,
    discount_rate_per_year: float | None = None,
    discount_origin: str = "given",
    acquisition_cost: float | None = None,
    programme_cost: float | None = None,
) -> RetentionCase:
    """What is known of retention where customers have contracts: who was there at a year's start and at its end?

    Parameters
    ----------
    subscriptions : ibis.Table or DataFrame
        As for `contract_spells`.
    as_of : date or str
        Last day that counts; figures are of the last complete calendar year.
    margin : float, optional
        Profit as a share of the price; without it, value is revenue.
    discount_rate_per_year, discount_origin, acquisition_cost, programme_cost
        As in `buyers_case`; a period is a year.

    Returns
    -------
    RetentionCase
        With a `reason` where there is no table, no complete year with customers at its start, or no contract runs.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": list("abcd"), "start": pd.Timestamp("2023-03-01"), "price_per_month": 10.0,
    ...     "end": pd.to_datetime([None, None, None, "2024-08-31"])})
    >>> case = contracts_case(rows, as_of="2024-12-31", discount_rate_per_year=0.1)
    >>> case.customers, case.retained, case.value_per_customer
    (4.0, 3.0, 120.0)
    """
    day = as_day(as_of, "as_of")
    years = contract_retention(subscriptions, as_of=day, period="Y")
    years, spells = years[years["start"] > 0], contract_spells(subscriptions, day)
    yearly = 12 * (1.0 if margin is None else margin) * spells.loc[~spells["ended"], "price_per_month"]
    if years.empty or yearly.empty:
        why = f"no calendar year up to {day} is complete with contracts at its start; wait, or use months"
        why = why if years.empty else f"no contract runs on {day}"
        reason = lacking(subscriptions=subscriptions) or why
        return RetentionCase("", no_rows(_BASIS, reason), reason=reason)
    last, year = years.iloc[-1], years["period"].iloc[-1].year
    missing = "; no margin is given, so contribution is missing" if margin is None else ""
    figures = {
        "retention": (last["retention"], f"measured: (end − new) / start of {year}"),
        "worth": (yearly.mean(), f"measured: prices due on {day} × 12{missing}"),
        "acquisition": (acquisition_cost, _origin(acquisition_cost, ": spend is not split by contracts")),
        "discount": (discount_rate_per_year, discount_origin),
    }
    return _case(
        **figures, definition=f"were under contract at the start of {year} and at its end",
        period_days=TimeUnit.Y.days, value="revenue" if margin is None else "contribution",
        retained=float(last["end"] - last["new"]), customers=float(last["start"]),
        value_error=float(np.nan_to_num(yearly.sem())), programme_cost=programme_cost,
        survivors=_yearly_survivors(spells, day),
    )  # fmt: skip


def _case(
    retention: Any, worth: Any, acquisition: Any, discount: Any, value: str, period_days: float, **known: Any
) -> RetentionCase:
    """A case of figures, the first four each with its origin."""
    yearly, given = (DEFAULT_DISCOUNT, "assumed, as none is given") if discount[0] is None else discount
    rate = float((1 + yearly) ** (period_days / TimeUnit.Y.days) - 1)
    programme = known["programme_cost"]
    rows = [
        ("retention per period", retention[0], "share", retention[1]),
        (f"{value} per customer and period", worth[0], "money", worth[1]),
        ("acquisition cost per customer", acquisition[0], "money", acquisition[1]),
        ("discount rate per period", rate, "share", f"{fmt.share(yearly)} a year ({given})"),
        ("programme cost per customer and period", programme, "money", _origin(programme)),
    ]
    basis = pd.DataFrame(rows, columns=_BASIS).astype({"amount": float})
    known |= {
        "value_per_customer": float(worth[0]),
        "discount_rate": rate,
        "acquisition_cost": acquisition[0],
    }
    return RetentionCase(basis=basis, period_days=period_days, value=value, **known)


def _origin(cost: float | None, why: str = "") -> str:
    return f"missing{why}" if cost is None else "given"


def _yearly_survivors(spells: pd.DataFrame, day: dt.date) -> pd.Series:
    """Of contracts begun as many years ago as half of all could be seen for: those left after 0, 1, 2, … years."""
    could_be_seen = (pd.Timestamp(day) - spells["start"]).dt.days / TimeUnit.Y.days
    years = int(could_be_seen.median())
    cohort = spells.loc[could_be_seen >= years, "tenure_months"]
    return pd.Series([int((cohort >= 12 * year).sum()) for year in range(years + 1)], name="survivors")
