"""Maps against marked regions: do they point at the finding?

Every score stands beside two baselines that never saw the image: a blob at its center, and noise.
No threshold is tuned: what a map marks is what Otsu's method, which sees that map alone, separates
from its background. Nothing here is fitted to the boxes.

- pointing: 1 if the map's maximum lies in the region (Zhang et al., 2018, without their margin);
- energy: share of the evidence that lies in the region (Wang et al., 2020);
- IoU > T and IoBB > T: share of the region's boxes that a marked box overlaps by more than T
  (Wang et al., 2017), as intersection over union, or over the area of the marked box. IoBB is
  generous to small boxes, so how many are marked, and how many of them lie elsewhere, is given too.

A map without structure says nothing: all its pixels are the maximum, so that pointing and energy
are the region's share of the image, as for noise; nothing is marked; and it is counted.
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
# are grainy where maps of features are smooth, and a grain is no answer to "where?".
BLUR = 0.02
# The same for the blob at the center.
_CENTER = 1 / 6
_BINS = 256
_EIGHT_NEIGHBORS = np.ones((3, 3))


@dataclass(frozen=True, eq=False)
class Region:
    """Where one finding is marked in one image."""

    # Row of the prepared data set.
    row: int
    patient: int
    finding: str
    # (H, W) bool, with at least one pixel inside.
    mask: np.ndarray
    # (K, 4) float64: x, y (upper left corner), width, height in pixels of the mask.
    boxes: np.ndarray


def evidence(maps: np.ndarray, kind: str, *, blur: float = BLUR) -> np.ndarray:
    """What speaks for the finding: (N, H, W) float64, >= 0, of signed maps (N, H, W).

    `kind` says what of a map speaks for the finding (`saliency.Method.evidence`): "absolute", its
    size; "positive", what is above zero; "relative", what is above the map's lowest value, for
    maps whose zero means nothing. Raises ValueError for another kind and for a map that is not
    finite.
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
    # Blurring a constant leaves rounding noise, which would be a structure.
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
    """Uniform noise with the blur of a map, going round at the borders: (H, W) float64.

    So its maximum may lie anywhere with equal chance.
    """
    return gaussian_filter(generator.random(shape), blur * shape[0], mode="wrap")


def pointing(strength: np.ndarray, mask: np.ndarray) -> float:
    """Chance, 0 to 1, that a maximum of the evidence (H, W) lies in the mask; ties share it."""
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

    One for each group of pixels that touch, corners included; none for a constant map.
    """
    groups, _ = label(strength > otsu_threshold(strength), structure=_EIGHT_NEIGHBORS)
    found = [
        (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        for rows, columns in find_objects(groups)
    ]
    return np.array(found, np.float64).reshape(-1, 4)


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
            f"a map of {strength.shape} pixels for a region of {region.mask.shape}; expected one "
            "size"
        )
    marked = marked_boxes(strength)
    found: dict[str, float] = {
        "pointing": pointing(strength, region.mask),
        "energy": energy(strength, region.mask),
    }
    of_union, of_marked = overlaps(marked, region.boxes)
    for kind, overlap in (("IoU", of_union), ("IoBB", of_marked)):
        best = overlap.max(axis=0, initial=0.0)  # (given boxes,)
        found |= {f"{kind} > {limit}": float((best > limit).mean()) for limit in THRESHOLDS}
    found["marked boxes"] = len(marked)
    found["boxes elsewhere"] = int((of_marked.max(axis=1, initial=0.0) <= THRESHOLDS[0]).sum())
    found["constant"] = float(np.ptp(strength) == 0)
    return found


def score_maps(maps: np.ndarray, kind: str, regions: list[Region]) -> pd.DataFrame:
    """One row a region: row, patient, finding and all `MEASURES` of the map (N, H, W) of each.

    Raises ValueError where there are not as many maps as regions.
    """
    if len(maps) != len(regions):
        raise ValueError(f"{len(maps)} maps for {len(regions)} regions; expected one for each")
    rows = [score(*pair) for pair in zip(evidence(maps, kind), regions, strict=True)]
    return _scored(rows, regions)


def score_center(regions: list[Region]) -> pd.DataFrame:
    """The scores of the blob at the center on the same regions."""
    return _scored([score(center_evidence(each.mask.shape), each) for each in regions], regions)


def score_random(
    regions: list[Region], generator: np.random.Generator, *, draws: int = 20
) -> pd.DataFrame:
    """The mean scores of `draws` maps of noise on each of the same regions."""
    rows = []
    for region in regions:
        scores = [
            score(random_evidence(region.mask.shape, generator), region) for _ in range(draws)
        ]
        rows.append({name: float(np.mean([each[name] for each in scores])) for name in MEASURES})
    return _scored(rows, regions)


def _scored(rows: list[dict[str, float]], regions: list[Region]) -> pd.DataFrame:
    who = [(region.row, region.patient, region.finding) for region in regions]
    frame = pd.DataFrame(who, columns=["row", "patient", "finding"])
    measures = pd.DataFrame(rows, columns=list(MEASURES), dtype=np.float64)
    order = pd.Categorical(frame["finding"], FINDINGS, ordered=True)
    return pd.concat([frame.assign(finding=order), measures], axis=1)
