"""Figures 1 and 2 of the paper, drawn from the code: see `chestkd.pages.strategy_scheme`."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from chestkd.distillation.strategies import Strategy
from chestkd.pages.strategy_scheme import Term, flows, learner

# Colors that stay apart in every form of color blindness, and in print by their brightness.
_TRAINED, _FROZEN, _GIVEN = "#cde3f5", "#eeeeee", "#fbe6c5"
_HARD, _SOFT, _EDGE = "#b35806", "#1f5f99", "#444444"


def draw_loss(loss: list[Term]) -> Figure:
    """Figure 1: where each term of the loss comes from. Raises ValueError without a soft term."""
    soft = [term for term in loss if term.soft]
    hard = [term for term in loss if not term.soft]
    if len(soft) != 1 or len(hard) != 1:
        raise ValueError(f"expected one soft and one hard term, received {[*map(str, loss)]}")
    figure, axes = _canvas(9.2, 4.6)
    _box(axes, 0.9, 2.3, "Radiograph", _GIVEN)
    _box(axes, 3.2, 3.7, "Teacher network,\ntrained, frozen", _FROZEN, width=1.9)
    _box(axes, 3.2, 2.0, "Student network,\nin training", _TRAINED, width=1.9)
    _box(axes, 3.2, 0.55, "Labels $y$", _GIVEN, width=1.9)
    _box(axes, 6.6, 3.0, soft[0].mathtext, "white", width=2.5, edge=_SOFT)
    _box(axes, 6.6, 1.1, hard[0].mathtext, "white", width=2.5, edge=_HARD)
    _box(axes, 8.65, 2.0, "Loss\n(sum)", "white", width=0.9)
    _arrow(axes, (1.6, 2.5), (2.25, 3.5))
    _arrow(axes, (1.6, 2.25), (2.25, 2.05))
    _arrow(axes, (4.15, 3.7), (5.35, 3.2), f"${soft[0].target}$", _SOFT, (0.0, 0.22))
    _arrow(axes, (4.15, 2.15), (5.35, 2.85), f"${soft[0].prediction}$", _SOFT, (-0.12, 0.2))
    _arrow(axes, (4.15, 1.85), (5.35, 1.3), f"${hard[0].prediction}$", _HARD, (-0.1, -0.27))
    _arrow(axes, (4.15, 0.55), (5.35, 0.95), f"${hard[0].target}$", _HARD, (0.05, -0.22))
    _arrow(axes, (7.85, 2.85), (8.3, 2.4), color=_SOFT)
    _arrow(axes, (7.85, 1.25), (8.3, 1.7), color=_HARD)
    _arrow(axes, (8.2, 2.0), (4.18, 2.0), "gradient", _EDGE, (0.5, -0.18), dashed=True)
    return figure


def draw_strategies(strategies: Mapping[str, Strategy], loss: list[Term]) -> Figure:
    """Figure 2: a panel for each strategy, who learns from whom, and a key to the arrows."""
    rows = -(-(len(strategies) + 1) // 3)
    figure, grid = plt.subplots(rows, 3, figsize=(9.2, 2.75 * rows), squeeze=False)
    for axes in grid.flat:
        _frame(axes, 3.0, 2.5)
    for axes, strategy in zip(grid.flat, strategies.values(), strict=False):
        _panel(axes, strategy)
    _key(grid.flat[len(strategies)], loss)
    figure.tight_layout(pad=0.6)
    return figure


def _key(axes: Axes, loss: list[Term]) -> None:
    for row, (text, color) in enumerate([("trained now", _TRAINED), ("fixed", _FROZEN)]):
        _box(axes, 0.65, 2.0 - 0.5 * row, text, color, width=1.1, height=0.38)
    for row, term in enumerate(loss):
        kind, color = ("soft", _SOFT) if term.soft else ("hard", _HARD)
        y = 1.0 - 0.4 * row
        _arrow(axes, (0.1, y), (0.55, y), color=color)
        axes.text(0.7, y, f"{kind}: {term.comparison}", va="center", fontsize=9, color=color)


def _panel(axes: Axes, strategy: Strategy) -> None:
    axes.set_title(f"({strategy.panel}) {strategy.title}", fontsize=10, loc="left")
    taught = learner(strategy)
    places = {taught: (2.35, 1.2), "Labels": (0.65, 0.45)}
    _box(axes, *places[taught], taught, _TRAINED, width=1.1, height=0.8)
    _box(axes, *places["Labels"], "Labels", _GIVEN, width=1.2, height=0.5)
    for flow in flows(strategy):
        x, y = places.get(flow.source, (0.65, 1.75))
        if flow.kind == "soft":
            _box(axes, x, y, flow.source, _FROZEN, width=1.2, height=1.05)
        color = _SOFT if flow.kind == "soft" else _HARD
        # Into the learner's left side, above its middle for soft targets and below for labels.
        end = (1.8, 1.4 if flow.kind == "soft" else 1.0)
        shift = (0.04, 0.16 if flow.kind == "soft" else -0.2)
        _arrow(axes, (x + 0.6, y), end, flow.kind, color, shift)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure, axes = plt.subplots(figsize=(width, height))
    _frame(axes, width, height)
    return figure, axes


def _frame(axes: Axes, width: float, height: float) -> None:
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()


def _box(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    color: str,
    *,
    width: float = 1.4,
    height: float = 0.75,
    edge: str = _EDGE,
) -> None:
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(
        FancyBboxPatch(
            corner, width, height, boxstyle="round,pad=0,rounding_size=0.07", facecolor=color,
            edgecolor=edge, linewidth=1.2,
        )
    )  # fmt: skip
    axes.text(x, y, text, ha="center", va="center", fontsize=9)


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    text: str = "",
    color: str = _EDGE,
    shift: tuple[float, float] = (0.0, 0.0),
    *,
    dashed: bool = False,
) -> None:
    style = {"arrowstyle": "-|>", "color": color, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style | ({"linestyle": "--"} if dashed else {}))
    middle = ((start[0] + end[0]) / 2 + shift[0], (start[1] + end[1]) / 2 + shift[1])
    axes.text(*middle, text, ha="center", va="center", fontsize=9, color=color)
