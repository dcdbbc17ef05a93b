"""Profit per customer after the cost to serve, and how much of its variance is chance."""
