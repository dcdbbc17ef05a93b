"""Backtests of models on holdouts, and verdicts on them."""
