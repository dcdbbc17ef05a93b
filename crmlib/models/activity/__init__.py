"""Customers without a contract: who will buy again, and who is silent for too long."""
