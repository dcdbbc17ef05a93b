"""What differs between two runs: figures that moved beyond chance, and customers in another tier or state."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from crmlib import format as fmt
from crmlib.errors import RunError, did_you_mean
from crmlib.report.runs import read_record
from crmlib.statistics import holm, normal_quantile
from crmlib.study.published import figures_of

# Where a customer's group is published, what it is called, and the columns that explain a change.
_GROUPS = {
    "tier": ("value_tiers", "revenue cost_to_serve"),
    "state": ("states_of_customers", "orders months_silent"),
}
SURE = 0.05  # chance that any figure is said to have moved that has not
MOVED = "figure before after change p_value".split()
CHANGED = "customer_id before after why".split()


@dataclass(frozen=True)
class Comparison:
    """Two runs of a study.

    Attributes
    ----------
    moved : DataFrame
        Key figures that moved beyond chance: `figure, before, after, change` (as written for readers) and `p_value`
        (Holm, of all compared).
    sentences : tuple of str
        How many figures were compared, and why others were not.
    groups : dict
        By "tier" and "state": one row per customer who is in another one: `customer_id, before, after, why`.
    counts : dict
        By "tier" and "state": how many moved from which to which, and who came or is gone.
    """

    moved: pd.DataFrame
    sentences: tuple[str, ...]
    groups: dict[str, pd.DataFrame]
    counts: dict[str, pd.DataFrame]


def find_run(word: str, root: Path) -> Path:
    """The folder of a run, by its path or by its id in any study's reports.

    Raises RunError if there is none, or it is damaged.
    """
    places = [Path(word), *sorted(root.glob(f"reports/*/runs/{Path(word).name}"))]
    known = [place.resolve() for place in places if (place / "run.json").is_file()]
    if not known:
        ids = [path.name for path in root.glob("reports/*/runs/*")]
        raise RunError(
            f"there is no run {word!r}; {did_you_mean(word, ids) if ids else 'crm report makes one'}"
        )
    if not read_record(known[0]):
        raise RunError(f"{known[0]}: its run.json is damaged")
    return known[0]


def compare_runs(before: Path, after: Path) -> Comparison:
    """Compare two runs of a study.

    Raises RunError if they are of two studies.
    """
    first, second = (read_record(folder) for folder in (before, after))
    if first["study"] != second["study"]:
        raise RunError(f"the runs are of two studies, {first['study']} and {second['study']}")
    moved, sentences = _figures(*(_metrics(folder) for folder in (before, after)))
    groups, counts = {}, {}
    for name, (table, columns) in _GROUPS.items():
        old, new = (_table(folder, table) for folder in (before, after))
        if old is None or new is None:
            sentences.append(f"No {name}s to compare: one of the runs has none.")
            continue
        if not {*old["customer_id"]} & {*new["customer_id"]}:
            sentences.append(f"No customer's {name} is in both runs; was another privacy key used?")
            continue
        groups[name], counts[name] = _moves(old, new, name, columns.split())
    return Comparison(moved, tuple(sentences), groups, counts)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Say which file of a run is not there as a whole."""
    try:
        yield path
    except (OSError, ValueError):
        raise RunError(f"{path} is damaged or gone; compare with another run") from None


def _metrics(run: Path) -> dict[str, dict[str, Any]]:
    with _whole(run / "metrics.json") as path:
        found = json.loads(path.read_text(encoding="utf-8"))
    return {key: figure for made in found.values() for key, figure in figures_of(made).items()}


def _table(run: Path, name: str) -> pd.DataFrame | None:
    path = run / "tables" / f"{name}.parquet"
    if not path.is_file():
        return None
    with _whole(path):
        found = pd.read_parquet(path)
    return found[~found["customer_id"].astype(str).str.startswith("lead:")]


def _figures(
    first: Mapping[str, dict[str, Any]], second: Mapping[str, dict[str, Any]]
) -> tuple[pd.DataFrame, list[str]]:
    rows, without, other = [], 0, []
    for key in [key for key in first if key in second]:
        old, new = first[key], second[key]
        if any(
            not fmt.is_known(figure["value"]) or figure["refused"] or figure["unit"] == "text"
            for figure in (old, new)
        ):
            continue
        if any(old[name] != new[name] for name in ("unit", "currency", "base", "quantity")):
            other.append(new["label"])
            continue
        errors = [_error(figure) for figure in (old, new)]
        if not all(map(math.isfinite, errors)) or not any(errors):
            without += 1
            continue
        difference = new["value"] - old["value"]
        p_value = float(2 * ndtr(-abs(difference) / math.hypot(*errors)))
        written = [
            fmt.write(figure["value"], figure["unit"], figure["currency"] or "") for figure in (old, new)
        ]
        change = fmt.write(
            difference, "points" if new["unit"] == "share" else new["unit"], new["currency"] or ""
        )
        rows.append((new["label"], *written, f"{'+' if difference > 0 else ''}{change}", p_value))
    table = pd.DataFrame(rows, columns=MOVED)
    if len(table):
        table["p_value"] = holm(table["p_value"])
    moved = table[table["p_value"] < SURE].sort_values("p_value", kind="stable").reset_index(drop=True)
    many, some = fmt.plural(len(table), "figure"), fmt.count(len(moved)) if len(moved) else "none"
    chance = "beyond chance (Holm, 5 %; the runs taken as independent)"
    sentences = [f"{many} compared, {some} moved {chance}."]
    if without:
        sentences.append(f"{fmt.plural(without, 'figure')} without an interval: not compared.")
    if other:
        sentences.append(f"Not the same quantity, base or currency in both runs: {fmt.listing(other)}.")
    gone = len({*first} ^ {*second})
    if gone:
        sentences.append(f"{fmt.plural(gone, 'figure')} in one of the runs only.")
    return moved, sentences


def _error(figure: Mapping[str, Any]) -> float:
    """Standard error of a figure, by its interval."""
    if figure["level"] is None or figure["low"] is None or figure["high"] is None:
        return math.nan
    return float((figure["high"] - figure["low"]) / (2 * normal_quantile(figure["level"])))


def _moves(
    first: pd.DataFrame, second: pd.DataFrame, name: str, columns: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Who is in another group, with the column that differs most; and the counts of all, nobody left out."""
    both = first.merge(second, on="customer_id", how="outer", suffixes=("_0", "_1"), validate="one_to_one")
    before, after = both[f"{name}_0"].fillna("was not there"), both[f"{name}_1"].fillna("is gone")
    table = pd.DataFrame({"before": before, "after": after})
    counts = table[before != after].value_counts().rename("customers").reset_index()
    assert counts["customers"].sum() + int((before == after).sum()) == len(both), "a customer was lost"
    columns = [column for column in columns if column in first and column in second]
    changed = ((before != after) & both[f"{name}_0"].notna() & both[f"{name}_1"].notna()).to_numpy()
    rows = both[changed]
    ends = [rows[[f"{column}_{end}" for column in columns]].to_numpy(dtype=float) for end in (0, 1)]
    size = np.abs(ends[0]) + np.abs(ends[1])
    apart = np.divide(np.abs(ends[1] - ends[0]), size, out=np.zeros_like(size), where=size > 0)
    most = apart.argmax(axis=1) if apart.size else np.zeros(0, dtype=int)
    why = (
        [
            f"{fmt.column(columns[place])} {fmt.number(old[place])} → {fmt.number(new[place])}"
            if apart[row, place] > 0
            else "the cuts moved"
            for row, (place, old, new) in enumerate(zip(most, *ends, strict=True))
        ]
        if columns
        else "not known: the runs have no column of it in common"
    )
    found = {
        "customer_id": rows["customer_id"],
        "before": before[changed],
        "after": after[changed],
        "why": why,
    }
    return pd.DataFrame(found)[CHANGED].reset_index(drop=True), counts
