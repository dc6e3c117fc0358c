"""A phantom on disk, in NIH's layout: resumable, and either whole or absent.

Everything is written into `FOLDER.partial` and renamed to `FOLDER` when it is complete. A
run that was stopped resumes where it left off.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from chestkd.phantom.blocks import draw_blocks, rgba_count, write_atomically
from chestkd.phantom.labels import Plan, draw_plan
from chestkd.phantom.specification import DRAWING, PhantomSpecification
from chestkd.phantom.tables import boxed, write_tables

DESCRIPTION = "PHANTOM: procedural chest radiographs in the layout of ChestX-ray14; no patients"


def generate(
    specification: PhantomSpecification,
    folder: Path,
    processes: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the phantom of a specification into `folder` and return the folder.

    - `specification`: every knob; equal specifications give equal bytes.
    - `folder`: created; if it already contains this very phantom, nothing is done.
    - `processes`: how many draw at the same time, by default one per available CPU. With more than
      one, a script needs the usual `if __name__ == "__main__":`.
    - `progress`: show a progress bar on stderr.

    - Raises `ValueError`: the phantom is so small that its box list would be empty, which its
      reader refuses; nothing is written.
    - Raises `FileExistsError`: the folder, or the unfinished one beside it, contains something
      else.
    - Raises `OSError`: no space left. Where that can be foreseen nothing is written; otherwise what
      was drawn stays in `FOLDER.partial`, and the same call resumes from there.
    """
    folder = Path(folder)
    if processes is None:
        processes = _available_cpus()
    if processes < 1:
        raise ValueError(f"processes must be 1 or more, received {processes}")
    if _is_complete(folder, specification):
        return folder
    plan = draw_plan(specification)
    _check_readable(plan, specification)
    unfinished = folder.with_name(folder.name + ".partial")
    _check_unfinished(unfinished, specification)
    _check_space(unfinished, specification)
    with _clear_when_full(unfinished, specification):
        (unfinished / "images").mkdir(parents=True, exist_ok=True)
        (unfinished / "blocks").mkdir(exist_ok=True)
        with FileLock(unfinished / ".lock"):
            # Another process may have finished it while this one waited.
            if _is_complete(folder, specification):
                return folder
            write_atomically(unfinished / "unfinished.json", _stamp(specification))
            draw_blocks(plan, specification, unfinished, processes, progress)
            write_tables(plan, specification, unfinished)
            _finish(unfinished, folder, specification)
    return folder


def _check_readable(plan: Plan, specification: PhantomSpecification) -> None:
    if not boxed(plan).any():
        raise ValueError(
            f"a phantom of {specification.images} images with seed {specification.seed} has no "
            "finding to box in its test list, and without a box it cannot be read; ask for more "
            "images"
        )


def _available_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _stamp(specification: PhantomSpecification) -> bytes:
    content = {
        "description": DESCRIPTION,
        "drawing": DRAWING,
        "specification": specification.as_dict(),
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def _is_complete(folder: Path, specification: PhantomSpecification) -> bool:
    """Whether the folder is this phantom; FileExistsError if it is something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    stamp = folder / "phantom.json"
    if not stamp.is_file():
        raise FileExistsError(f"{folder} already contains something that is not a phantom")
    if stamp.read_bytes() != _stamp(specification):
        raise FileExistsError(
            f"{folder} already contains another phantom ({_difference(stamp, specification)}); "
            "choose another folder or delete it"
        )
    return True


def _check_unfinished(unfinished: Path, specification: PhantomSpecification) -> None:
    if not unfinished.exists():
        return
    stamp = unfinished / "unfinished.json"
    if not stamp.is_file():
        # Stopped before anything was drawn, or not ours.
        names = {entry.name for entry in unfinished.iterdir()}
        if not names <= {"images", "blocks", ".lock", "unfinished.json.tmp"}:
            raise FileExistsError(f"{unfinished} is in the way and is not an unfinished phantom")
    elif stamp.read_bytes() != _stamp(specification):
        raise FileExistsError(
            f"{unfinished} is an unfinished phantom of another specification "
            f"({_difference(stamp, specification)}); finish it or delete it"
        )


def _difference(stamp: Path, specification: PhantomSpecification) -> str:
    try:
        found = json.loads(stamp.read_text())
        theirs, version = found["specification"], found["drawing"]
    except (ValueError, KeyError, TypeError):
        return f"{stamp} is not readable"
    if version != DRAWING:
        return f"version {version} of the drawing, this is version {DRAWING}"
    ours = specification.as_dict()
    names = [name for name in ours if theirs.get(name) != ours[name]]
    return ", ".join(f"{name} {theirs.get(name)} there, {ours[name]} asked for" for name in names)


def _bytes_needed(specification: PhantomSpecification) -> int:
    # Stored pixels, some of them in four channels, and labels, boxes and masks.
    size = specification.size
    pixels = (specification.images + 3 * rgba_count(specification)) * size * (size + 1)
    return pixels + specification.images * (2200 + 12 * size)


def _check_space(unfinished: Path, specification: PhantomSpecification) -> None:
    place = unfinished.absolute().parent
    while not place.exists():
        place = place.parent
    done = 0
    if (unfinished / "images").is_dir():
        done = sum(entry.stat().st_size for entry in os.scandir(unfinished / "images"))
    needed, free = _bytes_needed(specification) - done, shutil.disk_usage(place).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"no space left for the phantom: {needed / 1e6:,.1f} MB are needed at {place}, "
            f"{free / 1e6:,.1f} MB are free; nothing was written",
        )


@contextmanager
def _clear_when_full(unfinished: Path, specification: PhantomSpecification) -> Iterator[None]:
    """Say what a disk that filled up halfway leaves behind."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OSError(
            errno.ENOSPC,
            f"no space left for the phantom, which needs {_bytes_needed(specification) / 1e6:,.1f}"
            f" MB in all; what was drawn is in {unfinished}: make room and repeat the command to "
            "resume, or delete that folder",
        ) from error


def _finish(unfinished: Path, folder: Path, specification: PhantomSpecification) -> None:
    shutil.rmtree(unfinished / "blocks")
    for leftover in (unfinished / "images").glob("*.tmp"):
        leftover.unlink()
    write_atomically(unfinished / "phantom.json", _stamp(specification))
    (unfinished / "unfinished.json").unlink()
    (unfinished / ".lock").unlink(missing_ok=True)
    if folder.exists():
        folder.rmdir()
    unfinished.rename(folder)
