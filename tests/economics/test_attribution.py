"""Credit of channels: the worked paths, brute force, and the simulated firm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.economics.acquisition.attribution import LOST, START, WON, removal_effects

PATHS = [("AB", True, 3), ("A", False, 4), ("B", True, 1), ("CA", True, 2), ("C", False, 5), ("BC", False, 1)]


def tables(paths):
    leads, touchpoints = [], []
    for channels, won, many in paths:
        for _ in range(many):
            number = f"L{len(leads)}"
            day = pd.Timestamp("2024-03-01")
            leads.append((number, day if won else pd.NaT, pd.NaT if won else day))
            touchpoints += [
                (number, channel, pd.Timestamp("2024-01-01") + pd.Timedelta(at, "D"))
                for at, channel in enumerate(channels)
            ]
    made = pd.DataFrame(leads, columns=["lead_id", "won_on", "lost_on"])
    made = made.astype({"won_on": "datetime64[us]", "lost_on": "datetime64[us]"})
    return pd.DataFrame(touchpoints, columns=["lead_id", "channel", "date"]), made


def attribution(touchpoints, leads, *, as_of):
    return crm.Acquisition(None, as_of, leads=leads).attribution(touchpoints)


def found(paths, as_of="2024-12-31"):
    touchpoints, leads = tables(paths)
    return attribution(touchpoints, leads, as_of=as_of).set_index("channel")


def test_worked_paths():
    credit = found(PATHS).loc[["A", "B", "C"]]
    assert credit["removal_effect"].tolist() == pytest.approx([0.7333, 0.6759, 0.1630], abs=5e-5)
    assert credit["removal"].tolist() == pytest.approx([2.80, 2.58, 0.62], abs=5e-3)
    assert credit["last_touch"].tolist() == [2, 4, 0]
    assert credit["first_touch"].tolist() == [3, 1, 2]
    assert credit["linear"].tolist() == pytest.approx([2.5, 2.5, 1])
    assert credit["paths"].tolist() == [9, 5, 8]


def random_chain(seed):
    random = np.random.default_rng(seed)
    names = list("abcdef")
    rows = [(START, name, int(random.integers(1, 9))) for name in names]
    rows += [(one, two, int(random.integers(0, 9))) for one in names for two in names]
    rows += [(name, end, int(random.integers(1, 9))) for name in names for end in (WON, LOST)]
    return pd.DataFrame([row for row in rows if row[2]], columns=["origin", "target", "n"])


def chance_to_win(chain, without=None):
    """By many steps of the chain; what leads to the removed channel is lost."""
    share = chain["n"] / chain.groupby("origin")["n"].transform("sum")
    here, won = {START: 1.0}, 0.0
    for _ in range(400):
        there = {}
        for origin, target, part in zip(chain["origin"], chain["target"], share, strict=True):
            moved = here.get(origin, 0.0) * part
            if target == WON:
                won += moved
            elif target not in (LOST, without):
                there[target] = there.get(target, 0.0) + moved
        here = there
    return won


@pytest.mark.parametrize("seed", range(5))
def test_removal_by_brute_force(seed):
    chain = random_chain(seed)
    whole = chance_to_win(chain)
    expected = {name: 1 - chance_to_win(chain, name) / whole for name in "abcdef"}
    assert removal_effects(chain).to_dict() == pytest.approx(expected, rel=1e-9)


def test_every_rule_credits_all_wins():
    credit = found(PATHS)
    assert credit[["first_touch", "last_touch", "linear", "removal"]].sum().tolist() == pytest.approx([6] * 4)


def test_without_paths_that_are_lost_no_removal_effect_is_shown():
    credit = found([path for path in PATHS if path[1]])
    assert credit["removal"].isna().all()
    assert credit["removal_effect"].isna().all()
    assert credit["linear"].sum() == pytest.approx(6)
    assert "no removal effect" in credit.attrs["finding"]


def test_open_prospects_and_later_contacts_are_left_out():
    touchpoints, leads = tables(PATHS)
    more = pd.DataFrame({"lead_id": ["L0", "open"], "channel": "Z", "date": pd.Timestamp("2024-06-01")})
    leads = pd.concat([leads, leads.tail(1).assign(lead_id="open", won_on=pd.NaT, lost_on=pd.NaT)])
    credit = attribution(pd.concat([touchpoints, more]), leads, as_of="2024-12-31")
    assert set(credit["channel"]) == {"A", "B", "C"}
    assert attribution(touchpoints, leads, as_of="2024-02-01").empty


def test_absent_tables():
    touchpoints, leads = tables(PATHS)
    assert "no table leads" in attribution(touchpoints, None, as_of="2024-12-31").reason
    assert "no table touchpoints" in attribution(None, leads, as_of="2024-12-31").reason
