"""Yes, no and the contracts' own words, in the spellings in which firms write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import ibis
import ibis.expr.types as ir

# Without blanks, dots, hyphens and capitals: English, German, French, Spanish, Italian, Dutch, Portuguese.
YES = (
    *"1 10 true t yes y x ja j oui o si sí sim s on wahr vrai verdadero verdadeiro vero waar".split(),
    *"optin optedin granted given agreed accepted consented confirmed allowed subscribed erteilt".split(),
)
NO = (
    *"0 00 false f no n nein non nee não nao off falsch faux falso onwaar never none notgiven".split(),
    *"optout optedout withdrawn revoked denied refused declined rejected unsubscribed widerrufen".split(),
)

# Contract word to other spellings of it; plurals, blanks, hyphens and capitals need none.
_SYNONYMS: dict[tuple[str, str], dict[str, str]] = {
    ("customers", "recommender_type"): {
        "family": "relative, relatives, familie, famille",
        "friend": "acquaintance, freund, freundin, ami",
        "associate": "colleague, business associate, coworker, kollege",
    },
    ("touchpoints", "direction"): {
        "in": "inbound, incoming, received, from customer, eingehend",
        "out": "outbound, outgoing, sent, to customer, ausgehend",
    },
    ("touchpoints", "response"): {
        "none": "no, no response, no reply, ignored, delivered, keine",
        "opened": "open",
        "clicked": "click",
        "replied": "reply, answered, responded",
        "bought": "purchase, purchased, ordered, converted",
        "unsubscribed": "unsubscribe, opt out, opted out",
    },
    ("service_cases", "kind"): {
        "question": "enquiry, inquiry, query, frage, anfrage, demande",
        "complaint": "claim, grievance, beschwerde, reklamation, plainte, reclamation, queja",
        "return": "refund, retoure, rücksendung, retour",
        "request": "service request, wunsch, anliegen",
    },
    ("marketing_spend", "component"): {
        "inside sales": "inside selling, telesales",
        "channels": "channel sales, channel partners",
        "trials": "free trials, samples",
    },
    ("subscriptions", "end_reason"): {
        "cancelled": "cancel, canceled, churned, terminated, voluntary, gekündigt, résilié",
        "payment failed": "involuntary, card declined, non payment, unpaid",
        "changed": "change, upgrade, upgraded, downgrade, downgraded, plan change, price change",
    },
    ("loyalty_ledger", "kind"): {
        "joined": "join, enrolled, enrolment, enrollment, registered, sign up, signup",
        "earned": "earn, accrued, accrual, credit, collected",
        "redeemed": "redeem, redemption, burned, spent, debit",
        "expired": "expire, expiry, expiration, lapsed",
    },
    ("surveys", "question"): {
        "nps": "net promoter score, likelihood to recommend, would recommend, recommend",
        "satisfaction": "csat, customer satisfaction, zufriedenheit",
        "trust": "vertrauen",
        "expectation": "expected",
        "expectation met": "met, expectations met",
    },
    ("experiments", "group"): {
        "control": "holdout, hold out, not treated, untreated, placebo",
        "treated": "treatment, test, treat, variant, exposed",
    },
    ("network_partners", "kind"): {
        "owner": "shareholder, investor",
        "partner": "ally, alliance",
        "employee": "staff",
    },
    ("staff_hours", "activity"): {
        "prospecting": "acquisition, lead generation",
        "selling": "sales, sale",
        "account management": "key account management, account mgmt",
        "service": "support, customer service, customer support",
        "administration": "admin",
    },
    ("maturity_scores", "model"): {"qci": "customer management assessment tool, cmat"},
}


def read_flag(column: ir.Column, yes: Iterable[str] = (), no: Iterable[str] = ()) -> ir.BooleanValue:
    """True or false for the words of either; null for a blank and for any other word.

    `yes` and `no` are further words, which come before the usual ones.

    Examples
    --------
    >>> table = ibis.memtable({"consent": ["Ja", "opt-in", "withdrawn", "0", "perhaps", ""]})
    >>> table.select(flag=read_flag(table.consent)).flag.to_pyarrow().to_pylist()
    [True, True, False, False, None, None]
    """
    if column.type().is_boolean():
        return column
    word = column.cast("string").lower().re_replace(r"[\s._/-]+", "")
    further = [
        ([re.sub(r"[\s._/-]+", "", one) for one in words], flag) for words, flag in ((yes, True), (no, False))
    ]
    cases = [(word.isin(words), flag) for words, flag in (*further, (YES, True), (NO, False)) if words]
    return ibis.cases(*cases, else_=ibis.null("boolean"))


def read_word(column: ir.Column, table: str, name: str, words: Iterable[str]) -> ir.StringValue:
    """One of a contract's words, however it is spelt; null for any other word.

    Examples
    --------
    >>> table = ibis.memtable({"kind": ["Complaints", "RETURN", "Anfrage", "gossip"]})
    >>> read = read_word(table.kind, "service_cases", "kind", ["question", "complaint", "return"])
    >>> table.select(word=read).word.to_pyarrow().to_pylist()
    ['complaint', 'return', 'question', None]
    """
    spellings = spellings_of(table, name, words)
    text = column.cast("string").lower().re_replace(r"[\s_-]+", " ").strip()
    cases = [(text.isin(known), word) for word, known in spellings.items()]
    return ibis.cases(*cases, else_=ibis.null("string"))


def spellings_of(table: str, name: str, words: Iterable[str]) -> Mapping[str, list[str]]:
    """Each of a contract's words with the spellings that mean it, in small letters."""
    others = _SYNONYMS.get((table, name), {})
    spellings = {}
    for word in words:
        known = [word, *[one.strip() for one in others.get(word, "").split(",") if one.strip()]]
        known += [f"{one}s" for one in known] + [f"{word}es"]
        known += [re.sub("s$", "", one) for one in known]
        spellings[word] = sorted(set(known))
    taken = set(spellings)
    return {word: [k for k in known if k == word or k not in taken] for word, known in spellings.items()}
