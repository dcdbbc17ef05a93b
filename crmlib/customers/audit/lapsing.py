"""The best customers who have gone quiet, by a rule that needs no model."""

from __future__ import annotations

import pandas as pd

from crmlib.errors import CrmError

# A silence this unlikely, had nothing changed, is worth a call: one in twenty of the unchanged is called too.
UNLIKELY = 0.05
# A silence of ten mean gaps is no longer slipping away: these customers have left, and are another list.
LOST_GAPS = 10.0


def lapsing_customers(
    summary: pd.DataFrame, n: int = 20, *, chance: float = UNLIKELY, lost_gaps: float = LOST_GAPS
) -> pd.DataFrame:
    """Which of the best customers have been silent for longer than is usual for them?

    Parameters
    ----------
    summary : CustomerSummary or DataFrame
        Columns `customer_id, frequency, recency, T, time_since_last_purchase, last_purchase, net`.
    n : int
        How many at most.
    chance : float
        A customer is lapsing whose silence would have at most this chance, had they gone on buying as before.
    lost_gaps : float
        A customer silent for so many of their own mean gaps is lost, not lapsing.

    Returns
    -------
    DataFrame
        By net spend, highest first: `customer_id, net, purchases, last_purchase, mean_gap` and
        `time_since_last_purchase` (in the summary's unit), and `chance_of_silence`.

    Notes
    -----
    Had x repeat purchases come at random over a customer's whole time T, all of them would lie within
    `recency` with a chance of (recency / T) ** x: the silence is judged by the customer's own rate, and the
    share of unchanged customers who are listed is `chance` for every x. The rule takes past habits for
    usual ones: who buys every Christmas is silent for most of the year. P(alive) of a purchase model with
    its backtest judges better where there is one.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": ["a", "b"], "frequency": [4, 4], "recency": [8.0, 8.0],
    ...     "T": [20.0, 9.0], "time_since_last_purchase": [12.0, 1.0], "net": [90.0, 50.0],
    ...     "last_purchase": pd.to_datetime(["2024-01-01", "2024-02-12"])})
    >>> lapsing_customers(summary)[["customer_id", "mean_gap", "chance_of_silence"]].round(4)
      customer_id  mean_gap  chance_of_silence
    0           a       2.0             0.0256
    """
    if n < 1:
        raise CrmError(f"n is {n}; allowed: 1 or more")
    if not 0 < chance < 1 or lost_gaps <= 0:
        raise CrmError(
            f"chance is {chance} and lost_gaps {lost_gaps}; allowed: 0 < chance < 1 and lost_gaps > 0"
        )
    repeat = pd.DataFrame(summary[(summary["frequency"] > 0) & (summary["recency"] > 0)])
    told = repeat.assign(
        purchases=repeat["frequency"] + 1,
        mean_gap=repeat["recency"] / repeat["frequency"],
        chance_of_silence=(repeat["recency"] / repeat["T"]) ** repeat["frequency"],
    )
    is_lost = told["time_since_last_purchase"] >= lost_gaps * told["mean_gap"]
    lapsing = told[(told["chance_of_silence"] <= chance) & ~is_lost]
    lapsing = lapsing.sort_values(["net", "customer_id"], ascending=[False, True]).head(n)
    columns = ["customer_id", "net", "purchases", "last_purchase", "mean_gap", "time_since_last_purchase"]
    return lapsing[[*columns, "chance_of_silence"]].reset_index(drop=True)
