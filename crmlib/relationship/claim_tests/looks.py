"""Sequential and multiple testing of claims: which verdicts hold although many claims are tested at every run."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import ASSOCIATED, CONTRADICTED, SUPPORTED, UNDECIDED
from crmlib.statistics import benjamini_yekutieli, normal_quantile

LEVEL = 0.05
LOGGED = "claim look looked_on verdict value low high".split()


def spent(look: int) -> float:
    """The significance level of the k-th look at a claim, 0.05 · 6 / (π² k²); the sum over all looks is 0.05.

    Valid whatever the looks have to do with each other (union bound).

    Examples
    --------
    >>> [round(spent(look), 4) for look in (1, 2, 3)]
    [0.0304, 0.0076, 0.0034]
    """
    return LEVEL * 6 / (math.pi**2 * look**2)


def looked(table: pd.DataFrame, earlier: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """Correct the verdicts of claims for repeated looks and for testing many claims together.

    Parameters
    ----------
    table : DataFrame
        The ledger: `claim, value, low, high` (95 %), `bar`, `kind, basis, verdict, why`.
    earlier : DataFrame
        Looks of runs of earlier days: `claim, look, looked_on, verdict`.
    day : date
        Of this look.

    Returns
    -------
    DataFrame
        The table with `look` (its number among those that count; 0 where it is none) and `looked_on`. The first
        look of a quarter counts: a later one of the same quarter repeats its verdict. Of the claims looked at today,
        those beyond chance by Benjamini and Yekutieli, at the level that each look spends, keep their verdict.
    """
    table = table.assign(look=0, looked_on=pd.NaT)
    is_test = (table["basis"] == "test") & table["kind"].isin(["description", "effect"])
    p_values = _p_values(table).where(is_test)
    quarter, new = pd.Period(day, "Q"), []
    for place in table.index[p_values.notna()]:
        mine = earlier[earlier["claim"] == table.at[place, "claim"]] if "claim" in earlier else earlier
        quarters = pd.PeriodIndex(mine["looked_on"], freq="Q") if len(mine) else pd.PeriodIndex([], freq="Q")
        if quarter in quarters:
            first = mine[quarters == quarter].sort_values("looked_on").iloc[0]
            names = ["look", "looked_on", "verdict"]
            table.loc[place, names] = [first[name] for name in names]
            on = fmt.write(first["looked_on"], "date")
            table.loc[place, "why"] += f"; the verdict is that of {on}: one look a quarter counts"
        else:
            new.append(place)
            table.loc[place, ["look", "looked_on"]] = [quarters.nunique() + 1, pd.Timestamp(day)]
    times = [LEVEL / spent(int(table.at[place, "look"])) for place in new]
    weighed = pd.Series(p_values[new].to_numpy() * times, index=new, dtype=float)
    chance = benjamini_yekutieli(weighed) > LEVEL
    decided = table["verdict"].isin([SUPPORTED, ASSOCIATED, CONTRADICTED]) & (p_values < LEVEL)
    weak = table.index.isin(chance.index[chance]) & decided
    claims = fmt.plural(len(new), "claim")
    among = f"; beyond chance by itself, not among {claims} looked at together and again"
    table.loc[weak, "verdict"], table.loc[weak, "why"] = UNDECIDED, table.loc[weak, "why"] + among
    return table


def logged(table: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """The looks of today that count, which a run keeps for later ones."""
    today = (table["look"] > 0) & (pd.to_datetime(table["looked_on"]) == pd.Timestamp(day))
    return table.loc[today, LOGGED].reset_index(drop=True)


def _p_values(table: pd.DataFrame) -> pd.Series:
    """Two-sided, from the distance to the bar and the end of the 95 % interval on the bar's side; nan without one."""
    from scipy.special import ndtr

    value, low, high = (table[name].astype(float) for name in ("value", "low", "high"))
    bar = table["bar"].fillna(0.0).astype(float)
    error = np.where(value > bar, value - low, high - value) / normal_quantile(0.95)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(error > 0, np.abs(value - bar) / error, np.nan)
    return pd.Series(2 * ndtr(-z), index=table.index)
