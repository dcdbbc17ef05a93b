"""Charts of the frames that the other rooms return: one message each, the finding as title, alt text.

A chart draws a frame and decides nothing: its title is the finding that the analysis left on the frame, in
`frame.attrs["finding"]`, or the one that is given. It draws on a sheet of its own or into `ax`, shows itself in a
notebook, and `.save(path)` writes a PNG, SVG or PDF. An empty frame gives a chart that says so.
Rows that are taken out of a frame keep the finding of the whole: give such a chart its own.
"""

from __future__ import annotations

from crmlib.lazy import homes_of, loader

HOMES = homes_of(
    __name__,
    {
        "audit": "migration month_against_others waterfall",
        "churn": ("by_tenth campaign_profit chances churn_gains overdue_share qini_curve survival_by_group"),
        "cohorts": "by_cohort cohort_triangle cohort_value cohorts_by_age revenue_by_cohort",
        "data_check": "per_month rows_by_fate",
        "lifetime_value": (
            "calibration clv_distribution clv_sensitivity history_surface profit_whale tracking"
        ),
        "retention": "experiment_effects loyalty_effect profit_by_retention rise_by_retention",
        "segments": (
            "cluster_choice cluster_profile paired_shares revenue_against_profit tier_certainty tiers_by_allocation "
            "values_by_group"
        ),
        "style": "Chart",
    },
)

__all__ = list(HOMES)
__getattr__ = loader(__name__, HOMES)
