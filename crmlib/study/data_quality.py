"""The data check of a study: every row is counted."""

from __future__ import annotations

import datetime as dt
import math
from functools import cached_property
from typing import Any

import ibis
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.reconcile import countable
from crmlib.data.cleaning.steps import LEFT_OUT
from crmlib.data.contracts import CONTRACTS
from crmlib.data.contracts.known_at import dated_up_to, known_at
from crmlib.data.kept import QUARANTINE, CleaningReport
from crmlib.data.reading_gates import Read, reading_gates, shares_lost
from crmlib.data.suspects import near_spellings, orphan_keys
from crmlib.findings import with_finding
from crmlib.study.tables import CleanedTables


class DataQuality:
    """The data check of a study: rows and money by outcome, of the purchase log and of the tables beside it."""

    def __init__(self, cleaned: CleanedTables, as_of: dt.date) -> None:
        self._cleaned, self._as_of = cleaned, as_of

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Rows and money by outcome: in the source = used + after `as_of` + set aside with a reason.

        Columns `outcome, rows, amount` (the study's currency); the first row is the sum of the others. The amount of
        rows none of which has one that can be read is not known, and in no sum.
        """
        rows = self._outcomes("transactions")
        return with_finding(rows[["outcome", "rows", "amount"]].astype({"rows": "int64"}), _rows_used)

    @cached_property
    def gates(self) -> pd.DataFrame:
        """What was lost or changed when the tables were read, gate by gate; see `crmlib.data.reading_gates`."""
        tables = {}
        for name in self._cleaned.file.tables:
            report = self._cleaned.report(name)
            id_column = report.columns.get("customer_id", "")
            tables[name] = Read(self._cleaned.rows(name), id_column, report.values)
        hashed = self._cleaned.hash_secret is not None
        return reading_gates(tables, self._lost, self._used, hashed=hashed)

    @cached_property
    def shares_lost(self) -> dict[str, float]:
        """What of the log was lost on reading; see `crmlib.data.reading_gates.shares_lost`."""
        return shares_lost(self._lost, self._used)

    @cached_property
    def _used(self) -> dict[str, float]:
        """Rows of the log that are used, and their money without signs."""
        rows = self._cleaned.rows("transactions")
        return rows.agg(rows=rows.count(), money=rows.amount.abs().sum()).to_pyarrow().to_pylist()[0]

    @cached_property
    def _lost(self) -> pd.DataFrame:
        """The log's rows set aside, by reason: `rows`, `money` (without signs), `unknown` (rows whose money is)."""
        aside = self._cleaned.aside("transactions")
        sized = aside.select("reason", size=aside.readable_amount.cast("float64").abs()).group_by("reason")
        found = sized.agg(rows=_.count(), money=_.size.sum(), unknown=_.size.isnull().sum())
        return found.order_by("reason").to_pandas()

    @property
    def policies(self) -> pd.DataFrame:
        """What each decision concerns: columns `policy, setting, rows, amount`."""
        return pd.DataFrame(self._log.policies).fillna({"setting": ""})

    @property
    def states(self) -> pd.DataFrame:
        """The states of orders: columns `state, rows, outcome` (sale or set aside); empty without a status."""
        return pd.DataFrame(self._log.states, columns=["state", "rows", "outcome"])

    @property
    def remarks(self) -> list[str]:
        """What else was done to the log: computed or converted amounts, and group columns that are unusable."""
        columns, unit = self._log.columns, self._cleaned.file.tables["transactions"].amount_unit
        found = [
            f"{name}: {columns[name]!r} has nearly as many values as rows, so it is not a {name} and is left out"
            for name in self._log.no_groups
        ]
        if "amount" not in columns:
            found.append(
                f"amount: computed as {columns['quantity']!r} times {columns['unit_price']!r}; the source has no amount"
            )
        if unit is not None:
            here = self._cleaned.file.currency or "whole units"
            found.append(f"amount_unit: the source gives money in {unit}; here it is in {here}")
        return found

    @property
    def values(self) -> pd.DataFrame:
        """Values of used rows that are left empty, or read otherwise than written: columns `column, what, rows`."""
        return pd.DataFrame(self._log.values, columns=["column", "what", "rows"])

    @property
    def sources(self) -> pd.DataFrame:
        """The source files: columns `file, rows, sha256`."""
        found = pd.DataFrame(self._log.sources)
        if self._cleaned.frame is not None:
            return found.assign(sha256=None)
        states, by_name = self._cleaned.states("transactions"), self._cleaned.files_by_name("transactions")
        return found.assign(sha256=[states[by_name[file]].sha256 for file in found["file"]])

    @cached_property
    def quarantine(self) -> pd.DataFrame:
        """The rows set aside, with `reason`, place in the source and their text as written."""
        return self.table_quarantine("transactions")

    @cached_property
    def tables(self) -> pd.DataFrame:
        """Rows and money of the optional tables by outcome: in the source = used + after `as_of` + set aside.

        Columns `table, outcome, rows, amount, amount_of`: the money of the table's first money column, which
        `amount_of` names. Every money column was reconciled when the table was cleaned.
        """
        found = [self._outcomes(name).assign(table=name) for name in self._cleaned.optional]
        columns = ["table", "outcome", "rows", "amount", "amount_of"]
        return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)

    @property
    def _has_log(self) -> bool:
        return "transactions" in self._cleaned.file.tables

    @property
    def _log(self) -> CleaningReport:
        return self._cleaned.report("transactions")

    def _outcomes(self, name: str) -> pd.DataFrame:
        """Rows and money of a table by outcome; the money is that of its first money column."""
        records = self._cleaned.report(name).rows
        amount_of = next(iter(records[0]["money"]), "")
        outcomes = [
            [record["outcome"], record["rows"], record["money"].get(amount_of, 0.0)] for record in records
        ]
        if name == "transactions":  # elsewhere money is not required, and none written is none
            lost = self._lost.set_index("reason")
            unknown = lost.index[(lost["unknown"] == lost["rows"]) & ~lost.index.isin(LEFT_OUT)]
            outcomes[2:] = [[why, n, math.nan if why in unknown else size] for why, n, size in outcomes[2:]]
        seen = dated_up_to(self._cleaned.rows(name), CONTRACTS[name], self._as_of)
        sums = {"amount": countable(seen, amount_of).sum()} if amount_of else {}
        within = seen.agg(rows=seen.count(), **sums).to_pyarrow().to_pylist()[0]
        _used, rows, amount = outcomes[1]
        outcomes[1] = ["used", within["rows"], float(within.get("amount") or 0)]
        later = round(amount - outcomes[1][2], 4)  # money is kept in four decimals
        outcomes.insert(2, [f"after {self._as_of}", rows - outcomes[1][1], later])
        frame = pd.DataFrame(outcomes, columns=["outcome", "rows", "amount"]).assign(amount_of=amount_of)
        assert frame["rows"][0] == frame["rows"][1:].sum(), "rows do not add up; this is a fault of crmlib"
        assert abs(frame["amount"][0] - frame["amount"][1:].sum()) < 0.005, "money does not add up"
        return frame

    @cached_property
    def table_values(self) -> pd.DataFrame:
        """Values of used rows that are left empty, or read as another word than was written.

        Columns `table, column, what, rows`; a value that was known only after `as_of` is among them.
        """
        found = []
        for name in self._cleaned.optional:
            found += [{"table": name, **value} for value in self._cleaned.report(name).values]
            found += self._known_later(name)
        return pd.DataFrame(found, columns=["table", "column", "what", "rows"])

    def _known_later(self, name: str) -> list[dict[str, Any]]:
        """Values that `Study.table` leaves empty, for they were known after `as_of`."""
        rows, contract = self._cleaned.rows(name), CONTRACTS[name]
        seen = dated_up_to(rows, contract, self._as_of), known_at(rows, contract, self._as_of)
        counts = (table.agg(**{name: table[name].count() for name in table.columns}) for table in seen)
        before, after = (found.to_pyarrow().to_pylist()[0] for found in counts)
        later = {column: count - after[column] for column, count in before.items() if count > after[column]}
        what = f"known only after {self._as_of}, and left empty"
        return [{"table": name, "column": column, "what": what, "rows": n} for column, n in later.items()]

    @cached_property
    def orphans(self) -> pd.DataFrame:
        """Keys of the optional tables that point to nothing; see `crmlib.data.suspects.orphan_keys`."""
        log = self._cleaned.rows("transactions") if self._has_log else None
        return orphan_keys(self._whole_tables(), log)

    @cached_property
    def spellings(self) -> pd.DataFrame:
        """Words that are nearly spelt alike, as suggestions; see `crmlib.data.suspects.near_spellings`."""
        return near_spellings(self._whole_tables())

    def table_quarantine(self, table: str) -> pd.DataFrame:
        """The rows of a table that were set aside, with `reason`, place in the source and their text as written."""
        return pd.read_parquet(self._cleaned.folder(table) / QUARANTINE)

    @property
    def tables_in_words(self) -> str:
        """The optional tables of the study, and how many of their rows can be used, in a sentence."""
        names = self._cleaned.optional
        if not names:
            return "This study has only a purchase log; `crm add` adds a table, and `crm list` shows its use."
        rows = self.tables.groupby("outcome")["rows"].sum()
        later = rows[f"after {self._as_of}"]
        aside = rows["in the source"] - rows["used"] - later
        beside = "In addition to its purchase log, t" if self._has_log else "T"
        counts = {"Rows used": rows["used"], "dated later": later, "set aside": aside}
        counts |= {
            "keys without a match": self.orphans["orphans"].sum(),
            "similar spellings": len(self.spellings),
        }
        found = "; ".join(f"{what}: {count:,}" for what, count in counts.items())
        return f"{beside}his study has {', '.join(map(fmt.column, names))}. {found}."

    @property
    def tables_found(self) -> dict[str, pd.DataFrame]:
        """What there is to show of the optional tables, each frame under a title; nothing where there is nothing."""
        outcomes = self.tables
        aside = outcomes[~outcomes["outcome"].isin(["in the source", "used", f"after {self._as_of}"])]
        frames = {
            "Rows by table": self._rows_by_table(outcomes),
            "Set aside, by reason": aside.rename(columns={"outcome": "reason"}),
            "Values left empty, or read as another word": self.table_values,
            "Keys without a match; their rows are used": self.orphans[self.orphans["orphans"] > 0],
            "Similar spellings; none was merged": self.spellings,
        }
        return {title: frame.reset_index(drop=True) for title, frame in frames.items() if len(frame)}

    def _rows_by_table(self, outcomes: pd.DataFrame) -> pd.DataFrame:
        """One row per table: what its source holds, and how much of it is used, of a later day, or set aside."""
        if outcomes.empty:
            return outcomes
        wide = outcomes.pivot_table(["rows", "amount"], "table", "outcome", sort=False).fillna(0)
        names = {"in the source": "in_the_source", "used": "used", f"after {self._as_of}": "later"}
        table = wide["rows"][[*names]].astype("int64").rename(columns=names)
        table["set_aside"] = table["in_the_source"] - table["used"] - table["later"]
        table["amount"], table["amount_used"] = wide["amount"]["in the source"], wide["amount"]["used"]
        table["amount_of"] = outcomes.drop_duplicates("table").set_index("table")["amount_of"]
        no_money = table["amount_of"] == ""
        table[["amount", "amount_used"]] = table[["amount", "amount_used"]].mask(no_money)
        return table.rename_axis(None, axis=1).reset_index()

    def _whole_tables(self) -> dict[str, ibis.Table]:
        return {name: self._cleaned.rows(name) for name in self._cleaned.optional}


def _rows_used(rows: pd.DataFrame) -> str:
    """How many rows of the source are used, and what the most others are."""
    of_outcome = rows.set_index("outcome")["rows"]
    if not of_outcome.iloc[0]:
        return ""
    used, others = int(of_outcome["used"]), of_outcome.iloc[1:].drop("used")
    if used == of_outcome.iloc[0]:
        return f"All {fmt.plural(used, 'row')} of the source are used" if used > 1 else "The only row is used"
    share = fmt.capital(fmt.share(used / of_outcome.iloc[0]))
    most = f"{fmt.number(others.max())} have the outcome “{fmt.short_name(others.idxmax())}”"
    return f"{share} of {fmt.plural(of_outcome.iloc[0], 'row')} are used; {most}"
