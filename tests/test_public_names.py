"""The public face: every name is there, is documented, and loads only what it needs."""

import inspect
import subprocess
import sys

import pytest

import crmlib as crm


@pytest.mark.parametrize("face", [crm, crm.charts], ids=["crm", "crm.charts"])
def test_every_name_is_there_and_says_what_it_answers(face):
    for name in face.__all__:
        documented = inspect.getdoc(getattr(face, name))
        assert documented, f"{name} has no docstring"
        assert documented.splitlines()[0].rstrip().endswith((".", "?")), name
        assert getattr(face, name).__name__ == name, "a module of that name hides it"


def test_every_name_is_what_its_module_defines():
    """Some modules are named like their one function: the function has to win, whatever was imported first."""
    for name in crm.__all__:
        assert getattr(crm, name).__name__ == name
        assert getattr(crm, name).__module__.startswith("crmlib.")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'rfm_sumary'"):
        crm.rfm_sumary  # noqa: B018


def test_importing_the_library_loads_nothing_heavy():
    heavy = {"pandas", "ibis", "scipy", "matplotlib", "sklearn", "seaborn"}
    code = f"import sys, crmlib; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
