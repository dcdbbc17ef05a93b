"""Right answers and known mistakes of every exercise; hints.toml has what is said to each mistake."""
