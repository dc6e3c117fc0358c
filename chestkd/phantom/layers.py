"""Thickness maps of one chest, which findings change before they are added up.

Every map is an attenuation in the log domain (1 means that the beam falls to 1/e), drawn
in float64 on the frame's pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from chestkd.phantom.anatomy import SIDES, Anatomy, diaphragm, lung_lateral, lung_medial
from chestkd.phantom.frame import Frame
from chestkd.phantom.mediastinum import airways, heart, hila
from chestkd.phantom.skeleton import bones
from chestkd.phantom.trunk import belly_gas, trunk
from chestkd.phantom.vessels import vessels

# What a lung full of air takes away from the body where it is deepest.
AIR = 1.78
# Share of the lungs' depth that the heart hides.
HIDDEN = 0.86
# Exponent and lattice cells (see `Frame.texture`) of the coarse and of the fine texture.
_TEXTURES = ((1.3, 48), (0.6, 150))


@dataclass
class Layers:
    """The maps of one image, (pixels, pixels) each.

    - `frame`, `anatomy`: what they were drawn from.
    - `body`: soft tissue as if there were no air in the lungs.
    - `lungs`: outlines of the right and left lung, (2, pixels, pixels), 0 to 1.
    - `textures`: cloudiness of tissue and air, coarse and fine.
    - `depth`: depth of the lungs, 0 at the chest wall to 1 in mid-lung.
    - `air`: share of the normal air in the lungs; findings that fill lung lower it.
    - `heart`: share of the depth taken by heart and mediastinum, 0 to 1.
    - `cavities`: attenuation taken away by airways and by gas in the belly.
    - `vessels`, `bones`: attenuation added.
    - `opacity`: attenuation that findings add (or, negative, take away).
    - `devices`: attenuation of lines, tubes and markers.
    """

    frame: Frame
    anatomy: Anatomy
    body: np.ndarray
    lungs: np.ndarray
    textures: tuple[np.ndarray, np.ndarray]
    depth: np.ndarray
    air: np.ndarray
    heart: np.ndarray
    cavities: np.ndarray
    vessels: np.ndarray
    bones: np.ndarray
    opacity: np.ndarray
    devices: np.ndarray

    def copy(self) -> "Layers":
        """The same maps; changes of those that findings change leave these alone."""
        own = {name: getattr(self, name).copy() for name in ("air", "vessels", "opacity")}
        return replace(self, **own, devices=self.devices.copy())

    @property
    def lung(self) -> np.ndarray:
        """Both lungs, 0 to 1."""
        return self.lungs[0] + self.lungs[1]

    def side(self, side: int) -> np.ndarray:
        """The right (-1) or left (+1) lung, 0 to 1."""
        return self.lungs[0 if side < 0 else 1]

    @property
    def seen(self) -> np.ndarray:
        """Share of the lungs' depth that the heart leaves visible."""
        return 1 - HIDDEN * self.heart

    def thickness(self) -> np.ndarray:
        """Total attenuation (pixels, pixels), >= 0."""
        right, left = self.anatomy.air
        aerated = AIR * self.depth * self.air * (right * self.lungs[0] + left * self.lungs[1])
        total = self.body - aerated * self.seen - self.cavities
        total += self.vessels * (0.25 + 0.75 * self.lung) * self.seen + self.opacity + self.bones
        return np.maximum(total, 0) + self.devices


# The numbers of the anatomy that findings change, for each map drawn from them.
_OUTLINE = {"half_width", "domes", "dome_height"}
_DRAWN_FROM = {
    "body": {"half_width"},
    "lungs": _OUTLINE,
    "depth": _OUTLINE,
    "heart": {"half_width", "domes", "cardiothoracic_ratio"},
    "cavities": {"half_width", "domes"},
    "vessels": {"domes", "vessel_weight"},
    "bones": _OUTLINE,
}


def draw_layers(
    frame: Frame, anatomy: Anatomy, generator: np.random.Generator, like: Layers | None = None
) -> Layers:
    """The maps of a chest without findings.

    - `frame`: the pixels.
    - `anatomy`: the shape of the chest.
    - `generator`: the patient's own stream.
    - `like`: the same chest before or after a finding changed its shape, drawn on the same frame
      from the same stream. Maps that the finding leaves alone are taken from it.
    """
    changed = {
        field.name
        for field in fields(Anatomy)
        if like is None or getattr(anatomy, field.name) != getattr(like.anatomy, field.name)
    }

    def part(name: str, draw: Callable[[], np.ndarray]) -> np.ndarray:
        return draw() if like is None or _DRAWN_FROM[name] & changed else getattr(like, name)

    def blood() -> np.ndarray:
        return anatomy.vessel_weight * (vessels(frame, anatomy, generator) + hila(frame, anatomy))

    # The stream gives the vessels first, then the textures.
    carried = part("vessels", blood)
    coarse, fine = (
        like.textures if like else (frame.texture(generator, *kind) for kind in _TEXTURES)
    )
    return Layers(
        frame=frame,
        anatomy=anatomy,
        body=part("body", lambda: trunk(frame, anatomy) * (1 + 0.018 * coarse)),
        lungs=part("lungs", lambda: np.stack([lung(frame, anatomy, side) for side in SIDES])),
        textures=(coarse, fine),
        depth=part("depth", lambda: lung_depth(frame, anatomy)),
        air=1 + 0.030 * coarse + 0.012 * fine,
        heart=part("heart", lambda: heart(frame, anatomy)),
        cavities=part("cavities", lambda: airways(frame, anatomy) + belly_gas(frame, anatomy)),
        vessels=carried,
        bones=part("bones", lambda: bones(frame, anatomy)),
        opacity=np.zeros_like(coarse),
        devices=np.zeros_like(coarse),
    )


def lung(frame: Frame, anatomy: Anatomy, side: int) -> np.ndarray:
    """Outline of one lung, 0 outside to 1 inside."""
    lateral = side * frame.x
    inside = frame.step(lung_lateral(anatomy, frame.y) - lateral, 0.006)
    inside *= frame.step(lateral - lung_medial(anatomy, frame.y), 0.012)
    inside *= frame.step(diaphragm(anatomy, side, lateral) - frame.y, 0.006)
    return inside * frame.step(frame.y - anatomy.apex, 0.01)


def lung_depth(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Length of the beam's path in the lungs, 0 at the chest wall to 1 in mid-lung."""
    wall = lung_lateral(anatomy, frame.y) - np.abs(frame.x)
    t = np.clip(wall / (0.60 * anatomy.half_width), 0, 1)
    top = np.clip((frame.y - anatomy.apex + 0.02) / 0.28, 0, 1)
    return np.sqrt(t * (2 - t)) * (0.45 + 0.55 * np.sqrt(top))
