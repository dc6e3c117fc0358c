"""AP radiographs of the phantom with a planted tube, and where the tube is in each."""

import dataclasses
import multiprocessing
from functools import partial

import numpy as np

from chestkd.data.phantom import PhantomSpecification
from chestkd.data.phantom.blocks import visit_of
from chestkd.data.phantom.labels import draw_plan
from chestkd.data.phantom.render import Visit, draw


def pixels(visit: Visit, specification: PhantomSpecification) -> np.ndarray:
    """The radiograph alone: a process that draws sends back no more."""
    return draw(visit, specification).pixels


def draw_ap_images(
    specification: PhantomSpecification, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first AP images (N, H, W), whether the shortcut's finding is there (N,), and the pixels
    that the tube changes (N, H, W).
    """
    plan = draw_plan(specification)
    visits = [visit_of(plan, row) for row in range(specification.images)]
    visits = [visit for visit in visits if visit.view == "AP"][:count]
    without = [dataclasses.replace(visit, shortcut=False) for visit in visits if visit.shortcut]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        one = partial(pixels, specification=specification)
        images = np.stack(pool.map(one, [*visits, *without], chunksize=20))
    images, plain = images[: len(visits)], images[len(visits) :]
    tube = np.array([visit.shortcut for visit in visits])
    changed = np.zeros(images.shape, bool)
    changed[tube] = np.abs(images[tube].astype(int) - plain) > 8
    present = np.array([specification.shortcut in visit.severities for visit in visits])
    return images, present, changed
