"""Charts of groups of customers: segments, tiers, clusters; how large, what they bring, how sure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from crmlib import format as fmt
from crmlib.charts import kit
from crmlib.charts.layout import (
    finish,
    in_words,
    no_data,
    of_each,
    on_two_lines,
    sheet,
    title_of,
    value_axis,
    written,
)  # fmt: skip
from crmlib.charts.style import BLUE, INK, ORANGE, SOFT, TEAL, WIDTH_INCHES, Chart, group_colours, house_style
from crmlib.columns import COLUMNS
from crmlib.units import TimeUnit

_SIDES = LinearSegmentedColormap.from_list("orange to blue", [ORANGE, "#f6d9c4", "#ffffff", "#c5dcf0", BLUE])
_FAR = 1.5  # standard deviations from which a colour is full
_VALLEY = 0.01  # p-value of a valley that is there
_MOST_ROWS = 12


@house_style()
def paired_shares(
    table: pd.DataFrame, finding: str | None = None, *, group: str = "segment", first: str = "share_of_customers",
    second: str = "share_of_net", currency: str = "", ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw two shares of each group beside each other, such as its share of customers and of the spend.

    Parameters
    ----------
    table : DataFrame
        One row per group, in the order to draw: its name, `customers` and the two shares; rows where the first is
        not known are left out.
    finding : str, optional
        The title; by default that which the analysis left on the frame.
    group, first, second : str
        The columns to draw.
    currency : str
        The name of the money.
    ax : matplotlib Axes, optional
        Where to draw; by default on a sheet of its own.

    Examples
    --------
    >>> table = pd.DataFrame({"segment": ["Loyal", "Lost"], "customers": [3, 7], "share_of_customers": [0.3, 0.7],
    ...                       "share_of_net": [0.9, 0.1]})
    >>> print(paired_shares(table, "A third brings most").alt)
    A third brings most. Bars of share of customers · share of net spend. Loyal: 3 customers, 30 % · 90 %; Lost: 7
    customers, 70 % · 10 %.
    """
    rows = table.dropna(subset=[first])
    if not rows["customers"].sum():
        return no_data(f"No customer by {group.replace('_', ' ')} to draw", ax)
    names, words = rows[group].astype(str).tolist(), [in_words(column) for column in (first, second)]
    shares, others = (rows[column].to_numpy(dtype=float) for column in (first, second))
    texts = [
        (fmt.share(a) + (f" · {fmt.share(b)}" if np.isfinite(b) else "")) if people else "nobody"
        for a, b, people in zip(shares, others, rows["customers"], strict=True)
    ]
    axes = sheet((0.42 if len(names) <= 8 else 0.33) * len(names) + 0.15, ax)
    kit.paired_bars(axes, names, shares, others, texts)
    people = (fmt.plural(n, "customer") for n in rows["customers"])
    listed = of_each(names, (f"{n}, {text}" for n, text in zip(people, texts, strict=True)))
    unit = f"{fmt.capital(words[0])} (full colour) · {words[1]} (pale)"
    title = title_of(table, finding, currency, second)
    return finish(axes, title, f"Bars of {words[0]} · {words[1]}. {listed}.", unit=unit)


@house_style()
def values_by_group(
    frame: pd.DataFrame, finding: str | None = None, *, group: str = "segment", value: str = "clv_mean",
    kind: str = "money", reference: float = np.nan, currency: str = "", width: float = WIDTH_INCHES,
    bounds: str = "interval", diamond: str = "as expected", ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw one number of each group, model or feature as a dot, with its interval.

    Parameters
    ----------
    frame : DataFrame
        One row per group, in the order to draw (of more than 12 the first): its name, the value and, where they are
        known, `…_low` and `…_high` of it, and what was expected as `predicted_…`.
    finding, currency, ax
        As for `paired_shares`.
    group, value : str
        The columns to draw; "clv_mean" has its interval in `clv_low` and `clv_high`.
    kind : {"money", "share", "number"}
        How the value is written.
    reference : float
        Where a dashed line stands, such as what chance would give.
    width : float
        Of the sheet, inches.
    bounds, diamond : str
        What `…_low` and `…_high` are, and what `predicted_…` is.

    Examples
    --------
    >>> frame = pd.DataFrame({"segment": ["Loyal", "Lost"], "clv_mean": [90.0, 5]})
    >>> print(values_by_group(frame, "Loyal customers are worth most", currency="EUR").alt)
    Loyal customers are worth most. Dots of mean lifetime value by segment. Loyal: EUR 90.00; Lost: EUR 5.00.
    """
    rows, stem = frame.dropna(subset=[value]).head(_MOST_ROWS), value.removesuffix("_mean")
    what = in_words(value)
    if rows.empty:
        return no_data(f"No {group.replace('_', ' ')} with a {what}", ax)
    names = [str(name).replace("_", " ") for name in rows[group]]
    values = rows[value].to_numpy(dtype=float)
    low, high = (rows.get(f"{stem}_{end}", rows[value]).to_numpy(dtype=float) for end in ("low", "high"))
    digits = 3 if np.nanmax(np.abs(values)) <= 1 else 1
    texts = [fmt.number(x, digits) if kind == "number" else written(x, kind, currency) for x in values]
    if has_interval := bool((low < high).any()):
        ends = [(written(a, kind), written(b, kind)) for a, b in zip(low, high, strict=True)]
        texts = [
            f"{text}\n({a} to {b})" if a != b else text for text, (a, b) in zip(texts, ends, strict=True)
        ]
    axes = sheet((0.42 if has_interval else 0.32) * len(names) + 0.1, ax, width)
    kit.dots(axes, names, values, low, high, texts, group_colours(rows[group].astype(str)))
    if expected := f"predicted_{value}" in rows:
        mark: dict[str, Any] = {"markerfacecolor": "none", "color": INK, "markersize": 8, "clip_on": False}
        axes.plot(rows[f"predicted_{value}"], np.arange(len(names)), "D", **mark)
    if np.isfinite(reference):
        axes.axvline(reference, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
    reach = axes.dataLim
    axes.set_xlim(min(reach.x0, 0.0) * 1.03, max(reach.x1, 0.0) * 1.03 or 1.0)
    scale = value_axis(axes, "x", kind=kind, largest=max(abs(reach.x0), abs(reach.x1)), bins=4)
    unit = fmt.capital(what) + (f" per customer, {scale}{currency or 'money'}" if kind == "money" else "")
    unit += f"; in brackets: {bounds}" if has_interval else ""
    unit += f"; diamond: {diamond}" if expected else ""
    unit += "; dashed: by chance" if np.isfinite(reference) else ""
    alt = f"Dots of {what} by {group.replace('_', ' ')}. {of_each(names, texts)}."
    return finish(axes, title_of(frame, finding, currency), alt, unit=unit)


@house_style()
def cluster_profile(
    profile: pd.DataFrame, finding: str | None = None, *, kind: str = "number", currency: str = "",
    time_unit: str = "W", ax: Axes | None = None,
) -> Chart:  # fmt: skip
    """Draw the mean of each feature in each cluster, coloured by how far it is from that of all customers.

    Parameters
    ----------
    profile : DataFrame
        By cluster and feature: `cluster` (number), `name`, `customers`, `feature`, `mean`, `standing` (z-score).
    finding, currency, ax
        As for `paired_shares`.
    kind : {"number", "share"}
        How means are written; the name of a feature has its unit.
    time_unit : str
        Of features that are times.

    Examples
    --------
    >>> rows = {"cluster": [1, 2], "name": ["new", "old"], "customers": [2, 8], "feature": "T"}
    >>> print(cluster_profile(pd.DataFrame(rows | {"mean": [9.0, 51.5], "standing": [-1.9, 0.5]}), "Two kinds").alt)
    Two kinds. Table of means by cluster. 1 new: T (weeks) 9; 2 old: T (weeks) 51.5.
    """
    if profile.empty:
        return no_data("No cluster to describe", ax)
    clusters = profile.drop_duplicates("cluster").set_index("cluster")
    features = list(dict.fromkeys(profile["feature"]))
    means, standing = (
        profile.pivot(index="feature", columns="cluster", values=name).loc[features].to_numpy(dtype=float)
        for name in ("mean", "standing")
    )
    axes = sheet(0.42 * len(features) + 0.1, ax)
    texts = np.array([[written(mean, kind).replace("under ", "<") for mean in row] for row in means])
    people = clusters["customers"] / clusters["customers"].sum()
    units = {"money": currency or "money", "time": TimeUnit(time_unit).plural}
    plain = []
    for feature in features:
        unit = units.get(COLUMNS[feature].unit) if kind == "number" and feature in COLUMNS else None
        plain.append(feature.replace("_", " ") + (f" ({unit})" if unit else ""))
    heads = [f"{number}\n{fmt.share(share)}" for number, share in people.items()]
    kit.heat_map(
        axes, np.clip(standing / _FAR, -1, 1), texts, [on_two_lines(feature) for feature in plain], heads,
        cmap=_SIDES, vmin=-1, linecolor="white", linewidths=1,
    )  # fmt: skip
    axes.xaxis.tick_top()
    named = [f"{number} {fmt.short_name(name)}" for number, name in clusters["name"].items()]
    listed = of_each(named, (", ".join(map(" ".join, zip(plain, column, strict=True))) for column in texts.T))
    unit = "Mean per customer, share of customers above · blue more, orange less than all · "
    unit += " · ".join(named)
    return finish(axes, title_of(profile, finding), f"Table of means by cluster. {listed}.", unit=unit)


@house_style()
def cluster_choice(choice: pd.DataFrame, finding: str | None = None, *, ax: Axes | None = None) -> Chart:
    """Draw silhouette and stability by number of clusters, beside those of clouds without groups.

    Parameters
    ----------
    choice : DataFrame
        One row per number of clusters: `clusters`, `silhouette`, `stability`, each with `_null` (95 % of clouds
        without groups are below), `valley_p` (a valley between all neighbours, at .01) and `groups`.
    finding, ax
        As for `paired_shares`.

    Examples
    --------
    >>> tried = {"clusters": [2], "silhouette": 0.5, "silhouette_null": 0.3, "stability": 0.9, "stability_null": 0.8}
    >>> print(cluster_choice(pd.DataFrame(tried | {"valley_p": 0.001, "groups": True}), "Two groups").alt)
    Two groups. Lines by number of clusters. 2: silhouette 0.50 (without groups up to 0.30), stability 0.90 (up to
    0.80), a valley.
    """
    if choice.empty:
        return no_data("No number of clusters was tried", ax)
    numbers, names = choice["clusters"].to_numpy(dtype=float), ["silhouette", "stability"]
    colours = [BLUE, TEAL]
    axes = sheet(2.5, ax)
    valley = choice["valley_p"].to_numpy(dtype=float) <= _VALLEY
    for name, colour in zip(names, colours, strict=True):
        kit.dashed(axes, numbers, choice[f"{name}_null"], colour, 1.2)
        kit.lines(axes, {name: (numbers, choice[name])}, [colour], marker="")
        for there, face in ((valley, colour), (~valley, "white")):
            mark: dict[str, Any] = {"markerfacecolor": face, "markeredgewidth": 1.5}
            kit.dot(axes, numbers[there], choice[name][there], colour, **mark)
    axes.set_ylim(float(min(0.0, choice[names].min().min())), 1.0)
    axes.set(xlim=(numbers.min() - 0.2, numbers.max() + 0.2), xlabel="Number of clusters")
    axes.set_xticks(numbers, [fmt.count(number) for number in numbers])
    value_axis(axes, "y")
    kit.end_labels(axes, axes.get_xlim()[1], choice[names].iloc[-1].tolist(), names, colours)
    figures = choice.drop(columns="clusters").map(fmt.number, digits=2)
    listed = "; ".join(
        f"{number:.0f}: silhouette {row.silhouette} (without groups up to {row.silhouette_null}), "
        f"stability {row.stability} (up to {row.stability_null}), {'a' if there else 'no'} valley"
        for number, row, there in zip(numbers, figures.itertuples(), valley, strict=True)
    )
    unit = "Dashed: 95 % of data sets without groups are below · filled: a valley between all neighbours"
    return finish(axes, title_of(choice, finding), f"Lines by number of clusters. {listed}.", unit=unit)
