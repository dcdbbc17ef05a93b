"""Churn scores with reasons, from Parquet to Parquet, a piece at a time."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crmlib.errors import CrmError, DataError
from crmlib.models.churn.churn_model import ChurnModel
from crmlib.models.churn.reasons import churn_reasons
from crmlib.staging import whole_file

CHUNK_ROWS = 50_000


def score_churn_parquet(
    model: ChurnModel,
    source: str | Path,
    target: str | Path,
    *,
    reasons: int = 3,
    chunk_rows: int = CHUNK_ROWS,
) -> int:
    """Score a Parquet table of customers that may be larger than memory.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    source : path
        Parquet file with the columns of the fit; others are carried along.
    target : path
        Parquet file to write, at once when it is complete: all columns of `source`, `p_churn` and, where
        reasons are wanted, `reason_1` and so on. The order of rows stays.
    reasons : int
        How many reasons per customer; 0 for none.
    chunk_rows : int
        Rows in memory at a time.

    Returns
    -------
    int
        Rows written: as many as were read.

    Raises
    ------
    DataError
        If the table has no rows, lacks a column, or has one of the new columns already.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import crmlib as crm
    >>> data = crm.churn_data(crm.open_study("telco").table("customer_features"))
    >>> model = crm.ChurnModel(estimator="logistic").fit(data)
    >>> with TemporaryDirectory() as folder:
    ...     source, target = Path(folder, "customers.parquet"), Path(folder, "scored.parquet")
    ...     data.features[:5].to_parquet(source)
    ...     score_churn_parquet(model, source, target, reasons=1)
    ...     pd.read_parquet(target).loc[0, "reason_1"]
    5
    'tenure 1: +1.9 in log odds'
    """
    source, target = Path(source), Path(target)
    new = ["p_churn", *(f"reason_{place + 1}" for place in range(reasons))]
    written, writer = 0, None
    with whole_file(target) as part, pq.ParquetFile(source) as file:
        if twice := [name for name in new if name in file.schema_arrow.names]:
            raise DataError(f"{source} has {', '.join(twice)} already; leave them out or rename them")
        if not file.metadata.num_rows:
            raise DataError(f"{source} has no rows; there is no customer to score")
        schema = file.schema_arrow.remove_metadata()
        for name in new:
            schema = schema.append(pa.field(name, pa.float64() if name == "p_churn" else pa.string()))
        try:
            writer = pq.ParquetWriter(part, schema, compression="zstd")
            for batch in file.iter_batches(chunk_rows):
                rows = pa.Table.from_batches([batch])
                for name, values in _scored(model, rows, reasons).items():
                    rows = rows.append_column(name, pa.array(values))
                writer.write_table(rows.cast(schema))
                written += rows.num_rows
        finally:
            if writer is not None:
                writer.close()
        rows_read = file.metadata.num_rows
        if written != rows_read:
            raise CrmError(
                f"{source} has {rows_read:,} rows, of which {written:,} were scored; nothing was written"
            )
    return written


def _scored(model: ChurnModel, rows: pa.Table, reasons: int) -> pd.DataFrame:
    features = rows.select([name for name in model.kinds if name in rows.column_names]).to_pandas()
    return churn_reasons(model, features, reasons) if reasons else model.p_churn(features).to_frame()
