"""What do segments, clusters and tiers predict? Made up to a day, judged by what the same customers did after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.rfm.summary import rfm_train_test_split
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.findings import Estimate, with_finding
from crmlib.models.backtesting.forecasts import Forecast, Spend, fit_spend, model_forecasts
from crmlib.models.backtesting.group_judgement import Grouping, judge
from crmlib.models.backtesting.verdict import Thresholds
from crmlib.models.beta_geo import BetaGeoModel
from crmlib.models.gamma_gamma import GammaGammaModel
from crmlib.models.sentences import rankings_compared, spend_of_groups

LEVEL = 0.95  # of the bootstrap intervals
CLV, SO_FAR = "CLV", "spend so far"


@dataclass(frozen=True)
class SegmentBacktest:
    """What groups of customers, made by looking back, did next.

    Attributes
    ----------
    groups : DataFrame
        One row per grouping and group: `grouping, group, customers, share_of_customers`; of the holdout
        `spend` (per customer), `active` (share who bought), each with `_low` and `_high`, and
        `share_of_spend`; as the model expected it at the cut, `predicted_spend` and `p_alive` (means).
    scores : DataFrame
        One row per grouping, and for comparison "CLV" (the model's expected spend) and "spend so far":
        `model`, `groups` (10 tenths of a ranking); `spend_explained`, `activity_explained` (share of the
        variance between customers that lies between groups, adjusted for their number); `spearman` (rank
        correlation with holdout spend); `gini` (of the spend captured by taking the best group first; 1 is
        the order that came true); `top_10_share`. All but `model` and `groups` with `_low` and `_high`.
    customers : DataFrame
        One row per customer: `customer_id`, `p_alive` and `predicted_spend` at the cut, `holdout_frequency`,
        `holdout_spend`.
    holdout : float
        Its length in the models' unit of time.
    """

    groups: pd.DataFrame
    scores: pd.DataFrame
    customers: pd.DataFrame
    holdout: float

    def gini(self, model: str) -> Estimate:
        """How well a grouping orders customers by later spend, with the interval of its resamples."""
        row = self.scores.set_index("model").loc[model]
        return Estimate(row["gini"], "ratio", low=row["gini_low"], high=row["gini_high"])

    def beyond_chance(self, model: str) -> bool:
        """Whether a grouping orders customers beyond chance, by a holdout with enough purchases to tell."""
        gini, purchases = self.gini(model), self.customers["holdout_frequency"].sum()
        return bool(gini.low * gini.high > 0 and purchases >= Thresholds.fewest_purchases)


def segment_backtest(
    transactions: Any,
    groupings: Mapping[str, pd.Series],
    *,
    calibration_end: Any,
    as_of: Any,
    time_unit: str = "W",
    collapse: str = "D",
    spend_model: Spend | None = None,
    resamples: int = 200,
    random_state: int = 0,
) -> SegmentBacktest:
    """How much of what customers do next is known from their segment, cluster or tier, beside a CLV model (BG/NBD)?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    groupings : mapping of str to Series
        Name of a grouping to the group of every customer known at `calibration_end`, indexed by `customer_id`; made
        of nothing later. Customers whom the log does not know by then are not looked at.
    calibration_end, as_of : date or str
        Last days of the calibration and of the holdout.
    time_unit, collapse
        As in `rfm_summary`.
    spend_model : GammaGammaModel or float, optional
        Gamma-Gamma by default; a number is the spend on every purchase.
    resamples : int
        Bootstrap resamples of customers, for 95 % intervals.
    random_state : int

    Returns
    -------
    SegmentBacktest

    Raises
    ------
    CrmError
        If a parameter is refused or a grouping leaves a customer out.
    CannotAnswerError
        If nobody had bought by the cut, or the models cannot be fitted.

    Notes
    -----
    A group has no order of its own: each half of the customers is ranked by what the other half of the
    group spent in the holdout. That is the best that can be asked of a grouping, and more than is known at the cut;
    the model's ranking sees nothing after it. Shares of variance hang on the few who spend most.

    Examples
    --------
    >>> import crmlib as crm
    >>> log = crm.open_study("cdnow-sample").transactions
    >>> known = crm.rfm_segments(crm.rfm_summary(log, as_of="1997-09-30"))
    >>> groupings = {"RFM segments": known.set_index("customer_id")["segment"]}
    >>> days = dict(calibration_end="1997-09-30", as_of="1998-06-30")
    >>> found = segment_backtest(log, groupings, **days, resamples=20)
    >>> found.scores[["model", "spend_explained", "gini"]].round(2)
              model  spend_explained  gini
    0  RFM segments             0.15  0.61
    1           CLV             0.23  0.64
    2  spend so far             0.22  0.68
    """
    halves = rfm_train_test_split(
        transactions, calibration_end=calibration_end, as_of=as_of, time_unit=time_unit, collapse=collapse
    )
    if halves.empty:
        raise CannotAnswerError(
            f"no customer bought up to calibration_end {calibration_end}; give a later day"
        )
    if resamples < 1:
        raise CrmError(f"resamples is {resamples}; allowed: 1 or more, such as 200")
    length = float(halves["holdout_T"].iloc[0])
    money = fit_spend(GammaGammaModel() if spend_model is None else spend_model, halves)
    (forecast,) = model_forecasts([BetaGeoModel()], halves, length, money)
    assert forecast.spend is not None, "a spend model gives money"
    random = np.random.default_rng(random_state)
    half = random.permutation(len(halves)) % 2
    named = {name: _group_of(name, groups, halves) for name, groups in groupings.items()}
    asked = [Grouping.of(name, groups, half) for name, groups in named.items()]
    rankings = {CLV: forecast.spend, SO_FAR: halves["net"].to_numpy(float)}
    asked += [Grouping.of_ranking(name, ranking) for name, ranking in rankings.items()]
    happened = halves["holdout_frequency"].to_numpy(), halves["holdout_spend"].to_numpy(float)
    scores, of_groups = judge(asked, *happened, resamples=resamples, level=LEVEL, random=random)
    customers = _customers(halves, forecast)
    tables = {name: _groups(name, groups, of_groups[name], customers) for name, groups in named.items()}
    all_groups = pd.concat(tables.values(), ignore_index=True) if tables else pd.DataFrame()
    all_groups.attrs |= {f"finding_{name}": spend_of_groups(table) for name, table in tables.items()}
    return SegmentBacktest(
        groups=all_groups,
        scores=with_finding(scores, rankings_compared),
        customers=customers,
        holdout=length,
    )


def _customers(halves: pd.DataFrame, forecast: Forecast) -> pd.DataFrame:
    assert forecast.model is not None, "a model's forecast carries it"
    columns = pd.DataFrame(halves)[["customer_id", "holdout_frequency", "holdout_spend"]].copy()
    columns.insert(1, "p_alive", forecast.model.expected_probability_alive(halves).to_numpy())
    columns.insert(2, "predicted_spend", forecast.spend)
    return columns


def _group_of(name: str, groups: pd.Series, halves: pd.DataFrame) -> pd.Categorical:
    """Each known customer's group, in the order of its categories."""
    if not groups.index.is_unique:
        raise CrmError(f"grouping {name!r} has a customer twice; index it by customer_id, each once")
    found = groups.reindex(halves["customer_id"])
    if missing := int(found.isna().sum()):
        raise CrmError(
            f"grouping {name!r} has no group for {missing:,} of the {len(halves):,} customers known at "
            f"calibration_end {halves.as_of}; name one for them, and index it by customer_id"
        )
    kind = found.dtype if isinstance(found.dtype, pd.CategoricalDtype) else None
    return pd.Categorical(found.to_numpy(), dtype=kind).remove_unused_categories()


def _groups(name: str, groups: pd.Categorical, judged: pd.DataFrame, customers: pd.DataFrame) -> pd.DataFrame:
    """One row per group: what was measured of the holdout, and what was expected of it."""
    by_group = customers.groupby(np.asarray(groups.codes))
    spend = by_group["holdout_spend"].sum().to_numpy()
    table = judged.assign(
        grouping=name,
        group=groups.categories.astype(str),
        customers=by_group.size().to_numpy(),
        share_of_customers=by_group.size().to_numpy() / len(customers),
        share_of_spend=spend / spend.sum() if spend.sum() > 0 else np.nan,
        predicted_spend=by_group["predicted_spend"].mean().to_numpy(),
        p_alive=by_group["p_alive"].mean().to_numpy(),
    )
    assert table["customers"].sum() == len(customers), f"a customer was lost between the groups of {name}"
    assert np.isclose(table["customers"] @ table["spend"], customers["holdout_spend"].sum()), (
        f"money was lost between the groups of {name}"
    )
    first = ["grouping", "group", "customers", "share_of_customers"]
    return table[[*first, *(column for column in table if column not in first)]]
