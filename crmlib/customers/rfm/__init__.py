"""Recency, frequency and spend of each customer, and the segments that they name."""
