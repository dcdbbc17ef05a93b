"""The tables that speak of customers one by one, the purchase log first."""

from __future__ import annotations

from crmlib.data.contracts.contract import Contract, date, flag, id_, money, number, text

# Columns that mean the same in several tables.
CUSTOMER = id_("customer_id", "whom it concerns", required=True, refers_to="customers.customer_id")

CHANNEL = text("channel", "the channel, in the words of marketing_spend", required=True)

MARKET = text("market", "country or market")

PRODUCT_TYPE = text("product_type", "physical, web/mobile, web platform, bank: whose life cycle differs")

PARTNER = id_("partner_id", "the partner who brought it", refers_to="network_partners.partner_id")

TRANSACTIONS = Contract(
    "transactions",
    "one row per order line, or per order",
    (
        id_("customer_id", "who bought; leading zeros belong to it", required=True),
        date("date", "when, to the day or finer", required=True),
        money(
            "amount",
            "paid for the row, net of discount; negative is money back",
            required=True,
            computed_from=("quantity", "unit_price"),
        ),
        id_("order_id", "which rows are one order", also="order"),
        id_("line_id", "the row's own number; a repeated one is a fault"),
        id_("product", "what was bought; also narrows the search for the purchase that a return undoes"),
        text("category", "the product's group"),
        number("quantity", "how many"),
        money("unit_price", "price of one; where there is no amount, it is quantity times this"),
        money(
            "cost",
            "cost of goods of the row, so that profit is measured; negative where a return comes back to stock",
        ),
        money("discount", "price taken off, as a positive amount"),
        text("channel", "where it was bought"),
        text("market", "country or market"),
        text("currency", "currency of the amount; other ones than the study's are set aside"),
        text("status", "state of the order; cancelled and test orders are set aside"),
        text("cancelled_at", "when the order was cancelled; a row where it is filled is set aside"),
        flag("returned", "the row is a return, whatever the sign of its amount"),
        money("refunded", "given back of the amount later on, as a positive amount; taken off it"),
        money("tax", "tax within the amount; see policies.amount_includes"),
        money("shipping", "shipping within the amount; see policies.amount_includes"),
    ),
    key="line_id",
    dated_by="date",
    quotable=True,
)

CUSTOMERS = Contract(
    "customers",
    "one row per customer known by name, whether or not they have bought",
    (
        id_("customer_id", "the same id as in the purchase log", required=True),
        text("name", "to find one person under two ids", personal=True),
        text("email", "to find one person under two ids", personal=True),
        text("phone", "to find one person under two ids", personal=True),
        date("birthday", "whom a birthday message would reach", personal=True),
        flag("consent", "whether the firm may write to the customer"),
        flag("birthday_consent", "whether it may use the birthday to do so"),
        date("joined", "first known to the firm"),
        text("acquisition_channel", "what brought the customer, in the words of marketing_spend"),
        PARTNER,
        PRODUCT_TYPE,
        MARKET,
        id_("referrer_id", "the customer who recommended the firm", refers_to="customers.customer_id"),
        text("recommender_type", "who recommended it", words=("family", "friend", "associate")),
        text("won_from", "the rival that served the customer before"),
        id_("manager_id", "the account's manager", refers_to="staff_hours.employee_id"),
        number(
            "share_of_wallet", "share of the customer's need that is bought here", unit="share", low=0, high=1
        ),
        flag("goal_reached", "whether the customer got done what the purchase was for"),
        number("adoption", "share of what was bought that is in use", unit="share", low=0, high=1),
        money("planned_value", "profit per year that the account plan names"),
    ),
    key="customer_id",
    dated_by="joined",
)

TOUCHPOINTS = Contract(
    "touchpoints",
    "one row per contact with a customer, whoever began it",
    (
        id_("touchpoint_id", "the contact's own number"),
        CUSTOMER,
        date("date", "when", required=True),
        text("channel", "e-mail, phone, social, web, shop", required=True),
        text("kind", "what it was: visit, newsletter, offer, reminder, birthday, welcome, question, promise"),
        text("direction", "who began it", words=("in", "out")),
        text(
            "response",
            "what the customer did about it",
            words=("none", "opened", "clicked", "replied", "bought", "unsubscribed"),
        ),
        date("replied_at", "when the firm answered a contact that the customer began", not_before="date"),
        flag("customised", "whether it was made for this customer"),
        number("fields_learned", "fields of the customer's profile that it filled", unit="fields", low=0),
        number("minutes", "time it took the firm", unit="minutes", low=0),
        money("cost", "what it cost beside the time"),
        date("promise_due", "the day by which something was promised in it", planned=True),
        date("promise_kept_on", "the day on which that was done; empty if never", not_before="date"),
    ),
    key="touchpoint_id",
    dated_by="date",
)

SERVICE_CASES = Contract(
    "service_cases",
    "one row per case: a question, a complaint, a return, a request",
    (
        id_("case_id", "the case's own number"),
        CUSTOMER,
        date("opened", "when the customer came with it", required=True),
        date("first_reply", "when the firm first answered", not_before="opened"),
        date("closed", "when it was settled; empty while it is open", not_before="opened"),
        text("channel", "e-mail, phone, social, web, shop"),
        text("kind", "what it is", words=("question", "complaint", "return", "request")),
        text("theme", "what it is about, such as delivery or price"),
        id_("order_id", "the order that it concerns"),
        number("contacts", "contacts until it was settled", unit="contacts", low=0, known_from="closed"),
        number("minutes", "time it took the firm", unit="minutes", low=0, known_from="closed"),
        money("cost", "what it cost beside the time: postage, goodwill", known_from="closed"),
        flag("public", "whether others could read it: negative word of mouth where it is a complaint"),
    ),
    key="case_id",
    dated_by="opened",
)

SUBSCRIPTIONS = Contract(
    "subscriptions",
    "one row per contract and price: a change of price or plan begins a new row of the same contract",
    (
        CUSTOMER,
        id_("subscription_id", "the contract's own number; the customer's, if absent"),
        date("start", "first day at this price", required=True),
        date("end", "last day at this price; empty while it runs", not_before="start"),
        money("price_per_month", "what is due per month", required=True),
        text("plan", "what is subscribed to"),
        text(
            "end_reason",
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
        date("date", "when", required=True),
        text("kind", "what moved", required=True, words=("joined", "earned", "redeemed", "expired")),
        number("points", "points added (positive) or used up (negative)", required=True, unit="points"),
        money("amount", "what a redemption cost the firm"),
    ),
    dated_by="date",
)

SURVEYS = Contract(
    "surveys",
    "one row per question answered",
    (
        CUSTOMER,
        date("date", "when", required=True),
        text(
            "question",
            "what was asked: likelihood to recommend (nps), satisfaction, trust, expectation before, met after",
            required=True,
            words=("nps", "satisfaction", "trust", "expectation", "expectation met"),
        ),
        number(
            "score",
            "the answer; 0 to 10 for nps, else 1 to 5 unless scale_max says otherwise",
            required=True,
            low=0,
        ),
        number("scale_max", "the best answer possible", low=1),
        text("comment", "the customer's own words, in which names may stand", personal=True),
        text("theme", "what the comment is about"),
        date("followed_up_on", "when the firm came back on it; empty if never", not_before="date"),
    ),
    dated_by="date",
)

EXPERIMENTS = Contract(
    "experiments",
    "one row per experiment and customer in it",
    (
        text("experiment", "the experiment's name", required=True),
        CUSTOMER,
        date("assigned", "when chance decided", required=True),
        text("group", "what chance decided", required=True, words=("control", "treated"), other_words=True),
        text("kind", "what the treated get: reminder, birthday, offer, newsletter, price"),
        money("cost", "what it cost to treat this customer"),
        number("outcome", "what was measured; from the purchase log if absent"),
        date("unsubscribed_on", "when the customer asked for no more", not_before="assigned"),
    ),
    dated_by="assigned",
)

CUSTOMER_FEATURES = Contract(
    "customer_features",
    "one row per customer, or per customer and cut-off: what was known then, and who left afterwards",
    (
        CUSTOMER,
        text(
            "churned",
            "whether the customer left afterwards: yes or no, 1 or 0, churned or stayed; empty if not known yet",
            known_from="outcome_known_on",
        ),
        date("date", "the cut-off: the day on which the other columns were known"),
        date("outcome_known_on", "the day on which it was known who left", not_before="date", planned=True),
    ),
    dated_by="date",
    free_columns=True,
)
