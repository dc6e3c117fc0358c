"""Many gradients in batches that fit a memory budget."""

import math
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tqdm

from chestkd.findings import finding_index
from chestkd.networks import backend

# 2 GiB, in bytes.
DEFAULT_MEMORY = 2 << 30

# Numbers held for each activation: itself, its gradient, and room for a convolution to work in.
# Measured on CPUs, a gradient took 0.08 to 0.3 (TensorFlow) and 0.2 to 0.8 (JAX) of the estimate.
_COPIES = 4


def bytes_per_image(model: keras.Model) -> int:
    """An estimate of what one image occupies while its gradient is computed.

    The outputs of all layers, four times over, at four bytes a number. Weights come on top.
    """
    outputs = [layer.output for layer in model.layers]
    return 4 * _COPIES * sum(math.prod(output.shape[1:]) for output in outputs)


def batch_size(model: keras.Model, memory: int) -> int:
    """How many images fit into `memory` bytes: the largest power of two, so that shapes repeat.

    Raises ValueError where not even one image fits, saying how much one needs.
    """
    one = bytes_per_image(model)
    if memory < one:
        raise ValueError(
            f"memory is {memory:,} bytes, but one image through {model.name} at "
            f"{model.input_shape[1]} pixels needs about {one:,}"
        )
    return 1 << int(math.log2(memory // one))


def check_images(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """The images as float32, (N, H, W) in pixel values.

    Raises ValueError for another shape than the model takes, for values that are not finite, and
    for a model that does not map one gray image to logits.
    """
    if len(model.input_shape) != 4 or model.input_shape[-1] != 1 or len(model.output_shape) != 2:
        raise ValueError(
            "a saliency map needs a model from (N, H, W, 1) to logits (N, findings); received one "
            f"from {model.input_shape} to {model.output_shape}"
        )
    images = np.asarray(images)
    size = model.input_shape[1:3]
    if images.ndim != 3 or images.shape[1:] != size:
        raise ValueError(
            f"{model.name} takes images (N, {size[0]}, {size[1]}); received {images.shape}"
        )
    if not len(images):
        raise ValueError("no images: a saliency map needs at least one")
    images = images.astype(np.float32)
    broken = ~np.isfinite(images).all(axis=(1, 2))
    if broken.any():
        raise ValueError(f"image {int(broken.argmax())} has pixels that are not finite")
    return images


def add_groups(total: np.ndarray, numbers: np.ndarray, values: np.ndarray) -> None:
    """Add `values` (B, ...) to the rows `numbers` (B,) of `total`, in place.

    `numbers` must not decrease: rows that stand together are summed at once, which
    `numpy.add.at` would do one by one.
    """
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    total[numbers[starts]] += np.add.reduceat(values, starts, axis=0)


def gradients_in_batches(
    model: keras.Model,
    finding: str,
    points: Callable[[np.ndarray], np.ndarray],
    count: int,
    memory: int,
    progress: bool,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The gradient of the finding's logit at `count` points, batch by batch.

    `points` takes numbers of points (B,) and returns images (B, H, W). Yields the numbers, the
    gradients (B, H, W) float32 in logits per gray level, and the logits of the finding (B,).
    Raises ValueError where a gradient is not finite.
    """
    index = finding_index(finding)
    size = batch_size(model, memory)
    for start in tqdm.trange(0, count, size, desc="gradients", disable=not progress):
        numbers = np.arange(start, min(start + size, count))
        gradients, logits = backend.input_gradients(model, index, points(numbers)[..., None])
        if not (np.isfinite(gradients).all() and np.isfinite(logits).all()):
            raise ValueError(
                f"{model.name} gives logits or gradients for {finding} that are not finite; are "
                "its weights?"
            )
        yield numbers, gradients[..., 0], logits[:, index]
