"""A study's notebooks become a report: plan, execute, publish.

`make_report` is what ``crm report`` calls.
"""

from __future__ import annotations

from crmlib.report.make import make_report

__all__ = ["make_report"]
