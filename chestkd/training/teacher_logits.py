"""The teacher speaks once: its outputs for every training image and its mirror are stored.

The only augmentation is the horizontal flip, so a frozen teacher has exactly two outputs per
training image. They are computed in inference mode, stored beside the teacher's run and serve
every student of that teacher.
"""

import os

import filelock
import keras
import numpy as np

from chestkd.data.prepare import Prepared
from chestkd.data.splits import Split, require_same_split
from chestkd.training.batches import predict_logits
from chestkd.training.run_network import trained_network
from chestkd.training.store import Run


def teacher_logits(run: Run, defective: bool, prepared: Prepared, split: Split) -> np.ndarray:
    """Logits (R, 2, 14) float32 of the R training images and of their mirrors.

    Computed once per teacher, then read. Raises ValueError where the teacher was trained on
    another split, for it may have seen this one's test images.
    """
    require_same_split(run.record["data"]["split_fingerprint"], split.fingerprint)
    path = run.folder / f"taught-{'defective' if defective else 'selected'}.npz"
    with filelock.FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            temporary = path.with_name(f".{os.getpid()}-{path.name}")
            np.savez(temporary, logits=_compute(run, defective, prepared, split))
            temporary.replace(path)
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["logits"]


def _compute(run: Run, defective: bool, prepared: Prepared, split: Split) -> np.ndarray:
    model = trained_network(run, defective=defective)
    return both_views(model, prepared.images, split.train)


def both_views(model: keras.Model, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Logits (R, 2, 14) of rows of ``images`` (N, H, W) uint8 and of their mirrors."""
    views = [predict_logits(model, images, rows, mirrored=mirrored) for mirrored in (False, True)]
    return np.stack(views, axis=1)
