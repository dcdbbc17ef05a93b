"""The states of customers, month by month, and what they are worth: the one object of the chapter."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.customers.life_cycle.rules import read_transitions
from crmlib.economics.life_cycle import checks, fitting, policy, sentences
from crmlib.economics.life_cycle import moves as chains
from crmlib.economics.life_cycle import stages as product_stages
from crmlib.economics.life_cycle.data import LOST, PROSPECTS, LifeCycleData, dates, with_states
from crmlib.economics.life_cycle.values import values_of_states
from crmlib.findings import Estimate, Verdict, with_finding
from crmlib.no_rows import no_rows

_STATES = "state rule owner next_hop people share change value"
_HOPS = "state next_hop people hop_share lost_share median_months gain"
_PEOPLE = "customer_id state owner orders months_silent p_no_purchase value"


class LifeCycle(LifeCycleData):
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
    The state of a month uses what was known at its end, and nothing later. A customer is overdue where a steady
    customer with as many purchases would be silent so long with a chance below the false-alarm rate (see
    `overdue_customers`). The chance of no purchase within the horizon is the share without one among customers with as
    many orders and as long a silence, whose horizon was over when the quarter began. A purchase that went back in a
    later month still counts as one: the customer had come.

    Examples
    --------
    >>> import crmlib as crm
    >>> log = crm.open_study("cdnow-sample").transactions
    >>> found = LifeCycle(log, "1998-06-30", margin=0.3).states()
    >>> int(found["people"].sum()), found.loc[found["people"].idxmax(), "state"]
    (2357, 'terminated')
    """

    own_parameters, drift = fitting.own_parameters, fitting.drift

    @with_states(_STATES)
    def states(self) -> pd.DataFrame:
        """How many are in each state today, by which rule, who looks after them, and what is one worth?

        In the order of life: `state`, `rule`, `owner`, `next_hop`, `people`, `share`, `change` (in twelve months,
        people) and `value` (of one, by the simulated histories of `values`; not known where the verdict refuses it).
        """
        counts = self.counts
        now, year = counts.iloc[-1], counts.iloc[-13] if len(counts) > 12 else np.nan
        table = self.table.frame.drop(columns=["moves", "reading"])
        table["people"] = table["state"].map(now).astype(int)
        table = table[table["state"].map(counts.max()) > 0].reset_index(drop=True)
        table["share"] = table["people"] / max(table["people"].sum(), 1)
        table["change"] = table["people"] - table["state"].map(year) if len(counts) > 12 else np.nan
        table["value"] = table["state"].map(self.worth)
        return with_finding(table[_STATES.split()], sentences.states_today)

    @with_states("month state people")
    def by_month(self) -> pd.DataFrame:
        """How many were in each state at the end of each month: `month`, `state` (in the order of life), `people`."""
        counts = self.counts[self.table.names[::-1]]
        counts = counts.set_axis(dates(counts.index), axis=0).rename_axis("month")
        long = counts.reset_index().melt("month", var_name="state", value_name="people")
        return with_finding(long.astype({"people": int}), sentences.course_of_states, self.of_customers)

    @with_states("month new recurring resurrected dormant")
    def buyers(self) -> pd.DataFrame:
        """Who bought in each month: `new`, `recurring` (the month before too), `resurrected`; who were `dormant`?"""
        found = self.data.buyers
        return with_finding(found.assign(month=dates(found["month"])), sentences.buyers_in_words)

    @with_states("state next_state starts moved probability probability_low probability_high allowed")
    def transitions(self) -> pd.DataFrame:
        """Where do customers go from each state, within a month?

        `state`, `next_state`, `starts` (person-months), `moved`, `probability` with its interval by months, and whether
        the table of the reading has the move (`allowed`). The table may be edited and given to `values`.
        """
        found = chains.transitions(self.chain, self.table)
        return with_finding(self.in_order(found), sentences.moves_off_the_table, self.reading)

    def matrix(self) -> pd.DataFrame:
        """Person-months by state (rows) and the state a month later (columns), in the order of life, for a picture."""
        found = self.transitions()
        if not len(found):
            return pd.DataFrame()
        table = found.pivot(index="state", columns="next_state", values="moved")
        kept = [name for name in self.table.names[::-1] if name in table.index]
        table = table.reindex(index=kept, columns=kept).fillna(0.0)
        return with_finding(table, lambda _: found.attrs["finding"])

    @with_states("state starts leave_share median_months still_there")
    def dwell(self) -> pd.DataFrame:
        """How long does a stay in each state last? See `moves.dwell`."""
        return self.in_order(chains.dwell(self.chain, self.table.names))

    @with_states("state starts leave_early leave_late p_before p_age memory")
    def memory(self) -> pd.DataFrame:
        """Does what was before still predict where a customer goes? See `moves.memory`."""
        found = self.in_order(chains.memory(self.chain, self.table.names))
        return with_finding(found, sentences.memory_in_words)

    @with_states("state money_each value value_low value_high simulated")
    def values(self, transitions: Any = None) -> pd.DataFrame:
        """What is a customer in each state worth from the next month on?

        Parameters
        ----------
        transitions : DataFrame or path of a CSV file, optional
            An assumption instead of what happened: `state`, `next_state`, `probability`, checked.

        Returns
        -------
        DataFrame
            In the order of life: `state`, `money_each` (what one brings in a month), `value` by the Markov chain with
            its interval by months, and `simulated` with its interval: histories in which leaving depends on the time in
            the state. Where they differ, the chain's memory matters. Values that the verdict refuses are not known.
        """
        assumed = None if transitions is None else read_transitions(transitions, self.table.names)
        names, months = self.table.names, self.horizon_months
        found = values_of_states(self.chain, names, self.rate, months=months, transitions=assumed)
        if assumed is None:
            found = found.join(self.simulated)
        found = self.in_order(found[found["starts"] > 0].drop(columns="starts"))
        refusal = "" if assumed is not None else self.refusal
        if refusal:
            found[found.columns.difference(["state", "money_each"])] = np.nan
        return with_finding(found, sentences.values_in_words, self.of_customers, refusal)

    @cached_property
    def worth(self) -> pd.Series:
        """What one in each state is worth by histories that remember; not known where the verdict refuses it."""
        there = self.chain.people.sum(axis=(0, 2)) > 0
        found = pd.Series(self.simulated["simulated"].to_numpy(), self.table.names)[there]
        return found * np.nan if self.refusal else found

    def verdict(self) -> Verdict:
        """Whether the values are to be used: how far off histories that remember were (see `forecast_check`)."""
        return checks.verdict(self.forecast_check())

    @cached_property
    def refusal(self) -> str:
        """Why values are not to be used; empty where they are."""
        return self.verdict().refusal

    def drawing(self) -> pd.DataFrame:
        """The one table behind both drawings: `state`, `next_state`, `people` (in the state today), `moved` a month.

        A row for each state and each move of the last complete months, the states in the order of life; `probability`
        within a month; `way`: "next hop", "lost" (to where customers are overdue, gone or given up) or "other".
        """
        found = self.transitions()
        if not len(found):
            return no_rows("state next_state people moved probability way", self.missing)
        found = found[(found["moved"] > 0) | (found["state"] == found["next_state"])]
        people = found["state"].map(self.counts.iloc[-1]).astype(int)
        found = found.assign(people=people, moved=found["moved"] / len(self.chain.moved))
        hops = {state.name: state.next for state in self.table.states}
        hop = found["next_state"] == found["state"].map(hops)
        found["way"] = np.select([hop, found["next_state"].isin(LOST)], ["next hop", "lost"], "other")
        found = found[["state", "next_state", "people", "moved", "probability", "way"]]
        return with_finding(found, sentences.busiest_way)

    @with_states(f"{_HOPS} break_even measured net_gain")
    def hops(self, contact_cost: float | None = None) -> pd.DataFrame:
        """What does each small hop bring, how long does it take, and how many are lost on the way?

        One row per state with a next hop of its own: `state`, `next_hop`, `people` today, `hop_share` (who make it
        within a month), `lost_share` (who are given up, latent or terminated instead), `median_months` in the state,
        `gain` (value of the next hop less that of the state) and, with the money per contact, `break_even`: the share
        of those contacted that must make the hop because of it. `measured`: the share who bought because of the state's
        `message`, by the firm's experiments of that kind; `net_gain`: what a contact brings by it, less its cost.
        Unknown without an experiment, for a log in which all were contacted shows no effect.
        """
        matrix, names = self.chain.matrix(), self.table.names
        value, stay = self.worth, self.dwell().set_index("state")["median_months"]
        now, rows = self.counts.iloc[-1], []
        worse = [names.index(name) for name in LOST if name in names]
        for place, state in reversed([*enumerate(self.table.states)]):
            if state.next == state.name or state.name not in stay.index:
                continue
            target = names.index(state.next)
            lost = sum(matrix[place, worst] for worst in worse if worst not in (place, target))
            gain = float(value.get(state.next, np.nan) - value[state.name])
            row = (state.name, state.next, int(now[state.name]), matrix[place, target], lost)
            rows.append((*row, stay[state.name], gain))
        table = pd.DataFrame(rows, columns=_HOPS.split())
        table["break_even"] = (contact_cost or np.nan) / table["gain"].where(table["gain"] > 0)
        messages = {state.name: state.message for state in self.table.states}
        table["measured"] = [policy.share_moved(self, messages[name]) for name in table["state"]]
        table["net_gain"] = table["measured"] * table["gain"] - (contact_cost or np.nan)
        return with_finding(table, sentences.best_hop)

    @with_states(_PEOPLE)
    def people(self) -> pd.DataFrame:
        """Who is in which state today, the most valuable first?

        `customer_id`, `state`, `owner`, `orders`, `months_silent`, `p_no_purchase` and `value` (of one in the state).
        Prospects of whom no customer came have their own number behind "lead:".
        """
        columns = ("person", "place", "orders", "months_silent", "p_no_purchase")
        found = fetch(self.data.of_month(self.data.last).select(columns))
        found["state"] = [self.table.names[place] for place in found.pop("place")]
        found["owner"] = found["state"].map({state.name: state.owner for state in self.table.states})
        found["value"] = found["state"].map(self.worth)
        order = ["value", "p_no_purchase", "customer_id"]
        found = found.rename(columns={"person": "customer_id"})[_PEOPLE.split()]
        return found.sort_values(order, ascending=[False, True, True], ignore_index=True)

    # Were the values right, and what would other thresholds and readings say?
    forecast_check, sweep, readings = checks.forecast_check, checks.sweep, checks.readings
    stages = product_stages.stages
    contact_effect, contact_policy = policy.effect_of_contact, policy.policy
    contact_cost = policy.cost_of_contact

    def sentences(self, *frames: pd.DataFrame) -> list[str]:
        """What the frames of this chapter say, a sentence each, in the currency; nothing where there is none."""
        return [sentence for sentence in super().sentences(*frames) if sentence]

    def key_figures(self) -> dict[str, Estimate]:
        """Customers in the states that count, and what one who is stable is worth beyond one who is latent."""
        found = self.states()
        if not len(found):
            return {}
        people, value = (found.set_index("state")[name] for name in ("people", "value"))
        buyers = sum(people.get(name, 0) for name in people.index if name not in PROSPECTS)
        day = fmt.date(self.last_day)
        figures = {
            f"{name}_share": Estimate(people.get(name, 0) / buyers if buyers else None, "share", window=day)
            for name in ("stable", "latent", "terminated")
        }
        gap = float(value.get("stable", np.nan) - value.get("latent", np.nan))
        gain = fitting.gain_of(self.own_parameters())
        return figures | {
            "worth_of_steadiness": Estimate(gap, "money", window=day),
            "own_parameters_gain": gain,
        }
