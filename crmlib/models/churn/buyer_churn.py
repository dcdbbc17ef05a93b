"""Who has stopped buying: the road of a firm without contracts, where nobody says goodbye."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from crmlib.customers.rfm.summarise import rfm_summary
from crmlib.errors import CannotAnswerError
from crmlib.models.activity.activity import compare_activity, probability_active
from crmlib.models.activity.overdue import overdue_by_frequency, overdue_customers, purchase_regularity
from crmlib.models.modified_beta_geo import ModifiedBetaGeoModel
from crmlib.models.pareto_nbd import ParetoNBDModel

if TYPE_CHECKING:
    from crmlib.study import Study

_MODELS = (ParetoNBDModel, ModifiedBetaGeoModel)


def _no_rows(columns: str) -> pd.DataFrame:
    return pd.DataFrame(columns=columns.split(), dtype=float)


@dataclass(frozen=True)
class BuyerChurn:
    """What there is to say about customers without contracts; frames without rows where there is no purchase log.

    Attributes
    ----------
    said : str
        Where this was learnt from, or why there is nothing.
    words : str
        Which forecast of who buys again is right, and by how much.
    scores, deciles : DataFrame
        As of `compare_activity`.
    regularity : str
        Whether customers buy at random or in a rhythm.
    overdue_by_frequency : DataFrame
        How many are silent for longer than is likely, by how often they had bought.
    to_win_back : DataFrame
        Customers who are overdue, those with most spent first: `customer_id`, `frequency`, `usual_gap`, `silent`,
        `overdue_after`, `p_active`, `net`.
    """

    said: str
    words: str = "There is no forecast of purchases to judge."
    scores: pd.DataFrame = field(default_factory=lambda: _no_rows("forecast kind predicted actual brier auc"))
    deciles: pd.DataFrame = field(default_factory=lambda: _no_rows("model decile predicted_mean actual_mean"))
    regularity: str = "There are no purchases."
    overdue_by_frequency: pd.DataFrame = field(
        default_factory=lambda: _no_rows("frequency_group customers overdue overdue_share")
    )
    to_win_back: pd.DataFrame = field(default_factory=lambda: _no_rows("customer_id p_active"))

    def __bool__(self) -> bool:
        """Whether there is anything to show."""
        return not self.scores.empty


def buyer_churn(
    study: Study, *, horizon: str = "26W", false_alarm_rate: float = 0.05, random_state: int = 0
) -> BuyerChurn:
    """Which customers without a contract will not buy again, how well can that be told, and who is overdue?

    Parameters
    ----------
    study : Study
        With a purchase log; without one the answer says so.
    horizon : str
        Who buys within it is active, such as "26W"; the log must cover more than two of them.
    false_alarm_rate : float
        Share of those who go on buying as ever that is called overdue.
    random_state : int

    Returns
    -------
    BuyerChurn

    Examples
    --------
    >>> import crmlib as crm
    >>> buyer_churn(crm.open_study("telco")).said
    'Nothing is known of purchases: the study has no purchase log.'
    """
    if not study.has("transactions"):
        return BuyerChurn("Nothing is known of purchases: the study has no purchase log.")
    units: Any = {"time_unit": study.time_unit.value, "collapse": study.collapse.value}
    try:
        found = compare_activity(
            study.transactions,
            as_of=study.as_of,
            models=[one() for one in _MODELS],
            horizon=horizon,
            random_state=random_state,
            **units,
        )
        regularity = purchase_regularity(study.transactions, as_of=study.as_of, collapse=study.collapse.value)
        summary = rfm_summary(study.transactions, as_of=study.as_of, **units)
        best = _best(found.scores)
        model = best().fit(summary)
    except CannotAnswerError as error:
        return BuyerChurn(f"Nothing can be told from purchases: {error}.")
    overdue = overdue_customers(summary, model, false_alarm_rate=false_alarm_rate, regularity=regularity)
    active = probability_active(model, summary, horizon)
    return BuyerChurn(
        said=(
            f"Learnt from the purchases of {len(summary):,} customers up to {study.as_of}; judged by who of "
            f"{found.customers:,} bought after {found.calibration_end}. Lists by {best.name}."
        ),
        words=found.sentence,
        scores=found.scores,
        deciles=found.deciles,
        regularity=regularity.sentence,
        overdue_by_frequency=overdue_by_frequency(overdue, summary),
        to_win_back=_to_win_back(summary, overdue, active),
    )


def _best(scores: pd.DataFrame) -> type[ParetoNBDModel] | type[ModifiedBetaGeoModel]:
    """The purchase model that was least wrong."""
    by_name = {one.name: one for one in _MODELS}
    order = scores.loc[scores["forecast"].isin(list(by_name)), ["forecast", "brier"]].sort_values("brier")
    return by_name[str(order["forecast"].iloc[0])]


def _to_win_back(summary: pd.DataFrame, overdue: pd.DataFrame, active: pd.Series) -> pd.DataFrame:
    late = overdue["overdue"].to_numpy()
    columns = {
        "customer_id": summary["customer_id"],
        "frequency": summary["frequency"],
        "usual_gap": overdue["usual_gap"],
        "silent": overdue["time_since_last_purchase"],
        "overdue_after": overdue["overdue_after"],
        "p_active": active.to_numpy(),
        "net": summary["net"],
    }
    return pd.DataFrame(columns)[late].sort_values("net", ascending=False, kind="stable", ignore_index=True)
