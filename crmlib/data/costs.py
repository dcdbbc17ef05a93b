"""What serving a customer costs, where the firm has no figure per customer: the assumptions of a study."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from crmlib.data.policies import Strict


def _money(description: str) -> Any:
    return Field(None, ge=0, strict=True, allow_inf_nan=False, description=description)


class Costs(Strict):
    """Money per unit of what customers ask for, in the study's currency; what is absent is not counted.

    Examples
    --------
    >>> Costs(per_service_minute=0.8, per_return=6).per_return
    6.0
    """

    per_service_minute: float | None = _money("money per minute of service or of a contact")
    per_contact: float | None = _money("money per contact of a service case, beside its minutes")
    per_return: float | None = _money("money per returned row: postage, check, back to stock")
    per_order: float | None = _money("money per order: picking, postage, payment")
    fixed_per_year: float | None = _money("money per customer and year: account, catalogue")
