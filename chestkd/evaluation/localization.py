"""Saliency maps against marked regions: do they point at the finding?

Every score is compared with those of two baselines that never saw the image: a blob at its center,
and noise. No threshold is tuned and nothing is fitted to the boxes: what a map marks is what Otsu's
method, applied to that map alone, separates from its background.

- pointing: 1 if the map's maximum lies in the region (Zhang et al., 2018, without their margin);
- energy: share of the evidence that lies in the region (Wang et al., 2020);
- IoU > T and IoBB > T: share of the region's boxes that a marked box overlaps by more than T
  (Wang et al., 2017), as intersection over union, or over the area of the marked box. IoBB is
  generous to small boxes, so the number of marked boxes, and of those elsewhere, is given, too.

A constant map says nothing: every pixel is its maximum, so pointing and energy equal the region's
share of the image, as for noise; it marks nothing; and such maps are counted.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import find_objects, gaussian_filter, label

from chestkd.findings import FINDINGS

THRESHOLDS = (0.1, 0.25, 0.5)
OVERLAPS = tuple(f"{kind} > {limit}" for kind in ("IoU", "IoBB") for limit in THRESHOLDS)
MEASURES = ("pointing", "energy", *OVERLAPS, "marked boxes", "boxes elsewhere", "constant")

# Standard deviation, as a share of the side, of the blur that every map gets: maps of gradients
# are grainy where maps of features are smooth, and a single grain does not answer "where?".
BLUR = 0.02
# The same for the blob at the center.
_CENTER = 1 / 6
_BINS = 256
_EIGHT_NEIGHBORS = np.ones((3, 3))


@dataclass(frozen=True, eq=False)
class Region:
    """Where one finding is marked in one image."""

    #: Row of the prepared data set.
    row: int
    patient: int
    finding: str
    #: (H, W) bool, with at least one pixel set.
    mask: np.ndarray
    #: (K, 4) float64: x, y (upper left corner), width, height in pixels of the mask.
    boxes: np.ndarray


def evidence(maps: np.ndarray, kind: str, *, blur: float = BLUR) -> np.ndarray:
    """How strongly each pixel speaks for the finding: (N, H, W) float64, >= 0.

    `kind` says how signed maps (N, H, W) are read: "absolute", by their size; "positive", by what
    exceeds zero; "relative", by what exceeds the map's lowest value, for maps whose zero means
    nothing. Raises ValueError for another kind, or a map that is not finite.
    """
    if kind not in ("absolute", "positive", "relative"):
        raise ValueError(
            f"evidence must be 'absolute', 'positive' or 'relative', received {kind!r}"
        )
    maps = np.asarray(maps, np.float64)
    broken = ~np.isfinite(maps).all(axis=(1, 2))
    if broken.any():
        raise ValueError(f"map {int(broken.argmax())} of {len(maps)} is not finite")
    if kind == "absolute":
        strength = np.abs(maps)
    else:
        lowest = maps.min(axis=(1, 2), keepdims=True) if kind == "relative" else 0
        strength = np.maximum(maps - lowest, 0)
    # Blurring a constant leaves rounding noise, which would look like structure.
    flat = np.ptp(strength, axis=(1, 2)) == 0
    blurred = gaussian_filter(strength, blur * maps.shape[1], axes=(1, 2))
    return np.where(flat[:, None, None], strength, blurred)


def center_evidence(shape: tuple[int, int]) -> np.ndarray:
    """A round blob in the middle of an image: (H, W) float64."""
    rows, columns = (np.arange(side) - (side - 1) / 2 for side in shape)
    deviation = _CENTER * shape[0]
    return np.exp(-(rows[:, None] ** 2 + columns**2) / (2 * deviation**2))


def random_evidence(
    shape: tuple[int, int], generator: np.random.Generator, *, blur: float = BLUR
) -> np.ndarray:
    """Uniform noise, blurred like a map: (H, W) float64.

    The blur wraps around at the borders, so that the maximum is equally likely anywhere.
    """
    return gaussian_filter(generator.random(shape), blur * shape[0], mode="wrap")


def pointing(strength: np.ndarray, mask: np.ndarray) -> float:
    """Share, 0 to 1, of the pixels with the most evidence (H, W) that lie in the mask."""
    return float(mask[strength == strength.max()].mean())


def energy(strength: np.ndarray, mask: np.ndarray) -> float:
    """Share of the evidence (H, W) in the mask; of an empty map, the mask's share of the image."""
    total = strength.sum()
    return float(strength[mask].sum() / total) if total > 0 else float(mask.mean())


def otsu_threshold(strength: np.ndarray) -> float:
    """The value that separates a map (H, W) into two classes of least variance (Otsu, 1979).

    From a histogram of 256 bins; NaN for a constant map.
    """
    if np.ptp(strength) == 0:
        return float("nan")
    counts, edges = np.histogram(strength, bins=_BINS)
    centers = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts)[:-1], np.cumsum(counts[::-1])[::-1][1:]
    sums = np.cumsum(counts * centers)
    between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(edges[1 + int(between.argmax())])


def marked_boxes(strength: np.ndarray) -> np.ndarray:
    """Boxes (K, 4), x y width height in pixels, around what exceeds Otsu's threshold.

    One for each group of pixels that touch, if only at a corner; none for a constant map.
    """
    groups, _ = label(strength > otsu_threshold(strength), structure=_EIGHT_NEIGHBORS)
    boxes = [
        (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        for rows, columns in find_objects(groups)
    ]
    return np.array(boxes, np.float64).reshape(-1, 4)


def overlaps(marked: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """IoU and IoBB of every marked box with every given one, two arrays (marked, given).

    IoBB is the intersection over the area of the marked box.
    """
    corner = np.maximum(marked[:, None, :2], boxes[None, :, :2])
    opposite = np.minimum(
        marked[:, None, :2] + marked[:, None, 2:], boxes[None, :, :2] + boxes[None, :, 2:]
    )
    shared = np.clip(opposite - corner, 0, None).prod(axis=2)
    of_marked, of_given = marked[:, None, 2:].prod(axis=2), boxes[None, :, 2:].prod(axis=2)
    return shared / (of_marked + of_given - shared), shared / of_marked


def score(strength: np.ndarray, region: Region) -> dict[str, float]:
    """All `MEASURES` of one map's evidence (H, W) on one region."""
    if strength.shape != region.mask.shape:
        raise ValueError(
            f"a map of {strength.shape} pixels for a region of {region.mask.shape}; their sizes "
            "must be equal"
        )
    marked = marked_boxes(strength)
    scores: dict[str, float] = {
        "pointing": pointing(strength, region.mask),
        "energy": energy(strength, region.mask),
    }
    of_union, of_marked = overlaps(marked, region.boxes)
    for kind, overlap in (("IoU", of_union), ("IoBB", of_marked)):
        best = overlap.max(axis=0, initial=0.0)  # (given boxes,)
        scores |= {f"{kind} > {limit}": float((best > limit).mean()) for limit in THRESHOLDS}
    scores["marked boxes"] = len(marked)
    scores["boxes elsewhere"] = int((of_marked.max(axis=1, initial=0.0) <= THRESHOLDS[0]).sum())
    scores["constant"] = float(np.ptp(strength) == 0)
    return scores


def score_maps(maps: np.ndarray, kind: str, regions: list[Region]) -> pd.DataFrame:
    """One row a region: row, patient, finding and all `MEASURES` of its map, one of (N, H, W).

    Raises ValueError unless there is one map for each region.
    """
    if len(maps) != len(regions):
        raise ValueError(f"{len(maps)} maps for {len(regions)} regions; expected one for each")
    rows = [score(*pair) for pair in zip(evidence(maps, kind), regions, strict=True)]
    return _scored(rows, regions)


def score_center(regions: list[Region]) -> pd.DataFrame:
    """The scores of the blob at the center on each region."""
    rows = [score(center_evidence(region.mask.shape), region) for region in regions]
    return _scored(rows, regions)


def score_random(
    regions: list[Region], generator: np.random.Generator, *, draws: int = 20
) -> pd.DataFrame:
    """The mean scores of `draws` maps of noise on each region."""
    rows = []
    for region in regions:
        scores = [
            score(random_evidence(region.mask.shape, generator), region) for _ in range(draws)
        ]
        rows.append({name: float(np.mean([drawn[name] for drawn in scores])) for name in MEASURES})
    return _scored(rows, regions)


def _scored(rows: list[dict[str, float]], regions: list[Region]) -> pd.DataFrame:
    marked = [(region.row, region.patient, region.finding) for region in regions]
    frame = pd.DataFrame(marked, columns=["row", "patient", "finding"])
    measures = pd.DataFrame(rows, columns=list(MEASURES), dtype=np.float64)
    order = pd.Categorical(frame["finding"], FINDINGS, ordered=True)
    return pd.concat([frame.assign(finding=order), measures], axis=1)
