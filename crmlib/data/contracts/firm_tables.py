"""The tables that speak of the firm: its spend, prospects, partners, people, room and plans."""

from __future__ import annotations

from crmlib.data.contracts.contract import Contract, date, flag, id_, money, number, text
from crmlib.data.contracts.customer_tables import CHANNEL, MARKET, PARTNER, PRODUCT_TYPE

MARKETING_SPEND = Contract(
    "marketing_spend",
    "one row per period and channel, and per component, market or partner where they are told apart",
    (
        date("date", "the day, or the first day of the month, that the money was for", required=True),
        CHANNEL,
        money(
            "amount",
            "money spent to win customers, wages included where there is no staff_hours",
            required=True,
        ),
        text(
            "component",
            "the part of acquisition cost",
            words=("inbound", "trials", "conversion", "inside sales", "channels", "partnerships"),
        ),
        MARKET,
        PRODUCT_TYPE,
        PARTNER,
        number("impressions", "times it was shown", unit="impressions", low=0),
        number("clicks", "clicks, or other answers", unit="clicks", low=0),
        flag("organic", "visits that were not paid for"),
    ),
    dated_by="date",
)

LEADS = Contract(
    "leads",
    "one row per prospect, won, lost or open; the dates are those of the stages reached",
    (
        id_("lead_id", "the prospect's own number", required=True),
        date("created", "when the firm first knew of the prospect", required=True),
        CHANNEL,
        MARKET,
        PRODUCT_TYPE,
        PARTNER,
        date("interested_on", "asked for more: a sign-up, a trial, a visit to the shop"),
        date("considered_on", "looked at an offer"),
        date("activated_on", "first use or first contact that counted, paid for or not"),
        date("won_on", "first purchase", not_before="created"),
        date("lost_on", "given up by either side", not_before="created"),
        text("lost_reason", "why", known_from="lost_on"),
        id_("customer_id", "who the prospect became", refers_to="customers.customer_id", known_from="won_on"),
        text("won_from", "the rival who served the prospect"),
        id_("employee_id", "who worked on it", refers_to="staff_hours.employee_id"),
        number("hours", "hours of prospecting and selling", unit="hours", low=0),
    ),
    key="lead_id",
    dated_by="created",
)

NETWORK_PARTNERS = Contract(
    "network_partners",
    "one row per partner of the firm",
    (
        id_("partner_id", "the partner's own number", required=True),
        text(
            "kind",
            "which part of the network",
            required=True,
            words=("supplier", "customer", "owner", "partner", "employee"),
        ),
        date("since", "partner since"),
        money("cost_per_year", "what the firm pays for it"),
        money("value_received_per_year", "what the firm gets from it beside customers"),
        money("value_given_per_year", "what the partner gets from the firm"),
    ),
    key="partner_id",
    dated_by="since",
)

STAFF_HOURS = Contract(
    "staff_hours",
    "one row per employee, month and activity",
    (
        id_("employee_id", "who; a number, no name", required=True),
        date("date", "first day of the month", required=True),
        text(
            "activity",
            "what for",
            required=True,
            words=("prospecting", "selling", "account management", "service", "marketing", "administration"),
        ),
        number("hours", "hours worked on it", required=True, unit="hours", low=0),
        money("cost", "wages for these hours"),
        date("hired_on", "first day with the firm"),
        date("left_on", "last day with the firm; empty while employed", not_before="hired_on"),
    ),
    dated_by="date",
)

CAPACITY = Contract(
    "capacity",
    "one row per month and resource",
    (
        date("date", "first day of the month", required=True),
        text("resource", "what is limited: seats, rooms, machine hours", required=True),
        number("capacity", "how much there is", required=True, low=0),
        number("used", "how much of it was used", required=True, low=0),
        money("fixed_cost", "what it costs, used or not"),
    ),
    dated_by="date",
)

BUDGET = Contract(
    "budget",
    "one row per month",
    (
        date("date", "first day of the month", required=True, planned=True),
        money("revenue", "planned revenue", required=True),
        money("marketing_spend", "planned money to win customers"),
        number("new_customers", "planned new customers", unit="customers", low=0),
    ),
)

MATURITY_SCORES = Contract(
    "maturity_scores",
    "one row per model, element and rater",
    (
        text("model", "which scorecard", required=True, words=("qci", "buttle", "payne", "idic")),
        text("element", "element, stage or process of it", required=True),
        text("rater", "who scored; two raters show how far they agree", required=True),
        number("score", "from nothing in place to proven", required=True, unit="points", low=0, high=4),
        text("evidence", "what the score rests on"),
        date("date", "when it was scored"),
    ),
    dated_by="date",
)
