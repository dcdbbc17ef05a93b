"""Columns that others already say: the same words, a multiple, or a product of two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from crmlib.models._inference import Array

SAME_R2 = 0.9999  # a multiple: rounding to cents leaves this much
PRODUCT_R2 = 0.995  # a product: a price that changed now and then leaves this much
_MOST_COLUMNS = 40  # products of two among more would take longer than the models
_ROWS = 20_000


def redundant_features(features: pd.DataFrame, numbers: Sequence[str]) -> dict[str, str]:
    """Columns that follow from others, and how.

    Parameters
    ----------
    features : DataFrame
        Numbers as floats, categories as text.
    numbers : sequence of str
        Which columns are numbers.

    Returns
    -------
    dict of str to str
        Column -> what it is. Of two that say the same the later one is named.

    Examples
    --------
    >>> minutes = np.array([10.0, 20.0, 35.0, 61.0])
    >>> redundant_features(pd.DataFrame({"minutes": minutes, "charge": 0.17 * minutes}), ["minutes", "charge"])
    {'charge': 'charge is 0.17 × minutes (R² 1.000)'}
    """
    if len(features) > _ROWS:
        features = features.iloc[:: -(-len(features) // _ROWS)]
    found = dict(_multiples(features, numbers))
    found |= dict(_products(features, [name for name in numbers if name not in found]))
    categories = [name for name in features if name not in set(numbers)]
    return found | dict(_same_partition(features, categories))


def _multiples(features: pd.DataFrame, numbers: Sequence[str]) -> Iterator[tuple[str, str]]:
    values = features[list(numbers)]
    correlation = values.corr().to_numpy() ** 2 if len(numbers) > 1 else np.zeros((1, 1))
    for j in range(1, len(numbers)):
        i = int(np.nanargmax(np.append(correlation[j, :j], -1.0)))
        if i == j or not correlation[j, i] >= SAME_R2:
            continue
        x, y = values[numbers[i]], values[numbers[j]]
        slope = float(x.cov(y) / x.var())
        offset = float(y.mean() - slope * x.mean())
        scale = float(y.std())
        plus = "" if abs(offset) < 0.01 * scale else f" {'+' if offset > 0 else '−'} {abs(offset):.3g}"
        yield numbers[j], f"{numbers[j]} is {slope:.3g} × {numbers[i]}{plus} (R² {correlation[j, i]:.3f})"


def _products(features: pd.DataFrame, numbers: Sequence[str]) -> Iterator[tuple[str, str]]:
    """A column near the product of two others: a total that is a rate times a length."""
    names = [name for name in numbers if features[name].nunique() > 2][:_MOST_COLUMNS]
    values = features[names].dropna().to_numpy(dtype=float)
    if len(names) < 3 or len(values) < 3:
        return
    standard = _standardised(values)
    for i, j in combinations(range(len(names)), 2):
        product = _standardised((values[:, i] * values[:, j])[:, None])[:, 0]
        fit = (standard.T @ product / len(values)) ** 2
        fit[[i, j]] = 0.0
        # Where one factor hardly varies the product repeats the other, and is no finding of its own.
        repeats = max(abs(standard[:, i] @ product), abs(standard[:, j] @ product)) / len(values)
        k = int(fit.argmax())
        if fit[k] >= PRODUCT_R2 and repeats**2 < PRODUCT_R2:
            yield names[k], f"{names[k]} is {names[i]} × {names[j]} (R² {fit[k]:.3f})"


def _standardised(values: Array) -> Array:
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _same_partition(features: pd.DataFrame, categories: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Categories that split the customers in the same way under other words."""
    codes = {name: pd.factorize(features[name], use_na_sentinel=False)[0] for name in categories}
    seen: dict[bytes, str] = {}  # codes are in order of appearance, so equal partitions have equal codes
    for name, one in codes.items():
        key = one.astype(np.int32).tobytes()
        if key in seen:
            yield name, f"{name} tells the same customers apart as {seen[key]}"
        seen.setdefault(key, name)
