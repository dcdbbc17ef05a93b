"""Columns that mean the same in several tables."""

from __future__ import annotations

from crmlib.data.tables.contracts import Column

CUSTOMER = Column("customer_id", "text", "whom it concerns", required=True, refers_to="customers.customer_id")

CHANNEL = Column("channel", "text", "the channel, in the words of marketing_spend", required=True)

MARKET = Column("market", "text", "country or market")

PRODUCT_TYPE = Column(
    "product_type", "text", "physical, web/mobile, web platform, bank: whose life cycle differs"
)

PARTNER = Column("partner_id", "text", "the partner who brought it", refers_to="network_partners.partner_id")
