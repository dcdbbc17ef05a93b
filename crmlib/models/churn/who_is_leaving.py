"""Who is leaving, by whichever road the firm's tables allow: contracts, purchases, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmlib.errors import CannotAnswerError
from crmlib.models.churn.buyer_churn import BuyerChurn, buyer_churn
from crmlib.models.churn.churn_model import Estimator
from crmlib.models.churn.contract_churn import ContractChurn, contract_churn

if TYPE_CHECKING:
    from crmlib.study import Study


def who_is_leaving(
    study: Study,
    *,
    horizon_months: int = 3,
    horizon: str = "26W",
    estimator: Estimator = "auto",
    false_alarm_rate: float = 0.05,
    random_state: int = 0,
) -> tuple[ContractChurn, BuyerChurn]:
    """Who is leaving: of those with a contract, and of those who only buy?

    Parameters
    ----------
    study : Study
    horizon_months, estimator
        As for `contract_churn`.
    horizon, false_alarm_rate
        As for `buyer_churn`.
    random_state : int

    Returns
    -------
    tuple of ContractChurn and BuyerChurn
        One of them may be empty, and says why.

    Raises
    ------
    CannotAnswerError
        If both are.

    Examples
    --------
    >>> import crmlib as crm
    >>> contracts, buyers = who_is_leaving(crm.open_study("telco"), estimator="logistic")
    >>> contracts.said
    'Learnt from a table of customers with who left: 7,043 rows, 1,869 left (27 %).'
    """
    contracts = contract_churn(
        study, horizon_months=horizon_months, estimator=estimator, random_state=random_state
    )
    buyers = buyer_churn(study, horizon=horizon, false_alarm_rate=false_alarm_rate, random_state=random_state)
    if not contracts and not buyers:
        raise CannotAnswerError(f"{contracts.said} {buyers.said}")
    return contracts, buyers
