"""How long does it take to draw a phantom, and how large is it?

    python benchmarks/phantom.py --images 256 --sizes 64 128 256

Draws the same number of images at each size into a temporary folder, with one process and with
one per CPU, and prints seconds, images/s, CPU time (which other programs disturb less), the size
on disk, the largest memory of any process, and the time that 4,000 images would take. About a
minute on two cores, which should have nothing else to do.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.writing import generate

_TITLES = (
    "size",
    "processes",
    "seconds",
    "images/s",
    "CPU ms/image",
    "kB/image",
    "peak MB",
    "4,000 images",
)


def main() -> None:
    """Measure and print one row per size and number of processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=256, help="images per measurement")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    arguments = parser.parse_args()
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    print(f"PHANTOM, {arguments.images} images, {cpus} CPUs; starting the processes included")
    print("".join(f"{title:>14}" for title in _TITLES))
    for size in arguments.sizes:
        for processes in sorted({1, cpus}):
            print("".join(f"{cell:>14}" for cell in measure(arguments.images, size, processes)))


def measure(images: int, size: int, processes: int) -> tuple[str, ...]:
    """Draw one phantom; returns the cells of its row."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "phantom"
        start, busy = time.perf_counter(), cpu_seconds()
        generate(PhantomSpecification(images=images, size=size), folder, processes)
        seconds, busy = time.perf_counter() - start, cpu_seconds() - busy
        bytes_written = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    # The largest since the start of this program, of itself or of a child (kB on Linux).
    peak = max(
        resource.getrusage(whose).ru_maxrss
        for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return (
        str(size),
        str(processes),
        f"{seconds:.1f}",
        f"{images / seconds:.1f}",
        f"{1000 * busy / images:.0f}",
        f"{bytes_written / images / 1000:.1f}",
        f"{peak / 1000:.0f}",
        f"{4000 * seconds / images / 60:.1f} min",
    )


def cpu_seconds() -> float:
    """CPU time of this program and of its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
