"""The tables that speak of customers one by one, the purchase log first."""

from __future__ import annotations

from crmlib.data.contracts.contract import Column, Contract

# Columns that mean the same in several tables.
CUSTOMER = Column("customer_id", "text", "whom it concerns", required=True, refers_to="customers.customer_id")

CHANNEL = Column("channel", "text", "the channel, in the words of marketing_spend", required=True)

MARKET = Column("market", "text", "country or market")

PRODUCT_TYPE = Column(
    "product_type", "text", "physical, web/mobile, web platform, bank: whose life cycle differs"
)

PARTNER = Column("partner_id", "text", "the partner who brought it", refers_to="network_partners.partner_id")

TRANSACTIONS = Contract(
    "transactions",
    "one row per order line, or per order",
    (
        Column("customer_id", "text", "who bought; leading zeros belong to it", required=True),
        Column("date", "date", "when, to the day or finer", required=True),
        Column(
            "amount",
            "money",
            "paid for the row, net of discount; negative is money back",
            required=True,
            computed_from=("quantity", "unit_price"),
        ),
        Column("order_id", "text", "which rows are one order", also="order"),
        Column("line_id", "text", "the row's own number; a repeated one is a fault"),
        Column(
            "product",
            "text",
            "what was bought; also narrows the search for the purchase that a return undoes",
        ),
        Column("category", "text", "the product's group"),
        Column("quantity", "number", "how many"),
        Column("unit_price", "money", "price of one; where there is no amount, it is quantity times this"),
        Column(
            "cost",
            "money",
            "cost of goods of the row, so that profit is measured; negative where a return comes back to stock",
        ),
        Column("discount", "money", "price taken off, as a positive amount"),
        Column("channel", "text", "where it was bought"),
        Column("market", "text", "country or market"),
        Column("currency", "text", "currency of the amount; other ones than the study's are set aside"),
        Column("status", "text", "state of the order; cancelled and test orders are set aside"),
        Column("cancelled_at", "text", "when the order was cancelled; a row where it is filled is set aside"),
        Column("returned", "flag", "the row is a return, whatever the sign of its amount"),
        Column("refunded", "money", "given back of the amount later on, as a positive amount; taken off it"),
        Column("tax", "money", "tax within the amount; see policies.amount_includes"),
        Column("shipping", "money", "shipping within the amount; see policies.amount_includes"),
    ),
    key="line_id",
    dated_by="date",
    quotable=True,
)

CUSTOMERS = Contract(
    "customers",
    "one row per customer known by name, whether or not they have bought",
    (
        Column("customer_id", "text", "the same id as in the purchase log", required=True),
        Column("name", "text", "to find one person under two ids", personal=True),
        Column("email", "text", "to find one person under two ids", personal=True),
        Column("phone", "text", "to find one person under two ids", personal=True),
        Column("birthday", "date", "whom a birthday message would reach", personal=True),
        Column("consent", "flag", "whether the firm may write to the customer"),
        Column("birthday_consent", "flag", "whether it may use the birthday to do so"),
        Column("joined", "date", "first known to the firm"),
        Column("acquisition_channel", "text", "what brought the customer, in the words of marketing_spend"),
        PARTNER,
        PRODUCT_TYPE,
        MARKET,
        Column(
            "referrer_id", "text", "the customer who recommended the firm", refers_to="customers.customer_id"
        ),
        Column("recommender_type", "text", "who recommended it", words=("family", "friend", "associate")),
        Column("won_from", "text", "the rival that served the customer before"),
        Column("manager_id", "text", "the account's manager", refers_to="staff_hours.employee_id"),
        Column(
            "share_of_wallet",
            "number",
            "share of the customer's need that is bought here",
            unit="share",
            low=0,
            high=1,
        ),
        Column("goal_reached", "flag", "whether the customer got done what the purchase was for"),
        Column("adoption", "number", "share of what was bought that is in use", unit="share", low=0, high=1),
        Column("planned_value", "money", "profit per year that the account plan names"),
    ),
    key="customer_id",
    dated_by="joined",
)

TOUCHPOINTS = Contract(
    "touchpoints",
    "one row per contact with a customer, whoever began it",
    (
        Column("touchpoint_id", "text", "the contact's own number"),
        CUSTOMER,
        Column("date", "date", "when", required=True),
        Column("channel", "text", "e-mail, phone, social, web, shop", required=True),
        Column(
            "kind",
            "text",
            "what it was: visit, newsletter, offer, reminder, birthday, welcome, question, promise",
        ),
        Column("direction", "text", "who began it", words=("in", "out")),
        Column(
            "response",
            "text",
            "what the customer did about it",
            words=("none", "opened", "clicked", "replied", "bought", "unsubscribed"),
        ),
        Column(
            "replied_at",
            "date",
            "when the firm answered a contact that the customer began",
            not_before="date",
        ),
        Column("customised", "flag", "whether it was made for this customer"),
        Column(
            "fields_learned",
            "number",
            "fields of the customer's profile that it filled",
            unit="fields",
            low=0,
        ),
        Column("minutes", "number", "time it took the firm", unit="minutes", low=0),
        Column("cost", "money", "what it cost beside the time"),
        Column("promise_due", "date", "the day by which something was promised in it", planned=True),
        Column(
            "promise_kept_on", "date", "the day on which that was done; empty if never", not_before="date"
        ),
    ),
    key="touchpoint_id",
    dated_by="date",
)

SERVICE_CASES = Contract(
    "service_cases",
    "one row per case: a question, a complaint, a return, a request",
    (
        Column("case_id", "text", "the case's own number"),
        CUSTOMER,
        Column("opened", "date", "when the customer came with it", required=True),
        Column("first_reply", "date", "when the firm first answered", not_before="opened"),
        Column("closed", "date", "when it was settled; empty while it is open", not_before="opened"),
        Column("channel", "text", "e-mail, phone, social, web, shop"),
        Column("kind", "text", "what it is", words=("question", "complaint", "return", "request")),
        Column("theme", "text", "what it is about, such as delivery or price"),
        Column("order_id", "text", "the order that it concerns"),
        Column(
            "contacts",
            "number",
            "contacts until it was settled",
            unit="contacts",
            low=0,
            known_from="closed",
        ),
        Column("minutes", "number", "time it took the firm", unit="minutes", low=0, known_from="closed"),
        Column("cost", "money", "what it cost beside the time: postage, goodwill", known_from="closed"),
        Column(
            "public", "flag", "whether others could read it: negative word of mouth where it is a complaint"
        ),
    ),
    key="case_id",
    dated_by="opened",
)

SUBSCRIPTIONS = Contract(
    "subscriptions",
    "one row per contract and price: a change of price or plan begins a new row of the same contract",
    (
        CUSTOMER,
        Column("subscription_id", "text", "the contract's own number; the customer's, if absent"),
        Column("start", "date", "first day at this price", required=True),
        Column("end", "date", "last day at this price; empty while it runs", not_before="start"),
        Column("price_per_month", "money", "what is due per month", required=True),
        Column("plan", "text", "what is subscribed to"),
        Column(
            "end_reason",
            "text",
            "why this row ended",
            words=("cancelled", "payment failed", "changed"),
            known_from="end",
        ),
        MARKET,
        PRODUCT_TYPE,
    ),
    dated_by="start",
)

LOYALTY_LEDGER = Contract(
    "loyalty_ledger",
    "one row per movement of a loyalty account",
    (
        CUSTOMER,
        Column("date", "date", "when", required=True),
        Column(
            "kind", "text", "what moved", required=True, words=("joined", "earned", "redeemed", "expired")
        ),
        Column(
            "points", "number", "points added (positive) or used up (negative)", required=True, unit="points"
        ),
        Column("amount", "money", "what a redemption cost the firm"),
    ),
    dated_by="date",
)

SURVEYS = Contract(
    "surveys",
    "one row per question answered",
    (
        CUSTOMER,
        Column("date", "date", "when", required=True),
        Column(
            "question",
            "text",
            "what was asked: likelihood to recommend (nps), satisfaction, trust, expectation before, met after",
            required=True,
            words=("nps", "satisfaction", "trust", "expectation", "expectation met"),
        ),
        Column(
            "score",
            "number",
            "the answer; 0 to 10 for nps, else 1 to 5 unless scale_max says otherwise",
            required=True,
            low=0,
        ),
        Column("scale_max", "number", "the best answer possible", low=1),
        Column("comment", "text", "the customer's own words, in which names may stand", personal=True),
        Column("theme", "text", "what the comment is about"),
        Column("followed_up_on", "date", "when the firm came back on it; empty if never", not_before="date"),
    ),
    dated_by="date",
)

EXPERIMENTS = Contract(
    "experiments",
    "one row per experiment and customer in it",
    (
        Column("experiment", "text", "the experiment's name", required=True),
        CUSTOMER,
        Column("assigned", "date", "when chance decided", required=True),
        Column("group", "text", "what chance decided", required=True, words=("control", "treated")),
        Column("kind", "text", "what the treated get: reminder, birthday, offer, newsletter, price"),
        Column("cost", "money", "what it cost to treat this customer"),
        Column("outcome", "number", "what was measured; from the purchase log if absent"),
        Column("unsubscribed_on", "date", "when the customer asked for no more", not_before="assigned"),
    ),
    dated_by="assigned",
)

CUSTOMER_FEATURES = Contract(
    "customer_features",
    "one row per customer, or per customer and cut-off: what was known then, and who left afterwards",
    (
        CUSTOMER,
        Column(
            "churned",
            "text",
            "whether the customer left afterwards: yes or no, 1 or 0, churned or stayed; empty if not known yet",
            known_from="outcome_known_on",
        ),
        Column("date", "date", "the cut-off: the day on which the other columns were known"),
        Column(
            "outcome_known_on",
            "date",
            "the day on which it was known who left",
            not_before="date",
            planned=True,
        ),
    ),
    dated_by="date",
    free_columns=True,
)
