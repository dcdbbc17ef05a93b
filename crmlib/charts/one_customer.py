"""The chart of one customer: purchases, and how probable it was that the customer had not left."""

from __future__ import annotations

import pandas as pd

from crmlib import format as fmt
from crmlib.charts import kit
from crmlib.charts.layout import finish, no_data, period_axis, sheet, value_axis
from crmlib.charts.style import BLUE, ORANGE, Chart, house_style


@house_style()
def one_customer(course: pd.DataFrame, purchases: pd.Series, finding: str) -> Chart:
    """Draw P(alive) by month end, with a dot on the axis for each purchase.

    `course`: `month` (first days, without a gap) and `p_alive` at their ends. `purchases`: days.
    """
    if course.empty or not course["p_alive"].notna().any():
        return no_data("P(alive) is not known for this customer")
    axes = sheet(1.8)
    start = course["month"].iloc[0]
    kit.lines(axes, {"P(alive)": (range(1, len(course) + 1), course["p_alive"])}, [BLUE])
    months = (purchases.dt.year - start.year) * 12 + purchases.dt.month - start.month
    kit.dot(
        axes, months + (purchases.dt.day - 1) / purchases.dt.days_in_month, [0.0] * len(purchases), ORANGE
    )
    axes.set_xlim(0, max(len(course), 6) + 0.2)
    axes.set_ylim(0, 1.02)
    period_axis(axes, course["month"].tolist(), "M")
    value_axis(axes, "y", kind="share", largest=1.0)
    last = course.iloc[-1]
    alt = (
        f"Line of P(alive) from {fmt.month(start)} to {fmt.month(last['month'])}, now {fmt.chance(last['p_alive'])}; "
        f"dots of {fmt.plural(len(purchases), 'purchase')}."
    )
    return finish(axes, finding, alt, unit="P(alive) at the ends of months; dots: purchases")
