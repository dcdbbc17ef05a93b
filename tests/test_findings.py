"""A claim gets the verdict that its interval gives it; what is judged by rules is as bad as its worst reason."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.claims import Claim
from crmlib.errors import CrmError
from crmlib.findings import (
    ASSOCIATED,
    CARE,
    CONTRADICTED,
    MET,
    NOT_MET,
    REFUSE,
    SUPPORTED,
    UNDECIDED,
    UNNAMED,
    UNTESTED,
    USE,
    Estimate,
    Reason,
    Rules,
    compared,
    in_currency,
    judge,
    limit,
    with_finding,
)

NUMBERS = st.floats(-1e6, 1e6)
INTERVALS = st.tuples(NUMBERS, NUMBERS).map(sorted)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.6, 1.4, SUPPORTED),
        (0.0, 1.4, UNDECIDED),
        (-1.4, 1.4, UNDECIDED),
        (-1.4, -0.1, CONTRADICTED),
        (-0.4, 0.3, CONTRADICTED),  # surely smaller than what matters
        (0.1, 0.4, CONTRADICTED),
        (-0.5, 0.3, UNDECIDED),
        (float("nan"), 1.0, UNTESTED),
    ],
)
def test_a_description_by_its_interval(low, high, verdict):
    claim = Claim("Platinum buys more", smallest_difference=0.5)
    assert claim.verdict(low, high) == verdict
    assert Claim("buys less", direction=-1, smallest_difference=0.5).verdict(-high, -low) == verdict
    assert Claim("more than 2", bar=2.0, smallest_difference=0.5).verdict(low + 2, high + 2) == verdict


@pytest.mark.parametrize(("low", "high", "verdict"), [(3, 4, MET), (2, 4, UNDECIDED), (2, 2.9, NOT_MET)])
def test_a_target_by_its_interval(low, high, verdict):
    assert Claim("LTV is 3 × CAC", kind="target", bar=3.0).verdict(low, high) == verdict


@given(INTERVALS, st.sampled_from([1, -1]), NUMBERS, st.floats(0, 1e5))
def test_no_effect_is_supported_by_observation(ends, direction, bar, smallest):
    common = {"kind": "effect", "direction": direction, "bar": bar, "smallest_difference": smallest}
    tried, seen = (
        Claim("it helps", evidence=one, **common).verdict(*ends) for one in ("randomised", "observational")
    )
    assert seen != SUPPORTED
    assert (seen, tried) == (ASSOCIATED, SUPPORTED) or seen == tried


@given(INTERVALS, st.floats(0, 1e5))
def test_a_claim_and_its_opposite_are_never_both_supported(ends, smallest):
    verdicts = [Claim("", direction=one, smallest_difference=smallest).verdict(*ends) for one in (1, -1)]
    assert verdicts != [SUPPORTED, SUPPORTED]
    if SUPPORTED in verdicts:
        assert CONTRADICTED in verdicts


def test_a_finding_says_claim_verdict_and_reason():
    claim = Claim("5 % more retention gives 80 % more profit", bar=0.8)
    finding = claim.test(Estimate(0.3, "share", low=0.2, high=0.4), "Five points more give 30 %.")
    assert finding.verdict == CONTRADICTED
    text = "“5 % more retention gives 80 % more profit”: contradicted. Five points more give 30 %."
    assert (str(finding), finding.estimate.value) == (text, 0.3)
    assert claim.test(Estimate(None, "share"), "No margin is known.").verdict == UNTESTED
    assert str(claim.cannot_be_tested("No margin is known.")).endswith(
        "cannot be tested. No margin is known."
    )


@dataclass(frozen=True)
class _Limits(Rules):
    error_care: float = limit(0.1, "a tenth moves a budget")
    error_refuse: float = limit(0.3, "a third misleads")
    fewest_customers: float = limit(100.0, "fewer prove little")


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("error", 0.1, None),
        ("error", 0.2, CARE),
        ("error", 0.31, REFUSE),
        ("error", float("nan"), CARE),
        ("customers", 99, CARE),
        ("customers", 100, None),
    ],
)
def test_rules_by_name(name, value, verdict):
    reason = _Limits().reason(name, value, "It is off.")
    assert (reason and reason.verdict) == verdict
    assert _Limits(error_refuse=0.4).reason("error", 0.35, "").verdict == CARE
    assert _Limits().explain()["why"].tolist() == [
        "a tenth moves a budget",
        "a third misleads",
        "fewer prove little",
    ]


def test_a_verdict_is_as_grave_as_its_gravest_reason():
    grave = {USE: 0, CARE: 1, REFUSE: 2}
    for verdicts in product((None, CARE, REFUSE), repeat=3):
        found = judge("a model", [one and Reason(one, f"{one}.") for one in verdicts], "All is well.")
        assert found.gravity == max(grave[one or USE] for one in verdicts)
        assert list(found.reasons) == sorted(found.reasons, key=lambda text: -grave.get(text[:-1], 0))
    assert judge("a model", [], "All is well.").sentence == "a model: use. All is well."


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.237, "share", low=0.203, high=0.271), "24 % (20 % to 27 %)"),
        (
            Estimate(12.5, "money", currency="EUR", low=10, high=float("inf")),
            "EUR 12.50 (at least EUR 10.00)",
        ),
        (Estimate(float("nan"), "count"), "not known"),
        (Estimate(None, "money", low=1.0, high=2.0), "not known"),
        (Estimate("groups", "text"), "groups"),
    ],
)
def test_an_estimate_reads_with_its_interval(estimate, text):
    assert str(estimate) == text


def test_a_unit_that_nobody_knows_is_refused():
    with pytest.raises(CrmError, match="unit is 'euros'; allowed: count, money"):
        Estimate(1, "euros")


def test_a_sentence_that_compares_keeps_its_difference_wherever_it_goes():
    """In the frame's attributes by name, in copies of the frame, and with the currency filled in."""
    apart = Estimate(12.0, "money", low=3.0, high=21.0)
    frame = with_finding(
        pd.DataFrame({"x": [1]}), lambda _: compared(f"a brings {UNNAMED} 40, b {UNNAMED} 28", apart)
    )
    title = in_currency(frame.copy(deep=True).attrs["finding"], "EUR")
    assert title == "A brings EUR 40, b EUR 28 (difference 3.00 to 21.00: beyond chance)"
    assert title.difference == apart
    assert frame.attrs["compared"]["low"] == 3.0
    assert "may be chance" in compared("a, b", Estimate(0.1, "points", low=-0.1, high=0.3))
    assert "not tested" in compared("a, b", Estimate(0.1, "points"))
