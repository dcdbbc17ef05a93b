"""A cache key of the code that made a result: it changes only when that code changes."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<of>crmlib[\w.]*)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n]+)"
    r"|import[ \t]+(?P<module>crmlib[\w.]*))",
    re.M,
)
_FOR_TYPES_ONLY = re.compile(r"^if TYPE_CHECKING:\n(?:[ \t]+.*\n|\n)+", re.M)


@functools.cache
def code_key(*modules: str) -> str:
    """A key of modules and of all modules of the library that they import, at the top or within functions.

    `modules`: such as "crmlib.data.cleaning.clean".

    Examples
    --------
    >>> code_key("crmlib.units") == code_key("crmlib.units"), code_key("crmlib.units") == code_key("crmlib.lazy")
    (True, False)
    """
    digest = hashlib.sha256()
    for name in modules_reached(modules):
        digest.update(f"{name}\0{_text_of(name)}\0".encode())
        folder = _PACKAGE.joinpath(*name.split(".")[1:])  # of a package: the files that its modules read
        beside = folder.with_suffix(".toml")  # of a module: the file that it reads has its name
        kinds = ("toml", "ini", "yaml", "csv")
        for file in (beside, *sorted(file for kind in kinds for file in folder.glob(f"*.{kind}"))):
            digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


def modules_reached(modules: Iterable[str]) -> list[str]:
    """The modules and all modules of the library that they import, directly or indirectly, but for `crmlib` itself."""
    reached: set[str] = set()
    left = set(modules)
    while left:
        name = left.pop()
        if name not in reached and name != "crmlib":
            reached.add(name)
            left |= {name.rpartition(".")[0], *modules_named(_text_of(name))}
    return sorted(reached)


def modules_named(code: str) -> Iterator[str]:
    """The library's modules that a text of Python imports."""
    for found in _IMPORT.finditer(_FOR_TYPES_ONLY.sub("", code)):
        of = found["of"] or found["module"]
        yield of
        for name in re.findall(r"\w+", found["names"] or ""):
            if _file_of(f"{of}.{name}"):
                yield f"{of}.{name}"


def _text_of(module: str) -> str:
    file = _file_of(module)
    return file.read_text(encoding="utf-8") if file else ""


def _file_of(module: str) -> Path | None:
    place = _PACKAGE.joinpath(*module.split(".")[1:])
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)
