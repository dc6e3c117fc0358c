"""The side file of regions: what every finding changes and where its sign is, run-length encoded.

Of every finding that is in an image `masks.npz` holds two regions:

- its mask, the pixels that it changes (`regions.changed_region`);
- its sign, the part where a reader would point: the plate of an atelectasis without the raised
  diaphragm, the crescent of a pneumothorax without the collapsed lung, the heart or the lungs
  whose outline a finding moves.

There are arrays for each block of consecutive images, so that reading one region reads one
block: `NNNNNN/row` (rows of truth.csv.gz), `NNNNNN/finding` (0 to 13), and for the two kinds
`NNNNNN/mask_start` and `NNNNNN/mask_runs`, `NNNNNN/sign_start` and `NNNNNN/sign_runs`. The runs
of region k are runs[start[k]:start[k + 1]]: lengths, in row order, of the stretches outside,
inside, outside, ... `side` is the side of all regions, that of the images, in pixels, and `block`
the number of images per block.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chestkd.findings import finding_index

# The arrays of each block.
BLOCK_ARRAYS = ("row", "finding", "mask_start", "mask_runs", "sign_start", "sign_runs")


def encode_mask(mask: np.ndarray) -> np.ndarray:
    """Run lengths, uint32, of a bool mask; the first run, possibly 0, lies outside it."""
    flat = np.concatenate([[False], mask.ravel()])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], changes, [mask.size]])).astype(np.uint32)


def encode_regions(kind: str, masks: Sequence[np.ndarray]) -> dict[str, Any]:
    """The two arrays of one block's masks or signs (`kind`), by name."""
    runs = [encode_mask(mask) for mask in masks]
    return {
        f"{kind}_start": np.cumsum([0, *map(len, runs)], dtype=np.int64),
        f"{kind}_runs": np.concatenate([np.zeros(0, np.uint32), *runs]),
    }


def decode_mask(runs: np.ndarray, side: int) -> np.ndarray:
    """The bool mask (side, side) of its run lengths."""
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(side, side)


def read_mask(folder: Path, row: int, finding: str) -> np.ndarray | None:
    """The pixels that one finding changes in one image of a phantom.

    - `folder`: the phantom.
    - `row`: row of the image in `truth.csv.gz` and in the label table, from 0.
    - `finding`: one of the 14 names.

    Returns bool (size, size), or None where the finding is not there.
    """
    return _read(folder, row, finding, "mask")


def read_sign(folder: Path, row: int, finding: str) -> np.ndarray | None:
    """Where a reader would point to see the finding; arguments and result as of `read_mask`."""
    return _read(folder, row, finding, "sign")


def _read(folder: Path, row: int, finding: str, kind: str) -> np.ndarray | None:
    with np.load(folder / "masks.npz") as file:
        block = f"{row // int(file['block']):06d}"
        here = np.flatnonzero(
            (file[f"{block}/row"] == row) & (file[f"{block}/finding"] == finding_index(finding))
        )
        if len(here) == 0:
            return None
        start = file[f"{block}/{kind}_start"]
        runs = file[f"{block}/{kind}_runs"][start[here[0]] : start[here[0] + 1]]
        return decode_mask(runs, int(file["side"]))
