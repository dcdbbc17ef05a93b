"""Which lever moves the value of a customer most: retention, margin, acquisition cost or the discount rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from crmlib.economics.formula_clv import retention_elasticity
from crmlib.economics.retention.profit import RetentionTerms

_STEP = 1e-5  # of a logarithm, for central differences


def equity_elasticities(terms: RetentionTerms) -> pd.DataFrame:
    """By how many per cent value rises when retention, margin, cost or the discount rate rises by one per cent.

    Parameters
    ----------
    terms : RetentionTerms

    Returns
    -------
    DataFrame
        By `lever` (retention, margin, acquisition cost, discount rate): its value `today`, and the elasticity of
        `gross` and of `net` value per acquired customer, which is that of customer equity for a given number
        of acquisitions; nan where the net value is not positive.

    Notes
    -----
    Gupta, Lehmann & Stuart, "Valuing customers", Journal of Marketing Research 41(1), 2004. One per cent of
    retention is one per cent of itself: .80 to .808. Under the first timing convention the gross elasticity to
    retention is (1 + i) / (1 + i − r), under the others one less.

    Examples
    --------
    >>> terms = RetentionTerms(margin=100, retention_rate=0.9, discount_rate=0.12, acquisition_cost=50)
    >>> equity_elasticities(terms).set_index("lever")["gross"].round(2).to_dict()
    {'retention': 5.09, 'margin': 1.0, 'acquisition cost': 0.0, 'discount rate': -0.55}
    """
    levers = {
        "retention": "retention_rate",
        "margin": "margin",
        "acquisition cost": "acquisition_cost",
        "discount rate": "discount_rate",
    }
    rows = []
    for lever, name in levers.items():
        today = getattr(terms, name)
        gross, net = (_elasticity(terms, name, kind) for kind in ("gross", "net"))
        rows.append({"lever": lever, "today": today, "gross": gross, "net": net})
    return pd.DataFrame(rows)


def _elasticity(terms: RetentionTerms, name: str, kind: str) -> float:
    """In closed form for retention, by a central difference on the lever's logarithm for the others."""
    value, today = float(getattr(terms, kind)()), getattr(terms, name)
    if value <= 0:
        return np.nan
    if name == "retention_rate":
        gross = retention_elasticity(today, terms.discount_rate, timing=terms.timing)
        return gross * float(terms.gross()) / value
    up, down = (replace(terms, **{name: today * np.exp(one)}) for one in (_STEP, -_STEP))
    return float((getattr(up, kind)() - getattr(down, kind)()) / (2 * _STEP * value)) + 0.0
