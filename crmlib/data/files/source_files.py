"""The files of a source, their names and kinds; no file is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from crmlib.data.databases import SCHEMES
from crmlib.errors import DataError, did_you_mean, require_text

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
REPACKED = (".bz2", ".zst", ".zip")  # unpacked before the engine reads it, which knows .gz
_PACKED = tuple(text + packed for text in TEXT_SUFFIXES for packed in (".gz", *REPACKED))
_KINDS = {
    "csv": (*TEXT_SUFFIXES, *_PACKED, ".zip"),
    "parquet": (".parquet", ".pq"),
    "excel": (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
    "duckdb": (".duckdb", ".ddb"),
    "json": (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz"),
    "feather": (".feather", ".arrow"),
}
SUFFIXES = tuple(chain(*_KINDS.values()))
# In a folder these often stand beside a table: the archive that it came in, or notes of a program on it.
_ONLY_BY_NAME = (*REPACKED, ".json", ".json.gz")


def source_files(source: str | Path | list[str] | tuple[str, ...], *, base: Path | None = None) -> list[Path]:
    """The files that a path, folder, glob or list of them stands for, in a fixed order.

    What is there under a name is meant by it, whatever signs are in it: "orders[1].csv" is a pattern only where there
    is no such file. Of a folder, and by a pattern, hidden files are not read: they are notes of other programs.
    """
    parts = list(source) if isinstance(source, (list, tuple)) else [source]
    files = [*chain(*(_expand((base or Path.cwd()) / _local(part), str(part)) for part in parts))]
    if not files:
        raise DataError("source is an empty list; name a file, a folder or a pattern")
    for file in files:
        require_text(file)
    if len({kind_of(file) for file in files}) > 1:
        raise DataError(
            f"source {', '.join(map(str, parts))!r} mixes kinds of files "
            f"({', '.join(sorted({f.suffix for f in files}))}); keep one kind in a table, or name the ones you mean"
        )
    return files


def _local(part: str | Path) -> Path:
    """The path that a source names, which may be written as a file:// address."""
    scheme, sign, rest = str(part).partition("://")
    if not sign:
        return Path(os.path.expanduser(part))
    if scheme.lower() != "file":
        raise DataError(
            f"source begins with {scheme}://; allowed: the path of a file, file://, or in a study the address of one "
            f"database ({', '.join(f'{known}://' for known in SCHEMES)}) with `table` or `query`"
        )
    try:
        return Path(url2pathname(urlsplit(f"file://{rest}").path))
    except ValueError:
        raise DataError(f"source {part!r} is not the address of a file; write its path instead") from None


def _expand(path: Path, written: str) -> list[Path]:
    if os.path.isfile(path):
        return [path]
    if os.path.isdir(path):
        files = [file for file in _shown_in(path) if _known(file)]
    elif os.path.exists(path):
        raise DataError(f"source {written!r} is a pipe or a device; name a file that can be read twice")
    elif any(sign in written for sign in "*?["):
        files = [file for file in _shown_in(path.parent) if fnmatch(file.name, path.name)]
    else:
        beside = [file.name for file in _shown_in(path.parent)]
        none = "the folder is empty" if os.path.isdir(path.parent) else "the folder does not exist either"
        hint = did_you_mean(path.name, beside[:20]) if beside else none
        raise DataError(f"source {written!r}: there is no file {path.name} in {path.parent}; {hint}")
    if not files:
        raise DataError(
            f"source {written!r}: no CSV or Parquet file found there, nor a workbook; name a file, a folder of such "
            "files, or a pattern such as orders/*.csv"
        )
    return files


def _shown_in(folder: Path) -> Iterator[Path]:
    """The files of a folder in a fixed order, without hidden files and lock files of open workbooks."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    paths = (folder / name for name in names if not name.startswith((".", "~$")))
    return (path for path in paths if os.path.isfile(path))


def names_of(files: Sequence[Path], base: Path | None = None) -> dict[Path, str]:
    """Names of files for readers: relative to a folder, or as much of the path as distinguishes them.

    `base`: the study's folder; the working directory by default.

    Examples
    --------
    >>> files = [Path("/shop/data/orders.csv"), Path("/mnt/2023/old.csv"), Path("/mnt/2024/old.csv")]
    >>> list(names_of(files, Path("/shop")).values())
    ['data/orders.csv', '2023/old.csv', '2024/old.csv']
    """
    base = Path(os.path.abspath(base or Path.cwd()))
    whole = {file: Path(os.path.abspath(file)) for file in files}
    found = {file: path.relative_to(base) for file, path in whole.items() if path.is_relative_to(base)}
    parts = 1
    while rest := [file for file in whole if file not in found]:
        ends = {file: Path(*whole[file].parts[-parts:]) for file in rest}
        taken = [*found.values(), *ends.values()]
        found |= {file: end for file, end in ends.items() if taken.count(end) == 1 or end == whole[file]}
        parts += 1
    return {file: found[file].as_posix() for file in files}


def _known(path: Path) -> bool:
    name = path.name.lower()
    return not name.endswith(_ONLY_BY_NAME) and name.endswith(SUFFIXES)


def kind_of(path: Path) -> str:
    """What a file is by its ending: csv, parquet, excel, duckdb, json or feather."""
    name = path.name.lower()
    for kind, suffixes in _KINDS.items():
        if name.endswith(suffixes):
            return kind
    plain = [suffix for suffixes in _KINDS.values() for suffix in suffixes if suffix.count(".") == 1]
    raise DataError(
        f"source {path.name!r}: its file ending is not supported; allowed: {', '.join(plain)}; also .csv.gz, "
        ".csv.bz2, .csv.zst and .json.gz. Rename a text file to .csv, name an SQLite file by its address, "
        "as sqlite:///srv/shop.db, and export others as CSV"
    )
