"""What every reader returns: images on disk, their labels, their table and their boxes."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from chestkd.data import decode
from chestkd.findings import FINDINGS, finding_index

NIH_NAME = "ChestX-ray14"
PHANTOM_NAME = "PHANTOM"

# Mirrors of NIH's files round differently: boxes to 7 decimals of a pixel, spacings to 3 of a
# millimeter. The fingerprint rounds both further, to steps that no radiograph could resolve.
_BOX_STEPS = 1024 * 100
_SPACING_STEPS = 1_000_000


@dataclass(frozen=True, eq=False)
class Dataset:
    """N radiographs and what is known about them; pixels are decoded on demand.

    One row of `table`, `labels` and `paths` is one image, in the order of the image names.
    """

    #: "ChestX-ray14", "PHANTOM", or another: printed under every table and figure of these images.
    name: str
    #: The folder that it was read from.
    folder: Path
    #: image, patient (int), follow_up (int), age (years, NaN if unknown), sex ("M", "F"), view
    #: ("PA", "AP"), listed ("train_val", "test"), and the radiograph before NIH resized it:
    #: original_width, original_height (pixels), spacing_x, spacing_y (mm).
    table: pd.DataFrame
    #: (N, 14), uint8, 1 where the label names the finding and 0 where it does not.
    labels: np.ndarray
    #: N image files.
    paths: tuple[Path, ...]
    #: row (into the table), image, finding, x, y, w, h as fractions 0..1 of the frame.
    boxes: pd.DataFrame
    #: 64 hexadecimal digits of the parsed content: the same for every mirror with the same values.
    fingerprint: str
    #: How many of the listed images are here, such as "2,272 of 112,120 listed images".
    note: str

    @classmethod
    def with_fingerprint(
        cls,
        name: str,
        folder: Path,
        table: pd.DataFrame,
        labels: np.ndarray,
        paths: tuple[Path, ...],
        boxes: pd.DataFrame,
        note: str,
    ) -> Self:
        """A data set with its fingerprint and a read-only copy of `labels`.

        Raises ValueError if table, labels and paths differ in length or are empty.
        """
        if not len(table) == len(labels) == len(paths):
            raise ValueError(
                "table, labels and paths of a data set must have the same length, not "
                f"{len(table)}, {len(labels)} and {len(paths)}"
            )
        if not len(table):
            raise ValueError(f"the data set in {folder} has no images")
        labels = np.array(labels, np.uint8)
        labels.setflags(write=False)
        fingerprint = _fingerprint(name, table, labels, boxes)
        return cls(name, folder, table, labels, paths, boxes, fingerprint, note)

    def __len__(self) -> int:
        return len(self.table)

    def image(self, row: int) -> np.ndarray:
        """The radiograph of a row, decoded now: (H, W), uint8, 0..255.

        Raises decode.CorruptImageError, with the reason, if the file cannot be decoded.
        """
        return decode.decode_file(self.paths[row])

    def boxes_of(self, row: int, height: int, width: int) -> pd.DataFrame:
        """Boxes of a row, in pixels of an image of that height and width.

        Columns finding and, as float64, x, y (the upper left corner), w, h.
        """
        boxes = self.boxes.loc[self.boxes["row"] == row, ["finding", "x", "y", "w", "h"]]
        boxes = boxes.reset_index(drop=True)
        boxes[["x", "y", "w", "h"]] *= np.array([width, height, width, height], float)
        return boxes

    def take(self, rows: np.ndarray) -> "Dataset":
        """The data set of these rows only, (n,) integers without repetition, in table order.

        Raises IndexError for a row that does not exist, ValueError for a repeated one.
        """
        rows = np.asarray(rows, np.int64)
        kept = np.unique(rows)
        if len(kept) < len(rows):
            raise ValueError("the rows to take must be distinct, but one is repeated")
        if len(kept) and not 0 <= kept[0] <= kept[-1] < len(self):
            raise IndexError(f"rows must be in 0..{len(self) - 1}, not {kept[0]}..{kept[-1]}")
        boxes = self.boxes[self.boxes["row"].isin(kept)].reset_index(drop=True)
        boxes["row"] = np.searchsorted(kept, boxes["row"])
        return Dataset.with_fingerprint(
            self.name,
            self.folder,
            self.table.iloc[kept].reset_index(drop=True),
            self.labels[kept],
            tuple(self.paths[row] for row in kept),
            boxes,
            f"{len(kept):,} of {self.note}" if len(kept) < len(self) else self.note,
        )


def _fingerprint(name: str, table: pd.DataFrame, labels: np.ndarray, boxes: pd.DataFrame) -> str:
    """SHA-256 of the values, whatever the bytes, row order and compression of their files."""
    digest = hashlib.sha256(json.dumps([name, FINDINGS, list(table.columns)]).encode())
    order = np.argsort(table["image"].to_numpy(str), kind="stable")
    for column in table.columns:
        _update(digest, table[column].iloc[order], _SPACING_STEPS)
    digest.update(np.ascontiguousarray(labels[order]).tobytes())
    placed = boxes[["image"]].assign(
        finding=[finding_index(finding) for finding in boxes["finding"]],
        **{side: (boxes[side] * _BOX_STEPS).round().astype("int64") for side in "xywh"},
    )
    placed = placed.sort_values(list(placed.columns))
    for column in placed.columns:
        _update(digest, placed[column], 1)
    return digest.hexdigest()


def _update(digest: "hashlib._Hash", column: pd.Series, steps: int) -> None:
    if pd.api.types.is_integer_dtype(column):
        digest.update(column.to_numpy("<i8").tobytes())
    elif pd.api.types.is_float_dtype(column):
        # -1 marks an unknown value; known ones are never negative.
        known = (column * steps).round().fillna(-1)
        digest.update(known.to_numpy("<i8").tobytes())
    else:
        digest.update("\n".join([*column, ""]).encode())
