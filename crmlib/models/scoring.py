"""Scores of customers: computed once per distinct history, in memory or for tables larger than memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from crmlib.data.staging import whole_file
from crmlib.errors import CrmError, DataError
from crmlib.models._histories import HISTORY, Histories, distinct_pairs, read_histories
from crmlib.models._inference import Array
from crmlib.models._special import discount_rule, expit
from crmlib.models.base import LikelihoodModel

if TYPE_CHECKING:  # a first fit does not wait for scipy
    import duckdb

    from crmlib.models.gamma_gamma import GammaGammaModel

Spend: TypeAlias = "GammaGammaModel | float"

_ROWS_AT_ONCE = 50_000  # that Python scores
# Scores hardly repeat: looking for a dictionary of them takes a fifth of the writing and finds none.
_FORMAT = "FORMAT parquet, DICTIONARY_SIZE_LIMIT 1000"


def _hash(table: str) -> str:
    return f"hash({', '.join(f'{table}.{name}' for name in HISTORY)})"


# One number is found faster than three. Should two histories share it, or a type not survive the way to the scores and
# back, other than all rows come out, and all three decide.
_SAME_HISTORY = (f"{_hash('c')} = {_hash('s')}", " AND ".join(f"c.{name} = s.{name}" for name in HISTORY))


class HistoryModel(LikelihoodModel, ABC):
    """A model that says of a customer's history of purchases whether the customer lives, and what is to come."""

    def score_parquet(
        self,
        source: str | Path,
        target: str | Path,
        *,
        future_t: float | str,
        spend_model: GammaGammaModel | None = None,
        memory_limit: str = "2GB",
    ) -> int:
        """Score a Parquet table of customers that may be larger than memory.

        Distinct histories are scored once and joined back by DuckDB, from Parquet to Parquet.

        Parameters
        ----------
        source : path
            Parquet file, or a pattern such as `customers/*.parquet`, with `frequency`, `recency` and `T` in the
            model's unit of time, and `monetary_value` if there is a spend model.
        target : path
            Parquet file to write, at once when it is complete: all columns of `source` and `expected_purchases`,
            `p_alive` and, with a spend model, `expected_spend`. The order of rows may differ.
        future_t : float or str
            A number in the model's unit of time, or a text such as "12M".
        spend_model : GammaGammaModel, optional
        memory_limit : str, default "2GB"
            What the engine may hold at once; beyond it, it spills to disk beside `target`.

        Returns
        -------
        int
            Rows written: as many as were read.

        Raises
        ------
        DataError
            If a column is missing, is there already, or holds impossible values.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from crmlib import BetaGeoModel
        >>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W")
        >>> with TemporaryDirectory() as folder:
        ...     source, target = Path(folder, "customers.parquet"), Path(folder, "scored.parquet")
        ...     pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]}).to_parquet(source)
        ...     model.score_parquet(source, target, future_t="39W")
        ...     pd.read_parquet(target).round(3)
        1
           frequency  recency      T  expected_purchases  p_alive
        0          2    30.43  38.86               1.226    0.727
        """
        import pyarrow as pa

        length = self._periods(future_t)
        columns = {"expected_purchases": "s.expected_purchases", "p_alive": "s.p_alive"}
        if spend_model is not None:
            columns["expected_spend"] = _spend_sql(spend_model)

        def queries(engine: duckdb.DuckDBPyConnection) -> Iterable[str]:
            if spend_model is not None:
                unknown = "frequency > 0 AND NOT coalesce(isfinite(monetary_value::DOUBLE), false)"
                count, rows = engine.sql(f"SELECT count(*) FILTER ({unknown}), count(*) FROM c").fetchall()[0]
                if count:
                    raise DataError(
                        f"monetary_value is missing or infinite in {count:,} of {rows:,} rows of {source}"
                    )
            known = engine.sql(f"SELECT DISTINCT {', '.join(HISTORY)} FROM c").to_arrow_table()
            histories = read_histories(known.to_pandas())
            for name, scores in score_histories(self, 1.0, histories, length).items():
                known = known.append_column(name, pa.array(scores.to_numpy()[histories.row]))
            engine.register("s", known)  # read in place, in the types it came in: a copy would cost a tenth
            new = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
            return (f"SELECT c.*, {new} FROM c JOIN s ON {same}" for same in _SAME_HISTORY)

        needed = HISTORY if spend_model is None else (*HISTORY, "monetary_value")
        return rewrite_parquet(source, target, columns, queries, needed=needed, memory_limit=memory_limit)

    # -- what a model supplies, on arrays of unique histories ------------------------------------------------

    @abstractmethod
    def _log_odds_dead(self, x: Array, t_x: Array, age: Array) -> Array:
        """Logarithm of P(dropped out) / P(alive)."""

    @abstractmethod
    def _purchases_if_alive(self, x: Array, age: Array, t: float) -> Array:
        """Expected purchases within t of customers who are alive now."""

    def _pmf_if_alive(self, n: int, x: Array, age: Array, t: float) -> Array:
        """P(n purchases within t) of a customer who is alive now; a model has this or the next."""
        return self._pmfs_if_alive(np.array([n]), x, age, t)[:, 0]

    # -- shared ----------------------------------------------------------------------------------------------

    def _pmfs_if_alive(self, n: Array, x: Array, age: Array, t: float) -> Array:
        """P(n purchases within t) for several n, shape (customers, len(n)); good to about 1e-12."""
        return np.stack([self._pmf_if_alive(int(count), x, age, t) for count in n], axis=1)

    def _alive(self, x: Array, t_x: Array, age: Array) -> Array:
        return expit(-self._log_odds_dead(x, t_x, age))

    def _purchase_curve(self, x: Array, age: Array, furthest: float) -> Callable[[float], Array]:
        """Expected purchases of living customers within any t up to the furthest, for repeated use."""
        return lambda t: self._purchases_if_alive(x, age, t)

    def _discounted_if_alive(self, x: Array, age: Array, horizon: float, discount_rate: float) -> Array:
        """The integral of exp(−δu) over the purchase rate; by parts, so that it needs purchases and no rate."""
        if discount_rate == 0:
            return self._purchases_if_alive(x, age, horizon)
        purchases = self._purchase_curve(x, age, horizon)
        total = np.exp(-discount_rate * horizon) * purchases(horizon)
        for u, weight in zip(*discount_rule(discount_rate, horizon), strict=True):
            total += weight * purchases(u)
        return total


def _spend_sql(spend: GammaGammaModel) -> str:
    """Expected spend per purchase, as SQL of the customer `c`; a bare literal would be a decimal."""
    p, q, v = (f"'{float(value)!r}'::DOUBLE" for value in spend._values())
    shape = f"({p} * c.frequency + {q} - 1)"
    money = "CASE WHEN c.frequency > 0 THEN c.frequency * greatest(c.monetary_value, 0) ELSE 0 END"
    return f"CASE WHEN {shape} > 0 THEN {p} * ({v} + {money}) / {shape} ELSE 'inf'::DOUBLE END"


def rewrite_parquet(
    source: str | Path,
    target: str | Path,
    new: Iterable[str],
    queries: Callable[[duckdb.DuckDBPyConnection], Iterable[str]],
    *,
    needed: Iterable[str] = (),
    memory_limit: str = "2GB",
    ordered: bool = False,
) -> int:
    """Write a Parquet table of customers with new columns, by the first of some queries that gives all its rows.

    The queries read the table as `c`; `new` are the columns that it must not have, `needed` those that it must. The
    engine holds `memory_limit` at once and beyond it spills beside `target`. `ordered` says whether the order of rows
    stays; then a single thread writes. Returns the number of rows written: as many as were read.
    """
    import duckdb

    target = Path(target)
    with whole_file(target) as part, duckdb.connect() as engine:
        engine.execute("SET memory_limit = ?", [memory_limit])
        engine.execute("SET temp_directory = ?", [str(target.with_name(f".{target.name}.spill"))])
        # several threads that keep the order would let row groups queue up in memory
        engine.execute("SET threads = 1" if ordered else "SET preserve_insertion_order = false")
        table = engine.read_parquet(str(source))
        table.create_view("c")
        if missing := [name for name in needed if name not in table.columns]:
            raise DataError(f"{source} lacks {', '.join(missing)} (it has {', '.join(table.columns)})")
        if twice := [name for name in new if name in table.columns]:
            raise DataError(f"{source} has {', '.join(twice)} already; leave them out or rename them")
        rows, written = int(table.count("*").fetchall()[0][0]), 0
        if not rows:
            raise DataError(f"{source} has no rows; there is no customer to score")
        path = str(part).replace("'", "''")
        for query in queries(engine):
            written = engine.execute(f"COPY ({query}) TO '{path}' ({_FORMAT})").fetchall()[0][0]
            if written == rows:
                return rows
        raise CrmError(
            f"{source}: of {rows:,} rows only {written:,} were scored, so nothing was written. Give numbers as doubles"
        )


def add_columns(
    source: str | Path,
    target: str | Path,
    new: Mapping[str, str],
    scored: Callable[[pd.DataFrame], pd.DataFrame],
    needed: Sequence[str],
) -> int:
    """Write a Parquet table of customers with new columns, a piece at a time and in its order.

    `new` has the types of the new columns by Arrow's names, `scored` makes them from those columns of `needed` that are
    there. Returns the number of rows written.
    """
    import pyarrow as pa

    def piece(rows: pa.RecordBatch) -> pa.RecordBatch:
        found = scored(rows.select([name for name in needed if name in rows.schema.names]).to_pandas())
        columns = [*rows.columns, *(pa.array(found[name], kind) for name, kind in new.items())]
        return pa.RecordBatch.from_arrays(columns, names=[*rows.schema.names, *new])

    def queries(engine: duckdb.DuckDBPyConnection) -> Iterable[str]:
        pieces = engine.cursor().table("c").to_arrow_reader(_ROWS_AT_ONCE)
        schema = pa.schema([*pieces.schema, *(pa.field(name, kind) for name, kind in new.items())])
        engine.register("s", pa.RecordBatchReader.from_batches(schema, map(piece, pieces)))
        return ["FROM s"]

    return rewrite_parquet(source, target, new, queries, ordered=True)


def score_histories(
    model: HistoryModel,
    spend: Spend,
    known: Histories,
    horizon: float,
    *,
    discount_rate: float = 0.0,
    level: float | None = None,
) -> pd.DataFrame:
    """What customers with each history will do within a horizon.

    `spend`: a number is the spend on every purchase. `horizon`, `discount_rate`: in the model's unit of time; the rate
    compounds continuously. `level`: probability of the predictive interval. Returns: a row per history: `p_alive`,
    `expected_purchases`, `discounted_purchases` and, given a level, `spend_low` and `spend_high`: quantiles of
    discounted spend, in units of x m + v of a Gamma-Gamma customer (in money where `spend` is a number).

    The quantiles are exact but for when a purchase falls: each is discounted by the mean factor of its history.
    """
    x, age = known.frequency, known.T
    # what is expected of a living customer depends on frequency and T alone
    pair, first = distinct_pairs(x, age)
    alive = model._alive(x, known.recency, age)
    purchases = model._purchases_if_alive(x[first], age[first], horizon)
    discounted = purchases
    if discount_rate:
        discounted = model._discounted_if_alive(x[first], age[first], horizon, discount_rate)
    scores = pd.DataFrame({"p_alive": alive, "expected_purchases": alive * purchases[pair]})
    scores["discounted_purchases"] = alive * discounted[pair]
    if level is not None:
        mean_factor = np.divide(discounted, purchases, out=np.ones_like(discounted), where=purchases > 0)
        ends = _spend_interval(model, spend, known, alive, horizon, level)
        scores[["spend_low", "spend_high"]] = mean_factor[pair][:, None] * ends
    return scores


def _spend_interval(
    model: HistoryModel, spend: Spend, known: Histories, alive: Array, horizon: float, level: float
) -> Array:
    from crmlib.models.gamma_gamma import GammaGammaModel
    from crmlib.models.predictive import count_quantiles, spend_quantiles

    def counts_given_alive(n: Array, x: Array, age: Array) -> Array:
        return model._pmfs_if_alive(n, x, age, horizon)

    levels = ((1 - level) / 2, (1 + level) / 2)
    found = np.zeros((len(alive), 2))
    some = alive > 0
    x, age = known.frequency[some], known.T[some]
    if isinstance(spend, GammaGammaModel):
        p, q, _ = spend._values()
        found[some] = spend_quantiles(counts_given_alive, x, age, alive[some], levels, p, q)
    else:
        found[some] = spend * count_quantiles(counts_given_alive, x, age, alive[some], levels)
    return found
