"""Which files a source stands for, and of which kind they are; nothing is opened."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from crmlib.errors import DataError, did_you_mean

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
REPACKED = (".bz2", ".zst", ".zip")  # unpacked before the engine reads it, which knows .gz
_KINDS = {
    "csv": (
        *TEXT_SUFFIXES,
        *(text + packed for text in TEXT_SUFFIXES for packed in (".gz", *REPACKED)),
        ".zip",
    ),
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
    """The files that a path, folder, glob or list of them stands for, in a fixed order."""
    parts = list(source) if isinstance(source, (list, tuple)) else [source]
    files: list[Path] = []
    for part in parts:
        files += _expand((base or Path.cwd()) / _local(part), str(part))
    if not files:
        raise DataError("source is an empty list; name a file, a folder or a pattern")
    kinds = {kind_of(file) for file in files}
    if len(kinds) > 1:
        raise DataError(
            f"source {', '.join(map(str, parts))!r} mixes kinds of files "
            f"({', '.join(sorted({f.suffix for f in files}))}); keep one kind in a table, or name the ones you mean"
        )
    return files


def _local(part: str | Path) -> Path:
    """The path that a source names, which may be written as a file:// address."""
    scheme, sign, rest = str(part).partition("://")
    if not sign:
        return Path(part).expanduser()
    if scheme.lower() != "file":
        raise DataError(
            f"source begins with {scheme}://; files are read, not servers. Export the table to Parquet or CSV, or "
            "into a DuckDB file, and name that"
        )
    address = urlsplit(f"file://{rest}")
    return Path(url2pathname(address.path))


def _expand(path: Path, written: str) -> list[Path]:
    if any(sign in written for sign in "*?["):
        files = sorted(path.parent.glob(path.name))
    elif path.is_dir():
        files = sorted(one for one in path.iterdir() if one.is_file() and _known(one))
    elif path.exists():
        return [path]
    else:
        beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, sorted(beside)[:20]) if beside else "the folder does not exist either"
        raise DataError(f"source {written!r}: there is no file {path.name} in {path.parent}; {hint}")
    if not files:
        raise DataError(
            f"source {written!r}: no CSV or Parquet file found there, nor a workbook; name a file, a folder of such "
            "files, or a pattern such as orders/*.csv"
        )
    return files


def _known(path: Path) -> bool:
    name = path.name.lower()
    return not name.endswith(_ONLY_BY_NAME) and name.endswith(SUFFIXES)


def kind_of(path: Path) -> str:
    """What a file is by its ending: csv, parquet, excel, duckdb, json or feather."""
    name = path.name.lower()
    for kind, suffixes in _KINDS.items():
        if name.endswith(suffixes):
            return kind
    plain = [one for suffixes in _KINDS.values() for one in suffixes if one.count(".") == 1]
    raise DataError(
        f"source {path.name!r}: its ending is none that can be read; allowed: {', '.join(plain)}; also .csv.gz, "
        ".csv.bz2, .csv.zst and .json.gz"
    )
