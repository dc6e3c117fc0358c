"""Where findings are marked in test images: NIH's boxes, or what each changes in a phantom."""

import numpy as np
import pandas as pd

from chestkd.data import decode
from chestkd.data.dataset import PHANTOM_NAME, Dataset
from chestkd.data.splits import Split, SplitError
from chestkd.evaluation.localization import Region
from chestkd.findings import FINDINGS
from chestkd.phantom.masks import read_mask


def all_regions(dataset: Dataset, split: Split, size: int) -> list[Region]:
    """Every marked finding of the test images, for maps of `size` x `size` pixels.

    On a phantom these are the masks of what every finding that is really present changes, whatever
    the labels say; on any other data set they are the boxes. Raises SplitError for any but the
    official split, and ValueError, naming the image, for a box that lies outside it.
    """
    if split.name != "official":
        raise SplitError(
            f"boxes leak into training on the {split.name} split; use the official one"
        )
    make = _of_phantom if dataset.name == PHANTOM_NAME else _of_boxes
    return make(dataset, split.test, size)


def choose(regions: list[Region], per_finding: int | None, seed: int) -> list[Region]:
    """At most `per_finding` regions of each finding, drawn with `seed`; None for all."""
    if per_finding is None:
        return regions
    generator = np.random.default_rng(seed)
    chosen: list[Region] = []
    for finding in FINDINGS:
        candidates = [region for region in regions if region.finding == finding]
        drawn = generator.permutation(len(candidates))[:per_finding]
        chosen += [candidates[index] for index in sorted(drawn)]
    return chosen


def box_mask(boxes: np.ndarray, size: int) -> np.ndarray:
    """(size, size) bool: the pixels whose center lies in a box (K, 4) of x, y, width, height.

    A box so small that it contains no pixel's center marks the pixel at its middle.
    """
    mask = np.zeros((size, size), bool)
    for x, y, width, height in boxes:
        rows, columns = (
            slice(int(np.ceil(start - 0.5)), int(np.ceil(start + length - 0.5)))
            for start, length in ((y, height), (x, width))
        )
        mask[rows, columns] = True
        mask[int(y + height / 2), int(x + width / 2)] = True
    return mask


def clip_boxes(boxes: np.ndarray, size: int, image: str) -> np.ndarray:
    """Boxes (K, 4) clipped to the image; ValueError, naming the image, for one outside it."""
    start = np.clip(boxes[:, :2], 0, size)
    end = np.clip(boxes[:, :2] + boxes[:, 2:], 0, size)
    clipped = np.concatenate([start, end - start], axis=1)
    outside = ~(clipped[:, 2:] > 0).all(axis=1)
    if outside.any():
        raise ValueError(
            f"{image}: box {boxes[outside.argmax()].tolist()} (x, y, width, height) lies outside "
            f"the image of {size} x {size} pixels"
        )
    return clipped


def _of_boxes(dataset: Dataset, rows: np.ndarray, size: int) -> list[Region]:
    inside = dataset.boxes[dataset.boxes["row"].isin(rows)]
    regions = []
    for _, group in inside.groupby(["row", "finding"]):
        row, finding = int(group["row"].iloc[0]), str(group["finding"].iloc[0])
        shares = group[["x", "y", "w", "h"]].to_numpy()
        boxes = clip_boxes(shares * size, size, group["image"].iloc[0])
        patient = int(dataset.table["patient"].iloc[row])
        regions.append(Region(row, patient, finding, box_mask(boxes, size), boxes))
    return regions


def _of_phantom(dataset: Dataset, rows: np.ndarray, size: int) -> list[Region]:
    truth = pd.read_csv(dataset.folder / "truth.csv.gz", usecols=["Image Index", "True Labels"])
    position = pd.Series(truth.index, index=truth["Image Index"])
    regions = []
    for row in rows:
        drawn = int(position[dataset.table["image"].iloc[row]])
        for finding in FINDINGS:
            if finding not in str(truth["True Labels"].iloc[drawn]).split("|"):
                continue
            mask = read_mask(dataset.folder, drawn, finding)
            if mask is None or not mask.any():
                continue  # the finding lies outside the image
            mask = _at_size(mask, size)
            patient = int(dataset.table["patient"].iloc[row])
            regions.append(Region(int(row), patient, finding, mask, _box_around(mask)))
    return regions


def _at_size(mask: np.ndarray, size: int) -> np.ndarray:
    """A mask at another size: pixels it covers at least by half, or else those it covers most."""
    if len(mask) == size:
        return mask
    covered = decode.resize(mask.astype(np.uint8) * 255, size)
    return covered >= 128 if (covered >= 128).any() else covered == covered.max()


def _box_around(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    return np.array([[columns[0], rows[0], width, height]], np.float64)
