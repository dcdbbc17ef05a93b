"""Profit as a function of retention, at a firm's margin, costs and discount rate.

"5 % more retention" is two things: five points more (.80 to .85), or five per cent of itself (.80 to .84);
both are given. Value is that of an acquired customer at constant retention; customers of `retention_mix` differ.

One convention holds throughout: the first period's margin comes with the acquisition, as acquisition cost does. So
did Blattberg & Deighton (1996) count, and Reichheld & Sasser (1990), whose customers bring a first year's profit
before any of them can leave. Without that margin the same step is a larger share of a smaller value. A paper that
counts otherwise is reproduced by its `timing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from crmlib import format as fmt
from crmlib.arguments import check_range, check_share
from crmlib.economics.formula_clv import first_margin
from crmlib.errors import CrmError
from crmlib.findings import Estimate
from crmlib.models.shifted_beta_geo import ShiftedBetaGeoModel
from crmlib.statistics import Array

POINTS = 0.05
CLAIMED = 0.80  # the claimed rise in value from five points more
_STEP = 1e-5  # of a logarithm, for central differences
_NODES, _DRAWS = 400, 4000
_COSTS = ("acquisition_cost", "programme_cost")


@dataclass(frozen=True)
class RetentionTerms:
    """What a customer brings and costs.

    Parameters
    ----------
    contribution : float
        Margin in money per customer and period, above 0.
    retention_rate, discount_rate : float
        Per period; retention from 0 to 1, the discount above 0 or retention below 1.
    acquisition_cost : float, default nan
        Money per customer acquired; nan is not known, and then no net value is. 0 is a statement.
    programme_cost : float, default nan
        Money per customer and period that *raising* retention costs, paid at the start of each period for
        every customer who is there, the first included; nan is not known.
    timing : {"now", "next_period_certain", "next_period_if_retained"}
        When the first margin arrives, as in `simple_clv`: with the acquisition by default.
    """

    contribution: float
    retention_rate: float
    discount_rate: float
    acquisition_cost: float = np.nan
    programme_cost: float = np.nan
    timing: str = "now"

    def __post_init__(self) -> None:
        check_range("contribution", self.contribution, "money per customer and period, above 0", above=0)
        check_share("retention_rate", self.retention_rate)
        if not 0 <= self.discount_rate < np.inf or self.discount_rate + 1 - self.retention_rate <= 0:
            raise CrmError(
                f"discount_rate is {self.discount_rate!r} at retention_rate {self.retention_rate}; give a rate per "
                "period, 0 or more, and above 0 where nobody leaves (10 % is 0.10)"
            )
        for name in _COSTS:
            if not np.isnan(getattr(self, name)):
                check_range(name, getattr(self, name), "money, 0 or more, or nan if not known", least=0)
        first_margin(self.timing, self.retention_rate, self.discount_rate)

    def counted(self) -> RetentionTerms:
        """The same before unknown costs: they are left out, which the caller has to say."""
        acquisition, programme = (float(np.nan_to_num(getattr(self, name))) for name in _COSTS)
        return replace(self, acquisition_cost=acquisition, programme_cost=programme)

    def gross(self, retention_rate: ArrayLike | None = None) -> np.ndarray:
        """Present value of margins per customer; nan at retention that is no probability or has no limit."""
        r = np.asarray(self.retention_rate if retention_rate is None else retention_rate, dtype=float)
        return self.contribution * first_margin(self.timing, r, self.discount_rate) / self._left(r)

    def net(self, retention_rate: ArrayLike | None = None) -> np.ndarray:
        """Gross value less acquisition cost, without a programme; nan where that cost is not known."""
        return self.gross(retention_rate) - self.acquisition_cost

    def programme(self, retention_rate: ArrayLike) -> np.ndarray:
        """Present value of the programme's cost per customer at the retention that it reaches."""
        left = self._left(np.asarray(retention_rate, dtype=float))
        return self.programme_cost * (1 + self.discount_rate) / left

    def elasticity(self, retention_rate: ArrayLike | None = None) -> np.ndarray:
        """By how many per cent gross value rises when retention rises by one per cent of itself."""
        r = np.asarray(self.retention_rate if retention_rate is None else retention_rate, dtype=float)
        return r / self._left(r) + (self.timing == "next_period_if_retained")

    def _left(self, r: np.ndarray) -> np.ndarray:
        left = 1 + self.discount_rate - r
        return np.where((r >= 0) & (r <= 1 + 1e-12) & (left > 0), left, np.nan)

    def steps(self) -> pd.DataFrame:
        """What five points more retention, and five per cent more, would do to the value of a customer.

        Returns
        -------
        DataFrame
            Rows `step` "today", "+5 points", "×1.05": `retention_rate`, `gross` (margins), `net` (less acquisition
            cost), `after_programme` (less the programme too; today there is none), and each one's
            `..._change` against today as a share. nan where retention would be no probability, where a cost is not
            known, or where today's net value is not positive, so that no share of it makes sense.

        Examples
        --------
        >>> terms = RetentionTerms(contribution=100, retention_rate=0.8, discount_rate=0.1, acquisition_cost=275)
        >>> terms.steps()[["step", "gross", "net", "gross_change", "net_change"]].round(3)
                step    gross      net  gross_change  net_change
        0      today  366.667   91.667         0.000       0.000
        1  +5 points  440.000  165.000         0.200       0.800
        2      ×1.05  423.077  148.077         0.154       0.615
        """
        now = self.retention_rate
        rates = np.array([now, now + POINTS, now * (1 + POINTS)])
        rates = np.where(rates <= 1, rates, np.nan)
        names = ["today", f"+{fmt.points(POINTS)}", f"×{1 + POINTS:g}"]
        net = self.net(rates)
        after = net - np.append(0.0, self.programme(rates[1:]))
        table = pd.DataFrame({"step": names, "retention_rate": rates, "gross": self.gross(rates)})
        table = table.assign(net=net, after_programme=after)
        for name in ("gross", "net", "after_programme"):
            today = table[name].iloc[0]
            table[f"{name}_change"] = table[name] / today - 1 if today > 0 else np.nan
        return table

    def profit_curve(self) -> pd.DataFrame:
        """How the value of a customer changes with retention, and what the next five points would add.

        Returns
        -------
        DataFrame
            By `retention_rate`, .30 to .95 in steps of one point, and on to the firm's own rate and five points more
            where these are more and still below 1: `gross`, `net`, `after_programme` (net of a programme), and
            `gross_change`, `net_change` of the next five points as a share; nan where the net value is not positive
            or not known, or retention would exceed 1.

        Examples
        --------
        >>> terms = RetentionTerms(contribution=100, retention_rate=0.8, discount_rate=0.1, acquisition_cost=275)
        >>> curve = terms.profit_curve()[["retention_rate", "gross", "net_change"]].round(2)
        >>> curve[curve["retention_rate"].isin([0.6, 0.8, 0.9])].values.tolist()
        [[0.6, 220.0, nan], [0.8, 366.67, 0.8], [0.9, 550.0, 0.67]]
        """
        own = (self.retention_rate, self.retention_rate + POINTS)
        furthest = max([0.95, *(rate for rate in own if rate < 1)])
        rates = np.append(np.round(np.arange(0.30, furthest, 0.01), 2), furthest)
        gross, net = self.gross(rates), self.net(rates)
        rise = self.gross(rates + POINTS) - gross
        curve = pd.DataFrame({"retention_rate": rates, "gross": gross, "net": net})
        curve["after_programme"] = net - self.programme(rates)
        curve["gross_change"] = rise / gross
        curve["net_change"] = np.where(net > 0, rise / np.where(net > 0, net, 1.0), np.nan)
        return curve

    def worth_of_points(self, points: Sequence[float] = (0.01, 0.02, 0.05)) -> pd.DataFrame:
        """What are some points more of retention worth, and what may a programme that brings them cost?

        Parameters
        ----------
        points : sequence of float
            Such as .01 for one point.

        Returns
        -------
        DataFrame
            By `points`: `retention_rate`, `gain` (money per customer acquired, present value) and `affordable_cost`
            (money per customer and period, paid at the start of each, that would use up the gain); nan where
            retention would be no probability.

        Examples
        --------
        >>> RetentionTerms(contribution=100, retention_rate=0.8, discount_rate=0.1).worth_of_points([0.05]).round(2)
           points  retention_rate   gain  affordable_cost
        0    0.05            0.85  73.33            16.67
        """
        more = np.asarray(points, dtype=float)
        rates = np.where(self.retention_rate + more <= 1, self.retention_rate + more, np.nan)
        gain = self.gross(rates) - self.gross()
        cost = gain * (1 + self.discount_rate - rates) / (1 + self.discount_rate)
        return pd.DataFrame({"points": more, "retention_rate": rates, "gain": gain, "affordable_cost": cost})

    def drawn(self, retained: float, customers: float, contribution_error: float) -> tuple[Array, Array]:
        """Draws of retention rates and relative margins from the uncertainty of the counts."""
        random = np.random.default_rng(0)
        rates = random.beta(retained + 0.5, customers - retained + 0.5, _DRAWS)
        return rates, random.normal(self.contribution, contribution_error, _DRAWS) / self.contribution

    def one_point(self, retained: float, customers: float, contribution_error: float) -> tuple[Estimate, ...]:
        """`gain` and `affordable_cost` of one more point, as in `worth_of_points`, with 95 % intervals."""
        rates, margin = self.drawn(retained, customers, contribution_error)
        more, growth = np.minimum(rates + 0.01, 1.0), 1 + self.discount_rate
        gain = (self.gross(more) - self.gross(rates)) * margin
        ends = np.quantile([gain, gain * (growth - more) / growth], [0.025, 0.975], axis=1)
        values = self.worth_of_points([0.01]).loc[0, ["gain", "affordable_cost"]]
        return tuple(Estimate(value, "money", *of) for value, of in zip(values, ends.T, strict=True))

    def elasticities(self) -> pd.DataFrame:
        """By how many per cent value rises when retention, margin, cost or the discount rate rises by one per cent.

        Returns
        -------
        DataFrame
            By `lever` (retention, margin, acquisition cost, discount rate): its value `today`, in its `unit`, and the
            elasticity of `gross` and of `net` value per acquired customer, which is that of customer equity for a
            given number of acquisitions; nan where the net value is not positive.

        Notes
        -----
        Gupta, Lehmann & Stuart, "Valuing customers", Journal of Marketing Research 41(1), 2004. One per cent of
        retention is one per cent of itself: .80 to .808. The gross elasticity to retention is r / (1 + i − r); theirs
        is one more, because their first margin comes a period later and only from those who stay.

        Examples
        --------
        >>> terms = RetentionTerms(contribution=100, retention_rate=0.9, discount_rate=0.12, acquisition_cost=50)
        >>> terms.elasticities().set_index("lever")["gross"].round(2).to_dict()
        {'retention': 4.09, 'margin': 1.0, 'acquisition cost': 0.0, 'discount rate': -0.44}
        >>> round(float(replace(terms, timing="next_period_if_retained").elasticity()), 2)
        5.09
        """
        names = ["retention_rate", "contribution", "acquisition_cost", "discount_rate"]
        table = pd.DataFrame({"lever": ["retention", "margin", "acquisition cost", "discount rate"]})
        table["today"] = [getattr(self, name) for name in names]
        table["unit"] = ["share", "money", "money", "share"]
        for kind in ("gross", "net"):
            table[kind] = [self._elasticity(name, kind) for name in names]
        return table

    def _elasticity(self, name: str, kind: str) -> float:
        """In closed form for retention, by a central difference on the lever's logarithm for the others."""
        value, today = float(getattr(self, kind)()), getattr(self, name)
        if not value > 0 or np.isnan(today):
            return np.nan
        if name == "retention_rate":
            return float(self.elasticity() * self.gross()) / value
        up, down = (replace(self, **{name: today * np.exp(step)}) for step in (_STEP, -_STEP))
        return float((getattr(up, kind)() - getattr(down, kind)()) / (2 * _STEP * value)) + 0.0


def or_nan(cost: float | None) -> float:
    """A cost, or nan where it is not known."""
    return np.nan if cost is None else cost


def retention_mix(model: ShiftedBetaGeoModel, terms: RetentionTerms) -> pd.DataFrame:
    """How much does one constant retention rate understate value, and what retention is worth?

    Parameters
    ----------
    model : ShiftedBetaGeoModel
        Fitted to a cohort's renewals; its periods are those of `terms`.
    terms : RetentionTerms
        Margin and discount rate, which must be above 0; its retention rate is not used.

    Returns
    -------
    DataFrame
        Rows `customers` "all alike" and "differ (sBG)", both with the same mean `retention_rate` of new customers
        in their first renewal: `gross` value, `net` of acquisition cost, `elasticity` of the gross value to
        retention, and `gross_change`, if everybody's retention rises by five points (to 1 at most).

    Raises
    ------
    CrmError
        If the discount rate is 0: the mix may then have no finite value.

    Notes
    -----
    Value is convex in retention, so its mean over customers exceeds the value at their mean. Fader & Hardie,
    "Customer-base valuation in a contractual setting: the perils of ignoring heterogeneity", Marketing Science
    29(1), 2010.

    Examples
    --------
    >>> model = ShiftedBetaGeoModel.from_params(alpha=0.668, beta=3.806)
    >>> terms = RetentionTerms(contribution=100, retention_rate=0.8, discount_rate=0.1)
    >>> retention_mix(model, terms)[["customers", "retention_rate", "gross", "elasticity"]].round(2)
          customers  retention_rate   gross  elasticity
    0     all alike            0.85  441.22        3.41
    1  differ (sBG)            0.85  592.26        6.30
    """
    if not terms.discount_rate > 0:
        raise CrmError(
            "discount_rate is 0; a mix of customers may then have no finite value: give a rate above 0"
        )
    stays, weight = _retention_of(model)
    mean = float(weight @ stays)

    def raised(rates: np.ndarray | float) -> np.ndarray:
        return terms.gross(np.minimum(rates + POINTS, 1.0))

    each = terms.gross(stays)
    alike, differ = float(terms.gross(mean)), float(weight @ each)
    table = pd.DataFrame({"customers": ["all alike", "differ (sBG)"], "retention_rate": mean})
    table["gross"] = [alike, differ]
    table["net"] = table["gross"] - terms.acquisition_cost
    of_mix = float(weight @ (each * terms.elasticity(stays))) / differ
    table["elasticity"] = [float(terms.elasticity(mean)), of_mix]
    table["gross_change"] = [float(raised(mean)) / alike - 1, float(weight @ raised(stays)) / differ - 1]
    return table


def _retention_of(model: ShiftedBetaGeoModel) -> tuple[np.ndarray, np.ndarray]:
    """Retention rates of new customers, and their weights, as a quadrature.

    The rule of Golub & Welsch (1969) for the beta distribution: weights come as shares, so that no beta function is
    evaluated, which overflows once alpha + beta is about 1,000.
    """
    from scipy.linalg import eigh_tridiagonal

    a, b = model.params_["alpha"] - 1, model.params_["beta"] - 1
    n = np.arange(1.0, _NODES)
    size = 2 * n + a + b
    middle = np.concatenate([[(a - b) / (a + b + 2)], (a * a - b * b) / (size * (size + 2))])
    first = 4 * (1 + a) * (1 + b) / ((a + b + 2) ** 2 * (a + b + 3))
    n, size = n[1:], size[1:]
    others = 4 * n * (n + a) * (n + b) * (n + a + b) / (size**2 * (size + 1) * (size - 1))
    nodes, vectors = eigh_tridiagonal(middle, np.sqrt(np.concatenate([[first], others])))
    return 1 - (nodes + 1) / 2, vectors[0] ** 2
