"""Public names that load on first use: whoever draws one chart does not wait for the models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from crmlib.arguments import checked


def homes_of(package: str, modules: Mapping[str, str]) -> dict[str, str]:
    """Where each public name of a package lives, from its modules and the names in each."""
    return {name: f"{package}.{module}" for module, names in modules.items() for name in names.split()}


def loader(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The package's `__getattr__`: imports the module of a name when it is asked for."""

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(homes[name])
        found = checked(getattr(module, name))
        setattr(module, name, found)  # where pickles look for it
        return found

    return load
