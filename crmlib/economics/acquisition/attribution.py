"""Which channels are credited with the customers won: four rules side by side, none of them a cause."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import end_of, fetch, open_columns
from crmlib.data.cleaning.ids import own_ids
from crmlib.data.sources import open_optional
from crmlib.economics.acquisition import sentences
from crmlib.economics.acquisition.data import AcquisitionData
from crmlib.findings import with_finding
from crmlib.models._inference import Array
from crmlib.no_rows import no_rows

METHODS = ("first_touch", "last_touch", "linear", "removal")
COLUMNS = ("channel", "paths", *METHODS, "removal_effect")
START, WON, LOST = "(start)", "(won)", "(lost)"


def attribution(data: AcquisitionData, touchpoints: Any) -> pd.DataFrame:
    """How many of the customers won does each rule credit to each channel?

    A path is what a prospect met until won or lost, in order of time (of contacts at the same time in one that chance
    decides, the same in every run); prospects who are open, and those of whom no
    contact is known, have none. No rule says what a channel causes: that is the same world without the channel.

    Parameters
    ----------
    touchpoints : ibis.Table or DataFrame
        `lead_id, channel, date`; contacts that the firm made (`direction` "out") are left out.

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
    >>> data = AcquisitionData(None, "2024-01-31", leads=leads)
    >>> attribution(data, touchpoints).set_index("channel")["last_touch"].to_dict()
    {'a': 0.0, 'b': 1.0}
    """
    contacts, prospects = open_optional(touchpoints), open_optional(data.leads)
    if contacts is None or prospects is None:
        return no_rows(COLUMNS, f"no table {'touchpoints' if contacts is None else 'leads'}")
    met = _contacts(contacts, prospects, ibis.literal(end_of(data.day)))
    steps = _steps(met)
    if steps.empty:
        return no_rows(COLUMNS, "no path of a prospect who was won or lost")
    on = fetch(met.select("lead_id", "channel").distinct().group_by("channel").agg(paths=_.count()))
    credit = on.sort_values("channel").set_index("channel")
    won = steps[steps["won"]]
    rules = {
        "first_touch": won[won["origin"] == START],
        "last_touch": won[won["last"]],
        "linear": won.assign(n=won["n"] / won["length"]),
    }
    for name, rows in rules.items():
        credit[name] = rows.groupby("channel")["n"].sum().reindex(credit.index).fillna(0.0).astype(float)
    credit["removal_effect"] = removal_effects(_chain(steps)).reindex(credit.index)
    wins, total = credit["last_touch"].sum(), credit["removal_effect"].sum()
    credit["removal"] = credit["removal_effect"] / total * wins if total > 0 else np.nan
    known = credit.reset_index()[list(COLUMNS)].sort_values(["removal", "linear"], ascending=False)
    return with_finding(known.reset_index(drop=True), sentences.credit_of_channels, int(wins))


def _contacts(contacts: ibis.Table, prospects: ibis.Table, end: ibis.Value) -> ibis.Table:
    """What prospects met until they were won or lost."""
    contacts = open_columns(contacts, "touchpoints", "lead_id", "channel", "date")
    prospects = open_columns(prospects, "leads", "lead_id", "won_on", "lost_on")
    if "direction" in contacts.columns:
        contacts = contacts.filter(_.direction.fill_null("in") != "out")
    if contacts.lead_id.type() != prospects.lead_id.type():
        tables = contacts, prospects
        contacts, prospects = (rows.mutate(lead_id=own_ids(rows.lead_id).cast("string")) for rows in tables)
    # A number that stands twice is one prospect.
    prospects = prospects.group_by("lead_id").agg(
        **{name: _[name].min().cast("timestamp(6)") for name in ("won_on", "lost_on")}
    )
    won = _.won_on.notnull() & (_.lost_on.isnull() | (_.won_on <= _.lost_on))
    ended = prospects.mutate(won=won).select("lead_id", "won", end=ibis.ifelse(_.won, _.won_on, _.lost_on))
    met = contacts.select("lead_id", date=_.date.cast("timestamp(6)"), channel=_.channel.cast("string"))
    met = met.filter(_.lead_id.notnull() & _.channel.notnull())
    met = met.inner_join(ended.filter(_.end < end), "lead_id")
    # An end without a time of day lasts until the day is over.
    return met.filter((_.date <= _.end) | (_.date.truncate("D") == _.end))


def _steps(met: ibis.Table) -> pd.DataFrame:
    """How often, `n`, a channel was met after another or the start, by whether it was the last of how many and won."""
    # All windows have one order: sorting is what takes long. Of contacts at the same time chance decides, not the name.
    met = met.mutate(tie=_.lead_id.cast("string").hash() ^ _.channel.hash())
    order = {"group_by": "lead_id", "order_by": ["date", "tie"]}
    path, whole = ibis.window(**order), ibis.window(**order, preceding=None, following=None)
    met = met.mutate(
        origin=_.channel.lag().over(path).fill_null(START),
        last=_.channel.lead().over(path).isnull(),
        length=_.count().over(whole),
    )
    return fetch(met.group_by("origin", "channel", "won", "last", "length").agg(n=_.count()))


def _chain(steps: pd.DataFrame) -> pd.DataFrame:
    """The steps between channels, and from the last ones to a win or a loss, as of `removal_effects`."""
    between = steps.rename(columns={"channel": "target"})
    last = steps[steps["last"]]
    ends = last.assign(origin=last["channel"], target=np.where(last["won"], WON, LOST))
    return pd.concat([between, ends]).groupby(["origin", "target"], as_index=False)["n"].sum()


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
