"""One number is spelt in one way, by one function, wherever it stands."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crmlib as crm
from crmlib import charts
from crmlib import format as fmt
from crmlib.economics.sentences import worth_of_next_points
from crmlib.findings import Estimate
from crmlib.report import pages, publish
from crmlib.study.published import cards
from crmlib.study.results import FIGURES, NotebookResults

ROOT = Path(__file__).parents[1]
LIBRARY = sorted((ROOT / "crmlib").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROSE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PROSE += [*sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "data").rglob("*.md"))]

# Per cent joined to its number or to a number's format; a format with thousands separators and decimal places.
JOINED, PLACES = re.compile(r"\d%"), re.compile(r",\.\d+f")
NOT_FOR_READERS = {
    ("dates.py", "%m"): "a pattern of dates",
    ("dates.py", "%d"): "a pattern of dates",
    ("runs.py", "%Y%m%dT%H%M%SZ"): "the id of a run",
    (
        "engine.py",
        "an amount such as 4GB or 500MB, or a share such as 50%",
    ): "as a setting is written",
    ("engine.py", ".0%"): "a setting",
}


@pytest.mark.parametrize(
    ("value", "unit", "spelt"),
    [
        (0.4271, "share", "43 %"),
        (0.99999, "share", "over 99.9 %"),
        (35.894, "money", "EUR 35.89"),
        (2500315.63, "money", "EUR 2.50 million"),
        (-1200.0, "money", "−EUR 1,200"),
    ],
)
def test_a_number_is_spelt_the_same_wherever_it_stands(
    value: float, unit: Any, spelt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = NotebookResults("02_customer_base_audit", tmp_path, "EUR")
    monkeypatch.setitem(FIGURES, "customers", FIGURES["customers"] | {"unit": unit, "page_one": 1})
    results.figure("customers", Estimate(value, unit))
    metrics = publish.write_metrics(tmp_path)
    found = {
        "notebook": results.key_figures(),
        "a cell of one's own": crm.format.write(value, unit, "EUR"),
        "card": shown(front_page(metrics), "span", "value"),
        "table": shown(chapter_page(tmp_path, metrics), "td", "number"),
        "chart": chart_title(value, unit),
    }
    for place, text in found.items():
        assert re.search(rf"(?<!\S){re.escape(spelt)}(?![\d.])", text), (place, text)


def test_a_change_is_spelt_the_same_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = NotebookResults("02_customer_base_audit", tmp_path, "EUR")
    monkeypatch.setitem(FIGURES, "customers", FIGURES["customers"] | {"label": "what", "page_one": 1})
    results.figure(
        "customers",
        Estimate(5, "count"),
        change=Estimate(-0.0312, "change", -0.05, -0.01),
        against="last year",
    )
    metrics = publish.write_metrics(tmp_path)
    assert results.key_figures() == "what  5; −3.1 % (−5 % to −1 %) against last year"
    assert "▼ −3.1 % (−5 % to −1 %) against last year" in front_page(metrics)
    assert "<td>−3.1 % (−5 % to −1 %) against last year</td>" in chapter_page(tmp_path, metrics)


STUDY = SimpleNamespace(title="A shop", as_of=dt.date(2024, 6, 30), currency="EUR", has=lambda _: False)
CHAPTER = SimpleNamespace(
    name="02_customer_base_audit", notebook=SimpleNamespace(number="02", title="Audit", question="Who?")
)


def front_page(metrics: dict[str, Any]) -> str:
    record = {
        "run": "1",
        "started": "2024-07-01",
        "commit": None,
        "inputs": [],
        "notebooks": [],
        "versions": {},
    }
    names = "trust sentences believe lists gates files chapters not_run failures"
    nothing: dict[str, Any] = dict.fromkeys(names.split(), ()) | {"picture": None}
    page = pages.render("index.html.j2", study=STUDY, record=record, cards=cards(metrics), **nothing)
    return page.replace("\N{NO-BREAK SPACE}", " ")


def test_a_card_that_its_chapter_refuses_shows_no_figure():
    about = {"label": "to come", "value": 244402.0, "unit": "money", "currency": "EUR", "rule": "BG/NBD"}
    about |= dict.fromkeys(("change", "change_low", "change_high"))
    about |= {"page_one": 5, "base": "", "low": 1.0, "high": 2.0, "level": 0.8}
    made = {
        "figures": {"coming_quarter": about},
        "figure": "do not use",
        "headline": "Not usable: BG/NBD. No.",
    }
    page = front_page({"06": made})
    assert "not usable" in page
    assert "BG/NBD. No." in page
    assert "244" not in page
    assert "EUR 244,402" in front_page({"06": made | {"figure": "use with care"}})


def chapter_page(run: Path, metrics: dict[str, Any]) -> str:
    path = run / "notebook.ipynb"
    cell = {
        "cell_type": "code",
        "source": ["print()"],
        "outputs": [],
        "metadata": {"tags": ["nbval-check-output"]},
    }
    path.write_text(json.dumps({"cells": [cell]}), encoding="utf-8")
    around: dict[str, Any] = {"parameters": {}, "before": None, "after": None}
    own = metrics["02_customer_base_audit"]
    page = pages.notebook_page(path, metrics=own, pages=set(), study=STUDY, chapter=CHAPTER, **around)
    return page.replace("\N{NO-BREAK SPACE}", " ")


def shown(page: str, tag: str, kind: str) -> str:
    return " ".join(re.findall(rf'<{tag} class="{kind}">(.*?)</{tag}>', page))


def chart_title(value: float, unit: str) -> str:
    """At a retention of 30 % a customer is worth this much, or at this one EUR 10."""
    rate, worth = (value, 10.0) if unit == "share" else (0.3, value)
    curve = pd.DataFrame({"retention_rate": [rate, 1.0], "gross": worth, "net": worth})
    finding = worth_of_next_points(curve, rate, 0.05)
    return charts.profit_by_retention(curve, finding, retention_rate=rate, currency="EUR").title


def test_numbers_for_readers_are_written_by_one_module() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in LIBRARY if path.name != "format.py"}
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources[path] = "\n".join("".join(one["source"]) for one in cells if one["cell_type"] == "code")
    found = {
        (path.name, text)
        for path, source in sources.items()
        for node in ast.walk(ast.parse(source))
        for text in written_by_hand(node)
    }
    assert found == set(NOT_FOR_READERS), "write numbers for readers with crmlib.format"


def written_by_hand(node: ast.AST) -> list[str]:
    """What a node spells by itself: 24% and {share:.0%}, {money:,.2f}, {date:%B}, and {share}% in an f-string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value] if JOINED.search(node.value) or PLACES.search(node.value) else []
    if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
        parts = [one.value for one in node.format_spec.values if isinstance(one, ast.Constant)]
    elif isinstance(node, ast.JoinedStr):
        parts = [two.value for one, two in pairwise(node.values) if _joins(one, two)]
    else:
        return []
    return [text for text in parts if text.startswith("%")]


def _joins(one: ast.expr, two: ast.expr) -> bool:
    return isinstance(one, ast.FormattedValue) and isinstance(two, ast.Constant)


@pytest.mark.parametrize(
    "code",
    [
        'f"{x:.0%} left"', 'f"{x:+.1%}"', 'f"{x:,.2f}"', 'f"{x}% left"', 'f"{day:%b %Y}"', '"{:.1%}".format(x)',
        '"95% interval"', 'format(x, ",.0f")',
    ],
)  # fmt: skip
def test_what_is_written_by_hand_is_found(code: str) -> None:
    assert any(written_by_hand(node) for node in ast.walk(ast.parse(code)))


@pytest.mark.parametrize("code", ['f"{fmt.share(x)} left"', '"95 % interval"', 'f"{x:.3f}"', 'f"{n:,} rows"'])
def test_what_is_not_for_this_module_is_let_be(code: str) -> None:
    assert not any(written_by_hand(node) for node in ast.walk(ast.parse(code)))


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PROSE], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_there_is_a_space_before_per_cent(path: Path) -> None:
    assert not re.findall(r".*\d%.*", path.read_text(encoding="utf-8"))


@given(st.floats(0, 1))
def test_a_share_never_rounds_to_all_or_nothing(value: float) -> None:
    text = fmt.share(value)
    assert (text == "100 %") == (value == 1)
    assert (text == "0 %") == (value == 0)


@given(st.floats(-1e12, 1e12, allow_nan=False))
def test_money_is_within_its_rounding(value: float) -> None:
    sign, _, text = fmt.money(value, "USD").partition("USD ")
    if 0 < abs(value) < 0.005:
        assert (sign, text) == (("under ", "0.01") if value > 0 else ("just under ", "0"))
        return
    amount, _, unit = text.partition(" ")
    read = float(amount.replace(",", "")) * {"": 1.0, "million": 1e6, "billion": 1e9}[unit]
    assert read == pytest.approx(abs(value), abs=0.5 if abs(value) > 100 else 0.006, rel=0.006)
    assert sign == ("−" if value < 0 else "")
