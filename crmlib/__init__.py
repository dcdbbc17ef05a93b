"""From a purchase log to who the customers are, what they are worth, who is leaving and what to do.

>>> import crmlib as crm
>>> study = crm.open_study("cdnow-sample")
>>> summary = crm.rfm_summary(study.transactions, as_of=study.as_of, time_unit="W")
>>> len(summary)
2357

The rooms, from the bottom up: `crmlib.data` (what comes in), `crmlib.study` (a firm), `crmlib.customers`
(who they are), `crmlib.models` (what they will do), `crmlib.economics` (what it is worth) and
`crmlib.report` (runs and pages); `crmlib.charts` draws what they return.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from crmlib import customers, economics, models
from crmlib.lazy import loader

__version__ = "0.1.0"

# Every public name of the rooms, and those of the floors below them.
HOMES = {
    "CrmError": "crmlib.errors",
    "Estimate": "crmlib.findings",
    "require_an_answer": "crmlib.errors",
    "count_rows": "crmlib.no_rows",
    "length_in_words": "crmlib.units",
    "fitness_gates": "crmlib.data.fitness",
    "simulate_firm": "crmlib.simulation.simulate",
    "Study": "crmlib.study",
    "open_study": "crmlib.study",
    **customers.HOMES,
    **models.HOMES,
    **economics.HOMES,
}
_ROOMS = ("charts", "data", "format", "report", "study")  # the other three are there already
_load = loader(__name__, HOMES)

__all__ = sorted(HOMES)


def __getattr__(name: str) -> Any:
    return import_module(f"crmlib.{name}") if name in _ROOMS else _load(name)


def __dir__() -> list[str]:
    return [*__all__, *_ROOMS, "customers", "economics", "models", "__version__"]
