"""More existing customers, less prospecting; and selling cost falls as the base grows."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch, with_ids_of
from crmlib.data.sources import lacking, open_optional, optional
from crmlib.economics.growth.data import NONE
from crmlib.relationship.claim_tests.data import ClaimData
from crmlib.relationship.claim_tests.slopes import as_student
from crmlib.relationship.claim_tests.tested import Part, cannot, result
from crmlib.statistics import bootstrap_weights

FEWEST_MONTHS, FEWEST_UNITS = 24, 8
DECIDED_DAYS = 120  # after which a prospect counts as won or not
BASE_MONTHS = 3  # before a month, whose buyers are its customers
MEASURES = {"total": "hours in all", "per_lead": "hours per prospect", "per_win": "hours per win"}
RESAMPLES = 200


def prospecting(data: ClaimData) -> list[dict[str, Any]]:
    """By how many per cent do hours of prospecting and selling change where a team or market has 1 % more customers?

    Hours in all, per prospect and per win, by market and line of business and month, on customers of the three months
    before, both in logarithms; units and months are taken out, resamples are of units. Hours per
    *customer* would fall by themselves: customers stand in both. Below 0 the hours fall; between 0 and 1 only hours
    per customer do.
    """
    names = ("prospecting", "selling")
    cells, reason = _cells(data)
    if reason:
        return [row for name in names for row in cannot(name, reason)]
    found = _elasticities(cells)
    units, months = cells["unit"].nunique(), cells["month"].nunique()
    named = MEASURES.items()
    parts = {name: Part(f"elasticity of {text}", *found[name], "ratio", units, -1) for name, text in named}
    where = f"{fmt.plural(units, 'unit')}, {fmt.plural(months, 'month')}; % more hours at 1 % more customers"
    readings = ("hours fall", "only hours per customer fall", "hours grow as much, or more")
    falls = readings[int(np.searchsorted([0, 1], found["total"][0], side="right"))]
    rows = result(names[0], [parts["total"]], f"{where}: by the estimate, {falls}")
    rows += result(names[1], [parts["per_win"]], where)
    return [*rows, parts["per_lead"].row(names[1], parts["per_lead"].measure) | {"measure": "", "why": where}]


def _cells(data: ClaimData) -> tuple[pd.DataFrame, str]:
    """Hours, prospects and wins by `unit` and `month`, with customers of before, `base`; or why there are too few."""
    empty = pd.DataFrame(columns=["unit", "month"])
    if reason := lacking(leads=data.leads, customers=data.customers):
        return empty, reason
    leads, people = open_optional(data.leads), open_optional(data.customers)
    assert leads is not None
    assert people is not None
    if "hours" not in leads.columns or "market" not in leads.columns or "market" not in people.columns:
        return empty, "leads need hours and market, and customers their market"
    names = ["market", *(["product_type"] if "product_type" in leads.columns else [])]

    def unit(rows: ibis.Table) -> ibis.Value:
        return ibis.literal(" ").join([optional(rows, name, "string").fill_null(NONE) for name in names])

    won = optional(leads, "won_on", "timestamp(6)").delta(leads.created, unit="day") <= DECIDED_DAYS
    month = leads.created.cast("date").truncate("M")
    asked = leads.mutate(unit=unit(leads), month=month, soon=won.fill_null(False))
    sums = {"hours": _.hours.cast("float64").sum(), "leads": _.count(), "won": _.soon.sum()}
    cells = fetch(asked.group_by("unit", "month").agg(**sums))
    cells = cells.assign(month=pd.to_datetime(cells["month"]))
    cells = cells[(cells["month"] + pd.offsets.MonthEnd(0) <= data.last(DECIDED_DAYS)) & (cells["hours"] > 0)]
    of = with_ids_of(data.log, people.select("customer_id", unit=unit(people)))
    rows = data.rows.filter(_.counted).inner_join(of, "customer_id")
    bought = fetch(rows.group_by("unit", month=rows.day.truncate("M")).agg(buyers=_.customer_id.nunique()))
    if bought.empty:
        return empty, "no customer has a market"
    bought = bought.assign(month=pd.to_datetime(bought["month"]))
    table = bought.pivot(index="month", columns="unit", values="buyers").fillna(0.0).sort_index()
    table = table.reindex(pd.date_range(table.index.min(), table.index.max(), freq="MS"), fill_value=0.0)
    base = table.rolling(BASE_MONTHS).sum().shift().stack().rename("base")
    cells = cells.join(base, on=["month", "unit"])
    cells = cells[cells["base"] > 0].reset_index(drop=True)
    units, months = cells["unit"].nunique(), cells["month"].nunique()
    if units < FEWEST_UNITS or months < FEWEST_MONTHS:
        has = f"{fmt.plural(units, 'market or team')} in {fmt.plural(months, 'month')}"
        return empty, f"{has}; {FEWEST_UNITS} in {FEWEST_MONTHS} months are needed"
    return cells, ""


def _elasticities(cells: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Each elasticity with its standard error, of resamples of units with all their months.

    Customers are the prospects of before, so the means of units that are taken out bend the elasticities of short
    panels downwards; what the two halves of the months say apart takes this back (Dhaene & Jochmans, Review of Economic
    Studies 82(3), 2015).
    """
    hours = np.log(cells["hours"].to_numpy(float))
    # The half keeps months without a prospect or a win.
    leads, won = (np.log(cells[name].to_numpy(float) + 0.5) for name in ("leads", "won"))
    both = np.column_stack([np.log(cells["base"].to_numpy(float)), hours, hours - leads, hours - won])
    taken = pd.get_dummies(cells[["unit", "month"]].astype(str), dtype=float).to_numpy()
    late = (cells["month"] > cells["month"].drop_duplicates().median()).to_numpy()

    def measured(weights: np.ndarray) -> np.ndarray:
        found = []
        for rows in (late | True, late, ~late):
            root = np.sqrt(weights[rows])[:, None]
            others, mine = taken[rows] * root, both[rows] * root
            left = mine - others @ np.linalg.lstsq(others, mine, rcond=None)[0]
            found.append(left[:, 0] @ left[:, 1:] / (left[:, 0] @ left[:, 0]))
        return np.asarray(2 * found[0] - (found[1] + found[2]) / 2)

    groups = cells["unit"].to_numpy()
    drawn = [measured(w) for w in bootstrap_weights(len(cells), RESAMPLES, 0, groups=groups)]
    errors = np.std(drawn, axis=0, ddof=1) * as_student(cells["unit"].nunique())
    return dict(zip(MEASURES, zip(measured(np.ones(len(cells))), errors, strict=True), strict=True))
