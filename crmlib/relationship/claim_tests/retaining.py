"""Retaining is cheaper than winning; and customers won from a rival cost more and take longer."""

from __future__ import annotations

from typing import Any

import numpy as np

from crmlib import format as fmt
from crmlib.customers.treatments.experiments import experiment_outcomes
from crmlib.data.sources import lacking, open_optional, optional
from crmlib.errors import CannotAnswerError, DataError
from crmlib.relationship.claim_tests.data import FEWEST, ClaimData
from crmlib.relationship.claim_tests.tested import Part, cannot, result
from crmlib.statistics import difference_of_means, normal_quantile

WINDOW_DAYS = 365
KIND = "offer"  # of the experiments: an offer made to keep a customer
OF_90 = 2 * 1.6448536269514722  # the marginal costs of chapter 8 have intervals of 90 %


def retaining(data: ClaimData) -> list[dict[str, Any]]:
    """Does money for keeping customers bring more than the same money for winning them?

    Kept: what a randomised offer adds within a year per unit of its cost, which counts *additional* customers kept, at
    their value. Won: what a new customer brings within a year per unit of the marginal CAC. Both per unit of money, so
    that customers of unlike value can be compared; per customer the cheaper may be worth less.
    """
    if reason := lacking(experiments=data.experiments):
        return cannot("retaining", reason)
    kept, reason = _kept(data)
    cac = data.marginal_cac
    if reason or cac is None or not len(cac):
        return cannot("retaining", reason or "no marginal cost of a customer is published by chapter 08")
    known = cac[(cac["verdict"] == "estimated") & cac["marginal_cac_high"].notna()]
    people = data.known_long
    if known.empty or len(people) < FEWEST:
        why = "the marginal cost of no channel can be estimated, or few customers are known for a year"
        return cannot("retaining", why)
    worth, scatter = float(people["worth"].mean()), float(people["worth"].sem())
    share = (known["spent"] / known["spent"].sum()).to_numpy(float)
    names = ["marginal_cac", "marginal_cac_high", "marginal_cac_low"]
    per_money, low, high = 1 / known[names].to_numpy(float).T  # customers per unit of money
    rate, error = float(share @ per_money), float(np.sqrt((share**2) @ ((high - low) / OF_90) ** 2))
    won, won_error = worth * rate, float(np.hypot(worth * error, scatter * rate))
    measure, spread = f"{data.value} per unit of money, kept less won", float(np.hypot(kept[1], won_error))
    part = Part(measure, kept[0] - won, spread, "ratio", int(kept[2]))
    why = f"a unit of money brings {fmt.number(kept[0], 2)} kept and {fmt.number(won, 2)} won, within a year"
    return result("retaining", [part], why)


def _kept(data: ClaimData) -> tuple[tuple[float, float, float], str]:
    """What randomised offers add per unit of their cost, its standard error and the treated; or why it is not known."""
    nothing = (np.nan, np.nan, 0.0)
    table = open_optional(data.experiments)
    assert table is not None
    table = table.filter(optional(table, "kind", "string") == KIND)
    window: dict[str, Any] = dict(days=WINDOW_DAYS, as_of=data.day, margin=data.margin)
    try:
        found = experiment_outcomes(data.transactions, table, **window)
    except (CannotAnswerError, DataError) as refusal:
        return nothing, str(refusal)
    if not len(found):
        return nothing, "no randomised offer to keep customers"
    found = found[found["complete"]]
    column = "profit" if "profit" in found else "spend"
    treated = (found["group"] != "control").to_numpy()
    cost = float(found.loc[treated, "cost"].mean()) if treated.any() else np.nan
    if treated.sum() < FEWEST or (~treated).sum() < FEWEST or not cost > 0:
        return nothing, "no randomised offer with its cost is a year old, with enough customers"
    apart = difference_of_means(found.loc[treated, column], found.loc[~treated, column])
    return (apart.difference / cost, apart.standard_error / cost, float(treated.sum())), ""


def rivals(data: ClaimData) -> list[dict[str, Any]]:
    """Do customers won from rivals cost more *and* take longer? From the two differences that chapter 8 publishes."""
    found = data.rivals_apart
    if found is None or not len(found):
        return cannot("rivals", "chapter 08 has published no customers won from rivals")
    found = found.assign(error=(found["high"] - found["low"]) / (2 * normal_quantile(0.95)))
    columns = ["measure", "difference", "error", "unit", "customers"]
    parts = [Part(*row) for row in found[columns].itertuples(index=False, name=None)]
    return result("rivals", parts, "customers won from a rival less others, of chapter 08")
