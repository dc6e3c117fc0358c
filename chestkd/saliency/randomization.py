"""Do the maps depend on what the network learned? Its weights are randomized from the top down.

The cascading randomization of Adebayo et al. (2018): the layer nearest to the logits is
re-initialized first, then also the next one below, until nothing that was learned is left. A map
that still looks the same shows the image, not the network.
"""

from collections.abc import Iterator

import keras
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata

from chestkd.networks.initial_weights import initialize
from chestkd.saliency.copies import copy_of

# Standard deviation and radius of the Gaussian window of SSIM, in pixels (11 x 11).
_WINDOW = {"sigma": 1.5, "radius": 5}


def cascade(
    model: keras.Model, generator: np.random.Generator, stages: int
) -> Iterator[tuple[str, float, keras.Model]]:
    """The model with more and more of its upper layers randomized; `model` is not touched.

    Yields, at about `stages` depths spread evenly over the layers that have weights, the name of
    the lowest randomized layer, the share of the weighted layers that are random (0 to 1), and the
    model. The first has a random classifier, the last is entirely random. The random values are
    those of `networks.build`: He normal kernels, and batch normalization that does nothing. It is
    the same model each time, changed between the steps.

    Raises ValueError for fewer than two stages.
    """
    if stages < 2:
        raise ValueError(f"a cascade needs at least 2 stages, received {stages}")
    random, mixed = copy_of(model), copy_of(model)
    initialize(random, generator)
    mixed.set_weights(model.get_weights())
    fresh = [layer for layer in reversed(random.layers) if layer.weights]
    changed = [layer for layer in reversed(mixed.layers) if layer.weights]
    stops = np.unique(np.linspace(0, len(fresh) - 1, stages).round().astype(int))
    for depth, (source, target) in enumerate(zip(fresh, changed, strict=True)):
        target.set_weights(source.get_weights())
        if depth in stops:
            yield target.name, (depth + 1) / len(fresh), mixed


def rank_correlation(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each pair of maps (N, H, W): (N,), -1 to 1.

    NaN where either is constant and so has no ranks.
    """
    _check_pair(maps, others)
    ranks, other_ranks = (rankdata(_flat(pair), axis=1) for pair in (maps, others))
    deviations = ranks - ranks.mean(axis=1, keepdims=True)
    other_deviations = other_ranks - other_ranks.mean(axis=1, keepdims=True)
    product = (deviations * other_deviations).sum(axis=1)
    norms = np.sqrt((deviations**2).sum(axis=1) * (other_deviations**2).sum(axis=1))
    with np.errstate(invalid="ignore"):
        return product / np.where(norms > 0, norms, np.nan)


def structural_similarity(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """SSIM of each pair of maps (N, H, W), each first scaled to 0..1: (N,), at most 1.

    Wang et al. (2004): Gaussian window of 11 x 11, K1 = .01, K2 = .03, the mean over the pixels
    whose window lies in the image. NaN where either is constant and so has no scale.
    Raises ValueError for maps smaller than the window.
    """
    _check_pair(maps, others)
    reach = int(_WINDOW["radius"])
    if min(maps.shape[1:]) <= 2 * reach:
        raise ValueError(f"SSIM needs maps of more than {2 * reach} pixels, received {maps.shape}")
    one, two = _unit(maps), _unit(others)
    mean_one, mean_two = _blur(one), _blur(two)
    variance_one = _blur(one**2) - mean_one**2
    variance_two = _blur(two**2) - mean_two**2
    covariance = _blur(one * two) - mean_one * mean_two
    luminance, contrast = 0.01**2, 0.03**2  # of values that range over 1
    similarity = (2 * mean_one * mean_two + luminance) * (2 * covariance + contrast)
    similarity /= mean_one**2 + mean_two**2 + luminance
    similarity /= variance_one + variance_two + contrast
    return similarity[:, reach:-reach, reach:-reach].mean(axis=(1, 2))


def _flat(maps: np.ndarray) -> np.ndarray:
    return np.asarray(maps, np.float64).reshape(len(maps), -1)


def _unit(maps: np.ndarray) -> np.ndarray:
    """Each map scaled to 0..1; NaN where it is constant."""
    maps = np.asarray(maps, np.float64)
    lowest = maps.min(axis=(1, 2), keepdims=True)
    span = np.ptp(maps, axis=(1, 2), keepdims=True)
    return (maps - lowest) / np.where(span > 0, span, np.nan)


def _blur(maps: np.ndarray) -> np.ndarray:
    return gaussian_filter(maps, axes=(1, 2), **_WINDOW)


def _check_pair(maps: np.ndarray, others: np.ndarray) -> None:
    if maps.ndim != 3 or maps.shape != others.shape:
        raise ValueError(
            f"two sets of maps must have the same shape (N, H, W); received {maps.shape} and "
            f"{others.shape}"
        )
    if not (np.isfinite(maps).all() and np.isfinite(others).all()):
        raise ValueError("maps to compare must be finite")
