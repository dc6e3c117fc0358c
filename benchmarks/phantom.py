"""How long does it take to draw a phantom, what do its masks cost, and how large is it?

    python benchmarks/phantom.py --images 256 --sizes 64 128 256

Draws the same number of images at each size into a temporary folder, with one process and with
one per CPU, and prints seconds, images/s, CPU time (which other programs disturb less), the size
on disk, the largest memory of any process, and the time that 4,000 images would take.

Then it draws single visits with and without their masks, alternating in short rounds, and prints
the CPU time of both and the ratio of their medians over the rounds: a mask needs its image drawn a
second time without the finding. About two minutes on two cores, which should have nothing else to
do; only the ratio can be trusted if they have.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from chestkd.phantom.blocks import visit_of
from chestkd.phantom.labels import draw_plan
from chestkd.phantom.render import Visit, draw
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
_MASK_TITLES = ("size", "ms without", "ms with masks", "ratio")
# Visits drawn with and then without masks before the next round, and images to choose them from.
_ROUND, _CHOICE = 8, 2000


def main() -> None:
    """Measure and print one row per size and number of processes, then one per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=256, help="images per measurement")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--rounds", type=int, default=20, help="of 8 visits, for the masks")
    arguments = parser.parse_args()
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    print(f"PHANTOM, {arguments.images} images, {cpus} CPUs; starting the processes included")
    _print_row(_TITLES)
    for size in arguments.sizes:
        for processes in sorted({1, cpus}):
            _print_row(measure(arguments.images, size, processes))
    print(f"\nOne process, medians of {arguments.rounds} rounds of {_ROUND} visits, CPU time")
    _print_row(_MASK_TITLES)
    for size in arguments.sizes:
        _print_row(measure_masks(size, arguments.rounds))


def _print_row(cells: tuple[str, ...]) -> None:
    print("".join(f"{cell:>14}" for cell in cells), flush=True)


def measure(images: int, size: int, processes: int) -> tuple[str, ...]:
    """Draw one phantom; returns the cells of its row."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "phantom"
        start, busy = time.perf_counter(), cpu_seconds()
        generate(PhantomSpecification(images=images, size=size), folder, processes)
        seconds, busy = time.perf_counter() - start, cpu_seconds() - busy
        bytes_written = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
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


def measure_masks(size: int, rounds: int) -> tuple[str, ...]:
    """Draw visits with and without masks in turn; returns the cells of one size's row."""
    specification = PhantomSpecification(images=_CHOICE, size=size)
    plan = draw_plan(specification)
    rows = np.random.default_rng(0).permutation(_CHOICE)
    seconds = []
    for number in range(rounds):
        chosen = rows[np.arange(number * _ROUND, (number + 1) * _ROUND) % _CHOICE]
        visits = [visit_of(plan, row) for row in chosen]
        seconds.append(
            [_cpu_seconds_to_draw(visits, specification, masks) for masks in (False, True)]
        )
    without, with_masks = 1000 * np.median(seconds, axis=0) / _ROUND
    return str(size), f"{without:.1f}", f"{with_masks:.1f}", f"{with_masks / without:.2f}"


def _cpu_seconds_to_draw(
    visits: list[Visit], specification: PhantomSpecification, masks: bool
) -> float:
    start = time.process_time()
    for visit in visits:
        draw(visit, specification, with_masks=masks)
    return time.process_time() - start


def cpu_seconds() -> float:
    """CPU time of this program and of its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
