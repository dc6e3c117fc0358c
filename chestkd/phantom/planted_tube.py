"""AP radiographs of the phantom, each drawn without and with the planted tube.

Without Keras: the processes that draw import this module.
"""

import dataclasses
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import tqdm

from chestkd.findings import finding_index
from chestkd.phantom.blocks import visit_of
from chestkd.phantom.labels import draw_plan
from chestkd.phantom.render import Visit, draw
from chestkd.phantom.specification import PhantomSpecification

# Gray levels that the tube must change for a pixel to be its own.
_VISIBLE = 8
# Visits of one patient with the finding, and without.
_VISITS = 2


@dataclass(frozen=True, eq=False)
class Radiographs:
    """AP radiographs of a phantom, drawn without and with the planted tube."""

    #: (N, H, W) uint8 without the tube, and with it; the same where `drawn` is False.
    plain: np.ndarray
    tubed: np.ndarray
    #: (N,) bool: drawn with the tube, too; carrying it in the phantom; the finding is there.
    drawn: np.ndarray
    planted: np.ndarray
    present: np.ndarray
    #: (N,) phantom patients.
    patients: np.ndarray

    @property
    def images(self) -> np.ndarray:
        """The phantom as it is, a tube where it is planted: (N, H, W) uint8."""
        return np.where(self.planted[:, None, None], self.tubed, self.plain)

    @property
    def masks(self) -> np.ndarray:
        """The pixels that the tube changes by more than 8 gray levels: (N, H, W) bool."""
        return np.abs(self.tubed.astype(int) - self.plain) > _VISIBLE


def choose_visits(specification: PhantomSpecification, count: int, *, test: bool) -> list[Visit]:
    """The first AP visits of the official training or test list, `count` in all.

    Half of them have the shortcut's finding. Of one patient there are at most two with it and two
    without, or a few patients with many visits would be the whole test. Raises ValueError where
    the phantom has too few.
    """
    assert specification.shortcut is not None, "the phantom has no shortcut"
    plan = draw_plan(specification)
    present = plan.severities[:, finding_index(specification.shortcut)] > 0
    inside = (plan.view == "AP") & (plan.test == test)
    rows = []
    for among, wanted in ((present, count // 2), (~present, count - count // 2)):
        found = _few_of_each(np.flatnonzero(inside & among), plan.patient)[:wanted]
        if len(found) < wanted:
            part = "test" if test else "training"
            raise ValueError(
                f"a phantom of {specification.images} images has {len(found)} of the {wanted} AP "
                f"{part} images that are needed: ask for fewer, or for a larger phantom"
            )
        rows += found.tolist()
    return [visit_of(plan, row) for row in sorted(rows)]


def _few_of_each(rows: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Those of the rows (R,) that are among the first visits of their patient."""
    earlier = pd.Series(rows).groupby(patients[rows]).cumcount()
    return rows[(earlier < _VISITS).to_numpy()]


def draw_radiographs(
    visits: Sequence[Visit],
    specification: PhantomSpecification,
    *,
    both: bool,
    processes: int = 2,
    progress: bool = False,
) -> Radiographs:
    """Draw visits without the tube and, where it is planted or `both` asks for it, with it."""
    planted = np.array([visit.shortcut for visit in visits])
    drawn = planted | both
    wanted = [dataclasses.replace(visit, shortcut=False) for visit in visits]
    wanted += [
        dataclasses.replace(visit, shortcut=True)
        for visit, again in zip(visits, drawn, strict=True)
        if again
    ]
    # Forking a process that runs TensorFlow or JAX can hang; spawning cannot.
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pixels = pool.imap(partial(_pixels, specification=specification), wanted, chunksize=8)
        bar = tqdm.tqdm(pixels, total=len(wanted), desc="radiographs", disable=not progress)
        images = np.stack(list(bar))
    plain = images[: len(visits)]
    tubed = plain.copy()
    tubed[drawn] = images[len(visits) :]
    present = [specification.shortcut in visit.severities for visit in visits]
    patients = [visit.patient for visit in visits]
    return Radiographs(plain, tubed, drawn, planted, np.array(present), np.array(patients))


def _pixels(visit: Visit, specification: PhantomSpecification) -> np.ndarray:
    """The radiograph alone: a process that draws sends back no more."""
    return draw(visit, specification, with_masks=False).pixels
