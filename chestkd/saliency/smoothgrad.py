"""SmoothGrad, equation (4): the average of a map over noisy copies of the image."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import tqdm

from chestkd.saliency.gradient import gradient
from chestkd.saliency.integrated_gradients import (
    MID_GRAY,
    MOST_STEPS,
    TOLERANCE,
    Integrated,
    concatenate,
    integrate,
    together,
)
from chestkd.saliency.logit import Logit, add_groups


def smoothgrad(
    logit: Logit,
    images: np.ndarray,
    *,
    generator: np.random.Generator,
    base: Callable[[Logit, np.ndarray], np.ndarray] = gradient,
    samples: int = 25,
    sigma: float = 0.15,
) -> np.ndarray:
    """The mean of `base` over `samples` copies of each image with normal noise added.

    `base` takes the logit and images (B, H, W) to maps (B, H, W). The noise has a standard
    deviation of `sigma` times the image's own range, highest minus lowest gray level (Smilkov et
    al., 2017); it is not clipped to 0..255. A constant image has no range, so its map is `base`
    itself. Each image has a stream of its own, spawned from `generator`: its noise depends neither
    on the memory nor on the other images in the batch.

    Returns (N, H, W) float32 in the unit of `base`.
    """
    images = logit.check(images)
    quiet = replace(logit, progress=False)
    total = np.zeros(images.shape)
    with tqdm.tqdm(total=len(images), desc="noisy images", disable=not logit.progress) as bar:
        for numbers, noisy in _noisy(images, samples, sigma, generator, logit.batch_size):
            add_groups(total, numbers, base(quiet, noisy))
            bar.update(len(numbers) / samples)
    return (total / samples).astype(np.float32)


def smoothgrad_integrated_gradients(
    logit: Logit,
    images: np.ndarray,
    *,
    generator: np.random.Generator,
    baseline: float | np.ndarray = MID_GRAY,
    tolerance: float = TOLERANCE,
    most_steps: int = MOST_STEPS,
    samples: int = 25,
    sigma: float = 0.15,
) -> Integrated:
    """SmoothGrad of integrated gradients, the map that the paper prefers, in logits.

    The noise is that of `smoothgrad`. `tolerance` and `most_steps` apply to the average map of all
    copies of an image and its completeness error, as errors of single copies cancel in part.
    """
    images = logit.check(images)
    size = samples * max(1, together(logit) // max(samples, 1))
    parts = []
    with tqdm.tqdm(total=len(images), desc="noisy images", disable=not logit.progress) as bar:
        for _, noisy in _noisy(images, samples, sigma, generator, size):
            copies = noisy.reshape(-1, samples, *images.shape[1:])
            parts.append(integrate(logit, copies, baseline, tolerance, most_steps))
            bar.update(len(copies))
    return concatenate(parts)


def _noisy(
    images: np.ndarray, samples: int, sigma: float, generator: np.random.Generator, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers of images (B,) and noisy copies of them (B, H, W), at most `size` at a time."""
    if samples < 1 or not 0 <= sigma < np.inf:
        raise ValueError(f"need samples >= 1 and sigma >= 0, received {samples} and {sigma}")
    streams = generator.spawn(len(images))
    deviations = sigma * np.ptp(images, axis=(1, 2))
    copies = np.repeat(np.arange(len(images)), samples)
    for start in range(0, len(copies), size):
        numbers = copies[start : start + size]
        noise = [
            streams[number].standard_normal(images.shape[1:], np.float32) for number in numbers
        ]
        yield numbers, images[numbers] + deviations[numbers, None, None] * np.stack(noise)
