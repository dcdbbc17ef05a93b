"""Right answers and known mistakes of every exercise; hints.toml has the feedback on each mistake."""
