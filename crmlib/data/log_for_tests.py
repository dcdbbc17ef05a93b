"""The log for backtests: of a large one, all rows of a random sample of customers."""

from __future__ import annotations

from typing import NamedTuple

import ibis

from crmlib import format as fmt
from crmlib.data.cleaning.repeats import hash_of
from crmlib.statistics import normal_quantile

MOST_TESTED = 100_000  # customers: of so many, a share is known to a third of a point
_HASHES = 2.0**64
_SEED = 0


class LogForTests(NamedTuple):
    """A purchase log for backtests.

    `rows`: the log, or all rows of the customers who were drawn. `sentence`: of how many customers it is.
    """

    rows: ibis.Table
    sentence: str


def log_for_tests(log: ibis.Table, *, most: int = MOST_TESTED) -> LogForTests:
    """Draw about `most` customers with all their rows; of a log with no more customers, all of them.

    A test of a forecast looks at what each customer did, once for every model, day and resample. With ten times the
    customers it takes ten times as long, and finds the same: the error of a share of 100,000 customers is at most 0.3
    points. Who is drawn depends on the id alone, so the same customers are in all tests of a log.

    `log`: with a `customer_id`. `most`: customers.

    Examples
    --------
    >>> log = ibis.memtable({"customer_id": [f"c{i}" for i in range(1000)]})
    >>> log_for_tests(log).sentence
    'Forecasts are tested on all 1,000 customers.'
    >>> some = log_for_tests(log, most=100)
    >>> some.sentence
    'Forecasts are tested on 97 of 1,000 customers, drawn at random. Totals in the tests are of these 97; by the \
chance of the draw, a share of customers may be off by 10 points (95 %).'
    """
    customers = int(log.customer_id.nunique().to_pyarrow().as_py())
    if customers <= most:
        whole = f"Forecasts are tested on all {fmt.plural(customers, 'customer')}."
        return LogForTests(log, whole if customers else "")
    place = hash_of(log.customer_id, ibis.literal(_SEED)).cast("float64") / _HASHES
    place = (place + 1) % 1  # in other engines half of the hashes are negative
    rows = log.filter(place < most / customers).cache()
    drawn = int(rows.customer_id.nunique().to_pyarrow().as_py())
    off, few = fmt.points(normal_quantile(0.95) * (0.25 / drawn) ** 0.5), fmt.count(drawn)
    return LogForTests(
        rows,
        f"Forecasts are tested on {few} of {fmt.plural(customers, 'customer')}, drawn at random. Totals in the tests "
        f"are of these {few}; by the chance of the draw, a share of customers may be off by {off} (95 %).",
    )
