"""Would the models have been right? Backtests on holdouts, and the verdicts on them."""
