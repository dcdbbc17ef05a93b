"""Which files a source stands for, and of which kind they are; nothing is opened."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from crmlib.errors import DataError, did_you_mean

CSV_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")
DUCKDB_SUFFIXES = (".duckdb", ".ddb")
EXCEL_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
SUFFIXES = CSV_SUFFIXES + PARQUET_SUFFIXES + EXCEL_SUFFIXES + DUCKDB_SUFFIXES


def source_files(source: str | Path | list[str] | tuple[str, ...], *, base: Path | None = None) -> list[Path]:
    """The files that a path, folder, glob or list of them stands for, in a fixed order."""
    parts = list(source) if isinstance(source, (list, tuple)) else [source]
    files: list[Path] = []
    for part in parts:
        files += _expand((base or Path.cwd()) / _local(part), str(part))
    kinds = {kind_of(file) for file in files}
    if len(kinds) > 1:
        raise DataError(
            f"source {source!r} mixes kinds of files ({', '.join(sorted({f.suffix for f in files}))}); "
            "keep one kind in a table, or name the ones you mean"
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
    return path.name.lower().endswith(SUFFIXES)


def kind_of(path: Path) -> str:
    """What a file is by its ending: csv, parquet, excel or duckdb."""
    name = path.name.lower()
    kinds = {
        "csv": CSV_SUFFIXES,
        "parquet": PARQUET_SUFFIXES,
        "excel": EXCEL_SUFFIXES,
        "duckdb": DUCKDB_SUFFIXES,
    }
    for kind, suffixes in kinds.items():
        if name.endswith(suffixes):
            return kind
    raise DataError(
        f"source {path.name!r}: its ending is none that can be read; allowed: {', '.join(SUFFIXES)}"
    )
