"""Outcomes of customers after a message or a programme, and their history before it."""
