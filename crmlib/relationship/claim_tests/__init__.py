"""Tests of the claims that no chapter computes: one file per design."""
