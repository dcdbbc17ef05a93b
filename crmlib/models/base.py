"""The base of all models: parameters with their uncertainty, diagnosis, summary, save and load."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.errors import CrmError, DataError, did_you_mean, not_fitted
from crmlib.models._diagnosis import Diagnosis, Finding, ModelSummary
from crmlib.models._inference import Array, LogLikelihood, Maximum, maximise
from crmlib.statistics import normal_quantile
from crmlib.units import TimeUnit, periods, unit_of

FILE_FORMAT = 1
STEP = 1e-3  # of the differences, in log parameters, by which slopes are found
RIDGE = 0.95  # correlation of two log parameters
WEAK = 1.0  # a standard error of 1 in a log parameter: the 95 % interval spans a factor of 50


class LikelihoodModel:
    """A model with positive parameters that is fitted by maximum likelihood.

    A subclass names itself and its parameters; its `fit` calls `_estimate` with its log-likelihood.

    `time_unit`: {"H", "D", "W", "M", "Q", "Y"}: the unit of recency, T and forecasts, for data that do not carry one.
    `params_`: parameters, by the paper's names. `loglik_`: the true log-likelihood, unscaled, with all its constants.
    `standard_errors_`: nan for a parameter that the data do not identify. `n_customers_`: total weight that was fitted.
    """

    name: ClassVar[str]
    parameter_names: ClassVar[tuple[str, ...]]
    _basis: ClassVar[Array | None] = None  # as of `maximise`
    cures: ClassVar[Mapping[str, str]] = {}  # by parameter: what to do when it is weakly or not identified

    params_: dict[str, float]
    time_unit_: TimeUnit | None
    loglik_: float
    n_customers_: float
    diagnosis_: Diagnosis
    _log_covariance: Array

    def __init__(self, *, time_unit: str | None = None) -> None:
        self.time_unit = time_unit

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments that the model was made with, for scikit-learn; its fitted parameters are `params_`."""
        return {"time_unit": self.time_unit}

    def set_params(self, **params: Any) -> Self:
        """Change these arguments; what was fitted stays until the next fit."""
        for name, value in params.items():
            if name not in self.get_params():
                raise CrmError(f"{type(self).__name__}: {name!r} is none of {', '.join(self.get_params())}")
            setattr(self, name, value)
        return self

    @classmethod
    def from_params(cls, *, time_unit: str | None = None, **params: float) -> Self:
        """Score without fitting, with parameters from elsewhere.

        Raises
        ------
        CrmError
            If a parameter is missing, unknown, or not a positive finite number.
        """
        for unknown in set(params) - set(cls.parameter_names):
            raise CrmError(
                f"{cls.__name__} has no parameter {unknown!r}; {did_you_mean(unknown, cls.parameter_names)}"
            )
        if missing := [name for name in cls.parameter_names if name not in params]:
            raise CrmError(f"{cls.__name__} needs {', '.join(cls.parameter_names)}; add {', '.join(missing)}")
        for name, value in params.items():
            if not (np.isfinite(value) and value > 0):
                raise CrmError(f"{name} is {value!r}; parameters of {cls.__name__} are positive and finite")
        model = cls(time_unit=time_unit)
        model.params_ = {name: float(params[name]) for name in cls.parameter_names}
        model.time_unit_ = None if time_unit is None else TimeUnit.parse(time_unit)
        return model

    # -- fitting ---------------------------------------------------------------------------------------------

    def _estimate(
        self,
        loglik: LogLikelihood,
        starts: Sequence[Mapping[str, float]],
        n_customers: float,
        sample: tuple[LogLikelihood, float] | None = None,
    ) -> None:
        """Maximise the log-likelihood and set the fitted attributes.

        `loglik`: array of log parameters, in the order of `parameter_names` -> (log-likelihood, its gradient).
        `starts`: parameters to start from; those that are lengths of time in proportion to the data's. `sample`: the
        log-likelihood of a sample of the customers, and its weight.
        """
        points = [np.log([start[name] for name in self.parameter_names]) for start in starts]
        best = maximise(loglik, points, n_customers, basis=self._basis, sample=sample)
        values = np.exp(best.log_params)
        self.params_ = {name: float(v) for name, v in zip(self.parameter_names, values, strict=True)}
        self.loglik_ = best.loglik
        self.n_customers_ = float(n_customers)
        self._log_covariance = best.covariance
        findings = (*self._common_findings(best), *self._findings())
        held = best.at_boundary | best.moving
        without = tuple(name for name, is_held in zip(self.parameter_names, held, strict=True) if is_held)
        self.diagnosis_ = Diagnosis(best.converged, best.gradient_norm, findings, without)

    def _findings(self) -> tuple[Finding, ...]:
        """Findings about the fit that only this model has."""
        return ()

    def _common_findings(self, best: Maximum) -> tuple[Finding, ...]:
        names = self.parameter_names
        found: list[Finding] = []
        if not best.converged:
            what = f"the optimiser stopped where the gradient is {best.gradient_norm:.1e} per customer."
            found.append(Finding(names, what, "Do not use these parameters; look for outliers in the data."))
        edge, along = (
            tuple(name for name, is_so in zip(names, there, strict=True) if is_so)
            for there in (best.at_boundary, best.moving)
        )
        if edge:
            values = ", ".join(f"{name} = {self.params_[name]:.3g}" for name in edge)
            what = f"the likelihood still rises at the boundary of the search ({values})."
            if along:
                what += f" {fmt.listing(along)} would move along, so none of them has an interval."
            found.append(Finding((*edge, *along), what, self._cure((*edge, *along))))
        for group in best.flat:
            flat = tuple(names[subgroup] for subgroup in group)
            found.append(Finding(flat, "not identified: the likelihood is flat there.", self._cure(flat)))
        return (*found, *self._weak_findings(best))

    def _weak_findings(self, best: Maximum) -> tuple[Finding, ...]:
        names, covariance = self.parameter_names, best.covariance
        errors = np.where(best.moving, np.nan, np.sqrt(np.diag(covariance)))
        found: list[Finding] = []
        weak = tuple(name for name, error in zip(names, errors, strict=True) if error > WEAK)
        if weak:
            what = "weakly identified: the 95 % interval spans more than a factor of 50."
            found.append(Finding(weak, what, self._cure(weak)))
        correlation = covariance / np.outer(errors, errors)
        for i, j in combinations(range(len(names)), 2):
            if abs(correlation[i, j]) > RIDGE and max(errors[i], errors[j]) > WEAK / 2:
                what = f"on a ridge: known together, hardly one by one (correlation {correlation[i, j]:.2f})."
                found.append(Finding((names[i], names[j]), what, self._cure((names[i], names[j]))))
        return tuple(found)

    def _cure(self, parameters: Sequence[str]) -> str:
        special = list(dict.fromkeys(self.cures[name] for name in parameters if name in self.cures))
        return " ".join(special) or "Use more customers or a longer calibration period."

    # -- uncertainty -----------------------------------------------------------------------------------------

    @property
    def standard_errors_(self) -> dict[str, float]:
        """Standard error of each parameter, by the delta method from its logarithm."""
        errors = self._log_errors()
        return {
            name: float(e * self.params_[name]) for name, e in zip(self.parameter_names, errors, strict=True)
        }

    def _log_errors(self) -> Array:
        """Standard errors of the log parameters; nan where the data do not identify one."""
        errors = np.sqrt(np.diag(self._fitted("_log_covariance")))
        return np.where(np.isin(self.parameter_names, self.diagnosis_.without_interval), np.nan, errors)

    @property
    def aic_(self) -> float:
        """Akaike's information criterion; less is better."""
        return 2 * len(self.parameter_names) - 2 * self._fitted("loglik_")

    @property
    def bic_(self) -> float:
        """Bayesian information criterion; less is better."""
        return float(len(self.parameter_names) * np.log(self.n_customers_) - 2 * self._fitted("loglik_"))

    def confint(self, level: float = 0.95) -> pd.DataFrame:
        """Between which values each parameter lies (Wald, on the log scale, so that both ends are positive).

        Parameters
        ----------
        level : float, default 0.95

        Returns
        -------
        DataFrame
            Indexed by parameter, columns `low` and `high`; nan where the data do not identify it.
        """
        half = normal_quantile(level) * self._log_errors()
        values = np.array(list(self.params_.values()))
        ends = {"low": values * np.exp(-half), "high": values * np.exp(half)}
        return pd.DataFrame(ends, index=pd.Index(self.parameter_names, name="parameter"))

    def _slopes(self, answer: Callable[[Self], Array | float]) -> Array:
        """How an answer changes with the logarithm of each parameter, shape (parameters, …)."""

        def moved(name: str, step: float) -> Array | float:
            params = self.params_ | {name: self.params_[name] * np.exp(step)}
            return answer(type(self).from_params(time_unit=self.time_unit_, **params))

        rises = [moved(name, STEP) - moved(name, -STEP) for name in self.parameter_names]
        return np.array(rises) / (2 * STEP)

    def _fitted(self, attribute: str) -> Any:
        if not hasattr(self, "params_"):
            raise not_fitted(f"{type(self).__name__} has no parameters yet; call fit, from_params or load")
        if not hasattr(self, attribute):
            raise not_fitted(
                f"{type(self).__name__} was not fitted, so it knows no likelihood; call fit(data)"
            )
        return getattr(self, attribute)

    def _values(self) -> tuple[float, ...]:
        """Parameters in the order of `parameter_names`."""
        return tuple(self._fitted("params_").values())

    def summary(self) -> ModelSummary:
        """Say what was fitted, how well each parameter is known and what to beware of."""
        frame = pd.DataFrame({"estimate": pd.Series(self._fitted("params_"), name="estimate")})
        frame.index.name = "parameter"
        unit = f"time in {self.time_unit_.plural}" if self.time_unit_ else "time in the data's own unit"
        if not hasattr(self, "loglik_"):
            return ModelSummary(f"{self.name}, parameters given, {unit}", frame, "")
        frame["standard error"] = pd.Series(self.standard_errors_)
        frame[["low 95 %", "high 95 %"]] = self.confint(0.95).to_numpy()
        title = f"{self.name}, {fmt.count(self.n_customers_)} customers, {unit}"
        measures = {"log-likelihood": self.loglik_, "AIC": self.aic_, "BIC": self.bic_}
        fit = ", ".join(f"{name} {fmt.number(value, 2)}" for name, value in measures.items())
        fit = f"{fit}; {self.diagnosis_}"
        return ModelSummary(title, frame, fit)

    def __repr__(self) -> str:
        shown = [f"{name}={value:.6g}" for name, value in getattr(self, "params_", {}).items()]
        unit = getattr(self, "time_unit_", self.time_unit)
        shown += [f"time_unit={str(unit)!r}"] if unit else []
        return f"{type(self).__name__}({', '.join(shown)})"

    # -- time ------------------------------------------------------------------------------------------------

    def _unit_of(self, data: object) -> TimeUnit | None:
        """The unit to fit in: the data's, else the one given to the model."""
        theirs, given = unit_of(data), self.time_unit
        ours = None if given is None else TimeUnit.parse(given)
        if theirs and ours and theirs != ours:
            raise DataError(
                f"the data count time in {theirs.plural}, but time_unit is {ours.value!r}; drop time_unit="
            )
        return theirs or ours

    def _check_unit(self, data: object) -> None:
        """Refuse to score data that count time in another unit than the model."""
        theirs, ours = unit_of(data), self._fitted("time_unit_")
        if theirs and ours and theirs != ours:
            raise DataError(
                f"the model counts time in {ours.plural}, the data in {theirs.plural}; "
                f"summarise the purchases in {ours.plural} or fit a model in {theirs.plural}"
            )

    def _periods(self, length: float | str, name: str = "future_t") -> float:
        """A length of time in the model's unit."""
        unit = self._fitted("time_unit_")
        if isinstance(length, str) and unit is None:
            raise CrmError(
                f"{name} is {length!r}, but the model does not know its unit of time; give a number, or "
                f"time_unit= when the model is made, such as {type(self).__name__}(time_unit='W')"
            )
        value = periods(length, unit or "D")
        if not (np.isfinite(value) and value >= 0):
            raise CrmError(f"{name} is {length!r}; give a length of time that is finite and not negative")
        return value

    # -- files -----------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Keep parameters, unit, likelihood, uncertainty and diagnosis in a small JSON file."""
        content: dict[str, Any] = {"format": FILE_FORMAT, "model": type(self).__name__}
        content["params"] = self._fitted("params_")
        content["time_unit"] = self.time_unit_.value if self.time_unit_ else None
        if hasattr(self, "loglik_"):
            content["fit"] = {
                "loglik": self.loglik_,
                "n_customers": self.n_customers_,
                "log_covariance": [[None if np.isnan(v) else v for v in row] for row in self._log_covariance],
                **vars(self.diagnosis_),
                "findings": [astuple(finding) for finding in self.diagnosis_.findings],
            }
        Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        CrmError
            If the file is of another model, or no model's.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            kind, version = content["model"], content["format"]
        except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise CrmError(f"{path} is no model's file; give one that {cls.__name__}.save wrote") from error
        if kind != cls.__name__ or version != FILE_FORMAT:
            raise CrmError(
                f"{path} holds a {kind} of format {version}, not a {cls.__name__} of {FILE_FORMAT}; use {kind}.load"
            )
        model = cls.from_params(time_unit=content["time_unit"], **content["params"])
        if fit := content.get("fit"):
            model.loglik_, model.n_customers_ = fit["loglik"], fit["n_customers"]
            model._log_covariance = np.array(fit["log_covariance"], dtype=float)
            findings = tuple(Finding(tuple(names), what, cure) for names, what, cure in fit["findings"])
            without = tuple(fit["without_interval"])
            model.diagnosis_ = Diagnosis(fit["converged"], fit["gradient_norm"], findings, without)
        return model
