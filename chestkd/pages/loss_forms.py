"""What each form of the loss tells a student: its gradients by the student's logits, its AUC.

The gradients are those of `chestkd.distillation.losses` by automatic differentiation; no formula is
differentiated by hand.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from chestkd.distillation import losses
from chestkd.distillation.formulas import FORMULAS
from chestkd.evaluation.auc import auc_difference, auc_scores
from chestkd.networks import backend
from chestkd.pages.table_3 import run_auc_table
from chestkd.training.store import Run

# A gradient shorter than this is rounding noise: logits are float32, its terms below 1.
ROUNDING = 1e-6
_COLORS = sns.color_palette("colorblind")
# Column suffix to legend.
_IMAGES = {"findings": "images with findings", "none": "images without"}


def terms(alpha: float, temperature: float) -> dict[str, Callable[..., Any]]:
    """The hard and the soft term of both families and the four totals, by name.

    Each maps labels, student logits and teacher logits (N, 14) to losses (N,). The soft terms are
    weighted as in the forms: per finding with alpha T^2, softmax with 1.
    """
    totals = {
        f"total, {formula.title}": partial(
            losses.LOSSES[name], alpha=alpha, temperature=temperature
        )
        for name, formula in FORMULAS.items()
    }
    return {
        "hard, per finding": lambda y, s, t: losses.binary_cross_entropy(y, s),
        "hard, softmax": lambda y, s, t: losses.softmax_cross_entropy(y, s),
        "soft, per finding": lambda y, s, t: losses.soft_sigmoid(s, t, temperature),
        "soft, softmax": lambda y, s, t: losses.soft_softmax(s, t, temperature),
        **totals,
    }


def gradients(
    functions: Mapping[str, Callable[..., Any]],
    labels: np.ndarray,
    student_logits: np.ndarray,
    teacher_logits: np.ndarray,
) -> dict[str, np.ndarray]:
    """The gradient (N, 14) float32 of each loss by the student's logits, image by image.

    ``functions`` map labels, student and teacher logits, (N, 14) each, to losses (N,).
    """

    def gradient(loss: Callable[..., Any]) -> np.ndarray:
        return backend.gradients(
            lambda logits: loss(labels, logits, teacher_logits), student_logits
        )

    return {name: gradient(loss) for name, loss in functions.items()}


def gradient_table(gradients: Mapping[str, np.ndarray], labels: np.ndarray) -> pd.DataFrame:
    """How long each gradient (N, 14) is, and how much of it moves all logits together.

    ``loss``; ``length, findings`` and ``length, none``: mean Euclidean length over the images with
    findings and over those without; ``level, findings`` and ``level, none``: the mean share, 0 to
    1, of that length along (1, ..., 1), which is how a constant added to all 14 logits changes the
    loss. No share where the gradient is 0. Less than `ROUNDING` is 0.
    """
    present = labels.any(axis=1)
    rows = []
    for name, gradient in gradients.items():
        length = np.linalg.norm(gradient.astype(np.float64), axis=1)
        level = np.abs(gradient.sum(axis=1, dtype=np.float64)) / np.sqrt(gradient.shape[1])
        images = {"findings": present, "none": ~present}
        long = {suffix: chosen & (length > ROUNDING) for suffix, chosen in images.items()}
        rows.append(
            {"loss": name}
            | {f"length, {suffix}": _mean(length[chosen]) for suffix, chosen in images.items()}
            | {
                f"level, {suffix}": _mean(level[chosen] / length[chosen])
                for suffix, chosen in long.items()
            }
        )
    return pd.DataFrame(rows)


def _mean(values: np.ndarray) -> float:
    mean = float(values.mean()) if len(values) else float("nan")
    return 0.0 if mean < ROUNDING else mean


def draw_gradients(table: pd.DataFrame) -> Figure:
    """Two panels from `gradient_table`: lengths, and shares along (1, ..., 1)."""
    figure, (lengths, levels) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    places = np.arange(len(table))[::-1]
    for axes, quantity in ((lengths, "length"), (levels, "level")):
        for shift, color, (suffix, label) in zip(
            (0.2, -0.2), _COLORS, _IMAGES.items(), strict=False
        ):
            values = table[f"{quantity}, {suffix}"]
            bars = axes.barh(places + shift, values.fillna(0), 0.36, label=label, color=color)
            axes.bar_label(bars, [f" {x:.2g}" if x == x else " n/a" for x in values], fontsize=7)
        axes.margins(x=0.12)
    lengths.set(xlabel="mean length of the gradient")
    levels.set(xlabel="share of it along (1, ..., 1)")
    lengths.set_yticks(places, table["loss"])
    levels.legend(frameon=False, fontsize=8, loc="lower right")
    sns.despine(figure)
    figure.tight_layout()
    return figure


def any_finding_auc(labels: np.ndarray, logits: np.ndarray) -> float:
    """AUC of "has any finding" by the highest of the 14 logits; NaN where all images agree."""
    present = labels.any(axis=1).astype(int)
    return float(auc_scores(present[:, None], logits.max(axis=1)[:, None])[0])


def auc_rows(runs: Mapping[str, Run], resamples: int) -> pd.DataFrame:
    """Test AUCs of one student by the form of the loss that taught it, the first the reference.

    ``form``; ``mean AUC`` with ``low`` and ``high``; ``difference`` to the first form in points
    (AUC x 100) on the same resamples of the patients; ``any finding``: `any_finding_auc`;
    ``note``.
    """
    reference = None
    rows = []
    for form, run in runs.items():
        if run.diverged:
            rows.append({"form": form, "note": "diverged"})
            continue
        scores = run.scores()
        labels, logits = scores["labels"], scores["logits"]
        mean = run_auc_table(run, resamples=resamples).iloc[-1]
        row = {"form": form, "mean AUC": mean["auc"], **mean[["low", "high", "note"]]}
        row["any finding"] = any_finding_auc(labels, logits)
        if reference is None:
            reference = logits
        else:
            difference = auc_difference(
                labels, logits, reference, scores["patients"], resamples=resamples
            )
            row["difference"] = f"{100 * difference:+.2f}"
        rows.append(row)
    columns = ["form", "mean AUC", "low", "high", "difference", "any finding", "note"]
    return pd.DataFrame(rows, columns=columns).fillna({"difference": "", "note": ""})
