"""SmoothGrad, equation (4): the average of a map over noisy copies of the image."""

from collections.abc import Iterator
from functools import partial
from typing import Protocol

import keras
import numpy as np
import tqdm

from chestkd.saliency.batching import DEFAULT_MEMORY, add_groups, batch_size, check_images
from chestkd.saliency.gradients import gradient, integrate


class BaseMap(Protocol):
    """Any saliency map of this package, its own arguments filled in with `functools.partial`."""

    def __call__(
        self,
        model: keras.Model,
        finding: str,
        images: np.ndarray,
        *,
        memory: int,
        progress: bool,
    ) -> np.ndarray:
        """Maps (N, H, W)."""
        ...


def smoothgrad(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    *,
    generator: np.random.Generator,
    base: BaseMap = gradient,
    samples: int = 25,
    sigma: float = 0.15,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> np.ndarray:
    """The mean of `base` over `samples` copies of each image with normal noise added.

    The noise has a standard deviation of `sigma` times the image's own range, highest minus
    lowest gray level (Smilkov et al., 2017); it is not clipped to 0..255. A constant image has no
    range, so its map is `base` itself. Each image has a stream of its own, spawned from
    `generator`: its noise depends neither on `memory` nor on the images beside it in the batch.

    Returns (N, H, W) float32 in the unit of `base`.
    """
    images = check_images(model, images)
    if samples < 1 or not 0 <= sigma < np.inf:
        raise ValueError(f"need samples >= 1 and sigma >= 0, received {samples} and {sigma}")
    total = np.zeros(images.shape)
    with tqdm.tqdm(total=len(images) * samples, desc="noisy images", disable=not progress) as bar:
        for numbers, noisy in _noisy(images, samples, sigma, generator, batch_size(model, memory)):
            maps = base(model, finding, noisy, memory=memory, progress=False)
            add_groups(total, numbers, maps)
            bar.update(len(numbers))
    return (total / samples).astype(np.float32)


def smoothgrad_integrated_gradients(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    *,
    generator: np.random.Generator,
    baseline: float | np.ndarray = 0.0,
    steps: int = 25,
    samples: int = 25,
    sigma: float = 0.15,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> np.ndarray:
    """SmoothGrad over integrated gradients, the map that the paper prefers: (N, H, W), logits.

    Every noisy copy is integrated from `baseline` in `steps` steps, so one map takes
    `samples` x `steps` gradients.
    """
    base = partial(_integrated_maps, baseline=baseline, steps=steps)
    return smoothgrad(
        model,
        finding,
        images,
        generator=generator,
        base=base,
        samples=samples,
        sigma=sigma,
        memory=memory,
        progress=progress,
    )


def _integrated_maps(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    *,
    baseline: float | np.ndarray,
    steps: int,
    memory: int,
    progress: bool,
) -> np.ndarray:
    start = np.broadcast_to(np.asarray(baseline, np.float32), images.shape[1:])
    return integrate(model, finding, images, start, steps, memory, progress)


def _noisy(
    images: np.ndarray, samples: int, sigma: float, generator: np.random.Generator, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers of images (B,) and noisy copies of them (B, H, W), at most `size` at a time."""
    streams = generator.spawn(len(images))
    deviations = sigma * np.ptp(images, axis=(1, 2))
    of = np.repeat(np.arange(len(images)), samples)
    for start in range(0, len(of), size):
        numbers = of[start : start + size]
        noise = [streams[one].standard_normal(images.shape[1:], np.float32) for one in numbers]
        yield numbers, images[numbers] + deviations[numbers, None, None] * np.stack(noise)
