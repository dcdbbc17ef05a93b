"""Draw the causal diagram of the simulated firm: docs/simulated-firm.png.

python -m tests.data.draw_simulated_firm
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

UNSEEN, SHOWN, CHANCE = "#f3d9c9", "#d7e3ee", "#dfe8d2"

# name: (column, row, colour, text)
BOXES = {
    "traits": (0, 4.4, UNSEEN, "need, income,\ntemper, restless,\nsociable (in no table)"),
    "market": (0, 2.9, SHOWN, "market, product\ntype, channel"),
    "budget": (1, 6.5, CHANCE, "budgets: chance\ndecides"),
    "moods": (4, 1.9, UNSEEN, "trust, success,\nmet expectations"),
    "season": (0, 1.6, SHOWN, "seasons, holidays"),
    "quiet": (0, 0.5, UNSEEN, "quiet spells"),
    "trials": (1, 0.5, CHANCE, "experiments:\nchance decides"),
    "rate": (1, 3.7, UNSEEN, "pace of buying,\nrisk of leaving"),
    "referral": (1, 5.4, SHOWN, "recommended by an\nearlier customer"),
    "leads": (2, 5.4, SHOWN, "leads, paths of\nchannels, hours"),
    "orders": (2, 2.9, SHOWN, "orders, lines,\ncosts, returns"),
    "promises": (2, 0.5, SHOWN, "promises kept\nor broken"),
    "loyalty": (3, 4.3, SHOWN, "loyalty programme"),
    "cases": (3, 2.9, SHOWN, "service cases,\nlate replies"),
    "left": (3, 1.4, UNSEEN, "leaves for good"),
    "contract": (4, 0.7, SHOWN, "contracts"),
    "surveys": (4, 2.9, SHOWN, "surveys, trust"),
    "value": (4, 4.3, UNSEEN, "true value, tier,\neffects (truth)"),
}
ARROWS = [
    ("traits", "rate"), ("market", "rate"), ("traits", "referral"), ("referral", "leads"), ("rate", "orders"),
    ("market", "leads"), ("season", "orders"), ("quiet", "orders"), ("trials", "orders"), ("orders", "loyalty"),
    ("loyalty", "orders"), ("orders", "cases"), ("cases", "left"), ("rate", "left"), ("promises", "left"),
    ("trials", "left"), ("trials", "contract"), ("left", "contract"), ("cases", "surveys"), ("promises", "surveys"),
    ("left", "value"), ("orders", "value"), ("orders", "referral"), ("traits", "loyalty"),
    ("budget", "leads"), ("moods", "left"), ("moods", "surveys"),
]  # fmt: skip
WIDTH, HEIGHT, ACROSS = 2.1, 0.86, 2.75


def draw(path: Path) -> None:
    """Write the picture."""
    figure, axes = plt.subplots(figsize=(12, 7.2))
    for column, row, colour, text in BOXES.values():
        corner = (column * ACROSS - WIDTH / 2, row - HEIGHT / 2)
        axes.add_patch(
            FancyBboxPatch(
                corner, WIDTH, HEIGHT, boxstyle="round,pad=0.02", facecolor=colour, edgecolor="#555", zorder=2
            )
        )
        axes.text(column * ACROSS, row, text, ha="center", va="center", fontsize=9.5, zorder=3)
    for start, end in ARROWS:
        axes.add_patch(_arrow(start, end))
    for place, (colour, text) in enumerate(
        [(SHOWN, "in the tables"), (UNSEEN, "only in the truth"), (CHANCE, "randomised")]
    ):
        left = -1.05 + 2.6 * place
        axes.add_patch(
            FancyBboxPatch(
                (left, 7.45),
                0.3,
                0.2,
                boxstyle="round,pad=0.02",
                facecolor=colour,
                edgecolor="#555",
                zorder=2,
            )
        )
        axes.text(left + 0.45, 7.55, text, va="center", fontsize=10)
    axes.set(xlim=(-1.3, 4 * ACROSS + 1.2), ylim=(-0.1, 7.9))
    axes.set_title("The simulated firm: what depends on what", loc="left", fontsize=13)
    axes.axis("off")
    figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def _arrow(start: str, end: str) -> FancyArrowPatch:
    """An arrow from box to box; one that goes back, or past another box, is bent."""
    (c0, r0, *_), (c1, r1, *_) = BOXES[start], BOXES[end]
    step = 0 if c1 == c0 else (1 if c1 > c0 else -1)
    tail = (c0 * ACROSS + step * WIDTH / 2, r0 if step else r0 + (HEIGHT / 2 if r1 > r0 else -HEIGHT / 2))
    head = (c1 * ACROSS - step * WIDTH / 2, r1 if step else r1 - (HEIGHT / 2 if r1 > r0 else -HEIGHT / 2))
    bend = {("loyalty", "orders"): -0.3, ("orders", "referral"): 0.2, ("orders", "loyalty"): -0.2}.get(
        (start, end), 0.0
    )
    return FancyArrowPatch(
        tail,
        head,
        arrowstyle="-|>",
        mutation_scale=13,
        color="#666",
        connectionstyle=f"arc3,rad={bend}",
        shrinkA=2,
        shrinkB=2,
    )


if __name__ == "__main__":
    draw(Path(__file__).parents[2] / "docs" / "simulated-firm.png")
