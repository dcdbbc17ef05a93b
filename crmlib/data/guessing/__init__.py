"""Detect the format and the columns of a file, with evidence for each guess."""
