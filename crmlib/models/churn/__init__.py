"""Who will leave: a churn model chosen, calibrated and judged on customers it has not seen, and its reasons."""
