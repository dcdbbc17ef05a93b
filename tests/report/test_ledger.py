"""Six months of reports of one firm: each locks its forecasts, later ones score them, nothing locked ever changes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner

from crmlib.cli import main
from crmlib.relationship.allocation import keyed_hashes
from tests.relationship.test_track_record import a_log

LOG = a_log(30)
# Somebody buys on the last day of each month, so that each month is known whole.
ENDS = pd.DataFrame(
    {"customer_id": "0", "date": pd.date_range("2022-01-31", "2024-06-30", freq="ME"), "amount": 5.0}
)
LOG = pd.concat([LOG, ENDS], ignore_index=True)
DECISIONS = Path(__file__).parents[2] / "notebooks" / "12_decisions.ipynb"
DAYS = ["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31"]


def report(root: Path, day: str, *asked: str) -> dict:
    """Run the report on the log as it was on a day, and return run.json."""
    LOG[LOG["date"] <= day].to_csv(root / "data" / "shop" / "log.csv", index=False)
    output = CliRunner().invoke(main, ["report", "shop", "--jobs", "1", *asked])
    assert output.exit_code == 0, output.output
    return json.loads((root / "reports" / "shop" / "latest" / "run.json").read_text())


def digests(ledger: Path) -> dict[str, str]:
    return {
        str(path.relative_to(ledger)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in ledger.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the last chapter alone."""
    (tmp_path / "data" / "shop").mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    notebook = nbformat.read(DECISIONS, as_version=4)
    notebook.metadata["crmlib"]["reads_if_there"] = []
    nbformat.write(notebook, tmp_path / "notebooks" / DECISIONS.name)
    study = (
        "title: Shop\ncurrency: EUR\nmargin: 0.5\nas_of: latest\ntables:\n  transactions: {source: log.csv}\n"
    )
    (tmp_path / "data" / "shop" / "study.yaml").write_text(study)
    rules = "rule,action,when,unless,why,worth,change,cost,experiment\n"
    rules += "letter,write,,,known to the firm,purchase,0.9,0.1,\n"
    (tmp_path / "data" / "shop" / "rules.csv").write_text(rules)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_six_months_of_forecasts_are_locked_scored_and_never_changed(project):
    ledger, before, keys = project / "reports" / "shop" / "ledger", {}, []
    for number, day in enumerate(DAYS):
        record = report(project, day)
        keys.append(record["ledger"])
        now = digests(ledger)
        assert before.items() <= now.items(), "what was locked has changed"
        assert len({path.split("/")[0] for path in now}) == number + 1
        before = now
    assert len({*keys}) == len(DAYS)  # each run read another ledger, and run.json says which
    again = report(project, DAYS[-1])
    assert again["ledger"] == keys[-1]
    assert again["notebooks"][0]["status"] == "cached"  # what a run has locked itself is no change for it
    assert digests(ledger) == before

    latest = project / "reports" / "shop" / "latest"
    record = pd.read_parquet(latest / "tables" / "track_record.parquet")
    month = record.query("horizon == 'month' and measure == 'revenue' and customers == 'all'")
    assert month["target"].dt.strftime("%Y-%m").tolist() == ["2024-01", "2024-02", "2024-03", "2024-04"]
    assert month["counted"].all()
    for row in month.itertuples():
        within = LOG["date"].between(row.target, row.target_end + pd.Timedelta(1, "D"), inclusive="left")
        assert row.actual == pytest.approx(LOG.loc[within, "amount"].sum())
    scored = record.groupby(["origin", "horizon"])["scored_on"].nunique()
    assert (scored == 1).all()
    page = (latest / "index.html").read_text()
    assert "Of 4 earlier forecasts of the next month’s revenue" in page.replace("'", "’").replace(
        "&#39;", "’"
    )
    assert "Of the list “letter”" in page  # page one opens with what became of the lists

    customers = pd.read_parquet(latest / "tables" / "customer_record.parquet")
    month = customers.query("event == 'buys' and horizon == 'month'")
    assert month["target"].dt.strftime("%Y-%m").tolist() == ["2024-01", "2024-02", "2024-03", "2024-04"]
    lists = [pd.read_parquet(ledger / day / "next_actions.parquet") for day in DAYS]
    for row in month.itertuples():
        mine = pd.concat([one for one in lists if one["assigned"].iloc[0] in (row.origin, row.target_end)])
        alone = {*mine.loc[mine["left_out"], "customer_id"]} - {*mine.loc[~mine["left_out"], "customer_id"]}
        chances = pd.read_parquet(ledger / str(row.origin.date()) / "customer_chances.parquet")
        chances = chances[chances["who"].isin(keyed_hashes(alone, "shop "))].set_index("who")["buys_month"]
        within = LOG["date"].between(row.target, row.target_end + pd.Timedelta(1, "D"), inclusive="left")
        bought = chances.index.isin(keyed_hashes(LOG.loc[within, "customer_id"].unique(), "shop "))
        assert row.holdout
        assert (row.customers, row.happened) == (len(chances), bought.sum())
        assert row.brier == pytest.approx(((chances - bought) ** 2).mean())
    assert (ledger / DAYS[0] / "customer_chances.parquet").stat().st_size < 20 * LOG[
        "customer_id"
    ].nunique() + 5_000
    each = round(month["customers"].mean())
    assert f"next month: 4 targets with {each} customers left out by chance on average; " in page

    first = pd.read_parquet(ledger / DAYS[0] / "next_actions.parquet")
    last = pd.read_parquet(ledger / DAYS[-1] / "next_actions.parquet")
    left = {*first.loc[first["left_out"], "customer_id"]}
    assert left
    assert left <= {*last.loc[last["left_out"], "customer_id"]}  # later months keep who is left alone

    output = CliRunner().invoke(main, ["prune", "shop", "--keep", "1"])
    assert output.exit_code == 0
    assert digests(ledger) == before
