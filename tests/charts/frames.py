"""Frames as the other rooms return them, small enough to check by hand, and what each chart makes of nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from crmlib import charts
from tests.charts import churn_frames, segment_frames

Case = tuple[Callable[..., charts.Chart], pd.DataFrame, dict]


def months(count: int) -> pd.DatetimeIndex:
    return pd.date_range("2023-01-01", periods=count, freq="MS")


def row_counts(used: int = 90, undated: int = 10) -> pd.DataFrame:
    rows = [used + undated, used, 0, undated]
    names = ["in the source", "used", "after 2024-06-30", "date cannot be read"]
    return pd.DataFrame({"outcome": names, "rows": rows, "amount": [2.5 * one for one in rows]})


def monthly(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"month": months(len(values)), "purchases": values, "new_customers": values})


def review(value: float, before: float, year: float = np.nan, budget: float = np.nan) -> pd.DataFrame:
    parts = {"all": 1.0, "existing": 0.75, "new": 0.25}
    rows = [
        [name, "revenue", *(part * one for one in (value, before, year, budget))]
        for name, part in parts.items()
    ]
    names = ["customers", "measure", "value", "month_before", "year_before", "budget"]
    known = dict(month=pd.Timestamp("2024-06-01"), reach_month=np.nan, reach_year=np.nan)
    return pd.DataFrame(rows, columns=names).assign(**known)


def distribution(customers: list[int], value: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"purchases": [*map(str, range(1, len(value))), f"{len(value)}+"], "customers": customers}
    )
    shares = np.array(value, dtype=float) / (sum(value) or np.nan)
    return frame.assign(customer_share=frame["customers"] / max(sum(customers), 1), value_share=shares)


def deciles(values: list[float], customers: int = 10) -> pd.DataFrame:
    total = sum(values) or np.nan
    frame = pd.DataFrame({"decile": range(1, len(values) + 1), "customers": customers, "value": values})
    return frame.assign(value_share=frame["value"] / total)


def waterfall(before: float, changes: list[float]) -> pd.DataFrame:
    steps = ["before", *["lapsed", "bought less", "bought more", "new"][: len(changes)], "after"]
    return pd.DataFrame({"step": steps, "customers": 7, "change": [before, *changes, before + sum(changes)]})


def factors(before: list[float], after: list[float]) -> pd.DataFrame:
    """Two factors; the effects by Shapley weights."""
    (a, b), (c, d) = before, after
    effects = [(c - a) * (b + d) / 2, (d - b) * (a + c) / 2]
    names = ["acquired customers", "spend per customer"]
    return pd.DataFrame({"factor": names, "before": before, "after": after, "effect": effects})


def migration(counts: np.ndarray) -> pd.DataFrame:
    names = [*range(1, 11), "not active"]
    return pd.DataFrame(counts, index=names, columns=names)


def history(active: list[float], twice: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"age": range(len(active)), "customers": 200, "active_share": active})
    return frame.assign(bought_twice_share=twice, value_per_customer=np.cumsum(np.array(active) * 30.0))


def comparison(cohorts: int = 4, periods: int = 8, level: float = 100.0, seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    firsts, later = months(cohorts), months(periods)
    rows = [
        {
            "cohort": firsts[c],
            "period": later[p],
            "age": p - c,
            "complete": p < periods - 1,
        }
        for c in range(cohorts)
        for p in range(c, periods)
    ]
    frame = pd.DataFrame(rows)
    revenue = level * random.gamma(2.0, 1.0, len(frame)) / (1 + frame["age"])
    return frame.assign(
        customers=50, is_new=True, active_share=1 / (1 + frame["age"]), purchases_per_active=1.5,
        spend_per_purchase=revenue / 10,
        revenue=revenue, contribution=0.4 * revenue, margin=0.4,
        value_per_customer=revenue.groupby(frame["cohort"]).cumsum() / 50,
    )  # fmt: skip


def rates(values: list[float], reach: float = 0.05) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"cohort": months(len(values)), "customers": 100, "is_new": True, "repeat_rate": values}
    )
    frame["came_back"] = (100 * frame["repeat_rate"]).round()
    return frame.assign(low=frame["repeat_rate"] - reach, high=frame["repeat_rate"] + reach)


def segments(customers: list[int], net: list[float]) -> pd.DataFrame:
    names = ["Champions", "Loyal", "At risk", "Lost", "A segment with a very long name of its own"][
        : len(net)
    ]
    total = sum(net) if sum(net) > 0 else np.nan
    frame = pd.DataFrame({"segment": names, "customers": customers, "net": net})
    people = frame["customers"] / max(sum(customers), 1)
    return frame.assign(share_of_customers=people, share_of_net=frame["net"] / total)


def track(actual: list[float], predicted: dict[str, list[float]], calibration: int = 1) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {"model": model, "period": range(1, len(actual) + 1), "actual": actual, "predicted": values}
        )
        for model, values in predicted.items()
    ]
    for frame in frames:
        for name in ("actual", "predicted"):
            frame[f"{name}_cumulative"] = frame[name].cumsum()
    whole = pd.concat(frames, ignore_index=True)
    return whole.assign(holdout=whole["period"] > calibration)


def groups(actual: list[float], predicted: list[float]) -> pd.DataFrame:
    names = [*map(str, range(len(actual) - 1)), f"{len(actual) - 1}+"]
    frame = pd.DataFrame({"frequency_group": names, "actual_mean": actual, "predicted_mean": predicted})
    return frame.assign(standard_error=0.1)


def grid(values: np.ndarray) -> pd.DataFrame:
    values = np.atleast_2d(values)
    return pd.DataFrame(
        values, index=range(values.shape[0]), columns=[5.0 * one for one in range(values.shape[1])]
    )


def clv(values: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"clv": values}, dtype=float)
    return frame.assign(clv_low=0.2 * frame["clv"], clv_high=2.0 * frame["clv"])


def clv_of(names: list[str], means: list[float], column: str = "segment") -> pd.DataFrame:
    frame = pd.DataFrame({column: names, "customers": 50, "clv_mean": means, "standard_error": 1.0})
    return frame.assign(clv_low=0.9 * frame["clv_mean"], clv_high=1.1 * frame["clv_mean"])


def sensitivity(lows: list[float], highs: list[float]) -> pd.DataFrame:
    names = ["horizon", "margin", "discount rate per year"][: len(lows)]
    ends = [{"assumption": n, "setting": s, "clv": v} for n, *vs in zip(names, lows, highs, strict=True)
            for s, v in zip(("26 weeks", "156 weeks"), vs, strict=True)]  # fmt: skip
    return pd.DataFrame(ends, columns=["assumption", "setting", "clv"])


def tier_rows(customers: list[int], profit: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"tier": ["Platinum", "Gold", "Iron", "Lead"], "customers": customers, "profit": profit}
    )
    total = sum(profit) if sum(profit) > 0 else np.nan
    people = frame["customers"] / max(sum(customers), 1)
    return frame.assign(share_of_customers=people, share_of_profit=frame["profit"] / total)


def efforts(value: list[float], effort: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"tier": ["Platinum", "Gold", "Iron", "Lead"], "customers": 9, "value": value})
    shares = {
        "share_of_value": frame["value"] / sum(value),
        "share_of_effort": np.array(effort) / (sum(effort) or np.nan),
    }
    return frame.assign(
        **shares, effort_per_value=np.array(effort) / frame["value"].where(frame["value"] > 0)
    )


def tier_moves(counts: np.ndarray) -> pd.DataFrame:
    names = ["Platinum", "Gold", "Iron", "Lead"]
    return pd.DataFrame(counts, index=[*names, "new"], columns=[*names, "not active"])


def stays(stayed: list[float], by_chance: list[float]) -> pd.DataFrame:
    names = ["Platinum", "Gold", "Iron", "Lead"][: len(stayed)]
    frame = pd.DataFrame({"tier": names, "customers": 50, "stayed": stayed, "by_chance": by_chance})
    apart = frame["stayed"] - frame["by_chance"]
    return frame.assign(low=apart - 0.1, high=apart + 0.1)


def allocations(shares: list[float]) -> pd.DataFrame:
    keys = ["as calculated", "per minute of service", "per order", "by revenue", "equally"][: len(shares)]
    frame = pd.DataFrame({"key": keys, "share_changed": shares})
    return frame.assign(changed=(1000 * frame["share_changed"]).astype(int), Lead=range(len(keys)))


def certainty(rows: list[list[float]]) -> pd.DataFrame:
    names = ["Platinum", "Gold", "Iron", "Lead"]
    return pd.DataFrame(rows, index=names[: len(rows)], columns=names)


def whale(profits: list[float]) -> pd.DataFrame:
    money = np.concatenate([[0.0], np.cumsum(np.sort(np.array(profits))[::-1])])
    frame = pd.DataFrame({"customers": range(len(money)), "profit": money})
    return frame.assign(share_of_customers=frame["customers"] / max(len(profits), 1))


def ranks(profits: list[float]) -> pd.DataFrame:
    """The customers in the order of their revenue."""
    rank = pd.Series(profits).rank(ascending=False)
    tiers = np.where(np.array(profits) < 0, "Lead", np.where(rank <= 2, "Platinum", "Iron"))
    return pd.DataFrame({"revenue_rank": range(1, len(rank) + 1), "profit_rank": rank, "tier": tiers})


WORKED = [400.0, 250, 150, 80, 40, 20, 10, -20, -130, -200]


def value_by_retention(cost: float = 275.0) -> pd.DataFrame:
    """Margin 100, discount 10 %: gross value and what five points more add to the net one."""
    rates = np.linspace(0.4, 0.95, 56)
    gross = 110 / (1.1 - rates)
    rise = np.where(rates <= 0.95, 110 / (1.05 - rates), np.nan) - gross
    change = np.where(gross > cost, rise / np.where(gross > cost, gross - cost, 1), np.nan)
    frame = pd.DataFrame({"retention_rate": rates, "gross": gross, "net": gross - cost, "net_change": change})
    return frame.assign(gross_change=rise / gross)


def published(rises: tuple[float, ...] = (0.85, 0.75, 0.5, 0.45, 0.35, 0.3, 0.25)) -> pd.DataFrame:
    return pd.DataFrame({"industry": [f"industry number {one}" for one in range(len(rises))], "rise": rises})


def survival(rates: dict[str, float], until: int = 48) -> pd.DataFrame:
    frames = []
    for name, rate in rates.items():
        tenure = np.arange(until + 1.0)
        frame = pd.DataFrame({"group": name, "tenure": tenure, "survival": rate**tenure})
        frames.append(
            frame.assign(low=0.95 * frame["survival"], high=np.minimum(1.05 * frame["survival"], 1))
        )
    return pd.concat(frames, ignore_index=True)


def movements(start: float, moves: list[list[float]]) -> pd.DataFrame:
    """Rows of new, expansion, contraction and churn."""
    frame = pd.DataFrame(moves, columns=["new", "expansion", "contraction", "churn"], dtype=float)
    change = frame["new"] + frame["expansion"] - frame["contraction"] - frame["churn"]
    frame["end"] = start + change.cumsum()
    return frame.assign(start=frame["end"] - change, month=months(len(moves)))


def tenths(away: dict[str, float]) -> pd.DataFrame:
    """Shares who bought from 5 % to 95 %, and forecasts that miss each by so much."""
    happened = np.linspace(0.05, 0.95, 10)
    frames = [
        pd.DataFrame(
            {"model": name, "decile": range(1, 11), "customers": 50, "actual_mean": happened,
             "predicted_mean": np.clip(happened + one, 0, 1), "standard_error": 0.02}
        )
        for name, one in away.items()
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def overdue(shares: list[float]) -> pd.DataFrame:
    names = [*map(str, range(len(shares) - 1)), f"{len(shares) - 1}+"]
    frame = pd.DataFrame({"frequency_group": names, "customers": 200, "overdue_share": shares})
    return frame.assign(overdue=(200 * frame["overdue_share"]).fillna(0).round().astype(int))


def profit_curves(**profits: list[float]) -> pd.DataFrame:
    """Cumulative profit by ranking, at even shares of customers."""
    curves = [
        pd.DataFrame(
            {
                "ranking": name,
                "share_contacted": np.linspace(0, 1, len(values)),
                "profit": values,
                "behind_error": 0.0,
            }
        )
        for name, values in profits.items()
    ]
    return pd.concat(curves, ignore_index=True)


def qini(values: list[float], reach: float = 0.1) -> pd.DataFrame:
    frame = pd.DataFrame({"share": np.linspace(0, 1, len(values)), "qini": values}, dtype=float)
    return frame.assign(
        qini_low=frame["qini"] - reach * frame["share"], qini_high=frame["qini"] + reach * frame["share"]
    )


def life_of() -> pd.DataFrame:
    """States of a firm with their moves."""
    moves = [
        ("prospect", "unstable", 600, 21.0, "next hop"), ("prospect", "given up", 600, 126.0, "lost"),
        ("unstable", "stable", 980, 86.0, "next hop"), ("unstable", "latent", 980, 12.5, "lost"),
        ("stable", "latent", 1100, 33.3, "lost"), ("latent", "stable", 370, 2.0, "next hop"),
        ("stable", "unstable", 1100, 13.1, "other"), ("stable", "stable", 1100, 900.0, "other"),
        ("latent", "terminated", 370, 31.5, "lost"), ("terminated", "switched back", 1600, 15.2, "other"),
        ("given up", "given up", 14000, 11000.0, "other"),
    ]  # fmt: skip
    return pd.DataFrame(moves, columns=["state", "next_state", "people", "moved", "way"])


def differences(
    names: list[str], values: list[float], verdicts: list[str], column: str = "experiment"
) -> pd.DataFrame:
    frame = pd.DataFrame(
        {column: names, "difference": values, "verdict": verdicts, "members": 80, "name": names}
    )
    return frame.assign(low=frame["difference"] - 1.5, high=frame["difference"] + 1.5)


SURFACE = 1 / (1 + np.arange(8)[:, None] * np.exp(1 - np.arange(9)[None, :] / 2))
OF_PURCHASES = {"group": "purchases", "first": "customer_share", "second": "value_share"}
OF_TIERS = {"group": "tier", "second": "share_of_profit"}
OF_EFFORT = {"group": "tier", "first": "share_of_effort", "second": "share_of_value"}
OF_STAYING = {"group": "tier", "first": "stayed", "second": "by_chance"}
OF_CLV = {"value": "clv_mean", "kind": "money"}
USUAL: dict[str, Case] = {
    "rows_by_outcome": (charts.rows_by_outcome, row_counts(), {"currency": "USD"}),
    "purchases_per_month": (charts.per_month, monthly([5, 0, 9, 7] * 6), {}),
    "new_customers_per_month": (
        charts.per_month, monthly([5, 2, 9, 7]), {"as_of": "2023-04-11", "measure": "new_customers"},
    ),
    "month_against_others": (charts.month_against_others, review(80, 90, 70, 100), {"currency": "USD"}),
    "purchase_distribution": (charts.paired_shares, distribution([60, 30, 10], [20.0, 30.0, 50.0]), OF_PURCHASES),
    "value_deciles": (charts.by_tenth, deciles([50.0, 20, 10, 8, 5, 4, 3, 2, 1, -3]), {}),
    "change_by_customers": (charts.waterfall, waterfall(900, [-500, -50, 100, 30]), {"currency": "USD"}),
    "change_by_factors": (charts.waterfall, factors([100, 20], [90, 25]), {"currency": "USD"}),
    "decile_migration": (charts.migration, migration(np.eye(11) * 60 + 10), {}),
    "cohort_value": (charts.cohort_value, history([1.0, 0.3, 0.2], [0, 0.1, 0.2]), {"currency": "USD"}),
    "cohorts_by_age": (charts.cohorts_by_age, comparison(), {}),
    "cohort_triangle": (charts.cohort_triangle, comparison(), {}),
    "revenue_by_cohort": (charts.revenue_by_cohort, comparison(), {"currency": "USD"}),
    "repeat_rate_by_cohort": (charts.by_cohort, rates([0.3, 0.35, 0.2]), {}),
    "segment_bars": (charts.paired_shares, segments([10, 0, 30, 50, 10], [600, 0, 300, 50, 50]), {}),
    "tracking": (
        charts.tracking,
        track([9.0] * 20, {"BG/NBD": [8.0] * 20, "Pareto/NBD": [8.1] * 20, "as last year": [5.0] * 20}),
        {"calibration_end": 10},
    ),
    "tracking_per_period": (
        charts.tracking, track([9.0, 4] * 9, {"BG/NBD": [8.0] * 18}), {"calibration_end": 10, "cumulative": False},
    ),
    "calibration": (charts.calibration, groups([0.2, 0.7, 1.5, 3.1], [0.25, 0.7, 1.4, 2.2]), {}),
    "p_alive_surface": (charts.history_surface, grid(SURFACE), {"age": 40}),
    "expected_purchases_surface": (
        charts.history_surface, grid(SURFACE * np.arange(8)[:, None]), {"age": 40, "horizon": "52 weeks"},
    ),
    "clv_distribution": (charts.clv_distribution, clv([1.0, 2, 3, 5, 9, 30, 99]), {"currency": "USD"}),
    "clv_by_group": (charts.values_by_group, clv_of(["Champions", "At risk"], [90, 4]), {"currency": "USD"}),
    "clv_by_acquisition_month": (
        charts.by_cohort, clv_of(list(months(3)), [40, 38, 41], "month"), OF_CLV | {"currency": "USD"},
    ),
    "clv_sensitivity": (
        charts.clv_sensitivity, sensitivity([3e5, 4e5, 5.9e5], [13e5, 8e5, 6.1e5]), {"base": 6e5, "currency": "USD"},
    ),
    "tier_pyramid": (charts.paired_shares, tier_rows([50, 150, 700, 100], [600.0, 400, 200, -200]), OF_TIERS),
    "effort_and_value": (charts.paired_shares, efforts([60.0, 25, 12, 3], [10.0, 20, 40, 30]), OF_EFFORT),
    "tier_flows": (
        charts.migration,
        tier_moves(np.array([[20, 15, 10, 0, 5], [9, 60, 50, 1, 30], [3, 40, 400, 3, 99], [0, 2, 6, 20, 1], [5] * 5])),
        {},
    ),
    "stayed_by_chance": (charts.paired_shares, stays([0.4, 0.45, 0.8, 0.2], [0.7, 0.6, 0.9, 0.5]), OF_STAYING),
    "tiers_by_allocation": (charts.tiers_by_allocation, allocations([0.0, 0.08, 0.05, 0.12, 0.1]), {}),
    "tier_certainty": (
        charts.tier_certainty,
        certainty([[0.7, 0.3, 0, 0], [0.1, 0.6, 0.3, 0], [0, 0.06, 0.88, 0.06], [0, 0.02, 0.48, 0.5]]),
        {},
    ),
    "profit_whale": (charts.profit_whale, whale(WORKED), {"currency": "USD"}),
    "revenue_against_profit": (charts.revenue_against_profit, ranks([-200.0, 250, 400, 80, 150, 20, -20, 10]), {}),
    "profit_by_retention": (
        charts.profit_by_retention, value_by_retention(), {"retention_rate": 0.8, "currency": "USD"},
    ),
    "rise_by_retention": (
        charts.rise_by_retention, value_by_retention(),
        {"retention_rate": 0.8, "published": published(), "interval": (0.71, 0.98)},
    ),
    "survival_by_group": (
        charts.survival_by_group, survival({"Month-to-month": 0.96, "One year": 0.99, "Two year": 0.998}), {},
    ),
    "revenue_movement": (
        charts.waterfall, movements(1000, [[300, 200, 50, 100], [50, 0, 20, 10]]), {"currency": "USD"},
    ),
    "activity_calibration": (
        charts.chances,
        tenths({"Pareto/NBD": 0.01, "MBG/NBD": -0.02, "RFM logistic": 0.03, "time since last purchase": -0.1}), {},
    ),
    "overdue_share": (
        charts.overdue_share, overdue([np.nan, 0.2, 0.3, 0.25, 0.2]),
        {"false_alarm_rate": 0.05},
    ),
    **churn_frames.USUAL,
    **segment_frames.USUAL,
    "campaign_profit": (
        charts.campaign_profit,
        profit_curves(**{"by effect": [0, 900.0, 1200, 800], "by risk": [0, 300.0, 700, 800]}),
        {"currency": "USD"},
    ),
    "qini_curve": (charts.qini_curve, qini([0, 0.3, 0.45, 0.5]), {}),
    "experiment_effects": (
        charts.experiment_effects,
        differences(["reminder", "birthday", "price"], [4.0, 0.5, -3.0], ["supported", "undecided", "contradicted"]),
        {"outcome": "spend in 60 days", "currency": "USD"},
    ),
    "experiment_effects, members": (
        charts.experiment_effects,
        differences(["before joining", "after joining", "matched"], [2.0, 7.0, 3.0], [""] * 3, "comparison"),
        {"outcome": "spend", "currency": "USD"},
    ),
    "life_cycle": (charts.life_cycle, life_of(), {}),
    "life_cycle, vault": (charts.life_cycle, life_of(), {"drawing": "vault"}),
}  # fmt: skip
