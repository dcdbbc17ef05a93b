"""The Customer Pyramid: cut-offs, value and effort by tier, and options for Lead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.arguments import check_choice, check_columns, check_share
from crmlib.customers.sentences import effort_beside_value, pyramid
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.no_rows import ResultFrame

TIERS = ("Lead", "Iron", "Gold", "Platinum")
BEST_FIRST = list(TIERS[::-1])
_BY = ("customers", "profit", "money")
_LEAST = float(np.nextafter(0.0, 1.0))  # a customer without a positive value is not better than Iron
_MONEY = ("revenue", "profit", "cost_to_serve")
# What is cut, by its name in tables: other chapters leave service out, as this one does where its cost is not known.
CALLED = {"revenue": "revenue", "contribution": "contribution", "profit": "contribution after service cost"}
MADE = "pass what customer_profit returns"
COSTS = ("revenue", "cost_of_goods", "cost_to_serve")
# What the theory recommends for a tier (Zeithaml, Rust & Lemon 2001); a reading, not a finding.
TREATMENTS = {
    "Platinum": "a named contact, first call on capacity, asked for advice; no discounts they did not ask for",
    "Gold": "bundles and reasons to concentrate purchases here; find out what is bought elsewhere before any discount",
    "Iron": "good standard service, self-service first; develop those who could be Gold, spend nothing extra",
    "Lead": "find the cause of the cost, serve more cheaply, charge for extras; end the contract only as a last step",
}


@dataclass(frozen=True)
class TierCutOffs:
    """How large Platinum and Gold are, counted among those who are not Lead.

    `platinum`, `gold`: by "customers": the best share of them, and the next. by "profit": the best customers who
    together bring that share of the profit, and the next. by "money": the least value of a tier's customer. `by`:
    {"customers", "profit", "money"}.

    Examples
    --------
    >>> TierCutOffs(0.1, 0.2)
    TierCutOffs(platinum=0.1, gold=0.2, by='customers')
    """

    platinum: float = 0.05
    gold: float = 0.15
    by: str = "customers"

    def __post_init__(self) -> None:
        check_choice("cut_offs: by", self.by, _BY)
        if self.by == "money":
            if not self.platinum >= self.gold > 0:
                raise CrmError(
                    f"cut_offs: Platinum from {self.platinum} and Gold from {self.gold}; allowed: money above 0, "
                    "Platinum's not below Gold's"
                )
        elif not (self.platinum > 0 and self.gold >= 0 and self.platinum + self.gold <= 1):
            raise CrmError(
                f"cut_offs: platinum {self.platinum} and gold {self.gold} do not add up; allowed: shares above 0 "
                "that are together at most 1, such as 0.05 and 0.15"
            )


def as_cut_offs(cut_offs: TierCutOffs | Mapping[str, Any] | None) -> TierCutOffs:
    """Cut-offs as they were given, by name, or the usual ones."""
    return cut_offs if isinstance(cut_offs, TierCutOffs) else TierCutOffs(**(cut_offs or {}))


def in_money(values: np.ndarray, cut_offs: TierCutOffs) -> tuple[TierCutOffs, list[str]]:
    """The same cut-offs as least values, for those who are not Lead; and what had to be decided.

    Customers of equal value stay together: where a cut-off falls among them, all are in the lower tier, so that no
    tier is larger than it was meant to be.
    """
    if cut_offs.by == "money":
        return cut_offs, []
    ranked = np.sort(values)[::-1]
    counts = _counts(ranked, cut_offs)
    least, notes = [], []
    for tier, count in zip(("Platinum", "Gold"), counts, strict=True):
        money, shared = _least_value(ranked, count)
        least.append(max(money, _LEAST))
        if shared:
            notes.append(f"{shared:,} customers share the cut-off of {tier} and are all in the tier below")
    if cut_offs.by == "customers" and 0 < len(ranked) < round(1 / cut_offs.platinum):
        notes.append(f"{fmt.share(cut_offs.platinum)} of {len(ranked)} customers is rounded up to one")
    return TierCutOffs(least[0], min(least), by="money"), notes


def _counts(ranked: np.ndarray, cut_offs: TierCutOffs) -> tuple[int, int]:
    """How many customers are Platinum, and Platinum or Gold, before ties are looked at; rounded up."""
    shares = (cut_offs.platinum, cut_offs.platinum + cut_offs.gold)
    if cut_offs.by == "customers":
        first, both = (int(np.ceil(share * len(ranked) - 1e-9)) for share in shares)
        return first, both
    brought = np.cumsum(np.maximum(ranked, 0.0))
    if not len(brought) or brought[-1] <= 0:
        return 0, 0
    first, both = (int(np.searchsorted(brought, share * brought[-1] * (1 - 1e-12))) + 1 for share in shares)
    return first, both


def _least_value(ranked: np.ndarray, count: int) -> tuple[float, int]:
    """The value of the last of the best `count`; if others share it, the next higher value, and how many share."""
    if count == 0:
        return np.inf, 0
    if count >= len(ranked) or ranked[count] != ranked[count - 1]:
        return float(ranked[count - 1]), 0
    above = ranked[ranked > ranked[count - 1]]
    return (float(above[-1]) if len(above) else np.inf), int((ranked == ranked[count - 1]).sum())


class Pyramid(ResultFrame):
    """Customers with their tier, and what each tier brings and takes; `.value` names the column that was cut."""

    _metadata = ["value"]  # noqa: RUF012  (pandas' own protocol)

    value: str | None = None

    @property
    def named(self) -> str:
        """The name of what was cut in tables: "revenue", "contribution", or "profit" after a cost of service."""
        served = "cost_to_serve" not in self or bool(self["cost_to_serve"].any())
        return str(self.value) if served or self.value == "revenue" else "contribution"

    @property
    def value_called(self) -> str:
        """What was cut, in words."""
        return CALLED[self.named]

    @property
    def kind(self) -> str:
        """What to call them: "contribution tiers", or "revenue tiers" where no cost is known."""
        return "revenue tiers" if self.value == "revenue" else "contribution tiers"

    def of(self, tier: str) -> pd.Series:
        """`customers` of a tier, and the `value` that they bring together; nan for Lead where no cost is known."""
        own = self.loc[self["tier"] == tier, self.value]
        found = pd.Series({"customers": len(own), "value": own.sum()})
        return found * np.nan if tier == "Lead" and self.value == "revenue" else found

    def table(self) -> pd.DataFrame:
        """How many customers does each tier have, and how much of revenue and profit?

        Returns
        -------
        DataFrame
            Platinum first, empty tiers among them, but no Lead where no cost is known: `tier`, `customers`,
            `share_of_customers`, and for each of `revenue, profit, cost_to_serve` that is known its sum, `share_of_…`
            and `…_per_customer`; profit before any cost of service is called `contribution`. Shares are fractions and
            add up to 1; NaN where the total is not positive, for then there is nothing to share out.

        Examples
        --------
        >>> from crmlib import value_tiers
        >>> profit = pd.Series([400, 250, 150, 80, 40, 20, 10, -20, -130, -200])
        >>> table = value_tiers(profit, cut_offs={"platinum": 0.1, "gold": 0.2}).table()
        >>> table[["tier", "customers", "profit", "share_of_profit"]].round(3)
               tier  customers  profit  share_of_profit
        0  Platinum          1     400            0.667
        1      Gold          2     400            0.667
        2      Iron          4     150            0.250
        3      Lead          3    -350           -0.583
        """
        money = [name for name in _MONEY if name in self and (name != "cost_to_serve" or self[name].any())]
        possible = [tier for tier in BEST_FIRST if tier != "Lead" or self.value != "revenue"]
        sums = self._sums(pd.DataFrame(self[money])).loc[possible]
        table = pd.DataFrame({"tier": pd.Categorical(possible, categories=list(TIERS), ordered=True)})
        table["customers"] = sums["customers"].to_numpy()
        table["share_of_customers"] = table["customers"] / max(len(self), 1)
        for column in money:
            name = self.named if column == "profit" else column
            table[name] = sums[column].to_numpy()
            table[f"share_of_{name}"] = _shares(table[name])
            table[f"{name}_per_customer"] = table[name] / table["customers"].where(table["customers"] > 0)
            if name in CALLED:
                with_finding(table, pyramid, name, CALLED[name], measure=f"share_of_{name}")
        return table

    def effort(self) -> pd.DataFrame:
        """Where does the firm spend service in no proportion to value?

        Returns
        -------
        DataFrame
            Platinum first: `tier`, `customers`, `value` (revenue − cost of goods: what there is before service),
            `effort` (cost to serve), `share_of_value`, `share_of_effort`, `effort_per_value` (effort as a share of the
            tier's value), `out_of_proportion` (share of effort ÷ share of value: above 1 more service than value) and
            `treatment`, what the theory recommends. NaN where the value is not positive, or no cost of
            service is known.

        Examples
        --------
        >>> tiers = Pyramid({"revenue": [90.0, 10.0], "cost_of_goods": 0.0, "cost_to_serve": [5.0, 15.0],
        ...                  "tier": ["Platinum", "Lead"]})
        >>> tiers.effort().loc[[0, 3], ["tier", "effort_per_value", "out_of_proportion"]].round(2)
               tier  effort_per_value  out_of_proportion
        0  Platinum              0.06               0.28
        3      Lead              1.50               7.50
        """
        check_columns("profit", self, COSTS, MADE)
        value = self["revenue"] - self["cost_of_goods"]
        table = self._sums(pd.DataFrame({"value": value, "effort": self["cost_to_serve"]})).reset_index()
        if not table["effort"].any():  # no cost of service is known, which is not a cost of 0
            table["effort"] = np.nan
        for name in ("value", "effort"):
            table[f"share_of_{name}"] = _shares(table[name])
        table["effort_per_value"] = table["effort"] / table["value"].where(table["value"] > 0)
        positive = table["share_of_value"].where(table["share_of_value"] > 0)
        table["out_of_proportion"] = table["share_of_effort"] / positive
        table["treatment"] = table["tier"].map(TREATMENTS)
        return with_finding(table, effort_beside_value)

    def _sums(self, money: pd.DataFrame) -> pd.DataFrame:
        """Customers and sums of money by tier, Platinum first."""
        grouped = money.groupby(self["tier"].astype(str).to_numpy())
        sums = grouped.sum().reindex(BEST_FIRST, fill_value=0).rename_axis("tier")
        sums.insert(0, "customers", grouped.size().reindex(BEST_FIRST, fill_value=0))
        assert sums["customers"].sum() == len(self), "a customer was lost between tiers"
        assert np.allclose(sums[money.columns].sum(), money.sum()), "money was lost between tiers"
        return sums

    def customer_list(self, chances: pd.DataFrame) -> pd.DataFrame:
        """The working list: each customer with tier, its certainty, and the money behind it.

        Parameters
        ----------
        chances : TierProbabilities
            Of the same customers, by `customer_id`.

        Returns
        -------
        DataFrame
            The best first: `customer_id, tier, most_likely` (the tier that the true value is most likely in), `chance`
            (of that one), `is_new`, `revenue`, `cost_to_serve` and `profit` (or `contribution`, as in `table`) where
            they are known, and `expected` (the value without chance).
        """
        check_columns("profit", self, ["customer_id"], MADE)
        money = ("revenue", "cost_to_serve", "profit")
        shown = [name for name in money if name in self and self[name].any()]
        sure = pd.DataFrame(chances[["customer_id", "most_likely"]])
        sure = sure.assign(chance=chances[list(TIERS)].max(axis=1), expected=chances["shrunk"])
        listed = pd.DataFrame(self).merge(sure, on="customer_id", how="left", validate="one_to_one")
        assert len(listed) == len(self), "a customer was lost between tables"
        columns = ["customer_id", "tier", "most_likely", "chance", "is_new", *shown, "expected"]
        listed = listed.sort_values(["tier", "expected"], ascending=False, ignore_index=True)[columns]
        return listed.rename(columns={"profit": self.named})

    def ways_out_of_lead(
        self,
        *,
        avoidable_share: float = 0.5,
        price_rise: float = 0.05,
        leave: float = 0.1,
        cheaper: float = 0.25,
    ) -> pd.DataFrame:
        """Drop Lead, charge them, or serve them more cheaply: what would each bring per period?

        Parameters
        ----------
        avoidable_share : float
            Share of the cost to serve that would really fall away with the customers; wages and buildings stay, at
            least at first.
        price_rise, leave : float
            A rise of Lead's prices or fees by this share of revenue, and the share of them who leave for it.
        cheaper : float
            Share of Lead's avoidable cost to serve that cheaper service (self-service, fewer visits) saves.

        Returns
        -------
        DataFrame
            One row per `way` ("drop them", "raise prices", "serve them more cheaply", "charge until nobody loses
            money"): `gain` (money per period against today), `of_loss` (the same as a share of what Lead loses) and
            `assumes`, in words. Without them their margin is lost and only what is avoidable is saved: the gain can be
            negative. No row where nobody is Lead.

        Examples
        --------
        >>> lead = Pyramid({"revenue": [100.0], "cost_of_goods": 60.0, "cost_to_serve": 50.0, "tier": "Lead"})
        >>> lead.ways_out_of_lead()["gain"].round(2).tolist()
        [-15.0, 3.0, 6.25, 10.0]
        """
        given = dict(avoidable_share=avoidable_share, price_rise=price_rise, leave=leave, cheaper=cheaper)
        for name, share in given.items():
            check_share(name, share)
        check_columns("profit", self, COSTS, MADE)
        lead = self[self["tier"] == "Lead"]
        revenue, goods, service = (
            float(lead[name].sum()) for name in ("revenue", "cost_of_goods", "cost_to_serve")
        )
        loss, avoidable = service + goods - revenue, avoidable_share * service
        lost_by_leaving = revenue - goods - avoidable
        raised = (1 - leave) * price_rise * revenue - leave * lost_by_leaving
        saved, rise, gone = (fmt.share(share) for share in (avoidable_share, price_rise, leave))
        ways = [
            ("drop them", -lost_by_leaving, f"{saved} of the cost to serve them is saved"),
            ("raise prices", raised, f"{rise} more, and {gone} of them leave because of it"),
            (
                "serve them more cheaply",
                cheaper * avoidable,
                f"{fmt.share(cheaper)} less of the avoidable cost",
            ),
            ("charge until no customer makes a loss", loss, "fees cover each one's loss, and nobody leaves"),
        ]
        table = pd.DataFrame(ways, columns=["way", "gain", "assumes"])
        table.insert(2, "of_loss", table["gain"] / loss if loss > 0 else float("nan"))
        return table if len(lead) else table.iloc[:0]


def _shares(money: pd.Series) -> pd.Series:
    """Money as shares of its sum; not known where the sum is not positive."""
    total = money.sum()
    return money / total if total > 0 else money * np.nan
