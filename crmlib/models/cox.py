"""Cox's proportional hazards: which features go with early or late churn, with a check of its assumption."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from crmlib.errors import FitError
from crmlib.models._histories import refuse_rows
from crmlib.models._inference import Array
from crmlib.models.survival_curves import read_spells, require_columns_of_spells

CHANCE = 0.05  # of a false alarm over all features together
FEWEST_ENDS = 10  # ended contracts per column, below which hazard ratios are loose
REDUNDANT = 1e-8  # share of a column's variance that the columns before it leave unexplained


@dataclass(frozen=True)
class CoxModel:
    """Hazard ratios of features of a contract, and whether they hold at every tenure.

    Attributes
    ----------
    table : DataFrame
        One row per `feature` ("plan = Basic" against the commonest level; numbers per unit):
        `hazard_ratio` (2 is twice the rate of leaving at any tenure) with its 95 % interval `low, high`,
        `p_value`, `proportional` (False where the ratio changes with tenure beyond chance), and
        `ratio_early`, `ratio_late`: over the earlier and the later half of the ends.
    findings : tuple of str
        What is to be known before the table is used, the assumption first, each with its cure.
    left_out : tuple of str
        Columns that say nothing beyond the others.
    features, strata : tuple of str
    """

    table: pd.DataFrame
    findings: tuple[str, ...]
    left_out: tuple[str, ...]
    features: tuple[str, ...]
    strata: tuple[str, ...]
    _fitted: Any = field(repr=False)
    _levels: dict[str, list[str]] = field(repr=False)

    def relative_hazard(self, spells: pd.DataFrame) -> Array:
        """How many times the baseline's rate each contract leaves at; a level not seen in the fit is refused."""
        design = _design(spells, self.features, self._levels)
        kept = list(self._fitted.params_.index)
        return np.exp(design[kept].to_numpy(float) @ self._fitted.params_.to_numpy())

    def baselines(self) -> dict[str, tuple[Array, Array]]:
        """Tenures and cumulative baseline hazard by stratum ("all" without strata), at relative hazard 1."""
        table = self._fitted.baseline_cumulative_hazard_
        # lifelines' baseline is that of the mean contract
        shift = np.exp(-float(self._fitted._norm_mean @ self._fitted.params_))
        names = [_stratum(column) for column in table.columns] if self.strata else ["all"]
        steps = table.index.to_numpy(dtype=float)
        return {
            name: (steps, table[column].ffill().fillna(0.0).to_numpy(float) * shift)
            for name, column in zip(names, table.columns, strict=True)
        }


def cox_model(spells: pd.DataFrame, features: Sequence[str], *, strata: Sequence[str] = ()) -> CoxModel:
    """Which features of a contract go with leaving early, and do their effects last?

    Parameters
    ----------
    spells : DataFrame
        One row per contract, as for `survival_curves`, with its features as they were at the start, as
        `contract_spells(..., terms="first")` has them: what changes with tenure, such as a price that is raised
        every year, or is learned at the end, gives the answer away.
    features : sequence of str
        Columns with numbers or with levels in words.
    strata : sequence of str
        Columns whose levels each get a course of hazard of their own: the cure where a feature's ratio
        changes with tenure. They have no ratio then.

    Returns
    -------
    CoxModel

    Raises
    ------
    DataError
        If a column is missing or has blanks.
    FitError
        If nobody left, or no feature varies.

    Notes
    -----
    Cox (1972), ties by Efron; the check is Grambsch & Therneau's (1994), on scaled Schoenfeld residuals, at a
    chance of 5 % over all features together. It goes with leaving: that is no proof that it causes it.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> rate = np.repeat([0.1, 0.3], 300)
    >>> spells = pd.DataFrame({"tenure_months": random.exponential(1 / rate), "ended": True,
    ...                        "plan": np.repeat(["Gold", "Basic"], 300)})
    >>> cox_model(spells, ["plan"]).table[["feature", "hazard_ratio"]].round(1)
              feature  hazard_ratio
    0   plan = Gold             0.3
    """
    require_columns_of_spells(spells, [*features, *strata])
    known = read_spells(spells)
    levels = _levels(spells, features)
    design, left_out = _informative(_design(spells, features, levels))
    if not known["ended"].any() or design.empty:
        raise FitError(
            f"{int(known['ended'].sum())} of {len(known):,} contracts ended and {design.shape[1]} columns of features "
            "vary; a Cox model needs contracts that ended and features that differ"
        )
    frame = design.assign(_tenure=known["tenure"], _ended=known["ended"])
    for column in strata:
        frame[column] = spells[column].astype(str)
    fitted, settled = _fit(frame, strata)
    table = _table(fitted, frame)
    numeric = {feature for feature in features if feature not in levels and spells[feature].nunique() > 2}
    findings = _changing(table, numeric) or [
        "No feature's ratio changes with tenure beyond chance: one number each will do."
    ]
    ends, columns = int(known["ended"].sum()), design.shape[1]
    if ends < FEWEST_ENDS * columns:
        findings.append(
            f"{ends:,} contracts ended for {columns} columns: fewer than {FEWEST_ENDS} each, so ratios are imprecise; "
            "use fewer features."
        )
    if not settled:
        widest = table.loc[(table["high"] / table["low"]).fillna(np.inf).idxmax(), "feature"]
        findings.append(
            f"The search for the ratios did not converge: {widest} almost determines who leaves; leave it out "
            "or merge its levels before the ratios are used."
        )
    return CoxModel(table, tuple(findings), left_out, tuple(features), tuple(strata), fitted, levels)


def _fit(frame: pd.DataFrame, strata: Sequence[str]) -> tuple[Any, bool]:
    """The fitted model, and whether the search for it came to rest."""
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            fitted = CoxPHFitter().fit(frame, "_tenure", "_ended", strata=list(strata) or None)
        except ConvergenceError:
            raise FitError(
                "the Cox model found no ratios: one feature determines who leaves, or levels hold too few contracts; "
                "leave it out or merge its levels"
            ) from None
    return fitted, not any(issubclass(warning.category, ConvergenceWarning) for warning in warned)


def _levels(spells: pd.DataFrame, features: Sequence[str]) -> dict[str, list[str]]:
    """Levels of the features in words, the commonest first: others are compared with it."""
    found = {}
    for feature in features:
        column = spells[feature]
        if column.isna().any():
            refuse_rows(
                spells, column.isna().to_numpy(), f"{feature} is missing", "fill it, or name it a level"
            )
        if not pd.api.types.is_numeric_dtype(column):
            counts = column.astype(str).value_counts()
            found[feature] = sorted(counts.index, key=lambda level: (-counts[level], level))
    return found


def _design(spells: pd.DataFrame, features: Sequence[str], levels: dict[str, list[str]]) -> pd.DataFrame:
    columns = {}
    for feature in features:
        if feature not in levels:
            columns[feature] = spells[feature].to_numpy(float)
            continue
        text = spells[feature].astype(str)
        if (unknown := ~text.isin(levels[feature]).to_numpy()).any():
            what = f"{feature} has a level that the model does not know"
            refuse_rows(spells, unknown, what, "merge rare levels")
        columns |= {f"{feature} = {level}": (text == level).to_numpy(float) for level in levels[feature][1:]}
    return pd.DataFrame(columns, index=spells.index)


def _informative(design: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The columns that add information to those before them, and the names of the others."""
    values = design.to_numpy(float)
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    kept: list[int] = []
    for place in range(scaled.shape[1]):
        column = scaled[:, place]
        basis = scaled[:, kept]
        rest = column - basis @ np.linalg.lstsq(basis, column, rcond=None)[0] if kept else column
        if spread[place] > 0 and rest @ rest > REDUNDANT * len(column):
            kept.append(place)
    names = design.columns
    return design[names[kept]], tuple(name for place, name in enumerate(names) if place not in kept)


def _table(fitted: Any, frame: pd.DataFrame) -> pd.DataFrame:
    from lifelines.statistics import proportional_hazard_test

    summary = fitted.summary
    table = pd.DataFrame(
        {"feature": summary.index.to_numpy(), "hazard_ratio": summary["exp(coef)"].to_numpy()}
    )
    table["low"], table["high"] = (summary[f"exp(coef) {side} 95%"].to_numpy() for side in ("lower", "upper"))
    table["p_value"] = summary["p"].to_numpy()
    checked = proportional_hazard_test(fitted, frame, time_transform="rank")
    table["proportional"] = np.asarray(checked.p_value, dtype=float) >= CHANCE / len(table)
    # scaled residuals are what an end adds to its own time's coefficient: their means are early and late ones
    residuals = fitted.compute_residuals(frame, "scaled_schoenfeld")
    when = frame.loc[residuals.index, "_tenure"]
    early = (when <= when.median()).to_numpy()
    for name, rows in (("ratio_early", early), ("ratio_late", ~early)):
        mean = residuals[rows].mean(axis=0) if rows.any() else residuals.mean(axis=0) * np.nan
        table[name] = np.exp(fitted.params_.to_numpy() + mean.to_numpy(float))
    return table


def _changing(table: pd.DataFrame, numeric: set[str]) -> list[str]:
    """The features whose ratio changes with tenure, each with its cure."""
    found = []
    for row in table[~table["proportional"]].itertuples():
        name = str(row.feature).split(" = ")[0]
        cure = f"stratify by it, strata=[{name!r}]"
        if name in numeric:
            cure = f"cut {name!r} into bands with pandas.cut and stratify by them"
        found.append(
            f"{row.feature}: its ratio changes with tenure ({row.ratio_early:.2f} early, {row.ratio_late:.2f} late); "
            f"read {row.hazard_ratio:.2f} as an average only, or {cure}."
        )
    return found


def _stratum(label: Any) -> str:
    return " / ".join(map(str, label)) if isinstance(label, tuple) else str(label)
