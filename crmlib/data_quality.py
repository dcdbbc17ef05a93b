"""The data check of a study: every row accounted for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from crmlib.data.cleaned import sha256
from crmlib.places import cache_folder

if TYPE_CHECKING:
    from crmlib.study import Study


class DataQuality:
    """The data check of a study: every row accounted for."""

    def __init__(self, study: Study) -> None:
        self._study = study

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Rows and money by fate: in the source = used + after `as_of` + set aside with a reason.

        Columns `fate, rows, amount` (the study's currency); the first row is the sum of the others.
        """
        rows = pd.DataFrame(self._study.cleaning.rows)
        everything, seen = self._study.all_transactions, self._study.transactions
        counts = [
            table.agg(rows=table.count(), amount=table.amount.cast("decimal(38, 4)").sum())
            .to_pyarrow()
            .to_pylist()[0]
            for table in (everything, seen)
        ]
        used, within = ({**one, "amount": one["amount"] or 0} for one in counts)
        rows.loc[1, ["rows", "amount"]] = [within["rows"], float(within["amount"])]
        after = {
            "fate": f"after {self._study.as_of}",
            "rows": used["rows"] - within["rows"],
            "amount": float(used["amount"] - within["amount"]),
        }
        rows = pd.concat([rows[:2], pd.DataFrame([after]), rows[2:]], ignore_index=True)
        assert rows["rows"][0] == rows["rows"][1:].sum(), "rows do not add up; this is a fault of crmlib"
        assert abs(rows["amount"][0] - rows["amount"][1:].sum()) < 0.005, "money does not add up"
        return rows.astype({"rows": "int64"})

    @property
    def policies(self) -> pd.DataFrame:
        """What each decision concerns: columns `policy, setting, rows, amount`."""
        return pd.DataFrame(self._study.cleaning.policies)

    @property
    def sources(self) -> pd.DataFrame:
        """The source files: columns `file, rows, sha256`."""
        study, entries = self._study, self._study.cleaning.sources
        if study.frame is not None:
            return pd.DataFrame(entries).assign(sha256=None)
        cache = cache_folder(study.root)
        return pd.DataFrame(
            [
                {
                    "file": Path(one["file"]).name,
                    "rows": one["rows"],
                    "sha256": sha256(Path(one["file"]), cache),
                }
                for one in entries
            ]
        )

    @cached_property
    def quarantine(self) -> pd.DataFrame:
        """The rows set aside, with `reason`, place in the source and their text as written."""
        return pd.read_parquet(self._study.cleaned_folder / "quarantine.parquet")
