"""Where one RFM score ends and the next begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crmlib.errors import CannotAnswerError, CrmError
from crmlib.units import TimeUnit


@dataclass(frozen=True)
class RfmCutOffs:
    """Where one score ends and the next begins, to be kept and used again on a later summary.

    Scores drawn anew each period hide a decline, because a fifth of the customers always scores highest.

    Attributes
    ----------
    scores : int
        Number of scores; each tuple below holds one cut-off fewer, in ascending order.
    recency : tuple of float
        Time since the last purchase, in `time_unit`; a longer one scores lower.
    frequency, monetary : tuple of float
        Repeat purchase periods and net spend; more scores higher. A value equal to a cut-off is below it.
    time_unit : str or None
        Unit of `recency`; None where the summary did not tell.
    notes : tuple of str
        What is left of a score where many customers share a value.

    Examples
    --------
    >>> from dataclasses import asdict  # to keep them in a file
    >>> cut_offs = RfmCutOffs(2, recency=(4.0,), frequency=(1.0,), monetary=(50.0,), time_unit="W")
    >>> RfmCutOffs(**asdict(cut_offs)) == cut_offs
    True
    """

    scores: int
    recency: tuple[float, ...]
    frequency: tuple[float, ...]
    monetary: tuple[float, ...]
    time_unit: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", tuple(self.notes))
        if self.scores < 2:
            raise CrmError(f"scores is {self.scores}; allowed: 2 or more, 5 for quintiles")
        for name in ("recency", "frequency", "monetary"):
            cuts = tuple(getattr(self, name))  # a file gives lists
            object.__setattr__(self, name, cuts)
            if len(cuts) != self.scores - 1 or not all(np.isfinite(cuts)) or list(cuts) != sorted(cuts):
                raise CrmError(
                    f"cut_offs.{name} is {cuts}; allowed: {self.scores - 1} finite numbers in ascending order, "
                    f"one fewer than scores ({self.scores})"
                )


def draw_cut_offs(measured: Mapping[str, np.ndarray], scores: int, unit: TimeUnit | None) -> RfmCutOffs:
    """Cut-offs at the quantiles, each a value that occurs, so that equal values are on one side of it."""
    if not len(measured["frequency"]):
        raise CannotAnswerError(
            "summary has no customer to draw cut-offs from; pass cut_offs= from an earlier result"
        )
    at = np.arange(1, scores) / max(scores, 1)
    cuts: dict[str, Any] = {
        name: tuple(map(float, np.quantile(values, at, method="inverted_cdf")))
        for name, values in measured.items()
    }
    notes = [_note(name, values, cuts[name], scores) for name, values in measured.items()]
    return RfmCutOffs(scores, **cuts, time_unit=unit and str(unit), notes=tuple(filter(None, notes)))


def _note(name: str, values: np.ndarray, cuts: tuple[float, ...], scores: int) -> str | None:
    """What is left of a score that some levels of are given to nobody."""
    given = score(values, cuts)
    given = scores + 1 - given if name == "recency" else given
    nobody = sorted(set(range(1, scores + 1)) - set(given.tolist()))
    if not nobody:
        return None
    value, shared = max(zip(*np.unique(values, return_counts=True), strict=True), key=lambda pair: pair[1])
    what = f"{name}: {shared} of {len(values)} customers share the value {value:g}"
    return f"{what}; nobody has the score {', '.join(map(str, nobody))}"


def score(values: np.ndarray, cuts: tuple[float, ...]) -> np.ndarray:
    """1 plus the number of cut-offs that a value exceeds."""
    return np.searchsorted(cuts, values, side="left") + 1


def check_unit(cuts: RfmCutOffs, unit: TimeUnit | None) -> None:
    if cuts.time_unit is not None and unit is not None and TimeUnit.parse(cuts.time_unit) != unit:
        raise CrmError(
            f"cut_offs count time in {TimeUnit.parse(cuts.time_unit).plural} and the summary in {unit.plural}; "
            f"make the summary with time_unit={cuts.time_unit!r}"
        )
