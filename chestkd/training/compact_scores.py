"""Test scores in a sixth of their size, for records that lie beside the book.

An AUC depends on the order of the scores alone. So the rank of every score is stored, in two bytes,
and of each finding's logits a few quantiles, between which the others are interpolated: every AUC
and interval is the same to the last digit, and logits are accurate to a few hundredths of their
standard deviation. What the runs of one test part share is stored once, beside their folders::

    test-<hash>.npz     labels (N, 14), images and patients (N,)
    <run>/scores.npz    low and high bytes of the ranks (14, N), quantiles (14, K), the hash
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_SHARED = ("labels", "images", "patients")
_HALF = 16


def write(scores: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write the scores of a run, as `Run.scores` returns them, into its folder and beside it.

    Raises ValueError where reading them back would not give the same order.
    """
    packed = _pack(scores["logits"])
    if any(
        not np.array_equal(_ranks(column)[1], _ranks(read)[1])
        for column, read in zip(scores["logits"].T, _unpack(**packed).T, strict=True)
    ):
        raise ValueError(f"{folder}: 16 bits cannot keep the order of these logits")
    shared = {name: scores[name] for name in _SHARED}
    digest = hashlib.sha256()
    for array in shared.values():
        digest.update(array.tobytes())
    test = digest.hexdigest()[:10]
    np.savez_compressed(_shared_file(folder, test), allow_pickle=False, **shared)
    np.savez_compressed(folder / "scores.npz", allow_pickle=False, test=test, **packed)


def shared_by(folder: Path) -> Path:
    """The file with what the run in a folder shares with the others of its test part."""
    with np.load(folder / "scores.npz", allow_pickle=False) as stored:
        return _shared_file(folder, str(stored["test"]))


def read(stored: Mapping[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    """Logits (N, 14) float64 and the shared arrays, from what is in a run's `scores.npz`."""
    logits = _unpack(stored["low"], stored["high"], stored["quantiles"])
    with np.load(_shared_file(folder, str(stored["test"])), allow_pickle=False) as shared:
        return {"logits": logits, **shared}


def _shared_file(folder: Path, test: str) -> Path:
    return folder.parent / f"test-{test}.npz"


def _ranks(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different values in ascending order, and which of them each element is."""
    values, ranks = np.unique(column, return_inverse=True)
    return values, ranks


def _quantile_ranks(count: int) -> np.ndarray:
    """The ranks of the stored quantiles of ``count`` values: the closer, the nearer to an end."""
    lower = np.arange(_HALF + 1) ** 2 * (count - 1) // (2 * _HALF**2)
    return np.unique([lower, count - 1 - lower])


def _pack(logits: np.ndarray) -> dict[str, np.ndarray]:
    columns = [_ranks(column) for column in logits.T]
    ranks = np.stack([ranks for _, ranks in columns]).astype("<u2")
    quantiles = np.full((len(columns), 2 * _HALF + 2), np.nan, np.float32)
    for row, (values, _) in zip(quantiles, columns, strict=True):
        kept = values[_quantile_ranks(len(values))]
        row[: len(kept)] = kept
    # The high bytes compress well when they are not among the low ones.
    low, high = np.moveaxis(ranks.view(np.uint8).reshape(*ranks.shape, 2), -1, 0)
    return {"low": low, "high": high, "quantiles": quantiles}


def _unpack(low: np.ndarray, high: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    columns = []
    for ranks, row in zip(256 * high.astype(int) + low, quantiles, strict=True):
        known = _quantile_ranks(ranks.max() + 1)
        columns.append(np.interp(ranks, known, row[: len(known)]))
    return np.stack(columns, axis=1)
