"""A simulated firm whose truth is known: every table that a firm can supply, from a seed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crmlib.simulation.firm import pieces
from crmlib.simulation.settings import TABLES, Simulation, simulation
from crmlib.simulation.writer import write_firm


@dataclass(frozen=True)
class SimulatedFirm:
    """A firm that does not exist; made by `simulate_firm`.

    Attributes
    ----------
    settings : Simulation
        What it was made from.
    tables : dict of DataFrame
        The fifteen tables, in the columns and words of their contracts.
    """

    settings: Simulation
    tables: dict[str, pd.DataFrame]

    @property
    def as_of(self) -> dt.date:
        """The last day of its history."""
        return dt.date(2025, 12, 31)

    @cached_property
    def truth(self) -> Mapping[str, pd.DataFrame]:
        """What is true, for tests and lessons: no analysis may look at it.

        `customers` has one row per person: whether they are still there (`alive`, `left_on`), their true
        `orders_per_year`, `expected_purchases_12m`, `expected_spend_12m`, `expected_profit_12m` and
        `expected_value` (of five years, at 10 % a year) as of the last day, `profit_per_year` while a customer
        and the `tier` by it, what they do in the year after the last day (`purchases_next_12m`,
        `spend_next_12m`), and the traits that no table shows. `treatments` has one row per experiment and
        customer in it, with the effect on that customer, realised and expected. `referrals` says who would not
        have come without a recommendation; `channels` what the customers of each channel are worth, and how many less
        there would be without it; `spend` what a customer costs by month, channel and market, on average and at the
        margin; `months` when there was no room, and `mechanisms` how strong every other link is. Each frame is made
        when it is first asked for.
        """
        from crmlib.simulation.truth import Truth

        return Truth(self.settings)

    def write(self, folder: str | Path, force: bool = False) -> Path:
        """Write the tables as Parquet, with a study.yaml that opens them; the truth is not written.

        Parameters
        ----------
        folder : str or Path
            Where to; its name is the study's.
        force : bool
            Whether a simulated firm that is there may be replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            If the folder is there already, or the disk is full; nothing half-written is left behind.
        """
        return write_firm(self.settings, Path(folder), force=force)

    def counterfactual(self, **effects: float) -> SimulatedFirm:
        """Make the same firm, the same customers on the same random streams, with other effects.

        Examples
        --------
        >>> firm = simulate_firm(50, 1)
        >>> firm.counterfactual(reminders=0).settings.effects
        {'reminders': 0.0}
        """
        given = self.settings
        return simulate_firm(
            given.n_customers,
            given.years,
            effects=given.effects | effects,
            random_state=given.random_state,
        )


def simulate_firm(
    n_customers: int = 5000,
    years: int = 3,
    *,
    effects: Mapping[str, Any] | None = None,
    random_state: int = 0,
) -> SimulatedFirm:
    """Simulate a firm: its customers, what they buy, say and cost, and what the firm does about it.

    The model, its equations and a picture of what depends on what are in docs/simulated-firm.md.

    Parameters
    ----------
    n_customers : int
        How many customers, at least 2, and about: chance decides who comes. A customer stays the same when this
        number grows.
    years : int
        Whole years of history up to 2025-12-31.
    effects : mapping of str to float, optional
        Mechanism, or the group "treatments", to strength: 1 is as documented, 0 is off; see `MECHANISMS` in
        crmlib/simulation/effects.py.
    random_state : int
        The seed; the same one gives the same firm.

    Returns
    -------
    SimulatedFirm

    Raises
    ------
    DataError
        If a parameter is not allowed, a mechanism unknown, or two effects contradict each other.

    Examples
    --------
    >>> firm = simulate_firm(100, 1, random_state=7)
    >>> len(firm.tables), firm.as_of
    (16, datetime.date(2025, 12, 31))
    >>> firm.counterfactual(loyalty_programme=0).tables["customers"].equals(firm.tables["customers"])
    True
    """
    settings = simulation(n_customers, years, random_state, effects)
    found: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in TABLES}
    for name, columns in pieces(settings):
        found[name].append(columns)
    tables = {
        name: pd.DataFrame({column: np.concatenate([part[column] for part in parts]) for column in parts[0]})
        for name, parts in found.items()
    }
    return SimulatedFirm(settings, tables)
