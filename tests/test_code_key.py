"""What an edit of the library makes anew: what it can change, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

from crmlib.data.code_key import code_key, modules_named, modules_reached
from crmlib.data.kept import CLEANING

# A log and an optional table, from every kind of file, cleaned in a process of its own.
CLEAN = """
import json, sys, crmlib
before = set(sys.modules)
from pathlib import Path
import pandas as pd
from crmlib.data.cleaning.clean import clean_table
from crmlib.data.contracts import CONTRACTS
from crmlib.data.policies import Policies, Reading
from crmlib.data.sources import open_table

folder = Path(sys.argv[1])
log = pd.DataFrame({"customer_id": ["1", "1", "1"], "date": ["2024-01-05", "2024-02-05", "2024-02-06"],
                    "amount": ["10", "-10", "x"], "status": ["paid"] * 3, "order_id": ["a", "b", "b"]})
log.to_csv(folder / "a.csv", index=False)
(folder / "b.csv").write_text((folder / "a.csv").read_text() + "just words\\n")
log.to_parquet(folder / "c.parquet")
log.to_excel(folder / "d.xlsx", index=False)
import duckdb
with duckdb.connect(folder / "e.duckdb") as store:
    store.sql("CREATE TABLE log AS FROM log")
for file in sorted(folder.glob("?.*")):
    raw = open_table(file, keep_bad_lines=True)
    clean_table(raw, CONTRACTS["transactions"], Reading(currency="EUR"), folder)
features = pd.DataFrame({"customer_id": ["1"], "churned": ["no"], "tenure": ["4"]})
clean_table(open_table(features), CONTRACTS["customer_features"], Reading(hash_secret="x" * 16), folder)
print(json.dumps(sorted(one for one in set(sys.modules) - before if one.startswith("crmlib."))))
"""


def test_the_key_of_a_cleaned_table_covers_all_code_that_cleans_and_no_other(tmp_path):
    words = [sys.executable, "-c", CLEAN, str(tmp_path)]
    imported = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    hashed = modules_reached(CLEANING)
    assert {"crmlib.data.cleaning.returns", "crmlib.data.files.excel"} <= set(imported)
    assert set(imported) <= set(hashed)
    other = ("crmlib.simulation", "crmlib.data.guessing", "crmlib.report", "crmlib.cli", "crmlib.study")
    assert not [name for name in hashed if name.startswith(other)]


def test_imports_are_found_wherever_they_stand():
    code = """
from crmlib.data import sources
import crmlib.units

if TYPE_CHECKING:
    from crmlib.study import Study

def late():
    from crmlib.report import (
        pages,  # templates
        publish,
    )
    # >>> from crmlib.errors import DataError
"""
    assert set(modules_named(code)) == {
        "crmlib.data",
        "crmlib.data.sources",
        "crmlib.units",
        "crmlib.report",
        "crmlib.report.pages",
        "crmlib.report.publish",
    }


def test_a_key_is_that_of_the_code(tmp_path):
    root = Path(__file__).parents[1]
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from crmlib.data.code_key import code_key; "
    script += "print(code_key('crmlib.units'))"
    (tmp_path / "crmlib/data").mkdir(parents=True)
    for name in ("__init__", "data/__init__", "data/code_key", "units"):
        text = "" if name.endswith("__init__") else (root / "crmlib" / f"{name}.py").read_text()
        (tmp_path / "crmlib" / f"{name}.py").write_text(text)

    def key():
        words = [sys.executable, "-c", script]
        return subprocess.run(words, check=True, capture_output=True, text=True, cwd=tmp_path).stdout

    first = key()
    (tmp_path / "crmlib" / "errors.py").write_text("# not imported\n")
    with (tmp_path / "crmlib" / "units.py").open("a") as module:
        module.write("\n")
    assert key() != first
    assert code_key("crmlib.units") == code_key("crmlib.units")
