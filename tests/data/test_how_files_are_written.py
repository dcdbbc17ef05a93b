"""File formats: the study that `crm new` writes reads the file as it was meant, or a question is asked."""

import bz2
import datetime as dt
import gzip
import io
import re
import zipfile

import ibis
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crmlib as crm
from crmlib.cli import main
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.guessing.dates import guess_dates
from crmlib.data.guessing.findings import Finding
from crmlib.data.guessing.table import guess_table
from crmlib.data.guessing.text_format import detect_format
from crmlib.errors import DataError, StudyError

LOG = "customer_id,date,amount\nA,2024-01-05,10\nB,2024-02-16,20\nA,2024-03-07,30\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words, code=0, **more):
    done = CliRunner().invoke(main, [str(word) for word in words], **more)
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def new(project, text, *words, name="orders.csv", encoding="utf-8", **more):
    content = text if isinstance(text, bytes) else text.encode(encoding)
    (project / name).write_bytes(content)
    return run("new", "shop", "--transactions", name, "--force", *words, **more)


def rows():
    frame = crm.open_study("shop").transactions.order_by("date").to_pandas()
    return [(one.customer_id, str(one.date)[:10], one.amount) for one in frame.itertuples()]


# --- written, read by crm new, and read back ---

WORDS = {
    "utf-8": "Łódź Müller 東京 Москва",
    "utf-16": "Łódź Müller 東京 Москва",
    "cp1252": "Müller Köln café niño",
    "cp1250": "książka Łódź pączek Wałęsa",
    "cp1251": "Москва молоко хлеб Иванов",
    "cp932": "東京 牛乳 田中 お茶",
}
_ids = st.text(st.sampled_from("abcXYZ0123456789-_.#/ "), min_size=1, max_size=8).filter(
    lambda text: text == text.strip() and any(sign.isalpha() for sign in text)
)


@pytest.mark.thorough
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    encoding=st.sampled_from(list(WORDS)),
    delimiter=st.sampled_from([",", ";", "\t", "|", "^"]),
    end=st.sampled_from(["\n", "\r\n"]),
    packed=st.sampled_from(["", ".gz", ".bz2", ".zip"]),
    ids=st.lists(_ids, min_size=4, max_size=12, unique=True),
)
def test_any_way_of_writing_text_is_read_back(project, encoding, delimiter, end, packed, ids):
    words = WORDS[encoding].split()
    frame = pd.DataFrame(
        {
            "customer_id": [f"{words[i % len(words)]}{one}" for i, one in enumerate(ids)],
            "date": [f"2024-01-{13 + i}" for i in range(len(ids))],
            "amount": [i + 0.25 for i in range(len(ids))],
            "product": [words[i % len(words)] for i in range(len(ids))],
        }
    )
    content = frame.to_csv(index=False, sep=delimiter, lineterminator=end).encode(encoding)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as open_archive:
        open_archive.writestr("orders.csv", content)
    content = {"": content, ".gz": gzip.compress(content), ".bz2": bz2.compress(content)}.get(
        packed, archive.getvalue()
    )
    given_by_hand = ["--encoding", encoding] if encoding not in ("utf-8", "utf-16", "cp1252") else []
    given_by_hand += ["--delimiter", delimiter] if delimiter == "^" else []
    new(project, content, "--yes", *given_by_hand, name=f"orders.csv{packed}")
    read = crm.open_study("shop").transactions.order_by("date").to_pandas()
    assert read["customer_id"].tolist() == frame["customer_id"].tolist()
    assert read["product"].tolist() == frame["product"].tolist()
    assert read["amount"].tolist() == frame["amount"].tolist()
    assert read["date"].dt.strftime("%Y-%m-%d").tolist() == frame["date"].tolist()


@pytest.mark.thorough
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.text(st.sampled_from("abc 2024-é"), min_size=1, max_size=10).filter(
            lambda name: name == name.strip() and not name.isdecimal()  # that would be its place
        ),
        min_size=1,
        max_size=3,
        unique_by=str.lower,
    ),
    by_place=st.booleans(),
)
def test_sheets_that_are_one_log_are_read_back(project, names, by_place):
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for place, name in enumerate(names):
        sheet = workbook.create_sheet(name)
        sheet.append(["customer_id", "date", "amount", f"extra {place}"])
        sheet.append([f"00{place}", dt.datetime(2024, 1, 20 + place), 9.5 + place, "x"])
    workbook.save(project / "orders.xlsx")
    wanted = [str(place + 1) if by_place else name for place, name in enumerate(names)]
    words = [word for name in wanted for word in ("--sheet", name)] if len(names) > 1 else []
    run("new", "shop", "--transactions", "orders.xlsx", "--force", "--yes", *words)
    assert rows() == [(f"00{i}", f"2024-01-{20 + i}", 9.5 + i) for i in range(len(names))]


def test_a_table_beside_the_log_takes_the_same_options(project):
    new(project, LOG, "--yes")
    spend = "date^channel^amount\n05.01.2024^Wałęsa książka^5\n25.01.2024^żółty^6\n"
    (project / "spend.csv").write_bytes(spend.encode("cp1250"))
    words = ("--encoding", "cp1250", "--delimiter", "^", "--date-format", "%d.%m.%Y", "--yes")
    run("add", "shop", "marketing_spend", "spend.csv", *words)
    spent = crm.open_study("shop").table("marketing_spend").order_by("date").to_pandas()
    assert spent["channel"].tolist() == ["Wałęsa książka", "żółty"]


# --- options that are no answer ---


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--encoding", "cp999"), "found 'cp999'; allowed: an encoding such as utf-8"),
        (("--encoding", "base64"), "found 'base64'; allowed: an encoding"),
        (("--delimiter", "||"), "found '||'; allowed: one sign, such as ; or tab"),
        (("--timezone", "Europe/Berlim"), "found 'Europe/Berlim'; did you mean 'Europe/Berlin'?"),
        (("--date-format", "DD/MM/YYYY"), "found 'DD/MM/YYYY'; allowed: a pattern such as %d/%m/%Y"),
        (("--date-format", "%d/%Q"), "found '%d/%Q'; allowed"),
        (("--sheet", "2024"), "orders.csv: sheet goes with a workbook; leave it out"),
    ],
)
def test_an_option_that_reads_nothing_is_refused(project, words, expected):
    assert expected in new(project, LOG, "--yes", *words, code=2)
    assert not (project / "data" / "shop").exists()


def test_a_sheet_that_is_not_there_and_an_encoding_of_a_workbook(project):
    pd.DataFrame({"customer_id": ["A"], "date": ["2024-01-15"], "amount": [1]}).to_excel(
        "o.xlsx", index=False
    )
    out = run("new", "shop", "--transactions", "o.xlsx", "--sheet", "2024", code=2)
    assert "o.xlsx: no sheet '2024'; name one" in out
    assert "allowed: Sheet1" in out
    out = run("new", "shop", "--transactions", "o.xlsx", "--encoding", "utf-8", code=2)
    assert "o.xlsx: encoding goes with a text file; leave it out" in out


def test_a_study_file_says_the_same(project):
    (project / "study.yaml").write_text(
        "title: S\ntables: {transactions: {source: a.csv, encoding: cp999, date_format: DD.MM.YY, delimiter: ab}}\n"
    )
    with pytest.raises(StudyError) as caught:
        crm.open_study(project / "study.yaml")
    for entry in ("encoding: found 'cp999'", "date_format.0: found 'DD.MM.YY'", "delimiter: found 'ab'"):
        assert f"tables.transactions.{entry}; allowed: " in str(caught.value)


# --- dates that a spreadsheet has swapped ---

SWAPPED = """Customer,Order Date,Sales
A,19/01/2024,10
B,2024-05-02 00:00:00,20
A,2024-03-02 00:00:00,30
B,25/02/2024,5
"""


def test_dates_that_a_spreadsheet_has_half_swapped_are_asked_about(project):
    out = new(project, SWAPPED, "--yes", code=2)
    assert "'Order Date': a spreadsheet seems to have swapped day and month: of 2 dates such as" in out
    assert "--date-format '%d/%m/%Y' --date-format '%Y-%d-%m %H:%M:%S'" in out
    back = ("--date-format", "%d/%m/%Y", "--date-format", "%Y-%d-%m %H:%M:%S")
    new(project, SWAPPED, "--yes", *back)
    assert [day for _id, day, _amount in rows()] == ["2024-01-19", "2024-02-03", "2024-02-05", "2024-02-25"]
    new(project, SWAPPED, "--yes", "--date-format", "%d/%m/%Y", "--date-format", "iso")
    assert [day for _id, day, _amount in rows()] == ["2024-01-19", "2024-02-25", "2024-03-02", "2024-05-02"]


@pytest.mark.parametrize("order", ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y"])
def test_true_dates_beside_texts_in_a_sheet_are_asked_about(project, order):
    workbook = openpyxl.Workbook()
    workbook.active.append(["customer_id", "date", "amount"])
    for day in pd.date_range("2023-01-01", "2023-12-31", freq="3D"):
        written = dt.datetime(day.year, day.day, day.month) if day.day <= 12 else day.strftime(order)
        workbook.active.append(["A", written, 5])
    workbook.save("orders.xlsx")
    out = run("new", "shop", "--transactions", "orders.xlsx", "--yes", code=2)
    assert "a spreadsheet seems to have swapped day and month" in out


@settings(max_examples=4)
@given(st.integers(0, 10**6), st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "both"]))
def test_ordinary_dates_are_not_taken_for_swapped_ones(tmp_path_factory, seed, order):
    days = pd.Series(pd.date_range("2023-01-01", "2024-12-31")).sample(60, random_state=seed)
    other = days.dt.strftime("%Y-%m-%d" if order == "both" else order)
    text = days.dt.strftime("%d/%m/%Y").where(days.index % 2 == 0, other) if order == "both" else other
    file = tmp_path_factory.mktemp("log") / "orders.csv"
    pd.DataFrame({"customer_id": "A", "date": text, "amount": 1}).to_csv(file, index=False)
    guess = guess_table(TRANSACTIONS, file)
    assert not guess.questions
    assert guess.values["date_format"] == {"both": ("iso", "%d/%m/%Y"), "%Y-%m-%d": ()}.get(
        order, (order,)
    ) or set(guess.values["date_format"]) == {"iso", "%d/%m/%Y"}


def texts_of(days, order, swapped=False):
    """Dates as text, with day and month swapped wherever the day is up to 12."""
    other = {"%d/%m/%Y": "%m/%d/%Y", "%m/%d/%Y": "%d/%m/%Y", "%d.%m.%y %H:%M": "%m.%d.%y %H:%M"}[order]
    written = days.dt.strftime(order)
    return written.where(days.dt.day > 12, days.dt.strftime(other)) if swapped else written


@pytest.mark.parametrize(
    ("order", "first", "last"),
    [
        ("%d/%m/%Y", "2023-01-03", "2024-05-16"),
        ("%m/%d/%Y", "2023-08-01", "2023-11-20"),
        ("%d.%m.%y %H:%M", "2023-08-01", "2023-11-20"),
    ],
)
def test_texts_with_swapped_days_and_months_are_asked_about(project, order, first, last):
    days = pd.Series(pd.date_range(first, last).repeat(3))
    log = pd.DataFrame({"customer_id": "A", "date": texts_of(days, order, swapped=True), "amount": 5})
    text = log.to_csv(index=False)
    out = new(project, text, "--yes", code=2)
    back = re.search(r"swapped back: --date-format '(.*?)' --date-format '(.*?)'; or", out)
    assert "a spreadsheet seems to have swapped day and month where the day is up to 12" in out
    assert back[2] == order
    new(project, text, "--yes", "--date-format", back[1], "--date-format", back[2])
    assert [day for _id, day, _amount in rows()] == [*days.dt.strftime("%Y-%m-%d")]
    new(project, text, "--yes", "--date-format", order)


@settings(max_examples=12)
@given(
    st.integers(0, 10**6), st.sampled_from([40, 200, 500, 900]), st.sampled_from([1, 3]),
    st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y %H:%M"]),
)  # fmt: skip
def test_ordinary_texts_are_not_taken_for_swapped_ones(seed, length, fading, order):
    random = np.random.default_rng(seed)
    later = (random.random(300) ** fading * length).astype(int)
    days = pd.Series(pd.Timestamp("2022-01-01") + pd.to_timedelta(later + seed % 365, unit="D"))
    texts = ibis.memtable(pd.DataFrame({"date": texts_of(days, order)}))
    assert "swapped" not in guess_dates(texts.date).question


# --- dates that are numbers, or that nothing reads ---

DAYS = pd.Series(pd.to_datetime(["2024-01-05", "2024-02-16", "2024-03-27"]))
SINCE_1970 = (DAYS - pd.Timestamp("1970-01-01")) // pd.Timedelta(1, "s")


@pytest.mark.parametrize(
    ("numbers", "found", "name"),
    [
        (SINCE_1970, "unix", "orders.csv"),
        (SINCE_1970 * 1000, "milliseconds since 1970-01-01", "orders.parquet"),
        (SINCE_1970 * 10**6, "microseconds since 1970-01-01", "orders.jsonl"),
        (SINCE_1970 * 10**9, "nanoseconds since 1970-01-01", "orders.csv"),
        (SINCE_1970 // 86_400, "days since 1970-01-01", "orders.csv"),
        (SINCE_1970 // 86_400, "days since 1970-01-01", "orders.parquet"),
        (SINCE_1970 // 86_400 + 25_569, "excel", "orders.csv"),
        (SINCE_1970 // 86_400 + 25_569, "excel", "orders.jsonl"),
    ],
)
def test_dates_that_are_counted_are_read(project, numbers, found, name):
    frame = pd.DataFrame({"customer_id": ["A", "B", "A"], "date": numbers, "amount": [1.5, 2, 3]})
    if name.endswith("csv"):
        frame.to_csv(name, index=False)
    elif name.endswith("jsonl"):
        frame.to_json(name, orient="records", lines=True)
    else:
        frame.to_parquet(name)
    run("new", "shop", "--transactions", name, "--yes")
    assert crm.open_study("shop").file.tables["transactions"].date_format == (found,)
    assert [day for _id, day, _amount in rows()] == ["2024-01-05", "2024-02-16", "2024-03-27"]


def test_dates_in_an_unknown_format_are_a_question(project):
    days = "customer_id,date,amount\nA,1,10\nB,250,20\nA,711,30\n"
    out = new(project, days, "--yes", code=2)
    assert (
        "'date': 3 of 3 dates cannot be read, such as '250'; if they count days, say from which day on" in out
    )
    new(project, days, "--yes", "--date-format", "days since 2023-01-01")
    assert [day for _id, day, _amount in rows()] == ["2023-01-02", "2023-09-08", "2024-12-12"]


def test_many_unreadable_dates_are_a_question_and_one_typing_error_is_not(project):
    lines = [f"A,2024-01-{day},5" for day in range(10, 28)]
    odd = "\n".join(
        ["customer_id,date,amount", *lines, "A,29th of January 24,5", "A,30th of January 24,5", ""]
    )
    assert "2 of 20 dates cannot be read, such as '29th of January 24'" in new(project, odd, "--yes", code=2)
    new(project, odd.replace("29th of January 24", "2024-01-32").replace("30th of January 24", ""), "--yes")


# --- time zones ---


def test_a_time_zone_that_moves_days_is_reported(project):
    log = "customer_id,date,amount\nA,2024-01-05T23:30:00Z,10\nB,2024-02-16T10:00:00Z,20\n"
    assert "the dates are written in UTC, and so are the days; if the firm's" in new(project, log, "--yes")
    out = new(project, log, "--yes", "--timezone", "Asia/Tokyo")
    assert "named by you; it moves 1 of 2 dates with an offset to another day" in out
    assert [day for _id, day, _amount in rows()] == ["2024-01-06", "2024-02-16"]
    assert "on another day than written: days begin in Asia/Tokyo (timezone) 1" in run("check", "shop")
    out = new(project, LOG, "--yes", "--timezone", "Asia/Tokyo")
    assert "named by you; it moves none, for none has an offset" in out


def test_a_frame_of_moments_says_which_days_are_moved():
    moments = pd.to_datetime(["2024-01-05 00:00", "2024-02-16 12:00"]).tz_localize("Asia/Tokyo")
    log = pd.DataFrame({"customer_id": ["A", "B"], "date": moments, "amount": [1.0, 2.0]})
    assert crm.open_study(log).quality.values[["what", "rows"]].to_numpy().tolist() == [
        ["on another day than written: days begin in UTC (timezone)", 1]
    ]
    for zone in ("Asia/Tokyo", "as written"):
        there = crm.open_study(log, timezone=zone)
        assert there.quality.values.empty
        assert str(there.transactions.date.min().to_pyarrow().as_py()) == "2024-01-05 00:00:00"


# --- text that is not Western ---


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1250", "książka Łódź pączek Wałęsa świeca"),
        ("cp1250", "Wartość zł"),
        ("cp1250", "Plzeň Dvořák řízek růžový žlutý"),
        ("cp1250", "Győr szőlő hűtő időjárás őszi"),
        ("cp1254", "İstanbul Şişli kırmızı yağ ekmeği"),
        ("cp1251", "Москва хлеб молоко сыр масло"),
        ("koi8_r", "Москва хлеб молоко сыр масло"),
        ("cp866", "Москва хлеб молоко сыр масло"),
        ("cp1253", "Αθήνα ψωμί γάλα τυρί καφές"),
        ("cp1255", "ירושלים לחם חלב גבינה קפה"),
        ("cp1257", "šaltibarščiai ąžuolas ėjimas žalias ūkis"),
        ("cp932", "東京 パン 牛乳 チーズ 田中"),
        ("gb18030", "北京 面包 牛奶 奶酪 黄油"),
        ("big5", "台北 麵包 牛奶 乳酪 奶油"),
        ("cp949", "서울 우유 치즈 버터 커피"),
        ("mac_roman", "Müller Größe Äpfel Straße Öl"),
        ("cp850", "Müller Größe Köln Straße Käse"),
    ],
)
def test_text_that_is_not_western_is_asked_about(project, encoding, words):
    (project / "orders.csv").write_bytes(of_products(words).encode(encoding))
    (question,) = detect_format(project / "orders.csv", {"delimiter": ";"})
    assert "the text is neither UTF-8 nor a language of Western Europe: a word is" in question.text
    assert encoding in question.answers
    if encoding in (
        "cp932",
        "cp1254",
        "mac_roman",
    ):  # what is read with the answer is read in the same way for all
        assert f"encoding: {question.text}" in new(
            project, of_products(words), "--yes", encoding=encoding, code=2
        )
        new(project, of_products(words), encoding=encoding, input=f"{encoding}\n")
        assert set(crm.open_study("shop").transactions.to_pandas()["product"]) == set(words.split())


def of_products(words):
    lines = [f"A{i};2024-01-{13 + i};{i}.50;{word}" for i, word in enumerate(words.split())]
    return "\n".join(["customer_id;date;amount;product", *lines, ""])


@pytest.mark.parametrize(
    "words",
    [
        "Müller Köln Größe Hüte Fußball",
        "café crème François brûlée Noël créée cœur",
        "niño jamón azúcar 1ª 5½ 20°C",
        "São João coração açúcar pão camarões",
        "Göteborg Västerås smörgås Åke",
        "København smørrebrød æble Ærø",
        "città perché più però",
        "£5 £Party ½ “Tea” d’été CAFÉ",
        "Häagen-Dazs Citroën Nestlé Beyoncé jalapeño Škoda",
    ],
)
def test_western_text_is_not_asked_about(project, words):
    (project / "orders.csv").write_bytes(of_products(words).encode("cp1252"))
    (found,) = detect_format(project / "orders.csv", {"delimiter": ";"})
    assert isinstance(found, Finding)
    assert (found.entry, found.value) == ("encoding", "cp1252")


def test_western_text_is_read_back(project):
    words = "Häagen-Dazs Citroën Nestlé Beyoncé jalapeño Škoda ½ “Tea”"
    new(project, of_products(words), "--yes", encoding="cp1252")
    assert set(crm.open_study("shop").transactions.to_pandas()["product"]) == set(words.split())


# --- firms without a purchase log ---


def test_a_firm_without_a_log_begins_with_its_contracts_or_its_table_of_customers(project):
    contracts = "customer_id,started,ended,monthly_fee\nA,2023-01-15,,10\nB,2023-02-20,2023-12-31,20\n"
    (project / "contracts.csv").write_text(contracts)
    words = ("new", "shop", "--subscriptions", "contracts.csv", "--yes", "--currency", "EUR")
    assert "the last day that the table covers: --as-of 2024-06-30" in run(*words, code=2)
    run(*words, "--as-of", "2024-06-30")
    shop = crm.open_study("shop")
    assert (shop.currency, shop.as_of) == ("EUR", dt.date(2024, 6, 30))
    assert shop.table("subscriptions").count().to_pyarrow().as_py() == 2
    (project / "facts.csv").write_text("customer_id,age,churned\nA,30,no\nB,40,yes\n")
    run("new", "other", "--customer-features", "facts.csv", "--as-of", "2024-06-30", "--yes")
    assert crm.open_study("other").table("customer_features").age.to_pandas().tolist() == [30, 40]
    assert "name one file: --transactions" in run("new", "none", "--yes", code=2)


# --- files that hold one column, or JSON, or Feather ---


def test_one_column_names_the_delimiter_as_the_cause(project):
    text = LOG.replace(",", "~")
    out = new(project, text, "--yes", code=2)
    assert "orders.csv: There is one column alone, 'customer_id~date~amount'" in out
    assert "name it under `delimiter` (crm new: --delimiter)" in out
    (project / "data" / "shop").mkdir()
    (project / "data" / "shop" / "study.yaml").write_text(
        "title: S\ntables: {transactions: {source: ../../orders.csv}}\n"
    )
    with pytest.raises(DataError, match="There is one column alone"):
        _ = crm.open_study("shop").transactions


@pytest.mark.thorough
def test_json_and_feather_hold_the_same_rows(project):
    frame = pd.DataFrame(
        {"customer_id": ["007", "B"], "date": ["2024-01-05T23:30:00+02:00", "2024-02-16"], "amount": [9.5, 7]}
    )
    frame.to_json("lines.ndjson", orient="records", lines=True)
    frame.to_json("array.json", orient="records")
    frame.to_feather("orders.feather")
    (project / "orders.csv.zst").write_bytes(
        pa.compress(frame.to_csv(index=False).encode(), "zstd", asbytes=True)
    )
    for name in ("lines.ndjson", "array.json", "orders.feather", "orders.csv.zst"):
        run("new", "shop", "--transactions", name, "--yes", "--force")
        assert rows() == [("007", "2024-01-05", 9.5), ("B", "2024-02-16", 7.0)]
