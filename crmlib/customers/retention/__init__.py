"""Retention measures that name their definition, contracts as they ran, and who bought again."""
