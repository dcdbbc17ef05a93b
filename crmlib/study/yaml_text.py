"""The YAML of a study file: a simple subset, each key once, days and numbers checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from crmlib.errors import StudyError

# Signs, levels, and aliases (`*name`).
LONGEST, DEEPEST, MOST_ALIASES = 1_000_000, 30, 20

# What YAML takes for a day or a number, and what is allowed there.
_SCALARS = {
    "timestamp": ("day of the calendar", "a day such as 2024-02-29, as_of also latest"),
    "int": ("number", "a whole number such as 12"),
    "float": ("number", "a number such as 0.4"),
}
_ANYTHING = ("value of its kind", "a plain text, without !! before it")
_NOT_MADE_ALONE = ("str", "merge", "value")
# What PyYAML lets through of month 13, of a number of 5,000 digits, or of `!!bool perhaps`.
_NO_SUCH_VALUE = (ValueError, OverflowError, KeyError, IndexError, AttributeError, TypeError)


class _Bounded(yaml.SafeLoader):
    """Stops before a short text becomes so deep, or by aliases of aliases so long, that it takes all memory."""

    depth = aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse a text that is nested too deep or has too many aliases."""
        is_alias = self.check_event(yaml.AliasEvent)
        self.aliases += is_alias
        self.depth += 1
        if self.depth > DEEPEST or self.aliases > MOST_ALIASES:
            raise yaml.YAMLError(f"more than {DEEPEST} levels, or {MOST_ALIASES} aliases, are in no study")
        node = super().compose_node(parent, index)
        self.depth -= 1
        if is_alias and isinstance(node, yaml.CollectionNode) and node.end_mark is None:
            raise yaml.YAMLError(f"an alias in line {node.start_mark.line + 1} or below stands within itself")
        return node


def read_yaml(text: str, where: str) -> Any:
    """Return what a YAML text says; `where` names it in the refusal.

    Raises StudyError if it is no YAML, or more of it than any study needs; if a key stands twice, of which YAML would
    keep the last, or a day or number is none; with its line.

    Examples
    --------
    >>> read_yaml("title: A shop", "study.yaml")
    {'title': 'A shop'}
    """
    if len(text) > LONGEST:
        raise StudyError(f"{where} is longer than {LONGEST:,} characters, which no study needs")
    try:
        loader = _Bounded(text)
        root = loader.get_single_node()
        faults = [] if root is None else list(_faults(root, (), loader, set()))
        if faults:
            raise StudyError(f"{where}:\n" + "\n".join(f"  {fault}" for fault in faults))
        return None if root is None else loader.construct_document(root)
    except yaml.YAMLError as complaint:
        raise StudyError(f"{where} is no readable YAML: {' '.join(str(complaint).split())}") from None


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
                yield f"{name}: occurs twice, in line {first[key.value]} and in line {line}; keep one of them"
            first.setdefault(key.value, line)


def _no_such_value(node: yaml.Node, path: tuple[str, ...], loader: yaml.SafeLoader) -> Iterator[str]:
    kind = node.tag.rpartition(":")[2]
    if kind in _NOT_MADE_ALONE:
        return
    try:
        loader.construct_object(node)
    except _NO_SUCH_VALUE:
        what, allowed = _SCALARS.get(kind, _ANYTHING)
        key = ".".join(path) or "the study"
        line = node.start_mark.line + 1
        yield f"{key}: found {node.value} in line {line}, which is no {what}; allowed: {allowed}"
