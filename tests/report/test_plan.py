"""Everything that can be refused is refused before anything runs, with the cure."""

from __future__ import annotations

import json

import pytest

from crmlib.errors import DataError, StudyError
from crmlib.report.notebooks import read_parameters
from crmlib.report.plan import plan_report


def plan(project, **options):
    return plan_report(str(project.root / "data/tiny/study.yaml"), root=project.root, **options)


def refusal(project, *settings, **options) -> str:
    with pytest.raises(StudyError) as refused:
        plan(project, set=settings, **options)
    return str(refused.value)


def edit_metadata(project, name, **about):
    path = project.root / "notebooks" / f"{name}.ipynb"
    content = json.loads(path.read_text())
    content["metadata"]["crmlib"].update(about)
    path.write_text(json.dumps(content))


def test_order_follows_reads_and_missing_tables_are_named(unrun):
    planned = plan(unrun)
    names = [one.name for one in planned.chapters]
    assert names.index("01_data_check") < names.index("02_base") < names.index("04_decisions")
    assert names.index("03_acquisition") < names.index("04_decisions")
    assert {one.name: one.cannot_run for one in planned.chapters if one.cannot_run} == {
        "03_acquisition": "needs table marketing_spend"
    }


def test_a_chapter_that_cannot_run_says_how_to_supply_its_tables(unrun):
    edit_metadata(unrun, "03_acquisition", needs=["transactions", "marketing_spend", "leads"])
    planned = plan(unrun)
    assert planned.why_not(planned.chapter("03_acquisition")) == (
        "needs tables marketing_spend, leads. To supply them, add “marketing_spend: {source: marketing_spend.csv}” "
        "and “leads: {source: leads.csv}” under “tables:” in tiny/study.yaml."
    )
    assert planned.why_not(planned.chapter("02_base")) == ""


def test_notebooks_that_read_each_other_are_refused(unrun):
    edit_metadata(unrun, "01_data_check", reads=["04_decisions"])
    with pytest.raises(StudyError, match=r"in a circle: .*01_data_check"):
        plan(unrun)


def test_a_notebook_that_reads_an_unknown_one_is_refused(unrun):
    edit_metadata(unrun, "04_decisions", reads=["02_bass"])
    with pytest.raises(StudyError, match="reads '02_bass', which does not exist; did you mean '02_base'"):
        plan(unrun)


def test_what_a_notebook_reads_if_it_is_there_runs_before_it_and_has_to_exist(unrun):
    edit_metadata(unrun, "00_aside", reads_if_there=["02_base"])
    names = [one.name for one in plan(unrun).chapters]
    assert names.index("02_base") < names.index("00_aside")
    run = {one.name for one in plan(unrun, only=["00"]).chapters if one.run}
    assert run == {"00_aside", "01_data_check", "02_base"}
    edit_metadata(unrun, "00_aside", reads_if_there=["02_bass"])
    with pytest.raises(StudyError, match="reads '02_bass', which does not exist; did you mean '02_base'"):
        plan(unrun)


def test_preset_then_set_for_all_then_set_for_one(unrun):
    def top(*settings):
        return plan(unrun, set=settings).chapter("02_base").parameters["top"]

    assert top() == 3  # the study's preset, not the notebook's 5
    assert top("top=7") == 7
    assert top("02.top=8", "02_base.top=9") == 9
    assert plan(unrun).chapter("02_base").overrides == {"top": 3}


@pytest.mark.parametrize("word", ["none", "None", "null"])
def test_what_is_none_by_default_is_set_to_none_by_any_word_for_it(unrun, word):
    path = unrun.root / "notebooks/02_base.ipynb"
    path.write_text(path.read_text().replace("top = 5 ", "top = None "))
    assert "top is 'many'; allowed: 1 to 100, or none" in refusal(unrun, "top=many")
    assert plan(unrun, set=[f"02.top={word}"]).chapter("02_base").overrides == {}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("topp=4", "no notebook has a parameter 'topp'; did you mean 'top'?"),
        ("02.topp=4", "02_base has no parameter 'topp'; did you mean 'top'?"),
        ("top=many", "top is 'many'; allowed: a whole number, 1 to 100"),
        ("top=2.5", "top is 2.5; allowed: a whole number, 1 to 100"),
        ("top=true", "top is True; allowed: a whole number, 1 to 100"),
        ("top=0", "top is 0; allowed: a whole number, 1 to 100"),
        ("how=badly", "how is 'badly'; allowed: a text, well, raises, cannot_answer, hangs, dies"),
        ("top=2024-02-31", "top is '2024-02-31'; allowed: a whole number, 1 to 100"),
        ("05.top=1", "there is no notebook '05'"),
        ("top", "has no '='; write --set key=value"),
        ("study=other", "'study' is not set here; name the study as the argument"),
        ("as_of=2024-01-01", "'as_of' is not set here; use --as-of"),
        ("say=postgres://me:hunter2@host/db", "the value holds a password"),
    ],
)
def test_settings_refused_with_value_what_is_allowed_and_the_nearest_key(unrun, setting, message):
    assert message in refusal(unrun, setting)


def test_a_refused_password_is_not_repeated(unrun):
    assert "hunter2" not in refusal(unrun, "say=postgres://me:hunter2@host/db")


def test_presets_are_held_to_the_same(unrun):
    study = unrun.root / "data/tiny/study.yaml"
    study.write_text(study.read_text().replace("top: 3", "tops: 3"))
    assert "notebooks: 02_base: 02_base has no parameter 'tops'; did you mean 'top'?" in refusal(unrun)
    study.write_text(study.read_text().replace("tops: 3", "top: 300"))
    assert "top is 300; allowed: a whole number, 1 to 100" in refusal(unrun)


@pytest.mark.parametrize("word", ["02", "2", "'02'", "02_base", "02_base.ipynb"])
def test_a_preset_names_its_notebook_as_only_does(unrun, word):
    study = unrun.root / "data/tiny/study.yaml"
    study.write_text(study.read_text().replace("02_base:", f"{word}:"))
    assert plan(unrun).chapter("02_base").parameters["top"] == 3


def test_a_notebook_that_stands_twice_under_two_names_is_refused(unrun):
    study = unrun.root / "data/tiny/study.yaml"
    study.write_text(study.read_text().replace("02_base:", "02: {top: 4}\n  02_base:"))
    assert "notebooks: 02_base is listed twice, as '2' and as '02_base'; keep one" in refusal(unrun)


def test_only_runs_what_it_names_and_may_run_what_that_reads(unrun):
    planned = plan(unrun, only=["2"])
    assert {one.name for one in planned.chapters if one.run} == {"01_data_check", "02_base"}
    assert {one.name for one in planned.chapters if one.afresh} == {"02_base"}


def test_as_of_reaches_every_notebook(unrun):
    planned = plan(unrun, as_of="2024-03-31")
    assert {one.parameters["as_of"] for one in planned.chapters} == {"2024-03-31"}
    assert str(planned.study.as_of) == "2024-03-31"


def test_as_of_with_anything_after_the_day_is_refused(unrun):
    assert "as_of is '2024-02-29 12:00'; give a day such as" in refusal(unrun, as_of="2024-02-29 12:00")
    done = unrun.crm("report", "tiny", "--as-of", "2024-03-01xyz")
    assert (done.code, done.err) == (
        2,
        "crm: as_of is '2024-03-01xyz'; give a day such as 1998-06-30, or latest\n",
    )


def test_unusable_data_are_refused_before_anything_runs(unrun):
    (unrun.root / "data/tiny/orders.csv").write_text("customer_id,date,amount\n")
    with pytest.raises(DataError):
        plan(unrun)
    done = unrun.crm("report", "tiny")
    assert done.code == 2
    assert done.err.startswith("crm: ")
    assert not (unrun.root / "reports").exists()


def test_an_unknown_study_ends_with_2(unrun):
    done = unrun.crm("report", "tinny")
    assert done.code == 2
    assert "tinny" in done.err
    assert "'tiny'" in done.err
    assert "Traceback" not in done.err


def test_a_study_elsewhere_is_given_by_absolute_path_and_one_of_the_project_by_name(unrun, tmp_path):
    assert plan(unrun).chapter("02_base").parameters["study"] == "tiny"
    elsewhere = tmp_path / "elsewhere" / "tiny"
    elsewhere.parent.mkdir()
    (unrun.root / "data/tiny").rename(elsewhere)
    planned = plan_report(str(elsewhere / "study.yaml"), root=unrun.root)
    assert planned.chapter("02_base").parameters["study"] == str(elsewhere / "study.yaml")


@pytest.mark.parametrize(
    ("line", "value", "accepted"),
    [
        ("x = 1.5", 2, 2.0),
        ('x = "a"', 7, "7"),
        ("x = None  # allowed: a date", "2024-02-29", "2024-02-29"),
        ('x = "2024-01-01"', "2024-02-01", "2024-02-01"),
        ("x = []", [1], [1]),
        ("x = None  # allowed: 0 to 1", "none", None),
        ("x = None  # allowed: a date", "None", None),
        ("x = None", "null", None),
        ('x = "a"', "none", "none"),
        ("x: int = 3", 4, 4),
    ],
)
def test_values_are_accepted_as_the_default_reads(line, value, accepted):
    assert read_parameters(line)["x"].accept(value, "--set") == accepted


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("x = None  # allowed: a date", "2024-02-30"),
        ('x = "2024-01-01"', "soon"),
        ("x = 3", None),
        ("x = True", 1),
        ("x = 0.5  # allowed: 0 to 1", 1.01),
    ],
)
def test_values_are_refused_as_the_default_reads(line, value):
    with pytest.raises(StudyError, match="allowed: "):
        read_parameters(line)["x"].accept(value, "--set")


def test_a_parameters_cell_holds_plain_values():
    with pytest.raises(StudyError, match="parameter top must be a plain value"):
        read_parameters("top = 2 * 3")
    with pytest.raises(StudyError, match="line 1 of the parameters cell is no `name = value`"):
        read_parameters("import os")


def test_a_firm_with_contracts_alone_is_reported_without_what_rests_on_purchases(unrun):
    """No log is cleaned, no file of rows set aside is looked for; a chapter that needs no table runs."""
    path = unrun.root / "data/tiny/study.yaml"
    path.write_text("title: A gym\nas_of: 2024-06-30\ntables: {subscriptions: {source: contracts.csv}}\n")
    (path.parent / "contracts.csv").write_text("customer_id,start,price_per_month\na,2024-01-01,10\n")
    edit_metadata(unrun, "00_aside", needs=["subscriptions"])
    planned = plan(unrun)
    assert {one.name for one in planned.chapters if not one.cannot_run} == {"00_aside"}
    assert planned.chapter("02_base").cannot_run == "needs table transactions"
    assert [(one["table"], one["rows"]) for one in planned.inputs] == [("subscriptions", 1)]
    assert str(planned.study.as_of) == "2024-06-30"
