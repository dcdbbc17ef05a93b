"""Whatever a public function is given, it answers or refuses by name: no raw error of Python's or a library's."""

import inspect
import pickle

import pandas as pd
import polars as pl
import pytest

import crmlib as crm
from crmlib import charts
from crmlib.data.engine import engine
from crmlib.errors import CrmError, DataError

DAYS = {"as_of": "2024-06-30", "start": "2024-01-01", "end": "2024-06-30", "calibration_end": "2024-03-31"}
WRONG = {
    "None": None,
    "a frame without rows and columns": pd.DataFrame(),
    "a frame without the column": pd.DataFrame({"x": [1.0, 2.0]}),
    "a Polars frame without the column": pl.DataFrame({"x": [1.0]}),
    "a number": 7,
    "a text": "no such thing",
    "a list": [1, 2],
    "a column": pd.Series([1.0, 2.0]),
}
NAMES = [(crm, name) for name in crm.__all__] + [(charts, name) for name in charts.__all__]


def parameters_of(thing):
    return inspect.signature(thing).parameters.values()


def called_with(thing, wrong):
    """What comes of giving every required parameter the same wrong value; None where that is refused."""
    needed = [one for one in parameters_of(thing) if one.default is one.empty]
    named = [
        one
        for one in needed
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    given = {one.name: DAYS.get(one.name, wrong) for one in named}
    first = [given.pop(one.name) for one in named if one.kind is not one.KEYWORD_ONLY]
    try:
        return thing(*first, **given)
    except (CrmError, FileNotFoundError):
        return None


@pytest.mark.parametrize(
    ("room", "name"), NAMES, ids=lambda one: one if isinstance(one, str) else one.__name__
)
def test_wrong_arguments_are_refused_by_name(room, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # what saves itself under a text that is given
    thing = getattr(room, name)
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return
    # A function without required parameters is called once: a firm, say, is simulated by any of them.
    asked = inspect.isclass(thing) or any(one.default is one.empty for one in parameters_of(thing))
    for wrong in WRONG.values() if asked else [None]:
        made = called_with(thing, wrong)
        if inspect.isclass(thing) and not isinstance(made, (type(None), pd.DataFrame)):
            for method in dir(thing):
                found = getattr(thing, method)
                ours = str(getattr(found, "__module__", "")).startswith("crmlib")
                if method.startswith("_") or not callable(found) or not ours:
                    continue
                called_with(getattr(made, method), wrong)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: crm.behaviour_clusters(7), "behaviour_clusters: summary is 7; give a DataFrame"),
        (lambda: crm.behaviour_clusters(pd.DataFrame({"frequncy": [1]})), "did you mean 'frequncy'"),
        (lambda: crm.behaviour_clusters(pd.DataFrame()), "summary has no column 'frequency'; it has none"),
        (lambda: crm.rfm_summary(None, as_of="2024-06-30"), "None is no table"),
        (lambda: segments().table(pd.DataFrame({"x": [1]})), "summary has no column 'customer_id'"),
        (lambda: segments().table(7), "RfmSegments.table: summary is 7; give a DataFrame"),
        (lambda: crm.ParetoNBDModel().fit(7), "data is 7; give a DataFrame"),
        (lambda: crm.open_study(pd.DataFrame(), tables={"log": 1}), "tables: no such entry of a purchase log"),
        (lambda: crm.open_study(pd.DataFrame(), curency="EUR"), "did you mean 'currency'"),
    ],
)  # fmt: skip
def test_refusals_say_what_was_found_and_what_to_give(call, expected):
    with pytest.raises(CrmError) as refused:
        call()
    assert expected in str(refused.value)


def segments():
    summary = {"customer_id": ["Jane Doe"], "frequency": [2], "time_since_last_purchase": [1.0], "net": [9.0]}
    return crm.rfm_segments(pd.DataFrame(summary))


def test_no_value_of_a_row_is_quoted():
    frame = pd.DataFrame({"customer_id": ["Jane Doe"], "net": [object()]})
    with pytest.raises(DataError) as refused:
        segments().table(frame)
    assert "Jane" not in str(refused.value)


def test_what_is_missing_python_says_itself():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'transactions'"):
        crm.rfm_summary(as_of="2024-06-30")


def test_frames_of_other_libraries_give_the_same():
    days = pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"])
    log = pd.DataFrame({"customer_id": ["a", "a", "b"], "date": days, "amount": 9.0})
    summary = pd.DataFrame(crm.rfm_summary(log, as_of="2024-06-30"))
    for other in (pl.from_pandas, lambda frame: pl.from_pandas(frame).to_arrow()):
        again = crm.rfm_summary(other(log), as_of="2024-06-30")
        pd.testing.assert_frame_equal(pd.DataFrame(again), summary)
        pd.testing.assert_frame_equal(
            pd.DataFrame(crm.rfm_segments(other(summary))), pd.DataFrame(crm.rfm_segments(summary))
        )


def test_signature_documentation_and_pickles_stay():
    from crmlib.customers.rfm import summary

    assert list(inspect.signature(crm.rfm_summary).parameters) == [
        "transactions",
        "as_of",
        "time_unit",
        "collapse",
    ]
    assert inspect.getdoc(crm.rfm_summary).startswith("How often, how recently")
    assert pickle.loads(pickle.dumps(crm.rfm_summary)) is crm.rfm_summary is summary.rfm_summary


def test_a_refused_frame_spoils_no_later_one():
    result = engine().raw_sql("SELECT 1")  # of which nobody has read the rows
    log = pd.DataFrame({"customer_id": ["a"], "date": pd.to_datetime(["2024-01-01"]), "amount": 9.0})
    with pytest.raises(DataError):
        crm.rfm_summary(pd.DataFrame(), as_of="2024-06-30")
    assert len(crm.rfm_summary(log, as_of="2024-06-30")) == 1
    del result
