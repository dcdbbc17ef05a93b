"""Clusters of similar customers, and a test whether they are separate groups."""
