"""What page one, the mail and prints take from the figures, texts and pictures that notebooks have published."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from crmlib import format as fmt
from crmlib.findings import REFUSE, Estimate

CARDS = ("page_one", "page_one_of_contracts")
CHANGE = {"change": "value", "change_low": "low", "change_high": "high"}  # of a figure, and of its Estimate


def interval_of(figure: Mapping[str, Any]) -> str:
    """A figure's interval with its level; empty where there is none.

    Examples
    --------
    >>> interval_of({"low": 0.203, "high": 0.271, "level": 0.95, "unit": "share", "currency": None})
    '20 % to 27 % (95 % interval)'
    """
    if figure.get("level") is None:
        return ""
    low, high = (math.nan if figure[end] is None else figure[end] for end in ("low", "high"))
    ends = fmt.interval(low, high, figure["unit"], figure["currency"] or "")
    return f"{ends} ({fmt.share(figure['level'], 0)} interval)"


def estimate_of(figure: Mapping[str, Any]) -> Estimate:
    """A published figure, read back as an `Estimate`."""
    low, high = (math.nan if figure[end] is None else float(figure[end]) for end in ("low", "high"))
    level, currency = figure["level"] or 0.95, figure["currency"] or ""
    about = dict(level=level, currency=currency, base=figure["base"], window=figure["window"])
    return Estimate(figure["value"], figure["unit"], low, high, **about)


def change_of(figure: Mapping[str, Any]) -> str:
    """A figure's relative change, its interval and what it is measured against; empty where it is not known.

    Examples
    --------
    >>> change_of({"change": 0.05, "change_low": -0.02, "change_high": 0.12, "against": "last year"})
    '+5 % (−2 % to +12 %) against last year'
    """
    change, low, high = (math.nan if figure[name] is None else figure[name] for name in CHANGE)
    if not fmt.is_known(change):
        return ""
    ends = f" ({fmt.interval(low, high, 'change')})" if fmt.is_known(low) else ""
    return f"{fmt.change(change)}{ends}" + (f" against {figure['against']}" if figure["against"] else "")


def value_and_change(figure: Mapping[str, Any]) -> str:
    """A figure's value with its interval, and its change; "not usable" if refused.

    Examples
    --------
    >>> figure = {"value": 2500315.6, "unit": "money", "currency": "USD", "against": "last year"}
    >>> value_and_change(figure | {"change": 0.05, "change_low": None, "change_high": None})
    'USD 2.50 million; +5 % against last year'
    """
    if figure.get("refused"):
        return "not usable"
    parts = [fmt.write(figure["value"], figure["unit"], figure["currency"] or ""), interval_of(figure)]
    parts.append(change_of(figure))
    return "; ".join(part for part in parts if part)


def figures_of(made: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures of one notebook; `refused` says why one is not to be shown, else it is empty.

    A notebook that says "do not use" refuses the figures that rest on its model or rules, not what was counted.

    Examples
    --------
    >>> figures = {"sales": {"rule": "", "unit": "money"}, "forecast": {"rule": "BG/NBD", "unit": "money"}}
    >>> made = {"figures": figures, "figure": "do not use", "headline": "Not usable: BG/NBD."}
    >>> [figure["refused"] for figure in figures_of(made).values()]
    ['', 'Not usable: BG/NBD.']
    """
    why = made["headline"] if made.get("figure") == REFUSE else ""
    return {
        key: figure | {"refused": why if figure.get("rule") and figure["unit"] != "text" else ""}
        for key, figure in made["figures"].items()
    }


def cards(metrics: Mapping[str, Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """What page one and the mail show: of each card the figures with its number whose value is known.

    A firm without any such figure has the cards of a firm with contracts.
    """
    figures = [figure for notebook in metrics.values() for figure in figures_of(notebook).values()]
    for kind in CARDS:
        found: dict[int, list[dict[str, Any]]] = {}
        for figure in figures:
            if figure.get(kind) and fmt.is_known(figure["value"]):
                found.setdefault(figure[kind], []).append(figure)
        if found:
            break
    return [found[number] for number in sorted(found)]


TO_ACT_ON = "customers_to_contact_first"  # the table of page one and of the mail


def published(metrics: Mapping[str, Mapping[str, Any]], name: str) -> list[str]:
    """The sentences that a notebook has published under a name; none where none has."""
    return _published_as("sentences", name, metrics) or []


def picture_of(metrics: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any] | None:
    """The files and the words of a picture that a notebook has published under a name."""
    return _published_as("pictures", name, metrics)


def _published_as(kind: str, name: str, metrics: Mapping[str, Mapping[str, Any]]) -> Any:
    return next((made[kind][name] for made in metrics.values() if name in made.get(kind, {})), None)
