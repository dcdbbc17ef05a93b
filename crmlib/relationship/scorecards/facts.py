"""Facts about each customer in the last twelve complete months, aggregated from the firm's tables in the engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import end_of, fetch, seen_by, with_ids_of, within
from crmlib.customers.audit.months import last_months
from crmlib.customers.profit.customer_profit import customer_profit
from crmlib.customers.treatments.experiments import experiment_outcomes
from crmlib.data.sources import open_optional, optional
from crmlib.economics.experiments import read_experiments
from crmlib.errors import CannotAnswerError, DataError
from crmlib.no_rows import no_rows, why_none
from crmlib.relationship.actions import WINDOW_DAYS
from crmlib.relationship.duplicates import duplicates_of
from crmlib.statistics import normal_quantile

if TYPE_CHECKING:
    from crmlib.study import Study

MONTHS = 12
PROFILE = "has_name has_email has_phone has_birthday market acquisition_channel".split()
RESPONSES = ("clicked", "replied", "bought")
_BUYERS = "value revenue orders discounts".split()
_PROFILES = (
    "filled reachable consent birthday goal_reached adoption share_of_wallet planned_value manager_id joined"
)


def lacks(*frames: str) -> Callable[[Facts], str]:
    """A function of the facts: why the first empty one of these frames has no rows; empty if all have some."""

    def reason(facts: Facts) -> str:
        return next(filter(None, (why_none(getattr(facts, frame)) for frame in frames)), "")

    return reason


class Facts:
    """A firm's customers and what its tables say of them; frames without rows state the reason.

    Parameters
    ----------
    study : Study
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.day = study.as_of
        self.first, self.last = last_months(MONTHS, as_of=self.day)
        self.window = f"the {fmt.length(MONTHS, 'M')} to {fmt.month(self.last)}"

    @cached_property
    def buyers(self) -> pd.DataFrame:
        """Customers who bought in the window, by id: `value` (contribution after service cost, else revenue)."""
        study = self.study
        if not study.has("transactions"):
            return no_rows(_BUYERS, "no table transactions")
        beside = {name: study.table(name) for name in ("service_cases", "touchpoints")}
        known = dict(margin=study.margin, costs=study.costs, **beside)
        try:
            found = customer_profit(study.transactions, start=self.first, end=self.last, **known)
        except CannotAnswerError as refusal:
            return no_rows(_BUYERS, str(refusal))
        rows = pd.DataFrame(found[found["orders"] > 0])
        rows["value"] = rows["profit" if "profit" in rows else "revenue"]
        if rows.empty:
            return no_rows(_BUYERS, f"nobody bought in {self.window}")
        return rows.set_index("customer_id").reindex(columns=_BUYERS)

    @property
    def value_called(self) -> str:
        """What the money of the customers concerned means: contribution or revenue."""
        has_costs = self.study.margin is not None or self.study.has("transactions", "cost")
        return "contribution after service cost" if has_costs else "revenue"

    def table(self, name: str) -> ibis.Table | None:
        """An optional table of the firm with ids as the log has them; None where it is absent or holds no row."""
        rows = open_optional(self.study.table(name))
        if rows is None or "customer_id" not in rows.columns:
            return rows
        return with_ids_of(self._log, rows) if self.study.has("transactions") else rows

    @cached_property
    def _log(self) -> ibis.Table:
        return seen_by(self.study.transactions, self.day, outside=True)

    @cached_property
    def profiles(self) -> pd.DataFrame:
        """What is known of each customer: a missing consent is none."""
        if (rows := self.table("customers")) is None:
            return no_rows(_PROFILES, "no table customers")
        there = [optional(rows, name, "string").notnull() for name in PROFILE[4:]]
        there += [optional(rows, name, "boolean").fill_null(False) for name in PROFILE[:4]]
        reach = optional(rows, "has_email", "boolean") | optional(rows, "has_phone", "boolean")
        consent = optional(rows, "consent", "boolean").fill_null(False)
        birthday = optional(rows, "birthday_consent", "boolean").fill_null(False) & there[-1] & consent
        facts = {
            "filled": sum((filled.cast("float64") for filled in there), ibis.literal(0.0)) / len(PROFILE),
            "reachable": reach.fill_null(False),
            "consent": consent,
            "birthday": birthday,
            "goal_reached": optional(rows, "goal_reached", "boolean"),
            **{n: optional(rows, n, "float64") for n in ("adoption", "share_of_wallet", "planned_value")},
            "manager_id": optional(rows, "manager_id", "string"),
            "joined": optional(rows, "joined", "timestamp(6)"),
        }
        found = fetch(rows.select("customer_id", **facts)).drop_duplicates("customer_id")
        return found.set_index("customer_id")

    @cached_property
    def duplicates(self) -> pd.DataFrame:
        """Ids that are likely duplicates of another customer, and what merging them would change."""
        return duplicates_of(self.study)

    @cached_property
    def sent(self) -> pd.DataFrame:
        """What the firm sent to customers in the window, by customer and channel."""
        columns = "customer_id channel sent answerable responses customised spent"
        if (rows := self._contacts) is None:
            return no_rows(columns, "no table touchpoints")
        costs = self.study.costs
        rate = (costs.per_service_minute if costs else None) or 0.0
        rows = rows.filter((rows.direction == "out") & within(rows.date, self.first, self.last))
        rows = rows.group_by("customer_id", "channel").agg(
            sent=_.count(),
            answerable=_.response.count(),
            responses=_.response.isin(RESPONSES).sum().fill_null(0),
            customised=_.customised.fill_null(False).sum().fill_null(0),
            spent=(_.cost.fill_null(0.0) + _.minutes.fill_null(0.0) * rate).sum(),
        )
        found = fetch(rows)
        return found if len(found) else no_rows(columns, f"no contact by the firm in {self.window}")

    @cached_property
    def habits(self) -> pd.DataFrame:
        """Contacts of each customer: promises due and broken, fields learned, days since the firm's last contact."""
        columns = "contacts learned promises broken days_since_sent"
        if (rows := self._contacts) is None:
            return no_rows(columns, "no table touchpoints")
        inside = within(rows.date, self.first, self.last)
        due = within(rows.promise_due, self.first, self.last).fill_null(False)
        late = rows.promise_kept_on.isnull() | (rows.promise_kept_on.date() > rows.promise_due.date())
        last = rows.date.max(where=rows.direction == "out").date()
        rows = rows.group_by("customer_id").agg(
            contacts=inside.sum(),
            learned=(inside & (rows.fields_learned > 0)).sum().fill_null(0),
            fields=rows.fields_learned.sum(where=inside).fill_null(0.0),
            promises=due.sum(),
            broken=(due & late).sum(),
            days_since_sent=ibis.literal(self.day).delta(last, unit="day"),
        )
        return fetch(rows).set_index("customer_id")

    @cached_property
    def _contacts(self) -> ibis.Table | None:
        if (rows := self.table("touchpoints")) is None:
            return None
        kinds = dict.fromkeys(("direction", "response", "channel", "kind"), "string")
        kinds |= dict.fromkeys(("cost", "minutes", "fields_learned"), "float64") | {"customised": "boolean"}
        kinds |= dict.fromkeys(("replied_at", "promise_due", "promise_kept_on"), "timestamp(6)")
        rows = rows.mutate(**{name: optional(rows, name, kind) for name, kind in kinds.items()})
        return rows.filter(rows.customer_id.notnull())

    @cached_property
    def asked(self) -> pd.DataFrame:
        """What customers asked in the window, by customer and channel: answered within a day, and how soon.

        Cases, else contacts by the customer but for visits; without those that came less than a day before the end.
        """
        columns = "customer_id channel asked in_day never"
        rows, source = self.table("service_cases"), "opened first_reply"
        if rows is None:
            rows, source = self._contacts, "date replied_at"
            rows = rows if rows is None else rows.filter((_.direction == "in") & (_.kind != "visit"))
        if rows is None:
            return no_rows(columns, "no table service_cases")
        came, answered = (optional(rows, name, "timestamp(6)") for name in source.split())
        until = min(end_of(self.last), end_of(self.day) - dt.timedelta(days=1))
        rows = rows.mutate(came=came, hours=answered.delta(came, unit="minute") / 60.0)
        rows = rows.mutate(channel=optional(rows, "channel", "string").fill_null("(not known)"))
        rows = rows.filter(within(rows.came, self.first) & (rows.came < until))
        asked, in_day, never = rows.count(), (rows.hours <= 24).sum().fill_null(0), rows.hours.isnull().sum()
        found = fetch(rows.group_by("customer_id", "channel").agg(asked=asked, in_day=in_day, never=never))
        return found if len(found) else no_rows(columns, f"nobody asked anything in {self.window}")

    @cached_property
    def open_cases(self) -> pd.Series:
        """How many cases each customer has open."""
        if (rows := self.table("service_cases")) is None:
            return pd.Series(dtype=float)
        rows = rows.filter(optional(rows, "closed", "timestamp(6)").isnull())
        return fetch(rows.group_by("customer_id").agg(open=_.count())).set_index("customer_id")["open"]

    @cached_property
    def answers(self) -> pd.DataFrame:
        """The last answers of each customer in the window: `satisfied`, `promoter`; poor ones and those followed up."""
        columns = "satisfied promoter poor followed"
        if (rows := self.table("surveys")) is None:
            return no_rows(columns, "no table surveys")
        top = optional(rows, "scale_max", "float64").fill_null(ibis.ifelse(rows.question == "nps", 10.0, 5.0))
        followed = optional(rows, "followed_up_on", "timestamp(6)").notnull()
        rows = rows.mutate(reached=rows.score / top, followed=followed)
        rows = rows.filter(within(rows.date, self.first, self.last))
        asked = rows.question.isin(["satisfaction", "trust", "expectation met"])
        poor = ((rows.question == "nps") & (rows.reached <= 0.6)) | (asked & (rows.reached <= 0.4))
        best = {"satisfied": ("satisfaction", 0.8), "promoter": ("nps", 0.9)}
        last = {
            name: rows.reached.argmax(rows.date, where=rows.question == question)
            for name, (question, _least) in best.items()
        }
        counts = {"poor": poor.sum().fill_null(0), "followed": (poor & rows.followed).sum().fill_null(0)}
        found = fetch(rows.group_by("customer_id").agg(**counts, **last)).set_index("customer_id")
        if found.empty:
            return no_rows(columns, f"no answer in {self.window}")
        for name, (_question, least) in best.items():
            score = found[name].astype(float)
            found[name] = (score >= least - 1e-9).astype(float).where(score.notna())
        return found

    @cached_property
    def born(self) -> pd.Series:
        """Every customer's first purchase up to the day, by id."""
        rows = self._log.filter(_.counted).group_by("customer_id").agg(born=_.date.min())
        return fetch(rows).set_index("customer_id")["born"]

    @cached_property
    def referred(self) -> pd.Series:
        """How many customers each customer has brought."""
        rows = self.table("customers")
        if rows is None or "referrer_id" not in rows.columns:
            return pd.Series(dtype=float)
        rows = rows.filter(rows.referrer_id.notnull()).group_by(customer_id=rows.referrer_id.cast("string"))
        found = fetch(rows.agg(brought=_.count())).set_index("customer_id")["brought"]
        whole = len(self.buyers) and self.buyers.index.dtype != object  # ids of the log are whole numbers
        return found.set_axis(found.index.astype("int64")) if whole else found

    @cached_property
    def staff(self) -> pd.DataFrame:
        """Hours and wages by activity, and who was there and left, in the window."""
        if (rows := self.table("staff_hours")) is None:
            return no_rows("employee_id activity hours cost", "no table staff_hours")
        rows = rows.filter(within(rows.date, self.first, self.last))
        left = within(optional(rows, "left_on", "timestamp(6)"), self.first, self.last).max()
        sums = {"hours": rows.hours.sum(), "cost": optional(rows, "cost", "float64").sum(), "left": left}
        found = fetch(rows.group_by("employee_id", "activity").agg(**sums))
        return found if len(found) else no_rows(found.columns, f"no hours in {self.window}")

    def experiments(self, kind: str | None = None, outcome: str = "bought") -> pd.DataFrame:
        """The randomised experiments, or those of a kind, read by who bought, or by profit, within 60 days."""
        study, columns = self.study, "experiment difference low high verdict"
        table = open_optional(study.table("experiments"))
        if table is None or not study.has("transactions"):
            return no_rows(columns, f"no table {'experiments' if table is None else 'transactions'}")
        if kind:
            table = table.filter(optional(table, "kind", "string") == kind)
        try:
            log = study.transactions
            outcomes = experiment_outcomes(log, table, days=WINDOW_DAYS, as_of=self.day, margin=study.margin)
            if reason := why_none(outcomes):
                return no_rows(columns, f"no experiment of kind {kind}" if kind else reason)
            if outcome not in outcomes:
                return no_rows(columns, f"{outcome} is unknown: the study names neither margin nor cost")
            return read_experiments(outcomes, outcome=outcome, value_per_unit=1.0)
        except (CannotAnswerError, DataError) as refusal:
            return no_rows(columns, str(refusal))


def ratio(part: pd.Series, whole: pd.Series, groups: Any = None) -> tuple[float, float, float]:
    """A ratio of two sums with its 95 % interval, clustered by group.

    Parameters
    ----------
    part, whole : Series
        Of each row.
    groups : array, optional
        The customer of each row; by default each row is one.

    Returns
    -------
    value, low, high : float
        nan where the whole is 0.

    Notes
    -----
    The linearised variance of a ratio of totals of groups (Cochran, Sampling Techniques, 1977, 2.11).

    Examples
    --------
    >>> [round(end, 2) for end in ratio(pd.Series([1, 0, 1, 0]), pd.Series([1, 1, 1, 1]))]
    [0.5, -0.07, 1.07]
    """
    total = float(whole.sum())
    if not total > 0:
        return np.nan, np.nan, np.nan
    value = float(part.sum()) / total
    off = part - value * whole
    off = off if groups is None else off.groupby(groups).sum()
    n = len(off)
    error = np.sqrt(float((off**2).sum()) * n / max(n - 1, 1)) / total if n > 1 else np.nan
    reach = normal_quantile(0.95) * error
    return value, float(value - reach), float(value + reach)
