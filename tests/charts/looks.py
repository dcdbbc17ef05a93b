"""What every chart must be, whatever its data: whole, legible and described."""

from __future__ import annotations

from itertools import combinations

from matplotlib.text import Text

from crmlib.charts import Chart
from crmlib.charts.style import house_style

FINDING = (
    "What the analysis found, in a sentence that is long enough to be written on two lines: 43 % of 1,234"
)
MOST_SHARED_PIXELS = 2.0  # letters do not fill the box that is measured


def drawn_words(chart: Chart) -> list[Text]:
    """All words on the sheet, tick labels in view among them."""
    found = list(chart.figure.texts)
    for axes in chart.figure.axes:
        found += axes.texts
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
            found += [axis.label, *(label for place, label in ticks if low <= place <= high)]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def assert_legible(chart: Chart) -> None:
    """Every word stands on the sheet, none on another, none too small for a phone."""
    with house_style():
        chart.figure.draw_without_rendering()
        sheet = chart.figure.bbox
        boxes = {text: text.get_window_extent() for text in drawn_words(chart)}
    for text, box in boxes.items():
        assert sheet.x0 - 1 <= box.x0 <= box.x1 <= sheet.x1 + 1, f"cut at the side: {text.get_text()!r}"
        assert sheet.y0 - 1 <= box.y0 <= box.y1 <= sheet.y1 + 1, f"cut above or below: {text.get_text()!r}"
        assert text.get_fontsize() >= 9, f"too small: {text.get_text()!r}"
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        shared = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(shared) <= MOST_SHARED_PIXELS, f"{one.get_text()!r} lies on {other.get_text()!r}"


def assert_described(chart: Chart) -> None:
    """Title and alt text are sentences without a hole in them, and the title stands on the sheet."""
    written = " ".join(chart.figure.texts[0].get_text().split())
    assert written.replace(" ", "") == chart.title.replace(" ", "")
    for text in (chart.title, chart.alt):
        assert text.strip()
        assert not any(hole in text for hole in ("nan", "None", "inf %", "NaT")), text
    assert len(chart.alt) > 30
