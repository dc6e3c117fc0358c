"""One radiograph from start to end: anatomy, pose, findings, devices, physics."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from chestkd.findings import FINDINGS, finding_index
from chestkd.phantom.anatomy import Anatomy, at_visit, draw_anatomy
from chestkd.phantom.devices import draw_devices, draw_shortcut
from chestkd.phantom.frame import Frame, Pose
from chestkd.phantom.layers import Layers, draw_layers
from chestkd.phantom.mimics import Mimics, add_mimics, draw_mimics, reshape
from chestkd.phantom.physics import add_noise, display, draw_exposure, transmit, window
from chestkd.phantom.regions import Box, box, changed_region
from chestkd.phantom.signatures import SIGNATURES
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.streams import Stream, open_stream

# Share of a pixel that a sign must cover to include it.
_COVERED = 0.25


@dataclass(frozen=True)
class Visit:
    """One image to be drawn: who, when, how, and what is really there."""

    patient: int
    number: int
    female: bool
    age: int
    view: str
    #: Severity in (0, 1] of every finding that is there, by name.
    severities: Mapping[str, float]
    #: Whether the planted tube is in the image.
    shortcut: bool = False


@dataclass(frozen=True)
class Radiograph:
    """A drawn image.

    - `pixels`: uint8 (size, size).
    - `layers`: the thickness maps, for the pictures of the book.
    - `signs`: finding -> bool (size, size), where a reader would point: the plate, the crescent,
      the heart. For the findings that are there.
    - `masks`: finding -> bool (size, size), what the finding changes (`regions.changed_region`).
      For the same findings, or for none if masks were not asked for.
    """

    pixels: np.ndarray
    layers: Layers
    signs: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]

    @property
    def boxes(self) -> dict[str, Box | None]:
        """The box of each mask; None where the image shows nothing of the finding."""
        return {name: box(mask) for name, mask in self.masks.items()}


def draw(
    visit: Visit,
    specification: PhantomSpecification,
    shown: Mimics | None = None,
    *,
    with_masks: bool = True,
) -> Radiograph:
    """Draw one visit; the same visit and specification give the same pixels.

    `shown` forces the mimics, which are otherwise drawn at the specification's rate. An image
    without masks is drawn in less time.
    """
    seed, size = specification.seed, specification.size
    pose_generator = open_stream(seed, Stream.POSE, visit.patient, visit.number)
    chest = _healthy(visit, specification, pose_generator, shown)
    present = [name for name in FINDINGS if name in visit.severities]
    plain, layers, signs = chest.draw(present)
    _add_devices(layers, visit, seed)
    exposure = draw_exposure(pose_generator, visit.view, specification.noise)
    clean = transmit(layers.thickness(), exposure, size)
    noise_generator = open_stream(seed, Stream.QUANTUM_NOISE, visit.patient, visit.number)
    noisy = add_noise(clean, exposure, noise_generator)
    levels = window(noisy)
    masks = {}
    for name in present if with_masks else ():
        _, without, _ = chest.draw([other for other in present if other != name], like=plain)
        less = transmit(replace(without, devices=layers.devices).thickness(), exposure, size)
        change = display(clean, levels, exposure) - display(less, levels, exposure)
        masks[name] = changed_region(change)
    return Radiograph(
        pixels=np.floor(255 * display(noisy, levels, exposure) + 0.5).astype(np.uint8),
        layers=layers,
        signs={name: chest.frame.finish(sign) > _COVERED for name, sign in signs.items()},
        masks=masks,
    )


@dataclass(frozen=True)
class _Chest:
    """The chest of one visit, to be drawn with all or some of the visit's findings."""

    visit: Visit
    seed: int
    frame: Frame
    #: In the shape that mimics give it, without findings.
    anatomy: Anatomy
    mimics: Mimics

    def draw(
        self, findings: list[str], like: Layers | None = None
    ) -> tuple[Layers, Layers, dict[str, np.ndarray]]:
        """Its layers before and after mimics and findings are added, and the findings' signs."""
        anatomy = self.anatomy
        for name in findings:
            shape = SIGNATURES[name].shape
            if shape is not None:
                anatomy = shape(anatomy, *self._strength_and_site(name))
        patient = self.visit.patient
        tissue_generator = open_stream(self.seed, Stream.ANATOMY, patient, 1)
        plain = draw_layers(self.frame, anatomy, tissue_generator, like)
        layers = plain.copy()
        add_mimics(layers, self.mimics, open_stream(self.seed, Stream.MIMICS, patient, 0, 1))
        signs = {
            name: SIGNATURES[name].draw(layers, *self._strength_and_site(name)) for name in findings
        }
        return plain, layers, signs

    def _strength_and_site(self, name: str) -> tuple[float, np.random.Generator]:
        """How strong a finding's sign is, and a fresh stream of this patient's finding."""
        strength = SIGNATURES[name].strength(self.visit.severities[name])
        return strength, open_stream(
            self.seed, Stream.SITE, self.visit.patient, finding_index(name)
        )


def _healthy(
    visit: Visit,
    specification: PhantomSpecification,
    pose_generator: np.random.Generator,
    shown: Mimics | None,
) -> _Chest:
    seed, who, when = specification.seed, (visit.patient,), (visit.patient, visit.number)
    anatomy = draw_anatomy(open_stream(seed, Stream.ANATOMY, *who), visit.female, visit.age)
    anatomy = at_visit(anatomy, pose_generator, visit.view)
    shown = shown or draw_mimics(
        open_stream(seed, Stream.MIMICS, *who),
        open_stream(seed, Stream.MIMICS, *when),
        specification.mimic_rate,
        visit.age,
        visit.view,
    )
    anatomy = reshape(anatomy, shown, open_stream(seed, Stream.MIMICS, *when, 1))
    frame = Frame(specification.size, draw_pose(pose_generator, visit.view))
    return _Chest(visit, seed, frame, anatomy, shown)


def _add_devices(layers: Layers, visit: Visit, seed: int) -> None:
    patient = open_stream(seed, Stream.DEVICES, visit.patient)
    day = open_stream(seed, Stream.DEVICES, visit.patient, visit.number)
    draw_devices(layers, patient, day, visit.view, visit.age)
    if visit.shortcut:
        draw_shortcut(layers)


def draw_pose(generator: np.random.Generator, view: str) -> Pose:
    """Small shifts, tilts and zooms; larger in AP views."""
    normal = generator.standard_normal(4)
    spread = 1.6 if view == "AP" else 1.0
    return Pose(
        angle=0.020 * spread * normal[0],
        scale=float(np.exp((0.07 if view == "PA" else 0.04) + 0.045 * spread * normal[1])),
        right=0.012 * spread * normal[2],
        down=0.015 * spread * normal[3],
    )
