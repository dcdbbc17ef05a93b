"""Checks of the arguments of public functions: other libraries' frames are converted, and errors name the argument.

Every public name passes through `checked` when it is first asked for (see `crmlib.lazy`), so no function has to look
whether it was given a frame at all. What only a function itself knows of its arguments, it checks by `check_choice`,
`check_range` and `check_columns`.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from numbers import Integral, Real
from typing import Any, TypeVar, cast

from crmlib.errors import CrmError, DataError, did_you_mean

Thing = TypeVar("Thing")
# Of these the user knows already what they mean, or they are no matter of arguments.
_PASSED_ON = (CrmError, OSError, ImportError, AssertionError, MemoryError, Warning)
_PLAIN: dict[str, tuple[Any, str]] = {
    "float": (Real, "a number"),
    "int": (Integral, "a whole number"),
    "str": (str, "a text"),
    "None": (type(None), "None"),
}


def checked(thing: Thing) -> Thing:
    """A public function or class whose arguments are looked at; signature, documentation and pickles stay.

    Methods of the frames that functions return are marked by it, one by one: what pandas has itself is left alone.
    """
    if inspect.isfunction(thing):
        return cast(Thing, _checked_function(thing))
    if inspect.isclass(thing) and not issubclass(thing, BaseException):
        for kind in thing.__mro__:
            is_frame = any(base.__name__ == "DataFrame" for base in kind.__mro__)
            if kind.__module__.startswith("crmlib.") and not is_frame:
                _check_methods(kind)
    return thing


def _check_methods(kind: type) -> None:
    for name, method in list(vars(kind).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if inspect.isfunction(method):
            setattr(kind, name, _checked_function(method, kind))
        elif isinstance(method, classmethod):
            setattr(kind, name, classmethod(_checked_function(method.__func__, kind)))
        elif isinstance(method, staticmethod):
            setattr(kind, name, staticmethod(_checked_function(method.__func__)))


def _checked_function(function: Callable[..., Any], kind: type | None = None) -> Callable[..., Any]:
    """A function, or a method of a class, whose first argument is the object itself."""
    if hasattr(function, "is_checked"):
        return function
    signature = inspect.signature(function)
    called = f"{kind.__name__}.{function.__name__}" if kind else function.__qualname__
    is_method = kind is not None or "self" in signature.parameters

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            bound = signature.bind(*arguments, **options)
        except TypeError:
            return function(*arguments, **options)  # Python says itself which argument is missing
        for name, value in bound.arguments.items():
            bound.arguments[name] = _taken(value, signature.parameters[name], function, called)
        try:
            return function(*bound.args, **bound.kwargs)
        except _PASSED_ON:
            raise
        except Exception as error:
            given = dict([*bound.arguments.items()][is_method:])
            raise DataError(f"{called}: {_complaint(error, given)}") from error

    call.is_checked = True  # type: ignore[attr-defined]
    return call


def _taken(value: Any, parameter: inspect.Parameter, function: Callable[..., Any], called: str) -> Any:
    """An argument as the function takes it, or a refusal by its name."""
    several = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if several or not isinstance(parameter.annotation, str):
        return value
    wanted = [kind.strip() for kind in parameter.annotation.split("|")]
    if "pd.DataFrame" in wanted and type(value).__module__.partition(".")[0] in ("polars", "pyarrow"):
        value = value.to_pandas()
    words = []
    for annotation in wanted:
        kind, word = _kind(annotation, function)
        if kind is None or isinstance(value, kind):
            return value
        words.append(word)
    raise DataError(f"{called}: {parameter.name} is {_described(value)}; give {' or '.join(words)}")


def _kind(annotation: str, function: Callable[..., Any]) -> tuple[Any, str]:
    """The class that an annotation names and how it is called; None where only the function itself can tell."""
    if annotation == "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame, "a DataFrame"
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    named = inspect.unwrap(function).__globals__.get(annotation)
    ours = inspect.isclass(named) and named.__module__.startswith("crmlib.")
    return (named, f"a {annotation}") if ours else (None, "")


def _described(value: Any) -> str:
    if value is None:
        return "None"
    if hasattr(value, "columns") and hasattr(value, "shape"):
        rows, columns = value.shape
        return f"a {type(value).__name__} of {rows:,} rows and {columns:,} columns"
    return f"{value!r}" if isinstance(value, (int, float, bool)) else f"a {type(value).__name__}"


def _complaint(error: Exception, given: Mapping[str, Any]) -> str:
    """What was wrong with the arguments: a column that a frame lacks, else all of them; never a value of a row."""
    missing = error.name if isinstance(error, AttributeError) else error.args[0] if error.args else None
    if isinstance(error, (AttributeError, KeyError)) and isinstance(missing, str):
        # Pandas names several columns so.
        if named := re.match(r"(?:None of )?\[(?:Index\(\[)?'([^']+)'", missing):
            missing = named[1]
        for name, value in given.items():
            columns = [str(column) for column in getattr(value, "columns", [missing])]
            if missing not in columns:
                has = did_you_mean(missing, columns) if columns else "it has none"
                return f"{name} has no column {missing!r}; {has}"
    described = "; ".join(f"{name} is {_described(value)}" for name, value in given.items())
    return f"it cannot work with what it was given ({described or 'nothing'}; {type(error).__name__})"


def check_choice(name: str, value: Any, allowed: Iterable[Any]) -> None:
    """Refuse a value that is none of those allowed; None, a parameter that was left out, is let through.

    Examples
    --------
    >>> check_choice("period", "M", ("M", "Q"))
    """
    words = list(allowed)
    if value is not None and value not in words:
        raise CrmError(f"{name} is {value!r}; {did_you_mean(str(value), words)}")


def check_range(
    name: str, value: float | None, give: str,
    *, least: float = -inf, above: float = -inf, most: float = inf, below: float = inf,
) -> None:  # fmt: skip
    """Refuse a number outside its range, missing or infinite; None, a parameter that was left out, is let through.

    Examples
    --------
    >>> check_range("months", 12, "a whole number from 1", least=1)
    """
    if value is not None and not (least <= value <= most and above < value < below):
        raise CrmError(f"{name} is {value}; give {give}")


def check_share(name: str, value: float | None) -> None:
    """Refuse a number that is no share.

    Examples
    --------
    >>> check_share("margin", 0.4)
    """
    check_range(name, value, "a share between 0 and 1 (80 % is 0.80)", least=0, most=1)


def check_columns(name: str, frame: Any, needed: Sequence[str], cure: str = "") -> None:
    """Refuse a frame or table that lacks a column; `cure` says what to do, else the nearest column is named.

    Examples
    --------
    >>> import pandas as pd
    >>> check_columns("summary", pd.DataFrame({"net": [1.0]}), ["net"])
    """
    columns = [str(column) for column in frame.columns]
    for column in needed:
        if column not in columns:
            raise DataError(f"{name} has no column {column!r}; {cure or did_you_mean(column, columns[:40])}")
