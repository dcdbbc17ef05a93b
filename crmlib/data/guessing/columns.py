"""Which column of a stranger's file is which, from its name in several languages and from its content."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

# The words of a column's name, the usual ones first: English, German, French, Spanish, Italian, Dutch, Portuguese.
WORDS: dict[str, str] = {
    "customer_id": """customer_id customer_no customer_number customer_code customer_key customer_unique_id cust_id
        cust_no client_id user_id member_id buyer_id account_id shopper_id household_id household_key panelist_id
        kunden_id kunden_nr kundennummer kundennr kunden_nummer kdnr debitor debitorennummer id_client code_client
        numero_client num_client id_cliente codigo_cliente numero_cliente codice_cliente klant_id klantnummer
        klantnr klant_nr customer cust client kunde cliente klant customer_email email_billing billing_email
        customer_e_mail email e_mail email_address mail courriel correo user member buyer card_id card_no
        visitor_id contact_id""",
    "date": """date order_date invoice_date purchase_date transaction_date sale_date sales_date trans_date tran_date
        created_at order_created_at created date_created purchased_at ordered_at paid_at date_paid paid_date
        order_created_date order_purchase_timestamp datetime date_time timestamp order_time transaction_time
        invoice_dt order_dt day datum bestelldatum rechnungsdatum auftragsdatum kaufdatum belegdatum
        buchungsdatum date_commande date_de_commande date_achat date_d_achat date_facture fecha fecha_pedido
        fecha_de_pedido fecha_compra fecha_factura data data_ordine data_acquisto data_fattura data_pedido
        data_compra orderdatum besteldatum aankoopdatum""",
    "amount": """amount order_total_amount order_total total_amount total net_amount line_total line_amount amount_paid
        paid total_paid total_price price_total revenue net_revenue net_sales sales sales_amount sale_amount
        order_value order_amount transaction_amount tran_amount trans_amount transaction_value invoice_amount
        purchase_amount purchase_value payment_value spend spent sales_value grand_total total_sales gross_sales value
        betrag umsatz gesamtbetrag nettobetrag bruttobetrag endbetrag rechnungsbetrag bestellwert summe
        gesamtsumme gesamt gesamtpreis nettoumsatz montant montant_total montant_ttc montant_ht total_ttc
        total_ht prix_total chiffre_d_affaires importe importe_total monto total_pedido valor_total valor
        importo importo_totale totale bedrag totaalbedrag totaal omzet""",
    "order_id": """order_id order_no order_number order_nr invoice_id invoice_no invoice_number transaction_id
        transaction_no trans_id receipt_id receipt_no basket_id order invoice bestellnummer bestell_nr
        bestellnr bestell_id auftragsnummer auftragsnr rechnungsnummer rechnungsnr belegnummer bon_nr
        numero_commande numero_de_commande id_commande commande num_commande facture numero_facture id_pedido
        numero_pedido numero_de_pedido pedido factura id_ordine numero_ordine ordine fattura ordernummer
        bestelnummer""",
    "line_id": "line_id order_line_id order_item_id line_item_id row_id positions_id lineitem_id",
    "product": """product_id product sku stock_code product_code item_id article_id article item product_name
        description item_name lineitem_sku lineitem_name artikelnummer artikel_nr artikel produkt produktname
        produit article_nom producto articulo prodotto articolo produto""",
    "category": """category product_category department product_type kategorie warengruppe produktgruppe categorie
        categoria""",
    "quantity": """quantity qty units quantity_refund quantity_ordered lineitem_quantity number_of_items menge anzahl
        stueckzahl stuck quantite qte cantidad unidades quantita aantal quantidade""",
    "unit_price": """unit_price price_per_unit price_each item_price price einzelpreis stuckpreis stueckpreis preis
        prix_unitaire prix precio_unitario precio prezzo_unitario prezzo prijs preco preco_unitario""",
    "cost": "cost cogs cost_of_goods cost_of_goods_sold total_cost wareneinsatz",
    "discount": """discount_amount discount total_discount discount_total cart_discount_amount rabatt
        rabattbetrag remise descuento sconto korting desconto""",
    "channel": "channel sales_channel order_channel source kanal vertriebskanal canal canale kanaal",
    "market": "country market shipping_country billing_country country_code region land pays pais paese mercado",
    "currency": "currency order_currency currency_code wahrung waehrung devise moneda valuta moeda",
    "status": """status order_status financial_status payment_status bestellstatus statut statut_commande estado
        stato""",
    "cancelled_at": "cancelled_at canceled_at cancelled_on cancellation_date storniert_am date_annulation",
    "returned": "returned is_return is_returned return_flag retoure retourniert",
    "refunded": """refunded_amount refund_amount order_refund_amount amount_refunded total_refunded refunded
        refund_total erstattet erstattungsbetrag""",
    "tax": """tax taxes tax_amount total_tax order_total_tax_amount order_tax tax_total sales_tax vat vat_amount mwst
        mehrwertsteuer ust umsatzsteuer steuer tva iva btw""",
    "shipping": """shipping shipping_amount order_shipping_amount shipping_total shipping_cost shipping_price freight
        delivery_fee versand versandkosten porto frais_de_port frais_de_livraison envio gastos_de_envio
        spedizione verzendkosten frete""",
}
REQUIRED = ("customer_id", "date", "amount")
_NUMBERS = ("amount", "unit_price", "quantity", "cost", "discount", "refunded", "tax", "shipping")
_NEARLY_ALL = 0.99  # of the line numbers differ; repeated ones are the fault they are there to show
_MOSTLY = 0.5  # of the filled values have to look like what the column is said to hold


@dataclass(frozen=True)
class Profile:
    """What a column holds, from a sample: shares of all rows (filled) and of the filled ones (the rest)."""

    filled: float
    number: float
    date: float
    decimals: float
    distinct: float
    longest: int
    largest: float
    example: str


@dataclass(frozen=True)
class Match:
    """A column found for a purpose, and what speaks for it."""

    column: str
    evidence: str


def plain_name(name: str) -> str:
    """A column's name in small letters without accents, its words joined by underscores.

    Examples
    --------
    >>> plain_name("CustomerID"), plain_name("Numéro de commande"), plain_name("Email (Billing)")
    ('customer_id', 'numero_de_commande', 'email_billing')
    """
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("ß", "ss"))
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", ascii_name.lower()).strip("_")


def profile_columns(sample: pd.DataFrame) -> dict[str, Profile]:
    """What each column of a sample of text holds."""
    return {str(name): _profile(sample[name]) for name in sample.columns}


def _profile(column: pd.Series) -> Profile:
    text = column.dropna().astype(str).str.strip()
    text = text[text != ""]
    if text.empty:
        return Profile(0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, "")
    sign = r"[-−+(]*\s*(?:[A-Za-z]{1,3}\.?|[A-Z]{0,2}[$€£¥₹])?\s*[-−+]?"
    number = text.str.fullmatch(sign + r"\s*[\d.,'’\s]*\d[\d.,'’\s]*(?:[A-Za-z]{1,3}|[$€£¥₹])?\s*[-−)]?")
    date = text.str.match(
        r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|(?:19|20)\d{2}[01]\d[0-3]\d$"
        r"|\d{1,2}[- .]*[A-Za-z]{3,9}[-., ]+\d{2,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}"
    )
    return Profile(
        filled=len(text) / len(column),
        number=float(number.mean()),
        date=float(date.mean()),
        decimals=float(text.str.contains(r"[.,]\d{1,2}\D*$").mean()),
        distinct=text.nunique() / len(text),
        longest=int(text.str.len().max()),
        largest=float(pd.to_numeric(text.str.replace(",", "."), errors="coerce").max()),
        example=text.iloc[0][:40],
    )


def match_columns(profiles: Mapping[str, Profile], given: Mapping[str, str]) -> dict[str, Match]:
    """Find the contract's columns among those of a file; what is given by hand stands first.

    Parameters
    ----------
    profiles : mapping
        Columns of the file and what they hold.
    given : mapping
        Contract column to the file's column, as a person named them.

    Returns
    -------
    dict
        Contract column to its match; only what was found.
    """
    found = match_by_name(profiles, given, WORDS, _holds)
    _by_content(found, profiles)
    if "amount" in found and "unit_price" in found:
        del found["unit_price"]
    return found


def match_by_name(
    profiles: Mapping[str, Profile],
    given: Mapping[str, str],
    words: Mapping[str, str],
    holds: Callable[[str, Profile, bool], bool],
    hidden: Collection[str] = ("customer_id",),
) -> dict[str, Match]:
    """Find columns by their names.

    Parameters
    ----------
    profiles, given
        As in `match_columns`.
    words : mapping
        Contract column to the names that it goes by, the usual ones first.
    holds : callable
        Whether a column of this profile can serve a purpose; its third argument says whether the name is one of
        the words, or only contains one.
    hidden : collection of str
        Purposes of which no value may be shown: who a customer is has no place in a study file or on a screen.
    """
    found = {purpose: Match(column, "named by you") for purpose, column in given.items()}
    ranked = []
    for purpose, names in words.items():
        for column, profile in profiles.items():
            rank = _rank(plain_name(column), names.split())
            if rank is not None and purpose not in found and holds(purpose, profile, rank < 1):
                ranked.append((rank, purpose, column))
    # The clearest name is served first, so that "order_date" is no order and "total_tax" no total.
    for _rank_of, purpose, column in sorted(ranked, key=lambda one: one[0]):
        if purpose not in found and column not in {match.column for match in found.values()}:
            example = "" if purpose in hidden else _example(profiles[column])
            found[purpose] = Match(column, f"by its name{example}")
    return found


def _rank(name: str, words: Sequence[str]) -> float | None:
    """How well a name fits: its place among the words, after them names that hold one, None if none fits."""
    bare = name.replace("_", "")
    for place, word in enumerate(words):
        if name == word or bare == word.replace("_", ""):
            return place / 1000
    parts = name.split("_")
    for place, word in enumerate(words):
        wanted = word.split("_")
        within = any(parts[i : i + len(wanted)] == wanted for i in range(len(parts)))
        if within and (len(wanted) > 1 or len(word) > 3):
            return 1 + (len(parts) - len(wanted)) + place / 1000
    return None


def _holds(purpose: str, profile: Profile, exact: bool) -> bool:
    """Whether what a column holds can be what its name promises."""
    if profile.filled == 0 or (purpose == "cost" and not exact):  # "item cost" is a price of one
        return False
    if purpose == "discount" and 0 < profile.largest <= 1:
        return False  # a share, not money
    if purpose == "date":
        return profile.date >= _MOSTLY or profile.number >= _MOSTLY  # serial days and seconds are numbers
    if purpose in _NUMBERS:
        return profile.number >= _MOSTLY and (profile.date < _MOSTLY or profile.decimals > 0)
    if purpose == "line_id":
        return profile.distinct > _NEARLY_ALL
    if purpose == "currency":
        return profile.longest <= 3
    if purpose == "customer_id":
        return profile.date < _MOSTLY
    return True


def _example(profile: Profile) -> str:
    return f"; it holds, for example, {profile.example!r}"


def _by_content(found: dict[str, Match], profiles: Mapping[str, Profile]) -> None:
    """Where no name helps, the one column left whose content can be nothing else."""
    tests = {
        "date": lambda p: p.date > 0.9,
        "amount": lambda p: p.number > 0.9 and p.decimals > 0.5 and p.date < 0.1,
        "customer_id": lambda p: p.filled > 0.5 and p.distinct < 0.9 and p.date < 0.1 and p.decimals < 0.1,
    }
    if {"quantity", "unit_price"} <= found.keys():
        del tests["amount"]
    for purpose, fits in tests.items():
        taken = {match.column for match in found.values()}
        left = [name for name, profile in profiles.items() if name not in taken and fits(profile)]
        if purpose == "customer_id" and len(left) > 1:
            continue  # a product or a place repeats as well
        if purpose not in found and len(left) == 1:
            example = "" if purpose == "customer_id" else _example(profiles[left[0]])
            found[purpose] = Match(left[0], f"by its content: no other column holds such values{example}")
