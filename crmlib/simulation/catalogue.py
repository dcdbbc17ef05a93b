"""What the firm is: its markets, lines of business, channels, products and prices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

CURRENCY = "EUR"
WAGE_PER_HOUR = 36.0

MARKETS = ("Germany", "France", "Poland")
MARKET_SHARES = np.array([0.5, 0.3, 0.2])
MARKET_SPEEDS = np.array([1.0, 0.75, 1.5])  # how fast purchases, leaving and decisions go
MARKET_GROWTH_PER_YEAR = np.array([0.05, -0.10, 0.30])  # of the number who join
TIMES = 0.5  # how good and bad the times of a market are, in logarithms of the number who join
MARKET_PRICES = np.array([1.0, 1.05, 0.85])

PRODUCT_TYPES = ("physical", "web/mobile", "web platform", "bank")
TYPE_SHARES = np.array([0.5, 0.2, 0.18, 0.12])
ORDERS_PER_YEAR = np.array([4.2, 5.5, 3.2, 4.0])  # of the median customer while there
LEAVING_PER_YEAR = np.array([0.45, 0.6, 0.4, 0.22])
TRIES_FIRST = np.array([0.0, 0.3, 0.4, 0.1])  # share that is active before they buy, if they ever do
RETURNED = np.array([0.09, 0.02, 0.02, 0.01])  # share of lines, of the median customer
CONTRACT_SHARE = np.array([0.0, 0.15, 0.5, 0.65])
SLOW_TYPES = np.array([1.0, 0.8, 2.5, 2.0])  # how long a decision takes
LEAD_COSTS = np.array([1.0, 0.7, 2.0, 3.0])  # how dear a lead is
CALM = 0.7  # how much weaker the seasons of customers are who buy little, in logarithms
SEASON_SIZE = np.array([0.30, 0.15, 0.10, 0.05])
HOLIDAY_SIZE = np.array([0.9, 0.5, 0.1, 0.1])
MANAGED = (2, 3)  # product types whose customers have an account manager
SALES_CHANNELS = (("web shop", "store"), ("app", "web shop"), ("platform", "partner"), ("branch", "app"))

CATEGORIES = (
    ("kitchen", "garden", "office"),
    ("games", "music", "learning"),
    ("storage", "analytics", "support plan"),
    ("cards", "insurance", "brokerage"),
)
GRADES = ("entry", "basic", "plus", "premium")
_LEVEL = np.array([14.2, 11.3, 18.5, 15.6])  # price of the basic grade by type
PRICES = (
    _LEVEL[:, None, None]
    * np.array([0.85, 1.0, 1.2])[None, :, None]
    * np.array([0.6, 1.0, 1.6, 2.8])[None, None, :]
).round(2)
COST_SHARES = (
    np.array([0.58, 0.40, 0.30, 0.35])[:, None, None]
    + np.array([0.0, 0.04, -0.04])[None, :, None]
    + np.array([0.10, 0.03, 0.0, -0.05])[None, None, :]
)
GRADE_SHARES = np.array([[0.40, 0.40, 0.15, 0.05], [0.20, 0.40, 0.30, 0.10], [0.08, 0.27, 0.35, 0.30]])


class Channel(NamedTuple):
    """A way to the firm: its share of prospects, what a lead costs, how many leads close, and whom it brings.

    `anyway`: share of its prospects who come without a budget; `saturation`: how soon more money brings little;
    `touches`: how often prospects of any channel meet it later on; `lift`: what that adds to the chance to win.
    """

    name: str
    share: float
    cost_per_lead: float
    closes: float
    rate: float
    leaving: float
    component: str
    anyway: float
    saturation: float
    touches: float
    lift: float

    @property
    def switch(self) -> str:
        """The switch that multiplies its budget."""
        return f"budget_{self.name.replace(' ', '_')}"


CHANNELS = (
    Channel("search", 0.28, 7.0, 0.30, 1.00, 1.00, "inbound", 0.35, 1.2, 0.16, 0.15),
    Channel("social", 0.18, 3.0, 0.15, 0.85, 1.20, "channels", 0.10, 1.6, 0.10, 0.10),
    Channel("display", 0.12, 5.0, 0.12, 0.75, 1.35, "channels", 0.05, 2.0, 0.18, 0.25),
    Channel("price comparison", 0.14, 4.0, 0.35, 0.90, 1.45, "conversion", 0.50, 0.9, 0.14, 0.0),
    Channel("partner", 0.10, 12.0, 0.45, 1.15, 0.85, "partnerships", 0.10, 0.8, 0.03, 0.10),
    Channel("organic", 0.18, 0.0, 0.35, 1.15, 0.80, "inbound", 0.0, 1.0, 0.08, 0.0),
    Channel("referral", 0.0, 1.0, 0.55, 1.0, 1.0, "inside sales", 0.0, 1.0, 0.0, 0.0),
)
CHANNEL_NAMES = np.array([channel.name for channel in CHANNELS], dtype=object)
REFERRAL = len(CHANNELS) - 1
ORGANIC, PARTNER = 5, 4
RECOMMENDED_SHARE = 0.16  # of those who may come
RIVALS = np.array(["Nordhaus", "Bazar24", "Okto"], dtype=object)


def column(name: str) -> np.ndarray:
    """What is said of all channels under one name."""
    return np.array([getattr(channel, name) for channel in CHANNELS])
