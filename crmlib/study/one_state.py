"""One state of every input for all notebooks of a run: what the plan has read is what each of them reads."""

from __future__ import annotations

import json
import os

from crmlib.errors import DataError

RUN_STATE = (
    "CRMLIB_RUN_STATE"  # the variable in which the runner hands it to the kernels, as JSON: name to key
)


def require_same(name: str, key: str, what: str) -> None:
    """Go on if a notebook finds what the run was planned with; outside a run, always.

    Raises
    ------
    DataError
        If it finds something else.

    Examples
    --------
    >>> require_same("data/shop/study.yaml", "ab12", "study.yaml")
    """
    planned = json.loads(os.environ.get(RUN_STATE, "{}")).get(name, key)
    if planned != key:
        raise DataError(f"{what} changed while the report was made; run again when it is complete")
