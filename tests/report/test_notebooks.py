"""What a parameters cell says is allowed is what a run accepts."""

import pytest

from crmlib.errors import StudyError
from crmlib.report.notebooks import admits, read_notebooks, read_parameters
from crmlib.study.places import notebooks_folder

PARAMETERS = {
    f"{notebook.number}.{one.name}": one
    for notebook in read_notebooks(notebooks_folder())
    for one in notebook.parameters.values()
}


@pytest.mark.parametrize(
    ("allowed", "good", "bad"),
    [
        ("1 to 500", [1, 20, 500, 2.5], [0, 501, "20", True, None]),
        ("0 or more", [0, 0.08, 1e9], [-0.01, "much"]),
        ("a whole number, 2 or more", [2, 40], [1, 2.5, True, "4"]),
        ("above 0, below 1", [0.1, 0.999], [0, 1, 1.5]),
        ("an amount", [0, 50, 1.5], [-1, "50 EUR"]),
        ("a length such as 13W or 12M", ["8W", "12M", "1.5Y"], ["13", "soon", "0W", 13, ["8W"]]),
        ("lengths such as 26W and 104W", [["8W"], ["13W", "26W"], []], ["8W", ["soon"], [13]]),
        ("M, Q, Y", ["M", "Y"], ["W", "M, Q", 1]),
        ("BG/NBD, MBG/NBD", ["MBG/NBD"], ["BG"]),
    ],
)
def test_each_form_admits_what_it_says(allowed, good, bad):
    assert [admits(allowed, one) for one in good] == [True] * len(good)
    assert [admits(allowed, one) for one in bad] == [False] * len(bad)


def test_words_of_no_form_are_a_fault_of_the_notebook():
    with pytest.raises(ValueError, match="of no known form"):
        admits("such as 13W; whatever fits", "13W")


@pytest.mark.parametrize("name", [name for name, one in PARAMETERS.items() if one.allowed])
def test_every_notebook_says_what_it_allows_in_a_form_that_admits_its_default(name):
    parameter = PARAMETERS[name]
    if parameter.default is None:
        parameter.accept(None, name)
        if parameter.allowed != "a date":
            admits(parameter.allowed, 1)  # raises if the form is unknown
    else:
        assert parameter.accept(parameter.default, name) == parameter.default


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("03.clusters", 4),
        ("03.holdout", "26W"),
        ("04.platinum", 0.1),
        ("04.gold", 0.2),
        ("06.horizon", "26W"),
        ("06.new_customer_life", "52W"),
        ("06.other_horizons", ["13W", "26W"]),
        ("06.discount_rate_per_year", 0.08),
        ("06.spend_per_purchase", 50),
        ("09.acquisition_cost", 20),
        ("09.message_days", 14),
        ("09.period", "8W"),
        ("09.programme_cost", 1.5),
        ("09.retention_spend", 3),
    ],
)
def test_a_notebook_takes_other_values_than_its_default(name, value):
    assert PARAMETERS[name].default != value
    assert PARAMETERS[name].accept(value, name) == value


def test_a_refusal_says_what_is_allowed():
    parameter = read_parameters('period = "26W"  # allowed: a length such as 13W or 12M')["period"]
    with pytest.raises(StudyError, match=r"period is 'soon'; allowed: a length such as 13W or 12M$"):
        parameter.accept("soon", "--set")
