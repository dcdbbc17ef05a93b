"""What one more customer of a channel would cost, from changes of budget that nothing else explains."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import end_of, fetch, open_columns
from crmlib.data.sources import open_optional
from crmlib.economics.acquisition import sentences
from crmlib.economics.acquisition.data import AcquisitionData
from crmlib.findings import with_finding
from crmlib.models._inference import Array
from crmlib.no_rows import no_rows

COLUMNS = (
    "channel spent won average_cac marginal_cac marginal_cac_low marginal_cac_high "
    "own_cac own_cac_low own_cac_high own_variation verdict"
)
LEVEL = 0.9  # of the intervals
CANNOT, KNOWN, NOTHING = "cannot be estimated", "estimated", "more of it wins nobody"
# The number of prospects may turn once in so many months, for reasons that are not the budget.
MONTHS_PER_TURN = 5
LEAST_VARIATION = 0.08  # in logs: of a budget, beyond what markets, their times and other budgets explain
FEWEST_LEFT = 8  # observations beyond what is fitted
WON_BY_NOW = 0.5  # share of a month's wins that must be in for the month to count
FLOOR = 0.05  # of the usual budget, added so that a month without one has a logarithm
# How much channels may differ in how they help others, in logs.
APART = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
LIKELY_APART = 0.1  # before the data speak: half-normal with this scale
CHASES = 0.01  # p-value below which a budget is held to follow the prospects of the month before


def marginal_cac(data: AcquisitionData) -> pd.DataFrame:
    """What would one more customer cost by a larger budget of a channel?

    Wins of the prospects who came in a month are set against the budgets of that month in their market: the channel's
    own ones and those of others, for it may help them to win. Markets, and their good and bad times, are taken out.
    The rest of a budget's changes must have no reason that also brings prospects, as where chance decided on it.
    Organic spend is left out. Wins of late months are scaled up by the time to close of earlier ones.

    Returns
    -------
    DataFrame
        One row per paid channel: `spent` (money), `won` (of its own prospects in these months), `average_cac`,
        `marginal_cac` (money per win in any channel) and `own_cac` (per win among its own prospects; higher where it
        helps others), each with its 90 % interval, `own_variation` (standard deviation of log budget that nothing else
        explains) and `verdict`: "estimated", "more of it wins nobody", or "cannot be estimated", with why. Where more
        budget may win nobody, the interval has no upper end and the cost is not known.

    Notes
    -----
    Poisson regression of wins by market, month and channel, in logs of the budgets and, for a channel's own prospects,
    their squares, since ever more of a budget brings ever less; intervals by clusters of market and month (Liang &
    Zeger, Biometrika 73, 1986) and Student's t. How much channels help others is learned of all together: the effects
    lean on their mean as far as they do not differ (Efron & Morris, JASA 70, 1975).
    """
    prospects, money = open_optional(data.leads), open_optional(data.marketing_spend)
    if prospects is None or money is None:
        return no_rows(COLUMNS, f"no table {'leads' if prospects is None else 'marketing_spend'}")
    cells = _cells(prospects, money, data.day)
    if cells.budgets.empty:
        return no_rows(COLUMNS, "no month with both spend and prospects of whom half have decided")
    found, apart = _effects(cells)
    won = cells.won.div(cells.by_now, axis=0).sum().reindex(found.index).fillna(0.0)
    found = found.assign(spent=cells.budgets.sum(), won=won)
    with np.errstate(divide="ignore", invalid="ignore"):
        found["average_cac"] = found["spent"] / won
        for name in ("marginal_cac", "own_cac"):
            # spend over the wins that a rise of the budget by its own size would bring, at the pace of a small rise
            for end, of in (("", ""), ("_low", "_high"), ("_high", "_low")):
                found[name + end] = found["spent"] / found[f"{name}_wins{of}"].clip(lower=0)
            known = (found[f"{name}_high"] < np.inf) | (found[f"{name}_low"] == np.inf)
            found[name] = found[name].where(known)
    unsure = (found["verdict"] == KNOWN) & found["marginal_cac"].isna()
    least = map(fmt.money, found.loc[unsure, "marginal_cac_low"])
    found.loc[unsure, "verdict"] = [f"{CANNOT}: more of it may win nobody; at least {cost}" for cost in least]
    found.loc[np.isinf(found["marginal_cac"]), "verdict"] = NOTHING
    return with_finding(found.reset_index(names="channel")[COLUMNS.split()], sentences.next_customer, apart)


@dataclass(frozen=True)
class Cells:
    """By market and month: wins and prospects by channel, budgets by paid channel, share of wins that are in by now."""

    won: pd.DataFrame
    came: pd.DataFrame
    budgets: pd.DataFrame
    by_now: pd.Series


def _cells(prospects: ibis.Table, money: ibis.Table, day: dt.date) -> Cells:
    end = ibis.literal(end_of(day))
    prospects = open_columns(prospects, "leads", "created", "channel", "won_on").filter(_.created < end)
    money = open_columns(money, "marketing_spend", "date", "channel", "amount").filter(_.date < end)
    if "organic" in money.columns:
        money = money.filter(~_.organic.fill_null(False))
    by_market = "market" in prospects.columns and "market" in money.columns
    market = _.market.fill_null("").cast("string") if by_market else ibis.literal("")
    waited = _.won_on.cast("date").delta(_.created.cast("date"), unit="day")
    days = ibis.ifelse(_.won_on < end, ibis.greatest(waited, 0), -1).fill_null(-1)
    closed = prospects.mutate(market=market, month=_.created.truncate("M").cast("date"), days=days)
    rows = fetch(closed.group_by("market", "month", "channel", "days").agg(leads=_.count()))
    paid = money.mutate(market=market, month=_.date.truncate("M").cast("date"))
    paid = fetch(paid.group_by("market", "month", "channel").agg(amount=_.amount.sum()))
    rows["age"] = (pd.Timestamp(day) - pd.to_datetime(rows["month"])).dt.days - 15
    rows["won"] = rows["leads"].where(rows["days"] >= 0, 0)
    old = rows[(rows["days"] >= 0) & (rows["age"] >= min(365, rows["age"].max() / 2))]
    delay = np.sort(np.repeat(old["days"].to_numpy(), old["leads"].to_numpy()))
    rows["by_now"] = np.searchsorted(delay, rows["age"], side="right") / max(len(delay), 1)
    rows = rows[rows["by_now"] >= WON_BY_NOW]
    index, how = ["market", "month"], {"aggfunc": "sum", "fill_value": 0.0}
    won, came = (rows.pivot_table(name, index, "channel", **how) for name in ("won", "leads"))
    budgets = paid.pivot_table("amount", index, "channel", **how)
    both = won.index.intersection(budgets.index).sort_values()
    budgets = budgets.loc[both].clip(lower=0)
    by_now = rows.groupby(["market", "month"])["by_now"].first()
    return Cells(won.loc[both], came.loc[both], budgets.loc[:, budgets.sum() > 0], by_now[both])


def _effects(cells: Cells) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Wins for a rise of each budget, in all channels and in its own, with their intervals, and the verdicts.

    And the covariance of the wins in all channels, between the channels for which it can be estimated.
    """
    from scipy.special import stdtrit

    market, month = (cells.won.index.get_level_values(name) for name in ("market", "month"))
    usual = cells.budgets.groupby(market).transform("mean")
    level = cells.budgets / usual.where(usual > 0, 1)
    log_budget = np.log(level + FLOOR)
    times = _times(market, pd.DatetimeIndex(month))
    after = _left_over(log_budget.to_numpy(), times)
    moved = _left_over(np.log(cells.came.sum(axis=1).to_numpy(float) + 0.5)[:, None], times)[:, 0]
    names = [f"{name}_wins{end}" for name in ("marginal_cac", "own_cac") for end in ("", "_low", "_high")]
    found = pd.DataFrame(np.nan, cells.budgets.columns, ["own_variation", *names]).assign(verdict="")
    for at, channel in enumerate(cells.budgets.columns):
        left = _left_over(after[:, [at]], np.delete(after, at, axis=1))[:, 0]
        found.loc[channel, "own_variation"] = left.std()
        brought = cells.came.get(channel, pd.Series(0.0, index=cells.came.index))
        found.loc[channel, "verdict"] = _why_not(left, cells.budgets[channel], brought, moved, market)
    known = found.index[found["verdict"] == ""]
    free = len(times) - times.shape[1] - len(known)
    if free < FEWEST_LEFT:
        few = f"{fmt.plural(len(times), 'month')} of {fmt.plural(market.nunique(), 'market')} are too few"
        found.loc[known, "verdict"] = f"{CANNOT}: {few}"
        return found, pd.DataFrame()
    if not len(known):
        return found, pd.DataFrame()
    parts, fixed = _design(cells, log_budget[known], times, market)
    won = cells.won.to_numpy(float).ravel()
    in_by_now = np.repeat(cells.by_now.to_numpy(), cells.won.shape[1])
    together = cells.won.shape[1]
    design = np.column_stack([*parts.values(), fixed])
    place, covariances, mean = _poisson(design, won, np.log(in_by_now), together, free)
    # Wins by a rise of one in the log of a budget, at what the budgets were: the slope of each part times the wins.
    rise = np.repeat((level / (level + FLOOR))[known].to_numpy(), together, axis=0)
    rise *= (mean / in_by_now)[:, None]
    mine = np.tile(cells.won.columns.to_numpy(), len(times))[:, None] == known.to_numpy()
    slopes = {"own": mine * rise, "bend": 2 * parts["own"] * rise, "helps": rise}
    everywhere, own = (
        np.hstack([np.diag((slope * only).sum(axis=0)) for slope in slopes.values()]) for only in (True, mine)
    )
    weights, size = np.vstack([everywhere, own]), 3 * len(known)
    each = [
        _leaning(place[:size], covariance[:size, :size], weights, len(known)) for covariance in covariances
    ]
    # By clusters the covariance is too small now and then: wins vary at least as by chance alone.
    wins, spread = max(each, key=lambda pair: float(np.trace(pair[1])))
    reach = float(stdtrit(free, (1 + LEVEL) / 2)) * np.sqrt(np.diag(spread))
    for name, part in (("marginal_cac", slice(len(known))), ("own_cac", slice(len(known), None))):
        ends = (wins[part], (wins - reach)[part], (wins + reach)[part])
        found.loc[known, [f"{name}_wins{end}" for end in ("", "_low", "_high")]] = np.column_stack(ends)
    found.loc[known, "verdict"] = KNOWN
    return found, pd.DataFrame(spread[: len(known), : len(known)], known, known)


def _design(
    cells: Cells, log_budget: pd.DataFrame, times: Array, market: pd.Index
) -> tuple[dict[str, Array], Array]:
    """A row per market, month and channel: own budgets, their squares, all budgets; channels in markets, and times."""
    together = cells.won.shape[1]
    channels = np.tile(cells.won.columns.to_numpy(), len(times))
    every = np.repeat(log_budget.to_numpy(), together, axis=0)
    own = every * (channels[:, None] == log_budget.columns.to_numpy())
    place = np.repeat(pd.factorize(market)[0], together) * together
    fixed = np.eye(market.nunique() * together)[place + np.tile(np.arange(together), len(times))]
    fixed = np.hstack([fixed, np.repeat(times, together, axis=0)])
    return {"own": own, "bend": own**2, "helps": every}, fixed


def _leaning(place: Array, covariance: Array, weights: Array, size: int) -> tuple[Array, Array]:
    """Weighted sums of effects and their covariance, where the last `size` effects lean on their mean."""
    helps = slice(len(place) - size, None)
    known = np.linalg.pinv(covariance)
    height, sums, spreads = [], [], []
    for apart in APART:
        prior = (apart**2 + 1e-8) * np.eye(size) + 1.0
        both = covariance[helps, helps] + prior
        likely = -(np.linalg.slogdet(both)[1] + place[helps] @ np.linalg.solve(both, place[helps])) / 2
        height.append(likely - (apart / LIKELY_APART) ** 2 / 2 + np.log(max(apart, APART[1] / 2)))
        precise = known.copy()
        precise[helps, helps] += np.linalg.inv(prior)
        after = np.linalg.pinv(precise)
        sums.append(weights @ after @ known @ place)
        spreads.append(weights @ after @ weights.T)
    share = np.exp(np.array(height) - max(height))
    share /= share.sum()
    mean = share @ np.array(sums)
    off = np.array(sums) - mean
    return mean, np.tensordot(share, np.array(spreads), 1) + np.einsum("t,ti,tj->ij", share, off, off)


def _times(market: pd.Index, month: pd.DatetimeIndex) -> Array:
    """Of each market a level and slow turns over the months."""
    number = (month.year * 12 + month.month).to_numpy(float)
    number = number - number.min()
    turns = max(1, int(number.max() + 1) // MONTHS_PER_TURN)
    curves = np.polynomial.chebyshev.chebvander(2 * number / max(number.max(), 1) - 1, turns)
    return np.hstack([curves * (market == name)[:, None] for name in market.unique()])


def _left_over(values: Array, explained_by: Array) -> Array:
    return values - explained_by @ np.linalg.lstsq(explained_by, values, rcond=None)[0]


def _why_not(left: Array, budget: pd.Series, brought: pd.Series, moved: Array, market: pd.Index) -> str:
    """Why the marginal cost of a channel cannot be estimated; empty if it can."""
    from scipy.special import stdtr

    if left.std() < LEAST_VARIATION:
        return f"{CANNOT}: its budget hardly changes beyond markets, their times and other budgets"
    both = (budget > 0) & (brought > 0)
    if both.sum() > 2 and np.log(budget[both] / brought[both]).std() < LEAST_VARIATION:
        return f"{CANNOT}: it is paid per prospect, so spend follows prospects"
    before = pd.Series(moved).groupby(market.to_numpy()).shift()
    known = before.notna().to_numpy()
    if known.sum() > FEWEST_LEFT:
        r = float(np.corrcoef(left[known], before[known])[0, 1])
        t = r * np.sqrt((known.sum() - 2) / max(1 - r**2, 1e-12))
        if r > 0 and 2 * stdtr(known.sum() - 2, -abs(t)) < CHASES:
            return f"{CANNOT}: its budget follows the prospects of the month before"
    return ""


def _poisson(
    design: Array, wins: Array, offset: Array, together: int, free: int
) -> tuple[Array, Array, Array]:
    """Coefficients, their covariance (clustered and by chance alone), and the expected wins."""
    mean = np.maximum(wins, 0.5)
    for _step in range(50):
        work = np.log(mean) - offset + (wins - mean) / mean
        root = np.sqrt(mean)[:, None]
        place = np.linalg.lstsq(root * design, root[:, 0] * work, rcond=None)[0]
        then = np.exp(np.clip(design @ place + offset, -20, 20))
        done = np.abs(then - mean).max() < 1e-8 * then.max()
        mean = then
        if done:
            break
    inverse = np.linalg.pinv(design.T @ (mean[:, None] * design))
    scores = ((wins - mean)[:, None] * design).reshape(-1, together, design.shape[1]).sum(axis=1)
    by_cluster = len(scores) / free * inverse @ (scores.T @ scores) @ inverse
    return np.asarray(place, float), np.stack([by_cluster, inverse]).astype(float), mean.astype(float)
