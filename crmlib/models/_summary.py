"""A fitted model, laid out for a person."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

UNKNOWN = "not identified"


@dataclass(frozen=True, repr=False)
class ModelSummary:
    """What was fitted and how well each parameter is known.

    Attributes
    ----------
    title : str
    frame : DataFrame
        Indexed by parameter: estimate, standard error, low 95 %, high 95 %.
    fit : str
        Likelihood, information criteria, diagnosis.
    """

    title: str
    frame: pd.DataFrame
    fit: str

    def __repr__(self) -> str:
        table = self.frame.to_string(float_format=_number, na_rep=UNKNOWN)
        return "\n".join(part for part in (self.title, table, self.fit) if part)

    def _repr_html_(self) -> str:
        from html import escape  # its table of entities is large, and most models are never shown

        lines = "<br>".join(escape(line) for line in self.fit.splitlines())
        table = self.frame.to_html(float_format=_number, border=0, na_rep=UNKNOWN)
        return f"<p><strong>{escape(self.title)}</strong></p>{table}<p>{lines}</p>"


def _number(value: float) -> str:
    return f"{value:.4g}"
