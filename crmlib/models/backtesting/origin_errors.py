"""Which model to use, how to correct its totals, and how far they may still be off: learned from rolling origins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from crmlib import format as fmt
from crmlib.arguments import check_choice
from crmlib.models._inference import Array
from crmlib.models.backtesting.forecasts import expected_spend
from crmlib.models.purchase import PurchaseModel
from crmlib.models.scoring import Spend
from crmlib.statistics import check_level
from crmlib.units import TimeUnit

FEWEST_ORIGINS = 3  # with fewer, one to learn from and one to test by say too little to correct a total


@dataclass(frozen=True)
class OriginErrors:
    """A model and a correction, both chosen on all origins but the last, and what their errors say of a new total.

    - `tests`: one row per `origin`: the `model` that errs least at the other origins, its `error` here (predicted /
      actual - 1) and its `corrected_error`, with the correction learned at the others. Of these only the last row is a
      test of what is used now; the others say how far errors scatter, that of the choice included.
    - `correction`: factor by which totals of the model are multiplied; 1 where origins are too few.
    - `effective`: number of independent origins that those learned from are worth.
    - `spread`: standard error of the logarithm of a corrected total; nan where origins are too few.
    - `horizon_days`: how far each origin looked.
    - `sentence`: what was chosen and corrected, and the error on the last origin.
    """

    model: str
    tests: pd.DataFrame
    correction: float
    effective: float
    spread: float
    horizon_days: int
    sentence: str

    def revenue_by_month(
        self,
        model: PurchaseModel,
        spend_model: Spend,
        summary: pd.DataFrame,
        *,
        month: OriginErrors | None = None,
    ) -> pd.DataFrame:
        """What today's customers are expected to spend in each of the coming three calendar months.

        Parameters
        ----------
        model : PurchaseModel
            Fitted to the summary.
        spend_model : GammaGammaModel or float
            A number is the spend on every purchase.
        summary : CustomerSummary
            Of today's customers; the first month is the first one that begins after its last day.
        month : OriginErrors, optional
            Of forecasts over about a month, whose totals err more than those of a quarter: the width of the intervals;
            by default these errors. The correction is this one, so that months and their sum agree.

        Returns
        -------
        DataFrame
            One row per month: `month` (its first day), `revenue` (corrected), `low`, `high` (80 %; nan without
            enough origins) and `uncorrected`. Customers who come later are not in it.
        """
        tomorrow = pd.Timestamp(summary.as_of) + pd.Timedelta(1, "D")
        first = tomorrow if tomorrow.day == 1 else tomorrow + pd.offsets.MonthBegin()
        starts = pd.date_range(first, periods=4, freq="MS")
        spend, unit = expected_spend(spend_model, summary), TimeUnit.parse(summary.time_unit)
        until = [
            float(model.expected_purchases(summary, days / unit.days).to_numpy() @ spend)
            for days in (starts - tomorrow).days
        ]
        expected = np.diff(until)
        width = self if month is None else month
        rows = [(total, *width.interval(total)) for total in expected * self.correction]
        table = pd.DataFrame(rows, columns=["revenue", "low", "high"]).assign(uncorrected=expected)
        table.insert(0, "month", starts[:-1])
        return table

    @property
    def last_test(self) -> str:
        """The error on the last origin, without and with the correction, in a sentence."""
        if np.isnan(self.spread):
            return f"{self.model}: too few past forecasts to correct the total or to say how far off it is."
        before, after = (fmt.change(self.tests[name].iloc[-1]) for name in ("error", "corrected_error"))
        day = fmt.date(self.tests["origin"].iloc[-1])
        return (
            f"The same method, applied on {day}, erred by {after} ({before} without its correction of "
            f"{fmt.change(self.correction - 1)})."
        )

    @property
    def worse_corrected(self) -> bool:
        """Whether the correction made the error on the last origin larger."""
        last = self.tests.iloc[-1]
        return bool(abs(last["corrected_error"]) > abs(last["error"]))

    def interval(self, total: float, level: float = 0.8) -> tuple[float, float]:
        """Interval of the actual total around a corrected forecast; nan without enough origins."""
        check_level(level)
        half = float(stdtrit(len(self.tests), (1 + level) / 2)) * self.spread
        return total * float(np.exp(-half)), total * float(np.exp(half))


def effective_number(overlap: Array) -> float:
    """How many independent numbers have a mean as uncertain as that of these, whose correlations are known.

    Examples
    --------
    >>> effective_number(np.eye(3)), round(effective_number(np.array([[1.0, 0.5], [0.5, 1.0]])), 3)
    (3.0, 1.333)
    """
    return float(len(overlap) ** 2 / overlap.sum())


def learn_from_origins(errors: pd.DataFrame, horizon_days: int, *, model: str | None = None) -> OriginErrors:
    """Choose a model and a correction on all origins but the last, and test them on the last.

    `errors`: by origin (its last day, in order) and model: predicted / actual - 1 of a total; nan where nothing
    happened. `horizon_days`: how far each origin looked. `model`: the model to use whatever its errors; by default the
    one with the smallest root mean square error, or the first where no error is known. Raises CrmError if there is no
    such model.

    Errors are taken as logarithms of predicted / actual: a common part b, which the model will make again, and chance u
    of one size. Two origins share the chance of the days that both horizons hold: correlation 1 - days apart / horizon.
    b is given the prior of one more origin without an error, so the mean error of origins that are worth k is shrunk by
    k / (k + 1). A new total then errs by u and by what is not known of b: variance s² (1 + 1 / (k + 1)), with s² by
    maximum likelihood under that prior and Student's t for the number of origins.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01"])
    >>> errors = pd.DataFrame({"BG/NBD": [-0.2, -0.25, -0.22, -0.2], "Pareto/NBD": [-0.1, -0.1, -0.1, -0.1]}, days)
    >>> found = learn_from_origins(errors, 91)
    >>> found.model, round(found.correction, 3), round(float(found.tests["corrected_error"].iloc[-1]), 3)
    ('Pareto/NBD', 1.082, -0.026)
    """
    check_choice("model", model, errors.columns)
    everything, count = errors.to_numpy(dtype=float), len(errors)
    usable = np.isfinite(everything).all(axis=0) & (everything > -1).all(axis=0)
    usable &= [model is None or name == model for name in errors.columns]
    names, logs = [str(name) for name in errors.columns[usable]], np.log1p(everything[:, usable])
    if not names:
        name = model or str(errors.columns[0])
        why = f"{name}: its errors at {fmt.plural(count, 'origin')} are not known, so its totals are not corrected."
        tests = pd.DataFrame(
            {"origin": errors.index, "model": name, "error": np.nan, "corrected_error": np.nan}
        )
        return OriginErrors(name, tests, 1.0, np.nan, np.nan, horizon_days, why)
    days = pd.DatetimeIndex(errors.index).to_numpy().astype("datetime64[D]").astype(float)
    overlap = np.clip(1 - np.abs(days[:, None] - days) / horizon_days, 0, 1)
    learned = [_learn(logs, overlap, place) for place in range(count)]
    here = np.array([logs[place, which] for place, (which, _, _) in enumerate(learned)])
    corrected = here - [bias for _, bias, _ in learned]
    tests = pd.DataFrame(
        {
            "origin": errors.index,
            "model": [names[which] for which, _, _ in learned],
            "error": np.expm1(here),
            "corrected_error": np.expm1(corrected),
        }
    )
    which, bias, effective = learned[-1]
    spread = np.nan
    if count >= FEWEST_ORIGINS:
        size = float(here @ np.linalg.solve(overlap + 1.0, here)) / count
        spread = float(np.sqrt(max(size, 0.0) * (1 + 1 / (effective + 1))))
    correction = float(np.exp(-bias))
    mean = float(np.expm1(np.mean(logs[:-1, which]))) if count > 1 else np.nan
    sentence = _in_words(names[which], len(names) > 1, mean, tests, correction, effective)
    return OriginErrors(names[which], tests, correction, effective, spread, horizon_days, sentence)


def _learn(logs: Array, overlap: Array, place: int) -> tuple[int, float, float]:
    """From all other origins: the model with the smallest error, its shrunk mean error, and their effective number."""
    count = len(logs)
    rows = [other for other in range(count) if other != place] or [place]
    which = int((logs[rows] ** 2).mean(axis=0).argmin())
    effective = effective_number(overlap[np.ix_(rows, rows)])
    enough = count >= FEWEST_ORIGINS
    mean = float(np.mean(logs[rows, which]))
    return which, mean * effective / (effective + 1) if enough else 0.0, effective


def _in_words(
    name: str, chosen: bool, mean: float, tests: pd.DataFrame, correction: float, effective: float
) -> str:
    count = len(tests)
    if count < FEWEST_ORIGINS:
        few = f"{fmt.plural(count, 'origin')}: a correction needs {FEWEST_ORIGINS}, so totals of {name}"
        return f"{few} are not corrected and have no interval."
    pick = f"{name} is used as given"
    if chosen:
        pick = f"{name} errs least, which is no proof that the other models are worse"
    few = f"{count - 1} origins"
    if effective < count - 1.05:
        few += f", worth {fmt.number(effective, 1)} independent ones because their horizons overlap,"
    before, after = (fmt.change(tests[column].iloc[-1]) for column in ("error", "corrected_error"))
    worse = abs(tests["corrected_error"].iloc[-1]) > abs(tests["error"].iloc[-1])
    return (
        f"At the first {count - 1} of {count} origins {pick}. Its totals were off by {fmt.change(mean)} there on "
        f"average; they are corrected by {fmt.change(correction - 1)}, less than that because {few} are few. Test on "
        f"the last origin, {fmt.date(tests['origin'].iloc[-1])}: {before} without the correction, {after} with it"
        f"{': here it made the error larger' if worse else ''}."
    )
