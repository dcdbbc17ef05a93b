"""Public names that load on first use, so that drawing a chart does not load the models.

The stub of a package lists its public names, so that editors and type checkers see them too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from crmlib.arguments import checked


def homes(package: str) -> dict[str, str]:
    """The module of every public name that the stub of a package lists.

    Examples
    --------
    >>> homes("crmlib")["rfm_summary"], homes("crmlib")["charts"]
    ('crmlib.customers.rfm.summary', 'crmlib')
    """
    stub = Path(__file__).parent.joinpath(*package.split(".")[1:], "__init__.pyi")
    lines = ast.parse(stub.read_text(encoding="utf-8")).body
    return {
        name.name: f"{package}.{line.module}" if line.module else package
        for line in lines
        if isinstance(line, ast.ImportFrom)
        for name in line.names
    }


def public_face(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package, by its stub."""
    found = homes(package)
    rooms = [name for name, module in found.items() if module == package]

    def load(name: str) -> Any:
        if name not in found:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if name in rooms:
            return import_module(f"{package}.{name}")
        thing = checked(getattr(import_module(found[name]), name))
        setattr(sys.modules[found[name]], name, thing)  # where pickles look for it
        return thing

    return load, lambda: sorted({*vars(sys.modules[package]), *found}), sorted(set(found) - {*rooms})
