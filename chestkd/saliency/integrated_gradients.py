"""Integrated gradients, equation (3) of the paper (Sundararajan et al., 2017), until they add up.

The map is the integral of the gradient along the straight path from a baseline to the image, times
the difference of the two, so it adds up to the difference of their logits (completeness). The
integral is a sum over trapezoids. The logit is known at both ends of a trapezoid, so its error is
known as well, not estimated: those with the largest errors are halved until the sum is complete.

The gradient of a network of ReLUs jumps along the path, so that rules of a higher order have no
advantage. For an error below 1 % from mid-gray, the median map of a ResNet-32 of preset `quick`
took 23 gradients (40 images; the largest number was 130); with trapezoids of equal widths, doubled
in number, 128, with Gauss-Legendre, doubled too, 248 (10 images). MobileNet-v1 took 362 (8 images).
"""

from dataclasses import dataclass

import numpy as np

from chestkd.saliency.logit import Logit, add_groups

# Zero on the scale of -1 to 1 to which the paper brings its images. Black is 0.
MID_GRAY = 127.5
# Of the completeness error.
TOLERANCE = 0.01
# Gradients that go into a map at most.
MOST_STEPS = 256
# Below this difference of logits the completeness error is absolute, in this unit. A tenth of a
# logit changes a probability by at most .025.
SMALLEST_DIFFERENCE = 0.1

# Trapezoids at first, of equal widths, of a map and of each of its paths at least. With fewer, a
# sum may be complete by chance while the map is not yet right.
_FIRST_STEPS, _FIRST_STEPS_OF_A_PATH = 16, 4
# The share of the trapezoids of a map that is halved at once.
_HALVED = 1 / 16


@dataclass(frozen=True)
class Integrated:
    """Integrated gradients, and how well they add up."""

    #: (N, H, W) float32, in logits: what each pixel adds to the logit of the baseline.
    maps: np.ndarray
    #: (N,) float64: `|sum of the map - (logit of the image - logit of the baseline)|`, divided by
    #: that difference of logits or, where this is smaller, by SMALLEST_DIFFERENCE. Of an average
    #: over noisy copies, the logit is the average of theirs.
    errors: np.ndarray
    #: (N,) int64: gradients that went into each map, not counting that of the baseline.
    steps: np.ndarray


def integrated_gradients(
    logit: Logit,
    images: np.ndarray,
    *,
    baseline: float | np.ndarray = MID_GRAY,
    tolerance: float = TOLERANCE,
    most_steps: int = MOST_STEPS,
) -> Integrated:
    """Equation (3) for images (N, H, W), on the straight path from `baseline`.

    `baseline` is a gray level or an image (H, W); 0 is a black radiograph. Each map takes as many
    gradients as its completeness error needs to be at most `tolerance`, but not more than
    `most_steps`: `errors` of the result says whether they were enough.
    """
    images, size = logit.check(images), together(logit)
    parts = [
        integrate(logit, images[start : start + size, None], baseline, tolerance, most_steps)
        for start in range(0, len(images), size)
    ]
    return concatenate(parts)


def together(logit: Logit) -> int:
    """Paths to integrate at the same time: fewer than fit a batch, as all gradients are kept."""
    return max(1, logit.batch_size // 4)


def concatenate(parts: list[Integrated]) -> Integrated:
    """The maps of all parts, in their order."""
    columns = zip(*((part.maps, part.errors, part.steps) for part in parts), strict=True)
    return Integrated(*map(np.concatenate, columns))


def integrate(
    logit: Logit,
    copies: np.ndarray,
    baseline: float | np.ndarray,
    tolerance: float,
    most_steps: int,
) -> Integrated:
    """The average map of the copies of each image, `copies` (N, P, H, W) float32."""
    count, paths, *shape = copies.shape
    if most_steps < paths or not tolerance >= 0:
        raise ValueError(
            f"need a tolerance >= 0 and at least a step for each of {paths} paths, received "
            f"{tolerance} and {most_steps}"
        )
    start = np.broadcast_to(np.asarray(baseline, np.float32), shape)
    nodes = _Nodes(logit, start, (copies - start).reshape(-1, *shape))
    steps = max(_FIRST_STEPS, _FIRST_STEPS_OF_A_PATH * paths)
    steps = max(1, min(steps, most_steps) // paths)  # on each path
    nodes.add(
        np.repeat(np.arange(count * paths), steps),
        np.tile(np.arange(1, steps + 1) / steps, count * paths),
    )
    while True:
        left, right = nodes.trapezoids()
        rises = nodes.logits[right] - nodes.logits[left]
        widths = nodes.shares[right] - nodes.shares[left]
        missing = rises - widths * (nodes.slopes[left] + nodes.slopes[right]) / 2
        image = nodes.path[left] // paths
        taken = np.bincount(image)
        scale = np.maximum(np.abs(np.bincount(image, rises)) / paths, SMALLEST_DIFFERENCE)
        errors = np.abs(np.bincount(image, missing)) / paths / scale
        room = np.minimum(np.ceil(_HALVED * taken).astype(int), most_steps - taken)
        room[errors <= tolerance] = 0
        if not room.any():
            break
        # Image by image, the largest errors first.
        order = np.lexsort((-np.abs(missing), image))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(taken) - taken, taken)
        halved = np.sort(order[rank < room[image]])
        nodes.add(nodes.path[left[halved]], (nodes.shares[left] + nodes.shares[right])[halved] / 2)
    weights = np.bincount(left, widths / 2, len(nodes.path))
    weights += np.bincount(right, widths / 2, len(nodes.path))
    maps = (nodes.sums(weights) * nodes.lengths).reshape(copies.shape).mean(axis=1)
    return Integrated(maps.astype(np.float32), errors, taken)


class _Nodes:
    """Points on the paths from one start (H, W) to all of `start + lengths`, (P, H, W) float32.

    `path`, `shares` (of the length, 0 to 1), `logits` and `slopes` of the logit along the path
    are (K,), in the order in which nodes are added; the first P are the start.
    """

    def __init__(self, logit: Logit, start: np.ndarray, lengths: np.ndarray):
        self.logit, self.start, self.lengths = logit, start, lengths
        self.path, self.shares = np.arange(0), np.zeros(0)
        self.logits, self.slopes = np.zeros(0), np.zeros(0)
        self.gradients: list[np.ndarray] = []
        gradient, value = logit.gradients(start[None])
        self._append(
            np.arange(len(lengths)),
            np.zeros(len(lengths)),
            np.broadcast_to(gradient, lengths.shape),
            np.repeat(value, len(lengths)),
        )

    def add(self, path: np.ndarray, shares: np.ndarray) -> None:
        """Add a node at a share of each path (K,), which must not decrease."""
        points = self.start + shares.astype(np.float32)[:, None, None] * self.lengths[path]
        self._append(path, shares, *self.logit.gradients(points))

    def _append(
        self, path: np.ndarray, shares: np.ndarray, gradients: np.ndarray, logits: np.ndarray
    ) -> None:
        slopes = [np.vdot(*pair) for pair in zip(gradients, self.lengths[path], strict=True)]
        self.path, self.shares = np.append(self.path, path), np.append(self.shares, shares)
        self.logits, self.slopes = np.append(self.logits, logits), np.append(self.slopes, slopes)
        self.gradients.append(gradients)

    def trapezoids(self) -> tuple[np.ndarray, np.ndarray]:
        """The nodes at the left and right end of each trapezoid, path by path."""
        order = np.lexsort((self.shares, self.path))
        inside = np.diff(self.path[order]) == 0
        return order[:-1][inside], order[1:][inside]

    def sums(self, weights: np.ndarray) -> np.ndarray:
        """The sums (P, H, W) float64 of the gradients of each path, weighted by `weights` (K,)."""
        sums, end = np.zeros(self.lengths.shape), 0
        for gradients in self.gradients:
            start, end = end, end + len(gradients)
            add_groups(sums, self.path[start:end], weights[start:end, None, None] * gradients)
        return sums
