"""A test of the claim that 5 % more retention gives 80 % more profit, on a firm's own figures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from crmlib import format as fmt
from crmlib.claims import Claim
from crmlib.economics.retention.profit import CLAIMED, POINTS, RetentionTerms, or_nan
from crmlib.errors import CrmError
from crmlib.findings import SUPPORTED, Estimate, Finding

# Net present value of a customer's profit, not a year's profit, from five points less defection.
REICHHELD_SASSER = {
    "bank branch deposits": 0.85, "credit card": 0.75, "insurance brokerage": 0.50, "industrial distribution": 0.45,
    "software": 0.35, "auto service": 0.30, "credit insurance": 0.25,
}  # fmt: skip
_SOURCE, _NEEDS = "after Reichheld & Sasser 1990", "margin, acquisition cost"
CLAIM = Claim("5 % more retention gives 80 % more profit", _SOURCE, needs=_NEEDS, bar=CLAIMED)
_LEVEL = 0.95


@dataclass(frozen=True)
class RetentionClaim:
    """What the firm's own figures say about the claim.

    Attributes
    ----------
    finding : Finding
        The verdict: "supported" (more than the claimed rise, beyond chance), "contradicted" (less, beyond chance),
        "undecided" (too few customers) or "cannot be tested" (a figure is missing); why; and as estimate the rise
        of a customer's net value from five points more retention, as a share, with its 95 % interval.
    reversal : Series
        Where the verdict would turn: see `claim_reversal`.
    assumptions : tuple of str
    """

    finding: Finding
    reversal: pd.Series
    assumptions: tuple[str, ...]

    @property
    def rise(self) -> Estimate:
        """The estimate of the finding; not known where the claim cannot be tested."""
        return self.finding.estimate or Estimate(None, "share")

    @property
    def published(self) -> pd.DataFrame:
        """What has been published of the same rise, to compare with: columns `industry`, `rise`; none is 80 %.

        Reichheld & Sasser, "Zero defections: quality comes to services", Harvard Business Review 68(5), 1990.
        """
        return pd.DataFrame(REICHHELD_SASSER.items(), columns=["industry", "rise"])

    def __str__(self) -> str:
        return self.finding.sentence


def retention_claim(
    *,
    retained: float,
    customers: float,
    discount_rate: float,
    contribution: float | None = None,
    contribution_error: float = 0.0,
    acquisition_cost: float | None = None,
    programme_cost: float | None = None,
    definition: str = "customers at the start who were there at the end",
) -> RetentionClaim:
    """Does five points more retention give 80 % more profit here?

    Parameters
    ----------
    retained, customers : float
        Customers at a period's start, and how many of them stayed to its end, by `definition`.
    discount_rate : float
        As in `RetentionTerms`.
    contribution, contribution_error : float
        Margin in money per customer and period, and its standard error; needed where a cost is known. Without costs
        the rise does not depend on it.
    acquisition_cost : float, optional
        Money per customer acquired; 0 is a statement. Where it is not known, the rise is given before it, with the
        cost at which the claim would hold; the verdict is then "supported" or "cannot be tested".
    programme_cost : float, optional
        As in `RetentionTerms`; where it is not known, the rise is given before it.

    Notes
    -----
    For the interval, retention is drawn from its posterior (Jeffreys), the margin from a normal distribution.

    Examples
    --------
    >>> firm = dict(retained=8000, customers=10_000, contribution=100, discount_rate=0.1)
    >>> found = retention_claim(**firm, acquisition_cost=50)
    >>> found.finding.verdict, str(found.rise), round(found.reversal["acquisition_cost"])
    ('contradicted', '23 % (23 % to 24 %)', 275)
    """
    if not 0 <= retained <= customers:
        raise CrmError(f"retained is {retained} of {customers} customers; give at most as many as there were")
    assumptions = _assumptions(definition, discount_rate, acquisition_cost, contribution, programme_cost)
    if missing := _missing(retained, customers, contribution, bool(acquisition_cost or programme_cost)):
        return not_tested(missing, assumptions)
    costs = (or_nan(acquisition_cost), or_nan(programme_cost))
    known = RetentionTerms(contribution or 1.0, retained / customers, discount_rate, *costs)
    reversal, terms = claim_reversal(known), known.counted()
    if terms.retention_rate + POINTS > 1:
        full = f"Retention of {fmt.share(terms.retention_rate)} is too high for five points more."
        return not_tested(full, assumptions, reversal)
    if not terms.net() > 0:
        lost = "A customer brings less than acquisition costs, so a percentage rise is undefined."
        return not_tested(lost, assumptions, reversal)
    rise, of_share = terms.steps()["after_programme_change"].iloc[1:]
    low, high = _interval(terms, retained, customers, contribution_error)
    estimate = Estimate(rise, "share", low=low, high=high, level=_LEVEL, base=definition)
    claim = replace(CLAIM, assumptions=assumptions)
    why = _why(estimate, of_share, reversal, acquisition_cost is None)
    finding = claim.test(estimate, why)
    if acquisition_cost is None and finding.verdict != SUPPORTED:
        finding = claim.cannot_be_tested(why, estimate)
    return RetentionClaim(finding, reversal, assumptions)


def _missing(retained: float, customers: float, contribution: float | None, has_costs: bool) -> str:
    if not customers > 0:
        return "No customer was there at the start of the period."
    if not retained > 0:
        return "Nobody was retained, so there is no value to raise."
    if contribution is None and has_costs:
        return "Costs are known but no margin: without it, profit is not known."
    return ""


def not_tested(
    missing: str, assumptions: tuple[str, ...] = (), reversal: pd.Series | None = None
) -> RetentionClaim:
    """The claim where it cannot be tested, and what is missing."""
    nowhere = pd.Series(dtype=float) if reversal is None else reversal
    return RetentionClaim(CLAIM.cannot_be_tested(missing), nowhere, assumptions)


def _interval(
    terms: RetentionTerms, retained: float, customers: float, contribution_error: float
) -> tuple[float, float]:
    """Interval of the rise, from the uncertainty of retention and margin."""
    r, margin = terms.drawn(retained, customers, contribution_error)
    raised = np.minimum(r + POINTS, 1.0)
    today = terms.gross(r) * margin - terms.acquisition_cost
    after = terms.gross(raised) * margin - terms.acquisition_cost - terms.programme(raised)
    # where hardly anything is left today, any rise is a large share of it
    rise = np.where(today > 0, after / np.where(today > 0, today, 1.0) - 1, np.inf)
    low, high = np.quantile(rise, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], method="nearest")
    return float(low), float(high)


def _why(rise: Estimate, of_share: float, reversal: pd.Series, before_acquisition: bool) -> str:
    what = "before acquisition cost, which is not known" if before_acquisition else "net of costs"
    text = f"Five points more give {rise} {what}"
    text += f", a relative rise of five per cent {fmt.share(of_share)}." if np.isfinite(of_share) else "."
    if rise.low < CLAIMED <= rise.high:
        needed = "more customers or a more precise margin are needed"
        text += f" The interval holds {fmt.share(CLAIMED)}: {needed}."
    cost, rate = reversal["acquisition_cost_in_margins"], reversal["retention_rate"]
    where = [f"at an acquisition cost of {fmt.number(cost, 1)} periods' margin"] if cost > 0 else []
    where += [f"at a retention of {fmt.share(rate)}"] if np.isfinite(rate) else []
    return text + (f" {fmt.share(CLAIMED)} would hold exactly {' or '.join(where)}." if where else "")


def _assumptions(
    definition: str,
    discount_rate: float,
    acquisition_cost: float | None,
    contribution: float | None,
    programme_cost: float | None,
) -> tuple[str, ...]:
    assumed = [
        f"retained means: {definition}",
        "retention is the same at every age and for every customer, and so is the margin",
        f"the first period's margin comes with the acquisition and counts; discount {fmt.share(discount_rate)} "
        "a period; profit is the present value of a customer's margins, not one year's",
    ]
    if contribution is None:
        assumed.append("no margin is known: it is assumed to be the same before and after")
    if acquisition_cost is None:
        assumed.append("no acquisition cost is known: value is before it")
    if programme_cost is None:
        assumed.append("the cost of raising retention is not known: value is before it")
    return tuple(assumed)


def claim_reversal(terms: RetentionTerms) -> pd.Series:
    """Where would five points more retention give exactly the claimed rise in value?

    Returns
    -------
    Series
        `acquisition_cost` per customer at which the claim holds exactly at this firm's retention (negative: it holds
        at any cost), `acquisition_cost_in_margins`, and `retention_rate` nearest to the firm's at which it holds at
        this firm's costs; nan where there is none, and where acquisition cost is not known. A programme whose cost
        is not known counts as costing nothing.
    """
    now, counted = terms.retention_rate, terms.counted()
    after = terms.gross(now + POINTS) - counted.programme(now + POINTS)
    cost = float(terms.gross() - (after - terms.gross()) / CLAIMED)
    rate = np.nan if np.isnan(terms.acquisition_cost) else _nearest_rate(counted)
    costs = {"acquisition_cost": cost, "acquisition_cost_in_margins": cost / terms.contribution}
    return pd.Series({**costs, "retention_rate": rate})


def _nearest_rate(terms: RetentionTerms) -> float:
    """The retention rate nearest to the firm's at which the step's rise is as claimed."""
    from scipy.optimize import brentq

    def excess(r: ArrayLike) -> np.ndarray:
        rates = np.asarray(r, dtype=float)
        net, raised = terms.net(rates), rates + POINTS
        return terms.net(raised) - terms.programme(raised) - net - CLAIMED * net

    grid = np.linspace(1e-6, 1 - POINTS - 1e-9, 2000)
    signs = np.sign(excess(grid))
    found = [brentq(excess, grid[k], grid[k + 1]) for k in np.flatnonzero(signs[1:] * signs[:-1] < 0)]
    found = [r for r in found if terms.net(r) > 0]
    return float(min(found, key=lambda r: abs(r - terms.retention_rate))) if found else np.nan
