"""From a purchase log to who the customers are, what they are worth, who is leaving and what to do.

>>> import crmlib as crm
>>> study = crm.open_study("cdnow-sample")
>>> summary = crm.rfm_summary(study.transactions, as_of=study.as_of, time_unit="W")
>>> len(summary)
2357

The rooms, from the bottom up: `crmlib.data` (what comes in), `crmlib.study` (a firm), `crmlib.customers`
(who they are), `crmlib.models` (what they will do), `crmlib.economics` (what it is worth) and
`crmlib.report` (runs and pages); `crmlib.charts` draws what they return.
"""

from crmlib.lazy import public_face

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = public_face(__name__)
