"""Features as clustering sees them: on a logarithmic scale with equal spread, or as roots of shares."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from crmlib.errors import CannotAnswerError, CrmError, did_you_mean

Scale = Literal["log", "share"]
SCALES = ("log", "share")
BOTH_SIDES = 0.05  # of the customers on the rarer side of zero, from which a column stays as it is
ID = "customer_id"


def as_frame(data: pd.DataFrame | np.ndarray) -> pd.DataFrame:
    """One row per customer, columns named by text; those of an array as scikit-learn names them, x0, x1, …"""
    if isinstance(data, np.ndarray) and data.ndim == 2:
        return pd.DataFrame(data, columns=[f"x{place}" for place in range(data.shape[1])])
    if not isinstance(data, pd.DataFrame):
        raise CrmError(f"data is a {type(data).__name__}; give a frame with one row per customer")
    named = pd.DataFrame(data).rename(columns=str)
    if not named.columns.is_unique:
        raise CrmError(
            f"data has two columns named {named.columns[named.columns.duplicated()][0]!r}; drop one"
        )
    return named


def features_of(data: pd.DataFrame, columns: list[str] | None = None) -> pd.DataFrame:
    """The columns to cluster by, checked: those named, else all but `customer_id`."""
    wanted = [name for name in data.columns if name != ID] if columns is None else columns
    for name in wanted:
        if name not in data.columns:
            raise CrmError(f"data has no column {name!r}; {did_you_mean(name, data.columns)}")
        if not pd.api.types.is_numeric_dtype(data[name]):
            raise CrmError(f"column {name!r} is {data[name].dtype}, not a number; leave it out")
    if not wanted:
        raise CrmError("data has no column to cluster by beside customer_id; add numbers such as frequency")
    features = data[wanted].astype(float)
    gaps = (~np.isfinite(features)).sum()
    if gaps.any():
        raise CrmError(
            f"column {gaps.idxmax()!r} is missing or infinite for {gaps.max():,} of {len(features):,} customers; "
            "leave these customers out, or the column"
        )
    return features


def check_shares(features: pd.DataFrame) -> None:
    if features.to_numpy().min(initial=0.0) < 0:
        raise CrmError('data has a share below 0; give shares from 0 to 1, or scale="log" for amounts')


def check_different(features: pd.DataFrame, clusters: int | None) -> int:
    """How many customers differ, or a refusal of what cannot be divided."""
    if len(features) < 2:
        raise CannotAnswerError(f"data holds {len(features)} customers; clusters need 2 at least")
    different = len(features.drop_duplicates())
    if different < 2:
        names = ", ".join(features.columns)
        raise CannotAnswerError(
            f"all {len(features):,} customers are equal in {names}; there is nothing to cluster by"
        )
    if clusters is not None and different < clusters:
        raise CannotAnswerError(
            f"n_clusters is {clusters} and {different} customers differ; ask for {different} clusters at most"
        )
    return different


def scaling(features: pd.DataFrame, scale: Scale) -> Any:
    """A scikit-learn pipeline, fitted, that takes features to points.

    "log": sign(x) log(1 + |x|), then mean 0 and variance 1. A column with more than 5 % of the customers on
    either side of zero is not logged: a logarithm would tear a hole at zero, and find two groups there.
    "share": square roots, so that distances are Hellinger's and small shares are not drowned by large ones.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    values = features.to_numpy()
    if scale == "share":
        return make_pipeline(FunctionTransformer(np.sqrt), StandardScaler(with_std=False)).fit(values)
    rarer = np.minimum((values < 0).mean(axis=0), (values > 0).mean(axis=0))
    logged = FunctionTransformer(signed_log, kw_args={"logged": rarer <= BOTH_SIDES})
    return make_pipeline(logged, StandardScaler()).fit(values)


def signed_log(values: np.ndarray, logged: np.ndarray) -> np.ndarray:
    """sign(x) log(1 + |x|) in the columns that are to be logged."""
    return np.where(logged, np.sign(values) * np.log1p(np.abs(values)), values)
