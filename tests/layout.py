"""A tiny ChestX-ray14: NIH's files and a few small images, for tests that need a folder to read."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from chestkd.data.splits import patient_table
from chestkd.findings import BOXED_FINDINGS, FINDINGS, decode

LABELS = "Data_Entry_2017_v2020.csv"
BOXES = "BBox_List_2017.csv"
LISTS = {"train_val": "train_val_list.txt", "test": "test_list.txt"}
LABEL_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h]"


def write(
    folder: Path, *, patients: int = 16, size: int = 32, seed: int = 0, phantom: bool = False
) -> Path:
    """Write NIH's layout into `folder` and return it; the same arguments give the same bytes.

    NIH's first `patients` patients (16 or more, so that every split has all its parts) with one
    to three images each, 32 images by default, in their official lists. Labels and pixels are
    random; the images of the test list have a box for each of their boxed findings.
    """
    random = np.random.default_rng(seed)
    rows, boxes = [LABEL_HEADER], [BOX_HEADER]
    lists: dict[str, list[str]] = {name: [] for name in LISTS}
    (folder / "images").mkdir(parents=True)
    for patient, official in patient_table()["official"].iloc[:patients].items():
        sex = random.choice(["M", "F"])
        for visit in range(1 + patient % 3):
            image = f"{patient:08}_{visit:03}.png"
            label = decode(random.random(len(FINDINGS)) < 0.2)
            age, view = 40 + patient % 40 + visit, random.choice(["PA", "AP"])
            rows.append(
                f"{image},{label},{visit},{patient},{age},{sex},{view},2500,2048,0.168,0.168"
            )
            lists[official].append(image)
            if official == "test":
                boxes += [
                    f"{image},{finding.replace('Infiltration', 'Infiltrate')},"
                    + ",".join(f"{side:.7f}" for side in random.uniform(100, 500, 4))
                    for finding in label.split("|")
                    if finding in BOXED_FINDINGS
                ]
            pixels = random.integers(0, 256, (size, size), np.uint8)
            (folder / "images" / image).write_bytes(png(pixels))
    (folder / LABELS).write_text("\n".join([*rows, ""]))
    (folder / BOXES).write_text("\n".join([*boxes, ""]))
    for name, file_name in LISTS.items():
        # NIH's lists end without a line end.
        (folder / file_name).write_text("\n".join(lists[name]))
    if phantom:
        (folder / "phantom.json").write_text(json.dumps({"seed": seed}))
    return folder


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    """PNG bytes of an array: (H, W) uint8 or uint16, (H, W, 3) or (H, W, 4) uint8."""
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, "PNG")
    return file.getvalue()
