"""MBG/NBD: as BG/NBD, but a customer may drop out right after the first purchase too."""

from __future__ import annotations

from typing import ClassVar

from crmlib.models.beta_geo import BetaGeoModel


class ModifiedBetaGeoModel(BetaGeoModel):
    """How often customers will buy if each may drop out after any purchase, the first included (MBG/NBD).

    As `BetaGeoModel`, with one more chance to drop out at time 0; so customers without repeat purchases are
    not alive for certain. Parameters and attributes are its own.

    Notes
    -----
    Batislam, Denizel & Filiztekin (2007), Empirical validation and comparison of models for customer base
    analysis, International Journal of Research in Marketing 24(3), 201–209.

    Examples
    --------
    >>> import pandas as pd
    >>> model = ModifiedBetaGeoModel.from_params(r=0.525, alpha=6.183, a=0.891, b=1.614, time_unit="W")
    >>> once = pd.DataFrame({"frequency": [0], "recency": [0.0], "T": [38.86]})
    >>> model.expected_probability_alive(once).round(2).tolist()
    [0.39]
    """

    name: ClassVar[str] = "MBG/NBD"
    _chances_at_start: ClassVar[int] = 1
