"""Read the YAML of a study so that nothing in it is lost in silence: no key stands twice, every day exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from crmlib.errors import StudyError

_WHAT = {
    "timestamp": ("day of the calendar", "a day such as 2024-02-29, as_of also latest"),
    "int": ("number", "a whole number such as 12"),
    "float": ("number", "a number such as 0.4"),
}


def read_yaml(text: str, where: str) -> Any:
    """Return what a YAML text says; `where` names it in the refusal.

    Raises
    ------
    StudyError
        If a key stands twice, of which YAML would keep the last, or a day or number is none; with its line.
    yaml.YAMLError
        If it is no YAML.

    Examples
    --------
    >>> read_yaml("title: A shop", "study.yaml")
    {'title': 'A shop'}
    """
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        faults = list(_faults(root, (), loader, set()))
        if faults:
            raise StudyError(f"{where}:\n" + "\n".join(f"  {fault}" for fault in faults))
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _faults(node: yaml.Node, path: tuple[str, ...], loader: yaml.SafeLoader, seen: set[int]) -> Iterator[str]:
    if id(node) in seen:  # an alias stands for what has been looked at, and may stand within it
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield from _repeated_keys(node, path)
        for key, value in node.value:
            yield from _faults(key, path, loader, seen)
            yield from _faults(value, (*path, str(key.value)), loader, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _faults(value, path, loader, seen)
    else:
        yield from _no_such_value(node, path, loader)


def _repeated_keys(node: yaml.MappingNode, path: tuple[str, ...]) -> Iterator[str]:
    # By what is written: 2 and '2' would be one key too, for keys are texts in a study.
    first: dict[str, int] = {}
    for key, _value in node.value:
        if isinstance(key, yaml.ScalarNode):
            line = key.start_mark.line + 1
            if key.value in first:
                name = ".".join((*path, key.value))
                yield f"{name}: stands twice, in line {first[key.value]} and in line {line}; keep one of them"
            first.setdefault(key.value, line)


def _no_such_value(node: yaml.Node, path: tuple[str, ...], loader: yaml.SafeLoader) -> Iterator[str]:
    kind = node.tag.rpartition(":")[2]
    if kind not in _WHAT:
        return
    try:
        loader.construct_object(node)
    except (ValueError, OverflowError):  # PyYAML lets through what Python says of month 13
        what, allowed = _WHAT[kind]
        key = ".".join(path) or "the study"
        line = node.start_mark.line + 1
        yield f"{key}: found {node.value} in line {line}, which is no {what}; allowed: {allowed}"
