"""Figures 1 and 2: the distillation loss, drawn from its formula, and the table of strategies.

Figure 2 has a box for each network that takes part and an arrow from whatever it learns from.
"""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from chestkd.distillation.formulas import Formula, Term
from chestkd.distillation.strategies import Strategy

# Told apart in every form of color blindness, and in gray by their brightness.
_TRAINED, _FROZEN, _GIVEN = "#cde3f5", "#eeeeee", "#fbe6c5"
_HARD, _SOFT, _EDGE = "#b35806", "#1f5f99", "#444444"

Point = tuple[float, float]


def draw_loss(formula: Formula) -> Figure:
    """Figure 1: where each term of the loss comes from.

    Raises ValueError for a formula of other terms than one hard and one soft.
    """
    hard, soft = _hard_and_soft(formula)
    figure, axes = plt.subplots(figsize=(9.2, 4.6))
    _frame(axes, 9.2, 4.6)
    _box(axes, (0.9, 2.3), "Radiograph", _GIVEN)
    _box(axes, (3.2, 3.7), "Teacher network,\ntrained, frozen", _FROZEN, 1.9)
    _box(axes, (3.2, 2.0), "Student network,\nin training", _TRAINED, 1.9)
    _box(axes, (3.2, 0.55), "Labels $y$", _GIVEN, 1.9)
    _box(axes, (6.6, 3.0), soft.mathtext, "white", 2.5, edge=_SOFT)
    _box(axes, (6.6, 1.1), hard.mathtext, "white", 2.5, edge=_HARD)
    _box(axes, (8.65, 2.0), "Loss\n(sum)", "white", 0.9)
    _arrow(axes, (1.6, 2.5), (2.25, 3.5))
    _arrow(axes, (1.6, 2.25), (2.25, 2.05))
    _arrow(axes, (4.15, 3.7), (5.35, 3.2), f"${soft.target}$", _SOFT, (0.0, 0.22))
    _arrow(axes, (4.15, 2.15), (5.35, 2.85), f"${soft.prediction}$", _SOFT, (-0.12, 0.2))
    _arrow(axes, (4.15, 1.85), (5.35, 1.3), f"${hard.prediction}$", _HARD, (-0.1, -0.27))
    _arrow(axes, (4.15, 0.55), (5.35, 0.95), f"${hard.target}$", _HARD, (0.05, -0.22))
    _arrow(axes, (7.85, 2.85), (8.3, 2.4), color=_SOFT)
    _arrow(axes, (7.85, 1.25), (8.3, 1.7), color=_HARD)
    _arrow(axes, (8.2, 2.0), (4.18, 2.0), "gradient", _EDGE, (0.5, -0.18), linestyle="--")
    return figure


def loss_words(formula: Formula) -> str:
    """Figure 1 in words, for readers who do not see it."""
    terms = "; ".join(
        f"{term} compares the student's outputs with "
        + ("the teacher's, both softened by T" if term.soft else "the labels")
        for term in formula.terms
    )
    return (
        "A radiograph goes to a frozen teacher and to a student in training. The loss is a sum: "
        f"{terms}. Its gradient changes the student only."
    )


def draw_strategies(strategies: Mapping[str, Strategy], formula: Formula) -> Figure:
    """Figure 2: a panel for each strategy, who learns from whom, and a key to the arrows."""
    rows = -(-(len(strategies) + 1) // 3)
    figure, grid = plt.subplots(rows, 3, figsize=(9.2, 2.75 * rows), squeeze=False)
    for axes in grid.flat:
        _frame(axes, 3.0, 2.5)
    for axes, strategy in zip(grid.flat, strategies.values(), strict=False):
        _panel(axes, strategy)
    _key(grid.flat[len(strategies)], formula)
    figure.tight_layout(pad=0.6)
    return figure


def table(strategies: Mapping[str, Strategy]) -> pd.DataFrame:
    """Figure 2 as a table: one row a strategy."""
    return pd.DataFrame(
        {
            "panel": f"({strategy.panel})",
            "strategy": strategy.title,
            "trained last": strategy.taught,
            "learns from": "the labels" + _and_teacher(strategy),
            "in short": strategy.meaning,
        }
        for strategy in strategies.values()
    )


def strategies_words(strategies: Mapping[str, Strategy]) -> str:
    """Figure 2 in words, for readers who do not see it."""
    return " ".join(
        f"({strategy.panel}) {strategy.title}: the {strategy.taught} network learns from the labels"
        f"{_and_teacher(strategy)}."
        for strategy in strategies.values()
    )


def _and_teacher(strategy: Strategy) -> str:
    box = _teacher_box(strategy)
    return "" if box is None else " and the " + box.replace("\n", " ").lower()


def _teacher_box(strategy: Strategy) -> str | None:
    """Who teaches, and how far it was trained; None where nobody teaches."""
    if strategy.by is None:
        return None
    itself = strategy.by == strategy.taught
    name = "Earlier copy\nof itself" if itself else f"{strategy.by.capitalize()}\nnetwork"
    return f"{name},\n{'a quarter trained' if strategy.defective else 'trained'}"


def _hard_and_soft(formula: Formula) -> tuple[Term, Term]:
    terms = sorted(formula.terms, key=lambda term: term.soft)
    if [term.soft for term in terms] != [False, True]:
        raise ValueError(f"expected one soft and one hard term, received {formula}")
    return terms[0], terms[1]


def _panel(axes: Axes, strategy: Strategy) -> None:
    """Arrows enter the learner from the left, soft targets above its middle, labels below."""
    axes.set_title(f"({strategy.panel}) {strategy.title}", fontsize=10, loc="left")
    _box(axes, (2.35, 1.2), f"{strategy.taught.capitalize()}\nnetwork", _TRAINED, 1.1, 0.8)
    _box(axes, (0.65, 0.45), "Labels", _GIVEN, 1.2, 0.5)
    _arrow(axes, (1.25, 0.45), (1.8, 1.0), "hard", _HARD, (0.04, -0.2))
    teacher = _teacher_box(strategy)
    if teacher is not None:
        _box(axes, (0.65, 1.75), teacher, _FROZEN, 1.2, 1.05)
        _arrow(axes, (1.25, 1.75), (1.8, 1.4), "soft", _SOFT, (0.04, 0.16))


def _key(axes: Axes, formula: Formula) -> None:
    _box(axes, (0.65, 2.0), "trained now", _TRAINED, 1.1, 0.38)
    _box(axes, (0.65, 1.5), "fixed", _FROZEN, 1.1, 0.38)
    for row, term in enumerate(formula.terms):
        kind, color = ("soft", _SOFT) if term.soft else ("hard", _HARD)
        y = 1.0 - 0.4 * row
        _arrow(axes, (0.1, y), (0.55, y), color=color)
        axes.text(0.7, y, f"{kind}: {term.comparison}", va="center", fontsize=9, color=color)


def _frame(axes: Axes, width: float, height: float) -> None:
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()


def _box(
    axes: Axes, center: Point, text: str, color: str, width: float = 1.4, height: float = 0.75,
    edge: str = _EDGE,
) -> None:  # fmt: skip
    corner = (center[0] - width / 2, center[1] - height / 2)
    axes.add_patch(
        FancyBboxPatch(
            corner, width, height, boxstyle="round,pad=0,rounding_size=0.07", facecolor=color,
            edgecolor=edge, linewidth=1.2,
        )
    )  # fmt: skip
    axes.text(*center, text, ha="center", va="center", fontsize=9)


def _arrow(
    axes: Axes, start: Point, end: Point, text: str = "", color: str = _EDGE,
    shift: Point = (0.0, 0.0), **style: Any,
) -> None:  # fmt: skip
    style |= {"arrowstyle": "-|>", "color": color, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)
    middle = ((start[0] + end[0]) / 2 + shift[0], (start[1] + end[1]) / 2 + shift[1])
    axes.text(*middle, text, ha="center", va="center", fontsize=9, color=color)
