# Every chart and where it lives.

from .audit import (
    migration as migration,
)
from .audit import (
    month_against_others as month_against_others,
)
from .audit import (
    waterfall as waterfall,
)
from .churn import (
    by_tenth as by_tenth,
)
from .churn import (
    campaign_profit as campaign_profit,
)
from .churn import (
    chances as chances,
)
from .churn import (
    churn_gains as churn_gains,
)
from .churn import (
    overdue_share as overdue_share,
)
from .churn import (
    qini_curve as qini_curve,
)
from .churn import (
    survival_by_group as survival_by_group,
)
from .cohort_revenue import (
    revenue_by_cohort as revenue_by_cohort,
)
from .cohorts import (
    by_cohort as by_cohort,
)
from .cohorts import (
    cohort_triangle as cohort_triangle,
)
from .cohorts import (
    cohort_value as cohort_value,
)
from .cohorts import (
    cohorts_by_age as cohorts_by_age,
)
from .cycle import life_cycle as life_cycle
from .data_check import per_month as per_month
from .data_check import rows_by_outcome as rows_by_outcome
from .lifetime_value import (
    calibration as calibration,
)
from .lifetime_value import (
    clv_distribution as clv_distribution,
)
from .lifetime_value import (
    clv_sensitivity as clv_sensitivity,
)
from .lifetime_value import (
    history_surface as history_surface,
)
from .lifetime_value import (
    profit_whale as profit_whale,
)
from .lifetime_value import (
    tracking as tracking,
)
from .retention import (
    experiment_effects as experiment_effects,
)
from .retention import (
    profit_by_retention as profit_by_retention,
)
from .retention import (
    rise_by_retention as rise_by_retention,
)
from .segments import (
    cluster_choice as cluster_choice,
)
from .segments import (
    cluster_profile as cluster_profile,
)
from .segments import (
    paired_shares as paired_shares,
)
from .segments import (
    values_by_group as values_by_group,
)
from .style import Chart as Chart
from .tiers import (
    revenue_against_profit as revenue_against_profit,
)
from .tiers import (
    tier_certainty as tier_certainty,
)
from .tiers import (
    tiers_by_allocation as tiers_by_allocation,
)
