"""Were the values right, what does each threshold decide, and what would other readings say?"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.customers.life_cycle.months import Months
from crmlib.economics.life_cycle import sentences
from crmlib.economics.life_cycle.data import LifeCycleData, with_states
from crmlib.economics.life_cycle.moves import transitions
from crmlib.economics.life_cycle.values import simulated_values, within
from crmlib.findings import NOT_JUDGED, Rules, Verdict, judge, limit, with_finding
from crmlib.no_rows import no_rows, why_none
from crmlib.statistics import with_ends

SWEPT: dict[str, tuple[float, float]] = {
    "gone_chance": (0.8, 0.95), "horizon_months": (3, 12), "false_alarm_rate": (0.01, 0.10), "unstable_orders": (2, 5),
    "stable_gaps": (1, 3), "contact_cost": (1.0, 5.0),
}  # fmt: skip
_SUBJECT = "values of states"
_CHECK = "state people months markov simulated happened happened_low happened_high"
_SWEEP = "threshold limit stable latent terminated moved_by_it returned_share"
_READINGS = "reading state rule people off_table"


@dataclass(frozen=True)
class ValueRules(Rules):
    """How large the errors of values may have been over all states, as a share of what was brought, to be used."""

    off_care: float = limit(0.10, "a budget bears a tenth")
    off_refuse: float = limit(0.30, "states would be ranked by chance")


@with_states(_CHECK)
def forecast_check(life: LifeCycleData) -> pd.DataFrame:
    """Were the values right? What was forecast some months ago, beside what happened since.

    By `state` then: `people`, and per person within the `months` since what the Markov chain and the simulated
    histories `forecast` from what was known then (`markov`, `simulated`), and what they brought (`happened`, with its
    interval over persons). A year where the log is three times as long, else a third of it. Not discounted.
    """
    cut = start_of_check(life)
    if cut is None:
        return no_rows(_CHECK, "the log is too short to look back")
    months = life.data.last - cut
    chain, names = life.chain_to(cut), life.table.names
    forecast = simulated_values(chain, 0.0, months=months, random_state=0)
    forecast = forecast.assign(state=names, markov=within(chain.matrix(), chain.money_each(), 0.0, months))
    table = brought_since(life, cut).join(forecast, on="place").assign(months=months)
    return with_finding(life.in_order(table[_CHECK.split()]), sentences.forecasts_in_words)


def start_of_check(life: LifeCycleData) -> int | None:
    """The month up to which forecasts that are checked may look; None where the log is too short."""
    cut = life.data.last - min(12, (life.data.last - life.data.first + 1) // 3)
    return cut if life.data.first < cut < life.data.last else None


def brought_since(life: LifeCycleData, cut: int, groups: pd.DataFrame | None = None) -> pd.DataFrame:
    """What people of each state and `group` at the end of a month brought since: `place`, `people`, `happened`."""
    later = life.data.events.filter(_.month > cut).group_by("person").agg(money=_[life.money].sum())
    rows = life.data.places(cut).left_join(later, "person")
    rows = rows.mutate(money=rows.money.fill_null(0.0))
    own = ["place"] if groups is None else ["group", "place"]
    rows = rows if groups is None else rows.inner_join(ibis.memtable(groups), "person")
    found = fetch(rows.group_by(*own).agg(people=_.count(), happened=_.money.mean(), spread=_.money.std()))
    error = found["spread"].astype(float) / np.sqrt(found["people"])
    return found.assign(**with_ends("happened", found["happened"], error))


def verdict(found: pd.DataFrame) -> Verdict:
    """Whether the values are to be used, by a `forecast_check`."""
    rows = found[["happened", "simulated"]].astype(float).mul(found["people"].astype(float), axis=0)
    happened = float(rows["happened"].sum())
    if not happened > 0:
        return Verdict(_SUBJECT, NOT_JUDGED, (why_none(found) or "nothing was brought since",))
    off = float((rows["simulated"] - rows["happened"]).abs().sum()) / happened
    months = fmt.length(int(found["months"].iloc[0]), "M")
    errors = f"Within {months} the errors over all states were {fmt.share(off)} of what was brought."
    return judge(_SUBJECT, [ValueRules().reason("off", off, errors)], errors)


@with_states(_SWEEP)
def sweep(life: LifeCycleData) -> pd.DataFrame:
    """What does each threshold decide?

    For each threshold, as it is and at a lower and a higher value: `threshold`, `limit`, customers `stable`, `latent`
    and `terminated` today, how many of all are in another state than by the table (`moved_by_it`), and
    `returned_share`: of those who were terminated one horizon ago, the share who have bought since.
    """
    usual, rows, returned = life.table, [], dict[tuple[object, ...], float]()
    last, past = life.data.last, life.data.last - int(usual.thresholds["horizon_months"])
    base = life.data.places(last)
    for name, ends in SWEPT.items():
        for value in sorted({*ends, usual.thresholds[name]}):
            data = life.data
            if value != usual.thresholds[name]:
                data = data.with_rules(life.table_of(life.reading, **{name: value}))
            if (gone := data.rules.who_is_gone) not in returned:
                returned[gone] = _came_back(data, past)
            beside = base.left_join(data.places(last), "person")
            cells = beside.group_by("place", "place_right").agg(people=_.count())
            cells = fetch(cells.mutate(moved=~cells.place.identical_to(cells.place_right)))
            sizes = cells.groupby("place_right")["people"].sum().rename(index=dict(enumerate(usual.names)))
            shown = [int(sizes.get(state, 0)) for state in ("stable", "latent", "terminated")]
            rows.append((name, value, *shown, int(cells.loc[cells["moved"], "people"].sum()), returned[gone]))
    return with_finding(pd.DataFrame(rows, columns=_SWEEP.split()), sentences.sweep_in_words)


def _came_back(data: Months, past: int) -> float:
    """Of those who were terminated at the end of a month, the share who have bought since."""
    if "terminated" not in data.rules.names:
        return np.nan
    gone = data.of_month(past).filter(_.place == data.rules.names.index("terminated"))
    return float(fetch(gone.agg(share=(_.next_bought <= data.last).mean()))["share"].astype(float).iloc[0])


@with_states(_READINGS)
def readings(life: LifeCycleData) -> pd.DataFrame:
    """What the three readings of the source documents say of the same customers.

    By `reading` and `state`: `people` today, and of the moves from it in the last months the share that the reading's
    own table does not have (`off_table`).
    """
    rows = []
    for reading in dict.fromkeys(("literal", "programme", "extended", life.reading)):
        other = life.in_reading(reading)
        found = transitions(other.chain, other.table)
        off = found[~found["allowed"].astype(bool)].groupby("state")["moved"].sum()
        starts = found.groupby("state")["moved"].sum()
        for state in reversed(other.table.states):
            people = other.counts[state.name]
            if people.max() > 0:
                share = off.get(state.name, 0.0) / starts[state.name] if state.name in starts else np.nan
                rows.append((reading, state.name, state.rule, int(people.iloc[-1]), share))
    return with_finding(pd.DataFrame(rows, columns=_READINGS.split()), sentences.readings_in_words)
