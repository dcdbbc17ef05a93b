"""The claim that 5 % more retention gives 80 % more profit, put to the test on a firm's own figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.economics.formula_clv import Timing
from crmlib.economics.retention.profit import POINTS, RetentionTerms, claim_reversal, retention_steps
from crmlib.errors import CrmError

CLAIMED = 0.80
SUPPORTED, REFUTED, UNTESTED = "supported", "not supported", "cannot be tested"
_DRAWS = 4000
_LEVEL = 0.95


@dataclass(frozen=True)
class RetentionClaim:
    """What the firm's own figures say about the claim.

    Attributes
    ----------
    verdict : str
        "supported" (at least the claimed rise, beyond doubt), "not supported" (less, beyond doubt) or "cannot be
        tested" (too few customers to tell, or a figure is missing: without acquisition cost the rise is only
        known to be more than what is told).
    rise, low, high : float
        Rise of a customer's net value from five points more retention, as a share, and its 95 % interval.
    rise_of_share : float
        The same from five per cent more of itself; nan where that is no probability.
    steps : DataFrame
        As `retention_steps` has them; empty where the claim cannot be tested.
    reversal : Series
        As `claim_reversal` has it: where the verdict would turn.
    assumptions : tuple of str
    reason : str
        Why, in a sentence.
    """

    verdict: str
    rise: float
    low: float
    high: float
    rise_of_share: float
    steps: pd.DataFrame
    reversal: pd.Series
    assumptions: tuple[str, ...]
    reason: str

    @property
    def words(self) -> str:
        """Verdict and reason in a sentence or two."""
        return f"“5 % more retention gives 80 % more profit”: {self.verdict}. {self.reason}"

    def __str__(self) -> str:
        return self.words


def retention_claim(
    *,
    retained: float,
    customers: float,
    discount_rate: float,
    margin: float | None = None,
    margin_error: float = 0.0,
    acquisition_cost: float | None = None,
    fixed_cost: float = 0.0,
    programme_cost: float = 0.0,
    timing: str | Timing = Timing.NEXT_PERIOD_IF_RETAINED,
    definition: str = "customers at the start who were there at the end",
    claimed: float = CLAIMED,
    random_state: int = 0,
) -> RetentionClaim:
    """Does five points more retention give 80 % more profit here?

    Parameters
    ----------
    retained, customers : float
        Customers at a period's start, and how many of them stayed to its end, by `definition`.
    discount_rate : float
        Per period, 0 or more.
    margin : float, optional
        Money per customer and period; needed where a cost is known. Without costs the rise does not depend on it.
    margin_error : float, default 0
        Standard error of the margin.
    acquisition_cost : float, optional
        Money per customer acquired; 0 is a statement. Where it is not known, the rise before it is told, and the
        cost at which the claim would hold; it can only be called supported.
    fixed_cost, programme_cost, timing
        As in `RetentionTerms`.
    definition : str
        What retained means, in words, for the assumptions.
    claimed : float, default 0.80
    random_state : int
        Of the interval: retention drawn from its posterior (Jeffreys), the margin from a normal distribution.

    Returns
    -------
    RetentionClaim

    Raises
    ------
    CrmError
        If more are retained than there were, or a term is out of range.

    Examples
    --------
    >>> firm = dict(retained=8000, customers=10_000, margin=100, discount_rate=0.1)
    >>> found = retention_claim(**firm, acquisition_cost=50)
    >>> found.verdict, round(found.rise, 3), round(found.reversal["acquisition_cost"])
    ('not supported', 0.338, 175)
    >>> retention_claim(**firm, acquisition_cost=200).verdict
    'supported'
    >>> retention_claim(**firm).verdict
    'cannot be tested'
    """
    if not 0 <= retained <= customers:
        raise CrmError(f"retained is {retained} of {customers} customers; give at most as many as there were")
    costs = {
        "acquisition_cost": acquisition_cost or 0.0,
        "fixed_cost": fixed_cost,
        "programme_cost": programme_cost,
    }
    assumptions = _assumptions(definition, timing, discount_rate, acquisition_cost, margin, costs)
    if reason := _missing(retained, customers, margin, costs):
        return not_tested(reason, assumptions)
    terms = RetentionTerms(margin or 1.0, retained / customers, discount_rate, timing=timing, **costs)
    reversal = claim_reversal(terms, claimed=claimed)
    if terms.retention_rate + POINTS > 1:
        return not_tested(
            f"Retention of {terms.retention_rate:.1%} leaves no room for five points.", assumptions, reversal
        )
    if not terms.net() > 0:
        lost = f"A customer brings {float(terms.net()):,.2f} after acquisition and fixed cost"
        return not_tested(f"{lost}: nothing to take a share of.", assumptions, reversal)
    steps = retention_steps(terms)
    rise, of_share = steps["after_programme_change"].iloc[1:]
    low, high = _interval(terms, retained, customers, margin_error, random_state)
    short = high < claimed and acquisition_cost is not None
    verdict = SUPPORTED if low >= claimed else REFUTED if short else UNTESTED
    reason = _reason((rise, low, high, of_share), claimed, reversal, acquisition_cost is None)
    return RetentionClaim(verdict, rise, low, high, of_share, steps, reversal, assumptions, reason)


def _missing(retained: float, customers: float, margin: float | None, costs: dict[str, float]) -> str:
    if not customers > 0:
        return "No customer was there at the start of the period."
    if not retained > 0:
        return "Nobody was retained, so that there is no value to raise."
    if margin is None and any(costs.values()):
        return "Costs are known but no margin: without it, what is left after them is not known."
    return ""


def not_tested(
    reason: str, assumptions: tuple[str, ...] = (), reversal: pd.Series | None = None
) -> RetentionClaim:
    """The claim where it cannot be tested, and why."""
    unknown = float("nan")
    nowhere = pd.Series(dtype=float) if reversal is None else reversal
    return RetentionClaim(
        UNTESTED, unknown, unknown, unknown, unknown, pd.DataFrame(), nowhere, assumptions, reason
    )


def _interval(
    terms: RetentionTerms, retained: float, customers: float, margin_error: float, random_state: int
) -> tuple[float, float]:
    """Ends of the rise, where retention and margin are only known so far."""
    random = np.random.default_rng(random_state)
    r = random.beta(retained + 0.5, customers - retained + 0.5, _DRAWS)
    margin = random.normal(terms.margin, margin_error, _DRAWS) / terms.margin
    costs = terms.acquisition_cost + terms.fixed_cost
    today = terms.gross(r) * margin - costs
    after = (
        terms.gross(np.minimum(r + POINTS, 1.0)) * margin
        - costs
        - terms.programme(np.minimum(r + POINTS, 1.0))
    )
    # where hardly anything is left today, any rise is a large share of it
    rise = np.where(today > 0, after / np.where(today > 0, today, 1.0) - 1, np.inf)
    low, high = np.quantile(rise, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], method="nearest")
    return float(low), float(high)


def _reason(found: tuple[float, ...], claimed: float, reversal: pd.Series, before_acquisition: bool) -> str:
    rise, low, high, of_share = found
    end = f"{high:.0%}" if np.isfinite(high) else "no bound"
    what = "before acquisition cost, which is not known" if before_acquisition else "net of costs"
    told = f"Five points more give {rise:.0%} ({low:.0%} to {end}) {what}"
    told += f", five per cent of itself {of_share:.0%}." if np.isfinite(of_share) else "."
    if low < claimed <= high:
        told += f" The interval holds {claimed:.0%}: more customers or a surer margin are needed."
    cost, rate = reversal["acquisition_cost"], reversal["retention_rate"]
    where = []
    if cost > 0:
        where.append(
            f"at an acquisition cost of {reversal['acquisition_cost_in_margins']:.1f} periods' margin"
        )
    if np.isfinite(rate):
        where.append(f"at a retention of {rate:.0%}")
    return told + (f" {claimed:.0%} would hold exactly {' or '.join(where)}." if where else "")


def _assumptions(
    definition: str,
    timing: str | Timing,
    discount_rate: float,
    acquisition_cost: float | None,
    margin: float | None,
    costs: dict[str, float],
) -> tuple[str, ...]:
    first = {
        Timing.NEXT_PERIOD_IF_RETAINED: "one period from now, if the customer stays",
        Timing.NEXT_PERIOD_CERTAIN: "one period from now, for certain",
        Timing.NOW: "now",
    }[Timing.parse(timing)]
    told = [
        f"retained means: {definition}",
        "retention is the same at every age and for every customer, and so is the margin",
        f"the first margin comes {first}; discount {discount_rate:.1%} a period; profit is the present value of a "
        "customer's margins, not one year's",
    ]
    if margin is None:
        told.append("no margin is known: it is taken to be the same before and after")
    if acquisition_cost is None:
        told.append("no acquisition cost is known: value is before it")
    if not costs["programme_cost"]:
        told.append("raising retention costs nothing")
    return tuple(told)
