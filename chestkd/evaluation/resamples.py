"""Resamples of whole patients, and the exact AUC of every resample.

Images of one patient resemble each other, so a resample draws whole patients: every image
of a patient counts as often as the patient was drawn. A resample is thus a vector of integer
weights, and its AUC is the weighted Mann-Whitney statistic, ties counted one half. One that draws
no image with a finding, or none without it, leaves the finding's AUC undefined; what a mean is then
is said at `chestkd.evaluation.intervals.mean`.
"""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chestkd.evaluation.intervals import effective_patients

_BLOCK_ELEMENTS = 100_000  # resamples x images at once, so that they stay in the cache
_REMEMBERED = 500


def remembered(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """A function of arrays that keeps its last results: tables ask for the same AUCs again."""
    results: dict[bytes, np.ndarray] = {}

    @functools.wraps(function)
    def remembering(*arguments: np.ndarray | int) -> np.ndarray:
        digest = hashlib.sha256()
        for array in map(np.asarray, arguments):
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
        key = digest.digest()
        if key not in results:
            results[key] = function(*arguments)
            if len(results) > _REMEMBERED:
                del results[next(iter(results))]
        return results[key].copy()

    return remembering


def defined_findings(labels: np.ndarray) -> np.ndarray:
    """Whether each column of ``labels`` (N, C) has an AUC, (C,) bool; ValueError where none has."""
    positives = labels.sum(axis=0, dtype=int)
    defined = (positives > 0) & (positives < len(labels))
    if not defined.any():
        raise ValueError(f"no finding has both positives and negatives among {len(labels)} images")
    return defined


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
        return cls(_drawn(len(unique), resamples, seed), patient)

    @property
    def weights(self) -> np.ndarray:
        """How often each image counts in each resample, (R, N) float64."""
        return self.counts[:, self.patient].astype(np.float64)

    def undefined(self, labels: np.ndarray) -> np.ndarray:
        """Whether each resample leaves the AUC of each column undefined, (R, C) bool."""
        patients = self.counts.shape[1]
        ones, zeros = (
            self.counts.astype(np.float64)
            @ np.stack([np.bincount(self.patient, column, patients) for column in columns], axis=1)
            for columns in (labels.T, 1 - labels.T)
        )
        return (ones == 0) | (zeros == 0)

    def describe(self, labels: np.ndarray) -> str:
        """On how many test patients intervals rest, and what they are worth; ``labels`` (N, C).

        For example "58 test patients, worth 15 with equally many images". Adds how many of the
        resamples leave undefined a finding that the images define, unless none does.
        """
        worth = f"{effective_patients(self.patient):.0f} with equally many images"
        text = f"{len(np.unique(self.patient)):,} test patients, worth {worth}"
        fewer = self.undefined(labels)[:, defined_findings(labels)].any(axis=1).mean()
        return text + (f"; a finding is undefined in {percent(fewer)}" if fewer else "")

    def auc_scores(self, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """AUC of every resample and column, (R, C) float64, NaN where undefined."""
        check_pair(labels, scores)
        if len(labels) != len(self.patient):
            raise ValueError(f"{len(labels)} labels for resamples of {len(self.patient)} images")
        return _resampled(self.counts, self.patient, labels, scores)


@remembered
def _drawn(patients: int, resamples: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).integers(patients, size=(resamples, patients))
    counts = np.stack([np.bincount(row, minlength=patients) for row in drawn])
    return counts.astype(np.int16)


@remembered
def _resampled(
    counts: np.ndarray, patient: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    columns = zip(labels.T.astype(bool), scores.T, strict=True)
    return np.stack([_column(counts, patient, *column) for column in columns], axis=1)


def _column(
    counts: np.ndarray, patient: np.ndarray, positive: np.ndarray, score: np.ndarray
) -> np.ndarray:
    ones, zeros = patient[positive], patient[~positive]
    order = np.argsort(score[~positive], kind="stable")
    ranked = score[~positive][order]
    # How many negatives score below each positive, and how many of them or with a tie.
    limits = [np.searchsorted(ranked, score[positive], side) for side in ("left", "right")]
    block = max(1, _BLOCK_ELEMENTS // len(score))
    parts = [
        _weighted_auc(rows[:, ones], rows[:, zeros[order]], *limits)
        for rows in np.split(counts, range(block, len(counts), block))
    ]
    return np.concatenate(parts)


def _weighted_auc(
    ones: np.ndarray, zeros: np.ndarray, below: np.ndarray, tied: np.ndarray
) -> np.ndarray:
    """AUC (R,) from the weights of the positives (R, K) and of the ranked negatives (R, L).

    The k-th positive scores above the first ``below[k]`` negatives, ties not counted, and above
    the first ``tied[k]`` with ties. The sums are of integers, so exact.
    """
    sums = np.zeros((len(zeros), zeros.shape[1] + 1), np.int32)
    np.cumsum(zeros, axis=1, out=sums[:, 1:])
    twice = np.einsum("rk,rk->r", sums[:, below] + sums[:, tied], ones, dtype=np.int64)
    pairs = ones.sum(axis=1, dtype=np.int64) * sums[:, -1]
    with np.errstate(invalid="ignore"):
        return twice / 2 / np.where(pairs > 0, pairs, np.nan)


def percent(share: float) -> str:
    """A share of the resamples, 0 to 1, as notes give it."""
    return f"{100 * share:.2g} % of resamples"


def check_pair(labels: np.ndarray, scores: np.ndarray) -> None:
    """Raise ValueError unless both are (N, C) and every score is finite."""
    if labels.ndim != 2 or labels.shape != scores.shape:
        raise ValueError(
            f"labels and scores must have one shape (N, C); "
            f"received {labels.shape} and {scores.shape}"
        )
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).any(axis=1).sum())
        raise ValueError(f"{bad} of {len(scores)} images have a score that is not finite")
