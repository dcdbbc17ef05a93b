"""The folders of a project: its root, studies, notebooks, cache and reports."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from crmlib.errors import StudyError, did_you_mean, require_text

_PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries the bundled studies and notebooks; a clone has them beside the package.
_SHIPPED = (_PACKAGE / "_bundled", _PACKAGE.parent)


def find_root(start: Path | None = None) -> Path:
    """The nearest folder, from `start` upwards, that holds `data/` or `notebooks/`; else `start` itself."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "data").is_dir() or (folder / "notebooks").is_dir():
            return folder
    return start


def root_of(study: Path) -> Path:
    """The project of a study file; for a file of the package, the project of the current folder."""
    shipped = any(study.is_relative_to(folder / "data") for folder in _SHIPPED)
    return find_root() if shipped else find_root(study.parent)


def is_bundled(study: Path) -> bool:
    """Whether a study file came with the package, and is not the project's own."""
    return study.is_relative_to(_SHIPPED[0])


def find_study(name: str | Path, start: Path | None = None) -> Path:
    """The study file that a name or path stands for.

    A name means `data/NAME/study.yaml` in the nearest parent folder, then among the bundled ones; a
    path means itself.

    Raises StudyError if there is none, with the nearest name.
    """
    text = str(name)
    is_path = isinstance(name, Path) or text.endswith((".yaml", ".yml")) or text in (".", "..")
    if is_path or any(sign in text for sign in (os.sep, os.altsep) if sign):
        path = Path(os.path.expanduser(text))
        path = path / "study.yaml" if os.path.isdir(path) else path
        _refuse_data(path)
        if not os.path.isfile(path):
            raise StudyError(f"study {text!r}: there is no file {path}")
        require_text(path.resolve())
        return path.resolve()
    for folder in _data_folders(start) if text else ():
        if os.path.isfile(folder / text / "study.yaml"):
            require_text((folder / text).resolve())
            return (folder / text / "study.yaml").resolve()
    _refuse_data(Path(text))
    known = sorted(studies(start))
    hint = did_you_mean(text, known) if known else "there is no folder data/ with studies above this one"
    raise StudyError(f"study {text!r}: no data/{text}/study.yaml in this folder or above; {hint}")


def _refuse_data(path: Path) -> None:
    if path.suffix and path.suffix not in (".yaml", ".yml"):
        raise StudyError(
            f"{str(path)!r} is not a study but a data file; make a study of it first: crm new my-shop "
            f"--transactions {path}"
        )


def new_study_folder(name: str) -> Path:
    """The folder of a study that is to be made, in the nearest folder above that holds `data/`.

    Raises StudyError if no study can be called so.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise StudyError(f"a study cannot be called {name!r}; use letters, digits, - and _, as in my-shop")
    return find_root().resolve() / "data" / name


def studies(start: Path | None = None) -> dict[str, Path]:
    """Every study that a name can mean here, with its file."""
    found: dict[str, Path] = {}
    for folder in _data_folders(start):
        for file in sorted(folder.glob("*/study.yaml")):
            found.setdefault(file.parent.name, file)
    return found


def notebooks_folder(start: Path | None = None) -> Path:
    """The folder of the suite's notebooks: the project's own, else the bundled ones."""
    for folder in (find_root(start), *_SHIPPED):
        if any((folder / "notebooks").glob("[0-9][0-9]_*.ipynb")):
            return folder / "notebooks"
    raise StudyError("there is no folder notebooks/ in this folder or above, and none came with the package")


def document(name: str) -> str:
    """The text of a page of docs/ that comes with the package; empty where the package was copied without it."""
    paths = [folder / "docs" / name for folder in _SHIPPED]
    return next((path.read_text(encoding="utf-8") for path in paths if path.is_file()), "")


def cache_folder(root: Path) -> Path:
    """Where cleaned logs and finished notebooks are kept between runs.

    `.cache/crmlib` of the project; `CRMLIB_CACHE_DIR` names another; a project that cannot be written
    to uses the system's folder for temporary files.
    """
    named = os.environ.get("CRMLIB_CACHE_DIR")
    folder = Path(named) if named else root / ".cache" / "crmlib"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        if named:
            raise StudyError(f"CRMLIB_CACHE_DIR names {named}, which cannot be written to") from None
        owner = os.getuid() if hasattr(os, "getuid") else "user"
        return _own_folder(Path(tempfile.gettempdir()) / f"crmlib-cache-{owner}")


@functools.cache
def _own_folder(folder: Path) -> Path:
    """A folder among the system's temporary files that is ours alone.

    Everybody can foresee its name: where another user has made it first, or can write to it, we take one of a name
    that nobody knows, which lasts as long as this process.
    """
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700)
    with contextlib.suppress(OSError):
        found = folder.lstat()
        ours = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o077)
        if ours and stat.S_ISDIR(found.st_mode):
            return folder
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _data_folders(start: Path | None) -> Iterator[Path]:
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents, *_SHIPPED):
        if (folder / "data").is_dir():
            yield folder / "data"
