"""Scores of Parquet tables against the same scores in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crmlib import BetaGeoModel, GammaGammaModel, ParetoNBDModel
from crmlib.errors import DataError
from crmlib.models import scoring

BG = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W")
SPEND = GammaGammaModel.from_params(p=6.25, q=3.74, v=15.44)


@pytest.fixture
def source(cdnow_summary: pd.DataFrame, tmp_path: Path) -> Path:
    data = cdnow_summary.assign(note="kept")
    data.loc[3, "monetary_value"] = -5.0  # returned more than bought
    data.to_parquet(tmp_path / "customers.parquet")
    return tmp_path / "customers.parquet"


def scored(source: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The customers, and what was written of them in the same order."""
    before, after = pd.read_parquet(source), pd.read_parquet(source.with_name("scored.parquet"))
    pd.testing.assert_frame_equal(
        after[before.columns].sort_values("customer_id", ignore_index=True),
        before.sort_values("customer_id", ignore_index=True),
    )
    return before, after.set_index("customer_id").loc[before["customer_id"]].reset_index()


@pytest.mark.parametrize(
    "model", [BG, ParetoNBDModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669, time_unit="W")]
)
def test_scores_are_those_in_memory(source: Path, model) -> None:
    rows = model.score_parquet(source, source.with_name("scored.parquet"), future_t="39W", spend_model=SPEND)
    before, after = scored(source)
    assert rows == len(before)
    for column, expected in {
        "expected_purchases": model.expected_purchases(before, "39W"),
        "p_alive": model.expected_probability_alive(before),
        "expected_spend": SPEND.expected_customer_spend(before),
    }.items():
        np.testing.assert_allclose(after[column], expected, rtol=1e-9)


def test_histories_that_share_a_number_are_distinguished(source: Path, monkeypatch) -> None:
    monkeypatch.setattr(scoring, "_SAME_HISTORY", ("c.T = s.T", scoring._SAME_HISTORY[1]))
    rows = BG.score_parquet(source, source.with_name("scored.parquet"), future_t="39W")
    before, after = scored(source)
    assert rows == len(before)
    np.testing.assert_allclose(after["p_alive"], BG.expected_probability_alive(before), rtol=1e-9)


def test_several_files_and_a_small_memory(cdnow_summary: pd.DataFrame, tmp_path: Path) -> None:
    for part in range(3):
        cdnow_summary.assign(part=part).to_parquet(tmp_path / f"part-{part}.parquet")
    target = tmp_path / "scored.parquet"
    rows = BG.score_parquet(tmp_path / "part-*.parquet", target, future_t=39, memory_limit="200MB")
    assert rows == 3 * len(cdnow_summary)
    assert pd.read_parquet(target)["part"].value_counts().tolist() == [len(cdnow_summary)] * 3


def test_a_refusal_leaves_the_target_alone(source: Path, cdnow_summary: pd.DataFrame) -> None:
    target = source.with_name("scored.parquet")
    target.write_text("what was there")
    for column, value, words in [
        ("recency", 1e6, "recency is later than T"),
        ("T", np.nan, "T is missing"),
        ("monetary_value", np.nan, "monetary_value is missing or infinite in 1 of 2,357"),
        ("p_alive", 0.5, "has p_alive already"),
    ]:
        data = cdnow_summary.assign(**{column: cdnow_summary.get(column, value)})
        data.loc[data["frequency"].idxmax(), column] = value
        data.to_parquet(source)
        with pytest.raises(DataError, match=words):
            BG.score_parquet(source, target, future_t=39, spend_model=SPEND)
    cdnow_summary.drop(columns="T").to_parquet(source)
    with pytest.raises(DataError, match="lacks T"):
        BG.score_parquet(source, target, future_t=39)
    assert target.read_text() == "what was there"
    assert {one.name for one in source.parent.iterdir()} == {"customers.parquet", "scored.parquet"}


@pytest.mark.parametrize("kind", ["INTEGER", "HUGEINT", "DECIMAL(9, 0)", "FLOAT"])
def test_every_type_of_number_is_scored(kind, tmp_path):
    """Whatever the way to the scores and back makes of a type, every customer is found again."""
    import duckdb

    source, target = tmp_path / "customers.parquet", tmp_path / "scored.parquet"
    columns = f'i::{kind} AS frequency, (7 * i)::{kind} AS recency, 50::{kind} AS "T"'
    duckdb.sql(f"COPY (SELECT {columns} FROM range(5) t(i)) TO '{source}' (FORMAT parquet)")
    assert BG.score_parquet(source, target, future_t=52) == 5
    found = pd.read_parquet(target).astype(float).sort_values("frequency")
    expected = BG.expected_purchases(found[["frequency", "recency", "T"]], future_t=52)
    np.testing.assert_allclose(found["expected_purchases"], expected, rtol=1e-12)
