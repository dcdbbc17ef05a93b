"""One life cycle for all, or one for each market and product type? Tested in money on later months."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch, seen_by, with_ids_of
from crmlib.data.sources import open_optional
from crmlib.economics.acquisition.ratios import ratio
from crmlib.economics.life_cycle import sentences
from crmlib.economics.life_cycle.checks import brought_since, start_of_check
from crmlib.economics.life_cycle.data import LOST, LifeCycleData, with_states
from crmlib.economics.life_cycle.moves import Chain, chain, rows_of_shares
from crmlib.economics.life_cycle.values import within
from crmlib.findings import Estimate, with_finding
from crmlib.no_rows import no_rows
from crmlib.statistics import Array, difference_of_means, holm, normal_quantile

BY = ("product_type", "market")
FEWEST = 100  # people in a group when the months that are forecast begin
DRAWS = 2000
_FITS = (
    "by group people months one_for_all own happened happened_low happened_high nearer nearer_low nearer_high"
)
_DRIFT = "by group before lately change change_low change_high p_value drifts"


@with_states(_FITS)
def own_parameters(life: LifeCycleData) -> pd.DataFrame:
    """Do parameters of their own, for each market and each product type, forecast later money better?

    The moves and the money of the year before the months of `forecast_check` are measured for all together and for each
    group, drawn to those of all as far as groups differ by chance (empirical Bayes). By `by` and `group`: `people`
    then, and what they brought in the `months` since, as forecast with `one_for_all` and with their `own` parameters,
    and as it `happened`, with its interval. `nearer`: by how much money less the forecasts of all groups of this `by`
    are off, with its interval by customers. Groups of fewer than 100 people are "other".
    """
    cut = start_of_check(life)
    if cut is None:
        return no_rows(_FITS, "the log is too short to look back")
    months, frames = life.data.last - cut, []
    for by in BY:
        large = _large(life, by, cut)
        if len(large) < 2:
            continue
        groups = _groups(life, by)
        real = brought_since(life, cut, groups.assign(group=_or_other(groups["group"], large)))
        chains = _chains(life, by, large, range(max(cut - life.months, life.data.first), cut))
        ways, moneys = _drawn_to_all([*chains.values()])
        pooled = within(*_of_all([*chains.values()]), 0.0, months)
        own = {name: within(ways[place], moneys[place], 0.0, months) for place, name in enumerate(chains)}
        real["one_for_all"] = pooled[real["place"]] * real["people"]
        real["own"] = [own[name][place] for name, place in zip(real["group"], real["place"], strict=True)]
        real["own"] *= real["people"]
        real["happened"], real["square"] = (
            real["happened"] * real["people"],
            real["people"] * real["spread"] ** 2,
        )
        sums = real.groupby("group", as_index=False)[
            ["people", "one_for_all", "own", "happened", "square"]
        ].sum()
        frames.append(_judged(sums).assign(by=by.replace("_", " "), months=months))
    if not frames:
        return no_rows(
            _FITS, f"no two groups of {FEWEST} customers: the tables name no market or product_type"
        )
    return with_finding(pd.concat(frames, ignore_index=True)[_FITS.split()], sentences.fits_in_words)


def _judged(sums: pd.DataFrame) -> pd.DataFrame:
    """By how much less the groups' own forecasts are off, in money over all groups, with its interval."""
    error = np.sqrt(sums.pop("square"))
    happened = sums["happened"].to_numpy()
    drawn = happened + np.random.default_rng(0).normal(size=(DRAWS, len(sums))) * error.to_numpy()

    def nearer(truth: Array) -> Array:
        off = [np.abs(truth - sums[name].to_numpy()).sum(axis=-1) for name in ("one_for_all", "own")]
        return np.asarray(off[0] - off[1])

    low, high = np.quantile(nearer(drawn), [0.025, 0.975])
    reach = normal_quantile(0.95) * error
    return sums.assign(
        happened_low=happened - reach, happened_high=happened + reach, nearer=float(nearer(happened)),
        nearer_low=low, nearer_high=high,
    )  # fmt: skip


def gain_of(table: pd.DataFrame) -> Estimate:
    """What parameters of their own gain on later months, as a share of the money: of product types, else of markets."""
    if table.empty:
        return Estimate(None, "share")
    row = table.iloc[0]
    rows = table[table["by"] == row["by"]]
    gain, low, high = row[["nearer", "nearer_low", "nearer_high"]] / rows["happened"].sum()
    base = f"customers, by {row['by']}"
    return Estimate(
        gain, "share", low, high, base=base, window=f"{fmt.length(int(row['months']), 'M')} since"
    )


@with_states(_DRIFT)
def drift(life: LifeCycleData) -> pd.DataFrame:
    """Have the parameters of a market or a product type changed, beyond what changed everywhere?

    By `by` and `group`: of customers who were neither latent nor terminated, the share who became so within a month, in
    the year `before` and in the last twelve months (`lately`); the `change` of its distance from the share in all other
    groups, with its interval by months, the p-value (corrected for the number of groups: Holm) and whether it `drifts`.
    """
    start = life.data.last - 24
    if start < life.data.first:
        return no_rows(_DRIFT, "the log does not cover 24 complete months")
    names, rows = life.table.names, []
    lost = [place for place, name in enumerate(names) if name in LOST]
    kept = [place for place, name in enumerate(names) if name in life.of_customers and name not in LOST]
    for by in BY:
        large = _large(life, by, start + 12)
        chains = _chains(life, by, large, range(start, life.data.last)) if len(large) > 1 else {}
        under = pd.DataFrame(
            {name: moves.moved[:, kept].sum(axis=(1, 2, 3)) for name, moves in chains.items()}
        )
        over = pd.DataFrame(
            {name: moves.moved[:, kept][..., lost].sum(axis=(1, 2, 3)) for name, moves in chains.items()}
        )
        for name in chains:
            others = over.drop(columns=name).sum(axis=1) / under.drop(columns=name).sum(axis=1)
            apart = over[name] / under[name] - others
            if not np.isfinite(apart).all():
                continue
            shares = [over[name][part].sum() / under[name][part].sum() for part in _YEARS]
            found = difference_of_means(apart[_YEARS[1]], apart[_YEARS[0]])
            rows.append(
                (by.replace("_", " "), name, *shares, found.difference, found.low, found.high, found.p_value)
            )
    table = pd.DataFrame(rows, columns=_DRIFT.split()[:-1])
    if table.empty:
        return no_rows(_DRIFT, "the tables name no market or product_type")
    table["p_value"] = holm(table["p_value"])
    return with_finding(table.assign(drifts=table["p_value"] < 0.05), sentences.drift_in_words)


_YEARS = slice(0, 12), slice(12, 24)


def _groups(life: LifeCycleData, by: str) -> pd.DataFrame:
    """The `group` of each `person`, of the table of customers or else of their first row; no row where neither says."""

    def read() -> pd.DataFrame:
        log = seen_by(life.transactions, life.last_day, outside=True)
        table = open_optional(life.customers)
        if table is not None and by in table.columns:
            rows = with_ids_of(log, table)
            group = rows[by].cast("string").min()
        elif by in log.columns:
            rows, group = log, log[by].cast("string").argmin(log.date)
        else:
            return pd.DataFrame(columns=["person", "group"])
        return fetch(rows.group_by(person=rows.customer_id.cast("string")).agg(group=group)).dropna()

    return life.kept(("groups", by), read)


def _large(life: LifeCycleData, by: str, month: int) -> pd.Index:
    """The groups that have enough people at the end of a month."""
    groups = _groups(life, by)
    if groups.empty:
        return groups.index
    there = life.data.places(month).inner_join(ibis.memtable(groups), "person").group_by("group")
    sizes = fetch(there.agg(people=_.count()).filter(_.people >= FEWEST).order_by("group"))
    return pd.Index(sizes["group"])


def _or_other(names: pd.Series, large: pd.Index) -> pd.Series:
    return names.where(names.isin(large), "other")


def _chains(life: LifeCycleData, by: str, large: pd.Index, months: range) -> dict[str, Chain]:
    """The moves of each large group, and of all others."""
    moves = life.kept(("moves", by), lambda: life.data.moves_by(_groups(life, by)))
    return {
        str(name): chain(rows, len(life.table.states), months, life.money)
        for name, rows in moves.groupby(_or_other(moves["group"], large), sort=True)
    }


def _of_all(chains: list[Chain]) -> tuple[Array, Array]:
    """The transition matrix and the money of all groups together."""
    moved = sum(group.moved.sum(axis=(0, 2)) for group in chains)
    money, people = (
        sum(getattr(group, name).sum(axis=(0, 2)) for group in chains) for name in ("money", "people")
    )
    return rows_of_shares(np.asarray(moved)), np.divide(
        money, people, out=np.zeros_like(money), where=people > 0
    )


def _drawn_to_all(chains: list[Chain]) -> tuple[Array, Array]:
    """Matrices and money of each group, drawn to those of all as far as the groups differ by chance."""
    matrix, money = _of_all(chains)
    counts = np.array([group.moved.sum(axis=(0, 2)) for group in chains])  # group, state, next
    ways, moneys = np.repeat(matrix[None], len(chains), axis=0), np.repeat(money[None], len(chains), axis=0)
    for place in range(len(matrix)):
        rows, base = counts[:, place, :-1], matrix[place]
        if rows.sum(axis=1).min() > 0 or (rows.sum(axis=1) > 0).sum() > 1:
            weight = best_weight(rows, base)
            ways[:, place] = (rows + weight * base) / (rows.sum(axis=1, keepdims=True) + weight)
        ratios = np.array(
            [ratio(group.money[:, place].sum(axis=1), group.people[:, place].sum(axis=1)) for group in chains]
        )
        moneys[:, place] = drawn_to(money[place], ratios)
    return ways, moneys


def best_weight(counts: Array, base: Array) -> float:
    """How many moves of all count beside those of each group: where the groups' moves are likeliest.

    Of groups whose shares are drawn from a Dirichlet distribution around `base`, the concentration with the largest
    likelihood; 1e6 where the groups differ by no more than chance.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    counts, base = counts[:, base > 0], base[base > 0]
    if len(base) < 2:
        return 1e6

    def loss(log_weight: float) -> float:
        weight = np.exp(log_weight)
        each = gammaln(counts + weight * base).sum(axis=1) - gammaln(counts.sum(axis=1) + weight)
        return float(-(each.sum() + len(counts) * (gammaln(weight) - gammaln(weight * base).sum())))

    found = minimize_scalar(loss, bounds=(0.0, np.log(1e6)), method="bounded")
    return float(np.exp(found.x)) if loss(float(found.x)) < loss(np.log(1e6)) else 1e6


def drawn_to(middle: float, ratios: Array) -> Array:
    """Ratios (rows of value, low, high) drawn to the middle, the wider their intervals the more (DerSimonian & Laird).

    A ratio without an interval is the middle.
    """
    value, error = ratios[:, 0], (ratios[:, 2] - ratios[:, 1]) / (2 * normal_quantile(0.95))
    known = np.isfinite(value) & np.isfinite(error) & (error > 0)
    if known.sum() < 2:
        return np.full(len(ratios), middle)
    weights = 1 / error[known] ** 2
    mean = (weights * value[known]).sum() / weights.sum()
    spread = (weights * (value[known] - mean) ** 2).sum() - (known.sum() - 1)
    between = max(spread / (weights.sum() - (weights**2).sum() / weights.sum()), 0.0)
    own = np.where(known, between / (between + np.where(known, error, 1.0) ** 2), 0.0)
    return own * np.where(known, value, 0.0) + (1 - own) * middle
