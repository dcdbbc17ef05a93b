"""Backtest of segments, clusters and tiers: made up to a day, tested on what the same customers did after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.arguments import check_range
from crmlib.customers.rfm.split import rfm_train_test_split
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.findings import with_finding
from crmlib.models._inference import Array
from crmlib.models.backtesting.forecasts import Forecast, Spend, fit_spend, model_forecasts
from crmlib.models.backtesting.scores import DEPTH, RESAMPLES, rankings_without_a_model
from crmlib.models.backtesting.verdict import Thresholds
from crmlib.models.beta_geo import ModifiedBetaGeoModel
from crmlib.models.gamma_gamma import GammaGammaModel
from crmlib.models.sentences import rankings_compared, spend_of_groups
from crmlib.rankings import Levels, Ranking, tenths
from crmlib.statistics import bootstrap_weights, with_intervals

LEVEL = 0.95  # of the bootstrap intervals
MEASURES = ("spend_explained", "activity_explained", "spearman", "gini", "top_20_share")
_MEANS = ("spend", "active")


@dataclass(frozen=True)
class SegmentBacktest:
    """What groups of customers, made by looking back, did next.

    - `groups`: one row per grouping and group: `grouping, group, customers, share_of_customers`; of the holdout `spend`
      (per customer), `active` (share who bought), each with `_low` and `_high`, and `share_of_spend`; as the model
      expected it at the cut, `predicted_spend` and `p_alive` (means).
    - `scores`: one row per ranking, the best fifth first: the groupings, the model's expected spend, and those that
      need no model: `model`, `groups` (10 tenths of a ranking); `spend_explained`, `activity_explained` (share of the
      variance between customers that lies between groups, adjusted for their number); `spearman` (rank correlation with
      holdout spend); `gini` (of the spend captured; 1 is the order that came true); `top_20_share` (of the spend, from
      the fifth ranked first) and `behind` (how much more of it the first row has, from the same resamples). All but
      `model` and `groups` with `_low` and `_high`.
    - `customers`: one row per customer: `customer_id`, `p_alive` and `predicted_spend` at the cut, `holdout_frequency`,
      `holdout_spend`.
    - `holdout`: its length in the models' unit of time.
    """

    groups: pd.DataFrame
    scores: pd.DataFrame
    customers: pd.DataFrame
    holdout: float


def segment_backtest(
    transactions: Any,
    groupings: Mapping[str, pd.Series],
    *,
    calibration_end: Any,
    as_of: Any,
    time_unit: str = "W",
    collapse: str = "D",
    spend_model: Spend | None = None,
    resamples: int = RESAMPLES,
    random_state: int = 0,
) -> SegmentBacktest:
    """How much of what customers do next is known from their segment, cluster or tier, beside other rankings?

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
    Nothing after the cut enters a ranking. A group has no order of its own: groups are ranked by their mean spend up to
    the cut. Customers of equal score, such as all of a group, count as if in any order. Shares of variance depend on
    the few who spend most. The model is MBG/NBD, in which customers who bought once may have left: by BG/NBD, all of
    them are alive.

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
    0              MBG/NBD             0.24  0.64
    1         spend so far             0.22  0.68
    2  last year's revenue             0.22  0.68
    3            RFM score             0.24  0.69
    4         RFM segments             0.15  0.60
    """
    halves = rfm_train_test_split(
        transactions, calibration_end=calibration_end, as_of=as_of, time_unit=time_unit, collapse=collapse
    )
    if halves.empty:
        raise CannotAnswerError(f"no customer bought up to {calibration_end}; give a later day")
    check_range("resamples", resamples, "1 or more, such as 200", least=1)
    length = float(halves["holdout_T"].iloc[0])
    money = fit_spend(GammaGammaModel() if spend_model is None else spend_model, halves)
    (forecast,) = model_forecasts([ModifiedBetaGeoModel()], halves, length, money)
    assert forecast.spend is not None, "a spend model gives money"
    spent = halves["net"].to_numpy(float)
    named = {name: _group_of(name, groups, halves) for name, groups in groupings.items()}
    asked = [Grouping.of(name, groups, spent) for name, groups in named.items()]
    rankings = {forecast.name: forecast.spend, **rankings_without_a_model(transactions, halves)}
    asked += [Grouping.of_ranking(name, ranking) for name, ranking in rankings.items()]
    happened = halves["holdout_frequency"].to_numpy(), halves["holdout_spend"].to_numpy(float)
    random = np.random.default_rng(random_state)
    scores, of_groups = judge(asked, *happened, resamples=resamples, level=LEVEL, random=random)
    customers = _customers(halves, forecast)
    tables = {name: _groups(name, groups, of_groups[name], customers) for name, groups in named.items()}
    all_groups = pd.concat(tables.values(), ignore_index=True) if tables else pd.DataFrame()
    all_groups.attrs |= {f"finding_{name}": spend_of_groups(table) for name, table in tables.items()}
    return SegmentBacktest(
        groups=all_groups,
        scores=with_finding(scores, rankings_compared, int(happened[0].sum()) >= Thresholds.fewest_purchases),
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


@dataclass(frozen=True)
class Grouping:
    """Customers in levels by which they are ranked, and levels in groups.

    `level`: of shape (customers,): customers of one level are ranked alike: of a grouping a group, of a ranking its
    value. `group`: of shape (levels,): of a ranking its tenths. `worth`: of shape (levels,): by which levels are
    ranked, the highest first.
    """

    name: str
    level: NDArray[np.intp]
    group: NDArray[np.intp]
    worth: Array

    @classmethod
    def of(cls, name: str, groups: pd.Categorical, spent: Array) -> Self:
        """Groups of customers, ranked by what they had spent on average."""
        codes = np.asarray(groups.codes, dtype=np.intp)
        size, total = _sums(codes, np.ones(len(codes))), _sums(codes, spent)
        return cls(name, codes, np.arange(len(size)), _divide(total, size, 0.0))

    @classmethod
    def of_ranking(cls, name: str, ranking: Array) -> Self:
        """A ranking, and its tenths of customers as groups; equal values are in the same tenth."""
        worth, first, level = np.unique(ranking, return_index=True, return_inverse=True)
        return cls(name, level, np.unique(tenths(ranking)[first], return_inverse=True)[1], worth)


def judge(
    groupings: Sequence[Grouping],
    purchases: Array,
    spend: Array,
    *,
    resamples: int,
    level: float,
    random: np.random.Generator,
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Measure groupings on the customers, and on bootstrap resamples of them for intervals.

    Returns a row of measures per grouping, and for each by its name a row per group: spend and share active.
    """
    did = {
        "spend": spend,
        "active": (purchases > 0).astype(float),
        "rank": pd.Series(spend).rank().to_numpy(),
    }
    best = Ranking(spend, spend)
    measures: dict[str, list[Array]] = {grouping.name: [] for grouping in groupings}
    means: dict[str, list[Array]] = {grouping.name: [] for grouping in groupings}
    # the first round is the customers as they are
    for weights in chain([np.ones(len(spend))], bootstrap_weights(len(spend), resamples, random)):
        weighted = {"size": weights} | {name: weights * values for name, values in did.items()}
        squares = {name: _squares(weighted[name], did[name], weights.sum()) for name in did}
        best_gini = best.levels(weights).gini()
        for grouping in groupings:
            by_level = {
                name: _sums(grouping.level, values, len(grouping.group)) for name, values in weighted.items()
            }
            of_group = {name: _sums(grouping.group, values) for name, values in by_level.items()}
            measures[grouping.name].append(_measure(grouping, by_level, of_group, squares, best_gini))
            # nan where a resample holds nobody of a group
            shares = [_divide(of_group[name], of_group["size"]) for name in _MEANS]
            means[grouping.name].append(np.array(shares))
    fifth = MEASURES.index("top_20_share")
    held = {name: np.array([row[fifth] for row in rows]) for name, rows in measures.items()}
    first = max(held, key=lambda name: np.nan_to_num(held[name][0], nan=-1.0))
    scores = []
    for grouping in groupings:
        rows, behind = measures[grouping.name], held[first] - held[grouping.name]
        known = {"model": grouping.name, "groups": int(grouping.group.max()) + 1}
        known |= with_intervals(MEASURES, rows[0], rows[1:], level=level)
        scores.append(known | with_intervals(["behind"], behind[:1], behind[1:, None], level=level))
    of_groups = {
        name: pd.DataFrame(with_intervals(_MEANS, rounds[0], rounds[1:], level=level))
        for name, rounds in means.items()
    }
    table = pd.DataFrame(scores)
    return table.sort_values("top_20_share", ascending=False, kind="stable", ignore_index=True), of_groups


def _squares(weighted: Array, values: Array, customers: float) -> float:
    """Sum of squares about the mean; 0 where only rounding errors are left."""
    raw = float(weighted @ values)
    squares = raw - float(weighted.sum()) ** 2 / customers
    return squares if squares > 1e-12 * abs(raw) else 0.0


def _sums(group: NDArray[np.intp], values: Array, groups: int = 0) -> Array:
    return np.bincount(group, values, groups).astype(float, copy=False)


def _measure(
    grouping: Grouping,
    by_level: dict[str, Array],
    of_group: dict[str, Array],
    squares: dict[str, float],
    best_gini: float,
) -> Array:
    size, spend = by_level["size"], by_level["spend"]
    worth = grouping.worth
    order = np.argsort(-worth, kind="stable")
    levels = Levels(worth[order], size[order], spend[order])
    gini = levels.gini() / best_gini if best_gini > 0 else np.nan
    explained = [_explained(of_group["size"], of_group[name], squares[name]) for name in _MEANS]
    ranks = _rank_correlation(worth, size, by_level["rank"], squares["rank"])
    return np.array([*explained, ranks, gini, levels.captured_by(DEPTH)])


def _explained(size: Array, total: Array, squares: float) -> float:
    """Share of variance between groups, adjusted for as many groups as there are (epsilon squared)."""
    groups, customers = int((size > 0).sum()), size.sum()
    if not squares > 0 or customers <= groups:
        return np.nan
    between = _divide(total**2, size, 0.0).sum() - total.sum() ** 2 / customers
    return float(1 - (1 - between / squares) * (customers - 1) / (customers - groups))


def _rank_correlation(worth: Array, size: Array, rank: Array, squares: float) -> float:
    """Spearman's, equal worth sharing a rank; holdout ranks are those of the customers as they are."""
    _, place = np.unique(worth, return_inverse=True)
    shared = np.bincount(place, size)
    own = (np.cumsum(shared) - shared / 2)[place] - size.sum() / 2  # its weighted mean is 0
    spread = np.sqrt((size @ own**2) * squares)
    return float(own @ rank / spread) if spread > 0 else np.nan


def _divide(total: Array, count: Array, default: float = np.nan) -> Array:
    return np.divide(total, count, out=np.full(len(total), default), where=count > 0)
