"""Readout of randomised experiments: does the message work, does it pay, and what could have been seen?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from crmlib import format as fmt
from crmlib.arguments import check_columns, check_range
from crmlib.claims import Claim
from crmlib.customers.treatments.experiments import check_groups
from crmlib.economics.sentences import experiments_that_differ
from crmlib.errors import CrmError, DataError, did_you_mean
from crmlib.findings import SUPPORTED, UNDECIDED, UNTESTED, Estimate, with_finding
from crmlib.no_rows import no_rows, why_none
from crmlib.statistics import (
    Difference,
    check_level,
    difference_of_means,
    difference_of_shares,
    holm,
    normal_quantile,
)

FEWEST = 30  # customers in a group, below which no readout is given
SPLIT_BROKEN = 0.001  # p-value of the split: below it, something else than chance sorted the customers
POWER = 0.8
_COLUMNS = (
    "name experiment arm outcome kind treated control incomplete treated_mean control_mean difference low high z "
    "p_value p_holm detectable variance_saved extra_unsubscribed extra_unsubscribed_low extra_unsubscribed_high "
    "cost_per_message value_per_message value_low value_high p_split verdict pays sentence"
).split()
_MEASURED = _COLUMNS[_COLUMNS.index("treated_mean") : _COLUMNS.index("extra_unsubscribed")]
BETTER = Claim("the treated do better than the control", kind="effect", evidence="randomised")
PAYS = Claim("it is worth more than it costs", kind="effect", evidence="randomised")


def read_experiments(
    outcomes: pd.DataFrame,
    *,
    outcome: str | Sequence[str] = "spend",
    control: str = "control",
    value_per_unit: float | Mapping[str, float] | None = None,
    adjust_by: str | None = None,
    planned_share: float | Mapping[str, float] | None = None,
    unsubscribe_cost: float = 0.0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Which experiments made a difference, how large, and is it worth its cost?

    Parameters
    ----------
    outcomes : DataFrame
        Of `experiment_outcomes`, or one row per experiment and customer: `experiment, group` and the outcome;
        optionally `kind, cost, unsubscribed, complete`. Every group but the control is an arm, which is held
        against it. Rows whose window is not complete are counted and left out.
    outcome : str or sequence of str, default "spend"
        The column that decides, chosen before the data were seen; of several, all are read together. Of 0 and 1,
        it is read as a share.
    control : str, default "control"
        What `group` says of those who were left alone.
    value_per_unit : float or mapping, optional
        Money per unit of the outcome, such as the margin for spend; of several outcomes by name. Without it, or
        the cost of every treated customer, whether it pays cannot be tested: an unknown cost is not 0.
    adjust_by : str, optional
        A column known before chance decided, such as "spend_before": what it explains is taken off, which
        narrows the interval and moves the difference only by chance.
    planned_share : float or mapping, optional
        Share of customers that was to be treated, of all or by name; without it, the split is not checked.
    unsubscribe_cost : float, default 0.0
        Money that an unsubscribed customer costs in contacts that can no longer be made.
    level : float, default 0.95
        Of every interval.

    Returns
    -------
    DataFrame
        One row per experiment, arm and outcome: `name` (of all three, where there are several), `experiment, arm,
        outcome, kind, treated, control, incomplete` (customers; an experiment's arms share their control),
        `treated_mean, control_mean, difference, low, high, z, p_value`, `p_holm` (for all rows read together),
        `detectable` (the difference that would have been shown with a chance of 80 %), `variance_saved` (share, by
        the adjustment), `extra_unsubscribed, extra_unsubscribed_low, extra_unsubscribed_high` (difference of shares),
        `cost_per_message, value_per_message, value_low, value_high` (per treated customer, net of cost), `p_split`,
        `verdict` (that the treated do better: "supported", "contradicted", "undecided" or "cannot be tested"), `pays`
        (that it is worth more than it costs, in the same words; both of all rows read together) and `sentence`, why.
        Without rows where there is no outcome, or no experiment has 30 customers in each group whose window is over.

    Raises
    ------
    CrmError
        If a parameter is out of range, or planned_share names no experiment.
    DataError
        If a column is missing, or an outcome is.

    Notes
    -----
    Means: Welch; shares: Newcombe's interval and the pooled z. Adjustment: Deng, Xu, Kohavi & Walker, WSDM
    2013 (CUPED). Several experiments: Holm, Scandinavian Journal of Statistics 6, 1979.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> data = pd.DataFrame({"experiment": "birthday", "group": ["treated", "control"] * 500, "cost": 0.1})
    >>> data["spend"] = random.gamma(1.0, 10.0, 1000) + 4.0 * (data["group"] == "treated")
    >>> read = read_experiments(data, value_per_unit=0.4).iloc[0]
    >>> read["verdict"], read["pays"], bool(read["low"] < 4.0 < read["high"])
    ('supported', 'supported', True)
    """
    check_level(level)
    if missing := why_none(outcomes):
        return no_rows(_COLUMNS, missing)
    named = [outcome] if isinstance(outcome, str) else list(outcome)
    _check(outcomes, named, adjust_by, control)
    worth_of = _per_outcome(value_per_unit, named)
    if isinstance(planned_share, Mapping):
        _check_names("planned_share", planned_share, sorted(map(str, outcomes["experiment"].unique())))
    rows = []
    for name, arm, people in _arms(outcomes, control):
        done = people[people["complete"]] if "complete" in people else people
        planned = planned_share.get(str(name)) if isinstance(planned_share, Mapping) else planned_share
        kind = str(people["kind"].iloc[0]) if "kind" in people else ""
        about: dict[str, Any] = {"experiment": name, "arm": arm, "kind": kind}
        about |= {"incomplete": len(people) - len(done), "p_split": split_p_value(done["group"], planned)}
        for outcome in named:
            row = about | {"outcome": outcome} | _read(done, outcome, adjust_by, level)
            assert row["treated"] + row["control"] + row["incomplete"] == len(people), "a customer was lost"
            rows.append(row | _worth(row, done, worth_of.get(outcome), unsubscribe_cost, level))
    table = pd.DataFrame(rows)
    if not (table[["treated", "control"]].min(axis=1) >= FEWEST).any():
        sizes = ", ".join(f"{row.experiment}: {row.treated} and {row.control}" for row in table.itertuples())
        few = f"no experiment has {FEWEST} customers in each group whose window is over ({sizes})"
        return no_rows(_COLUMNS, f"{few}; shorten the window or wait")
    table["p_holm"] = holm(table["p_value"])
    width = (table["value_high"] - table["value_low"]) / 2
    table["p_pays"] = holm(2 * ndtr(-normal_quantile(level) * (table["value_per_message"] / width).abs()))
    verdicts = [_verdict(row, level) for _, row in table.iterrows()]
    table[["verdict", "pays", "sentence"]] = pd.DataFrame(verdicts, index=table.index)
    several = table.groupby("experiment")[["arm", "outcome"]].nunique().gt(1).any()
    table["name"] = table[["experiment", *several.index[several]]].astype(str).agg(": ".join, axis=1)
    return with_finding(table[_COLUMNS], experiments_that_differ, set(named) <= {"spend", "profit"})


def minimal_detectable_effect(
    standard_error: float, *, power: float = 0.8, significance: float = 0.05
) -> float:
    """How large a true difference has to be for the experiment to show it, as a rule.

    Parameters
    ----------
    standard_error : float
        Of the difference; as it is, or planned: sd · sqrt(1 / treated + 1 / control).
    power : float, default 0.8
        Probability that the difference is shown.
    significance : float, default 0.05
        Two-sided.

    Returns
    -------
    float
        In the outcome's unit.

    Examples
    --------
    >>> round(minimal_detectable_effect(1.0), 3)
    2.802
    """
    if not (0 < significance < 1 and 0.5 < power < 1):
        raise CrmError(f"power is {power}, significance {significance}; give power above 0.5, both below 1")
    return (normal_quantile(1 - significance) + normal_quantile(2 * power - 1)) * standard_error


def split_p_value(group: pd.Series, planned_share: float | None) -> float:
    """How likely a split at least this far from the plan is by chance; nan where no plan is known.

    Below .001 the readout is not to be trusted (Fabijan et al., KDD 2019: sample ratio mismatch).

    Examples
    --------
    >>> round(split_p_value(pd.Series(["treated"] * 520 + ["control"] * 480), 0.5), 3)
    0.206
    """
    if planned_share is None or not len(group):
        return np.nan
    check_range(
        "planned_share", planned_share, "the planned share of treated, between 0 and 1", above=0, below=1
    )
    expected = planned_share * len(group)
    z = abs((group == "treated").sum() - expected) / np.sqrt(expected * (1 - planned_share))
    return float(2 * ndtr(-z))


def _arms(outcomes: pd.DataFrame, control: str) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Each arm of each experiment beside the control, as two groups: treated and control."""
    for name, people in outcomes.groupby("experiment", sort=True):
        alone = people["group"] == control
        for arm in sorted(people.loc[~alone, "group"].unique()) or [""]:
            pair = people[alone | (people["group"] == arm)]
            yield name, arm, pair.assign(group=np.where(pair["group"] == control, "control", "treated"))


def _per_outcome(value: float | Mapping[str, float] | None, named: Sequence[str]) -> Mapping[str, float]:
    """Money per unit of each outcome that has one."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        _check_names("value_per_unit", value, named)
        return value
    if len(named) > 1:
        raise CrmError(
            f"value_per_unit is {value} for {len(named)} outcomes; give it by name, such as {{{named[-1]!r}: {value}}}"
        )
    return {named[0]: value}


def _check_names(parameter: str, given: Mapping[str, float], known: Sequence[str]) -> None:
    for name in set(given) - set(known):
        raise CrmError(f"{parameter} names {name!r}; {did_you_mean(name, known)}")


def _check(outcomes: pd.DataFrame, named: Sequence[str], adjust_by: str | None, control: str) -> None:
    check_columns("outcomes", outcomes, ("experiment", "group", *named, *([adjust_by] if adjust_by else [])))
    for name in (*named, *([adjust_by] if adjust_by else [])):
        if missing := int(outcomes[name].isna().sum()):
            raise DataError(
                f"outcomes: {name} is missing in {missing:,} rows; a customer without purchases has 0"
            )
    if missing := int(outcomes["experiment"].isna().sum()):
        raise DataError(f"outcomes: experiment is missing in {missing:,} rows; name it or drop them")
    check_groups(outcomes, "outcomes", control)


def _read(people: pd.DataFrame, outcome: str, adjust_by: str | None, level: float) -> dict[str, float]:
    """The difference that one experiment made."""
    treated = (people["group"] == "treated").to_numpy()
    values = people[outcome].to_numpy(dtype=float)
    sizes: dict[str, float] = {"treated": int(treated.sum()), "control": int((~treated).sum())}
    if min(sizes.values()) < FEWEST:
        return {**sizes, **dict.fromkeys(_MEASURED, np.nan)}
    plain = _difference(values, treated, level)
    found, saved = plain, 0.0
    if adjust_by is not None:
        adjusted = _adjusted(values, people[adjust_by], treated)
        found = difference_of_means(adjusted[treated], adjusted[~treated], level=level)
        saved = 1.0 - (found.standard_error / plain.standard_error) ** 2 if plain.standard_error else 0.0
    sizes |= {"treated_mean": plain.treated, "control_mean": plain.control, "variance_saved": saved}
    measured = {name: getattr(found, name) for name in ("difference", "low", "high", "z", "p_value")}
    detectable = minimal_detectable_effect(found.standard_error, power=POWER, significance=1 - level)
    return {**sizes, **measured, "detectable": detectable}


def _difference(values: np.ndarray, treated: np.ndarray, level: float) -> Difference:
    """Of shares where the outcome is 0 and 1, else of means."""
    groups = values[treated], values[~treated]
    if np.isin(values, (0.0, 1.0)).all():
        counts = (int(count) for group in groups for count in (group.sum(), len(group)))
        return difference_of_shares(*counts, level=level)
    return difference_of_means(*groups, level=level)


def _adjusted(values: np.ndarray, before: pd.Series, treated: np.ndarray) -> np.ndarray:
    """Outcomes less what the time before explains; the slope is taken within groups, so no effect leaks in."""
    known = before.to_numpy(dtype=float)
    within, moved = known.copy(), values.copy()
    for group in (treated, ~treated):
        within[group] -= known[group].mean()
        moved[group] -= values[group].mean()
    spread = float(within @ within)
    slope = float(within @ moved) / spread if spread > 0 else 0.0
    return values - slope * (known - known.mean())


def _worth(
    row: Mapping[str, float],
    people: pd.DataFrame,
    value_per_unit: float | None,
    unsubscribe_cost: float,
    level: float,
) -> dict[str, float]:
    """Unsubscribes, cost and value per message of one experiment."""
    names = ("extra_unsubscribed", "extra_unsubscribed_low", "extra_unsubscribed_high")
    treated = (people["group"] == "treated").to_numpy()
    others = ("cost_per_message", "value_per_message", "value_low", "value_high")
    worth = dict.fromkeys((*names, *others), np.nan)
    if min(row["treated"], row["control"]) < FEWEST:
        return worth
    extra = 0.0
    if "unsubscribed" in people:
        found = _difference(people["unsubscribed"].to_numpy(dtype=float), treated, level)
        extra = found.difference
        worth |= dict(zip(names, (extra, found.low, found.high), strict=True))
    if "cost" in people:
        worth["cost_per_message"] = float(people.loc[treated, "cost"].mean(skipna=False))
    if value_per_unit is not None:
        paid = worth["cost_per_message"] + extra * unsubscribe_cost
        ends = {"value_per_message": "difference", "value_low": "low", "value_high": "high"}
        worth |= {name: value_per_unit * row[end] - paid for name, end in ends.items()}
    return worth


def _verdict(row: pd.Series, level: float) -> tuple[str, str, str]:
    """Whether the treated do better, whether it pays, and why."""
    sizes = f"{row['treated']:,} treated and {row['control']:,} control customers"
    if np.isnan(row["difference"]):
        return UNTESTED, UNTESTED, f"{sizes} are too few."
    if np.isnan(row["p_value"]):
        return UNTESTED, UNTESTED, "Within each group the outcome is the same for everybody; was it measured?"
    if row["p_split"] < SPLIT_BROKEN:
        return UNTESTED, UNTESTED, f"{sizes} do not fit the planned shares; how were they assigned?"
    found = f"difference {row['difference']:.4g} ({row['low']:.4g} to {row['high']:.4g})"
    better = BETTER.verdict(row["low"], row["high"]) if row["p_holm"] < 1 - level else UNDECIDED
    pays = PAYS.verdict(row["value_low"], row["value_high"])
    pays = UNDECIDED if row["p_pays"] >= 1 - level else pays
    if better == UNDECIDED:
        seen = f"a difference of {row['detectable']:.3g} would be seen with a chance of {fmt.share(POWER)}"
        return better, pays, f"{fmt.capital(found)}; {seen}."
    side = "better" if better == SUPPORTED else "worse"
    if np.isnan(row["cost_per_message"]):
        found += "; whether that pays cannot be tested: the cost of treatment is not known"
    if np.isnan(row["value_per_message"]):
        return better, pays, f"The treated did {side}: {found}."
    worth = Estimate(row["value_per_message"], "money", low=row["value_low"], high=row["value_high"])
    return better, pays, f"The treated did {side}: {found}, worth {worth} per message after its cost."
