"""A phantom on disk, in NIH's layout: drawn in parallel, resumable, whole or not there.

Everything is written into `FOLDER.partial`, block by block, and renamed to `FOLDER` when
it is complete. A run that was stopped goes on where it was.
"""

import errno
import io
import json
import multiprocessing
import os
import shutil
import zipfile
from collections.abc import Iterator
from functools import partial as bind
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from tqdm import tqdm

from chestkd.data.phantom.labels import Plan, draw_plan
from chestkd.data.phantom.masks import encode_mask
from chestkd.data.phantom.plainfiles import gzip_bytes, png_bytes
from chestkd.data.phantom.render import Visit, draw
from chestkd.data.phantom.specification import PhantomSpecification
from chestkd.data.phantom.streams import Stream, generator
from chestkd.findings import BOXED_FINDINGS, FINDINGS, decode, encode

# Images drawn between two points at which a stopped run can go on.
BLOCK = 32
# Raised whenever the same specification would give other pixels or labels.
DRAWING = 1
# Share of RGBA files among NIH's images, 519 of 112,120.
RGBA_SHARE = 519 / 112_120
COMMENT = "PHANTOM: procedural radiograph, not a patient"
DESCRIPTION = "PHANTOM: procedural chest radiographs in the layout of ChestX-ray14; no patients"

Box = tuple[float, float, float, float]


def generate(
    specification: PhantomSpecification,
    folder: Path,
    processes: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the phantom of a specification into `folder` and return the folder.

    Args:
        specification: every knob; equal specifications give equal bytes.
        folder: created; if it already holds this very phantom, nothing is done.
        processes: how many draw at the same time, by default one per available CPU.
        progress: show a progress bar on stderr.

    Raises:
        FileExistsError: the folder, or the unfinished one beside it, holds something else.
        OSError: no space left; what was drawn stays in `FOLDER.partial`, and the same
            call goes on from there.

    """
    folder = Path(folder)
    if processes is None:
        processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if processes < 1:
        raise ValueError(f"processes must be 1 or more, received {processes}")
    if _is_complete(folder, specification):
        return folder
    unfinished = folder.with_name(folder.name + ".partial")
    _check_unfinished(unfinished, specification)
    _check_space(folder, unfinished, specification)
    try:
        (unfinished / "images").mkdir(parents=True, exist_ok=True)
        (unfinished / "blocks").mkdir(exist_ok=True)
        with FileLock(unfinished / ".lock"):
            if _is_complete(folder, specification):
                return folder
            _write_atomically(unfinished / "unfinished.json", _stamp(specification))
            plan = draw_plan(specification)
            _draw_blocks(plan, specification, unfinished, processes, progress)
            _assemble(plan, specification, unfinished)
            if folder.exists():
                folder.rmdir()
            unfinished.rename(folder)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OSError(
            errno.ENOSPC,
            f"no space left for the phantom: {_bytes_needed(specification) / 1e6:,.0f} MB are "
            f"needed in all; what was drawn is in {unfinished}: make room and repeat the "
            "command to go on, or delete that folder",
        ) from error
    return folder


def _stamp(specification: PhantomSpecification) -> bytes:
    content = {
        "description": DESCRIPTION,
        "drawing": DRAWING,
        "specification": specification.as_dict(),
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def _is_complete(folder: Path, specification: PhantomSpecification) -> bool:
    """Whether the folder is this phantom; FileExistsError if it is something else."""
    if folder.is_dir() and not any(folder.iterdir()):
        return False
    if not folder.exists():
        return False
    stamp = folder / "phantom.json"
    if not stamp.is_file():
        raise FileExistsError(f"{folder} already holds something that is not a phantom")
    if stamp.read_bytes() != _stamp(specification):
        raise FileExistsError(
            f"{folder} already holds another phantom ({_difference(stamp, specification)}); "
            "choose another folder or delete it"
        )
    return True


def _check_unfinished(unfinished: Path, specification: PhantomSpecification) -> None:
    stamp = unfinished / "unfinished.json"
    if not unfinished.exists() or not any(unfinished.iterdir()):
        return
    if not stamp.is_file():
        # Stopped before anything was drawn, or not ours.
        names = {entry.name for entry in unfinished.iterdir()}
        if names <= {"images", "blocks", ".lock", "unfinished.json.tmp"}:
            return
        raise FileExistsError(f"{unfinished} is in the way and is not an unfinished phantom")
    if stamp.read_bytes() != _stamp(specification):
        raise FileExistsError(
            f"{unfinished} is an unfinished phantom of another specification "
            f"({_difference(stamp, specification)}); finish it or delete it"
        )


def _difference(stamp: Path, specification: PhantomSpecification) -> str:
    found = json.loads(stamp.read_text())
    if found.get("drawing") != DRAWING:
        return f"drawn by version {found.get('drawing')} of the drawing, this is {DRAWING}"
    theirs, ours = found.get("specification", {}), specification.as_dict()
    names = sorted(
        name for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name)
    )
    return ", ".join(f"{n}: there {theirs.get(n)}, asked for {ours.get(n)}" for n in names)


def _bytes_needed(specification: PhantomSpecification) -> int:
    # Stored pixels and headers, and about 2 kB of labels, boxes and masks per image.
    return specification.images * (specification.size**2 + specification.size + 2200)


def _check_space(folder: Path, unfinished: Path, specification: PhantomSpecification) -> None:
    place = folder.absolute().parent
    while not place.exists():
        place = place.parent
    done = 0
    if (unfinished / "images").is_dir():
        done = sum(entry.stat().st_size for entry in os.scandir(unfinished / "images"))
    needed, free = _bytes_needed(specification) - done, shutil.disk_usage(place).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"no space left for the phantom: {needed / 1e6:,.0f} MB are needed at {place}, "
            f"{free / 1e6:,.0f} MB are free; nothing was written",
        )


def _write_atomically(path: Path, content: bytes) -> None:
    """The file has its name only when it is whole."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def _draw_blocks(
    plan: Plan, specification: PhantomSpecification, folder: Path, processes: int, progress: bool
) -> None:
    rgba = set(_rgba_rows(specification).tolist())
    jobs = [_visits(plan, block) for block in _blocks(plan)]
    missing = [job for job in jobs if not _block_path(folder, job[0][0]).exists()]
    work = bind(_draw_block, specification=specification, folder=folder, rgba=rgba)
    with tqdm(
        total=len(plan),
        initial=len(plan) - sum(map(len, missing)),
        desc="phantom",
        unit="image",
        disable=not progress,
    ) as bar:
        if processes == 1 or len(missing) < 2:
            for job in missing:
                bar.update(work(job))
            return
        context = multiprocessing.get_context("spawn")
        with context.Pool(min(processes, len(missing))) as pool:
            for count in pool.imap_unordered(work, missing):
                bar.update(count)


def _blocks(plan: Plan) -> Iterator[range]:
    for start in range(0, len(plan), BLOCK):
        yield range(start, min(start + BLOCK, len(plan)))


def _block_path(folder: Path, row: int) -> Path:
    return folder / "blocks" / f"{row // BLOCK:06d}.npz"


def _visits(plan: Plan, rows: range) -> list[tuple[int, str, Visit]]:
    names = plan.names
    return [
        (
            row,
            names[row],
            Visit(
                patient=int(plan.patient[row]),
                number=int(plan.visit[row]),
                female=bool(plan.female[row]),
                age=int(plan.age[row]),
                view=str(plan.view[row]),
                severities={
                    name: float(severity)
                    for name, severity in zip(FINDINGS, plan.severities[row], strict=True)
                    if severity
                },
                shortcut=bool(plan.shortcut[row]),
            ),
        )
        for row in rows
    ]


def _rgba_rows(specification: PhantomSpecification) -> np.ndarray:
    """Images that are written as RGBA files: at least one, as in NIH's folders."""
    rng = generator(specification.seed, Stream.FILE_MODES)
    count = max(1, round(RGBA_SHARE * specification.images))
    return rng.choice(specification.images, count, replace=False)


def _draw_block(
    job: list[tuple[int, str, Visit]],
    specification: PhantomSpecification,
    folder: Path,
    rgba: set[int],
) -> int:
    """Draw and write the images of one block, then its record; returns their number."""
    rows, findings, runs, boxes = [], [], [], []
    for row, name, visit in job:
        radiograph = draw(visit, specification)
        pixels = radiograph.pixels
        if row in rgba:
            opaque = np.full_like(pixels, 255)
            pixels = np.stack([pixels, pixels, pixels, opaque], axis=2)
        _write_atomically(folder / "images" / name, png_bytes(pixels, COMMENT))
        for finding, mask in radiograph.masks.items():
            rows.append(row)
            findings.append(FINDINGS.index(finding))
            runs.append(encode_mask(mask))
            boxes.append(radiograph.boxes[finding] or (np.nan,) * 4)
        side = radiograph.layers.frame.pixels
    record = io.BytesIO()
    np.savez(
        record,
        row=np.array(rows, np.int64),
        finding=np.array(findings, np.uint8),
        start=np.cumsum([0, *map(len, runs)], dtype=np.int64),
        runs=np.concatenate([np.zeros(0, np.uint32), *runs]),
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        side=np.int64(side),
    )
    _write_atomically(_block_path(folder, job[0][0]), record.getvalue())
    return len(job)


def _assemble(plan: Plan, specification: PhantomSpecification, folder: Path) -> None:
    """Write the tables and the mask file from the block records, and remove those."""
    boxes = _write_truth_and_masks(plan, folder)
    _write_labels(plan, specification, folder)
    _write_lists(plan, folder)
    _write_boxes(plan, specification, folder, boxes)
    shutil.rmtree(folder / "blocks")
    for leftover in (folder / "images").glob("*.tmp"):
        leftover.unlink()
    (folder / "unfinished.json").unlink()
    (folder / "phantom.json").write_bytes(_stamp(specification))
    (folder / ".lock").unlink(missing_ok=True)


def _write_truth_and_masks(plan: Plan, folder: Path) -> list[tuple[int, str, Box]]:
    """truth.csv.gz and masks.npz; returns the boxes of findings that NIH boxes."""
    names = plan.names
    boxed = []
    head = ["Image Index", "Patient ID", "List", "True Labels", "Recorded Labels", "Shortcut"]
    head += [f"{name} severity" for name in FINDINGS]
    head += [f"{name} box [x y w h]" for name in FINDINGS]
    with (
        (folder / "truth.csv.gz").open("wb") as truth,
        zipfile.ZipFile(folder / "masks.npz", "w") as masks,
    ):
        truth.write(gzip_bytes((",".join(head) + "\n").encode()))
        for block in _blocks(plan):
            with np.load(_block_path(folder, block[0])) as record:
                cells: dict[tuple[int, int], Box] = {
                    (int(row), int(finding)): tuple(box)
                    for row, finding, box in zip(
                        record["row"], record["finding"], record["boxes"].tolist(), strict=True
                    )
                }
                for key in ("row", "finding", "start", "runs"):
                    _add_array(masks, f"{block[0] // BLOCK:06d}/{key}", record[key])
                if block[0] == 0:
                    _add_array(masks, "side", record["side"])
                    _add_array(masks, "block", np.int64(BLOCK))
            lines = [_truth_line(plan, names[row], row, cells) for row in block]
            truth.write(gzip_bytes(("\n".join(lines) + "\n").encode()))
            boxed += [
                (row, FINDINGS[finding], box)
                for (row, finding), box in cells.items()
                if FINDINGS[finding] in BOXED_FINDINGS and not np.isnan(box[0])
            ]
    return boxed


def _add_array(archive: zipfile.ZipFile, name: str, array: np.ndarray | np.generic) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
    archive.writestr(zipfile.ZipInfo(name + ".npy"), buffer.getvalue())


def _truth_line(plan: Plan, name: str, row: int, cells: dict[tuple[int, int], Box]) -> str:
    severities = plan.severities[row]
    boxes = []
    for finding in range(len(FINDINGS)):
        box = cells.get((row, finding))
        shown = box is not None and not np.isnan(box[0])
        boxes.append(" ".join(f"{value:.2f}" for value in box) if shown and box else "")
    return ",".join(
        [
            name,
            str(plan.patient[row]),
            "test" if plan.test[row] else "train_val",
            decode(severities > 0),
            decode(plan.recorded[row]),
            str(int(plan.shortcut[row])),
            *(f"{severity:.4f}" for severity in severities),
            *boxes,
        ]
    )


def _write_labels(plan: Plan, specification: PhantomSpecification, folder: Path) -> None:
    size = specification.size
    spacing = f"{400 / size:.4f}"
    with (folder / "Data_Entry_2017_v2020.csv").open("w", newline="\n") as file:
        file.write(
            "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
            "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
        )
        for row, name in enumerate(plan.names):
            cells: tuple[Any, ...] = (
                name,
                decode(plan.recorded[row]),
                plan.visit[row],
                plan.patient[row],
                plan.age[row],
                "F" if plan.female[row] else "M",
                plan.view[row],
                size,
                size,
                spacing,
                spacing,
            )
            file.write(",".join(map(str, cells)) + "\n")


def _write_lists(plan: Plan, folder: Path) -> None:
    """The two official lists; like NIH's they end without a newline."""
    for name, chosen in (("train_val_list.txt", ~plan.test), ("test_list.txt", plan.test)):
        names = [n for n, one in zip(plan.names, chosen, strict=True) if one]
        (folder / name).write_bytes("\n".join(names).encode())


def _write_boxes(
    plan: Plan,
    specification: PhantomSpecification,
    folder: Path,
    boxes: list[tuple[int, str, Box]],
) -> None:
    """NIH's box list: test images only, 8 findings, `Infiltrate`, an unquoted header."""
    rng = generator(specification.seed, Stream.BOXES)
    names = plan.names
    listed = []
    for row, finding, box in boxes:
        chosen = rng.random() < specification.box_share
        if chosen and plan.test[row] and encode(finding) @ plan.recorded[row]:
            name = "Infiltrate" if finding == "Infiltration" else finding
            listed.append((name, row, box))
    with (folder / "BBox_List_2017.csv").open("w", newline="\n") as file:
        file.write("Image Index,Finding Label,Bbox [x,y,w,h]\n")
        for name, row, box in sorted(listed):
            file.write(",".join([names[row], name, *(f"{v:.6f}" for v in box)]) + "\n")
