"""States of customers by month: by hand, by a slow second way, and from what was known then alone."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers._log import fetch
from crmlib.customers.life_cycle import months as engine
from crmlib.customers.life_cycle.months import Months, chances_by_quarter
from crmlib.customers.life_cycle.rules import STANDARD, read_rules, read_transitions
from crmlib.economics.life_cycle.stages import STANDARD as STAGES
from crmlib.economics.life_cycle.stages import read_stages
from crmlib.errors import CrmError
from tests.customers.logs import cdnow_sample, log_of

LAST = dt.date(1998, 6, 30)


def states(found: Months) -> pd.DataFrame:
    """Every person's state at the end of every month."""
    rows = fetch(found.panel.select("person", "month", "place"))
    rows["state"] = [found.rules.names[place] for place in rows.pop("place")]
    rows["month"] = [pd.Period(year=m // 12, month=m % 12 + 1, freq="M") for m in rows["month"]]
    return rows.sort_values(["person", "month"], ignore_index=True)


def of(
    log: pd.DataFrame,
    last: str,
    tables: dict | None = None,
    known: pd.DataFrame | None = None,
    **limits: float,
) -> pd.DataFrame:
    found = states(Months(log, tables or {}, dt.date.fromisoformat(last), None, read_rules(**limits), known))
    return found.pivot(index="month", columns="person", values="state")


# -- the rules -----------------------------------------------------------------------------------------------------


def edited(**changes: object) -> dict:
    """The table of the library, with entries of the state won back changed; None takes one out."""
    import tomllib

    found = tomllib.loads(STANDARD.read_text(encoding="utf-8"))
    about = found["extended"]["states"]["won back"]
    for name, value in changes.items():
        if value is None:
            del about[name]
        else:
            about[name] = value
    return found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"next": None}, "state 'won back' has no 'next': who came back is so for a time"),
        ({"when": None}, "state 'won back' has no 'when'"),
        ({"owner": ""}, "state 'won back' has no 'owner'"),
        ({"next": "stabel"}, "leads to 'stabel', which is no state of the reading; .*'stable'"),
        ({"also": ["nowhere"]}, "leads to 'nowhere'"),
        ({"when": "order > 1"}, "'order' is no fact and no threshold; .*orders"),
        ({"when": "orders > "}, "is no condition"),
        ({"when": "__import__('os')"}, "holds more than facts"),
        ({"when": "orders + 1 > 2"}, "holds more than facts"),
        ({"when": "won_back"}, "'won_back' has no end; join won_back with months_back < back_months"),
    ],
)
def test_a_table_with_a_fault_is_refused_by_name(changes: dict, message: str) -> None:
    with pytest.raises(CrmError, match=message):
        read_rules(edited(**changes))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"back_months": np.inf}, "'back_months' is inf; give a number, so that it has an end"),
        ({"back_months": 0}, "'back_months' is 0"),
        ({"gone_chance": 1.5}, "'gone_chance' is 1.5; give a share"),
        ({"gone_chanse": 0.5}, "threshold is 'gone_chanse'; did you mean 'gone_chance'"),
    ],
)
def test_a_threshold_out_of_range_is_refused(limits: dict, message: str) -> None:
    with pytest.raises(CrmError, match=message):
        read_rules(**limits)


def test_a_file_of_the_firm_is_read_and_a_missing_one_named(tmp_path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(STANDARD.read_text(encoding="utf-8").replace("gone_chance = 0.90", "gone_chance = 0.75"))
    assert read_rules(mine).thresholds["gone_chance"] == 0.75
    with pytest.raises(CrmError, match="no file"):
        read_rules(tmp_path / "other.toml")
    with pytest.raises(CrmError, match="reading is 'literl'; .*literal"):
        read_rules(reading="literl")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_that_people_edit_are_read_however_a_program_saved_them(tmp_path, encoding: str) -> None:
    """A mark before the text, semicolons and decimal commas, an empty row at the end; what cannot be read is named."""
    moves = tmp_path / "moves.csv"
    moves.write_text("state;next_state;probability\na;a;0,75\na;b;0,25\n;;\n", encoding=encoding)
    assert read_transitions(moves, ["a", "b"]).tolist() == [[0.75, 0.25], [0.0, 1.0]]
    tables = tmp_path / "tables.toml"
    for read, standard in ((read_rules, STANDARD), (read_stages, STAGES)):
        tables.write_text(standard.read_text(encoding="utf-8"), encoding=encoding)
        if encoding == "utf-8-sig":
            assert read(tables) == read()
        else:
            with pytest.raises(CrmError, match="tables.toml is no text in UTF-8"):
                read(tables)
        with pytest.raises(CrmError, match=f"no file .*; copy .*{standard.name} there"):
            read(tmp_path / "other.toml")
    for fault, message in (("", "is empty"), (None, "there is no file")):
        moves.unlink() if fault is None else moves.write_text(fault)
        with pytest.raises(CrmError, match=message):
            read_transitions(moves, ["a", "b"])


@pytest.mark.parametrize("reading", ["literal", "programme", "extended"])
def test_every_state_has_a_rule_an_owner_and_a_next_hop(reading: str) -> None:
    table = read_rules(reading=reading).frame
    assert (table[["rule", "owner", "next_hop"]] != "").all(axis=None)
    assert {*table["next_hop"]} <= {*table["state"]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "c", 1.0)], "unknown state 'c'"),
        ([("a", "a", 0.6), ("a", "b", 0.3)], "from 'a' sum to 0.9"),
        ([("a", "b", 0.0)], "from 'a' sum to 0"),
        ([("a", "b", "half")], "from 'a' to 'b' the probability is half; give a share"),
        ([("a", "b", -0.1), ("a", "a", 1.1)], "from 'a' to 'b' the probability is -0.1"),
    ],
)
def test_a_transition_table_with_a_fault_is_refused_by_name(rows: list, message: str) -> None:
    with pytest.raises(CrmError, match=message):
        read_transitions(pd.DataFrame(rows, columns=["state", "next_state", "probability"]), ["a", "b"])


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"customer_id": [1, 1], "p_no_purchase": 0.5}, "a customer has two rows of a month"),
        ({"customer_id": [1, 2], "p_no_purchase": 50.0}, "p_no_purchase is not between 0 and 1"),
        ({"customer_id": [1, 2], "p_no_purchase": "0,5"}, "p_no_purchase is text"),
        ({"id": [1, 2]}, "known has no column 'customer_id'"),
    ],
)
def test_what_a_model_cannot_know_is_refused(known: dict, message: str) -> None:
    log = log_of(("1", "2024-01-10", 10))
    with pytest.raises(CrmError, match=message):
        of(log, "2024-03-31", known=pd.DataFrame(known | {"month": "2024-02"}, index=[0, 1]))


def test_a_row_that_names_nobody_is_no_person_and_ids_may_have_become_fractions() -> None:
    log = log_of(("1", "2024-01-10", 10))
    leads = pd.DataFrame({"lead_id": ["7", None], "created": pd.Timestamp("2024-01-05")})
    known = pd.DataFrame({"customer_id": [1.0, np.nan], "month": "2024-02", "p_no_purchase": 0.99})
    found = of(log, "2024-03-31", {"leads": leads}, known=known)
    assert {*found} == {"1", "lead:7"}
    assert found["1"].tolist() == ["unstable", "terminated", "unstable"]


# -- the states, by hand -------------------------------------------------------------------------------------------


def test_states_of_a_customer_by_hand() -> None:
    log = log_of(
        ("a", "2024-01-10", 10), ("a", "2024-02-10", 10), ("a", "2024-03-10", 10), ("b", "2024-01-31", 5),
        ("z", "2025-03-31", 1),
    )  # fmt: skip
    found = of(log, "2025-03-31")
    # (61 days of 60 + silent days)^2 falls below 5 % when 273 days or more have passed: at the end of October.
    assert found["a"].dropna().tolist() == ["unstable"] * 2 + ["stable"] * 7 + ["latent"] * 6
    assert found["b"].dropna().tolist() == ["unstable"] * 15


def test_a_late_gap_ends_steadiness() -> None:
    days = ["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22", "2024-06-20"]
    found = of(log_of(*(("a", day, 10) for day in days)), "2024-06-30", false_alarm_rate=0.01)
    # 22 of 172 days, to the third power, is 0.2 %: the last gap was late.
    assert found["a"].iloc[[0, -1]].tolist() == ["stable", "unstable"]


def test_a_purchase_counts_until_it_goes_back_within_its_month() -> None:
    log = log_of(("a", "2024-01-10", 10), ("b", "2024-01-10", 10)).assign(
        is_purchase=True,
        reversed_on=pd.to_datetime(["2024-01-20", "2024-02-20"]),
        returned_purchase_date=pd.NaT,
    )
    found = of(log, "2024-03-31")
    assert "a" not in found
    assert found["b"].tolist() == ["unstable"] * 3


def test_a_customer_in_two_contracts_is_gone_when_both_have_ended() -> None:
    log = log_of(("a", "2024-01-10", 10), ("b", "2024-01-10", 10), ("c", "2024-01-10", 10))
    contracts = pd.DataFrame(
        [
            ("a", "1", "2024-01-01", "2024-03-15"), ("a", "2", "2024-01-01", "2024-05-10"),
            ("b", "3", "2024-01-01", "2024-03-31"), ("b", "3", "2024-04-01", None),  # a new price
            ("c", "4", "2024-01-01", "2024-03-31"),
        ],
        columns=["customer_id", "subscription_id", "start", "end"],
    )  # fmt: skip
    contracts = contracts.assign(
        start=pd.to_datetime(contracts["start"]), end=pd.to_datetime(contracts["end"])
    )
    found = of(log, "2024-06-30", {"subscriptions": contracts.assign(price_per_month=5.0)})
    assert found["a"].tolist() == ["unstable"] * 4 + ["terminated"] * 2
    assert found["b"].tolist() == ["unstable"] * 6
    assert (
        found["c"].tolist() == ["unstable"] * 3 + ["terminated"] * 3
    )  # the last day of the contract is one of it


def test_who_comes_back_by_a_message_is_won_back_and_for_a_time() -> None:
    rows = [(who, day, 10) for who in "ab" for day in ("2024-01-10", "2024-06-10")]
    contracts = pd.DataFrame(
        {"customer_id": ["a", "b"], "start": pd.Timestamp("2024-01-01"), "end": pd.Timestamp("2024-02-10"),
         "price_per_month": 5.0}
    )  # fmt: skip
    message = {"customer_id": "b", "date": pd.Timestamp("2024-05-20"), "kind": "win-back", "direction": "out",
               "channel": "e-mail"}  # fmt: skip
    tables = {"subscriptions": contracts, "touchpoints": pd.DataFrame([message])}
    found = of(log_of(*rows), "2024-10-31", tables)
    gone = ["unstable"] + ["terminated"] * 4
    assert found["a"].tolist() == [*gone, *["switched back"] * 3, "unstable", "unstable"]
    assert found["b"].tolist() == [*gone, *["won back"] * 3, "unstable", "unstable"]
    literal = states(Months(log_of(*rows), tables, dt.date(2024, 7, 31), None, read_rules(reading="literal")))
    assert literal.groupby("person")["state"].last().to_dict() == {"a": "switch-back", "b": "win-back"}


def test_a_prospect_goes_through_its_stages() -> None:
    leads = pd.DataFrame(
        {
            "lead_id": ["1", "2"], "created": pd.to_datetime(["2024-01-05", "2024-01-05"]), "channel": "search",
            "interested_on": pd.to_datetime(["2024-02-05", None]),
            "activated_on": pd.to_datetime(["2024-03-05", None]),
            "won_on": pd.to_datetime(["2024-06-10", None]), "lost_on": pd.to_datetime([None, "2024-04-01"]),
            "customer_id": ["a", None],
        }
    )  # fmt: skip
    found = of(log_of(("a", "2024-06-10", 10)), "2024-06-30", {"leads": leads})
    before = [
        "prospect",
        "acquired",
        "activated",
        "activated but not bought",
        "activated but not bought",
        "unstable",
    ]
    assert found["a"].tolist() == before
    assert found["lead:2"].tolist() == ["prospect"] * 3 + ["given up"] * 3
    rules = read_rules(reading="literal")
    literal = states(
        Months(log_of(("a", "2024-06-10", 10)), {"leads": leads}, dt.date(2024, 6, 30), None, rules)
    )
    branch = literal[literal["person"] == "a"]["state"].tolist()
    assert (
        branch == ["new prospect"] * 2 + ["unstable"] * 4
    )  # from the activation on, as the documents have it


def test_an_advocate_recommended_or_buys_and_would() -> None:
    """Neither d nor e has bought: d brought b, e only says that it would bring somebody."""
    people = pd.DataFrame({"customer_id": [*"abcde"], "referrer_id": [None, "d", None, None, None]})
    people["joined"] = pd.to_datetime(["2024-01-01", "2024-02-10", *["2024-01-01"] * 3])
    people.loc[people["customer_id"] == "c", "referrer_id"] = "a"
    asked = pd.DataFrame({"customer_id": [*"cbe"], "question": "nps", "score": [9.0, 6.0, 10.0]})
    asked["date"] = pd.Timestamp("2024-03-01")
    log = log_of(("a", "2024-01-10", 1), ("b", "2024-02-10", 1), ("c", "2024-01-10", 1))
    found = of(log, "2024-03-31", {"customers": people, "surveys": asked}).iloc[-1]
    assert found.drop("e").to_dict() == {"a": "advocate", "b": "unstable", "c": "advocate", "d": "advocate"}
    assert found["e"] == "acquired"


def test_what_a_model_knows_is_used_instead() -> None:
    log = log_of(("a", "2024-01-10", 10), ("b", "2024-01-10", 10), ("c", "2024-01-10", 10))
    known = pd.DataFrame(
        {"customer_id": ["a", "b", "c"], "month": "2024-02-01", "p_no_purchase": [0.95, 0.1, 0.1],
         "overdue": [False, True, False], "contact_margin": [9.0, 9.0, -1.0]}
    )  # fmt: skip
    found = states(Months(log, {}, dt.date(2024, 2, 29), None, read_rules(), known))
    now = found[found["month"] == "2024-02"].set_index("person")["state"]
    assert now.to_dict() == {"a": "terminated", "b": "latent", "c": "terminated"}


# -- by a slow second way ------------------------------------------------------------------------------------------


GONE = 0.7  # so that some are, in a small log


def slowly(log: pd.DataFrame, last: pd.Period) -> pd.DataFrame:
    """The states of a log alone, customer by customer and month by month."""
    rules = read_rules(gone_chance=GONE)
    limits, horizon = rules.thresholds, int(rules.thresholds["horizon_months"])
    days = {who: sorted({*rows.dt.normalize()}) for who, rows in log.groupby("customer_id")["date"]}
    first = log["date"].min().to_period("M")
    calendar = pd.period_range(first, last, freq="M")

    def group(orders: int) -> int:
        return sum(orders >= least for least in engine.GROUPS)

    cells = []
    for bought in days.values():
        for month in calendar:
            so_far = [day for day in bought if day <= month.end_time]
            if so_far:
                ahead = any(month.end_time < day <= (month + horizon).end_time for day in bought)
                silent = min((month - so_far[-1].to_period("M")).n, engine.LONGEST)
                cells.append((group(len(so_far)), month, silent, not ahead))
    cells = pd.DataFrame(cells, columns=["group", "month", "silent", "none"])

    def chance(month: pd.Period, orders: int, silence: int) -> float:
        begins = month - (month.month - 1) % 3
        known = cells[cells["month"] + horizon < begins]
        if known.empty:
            return np.nan
        overall = known["none"].mean()
        best = 0.0
        for silent in range(min(silence, engine.LONGEST) + 1):
            like = known[known["silent"] == silent]
            pooled = (like["none"].sum() + engine.PRIOR * overall) / (len(like) + engine.PRIOR)
            own = like[like["group"] == group(orders)]
            best = max(best, (own["none"].sum() + engine.PRIOR * pooled) / (len(own) + engine.PRIOR))
        return best

    rows, memo = [], {}
    for who, bought in days.items():
        gone, highest, back, orders_before = False, np.nan, None, 0
        for month in calendar:
            so_far = [day for day in bought if day <= month.end_time]
            if not so_far:
                continue
            n, end = len(so_far), month.end_time.normalize()
            if n > orders_before:
                back, highest = (month if gone else back), np.nan
            orders_before = n
            silence = (month - so_far[-1].to_period("M")).n
            key = month, group(n), silence
            memo[key] = memo.get(key) or chance(month, n, silence)
            highest = np.fmax(highest, memo[key])
            gone = bool(highest >= limits["gone_chance"])
            span = (so_far[-1] - so_far[0]).days + 1, (end - so_far[0]).days + 1
            overdue = n >= 2 and (span[0] / span[1]) ** (n - 1) <= limits["false_alarm_rate"]
            late = [
                place + 1
                for place in range(2, n)
                if (((so_far[place - 1] - so_far[0]).days + 1) / ((so_far[place] - so_far[0]).days + 1))
                ** (place - 1)
                <= limits["late_gap_rate"]
            ]
            on_time = n - (late[-1] if late else 1)
            returned = back is not None and (month - back).n < limits["back_months"]
            steady = n >= limits["unstable_orders"] and on_time >= limits["stable_gaps"]
            names = ["terminated", "switched back", "latent", "stable"]
            holds = [gone, returned, overdue, steady]
            state = next((name for name, yes in zip(names, holds, strict=True) if yes), "unstable")
            rows.append((who, month, state))
    found = pd.DataFrame(rows, columns=["person", "month", "state"])
    return found.sort_values(["person", "month"], ignore_index=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_states_are_those_of_the_slow_way(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = []
    for who in range(60):
        day = pd.Timestamp("2022-01-01") + pd.Timedelta(int(random.integers(0, 300)), "D")
        pace = random.gamma(1.5, 40.0)
        while day < pd.Timestamp("2024-04-30") and random.random() < 0.93:
            rows.append((f"c{who}", str(day.date()), 10.0))
            day += pd.Timedelta(1 + int(random.exponential(pace)), "D")
    log = log_of(*rows)
    quick = states(Months(log, {}, dt.date(2024, 3, 31), None, read_rules(gone_chance=GONE)))
    seen = log[log["date"] < "2024-04-01"]
    slow = slowly(seen, pd.Period("2024-03", "M"))
    assert {"terminated", "latent", "stable", "unstable"} <= {*slow["state"]}
    pd.testing.assert_frame_equal(quick[["person", "month", "state"]], slow)


# -- from what was known then --------------------------------------------------------------------------------------


def test_a_later_log_changes_no_past_state_of_cdnow() -> None:
    log = cdnow_sample()
    whole = states(Months(log, {}, LAST, 0.3, read_rules()))
    for cut in ("1997-09-30", "1998-02-28"):
        seen = log[log["date"] < pd.Timestamp(cut) + pd.Timedelta(1, "D")]
        then = states(Months(seen, {}, dt.date.fromisoformat(cut), 0.3, read_rules()))
        same = whole[whole["month"] <= pd.Period(cut, "M")].reset_index(drop=True)
        pd.testing.assert_frame_equal(then, same)


@pytest.mark.thorough
def test_later_tables_change_no_past_state_of_a_firm() -> None:
    firm = crm.simulate_firm(400, 2, random_state=3)
    names = ("customers", "leads", "subscriptions", "surveys", "touchpoints")
    dated = dict(zip(names, ("joined", "created", "start", "date", "date"), strict=True))
    cut = pd.Timestamp("2025-06-30 23:59:59")

    def known(rows: pd.DataFrame, date: str) -> pd.DataFrame:
        rows = rows[rows[date] <= cut].copy()
        for column in rows.select_dtypes("datetime").columns:
            rows.loc[rows[column] > cut, column] = pd.NaT
        return rows

    log = firm.tables["transactions"]
    whole, then = (
        states(Months(rows, tables, last, None, read_rules()))
        for rows, tables, last in (
            (log, {name: firm.tables[name] for name in names}, dt.date(2025, 12, 31)),
            (
                known(log, "date"),
                {name: known(firm.tables[name], dated[name]) for name in names},
                dt.date(2025, 6, 30),
            ),
        )
    )
    same = whole[whole["month"] <= "2025-06"].reset_index(drop=True)
    # Who a prospect became is known later: until then it has a number of its own, and the same state.
    counts = [rows.groupby(["month", "state"]).size() for rows in (then, same)]
    pd.testing.assert_series_equal(*counts)


def test_people_and_money_add_up() -> None:
    log = cdnow_sample()
    found = Months(log, {}, LAST, 0.3, read_rules())
    assert found.moves["revenue"].sum() == pytest.approx(log["amount"].sum())
    assert found.moves["profit"].sum() == pytest.approx(0.3 * log["amount"].sum())
    by_month = found.moves.groupby("month")["people"].sum()
    first = log.groupby("customer_id")["date"].min().dt.to_period("M").value_counts().sort_index().cumsum()
    assert by_month.iloc[:3].tolist() == first.tolist()[:3]
    assert by_month.iloc[-1] == log["customer_id"].nunique()
    # Who is somewhere at the end of a month was somewhere at the end of the one before, or is new.
    moves = found.moves[found.moves["next"] >= 0].groupby(["month", "next"])["people"].sum()
    there = found.moves[found.moves["before"] >= 0].groupby(["month", "place"])["people"].sum()
    assert moves.tolist() == there.tolist()


def test_buyers_are_new_recurring_resurrected_or_dormant() -> None:
    log = log_of(
        ("a", "2024-01-10", 1), ("a", "2024-02-10", 1), ("a", "2024-05-10", 1), ("b", "2024-02-01", 1)
    )
    found = Months(log, {}, dt.date(2024, 5, 31), None, read_rules()).buyers
    assert found["new"].tolist() == [1, 1, 0, 0, 0]
    assert found["recurring"].tolist() == [0, 1, 0, 0, 0]
    assert found["resurrected"].tolist() == [0, 0, 0, 0, 1]
    assert found["dormant"].tolist() == [0, 0, 2, 2, 1]


def test_chances_come_from_horizons_that_were_over() -> None:
    cells = pd.DataFrame(
        {"group": 1, "month": [0, 1, 2, 3], "silent": 0, "people": 100.0, "none": [50.0, 90, 10, 10]}
    )
    found = chances_by_quarter(cells, 0, 8, horizon=2)
    assert found["month"].min() == 3  # in the quarter before, no horizon of two months was over
    by_month = found[(found["bought"] == found["month"]) & (found["group"] == 1)].set_index("month")["chance"]
    # At month 3, month 0 is over: 50 of 100; at month 6, months 0 to 3: 160 of 400, a quarter at a time.
    assert by_month[3] == pytest.approx(0.5)
    assert by_month[6] == pytest.approx(160 / 400)
    assert by_month[3] == by_month[4] == by_month[5]
    silent = found[(found["bought"] == 3) & (found["group"] == 1)].sort_values("month")["chance"]
    assert (silent.diff().dropna() >= 0).all()
