"""The states of customers, month by month, and what they are worth: the one object of the chapter."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from scipy.optimize import isotonic_regression

from crmlib import format as fmt
from crmlib.customers._log import check_margin, fetch
from crmlib.customers.audit.months import last_months
from crmlib.customers.life_cycle.months import Months
from crmlib.customers.life_cycle.rules import Rules as Table
from crmlib.customers.life_cycle.rules import read_rules, read_transitions
from crmlib.customers.treatments.experiments import experiment_outcomes
from crmlib.data.sources import lacking, open_optional
from crmlib.economics.experiments import read_experiments
from crmlib.economics.life_cycle import moves as chains
from crmlib.economics.life_cycle import sentences
from crmlib.economics.life_cycle import values as worth
from crmlib.errors import CrmError
from crmlib.findings import (
    NOT_JUDGED,
    REFUSE,
    Estimate,
    Rules,
    Verdict,
    in_currency,
    judge,
    limit,
    with_finding,
)
from crmlib.no_rows import no_rows, why_none
from crmlib.statistics import Array, normal_quantile

_STATES = "state rule owner next_hop people share change value"
_TRANSITIONS = "state next_state starts moved probability probability_low probability_high allowed"
SWEPT = {
    "gone_chance": (0.8, 0.95), "horizon_months": (3, 12), "false_alarm_rate": (0.01, 0.10), "unstable_orders": (2, 5),
    "stable_gaps": (1, 3), "contact_cost": (1.0, 5.0),
}  # fmt: skip
LOST = ("given up", "latent", "terminated")  # where nobody wants customers to go
FEWEST_SILENT = 30  # customers as long silent, below which a chance to buy is not taken for known
LEFT_ALONE = "assumed: who is not contacted never buys again"


@dataclass(frozen=True)
class ValueRules(Rules):
    """By how much values may have been off, in all, to be used."""

    off_care: float = limit(0.10, "a budget bears a tenth")
    off_refuse: float = limit(0.30, "states would be ranked by chance")


@dataclass(frozen=True, repr=False, eq=False)
class LifeCycle:
    """In which state is each customer, where do they go from there, and what is it worth?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day that counts; states are those at the ends of the complete months up to it.
    customers, leads, subscriptions, surveys, touchpoints, experiments : ibis.Table or DataFrame, optional
        The firm's tables, as the dictionary has them; states that rest on one that is missing do not occur.
    margin : float, optional
        Contribution as a share of revenue, where the log has no `cost`.
    months : int, default 12
        The last complete months, in which moves, money and values are measured.
    discount_rate : float, default 0.10
        Per year.
    horizon_months : int or None, default 60
        How far values reach; None: without end, as Pfeifer & Carraway have it.
    rules : path, optional
        A file of states like `crmlib/customers/life_cycle/states.toml`, the default.
    reading : str, default "extended"
        Which of its tables: "literal", "programme" or "extended".
    known : DataFrame, optional
        What a model knows: `customer_id`, `month` and any of `p_no_purchase`, `overdue`, `contact_margin`, used instead
        of what is made from the log.
    thresholds : mapping of str to float
        To be used instead of those of the file.
    currency : str
        The name of the money.

    Notes
    -----
    The state of a month uses what was known at its end, and nothing later. A customer is overdue where a steady customer
    with as many purchases would be silent so long with a chance below the false-alarm rate (see `overdue_customers`).
    The chance of no purchase within the horizon is the share without one among customers with as many orders and as
    long a silence, whose horizon was over when the quarter began. A purchase that went back in a later month still
    counts as one: the customer had come.

    Examples
    --------
    >>> import crmlib as crm
    >>> log = crm.open_study("cdnow-sample").transactions
    >>> found = LifeCycle(log, "1998-06-30", margin=0.3).states()
    >>> int(found["people"].sum()), found.loc[found["people"].idxmax(), "state"]
    (2357, 'terminated')
    """

    transactions: Any
    as_of: Any
    customers: Any = None
    leads: Any = None
    subscriptions: Any = None
    surveys: Any = None
    touchpoints: Any = None
    experiments: Any = None
    margin: float | None = None
    months: int = 12
    discount_rate: float = 0.10
    horizon_months: int | None = 60
    rules: Any = None
    reading: str = "extended"
    known: Any = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    currency: str = ""

    def __post_init__(self) -> None:
        check_margin(self.margin)
        if self.months < 1:
            raise CrmError(f"months is {self.months}; give a whole number from 1")
        if self.horizon_months is not None and self.horizon_months < 1:
            raise CrmError(
                f"horizon_months is {self.horizon_months}; give a whole number from 1, or None for no end"
            )
        if not self.discount_rate > 0:
            raise CrmError(
                f"discount_rate is {self.discount_rate}; give a rate per year above 0, such as 0.10"
            )

    @cached_property
    def table(self) -> Table:
        """The states of the reading, with the thresholds."""
        return read_rules(self.rules, self.reading, **self.thresholds)

    @cached_property
    def data(self) -> Months:
        """Persons and their states by month, in the engine."""
        return self._months(self.table)

    def _months(self, rules: Table) -> Months:
        names = ("customers", "leads", "subscriptions", "surveys", "touchpoints")
        tables = {name: getattr(self, name) for name in names}
        return Months(self.transactions, tables, self.last_day, self.margin, rules, self.known)

    @cached_property
    def last_day(self) -> dt.date:
        """Last day of the last complete month."""
        return last_months(1, as_of=self.as_of)[1]

    @property
    def missing(self) -> str:
        """Why there are no states; empty where there are."""
        if why := lacking(transactions=self.transactions):
            return why
        return "" if len(self.data.moves) else "no month is complete by the last day"

    @cached_property
    def value(self) -> str:
        """What customers bring: "contribution" where costs or a margin are known, else "revenue"."""
        return "contribution" if "profit" in self.data.measured else "revenue"

    @cached_property
    def rate(self) -> float:
        """The discount rate per month."""
        return math.expm1(math.log1p(self.discount_rate) / 12)

    @cached_property
    def chain(self) -> chains.Chain:
        """The moves that began at the ends of the last complete months but the last one."""
        return self._chain_to(self.data.last)

    def _chain_to(self, last: int) -> chains.Chain:
        """The moves of the complete months up to one."""
        months = range(max(last - self.months, self.data.first), last)
        return chains.chain(self.data.moves, len(self.table.states), months, self._money)

    @property
    def _money(self) -> str:
        return "profit" if self.value == "contribution" else "revenue"

    def states(self) -> pd.DataFrame:
        """How many are in each state today, by which rule, who looks after them, and what is one worth?

        In the order of life: `state`, `rule`, `owner`, `next_hop`, `people`, `share`, `change` (in twelve months, people)
        and `value` (of one, by the simulated histories of `values`).
        """
        if self.missing:
            return no_rows(_STATES, self.missing)
        counts = self._counts()
        now, year = counts.iloc[-1], counts.iloc[-13] if len(counts) > 12 else np.nan
        table = self.table.frame.drop(columns=["moves", "reading"])
        table["people"] = table["state"].map(now).astype(int)
        table = table[table["state"].map(counts.max()) > 0].reset_index(drop=True)
        table["share"] = table["people"] / max(table["people"].sum(), 1)
        table["change"] = table["people"] - table["state"].map(year) if len(counts) > 12 else np.nan
        table["value"] = table["state"].map(self._worth)
        return with_finding(table[_STATES.split()], sentences.states_today)

    def _counts(self) -> pd.DataFrame:
        """People by month (its number) and state."""
        rows = self.data.moves.groupby(["month", "place"])["people"].sum().unstack(fill_value=0.0)
        places = range(len(self.table.states))
        whole = rows.reindex(index=range(self.data.first, self.data.last + 1), columns=places).fillna(0.0)
        return whole.set_axis(self.table.names, axis=1)

    def by_month(self) -> pd.DataFrame:
        """How many were in each state at the end of each month: `month`, `state`, `people`; states in the order of life."""
        if self.missing:
            return no_rows("month state people", self.missing)
        counts = self._counts()[self.table.names[::-1]]
        counts = counts.set_axis(_dates(counts.index), axis=0).rename_axis("month")
        long = counts.reset_index().melt("month", var_name="state", value_name="people")
        return with_finding(long.astype({"people": int}), sentences.course_of_states, self.of_customers)

    def buyers(self) -> pd.DataFrame:
        """Who bought in each month: `new`, `recurring` (the month before too), `resurrected`, and `dormant` customers."""
        if self.missing:
            return no_rows("month new recurring resurrected dormant", self.missing)
        found = self.data.buyers
        return with_finding(found.assign(month=_dates(found["month"])), sentences.buyers_in_words)

    def transitions(self) -> pd.DataFrame:
        """Where do customers go from each state, within a month?

        `state`, `next_state`, `starts` (person-months), `moved`, `probability` with its interval by months, and whether
        the table of the reading has the move (`allowed`). The table may be edited and given to `values`.
        """
        if self.missing:
            return no_rows(_TRANSITIONS, self.missing)
        found = chains.transitions(self.chain, self.table)
        return with_finding(_in_order(found, self.table), sentences.moves_off_the_table, self.reading)

    def matrix(self) -> pd.DataFrame:
        """Person-months by state (rows) and the state a month later (columns), in the order of life, for a picture."""
        found = self.transitions()
        names = self.table.names[::-1]
        if not len(found):
            return pd.DataFrame()
        table = found.pivot(index="state", columns="next_state", values="moved")
        kept = [name for name in names if name in table.index]
        return with_finding(
            table.reindex(index=kept, columns=kept).fillna(0.0), lambda _: found.attrs["finding"]
        )

    @property
    def of_customers(self) -> list[str]:
        """The states of those who have bought, in the order of life."""
        return [name for name in self.table.names[::-1] if name not in PROSPECTS]

    @property
    def has_prospects(self) -> bool:
        """Whether anybody is known before the first purchase."""
        return not self.missing and bool(
            (self._counts()[[*{*PROSPECTS} & {*self.table.names}]] > 0).any(axis=None)
        )

    def dwell(self) -> pd.DataFrame:
        """How long does a stay in each state last? See `moves.dwell`."""
        if self.missing:
            return no_rows("state starts leave_share median_months still_there", self.missing)
        return _in_order(chains.dwell(self.chain, self.table.names), self.table)

    def memory(self) -> pd.DataFrame:
        """Does what was before still predict where a customer goes? See `moves.memory`."""
        if self.missing:
            return no_rows("state starts leave_early leave_late p_before p_age memory", self.missing)
        found = _in_order(chains.memory(self.chain, self.table.names), self.table)
        return with_finding(found, sentences.memory_in_words)

    def values(self, transitions: pd.DataFrame | None = None) -> pd.DataFrame:
        """What is a customer in each state worth from the next month on?

        Parameters
        ----------
        transitions : DataFrame, optional
            An assumption instead of what happened: `state`, `next_state`, `probability`, checked.

        Returns
        -------
        DataFrame
            In the order of life: `state`, `money_each` (what one brings in a month), `value` by the Markov chain with its
            interval by months, and `simulated` with its interval: histories in which leaving depends on the time in the
            state. Where they differ, the chain's memory matters.
        """
        if self.missing:
            return no_rows("state money_each value value_low value_high simulated", self.missing)
        assumed = None if transitions is None else read_transitions(transitions, self.table.names)
        known = dict(months=self.horizon_months, transitions=assumed)
        found = worth.values_of_states(self.chain, self.table.names, self.rate, **known)
        if assumed is None:
            found = found.join(self._simulated)
        found = _in_order(found[found["starts"] > 0].drop(columns="starts"), self.table)
        return with_finding(found, sentences.values_in_words, self.of_customers)

    @cached_property
    def _worth(self) -> pd.Series:
        """What a customer in each state is worth by simulated histories, which remember; by state."""
        return pd.Series(self._simulated["simulated"].to_numpy(), self.table.names)[
            self.chain.people.sum(axis=(0, 2)) > 0
        ]

    @cached_property
    def _simulated(self) -> pd.DataFrame:
        return worth.simulated_values(
            self.chain, self.rate, months=self.horizon_months or worth.LONGEST_MONTHS
        )

    def forecast_check(self) -> pd.DataFrame:
        """Were the values right? What was forecast some months ago, beside what happened since.

        By `state` then: `people`, and per person within the `months` since what the Markov chain and the simulated
        histories `forecast` from what was known then (`markov`, `simulated`), and what they brought (`happened`, with its
        interval over persons). A year where the log is three times as long, else a third of it. Not discounted.
        """
        columns = "state people months markov simulated happened happened_low happened_high"
        if self.missing:
            return no_rows(columns, self.missing)
        months = min(12, (self.data.last - self.data.first + 1) // 3)
        cut = self.data.last - months
        if months < 1:
            return no_rows(columns, "the log is too short to look back")
        chain, names = self._chain_to(cut), self.table.names
        table = self._brought_since(cut)
        table["state"] = [names[place] for place in table["place"]]
        told = pd.DataFrame(
            {"state": names, "markov": worth.within(chain.matrix(), chain.money_each(), 0.0, months)}
        )
        told["simulated"] = worth.simulated_values(chain, 0.0, months=months)["simulated"]
        table = table.merge(told, on="state").assign(months=months)
        return with_finding(_in_order(table[columns.split()], self.table), sentences.forecasts_in_words)

    def verdict(self) -> Verdict:
        """Whether the values are to be used: how far off histories that remember were in all (see `forecast_check`)."""
        found = self.forecast_check()
        if not len(found) or not (happened := float((found["happened"] * found["people"]).sum())) > 0:
            return Verdict("values of states", NOT_JUDGED, (why_none(found) or "nothing was brought since",))
        off = float((found["simulated"] * found["people"]).sum()) / happened - 1
        told = f"Of what was brought within {fmt.length(int(found['months'].iloc[0]), 'M')} they were off by {fmt.change(off)}."
        return judge("values of states", [ValueRules().reason("off", abs(off), told)], told)

    def _brought_since(self, cut: int) -> pd.DataFrame:
        """What the people of each state at the end of a month have brought since: `place`, `people`, `happened`."""
        later = self.data.events.filter(_.month > cut).group_by("person").agg(money=_[self._money].sum())
        rows = self.data.of_month(cut).select("person", "place").left_join(later, "person")
        rows = rows.mutate(money=rows.money.fill_null(0.0))
        found = fetch(
            rows.group_by("place").agg(people=_.count(), happened=_.money.mean(), spread=_.money.std())
        )
        reach = normal_quantile(0.95) * found["spread"].fillna(np.nan) / np.sqrt(found["people"])
        return found.assign(happened_low=found["happened"] - reach, happened_high=found["happened"] + reach)

    def drawing(self) -> pd.DataFrame:
        """The one table behind both drawings: `state`, `next_state`, `people` (in the state today), `moved` a month.

        A row for each state and each move of the last complete months, the states in the order of life; `probability`
        within a month; `way`: "next hop", "lost" (to where customers are overdue, gone or given up) or "other".
        """
        found = self.transitions()
        if not len(found):
            return no_rows("state next_state people moved probability way", self.missing)
        now = self._counts().iloc[-1]
        found = found[(found["moved"] > 0) | (found["state"] == found["next_state"])]
        found = found.assign(
            people=found["state"].map(now).astype(int), moved=found["moved"] / len(self.chain.moved)
        )
        hop = found["next_state"] == found["state"].map({one.name: one.next for one in self.table.states})
        found["way"] = np.select([hop, found["next_state"].isin(LOST)], ["next hop", "lost"], "other")
        found = found[["state", "next_state", "people", "moved", "probability", "way"]]
        return with_finding(found, sentences.busiest_way)

    def hops(self, contact_cost: float | None = None) -> pd.DataFrame:
        """What does each small hop bring, how long does it take, and how many are lost on the way?

        One row per state with a next hop of its own: `state`, `next_hop`, `people` today, `hop_share` (who make it within
        a month), `lost_share` (who are given up, latent or terminated instead), `median_months` in the state, `gain` (value
        of the next hop less that of the state) and, with the money per contact, `break_even`: the share of those contacted
        that must make the hop because of it.
        """
        if self.missing:
            return no_rows(
                "state next_hop people hop_share lost_share median_months gain break_even", self.missing
            )
        matrix, names = self.chain.matrix(), self.table.names
        value, stay = self._worth, self.dwell().set_index("state")["median_months"]
        now, rows = self._counts().iloc[-1], []
        worse = [names.index(name) for name in LOST if name in names]
        for place, state in reversed([*enumerate(self.table.states)]):
            if state.next == state.name or state.name not in stay.index:
                continue
            lost = sum(
                matrix[place, target] for target in worse if target != place and names[target] != state.next
            )
            gain = float(value.get(state.next, np.nan) - value[state.name])
            rows.append((state.name, state.next, int(now[state.name]), matrix[place, names.index(state.next)], lost,
                         stay[state.name], gain))  # fmt: skip
        table = pd.DataFrame(
            rows, columns="state next_hop people hop_share lost_share median_months gain".split()
        )
        table["break_even"] = (contact_cost or np.nan) / table["gain"].where(table["gain"] > 0)
        return with_finding(table, sentences.best_hop)

    def people(self) -> pd.DataFrame:
        """Who is in which state today: `customer_id`, `state`, `owner`, `orders`, `months_silent`, `p_no_purchase`, `value`.

        Prospects of whom no customer came have their own number behind "lead:".
        """
        if self.missing:
            return no_rows("customer_id state owner orders months_silent p_no_purchase value", self.missing)
        found = self._at(self.data, self.data.last)
        found["state"] = [self.table.names[place] for place in found.pop("place")]
        found["owner"] = found["state"].map({one.name: one.owner for one in self.table.states})
        found["value"] = found["state"].map(self._worth)
        order = ["value", "p_no_purchase", "customer_id"]
        found = found.rename(columns={"person": "customer_id"}).sort_values(
            order, ascending=[False, True, True]
        )
        names = "customer_id state owner orders months_silent p_no_purchase value".split()
        return found[names].reset_index(drop=True)

    def _at(self, data: Months, month: int) -> pd.DataFrame:
        """Every person with a state at the end of a month, and whether they have bought since."""
        rows = data.of_month(month)
        return fetch(
            rows.select("person", "place", "orders", "months_silent", "p_no_purchase", "next_bought")
        )

    def sweep(self) -> pd.DataFrame:
        """What does each threshold decide?

        For each threshold, as it is and at a lower and a higher value: `threshold`, `limit`, customers `stable`, `latent`
        and `terminated` today, how many of all are in another state than by the table (`moved_by_it`), and `returned_share`: of
        those who were terminated one horizon ago, the share who have bought since.
        """
        columns = "threshold limit stable latent terminated moved_by_it returned_share"
        if self.missing:
            return no_rows(columns, self.missing)
        usual, rows, returned = self.table, [], {}
        base = self._at(self.data, self.data.last).set_index("person")["place"]
        back = int(usual.thresholds["horizon_months"])
        for name, limits in SWEPT.items():
            for limit in sorted({*limits, usual.thresholds[name]}):
                data = self.data.with_rules(
                    read_rules(self.rules, self.reading, **{**self.thresholds, name: limit})
                )
                place = self._at(data, data.last).set_index("person")["place"].reindex(base.index)
                sizes = {state: int((place == usual.names.index(state)).sum()) if state in usual.names else 0
                         for state in ("stable", "latent", "terminated")}  # fmt: skip
                if (who := data.rules.who_is_gone) not in returned:
                    returned[who] = self._came_back(data, back)
                rows.append((name, limit, *sizes.values(), int((place != base).sum()), returned[who]))
        return with_finding(pd.DataFrame(rows, columns=columns.split()), sentences.sweep_in_words)

    def _came_back(self, data: Months, months: int) -> float:
        """Of those who were terminated some months ago, the share who have bought since."""
        if data.last - months < data.first or "terminated" not in data.rules.names:
            return np.nan
        past = self._at(data, data.last - months)
        gone = past[past["place"] == data.rules.names.index("terminated")]
        return float((gone["next_bought"] <= data.last).mean()) if len(gone) else np.nan

    def readings(self) -> pd.DataFrame:
        """What the three readings of the source documents say of the same customers.

        By `reading` and `state`: `people` today, and of the moves from it in the last months the share that the reading's
        own table does not have (`off_table`).
        """
        columns = "reading state rule people off_table"
        if self.missing:
            return no_rows(columns, self.missing)
        rows = []
        for reading in ("literal", "programme", "extended"):
            rules = read_rules(self.rules, reading, **self.thresholds)
            other = self if reading == self.reading else _other(self, rules)
            found = chains.transitions(other.chain, rules)
            off = found[~found["allowed"]].groupby("state")["moved"].sum()
            starts = found.groupby("state")["moved"].sum()
            now = other._counts().iloc[-1]
            for state in reversed(rules.states):
                if not other._counts()[state.name].max() > 0:
                    continue
                share = off.get(state.name, 0.0) / starts[state.name] if state.name in starts else np.nan
                rows.append((reading, state.name, state.rule, int(now[state.name]), share))
        return with_finding(pd.DataFrame(rows, columns=columns.split()), sentences.readings_in_words)

    def contact_effect(self, kind: str = "reminder", days: int = 30) -> Estimate:
        """By which share a message of a kind raises the chance to buy within so many days, by the firm's experiments.

        Not known where there is none: a log in which all were contacted, or none, cannot tell.
        """
        outcomes = experiment_outcomes(
            self.transactions, self.experiments, days=days, as_of=self.as_of, margin=self.margin
        )
        if why_none(outcomes) or not len(outcomes):
            return Estimate(None, "share")
        rows = outcomes[(outcomes["kind"] == kind) & outcomes["complete"]].assign(experiment=kind)
        read = read_experiments(rows, outcome="bought") if len(rows) else rows
        if not len(read):
            return Estimate(None, "share")
        row = read.iloc[0]
        change = row[["difference", "low", "high"]].astype(float) / float(row["control_mean"])
        return Estimate(
            *change[:1], "share", *change[1:], base=f"{fmt.count(row['treated'])} treated customers"
        )

    def contact_policy(
        self, contact_cost: float | None = None, effect: Estimate | None = None
    ) -> pd.DataFrame:
        """After how many months of silence should contacts stop?

        Parameters
        ----------
        contact_cost : float, optional
            Money per contact; without it 1.00 is assumed, and the finding says so.
        effect : Estimate, optional
            By which share a contact raises the chance to buy, as of `contact_effect`; where it is not known, who is not
            contacted never buys again, which is assumed.

        Returns
        -------
        DataFrame
            `months_contacted`, the `value` of one who has just bought under this policy, `last_gain` (what contacting in the
            last of these months adds), `best`, `chance` (to buy in the month, falling with the silence) and `basis`.
        """
        columns = "months_contacted chance value last_gain best basis"
        chance, each, contacted = self._by_silence()
        if not len(chance):
            return no_rows(columns, self.missing or "no silence is long enough known")
        paid = 1.0 if contact_cost is None else contact_cost
        known = effect if effect is not None and effect.is_known else None

        def policy(size: float | None) -> pd.DataFrame:
            return worth.contact_policy(chance, each, paid, self.rate, effect=size, contacted=contacted)

        table = policy(None if known is None else known.value)
        table["chance"] = [np.nan, *chance]
        table["basis"] = LEFT_ALONE if known is None else "by the measured effect of a contact"
        ends = [] if known is None or math.isnan(known.low) else [max(known.low, 0.0), known.high]
        others = [int(policy(size)["best"].to_numpy().argmax()) for size in ends]
        spelt = f", a contact taken to cost {sentences.money(paid)}: assumed" if contact_cost is None else ""
        return with_finding(table[columns.split()], sentences.where_to_stop, others, spelt)

    def _by_silence(self) -> tuple[Array, float, float]:
        """The chance to buy by months of silence, contribution of a month with a purchase, and the share contacted."""
        if self.missing:
            return np.array([]), 0.0, 0.0
        last = self.data.last
        rows = self.data.events.filter(_.buys)
        gap = ibis.least(rows.next_bought - rows.month, ibis.literal(10_000))
        found = fetch(
            rows.group_by(gap=ibis.least(gap, last + 1 - rows.month), open=gap > last - rows.month).agg(
                n=_.count()
            )
        )
        length = int(found["gap"].max()) if len(found) else 0
        ended, open_ = (np.bincount(part["gap"].astype(int), part["n"], length + 1)
                        for part in (found[~found["open"]], found[found["open"]]))  # fmt: skip
        at_risk = (ended + open_)[::-1].cumsum()[::-1]
        at_risk = at_risk[1:] - open_[1:]  # the month in which the log ends is not over for them
        known = at_risk >= FEWEST_SILENT
        reach = int(np.argmin(known)) if not known.all() else len(known)
        seen = ended[1:][:reach] / np.where(at_risk[:reach] > 0, at_risk[:reach], 1.0)
        chance = isotonic_regression(seen, weights=at_risk[:reach], increasing=False).x if reach else seen
        sums = fetch(rows.agg(money=rows[self._money].sum(), n=_.count()))
        touched = fetch(
            self.data.events.agg(n=(_.contact_month == _.month).sum(), months=(_.until - _.month + 1).sum())
        )
        share = float(touched["n"].iloc[0] or 0) / max(float(touched["months"].iloc[0] or 0), 1.0)
        return chance, float(sums["money"].iloc[0]) / max(int(sums["n"].iloc[0]), 1), share

    def contact_cost(self) -> float | None:
        """What a message of the firm costs on average; None where no cost is known."""
        rows = open_optional(self.touchpoints)
        if rows is None or not {"direction", "cost"} <= {*rows.columns}:
            return None
        out = rows.filter((rows.direction == "out") & rows.cost.notnull())
        found = out.cost.mean().to_pyarrow().as_py()
        return None if found is None else float(found)

    def sentences(self, *frames: pd.DataFrame) -> list[str]:
        """What the frames of this chapter say, a sentence each, in the currency."""
        found = [in_currency(frame.attrs.get("finding", ""), self.currency) for frame in frames]
        return [sentence for sentence in found if sentence]

    def key_figures(self) -> dict[str, Estimate]:
        """Customers in the states that count, and what one who is stable is worth beyond one who is latent."""
        found = self.states()
        if not len(found):
            return {}
        people, value = (found.set_index("state")[name] for name in ("people", "value"))
        buyers = sum(people.get(name, 0) for name in people.index if name not in PROSPECTS)
        day = fmt.date(self.last_day)
        refused = self.verdict().verdict == REFUSE
        figures = {
            f"{name}_share": Estimate(people.get(name, 0) / buyers if buyers else None, "share", window=day)
            for name in ("stable", "latent", "terminated")
        }
        gap = float(value.get("stable", np.nan) - value.get("latent", np.nan))
        return figures | {"worth_of_steadiness": Estimate(None if refused else gap, "money", window=day)}


PROSPECTS = ("prospect", "new prospect", "acquired", "activated", "activated but not bought", "given up")


def _other(of: LifeCycle, rules: Table) -> LifeCycle:
    """The same customers in another reading, on the same events."""
    from dataclasses import replace

    other = replace(of, reading=rules.name)
    other.__dict__.update(table=rules, data=of.data.with_rules(rules))
    return other


def _in_order(found: pd.DataFrame, rules: Table) -> pd.DataFrame:
    """Rows of states in the order of life."""
    order = {name: place for place, name in enumerate(rules.names[::-1])}
    names = [name for name in ("state", "next_state") if name in found]
    return found.sort_values(names, key=lambda names: names.map(order), ignore_index=True)


def _dates(months: Any) -> pd.DatetimeIndex:
    """First days of months by their numbers."""
    return pd.DatetimeIndex([pd.Timestamp(month // 12, month % 12 + 1, 1) for month in months])
