"""The files that tables come from, of every kind that can be read."""
