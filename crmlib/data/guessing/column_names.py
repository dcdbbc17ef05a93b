"""The names that columns go by in firms' files, the usual ones first: one dictionary for all tables.

English, German, French, Spanish, Italian, Dutch and Portuguese. A column also goes by its own name, before all others
where it is not among them.
"""

from __future__ import annotations

from collections.abc import Sequence

from crmlib.data.cleaning.free_columns import PERSONAL_NAMES
from crmlib.data.contracts.contract import Column, Contract

# A column's name, or table.column where that table has names of its own for it.
NAMES: dict[str, str] = {
    **PERSONAL_NAMES,
    # transactions
    "customer_id": """customer_id customer_no customer_number customer_code customer_key customer_unique_id cust_id
        cust_no client_id user_id member_id buyer_id account_id shopper_id household_id household_key panelist_id
        kunden_id kunden_nr kundennummer kundennr kunden_nummer kdnr debitor debitorennummer id_client code_client
        numero_client num_client id_cliente codigo_cliente numero_cliente codice_cliente klant_id klantnummer
        klantnr klant_nr customer cust client kunde cliente klant customer_email email_billing billing_email
        customer_e_mail email e_mail email_address mail courriel correo user member buyer card_id card_no
        visitor_id contact_id kundnummer kundnr kund_id kund kundenr kunde_nr klient klient_id""",
    "transactions.date": """date order_date invoice_date purchase_date transaction_date sale_date sales_date trans_date
        tran_date created_at order_created_at created date_created purchased_at ordered_at paid_at date_paid paid_date
        order_created_date order_purchase_timestamp datetime date_time timestamp order_time transaction_time
        invoice_dt order_dt day datum bestelldatum rechnungsdatum auftragsdatum kaufdatum belegdatum
        buchungsdatum date_commande date_de_commande date_achat date_d_achat date_facture fecha fecha_pedido
        fecha_de_pedido fecha_compra fecha_factura data data_ordine data_acquisto data_fattura data_pedido
        data_compra orderdatum besteldatum aankoopdatum dato kopdatum""",
    "transactions.amount": """amount order_total_amount order_total total_amount total net_amount line_total line_amount
        amount_paid paid total_paid total_price price_total revenue net_revenue net_sales sales sales_amount sale_amount
        order_value order_amount transaction_amount tran_amount trans_amount transaction_value invoice_amount
        purchase_amount purchase_value payment_value spend spent sales_value grand_total total_sales gross_sales value
        betrag umsatz gesamtbetrag nettobetrag bruttobetrag endbetrag rechnungsbetrag bestellwert summe
        gesamtsumme gesamt gesamtpreis nettoumsatz montant montant_total montant_ttc montant_ht total_ttc
        total_ht prix_total chiffre_d_affaires importe importe_total monto total_pedido valor_total valor
        importo importo_totale totale bedrag totaalbedrag totaal omzet belopp summa kwota wartosc""",
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
    "quantity": """quantity qty units quantity_refund quantity_ordered lineitem_quantity number_of_items
        transaction_qty order_qty qty_ordered quantity_sold menge anzahl
        stueckzahl stuck quantite qte cantidad unidades quantita aantal quantidade""",
    "unit_price": """unit_price price_per_unit price_each item_price price einzelpreis stuckpreis stueckpreis preis
        prix_unitaire prix precio_unitario precio prezzo_unitario prezzo prijs preco preco_unitario""",
    "transactions.cost": "cost cogs cost_of_goods cost_of_goods_sold total_cost wareneinsatz",
    "discount": """discount_amount discount total_discount discount_total cart_discount_amount rabatt
        rabattbetrag remise descuento sconto korting desconto""",
    "transactions.channel": "channel sales_channel order_channel source kanal vertriebskanal canal canale kanaal",
    "market": "market country shipping_country billing_country country_code region land pays pais paese mercado",
    "currency": "currency order_currency currency_code wahrung waehrung devise moneda valuta moeda",
    "status": """status order_status financial_status payment_status bestellstatus statut statut_commande estado
        stato""",
    "cancelled_at": "cancelled_at canceled_at cancelled_on cancellation_date storniert_am date_annulation",
    "returned": """returned is_return is_returned return_flag returns is_refund refund_flag is_credit_note retoure
        retourniert is_reversal""",
    "refunded": """refunded_amount refund_amount order_refund_amount amount_refunded total_refunded refunded
        refund_total erstattet erstattungsbetrag""",
    "tax": """tax taxes tax_amount total_tax order_total_tax_amount order_tax tax_total sales_tax vat vat_amount mwst
        mehrwertsteuer ust umsatzsteuer steuer tva iva btw""",
    "shipping": """shipping shipping_amount order_shipping_amount shipping_total shipping_cost shipping_price freight
        delivery_fee versand versandkosten porto frais_de_port frais_de_livraison envio gastos_de_envio
        spedizione verzendkosten frete""",
    # every other table
    "date": """day month period week created_at timestamp datum tag monat woche mois jour date_debut fecha mes dia data
        mese giorno maand""",
    "channel": "medium media source platform campaign_channel kanal quelle canal canale kanaal utm_source",
    "amount": """spend cost costs total_spend spent amount_spent media_cost budget_spent betrag kosten ausgaben montant
        depense cout importe gasto costo importo spesa bedrag uitgaven custo""",
    "cost": "costs expense total_cost kosten cout costo coste custo aufwand",
    "product_type": "product_line product_category line_of_business produkttyp produktart type_produit",
    "partner_id": "partner partner_no partner_number partner_code partnernummer",
    "kind": "type category art typ kategorie tipo soort activity_type interaction_type",
    "minutes": "duration handling_time minutes_spent duration_minutes time_minutes dauer minuten duree minutos minuti",
    "hours": "hours_worked time_hours stunden heures horas ore uren",
    "theme": "topic subject reason category thema betreff grund sujet motif tema argomento onderwerp",
    "employee_id": """employee employee_no employee_number staff_id personnel_no agent_id owner rep sales_rep
        mitarbeiter mitarbeiter_id personalnummer employe_id empleado_id dipendente medewerker""",
    # customers
    "phone": "telephone mobile phone_number cell telefon telefonnummer handy telefono tel mobil",
    "consent": """marketing_consent opt_in optin newsletter accepts_marketing email_consent gdpr_consent permission
        subscribed einwilligung werbeeinwilligung consentement consentimiento consenso toestemming""",
    "birthday_consent": "birthday_opt_in consent_birthday",
    "joined": """join_date joined_at registered registered_at registration_date signup_date sign_up_date created_at
        created customer_since member_since kunde_seit registriert_am client_depuis fecha_alta data_iscrizione
        klant_sinds""",
    "acquisition_channel": """channel source acquisition_source first_touch_channel utm_source lead_source herkunft
        kanal canal canale""",
    "referrer_id": "referrer referred_by referral_id recommended_by geworben_von empfohlen_von parrain recomendado_por",
    "recommender_type": "referrer_type referral_type",
    "won_from": "competitor previous_supplier previous_provider former_supplier wettbewerber",
    "manager_id": "account_manager account_manager_id manager owner_id kundenbetreuer",
    "share_of_wallet": "sow wallet_share",
    "goal_reached": "goal_achieved success",
    "adoption": "adoption_rate usage_share",
    "planned_value": "plan_value planned_profit",
    # touchpoints
    "touchpoint_id": "contact_id interaction_id activity_id event_id message_id",
    "direction": "in_out inbound_outbound richtung",
    "response": "reaction result outcome status reaktion",
    "replied_at": "answered_at replied answered reply_date",
    "customised": "customized personalised personalized",
    "fields_learned": "profile_fields_learned new_fields",
    "promise_due": "promised_by promised_for due_date due",
    "promise_kept_on": "promise_kept kept_on fulfilled_on",
    # service_cases
    "case_id": """ticket_id case_no case_number ticket_no ticket_number ticket case complaint_id id fall_id fallnummer
        ticketnummer numero_ticket vorgangsnummer""",
    "opened": """opened_at open_date created_at created date_opened date_created received date reported eroeffnet
        eroffnet eroffnet_am angelegt_am erstellt_am ouvert ouvert_le date_ouverture abierto fecha_apertura
        aperto geopend datum fecha""",
    "first_reply": "first_response first_response_at first_reply_at first_answer answered_at erste_antwort",
    "closed": """closed_at close_date resolved resolved_at date_closed solved_at settled geschlossen
        geschlossen_am erledigt_am ferme ferme_le date_fermeture cerrado fecha_cierre chiuso gesloten""",
    "contacts": "number_of_contacts interactions replies messages kontakte",
    "public": "is_public visible oeffentlich",
    # customer_features
    "churned": """churn churn_label churn_flag is_churn is_churned attrition attrition_flag exited exit left lapsed
        cancelled canceled kuendigung gekuendigt resilie abandono abbandono""",
    "customer_features.date": "cut_off cutoff cut_off_date snapshot snapshot_date observation_date stichtag",
    "outcome_known_on": "outcome_date label_date outcome_known",
    # marketing_spend
    "component": "cost_type spend_type cac_component",
    "impressions": "views impr impressionen",
    "clicks": "link_clicks klicks clics clic",
    "organic": "is_organic unpaid",
    # leads
    "lead_id": "lead lead_no lead_number prospect_id opportunity_id deal_id id interessent_id",
    "created": "created_at created_on lead_date date_created date first_seen erstellt_am angelegt_am cree_le datum",
    "interested_on": "interested mql_date qualified_on trial_start signup_date",
    "considered_on": "considered sql_date offer_date proposal_date demo_date angebot_am",
    "activated_on": "activated activation_date first_use",
    "won_on": "won won_at won_date closed_won converted_on conversion_date converted_at gewonnen_am",
    "lost_on": "lost lost_at lost_date closed_lost verloren_am",
    "lost_reason": "reason_lost loss_reason verlustgrund",
    # subscriptions
    "subscription_id": "contract_id contract_no subscription contract abo_id vertragsnummer abonnement_id id",
    "start": "start_date started started_at begin valid_from beginn vertragsbeginn debut date_debut inicio inizio",
    "end": "end_date ended ended_at cancelled_at valid_to ende vertragsende fin date_fin fine einde",
    "price_per_month": """monthly_price mrr price monthly_amount monthly_fee amount monatspreis preis prix_mensuel
        precio_mensual prezzo_mensile""",
    "plan": "plan_name tier package tarif paket forfait",
    "end_reason": "cancel_reason churn_reason cancellation_reason kuendigungsgrund",
    # loyalty_ledger
    "points": "points_delta point_change punkte puntos punti punten pontos",
    "loyalty_ledger.kind": "type transaction_type movement movement_type event art typ tipo",
    "loyalty_ledger.amount": "cost redemption_cost value",
    # surveys
    "question": "question_type metric survey survey_type frage pregunta domanda vraag",
    "score": "rating answer value response nps_score punktzahl bewertung note puntuacion punteggio",
    "scale_max": "max_score scale",
    "comment": "comments verbatim feedback free_text kommentar commentaire comentario commento opmerking",
    "followed_up_on": "follow_up_date followed_up closed_loop_on",
    # experiments
    "experiment": "experiment_name test test_name campaign experiment_id",
    "assigned": "assigned_at assignment_date date assigned_on",
    "group": "arm variant treatment assignment gruppe groupe grupo gruppo",
    "outcome": "result metric_value conversion",
    "unsubscribed_on": "unsubscribed unsubscribed_at opt_out_date",
    # network_partners
    "network_partners.partner_id": "partner partner_no partner_number id supplier_id",
    "since": "partner_since start_date since_date seit depuis",
    "cost_per_year": "annual_cost yearly_cost",
    "value_received_per_year": "value_received annual_value_received",
    "value_given_per_year": "value_given annual_value_given",
    # staff_hours
    "activity": "task taetigkeit activite actividad attivita activiteit",
    "hired_on": "hired hire_date hired_at eintrittsdatum",
    "left_on": "left leave_date left_at termination_date austrittsdatum",
    # capacity, budget, maturity_scores
    "resource": "facility room machine ressource",
    "capacity.capacity": "available total kapazitaet kapazitat",
    "used": "utilised utilized occupied belegt",
    "fixed_cost": "fixed_costs fixkosten",
    "revenue": "planned_revenue budget sales turnover umsatz plan_umsatz chiffre_d_affaires ventas ricavi omzet",
    "marketing_spend": "planned_spend marketing_budget marketing",
    "new_customers": "planned_new_customers new_customer_target",
    "model": "scorecard framework instrument",
    "element": "item criterion stage process dimension",
    "rater": "scored_by assessor evaluator",
    "evidence": "proof reason justification",
}

# Taken where there is no better column, and said to be so.
LAST_RESORT: dict[str, str] = {
    "transactions.customer_id": """customer_name cust_name client_name buyer_name user_name kundenname kunden_name
        nom_client nombre_cliente nome_cliente klantnaam full_name""",
}
# What may stand beside one of the names above within a longer one. With any other word it names something else: a
# customer's age or city, the state of a person, the category of a city.
_MAY_STAND_BESIDE: dict[str, str] = {
    "customer_id": """id ids no nr num number nummer code key ref reference hash hashed uuid guid unique main primary
        internal external intern extern master global local billing shipping bill ship sold invoice to by from of de du
        da do der the fk pk dim src loyalty member membership card crm erp sap pos account acct contact party end b2b
        b2c email mail e orig original anon anonymized masked encrypted sha md5 customer client cust kunde user buyer
        household purchaser payer shopper 1""",
    "status": """order orders payment financial fulfillment fulfilment transaction invoice item line delivery shipment
        shipping sale sales current purchase checkout code name auftrags bestell commande pedido ordine""",
    "category": "product item article sub main name id code level group no 1 l1 top",
}
# What in a longer name turns money into something else: a count, a share, or money that nobody paid for this row.
_NO_MONEY = set(
    """items qty quantity count counts units sold number nr num no pieces pcs products customers orders
    purchases transactions visits days months points score rank rating id ids is flag type percent percentage pct rate
    ratio share anzahl menge stueck prozent anteil""".split()
)
_NO_AMOUNT = _NO_MONEY | set(
    """tax vat discount shipping fee fees tip refund margin profit income balance budget target previous last lifetime
    avg average mean median cumulative running steuer mwst rabatt versand saldo durchschnitt""".split()
)
_NO_PRODUCT = set("price cost rating review weight count quantity qty discount".split())
# Days of a person or of a thing, not of a purchase.
_NO_DATE = set(
    """birth born expiry expiration registration register signup joined join due first last next ship shipped
    shipping delivery delivered dispatch dispatched approved modified updated changed""".split()
)


def keeps_its_meaning(column: Column, rest: Sequence[str]) -> bool:
    """Whether a longer name still names a column of the contract, by the other words in it.

    Examples
    --------
    >>> from crmlib.data.contracts import TRANSACTIONS
    >>> customer = TRANSACTIONS.columns[0]
    >>> keeps_its_meaning(customer, ["loyalty"]), keeps_its_meaning(customer, ["city"])
    (True, False)
    """
    purpose = "customer_id" if column.names_customer else column.name
    if purpose in _MAY_STAND_BESIDE:
        return set(rest) <= set(_MAY_STAND_BESIDE[purpose].split())
    if column.kind == "money":
        return not set(rest) & (_NO_AMOUNT if column.name == "amount" else _NO_MONEY)
    return not set(rest) & {"date": _NO_DATE, "product": _NO_PRODUCT}.get(column.name, set())


def names_of(contract: Contract) -> dict[str, list[str]]:
    """The names that each column of a contract goes by, the usual ones first."""
    found = {}
    for column in contract.columns:
        names = NAMES.get(f"{contract.name}.{column.name}", NAMES.get(column.name, "")).split()
        found[column.name] = names if column.name in names else [column.name, *names]
    return found
