"""Fill a memory map with decoded radiographs, in parallel; a killed call can be resumed."""

import errno
import json
import math
import os
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import NoReturn

import numpy as np
import tqdm

from chestkd.data import decode
from chestkd.data.dataset import Dataset

PIXELS = "images.npy"
_DONE = "done.npy"
_FILE_BYTES = "bytes.npy"
# Written last when a map is set up: a folder without it is set up from scratch.
_STATE = "filling.json"

_SECONDS_BETWEEN_FLUSHES = 5.0
# Images queued ahead per thread: limits the memory, and how long an interrupt waits.
_AHEAD = 4
# Disk space left free in addition to the pixels: for tables, masks and other processes.
_SPARE_BYTES = 1 << 26


class PrepareError(RuntimeError):
    """Images that cannot be prepared, or a prepared folder that cannot be used."""


@dataclass(frozen=True, eq=False)
class _Map:
    """The pixels on disk, and which of their rows are done."""

    pixels: np.memmap
    stored: np.memmap
    #: What `stored` will be after the next flush.
    done: np.ndarray

    def flush(self) -> None:
        # Pixels first: a row is done only once its pixels are on the disk.
        self.pixels.flush()
        self.stored[:] = self.done
        self.stored.flush()


def fill(
    dataset: Dataset,
    size: int,
    folder: Path,
    method: str,
    file_bytes: np.ndarray,
    *,
    skip_corrupt: bool,
    workers: int,
    progress: bool,
) -> dict[str, str]:
    """Decode all images into `folder`/images.npy, (N, size, size), uint8; resume if interrupted.

    `file_bytes`, (N,) int64, are the current sizes of the files: rows whose file had a different
    size when it was decoded are decoded again. Returns the corrupt files, name to reason, in table
    order; their pixels stay zero. Without `skip_corrupt` the first one raises PrepareError.
    """
    state = {"data": dataset.fingerprint, "method": method}
    shape = (len(dataset), size, size)
    opened = _open(folder, state, shape, file_bytes)
    if opened is None:
        _set_up(folder, state, shape, file_bytes)
        opened = _open(folder, state, shape, file_bytes)
    if opened is None:
        raise PrepareError(f"{folder} cannot be read after it was written")
    opened.flush()
    _save(folder / _FILE_BYTES, file_bytes)
    with tqdm.tqdm(
        desc=f"preparing {size} px",
        total=len(dataset),
        initial=int(opened.done.sum()),
        unit="image",
        disable=not progress,
    ) as bar:
        return _decode_missing(dataset, size, opened, skip_corrupt, workers, bar)


def _decode_missing(
    dataset: Dataset,
    size: int,
    opened: _Map,
    skip_corrupt: bool,
    workers: int,
    bar: "tqdm.tqdm[NoReturn]",
) -> dict[str, str]:
    def decode_row(row: int) -> str | None:
        try:
            opened.pixels[row] = decode.resize(dataset.image(row), size)
        except decode.CorruptImageError as error:
            return str(error)
        return None

    corrupt: dict[str, str] = {}
    flushed = monotonic()
    results = _in_parallel(decode_row, np.flatnonzero(~opened.done).tolist(), workers)
    try:
        for row, reason in results:
            if reason is None:
                opened.done[row] = True
            elif skip_corrupt:
                corrupt[dataset.table["image"][row]] = reason
            else:
                raise PrepareError(
                    f"corrupt image: {reason}; replace the file, or leave corrupt files out "
                    "(on_corrupt='skip')"
                )
            bar.update()
            if monotonic() - flushed > _SECONDS_BETWEEN_FLUSHES:
                opened.flush()
                flushed = monotonic()
    finally:
        # Even when interrupted. First wait for the threads, which write pixels.
        results.close()
        opened.flush()
    return corrupt


def clean(folder: Path) -> None:
    """Remove the files that only filling needs."""
    for name in (_STATE, _DONE, _FILE_BYTES):
        (folder / name).unlink(missing_ok=True)


def _open(
    folder: Path, state: dict[str, str], shape: tuple[int, int, int], file_bytes: np.ndarray
) -> _Map | None:
    """What an earlier call left, less the rows whose file changed; None if it is unusable."""
    try:
        if json.loads((folder / _STATE).read_text()) != state:
            return None
        pixels = np.lib.format.open_memmap(folder / PIXELS, mode="r+")
        stored = np.lib.format.open_memmap(folder / _DONE, mode="r+")
        earlier_bytes = np.load(folder / _FILE_BYTES)
    except (OSError, ValueError, EOFError):
        return None
    if (pixels.shape, stored.shape, earlier_bytes.shape) != (shape, shape[:1], shape[:1]):
        return None
    return _Map(pixels, stored, np.asarray(stored & (earlier_bytes == file_bytes)))


def _set_up(
    folder: Path, state: dict[str, str], shape: tuple[int, int, int], file_bytes: np.ndarray
) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    try:
        new_map(folder / PIXELS, shape)
    except BaseException:
        shutil.rmtree(folder)
        raise
    _save(folder / _FILE_BYTES, file_bytes)
    _save(folder / _DONE, np.zeros(len(file_bytes), bool))
    (folder / _STATE).write_text(json.dumps(state))


def new_map(path: Path, shape: tuple[int, int, int]) -> np.memmap:
    """A new uint8 memory map of zeros whose space on the disk is allocated.

    Raises PrepareError if the disk has too little space, before any pixels are written.
    """
    needed = math.prod(shape) + _SPARE_BYTES
    free = shutil.disk_usage(path.parent).free
    too_full = (
        f"{path.parent} has {free / 1e9:.2f} GB free; {shape[0]:,} images at {shape[1]} px need "
        f"{needed / 1e9:.2f} GB"
    )
    if free < needed:
        raise PrepareError(too_full)
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    pixels.flush()
    if hasattr(os, "posix_fallocate"):
        # On a disk that fills up, writing to a sparse map would crash the process, not raise.
        try:
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            path.unlink()
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise PrepareError(f"{too_full}: {error.strerror}") from error
            raise
    return pixels


def _save(path: Path, values: np.ndarray) -> None:
    """Like np.save, but a kill leaves either the old file or the new one."""
    written = path.with_suffix(".new.npy")
    np.save(written, values)
    written.replace(path)


def _in_parallel(
    work: Callable[[int], str | None], rows: Iterable[int], workers: int
) -> Generator[tuple[int, str | None], None, None]:
    """Yield each row and its result, in order, with a bounded number of rows in progress."""
    waiting = iter(rows)
    in_progress: deque[tuple[int, Future[str | None]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="prepare")
    try:
        while True:
            for row in islice(waiting, workers * _AHEAD - len(in_progress)):
                in_progress.append((row, pool.submit(work, row)))
            if not in_progress:
                return
            row, result = in_progress.popleft()
            yield row, result.result()
    finally:
        pool.shutdown(cancel_futures=True)
