"""Columns that predict the outcome almost perfectly (leaks), and redundant columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib import format as fmt
from crmlib.errors import FitError
from crmlib.format import column
from crmlib.models._inference import Array
from crmlib.models.churn.data import ChurnData
from crmlib.models.churn.features import NUMBER, of_kind
from crmlib.no_rows import no_rows
from crmlib.rankings import roc_auc

LEAK, SUSPECT, REDUNDANT = "leak", "suspect", "redundant"
_Codes = NDArray[np.intp]  # a small number for each customer
_FOLDS = 5
_BINS = 32
_COLUMNS = ["column", "finding", "roc_auc", "what"]


# Conventions, beyond which a column is taken for a leak.
LEAK_AUC = 0.95  # alone it ranks 19 of 20 pairs correctly; a column known in time hardly does
SUSPECT_AUC = 0.80  # alone it ranks as well as a whole model does elsewhere …
SUSPECT_LEAD = 0.05  # … and no other column comes near it
NAMED_AUC = 0.60  # it ranks, and its name sounds like what is known only afterwards
PURE_SHARE = 0.20  # of all who left, or of all who stayed, found in values that only they have
PURE_CHANCE = 1e-6  # that values which mean nothing would be as pure as these
SAME_R2 = 0.9999  # a multiple: rounding to cents leaves this much
PRODUCT_R2 = 0.995  # a product: a price that changed now and then leaves this much
_MOST_COLUMNS = 40  # products of two among more would take longer than the models
_ROWS = 20_000
# Parts of names of what a firm learns when, or after, a customer leaves; a call's duration after the call.
AFTERWARDS = (
    *("churn", "reason", "cancel", "terminat", "closed", "closing", "exit", "end_date", "left_on"),
    *("duration", "refund", "winback", "win_back", "last_day", "deactivat", "disconnect"),
)


def leak_check(data: ChurnData, *, random_state: int = 0) -> pd.DataFrame:
    """Which columns nearly give the answer away, and which say nothing new?

    Parameters
    ----------
    data : ChurnData
    random_state : int
        Of the folds.

    Returns
    -------
    DataFrame
        The gravest first: `column`; `finding`: "leak" (to be left out, unless it was known at the cut-off),
        "suspect" (to be asked about) or "redundant" (harmless to the scores, but reasons are shared with the
        column it repeats); `roc_auc` that it reaches alone on held-out customers; `what` was found, in words.
        Columns without a finding are not listed. Without rows, and with the `reason`, where there are no data.

    Notes
    -----
    A column alone is scored by the share that left among customers of the other folds with the same value
    (numbers in up to 32 ranges, missing a value of its own).

    Examples
    --------
    >>> import crmlib as crm
    >>> found = leak_check(crm.churn_data(crm.open_study("telco").table("customer_features")))
    >>> print(found.loc[0, "what"])
    total charges is tenure × monthly charges (R² 0.999)
    """
    if data.reason:
        return no_rows(_COLUMNS, data.reason)
    codes = {name: _codes(data.features[name], data.read.kinds[name]) for name in data.features}
    groups = np.arange(len(data.churned)) if data.groups is None else data.groups
    folds = np.random.default_rng(random_state).integers(0, _FOLDS, int(groups.max()) + 1)[groups]
    areas = pd.Series({name: _alone(code, data.churned, folds) for name, code in codes.items()}).sort_values()
    rows = []
    for name in areas.index[::-1]:
        lead = areas[name] - areas.drop(name).max() if len(areas) > 1 else 0.0
        found = _judge(name, float(areas[name]), float(lead), codes[name], data)
        if found:
            rows.append((name, found[0], float(areas[name]), found[1]))
    for name, what in redundant_features(data.features, of_kind(data.read.kinds, NUMBER)).items():
        rows.append((name, REDUNDANT, float(areas[name]), what))
    gravity = [LEAK, SUSPECT, REDUNDANT]
    rows.sort(key=lambda row: gravity.index(row[1]))
    return pd.DataFrame(rows, columns=_COLUMNS)


def columns_in_doubt(data: ChurnData, *, keep_leaks: bool, random_state: int) -> pd.DataFrame:
    """Suspects, and leaks that were known in time, among the columns that are used; any other leak is refused.

    `keep_leaks`: whether columns that nearly give the answer away were known in time, and stay. Returns: as
    `leak_check`, without what is redundant. Raises FitError if a column gives the answer away and `keep_leaks` does not
    say that it was known.
    """
    found = leak_check(data, random_state=random_state)
    leaks = found[found["finding"] == LEAK]
    if len(leaks) and not keep_leaks:
        raise FitError(
            f"{'; '.join(leaks['what'])}. Was that known at the cut-off? If not, leave it out: "
            f"churn_data(…, leave_out={sorted(leaks['column'])}); if so: keep_leaks=True"
        )
    return found[found["finding"] != REDUNDANT] if len(found) else found


def _judge(name: str, area: float, lead: float, codes: _Codes, data: ChurnData) -> tuple[str, str] | None:
    if area >= LEAK_AUC:
        return LEAK, f"{column(name)} alone predicts who left (ROC AUC {area:.3f})"
    if pure := _pure(name, codes, data):
        return LEAK, pure
    if area >= SUSPECT_AUC and lead >= SUSPECT_LEAD:
        return (
            SUSPECT,
            f"{column(name)} alone has a ROC AUC of {area:.2f}, {lead:.2f} above any other",
        )
    sounds = [part for part in AFTERWARDS if part in name.lower().replace(" ", "_")]
    if sounds and area >= NAMED_AUC:
        return (
            SUSPECT,
            f"{column(name)} (ROC AUC {area:.2f}) has a name of what is known only afterwards",
        )
    return None


def _pure(name: str, codes: _Codes, data: ChurnData) -> str | None:
    """Values that occur only among those who left, or only among those who stayed, beyond chance."""
    n, base = np.bincount(codes), data.churned.mean()
    left = np.bincount(codes, data.churned)
    for kind, count, share in (("left", left, base), ("stayed", n - left, 1 - base)):
        # A value of n customers is pure by chance with probability share^n.
        pure = (count == n) & (n * np.log(share) < np.log(PURE_CHANCE))
        covered = float(n[pure].sum() / count.sum())
        if covered >= PURE_SHARE:
            missing = data.features[name].isna().to_numpy()
            if missing.any() and pure.sum() == 1 and pure[codes[missing][0]]:
                return f"{column(name)} is empty only for customers who {kind} ({fmt.share(covered)} of them)"
            return f"{column(name)} has values that only customers have who {kind} ({fmt.share(covered)} of them)"
    return None


def _codes(values: pd.Series, kind: str) -> _Codes:
    """A small number for each value; numbers in ranges of equal size, missing a value of its own."""
    if kind == NUMBER and values.nunique() > _BINS:
        edges = np.unique(np.nanquantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
        codes = np.searchsorted(edges, values.to_numpy(), side="right")
        codes[values.isna().to_numpy()] = len(edges) + 1
        return codes
    codes, _ = pd.factorize(values)
    return np.where(codes < 0, codes.max() + 1, codes)


def _alone(codes: _Codes, churned: Array, folds: _Codes) -> float:
    """ROC AUC of the share that left among customers of other folds with the same value."""
    cells = codes * _FOLDS + folds
    size = (codes.max() + 1) * _FOLDS
    n = np.bincount(cells, minlength=size).reshape(-1, _FOLDS)
    left = np.bincount(cells, churned, minlength=size).reshape(-1, _FOLDS)
    base = churned.mean()
    share = (left.sum(1, keepdims=True) - left + base) / (n.sum(1, keepdims=True) - n + 1)
    return roc_auc(share[codes, folds], churned)


def redundant_features(features: pd.DataFrame, numbers: Sequence[str]) -> dict[str, str]:
    """Columns that follow from others, and how.

    `features`: numbers as floats, categories as text. `numbers`: which columns are numbers. Returns: column -> what it
    is. Of two that say the same the later one is named.

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
        what = f"{column(numbers[j])} is {slope:.3g} × {column(numbers[i])}{plus}"
        yield numbers[j], f"{what} (R² {correlation[j, i]:.3f})"


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
            yield names[k], f"{column(names[k])} is {column(names[i])} × {column(names[j])} (R² {fit[k]:.3f})"


def _standardised(values: Array) -> Array:
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _same_partition(features: pd.DataFrame, categories: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Categories that split the customers in the same way under other words."""
    codes = {name: pd.factorize(features[name], use_na_sentinel=False)[0] for name in categories}
    seen: dict[bytes, str] = {}  # codes are in order of appearance, so equal partitions have equal codes
    for name, code in codes.items():
        key = code.astype(np.int32).tobytes()
        if key in seen:
            yield name, f"{column(name)} separates the same customers as {column(seen[key])}"
        seen.setdefault(key, name)
