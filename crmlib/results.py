"""What a notebook publishes: its key figures, its finding and its tables."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from crmlib.errors import CrmError
from crmlib.staging import whole_file, write_whole

if TYPE_CHECKING:  # the runner reads figures without it
    import pandas as pd

Unit = Literal["count", "money", "share", "ratio", "days", "date", "text"]
UNITS = ("count", "money", "share", "ratio", "days", "date", "text")


@dataclass
class NotebookResults:
    """The figures of one notebook in one run; each entry is on disk as soon as it is made.

    Parameters
    ----------
    notebook : str
        Name of the notebook, such as "02_customer_base_audit".
    folder : Path
        The run's folder: figures go to `metrics/NOTEBOOK.json`, tables to `tables/NAME.parquet`.
    currency : str
        Currency of figures whose unit is money.
    """

    notebook: str
    folder: Path
    currency: str = "USD"
    content: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.content = {"notebook": self.notebook, "headline": "", "figures": {}, "tables": {}}

    def headline(self, text: str) -> str:
        """State the chapter's finding in one sentence; returns it."""
        self.content["headline"] = text
        self._write()
        return text

    def figure(
        self,
        key: str,
        value: Any,
        *,
        label: str,
        unit: Unit,
        change: float | None = None,
        against: str | None = None,
        card: bool = False,
    ) -> None:
        """Publish one key figure.

        Parameters
        ----------
        key : str
            Its name for other notebooks and for runs to come.
        value : number, date or str
            NaN and None are published as "not known".
        label : str
            Its name for readers.
        unit : {"count", "money", "share", "ratio", "days", "date", "text"}
        change, against : float and str, optional
            Relative change (0.05 is 5 % more) and what it is measured against.
        card : bool
            Whether it stands on the report's first page.
        """
        if unit not in UNITS:
            raise CrmError(f"figure {key!r}: unit is {unit!r}; allowed: {', '.join(UNITS)}")
        self.content["figures"][key] = {
            "label": label,
            "value": _plain(value),
            "unit": unit,
            "currency": self.currency if unit == "money" else None,
            "change": _plain(change),
            "against": against,
            "card": card,
        }
        self._write()

    def table(self, name: str, frame: pd.DataFrame, *, for_spreadsheet: bool = False) -> None:
        """Publish a table for other notebooks and for readers of the run.

        Parameters
        ----------
        name : str
            Its file's name, without an ending.
        frame : DataFrame
        for_spreadsheet : bool
            Whether to write it as CSV too, for people; text that a spreadsheet would run as a formula gets an
            apostrophe before it.
        """
        import pandas as pd

        path = self.folder / "tables" / f"{name}.parquet"
        with whole_file(path, flush=False) as draft:  # the run is flushed as a whole when it is published
            pd.DataFrame(frame).to_parquet(draft, index=not isinstance(frame.index, pd.RangeIndex))
        if for_spreadsheet:
            text = harmless(pd.DataFrame(frame)).to_csv(index=False)
            write_whole(path.with_suffix(".csv"), text, flush=False)
        self.content["tables"][name] = {"rows": len(frame), "columns": [str(c) for c in frame.columns]}
        self._write()

    def key_figures(self) -> str:
        """The figures so far as lines of text: label, value with its unit, change; for printing."""
        rows = [
            {"figure": one["label"], "value": show(one), "change": show_change(one)}
            for one in self.content["figures"].values()
        ]
        width = max((len(one["figure"]) for one in rows), default=0)
        return "\n".join(f"{one['figure']:<{width}}  {one['value']}{one['change']}" for one in rows)

    def _write(self) -> None:
        text = json.dumps(self.content, indent=1, ensure_ascii=False)
        write_whole(self.folder / "metrics" / f"{self.notebook}.json", text, flush=False)


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose text no spreadsheet runs as a formula.

    Examples
    --------
    >>> import pandas as pd
    >>> harmless(pd.DataFrame({"customer_id": ["=1+1", "00012"], "net": [-1.0, 2.0]}))["customer_id"].tolist()
    ["'=1+1", '00012']
    """

    def guarded(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(_FORMULA) else value

    text = frame.select_dtypes(include=["object", "string", "category"]).columns
    safe = frame.assign(**{name: frame[name].astype(object).map(guarded) for name in text})
    return safe.rename(columns=guarded)


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|")


def show(figure: Mapping[str, Any]) -> str:
    """A figure's value with its unit, as text.

    Examples
    --------
    >>> show({"value": 0.2374, "unit": "share"}), show({"value": 2500315.6, "unit": "money", "currency": "USD"})
    ('23.7 %', '2,500,316 USD')
    """
    value, unit = figure["value"], figure["unit"]
    if value is None:
        return "not known"
    if unit == "count":
        return f"{value:,.0f}"
    if unit == "money":
        return f"{value:,.{0 if abs(value) >= 1000 else 2}f} {figure.get('currency') or ''}".strip()
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "ratio":
        return f"{value:.2f}"
    if unit == "days":
        return f"{value:,.0f} days"
    return str(value)


def show_change(figure: Mapping[str, Any]) -> str:
    """A figure's relative change and what it is measured against, in brackets; empty without one."""
    if figure["change"] is None:
        return ""
    return f" ({100 * figure['change']:+.1f} % against {figure['against']})"


def _plain(value: Any) -> Any:
    """A value that JSON holds: NumPy's numbers become Python's, NaN becomes null, dates ISO text."""
    if hasattr(value, "item"):
        value = value.item()
    if value is None or value != value or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.isoformat()[:10] if isinstance(value, dt.date) else value
