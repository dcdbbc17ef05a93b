"""Bad input: it is read as meant, or refused with a message that says what to do."""

import gzip
import subprocess
import sys

import ibis
import openpyxl
import pandas as pd
import pytest

import crmlib as crm
from crmlib.data.cleaning.free_columns import with_free_columns
from crmlib.data.contracts import CONTRACTS, TRANSACTIONS
from crmlib.data.sources import open_table
from crmlib.errors import CannotAnswerError, DataError, StudyError

HEADER = "customer_id,date,amount\n"
MAPPED = {"customer_id": "customer_id", "date": "date", "amount": "amount"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A function that writes a log and its study into a project of its own, and opens it."""
    (tmp_path / "data" / "shop").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def shop(content, name="orders.csv", entry="", policies="", top=""):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "data" / "shop" / name).write_bytes(data)
        study = f"title: Shop\n{top}tables:\n  transactions:\n    source: {name}\n"
        study += "".join(f"    {line}\n" for line in entry.splitlines())
        study += "policies:\n" + "".join(f"  {line}\n" for line in policies.splitlines()) if policies else ""
        (tmp_path / "data" / "shop" / "study.yaml").write_text(study)
        return crm.open_study("shop")

    return shop


def used(study):
    frame = study.transactions.order_by("date").to_pandas()
    return [(row.customer_id, str(row.date), row.amount) for row in frame.itertuples()]


def reasons(study):
    return study.quality.quarantine["reason"].value_counts().to_dict()


def assert_whole(study, rows):
    """Rows in = used + set aside, to the row and to the cent."""
    frame = study.quality.rows
    assert frame["rows"][0] == rows == frame["rows"][1:].sum()
    assert frame["amount"][0] == pytest.approx(frame["amount"][1:].sum(), abs=1e-9)


def refusal(study):
    with pytest.raises(DataError) as caught:
        _ = study.cleaned.report("transactions")
    return str(caught.value)


# --- logs that hold too little ---


def test_an_empty_file(project):
    assert refusal(project("")) == "orders.csv is empty (0 bytes); export it again, with its header line"


def test_a_header_alone(project):
    assert refusal(project(HEADER)) == "transactions: the source has a header but no rows; export it again"


def test_one_row(project):
    study = project(HEADER + "a,2024-01-05,9.50\n")
    assert used(study) == [("a", "2024-01-05 00:00:00", 9.5)]


def test_one_customer(project):
    study = project(HEADER + "a,2024-01-05,9.50\na,2024-02-05,1\n")
    assert used(study) == [("a", "2024-01-05 00:00:00", 9.5), ("a", "2024-02-05 00:00:00", 1.0)]


def test_refunds_alone_are_no_purchases(project):
    study = project(HEADER + "a,2024-01-05,-9.50\nb,2024-01-06,-1\n")
    assert_whole(study, 2)
    assert not study.transactions.is_purchase.any().to_pyarrow().as_py()
    from crmlib.data.fitness import fitness_gates

    with pytest.raises(
        CannotAnswerError, match="there is no purchase up to 2024-01-06 that was kept; choose"
    ):
        fitness_gates(study.transactions, as_of=study.as_of)


# --- columns ---


def test_a_column_that_is_not_there(project):
    study = project("CustNo,date,amount\na,2024-01-05,9\n", entry="columns:\n  customer_id: CustNr")
    assert refusal(study) == (
        "transactions: columns.customer_id names 'CustNr', which the source lacks; did you mean 'CustNo'? "
        "Allowed: CustNo, date, amount"
    )


def test_a_required_column_that_nothing_names(project):
    assert refusal(project("CustNo,date,amount\na,2024-01-05,9\n")) == (
        "transactions: no column 'customer_id'; say which one it is under `columns`, as in "
        "customer_id: <source column>. The source has: CustNo, date, amount"
    )


@pytest.mark.parametrize("second", ["amount", "Amount"])
def test_a_column_twice(project, second):
    assert refusal(project(f"customer_id,date,amount,{second}\na,2024-01-05,9,8\n")) == (
        f"orders.csv: column {second!r} occurs twice in the header, as columns 3 and 4; rename or remove one of "
        "them, so that the name is unique"
    )


def test_two_hundred_columns(project):
    names = [f"extra {i}" for i in range(197)]
    row = ["a", "2024-01-05", "9.5", *(str(i) for i in range(197))]
    study = project(",".join(["customer_id", "date", "amount", *names]) + "\n" + ",".join(row) + "\n")
    assert used(study) == [("a", "2024-01-05 00:00:00", 9.5)]


def test_columns_with_names_that_the_engine_uses(project):
    study = project('customer_id,date,amount,filename,"a ""b"" \'c\'",select\na,2024-01-05,9,x,y,z\n')
    assert used(study) == [("a", "2024-01-05 00:00:00", 9.0)]
    assert list(open_table("data/shop/orders.csv").columns)[3:6] == ["filename", "a \"b\" 'c'", "select"]


# --- how the text is written ---


def test_semicolons_and_decimal_commas(project):
    study = project(
        "customer_id;date;amount\n7;2024-01-05;1.234,50\n8;2024-01-06;9,5\n", entry='decimal: ","'
    )
    assert [amount for _c, _d, amount in used(study)] == [1234.5, 9.5]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_in_any_form_is_recognised(project, encoding):
    study = project((HEADER + "Zoë,2024-01-05,9\n").encode(encoding))
    assert used(study) == [("Zoë", "2024-01-05 00:00:00", 9.0)]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_other_encodings_are_named(project, encoding):
    log = (HEADER + "Zoë,2024-01-05,9\n").encode(encoding)
    assert used(project(log, entry=f"encoding: {encoding}")) == [("Zoë", "2024-01-05 00:00:00", 9.0)]


def test_an_encoding_that_was_not_named(project):
    assert refusal(project((HEADER + "Zoë,2024-01-05,9\n").encode("latin-1"))) == (
        "orders.csv, line 2: this is not utf-8 text; say under `encoding` what it is: cp1252 (Windows), latin-1 "
        "or utf-16 is the usual one, and crm new finds it out"
    )


def test_a_wrong_byte_far_into_the_file(project):
    log = (HEADER + "a,2024-01-05,9\n" * 50_000 + "Zoë,2024-01-05,9\n").encode("latin-1")
    assert "this is not utf-8 text; say under `encoding` what it is" in refusal(project(log))


def test_an_encoding_that_nobody_knows(project):
    with pytest.raises(
        StudyError, match="found 'utf-9'; allowed: an encoding such as utf-8, utf-16, latin-1"
    ):
        project(HEADER + "a,2024-01-05,9\n", entry="encoding: utf-9")


def test_quotes_and_line_breaks_within_fields(project):
    log = 'customer_id,date,amount,note\n"a, ""b""",2024-01-05,9,"first\nsecond\r\nthird"\nc,2024-01-06,1,\n'
    study = project(log)
    assert used(study) == [('a, "b"', "2024-01-05 00:00:00", 9.0), ("c", "2024-01-06 00:00:00", 1.0)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end(project, end):
    assert (
        len(used(project(end.join(["customer_id,date,amount", "a,2024-01-05,9", "b,2024-01-06,1", ""])))) == 2
    )


def test_lines_that_end_differently(project):
    assert len(used(project("customer_id,date,amount\r\na,2024-01-05,9\nb,2024-01-06,1\r\n"))) == 2


def test_a_compressed_file(project):
    study = project(gzip.compress((HEADER + "a,2024-01-05,9\n").encode()), "orders.csv.gz")
    assert used(study) == [("a", "2024-01-05 00:00:00", 9.0)]


def test_lines_that_cannot_be_split_are_set_aside_one_by_one(project):
    lines = [
        "a,2024-01-01,1",
        "b,2024-01-02",
        "c,2024-01-03,3,surplus",
        'd,"2024-01-04,4',
        "e,2024-01-05,5",
        "f,2024-01-06,6",
    ]
    study = project(HEADER + "\n".join(lines) + "\n")
    assert [row[0] for row in used(study)] == ["a", "e", "f"]
    assert_whole(study, 6)
    quarantine = study.quality.quarantine
    assert reasons(study) == {"line cannot be split into columns": 3}
    assert quarantine["line"].tolist() == [
        "line 3, 2 fields instead of 3",
        "line 4, 4 fields instead of 3",
        "line 5, its quotes do not close",
    ]


def test_a_line_that_cannot_be_split_is_kept_only_where_personal_columns_are(project):
    kept = project(HEADER + "a,2024-01-01,1\nb,2024-01-02\n", top="personal_columns: keep\n")
    assert kept.quality.quarantine["line"].tolist() == ["line 3, 2 fields instead of 3: b,2024-01-02"]


def test_a_table_beside_the_log_with_such_a_line_is_refused_by_line(project, tmp_path):
    (tmp_path / "spend.csv").write_text("month,spend\n2024-01,5\n2024-02\n")
    with pytest.raises(DataError) as caught:
        open_table(tmp_path / "spend.csv")
    assert str(caught.value) == (
        "spend.csv, line 3: it cannot be split into the 2 columns of the header by ',' and quotes '\"' "
        "(1 field instead of 2); "
        "correct the line, or name the sign between the columns under `delimiter`"
    )


# --- dates ---


def test_dates_of_several_formats(project):
    log = HEADER + "a,31.12.2024,1\nb,2025-01-02,2\nc,3/1/2025 14:30,3\nd,someday,4\n"
    study = project(log, entry='date_format: ["%d.%m.%Y", "iso", "%d/%m/%Y %H:%M"]')
    assert [row[1] for row in used(study)] == [
        "2024-12-31 00:00:00",
        "2025-01-02 00:00:00",
        "2025-01-03 14:30:00",
    ]
    assert reasons(study) == {"unreadable date": 1}
    assert_whole(study, 4)


def test_excel_serial_dates(project):
    study = project(HEADER + "a,45296,1\nb,45296.75,2\n", entry="date_format: excel")
    assert [row[1] for row in used(study)] == ["2024-01-05 00:00:00", "2024-01-05 18:00:00"]


@pytest.mark.parametrize(
    ("timezone", "days"),
    [
        ("UTC", ["2025-10-08 04:50:26", "2025-10-08 04:50:26"]),
        ("America/New_York", ["2025-10-08 00:50:26", "2025-10-08 00:50:26"]),
        ("as written", ["2025-10-07 23:50:26", "2025-10-08 04:50:26"]),
    ],
)
def test_time_zones(project, timezone, days):
    log = HEADER + "a,2025-10-07 23:50:26 -0500,1\nb,2025-10-08T04:50:26Z,2\n"
    study = project(log, entry=f"timezone: {timezone}")
    assert sorted(row[1] for row in used(study)) == sorted(days)


def test_a_time_zone_that_nobody_knows(project):
    with pytest.raises(StudyError, match="found 'Europe/Berlim'; did you mean 'Europe/Berlin'?"):
        project(HEADER + "a,2025-10-07T23:50:26Z,1\n", entry="timezone: Europe/Berlim")


def test_dates_that_no_format_reads(project):
    assert refusal(project(HEADER + "a,31.12.2024,1\n")) == (
        "transactions: no row can be used; 1 of 1 have the fault: unreadable date. Column 'date' holds, for example, "
        "'31.12.2024'; say how dates are written under date_format, as in \"%d/%m/%Y\""
    )


# --- amounts and ids ---


def test_amounts_with_signs_and_separators(project):
    written = ["$ 1,234.50", "$9.99", "1'000.25 USD", "(12.00)", "7.00-", "-US$3", "1 234.00", "USD 5"]
    study = project(
        "customer_id;date;amount\n" + "".join(f"a;2024-01-0{i + 1};{w}\n" for i, w in enumerate(written))
    )
    assert [row[2] for row in used(study)] == [1234.5, 9.99, 1000.25, -12.0, -7.0, -3.0, 1234.0, 5.0]


def test_unreadable_amounts_are_set_aside(project):
    written = ["nan", "inf", "-inf", "1e400", "1,5", "twelve", "", "1.2.3", "5e13"]
    lines = "".join(f'b;2024-01-06;"{amount}"\n' for amount in written)
    study = project("customer_id;date;amount\na;2024-01-05;9\n" + lines)
    assert used(study) == [("a", "2024-01-05 00:00:00", 9.0)]
    assert_whole(study, 10)
    assert sorted(study.quality.quarantine["amount"].fillna("")) == sorted(written)


def test_ids_stay_as_they_are_written(project):
    study = project(
        HEADER
        + "00012,2024-01-05,1\n1e5,2024-01-06,2\n 7 ,2024-01-07,3\nNaN,2024-01-08,4\nnull,2024-01-09,5\n"
    )
    assert [row[0] for row in used(study)] == ["00012", "1e5", "7"]
    assert reasons(study) == {"customer id is a word for missing (policies.missing_ids)": 2}
    assert_whole(study, 5)


def test_a_customer_with_the_id_null_can_be_kept(project):
    study = project(HEADER + "Null,2024-01-05,1\n", policies="missing_ids: []")
    assert [row[0] for row in used(study)] == ["Null"]


# --- files that are something else ---


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (bytes(range(256)) * 8, "it is not text; export the table as CSV, Parquet or Excel"),
        (b"PK\x03\x04" + bytes(100), "an Excel workbook or a zip archive; name it .xlsx if it is a workbook"),
        (b"%PDF-1.7 " + bytes(100), "a PDF; export the table itself"),
    ],
)
def test_a_binary_file(project, content, expected):
    message = refusal(project(content))
    assert message.startswith("orders.csv holds binary data, not lines of text: ")
    assert expected in message


@pytest.mark.parametrize("name", ["orders.xlsx", "orders.parquet", "orders.csv.gz"])
def test_a_file_that_is_not_what_its_ending_says(project, name):
    message = refusal(project(b"customer_id,date,amount\n", name))
    assert message.startswith(f"{name} ")
    assert "cannot be read" in message


def test_a_folder_in_place_of_a_file(project, tmp_path):
    project(HEADER)
    (tmp_path / "data" / "shop" / "orders.csv").unlink()
    (tmp_path / "data" / "shop" / "orders.csv").mkdir()
    assert refusal(crm.open_study("shop")) == (
        "source 'orders.csv': no CSV or Parquet file found there, nor a workbook; name a file, a folder of such files, "
        "or a pattern such as orders/*.csv"
    )


def test_a_folder_of_files_that_grew_a_column(project, tmp_path):
    (tmp_path / "data" / "shop" / "logs").mkdir()
    study = project(HEADER, entry="")
    (tmp_path / "data" / "shop" / "logs" / "1.csv").write_text(HEADER + "a,2024-01-05,9\n")
    (tmp_path / "data" / "shop" / "logs" / "2.csv").write_text(
        "date,customer_id,amount,channel\n2024-01-06,b,1,web\n"
    )
    (tmp_path / "data" / "shop" / "study.yaml").write_text(
        "title: S\ntables: {transactions: {source: logs}}\n"
    )
    study = crm.open_study("shop")
    assert used(study) == [("a", "2024-01-05 00:00:00", 9.0), ("b", "2024-01-06 00:00:00", 1.0)]
    assert study.quality.sources[["file", "rows"]].to_numpy().tolist() == [
        ["logs/1.csv", 1],
        ["logs/2.csv", 1],
    ]


def test_a_file_that_grows_while_it_is_read(project, monkeypatch):
    study = project(HEADER + "a,2024-01-05,9\n")
    from crmlib.data.cleaning import clean

    judge = clean.judge_rows

    def while_the_export_goes_on(*arguments):
        with open("data/shop/orders.csv", "a") as export:
            export.write("b,2024-01-06,1\n")
        return judge(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(clean, "judge_rows", while_the_export_goes_on)
        assert refusal(study) == "orders.csv changed while it was read; run again when it is complete"
    assert len(used(crm.open_study("shop"))) == 2


# --- workbooks ---


def write_workbook(path, sheets):
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    workbook.save(path)


def test_a_workbook(project, tmp_path):
    rows = [
        ["customer_id", "date", "amount"],
        ["00012", pd.Timestamp("2024-01-05 10:30"), 9.5],
        [13, "2024-01-06", "1,200.50"],
    ]
    write_workbook(tmp_path / "log.xlsx", {"notes": [], "orders": [*rows, [None, None, None]]})
    study = project((tmp_path / "log.xlsx").read_bytes(), "orders.xlsx")
    assert used(study) == [("00012", "2024-01-05 10:30:00", 9.5), ("13", "2024-01-06 00:00:00", 1200.5)]


def test_a_workbook_with_several_sheets(project, tmp_path):
    rows = [["customer_id", "date", "amount"], ["a", "2024-01-05", 9.5]]
    write_workbook(tmp_path / "log.xlsx", {"2023": rows, "2024": rows})
    content = (tmp_path / "log.xlsx").read_bytes()
    assert refusal(project(content, "orders.xlsx")) == (
        "orders.xlsx: 2 sheets hold rows; name one, or all that are one table, under `sheet`: allowed: 2023, 2024"
    )
    assert len(used(project(content, "orders.xlsx", entry='sheet: "2024"'))) == 1
    assert "no sheet '2025'" in refusal(project(content, "orders.xlsx", entry='sheet: "2025"'))


def test_nothing_is_left_behind_by_rewritten_files():
    """A file in another encoding is rewritten for the engine; the copy goes with the process."""
    code = (
        "import tempfile, pathlib; from crmlib.data.sources import open_table; "
        "p = pathlib.Path(tempfile.mkdtemp()) / 'o.csv'; p.write_bytes('a,b\\n1,é\\n'.encode('utf-16')); "
        "open_table(p); from crmlib.data.staging import scratch; print(*scratch().glob('*.csv'))"
    )
    folder = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert folder
    assert not pd.io.common.file_exists(folder)


def test_a_long_scan_shows_no_progress_bar_of_the_engine():
    """The engine shows a progress bar where no script is run: in a kernel, and under -c."""
    code = (
        "from crmlib.data.engine import engine; "
        "print(engine().raw_sql(\"SELECT current_setting('enable_progress_bar')\").fetchone())"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "(False,)\n"


# --- lines above the header ---

PREAMBLE = "Kundennr;Datum;Betrag\n0012;05.01.2025;9,50\n0013;06.01.2025;8,00\n"


@pytest.mark.parametrize(
    ("above", "line"),
    [
        ("Export vom 01.07.2025;;\n", 2),
        ("Export vom 01.07.2025\n", 2),
        ("Export vom 01.07.2025\nShop;;\n\n", 4),
    ],
)
def test_lines_above_the_header_are_refused_with_the_line_that_it_is_in(project, above, line):
    assert refusal(project(above + PREAMBLE)) == (
        "orders.csv: line 1 is no header, for it holds 'Export vom 01.07.2025' alone; the column names are in "
        f"line {line}. Delete the lines above that one and save the file"
    )


def test_lines_above_the_header_of_a_sheet_are_refused(project, tmp_path):
    workbook = openpyxl.Workbook()
    for row in (["Export vom 01.07.2025"], ["customer_id", "date", "amount"], ["a", "2024-01-05", 9]):
        workbook.active.append(row)
    workbook.save(tmp_path / "workbook.xlsx")
    study = project((tmp_path / "workbook.xlsx").read_bytes(), name="workbook.xlsx")
    assert refusal(study).startswith("workbook.xlsx, sheet 'Sheet': line 1 is no header")


@pytest.mark.parametrize("text", ['name\n"Meier, Anna"\nBerg\n', "id\n7\n8\n", "note\na, b\nc\nd, e, f\n"])
def test_a_table_of_one_column_has_its_header_in_line_1(tmp_path, text):
    (tmp_path / "one.csv").write_text(text)
    assert open_table(tmp_path / "one.csv").columns[0] == text.split()[0]


# --- headers that are nearly the contract's ---


def test_names_that_differ_in_capitals_and_blanks_are_the_contracts(project):
    study = project("Customer_ID, Date,AMOUNT,Order\na,2024-01-05,9,o1\na,2024-01-05,1,o1\n")
    assert used(study) == [("a", "2024-01-05 00:00:00", 9.0), ("a", "2024-01-05 00:00:00", 1.0)]
    assert sorted(study.cleaned.report("transactions").columns) == [
        "amount",
        "customer_id",
        "date",
        "order_id",
    ]
    assert study.transactions.order_id.nunique().to_pyarrow().as_py() == 1


def test_an_exact_name_goes_before_a_similar_one_and_two_similar_ones_decide_nothing():
    names = ["customer_id", "Customer_ID", "DATE", "Date", "amount", "Order", "order_id"]
    with pytest.raises(DataError, match="no column 'date'; say which one it is.* DATE, Date"):
        TRANSACTIONS.resolve({}, names)
    found = TRANSACTIONS.resolve({"date": "Date"}, names)
    assert found == {"customer_id": "customer_id", "date": "Date", "amount": "amount", "order_id": "order_id"}


def test_a_study_that_names_columns_leaves_similar_ones_out_unless_they_are_required():
    found = TRANSACTIONS.resolve({"date": "day"}, ["Customer_ID", "day", "Amount", "Status", "order"])
    assert found == {"customer_id": "Customer_ID", "date": "day", "amount": "Amount"}


def test_an_id_in_capitals_is_no_feature():
    raw = ibis.memtable({"Customer_ID": ["1"], "Churned": ["yes"], "Tenure": ["4"]})
    contract, columns = with_free_columns(CONTRACTS["customer_features"], raw, {})
    assert contract.resolve(columns, raw.columns) == {
        "customer_id": "Customer_ID",
        "churned": "Churned",
        "Tenure": "Tenure",
    }
