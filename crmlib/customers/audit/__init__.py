"""The five lenses of a customer-base audit, the month under review, first products and who goes quiet."""
