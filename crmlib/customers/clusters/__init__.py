"""Customers who are alike, and whether they are groups or only cuts through one cloud."""
