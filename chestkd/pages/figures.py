"""Figures of the data and of the runs. Each function returns a matplotlib figure."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chestkd.data.dataset import Dataset
from chestkd.data.splits import Split
from chestkd.findings import FINDINGS

_BOX_COLOR = "#ffc20a"
_COLORS = sns.color_palette("colorblind")


def readable(finding: str) -> str:
    """NIH's name as a reader expects it: "Pleural thickening"."""
    return finding.replace("_", " ").capitalize()


def label_counts(dataset: Dataset, split: Split) -> Figure:
    """Images per finding in the training, validation and test part."""
    parts = {"training": split.train, "validation": split.validation, "test": split.test}
    counts = pd.DataFrame(
        {part: dataset.labels[rows].sum(axis=0, dtype=int) for part, rows in parts.items()},
        index=[readable(name) for name in FINDINGS],
    )
    counts = counts.loc[counts.sum(axis=1).sort_values().index]
    figure, axes = plt.subplots(figsize=(7, 4.2))
    counts.plot.barh(stacked=True, ax=axes, color=_COLORS[:3], width=0.8)
    for position, total in enumerate(counts.sum(axis=1)):
        axes.text(total, position, f" {total:,}", va="center", fontsize=8)
    axes.set(xlabel="images")
    axes.legend(frameon=False)
    sns.despine(figure)
    return figure


def co_occurrence_lift(labels: np.ndarray) -> pd.DataFrame:
    """How much more often two findings share an image than if they were independent, (14, 14).

    P(a and b) / (P(a) P(b)) from ``labels`` (N, 14); NaN on the diagonal and for absent findings.
    """
    present = labels.astype(np.float64)
    together = present.T @ present / len(labels)
    alone = present.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        lift = together / np.outer(alone, alone)
    np.fill_diagonal(lift, np.nan)
    names = [readable(name) for name in FINDINGS]
    return pd.DataFrame(np.where(np.isfinite(lift), lift, np.nan), index=names, columns=names)


def co_occurrence(labels: np.ndarray) -> Figure:
    """The lift of every pair of findings as a heat map, on a logarithmic color scale."""
    lift = co_occurrence_lift(labels)
    with np.errstate(divide="ignore"):
        colors = np.log2(lift).clip(-3, 3)
    figure, axes = plt.subplots(figsize=(7.6, 6.4))
    sns.heatmap(
        colors, cmap="RdBu_r", center=0, annot=lift, fmt=".1f", annot_kws={"size": 7}, ax=axes,
        cbar_kws={"label": "log2 of the lift"}, linewidths=0.4,
    )  # fmt: skip
    axes.tick_params(axis="x", rotation=60)
    plt.setp(axes.get_xticklabels(), ha="right", rotation_mode="anchor")
    return figure


def choose_examples(dataset: Dataset, seed: int) -> dict[str, int]:
    """One row per finding for Figure 3, by rule: boxed before unboxed, few labels before many.

    Among equals the choice is drawn with ``seed``. A finding without images is left out.
    """
    generator = np.random.default_rng(seed)
    boxed = set(zip(dataset.boxes["row"], dataset.boxes["finding"], strict=True))
    chosen: dict[str, int] = {}
    for index, finding in enumerate(FINDINGS):
        rows = np.flatnonzero(dataset.labels[:, index])
        if not len(rows):
            continue
        unboxed = np.array([(row, finding) not in boxed for row in rows])
        order = np.lexsort((generator.random(len(rows)), dataset.labels[rows].sum(axis=1), unboxed))
        chosen[finding] = int(rows[order[0]])
    return chosen


def draw_boxes(axes: Axes, boxes: pd.DataFrame) -> None:
    """Outline boxes given in pixels: columns x, y, w, h."""
    for x, y, width, height in boxes[["x", "y", "w", "h"]].to_numpy(float):
        outline = Rectangle((x, y), width, height, fill=False, edgecolor=_BOX_COLOR, linewidth=1.2)
        axes.add_patch(outline)
