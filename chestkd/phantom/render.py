"""One radiograph from start to end: anatomy, pose, findings, devices, physics."""

from dataclasses import dataclass

import numpy as np

from chestkd.findings import FINDINGS, finding_index
from chestkd.phantom import mimics
from chestkd.phantom.anatomy import Anatomy, at_visit, draw_anatomy
from chestkd.phantom.devices import draw_devices, draw_shortcut
from chestkd.phantom.frame import Frame, Pose
from chestkd.phantom.layers import Layers, draw_layers
from chestkd.phantom.physics import develop, draw_exposure
from chestkd.phantom.signatures import SIGNATURES
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.streams import Stream, generator


@dataclass(frozen=True)
class Visit:
    """One image to be drawn: who, when, how, and what is really there."""

    patient: int
    number: int
    female: bool
    age: int
    view: str
    #: Severity in (0, 1] of every finding that is there, by name.
    severities: dict[str, float]
    #: Whether the planted tube is in the image.
    shortcut: bool = False


@dataclass(frozen=True)
class Radiograph:
    """A drawn image.

    - `pixels`: uint8 (size, size).
    - `masks`: finding -> bool (drawn pixels, drawn pixels), for the findings that are there.
    - `boxes`: finding -> (x, y, width, height) of its mask in the 1024 x 1024 frame; None where
      nothing of the finding lies inside the image.
    - `layers`: the thickness maps, for the pictures of the book.
    """

    pixels: np.ndarray
    masks: dict[str, np.ndarray]
    boxes: dict[str, tuple[float, float, float, float] | None]
    layers: Layers


def draw(
    visit: Visit, specification: PhantomSpecification, shown: mimics.Mimics | None = None
) -> Radiograph:
    """Draw one visit; the same visit and specification give the same pixels.

    `shown` forces the mimics, which are otherwise drawn at the specification's rate.
    """
    seed = specification.seed
    who, when = (visit.patient,), (visit.patient, visit.number)
    anatomy = draw_anatomy(generator(seed, Stream.ANATOMY, *who), visit.female, visit.age)
    pose_rng = generator(seed, Stream.POSE, *when)
    anatomy = at_visit(anatomy, pose_rng, visit.view)
    shown = shown or mimics.draw_mimics(
        generator(seed, Stream.MIMICS, *who),
        generator(seed, Stream.MIMICS, *when),
        specification.mimic_rate,
        visit.age,
        visit.view,
    )
    anatomy = mimics.reshape(anatomy, shown, generator(seed, Stream.MIMICS, *when, 1))
    anatomy = reshape(anatomy, visit, seed)
    frame = Frame(specification.size, draw_pose(pose_rng, visit.view))
    layers = draw_layers(frame, anatomy, generator(seed, Stream.ANATOMY, *who, 1))
    mimics.add(layers, shown, generator(seed, Stream.MIMICS, *who, 0, 1))
    masks = add_findings(layers, visit, seed)
    draw_devices(
        layers,
        generator(seed, Stream.DEVICES, *who),
        generator(seed, Stream.DEVICES, *when),
        visit.view,
        visit.age,
    )
    if visit.shortcut:
        draw_shortcut(layers)
    exposure = draw_exposure(pose_rng, visit.view, specification.noise)
    noise_rng = generator(seed, Stream.QUANTUM_NOISE, *when)
    pixels = develop(layers.thickness(), exposure, noise_rng, specification.size)
    return Radiograph(pixels, masks, {name: box(mask) for name, mask in masks.items()}, layers)


def draw_pose(rng: np.random.Generator, view: str) -> Pose:
    """Small shifts, tilts and zooms; larger in AP views."""
    normal = rng.standard_normal(4)
    spread = 1.6 if view == "AP" else 1.0
    return Pose(
        angle=0.020 * spread * normal[0],
        scale=float(np.exp((0.07 if view == "PA" else 0.04) + 0.045 * spread * normal[1])),
        right=0.012 * spread * normal[2],
        down=0.015 * spread * normal[3],
    )


def site(visit: Visit, name: str, seed: int) -> np.random.Generator:
    """Fresh stream of one patient's finding: the same draws at every visit."""
    return generator(seed, Stream.SITE, visit.patient, finding_index(name))


def reshape(anatomy: Anatomy, visit: Visit, seed: int) -> Anatomy:
    """Apply the findings that change the shape of the chest."""
    for name in FINDINGS:
        signature = SIGNATURES[name]
        if name in visit.severities and signature.shape is not None:
            strength = signature.strength(visit.severities[name])
            anatomy = signature.shape(anatomy, strength, site(visit, name, seed))
    return anatomy


def add_findings(layers: Layers, visit: Visit, seed: int) -> dict[str, np.ndarray]:
    """Draw every finding of the visit into the layers; returns their masks."""
    masks = {}
    for name in FINDINGS:
        if name in visit.severities:
            strength = SIGNATURES[name].strength(visit.severities[name])
            masks[name] = SIGNATURES[name].draw(layers, strength, site(visit, name, seed)) > 0.25
    return masks


def box(mask: np.ndarray) -> tuple[float, float, float, float] | None:
    """Smallest box (x, y, width, height) around a mask, in the 1024 x 1024 frame."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return None
    unit = 1024 / len(mask)
    left, top = columns[0] * unit, rows[0] * unit
    return left, top, (columns[-1] + 1) * unit - left, (rows[-1] + 1) * unit - top
