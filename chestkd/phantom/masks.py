"""The side file of masks: what every finding covers, run-length encoded.

`masks.npz` holds four arrays for each block of consecutive images, so that reading one
mask reads one block: `NNNNNN/row` (rows of truth.csv.gz), `NNNNNN/finding` (0 to 13),
`NNNNNN/start` and `NNNNNN/runs`. The runs of mask k are runs[start[k]:start[k + 1]]:
lengths, in row order, of the stretches outside, inside, outside, ... `side` is the side
of all masks in pixels and `block` the number of images per block.
"""

from pathlib import Path

import numpy as np

from chestkd.findings import finding_index


def encode_mask(mask: np.ndarray) -> np.ndarray:
    """Run lengths, uint32, of a bool mask; the first run, possibly 0, lies outside it."""
    flat = np.concatenate([[False], mask.ravel()])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], changes, [mask.size]])).astype(np.uint32)


def decode_mask(runs: np.ndarray, side: int) -> np.ndarray:
    """The bool mask (side, side) of its run lengths."""
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(side, side)


def read_mask(folder: Path, row: int, finding: str) -> np.ndarray | None:
    """Mask of one finding in one image of a phantom.

    - `folder`: the phantom.
    - `row`: row of the image in `truth.csv.gz` and in the label table, from 0.
    - `finding`: one of the 14 names.

    Returns bool (side, side) over the whole image, or None where the finding is not there.
    """
    with np.load(folder / "masks.npz") as file:
        block = f"{row // int(file['block']):06d}"
        here = np.flatnonzero(
            (file[f"{block}/row"] == row) & (file[f"{block}/finding"] == finding_index(finding))
        )
        if len(here) == 0:
            return None
        start = file[f"{block}/start"]
        runs = file[f"{block}/runs"][start[here[0]] : start[here[0] + 1]]
        return decode_mask(runs, int(file["side"]))
