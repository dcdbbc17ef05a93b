"""All tests of claims in one table, which the ledger reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from crmlib.errors import CannotAnswerError, DataError
from crmlib.no_rows import no_rows
from crmlib.relationship.claim_tests.chain import chain
from crmlib.relationship.claim_tests.data import ClaimData
from crmlib.relationship.claim_tests.effort import effort
from crmlib.relationship.claim_tests.entry import entry
from crmlib.relationship.claim_tests.iron import iron
from crmlib.relationship.claim_tests.price import price
from crmlib.relationship.claim_tests.promoters import promoters
from crmlib.relationship.claim_tests.prospecting import prospecting
from crmlib.relationship.claim_tests.referred import referred
from crmlib.relationship.claim_tests.retaining import retaining, rivals
from crmlib.relationship.claim_tests.tested import COLUMNS, cannot
from crmlib.relationship.claim_tests.traffic import traffic
from crmlib.relationship.claim_tests.trust import trust

if TYPE_CHECKING:
    from crmlib.study import Study

TESTS = (
    trust,
    chain,
    effort,
    promoters,
    referred,
    prospecting,
    entry,
    iron,
    retaining,
    rivals,
    traffic,
    price,
)


def claim_tests(study: Study) -> pd.DataFrame:
    """What do this firm's own data say of each claim?

    Returns
    -------
    DataFrame
        `test`, `part` ("the claim", which has the numbers of its weakest part, and the parts), `measure`, `difference`
        with its 95 % interval `low, high`, the `bar` it is compared with, `unit`, `customers` (or rows), `verdict`,
        `why`.
    """
    if not study.has("transactions"):
        return no_rows(COLUMNS, "no table transactions")
    data, rows = ClaimData.of(study), []
    for test in TESTS:
        try:
            rows += test(data)
        except (CannotAnswerError, DataError) as refusal:
            rows += cannot(test.__name__, str(refusal))
    return pd.DataFrame(rows)[COLUMNS]
