"""The value of retention, how much to spend on it, and tests of claims about it."""
