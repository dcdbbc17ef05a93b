"""A table whose columns the firm names itself."""

import pandas as pd

import crmlib as crm


def study_of(tmp_path, text, **entry):
    (tmp_path / "people.csv").write_text(text)
    extra = "".join(f", {key}: {value}" for key, value in entry.items())
    (tmp_path / "study.yaml").write_text(
        "title: A firm\nas_of: 2024-12-31\ntables:\n  customer_features:\n"
        f"    {{source: people.csv, columns: {{customer_id: CustNo, churned: Gone}}{extra}}}\n"
    )
    return crm.open_study(tmp_path / "study.yaml")


def test_free_columns_are_numbers_or_text_and_nobody_s_address_is_kept(tmp_path):
    study = study_of(
        tmp_path,
        "CustNo;Gone;Monthly Bill;plan;email;reason\n007;Yes;12,50;A;a@b.c;price\n008;No;1.200,00;B;;\n009;;NA;A;;\n",
        delimiter='";"', decimal='","',
    )  # fmt: skip
    frame = study.table("customer_features").to_pandas()
    assert frame["customer_id"].tolist() == ["007", "008", "009"]
    assert frame["churned"].tolist()[:2] == ["Yes", "No"]
    assert frame["churned"].isna().tolist() == [False, False, True]
    assert frame["Monthly Bill"].tolist()[:2] == [12.5, 1200.0]
    assert frame["plan"].tolist() == ["A", "B", "A"]
    assert frame["reason_"].tolist()[0] == "price"  # the cleaning has a column of that name itself
    assert "email" not in frame
    assert frame["has_email"].tolist() == [True, False, False]


def test_an_outcome_that_became_known_after_as_of_is_not_known(tmp_path):
    text = (
        "CustNo,Gone,date,outcome_known_on,x\n1,Yes,2024-01-31,2024-04-30,5\n2,Yes,2024-11-30,2025-02-28,6\n"
    )
    frame = study_of(tmp_path, text).table("customer_features").to_pandas()
    assert frame["churned"].tolist()[0] == "Yes"
    assert frame["churned"].isna().tolist() == [False, True]
    assert frame["date"].tolist() == [pd.Timestamp("2024-01-31"), pd.Timestamp("2024-11-30")]


def test_a_factor_behind_a_number_is_reported(tmp_path):
    study = study_of(tmp_path, "CustNo,Gone,term,seats\n1,Yes,12M,4\n2,No,24M,5\n3,No,6,6\n")
    assert study.table("customer_features").to_pandas()["term"].tolist() == [12e6, 24e6, 6.0]
    (_title, values), *_others = [
        (title, frame) for title, frame in study.quality.tables_found.items() if "what" in frame
    ]
    counts = values[values["column"] == "term"].set_index("what")["rows"]
    assert counts.to_dict() == {"12M read as 12000000": 1, "24M read as 24000000": 1}
    assert not (values["column"] == "seats").any()
