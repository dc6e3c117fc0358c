"""Bones: spine, ribs, collar bones, shoulder blades and upper arms.

Long bones are ribbons: bundles of thin lines through a center line, denser at both rims,
where the beam runs along the cortex. Every part returns `Strokes`, which are drawn
together, since the cost of drawing lies in the blurs and not in the number of points.
"""

from dataclasses import dataclass

import numpy as np

from chestkd.phantom.anatomy import SIDES, Anatomy, lung_lateral
from chestkd.phantom.frame import Frame, polyline

# Attenuation of the parts.
VERTEBRA, RIB, CLAVICLE, SCAPULA, HUMERUS = 0.30, 0.17, 0.24, 0.14, 0.34
_RIBS = 10
_ACROSS = np.linspace(-1, 1, 7)
_CORTEX = np.array([1.7, 1.0, 0.8, 0.75, 0.8, 1.0, 1.7]) / 7.75


@dataclass(frozen=True)
class Strokes:
    """Points of soft lines, as `Frame.strokes` takes them."""

    points: np.ndarray
    radii: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray

    @classmethod
    def join(cls, parts: list["Strokes"]) -> "Strokes":
        """All parts as one."""
        return cls(
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.radii for part in parts]),
            np.concatenate([part.weights for part in parts]),
            np.concatenate([part.lengths for part in parts]),
        )

    def on(self, frame: Frame) -> np.ndarray:
        """The map of all lines, (pixels, pixels)."""
        return frame.strokes(self.points, self.radii, self.weights, self.lengths)


def ribbon(
    points: np.ndarray,
    lengths: np.ndarray,
    half_width: np.ndarray | float,
    weight: np.ndarray | float,
    across: tuple[float, float] = (0.0, 1.0),
) -> Strokes:
    """A band of constant height along a center line, brighter at both rims.

    - `points`: (N, 2) center line.
    - `lengths`: (N,) length of bone that each point represents.
    - `half_width`: of the band, in chest units, one or (N,).
    - `weight`: attenuation of the band, one or (N,).
    - `across`: direction (x, y) in which the band is wide.
    """
    count = len(points)
    half_width = np.broadcast_to(half_width, (count,))
    weight = np.broadcast_to(weight, (count,))
    offsets = _ACROSS[:, None, None] * half_width[None, :, None] * np.array(across)
    # Neighboring lines are half_width / 3 apart and each spreads over that distance.
    radius = half_width / 3.2
    share = _CORTEX[:, None] * weight * (2 * half_width) / (0.6 * radius * np.sqrt(2 * np.pi))
    lines = len(_ACROSS)
    return Strokes(
        points=(points[None] + offsets).reshape(-1, 2),
        radii=np.tile(radius, lines),
        weights=share.ravel(),
        lengths=np.tile(lengths, lines),
    )


def ribs(anatomy: Anatomy) -> list[Strokes]:
    """Ten pairs of hoops that fall from the spine to the front, seen from the front.

    A hoop lies in a tilted plane: at angle a from the spine it is at x = width sin(a) and
    has fallen by drop (1 - cos(a)) / 2. The length is that in space, so that the hoops are
    brightest where they turn around the side of the chest.
    """
    angle = np.linspace(0.10, 2.5, 150)
    step = angle[1] - angle[0]
    parts = []
    spine_end = anatomy.apex - 0.012
    for rib in range(_RIBS):
        drop = (0.10 + 0.15 * min(rib / 5, 1.2)) * (1 + 2 * (anatomy.rib_slope - 0.16))
        wall = lung_lateral(anatomy, np.array(spine_end + 0.42 * drop + 0.012))
        width = float(wall) + 0.011
        end = 2.45 - 0.06 * rib
        y = (
            spine_end
            + drop * (1 - np.cos(angle)) / 2
            - 0.010 * np.sin(np.minimum(2 * angle, np.pi))
        )
        x = np.maximum(width * np.sin(angle), 0.02)
        in_space = step * np.hypot(
            width * np.cos(angle), np.hypot(0.36 * width * np.sin(angle), drop / 2 * np.sin(angle))
        )
        front = np.clip((angle - 1.4) / 0.5, 0, 1)
        fade = np.clip((end - angle) / 0.25, 0, 1) * (1 - 0.45 * front)
        half_width = (0.0095 + 0.003 * front) * (0.75 + 0.05 * min(rib, 5))
        for side in SIDES:
            points = np.stack([side * x, y], axis=1)
            parts.append(ribbon(points, in_space, half_width, RIB * fade, (0.5 * side, 1.0)))
        spine_end += anatomy.rib_spacing * (0.62 + 0.09 * min(rib, 5))
    return parts


def clavicles(anatomy: Anatomy) -> list[Strokes]:
    """Two S-shaped bones from the breastbone to the shoulders, thick at the inner end."""
    t = np.linspace(0, 1, 30)
    rise = anatomy.clavicle + 0.02 - anatomy.clavicle_rise * t**0.8 + 0.012 * np.sin(2 * np.pi * t)
    parts = []
    for side in SIDES:
        x = side * (0.028 + 0.39 * t) + 0.3 * anatomy.rotation * (1 - t)
        points, lengths = polyline(np.stack([x, rise], axis=1), 0.002)
        along = np.linspace(0, 1, len(points))
        half_width = 0.0125 - 0.0045 * np.sin(np.pi * along**0.8)
        parts.append(ribbon(points, lengths, half_width, CLAVICLE))
    return parts


def shoulders(anatomy: Anatomy) -> list[Strokes]:
    """Shoulder blades (borders, spine, socket) and upper arms."""
    parts = []
    joint = np.array([anatomy.half_width + 0.115, 0.225])
    inner = anatomy.half_width + anatomy.scapula - 0.045
    tip = np.array([inner + 0.035, 0.455])
    for side in SIDES:
        mirror = np.array([side, 1])
        outer = [[joint[0] - 0.065, 0.34], [joint[0] - 0.035, 0.25]]
        blade = [
            [joint[0] - 0.05, 0.20],
            [inner + 0.02, 0.19],
            [inner, 0.27],
            [inner + 0.008, 0.38],
        ]
        points, lengths = polyline(np.array([*blade, tip, *outer]) * mirror, 0.003)
        parts.append(ribbon(points, lengths, 0.004, 0.9 * SCAPULA, (1.0, 0.0)))
        spine = [[inner + 0.01, 0.235], [joint[0] - 0.06, 0.175], [joint[0] + 0.01, 0.155]]
        points, lengths = polyline(np.array(spine) * mirror, 0.003)
        parts.append(ribbon(points, lengths, 0.007, SCAPULA))
        elbow = joint + 0.6 * np.array([np.sin(anatomy.arm_angle), np.cos(anatomy.arm_angle)])
        shaft = np.array([joint, joint + 0.1 * (elbow - joint), elbow])
        points, lengths = polyline(shaft * mirror, 0.003)
        along = np.linspace(0, 1, len(points))
        half_width = 0.019 + 0.018 * np.exp(-((along / 0.09) ** 2))
        parts.append(ribbon(points, lengths, half_width, HUMERUS, (1.0, 0.0)))
    return parts


def scapula_blades(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """The thin plates between the borders of the shoulder blades."""
    x = np.abs(frame.x)
    inner = anatomy.half_width + anatomy.scapula - 0.045
    outer = anatomy.half_width + 0.075 - 0.11 * np.clip((frame.y - 0.22) / 0.24, 0, 1)
    plate = frame.step(x - inner, 0.01) * frame.step(outer - x, 0.02)
    return (
        0.5 * SCAPULA * plate * frame.step(frame.y - 0.20, 0.02) * frame.step(0.45 - frame.y, 0.02)
    )


def spine(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Vertebrae with darker discs, pedicles and spinous processes; larger further down."""
    bend = anatomy.scoliosis * np.sin(2 * np.pi * frame.y + anatomy.scoliosis_phase)
    x = frame.x - bend
    away = np.abs(x)
    width = 0.026 + 0.014 * frame.y
    level = 23 * np.log1p(0.9 * np.maximum(frame.y + 0.1, 0))
    place = level - np.floor(level) - 0.5
    disc = np.clip(1 - ((np.abs(place) - 0.5) / 0.13) ** 2, 0, 1)
    column = frame.step(width - away, 0.010)
    cortex = np.clip(1 - ((away - width) / 0.006) ** 2, 0, 1)
    pedicles = np.clip(
        1 - ((away - 0.62 * width) / 0.006) ** 2 - ((place + 0.12) / 0.18) ** 2, 0, 1
    )
    process = np.clip(1 - (x / 0.0055) ** 2 - ((place - 0.15) / 0.28) ** 2, 0, 1)
    bony = column * (0.78 - 0.30 * disc) + 0.14 * cortex * (1 - disc)
    return VERTEBRA * (bony + 0.28 * pedicles + 0.28 * process)


def bones(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """All bones, scaled by the patient's bone density: (pixels, pixels)."""
    long_bones = Strokes.join(ribs(anatomy) + clavicles(anatomy) + shoulders(anatomy)).on(frame)
    return anatomy.bone * (long_bones + spine(frame, anatomy) + scapula_blades(frame, anatomy))
