"""Frameworks of the field as scorecards on measured figures: the one object of the chapter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.claims import Claim
from crmlib.errors import CrmError, did_you_mean
from crmlib.findings import MET, NOT_MET, Estimate, with_finding
from crmlib.no_rows import no_rows
from crmlib.relationship.claim_tests.all_tests import claim_tests
from crmlib.relationship.claim_tests.looks import logged
from crmlib.relationship.scorecards import groups
from crmlib.relationship.scorecards import sentences as _sentences
from crmlib.relationship.scorecards.facts import Facts
from crmlib.relationship.scorecards.frameworks import CHAPTER, HERE, Framework, Question, read_frameworks
from crmlib.relationship.scorecards.ledger import ledger
from crmlib.relationship.scorecards.measure import Measure, unknown
from crmlib.relationship.scorecards.measures import MEASURES
from crmlib.relationship.scorecards.raters import agreement, ratings, scores_of
from crmlib.relationship.scorecards.sentences import largest_change
from crmlib.study.published import estimate_of
from crmlib.study.results import FIGURES

if TYPE_CHECKING:
    from crmlib.study import Study

DESCRIBED, MISSING = "no target", "missing"
_CARD = (
    "element question measure value low high unit answer target standing customers money money_to_target money_is "
    "owner to_change chapter why"
)
_NUMBERS = ["value", "low", "high", "customers", "money", "money_to_target"]
_CHANGES = "framework element to_change measure answer target customers money money_to_target owner sentence"


class Scorecards:
    """How well are relationships managed, by the frameworks of the field and on measured figures?

    Parameters
    ----------
    study : Study
        What its other notebooks have published in this run is read, as far as they ran; what none of them computes is
        measured here on its tables.

    Raises
    ------
    StudyError
        If a framework's file is refused: an unknown figure, with the nearest known one, or an unknown entry.

    Examples
    --------
    >>> import crmlib as crm
    >>> cards = Scorecards(crm.open_study("cdnow-sample"))
    >>> cards.scorecard("reinartz_kumar")[["measure", "standing"]].values.tolist()[0]
    ['rank correlation of length and value of the relationship', 'no target']
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.facts = Facts(study)
        self.frameworks: dict[str, Framework] = read_frameworks(study.folder)
        self._others = {key: found for key, found in study.figures().items() if key in FIGURES}
        self._measured: dict[str, Measure] = {}
        self._cards: dict[str, pd.DataFrame] = {}

    def scorecard(self, name: str, *, missing: bool = False) -> pd.DataFrame:
        """A framework's questions, the figure that answers each, its target and the change to make where it is weak.

        Parameters
        ----------
        name : str
            Of a framework's file, such as "idic".
        missing : bool, default False
            Whether questions without a figure are shown too.

        Returns
        -------
        DataFrame
            `element, question, measure` (the figure's name), `value, low, high, unit`, `answer` (the same in words),
            `target`, `standing` ("met", "not met", "undecided" where the interval holds the target, "no target",
            "missing"), `customers` and `money` that the change concerns and what the money is (no gain), `owner,
            to_change, chapter, why` it is missing. Its finding is the one change.
        """
        whole = self._whole(name)
        rows = whole if missing else whole[whole["standing"] != MISSING].reset_index(drop=True)
        if rows.empty:
            rows = no_rows(_CARD, f"{self._framework(name).name}: {'; '.join(whole['why'].unique())}")
        rows.attrs.update(whole.attrs)
        return rows

    def changes(self) -> pd.DataFrame:
        """The one change that each framework names, that with most money between figure and target first."""
        found = [
            {**row.to_dict(), "framework": framework.name, "sentence": self._whole(name).attrs["finding"]}
            for name, framework in self.frameworks.items()
            if (row := largest_change(self._whole(name))) is not None
        ]
        if not found:
            known = any((self._whole(name)["standing"] == MET).any() for name in self.frameworks)
            why = "no measured figure misses its target" if known else "no figure that has a target is known"
            return with_finding(no_rows(_CHANGES, why), lambda _frame: why)
        rows = pd.DataFrame(found)[_CHANGES.split()]
        rows = rows.sort_values(["money_to_target", "customers"], ascending=False, kind="stable")
        return with_finding(rows.reset_index(drop=True), lambda frame: frame["sentence"][0])

    def sentences(self, name: str) -> list[str]:
        """What a framework says: its one change, what it rests on, whether raters agree, what is missing."""
        framework, whole = self._framework(name), self._whole(name)
        scores = self._scores(framework)
        none = "No measured figure misses its target" if MET in whole["standing"].tolist() else ""
        lines = [whole.attrs["finding"] or none, _sentences.rests_on(framework, whole, len(scores) > 0)]
        lines += [agreement(scores)[1]] if len(scores) else []
        lines.append(_sentences.missing_in_words(whole))
        return [fmt.sentence(line) for line in lines if line]

    def ratings(self, name: str) -> pd.DataFrame:
        """Scores of the raters by element beside the share of measured targets that are met; see `raters.ratings`."""
        framework = self._framework(name)
        return ratings(self._scores(framework), self._whole(name))

    def others(self) -> pd.DataFrame:
        """The scorecards of frameworks that stand in the folder `frameworks` beside the study's file."""
        own = [name for name in self.frameworks if not (HERE / f"{name}.yaml").exists()]
        cards = [self._whole(name).assign(framework=self.frameworks[name].name) for name in own]
        nothing = no_rows(f"framework {_CARD}", "no framework of its own")
        return pd.concat(cards, ignore_index=True) if cards else nothing

    def key_figures(self) -> dict[str, Estimate]:
        """The figures that this chapter measures; not known where the firm lacks the tables."""
        return {key: self._measure(key).estimate for key in MEASURES}

    @property
    def called(self) -> str:
        """What the money of the customers concerned means: contribution or revenue."""
        return self.facts.value_called

    def value_types(self) -> pd.DataFrame:
        """Customers by value today and what they buy elsewhere; see `groups.value_types`."""
        return groups.value_types(self.facts)

    def duplicates(self) -> pd.DataFrame:
        """Ids that are likely to be one person, proposed to be merged; see `duplicates.duplicates_of`."""
        return self.facts.duplicates

    def value_and_need(self) -> pd.DataFrame:
        """Customers and their value by tier and need; see `groups.value_and_need`."""
        return groups.value_and_need(self.facts)

    def by_channel(self) -> pd.DataFrame:
        """Contacts and answers by channel; see `groups.by_channel`."""
        return groups.by_channel(self.facts)

    def significant(self) -> pd.DataFrame:
        """Strategically significant customers by role; see `groups.roles`."""
        return groups.roles(self.facts)

    def network(self) -> pd.DataFrame:
        """The partners by their part of the network; see `groups.partners`."""
        return groups.partners(self.facts)

    def value_matrix(self) -> pd.DataFrame:
        """What customers and firm get from each other, by tier; see `groups.value_matrix`."""
        return groups.value_matrix(self.facts)

    def accounts(self) -> pd.DataFrame:
        """Planned against realised value of each account; see `groups.accounts`."""
        return groups.accounts(self.facts)

    def loyalty_grid(self) -> pd.DataFrame:
        """True friends, butterflies, barnacles and strangers; see `groups.loyalty_grid`."""
        return groups.loyalty_grid(self.facts)

    def hypotheses(self) -> pd.DataFrame:
        """The log of beliefs with the outcome of each test; see `groups.hypotheses`."""
        return groups.hypotheses(self.facts)

    def ledger(self) -> pd.DataFrame:
        """The claims of the field and the firm's own beliefs, each with its verdict; see `ledger.ledger`."""
        return ledger(self.facts, self.estimate, self.hypotheses())

    def claim_tests(self) -> pd.DataFrame:
        """The claims that no other chapter computes, tested on this firm's data; see `claim_tests.all_tests`."""
        return claim_tests(self.study)

    def looks(self, claims: pd.DataFrame) -> pd.DataFrame:
        """Today's looks at the claims of the ledger; see `claim_tests.looks`."""
        return logged(claims, self.facts.day)

    def estimate(self, key: str) -> tuple[Estimate, str, str]:
        """A key figure with its interval, its label, and why it is not known (empty where it is)."""
        measured = self._measure(key) if FIGURES[key]["notebook"] == CHAPTER else None
        if measured:
            return measured.estimate, _label(key, measured.estimate), measured.reason
        return _published(key, self._others.get(key))

    def _whole(self, name: str) -> pd.DataFrame:
        if name not in self._cards:
            framework = self._framework(name)
            rows = [
                {"element": element, "question": question.ask, "owner": about.owner, **self._answer(question)}
                for element, about in framework.elements.items()
                for question in about.questions
            ]
            card = pd.DataFrame(rows).reindex(columns=_CARD.split())
            card[_NUMBERS] = card[_NUMBERS].astype(float)
            row, currency = largest_change(card), self.study.currency
            card.attrs["finding"] = "" if row is None else _sentences.change_in_words(row, currency)
            self._cards[name] = card
        return self._cards[name]

    def _answer(self, question: Question) -> dict[str, Any]:
        """What is known of a question: its figure, how it stands against its target, and whom a change concerns."""
        if question.figure is None:
            empty = dict.fromkeys(("measure", "chapter", "target"), "")
            return empty | {"standing": MISSING, "why": "no figure answers it"}
        estimate, label, reason = self.estimate(question.figure)
        number = np.nan if estimate.unit == "text" else estimate.value
        answer = {
            "measure": label, "value": number, "low": estimate.low, "high": estimate.high,
            "unit": estimate.unit, "answer": str(estimate), "standing": MISSING, "why": reason,
            "target": _target(question, estimate, self.study.currency),
            "chapter": FIGURES[question.figure]["notebook"].partition("_")[0], "to_change": question.change,
        }  # fmt: skip
        if reason or not estimate.is_known:
            return answer | {"why": reason or "not known"}
        customers, money, money_is = self._concerned(question)
        part = 1.0
        if (bar := question.bar) is not None and estimate.unit == "share":
            part = _sentences.part_to_target(float(estimate.value), bar, question.at_least is not None)
        size = {"customers": customers, "money": money, "money_is": money_is, "money_to_target": part * money}
        return answer | {"standing": _standing(question, estimate)} | size

    def _concerned(self, question: Question) -> tuple[float, float, str]:
        """How many customers and how much money a change concerns, and what the money is."""
        key = str(question.figure)
        if not question.concerns and FIGURES[key]["notebook"] == CHAPTER:
            found = self._measure(key)
            money_is = found.money_is or f"of {self.called} that they brought in 12 months"
            return found.customers, found.money, money_is
        key = question.concerns or key
        of, label, _reason = self.estimate(key)
        size = abs(float(of.value)) if of.is_known and of.unit in ("count", "money") else np.nan
        return (size, np.nan, "") if of.unit == "count" else (np.nan, size, f"({label})")

    def _measure(self, key: str) -> Measure:
        if key not in self._measured:
            known = key in MEASURES
            self._measured[key] = MEASURES[key](self.facts) if known else unknown(key, "nothing measures it")
        return self._measured[key]

    def _scores(self, framework: Framework) -> pd.DataFrame:
        if not framework.scores:
            return no_rows("element rater score evidence", f"{framework.name} is not scored")
        return scores_of(self.study, framework.scores)

    def _framework(self, name: str) -> Framework:
        if name not in self.frameworks:
            raise CrmError(f"there is no framework {name!r}; {did_you_mean(name, self.frameworks)}")
        return self.frameworks[name]


def _label(key: str, estimate: Estimate) -> str:
    """The name of a figure that this chapter measures."""
    return str(FIGURES[key]["label"]).format(base=estimate.base, window=estimate.window)


def _published(key: str, found: dict[str, Any] | None) -> tuple[Estimate, str, str]:
    """A figure of another chapter."""
    about = FIGURES[key]
    number = about["notebook"].partition("_")[0]
    if found is None:
        label = re.sub(r"\{\w+\}", "…", about["label"])
        return Estimate(None, about["unit"]), label, f"not published by chapter {number}"
    estimate = estimate_of(found)
    reason = "" if estimate.is_known else f"not known to chapter {number}"
    return estimate, found["label"], f"refused by chapter {number}" if found["refused"] else reason


def _standing(question: Question, estimate: Estimate) -> str:
    """Whether a figure meets its target; undecided where its interval holds the target."""
    if question.one_of:
        return MET if str(estimate.value) in question.one_of else NOT_MET
    if question.bar is None:
        return DESCRIBED
    value = float(estimate.value)
    low, high = (value if np.isnan(end) else end for end in (estimate.low, estimate.high))
    direction: Literal[1, -1] = 1 if question.at_most is None else -1
    return Claim(question.ask, kind="target", bar=question.bar, direction=direction).verdict(low, high)


def _target(question: Question, estimate: Estimate, currency: str) -> str:
    if question.one_of:
        return " or ".join(question.one_of)
    if question.bar is None:
        return ""
    return f"at {'least' if question.at_most is None else 'most'} {fmt.write(question.bar, estimate.unit, currency)}"
