"""Exercises: right answers and known mistakes are recognised; a hint never contains the answer."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.errors import StudyError
from crmlib.lessons.check import PRACTICE_SEED, lesson_firm
from crmlib.lessons.exercise import EXERCISES, hints, plain

SEEDS = [int(seed) for seed in os.environ.get("CRMLIB_LESSON_SEEDS", str(PRACTICE_SEED)).split()]
EACH = pytest.mark.parametrize("number", sorted(EXERCISES, key=lambda number: [*map(int, number.split("."))]))


@pytest.fixture(scope="module", params=SEEDS)
def firm(request):
    return lesson_firm(request.param)


def test_each_of_fourteen_lessons_has_two_exercises():
    assert set(EXERCISES) == {f"{lesson}.{place}" for lesson in range(1, 15) for place in (1, 2)}
    assert hints().keys() == EXERCISES.keys()


@pytest.fixture
def known(number, firm):
    """The exercise, its right answer and its mistakes on this firm, computed once."""
    found = EXERCISES[number].reference(firm)
    return replace(EXERCISES[number], reference=lambda _firm: found), *found


@EACH
def test_the_right_answer_passes_and_each_known_mistake_gets_its_hint(number, firm, known):
    one, right, mistakes = known
    assert crm.check(number, right, firm).right
    assert one.judge(firm, np.float64(right)).feedback == "Right."
    assert len(mistakes) >= 2
    assert mistakes.keys() == hints()[number].keys()
    for name, wrong in mistakes.items():
        checked = one.judge(firm, wrong)
        assert (checked.right, checked.feedback) == (False, hints()[number][name]), name
    # a number just outside the tolerance is wrong
    assert one.tolerance <= 0.005
    assert not one.judge(firm, right * (1 + 2.5 * one.tolerance)).right
    assert one.judge(firm, right * (1 + 0.9 * one.tolerance)).right
    # no feedback contains the answer
    feedback = [*hints()[number].values(), one.judge(firm, 1.7 * right + 0.31).feedback]
    numbers = {f"{right:.{digits}f}" for digits in range(2, 5)}
    assert not [text for text in feedback for answer in numbers if answer in text.split()]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("many", "The answer is a text; give a number."),
        (None, "There is no answer yet; give a number."),
        (..., "There is no answer yet; give a number."),
        (True, "The answer is a text; give a number."),
        ([1, 2], "The answer is a list; give a number."),
        (pd.Series([1.0]), "The answer is a list; give a number."),
        (pd.DataFrame({"a": [1]}), "The answer is of type DataFrame; give a number."),
        (print, "The answer is of type builtin_function_or_method; give a number."),
        (1j, "The answer is of type complex; give a number."),
        (float("nan"), "Not yet, and it is none of the mistakes that we know."),
        ("x" * 10_000, "The answer is a text"),
    ],
    ids=str,
)
def test_an_answer_of_any_type_gets_feedback(answer, expected):
    checked = crm.check("2.1", answer)
    assert not checked.right
    assert checked.feedback.startswith(expected)


def test_per_cent_instead_of_a_share_gets_a_hint():
    right, _mistakes = EXERCISES["2.1"].reference(lesson_firm())
    assert "hundred times too much" in crm.check("2.1", 100 * right).feedback


def test_the_practice_firm_is_the_default():
    right, _mistakes = EXERCISES["1.1"].reference(lesson_firm(PRACTICE_SEED))
    assert crm.check("1.1", right).right
    assert not crm.check("1.1", right, lesson_firm(99)).right


def test_an_unknown_exercise_is_refused():
    with pytest.raises(StudyError, match="did you mean '3.2'"):
        crm.check("3.22", 1)


def test_lists_are_compared_in_any_order_and_texts_without_case():
    one = EXERCISES["1.1"]
    assert one.same(plain(["B", "A"]), plain(np.array(["A", "B"])))
    assert not one.same(plain(["A"]), plain(["A", "A"]))
    assert one.same(" Search ", "search")
