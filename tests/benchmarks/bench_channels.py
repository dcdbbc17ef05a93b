"""Values of young channels, marginal cost of a customer and attribution, on simulated firms whose truth is known."""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

import crmlib as crm
from crmlib.economics.acquisition.channel_values import channel_values, fit_channels
from crmlib.errors import FitError
from crmlib.models import beta_geo, gamma_gamma
from crmlib.models._histories import read_histories
from crmlib.models._inference import Array
from crmlib.simulation.simulate import SimulatedFirm, simulate_firm

FIRMS, LARGE_EVERY, DRAWS, SMALL = 120, 4, 40, 300
CUT, END, OPENED = "2024-12-31", "2025-12-31", "2024-11-02"  # of history, of the holdout, of the young channel
QUALITY = (1, 0, 1, -1)  # channels differ, do not, do, and differ the other way round
CHANNELS = ("search", "social", "display", "price comparison", "partner", "organic")
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


def one_firm(number: int) -> tuple[list[dict], list[dict]]:
    """Scores by channel, and payback foreseen and come about."""
    size = 6000 if number % LARGE_EVERY == 3 else 1500
    quality, young = QUALITY[number // LARGE_EVERY % len(QUALITY)], CHANNELS[number % len(CHANNELS)]
    firm = simulate_firm(size, 3, random_state=1000 + number, effects={"channel_quality": quality})
    known, log = split(firm, young)
    fit, t = fit_channels(known, draws=DRAWS), float(known["holdout_T"].iloc[0])
    buying, spending = fit.purchases.params(), fit.spend.params()
    everybody = plain(crm.BetaGeoModel, known), plain(crm.GammaGammaModel, known)
    scores = []
    for channel, mine in known.groupby("channel"):
        own = plain(crm.BetaGeoModel, mine, everybody[0]), plain(crm.GammaGammaModel, mine, everybody[1])
        found = {"pooled": np.zeros((2, len(mine)))}
        of_group = fit.row[mine.index]
        for group in np.unique(of_group):
            who = of_group == group
            found["pooled"][0, who] = purchase_score(buying[:, group], mine[who], t)
            found["pooled"][1, who] = spend_score(spending[:, group], mine[who])
        for name, (one, two) in {"channel": own, "all": everybody}.items():
            found[name] = np.stack([purchase_score(one[None], mine, t), spend_score(two[None], mine)])
        means = {f"{name}_{what}": found[name][at].mean() for name in found for at, what in enumerate(("buy", "spend"))}
        age = "young" if channel == young else "small" if len(mine) < SMALL else "large"
        scores.append({"firm": number, "channel": channel, "kind": age, "n": len(mine), "quality": quality} | means)
    return scores, paybacks(known, log, number)


def paybacks(known: pd.DataFrame, log: pd.DataFrame, number: int) -> list[dict]:
    """The probability of payback within 12 months at a cost drawn by chance, and whether it came about."""
    first = log.groupby("customer_id")["date"].min()
    in_year = log["date"] < log["customer_id"].map(first) + pd.Timedelta(days=365.25)
    year = log[in_year].groupby("customer_id")["amount"].sum()
    young = known[known["T"] < 365.25 / 7]
    realised = MARGIN * young["customer_id"].map(year).groupby(young["channel"]).mean()
    usual = MARGIN * young["customer_id"].map(year).mean()
    random = np.random.default_rng(number)
    cac = {name: usual * float(np.exp(0.35 * random.standard_normal())) for name in realised.index}
    found = channel_values(known, margin=MARGIN, discount_rate_per_year=0.1, cac=cac).set_index("channel")
    return [
        {"firm": number, "p": found["p_payback_12m"][name], "paid": realised[name] >= cac[name]}
        for name in realised.index
        if name in found.index
    ]


def main() -> None:
    start, every = time.time(), [one_firm(number) for number in range(int(sys.argv[1]) if sys.argv[1:] else FIRMS)]
    scores = pd.DataFrame([row for rows, _ in every for row in rows])
    print(f"\n{time.time() - start:.0f} s")
    scores.to_pickle("/tmp/d19_scores.pkl")
    pd.DataFrame([row for _, rows in every for row in rows]).to_pickle("/tmp/d19_pay.pkl")


if __name__ == "__main__":
    main()
