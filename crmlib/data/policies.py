"""How a firm wants its tables read: the formats of their text, and policies where more than one reading is honest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field

from crmlib.errors import did_you_mean

AS_WRITTEN = (
    "as written"  # of a time zone: the clock in the text is the firm's own, whatever offset follows it
)

# Cancelled, failed and test orders. States that can be a sale as well (returned, pending, declined) are left to the
# study, which sees what counts in `crm check`.
EXCLUDED_STATUSES: dict[str, str] = {
    "English": "cancelled canceled test failed voided expired trash wc-cancelled wc-failed",
    "German": "storniert storno annulliert abgebrochen fehlgeschlagen testbestellung",
    "French": "annulé annulée annule annulee échoué échouée echoue echouee",
    "Spanish": "cancelado cancelada anulado anulada fallido fallida",
    "Italian": "annullato annullata cancellato cancellata fallito fallita",
    "Dutch": "geannuleerd mislukt testbestelling",
    "Portuguese": "falhado falhada falhou",  # its words for cancelled are the Spanish ones
}

_EMPTY_IDS = ("nan", "null", "none", "n/a", "#n/a", "nat", "<na>")  # as programs write an empty cell
# What shops write for whoever buys without an account: everybody at once, and so the best customer of all.
GUEST_IDS = tuple(
    "guest gast invité invitée invitado invitada ospite convidado anonymous anonym unknown unbekannt".split()
)


class Strict(BaseModel):
    """A part of a study file: unknown keys are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Policies(Strict):
    """Decisions about rows, each with a default; the data check counts what each concerns.

    Examples
    --------
    >>> Policies().returns
    'match'
    """

    returns: Literal["match", "reduce_spend", "set_aside"] = Field(
        "match",
        description="match: a purchase returned in full is none (that of the order which the return names, else "
        "the latest of that amount), other returns reduce spend; "
        "reduce_spend: every return reduces spend; set_aside: returns are not used",
    )
    zero_amounts: Literal["purchase", "no_purchase"] = Field(
        "purchase", description="whether a row of amount zero is a purchase"
    )
    purchases_merged_within: Literal["H", "D", "W", "M"] = Field(
        "D", description="purchases within one hour, day, week or month are one purchase"
    )
    guests: Literal["set_aside", "one_customer_per_order"] = Field(
        "set_aside", description="what a row without customer id becomes, where there is an order id"
    )
    equal_rows: Literal["keep", "set_aside"] = Field(
        "keep", description="whether a row equal to an earlier one in every column is used"
    )
    amount_is: Literal["row", "order_total"] = Field(
        "row", description="order_total: every line of an order repeats its total, which is counted once"
    )
    amount_includes: tuple[Literal["tax", "shipping"], ...] = Field(
        (), description="parts of the amount that are no revenue of the firm, and are taken off it"
    )
    missing_ids: tuple[str, ...] = Field(
        (*_EMPTY_IDS, *GUEST_IDS),
        description="words that stand in the place of an id where there is none",
    )
    excluded_statuses: tuple[str, ...] = Field(
        tuple(word for words in EXCLUDED_STATUSES.values() for word in words.split()),
        description="states of an order that are no sale",
    )


@dataclass(frozen=True)
class Reading:
    """How the text of a table is read, and what of it may be written down.

    `columns` is contract column to source column, and `rename` gives other words for values of a column. Rows in
    another `currency` are set aside where one is given. `known_until` is the last day of the purchase log, after
    which no customer can have been born. With a `hash_secret` customer ids become keyed hashes; only with
    `keep_personal` are personal columns kept.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: Sequence[str] = ()
    decimal: str = "."
    timezone: str = "UTC"
    rename: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    currency: str | None = None
    policies: Policies = field(default_factory=Policies)
    known_until: dt.date = dt.date(2199, 12, 31)
    hash_secret: str | None = None
    keep_personal: bool = False


def check_timezone(name: str) -> str:
    """Return the name of a time zone, or refuse one that nobody knows.

    Parameters
    ----------
    name : str
        A name of the IANA database, or "as written".

    Raises
    ------
    ValueError
        With the nearest name. All of them would be 600.

    Examples
    --------
    >>> check_timezone("Europe/Berlin")
    'Europe/Berlin'
    """
    known = {AS_WRITTEN, *available_timezones()}
    if name in known:
        return name
    listed = f"'{AS_WRITTEN}', UTC, or a region and city such as Europe/Berlin or America/New_York"
    raise ValueError(f"found {name!r}; {did_you_mean(name, sorted(known), listed)}")
