"""At the edges of what a log can hold, every chapter ends well or says why it was not run."""

import pytest

from tests.notebooks.small_studies import STUDIES
from tests.notebooks.warm import run_study

# Those at which the most chapters stop early, for they are quick; `make bench` runs all of them.
QUICK = ("one row", "all on one day", "all leave", "all given back", "only money back")


@pytest.mark.parametrize("name", QUICK)
def test_every_chapter_ends_well_or_says_why_not(name):
    for ended in run_study(*STUDIES[name]()):
        assert ended.how != "failed", "\n".join([ended.chapter, ended.why, *ended.faults])
        assert ended.faults == (), ended.chapter
        assert ended.why, ended.chapter


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["sixty customers", "every table"])
def test_pages_and_their_pictures_are_the_same_in_whatever_order_the_rows_stand(name):
    tables, facts = STUDIES[name]()
    # Folds of a churn model are drawn by the places of the rows, as scikit-learn draws them.
    kept = {name: table for name, table in tables.items() if name == "customer_features"}
    shuffled = {name: table.sample(frac=1, random_state=7) for name, table in tables.items()} | kept
    for one, other in zip(run_study(tables, facts), run_study(shuffled, facts), strict=True):
        assert one == other, one.chapter
