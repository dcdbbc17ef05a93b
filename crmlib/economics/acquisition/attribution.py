"""Which channels are credited with the customers won: four rules side by side, none of them a cause."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, end_of, fetch, open_columns
from crmlib.data.sources import open_optional
from crmlib.economics.acquisition.sentences import credit_of_channels
from crmlib.findings import with_finding
from crmlib.models._inference import Array
from crmlib.no_rows import no_rows

METHODS = ("first_touch", "last_touch", "linear", "removal")
COLUMNS = ("channel", "paths", *METHODS, "removal_effect")
START, WON, LOST = "(start)", "(won)", "(lost)"


def attribution(touchpoints: Any, leads: Any, *, as_of: Any) -> pd.DataFrame:
    """How many of the customers won does each rule credit to each channel?

    A path is what a prospect met until won or lost, in order of time; prospects who are open, and those of whom no
    contact is known, have none. No rule says what a channel causes: that is the same world without the channel.

    Parameters
    ----------
    touchpoints : ibis.Table or DataFrame
        `lead_id, channel, date`; contacts that the firm made (`direction` "out") are left out.
    leads : ibis.Table or DataFrame
        `lead_id, won_on, lost_on`.
    as_of : date or str
        Last day that counts.

    Returns
    -------
    DataFrame
        One row per channel, the most credited by its removal first: `paths` that it is on, the wins that
        `first_touch`, `last_touch`, `linear` (equal parts of a path) and `removal` credit to it, and `removal_effect`,
        the share of wins that a first-order Markov chain expects to be lost without it. Wins of each rule add up to
        all paths won. Where no path ends without a win, the last two are not known.

    Notes
    -----
    Anderl, Becker, von Wangenheim & Schumann, International Journal of Research in Marketing 33(3), 2016.

    Examples
    --------
    >>> leads = pd.DataFrame({"lead_id": [1, 2], "won_on": pd.to_datetime(["2024-01-09", None]),
    ...                       "lost_on": pd.to_datetime([None, "2024-01-09"])})
    >>> touchpoints = pd.DataFrame({"lead_id": [1, 1, 2], "channel": ["a", "b", "a"],
    ...                             "date": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-01"])})
    >>> attribution(touchpoints, leads, as_of="2024-01-31").set_index("channel")["last_touch"].to_dict()
    {'a': 0.0, 'b': 1.0}
    """
    contacts, prospects = open_optional(touchpoints), open_optional(leads)
    if contacts is None or prospects is None:
        return no_rows(COLUMNS, f"no table {'touchpoints' if contacts is None else 'leads'}")
    steps = _steps(contacts, prospects, ibis.literal(end_of(as_day(as_of, "as_of"))))
    chain = fetch(steps.group_by("origin", "target").agg(n=_.count()))
    if chain.empty:
        return no_rows(COLUMNS, "no path of a prospect who was won or lost")
    credit = fetch(
        steps.filter(_.target != WON, _.target != LOST)
        .group_by(channel=_.target)
        .agg(
            paths=_.lead_id.nunique(),
            first_touch=(_.won & (_.position == 0)).sum().fill_null(0).cast("float64"),
            last_touch=(_.won & (_.position == _.length - 1)).sum().fill_null(0).cast("float64"),
            linear=ibis.ifelse(_.won, 1 / _.length, 0.0).sum(),
        )
        .order_by("channel")
    )
    effect = removal_effects(chain).reindex(credit["channel"]).to_numpy()
    wins = chain.loc[chain["target"] == WON, "n"].sum()
    total = np.nansum(effect)
    credit["removal"] = effect / total * wins if total > 0 else np.nan
    credit["removal_effect"] = effect
    known = credit[list(COLUMNS)].sort_values(["removal", "linear"], ascending=False, ignore_index=True)
    return with_finding(known, credit_of_channels, int(wins))


def _steps(contacts: ibis.Table, prospects: ibis.Table, end: ibis.Value) -> ibis.Table:
    """One row per step of a path: from a channel or the start to a channel or the end."""
    contacts = open_columns(contacts, "touchpoints", "lead_id", "channel", "date")
    prospects = open_columns(prospects, "leads", "lead_id", "won_on", "lost_on")
    if "direction" in contacts.columns:
        contacts = contacts.filter(_.direction.fill_null("in") != "out")
    ended = prospects.select(
        lead_id=_.lead_id.cast("string"),
        won=_.won_on.notnull() & (_.won_on < end),
        end=ibis.coalesce(_.won_on, _.lost_on),
    ).filter(_.end < end)
    met = contacts.select(lead_id=_.lead_id.cast("string"), channel=_.channel.cast("string"), date=_.date)
    met = (
        met.filter(_.lead_id.notnull() & _.channel.notnull())
        .inner_join(ended, "lead_id")
        .filter(_.date <= _.end)
    )
    window = ibis.window(group_by="lead_id", order_by=["date", "channel"])
    met = met.mutate(
        origin=_.channel.lag().over(window).fill_null(START),
        position=ibis.row_number().over(window),
        length=_.count().over(ibis.window(group_by="lead_id")),
    )
    last = met.filter(_.position == _.length - 1)
    last = last.mutate(origin=_.channel, target=ibis.ifelse(_.won, WON, LOST))
    names = ["lead_id", "origin", "target", "won", "position", "length"]
    return met.mutate(target=_.channel)[names].union(last[names])


def removal_effects(chain: pd.DataFrame) -> pd.Series:
    """Which share of the wins is lost if a channel leads to nothing, of a first-order chain.

    Parameters
    ----------
    chain : DataFrame
        `origin, target, n`: how often a step was taken, from START over channels to WON or LOST.

    Returns
    -------
    Series
        By channel; nan where no path was lost, for then every prospect is won whatever is removed.

    Notes
    -----
    The chain is solved once, F = (I - Q)^-1. To remove a channel j is a change of rank one: what reached a win by way
    of it, F[start, j] / F[j, j] · P(win from j), is lost.

    Examples
    --------
    >>> chain = pd.DataFrame([("(start)", "a", 2), ("a", "b", 1), ("b", "(won)", 1), ("a", "(lost)", 1)],
    ...                      columns=["origin", "target", "n"])
    >>> removal_effects(chain).to_dict()
    {'a': 1.0, 'b': 1.0}
    """
    from scipy.sparse import csc_matrix, identity
    from scipy.sparse.linalg import splu

    names = sorted((set(chain["origin"]) | set(chain["target"])) - {START, WON, LOST})
    if not (chain["target"] == LOST).any():
        return pd.Series(np.nan, index=names)
    place = {START: 0} | {name: at for at, name in enumerate(names, 1)}
    origin = chain["origin"].map(place).to_numpy()
    share = chain["n"].to_numpy(float) / np.bincount(origin, chain["n"], len(place))[origin]
    inside, won = chain["target"].isin(place).to_numpy(), (chain["target"] == WON).to_numpy()
    target = chain["target"].map(place).to_numpy()[inside].astype(int)
    steps = csc_matrix((share[inside], (origin[inside], target)), shape=(len(place),) * 2)
    solved = splu(identity(len(place), format="csc") - steps)
    win: Array = solved.solve(np.bincount(origin[won], share[won], len(place)))
    visits = solved.solve(np.eye(len(place)))
    if not win[0] > 0:
        return pd.Series(np.nan, index=names)
    return pd.Series((visits[0] / np.diag(visits) * win / win[0])[1:], index=names)
