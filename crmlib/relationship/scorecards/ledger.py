"""The claims ledger: what the field claims, and the verdict of this firm's own data on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from crmlib import format as fmt
from crmlib.claims import Claim, Evidence, Kind
from crmlib.data.files.contents import read_edited
from crmlib.data.policies import Strict
from crmlib.errors import StudyError
from crmlib.findings import ASSOCIATED, CONTRADICTED, SUPPORTED, UNDECIDED, UNTESTED, Estimate, with_finding
from crmlib.no_rows import why_none
from crmlib.relationship.claim_tests.looks import looked
from crmlib.relationship.scorecards.facts import Facts
from crmlib.relationship.scorecards.frameworks import CHAPTER, known_figure
from crmlib.relationship.scorecards.sentences import verdicts_in_words
from crmlib.statistics import normal_quantile
from crmlib.study.results import FIGURES
from crmlib.study.yaml_text import read_yaml

if TYPE_CHECKING:
    from crmlib.study import Study

FILE = Path(__file__).parents[1] / "claims.yaml"
COLUMNS = "claim source kind evidence basis value low high bar unit answer verdict why look looked_on chapter".split()
_OF_BELIEFS = {"passed": SUPPORTED, "failed": CONTRADICTED, "open": UNDECIDED}
_MEASURES = {
    "bought": (("difference", "low", "high"), "points", "chance to buy"),
    "profit": (
        ("value_per_message", "value_low", "value_high"),
        "money",
        "profit less cost of the treatment",
    ),
}
Figure = Callable[[str], tuple[Estimate, str, str]]


class Entry(Strict):
    """A claim of the ledger: which figure, published test or experiment decides it, or what it still needs."""

    claim: str = Field(min_length=1)
    source: str = ""
    kind: Kind = "description"
    evidence: Evidence = "observational"
    basis: Literal["test", "computation", "definition"] = "test"
    figure: str | None = None
    table: str | None = None
    where: dict[str, str] = Field(default_factory=dict)
    experiment: str | None = None
    outcome: Literal["bought", "profit"] = "bought"
    above: float | None = None
    below: float | None = None
    smallest_difference: float = Field(0.0, ge=0)
    needs: str = ""

    _known = field_validator("figure")(known_figure)

    @model_validator(mode="after")
    def _decided(self) -> Entry:
        tests = [name for name in ("figure", "table", "experiment") if getattr(self, name)]
        if len(tests) > 1 or not (tests or self.needs or self.basis == "definition"):
            raise ValueError("give one of figure, table and experiment, or under needs what is missing")
        if self.figure and (self.above is None) == (self.below is None):
            raise ValueError("a figure needs one bar: above or below")
        if self.kind == "effect" and self.figure and self.evidence == "randomised":
            raise ValueError("a figure shows no randomised effect; name the kind under experiment")
        return self

    @property
    def as_claim(self) -> Claim:
        """The entry as a `Claim`, which gives the verdict."""
        bar, direction = (self.above, 1) if self.below is None else (self.below, -1)
        evidence: Evidence = "randomised" if self.experiment else self.evidence
        return Claim(
            self.claim, self.source, kind=self.kind, evidence=evidence, bar=bar or 0.0,
            direction=1 if direction == 1 else -1, smallest_difference=self.smallest_difference,
        )  # fmt: skip


def read_claims(path: Path) -> list[Entry]:
    """The entries of a ledger's file, checked; StudyError names every fault, of an unknown figure the nearest."""
    content = read_yaml(read_edited(path), path.name)
    try:
        return TypeAdapter(list[Entry]).validate_python(content)
    except ValidationError as complaint:
        faults = [
            f"  claim {error['loc'][0] if error['loc'] else ''}: {error.get('ctx', {}).get('error', error['msg'])}"
            for error in complaint.errors(include_url=False)
        ]
        raise StudyError(f"{path.name}:\n" + "\n".join(faults)) from None


def ledger(facts: Facts, figure: Figure, beliefs: pd.DataFrame) -> pd.DataFrame:
    """Every claim with its verdict, and the firm's own beliefs after them.

    Parameters
    ----------
    facts : Facts
    figure : callable
        Of a key: the estimate, its label, and why it is not known.
    beliefs : DataFrame
        As of `hypotheses`.

    Returns
    -------
    DataFrame
        `claim, source, kind, evidence`, `basis` ("test", "computation" under assumptions, "definition"), `value, low,
        high, unit, answer, verdict, why, look, looked_on, chapter`. An effect is supported by randomisation alone. A
        claim whose tables are missing cannot be tested, which is not undecided. Looks: see `looks.looked`.
    """
    rows = [_row(entry, facts, figure) for entry in read_claims(FILE)]
    for belief in beliefs.itertuples():
        fair = belief.outcome in ("passed", "failed")
        word = _OF_BELIEFS.get(belief.outcome, UNTESTED)
        rows.append(
            {"claim": belief.belief, "source": "the firm's own belief", "kind": "description", "evidence": "as noted",
             "basis": "test", "value": belief.result if fair else np.nan, "unit": "ratio", "verdict": word,
             "why": belief.outcome, "chapter": "11"}
        )  # fmt: skip
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    table = looked(table, facts.study.locked("claim_looks"), facts.day)
    known = zip(*(table[name] for name in ("value", "unit", "low", "high")), strict=True)
    currency = facts.study.currency
    table["answer"] = [
        "" if np.isnan(value) else str(Estimate(value, unit, low, high, currency=currency))
        for value, unit, low, high in known
    ]
    return with_finding(table, verdicts_in_words)


def _row(entry: Entry, facts: Facts, figure: Figure) -> dict[str, Any]:
    claim = entry.as_claim
    about: dict[str, Any] = entry.model_dump(include={"claim", "source", "kind", "basis"})
    about |= {"evidence": claim.evidence, "unit": "ratio", "chapter": "", "bar": claim.bar}
    if entry.basis == "definition":
        return about | {"verdict": "taught, not tested", "why": entry.needs}
    if entry.figure:
        return about | _of_figure(entry, claim, *figure(entry.figure))
    if entry.table:
        return about | _of_table(entry, facts.study)
    if entry.experiment:
        return about | _of_experiments(claim, facts, entry.experiment, entry.outcome)
    return about | {"verdict": UNTESTED, "why": entry.needs}


def _of_figure(entry: Entry, claim: Claim, estimate: Estimate, label: str, reason: str) -> dict[str, Any]:
    chapter = FIGURES[str(entry.figure)]["notebook"].partition("_")[0]
    if reason or not estimate.is_known:
        return {"verdict": UNTESTED, "why": reason or "not known", "chapter": chapter}
    found = {"value": estimate.value, "low": estimate.low, "high": estimate.high, "unit": estimate.unit}
    verdict, why = claim.verdict(estimate.low, estimate.high), label
    if verdict == UNTESTED and entry.kind == "target":
        verdict = claim.verdict(estimate.value, estimate.value)
        why = f"{label}; its interval is not known"
    elif verdict == UNTESTED:
        why = f"{label}: the interval is not known"
    return found | {"verdict": verdict, "why": why, "chapter": chapter}


def _of_table(entry: Entry, study: Study) -> dict[str, Any]:
    """The verdict of a test that a chapter has published as a row of a table."""
    rows = study.published(str(entry.table))
    for column, value in entry.where.items():
        rows = rows[rows[column].astype(str) == value] if column in rows else rows[:0]
    chapter = {"tier_claims": "04"}.get(str(entry.table), CHAPTER.partition("_")[0])
    if not len(rows):
        why = why_none(rows) or "the chapter has no such test"
        return {"verdict": UNTESTED, "why": why, "chapter": chapter}
    row: Mapping[str, Any] = rows.iloc[0].to_dict()
    columns = {"value": "difference", "low": "low", "high": "high"}
    found = {name: row.get(column, np.nan) for name, column in columns.items()}
    found |= {"unit": row.get("unit", "ratio"), "bar": row.get("bar", 0.0), "chapter": chapter}
    apart = f"difference from {row.get('against', 'others')}: {row.get('measure', '')}"
    why = str(row.get("why") or "").replace("_", " ") or apart.replace("_", " ")
    if entry.table == "claim_tests" and row["measure"]:
        why = f"{row['measure']}; {why}"
    return found | {"verdict": _as_evidence(entry, str(row["verdict"])), "why": why}


def _as_evidence(entry: Entry, verdict: str) -> str:
    """A verdict of the ledger's words: no effect is supported without randomisation."""
    is_shown = entry.kind != "effect" or entry.evidence == "randomised"
    return verdict if is_shown or verdict != SUPPORTED else ASSOCIATED


def _of_experiments(claim: Claim, facts: Facts, kind: str, outcome: str) -> dict[str, Any]:
    """The mean effect of the randomised experiments of a kind, weighted by certainty; on profit net of their cost."""
    read = facts.experiments(kind, outcome)
    if reason := why_none(read):
        return {"verdict": UNTESTED, "why": reason}
    columns, unit, measure = _MEASURES[outcome]
    reach = normal_quantile(0.95)
    effect, low, high = (read[name] for name in columns)
    error = (high - low) / (2 * reach)
    effect, error = effect[error > 0], error[error > 0]
    if effect.empty:
        lacks = " and cost" if outcome == "profit" else ""
        return {"verdict": UNTESTED, "why": f"no experiment of kind {kind} has an interval{lacks}"}
    weight = 1 / error**2
    value, half = float(np.average(effect, weights=weight)), reach / float(np.sqrt(weight.sum()))
    found = {"value": value, "low": value - half, "high": value + half, "unit": unit, "chapter": "11"}
    why = f"{measure} within 60 days, {fmt.plural(len(effect), 'randomised experiment')}"
    return found | {"verdict": claim.verdict(value - half, value + half), "why": why}
