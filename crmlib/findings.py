"""Findings: an estimate that rules judge or that is compared with a claim, and the sentence about it.

The words of every verdict stand here and nowhere else. A model or a table of data is judged by rules: "use", "use
with care", "do not use". A claim is judged by an interval: "supported", "contradicted", "undecided" or "cannot be
tested"; a target is "met", "not met" or "undecided". A check of data is passed, warned of, failed or not judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from crmlib import format as fmt
from crmlib.errors import CrmError, not_measured

if TYPE_CHECKING:  # the runner reads findings without it
    import pandas as pd

USE, CARE, REFUSE = "use", "use with care", "do not use"
NOT_JUDGED = "not judged"
PASS, WARN, FAIL = "pass", "warn", "fail"
SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
MET, NOT_MET = "met", "not met"
UNTESTED = "cannot be tested"
UNNAMED = "¤"  # stands in a sentence for the currency, which a frame does not know; as in Unicode's CLDR
money = partial(fmt.money, currency=UNNAMED)
ASSOCIATED = "goes with it; cause not tested"
JUDGED = (USE, CARE, REFUSE)
BETTER, WORSE, NO_CHANGE = BUSINESS = ("better", "worse", "no change beyond chance")
_GRAVITY = {USE: 0, CARE: 1, REFUSE: 2}

Frame = TypeVar("Frame", bound="pd.DataFrame")


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, unit and base.

    Parameters
    ----------
    value : float, date, str or None
        None and NaN are not known.
    unit : {"count", "money", "share", "points", "ratio", "days", "date", "text"}
    low, high : float
        Ends of the interval; NaN where there is none.
    level, currency : float and str
        Of the interval; of money.
    base, window : str
        What it is a share or count of, such as "customers who bought in 12 months"; the time it was measured in.

    Examples
    --------
    >>> print(Estimate(0.237, "share", low=0.203, high=0.271))
    24 % (20 % to 27 %)
    >>> print(Estimate(None, "money"))
    not known
    """

    value: Any
    unit: fmt.Unit
    low: float = math.nan
    high: float = math.nan
    level: float = 0.95
    currency: str = ""
    base: str = ""
    window: str = ""

    def __post_init__(self) -> None:
        if self.unit not in fmt.UNITS:
            raise CrmError(f"unit is {self.unit!r}; allowed: {', '.join(fmt.UNITS)}")

    @classmethod
    def rows_of(cls, frame: pd.DataFrame) -> Estimate:
        """How many rows a frame has; not known where nothing was measured, which its `reason` says.

        Examples
        --------
        >>> import pandas as pd
        >>> print(Estimate.rows_of(pd.DataFrame({"customer_id": ["a"]})))
        1
        """
        from crmlib.no_rows import NoRows

        return cls(None if isinstance(frame, NoRows) and frame.reason else len(frame), "count")

    @classmethod
    def of_row(cls, row: Any, name: str, unit: fmt.Unit, *, times: float = 1.0, **about: Any) -> Estimate:
        """The value NAME of a row of a frame, with its ends NAME_low and NAME_high where the row has them.

        Examples
        --------
        >>> print(Estimate.of_row({"kept": 0.5, "kept_low": 0.4, "kept_high": 0.6}, "kept", "share"))
        50 % (40 % to 60 %)
        """
        value, low, high = (times * float(row.get(f"{name}{end}", math.nan)) for end in ("", "_low", "_high"))
        return cls(value, unit, low, high, **about)

    @property
    def is_known(self) -> bool:
        """Whether there is a value."""
        return fmt.is_known(self.value)

    @property
    def in_a_word(self) -> str:
        """Of a difference: "better", "worse" or "no change beyond chance"; empty where its interval is not known.

        Examples
        --------
        >>> Estimate(0.04, "points", 0.01, 0.07).in_a_word, Estimate(-0.01, "points", -0.04, 0.02).in_a_word
        ('better', 'no change beyond chance')
        """
        beyond = beyond_chance(self.low, self.high)
        if beyond is None:
            return ""
        return NO_CHANGE if not beyond else BETTER if self.low > 0 else WORSE

    def __str__(self) -> str:
        value = fmt.write(self.value, self.unit, self.currency)
        if not self.is_known or not (fmt.is_known(self.low) or fmt.is_known(self.high)):
            return value
        return f"{value} ({fmt.interval(self.low, self.high, self.unit, self.currency)})"


@dataclass(frozen=True)
class Finding:
    """What was found, in a sentence, with the number behind it and the verdict on it."""

    sentence: str
    estimate: Estimate | None = None
    verdict: str = ""

    def __str__(self) -> str:
        return self.sentence


class Compared(str):
    """A sentence that compares, with the `difference` that it speaks of."""

    difference: Estimate

    @classmethod
    def of(cls, sentence: str, difference: Estimate) -> Compared:
        """It with its difference."""
        found = cls(sentence)
        found.difference = difference
        return found


def beyond_chance(low: float, high: float) -> bool | None:
    """Whether a difference between these ends is more than chance; None where it is not known.

    Examples
    --------
    >>> beyond_chance(0.02, 0.11), beyond_chance(-0.01, 0.11), beyond_chance(math.nan, 0.11)
    (True, False, None)
    """
    return None if math.isnan(low) or math.isnan(high) else low > 0 or high < 0


def compared(sentence: str, difference: Estimate) -> Compared:
    """A sentence that compares two values, and whether their `difference` is beyond chance.

    Examples
    --------
    >>> compared("Of Gold 31 % stayed, of Iron 90 %", Estimate(-0.59, "points", low=-0.63, high=-0.55))
    'Of Gold 31 % stayed, of Iron 90 % (difference −63 points to −55 points: beyond chance)'
    """
    beyond = beyond_chance(difference.low, difference.high)
    ends = fmt.interval(difference.low, difference.high, difference.unit, difference.currency)
    sure = "not tested" if beyond is None else f"{ends}: {'beyond' if beyond else 'may be'} chance"
    return Compared.of(f"{sentence} (difference {sure})", difference)


# -- rules: may it be used? ------------------------------------------------------------------------------------------


class Reason(NamedTuple):
    """Why something is to be used with care, or not at all."""

    verdict: str
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """Whether to use a model: a verdict, and the reasons for it, the most serious first."""

    subject: str
    verdict: str
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Subject, verdict and reasons; what was not measured is not judged."""
        if self.verdict == NOT_JUDGED:
            return not_measured(" ".join(self.reasons))
        return f"{self.subject}: {self.verdict}. {' '.join(self.reasons)}"

    @property
    def refusal(self) -> str:
        """Of what is not to be used: what stands instead of its figures, with the reasons; else empty.

        Examples
        --------
        >>> judge("BG/NBD", [Reason(REFUSE, "Its fit did not converge.")], "").refusal
        'Not usable: BG/NBD. Its fit did not converge.'
        """
        return f"Not usable: {self.subject}. {' '.join(self.reasons)}" if self.verdict == REFUSE else ""

    def after(self, finding: str) -> str:
        """A finding with the verdict in brackets; empty where the finding is."""
        return f"{finding} ({self.verdict})" if finding else ""

    @property
    def gravity(self) -> int:
        """For sorting: 0 to use, 1 with care, 2 not at all."""
        return _GRAVITY[self.verdict]

    def __str__(self) -> str:
        return self.sentence


def limit(value: float, why: str) -> Any:
    """A limit of `Rules`, and the reason for it."""
    return field(default=value, metadata={"why": why})


@dataclass(frozen=True)
class Rules:
    """Named limits by which something is judged; conventions, to be edited where a decision can bear more, or less.

    A subclass has, for a measure called `error`, the fields `error_care` and `error_refuse` (beyond them: with care,
    not at all), either of which may be missing, or `fewest_error`, below which care is needed.
    """

    def explain(self) -> pd.DataFrame:
        """What each limit is and why: `threshold`, `value`, `why`."""
        import pandas as pd

        rows = [(rule.name, getattr(self, rule.name), rule.metadata["why"]) for rule in fields(self)]
        return pd.DataFrame(rows, columns=["threshold", "value", "why"])

    def reason(self, name: str, value: float, sentence: str) -> Reason | None:
        """The reason against use that a measure gives, or None; what is not known is a reason for care."""
        if math.isnan(value):
            why = "there are too few customers, or they are all alike"
            return Reason(CARE, f"Its {fmt.column(name)} is undefined: {why}.")
        if value > getattr(self, f"{name}_refuse", math.inf):
            return Reason(REFUSE, sentence)
        most, least = getattr(self, f"{name}_care", math.inf), getattr(self, f"fewest_{name}", -math.inf)
        return None if least <= value <= most else Reason(CARE, sentence)


def judge(subject: str, reasons: Iterable[Reason | None], otherwise: str) -> Verdict:
    """Whether something is to be used: as grave as the gravest reason against it.

    `subject` is what is judged, `otherwise` the sentence where there is no reason.

    Examples
    --------
    >>> print(judge("BG/NBD", [None, Reason(CARE, "It predicts 14 % fewer purchases.")], "All is well."))
    BG/NBD: use with care. It predicts 14 % fewer purchases.
    """
    found = sorted((reason for reason in reasons if reason), key=lambda reason: -_GRAVITY[reason.verdict])
    sentences = tuple(reason.sentence for reason in found)
    return Verdict(subject, found[0].verdict if found else USE, sentences or (otherwise,))


def with_finding(frame: Frame, sentence: Callable[..., str], *arguments: Any, measure: str = "") -> Frame:
    """The frame with `frame.attrs["finding"]`, the title of its chart; with several measures, one of each.

    Of a sentence that compares, `frame.attrs["compared"]` holds the difference with its interval, by name.

    Examples
    --------
    >>> import pandas as pd
    >>> with_finding(pd.DataFrame({"x": [1, 2]}), lambda frame: f"{len(frame)} rows").attrs
    {'finding': '2 rows'}
    """
    found = sentence(frame, *arguments)
    written = fmt.capital(str(found))
    if isinstance(found, Compared):
        written = Compared.of(written, found.difference)
        frame.attrs["_".join(filter(None, ("compared", measure)))] = asdict(found.difference)
    frame.attrs["_".join(filter(None, ("finding", measure)))] = written
    return frame


def in_currency(sentence: str, currency: str) -> str:
    """A sentence about amounts of `UNNAMED` money, with the currency's code.

    Examples
    --------
    >>> in_currency(f"Revenue rose to {fmt.money(1200, UNNAMED)}", "EUR"), in_currency(fmt.money(-2, UNNAMED), "")
    ('Revenue rose to EUR 1,200', '−2.00')
    """
    written = sentence.replace(UNNAMED, currency) if currency else sentence.replace(f"{UNNAMED} ", "")
    return Compared.of(written, sentence.difference) if isinstance(sentence, Compared) else written
