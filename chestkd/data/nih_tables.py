"""NIH's label table, box list and image lists as they are on disk, in all editions."""

import csv
import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from chestkd.findings import FINDINGS, encode, finding_index

# Boxes are given in this frame, whatever size the image file has.
FRAME = 1024
# The 2017 edition has ages up to 414 years; nobody has been older than 122.
OLDEST = 122

IMAGE_NAME = r"[0-9]{8}_[0-9]{3}\.png"

# Headers without blanks and trailing commas: editions differ in both. The commas inside the
# brackets are not quoted, so a header has more fields than names.
_LABEL_HEADERS = tuple(
    "ImageIndex,FindingLabels,Follow-up#,PatientID,PatientAge,"
    f"Patient{sex},ViewPosition,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
    for sex in ("Gender", "Sex")
)
_BOX_HEADERS = ("ImageIndex,FindingLabel,Bbox[x,y,w,h]",)
_WHOLE = "[0-9]{1,9}"
_DECIMAL = r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,2})?"


class LayoutError(ValueError):
    """A folder that is not laid out like NIH's ChestX-ray14; the message names file and line."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one file, as text, and the line on which each begins."""

    path: Path
    lines: np.ndarray
    columns: list[pd.Series]

    def fail(self, row: int, problem: str) -> NoReturn:
        """Raise LayoutError naming this file and the line of that row."""
        raise LayoutError(f"{self.path}, line {self.lines[row]}: {problem}")

    def matching(self, column: int, pattern: str, expected: str) -> pd.Series:
        """The column, after checking that the pattern matches each of its values in full."""
        values = self.columns[column]
        wrong = ~values.str.fullmatch(pattern).to_numpy(bool)
        if wrong.any():
            row = int(wrong.argmax())
            self.fail(row, f"expected {expected}, found {values[row]!r}")
        return values

    def parsed(self, column: int, parse: Callable[[str], object]) -> pd.Series:
        """The column parsed, each distinct text once; a ValueError gets file and line."""
        values = self.columns[column]
        codes, texts = pd.factorize(values)
        results = []
        for code, text in enumerate(texts):
            try:
                results.append(parse(text))
            except ValueError as error:
                self.fail(int((codes == code).argmax()), str(error))
        return pd.Series([results[code] for code in codes])


def read_labels(path: Path) -> tuple[pd.DataFrame, np.ndarray, int]:
    """The label table: one row per image (see `Dataset.table`), sorted by image name.

    Returns the table without its column `listed`, the labels (N, 14), uint8, and the number of
    ages that were left out because nobody is that old. Ages are whole years, even where an
    edition gives months or days. Raises LayoutError with file and line.
    """
    rows = _read_rows(path, _LABEL_HEADERS, 11)
    image = rows.matching(0, IMAGE_NAME, "an image name such as 00000001_000.png")
    _check_distinct(rows, image, "image")
    labels = rows.parsed(1, encode)
    patient = rows.matching(3, _WHOLE, "a patient id, a whole number").astype("int64")
    other = (image.str.slice(0, 8).astype("int64") != patient).to_numpy()
    if other.any():
        row = int(other.argmax())
        rows.fail(row, f"image {image[row]} is not of patient {patient[row]}")
    follow_up = rows.matching(2, _WHOLE, "a follow-up number, a whole number")
    age = rows.matching(4, "[0-9]{1,4}[YMD]?", "an age such as 58 or 058Y")
    sex = rows.matching(5, "[MF]", "the sex, M or F")
    view = rows.matching(6, "(PA|AP)", "the view, PA or AP")
    sizes = [rows.matching(k, "0*[1-9][0-9]{0,8}", "a size in pixels") for k in (7, 8)]
    spacings = [rows.matching(k, _DECIMAL, "a pixel spacing in mm") for k in (9, 10)]
    years = age.str.rstrip("YMD").astype("int64")
    years = years // age.str.slice(-1).map({"M": 12, "D": 365}).fillna(1).astype("int64")
    table = pd.DataFrame(
        {
            "image": image,
            "patient": patient,
            "follow_up": follow_up.astype("int64"),
            "age": years.astype("float64").where(years <= OLDEST),
            "sex": sex,
            "view": view,
            "original_width": sizes[0].astype("int64"),
            "original_height": sizes[1].astype("int64"),
            "spacing_x": spacings[0].astype("float64"),
            "spacing_y": spacings[1].astype("float64"),
        }
    )
    table = table.sort_values("image")
    encoded = np.stack(list(labels))[table.index]
    return table.reset_index(drop=True), encoded, int((years > OLDEST).sum())


def read_boxes(path: Path, images: pd.Series) -> pd.DataFrame:
    """The box list: image, finding, x, y, w, h as fractions 0..1 of the frame, sorted.

    `images` are the names in the label table. Raises LayoutError with file and line, also for a
    box on an image that is not among them, outside the frame, or repeated.
    """
    rows = _read_rows(path, _BOX_HEADERS, 6)
    image = rows.matching(0, IMAGE_NAME, "an image name such as 00000001_000.png")
    unknown = ~image.isin(images).to_numpy()
    if unknown.any():
        row = int(unknown.argmax())
        rows.fail(row, f"a box on {image[row]}, which the label table does not list")
    finding = rows.parsed(1, finding_index)
    sides = {
        side: rows.matching(k, _DECIMAL, f"{side} of a box in pixels").astype("float64")
        for k, side in enumerate("xywh", start=2)
    }
    for start, length in ("xw", "yh"):
        end = sides[start] + sides[length]
        wrong = ((sides[length] <= 0) | (end > FRAME)).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            rows.fail(
                row,
                f"a box must have a positive size and lie within the {FRAME} x {FRAME} frame, "
                f"not have {start}={sides[start][row]:g} and {length}={sides[length][row]:g}",
            )
    boxes = pd.DataFrame({"image": image, "finding": finding.astype("int64"), **sides})
    _check_distinct(rows, boxes, "box")
    boxes = boxes.sort_values(list(boxes.columns), ignore_index=True)
    boxes["finding"] = pd.Series([FINDINGS[index] for index in boxes["finding"]], dtype="str")
    boxes[list("xywh")] /= FRAME
    return boxes


def read_list(path: Path) -> pd.Series:
    """Image names of an official list, one per line, with or without a final newline.

    Raises LayoutError with file and line for anything but a name, and for a repeated one.
    """
    names = pd.Series(_text(path).splitlines(), dtype="str").str.strip()
    filled = names[names != ""]
    rows = Rows(path, filled.index.to_numpy() + 1, [filled.reset_index(drop=True)])
    if not len(filled):
        raise LayoutError(f"{path}: expected one image name per line, found none")
    image = rows.matching(0, IMAGE_NAME, "an image name such as 00000001_000.png")
    _check_distinct(rows, image, "image")
    return image


def _read_rows(path: Path, headers: tuple[str, ...], fields: int) -> Rows:
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    rows, lines = [], []
    line = 1
    try:
        header = ",".join(next(reader, [])).replace(" ", "").rstrip(",")
        if header not in headers:
            raise LayoutError(f"{path}, line 1: expected the header {headers[0]}, found {header!r}")
        line = reader.line_num + 1
        for row in reader:
            if row:
                rows.append([field.strip() for field in row])
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise LayoutError(f"{path}, line {line}: {error}") from error
    if not rows:
        raise LayoutError(f"{path}: expected rows after the header, found none")
    for line, row in zip(lines, rows, strict=True):
        # Where a header ends in commas, rows may or may not, depending on the edition.
        if len(row) < fields or any(row[fields:]):
            raise LayoutError(f"{path}, line {line}: expected {fields} fields, found {len(row)}")
    columns = [pd.Series(column, dtype="str") for column in zip(*_cut(rows, fields), strict=True)]
    return Rows(path, np.array(lines), columns)


def _cut(rows: list[list[str]], fields: int) -> list[list[str]]:
    return [row[:fields] for row in rows]


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise LayoutError(f"{path}: not a complete gzip file: {error}") from error
    except UnicodeDecodeError as error:
        raise LayoutError(f"{path}: not a text file in UTF-8: {error}") from error


def _check_distinct(rows: Rows, values: pd.Series | pd.DataFrame, kind: str) -> None:
    again = values.duplicated().to_numpy()
    if again.any():
        row = int(again.argmax())
        same = (values == values.iloc[row]).to_numpy().reshape(len(values), -1).all(axis=1)
        first = rows.lines[int(same.argmax())]
        rows.fail(row, f"{kind} {rows.columns[0][row]} is repeated; first on line {first}")
