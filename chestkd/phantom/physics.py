"""From thickness to gray levels: exponential absorption, exposure, quantum noise, display."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Exposure:
    """How one image was taken and displayed."""

    #: Photons per pixel of a 256-pixel image, where nothing absorbs them.
    photons: float
    #: Exponent and factor of the display curve.
    gamma: float
    gain: float
    #: Share of the signal that is scatter, which flattens contrast.
    scatter: float
    #: Width in image widths of the blur of the focal spot and of motion.
    blur: float
    #: Collimation: distance of each edge of the field from that of the image (top, bottom,
    #: left, right), in image widths, and gray level of what lies outside.
    collimation: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    outside: float = 0.0


def draw_exposure(generator: np.random.Generator, view: str, noise: float) -> Exposure:
    """AP views come from portable machines: more scatter, fewer photons, more motion."""
    normal = generator.standard_normal(5)
    ap = view == "AP"
    photons = 9000 * np.exp(0.35 * normal[0]) * (0.5 if ap else 1.0)
    collimated = generator.random(4) < (0.12 if ap else 0.08)
    edges = np.where(collimated, 0.06 * generator.random(4), 0.0)
    return Exposure(
        photons=photons / max(noise, 1e-9) ** 2,
        gamma=float(np.exp(0.16 * normal[1])),
        gain=float(np.clip(0.95 + 0.10 * normal[2], 0.65, 1.04)),
        scatter=float(np.clip(0.10 + 0.03 * normal[3] + (0.10 if ap else 0), 0.02, 0.4)),
        blur=0.0008 * float(np.exp(0.3 * normal[4])) * (1.3 if ap else 1.0),
        collimation=(float(edges[0]), float(edges[1]), float(edges[2]), float(edges[3])),
        outside=0.0 if generator.random() < 0.8 else 1.0,
    )


def transmit(thickness: np.ndarray, exposure: Exposure, size: int) -> np.ndarray:
    """The share of the light that reaches each pixel, without noise: float64 (size, size).

    - `thickness`: attenuation, float64 (pixels, pixels), pixels a multiple of size.
    - `exposure`: see `Exposure`.
    - `size`: side of the finished image.
    """
    pixels = len(thickness)
    transmitted = np.exp(-thickness)
    transmitted = ndimage.gaussian_filter(transmitted, exposure.blur * pixels, truncate=3)
    transmitted = _average(transmitted, size)
    transmitted += exposure.scatter * (_veil(transmitted) - transmitted)
    return transmitted


def add_noise(
    transmitted: np.ndarray, exposure: Exposure, generator: np.random.Generator
) -> np.ndarray:
    """The light with its quantum noise: float64 (size, size), which may leave 0 to 1."""
    # Pixels of a larger image are smaller and catch fewer photons; below 64 pixels a side the
    # detector averages no further.
    photons = exposure.photons * (256 / max(len(transmitted), 64))
    deviation = np.sqrt(np.maximum(transmitted, 1e-3) / photons)
    return transmitted + deviation * generator.standard_normal(transmitted.shape)


def window(transmitted: np.ndarray) -> tuple[float, float]:
    """The darkest and the brightest level (0 to 1) that the display of an image resolves."""
    low, high = np.quantile(_brightness(transmitted), [0.01, 0.99])
    return float(low), float(high)


def display(transmitted: np.ndarray, levels: tuple[float, float], exposure: Exposure) -> np.ndarray:
    """Gray levels 0 (air) to 1 (bone), float64 (size, size), in a window of `levels`."""
    low, high = levels
    gray = (_brightness(transmitted) - low) / max(high - low, 0.05)
    return _collimate(np.clip(gray * exposure.gain, 0, 1) ** exposure.gamma, exposure)


def _brightness(transmitted: np.ndarray) -> np.ndarray:
    return 1 - np.clip(transmitted, 0, 1)


def _collimate(gray: np.ndarray, exposure: Exposure) -> np.ndarray:
    size = len(gray)
    top, bottom, left, right = (round(edge * size) for edge in exposure.collimation)
    field = np.full_like(gray, exposure.outside)
    field[top : size - bottom, left : size - right] = gray[top : size - bottom, left : size - right]
    return field


def _veil(transmitted: np.ndarray) -> np.ndarray:
    """Scattered light: the image blurred by a tenth of its width."""
    size = len(transmitted)
    coarse = transmitted[:: max(1, size // 32), :: max(1, size // 32)]
    coarse = ndimage.gaussian_filter(coarse, 0.1 * len(coarse), truncate=2, mode="nearest")
    at = (np.arange(size) + 0.5) * len(coarse) / size - 0.5
    rows = np.clip(at, 0, len(coarse) - 1.001)
    low = rows.astype(int)
    share = rows - low
    lines = coarse[low] * (1 - share)[:, None] + coarse[low + 1] * share[:, None]
    return lines[:, low] * (1 - share) + lines[:, low + 1] * share


def _average(image: np.ndarray, size: int) -> np.ndarray:
    k = len(image) // size
    return image.reshape(size, k, size, k).mean(axis=(1, 3))
