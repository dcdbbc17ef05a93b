"""RFM scores and the segments that they name.

Scores look back: they say who has bought lately, often and for much, not who will.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.arguments import check_columns, check_range, checked
from crmlib.customers.rfm.summary import rfm_measures
from crmlib.customers.sentences import sizes_of_segments
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.findings import with_finding
from crmlib.no_rows import ResultFrame
from crmlib.units import TimeUnit

# Score and the column of the summary that it ranks. M ranks all of a customer's net spend.
_MEASURES = {"recency": "time_since_last_purchase", "frequency": "frequency", "monetary": "net"}
RULE_COLUMNS = ("segment", "r_min", "r_max", "f_min", "f_max")
_DEFAULT = (
    ("Champions", 4, 5, 4, 5),
    ("Loyal", 3, 5, 3, 5),
    ("Potential loyalists", 4, 5, 2, 2),
    ("New customers", 5, 5, 1, 1),
    ("Promising", 4, 4, 1, 1),
    ("Need attention", 3, 3, 2, 2),
    ("About to sleep", 3, 3, 1, 1),
    ("Cannot lose", 1, 1, 4, 5),
    ("At risk", 1, 2, 3, 5),
    ("Hibernating", 2, 2, 1, 2),
    ("Lost", 1, 1, 1, 2),
)


@dataclass(frozen=True)
class RfmCutOffs:
    """Cut-offs between the scores, to be kept and applied again to a later summary.

    Scores drawn anew each period hide a decline, because a fifth of the customers always scores highest.

    `scores`: number of scores; each tuple below holds one cut-off fewer, in ascending order. `recency`: time since the
    last purchase, in `time_unit`; a longer one scores lower. `frequency`, `monetary`: repeat purchase periods and net
    spend; more scores higher. A value equal to a cut-off is below it. `time_unit`: unit of `recency`; None where the
    summary has none. `notes`: what is left of a score where many customers share a value.

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
        check_range("scores", self.scores, "2 or more, 5 for quintiles", least=2)
        for name in ("recency", "frequency", "monetary"):
            cuts = tuple(getattr(self, name))  # a file gives lists
            object.__setattr__(self, name, cuts)
            if len(cuts) != self.scores - 1 or not all(np.isfinite(cuts)) or list(cuts) != sorted(cuts):
                raise CrmError(
                    f"cut_offs.{name} is {cuts}; allowed: {self.scores - 1} finite numbers in ascending order, "
                    f"one fewer than scores ({self.scores})"
                )


class RfmSegments(ResultFrame):
    """Scores and segment per customer; `.cut_offs` says where the scores were cut, `.table(summary)` sums them up."""

    _metadata = ["cut_offs"]  # noqa: RUF012  (pandas' own protocol)

    cut_offs: RfmCutOffs | None = None

    @checked
    def table(self, summary: pd.DataFrame) -> pd.DataFrame:
        """How many customers does each segment have, and how much of the spend?

        Parameters
        ----------
        summary : CustomerSummary
            Columns `customer_id, net, frequency, time_since_last_purchase`; the same customers.

        Returns
        -------
        DataFrame
            One row per segment, in their order and with those that are empty: `segment`, `customers`,
            `share_of_customers`, `net`, `share_of_net` (NaN where all net spend is not positive),
            `net_per_customer`, `mean_frequency`, `mean_time_since_last_purchase` (in the summary's unit). Shares
            are fractions and add up to 1.

        Raises
        ------
        CrmError
            If the two do not hold the same customers.

        Examples
        --------
        >>> summary = pd.DataFrame({"customer_id": ["a", "b"], "frequency": [0, 4], "net": [10.0, 30.0],
        ...     "time_since_last_purchase": [0.0, 2.0]})
        >>> table = rfm_segments(summary).table(summary)
        >>> table.loc[table["customers"] > 0, ["segment", "customers", "share_of_net"]].values.tolist()
        [['Loyal', 1, 0.75], ['New customers', 1, 0.25]]
        """
        own = pd.DataFrame(self[["customer_id", "segment"]])
        joined = own.merge(pd.DataFrame(summary), on="customer_id", how="inner")
        unique = self["customer_id"].is_unique and summary["customer_id"].is_unique
        if not unique or not len(joined) == len(self) == len(summary):
            raise CrmError(
                f"segments hold {len(self)} customers and the summary {len(summary)}, {len(joined)} in both; they "
                "must be the same, each once: pass the summary that the segments were made from"
            )
        table = joined.groupby("segment", observed=False).agg(
            customers=("customer_id", "size"),
            net=("net", "sum"),
            net_per_customer=("net", "mean"),
            mean_frequency=("frequency", "mean"),
            mean_time_since_last_purchase=("time_since_last_purchase", "mean"),
        )
        total = summary["net"].sum()
        assert table["customers"].sum() == len(summary), "a customer was lost between segments"
        assert np.isclose(table["net"].sum(), total), "money was lost between segments"
        table.insert(1, "share_of_customers", table["customers"] / max(len(summary), 1))
        table.insert(3, "share_of_net", table["net"] / total if total > 0 else np.nan)
        return with_finding(table.reset_index(), sizes_of_segments)


def rfm_segments(
    summary: pd.DataFrame | Any,
    *,
    as_of: Any = None,
    time_unit: str = "W",
    collapse: str = "D",
    scores: int = 5,
    cut_offs: RfmCutOffs | None = None,
    segments: pd.DataFrame | None = None,
) -> RfmSegments:
    """How recently, often and for how much each customer bought, as scores and as a named segment.

    Parameters
    ----------
    summary : CustomerSummary, or a purchase log
        Columns `customer_id, frequency, time_since_last_purchase, net`; one row per customer. A purchase log together
        with `as_of` is reduced to these columns, in half the time of the whole summary.
    as_of, time_unit, collapse
        As in `rfm_summary`, for a purchase log.
    scores : int
        Number of scores, 5 for quintiles; a number other than 5 needs `segments` of its own.
    cut_offs : RfmCutOffs, optional
        Cut-offs kept from an earlier result; `scores` is then theirs. Drawn from this summary by default.
    segments : DataFrame, optional
        Rules of your own: `segment, r_min, r_max, f_min, f_max`, the first that matches wins, and every pair of scores
        must be covered. By default those of `crmlib.customers.rfm.segments.default_segments()`.

    Returns
    -------
    RfmSegments
        One row per row of the summary, under its index: `customer_id`, `r_score`, `f_score`, `m_score`
        (1 to `scores`, highest is best) and `segment` (ordered categorical, in the rules' order);
        `.cut_offs` to keep, with `.cut_offs.notes` where a score has lost levels.

    Raises
    ------
    CrmError
        If a column is missing or not finite, the rules leave a pair of scores out, or the cut-offs count
        time in another unit than the summary.

    Notes
    -----
    Equal values share a score. Where half the customers bought once, all of them score 1 in frequency and
    the next higher value starts at the score of its rank, so that some scores are
    never given. A customer who bought on the last day scores highest in recency under any cut-offs; if it was the first
    purchase, the customer is new.

    References
    ----------
    Hughes, A. M. (1994), Strategic Database Marketing, Probus.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": list("abcde"), "frequency": [9, 0, 0, 3, 1],
    ...     "time_since_last_purchase": [1.0, 0.0, 50.0, 40.0, 20.0], "net": [900.0, 10.0, 20.0, 300.0, 80.0]})
    >>> found = rfm_segments(summary)
    >>> found[["customer_id", "r_score", "f_score", "segment"]].to_string(header=False, index=False)
    'a 4 5      Champions\\nb 5 1  New customers\\nc 1 1           Lost\\nd 2 4        At risk\\ne 3 3          Loyal'
    >>> found.cut_offs.notes
    ('Frequency: 2 of 5 customers share the value 0; nobody has the score 2',)
    """
    if as_of is not None:
        summary = rfm_measures(summary, as_of=as_of, time_unit=time_unit, collapse=collapse)
    measured = _measures(summary)
    unit = getattr(summary, "time_unit", None)
    cuts = cut_offs if cut_offs is not None else draw_cut_offs(measured, scores, unit)
    check_unit(cuts, unit)
    if segments is None and cuts.scores != 5:
        raise CrmError(
            f"the usual segments are defined on 5 scores, not {cuts.scores}; pass your own segments="
        )
    rules = check_segments(default_segments() if segments is None else segments, cuts.scores)
    r_score = cuts.scores + 1 - score(measured["recency"], cuts.recency)
    # Bought on the last day: recent by any standard, even by cut-offs edited to below zero.
    r_score[measured["recency"] <= 0] = cuts.scores
    f_score, m_score = (score(measured[name], getattr(cuts, name)) for name in ("frequency", "monetary"))
    scored = {"r_score": r_score, "f_score": f_score, "m_score": m_score}
    found = RfmSegments({"customer_id": summary["customer_id"], **scored}, index=summary.index)
    # The first rule that matches names the segment; categories are in the rules' order.
    row = _first_match(rules, cuts.scores)[r_score - 1, f_score - 1]
    names, order = rules["segment"].to_numpy(), list(dict.fromkeys(rules["segment"]))
    found["segment"] = pd.Categorical(names[row], categories=order, ordered=True)
    found.cut_offs = cuts
    return found


def _measures(summary: pd.DataFrame) -> dict[str, np.ndarray]:
    check_columns("summary", summary, ("customer_id", *_MEASURES.values()), "pass what rfm_summary returns")
    measured = {name: summary[column].to_numpy(dtype=float) for name, column in _MEASURES.items()}
    for name, values in measured.items():
        if not np.isfinite(values).all():
            raise CrmError(
                f"summary column {_MEASURES[name]!r} has a value that is missing or infinite; leave it out"
            )
    return measured


def default_segments() -> pd.DataFrame:
    """The common named segments on five scores, a table to edit: both ends included, the first row that matches wins.

    Examples
    --------
    >>> default_segments().head(2)
         segment  r_min  r_max  f_min  f_max
    0  Champions      4      5      4      5
    1      Loyal      3      5      3      5
    """
    return pd.DataFrame(_DEFAULT, columns=list(RULE_COLUMNS))


def check_segments(rules: pd.DataFrame, scores: int) -> pd.DataFrame:
    """The rules as they are used, or a refusal that names the column, the row or the pair left out."""
    check_columns("segments", rules, RULE_COLUMNS, f"it needs {', '.join(RULE_COLUMNS)}")
    if rules["segment"].isna().any():
        raise CrmError("segments has a row without a name; fill the column segment")
    bounds = rules[list(RULE_COLUMNS[1:])].apply(pd.to_numeric, errors="coerce")
    whole = (bounds.ge(1) & bounds.le(scores) & (bounds % 1 == 0)).all(axis=1)
    ordered = (bounds["r_min"] <= bounds["r_max"]) & (bounds["f_min"] <= bounds["f_max"])
    for row in rules[~(whole & ordered)].itertuples():
        raise CrmError(
            f"segments: {row.segment!r} has r {row.r_min} to {row.r_max} and f {row.f_min} to {row.f_max}; allowed: "
            f"whole numbers from 1 to {scores}, the smaller one first"
        )
    checked = bounds.reset_index(drop=True)
    checked.insert(0, "segment", rules["segment"].astype(str).to_numpy())
    grid = _first_match(checked, scores)
    uncovered = [(r, f) for r, f in product(range(1, scores + 1), repeat=2) if grid[r - 1, f - 1] < 0]
    if uncovered:
        r, f = uncovered[0]
        raise CrmError(
            f"segments leave {len(uncovered)} of {scores**2} pairs of scores without a name, such as r {r}, f {f}; "
            f"add a last row from 1 to {scores} for all others"
        )
    return checked


def _first_match(rules: pd.DataFrame, scores: int) -> np.ndarray:
    """Row of the first matching rule for every (r, f), -1 where there is none."""
    grid = np.full((scores, scores), -1)
    bounds = rules[list(RULE_COLUMNS[1:])].to_numpy(int)
    for row in reversed(range(len(bounds))):  # an earlier rule overwrites a later one
        r_min, r_max, f_min, f_max = bounds[row]
        grid[r_min - 1 : r_max, f_min - 1 : f_max] = row
    return grid


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
    """Which levels of a score no customer has, and why."""
    given = score(values, cuts)
    given = scores + 1 - given if name == "recency" else given
    nobody = sorted(set(range(1, scores + 1)) - set(given.tolist()))
    if not nobody:
        return None
    value, shared = max(zip(*np.unique(values, return_counts=True), strict=True), key=lambda pair: pair[1])
    missing = fmt.listing([str(name) for name in nobody])
    share = f"{fmt.count(shared)} of {fmt.plural(len(values), 'customer')} share the value"
    return f"{fmt.capital(name)}: {share} {fmt.number(value)}; nobody has the score {missing}"


def score(values: np.ndarray, cuts: tuple[float, ...]) -> np.ndarray:
    """1 plus the number of cut-offs that a value exceeds."""
    return np.searchsorted(cuts, values, side="left") + 1


def check_unit(cuts: RfmCutOffs, unit: TimeUnit | None) -> None:
    """Refuse cut-offs that count time in another unit than the summary."""
    if cuts.time_unit is not None and unit is not None and TimeUnit.parse(cuts.time_unit) != unit:
        raise CrmError(
            f"cut_offs count time in {TimeUnit.parse(cuts.time_unit).plural} and the summary in {unit.plural}; "
            f"make the summary with time_unit={cuts.time_unit!r}"
        )
