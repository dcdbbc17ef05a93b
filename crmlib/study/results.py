"""The results of a notebook: key figures, headline and tables."""

from __future__ import annotations

import datetime as dt
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlib import format as fmt
from crmlib.columns import ShownTable, as_table, show_table
from crmlib.data.staging import whole_file, write_whole
from crmlib.errors import NOT_MEASURED, CrmError, did_you_mean
from crmlib.findings import BUSINESS, JUDGED, Estimate, Finding, Verdict
from crmlib.study.published import CARDS, CHANGE, figures_of, value_and_change

if TYPE_CHECKING:  # the runner reads figures without them
    import pandas as pd
    from IPython.display import Markdown

    from crmlib.charts.style import Chart

FIGURES = tomllib.loads(Path(__file__).with_name("figures.toml").read_text(encoding="utf-8"))
_TEXTS = ("label", "quantity", "base", "window", "rule")


@dataclass
class NotebookResults:
    """The figures of one notebook in one run; each entry is on disk as soon as it is made.

    Parameters
    ----------
    notebook : str
        Name of the notebook, such as "02_customer_base_audit".
    folder : Path
        The run's folder: figures go to `metrics/NOTEBOOK.json`, tables to `tables/NAME.parquet` and `.csv`.
    currency, time_unit : str
        Currency of figures whose unit is money, and the study's unit of time.
    absent_tables : list of str
        Tables that the notebook has asked for and the firm lacks; it grows while the notebook runs.
    as_of : date, optional
        Last day that counts.
    """

    notebook: str
    folder: Path
    currency: str = "USD"
    absent_tables: list[str] = field(default_factory=list)
    time_unit: str = "W"
    as_of: dt.date | None = None
    content: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.content = {"notebook": self.notebook, "headline": "", "business": "", "figure": "", "advice": []}
        self.content |= {"figures": {}, "tables": {}, "absent_tables": self.absent_tables}

    def headline(
        self, *findings: Finding | Verdict | str, business: str = "", figure: str | Verdict = ""
    ) -> str:
        """State the chapter's finding in one plain sentence, and judge it in two words.

        Parameters
        ----------
        *findings : Finding, Verdict or str
            The first that is not empty is the sentence; where all are, the page says that there is no finding.
        business : {"better", "worse", "no change beyond chance", ""}
            How the firm does, as far as this chapter can say.
        figure : {"use", "use with care", "do not use", ""} or Verdict
            How far to rely on the chapter's figures. Of a verdict "do not use", the refusal is the sentence.

        Returns
        -------
        str
            The sentence.
        """
        if isinstance(figure, Verdict):
            findings, figure = (figure.refusal, *findings), figure.verdict
        for name, word, allowed in (("business", business, BUSINESS), ("figure", figure, JUDGED)):
            if word and word not in allowed:
                raise CrmError(f"headline: {name} is {word!r}; {did_you_mean(word, allowed)}")
        text = next(
            filter(None, map(str, findings)), "The data hold too little for a finding of this chapter."
        )
        self._write(headline=text, business=business, figure=figure)
        return text

    def advice(self, sentences: Mapping[str, Any]) -> Markdown:
        """The recommendations that these data support, for display at the end of a notebook.

        Parameters
        ----------
        sentences : mapping
            Each sentence, and whether it holds here; one whose condition fails or is not known is left out.

        Returns
        -------
        Markdown
            A list of those that hold.
        """
        from IPython.display import Markdown

        held = [text for text, holds in sentences.items() if fmt.is_known(holds) and bool(holds)]
        self._write(advice=held)
        return Markdown("\n".join(f"- {text}" for text in held) or "Nothing in this chapter asks for action.")

    def figure(
        self,
        key: str,
        found: Estimate | Finding | Verdict,
        *,
        change: Estimate | None = None,
        against: str | None = None,
        assumed: bool = False,
        **words: str,
    ) -> None:
        """Publish one key figure; figures.toml describes it.

        Parameters
        ----------
        key : str
            Its name in figures.toml.
        found : Estimate, Finding or Verdict
            A number with its unit; or what was judged, whose verdict is published as text.
        change, against : Estimate and str, optional
            Relative change (0.05 is 5 % more) with its interval, and what it is measured against.
        assumed : bool
            Whether the value rests on an assumed figure, which its label then says.
        **words
            For the {placeholders} of its texts, beside {base} and {window} of the estimate and {as_of}.

        Raises
        ------
        CrmError
            If figures.toml has no such key, gives it to another notebook or another unit, or if its base, its window
            or a word of its texts is missing.
        """
        about = self._registered(key)
        estimate = found if isinstance(found, Estimate) else Estimate(found.verdict, "text")
        day = fmt.date(self.as_of) if self.as_of else "the last day"
        given = {"as_of": day, "base": estimate.base, "window": estimate.window, **words}
        try:
            texts = {name: about[name].format(**given) for name in _TEXTS}
        except KeyError as missing:
            why = f"figures.toml asks for a word {missing} that was not given"
            raise CrmError(f"figure {key}: {why}") from None
        if estimate.unit != about["unit"]:
            raise CrmError(f"figure {key}: its unit is {estimate.unit!r}; figures.toml has {about['unit']!r}")
        if estimate.is_known and (absent := [name for name in ("base", "window") if not texts[name]]):
            raise CrmError(f"figure {key}: its {absent[0]} is missing; give it as Estimate(…, {absent[0]}=…)")
        if assumed and estimate.is_known:
            texts["label"] += " (assumed)"
        numbers = {name: _plain(getattr(estimate, name)) for name in ("value", "low", "high")}
        has_interval = numbers["low"] is not None or numbers["high"] is not None
        currency = (estimate.currency or self.currency) if estimate.unit == "money" else None
        self.content["figures"][key] = {
            **texts,
            **numbers,
            "level": estimate.level if has_interval else None,
            "unit": estimate.unit,
            "currency": currency,
            **{name: _plain(getattr(change, end, None)) for name, end in CHANGE.items()},
            "against": against,
            "assumed": assumed,
            **{name: about[name] for name in CARDS if name in about},
        }
        self._write()

    def _registered(self, key: str) -> dict[str, Any]:
        if key not in FIGURES:
            raise CrmError(f"there is no figure {key!r} in figures.toml; {did_you_mean(key, FIGURES)}")
        if (owner := FIGURES[key]["notebook"]) != self.notebook:
            raise CrmError(f"figure {key} belongs to {owner}; read it with study.figures()")
        return FIGURES[key]

    def table(
        self,
        name: str,
        frame: pd.DataFrame,
        rows: int | None = 10,
        columns: Sequence[str] | None = None,
        **labels: str | tuple[str, str],
    ) -> ShownTable:
        """Publish a table: for other notebooks as Parquet, for people as CSV; show its first rows.

        In the CSV, numbers have six decimals at most, and text that a spreadsheet would run as a formula has an
        apostrophe before it. A table without rows makes no file.

        Parameters
        ----------
        name : str
            Its file's name, without an ending.
        frame : DataFrame
        rows, columns, **labels
            What is shown of it; see `Study.show`.

        Returns
        -------
        ShownTable
            For display; it ends with a link to the CSV.
        """
        whole = as_table(frame)
        path = self.folder / "tables" / f"{name}.parquet"
        if len(whole):
            with whole_file(path, flush=False) as draft:  # the run is flushed as a whole when it is published
                whole.to_parquet(draft, index=False)
            text = harmless(whole.round(6)).to_csv(index=False)
            write_whole(path.with_suffix(".csv"), text, flush=False)
        self.content["tables"][name] = {"rows": len(whole), "columns": [str(c) for c in whole.columns]}
        self._write()
        by_hand = "CRMLIB_RUN_DIR" not in os.environ  # a report's notebooks lie beside its tables
        folder = os.path.relpath(path.parent) if by_hand else "../tables"
        file = f"{folder}/{name}.csv" if len(whole) else ""
        units = dict(currency=self.currency, time_unit=self.time_unit)
        return show_table(frame, columns, rows, labels, file=file, **units)

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
            about = {"files": [*files], "alt": chart.alt, "width": chart.shown_width}
            self.content.setdefault("pictures", {})[name] = about
            self._write()
        return chart

    def sentences(self, name: str, sentences: Sequence[str]) -> Markdown:
        """Publish sentences under a name and return them as prose; what is empty or not measured is left out."""
        from IPython.display import Markdown

        printed = [
            fmt.sentence(sentence)
            for sentence in sentences
            if sentence and not sentence.startswith(NOT_MEASURED)
        ]
        self.content.setdefault("sentences", {})[name] = printed
        self._write()
        return Markdown("\n\n".join(printed))

    def key_figures(self) -> str:
        """The figures so far as lines of text: label, value with its unit, change; for printing."""
        figures = figures_of(self.content).values()
        width = max((len(figure["label"]) for figure in figures), default=0)
        return "\n".join(f"{figure['label']:<{width}}  {value_and_change(figure)}" for figure in figures)

    def _write(self, **changed: Any) -> None:
        self.content |= changed
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

    def safe(values: pd.Series) -> pd.Series:
        if hasattr(values, "cat"):
            return values.astype(object) if values.cat.categories.dtype != object else values.map(guarded)
        # Nearly all ids are plain letters and numbers, and there may be millions of them.
        asked = ~values.astype(str).str.isalnum().to_numpy()
        known = values.to_numpy(dtype=object, copy=True)
        known[asked] = [guarded(value) for value in known[asked]]
        return values.astype(object).where(~asked, known)

    text = frame.select_dtypes(include=["object", "string", "category"]).columns
    return frame.assign(**{name: safe(frame[name]) for name in text}).rename(columns=guarded)


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|")


def _plain(value: Any) -> Any:
    """A value that JSON holds: NumPy's numbers become Python's, NaN becomes null, dates ISO text."""
    if hasattr(value, "item"):
        value = value.item()
    if not fmt.is_known(value):
        return None
    return value.isoformat()[:10] if isinstance(value, dt.date) else value
