"""Were the values right, what does each threshold decide, and what would other readings say?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.customers.life_cycle.months import Months
from crmlib.economics.life_cycle import sentences
from crmlib.economics.life_cycle.data import LifeCycleData, people_at
from crmlib.economics.life_cycle.moves import transitions
from crmlib.economics.life_cycle.values import simulated_values, within
from crmlib.findings import NOT_JUDGED, Rules, Verdict, judge, limit, with_finding
from crmlib.no_rows import no_rows, why_none
from crmlib.statistics import normal_quantile

SWEPT: dict[str, tuple[float, float]] = {
    "gone_chance": (0.8, 0.95), "horizon_months": (3, 12), "false_alarm_rate": (0.01, 0.10), "unstable_orders": (2, 5),
    "stable_gaps": (1, 3), "contact_cost": (1.0, 5.0),
}  # fmt: skip
_SUBJECT = "values of states"


@dataclass(frozen=True)
class ValueRules(Rules):
    """How large the errors of values may have been over all states, as a share of what was brought, to be used."""

    off_care: float = limit(0.10, "a budget bears a tenth")
    off_refuse: float = limit(0.30, "states would be ranked by chance")


def forecast_check(life: LifeCycleData) -> pd.DataFrame:
    """What was forecast some months ago, beside what happened; see `LifeCycle.forecast_check`."""
    columns = "state people months markov simulated happened happened_low happened_high"
    if life.missing:
        return no_rows(columns, life.missing)
    months = min(12, (life.data.last - life.data.first + 1) // 3)
    cut = life.data.last - months
    if months < 1 or cut <= life.data.first:
        return no_rows(columns, "the log is too short to look back")
    chain, names = life.chain_to(cut), life.table.names
    table = _brought_since(life, cut)
    table["state"] = [names[place] for place in table["place"]]
    forecast = pd.DataFrame(
        {"state": names, "markov": within(chain.matrix(), chain.money_each(), 0.0, months)}
    )
    forecast["simulated"] = simulated_values(chain, 0.0, months=months, random_state=0)["simulated"]
    table = table.merge(forecast, on="state").assign(months=months)
    return with_finding(life.in_order(table[columns.split()]), sentences.forecasts_in_words)


def _brought_since(life: LifeCycleData, cut: int) -> pd.DataFrame:
    """What the people of each state at the end of a month have brought since: `place`, `people`, `happened`."""
    later = life.data.events.filter(_.month > cut).group_by("person").agg(money=_[life.money].sum())
    rows = life.data.of_month(cut).select("person", "place").left_join(later, "person")
    rows = rows.mutate(money=rows.money.fill_null(0.0))
    found = fetch(rows.group_by("place").agg(people=_.count(), happened=_.money.mean(), spread=_.money.std()))
    reach = normal_quantile(0.95) * found["spread"].astype(float) / np.sqrt(found["people"])
    return found.assign(happened_low=found["happened"] - reach, happened_high=found["happened"] + reach)


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


def sweep(life: LifeCycleData) -> pd.DataFrame:
    """What each threshold decides; see `LifeCycle.sweep`."""
    columns = "threshold limit stable latent terminated moved_by_it returned_share"
    if life.missing:
        return no_rows(columns, life.missing)
    usual, rows, returned = life.table, [], dict[tuple[object, ...], float]()
    last, past = life.data.last, life.data.last - int(usual.thresholds["horizon_months"])

    def places(data: Months) -> pd.Series:
        """Where everybody is; who is gone is learnt of as well where it is new."""
        new = data.rules.who_is_gone not in returned
        found = people_at(data, last, past) if new else people_at(data, last)
        if new:
            returned[data.rules.who_is_gone] = _came_back(data, found[found["month"] == past])
        return found[found["month"] == last].set_index("person")["place"]

    base = places(life.data)
    for name, ends in SWEPT.items():
        for value in sorted({*ends, usual.thresholds[name]}):
            data, place = life.data, base
            if value != usual.thresholds[name]:
                data = life.data.with_rules(life.table_of(life.reading, **{name: value}))
                place = places(data).reindex(base.index)
            names = pd.Series(usual.names).reindex(place.to_numpy()).to_numpy()
            sizes = [int((names == state).sum()) for state in ("stable", "latent", "terminated")]
            moved = int((place != base).sum())
            rows.append((name, value, *sizes, moved, returned[data.rules.who_is_gone]))
    return with_finding(pd.DataFrame(rows, columns=columns.split()), sentences.sweep_in_words)


def _came_back(data: Months, past: pd.DataFrame) -> float:
    """Of those who were terminated some months ago, the share who have bought since."""
    if "terminated" not in data.rules.names:
        return np.nan
    gone = past[past["place"] == data.rules.names.index("terminated")]
    return float((gone["next_bought"] <= data.last).mean()) if len(gone) else np.nan


def readings(life: LifeCycleData) -> pd.DataFrame:
    """What each reading says of the same customers; see `LifeCycle.readings`."""
    columns, rows = "reading state rule people off_table", []
    if life.missing:
        return no_rows(columns, life.missing)
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
    return with_finding(pd.DataFrame(rows, columns=columns.split()), sentences.readings_in_words)
