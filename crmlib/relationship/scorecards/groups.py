"""Customers, accounts, partners and beliefs as frameworks group them, each with the money that stands behind it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.customers._log import fetch
from crmlib.data.sources import open_optional, optional
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows, unless, why_none
from crmlib.relationship.scorecards.facts import Facts, lacks
from crmlib.relationship.scorecards.sentences import friends_and_barnacles, spent_elsewhere

BEST, SIGNIFICANT = 0.20, 0.05  # of customers: what counts as much value, and as outstanding
FEWEST_BROUGHT = 2  # customers whom a door opener has brought
FEWEST_IN_GRID = 4
GRID = ["true friends", "butterflies", "barnacles", "strangers"]
TIERS = ["Platinum", "Gold", "Iron", "Lead"]
_BY_NEED = "tier need customers value share_of_all value_mean"
_TYPES = "value_type customers share_of_customers value share_of_all untapped"
_ROLES = "role customers value share_of_all fixed_cost_carried"
_GRID = "loyalty_group customers value value_mean tenure_days"
_SCOPE = "partner_id kind cost_per_year value_received_per_year value_given_per_year customers value balance"
_BELIEFS = "belief customer_group stage test pass_if pass_mark pass_mark_set_on result result_on outcome"
STAGES = ["discovery", "validation", "get", "keep", "grow"]
_ACCOUNTS = "customer_id manager_id planned_value realised against_plan goal_reached open_cases"


@unless(lacks("buyers", "profiles"), _TYPES)
def value_types(facts: Facts) -> pd.DataFrame:
    """Peppers and Rogers' five types, by value today and by what customers buy elsewhere.

    `untapped` is value ÷ share of wallet − value: what the same customers would bring if they bought all here. Much is
    the best fifth. Buyers whose share of wallet is not known have no type.
    """
    share = facts.profiles["share_of_wallet"].reindex(facts.buyers.index).astype(float)
    rows = pd.DataFrame({"value": facts.buyers["value"], "share": share.where(share > 0)}).dropna()
    if rows.empty:
        return no_rows(_TYPES, "customers.share_of_wallet is empty")
    rows["untapped"] = (rows["value"] / rows["share"] - rows["value"]).clip(lower=0)
    much, more = (rows[name].rank(pct=True) > 1 - BEST for name in ("value", "untapped"))
    names = ["below zero", "super-growth", "most valuable", "most growable", "low maintenance"]
    holds = [rows["value"] < 0, much & more, much, more]
    rows["value_type"] = np.select(holds, names[:-1], names[-1])
    by_type = rows.groupby("value_type")
    table = by_type[["value", "untapped"]].sum().assign(customers=by_type.size()).reindex(names, fill_value=0)
    total = table["value"].sum()
    share = table["value"] / total if total > 0 else np.nan
    table = table.assign(share_of_customers=table["customers"] / len(rows), share_of_all=share)
    return with_finding(table.rename_axis("value_type").reset_index()[_TYPES.split()], spent_elsewhere)


@unless(lacks("buyers"), _BY_NEED)
def value_and_need(facts: Facts) -> pd.DataFrame:
    """How many buyers of each tier have each need, and what they brought: value by needs, of chapters 4 and 3.

    A row of `customers` of chapter 12 has the `tier` and the `need` of each customer.
    """
    rows = facts.buyers[["value"]].set_axis(facts.buyers.index.astype(str))
    for name, table in {"tier": "value_tiers", "need": "customers_by_segment"}.items():
        found = facts.study.published(table)
        if name not in found:
            return no_rows(_BY_NEED, f"no chapter published the {name} of customers")
        kept = found.set_index(found["customer_id"].astype(str))[name].astype(str)
        rows = rows.assign(**{name: kept.reindex(rows.index).fillna(f"no {name}")})
    table = rows.groupby(["tier", "need"])["value"].agg(["size", "sum", "mean"]).reset_index()
    table.columns = ["tier", "need", "customers", "value", "value_mean"]
    assert table["customers"].sum() == len(rows), "a customer was lost between tiers and needs"
    place = table["tier"].map({name: place for place, name in enumerate(TIERS)}).fillna(len(TIERS))
    table = table.assign(place=place).sort_values(["place", "customers"], ascending=[True, False])
    total = table["value"].sum()
    table["share_of_all"] = table["value"] / total if total > 0 else np.nan
    return table[_BY_NEED.split()].reset_index(drop=True)


@unless(lacks("buyers"), [])
def significance(facts: Facts) -> pd.DataFrame:
    """Buttle's strategically significant customers: of each buyer and role, whether it holds.

    High future value: the best twentieth by expected lifetime value (chapter 6). High volume: the twentieth with most
    orders. Door openers: those who brought two customers or more. Benchmarks and inspirations are known to no table.
    """
    buyers, future = facts.buyers, facts.study.published("lifetime_value")
    holds = pd.DataFrame(index=buyers.index)
    if len(future):
        clv = future.set_index("customer_id")["clv"].reindex(buyers.index)
        holds["high future value"] = clv.rank(pct=True) > 1 - SIGNIFICANT
    holds["high volume"] = buyers["orders"].rank(pct=True, method="first") > 1 - SIGNIFICANT
    if len(facts.referred):
        holds["door opener"] = facts.referred.reindex(buyers.index).fillna(0) >= FEWEST_BROUGHT
    return holds


@unless(lacks("buyers"), _ROLES)
def roles(facts: Facts) -> pd.DataFrame:
    """The money behind each role of `significance`, and the fixed cost that others would bear without them.

    Customers carry fixed cost (`capacity.fixed_cost`) by their share of the orders.
    """
    holds, buyers = significance(facts), facts.buyers
    total, fixed = buyers["value"].sum(), _fixed_cost(facts)
    rows = []
    for role in holds:
        some = buyers.loc[holds[role], ["value", "orders"]].sum()
        share = some["value"] / total if total > 0 else np.nan
        carried = fixed * some["orders"] / buyers["orders"].sum()
        rows.append((role, int(holds[role].sum()), some["value"], share, carried))
    return pd.DataFrame(rows, columns=_ROLES.split())


def _fixed_cost(facts: Facts) -> float:
    rows = open_optional(facts.study.table("capacity"))
    if rows is None:
        return np.nan
    cost = optional(rows, "fixed_cost", "float64")
    found = rows.filter(rows.date.cast("date").between(facts.first, facts.last)).agg(cost=cost.sum())
    return float(fetch(found)["cost"].astype(float).iloc[0])


@unless(lacks("buyers"), "value tenure_days loyalty_group")
def loyalty_groups(facts: Facts) -> pd.DataFrame:
    """Reinartz and Kumar's group of each buyer: `value, tenure_days, loyalty_group`.

    Of buyers whose first purchase was before the window, so that all had the whole of it. Long: first purchase before
    that of half of them. Much: more than their mean.
    """
    columns, born = ["value", "tenure_days", "loyalty_group"], facts.born.reindex(facts.buyers.index)
    rows = facts.buyers.assign(tenure_days=(pd.Timestamp(facts.last) - born).dt.days.astype(float))
    rows = pd.DataFrame(rows[born < pd.Timestamp(facts.first)])
    if len(rows) < FEWEST_IN_GRID:
        return no_rows(columns, "fewer than four customers bought before the window and in it")
    long, much = rows["tenure_days"] > rows["tenure_days"].median(), rows["value"] > rows["value"].mean()
    rows["loyalty_group"] = np.select([long & much, much, long], GRID[:-1], GRID[-1])
    return rows[columns]


def loyalty_grid(facts: Facts) -> pd.DataFrame:
    """The four groups of `loyalty_groups`: who is long with the firm, and who brings much?"""
    rows = loyalty_groups(facts)
    if reason := why_none(rows):
        return no_rows(_GRID, reason)
    of = rows.groupby("loyalty_group")
    found = {"customers": of.size(), "value": of["value"].sum(), "tenure_days": of["tenure_days"].mean()}
    table = pd.DataFrame(found).reindex(GRID).rename_axis("loyalty_group").reset_index()
    table = table.fillna({"customers": 0, "value": 0.0}).astype({"customers": int})
    table["value_mean"] = table["value"] / table["customers"].where(table["customers"] > 0)
    return with_finding(table[_GRID.split()], friends_and_barnacles)


def partners(facts: Facts) -> pd.DataFrame:
    """The network by its five parts (SCOPE): what each partner costs, brings beside customers, and gets.

    `customers` and `value`: whom a partner brought, and what these brought in the window. `balance` is value received
    and value of the customers, less cost.
    """
    rows = facts.table("network_partners")
    if rows is None:
        return no_rows(_SCOPE, "no table network_partners")
    money = "cost_per_year value_received_per_year value_given_per_year".split()
    kinds = {name: optional(rows, name, "float64").fill_null(0.0) for name in money}
    found = fetch(rows.select("partner_id", "kind", **kinds)).set_index("partner_id")
    known = facts.table("customers")
    brought = pd.DataFrame(columns=["customer_id", "partner_id"])
    if known is not None and "partner_id" in known.columns:
        brought = fetch(known.filter(known.partner_id.notnull()).select("customer_id", "partner_id"))
    value = brought["customer_id"].map(facts.buyers["value"]) if len(facts.buyers) else np.nan
    per_partner = brought.assign(value=value).groupby("partner_id")
    found["customers"] = per_partner.size().reindex(found.index).fillna(0).astype(int)
    found["value"] = per_partner["value"].sum().reindex(found.index).fillna(0.0).astype(float)
    found["balance"] = found["value_received_per_year"] + found["value"] - found["cost_per_year"]
    parts = ["supplier", "customer", "owner", "partner", "employee"]
    order = found["kind"].map({name: place for place, name in enumerate(parts)})
    return found.assign(order=order).sort_values(["order", "balance"]).reset_index()[_SCOPE.split()]


@unless(lacks("buyers", "answers"), "value satisfied discounts in_day")
def sides(facts: Facts) -> pd.DataFrame:
    """What each buyer who answered a survey gets and brings: satisfied, discount taken, value."""
    columns = ["value", "satisfied", "discounts", "in_day"]
    rows = facts.buyers[["value", "discounts"]].join(facts.answers["satisfied"].dropna(), how="inner")
    if rows.empty:
        return no_rows(columns, "no buyer answered")
    asked = facts.asked
    if len(asked):
        sums = asked.groupby("customer_id")[["in_day", "asked"]].sum()
        rows["in_day"] = (sums["in_day"] / sums["asked"]).reindex(rows.index)
    return rows.reindex(columns=columns)


def value_matrix(facts: Facts) -> pd.DataFrame:
    """The two sides of the value proposition by tier (chapter 4), else by fifth of value.

    `value_mean` is what the firm gets; `satisfied_share`, `discount_per_customer` and `in_day_share` what the
    customers get. `who_gains` compares each group with all.
    """
    columns = "segment customers value_mean satisfied_share discount_per_customer in_day_share who_gains"
    rows = sides(facts)
    if reason := why_none(rows):
        return no_rows(columns, reason)
    listed = facts.study.published("value_tiers")
    if len(listed):
        tier = listed.set_index("customer_id")["tier"].astype(str).reindex(rows.index)
        rows = rows.assign(segment=tier.fillna("no tier"))
        order = [*TIERS, "no tier"]
    else:
        fifth = np.ceil(5 * rows["value"].rank(pct=True, method="first")).astype(int)
        order = [f"fifth {number}" for number in range(5, 0, -1)]
        rows = rows.assign(segment="fifth " + fifth.astype(str))
    table = rows.groupby("segment").agg(
        customers=("value", "size"), value_mean=("value", "mean"), satisfied_share=("satisfied", "mean"),
        discount_per_customer=("discounts", "mean"), in_day_share=("in_day", "mean"),
    )  # fmt: skip
    table = table.reindex([name for name in order if name in table.index]).reset_index()
    firm = table["value_mean"] > max(rows["value"].mean(), 0.0)
    theirs = table["satisfied_share"] > rows["satisfied"].mean()
    words = ["both gain more than on average", "the firm gains more", "the customers gain more"]
    table["who_gains"] = np.select([firm & theirs, firm, theirs], words, "both gain less")
    return table[columns.split()]


@unless(lacks("profiles", "buyers"), "goal_reached adoption quiet")
def success_parts(facts: Facts) -> pd.DataFrame:
    """Parts of each buyer's success, from 0 to 1: goal reached, share in use, no open case."""
    score = facts.profiles[["goal_reached", "adoption"]].reindex(facts.buyers.index).astype(float).dropna()
    if facts.study.has("service_cases"):
        score["quiet"] = (facts.open_cases.reindex(score.index).fillna(0) == 0).astype(float)
    return score if len(score) else no_rows(score.columns, "there is no such row")


@unless(lacks("buyers", "profiles"), _ACCOUNTS)
def accounts(facts: Facts) -> pd.DataFrame:
    """Accounts with a plan: what it names, what came in the window, who manages them; the largest shortfall first.

    Accounts that joined within the window are left out: a plan is for a whole year.
    """
    rows = facts.profiles.reset_index()
    new = pd.to_datetime(rows["joined"]) >= pd.Timestamp(facts.first)
    rows = rows[(rows["planned_value"] > 0) & ~new].copy()
    if rows.empty:
        return no_rows(_ACCOUNTS, "no account with a plan was there for the whole window")
    rows["realised"] = rows["customer_id"].map(facts.buyers["value"]).fillna(0.0).astype(float)
    rows["against_plan"] = rows["realised"] - rows["planned_value"]
    cases = facts.open_cases
    rows["open_cases"] = rows["customer_id"].map(cases).fillna(0).astype(int) if len(cases) else np.nan
    return rows.sort_values(["against_plan", "customer_id"])[_ACCOUNTS.split()].reset_index(drop=True)


def by_channel(facts: Facts) -> pd.DataFrame:
    """By channel: contacts by the firm, their answers and cost; what customers ask, and how soon it is answered."""
    columns = "channel sent response_share customised_share cost_per_response asked in_day_share never"
    sent, asked = facts.sent, facts.asked
    if reason := why_none(sent) and why_none(asked):
        return no_rows(columns, reason)
    table = pd.DataFrame(index=pd.Index([], name="channel"))
    if len(sent):
        sums = sent.groupby("channel")[["sent", "answerable", "responses", "customised", "spent"]].sum()
        table = sums[["sent"]].assign(
            response_share=sums["responses"] / sums["answerable"].where(sums["answerable"] > 0),
            customised_share=sums["customised"] / sums["sent"],
            cost_per_response=sums["spent"] / sums["responses"].where(sums["responses"] > 0),
        )
    if len(asked):
        sums = asked.groupby("channel")[["asked", "in_day", "never"]].sum()
        answered = sums[["asked", "never"]].assign(in_day_share=sums["in_day"] / sums["asked"])
        table = table.join(answered, how="outer")
    table = table.rename_axis("channel").reset_index().reindex(columns=columns.split())
    return table.sort_values(["sent", "asked"], ascending=False, na_position="last").reset_index(drop=True)


def hypotheses(facts: Facts) -> pd.DataFrame:
    """Every belief of the log with its outcome, in the order of the stages.

    `outcome`: "passed" or "failed"; "open" without a result; "no test" and why, where there is no pass mark or it was
    not set on a day before that of the result: a mark that is set afterwards can be met by any result.
    """
    rows = facts.table("hypotheses")
    if rows is None:
        return no_rows(_BELIEFS, "no table hypotheses")
    found = fetch(rows).reindex(columns=_BELIEFS.split()[:-1])
    found["outcome"] = outcome(found)
    order = found["stage"].map({stage: place for place, stage in enumerate(STAGES)})
    found = found.assign(order=order).sort_values(["order", "pass_mark_set_on"], ignore_index=True)
    return found[_BELIEFS.split()]


def outcome(rows: pd.DataFrame) -> np.ndarray:
    """The outcome of each belief; see `hypotheses`.

    Examples
    --------
    >>> rows = pd.DataFrame({"pass_mark": [0.1, 0.1], "pass_if": ["at least", "at most"], "result": [0.2, 0.2],
    ...                      "pass_mark_set_on": pd.to_datetime(["2024-01-01", "2024-03-02"]),
    ...                      "result_on": pd.to_datetime(["2024-03-01", "2024-03-01"])})
    >>> outcome(rows).tolist()
    ['passed', 'no test: the pass mark was not set before the result']
    """
    mark, result = rows["pass_mark"].astype(float), rows["result"].astype(float)
    at_most = rows["pass_if"].eq("at most")
    days = (pd.to_datetime(rows[name]).dt.normalize() for name in ("pass_mark_set_on", "result_on"))
    set_on, known_on = days
    met = np.where(at_most, result <= mark, result >= mark)
    cases = [
        (result.isna(), "open"),
        (mark.isna(), "no test: there is no pass mark"),
        (set_on.isna() | known_on.isna(), "no test: a day is missing"),
        (set_on >= known_on, "no test: the pass mark was not set before the result"),
        (met, "passed"),
    ]
    return np.select([case for case, _word in cases], [word for _case, word in cases], "failed")
