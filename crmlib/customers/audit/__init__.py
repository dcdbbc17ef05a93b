"""The five lenses of a customer-base audit, the month review and first products."""
