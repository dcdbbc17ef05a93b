"""What readers must not meet in a report: one label with two numbers, and values that nobody wrote for people.

`python -m tests.report.faults FOLDER` lists the faults of a report, such as `reports/cdnow/latest`, and then the titles
of its charts that compare, each with the interval of its difference.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag

from crmlib import format as fmt

SAME = ("quantity", "base", "window", "rule")
MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
IN_TEXT = {
    "a raw name": re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b"),
    "a repr": re.compile(r"\b[A-Z]\w*\(\w+=[^)]*"),
    "a value that is none": re.compile(r"\b(?:NaN|NaT|nan|inf)\b|<NA>|\bNone\b(?! of\b| was\b| is\b)"),
    "a number that nobody rounded": re.compile(r"\d\.\d{4,}"),
    "a dead panel": re.compile(r"No data to draw|An empty table|Not told|There is no such row"),
}
IN_CELLS = {
    "a date that breaks": re.compile(rf"\b\d{{1,2}} (?:{MONTHS})[a-z]* \d{{4}}\b"),
    "a number with a loose unit": re.compile(r"^−?\d[\d,.]* (?:%|days?|weeks?|months?|points?)$"),
}
# Money is revenue, contribution, or contribution after service cost; "profit" does not say after which costs.
PROFIT = re.compile(r"(?<!more )(?<!maximum )\bprofits?\b(?! of the campaign)", re.I)
OF_CHANCES = re.compile(r"chance|probability|P\(", re.I)

COMPARES = re.compile(
    r"(?<!\bat )(?<!\bor )\b(?:more|less|fewer|most|least|best|worst|better|worse|rose|fell|cheaper"
    r"|cheapest|dearer|dearest|higher|lower|largest|highest|lowest)\b",
    re.I,
)
TESTED = re.compile(r"not tested|chance\b|cannot be tested|data without groups|than cuts", re.I)
# Titles that name what is counted, sorted or computed; nothing in them could have come out otherwise by chance.
NAMES_ONLY = re.compile(
    r"^(?:Purchases|New customers|Recurring revenue) (?:rose|fell)\b"  # all that happened, not a sample
    r"|\b(?:the best|the lowest|the highest|highest revenue) [\d.]+ %|\bthe best tenth\b|\bthe \d+ % with the highest\b"
    r"|\bbring most of all cohorts\b|\bthe largest segment\b|^The largest of \d+ clusters\b"  # sorted, and named
    r"|\bpoints more (?:add|are)\b|^Horizon matters most\b|^Most is expected\b|\bwith probability\b"  # computed
    r"|\btiers are expected to be right\b|^One more point of retention\b|^Not usable:|\bthe best purchase model\b"
    r"|\bpredicts? .* holdout purchases that happened",
    re.I,
)


def faults_of(folder: Path) -> list[str]:
    """Every fault of a report, each with its page."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    pages = sorted(path for path in folder.glob("*.html") if path.stem not in ("glossary", "failure"))
    found = [
        f"{page.stem}: {fault}" for page in pages for fault in faults_on(page.read_text(encoding="utf-8"))
    ]
    untested = [
        f"not tested: {title!r} in {name}" for name, title, found in comparing_titles(folder) if not found
    ]
    untested += [f"not tested: {one!r} in {name}" for name, one in comparing_sentences(metrics)]
    return [*contradictions(metrics), *dict.fromkeys(found), *untested]


def comparing_titles(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Each title of a chart that compares: its notebook, the title, and how it was tested; empty where it was not."""
    for path in sorted(folder.glob("notebooks/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                if "image/png" not in output.get("data", {}):
                    continue
                title = "".join(output["data"].get("text/plain", ""))
                found = how_tested(title, output["metadata"].get("image/png", {}).get("compared"))
                if found != NAMED:
                    yield path.stem, title, found


def comparing_sentences(metrics: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each sentence that a chapter answers with and that compares, but does not say whether it may be chance."""
    for name, own in metrics.items():
        for text in dict.fromkeys([own["headline"], *own.get("sentences", {}).get("answer", ())]):
            if not how_tested(text, None):
                yield name, text


NAMED = "compares nothing"


def how_tested(title: str, difference: dict[str, Any] | None) -> str:
    """How a title that compares was tested; empty where it was not."""
    if difference and math.isfinite(float(difference["low"])):
        ends = (fmt.write(difference[end], difference["unit"]) for end in ("low", "high"))
        return "difference {} to {}".format(*ends)
    if not COMPARES.search(title) or NAMES_ONLY.search(title):
        return NAMED
    return "in its words" if TESTED.search(title) else ""


def contradictions(metrics: dict[str, Any]) -> Iterator[str]:
    """Pairs of figures that say the same of the same, or have one label, and differ."""
    figures = [(name, key, one) for name, own in metrics.items() for key, one in own["figures"].items()]
    for (of, key, one), (of_other, other_key, other) in combinations(figures, 2):
        same = all(one[name] == other[name] for name in SAME) or one["label"] == other["label"]
        if same and not _equal(one["value"], other["value"]):
            label = f"“{one['label']}” is {one['value']} in {of} ({key})"
            yield f"{label}, and “{other['label']}” {other['value']} in {of_other} ({other_key})"


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)


def faults_on(page: str) -> Iterator[str]:
    """The faults of one page: what it shows outside code."""
    soup = BeautifulSoup(page, "html.parser")
    for code in soup.select("code, script, style, details.code, a[href$='.csv'], a[href$='.parquet']"):
        code.decompose()
    for text in soup.stripped_strings:
        for fault, pattern in IN_TEXT.items():
            for found in pattern.finditer(text):
                yield f"{fault}: {found[0]!r} in {text[:80]!r}"
    labels = [cell.get_text() for cell in soup.find_all("th")]
    for label in [*labels, *(str(image.get("alt")) for image in soup.find_all("img"))]:
        if PROFIT.search(label):
            yield f"a profit after unnamed costs: {label[:80]!r}"
    for table in soup.find_all("table"):
        yield from _faults_in(table)


def _faults_in(table: Tag) -> Iterator[str]:
    heads = [cell.get_text().strip() for cell in table.select("thead th")]
    rows = [
        [cell.get_text().strip() for cell in row.find_all(["th", "td"])] for row in table.select("tbody tr")
    ]
    numbered = [row[0] for row in rows] == [str(number) for number in range(len(rows))]
    if len(rows) > 1 and numbered and not (heads and heads[0]):  # the index has no heading
        yield f"row numbers of pandas in the table {heads}"
    for row in rows:
        for head, cell in zip(heads, row, strict=False):
            for fault, pattern in IN_CELLS.items():
                if found := pattern.search(cell):
                    yield f"{fault}: {found[0]!r} in the column {head!r}"
            if OF_CHANCES.search(head) and re.fullmatch(r"0\.0+", cell):
                yield f"a chance of {cell} in the column {head!r}"


if __name__ == "__main__":
    for one in sys.argv[1:]:
        print(*faults_of(Path(one)), sep="\n")
        print(*map(" | ".join, comparing_titles(Path(one))), sep="\n")
