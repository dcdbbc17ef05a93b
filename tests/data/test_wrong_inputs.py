"""Wrong inputs in place of a study, frame or file: they are read, or refused in terms that the user knows."""

import bz2
import datetime as dt
import decimal
import gzip
import io
import re
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner

import crmlib as crm
from crmlib.cli import main
from crmlib.data.sources import open_table
from crmlib.errors import CrmError, DataError, StudyError

LOG = "customer_id,date,amount\nA,2024-01-05,10\nB,2024-02-16,20\n"
FRAME = pd.DataFrame({"customer_id": ["A", "B"], "date": ["2024-01-05", "2024-02-16"], "amount": [1.5, 2.0]})
# What a message never speaks of: the libraries underneath, and their ways of complaining.
FOREIGN = re.compile(
    r"duckdb|ibis|arrow|pandas|calamine|zipfile|codec|Error|Exception|Traceback|module|0x[0-9a-f]{4}", re.I
)


def in_own_words(message):
    allowed = re.sub(r"pandas, Polars or PyArrow|DuckDB file|\.duckdb|\.arrow", "", message)
    assert not FOREIGN.search(allowed), message
    return message


def zipped(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return content.getvalue()


def parquet():
    content = io.BytesIO()
    FRAME.to_parquet(content)
    return content.getvalue()


def workbook():
    content = io.BytesIO()
    FRAME.to_excel(content, index=False)
    return content.getvalue()


DAMAGED = "cannot be read: it is damaged, incomplete or has the wrong file ending; copy or export it again"
TEXT = "cannot be read: it holds lines of text; name it .csv"
PAGE = "holds a web page, not a table; open it in a spreadsheet program and save it as .xlsx or CSV"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "two.zip",
            zipped(a__csv=LOG, b__csv=LOG),
            "two.zip holds a.csv, b.csv; of an archive one text file is read",
        ),
        (
            "book.zip",
            zipped(a__xlsx="x"),
            "book.zip holds a.xlsx; of an archive one text file is read: unpack it",
        ),
        ("none.zip", zipped(), "none.zip holds nothing; "),
        ("no.zip", b"PK\x03\x04zzz", "no.zip cannot be read: "),
        ("pdf.csv", b"%PDF-1.4" + bytes(99), "it is a PDF; export the table itself"),
        ("page.csv", "\n <!DOCTYPE html><html>", PAGE),
        ("page.xls", "<html><table><tr><td>a</td></tr></table></html>", PAGE),
        ("secret.xlsx", b"\xd0\xcf\x11\xe0" + bytes(600), "one under a password (save it without)"),
        ("secret.xls", b"\xd0\xcf\x11\xe0" + bytes(600), DAMAGED),
        ("text.xlsx", LOG, TEXT),
        ("text.parquet", LOG, TEXT),
        ("text.feather", LOG, TEXT),
        ("text.json", LOG, TEXT),
        ("text.duckdb", LOG, TEXT),
        ("text.csv.zst", LOG, TEXT),
        ("text.csv.bz2", LOG, TEXT),
        ("text.csv.gz", LOG, DAMAGED),
        ("cut.csv.gz", gzip.compress(LOG.encode() * 9_000, mtime=0)[:-200], DAMAGED),
        ("cut.parquet", parquet()[:-30], DAMAGED),
        ("cut.xlsx", workbook()[:-3_000], DAMAGED),
        ("cut.feather", b"ARROW1" + bytes(50), DAMAGED),
        ("cut.jsonl", '{"customer_id":"A"}\n{oops\n', DAMAGED),
        ("values.json", "3", "values.json holds no objects with values; one per row is needed"),
        ("binary.csv", bytes(range(256)) * 8, "it is not text; export the table as CSV, Parquet or Excel"),
        ("zeros.csv", LOG.replace("A", "\0"), "it is not text"),
        ("empty.csv", "", "empty.csv is empty (0 bytes); export it again, with its header line"),
        ("empty.parquet", "", "empty.parquet cannot be read: it is empty; export it again"),
        ("empty.xlsx", "", "empty.xlsx cannot be read: it is empty; export it again"),
        ("header.csv", "customer_id,date,amount\n", "the file has a header but no rows; export it again"),
        (
            "word.docx",
            b"PK\x03\x04",
            "its file ending is not supported; allowed: .csv, .tsv, .txt, .zip, ",
        ),
        ("noending", LOG, "source 'noending': its file ending is not supported"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_cause_and_cure(
    tmp_path, monkeypatch, name, content, expected
):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = CliRunner().invoke(main, ["new", "shop", "--transactions", name, "--yes"])
    assert done.exit_code == 2, done.output
    assert expected in in_own_words(done.stderr)
    if name != "header.csv":
        assert name.removesuffix(".gz") in done.stderr
    assert not (tmp_path / "data" / "shop").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("one.zip", zipped(a__csv=LOG)),
        ("orders.csv.zip", zipped(a__csv=LOG)),
        ("orders.csv.gz", gzip.compress(LOG.encode(), mtime=0)),
        ("orders.csv.bz2", bz2.compress(LOG.encode())),
        ("orders.csv.zst", pa.compress(LOG.encode(), "zstd", asbytes=True)),
        ("utf16.csv", LOG.encode("utf-16")),
        ("lines.jsonl", FRAME.to_json(orient="records", lines=True).encode()),
        ("array.json", FRAME.to_json(orient="records").encode()),
    ],
)
def test_valid_files_with_unusual_endings_are_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert open_table(tmp_path / name).customer_id.to_pandas().tolist() == ["A", "B"]


def test_an_archive_beside_its_own_content_is_not_read_twice(tmp_path):
    (tmp_path / "orders.csv").write_text(LOG)
    (tmp_path / "orders.zip").write_bytes(zipped(orders__csv=LOG))
    (tmp_path / "package.json").write_text("{}")
    assert open_table(tmp_path).count().to_pyarrow().as_py() == 2


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("date", pd.period_range("2024-01", "2024-02", freq="M"), "period[M]"),
        ("amount", pd.IntervalIndex.from_tuples([(0, 1), (1, 2)]), "interval[int64, right]"),
        ("amount", [1j, 2j], "complex128"),
        ("amount", pd.arrays.SparseArray([1.0, 2.0]), "Sparse[float64, nan]"),
    ],
)
def test_a_column_that_no_table_can_hold_is_named(column, values, kind):
    study = crm.open_study(FRAME.assign(**{column: values}))
    with pytest.raises(DataError) as caught:
        _ = study.transactions
    assert in_own_words(str(caught.value)).startswith(
        f"column '{column}' of the frame is {kind}, which no table"
    )


@pytest.mark.parametrize(
    "frame",
    [
        FRAME.astype({"customer_id": "category"}),
        FRAME.assign(note=[{"a": 1}, {"a": 2}], tags=[[1], [2]]),
        FRAME.assign(amount=[decimal.Decimal("1.50"), decimal.Decimal("2")]),
        FRAME.assign(discount=[decimal.Decimal("1.50"), None]),
        FRAME.assign(date=[dt.date(2024, 1, 5), "2024-02-16"]),
        FRAME.convert_dtypes(dtype_backend="pyarrow"),
        pl.from_pandas(FRAME),
        pl.from_pandas(FRAME).lazy(),
        pa.Table.from_pandas(FRAME),
        pa.RecordBatch.from_pandas(FRAME),
    ],
)
def test_frames_of_any_kind_are_read(frame):
    study = crm.open_study(frame)
    rows = study.transactions.order_by("date").to_pandas()
    assert rows["customer_id"].tolist() == ["A", "B"]
    assert rows["amount"].tolist() == [1.5, 2.0]


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        (
            None,
            "open_study got None; allowed: the name or path of a study, or a pandas, Polars or PyArrow frame",
        ),
        (5, "open_study got a value of type int; allowed"),
        ({"customer_id": ["A"]}, "open_study got a value of type dict; allowed"),
        (["orders.csv"], "open_study got a value of type list; allowed"),
        (FRAME["amount"], "open_study got a value of type Series; allowed"),
        (np.zeros((2, 2)), "open_study got a value of type ndarray; allowed"),
        ("", "no data//study.yaml in this folder or above"),
    ],
)
def test_anything_but_a_study_is_refused_at_once(study, expected):
    with pytest.raises(StudyError) as caught:
        crm.open_study(study)
    assert expected in in_own_words(str(caught.value))


def test_a_path_to_something_else_is_refused(tmp_path):
    (tmp_path / "orders.parquet").write_bytes(parquet())
    (tmp_path / "study.yml").write_bytes(bytes(range(256)))
    for path, expected in (
        (tmp_path, "there is no file"),
        (tmp_path / "study.yml", "is no study file: a byte of it is no text in UTF-8"),
    ):
        with pytest.raises(CrmError) as caught:
            crm.open_study(path)
        assert expected in in_own_words(str(caught.value))
    done = CliRunner().invoke(main, ["report", str(tmp_path / "orders.parquet")])
    assert done.exit_code == 2
    assert "is not a study but a data file" in done.output
