"""Purchase logs for tests: written by hand, drawn by hypothesis, and the bundled CDNOW sample."""

from pathlib import Path

import pandas as pd
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
START = pd.Timestamp("2023-12-28")


def log_of(*rows: tuple, **extra: list) -> pd.DataFrame:
    """A log from (customer, date, amount) rows; `extra` are further columns."""
    frame = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    frame = frame.astype({"customer_id": "object", "amount": "float64"}).assign(
        date=pd.to_datetime(frame.date, format="ISO8601")
    )
    return frame.assign(**{name: pd.Series(values, dtype="object") for name, values in extra.items()})


def cdnow_sample() -> pd.DataFrame:
    path = ROOT / "data" / "cdnow-sample" / "transactions.csv.gz"
    return pd.read_csv(path, dtype={"customer_id": str, "sample_id": str}, parse_dates=["date"])


@st.composite
def purchase_logs(draw: st.DrawFn, *, returns: bool = True, max_size: int = 30) -> pd.DataFrame:
    """Cleaned logs of a few customers over about 70 days: purchases, some gone back, and other returns."""
    cents = st.integers(1, 20_000).map(lambda n: n / 100)
    hours = st.integers(0, 24 * 70)
    rows = []
    for _ in range(draw(st.integers(1, max_size))):
        customer, bought, paid = draw(st.sampled_from("abcd")), draw(hours), draw(cents)
        kind = draw(st.sampled_from(["kept", "kept", "reversed", "reduced", "orphan"])) if returns else "kept"
        later = bought + draw(st.integers(0, 24 * 20))
        if kind != "orphan":
            rows.append((customer, bought, paid, True, later if kind == "reversed" else None, None))
        if kind == "reversed":
            rows.append((customer, later, -paid, False, None, bought))
        if kind == "reduced":
            rows.append((customer, later, -round(paid / 2, 2), False, None, bought))
        if kind == "orphan":
            rows.append((customer, bought, -paid, False, None, None))
    names = ["customer_id", "date", "amount", "is_purchase", "reversed_on", "returned_purchase_date"]
    frame = pd.DataFrame(rows, columns=names)
    for name in ("date", "reversed_on", "returned_purchase_date"):
        frame[name] = START + pd.to_timedelta(frame[name].astype("float64"), unit="h")
    return frame
