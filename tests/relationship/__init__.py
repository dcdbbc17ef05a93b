"""Tests of the relationship room: page one, its lists, forecasts, claims and scorecards."""
