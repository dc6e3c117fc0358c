"""The page on the data: the parts of the split, how often findings occur, and which together."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from chestkd.data.dataset import Dataset
from chestkd.data.splits import Split
from chestkd.evaluation.intervals import effective_patients
from chestkd.findings import FINDINGS, readable

_COLORS = sns.color_palette("colorblind")


def parts(split: Split) -> dict[str, np.ndarray]:
    """The rows of the data set in each part, by the part's name."""
    return {"training": split.train, "validation": split.validation, "test": split.test}


def summary(dataset: Dataset, split: Split) -> pd.DataFrame:
    """Images and patients, one row a part and one for all; shares are of the images, 0 to 1.

    ``effective patients``: how many with equally many images they are worth.
    """
    rows = []
    for part, members in {**parts(split), "all": np.arange(len(dataset.table))}.items():
        table = dataset.table.iloc[members]
        rows.append(
            {
                "part": part,
                "images": len(table),
                "patients": table["patient"].nunique(),
                "effective patients": effective_patients(table["patient"].to_numpy()),
                "without finding": int((dataset.labels[members].sum(axis=1) == 0).sum()),
                "AP share": (table["view"] == "AP").mean(),
                "women": (table["sex"] == "F").mean(),
                "median age": table["age"].median(),
            }
        )
    return pd.DataFrame(rows)


def label_counts(dataset: Dataset, split: Split) -> pd.DataFrame:
    """Images with each finding, rarest first: one row a finding, one column a part."""
    counts = pd.DataFrame(
        {part: dataset.labels[rows].sum(axis=0, dtype=int) for part, rows in parts(split).items()},
        index=[readable(name) for name in FINDINGS],
    )
    return counts.loc[counts.sum(axis=1).sort_values().index]


def draw_label_counts(counts: pd.DataFrame) -> Figure:
    """Stacked bars of `label_counts`."""
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


def draw_co_occurrence(lift: pd.DataFrame) -> Figure:
    """`co_occurrence_lift` as a heat map, on a logarithmic color scale."""
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
