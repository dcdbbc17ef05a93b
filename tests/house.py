"""Count what the library is made of: files, lines, circles, public names and names that nobody uses.

`make house` prints the counts with and without the simulated firm.
"""

from __future__ import annotations

import ast
import importlib
import io
import json
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "crmlib"
LONGEST_FILE = 350
SIMULATOR = re.compile(r"^crmlib\.(data\.)?simulat")


@dataclass(frozen=True)
class Module:
    """A file of the library: its lines by kind, and the modules that it imports, wherever in the file."""

    name: str
    lines: int
    code: int
    docstrings: int
    imports: frozenset[str]


def modules() -> dict[str, Module]:
    """Every file of the library by its module's name."""
    paths = {_name(path): path for path in sorted(LIBRARY.rglob("*.py"))}
    return {name: _read(name, path, set(paths)) for name, path in paths.items()}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(name: str, path: Path, names: set[str]) -> Module:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    docstrings = set(_docstring_lines(tree))
    code = _code_lines(text) - docstrings
    blank = {number for number, line in enumerate(text.splitlines(), 1) if not line.strip()}
    own = frozenset(_imports(tree, names) - {name})
    return Module(name, text.count("\n"), len(code), len(docstrings - blank), own)


def _docstring_lines(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        documented = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            first = node.body[0]
            yield from range(first.lineno, (first.end_lineno or first.lineno) + 1)


def _code_lines(text: str) -> set[int]:
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
              tokenize.ENDMARKER}  # fmt: skip
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in silent:
            found.update(range(token.start[0], token.end[0] + 1))
    return found


def _imports(tree: ast.AST, names: set[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{one.name}" for one in node.names}
            found.update(inner & names if inner & names else {node.module})
    return found & names


def circles(found: dict[str, Module]) -> list[list[str]]:
    """Groups of modules that import each other, directly or by way of others."""
    reach = {name: _reached(found, name) for name in found}
    groups = {tuple(sorted(two for two in reach[one] if one in reach[two])) for one in found}
    return sorted(list(group) for group in groups if len(group) > 1)


def _reached(found: dict[str, Module], start: str) -> set[str]:
    """Modules that one imports, directly or by way of others; with itself only where a circle leads back."""
    seen, left = set[str](), list(found[start].imports)
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += found[name].imports
    return seen


def public_names() -> dict[str, set[str]]:
    """The names in `__all__` of every package that has one, by package."""
    packages = sorted({_name(path) for path in LIBRARY.rglob("__init__.py")})
    found = {name: set(getattr(importlib.import_module(name), "__all__", ())) for name in packages}
    return {name: names for name, names in found.items() if names}


def without_user(names: Iterable[str]) -> list[str]:
    """Public names that stand in no notebook, lesson, page of documentation or command."""
    text = "\n".join(_texts_of_users())
    return sorted(name for name in names if not re.search(rf"\b{re.escape(name)}\b", text))


def _texts_of_users() -> Iterator[str]:
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        yield "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        yield path.read_text(encoding="utf-8")
    commands = [*LIBRARY.glob("cli/*.py"), *LIBRARY.glob("report/*.py")]
    for path in sorted(commands):
        yield path.read_text(encoding="utf-8")


def parameters_without_caller() -> set[str]:
    """Parameters with a default, as "function.parameter", that no call in the library, a notebook or a page sets.

    Calls are told apart by the function's name alone, and one with ** or * may set every parameter.
    """
    named: dict[str, set[str]] = defaultdict(set)
    placed: dict[str, int] = defaultdict(int)
    methods = _methods()
    for call in _calls():
        function, arguments = call.func, call.args
        if _last_name(function) == "partial":
            function, *arguments = arguments
        name = _last_name(function)
        with_object = bool(arguments) and getattr(arguments[0], "id", "") in ("self", "data", "life", "facts")
        if isinstance(function, ast.Attribute) and name in methods and not with_object:
            name, arguments = methods[name], [function.value, *arguments]  # the object is the first argument
        named[name] |= {keyword.arg or "**" for keyword in call.keywords}
        spread = any(isinstance(argument, ast.Starred) for argument in arguments)
        placed[name] = max(placed[name], 99 if spread else len(arguments))
    found = set()
    for name, parameters, optional in _functions():
        if "**" not in named[name]:
            unset = optional - named[name] - {*parameters[: placed[name]]}
            found |= {f"{name}.{parameter}" for parameter in unset}
    return found


def _methods() -> dict[str, str]:
    """Methods that are functions of a module (`stages = product_stages.stages` in a class): method to function."""
    found = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        for kind in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for part in kind.body if isinstance(kind, ast.ClassDef) else ():
                if isinstance(part, ast.Assign):
                    pairs = [(part.targets[0], part.value)]
                    if isinstance(part.targets[0], ast.Tuple) and isinstance(part.value, ast.Tuple):
                        pairs = [*zip(part.targets[0].elts, part.value.elts, strict=True)]
                    found |= {
                        name.id: function.attr
                        for name, function in pairs
                        if isinstance(name, ast.Name) and isinstance(function, ast.Attribute)
                    }
    return found


def _last_name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _functions() -> Iterator[tuple[str, list[str], set[str]]]:
    """Name, parameters by place and those with a default of every function; a class stands for its `__init__`."""
    for path in sorted(LIBRARY.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        owners = {
            id(part): kind for kind in ast.walk(tree) if isinstance(kind, ast.ClassDef) for part in kind.body
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                by_place = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
                optional = {*by_place[len(by_place) - len(node.args.defaults) :]}
                pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                optional |= {argument.arg for argument, default in pairs if default is not None}
                owner = owners.get(id(node))
                name = owner.name if owner and node.name == "__init__" else node.name
                yield name, [one for one in by_place if one not in ("self", "cls")], optional


def _calls() -> Iterator[ast.Call]:
    texts = [path.read_text(encoding="utf-8") for path in LIBRARY.rglob("*.py")]
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        page = path.read_text(encoding="utf-8")
        for block in re.findall(r"```(?:python|pycon)\n(.*?)```", page, re.S):
            lines = [line[4:] for line in block.splitlines() if line.startswith((">>> ", "... "))]
            texts.append("\n".join(lines) or block)
    for text in texts:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call):
                yield node
                if _last_name(node.func) == "with_finding" and len(node.args) > 1:  # it calls the sentence
                    yield ast.Call(node.args[1], [node.args[0], *node.args[2:]], [])


def counts(found: dict[str, Module]) -> dict[str, object]:
    """What `make house` prints of these modules."""
    long = sorted(one.name for one in found.values() if one.lines > LONGEST_FILE)
    return {
        "files": len(found),
        "code lines": sum(one.code for one in found.values()),
        "docstring lines": sum(one.docstrings for one in found.values()),
        f"files over {LONGEST_FILE} lines": long,
    }


def main() -> None:
    """Print the counts."""
    found = modules()
    rest = {name: one for name, one in found.items() if not SIMULATOR.match(name)}
    for title, some in (("with the simulated firm", found), ("without it", rest)):
        print(f"{title}: " + ", ".join(f"{what} {value}" for what, value in counts(some).items()))
    print("import circles:", circles(found) or "none")
    named = public_names()
    print("public names:", ", ".join(f"{room} {len(names)}" for room, names in named.items()))
    print("public names in all:", len(set().union(*named.values())))
    unused = without_user(set().union(*named.values()))
    print(f"names without a user ({len(unused)}):", ", ".join(unused))
    print("parameters that only tests set:", len(parameters_without_caller()))


if __name__ == "__main__":
    main()
