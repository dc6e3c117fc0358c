"""Figure 3: a radiograph for each finding, by the rule of `figures.choose_examples` or by name."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from chestkd.data import decode
from chestkd.data.dataset import Dataset
from chestkd.findings import FINDINGS
from chestkd.findings import decode as label_names
from chestkd.pages.figures import draw_boxes, readable

_COLUMNS = 5


def names(text: str, allowed: tuple[str, ...] = FINDINGS) -> list[str]:
    """A notebook's list in one line, "Effusion, Hernia", as names.

    Raises ValueError for a name that is not allowed; an empty `allowed` allows any.
    """
    found = [name.strip() for name in text.split(",") if name.strip()]
    for name in found:
        if allowed and name not in allowed:
            raise ValueError(f"unknown name {name!r}; allowed: {', '.join(allowed)}")
    return found


def by_name(dataset: Dataset, findings: Sequence[str], images: Sequence[str]) -> dict[str, int]:
    """The row of the image that is given for each finding, such as "00000001_000.png".

    Raises ValueError for another number of images than findings, for an image that is not there,
    and for one that is not labeled with its finding.
    """
    if len(images) != len(findings):
        raise ValueError(
            f"{len(images)} images for {len(findings)} findings: give one for each finding"
        )
    rows = {}
    for finding, image in zip(findings, images, strict=True):
        found = np.flatnonzero(dataset.table["image"] == image)
        if not len(found):
            raise ValueError(f"no image {image!r} among the {len(dataset.table):,} of the data set")
        row = int(found[0])
        if not dataset.labels[row, FINDINGS.index(finding)]:
            labels = label_names(dataset.labels[row])
            raise ValueError(f"image {image} is labeled {labels}, not {finding}")
        rows[finding] = row
    return rows


def figure(dataset: Dataset, rows: Mapping[str, int], size: int = 0) -> Figure:
    """A radiograph for each finding, its own boxes drawn where the data has them.

    `size` is the side at which they are drawn, in pixels; 0 leaves them as they are.
    """
    lines = -(-len(rows) // _COLUMNS)
    columns = min(_COLUMNS, len(rows))
    drawn, grid = plt.subplots(lines, columns, figsize=(2 * columns, 2.5 * lines), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (finding, row) in zip(grid.flat, rows.items(), strict=False):
        image = dataset.image(row)
        image = decode.resize(image, size) if size else image
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        boxes = dataset.boxes_of(row, *image.shape)
        draw_boxes(axes, boxes[boxes["finding"] == finding])
        axes.set_title(f"{readable(finding)}\n{dataset.table['image'][row]}", fontsize=8)
    drawn.tight_layout(pad=0.4)
    return drawn


def labels_beside(dataset: Dataset, rows: Mapping[str, int]) -> pd.DataFrame:
    """What else the chosen images are labeled with, and whether the finding is boxed there.

    Columns ``finding``, ``image``, ``other labels`` ("" where it is alone), ``boxes``.
    """
    found = []
    for finding, row in rows.items():
        labels = [
            name
            for name, value in zip(FINDINGS, dataset.labels[row], strict=True)
            if value and name != finding
        ]
        of = dataset.boxes[(dataset.boxes["row"] == row) & (dataset.boxes["finding"] == finding)]
        image = dataset.table["image"][row]
        found.append((readable(finding), image, ", ".join(map(readable, labels)), len(of)))
    return pd.DataFrame(found, columns=["finding", "image", "other labels", "boxes"])
