"""Fill a memory map with decoded radiographs, in parallel, so that a killed call can go on."""

import errno
import json
import math
import os
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from time import monotonic

import numpy as np
import tqdm

from chestkd.data import decode
from chestkd.data.dataset import Dataset

PIXELS = "images.npy"
_DONE = "done.npy"
_FILE_BYTES = "bytes.npy"
# Written last when a map is set up: a folder without it is set up again.
_STATE = "filling.json"

_SECONDS_BETWEEN_FLUSHES = 5.0
# Images handed to each thread ahead: bounds the memory and what an interrupt waits for.
_AHEAD = 4
# Left free on the disk beside the pixels: tables, masks, and what else goes on meanwhile.
_SPARE_BYTES = 1 << 26


class PrepareError(RuntimeError):
    """Images that could not be prepared, or a prepared folder that cannot be used."""


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
    """Decode all images into `folder`/images.npy, (N, size, size), uint8, going on from before.

    Rows whose file has another size than when they were decoded are decoded again. Returns the
    corrupt files, name to reason, in table order; without `skip_corrupt` the first one raises
    PrepareError. Their pixels are left zero.
    """
    state = {"data": dataset.fingerprint, "method": method}
    shape = (len(dataset), size, size)
    if not _is_set_up(folder, state, shape):
        _set_up(folder, state, shape, file_bytes)
    pixels = np.lib.format.open_memmap(folder / PIXELS, mode="r+")
    stored_done = np.lib.format.open_memmap(folder / _DONE, mode="r+")
    done = stored_done & (np.load(folder / _FILE_BYTES) == file_bytes)
    np.save(folder / _FILE_BYTES, file_bytes)

    def flush() -> None:
        # Pixels first: a row is done only once its pixels are on the disk.
        pixels.flush()
        stored_done[:] = done
        stored_done.flush()

    def decode_row(row: int) -> str | None:
        try:
            pixels[row] = decode.resize(dataset.image(row), size)
        except decode.CorruptImageError as error:
            return str(error)
        return None

    flush()
    corrupt: dict[str, str] = {}
    flushed = monotonic()
    bar = tqdm.tqdm(
        desc=f"preparing {size} px",
        total=len(done),
        initial=int(done.sum()),
        unit="image",
        disable=not progress,
    )
    results = _in_parallel(decode_row, np.flatnonzero(~done).tolist(), workers)
    try:
        for row, reason in results:
            if reason is None:
                done[row] = True
            elif skip_corrupt:
                corrupt[dataset.table["image"][row]] = reason
            else:
                raise PrepareError(
                    f"corrupt image: {reason}; replace the file, or leave corrupt files out "
                    "(on_corrupt='skip')"
                )
            bar.update()
            if monotonic() - flushed > _SECONDS_BETWEEN_FLUSHES:
                flush()
                flushed = monotonic()
    finally:
        # Also when interrupted; the generator's end waits for the threads that write pixels.
        results.close()
        flush()
        bar.close()
    return corrupt


def clean(folder: Path) -> None:
    """Remove what only filling needs."""
    for name in (_STATE, _DONE, _FILE_BYTES):
        (folder / name).unlink(missing_ok=True)


def _is_set_up(folder: Path, state: dict[str, str], shape: tuple[int, int, int]) -> bool:
    try:
        is_same = json.loads((folder / _STATE).read_text()) == state
        return is_same and np.load(folder / PIXELS, mmap_mode="r").shape == shape
    except (OSError, ValueError):
        return False


def _set_up(
    folder: Path, state: dict[str, str], shape: tuple[int, int, int], file_bytes: np.ndarray
) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    needed = math.prod(shape) + _SPARE_BYTES
    free = shutil.disk_usage(folder.parent).free
    too_full = (
        f"{folder.parent} has {free / 1e9:.2f} GB free; {shape[0]:,} images at {shape[1]} px "
        f"need {needed / 1e9:.2f} GB"
    )
    if free < needed:
        raise PrepareError(too_full)
    folder.mkdir()
    np.lib.format.open_memmap(folder / PIXELS, mode="w+", dtype=np.uint8, shape=shape).flush()
    try:
        # A map with holes would end in a crash, not in an error, on a disk that fills up.
        _allocate(folder / PIXELS)
    except OSError as error:
        shutil.rmtree(folder)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise PrepareError(f"{too_full}: {error.strerror}") from error
        raise
    np.save(folder / _FILE_BYTES, file_bytes)
    np.save(folder / _DONE, np.zeros(len(file_bytes), bool))
    (folder / _STATE).write_text(json.dumps(state))


def _allocate(path: Path) -> None:
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _in_parallel(
    work: Callable[[int], str | None], rows: Iterable[int], workers: int
) -> Generator[tuple[int, str | None], None, None]:
    """Yield each row and its result, in order, with a bounded number of rows under way."""
    waiting = iter(rows)
    under_way: deque[tuple[int, Future[str | None]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="prepare")
    try:
        while True:
            for row in islice(waiting, workers * _AHEAD - len(under_way)):
                under_way.append((row, pool.submit(work, row)))
            if not under_way:
                return
            row, result = under_way.popleft()
            yield row, result.result()
    finally:
        pool.shutdown(cancel_futures=True)
