"""The tables of a phantom: NIH's label table, box list and lists, and the truth."""

import io
import zipfile
from pathlib import Path

import numpy as np

from chestkd.findings import BOXED_FINDINGS, FINDINGS, decode
from chestkd.phantom.blocks import BLOCK, block_path, block_rows, blocks
from chestkd.phantom.labels import Plan
from chestkd.phantom.masks import BLOCK_ARRAYS
from chestkd.phantom.plainfiles import gzip_bytes
from chestkd.phantom.regions import Box
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.streams import Stream, open_stream

# Width in millimeters that an image shows, which gives the pixel spacing.
_FIELD = 400
_LABEL_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
_BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h]"
_TRUTH_HEADER = [
    "Image Index",
    "Patient ID",
    "List",
    "True Labels",
    "Recorded Labels",
    "Shortcut",
    *(f"{name} severity" for name in FINDINGS),
    *(f"{name} box [x y w h]" for name in FINDINGS),
]


def write_tables(plan: Plan, specification: PhantomSpecification, folder: Path) -> None:
    """Write every table, and the mask file, from the plan and the records of the blocks."""
    boxes = _write_truth_and_masks(plan, specification, folder)
    _write_labels(plan, specification, folder)
    for name, chosen in (("train_val_list.txt", ~plan.test), ("test_list.txt", plan.test)):
        names = [plan.name(row) for row in np.flatnonzero(chosen).tolist()]
        # Like NIH's, the lists end without a newline.
        (folder / name).write_bytes("\n".join(names).encode())
    _write_boxes(plan, specification, folder, boxes)


def boxed(plan: Plan) -> np.ndarray:
    """Which findings NIH would have boxed, (images, 14) bool: recorded ones of test images."""
    eight = np.array([name in BOXED_FINDINGS for name in FINDINGS])
    return plan.test[:, None] & (plan.recorded == 1) & (plan.severities > 0) & eight


def _write_truth_and_masks(
    plan: Plan, specification: PhantomSpecification, folder: Path
) -> list[tuple[int, str, Box]]:
    """truth.csv.gz and masks.npz, block by block; returns the boxes that NIH would list."""
    listed: list[tuple[int, str, Box]] = []
    may_be_boxed = boxed(plan)
    with (
        (folder / "truth.csv.gz").open("wb") as truth,
        zipfile.ZipFile(folder / "masks.npz", "w") as masks,
    ):
        truth.write(gzip_bytes((",".join(_TRUTH_HEADER) + "\n").encode()))
        for block in blocks(plan):
            with np.load(block_path(folder, block)) as file:
                record = dict(file)
            boxes: dict[tuple[int, int], Box] = {
                (int(row), int(finding)): box
                for row, finding, box in zip(
                    record["row"],
                    record["finding"],
                    map(tuple, record["boxes"].tolist()),
                    strict=True,
                )
                if not np.isnan(box[0])
            }
            for key in BLOCK_ARRAYS:
                _add_array(masks, f"{block:06d}/{key}", record[key])
            if block == 0:
                _add_array(masks, "side", np.array(specification.size))
                _add_array(masks, "block", np.array(BLOCK))
            lines = [_truth_line(plan, row, boxes) for row in block_rows(plan, block)]
            truth.write(gzip_bytes(("\n".join(lines) + "\n").encode()))
            listed += [
                (row, FINDINGS[finding], box)
                for (row, finding), box in boxes.items()
                if may_be_boxed[row, finding]
            ]
    return listed


def _add_array(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    member = zipfile.ZipInfo(name + ".npy")
    member.create_system = 3  # the same byte on every system
    archive.writestr(member, buffer.getvalue())


def _truth_line(plan: Plan, row: int, boxes: dict[tuple[int, int], Box]) -> str:
    severities = plan.severities[row]
    cells = [
        plan.name(row),
        str(plan.patient[row]),
        "test" if plan.test[row] else "train_val",
        decode(severities > 0),
        decode(plan.recorded[row]),
        str(int(plan.shortcut[row])),
        *(f"{severity:.4f}" for severity in severities),
    ]
    for finding in range(len(FINDINGS)):
        cells.append(" ".join(f"{value:.2f}" for value in boxes.get((row, finding), ())))
    return ",".join(cells)


def _write_labels(plan: Plan, specification: PhantomSpecification, folder: Path) -> None:
    size, spacing = specification.size, f"{_FIELD / specification.size:.4f}"
    with (folder / "Data_Entry_2017_v2020.csv").open("w", newline="\n") as file:
        file.write(_LABEL_HEADER + "\n")
        for row in range(len(plan)):
            sex = "F" if plan.female[row] else "M"
            file.write(
                f"{plan.name(row)},{decode(plan.recorded[row])},{plan.visit[row]},"
                f"{plan.patient[row]},{plan.age[row]},{sex},{plan.view[row]},"
                f"{size},{size},{spacing},{spacing}\n"
            )


def _write_boxes(
    plan: Plan,
    specification: PhantomSpecification,
    folder: Path,
    boxes: list[tuple[int, str, Box]],
) -> None:
    """NIH's box list: its unquoted header, `Infiltrate`, and the findings one after another."""
    generator = open_stream(specification.seed, Stream.BOXES)
    kept = [box for box in boxes if generator.random() < specification.box_share]
    lines = []
    for row, finding, box in kept or boxes[:1]:
        name = "Infiltrate" if finding == "Infiltration" else finding
        numbers = ",".join(f"{value:.6f}" for value in box)
        lines.append((name, row, f"{plan.name(row)},{name},{numbers}"))
    with (folder / "BBox_List_2017.csv").open("w", newline="\n") as file:
        file.write(_BOX_HEADER + "\n")
        file.writelines(line + "\n" for _, _, line in sorted(lines))
