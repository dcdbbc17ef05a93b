"""A firm: its parameters and its tables; the one object that every notebook opens."""

from crmlib.study.opening import open_study
from crmlib.study.study import Study

__all__ = ["Study", "open_study"]
