"""What the data say about the parameters of a model: findings, diagnosis and summary."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Finding:
    """One thing a reader of the parameters must know, and what to do about it."""

    parameters: tuple[str, ...]
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{', '.join(self.parameters)}: {self.what} {self.cure}"


@dataclass(frozen=True)
class Diagnosis:
    """Whether a fit converged, and what in it is weakly or not identified.

    `gradient_norm`: largest absolute element of the gradient of the log-likelihood per customer, in log parameters that
    are not at a boundary. `findings`: empty if there is no problem. `without_interval`: parameters at the boundary of
    the search, and those that move with one there: beyond it the data go on to fit as well, so their intervals are open
    to that side and no standard error is theirs.
    """

    converged: bool
    gradient_norm: float
    findings: tuple[Finding, ...] = field(default=())
    without_interval: tuple[str, ...] = ()

    def __str__(self) -> str:
        state = "converged" if self.converged else f"NOT converged (gradient {self.gradient_norm:.1e})"
        return "\n".join([state, *(f"- {finding}" for finding in self.findings)])


@dataclass(frozen=True, repr=False)
class ModelSummary:
    """What was fitted and how well each parameter is known.

    `frame`: indexed by parameter: estimate, standard error, low 95 %, high 95 %. `fit`: likelihood, information
    criteria, diagnosis.
    """

    title: str
    frame: pd.DataFrame
    fit: str

    def __repr__(self) -> str:
        table = self.frame.to_string(float_format=_number, na_rep="not identified")
        return "\n".join(part for part in (self.title, table, self.fit) if part)

    def _repr_html_(self) -> str:
        from html import escape  # its table of entities is large, and most models are never shown

        lines = "<br>".join(escape(line) for line in self.fit.splitlines())
        table = self.frame.to_html(float_format=_number, border=0, na_rep="not identified")
        return f"<p><strong>{escape(self.title)}</strong></p>{table}<p>{lines}</p>"


def _number(value: float) -> str:
    return f"{value:.4g}"
