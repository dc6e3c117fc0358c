"""Figure 3: a radiograph for each finding, by the rule of `choose_examples` or by name."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chestkd.data import decode
from chestkd.data.dataset import Dataset
from chestkd.findings import FINDINGS, finding_index, readable
from chestkd.findings import decode as label_names

_BOX_COLOR = "#ffc20a"
_COLUMNS = 5


def choose_examples(dataset: Dataset, seed: int) -> dict[str, int]:
    """One row per finding, by rule: boxed before unboxed, few labels before many.

    Ties are broken at random, by ``seed``. A finding without images is left out.
    """
    generator = np.random.default_rng(seed)
    boxed = set(zip(dataset.boxes["row"], dataset.boxes["finding"], strict=True))
    chosen: dict[str, int] = {}
    for index, finding in enumerate(FINDINGS):
        rows = np.flatnonzero(dataset.labels[:, index])
        if not len(rows):
            continue
        unboxed = np.array([(row, finding) not in boxed for row in rows])
        order = np.lexsort((generator.random(len(rows)), dataset.labels[rows].sum(axis=1), unboxed))
        chosen[finding] = int(rows[order[0]])
    return chosen


def by_name(dataset: Dataset, images: Mapping[str, str]) -> dict[str, int]:
    """The row of the image that is given for each finding, such as "00000001_000.png".

    Raises ValueError for an image that is not in the data set, and for one that is not labeled
    with its finding.
    """
    rows = {}
    for finding, image in images.items():
        matches = np.flatnonzero(dataset.table["image"] == image)
        if not len(matches):
            raise ValueError(f"no image {image!r} among the {len(dataset.table):,} of the data set")
        row = int(matches[0])
        if not dataset.labels[row, finding_index(finding)]:
            labels = label_names(dataset.labels[row])
            raise ValueError(f"image {image} is labeled {labels}, not {finding}")
        rows[finding] = row
    return rows


def draw_examples(dataset: Dataset, rows: Mapping[str, int], size: int = 0) -> Figure:
    """A radiograph for each finding, outlined by the finding's boxes where the data has them.

    `size` is the side to which the radiographs are resized, in pixels; 0 leaves them as they are.
    """
    lines = -(-len(rows) // _COLUMNS)
    columns = min(_COLUMNS, len(rows))
    figure, grid = plt.subplots(lines, columns, figsize=(2 * columns, 2.5 * lines), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (finding, row) in zip(grid.flat, rows.items(), strict=False):
        image = dataset.image(row)
        image = decode.resize(image, size) if size else image
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        boxes = dataset.boxes_of(row, *image.shape)
        for x, y, w, h in boxes[boxes["finding"] == finding][["x", "y", "w", "h"]].to_numpy(float):
            axes.add_patch(Rectangle((x, y), w, h, fill=False, edgecolor=_BOX_COLOR, linewidth=1.2))
        axes.set_title(f"{readable(finding)}\n{dataset.table['image'][row]}", fontsize=8)
    figure.tight_layout(pad=0.4)
    return figure


def labels_beside(dataset: Dataset, rows: Mapping[str, int]) -> pd.DataFrame:
    """What else the chosen images are labeled with, and how many boxes of the finding they have.

    Columns ``finding``, ``image``, ``other labels`` ("" where it is alone), ``boxes``.
    """
    table = []
    for finding, row in rows.items():
        labels = [
            readable(name)
            for name, present in zip(FINDINGS, dataset.labels[row], strict=True)
            if present and name != finding
        ]
        boxes = (dataset.boxes["row"] == row) & (dataset.boxes["finding"] == finding)
        image = dataset.table["image"][row]
        table.append((readable(finding), image, ", ".join(labels), int(boxes.sum())))
    return pd.DataFrame(table, columns=["finding", "image", "other labels", "boxes"])
