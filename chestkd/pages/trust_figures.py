"""Figures of the page on trust. Each function returns a matplotlib figure."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

_COLORS = sns.color_palette("colorblind")
_MARKERS = "os^DvPX*<"


def completeness_errors(
    tables: Mapping[str, pd.DataFrame], tolerance: float, most_steps: int
) -> Figure:
    """Error of integrated gradients by steps, a line a network: median, and the worst image."""
    figure, axes = plt.subplots(figsize=(6, 3.4))
    for color, marker, (title, table) in zip(_COLORS, _MARKERS, tables.items(), strict=False):
        errors = table.groupby("steps")["error"]
        axes.plot(errors.median(), color=color, marker=marker, ms=4, label=f"{title}, median")
        axes.plot(errors.max(), color=color, ls=":", label=f"{title}, worst image")
    axes.axhline(tolerance, color="gray", lw=0.8, ls="--")
    axes.text(most_steps, tolerance, f"{tolerance:.0%} ", ha="right", va="bottom", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="steps on the path")
    axes.set_ylabel("error, as a share of\nthe difference of logits")
    axes.set_xscale("log", base=2)
    axes.legend(frameon=False, fontsize=8)
    sns.despine(figure)
    figure.tight_layout()
    return figure


def randomization(table: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Similarity to the trained network's maps by share of random layers, a line a method."""
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.6), sharex=True)
    for axes, measure in zip(panels, ("rank correlation", "SSIM"), strict=True):
        for color, marker, (name, title) in zip(_COLORS, _MARKERS, titles.items(), strict=False):
            means = table[table["method"] == name].groupby("share")[measure].mean()
            shares, values = np.r_[0, means.index], np.r_[1, means]
            axes.plot(shares, values, color=color, marker=marker, ms=4, label=title)
        axes.axhline(0, color="gray", lw=0.8, ls=":")
        axes.set(xlabel="layers randomized, from the top", ylabel=measure)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    panels[1].legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    sns.despine(figure)
    figure.tight_layout()
    return figure


def localization(table: pd.DataFrame, measures: tuple[str, ...], finding: str) -> Figure:
    """One panel a measure: each map's mean with its interval, for one finding or the mean."""
    figure, panels = plt.subplots(
        1, len(measures), figsize=(2.6 * len(measures) + 1.6, 3.2), sharey=True, squeeze=False
    )
    for axes, measure in zip(panels[0], measures, strict=True):
        rows = table[(table["measure"] == measure) & (table["finding"] == finding)]
        at = np.arange(len(rows))
        errors = np.abs(rows[["low", "high"]].to_numpy().T - rows["value"].to_numpy())
        axes.errorbar(rows["value"], at, xerr=np.nan_to_num(errors), fmt="o", ms=4, lw=1.2)
        axes.set_yticks(at, rows["map"])
        axes.set(xlabel=measure, xlim=(0, None))
    panels[0][0].invert_yaxis()
    sns.despine(figure)
    figure.tight_layout()
    return figure
