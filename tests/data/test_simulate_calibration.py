"""The simulated firm lies within the range of two real ones, and its page says so."""

from pathlib import Path

import numpy as np
import pytest

import crmlib as crm
from crmlib.simulation.effects import GROUPS, MECHANISMS
from crmlib.simulation.simulate import simulate_firm
from tests.data.calibration import COMPLETE_JOURNEY_2017, FIGURES, cdnow, simulated, table

pytestmark = pytest.mark.thorough  # what holds of the simulated firm changes with its code alone

PAGE = Path(__file__).parents[2] / "docs" / "simulated-firm.md"


@pytest.fixture(scope="module")
def real():
    return np.array([cdnow(), COMPLETE_JOURNEY_2017])


def test_the_mean_firm_lies_within_the_range_of_the_real_ones(real):
    firms = [simulated(simulate_firm(4000, 3, random_state=seed).tables["transactions"]) for seed in range(4)]
    mean = np.mean(firms, axis=0)
    outside = [
        (name, low, value, high)
        for name, low, value, high in zip(FIGURES, real.min(axis=0), mean, real.max(axis=0), strict=True)
        if not low <= value <= high
    ]
    assert outside == []


def test_the_bundled_firm_lies_within_the_range_of_the_real_ones(real):
    study = crm.open_study("simulated-firm")
    found = simulated(study.transactions.select("customer_id", "date", "amount").to_pandas())
    within = (real.min(axis=0) <= found) & (found <= real.max(axis=0))
    assert within.all(), dict(zip(FIGURES, found, strict=True))


def test_the_page_shows_the_table_that_is_computed():
    assert table() in PAGE.read_text(encoding="utf-8")


def test_the_page_explains_every_switch_in_the_code_s_words():
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"| `{name}` | {meaning} |" in text for name, meaning in MECHANISMS.items())
    assert all(f"`{name}`" in text for name in GROUPS)
    assert tuple(MECHANISMS)[:5] == GROUPS["treatments"]
    assert text.startswith("# The simulated firm\n\nEverything on this page is **simulated**")
