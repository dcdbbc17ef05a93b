"""The Customer Pyramid: its cut-offs, how sure a tier is, and what the theory claims of it."""
