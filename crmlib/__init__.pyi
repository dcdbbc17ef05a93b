# Every public name and where it lives: what `crm.` offers, read by `crmlib.lazy`, by editors and by mypy.

from . import charts as charts
from . import data as data
from . import format as format
from . import report as report
from . import study as study
from .customers.audit.best_customers import (
    first_products as first_products,
)
from .customers.audit.best_customers import (
    period_profile as period_profile,
)
from .customers.audit.cohorts import (
    cohort_comparison as cohort_comparison,
)
from .customers.audit.cohorts import (
    cohort_history as cohort_history,
)
from .customers.audit.months import (
    last_months as last_months,
)
from .customers.audit.months import (
    month_review as month_review,
)
from .customers.audit.months import (
    purchases_by_month as purchases_by_month,
)
from .customers.audit.recent_change import recent_change as recent_change
from .customers.audit.second_purchase import repeat_rate as repeat_rate
from .customers.clusters.customer_clusters import (
    behaviour_clusters as behaviour_clusters,
)
from .customers.clusters.customer_clusters import (
    needs_clusters as needs_clusters,
)
from .customers.profit.customer_profit import customer_profit as customer_profit
from .customers.profit.spread import whale_curve as whale_curve
from .customers.retention.contracts import contract_retention as contract_retention
from .customers.retention.recurring_revenue import revenue_movements as revenue_movements
from .customers.retention.repurchase import (
    repurchase_rate as repurchase_rate,
)
from .customers.retention.repurchase import (
    retention_by_age as retention_by_age,
)
from .customers.rfm.migration import segment_migration as segment_migration
from .customers.rfm.segments import rfm_segments as rfm_segments
from .customers.rfm.split import rfm_train_test_split as rfm_train_test_split
from .customers.rfm.summary import rfm_summary as rfm_summary
from .customers.tiers.chances import (
    tier_probabilities as tier_probabilities,
)
from .customers.tiers.claims import tier_claims as tier_claims
from .customers.tiers.migration import tier_migration as tier_migration
from .customers.tiers.value_tiers import (
    value_tiers as value_tiers,
)
from .customers.treatments.experiments import experiment_outcomes as experiment_outcomes
from .customers.treatments.loyalty import (
    programme_enrolments as programme_enrolments,
)
from .economics.acquisition.acquisition import Acquisition as Acquisition
from .economics.churn_campaign import retention_campaign as retention_campaign
from .economics.experiment_campaign import campaign_from_experiment as campaign_from_experiment
from .economics.experiments import read_experiments as read_experiments
from .economics.formula_clv import (
    simple_clv as simple_clv,
)
from .economics.growth.growth import Growth as Growth
from .economics.life_cycle.life_cycle import LifeCycle as LifeCycle
from .economics.lifetime_value import (
    customer_lifetime_value as customer_lifetime_value,
)
from .economics.lifetime_value import (
    value_of_new_customer as value_of_new_customer,
)
from .economics.loyalty import (
    loyalty_uplift as loyalty_uplift,
)
from .economics.loyalty import (
    programme_liability as programme_liability,
)
from .economics.retention.case import buyers_case as buyers_case
from .economics.retention.case import contracts_case as contracts_case
from .economics.retention.spending_case import (
    spending_readout as spending_readout,
)
from .economics.value_tables import (
    clv_sensitivity as clv_sensitivity,
)
from .economics.value_tables import (
    customer_equity as customer_equity,
)
from .economics.value_tables import (
    top_customers as top_customers,
)
from .economics.value_tables import (
    value_by_acquisition_month as value_by_acquisition_month,
)
from .errors import CrmError as CrmError
from .errors import require_an_answer as require_an_answer
from .findings import Estimate as Estimate
from .lessons.check import check as check
from .models.backtesting.backtest import backtest as backtest
from .models.backtesting.backtest import plan_backtest as plan_backtest
from .models.backtesting.rolling import fit_by_group as fit_by_group
from .models.backtesting.rolling import rolling_origins as rolling_origins
from .models.backtesting.segment_backtest import segment_backtest as segment_backtest
from .models.backtesting.verdict import Thresholds as Thresholds
from .models.beta_geo import BetaGeoModel as BetaGeoModel
from .models.beta_geo import ModifiedBetaGeoModel as ModifiedBetaGeoModel
from .models.beta_geo_beta_binom import BetaGeoBetaBinomModel as BetaGeoBetaBinomModel
from .models.buying_again import compare_activity as compare_activity
from .models.churn.at_risk import (
    churn_survival as churn_survival,
)
from .models.churn.at_risk import (
    customers_at_risk as customers_at_risk,
)
from .models.churn.churn_model import ChurnModel as ChurnModel
from .models.churn.data import churn_data as churn_data
from .models.churn.evaluation import evaluate_churn as evaluate_churn
from .models.churn.leak_check import leak_check as leak_check
from .models.churn.verdict import ChurnThresholds as ChurnThresholds
from .models.gamma_gamma import (
    GammaGammaModel as GammaGammaModel,
)
from .models.gamma_gamma import (
    spend_frequency_check as spend_frequency_check,
)
from .models.overdue import (
    overdue_customers as overdue_customers,
)
from .models.overdue import (
    purchase_regularity as purchase_regularity,
)
from .models.overdue import (
    winnable_customers as winnable_customers,
)
from .models.pareto_nbd import ParetoNBDModel as ParetoNBDModel
from .models.shifted_beta_geo import ShiftedBetaGeoModel as ShiftedBetaGeoModel
from .relationship.decisions import decisions as decisions
from .relationship.scorecards.scorecards import Scorecards as Scorecards
from .simulation.simulate import simulate_firm as simulate_firm
from .study import Study as Study
from .study import open_study as open_study

__version__: str
