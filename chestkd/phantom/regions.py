"""Which pixels a finding changes, and the box around them."""

import numpy as np
from scipy import ndimage

# Share of the squared change of gray that a region is grown to contain.
SHARE = 0.9
# Separate parts of a region with a smaller share than this are left out of it.
LEAST_PART = 0.05
# Width of the smoothing that makes a region of speckle, in image widths.
SMOOTHING = 0.01

Box = tuple[float, float, float, float]


def changed_region(change: np.ndarray) -> np.ndarray:
    """The region that contains nearly all of what a finding changes.

    Pixels are taken in the order of the squared change, smoothed over a hundredth of the image's
    width, until nine tenths of the squared change lie in them. Of separate parts those with less
    than a twentieth of it are dropped.

    - `change`: gray levels with the finding minus those without, float64 (size, size).

    Returns bool (size, size); empty only where nothing changes.
    """
    squared = change**2
    total = squared.sum()
    region = np.zeros(change.shape, bool)
    if total == 0:
        return region
    smooth = ndimage.gaussian_filter(squared, SMOOTHING * len(change), truncate=3, mode="constant")
    order = np.argsort(-smooth, axis=None, kind="stable")
    enough = np.searchsorted(np.cumsum(squared.ravel()[order]), SHARE * total)
    region.ravel()[order[: enough + 1]] = True
    parts, count = ndimage.label(region, np.ones((3, 3)))
    shares = ndimage.sum_labels(squared, parts, np.arange(count + 1)) / total
    shares[0] = 0
    return (shares >= min(LEAST_PART, shares.max()))[parts] & region


def box(mask: np.ndarray) -> Box | None:
    """Smallest box (x, y, width, height) around a mask, in the 1024 x 1024 frame."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return None
    unit = 1024 / len(mask)
    left, top = columns[0] * unit, rows[0] * unit
    return left, top, (columns[-1] + 1) * unit - left, (rows[-1] + 1) * unit - top
