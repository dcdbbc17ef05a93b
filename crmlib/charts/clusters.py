"""Charts of clusters: what sets them apart, and whether they are groups or cuts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from crmlib import format as fmt
from crmlib.charts.layout import (
    cells,
    end_labels,
    finish,
    no_data,
    on_two_lines,
    sheet,
    short_name,
    value_axis,
)
from crmlib.charts.style import BLUE, ORANGE, TEAL, Chart, house_style

_SIDES = LinearSegmentedColormap.from_list("orange to blue", [ORANGE, "#f6d9c4", "#ffffff", "#c5dcf0", BLUE])
_FAR = 1.5  # standard deviations from which a colour is full
_VALLEY = 0.01  # p-value of a valley that is there


@house_style()
def cluster_profile(profile: pd.DataFrame, *, kind: str = "number") -> Chart:
    """Draw the mean of each feature in each cluster, coloured by how far it is from that of all customers.

    Parameters
    ----------
    profile : DataFrame
        One row per cluster and feature: `cluster` (number), `name`, `customers`, `feature`, `mean` and `standing`
        (distance from the mean of all, in standard deviations).
    kind : {"number", "share"}
        How means are written.
    """
    if profile.empty:
        return no_data("No cluster to describe")
    clusters = profile.drop_duplicates("cluster").set_index("cluster")
    features = list(dict.fromkeys(profile["feature"]))
    means, standing = (
        profile.pivot(index="feature", columns="cluster", values=name).loc[features].to_numpy(dtype=float)
        for name in ("mean", "standing")
    )
    _, axes = sheet(0.42 * len(features) + 0.1)
    written = fmt.share if kind == "share" else fmt.number
    texts = np.array([[written(one).replace("under ", "<") for one in row] for row in means])
    people = clusters["customers"] / clusters["customers"].sum()
    cells(
        axes, np.clip(standing / _FAR, -1, 1), texts, [on_two_lines(_plain(one)) for one in features],
        [f"{number}\n{fmt.share(one)}" for number, one in people.items()],
        full=0.85, cmap=_SIDES, vmin=-1, edgecolors="white", linewidth=1,
    )  # fmt: skip
    axes.xaxis.tick_top()
    named = " · ".join(f"{number} {short_name(one)}" for number, one in clusters["name"].items())
    listed = "; ".join(
        f"{row.cluster} {row.name_}, {_plain(row.feature)}: {fmt.number(row.mean_)}"
        for row in profile.rename(columns={"name": "name_", "mean": "mean_"}).itertuples()
    )
    return finish(
        axes,
        _profile_title(clusters, features, standing, people),
        f"Table of means by cluster. {listed}.",
        unit=f"Mean per customer, share of customers above · blue more, orange less than all · {named}",
    )


def _plain(feature: object) -> str:
    return str(feature).replace("_", " ")


def _profile_title(clusters: pd.DataFrame, features: list, standing: np.ndarray, people: pd.Series) -> str:
    """The largest cluster, and the feature in which clusters differ most."""
    if len(clusters) == 1:
        return "All customers are one cluster"
    largest = people.idxmax()
    apart = np.nan_to_num((standing**2) @ people.to_numpy())
    most = _plain(features[int(apart.argmax())])
    name = short_name(clusters.loc[largest, "name"])
    held = f"The largest of {len(clusters)} clusters, “{name}”, holds {fmt.share(people[largest])}"
    return f"{held}; they differ most in {most}"


@house_style()
def cluster_choice(choice: pd.DataFrame) -> Chart:
    """Draw silhouette and stability by number of clusters, beside those of clouds without groups.

    Parameters
    ----------
    choice : DataFrame
        One row per number of clusters: `clusters`, `silhouette`, `stability`, each with `_null` (95 % of clouds
        without groups are below), `valley_p` (a valley between all neighbours, at .01) and `groups`.
    """
    if choice.empty:
        return no_data("No number of clusters was tried")
    numbers = choice["clusters"].to_numpy(dtype=float)
    _, axes = sheet(2.5)
    valley = choice["valley_p"].to_numpy(dtype=float) <= _VALLEY
    for name, colour in (("silhouette", BLUE), ("stability", TEAL)):
        axes.plot(numbers, choice[f"{name}_null"], color=colour, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.plot(numbers, choice[name], color=colour)
        for there, face in ((valley, colour), (~valley, "white")):
            axes.plot(
                numbers[there], choice[name][there], "o", color=colour, markerfacecolor=face, markersize=6,
                markeredgewidth=1.5, clip_on=False,
            )  # fmt: skip
    lowest = float(min(0.0, choice[["silhouette", "stability"]].min().min()))
    axes.set_ylim(lowest, 1.0)
    axes.set_xlim(numbers.min() - 0.2, numbers.max() + 0.2)
    axes.set_xticks(numbers, [fmt.count(one) for one in numbers])
    axes.set_xlabel("Number of clusters")
    value_axis(axes, "y")
    last = choice.iloc[-1]
    end_labels(
        axes, numbers[-1], [last["silhouette"], last["stability"]], ["silhouette", "stability"], [BLUE, TEAL]
    )
    listed = "; ".join(
        f"{row.clusters}: silhouette {_beside(row.silhouette, row.silhouette_null)}, stability "
        f"{_beside(row.stability, row.stability_null)}, {'a valley' if row.valley_p <= _VALLEY else 'no valley'}"
        for row in choice.itertuples()
    )
    return finish(
        axes,
        _choice_title(choice, valley),
        f"Lines by number of clusters. {listed}.",
        unit="Dashed: 95 % of clouds without groups lie below · filled: a valley between all neighbours",
    )


def _beside(value: float, without_groups: float) -> str:
    return f"{fmt.number(value, 2)} (without groups up to {fmt.number(without_groups, 2)})"


def _choice_title(choice: pd.DataFrame, valley: np.ndarray) -> str:
    tried = choice["clusters"].astype(int).tolist()
    span = f"{tried[0]}" if len(tried) == 1 else f"{tried[0]} to {tried[-1]}"
    if choice["groups"].any():
        number = int(choice.loc[choice["groups"], "clusters"].iloc[-1])
        return f"{number} clusters are groups: beyond a cloud without groups, with a valley between all neighbours"
    beyond = (choice["silhouette"] >= choice["silhouette_null"]).all()
    if not valley.any():
        why = "no valley between some neighbours"
        why += ", though silhouettes are beyond those of a bell" if beyond else ""
    else:
        why = "where there are valleys, the clusters do not come out again or are no tighter than cuts"
    return f"Cuts, not groups, with {span} clusters: {why}"
