"""A simulated firm on disk: written block by block, and there as a whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from crmlib.data.kept import keep
from crmlib.data.staging import whole_folder
from crmlib.errors import DataError
from crmlib.simulation.settings import TABLES, Simulation

_STUDY = """# A simulated firm: every person, purchase and letter in it is made up.
title: {title}
data_kind: simulated
currency: EUR
as_of: 2025-12-31            # the last day of the simulation
time_unit: W
margin: null                 # cost is known line by line
discount_rate_per_year: 0.10
assumed: [discount_rate_per_year]
costs: {{per_service_minute: 0.60}} # wages of 36 an hour; outlays stand in the tables

# made by: {made_by}
tables:
{tables}
"""


def write_firm(settings: Simulation, folder: Path, *, force: bool = False) -> Path:
    """Write a firm's tables as Parquet, and the study.yaml that opens them.

    Raises
    ------
    DataError
        If the folder is there already, or cannot be written; nothing half-written is left behind.
    """
    folder = Path(folder).absolute()
    _refuse_to_overwrite(folder, force)
    with _refusing(f"{folder} cannot be written"), whole_folder(folder, replace=True) as draft:
        draft.chmod(0o755)
        write_tables(settings, draft)
        (draft / "study.yaml").write_text(_study_text(settings, folder.name), encoding="utf-8")
    return folder


def keep_simulated(settings: Simulation, cache: Path) -> Path:
    """The folder of a firm's tables in the cache, made now if it is not there yet.

    Two processes may make it at once; both finish, and the first to be done is kept.
    """
    folder = cache / "simulated" / _key(settings)
    with _refusing(f"the simulated firm cannot be kept in {cache}"):
        return keep(folder, lambda draft: write_tables(settings, draft))


def write_tables(settings: Simulation, folder: Path) -> None:
    """Write every table of a firm as NAME.parquet, without holding more than a block of customers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from crmlib.simulation.firm import pieces

    open_files: dict[str, Any] = {}
    try:
        for name, columns in pieces(settings):
            schema = _schema(name, list(columns))
            arrays = [
                pa.array(columns[field.name], field.type, from_pandas=True) for field in schema
            ]  # nan is null
            piece = pa.table(arrays, schema=schema)
            if name not in open_files:
                open_files[name] = pq.ParquetWriter(
                    folder / f"{name}.parquet", piece.schema, compression="zstd"
                )
            open_files[name].write_table(piece)
    finally:
        for file in open_files.values():
            file.close()


def _schema(name: str, columns: list[str]) -> Any:
    import pyarrow as pa

    from crmlib.data.contracts import CONTRACTS

    types = {"text": pa.string(), "id": pa.string(), "date": pa.timestamp("us"), "flag": pa.bool_()}
    kinds = {column.name: column.kind for column in CONTRACTS[name].columns}
    return pa.schema([(column, types.get(kinds[column], pa.float64())) for column in columns])


@contextmanager
def _refusing(complaint: str) -> Iterator[None]:
    """Say what the system complains of in words that help."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{complaint}: {error.strerror or error}. Nothing was left behind; free some space, simulate fewer "
            "customers, or choose another folder"
        ) from error


def _refuse_to_overwrite(folder: Path, force: bool) -> None:
    if not folder.exists():
        return
    if not force:
        raise DataError(f"{folder} exists already; choose another name, or replace it with force (--force)")
    study = folder / "study.yaml"
    if not folder.is_dir() or (
        any(folder.iterdir())
        and not (study.is_file() and "data_kind: simulated" in study.read_text(encoding="utf-8"))
    ):
        raise DataError(
            f"{folder} holds something else than a simulated firm, which is not replaced; move it away"
        )


def _study_text(settings: Simulation, name: str) -> str:
    given = settings.model_dump()
    made_by = f"crm simulate {name} " + " ".join(
        [f"--customers {given['n_customers']} --years {given['years']} --seed {given['random_state']}"]
        + [f"--effect {mechanism}={strength:g}" for mechanism, strength in given["effects"].items()]
    )
    tables = "\n".join(f"  {table}:\n    source: {table}.parquet" for table in TABLES)
    return _STUDY.format(title=f"{name} (simulated firm)", made_by=made_by, tables=tables)


def _key(settings: Simulation) -> str:
    """A name for what these parameters, this code and these libraries make."""
    from crmlib.data.contracts import CONTRACTS

    parts = [
        settings.model_dump_json(),
        *(version(library) for library in ("numpy", "scipy", "pandas", "pyarrow")),
    ]
    parts += [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    parts += [str([(column.name, column.kind) for column in CONTRACTS[name].columns]) for name in TABLES]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
