"""What all charts share: the chart object, its colours and its fonts."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

from crmlib.errors import CrmError, did_you_mean
from crmlib.findings import Compared

WIDTH_INCHES = 5.0
DPI = 200
SHOWN_WIDTH_PIXELS = 600  # half a screen; the picture itself has 1,000, for sharp screens and paper

INK = "#1c2127"
SOFT = "#565f6b"
GRID = "#dcdfe3"
PALE = "#c3cad3"
BLUE = "#174f8a"
LIGHT_BLUE = "#9cc3e4"
ORANGE = "#be550e"
TEAL = "#1b8574"
RED = "#9b2c1f"

# The same tier has the same colour wherever it is drawn. Lightness tells them apart without hue.
TIER_COLOURS: Mapping[str, str] = {
    "Platinum": "#173f6b",
    "Gold": "#dda520",
    "Iron": "#8f98a3",
    "Lead": "#9b2c1f",
}

# Segments by state: blue thrive, green are new, yellow waver, red leave, grey have left.
SEGMENT_COLOURS: Mapping[str, str] = {
    "Champions": "#173f6b",
    "Loyal": "#2f6fb0",
    "Potential loyalists": "#7fb2dd",
    "New customers": "#1b8574",
    "Promising": "#7cc4b4",
    "Need attention": "#e3b23c",
    "About to sleep": "#d98c2b",
    "Cannot lose": "#9b2c1f",
    "At risk": "#c9573f",
    "Hibernating": "#9aa3ad",
    "Lost": "#6b7480",
}

# What a picture can be saved as, and under what name each kind would keep the time.
_DATES = {".svg": "Date", ".pdf": "CreationDate"}

_LINES = [BLUE, ORANGE, TEAL, RED]

SHADES = LinearSegmentedColormap.from_list("paper to blue", ["#f4f6f9", LIGHT_BLUE, BLUE, "#0d2745"])

_RC: dict[Any, Any] = {
    "axes.edgecolor": SOFT,
    "axes.axisbelow": True,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 10,
    **{f"axes.spines.{side}": False for side in ("left", "right", "top")},
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same picture on every machine
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "patch.linewidth": 0,
    "svg.hashsalt": "crmlib",  # the same picture in the same bytes
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "xtick.color": SOFT,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 10,
    "xtick.major.size": 3,
    "ytick.color": SOFT,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 10,
    "ytick.major.size": 0,
}


def group_colours(names: Iterable[str]) -> list[str]:
    """The colours of tiers and segments; blue for a group of another name."""
    return [TIER_COLOURS.get(name, SEGMENT_COLOURS.get(name, BLUE)) for name in names]


def line_colours(lines: int) -> list[str]:
    """A colour for each of the first four lines; the others differ only by their names."""
    return [*_LINES, *[SOFT] * lines][:lines]


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's own settings and ours, under which charts are made and drawn; the reader's come back after."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


@dataclass(frozen=True, eq=False)
class Chart:
    """A picture, the finding it shows and the words for those who cannot see it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        A new one is not known to pyplot: nothing has to be closed.
    title : str
        The finding; for a chart without data what is missing.
    alt : str
        What the picture shows, with its key numbers.
    empty : bool
        Whether there was no data to draw; pages leave such a picture out.

    Examples
    --------
    >>> from crmlib.charts import per_month
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"month": pd.date_range("2024-01-01", periods=2, freq="MS"), "purchases": [3, 1]})
    >>> chart = per_month(frame, "Purchases fell from 3 to 1")
    >>> chart.title
    'Purchases fell from 3 to 1'
    >>> chart.png()[:4]
    b'\\x89PNG'
    """

    figure: Figure
    title: str
    alt: str
    empty: bool = False

    @property
    def finding(self) -> str:
        """The title; empty where there was no data to draw."""
        return "" if self.empty else self.title

    @property
    def shown_width(self) -> int:
        """How wide it is shown on a screen, in pixels."""
        return round(SHOWN_WIDTH_PIXELS * float(self.figure.get_size_inches()[0]) / WIDTH_INCHES)

    def png(self) -> bytes:
        """The picture as PNG; the same data give the same bytes."""
        drawn, picture = io.BytesIO(), io.BytesIO()
        with house_style():
            self.figure.savefig(drawn, format="rgba", dpi="figure")
        whole = Image.frombuffer("RGBA", self.figure.canvas.get_width_height(), drawn.getvalue())
        few = whole.convert("RGB").quantize(128, dither=Image.Dither.NONE)  # a third as large
        few.save(picture, "PNG", compress_level=8)
        return picture.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file of the kind that its ending says, and return its path.

        Parameters
        ----------
        path : str or Path
            Ends in .png, .svg or .pdf; the same data give the same bytes.

        Raises
        ------
        CrmError
            If it has another ending.
        """
        path = Path(path)
        ending = path.suffix.lower()
        if ending not in (".png", *_DATES):
            raise CrmError(f"path is {path.name!r}; {did_you_mean(ending, ['.png', *_DATES])}")
        if ending == ".png":
            path.write_bytes(self.png())
        else:
            with house_style():
                self.figure.savefig(path, dpi="figure", metadata={_DATES[ending]: None})
        return path

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, bytes | str], dict[str, dict[str, Any]]]:
        if self.empty:
            return {"text/plain": f"{self.title}: no data to draw."}, {"text/plain": {"empty": True}}
        width, height = self.figure.get_size_inches()
        shown = {"width": self.shown_width, "height": round(self.shown_width * height / width)}
        about: dict[str, Any] = {"alt": self.alt, **shown}
        if isinstance(self.title, Compared):  # a title that compares keeps its interval
            about["compared"] = asdict(self.title.difference)
        return {"image/png": self.png(), "text/plain": self.title or self.alt}, {"image/png": about}
