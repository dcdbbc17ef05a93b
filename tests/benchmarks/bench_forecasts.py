"""Two years of monthly forecasts of 200 small firms: how often the bands hold, and who is said to beat the naive one.

    python -m tests.benchmarks.bench_forecasts

Firms that are steady, grow, shrink or have seasons, 40 to 50 of each: 24 months of history, then 24 monthly runs that
forecast, lock and score by the library's functions; at each run the evidence is looked at. Null worlds: the same firms
with the two forecasts' names exchanged at random in each month, so that neither is better. Ends with 1 where one-month
bands cover less than 85 or more than 95 %, more than 8 % of null worlds say "better" at any look, the processor works
20 minutes, or the months of a whole log, cut at a day, forecast otherwise than the log that was known on that day.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict

import numpy as np
import pandas as pd

from crmlib.relationship.forecasts import monthly_sums, next_forecasts
from crmlib.relationship.track_record import ENOUGH, evidence, gains_of, scores, track_record

HISTORY, LOOKS = 24, 24  # months before the first forecast, and forecasts


def firm(seed: int, *, trend: float = 0.0, season: float = 0.0, news: float = 12.0) -> pd.DataFrame:
    """The log of a small firm: customers come, buy at paces of their own, and leave.

    `trend`: growth of the number of new customers per month, a share. `season`: standard deviation of the log of the
    demand of the twelve months of a year, the same in every year. `news`: new customers per month.
    """
    random = np.random.default_rng(seed)
    months = HISTORY + LOOKS + 6
    demand = np.exp(season * random.standard_normal(12))
    demand /= demand.mean()
    born = np.concatenate(
        [np.zeros(int(news * 8), dtype=int)]
        + [np.full(random.poisson(news * (1 + trend) ** m * demand[m % 12]), m) for m in range(1, months)]
    )
    count = len(born)
    pace, leave = random.gamma(1.2, 0.5, count), random.beta(1.0, 9.0, count)
    spend = random.gamma(6.0, 8.0, count)
    ends = born + random.geometric(leave)
    rows = []
    for month in range(months):
        here = np.flatnonzero((born <= month) & (ends > month))
        bought = random.poisson(pace[here] * demand[month % 12]) + (born[here] == month)
        who = np.repeat(here, bought)
        day = random.integers(1, 28, len(who))
        first = pd.Period("2020-01", "M") + month
        date = first.start_time + pd.to_timedelta(day, unit="D")
        rows.append(
            pd.DataFrame(
                {"customer_id": who, "date": date, "amount": spend[who] * random.gamma(3, 1 / 3, len(who))}
            )
        )
    log = pd.concat(rows, ignore_index=True)
    return log.assign(customer_id="c" + log["customer_id"].astype(str))


KINDS = {
    "steady": {}, "growing 3 % a month": {"trend": 0.03}, "shrinking 4 % a month": {"trend": -0.04},
    "with seasons": {"season": 0.3}, "steady, 60 new a month": {"news": 60.0},
}  # fmt: skip
EACH, MINUTES = 42, 20


def day_of(look: int) -> pd.Timestamp:
    """The last day of a month on which a run is made."""
    return (pd.Period("2020-01", "M") + HISTORY + look - 1).end_time.normalize()


def record(log: pd.DataFrame) -> pd.DataFrame:
    """24 runs, each of which sees the months up to its day, scores what is due and locks its forecasts."""
    months = monthly_sums(log, as_of=log["date"].max())
    locked, known = pd.DataFrame(), pd.DataFrame()
    for look in range(LOOKS + 2):
        day = day_of(look)
        seen = months[months["period"] <= day.to_period("M")]
        if len(locked):
            found = scores(locked, seen, as_of=day, known=known if len(known) else None)
            known = pd.concat([known, found]) if len(found) else known
        if look < LOOKS:
            now = next_forecasts(seen, as_of=day)
            if look:  # every loss is capped as the first run has said
                first = locked.iloc[: len(now)]
                now = now.assign(cap=first["cap"].to_numpy())
            locked = pd.concat([locked, now], ignore_index=True)
    return track_record(known, months)


def same_as_known_then(log: pd.DataFrame) -> bool:
    """Whether the log that was known on a day forecasts what the whole log's months, cut at that day, do."""
    day = day_of(11)
    then = monthly_sums(log[log["date"] <= day], as_of=day)
    return next_forecasts(then, as_of=day).equals(
        next_forecasts(monthly_sums(log, as_of=log["date"].max()), as_of=day)
    )


def coverage(rows: pd.DataFrame) -> str:
    """Share within the bands, with its interval by firms."""
    by_firm = rows.groupby("firm")["inside"].mean()
    reach = 1.96 * by_firm.std() / np.sqrt(len(by_firm))
    return f"{by_firm.mean():.1%} ± {reach:.1%}"


def main() -> None:
    """Print the table and end with 1 where a promise does not hold."""
    kept, decided_by = [], defaultdict(list)
    same, random = True, np.random.default_rng(7)
    for kind, world in KINDS.items():
        for seed in range(EACH):
            log = firm(seed, **world)
            same &= seed > 0 or same_as_known_then(log)
            found = record(log).query("customers == 'all' and measure == 'revenue'")
            kept.append(found.assign(firm=f"{kind} {seed}", kind=kind))
            rows = found[(found["horizon"] == "month") & found["counted"]].sort_values("target")
            gains = gains_of(rows)
            signs = random.choice([-1.0, 1.0], (20, len(gains)))
            worlds = [("better", gains), ("worse", -gains), *(("null", gains * one) for one in signs)]
            for name, series in worlds:
                course = np.maximum.accumulate(evidence(series))
                decided_by[f"{kind}, {name}"].append((course[11] >= ENOUGH, course[-1] >= ENOUGH))
    table = pd.concat(kept)
    table = table[table["inside"].notna()].astype({"inside": float})
    heads = [
        "Firms",
        "one-month bands hold",
        "quarters",
        "median error",
        "naive",
        "better, 12 looks",
        "24 looks",
    ]
    print("| " + " | ".join([*heads, "worse, 24 looks", "null, any look"]) + " |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in KINDS:
        mine = table[table["kind"] == kind]
        month, quarter = (mine[mine["horizon"] == name] for name in ("month", "quarter"))
        off = [
            ((month[name] - month["actual"]).abs() / month["actual"]).median()
            for name in ("forecast", "naive")
        ]
        better, worse, null = (
            np.mean(decided_by[f"{kind}, {name}"], axis=0) for name in ("better", "worse", "null")
        )
        print(
            f"| {kind} | {coverage(month)} | {coverage(quarter)} | {off[0]:.1%} | {off[1]:.1%} | {better[0]:.1%} | "
            f"{better[1]:.1%} | {worse[1]:.1%} | {null[1]:.1%} |"
        )
    month = table[table["horizon"] == "month"]
    share = month.groupby("firm")["inside"].mean().mean()
    false = np.mean([one[1] for name, found in decided_by.items() if name.endswith("null") for one in found])
    minutes = time.process_time() / 60  # one process, so as long as on a machine that does nothing else
    print(
        f"\n{len(KINDS) * EACH} firms, {len(month):,} one-month forecasts: bands hold in {coverage(month)}; null "
        f"worlds said to be better at any of 24 looks {false:.1%}; {minutes:.1f} minutes of the processor."
    )
    sys.exit(not (same and 0.85 <= share <= 0.95 and false <= 0.08 and minutes < MINUTES))


if __name__ == "__main__":
    main()
