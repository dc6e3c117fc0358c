"""The logit of one finding as a function of the image: its values and gradients, in batches."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tqdm

from chestkd.findings import finding_index
from chestkd.networks import backend

# 2 GiB, in bytes.
DEFAULT_MEMORY = 2 << 30

# Copies kept of each activation: itself, its gradient, and room for a convolution to work in.
# Measured on CPUs, a gradient took 0.08 to 0.3 (TensorFlow) and 0.2 to 0.8 (JAX) of the estimate.
_COPIES = 4


def bytes_per_image(model: keras.Model) -> int:
    """An estimate of the memory that one image needs while its gradient is computed.

    The outputs of all layers, four times over, at four bytes a number. Weights come on top.
    """
    outputs = [layer.output for layer in model.layers]
    return 4 * _COPIES * sum(math.prod(output.shape[1:]) for output in outputs)


@dataclass(frozen=True)
class Logit:
    """What a saliency map explains: the logit of `finding` by `model`, from pixel values.

    `model` is built by `chestkd.networks.build`: one gray image (H, W, 1) in, a logit per finding
    out. Raises ValueError for any other model and for an unknown finding.
    """

    model: keras.Model
    finding: str
    #: Budget in bytes for the activations of one batch; it changes the speed, not the maps.
    memory: int = DEFAULT_MEMORY
    #: Shows a bar on stderr.
    progress: bool = False

    def __post_init__(self) -> None:
        finding_index(self.finding)
        before, after = self.model.input_shape, self.model.output_shape
        if len(before) != 4 or before[-1] != 1 or len(after) != 2:
            raise ValueError(
                "a saliency map needs a model from (N, H, W, 1) to logits (N, findings); received "
                f"one from {before} to {after}"
            )

    @property
    def index(self) -> int:
        """The column of the logit."""
        return finding_index(self.finding)

    @property
    def batch_size(self) -> int:
        """How many images fit into `memory`: the largest power of two, so that shapes repeat.

        Raises ValueError, saying how much one image needs, where not even one fits.
        """
        one = bytes_per_image(self.model)
        if self.memory < one:
            raise ValueError(
                f"memory is {self.memory:,} bytes, but one image through {self.model.name} at "
                f"{self.model.input_shape[1]} pixels needs about {one:,}"
            )
        return 1 << int(math.log2(self.memory // one))

    def check(self, images: np.ndarray) -> np.ndarray:
        """The images as float32, (N, H, W) in pixel values 0 to 255, uint8 or float.

        Raises ValueError where there are none, for another shape than the model takes, and for
        values that are not finite.
        """
        images = np.asarray(images)
        height, width = self.model.input_shape[1:3]
        if images.ndim != 3 or images.shape[1:] != (height, width):
            raise ValueError(
                f"{self.model.name} takes images (N, {height}, {width}); received {images.shape}"
            )
        if not len(images):
            raise ValueError("no images: a saliency map needs at least one")
        images = images.astype(np.float32)
        broken = ~np.isfinite(images).all(axis=(1, 2))
        if broken.any():
            raise ValueError(f"image {int(broken.argmax())} has pixels that are not finite")
        return images

    def require_finite(self, what: str, *arrays: np.ndarray) -> None:
        """Raises ValueError where a value is not finite: the weights are broken."""
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError(
                f"{self.model.name} gives {what} for {self.finding} that are not finite; are its "
                "weights finite?"
            )

    def gradients(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The gradients (N, H, W) float32, in logits per gray level, and the logits (N,)."""
        images = self.check(images)
        gradients, values = np.empty_like(images), np.empty(len(images))
        for numbers, *batch in self.gradients_at(images.__getitem__, len(images)):
            gradients[numbers], values[numbers] = batch
        return gradients, values

    def gradients_at(
        self, points: Callable[[np.ndarray], np.ndarray], count: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The gradients at `count` images that need not be in memory at the same time.

        `points` takes numbers of images (B,) and returns them, (B, H, W). Yields, batch by batch,
        the numbers, the gradients (B, H, W) float32 and the logits (B,).
        """
        size = self.batch_size
        for start in tqdm.trange(0, count, size, desc="gradients", disable=not self.progress):
            numbers = np.arange(start, min(start + size, count))
            images = points(numbers)[..., None]
            gradients, logits = backend.input_gradients(self.model, self.index, images)
            self.require_finite("logits or gradients", gradients, logits)
            yield numbers, gradients[..., 0], logits[:, self.index]


def add_groups(total: np.ndarray, numbers: np.ndarray, values: np.ndarray) -> None:
    """Add `values` (B, ...) to the rows `numbers` (B,) of `total`, in place.

    `numbers` must not decrease: rows with the same number are summed at once, which
    `numpy.add.at` would do one by one.
    """
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    total[numbers[starts]] += np.add.reduceat(values, starts, axis=0)
