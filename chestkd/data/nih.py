"""Read ChestX-ray14, or anything laid out like it, as NIH published it."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from chestkd.data.dataset import NIH_NAME, PHANTOM_NAME, Dataset
from chestkd.data.nih_tables import (
    LayoutError,
    read_boxes,
    read_labels,
    read_list,
)

LABEL_TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
BOX_LISTS = ("BBox_List_2017.csv",)
IMAGE_LISTS = {"train_val": "train_val_list.txt", "test": "test_list.txt"}
IMAGE_FOLDERS = ("images", *(f"images_{part:03}/images" for part in range(1, 13)))
# The phantom's generator writes its specification under this name.
PHANTOM_FILE = "phantom.json"
# Its only line is the name of a data set in this layout that is not NIH's.
NAME_FILE = "name.txt"


def read(folder: Path | str, *, allow_partial: bool = False) -> Dataset:
    """The data set in a folder laid out as NIH lays out ChestX-ray14.

    The folder contains `Data_Entry_2017_v2020.csv` (or the 2017 edition, `Data_Entry_2017.csv`),
    `BBox_List_2017.csv`, `train_val_list.txt` and `test_list.txt`, each plain or compressed
    (`.gz`), and the PNG files in `images/` or in `images_001/images/` to `images_012/images/`.
    Another data set in this layout has a `name.txt` whose only line is its name.

    All tables are read and checked completely; no image is decoded. Ages above 122 years, which
    occur in the 2017 edition, become NaN, and `Dataset.note` counts them.

    Raises LayoutError, with file and line, for anything missing, malformed, unknown or repeated.
    Missing images are an error, too, which counts those that are there; with `allow_partial` the
    data set consists of these, and one line on stderr says so.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise LayoutError(f"{folder} is not a folder; expected one with {LABEL_TABLES[0]}")
    table, labels, boxes, impossible_ages = read_metadata(folder)
    files = _find_images(folder, table["image"])
    present = table["image"].isin(files.keys()).to_numpy()
    note = f"{present.sum():,} of {len(table):,} listed images"
    if not present.all():
        _check_partial(folder, table["image"][~present], note, allow_partial)
    if impossible_ages:
        note += f"; {impossible_ages} ages above 122 years left out"
    rows = np.flatnonzero(present)
    table = table.iloc[rows].reset_index(drop=True)
    boxes = boxes[boxes["image"].isin(table["image"])].reset_index(drop=True)
    boxes.insert(0, "row", np.searchsorted(table["image"].to_numpy(str), list(boxes["image"])))
    paths = tuple(files[image] for image in table["image"])
    return Dataset.with_fingerprint(_name(folder), folder, table, labels[rows], paths, boxes, note)


def read_metadata(folder: Path) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame, int]:
    """Everything that NIH lists, whether or not the images are there.

    Returns the table, labels and boxes of a `Dataset`, the boxes without their column `row`, and
    the number of ages left out. Raises LayoutError as `read` does.
    """
    table_path = _find(folder, *LABEL_TABLES)
    table, labels, impossible_ages = read_labels(table_path)
    table.insert(6, "listed", _read_lists(folder, table["image"], table_path))
    boxes = read_boxes(_find(folder, *BOX_LISTS), table["image"])
    return table, labels, boxes, impossible_ages


def _name(folder: Path) -> str:
    if (folder / PHANTOM_FILE).exists():
        return PHANTOM_NAME
    path = folder / NAME_FILE
    if not path.is_file():
        return NIH_NAME
    name = path.read_text(encoding="utf-8").strip()
    if not name or "\n" in name or name in (NIH_NAME, PHANTOM_NAME):
        raise LayoutError(
            f"{path}: expected one line, the name of a data set other than {NIH_NAME} and "
            f"{PHANTOM_NAME}, found {name!r}"
        )
    return name


def _find(folder: Path, *names: str) -> Path:
    allowed = [name + ending for name in names for ending in ("", ".gz")]
    found = [name for name in allowed if (folder / name).is_file()]
    if not found:
        raise LayoutError(f"{folder} has no {' or '.join(allowed)}")
    if len(found) > 1:
        raise LayoutError(f"{folder} has both {' and '.join(found)}; keep one of them")
    return folder / found[0]


def _read_lists(folder: Path, images: pd.Series, table_path: Path) -> pd.Series:
    """For each image, the official list that names it; exactly one must."""
    listed = pd.Series("", index=images, dtype="str")
    for name, file_name in IMAGE_LISTS.items():
        path = _find(folder, file_name)
        official = read_list(path)
        unknown = official[~official.isin(images)]
        if len(unknown):
            raise LayoutError(
                f"{path} names {len(unknown):,} images that {table_path.name} does not list, "
                f"such as {unknown.iloc[0]}"
            )
        twice = official[(listed[official] != "").to_numpy()]
        if len(twice):
            raise LayoutError(
                f"{path} names {len(twice):,} images that are also in the other official list, "
                f"such as {twice.iloc[0]}; expected each image in one list"
            )
        listed[official] = name
    missing = listed[listed == ""]
    if len(missing):
        raise LayoutError(
            f"{len(missing):,} images of {table_path} are in no official list, such as "
            f"{missing.index[0]}; expected each in {' or '.join(IMAGE_LISTS.values())}"
        )
    return listed.reset_index(drop=True)


def _find_images(folder: Path, images: pd.Series) -> dict[str, Path]:
    """Image name to PNG file, of the files that exist; each must be in the label table, once."""
    folders = [folder / name for name in IMAGE_FOLDERS if (folder / name).is_dir()]
    if not folders:
        raise LayoutError(f"{folder} has neither images/ nor images_001/images/")
    known = set(images)
    files: dict[str, Path] = {}
    for images_folder in folders:
        for path in sorted(images_folder.iterdir()):
            # Unpacking and file browsers leave hidden files and thumbnails behind.
            if path.suffix.lower() != ".png" or path.name.startswith("."):
                continue
            if path.name not in known:
                raise LayoutError(
                    f"{path} is not in the label table; expected only images that are"
                )
            if path.name in files:
                raise LayoutError(
                    f"{path} is a second {path.name}; the first is {files[path.name]}"
                )
            files[path.name] = path
    return files


def _check_partial(folder: Path, missing: pd.Series, note: str, allow_partial: bool) -> None:
    problem = f"{folder} is a partial copy: {note} are there, not for example {missing.iloc[0]}"
    if note.startswith("0 of"):
        raise LayoutError(f"{problem}; there is nothing to read")
    if not allow_partial:
        raise LayoutError(f"{problem}; get the rest, or allow a partial copy (allow_partial=True)")
    print(f"{problem}; continuing with those", file=sys.stderr)
