"""What each form of the loss tells a student: its gradients by the student's logits, its AUC.

The gradients are those of `chestkd.distillation.losses` itself, by the automatic
differentiation of the backend in use, not formulas beside it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from keras import ops
from matplotlib.figure import Figure

from chestkd.distillation import losses
from chestkd.evaluation.auc import auc_difference, auc_scores
from chestkd.findings import FINDINGS
from chestkd.networks import backend
from chestkd.pages.table_3 import run_auc_table
from chestkd.training.store import Run

_N = len(FINDINGS)
_COLORS = sns.color_palette("colorblind")

# Which hard and soft term each form is made of, for tables and figures.
FORMS: Mapping[str, str] = {
    "sigmoid": "per finding",
    "softmax-eq5": "softmax, eq. (5)",
    "softmax-eq7": "softmax, eq. (7)",
    "softmax-eq8": "softmax, eq. (8)",
}
# A gradient shorter than this is one of rounding: logits are float32, its terms below 1.
ROUNDING = 1e-6


def terms(alpha: float, temperature: float) -> dict[str, Callable[..., Any]]:
    """The hard and the soft term of both families and the four totals, by name.

    Each maps labels, student logits and teacher logits (N, 14) to losses (N,). The soft terms
    stand as the forms weight them: per finding with alpha T^2, softmax with 1.
    """
    named: dict[str, Callable[..., Any]] = {
        "hard, per finding": lambda y, s, t: losses.binary_cross_entropy(y, s),
        "hard, softmax": lambda y, s, t: losses.softmax_cross_entropy(y, s),
        "soft, per finding": lambda y, s, t: losses.soft_sigmoid(s, t, temperature),
        "soft, softmax": lambda y, s, t: losses.soft_softmax(s, t, temperature),
    }
    for name, title in FORMS.items():
        total = losses.LOSSES[name]
        named[f"total, {title}"] = lambda y, s, t, total=total: total(
            y, s, t, alpha=alpha, temperature=temperature
        )
    return named


def gradients(
    functions: Mapping[str, Callable[..., Any]],
    labels: np.ndarray,
    student_logits: np.ndarray,
    teacher_logits: np.ndarray,
) -> dict[str, np.ndarray]:
    """The gradient (N, 14) float32 of each loss by the student's logits, image by image.

    ``functions`` map labels, student and teacher logits, (N, 14) each, to losses (N,).
    """
    stacked = np.stack([labels, student_logits, teacher_logits], axis=1)[..., None]  # (N, 3, 14, 1)
    model = _losses_as_outputs(list(functions.values()))
    found = {}
    for index, name in enumerate(functions):
        by_input, _ = backend.input_gradients(model, index, stacked.astype(np.float32))
        found[name] = by_input[:, 1, :, 0]
    return found


def _losses_as_outputs(functions: list[Callable[..., Any]]) -> keras.Model:
    """A model from (N, 3, 14, 1), labels, student and teacher, to losses (N, number of them)."""

    class Losses(keras.layers.Layer):
        def call(self, rows: Any) -> Any:
            labels, student, teacher = rows[:, 0, :, 0], rows[:, 1, :, 0], rows[:, 2, :, 0]
            return ops.stack([loss(labels, student, teacher) for loss in functions], axis=-1)

    rows = keras.Input((3, _N, 1))
    return keras.Model(rows, Losses(dtype="float32")(rows))


def gradient_table(found: Mapping[str, np.ndarray], labels: np.ndarray) -> pd.DataFrame:
    """How long each gradient is, and how much of it moves all logits together.

    ``loss``; ``length, findings`` and ``length, none``: mean Euclidean length over the images with
    findings and over those without; ``level, findings`` and ``level, none``: the mean share, 0 to
    1, of that length along (1, ..., 1), which is how a constant added to all 14 logits changes the
    loss. No share where the gradient is 0. Less than `ROUNDING` is 0.
    """
    present = labels.any(axis=1)
    rows = []
    for name, gradient in found.items():
        length = np.linalg.norm(gradient.astype(np.float64), axis=1)
        along = np.abs(gradient.sum(axis=1, dtype=np.float64)) / np.sqrt(_N)
        row: dict[str, object] = {"loss": name}
        for where, images in (("findings", present), ("none", ~present)):
            row[f"length, {where}"] = _mean(length[images])
        for where, images in (("findings", present), ("none", ~present)):
            images = images & (length > ROUNDING)
            row[f"level, {where}"] = _mean(along[images] / length[images])
        rows.append(row)
    return pd.DataFrame(rows)


def _mean(values: np.ndarray) -> float:
    if not len(values):
        return float("nan")
    mean = float(values.mean())
    return 0.0 if mean < ROUNDING else mean


def draw_gradients(table: pd.DataFrame) -> Figure:
    """Two panels from `gradient_table`: lengths, and shares along (1, ..., 1)."""
    figure, (lengths, levels) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    places = np.arange(len(table))[::-1]
    for axes, what, label in (
        (lengths, "length", "mean length of the gradient"),
        (levels, "level", "share of it along (1, ..., 1)"),
    ):
        for shift, where, title, color in (
            (0.2, "findings", "with findings", _COLORS[0]),
            (-0.2, "none", "without", _COLORS[1]),
        ):
            values = table[f"{what}, {where}"]
            bars = axes.barh(
                places + shift, values.fillna(0), 0.36, label=f"images {title}", color=color
            )
            axes.bar_label(bars, [f" {x:.2g}" if x == x else " n/a" for x in values], fontsize=7)
        axes.set(xlabel=label)
        axes.margins(x=0.12)
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
    reference = next((run for run in runs.values() if not run.diverged), None)
    rows = []
    for form, run in runs.items():
        row: dict[str, object] = {"form": form, "mean AUC": np.nan, "low": np.nan, "high": np.nan}
        row |= {"difference": "", "any finding": np.nan, "note": "diverged" if run.diverged else ""}
        if not run.diverged:
            scores = run.scores()
            labels, logits = scores["labels"], scores["logits"]
            mean = run_auc_table(run, resamples=resamples).iloc[-1]
            row |= {"mean AUC": mean["auc"], "low": mean["low"], "high": mean["high"]}
            row["any finding"] = any_finding_auc(labels, logits)
            if run is not reference and reference is not None:
                first = reference.scores()["logits"]
                difference = auc_difference(
                    labels, logits, first, scores["patients"], resamples=resamples
                )
                row["difference"] = f"{100 * difference:+.2f}"
        rows.append(row)
    return pd.DataFrame(rows)
