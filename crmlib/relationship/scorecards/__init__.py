"""Frameworks of management as scorecards that rest on key figures: one readable file for each framework."""
