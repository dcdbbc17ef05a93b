"""Lists for other programs: nobody without consent or address, nobody left out by chance, all counted."""

from __future__ import annotations

import io

import pandas as pd
import pytest

import crmlib as crm
from crmlib.errors import RunError, StudyError
from crmlib.report.exports import FORMS, export_list
from crmlib.study.results import NotebookResults

PEOPLE = pd.DataFrame({
    "customer_id": list("abcdef"),
    "email": ["A@x.de", "b@x.de", "a@x.de", "no address", None, "f@x.de"],
    "consent": ["yes", "no", "yes", "yes", "yes", "yes"],
})  # fmt: skip
LOG = pd.DataFrame({"customer_id": list("abcdef"), "date": pd.Timestamp("2024-01-05"), "amount": 9.0})


@pytest.fixture
def publish(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path / "run"))
    listed = pd.DataFrame({"customer_id": list("abcdef"), "left_out": [False] * 5 + [True]})
    listed = listed.assign(
        next_action="=cmd|'/c calc'!A1", reason="silent", expected_gain=1.5, gain_low=0.0, gain_high=3.0
    )
    listed = listed.assign(
        cost=1.0, assumed=True, rule="letter", assigned="2024-01-05", owner="", done_on="", outcome=""
    )
    customers = pd.DataFrame({"customer_id": list("abcdef"), "segment": "Loyal", "tier": None, "clv": 12.345})

    def opened(personal: str, listed: pd.DataFrame | None = listed, people: pd.DataFrame = PEOPLE):
        results = NotebookResults("12_decisions", tmp_path / "run")
        if listed is not None:
            results.table("next_actions", listed)
            results.table("customers", customers.assign(next_product=None))
        (tmp_path / "shop").mkdir(exist_ok=True)
        LOG.to_csv(tmp_path / "shop" / "log.csv", index=False)
        people.to_csv(tmp_path / "shop" / "people.csv", index=False)
        (tmp_path / "shop" / "study.yaml").write_text(
            f"title: Shop\ncurrency: EUR\npersonal_columns: {personal}\ntables:\n"
            "  transactions: {source: log.csv}\n  customers: {source: people.csv}\n"
        )
        return crm.open_study(str(tmp_path / "shop" / "study.yaml"))

    return opened


@pytest.mark.parametrize("to", ["klaviyo", "meta"])
def test_addresses_go_out_with_consent_once_and_all_others_are_counted(publish, tmp_path, to):
    path, message = export_list(publish("keep"), to, tmp_path)
    rows = pd.read_csv(path, dtype=str)
    assert list(rows.columns) == list(FORMS[to])
    assert rows.iloc[:, 0].tolist() == ["a@x.de"]
    assert message == (
        "1 customer of 6 on the list; not in it: 1 left out by chance, 1 without consent, 2 without an e-mail address "
        "and 1 with an address twice."
    )


def test_without_kept_addresses_or_consent_it_is_refused_with_the_cure(publish, tmp_path):
    with pytest.raises(StudyError, match="personal_columns: keep"):
        export_list(publish("drop"), "klaviyo", tmp_path)
    with pytest.raises(StudyError, match="needs the column consent"):
        export_list(publish("keep", people=PEOPLE.drop(columns="consent")), "meta", tmp_path)
    assert not list(tmp_path.glob("*.csv"))


def test_a_spreadsheet_needs_no_address_and_runs_no_formula(publish, tmp_path):
    path, message = export_list(publish("drop"), "spreadsheet", tmp_path)
    assert message == "5 customers of 6 on the list; not in it: 1 left out by chance."
    raw = path.read_bytes()
    assert raw.startswith("\N{ZERO WIDTH NO-BREAK SPACE}".encode())
    rows = pd.read_csv(io.BytesIO(raw), encoding="utf-8-sig")
    assert rows["next_action"].str.startswith("'=").all()
    assert {"owner", "done_on", "outcome", "rule", "customer_id"} <= {
        *rows.columns
    }  # what actions_done reads
    assert "email" not in rows


def test_without_a_list_it_says_how_to_make_one(publish, tmp_path):
    with pytest.raises(RunError, match="crm report makes one"):
        export_list(publish("drop", listed=None), "spreadsheet", tmp_path)
