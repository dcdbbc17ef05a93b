"""A firm: its parameters and its tables; the one object that every notebook opens."""

from crmlib.study.study import Study, open_study

__all__ = ["Study", "open_study"]
