"""Gradient, guided backpropagation and integrated gradients: equations (1) to (3) of the paper."""

from dataclasses import dataclass

import keras
import numpy as np

from chestkd.saliency.batching import (
    DEFAULT_MEMORY,
    add_groups,
    check_images,
    gradients_in_batches,
)
from chestkd.saliency.guided import guided_model

# Below this difference of logits the completeness error is absolute, in this unit.
SMALLEST_DIFFERENCE = 0.1


def gradient(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    *,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> np.ndarray:
    """Equation (1), dS/dx: logits per gray level, (N, H, W) float32."""
    return _gradient_and_logits(model, finding, check_images(model, images), memory, progress)[0]


def guided_backpropagation(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    *,
    least_relus: int = 1,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> np.ndarray:
    """Equation (2): the gradient, but every ReLU passes back only what is positive.

    (N, H, W) float32, logits per gray level. Raises ValueError where fewer than `least_relus`
    ReLUs are found; without any, guided backpropagation is the gradient.
    """
    guided = guided_model(model, least_relus=least_relus)
    return gradient(guided, finding, images, memory=memory, progress=progress)


@dataclass(frozen=True)
class Integrated:
    """Integrated gradients, and how well they add up."""

    # (N, H, W) float32, in logits: what each pixel adds to the logit of the baseline.
    maps: np.ndarray
    # (N,) float64: |sum of the map - (logit of the image - logit of the baseline)|, divided by
    # that difference of logits or, where this is smaller, by SMALLEST_DIFFERENCE.
    errors: np.ndarray
    # (N,) int64: gradients that went into each map.
    steps: np.ndarray


def integrated_gradients(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    *,
    baseline: float | np.ndarray = 0.0,
    steps: int = 32,
    tolerance: float | None = 0.01,
    most_steps: int = 512,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> Integrated:
    """Equation (3), by Gauss-Legendre quadrature on the straight path from `baseline`.

    `baseline` is a gray level or an image (H, W); the paper's zero is a black radiograph. An
    image whose error is above `tolerance` is computed again with twice the steps, until they
    would pass `most_steps`; read `errors` of what is returned. None: `steps` steps for all.
    """
    images = check_images(model, images)
    if steps < 1 or (tolerance is not None and most_steps < steps):
        raise ValueError(f"need 1 <= steps <= most_steps, received {steps} and {most_steps}")
    start = np.broadcast_to(np.asarray(baseline, np.float32), images.shape[1:])
    difference = _logit_differences(model, finding, images, start, memory)
    scale = np.maximum(np.abs(difference), SMALLEST_DIFFERENCE)
    maps = np.empty_like(images)
    errors, used = np.empty(len(images)), np.empty(len(images), np.int64)
    left = np.arange(len(images))
    while True:
        maps[left] = integrate(model, finding, images[left], start, steps, memory, progress)
        total = maps[left].sum(axis=(1, 2), dtype=np.float64)
        errors[left] = np.abs(total - difference[left]) / scale[left]
        used[left] = steps
        left = left[errors[left] > tolerance] if tolerance is not None else left[:0]
        steps *= 2
        if not len(left) or steps > most_steps:
            return Integrated(maps, errors, used)


def integrate(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    start: np.ndarray,
    steps: int,
    memory: int,
    progress: bool,
) -> np.ndarray:
    """The maps of `integrated_gradients` alone, from `start` (H, W), without their errors."""
    if steps < 1:
        raise ValueError(f"need at least 1 step, received {steps}")
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    shares = ((nodes + 1) / 2).astype(np.float32)  # of the path, from 0 to 1

    def points(numbers: np.ndarray) -> np.ndarray:
        of, at = np.divmod(numbers, steps)
        return start + shares[at, None, None] * (images[of] - start)

    average = np.zeros(images.shape)
    count = len(images) * steps
    for numbers, gradients, _ in gradients_in_batches(
        model, finding, points, count, memory, progress
    ):
        of, at = np.divmod(numbers, steps)
        add_groups(average, of, weights[at, None, None] / 2 * gradients)
    return (average * (images - start)).astype(np.float32)


def _logit_differences(
    model: keras.Model, finding: str, images: np.ndarray, start: np.ndarray, memory: int
) -> np.ndarray:
    ends = np.concatenate([start[None], images])
    logits = _gradient_and_logits(model, finding, ends, memory, progress=False)[1]
    return logits[1:] - logits[0]


def _gradient_and_logits(
    model: keras.Model, finding: str, images: np.ndarray, memory: int, progress: bool
) -> tuple[np.ndarray, np.ndarray]:
    maps, logits = np.empty_like(images), np.empty(len(images))
    batches = gradients_in_batches(
        model, finding, images.__getitem__, len(images), memory, progress
    )
    for numbers, gradients, of_batch in batches:
        maps[numbers], logits[numbers] = gradients, of_batch
    return maps, logits
