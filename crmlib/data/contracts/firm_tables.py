"""The tables that speak of the firm: its spend, prospects, partners, people, room and plans."""

from __future__ import annotations

from crmlib.data.contracts.contract import Column, Contract
from crmlib.data.contracts.customer_tables import CHANNEL, MARKET, PARTNER, PRODUCT_TYPE

MARKETING_SPEND = Contract(
    "marketing_spend",
    "one row per period and channel, and per component, market or partner where they are told apart",
    (
        Column(
            "date", "date", "the day, or the first day of the month, that the money was for", required=True
        ),
        CHANNEL,
        Column(
            "amount",
            "money",
            "money spent to win customers, wages included where there is no staff_hours",
            required=True,
        ),
        Column(
            "component",
            "text",
            "the part of acquisition cost",
            words=("inbound", "trials", "conversion", "inside sales", "channels", "partnerships"),
        ),
        MARKET,
        PRODUCT_TYPE,
        PARTNER,
        Column("impressions", "number", "times it was shown", unit="impressions", low=0),
        Column("clicks", "number", "clicks, or other answers", unit="clicks", low=0),
        Column("organic", "flag", "visits that were not paid for"),
    ),
    dated_by="date",
)

LEADS = Contract(
    "leads",
    "one row per prospect, won, lost or open; the dates are those of the stages reached",
    (
        Column("lead_id", "text", "the prospect's own number", required=True),
        Column("created", "date", "when the firm first knew of the prospect", required=True),
        CHANNEL,
        MARKET,
        PRODUCT_TYPE,
        PARTNER,
        Column("interested_on", "date", "asked for more: a sign-up, a trial, a visit to the shop"),
        Column("considered_on", "date", "looked at an offer"),
        Column("activated_on", "date", "first use or first contact that counted, paid for or not"),
        Column("won_on", "date", "first purchase", not_before="created"),
        Column("lost_on", "date", "given up by either side", not_before="created"),
        Column("lost_reason", "text", "why", known_from="lost_on"),
        Column(
            "customer_id",
            "text",
            "who the prospect became",
            refers_to="customers.customer_id",
            known_from="won_on",
        ),
        Column("won_from", "text", "the rival who served the prospect"),
        Column("employee_id", "text", "who worked on it", refers_to="staff_hours.employee_id"),
        Column("hours", "number", "hours of prospecting and selling", unit="hours", low=0),
    ),
    key="lead_id",
    dated_by="created",
)

NETWORK_PARTNERS = Contract(
    "network_partners",
    "one row per partner of the firm",
    (
        Column("partner_id", "text", "the partner's own number", required=True),
        Column(
            "kind",
            "text",
            "which part of the network",
            required=True,
            words=("supplier", "customer", "owner", "partner", "employee"),
        ),
        Column("since", "date", "partner since"),
        Column("cost_per_year", "money", "what the firm pays for it"),
        Column("value_received_per_year", "money", "what the firm gets from it beside customers"),
        Column("value_given_per_year", "money", "what the partner gets from the firm"),
    ),
    key="partner_id",
    dated_by="since",
)

STAFF_HOURS = Contract(
    "staff_hours",
    "one row per employee, month and activity",
    (
        Column("employee_id", "text", "who; a number, no name", required=True),
        Column("date", "date", "first day of the month", required=True),
        Column(
            "activity",
            "text",
            "what for",
            required=True,
            words=("prospecting", "selling", "account management", "service", "marketing", "administration"),
        ),
        Column("hours", "number", "hours worked on it", required=True, unit="hours", low=0),
        Column("cost", "money", "wages for these hours"),
        Column("hired_on", "date", "first day with the firm"),
        Column("left_on", "date", "last day with the firm; empty while employed", not_before="hired_on"),
    ),
    dated_by="date",
)

CAPACITY = Contract(
    "capacity",
    "one row per month and resource",
    (
        Column("date", "date", "first day of the month", required=True),
        Column("resource", "text", "what is limited: seats, rooms, machine hours", required=True),
        Column("capacity", "number", "how much there is", required=True, low=0),
        Column("used", "number", "how much of it was used", required=True, low=0),
        Column("fixed_cost", "money", "what it costs, used or not"),
    ),
    dated_by="date",
)

BUDGET = Contract(
    "budget",
    "one row per month",
    (
        Column("date", "date", "first day of the month", required=True, planned=True),
        Column("revenue", "money", "planned revenue", required=True),
        Column("marketing_spend", "money", "planned money to win customers"),
        Column("new_customers", "number", "planned new customers", unit="customers", low=0),
    ),
)

MATURITY_SCORES = Contract(
    "maturity_scores",
    "one row per model, element and rater",
    (
        Column("model", "text", "which scorecard", required=True, words=("qci", "buttle", "payne", "idic")),
        Column("element", "text", "element, stage or process of it", required=True),
        Column("rater", "text", "who scored; two raters show how far they agree", required=True),
        Column(
            "score", "number", "from nothing in place to proven", required=True, unit="points", low=0, high=4
        ),
        Column("evidence", "text", "what the score rests on"),
        Column("date", "date", "when it was scored"),
    ),
    dated_by="date",
)
