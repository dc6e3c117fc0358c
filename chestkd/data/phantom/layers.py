"""Thickness maps of one chest: air, soft tissue, heart, bone, vessels.

Every map is an attenuation in the log domain (1 means that the beam falls to 1/e), drawn
in float64 on the frame's pixels. Findings change the maps before they are added up.
"""

from dataclasses import dataclass

import numpy as np

from chestkd.data.phantom.anatomy import (
    SIDES,
    Anatomy,
    diaphragm,
    heart_half_widths,
    lung_lateral,
    lung_medial,
)
from chestkd.data.phantom.frame import Frame, polyline
from chestkd.data.phantom.vessels import draw_tree

# Attenuation of the body without air, and what a lung full of air takes away.
BODY = 2.15
AIR = 1.6


@dataclass
class Layers:
    """The maps of one image, (pixels, pixels) each, and what findings need to know.

    Attributes:
        body: soft tissue of the trunk as if the lungs held no air, >= 0.
        lungs: share of the beam's path inside a lung that is inside, 0 to 1, per side
            (index 0 right, 1 left), with sharp outlines.
        depth: how deep the lungs are there, 0 at the outline to 1.
        heart: share of the lung's depth taken by heart and mediastinum, 0 to 1.
        vessels, bones, opacity: attenuation added on top.
        air: factor on the air, 1 normal; findings that fill lung lower it.
        trachea: attenuation taken away by the airways.

    """

    frame: Frame
    anatomy: Anatomy
    body: np.ndarray
    lungs: np.ndarray
    depth: np.ndarray
    heart: np.ndarray
    vessels: np.ndarray
    bones: np.ndarray
    opacity: np.ndarray
    air: np.ndarray
    trachea: np.ndarray
    devices: np.ndarray

    @property
    def lung(self) -> np.ndarray:
        """Both lungs, 0 to 1."""
        return self.lungs[0] + self.lungs[1]

    def thickness(self) -> np.ndarray:
        """Total attenuation (pixels, pixels), >= 0."""
        right, left = self.anatomy.air
        aerated = AIR * self.depth * self.air * (right * self.lungs[0] + left * self.lungs[1])
        seen = 1 - 0.82 * self.heart
        total = self.body - aerated * seen - self.trachea
        total += (self.vessels + self.opacity) * (1 - 0.6 * self.heart) + self.bones
        return np.maximum(total, 0) + self.devices


def draw_layers(frame: Frame, anatomy: Anatomy, rng: np.random.Generator) -> Layers:
    """The maps of a chest without findings; `rng` is the patient's own stream."""
    lungs = np.stack([lung(frame, anatomy, side) for side in SIDES])
    return Layers(
        frame=frame,
        anatomy=anatomy,
        body=body(frame, anatomy),
        lungs=lungs,
        depth=lung_depth(frame, anatomy),
        heart=heart(frame, anatomy),
        vessels=vessels(frame, anatomy, rng),
        bones=bones(frame, anatomy),
        opacity=np.zeros_like(frame.x),
        air=np.ones_like(frame.x),
        trachea=trachea(frame, anatomy),
        devices=np.zeros_like(frame.x),
    )


def lung(frame: Frame, anatomy: Anatomy, side: int) -> np.ndarray:
    """Outline of one lung, 0 outside to 1 inside."""
    lateral = side * frame.x
    inside = frame.step(lung_lateral(anatomy, frame.y) - lateral)
    inside *= frame.step(lateral - lung_medial(anatomy, frame.y), 0.008)
    inside *= frame.step(diaphragm(anatomy, side, lateral) - frame.y, 0.006)
    return inside * frame.step(frame.y - anatomy.apex)


def lung_depth(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Length of the beam's path in the lungs, 0 at the chest wall to 1 in mid-lung."""
    wall = lung_lateral(anatomy, frame.y) - np.abs(frame.x)
    t = np.clip(wall / (0.55 * anatomy.half_width), 0, 1)
    shallow_top = np.clip((frame.y - anatomy.apex + 0.05) / 0.25, 0, 1)
    return np.sqrt(t * (2 - t)) * (0.55 + 0.45 * np.sqrt(shallow_top))


def body(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Trunk, neck and shoulders as one block of soft tissue."""
    x, y = np.abs(frame.x), frame.y
    trunk = anatomy.half_width + anatomy.fat + 0.02
    flare = np.clip((0.42 - y) / 0.25, 0, 1)
    outline = trunk + 0.16 * flare**1.5
    across = np.clip(1 - (x / outline) ** 2, 0, 1)
    block = (0.35 + 0.65 * np.sqrt(across)) * frame.step(outline - x, 0.012)
    # The shoulders fall away from the neck.
    shoulder = 0.03 + anatomy.shoulder * np.clip((x - 0.10) / 0.30, 0, 1.5) ** 1.3
    block *= 0.25 + 0.75 * np.clip((y - shoulder) / 0.18, 0, 1)
    block *= np.maximum(frame.step(y - shoulder, 0.012), frame.step(0.105 - x, 0.02))
    block = BODY * (1 + 1.2 * (anatomy.fat - 0.065)) * block
    if anatomy.breast > 0:
        block += 0.30 * anatomy.breast * breasts(frame, anatomy)
    return block * (1 + 0.25 * np.clip((y - 0.65) / 0.3, 0, 1))


def breasts(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Two half-moons with a crisp lower edge."""
    shadow = np.zeros_like(frame.x)
    for side in SIDES:
        across = (side * frame.x - 0.55 * anatomy.half_width) / 0.16
        along = (frame.y - 0.60) / 0.15
        inside = np.clip(1 - across**2 - along**2, 0, 1)
        shadow += np.sqrt(inside) * np.clip((frame.y - 0.45) / 0.2, 0, 1)
    return shadow


def heart(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Heart, great vessels and mediastinum as a share of the depth, 0 to 1."""
    x, y = frame.x - anatomy.mediastinal_shift, frame.y
    right, left = heart_half_widths(anatomy)
    floor = float(np.mean(anatomy.domes)) + 0.01
    centre = floor - 0.115
    tilt = 0.55
    cos, sin = np.cos(tilt), np.sin(tilt)
    middle = (left - right) / 2 + 0.01
    along = cos * (x - middle) + sin * (y - centre)
    across = -sin * (x - middle) + cos * (y - centre)
    reach = (left + right) / 2
    ventricles = 1 - (along / (1.04 * reach)) ** 2 - (across / (0.84 * reach)) ** 2
    atrium = 1 - ((x + 0.35 * right) ** 2 + (y - centre - 0.01) ** 2) / (0.65 * right) ** 2
    knob = anatomy.aortic_knob
    arch = 1 - ((x - 0.040) ** 2 + (y - 0.275) ** 2) / knob**2
    trunk = 1 - ((x - 0.040) / 0.042) ** 2 - ((y - 0.375) / 0.075) ** 2
    pedicle = 1 - (x / (0.052 + 0.10 * np.clip(y - 0.33, 0, 1))) ** 2
    share = np.zeros_like(x)
    for part, strength in (
        (ventricles, 1.0),
        (atrium, 0.95),
        (arch, 0.7),
        (trunk, 0.75),
        (pedicle * frame.step(floor + 0.1 - y, 0.1), 0.8),
    ):
        share = np.maximum(share, strength * frame.step(part, 0.16) * (0.75 + 0.25 * part))
    return np.clip(share, 0, 1)


def trachea(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Attenuation taken away by the windpipe and the main bronchi."""
    x = frame.x - anatomy.mediastinal_shift + 0.006 * np.clip(frame.y / 0.3, 0, 1)
    tube = frame.step(0.019 - np.abs(x), 0.012) * frame.step(0.335 - frame.y, 0.03)
    below = np.clip((frame.y - 0.325) / 0.08, 0, 1)
    bronchi = np.zeros_like(x)
    for side, slope in ((-1, 0.55), (1, 0.85)):
        centre = side * slope * 0.08 * below
        bronchi += frame.step(0.012 - np.abs(x - centre), 0.01)
    bronchi *= frame.step(frame.y - 0.325, 0.02) * frame.step(0.395 - frame.y, 0.05)
    return 0.32 * np.clip(tube + 0.7 * bronchi, 0, 1)


def spine(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Vertebrae with their discs; taller and wider from the neck downwards."""
    bend = anatomy.scoliosis * np.sin(2 * np.pi * frame.y + anatomy.scoliosis_phase)
    x = np.abs(frame.x - bend)
    width = 0.030 + 0.010 * frame.y
    level = np.log1p(1.2 * frame.y) / 0.040
    disc = 0.5 + 0.5 * np.cos(2 * np.pi * level)
    column = frame.step(width - x, 0.012) * (0.85 + 0.15 * np.clip(x / width, 0, 1) ** 2)
    pedicles = np.exp(-(((x - 0.7 * width) / 0.005) ** 2)) * (1 - disc)
    return 0.50 * column * (1 - 0.22 * disc**4) + 0.10 * pedicles


def ribs(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Posterior ribs, falling outwards, and fainter anterior ones, falling inwards."""
    x, y = np.abs(frame.x), frame.y
    wall = lung_lateral(anatomy, np.clip(y, anatomy.apex + 0.02, 1)) + 0.012
    u = np.clip(x / wall, 0, 1.2)
    cage = frame.step(wall + 0.004 - x, 0.01) * frame.step(x - 0.03, 0.02)
    arch = anatomy.rib_slope * (0.9 * u**2 - 0.35 * u) + 0.10 * u**8
    posterior = _bands(frame, (y - arch - anatomy.apex + 0.005) / anatomy.rib_spacing, 10)
    front = 0.30 - 0.33 * u + 0.02 * u**2
    anterior = _bands(frame, (y - front - anatomy.apex + 0.02) / (1.15 * anatomy.rib_spacing), 8)
    anterior *= np.clip((u - 0.30) / 0.25, 0, 1)
    # Where ribs turn around the side of the chest the beam meets them edge on.
    rim = np.exp(-(((x - wall) / 0.007) ** 2)) * frame.step(0.85 - y, 0.1)
    rim *= frame.step(y - anatomy.apex - 0.02, 0.04)
    return 0.23 * posterior * cage + 0.13 * anterior * cage + 0.22 * rim


def _bands(frame: Frame, phase: np.ndarray, count: int) -> np.ndarray:
    """Rib profiles around whole numbers 0 to count - 1 of `phase`, brighter at both edges."""
    nearest = np.clip(np.round(phase), 0, count - 1)
    offset = np.abs(phase - nearest)
    band = frame.step(0.20 - offset, 0.10)
    return band * (0.65 + 0.35 * np.clip(offset / 0.17, 0, 1) ** 2)


def clavicles(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Two S-shaped bones from the breastbone to the shoulders."""
    t = np.linspace(0, 1, 40)
    image = np.zeros_like(frame.x)
    for side in SIDES:
        rise = anatomy.clavicle - anatomy.clavicle_rise * t + 0.018 * np.sin(2 * np.pi * t)
        corners = np.stack([side * (0.035 + 0.36 * t), rise], axis=1)
        points, lengths = polyline(corners, 0.002)
        radii = 0.0125 - 0.003 * np.sin(np.pi * np.linspace(0, 1, len(points)))
        image += frame.strokes(points, radii, np.full(len(points), 0.30), lengths)
        for edge in (-1, 1):
            rim = points + [0, edge * 0.010]
            image += frame.strokes(
                rim, np.full(len(points), 0.002), np.full(len(points), 0.10), lengths
            )
    return image


def scapulae(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Inner border and spine of the shoulder blades, and the heads of the arm bones."""
    image = np.zeros_like(frame.x)
    for side in SIDES:
        inner = anatomy.half_width + anatomy.scapula - 0.07
        corners = np.array(
            [
                [inner + 0.03, 0.17],
                [inner + 0.005, 0.25],
                [inner + 0.02, 0.38],
                [inner + 0.055, 0.46],
                [inner + 0.085, 0.36],
                [inner + 0.10, 0.24],
            ]
        )
        corners[:, 0] *= side
        points, lengths = polyline(corners, 0.003)
        image += frame.strokes(
            points, np.full(len(points), 0.004), np.full(len(points), 0.16), lengths
        )
        blade = ((side * frame.x - inner - 0.05) / 0.05) ** 2 + ((frame.y - 0.31) / 0.15) ** 2
        image += 0.10 * frame.step(1 - blade, 0.3)
        head = ((side * frame.x - 0.45) ** 2 + (frame.y - 0.20) ** 2) / 0.045**2
        image += 0.35 * frame.step(1 - head, 0.3)
    return image


def bones(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """All bones, scaled by the patient's bone density."""
    parts = spine(frame, anatomy) + ribs(frame, anatomy)
    return anatomy.bone * (parts + clavicles(frame, anatomy) + scapulae(frame, anatomy))


def vessels(frame: Frame, anatomy: Anatomy, rng: np.random.Generator) -> np.ndarray:
    """Both vessel trees; findings scale the map before it is added."""
    trees = [draw_tree(rng, anatomy, side) for side in SIDES]
    points, radii, lengths = (np.concatenate(parts) for parts in zip(*trees, strict=True))
    return frame.strokes(points, radii, 34 * radii, lengths)
