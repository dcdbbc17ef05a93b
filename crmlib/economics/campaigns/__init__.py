"""Whom to contact: what a contact brings and costs, and the list that pays."""
