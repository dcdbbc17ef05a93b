"""Which ids are likely to be one person: proposals to merge, found by Splink, and what merging changes in the value."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.customers.rfm.summary import rfm_summary
from crmlib.economics.lifetime_value import customer_lifetime_value
from crmlib.errors import CannotAnswerError
from crmlib.models.gamma_gamma import GammaGammaModel
from crmlib.models.pareto_nbd import ParetoNBDModel
from crmlib.no_rows import no_rows, why_none

if TYPE_CHECKING:
    from crmlib.study import Study

EXTRA = 'the extra is not installed: pip install "crmlib[linkage]"'
LEAST = 0.9  # probability from which on two ids are proposed as one person
FEWEST = 100  # ids, below which the shares of errors cannot be learned
SHARED = 10  # ids; a mail or number that more ids share is no evidence
FOUND = 0.7  # assumed share of the pairs of one person that agree in two fields
RARE = 0.02  # least chance with which a field of one person differs: EM on few pairs may call it impossible
HORIZON = "52W"
NONE_FOUND = "no two ids are likely to be one person"
COLUMNS = ["customer_id", "same_as", "chance_same", "alike"]
_FIELDS = {"name": "name", "email": "e-mail", "phone": "telephone", "birthday": "birthday"}


def likely_duplicates(people: pd.DataFrame) -> pd.DataFrame:
    """Which ids are likely to be one person, by name, e-mail, telephone and birthday?

    Parameters
    ----------
    people : DataFrame
        `customer_id`, and two or more of `name, email, phone, birthday`. The first of the ids of one person is the one
        to keep, so the oldest should stand first. Upper and lower case, blanks at the ends and signs between digits do
        not count; what is empty, and a mail or a number of more than ten ids, is no evidence.

    Returns
    -------
    DataFrame
        One row per id to merge, the likeliest first: `customer_id` (the id to keep), `same_as` (the id to merge into
        it), `chance_same` (by its strongest link to an id of that person) and `alike` (the fields that are equal).
        Nothing is merged. Without rows, and with the reason, where Splink is not installed, or there is too little.

    Notes
    -----
    Fellegi and Sunter's model: how often each field agrees by chance is counted among random pairs, how often it does
    for one person is learned by EM (Linacre and others, Splink, International Journal of Population Data Science 7(3),
    2022). Names that many people have count for less. Pairs are looked at that agree in one field at least; those with
    other names and birthdays over a year apart, by more than a typing error, are two people, as of one family.
    """
    if find_spec("splink") is None:
        return no_rows(COLUMNS, EXTRA)
    rows = _cleaned(people)
    used = [name for name in _FIELDS if name in rows and rows[name].nunique() > 1]
    if len(used) < 2:
        return no_rows(COLUMNS, "two of name, email, phone and birthday have to be known")
    if len(rows) < FEWEST:
        return no_rows(COLUMNS, f"there are fewer than {FEWEST} customers")
    repeated = [name for name in used if rows[name].dropna().duplicated().any()]
    pairs = _pairs(rows, used, repeated) if repeated else pd.DataFrame(columns=["one", "other", "p"])
    if {"name", "birthday"} <= {*used} and len(pairs):
        one, other = (rows.iloc[pairs[end]].reset_index(drop=True) for end in ("one", "other"))
        two = _born_apart(one["birthday"], other["birthday"]) & (one["name"] != other["name"])
        pairs = pairs[~two.to_numpy()]
    if pairs.empty:
        return no_rows(COLUMNS, NONE_FOUND)
    return _persons(rows, used, pairs)


def _cleaned(people: pd.DataFrame) -> pd.DataFrame:
    rows = pd.DataFrame({"customer_id": people["customer_id"].astype(str)})
    for name in [field for field in _FIELDS if field in people]:
        text = people[name].astype("string").str.lower().str.strip()
        if name == "birthday":
            text = pd.to_datetime(people[name], errors="coerce").dt.strftime("%Y-%m-%d").astype("string")
        if name == "phone":
            text = text.str.replace(r"\D", "", regex=True)
        text = text.where(text.str.contains(r"\w", regex=True).fillna(False))
        if name in ("email", "phone"):
            text = text.where(text.groupby(text).transform("size").fillna(0) <= SHARED)
        rows[name] = text.astype(object).where(text.notna(), None)
    return rows.drop_duplicates("customer_id", ignore_index=True)


def _pairs(rows: pd.DataFrame, used: list[str], repeated: list[str]) -> pd.DataFrame:
    """Pairs of places of likely duplicates, and their probability."""
    import duckdb
    import splink.comparison_library as compare
    from splink import Linker, SettingsCreator, block_on
    from splink.backends.duckdb import DuckDBAPI

    by_field: dict[str, Any] = {
        "name": compare.NameComparison("name").configure(term_frequency_adjustments=True),
        "email": compare.EmailComparison("email"),
        "phone": compare.LevenshteinAtThresholds("phone", [1]),
        "birthday": compare.DateOfBirthComparison("birthday", input_is_string=True),
    }
    alike = max(_agreeing(rows, [*two]) for two in combinations(used, 2))
    among = len(rows) * (len(rows) - 1) / 2
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[by_field[name] for name in used],
        blocking_rules_to_generate_predictions=[block_on(name) for name in repeated],
        probability_two_random_records_match=min(max(alike / FOUND, 1.0) / among, 0.5),
        unique_id_column_name="place",
        retain_matching_columns=False,
    )
    given = rows[used].assign(place=np.arange(len(rows)))
    with duckdb.connect(config={"threads": 1}) as connection:  # the same pairs in each run
        registered = DuckDBAPI(connection).register(given)
        linker = Linker(registered, settings, log_level=logging.CRITICAL)
        linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
        for name in [field for field in repeated if field != "name"]:  # many people share a name
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(name))
        learned = linker.misc.save_model_to_json()
        levels = (field["comparison_levels"] for field in learned["comparisons"])
        for level in chain.from_iterable(levels):
            if level.get("m_probability") is not None:
                level["m_probability"] = max(level["m_probability"], RARE)
        linker = Linker(registered, learned, log_level=logging.CRITICAL)
        found = linker.inference.predict(threshold_match_probability=LEAST)
        columns = "place_l AS one, place_r AS other, match_probability AS p"
        return connection.sql(f"SELECT {columns} FROM {found.physical_name}").df()


def _agreeing(rows: pd.DataFrame, fields: list[str]) -> int:
    sizes = rows.dropna(subset=fields).groupby(fields).size()
    return int((sizes * (sizes - 1) // 2).sum())


def _born_apart(one: pd.Series, other: pd.Series) -> pd.Series:
    """Whether two birthdays are over a year apart, by more than one sign, or two that are swapped."""
    days = (pd.to_datetime(one) - pd.to_datetime(other)).abs().dt.days
    typed = [
        a is None or b is None or sorted(a) == sorted(b) or sum(x != y for x, y in zip(a, b, strict=True)) < 2
        for a, b in zip(one, other, strict=True)
    ]
    return days.gt(366) & ~pd.Series(typed, dtype=bool)


def _persons(rows: pd.DataFrame, used: list[str], pairs: pd.DataFrame) -> pd.DataFrame:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends = pairs["one"].to_numpy(), pairs["other"].to_numpy()
    linked = coo_matrix((np.ones(len(pairs)), ends), shape=(len(rows), len(rows)))
    _count, person = connected_components(linked, directed=False)
    strongest = pd.concat([pairs.groupby(end)["p"].max() for end in ("one", "other")]).groupby(level=0).max()
    listed, found = np.isin(person, person[ends[0]]), []
    for _who, mine in rows[listed].groupby(person[listed]):
        keep = mine.iloc[0]
        for place, other in mine.iloc[1:].iterrows():
            same = [_FIELDS[name] for name in used if other[name] is not None and other[name] == keep[name]]
            words = fmt.listing(same) if same else ""
            found.append((keep["customer_id"], other["customer_id"], float(strongest[place]), words))
    table = pd.DataFrame(found, columns=COLUMNS)
    return table.sort_values("chance_same", ascending=False, kind="stable", ignore_index=True)


def duplicates_of(study: Study) -> pd.DataFrame:
    """The proposals for a study's customers with `value_change`: what merging them would change in the lifetime value.

    `value_change`: the value within 52 weeks of the person as one customer less the sum of the ids' values, of one
    model; not known where the log is too small for it. A study that does not keep names has no rows.
    """
    columns = [*COLUMNS, "value_change"]
    if not study.has("customers"):
        return no_rows(columns, "no table customers")
    if study.file.personal_columns != "keep":
        return no_rows(
            columns, "names and addresses are not kept (personal_columns: keep in the study's file)"
        )
    table = study.table("customers")
    known = [name for name in (*_FIELDS, "joined") if name in table.columns]
    people = fetch(table.select("customer_id", *known))
    people = people.sort_values([*(["joined"] if "joined" in known else []), "customer_id"])
    found = likely_duplicates(people)
    if why := why_none(found):
        return no_rows(columns, why)
    return found.assign(value_change=_value_changes(found, study))


def _value_changes(found: pd.DataFrame, study: Study) -> np.ndarray:
    unknown = np.full(len(found), np.nan)
    if not study.has("transactions"):
        return unknown
    counted: dict[str, Any] = dict(as_of=study.as_of, time_unit=study.time_unit, collapse=study.collapse)
    keep = dict(zip(found["same_as"], found["customer_id"], strict=True))
    keep |= {customer: customer for customer in found["customer_id"]}
    terms = study.value_terms()
    asked: dict[str, Any] = dict(horizon=HORIZON, interval=None, margin=terms.factor)
    asked["discount_rate_per_year"] = terms.discount_rate_per_year
    try:
        summary = rfm_summary(study.transactions, **counted)
        model, spend = ParetoNBDModel().fit(summary), GammaGammaModel().fit(summary)
        log = fetch(study.transactions.filter(_.customer_id.isin([*keep])))
        if log.empty:
            return unknown
        once = log.assign(customer_id=log["customer_id"].map(keep))
        summaries = (rfm_summary(rows, **counted) for rows in (log, once))
        apart, merged = (customer_lifetime_value(model, spend, rows, **asked) for rows in summaries)
    except CannotAnswerError:
        return unknown
    before = apart.groupby(apart["customer_id"].map(keep))["clv"].sum()
    change = merged.set_index("customer_id")["clv"] - before
    return change.reindex(found["customer_id"]).to_numpy()
