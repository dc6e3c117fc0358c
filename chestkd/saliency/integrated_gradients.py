"""Integrated gradients, equation (3) of the paper (Sundararajan et al., 2017)."""

from dataclasses import dataclass

import numpy as np

from chestkd.saliency.logit import Logit, add_groups

# Below this difference of logits the completeness error is absolute, in this unit.
SMALLEST_DIFFERENCE = 0.1


@dataclass(frozen=True)
class Integrated:
    """Integrated gradients, and how well they add up."""

    #: (N, H, W) float32, in logits: what each pixel adds to the logit of the baseline.
    maps: np.ndarray
    #: (N,) float64: `|sum of the map - (logit of the image - logit of the baseline)|`, divided by
    #: that difference of logits or, where this is smaller, by SMALLEST_DIFFERENCE.
    errors: np.ndarray
    #: (N,) int64: gradients that went into each map.
    steps: np.ndarray


def integrated_gradients(
    logit: Logit,
    images: np.ndarray,
    *,
    baseline: float | np.ndarray = 0.0,
    steps: int = 32,
    tolerance: float | None = 0.01,
    most_steps: int = 512,
) -> Integrated:
    """Equation (3), by Gauss-Legendre quadrature on the straight path from `baseline`.

    `baseline` is a gray level or an image (H, W); 0 is a black radiograph. An image whose error
    is above `tolerance` is computed again with twice the steps, unless that were more than
    `most_steps`; `errors` of what is returned says how close it came. None: `steps` steps for all.
    """
    images = logit.check(images)
    if steps < 1 or (tolerance is not None and most_steps < steps):
        raise ValueError(f"need 1 <= steps <= most_steps, received {steps} and {most_steps}")
    start = np.broadcast_to(np.asarray(baseline, np.float32), images.shape[1:])
    _, values = logit.gradients(np.concatenate([start[None], images]))
    difference = values[1:] - values[0]
    scale = np.maximum(np.abs(difference), SMALLEST_DIFFERENCE)
    maps = np.empty_like(images)
    errors, used = np.empty(len(images)), np.empty(len(images), np.int64)
    left = np.arange(len(images))
    while True:
        maps[left] = integrate(logit, images[left], baseline, steps)
        total = maps[left].sum(axis=(1, 2), dtype=np.float64)
        errors[left] = np.abs(total - difference[left]) / scale[left]
        used[left] = steps
        left = left[errors[left] > tolerance] if tolerance is not None else left[:0]
        steps *= 2
        if not len(left) or steps > most_steps:
            return Integrated(maps, errors, used)


def integrate(
    logit: Logit, images: np.ndarray, baseline: float | np.ndarray, steps: int
) -> np.ndarray:
    """The maps of `integrated_gradients` alone, in `steps` steps, without their errors."""
    if steps < 1:
        raise ValueError(f"need at least 1 step, received {steps}")
    start = np.broadcast_to(np.asarray(baseline, np.float32), images.shape[1:])
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    shares = ((nodes + 1) / 2).astype(np.float32)  # of the path, from 0 to 1

    def points(numbers: np.ndarray) -> np.ndarray:
        image, node = np.divmod(numbers, steps)
        return start + shares[node, None, None] * (images[image] - start)

    average = np.zeros(images.shape)
    for numbers, gradients, _ in logit.gradients_at(points, len(images) * steps):
        image, node = np.divmod(numbers, steps)
        add_groups(average, image, weights[node, None, None] / 2 * gradients)
    return (average * (images - start)).astype(np.float32)
