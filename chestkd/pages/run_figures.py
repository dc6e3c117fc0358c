"""The figures of runs: learning curves, and the AUC of every finding."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from chestkd.evaluation.auc import FEW_MARK
from chestkd.findings import readable

_COLORS = sns.color_palette("colorblind")


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Loss and AUC by epoch, one color a run, training dashed and validation solid."""
    figure, (losses, areas) = plt.subplots(1, 2, figsize=(8, 3))
    for color, (title, history) in zip(_COLORS, histories.items(), strict=False):
        style = {"color": color, "marker": "." if len(history) < 20 else None}
        losses.plot(history["epoch"], history["loss"], "--", **style)
        losses.plot(history["epoch"], history["validation_loss"], **style)
        areas.plot(history["epoch"], history["validation_auc"], label=title, **style)
    losses.plot([], [], "--", color="gray", label="training")
    losses.plot([], [], color="gray", label="validation")
    losses.set(xlabel="epoch", ylabel="loss (cross-entropy)")
    areas.set(xlabel="epoch", ylabel="validation AUC, mean of the findings")
    for axes in (losses, areas):
        axes.legend(frameon=False, fontsize=8)
        axes.xaxis.get_major_locator().set_params(integer=True)
    sns.despine(figure)
    figure.tight_layout()
    return figure


def auc_intervals(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """AUC of every finding with its interval, one color a run, in the order of the tables."""
    first = next(iter(tables.values()))
    few = first["note"].str.startswith(FEW_MARK)
    rows = first["finding"].map(readable) + np.where(few, f" {FEW_MARK}", "")
    figure, axes = plt.subplots(figsize=(7, 4.6))
    for index, (color, (title, table)) in enumerate(zip(_COLORS, tables.items(), strict=False)):
        heights = np.arange(len(rows)) + (index - (len(tables) - 1) / 2) * 0.25
        errors = np.abs(table[["low", "high"]].to_numpy().T - table["auc"].to_numpy())
        axes.errorbar(
            table["auc"], heights, xerr=errors, fmt="o", ms=4, lw=1.2, color=color, label=title
        )
    axes.set_yticks(np.arange(len(rows)), rows)
    axes.invert_yaxis()
    axes.axvline(0.5, color="gray", lw=0.8, ls=":")
    axes.set(xlabel="AUC on the test images, 95 % interval over patients")
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    sns.despine(figure)
    return figure
