"""Drawing the images of a phantom in parallel, in blocks that are either whole or missing.

A block is a run of consecutive images. Its record, with masks and boxes, is written
after its images: where the record is, the images are.
"""

import io
import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from chestkd.findings import FINDINGS
from chestkd.phantom.labels import Plan
from chestkd.phantom.masks import encode_regions
from chestkd.phantom.plainfiles import png_bytes
from chestkd.phantom.render import Visit, draw
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.streams import Stream, open_stream

# Images per block: what a stopped run may lose, per process.
BLOCK = 32
# Share of RGBA files among NIH's images, 519 of 112,120.
RGBA_SHARE = 519 / 112_120
COMMENT = "PHANTOM: procedural radiograph, not a patient"


@dataclass(frozen=True)
class _Job:
    """All that a drawing process needs; sent to it once."""

    plan: Plan
    specification: PhantomSpecification
    folder: Path
    rgba: frozenset[int]

    def draw(self, block: int) -> int:
        """Draw and write the images of one block, then its record; returns their number."""
        rows, findings, boxes = [], [], []
        masks, signs = [], []
        images = block_rows(self.plan, block)
        for row in images:
            radiograph = draw(visit_of(self.plan, row), self.specification)
            self._write_image(row, radiograph.pixels)
            for finding, box in radiograph.boxes.items():
                rows.append(row)
                findings.append(FINDINGS.index(finding))
                boxes.append(box or (np.nan,) * 4)
                masks.append(radiograph.masks[finding])
                signs.append(radiograph.signs[finding])
        record = io.BytesIO()
        np.savez(
            record,
            row=np.array(rows, np.int64),
            finding=np.array(findings, np.uint8),
            boxes=np.array(boxes, np.float64).reshape(-1, 4),
            **encode_regions("mask", masks),
            **encode_regions("sign", signs),
        )
        write_atomically(block_path(self.folder, block), record.getvalue())
        return len(images)

    def _write_image(self, row: int, pixels: np.ndarray) -> None:
        if row in self.rgba:
            pixels = np.stack([pixels, pixels, pixels, np.full_like(pixels, 255)], axis=2)
        path = self.folder / "images" / self.plan.name(row)
        write_atomically(path, png_bytes(pixels, COMMENT))


def draw_blocks(
    plan: Plan, specification: PhantomSpecification, folder: Path, processes: int, progress: bool
) -> None:
    """Draw every block whose record is not in `folder / "blocks"` yet."""
    job = _Job(plan, specification, folder, _rgba_rows(specification))
    missing = [block for block in blocks(plan) if not block_path(folder, block).exists()]
    to_draw = sum(len(block_rows(plan, block)) for block in missing)
    with tqdm(
        total=len(plan),
        initial=len(plan) - to_draw,
        desc="phantom",
        unit="image",
        disable=not progress,
    ) as bar:
        if processes == 1 or len(missing) < 2:
            for block in missing:
                bar.update(job.draw(block))
            return
        # Forking a process that runs TensorFlow or JAX can hang; spawning cannot.
        context = multiprocessing.get_context("spawn")
        with context.Pool(min(processes, len(missing)), _receive, (job,)) as pool:
            for count in pool.imap_unordered(_draw_received, missing):
                bar.update(count)


_received: _Job


def _receive(job: _Job) -> None:
    global _received
    _received = job
    # An interrupt from the keyboard reaches every process; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _draw_received(block: int) -> int:
    return _received.draw(block)


def blocks(plan: Plan) -> Iterator[int]:
    """Numbers of all blocks."""
    yield from range(-(-len(plan) // BLOCK))


def block_rows(plan: Plan, block: int) -> range:
    """Rows of the plan in one block."""
    return range(block * BLOCK, min((block + 1) * BLOCK, len(plan)))


def block_path(folder: Path, block: int) -> Path:
    """File of one block's record."""
    return folder / "blocks" / f"{block:06d}.npz"


def visit_of(plan: Plan, row: int) -> Visit:
    """What is to be drawn in one row of the plan."""
    return Visit(
        patient=int(plan.patient[row]),
        number=int(plan.visit[row]),
        female=bool(plan.female[row]),
        age=int(plan.age[row]),
        view=str(plan.view[row]),
        severities={
            name: float(severity)
            for name, severity in zip(FINDINGS, plan.severities[row], strict=True)
            if severity > 0
        },
        shortcut=bool(plan.shortcut[row]),
    )


def _rgba_rows(specification: PhantomSpecification) -> frozenset[int]:
    """Rows of the images that are written as RGBA files, as some of NIH's are."""
    generator = open_stream(specification.seed, Stream.FILE_MODES)
    count = rgba_count(specification)
    return frozenset(generator.choice(specification.images, count, replace=False).tolist())


def rgba_count(specification: PhantomSpecification) -> int:
    """How many RGBA files a phantom has: at least one."""
    return max(1, round(RGBA_SHARE * specification.images))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that takes its name only once it is whole."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
