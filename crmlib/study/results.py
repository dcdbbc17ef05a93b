"""The results of a notebook: key figures, headline and tables."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlib import format as fmt
from crmlib.data.staging import whole_file, write_whole
from crmlib.findings import Estimate, Finding, Verdict

if TYPE_CHECKING:  # the runner reads figures without it
    import pandas as pd

    from crmlib.charts.style import Chart


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
    absent_tables : list of str
        Tables that the notebook has asked for and the firm lacks; it grows while the notebook runs.
    """

    notebook: str
    folder: Path
    currency: str = "USD"
    absent_tables: list[str] = field(default_factory=list)
    content: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.content = {"notebook": self.notebook, "headline": "", "figures": {}, "tables": {}}
        self.content["absent_tables"] = self.absent_tables

    def headline(self, *findings: Finding | Verdict | str) -> str:
        """State the chapter's finding in one sentence: the first of these that is not empty; returns it."""
        text = next(filter(None, map(str, findings)), "")
        self.content["headline"] = text
        self._write()
        return text

    def figure(
        self,
        key: str,
        found: Estimate | Finding | Verdict,
        *,
        label: str,
        change: float | None = None,
        against: str | None = None,
        card: bool = False,
    ) -> None:
        """Publish one key figure.

        Parameters
        ----------
        key : str
            Its name for other notebooks and for runs to come.
        found : Estimate, Finding or Verdict
            A number with its unit; or what was judged, whose verdict is published as text.
        label : str
            Its name for readers.
        change, against : float and str, optional
            Relative change (0.05 is 5 % more) and what it is measured against.
        card : bool
            Whether it stands on the report's first page.
        """
        one = found if isinstance(found, Estimate) else Estimate(found.verdict, "text")
        currency = (one.currency or self.currency) if one.unit == "money" else None
        has_interval = fmt.is_known(one.low) or fmt.is_known(one.high)
        ends = {"low": one.low, "high": one.high, "level": one.level if has_interval else None}
        self.content["figures"][key] = {
            "label": label,
            "value": _plain(one.value),
            **{name: _plain(end) for name, end in ends.items()},
            "unit": one.unit,
            "currency": currency,
            "base": one.base,
            "window": one.window,
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
            Whether to write it as CSV too, for people: numbers rounded to six decimals, and an apostrophe before
            text that a spreadsheet would run as a formula.
        """
        import pandas as pd

        path = self.folder / "tables" / f"{name}.parquet"
        with whole_file(path, flush=False) as draft:  # the run is flushed as a whole when it is published
            pd.DataFrame(frame).to_parquet(draft, index=not isinstance(frame.index, pd.RangeIndex))
        if for_spreadsheet:
            text = harmless(pd.DataFrame(frame).round(6)).to_csv(index=False)
            write_whole(path.with_suffix(".csv"), text, flush=False)
        self.content["tables"][name] = {"rows": len(frame), "columns": [str(c) for c in frame.columns]}
        self._write()

    def picture(self, name: str, chart: Chart, narrow: Chart | None = None) -> Chart:
        """Publish a chart as a file of the run, to be shown outside its chapter; returns it.

        Parameters
        ----------
        name : str
            Its file's name, without an ending; "page_one" is the picture of the first page and of the mail.
        chart : Chart
            One without data is not published.
        narrow : Chart, optional
            The same for telephones and mails, with less beside each other.
        """
        if not chart.empty:
            files = {f"{name}.png": chart, f"{name}-narrow.png": narrow or chart}
            for file, drawn in files.items():
                with whole_file(self.folder / "pictures" / file, flush=False) as draft:
                    draft.write_bytes(drawn.png())
            self.content.setdefault("pictures", {})[name] = {"files": [*files], "alt": chart.alt}
            self._write()
        return chart

    def sentences(self, name: str, sentences: Sequence[str]) -> str:
        """Publish sentences under a name, "page_one" those of the first page; returns them for printing."""
        self.content.setdefault("sentences", {})[name] = [*sentences]
        self._write()
        return "\n\n".join(sentences)

    def key_figures(self) -> str:
        """The figures so far as lines of text: label, value with its unit, change; for printing."""
        figures = self.content["figures"].values()
        width = max((len(figure["label"]) for figure in figures), default=0)
        return "\n".join(f"{figure['label']:<{width}}  {value_and_change(figure)}" for figure in figures)

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


def interval_of(figure: Mapping[str, Any]) -> str:
    """A figure's interval with its level; empty where there is none.

    Examples
    --------
    >>> interval_of({"low": 0.203, "high": 0.271, "level": 0.95, "unit": "share", "currency": None})
    '20 % to 27 % (95 % interval)'
    """
    if figure.get("level") is None:
        return ""
    low, high = (math.nan if figure[end] is None else figure[end] for end in ("low", "high"))
    ends = fmt.interval(low, high, figure["unit"], figure["currency"] or "")
    return f"{ends} ({fmt.share(figure['level'], 0)} interval)"


def value_and_change(figure: Mapping[str, Any]) -> str:
    """A figure's value, its interval, and its relative change and what that is measured against.

    Examples
    --------
    >>> figure = {"value": 2500315.6, "unit": "money", "currency": "USD", "change": 0.05, "against": "last year"}
    >>> value_and_change(figure)
    'USD 2.50 million; +5 % against last year'
    """
    parts = [fmt.write(figure["value"], figure["unit"], figure["currency"] or ""), interval_of(figure)]
    if figure["change"] is not None:
        parts.append(f"{fmt.change(figure['change'])} against {figure['against']}")
    return "; ".join(part for part in parts if part)


def cards(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What page one and the mail show of each notebook: its figures marked as cards whose value is known."""
    found = {
        name: [one for one in notebook["figures"].values() if one.get("card") and fmt.is_known(one["value"])]
        for name, notebook in metrics.items()
    }
    return {name: figures for name, figures in found.items() if figures}


def _plain(value: Any) -> Any:
    """A value that JSON holds: NumPy's numbers become Python's, NaN becomes null, dates ISO text."""
    if hasattr(value, "item"):
        value = value.item()
    if not fmt.is_known(value):
        return None
    return value.isoformat()[:10] if isinstance(value, dt.date) else value
