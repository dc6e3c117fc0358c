"""How fast can radiographs be decoded and shrunk, and with threads or with processes?

    python benchmarks/decoders.py path/to/ChestX-ray14 --size 224

Times what is installed of Pillow (as chestkd.data.decode uses it), OpenCV and TensorFlow on the
same files, those of 1024 pixels and more, in alternating rounds; prints the median images/s and
how far the pixels are from Pillow's. About a minute on two cores, which should have nothing else
to do: what else runs shows in the distance between lowest and highest.
"""

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import tqdm
from PIL import Image

from chestkd.data import decode

# Takes paths to a list of (size, size) uint8 arrays.
Decoder = Callable[[list[Path]], list[np.ndarray]]


def with_pillow(path: Path, size: int) -> np.ndarray:
    """The library's own: check sums, decode, gray, area average."""
    return decode.resize(decode.decode_file(path), size)


def with_opencv(path: Path, size: int) -> np.ndarray:
    """OpenCV's decoder and its INTER_AREA."""
    import cv2

    cv2.setNumThreads(1)
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)


def with_tensorflow(paths: list[Path], size: int, workers: int) -> list[np.ndarray]:
    """tf.data with as many parallel calls as workers, its decoder and its area resize."""
    import tensorflow as tf

    def read(path: "tf.Tensor") -> "tf.Tensor":
        image = tf.io.decode_png(tf.io.read_file(path), channels=1)
        image = tf.image.resize(image[None], (size, size), method="area")[0, :, :, 0]
        return tf.cast(tf.round(image), tf.uint8)

    options = tf.data.Options()
    options.threading.private_threadpool_size = workers
    files = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    return list(files.map(read, workers).with_options(options).as_numpy_iterator())


def decoders(size: int, workers: int) -> dict[str, Decoder]:
    """Label to decoder, of what is installed, Pillow first."""
    singles: dict[str, Callable[[Path, int], np.ndarray]] = {"Pillow": with_pillow}
    if importlib.util.find_spec("cv2"):
        singles["OpenCV"] = with_opencv
    found: dict[str, Decoder] = {}
    for label, single in singles.items():
        one = partial(single, size=size)
        found[f"{label}, 1 thread"] = lambda paths, one=one: [one(path) for path in paths]
        for kind, pool in (("threads", ThreadPoolExecutor), ("processes", ProcessPoolExecutor)):
            run = pool(workers).map
            found[f"{label}, {workers} {kind}"] = partial(_collect, run, one)
    if importlib.util.find_spec("tensorflow"):
        for count in sorted({1, workers}):
            label = f"TensorFlow, {count} thread{'s' * (count > 1)}"
            found[label] = partial(with_tensorflow, size=size, workers=count)
    return found


def _collect(run: Callable, one: Callable, paths: list[Path]) -> list[np.ndarray]:
    return list(run(one, paths))


def large_images(folder: Path, limit: int) -> list[Path]:
    """Up to `limit` PNG files of 1024 x 1024 pixels or more below a folder."""
    found = []
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            if min(image.size) >= 1024:
                found.append(path)
        if len(found) == limit:
            break
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder with radiographs, searched for PNGs")
    parser.add_argument("--size", type=int, default=224, help="pixels (default 224)")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=200, help="at most (default 200)")
    arguments = parser.parse_args()
    paths = large_images(arguments.folder, arguments.images)
    if not paths:
        sys.exit(f"no PNG of 1024 x 1024 pixels below {arguments.folder}")
    found = decoders(arguments.size, arguments.workers)
    seconds: dict[str, list[float]] = {label: [] for label in found}
    difference: dict[str, int] = {}
    reference = [with_pillow(path, arguments.size) for path in paths]
    # The first round warms up: imports, pools, the disk cache.
    for round_number in tqdm.trange(arguments.rounds + 1, desc="rounds"):
        for label, run in found.items():
            start = time.perf_counter()
            images = run(paths)
            seconds[label].append(time.perf_counter() - start)
            if round_number == 0:
                difference[label] = _largest_difference(images, reference)
    total = sum(path.stat().st_size for path in paths) / len(paths) / 1000
    print(f"{len(paths)} radiographs of {total:.0f} kB to {arguments.size} px, images/s")
    print(f"{'':28}{'median':>8}{'lowest':>8}{'highest':>8}{'pixels differ by':>20}")
    for label, times in seconds.items():
        speeds = sorted(len(paths) / seconds for seconds in times[1:])
        print(
            f"{label:28}{statistics.median(speeds):8.0f}{speeds[0]:8.0f}{speeds[-1]:8.0f}"
            f"{difference[label]:20}"
        )


def _largest_difference(images: list[np.ndarray], reference: list[np.ndarray]) -> int:
    pairs = zip(images, reference, strict=True)
    return max(int(np.abs(a.astype(int) - b).max()) for a, b in pairs)


if __name__ == "__main__":
    main()
