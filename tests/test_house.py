"""The house stays small: what is public has a user, what is written is reached, and both may only shrink."""

import ast
import json
import re
from functools import cache

import pytest

import crmlib as crm
from crmlib import charts
from crmlib.data.code_key import modules_named, modules_reached
from crmlib.lazy import homes
from tests.house import (
    LONGEST_FILE,
    ROOT,
    Module,
    circles,
    modules,
    parameters_without_caller,
    public_names,
    without_user,
)

# Parameters that no call outside the tests sets; both lists may only shrink.
# IPython's, scikit-learn's and pymc-marketing's own.
OF_PROTOCOLS = {
    *"""
    LikelihoodModel.time_unit _repr_mimebundle_.exclude _repr_mimebundle_.include
    expected_lifetime_new_customer.discount_rate expected_probability_alive.future_t
    expected_residual_lifetime.discount_rate get_params.deep
    """.split()
}
# Of a firm or a reader, which notebooks leave as they are.
CHOICES = {
    *"""
    category_shares.most channel_values.horizon churn_data.label churn_data.leave_out churn_data.positive
    compare_cuts.random_state contacts_by_effect.p_stay contract_samples.cut_offs customer_equity.level
    customers_at_risk.random_state customers_to_thank.n evaluate_churn.keep_leaks evaluate_churn.random_state
    experiment_features.recent_days history_grids.steps loyalty_uplift.level loyalty_uplift.measure
    loyalty_uplift.months margin_of.months measured_effect.days needs_clusters.fewest_purchases
    permutation_importance.random_state points.digits points_pressure.level programme_enrolments.months
    programme_liability.breakage programme_liability.dormant_days programme_liability.point_value
    revenue_movements.months score_parquet.memory_limit score_parquet.reasons score_parquet.spend_model
    simple_clv.growth_rate slow_reply_windows.most uplift_curves.resamples uplift_curves.steps
    ways_out_of_lead.cheaper ways_out_of_lead.leave ways_out_of_lead.price_rise
    """.split()
}
MOST_NAMES = {"crmlib": 80, "crmlib.charts": 35}
# Parts of names that say nothing of what is meant: the field has a term for it, such as feedback, sentence or verdict.
VAGUE = re.compile(
    r"(?:^|_)(?:told|said|tells?|telling|saying|roads?|fates?|rulers?|strangers?|joiners?|books?)(?:_|$)",
    re.I,
)
MOST_FILES, MOST_CODE_LINES, MOST_DOCSTRING_LINES = 318, 34_660, 11_000


@cache
def house() -> dict[str, Module]:
    """Every file of the library; read by the tests that ask, for each process that collects tests imports this."""
    return modules()


def test_no_two_modules_import_each_other():
    assert circles(house()) == []


def test_the_library_is_small():
    rest = [one for name, one in house().items() if not name.startswith("crmlib.simulation")]
    assert len(rest) <= MOST_FILES
    assert sum(one.code for one in rest) <= MOST_CODE_LINES
    assert sum(one.docstrings for one in rest) <= MOST_DOCSTRING_LINES
    assert [one.name for one in house().values() if one.lines > LONGEST_FILE] == []


def test_the_faces_are_small():
    for package, names in public_names().items():
        assert len(names) <= MOST_NAMES.get(package, 4), f"{package} has {len(names)} public names"


def test_every_public_name_has_a_user():
    """In a notebook, a page or a command."""
    assert without_user({*crm.__all__, *charts.__all__}) == []


def test_every_parameter_has_a_caller():
    """But for a chart's title and axes, which are for figures of a reader's own."""
    found = parameters_without_caller()
    assert {one for one in found if not one.endswith((".finding", ".ax"))} <= OF_PROTOCOLS | CHOICES


@pytest.mark.parametrize("package", ["crmlib", "crmlib.charts"])
def test_what_a_stub_lists_is_there(package):
    face = crm if package == "crmlib" else charts
    for name in homes(package):
        assert getattr(face, name) is not None
    assert {*face.__all__} <= {*dir(face)}
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        face.nonsense  # noqa: B018


def test_every_module_is_reached():
    """From the public names, the commands, the workers of a run or a notebook."""
    roots = {
        *homes("crmlib").values(),
        *homes("crmlib.charts").values(),
        "crmlib.cli",
        "crmlib.lessons.worker",
        "crmlib.report.worker",
    }
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        roots |= {*modules_named(code_of(notebook))}
    reached = {*modules_reached(roots | {"crmlib.charts", "crmlib.lazy"}), "crmlib"}
    rooms = {name.rpartition(".")[0] for name in house()}  # a package is there for what is in it
    assert {*house()} - reached - rooms == set()


def code_of(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_names_are_those_of_the_field():
    """Of modules, classes, functions, arguments and variables."""
    assert VAGUE.search("test_the_reason_is_told")
    paths = [path for room in ("crmlib", "tests") for path in sorted((ROOT / room).rglob("*.py"))]
    vague = [
        f"{path.relative_to(ROOT)}: {name}" for path in paths for name in names_in(path) if VAGUE.search(name)
    ]
    assert vague == []


def names_in(path):
    """The name of a module, and every name that its code defines."""
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.ExceptHandler):
            yield node.name or ""
        elif isinstance(node, ast.alias):
            yield node.asname or ""
