"""Values of young channels, marginal cost of a customer and attribution, on simulated firms whose truth is known.

python -m tests.benchmarks.bench_channels [scores] [paybacks] [costs] [paths]
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

import crmlib as crm
from crmlib.economics.acquisition.attribution import METHODS
from crmlib.economics.acquisition.channel_values import channel_values
from crmlib.errors import FitError
from crmlib.models._inference import Array
from crmlib.simulation.simulate import SimulatedFirm, simulate_firm
from tests.benchmarks.channel_pooling import fit_channels

FIRMS, LARGE_EVERY, DRAWS, SMALL = 120, 4, 30, 300
CUT, END, OPENED = (
    "2024-12-31",
    "2025-12-31",
    "2024-11-02",
)  # of history, of the holdout, of the young channel
SEEN_AT = ("2024-06-30", "2024-12-31")  # in the middle of the year and at its end: the rest has other seasons
QUALITY = (1, 0, 1, -1)  # channels differ, do not, do, and differ the other way round
CHANNELS = ("search", "social", "display", "price comparison", "partner", "organic")
NEW_WEEKS, PATHS, AT_MOST = 39, 1_000_000, 10.0
STRENGTHS = ((1, 1), (1, 0), (1, -1), (2, 1), (0, 1), (-1, 1))  # of the response to spend, and of assists
MARGIN, WORST = 0.4, -20.0  # a log score below is no more than so bad


def split(firm: SimulatedFirm, young: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customers with their year after the cut, and the log; one channel has customers of 60 days alone."""
    log = firm.tables["transactions"][["customer_id", "date", "amount"]]
    channel = firm.tables["customers"].set_index("customer_id")["acquisition_channel"]
    known = crm.rfm_train_test_split(log, calibration_end=CUT, as_of=END)
    known["channel"] = known["customer_id"].map(channel)
    older = (known["channel"] == young) & (known["first_purchase"] < OPENED)
    return known[known["channel"].notna() & ~older].reset_index(drop=True), log


def purchase_score(params: Array, mine: pd.DataFrame, t: float) -> Array:
    """Log probability of each customer's purchases in the holdout, of the mean over draws of parameters."""
    x, t_x, age = (mine[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    happened = mine["holdout_frequency"].to_numpy(int)
    chance = np.zeros((len(params), len(mine)))
    for at, one in enumerate(params):
        model = crm.BetaGeoModel.from_params(**dict(zip(("r", "alpha", "a", "b"), one, strict=True)))
        for n in np.unique(happened):
            who = happened == n
            chance[at, who] = model._pmf(int(n), t)(x[who], t_x[who], age[who])
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(chance.mean(axis=0)), WORST)


def spend_score(params: Array, mine: pd.DataFrame) -> Array:
    """The same of the density of what they spent then, given how often they bought; 0 where they did not."""
    from scipy.special import gammaln

    n, total = mine["holdout_frequency"].to_numpy(float), mine["holdout_spend"].to_numpy(float)
    bought = (n > 0) & (total > 0)
    x, m = mine["frequency"].to_numpy(float), np.maximum(mine["monetary_value"].to_numpy(float), 0)
    n, z, x, m = n[bought], total[bought], x[bought], m[bought]
    density = np.zeros((len(params), bought.sum()))
    for at, (p, q, v) in enumerate(params):
        shape, rate, new = q + p * x, v + x * m, p * n
        density[at] = gammaln(new + shape) - gammaln(new) - gammaln(shape)
        density[at] += (new - 1) * np.log(z) + shape * np.log(rate) - (new + shape) * np.log(rate + z)
    score = np.zeros(len(mine))
    score[bought] = np.maximum(np.logaddexp.reduce(density, axis=0) - np.log(len(params)), WORST)
    return score


def plain(model: type, data: pd.DataFrame, otherwise: Array | None = None) -> Array:
    """Parameters of a plain fit; those of all customers where a channel does not tell them."""
    try:
        fitted = model().fit(data)
    except FitError:
        if otherwise is None:
            raise
        return otherwise
    return np.asarray(fitted._values())


def newcomers(firm: SimulatedFirm, log: pd.DataFrame) -> pd.DataFrame:
    """Customers won in the quarter after the cut, and what they buy within 39 weeks, of which nothing is known."""
    log = log.assign(day=log["date"].dt.normalize())[log["amount"] > 0]
    first = log.groupby("customer_id")["day"].min()
    first = first[(first > CUT) & (first <= "2025-03-31")]
    log = log[log["customer_id"].isin(first.index)]
    born = log["customer_id"].map(first)
    log = log[(log["day"] > born) & (log["day"] <= born + pd.Timedelta(7 * NEW_WEEKS, "D"))]
    found = pd.DataFrame({"frequency": 0, "recency": 0.0, "T": 0.0, "monetary_value": 0.0}, index=first.index)
    found["holdout_frequency"] = (
        log.groupby("customer_id")["day"].nunique().reindex(first.index, fill_value=0)
    )
    found["holdout_spend"] = log.groupby("customer_id")["amount"].sum().reindex(first.index, fill_value=0.0)
    return found.assign(channel=firm.tables["customers"].set_index("customer_id")["acquisition_channel"])


def one_firm(number: int, scored: bool = True) -> tuple[list[dict], list[dict]]:
    """Scores by channel, unless they are not asked for, and payback foreseen and come about."""
    size = 6000 if number % LARGE_EVERY == 3 else 1500
    quality, young = QUALITY[number // LARGE_EVERY % len(QUALITY)], CHANNELS[number % len(CHANNELS)]
    firm = simulate_firm(size, 3, random_state=1000 + number, effects={"channel_quality": quality})
    known, log = split(firm, young)
    if not scored:
        return [], paybacks(known, log, number)
    new, t = newcomers(firm, log), float(known["holdout_T"].iloc[0])
    fit = fit_channels(known)
    everybody = plain(crm.BetaGeoModel, known), plain(crm.GammaGammaModel, known)
    scores = []
    for channel, mine in known.groupby("channel"):
        group = fit.row[mine.index[0]]
        own = plain(crm.BetaGeoModel, mine, everybody[0]), plain(crm.GammaGammaModel, mine, everybody[1])
        kind = "young" if channel == young else "small" if len(mine) < SMALL else "large"
        row = {"firm": number, "quality": quality, "kind": kind, "n": len(mine)}
        later = new[new["channel"] == channel]
        for name, (buying, spending) in {
            "pooled": (fit.purchases.params()[:DRAWS, group], fit.spend.params()[:DRAWS, group]),
            "channel": tuple(one[None] for one in own),
            "all": tuple(one[None] for one in everybody),
        }.items():
            row[f"{name}_buy"] = purchase_score(buying, mine, t).sum()
            row[f"{name}_spend"] = spend_score(spending, mine).sum()
            row[f"{name}_new"] = 0.0
            if len(later):
                row[f"{name}_new"] = (
                    purchase_score(buying, later, NEW_WEEKS).sum() + spend_score(spending, later).sum()
                )
        scores.append(row | {"n_new": len(later)})
    return scores, paybacks(known, log, number)


def paybacks(known: pd.DataFrame, log: pd.DataFrame, number: int) -> list[dict]:
    """The probability of payback within 12 months at a cost drawn by chance, and whether it came about."""
    log = log[log["customer_id"].isin(known["customer_id"])]
    first = log.groupby("customer_id")["date"].min()
    day = (log["date"].dt.normalize() - log["customer_id"].map(first).dt.normalize()).dt.days
    log = log.assign(day=day)
    channel, random = known.set_index("customer_id")["channel"], np.random.default_rng(number)
    cut = SEEN_AT[number // 5 % 2]
    last = pd.Timestamp(cut)
    mine = crm.rfm_summary(log, as_of=cut)
    mine["channel"] = mine["customer_id"].map(channel)
    year = log[log["day"] <= 365].groupby("customer_id")["amount"].sum()
    young = mine[mine["T"] < 365.25 / 7]
    realised = MARGIN * young["customer_id"].map(year).groupby(young["channel"]).mean()
    older = mine[mine["T"] >= 365.25 / 7]
    usual = MARGIN * older["customer_id"].map(year).mean()  # known before the year that is foreseen
    cac = {name: usual * float(np.exp(0.35 * random.standard_normal())) for name in realised.index}
    table = channel_values(mine, margin=MARGIN, cac=cac, earlier=year_before(log, last)).set_index("channel")
    return [
        {"firm": number, "cut": cut, "p": p, "paid": realised[name] >= cac[name]}
        for name, p in table["p_payback_12m"].dropna().items()
    ]


def year_before(log: pd.DataFrame, last: pd.Timestamp) -> pd.DataFrame:
    """Customers as seen a year before, and what they brought since, within a year of the first purchase."""
    then = last - pd.DateOffset(years=1)
    since = log[
        (log["date"].dt.normalize() > then) & (log["date"].dt.normalize() <= last) & (log["day"] <= 365)
    ]
    earlier = crm.rfm_summary(log, as_of=then)
    rest = since.groupby("customer_id")["amount"].sum()
    return earlier.assign(rest=earlier["customer_id"].map(rest).fillna(0.0))


def costs_and_credit(number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What one more customer costs, and the wins credited, beside the truth."""
    strength = STRENGTHS[number % len(STRENGTHS)]
    effects = {"spend_response": strength[0], "assists": strength[1]}
    firm = simulate_firm(1500, 3, random_state=5000 + number, effects=effects)
    true = firm.truth["spend"].query("spend > 0").assign(won=lambda row: row["spend"] / row["marginal_cac"])
    sums = true.groupby("channel")[["spend", "won"]].sum()
    tables = {name: firm.tables[name] for name in ("leads", "marketing_spend")}
    chapter = crm.Acquisition(firm.tables["transactions"], firm.as_of, **tables)
    found = chapter.marginal_cac()
    found["true"] = found["channel"].map((sums["spend"] / sums["won"].clip(lower=0)).to_dict())
    credit = chapter.attribution(firm.tables["touchpoints"])
    credit["true"] = credit["channel"].map(
        firm.truth["channels"].set_index("channel")["incremental_customers"]
    )
    return found.assign(strength=str(strength)), credit.assign(strength=str(strength), firm=number)


def per_customer(
    scores: pd.DataFrame, against: str, names: tuple[str, ...], size: str
) -> tuple[float, float, float]:
    """Mean gain over the firms of a score per customer, and its 95 % interval."""
    gain = sum(scores[f"pooled_{name}"] - scores[f"{against}_{name}"] for name in names)
    by_firm = (gain.groupby(scores["firm"]).sum() / scores.groupby("firm")[size].sum()).dropna()
    reach = 1.96 * by_firm.sem()
    return by_firm.mean(), by_firm.mean() - reach, by_firm.mean() + reach


def show_scores(scores: pd.DataFrame) -> bool:
    """The table of gains; whether pooling wins in channels under 300 customers and loses nowhere."""
    print("Gain of log score per customer by pooling, mean over firms (95 % interval)\n")
    print(
        "| channels | firms | against | purchases | spend | both | customers won later, both |\n"
        "|---|--:|---|---|---|---|---|"
    )
    held = True
    groups = {
        "under 300 customers": scores[scores["n"] < SMALL],
        "opened 60 days ago": scores[scores["kind"] == "young"],
        "300 customers and more": scores[scores["n"] >= SMALL],
    }
    for title, rows in groups.items():
        for against in ("channel", "all"):
            cells = [
                per_customer(rows, against, names, size)
                for names, size in (
                    (("buy",), "n"),
                    (("spend",), "n"),
                    (("buy", "spend"), "n"),
                    (("new",), "n_new"),
                )
            ]
            both = cells[2]
            held &= both[1] > 0 if title.startswith("under") else both[2] >= 0
            cells_text = " | ".join(f"{mean:+.4f} ({low:+.4f} to {high:+.4f})" for mean, low, high in cells)
            whom = "a fit per channel" if against == "channel" else "one fit for all"
            print(f"| {title} | {rows['firm'].nunique()} | {whom} | {cells_text} |")
    return held


def show_paybacks(found: pd.DataFrame) -> bool:
    """Calibration of the probability of payback; whether each bin holds what came about, by clusters of firms."""
    known = found.astype({"p": float, "paid": float})
    part = pd.cut(known["p"], [-0.01, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0])
    held = True
    print(
        "\n| probability of payback | firms × channels | mean foreseen | paid back (95 % interval) |\n|---|--:|--:|--:|"
    )
    for interval, rows in known.groupby(part, observed=True):
        off = (rows["paid"] - rows["p"]).groupby(rows["firm"]).sum()
        by_chance = (rows["p"] * (1 - rows["p"])).sum()  # what clusters that all came about as foreseen hide
        reach = 1.96 * float(np.sqrt(max((off**2).sum(), by_chance))) / len(rows)
        paid, mean = rows["paid"].mean(), rows["p"].mean()
        held &= abs(paid - mean) <= reach
        ends = f"{max(interval.left, 0):.0%} to {interval.right:.0%}"
        within = f"{max(paid - reach, 0):.0%} to {min(paid + reach, 1):.0%}"
        print(f"| {ends} | {len(rows)} | {mean:.0%} | {paid:.0%} ({within}) |")
    print()
    for cut, rows in known.groupby("cut"):
        score, gap = ((rows["p"] - rows["paid"]) ** 2).mean(), rows["p"].mean() - rows["paid"].mean()
        firms = rows["firm"].nunique()
        print(f"{firms} firms seen on {cut}: Brier score {score:.4f}, foreseen less paid {gap:+.3f}.")
    return held


def show_costs(found: pd.DataFrame) -> bool:
    """How often the 90 % interval of the marginal CAC holds the truth: at each strength, within its binomial error."""
    known = found[found["true"].notna() & found["marginal_cac_low"].notna()]
    inside = (known["marginal_cac_low"] <= known["true"]) & (known["true"] <= known["marginal_cac_high"])
    print(
        "\n| response to spend, assists | seeds × channels | truth within | no upper end | estimated |\n"
        "|---|--:|--:|--:|--:|"
    )
    held = True
    for strength, rows in [*known.groupby("strength"), ("all", known)]:
        held &= inside[rows.index].mean() >= 0.9 - 1.645 * (0.09 / len(rows)) ** 0.5
        ends = np.isinf(rows["marginal_cac_high"]).mean()
        share = inside[rows.index].mean()
        print(
            f"| {strength} | {len(rows)} | {share:.1%} | {ends:.0%} | {(rows['verdict'] == 'estimated').mean():.0%} |"
        )
    return held


def show_credit(found: pd.DataFrame) -> None:
    """How far each rule is from the wins that a channel brings, as a share of all wins."""
    print(
        "\nError of credited wins against incremental wins: sum of absolute differences over all incremental wins\n"
    )
    print("| response to spend, assists | " + " | ".join(METHODS) + " |\n|---" + "|--:" * len(METHODS) + "|")
    for strength, rows in found.groupby("strength"):
        by_firm = rows.groupby("firm")["true"].sum().clip(lower=1)
        errors = [
            rows[name].sub(rows["true"]).abs().groupby(rows["firm"]).sum() / by_firm for name in METHODS
        ]
        print(f"| {strength} | " + " | ".join(f"{error.mean():.0%}" for error in errors) + " |")


def million_paths() -> bool:
    """Attribution of 1M paths over 12 channels."""
    random = np.random.default_rng(0)
    length = random.integers(1, 5, PATHS)
    lead = np.repeat(np.arange(PATHS), length)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 90, len(lead)), unit="D")
    names = np.array([f"channel {number}" for number in range(12)], dtype=object)
    touchpoints = pd.DataFrame(
        {"lead_id": lead, "channel": names[random.integers(0, 12, len(lead))], "date": day}
    )
    won, end = random.random(PATHS) < 0.3, pd.Timestamp("2024-06-01")
    leads = pd.DataFrame({"lead_id": np.arange(PATHS)})
    leads["won_on"] = pd.Series(np.where(won, end, pd.NaT), dtype="datetime64[ns]")
    leads["lost_on"] = pd.Series(np.where(won, pd.NaT, end), dtype="datetime64[ns]")
    start, work = time.perf_counter(), time.process_time()
    crm.Acquisition(None, "2024-12-31", leads=leads).attribution(touchpoints)
    took, work = time.perf_counter() - start, time.process_time() - work
    # On an idle machine it takes no longer than all its threads together work.
    times = f"{work:.1f} processor seconds (at most {AT_MOST:g}), {took:.1f} s by the clock"
    print(f"\nAttribution of {PATHS:,} paths with {len(lead):,} contacts: {times}")
    return work <= AT_MOST


def main() -> None:
    parts = sys.argv[1:] or ["scores", "paybacks", "costs", "paths"]
    held = []
    if {"scores", "paybacks"} & {*parts}:
        every = [one_firm(number, "scores" in parts) for number in range(FIRMS)]
        if "scores" in parts:
            pooled = show_scores(pd.DataFrame([row for rows, _ in every for row in rows]))
            print(
                f"\nPooling is {'' if pooled else 'not '}better in small channels and no worse in large ones."
            )
        held.append(show_paybacks(pd.DataFrame([row for _, rows in every for row in rows])))
    if "costs" in parts:
        costs = [costs_and_credit(number) for number in range(FIRMS)]
        held.append(show_costs(pd.concat([found for found, _ in costs], ignore_index=True)))
        show_credit(pd.concat([credit for _, credit in costs], ignore_index=True))
    if "paths" in parts:
        held.append(million_paths())
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
