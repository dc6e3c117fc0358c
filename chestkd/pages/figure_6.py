"""Figure 6 of the paper: the accuracy of self-training and of base training, epoch by epoch.

Accuracy is the share of (image, finding) pairs on the right side of probability one half, as the
runs record it. Most findings are absent from most images, so calling every finding absent is right
for most pairs: that share is drawn beside the curves, which mean little without it.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from chestkd.study.planned_runs import PlannedRun
from chestkd.study.presets import Preset

_COLORS = sns.color_palette("colorblind")
# The columns of a run's history that the page shows, in this order.
_SHOWN = {
    "loss": "training loss",
    "validation_loss": "validation loss",
    "accuracy": "training accuracy",
    "validation_accuracy": "validation accuracy",
    "validation_auc": "validation AUC",
}


def compared(preset: Preset, network: str = "", seed: int = -1) -> dict[str, PlannedRun]:
    """The two runs of the figure, by title: "self-training" and "base".

    Without a ``network``, the paper's where the preset has it, else its first student; without a
    ``seed``, the first.
    """
    students = preset.students or preset.networks
    network = network or ("densenet-121" if "densenet-121" in students else students[0])
    seed = preset.seeds[0] if seed < 0 else seed
    return {
        "self-training": PlannedRun("self-training", network, network, seed=seed),
        "base": PlannedRun("base", network, seed=seed),
    }


def always_absent(labels: np.ndarray) -> float:
    """Accuracy of calling every finding absent: the share of zeros in ``labels`` (N, 14)."""
    return float(1 - np.mean(labels))


def accuracy_curves(taught: pd.DataFrame, base: pd.DataFrame, absent: float) -> Figure:
    """The two panels: self-training's accuracies, and its training accuracy beside base's.

    ``taught`` and ``base`` are histories of the two runs, ``absent`` the accuracy of calling every
    finding absent on the validation images.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.1), sharey=True)
    style = {"marker": "." if len(taught) < 20 else None}
    first, second = _COLORS[:2]
    left.plot(taught["epoch"], taught["accuracy"], "--", color=first, label="training", **style)
    left.plot(
        taught["epoch"], taught["validation_accuracy"], color=first, label="validation", **style
    )
    left.axhline(absent, color="gray", lw=0.9, ls=":", label="always absent (validation)")
    left.set_title("self-training", fontsize=10)
    right.plot(
        taught["epoch"], taught["accuracy"], "--", color=first, label="self-training", **style
    )
    right.plot(base["epoch"], base["accuracy"], "--", color=second, label="base", **style)
    right.set_title("training accuracy", fontsize=10)
    left.set(ylabel="accuracy")
    for axes in (left, right):
        axes.set(xlabel="epoch")
        axes.legend(frameon=False, fontsize=8, loc="lower right")
        axes.xaxis.get_major_locator().set_params(integer=True)
    sns.despine(figure)
    figure.tight_layout()
    return figure


def histories(runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The recorded curves side by side: ``epoch``, then each quantity of each run by title."""
    columns = {
        f"{name}, {title}": history.set_index("epoch")[column]
        for column, name in _SHOWN.items()
        for title, history in runs.items()
    }
    return pd.DataFrame(columns).rename_axis("epoch").reset_index()


def summary(taught: pd.DataFrame, base: pd.DataFrame, absent: float) -> pd.DataFrame:
    """What Figure 6 is cited for, in numbers, one row a quantity.

    Accuracies at the last epoch in percent, their difference in points, and the standard
    deviation over the last quarter of the epochs, which is what "stable" can mean; NaN where
    that quarter is a single epoch.
    """
    rows = []
    for column in ("accuracy", "validation_accuracy"):
        ours, reference = 100 * taught[column], 100 * base[column]
        last = max(1, len(taught) // 4)
        rows.append(
            {
                "accuracy": _SHOWN[column].split()[0],
                "self-training": ours.iloc[-1],
                "base": reference.iloc[-1],
                "difference": ours.iloc[-1] - reference.iloc[-1],
                "deviation, self-training": ours.iloc[-last:].std(),
                "deviation, base": reference.iloc[-last:].std(),
                "always absent": 100 * absent if column == "validation_accuracy" else np.nan,
            }
        )
    return pd.DataFrame(rows)
