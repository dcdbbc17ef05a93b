"""Who the customers are: their summary, segments, the five lenses of an audit and the month under review.

A purchase log comes in (an Ibis table, or a frame with `customer_id, date, amount`), frames go out.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "BornInHoldout": "crmlib.customers.summary",
    "CustomerSummary": "crmlib.customers.summary",
    "LeftOut": "crmlib.customers.summary",
    "RfmCutOffs": "crmlib.customers.rfm_cut_offs",
    "RfmSegments": "crmlib.customers.segments",
    "default_segments": "crmlib.customers.segment_rules",
    "rfm_segments": "crmlib.customers.segments",
    "rfm_summary": "crmlib.customers.rfm",
    "rfm_train_test_split": "crmlib.customers.rfm",
    "segment_table": "crmlib.customers.segments",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'crmlib.customers' has no attribute {name!r}")
