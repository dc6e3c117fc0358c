"""Batches of one training epoch, gathered from the memory map."""

import keras
import numpy as np


class EpochBatches(keras.utils.PyDataset):
    """One epoch: shuffled rows, each flipped left to right with probability one half.

    Order and flips are drawn from (seed, epoch) alone, so an interrupted run that starts again
    at an epoch sees the same batches, and base and taught runs of one seed see them too.

    Yields ``images`` (B, H, W, 1) uint8 and ``targets`` (B, 14) or (B, 28) float32: the labels,
    followed by the teacher's logits for the image as it is shown. The last images, fewer than
    a batch, are left out of this epoch (another epoch's order differs), because every new shape
    costs a compilation.
    """

    def __init__(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        labels: np.ndarray,
        teacher_logits: np.ndarray | None,
        *,
        batch_size: int,
        flip: bool,
        seed: int,
        epoch: int,
        steps: int | None = None,
        workers: int = 1,
    ):
        """Take ``images`` (N, H, W) uint8 and the R training rows among them.

        ``labels`` (R, 14) and ``teacher_logits`` (R, 2, 14), for the image and for its mirror,
        go with the rows. ``steps``: batches in this epoch; None: as many as the rows fill.
        """
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=8)
        generator = np.random.default_rng([seed, epoch])
        self.images, self.rows, self.labels = images, rows, labels
        self.teacher_logits = teacher_logits
        self.batch_size = min(batch_size, len(rows))
        self.steps = steps or len(rows) // self.batch_size
        self.order = generator.permutation(len(rows))
        self.flipped = generator.random(len(rows)) < (0.5 if flip else 0)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        flipped = self.flipped[chosen]
        images = self.images[self.rows[chosen]]
        images[flipped] = images[flipped, :, ::-1]
        targets = self.labels[chosen].astype(np.float32)
        if self.teacher_logits is not None:
            taught = self.teacher_logits[chosen, flipped.astype(int)]
            targets = np.concatenate([targets, taught], axis=1)  # (B, 28)
        return images[..., None], targets


def predict_logits(
    model: keras.Model,
    images: np.ndarray,
    rows: np.ndarray,
    *,
    mirrored: bool = False,
    batch_size: int = 128,
) -> np.ndarray:
    """Logits (R, 14) float32 of the given rows of ``images`` (N, H, W) uint8, or of their mirrors.

    The last batch is filled up with repetitions, so that one shape is compiled.
    """
    batch_size = min(batch_size, len(rows))
    parts = []
    for start in range(0, len(rows), batch_size):
        chosen = np.resize(rows[start : start + batch_size], batch_size)
        batch = images[chosen]
        if mirrored:
            batch = batch[:, :, ::-1]
        logits = np.asarray(model.predict_on_batch(batch[..., None]), np.float32)
        parts.append(logits[: len(rows) - start])
    return np.concatenate(parts)
