"""Exact areas under the ROC curve, with intervals from a bootstrap over patients.

Images of one patient resemble each other, so a resample draws whole patients: every image
of a patient counts as often as the patient was drawn. A resample is thus a vector of integer
weights, and its AUC is the weighted Mann-Whitney statistic, ties counted one half. Two models
are compared on the same resamples. One that draws no image with a finding, or none without it,
leaves the finding's AUC undefined; what a mean is then is said at `intervals.mean`.
"""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from chestkd.evaluation.intervals import Estimate, Measured, effective_patients, mean
from chestkd.findings import FINDINGS

MEAN = "Mean"
# A finding of fewer patients carries a mark, which tables and figures explain below themselves.
FEW_PATIENTS = 10
FEW_MARK = "†"
FEW_EXPLAINED = (
    f"{FEW_MARK} Fewer than {FEW_PATIENTS} patients with the finding, too few to rely on its "
    "interval: measured for AUCs, such 95 % intervals cover the true value in 83 to 96 % of cases "
    "at an AUC of .75, and in 85 % on average at .9."
)
_BLOCK_ELEMENTS = 100_000  # resamples x images at once, so that they stay in the cache
_REMEMBERED = 500


def _remembered(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
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


@_remembered
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
    return float(auc_scores(labels, scores)[defined_findings(labels)].mean())


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
        return text + (f"; a finding is undefined in {_percent(fewer)}" if fewer else "")

    def auc_scores(self, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """AUC of every resample and column, (R, C) float64, NaN where undefined."""
        _check_pair(labels, scores)
        if len(labels) != len(self.patient):
            raise ValueError(f"{len(labels)} labels for resamples of {len(self.patient)} images")
        return _resampled(self.counts, self.patient, labels, scores)


@_remembered
def _drawn(patients: int, resamples: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).integers(patients, size=(resamples, patients))
    counts = np.stack([np.bincount(row, minlength=patients) for row in drawn])
    return counts.astype(np.int16)


@_remembered
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
    ``auc``, ``low``, ``high``, ``positives`` and ``negatives``: images with and without it;
    ``positive patients``; ``undefined``: the share of the resamples, 0 to 1, that leave its AUC
    undefined and so have no part in its interval, or that have fewer findings in the mean (see
    `chestkd.evaluation.intervals.mean`); ``note``: why there is no AUC, `FEW_MARK` where fewer
    than `FEW_PATIENTS` patients have the finding, and ``undefined`` where it is not 0. A finding
    without positives or negatives has no AUC, and the mean leaves it out.
    """
    defined = defined_findings(labels)
    drawn = Resamples.draw(patients, resamples, seed).auc_scores(labels, scores)
    numbers = list(map(Measured, auc_scores(labels, scores), drawn.T))
    overall = mean([numbers[index] for index in np.flatnonzero(defined)])
    estimates = [number.estimate for number in (*numbers, overall)]
    present = np.column_stack([labels, labels.any(axis=1)])
    fewer = np.isnan(drawn[:, defined]).any(axis=1).mean()
    table = pd.DataFrame({"finding": [*FINDINGS, MEAN]})
    table[["auc", "low", "high"]] = [astuple(estimate) for estimate in estimates]
    for column, value in (("positives", 1), ("negatives", 0)):
        counts = (labels == value).sum(axis=0)
        table[column] = [*counts, counts.sum()]
    table["positive patients"] = [len(np.unique(patients[column > 0])) for column in present.T]
    table["undefined"] = [*(number.undefined for number in numbers), fewer]
    table["note"] = [_note(*row) for row in table.iloc[:, 4:].itertuples(index=False, name=None)]
    table.loc[table.index[-1], "note"] = _joined(
        "" if defined.all() else f"of {defined.sum()} findings",
        f"of fewer in {_percent(fewer)}" if fewer else "",
    )
    return table


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
    drawn = Resamples.draw(patients, resamples, seed)
    defined = defined_findings(labels)
    areas, others = (
        map(
            Measured, auc_scores(labels, found)[defined], drawn.auc_scores(labels, found).T[defined]
        )
        for found in (scores, reference_scores)
    )
    return mean([area - other for area, other in zip(areas, others, strict=True)]).estimate


def _note(positives: int, negatives: int, patients: int, undefined: float) -> str:
    if not positives or not negatives:
        return f"n/a (0 {'negatives' if positives else 'positives'})"
    few = f"{FEW_MARK} {patients} patient{'s' * (patients > 1)}" if patients < FEW_PATIENTS else ""
    return _joined(few, f"undefined in {_percent(undefined)}" if undefined else "")


def _joined(*notes: str) -> str:
    return ", ".join(filter(None, notes))


def _percent(share: float) -> str:
    return f"{100 * share:.2g} % of resamples"


def _check_pair(labels: np.ndarray, scores: np.ndarray) -> None:
    if labels.ndim != 2 or labels.shape != scores.shape:
        raise ValueError(
            f"labels and scores must have one shape (N, C); "
            f"received {labels.shape} and {scores.shape}"
        )
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).any(axis=1).sum())
        raise ValueError(f"{bad} of {len(scores)} images have a score that is not finite")
