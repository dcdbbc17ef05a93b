"""The five lenses of a customer-base audit, the month review, first products and lapsing customers."""
