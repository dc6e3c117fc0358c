"""Exact areas under the ROC curve, with intervals from a bootstrap over patients.

Images of one patient resemble each other, so a resample draws whole patients: every image
of a patient counts as often as the patient was drawn. A resample is thus a vector of integer
weights, and its AUC is the weighted Mann-Whitney statistic, ties counted one half. Two models
are compared on the same resamples.
"""

from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from chestkd.evaluation.intervals import Estimate
from chestkd.findings import FINDINGS

MEAN = "Mean"
_BLOCK_ELEMENTS = 4_000_000  # resamples x images in memory at once: 32 MB of float64


def auc_scores(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """AUC per column, (C,) float64: NaN where a column lacks positives or negatives.

    ``labels`` (N, C) in {0, 1}; ``scores`` (N, C), any increasing function of probability.
    """
    _check_pair(labels, scores)
    return np.array(
        [
            roc_auc_score(truth, score) if 0 < truth.sum() < len(truth) else np.nan
            for truth, score in zip(labels.T, scores.T, strict=True)
        ]
    )


def mean_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean of the AUCs that are defined; ValueError where none is."""
    areas = auc_scores(labels, scores)
    if np.isnan(areas).all():
        raise ValueError(f"no finding has both positives and negatives among {len(labels)} images")
    return float(np.nanmean(areas))


@dataclass(frozen=True)
class Resamples:
    """How often each of P patients, and so each of N images, counts in each of R resamples."""

    counts: np.ndarray  #: (R, P) int16, each row adds up to P
    patient: np.ndarray  #: (N,) int64, the column of `counts` of an image's patient

    @classmethod
    def draw(cls, patients: np.ndarray, resamples: int, seed: int = 0) -> "Resamples":
        """Draw R resamples with replacement from the distinct values of ``patients`` (N,)."""
        if resamples < 1:
            raise ValueError(f"resamples must be at least 1, not {resamples}")
        unique, patient = np.unique(patients, return_inverse=True)
        generator = np.random.default_rng(seed)
        drawn = generator.integers(len(unique), size=(resamples, len(unique)))
        counts = np.stack([np.bincount(row, minlength=len(unique)) for row in drawn])
        return cls(counts.astype(np.int16), patient)

    @property
    def weights(self) -> np.ndarray:
        """How often each image counts in each resample, (R, N) float64."""
        return self.counts[:, self.patient].astype(np.float64)

    def auc_scores(self, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """AUC of every resample and column, (R, C) float64, NaN where undefined."""
        _check_pair(labels, scores)
        if len(labels) != len(self.patient):
            raise ValueError(f"{len(labels)} labels for resamples of {len(self.patient)} images")
        columns = [self._auc(*column) for column in zip(labels.T, scores.T, strict=True)]
        return np.stack(columns, axis=1)

    def _auc(self, truth: np.ndarray, score: np.ndarray) -> np.ndarray:
        order = np.argsort(score, kind="stable")
        starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))  # one start per tied group
        positive = truth[order].astype(bool)
        patient = self.patient[order]
        block = max(1, _BLOCK_ELEMENTS // len(order))
        parts = [
            _weighted_auc(self.counts[start : start + block][:, patient], positive, starts)
            for start in range(0, len(self.counts), block)
        ]
        return np.concatenate(parts)


def _weighted_auc(weights: np.ndarray, positive: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """AUC (R,) of weights (R, N) in the order of the scores, tied groups at ``starts``."""
    ones = np.add.reduceat(weights * positive, starts, axis=1, dtype=np.float64)
    zeros = np.add.reduceat(weights * ~positive, starts, axis=1, dtype=np.float64)
    below = np.cumsum(zeros, axis=1) - zeros / 2
    pairs = ones.sum(axis=1) * zeros.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return (ones * below).sum(axis=1) / np.where(pairs > 0, pairs, np.nan)


def auc_table(
    labels: np.ndarray,
    scores: np.ndarray,
    patients: np.ndarray,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """AUC of each finding and their mean, each with its interval over patients.

    ``labels`` (N, 14) in {0, 1}, ``scores`` (N, 14), ``patients`` (N,). Columns: ``finding``,
    ``auc``, ``low``, ``high``, ``positives``, ``negatives``, ``note``. A finding without
    positives or negatives has no AUC: its note says so and the mean leaves it out. The interval
    of the mean uses the resamples in which every finding of the mean is defined.
    """
    areas = auc_scores(labels, scores)
    drawn = Resamples.draw(patients, resamples, seed).auc_scores(labels, scores)
    positives = labels.sum(axis=0, dtype=int)
    rows = []
    for index, name in enumerate(FINDINGS):
        estimate = Estimate.of(areas[index], drawn[:, index])
        counts = (positives[index], len(labels) - positives[index])
        rows.append((name, *astuple(estimate), *counts, _note(*counts)))
    defined = ~np.isnan(areas)
    if not defined.any():
        raise ValueError(f"no finding has both positives and negatives among {len(labels)} images")
    mean = Estimate.of(areas[defined].mean(), drawn[:, defined].mean(axis=1))
    note = "" if defined.all() else f"of {defined.sum()} findings"
    rows.append((MEAN, *astuple(mean), int(positives.sum()), int((labels == 0).sum()), note))
    columns = ["finding", "auc", "low", "high", "positives", "negatives", "note"]
    return pd.DataFrame(rows, columns=columns)


def auc_difference(
    labels: np.ndarray,
    scores: np.ndarray,
    reference_scores: np.ndarray,
    patients: np.ndarray,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Difference of mean AUC, ``scores`` minus ``reference_scores``, on the same resamples."""
    areas, reference = auc_scores(labels, scores), auc_scores(labels, reference_scores)
    drawn = Resamples.draw(patients, resamples, seed)
    defined = ~np.isnan(areas)
    difference = drawn.auc_scores(labels[:, defined], scores[:, defined]) - drawn.auc_scores(
        labels[:, defined], reference_scores[:, defined]
    )
    return Estimate.of((areas - reference)[defined].mean(), difference.mean(axis=1))


def _note(positives: int, negatives: int) -> str:
    if not positives:
        return "n/a (0 positives)"
    return "" if negatives else "n/a (0 negatives)"


def _check_pair(labels: np.ndarray, scores: np.ndarray) -> None:
    if labels.ndim != 2 or labels.shape != scores.shape:
        raise ValueError(
            f"labels and scores must have one shape (N, C); "
            f"received {labels.shape} and {scores.shape}"
        )
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).any(axis=1).sum())
        raise ValueError(f"{bad} of {len(scores)} images have a score that is not finite")
