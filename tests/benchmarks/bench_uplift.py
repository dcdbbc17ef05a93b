"""How often predicted effects are called usable where the effect is the same for all, and where it is not.

Effects are cross-fitted in five folds by a linear and a tree learner; the promise is about what chance does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.base import RegressorMixin, clone
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from crmlib.models.uplift_effects import heterogeneity_test

DRAWS, AT_MOST = 400, 0.05
FOLDS = 5
LEARNERS = {
    "linear": LinearRegression(),
    "tree": DecisionTreeRegressor(max_depth=3, min_samples_leaf=20, random_state=0),
}
Outcome = Callable[[np.random.Generator, np.ndarray], np.ndarray]
OUTCOMES: dict[str, Outcome] = {
    "spend": lambda random, mean: mean + random.normal(size=len(mean)),
    "bought": lambda random, mean: (random.random(len(mean)) < np.clip(0.3 + mean / 10, 0, 1)).astype(float),
}


def cross_fitted(
    seed: int, customers: int, learner: RegressorMixin, outcome: Outcome, slope: float = 0.0
) -> pd.DataFrame:
    """The frame that `UpliftModel` makes of an experiment: .5 for all, and `slope` more per unit of the first trait."""
    random = np.random.default_rng(seed)
    known, treated = random.normal(size=(customers, 3)), random.random(customers) < 0.5
    done = outcome(random, known[:, 1] + treated * (0.5 + slope * known[:, 0]))
    fold = np.arange(customers) % FOLDS
    effect, left_alone = np.empty(customers), np.empty(customers)
    for number in range(FOLDS):
        here = fold == number
        one, control = (
            clone(learner).fit(known[group & ~here], done[group & ~here]).predict(known[here])
            for group in (treated, ~treated)
        )
        effect[here], left_alone[here] = one - control, control
    columns = {"effect": effect, "control_outcome": left_alone, "fold": fold, "treated": treated}
    return pd.DataFrame(columns | {"outcome": done})


def usable(customers: int, name: str, outcome: str, slope: float, draws: int) -> float:
    """Share of the draws in which predicted effects are to be used."""
    worlds = (cross_fitted(one, customers, LEARNERS[name], OUTCOMES[outcome], slope) for one in range(draws))
    return float(np.mean([heterogeneity_test(world).usable for world in worlds]))


def main() -> None:
    print(
        f"{DRAWS} draws of 600 customers with the same effect for all; 40 of 4,000 with effects that differ\n"
    )
    print("| learner | outcome | same for all | at most | effects differ |")
    print("|---|---|--:|--:|--:|")
    worst = 0.0
    for name in LEARNERS:
        for outcome in OUTCOMES:
            null, real = (
                usable(*one) for one in ((600, name, outcome, 0.0, DRAWS), (4000, name, outcome, 0.5, 40))
            )
            worst = max(worst, null)
            print(f"| {name} | {outcome} | {100 * null:.1f} % | {100 * AT_MOST:.0f} % | {100 * real:.0f} % |")
    sys.exit(worst > AT_MOST)


if __name__ == "__main__":
    main()
