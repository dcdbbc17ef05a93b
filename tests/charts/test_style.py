"""The chart itself, its colours and its words."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from crmlib.charts import per_month, style
from crmlib.charts.layout import no_data, spread
from crmlib.charts.style import TIER_COLOURS
from crmlib.errors import CrmError
from tests.charts.frames import USUAL
from tests.charts.looks import FINDING

MONTHS = pd.DataFrame({"month": pd.date_range("2024-01-01", periods=4, freq="MS"), "purchases": [5, 9, 4, 7]})

# Machado, Oliveira & Fernandes (2009), complete deficiency, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def _linear(colour: str) -> np.ndarray:
    rgb = np.array(mpl.colors.to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_tiers_and_lines_differ_for_every_eye(deficiency: str) -> None:
    seen = np.array(DEFICIENCIES[deficiency])
    for palette in (list(TIER_COLOURS.values()), [style.INK, style.BLUE, style.ORANGE, style.TEAL]):
        for one, other in combinations(palette, 2):
            distance = np.linalg.norm(_lab(seen @ _linear(one)) - _lab(seen @ _linear(other)))
            assert distance > 18, f"{one} and {other} look alike under {deficiency}: {distance:.0f}"


@pytest.mark.parametrize("colour", [style.INK, style.SOFT, style.BLUE, style.ORANGE, style.TEAL, style.RED])
def test_words_in_colour_are_readable_on_white(colour: str) -> None:
    luminance = float(_linear(colour) @ [0.2126, 0.7152, 0.0722])
    assert 1.05 / (luminance + 0.05) >= 4.5  # WCAG 2, level AA


def test_tiers_are_the_pyramids_four() -> None:
    assert list(TIER_COLOURS) == ["Platinum", "Gold", "Iron", "Lead"]


def test_shows_itself_with_alt_text_and_size() -> None:
    chart = per_month(MONTHS, FINDING)
    data, metadata = chart._repr_mimebundle_()
    assert data["image/png"][:8] == b"\x89PNG\r\n\x1a\n"
    assert data["text/plain"] == chart.title
    about = metadata["image/png"]
    width, height = chart.figure.get_size_inches()
    assert about["alt"] == chart.alt
    assert about["height"] / about["width"] == pytest.approx(height / width, rel=0.01)


def test_same_data_same_bytes(tmp_path) -> None:
    one, other = per_month(MONTHS), per_month(MONTHS.copy())
    assert one.png() == one.png() == other.png() == one.save(tmp_path / "a.png").read_bytes()


def test_settings_of_the_reader_neither_leak_in_nor_out() -> None:
    plain = per_month(MONTHS).png()
    with mpl.rc_context({"font.size": 30, "axes.spines.top": True, "text.color": "red"}):
        before = dict(mpl.rcParams)
        assert per_month(MONTHS).png() == plain
        assert dict(mpl.rcParams) == before


IN_A_NEW_PYTHON = """
import json, sys, crmlib as crm
before = {*sys.modules}
crm.charts.Chart
heavy = [name for name in ("matplotlib.pyplot", "seaborn") if name in sys.modules]
import pandas as pd
from crmlib.charts import *
per_month(pd.DataFrame({"month": ["2024-01-01"], "purchases": [3]})).png()
loaded = sorted(name for name in {*sys.modules} - before if name.startswith("crmlib."))
import matplotlib.pyplot as plt
print(json.dumps({"heavy": heavy, "figures": plt.get_fignums(), "loaded": loaded}))
"""


@pytest.fixture(scope="module")
def new_python() -> dict:
    found = subprocess.run(
        [sys.executable, "-c", IN_A_NEW_PYTHON], capture_output=True, text=True, check=True
    )
    return json.loads(found.stdout)


def test_seaborn_is_loaded_by_the_first_chart_that_is_drawn(new_python) -> None:
    assert new_python["heavy"] == []


def test_pyplot_knows_no_figure_of_ours(new_python) -> None:
    assert new_python["figures"] == []


@pytest.mark.parametrize("name", USUAL)
def test_a_chart_is_drawn_into_the_axes_it_is_given(name: str) -> None:
    draw, frame, options = USUAL[name]
    figure = Figure(figsize=(9, 4))
    given, other = figure.subplots(1, 2)
    chart = draw(frame, FINDING, ax=given, **options)
    assert chart.figure is figure
    assert figure.get_size_inches().tolist() == [9, 4]
    assert " ".join(given.get_title(loc="left").split()) == FINDING
    assert given.has_data()
    assert not other.has_data()


def test_charts_import_no_room_but_the_ground_floor(new_python) -> None:
    own = ("charts", "columns", "errors", "findings", "format", "units")
    assert "crmlib.charts.cohorts" in new_python["loaded"]
    assert {name.split(".")[1] for name in new_python["loaded"]} <= {*own}


@given(st.lists(st.floats(0, 100), min_size=1, max_size=9), st.floats(0.1, 30))
def test_spread_labels_keep_their_order_and_their_distance(places: list[float], gap: float) -> None:
    moved = spread(places, gap, 0.0, 100.0)
    assert -1e-9 <= moved.min() <= moved.max() <= 100 + 1e-9
    kept = np.diff(moved[np.argsort(places, kind="stable")])
    room = min(gap, 100.0 / max(len(places) - 1, 1))
    assert (kept >= room - 1e-9).all()


@pytest.mark.parametrize(
    ("ending", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".SVG", b"<?xml")]
)
def test_a_chart_is_saved_as_what_its_ending_says(tmp_path, ending, begins):
    chart = no_data("Nothing to draw")
    one, other = (chart.save(tmp_path / f"{name}{ending}").read_bytes() for name in ("one", "other"))
    assert one.startswith(begins)
    assert one == other


@pytest.mark.parametrize("name", ["chart.jpg", "chart", "chart.svgz"])
def test_another_ending_is_refused(tmp_path, name):
    with pytest.raises(CrmError, match=f"path is '{name}'.*llowed: .png, .svg, .pdf"):
        no_data("Nothing to draw").save(tmp_path / name)
    assert not list(tmp_path.iterdir())
