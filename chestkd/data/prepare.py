"""Decode every radiograph once, to one size, into a memory map that training reads from."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import filelock
import numpy as np
import pandas as pd
import PIL
import tqdm

from chestkd.data import memory_map
from chestkd.data.dataset import Dataset
from chestkd.data.memory_map import PIXELS, PrepareError

# Change it whenever decode.py's pixels change, so that data prepared earlier is refused.
METHOD = "area 1"

LARGEST = 4096
_RECORD = "prepared.json"
_ROWS = "rows.csv"
_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set at one size, on disk."""

    #: (N, size, size), uint8, 0..255, read-only memory map; row i is row i of `dataset`.
    images: np.memmap
    #: The images in the map: all requested ones but those in `left_out`.
    dataset: Dataset
    size: int
    #: Image name to reason, of the corrupt files that were left out.
    left_out: dict[str, str]
    #: 64 hexadecimal digits of the data set's fingerprint, the size and all pixels.
    fingerprint: str
    #: The folder that it is stored in.
    folder: Path


def prepare(
    dataset: Dataset,
    size: int,
    folder: Path | str,
    *,
    on_corrupt: Literal["stop", "skip"] = "stop",
    workers: int | None = None,
    progress: bool = True,
) -> Prepared:
    """Decode all images of a data set once, in gray, area-averaged to (size, size).

    The result is stored in `folder`/<start of the data fingerprint>-<size>px, where the next call
    finds it. An interrupted or killed call leaves its progress in a folder ending in `.partial`
    beside it, and the next call resumes from there. A second process waits for the first.

    - `dataset`: what to decode.
    - `size`: height and width in pixels, 1 to 4096.
    - `folder`: where prepared data sets are kept; created if missing.
    - `on_corrupt`: "stop" raises at the first corrupt file, naming it; "skip" leaves corrupt
      files out of `Prepared.dataset` and counts them, on stderr and in `Prepared.left_out`.
    - `workers`: threads; by default, one for each core that this process may use.
    - `progress`: whether to show a progress bar on stderr.

    Files are identified by name and size in bytes: a file that changed without changing either
    goes unnoticed.

    Raises PrepareError for a corrupt file ("stop"), for a full disk, and if the stored images were
    made from other files; ValueError for an argument that is not allowed; OSError if a file cannot
    be read at all.
    """
    if not 1 <= size <= LARGEST:
        raise ValueError(f"size must be 1 to {LARGEST} pixels, not {size}")
    if on_corrupt not in ("stop", "skip"):
        raise ValueError(f"on_corrupt must be 'stop' or 'skip', not {on_corrupt!r}")
    workers = _cores() if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    target = folder_of(dataset, size, folder)
    file_bytes = np.array([path.stat().st_size for path in dataset.paths], np.int64)
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target):
            if not target.is_dir():
                partial = target.with_name(f"{target.name}.partial")
                left_out = memory_map.fill(
                    dataset,
                    size,
                    partial,
                    METHOD,
                    file_bytes,
                    skip_corrupt=on_corrupt == "skip",
                    workers=workers,
                    progress=progress,
                )
                _finish(dataset, size, partial, file_bytes, left_out, progress)
                partial.rename(target)
                memory_map.clean(target)
    return _load(dataset, size, target, file_bytes, on_corrupt)


def folder_of(dataset: Dataset, size: int, folder: Path | str) -> Path:
    """Where `prepare` stores this data set at this size, whether or not it has been prepared."""
    return Path(folder) / f"{dataset.fingerprint[:12]}-{size}px"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    lock = filelock.FileLock(target.with_name(f"{target.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        print(f"{target}: another process is preparing it; waiting", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _finish(
    dataset: Dataset,
    size: int,
    partial: Path,
    file_bytes: np.ndarray,
    left_out: dict[str, str],
    progress: bool,
) -> None:
    """Complete a filled folder: remove corrupt rows, write a table of rows and a record."""
    names = dataset.table["image"]
    kept = ~names.isin(left_out.keys()).to_numpy()
    if not kept.any():
        raise PrepareError(f"all {len(dataset):,} images are corrupt, such as {names[0]}")
    digest = _compact_and_hash(partial, np.flatnonzero(kept), progress)
    rows = dataset.table[["image", "patient", "listed"]].assign(bytes=file_bytes)
    rows[kept].to_csv(partial / _ROWS, index=False, lineterminator="\n")
    record = {
        "data": dataset.fingerprint,
        "size": size,
        "images": int(kept.sum()),
        "pixels": digest,
        "method": METHOD,
        "pillow": PIL.__version__,
        "left_out": [
            {"image": names[row], "bytes": int(file_bytes[row]), "reason": left_out[names[row]]}
            for row in np.flatnonzero(~kept)
        ],
    }
    (partial / _RECORD).write_text(json.dumps(record, indent=1) + "\n")


def _compact_and_hash(partial: Path, kept: np.ndarray, progress: bool) -> str:
    """SHA-256 of the kept rows' pixels; rows that were left out are removed from the map."""
    pixels = np.load(partial / PIXELS, mmap_mode="r")
    compact = None
    if len(kept) < len(pixels):
        compact = memory_map.new_map(partial / "kept.npy", (len(kept), *pixels.shape[1:]))
    digest = hashlib.sha256()
    step = max(1, _CHUNK_BYTES // pixels[0].size)
    for start in tqdm.trange(0, len(kept), step, desc="checking", disable=not progress):
        chunk = pixels[kept[start : start + step]]
        digest.update(chunk.tobytes())
        if compact is not None:
            compact[start : start + step] = chunk
    if compact is not None:
        compact.flush()
        os.replace(partial / "kept.npy", partial / PIXELS)
    return digest.hexdigest()


def _load(
    dataset: Dataset, size: int, target: Path, file_bytes: np.ndarray, on_corrupt: str
) -> Prepared:
    """A prepared folder, after checking that it is complete and made from these very files."""
    try:
        record = json.loads((target / _RECORD).read_text())
        rows = pd.read_csv(target / _ROWS)
        images = np.load(target / PIXELS, mmap_mode="r")
        left_out = {entry["image"]: entry["reason"] for entry in record["left_out"]}
        stored_bytes = dict(zip(rows["image"], rows["bytes"], strict=True))
        stored_bytes |= {entry["image"]: entry["bytes"] for entry in record["left_out"]}
        is_complete = images.shape == (len(rows), size, size) and images.dtype == np.uint8
        made_by = (record["data"], record["method"])
        pixels = record["pixels"]
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise PrepareError(f"{target} is damaged: {error}; {_AGAIN}") from error
    if not is_complete:
        raise PrepareError(f"{target} is damaged: {PIXELS} has shape {images.shape}; {_AGAIN}")
    if made_by != (dataset.fingerprint, METHOD):
        raise PrepareError(f"{target} contains other data, or pixels of another version; {_AGAIN}")
    names = dataset.table["image"]
    changed = names.map(stored_bytes).to_numpy() != file_bytes
    if changed.any():
        raise PrepareError(
            f"{target} was made from other image files: {changed.sum():,} differ in size now, "
            f"such as {names[int(changed.argmax())]}; {_AGAIN}"
        )
    if left_out:
        count = f"{len(left_out):,} corrupt files of {len(dataset):,} are left out"
        if on_corrupt == "stop":
            raise PrepareError(
                f"{target}: {count}, such as {next(iter(left_out))}; replace them and delete "
                "that folder, or allow it (on_corrupt='skip')"
            )
        print(f"{target}: {count}, such as {next(iter(left_out))}", file=sys.stderr)
        dataset = dataset.take(np.flatnonzero(~names.isin(left_out.keys()).to_numpy()))
    whole = hashlib.sha256(f"{dataset.fingerprint} {size} {pixels}".encode())
    return Prepared(images, dataset, size, left_out, whole.hexdigest(), target)


_AGAIN = "delete that folder to prepare the images again, or use another one"


def pixel_statistics(images: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the pixel values 0..255 of some rows of (N, H, W) uint8."""
    counts = np.zeros(256, np.int64)
    for row in rows:
        counts += np.bincount(images[row].ravel(), minlength=256)
    shares, values = counts / counts.sum(), np.arange(256)
    mean = float(shares @ values)
    return mean, float(np.sqrt(shares @ (values - mean) ** 2))
