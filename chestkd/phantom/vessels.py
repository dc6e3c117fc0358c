"""Pulmonary vessels: two trees of tapering branches, seeded by the patient."""

import numpy as np

from chestkd.phantom.anatomy import SIDES, Anatomy
from chestkd.phantom.frame import Frame
from chestkd.phantom.mediastinum import hilum_height

GENERATIONS = 5
_PRIMARY = 13
_POINTS = 12
# Attenuation per unit of a vessel's radius, seen across its middle.
_BLOOD = 30.0


def vessels(frame: Frame, anatomy: Anatomy, generator: np.random.Generator) -> np.ndarray:
    """Attenuation of both trees, (pixels, pixels)."""
    trees = [draw_tree(generator, anatomy, side) for side in SIDES]
    points, radii, lengths = (np.concatenate(parts) for parts in zip(*trees, strict=True))
    return frame.strokes(points, radii, _BLOOD * radii, lengths)


def draw_tree(
    generator: np.random.Generator, anatomy: Anatomy, side: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The vessels of one lung.

    Returns points (N, 2) in chest coordinates, radii (N,), and the length of vessel (N,) that each
    point represents.
    """
    normal = generator.standard_normal((4, _PRIMARY))
    fan = np.linspace(-1, 1, _PRIMARY)
    x = 0.066 + 0.006 * normal[0]
    y = hilum_height(anatomy, side) + 0.045 * fan + 0.008 * normal[1]
    # Angle 0 points outwards, positive downwards; lower branches run steeply down.
    angle = 1.25 * np.sign(fan) * np.abs(fan) ** 0.8 + 0.08 + 0.18 * normal[2]
    # Upright, the lower vessels carry more blood than the upper ones.
    calibre = 0.0047 * anatomy.vessel_calibre * (1 + (0.22 if anatomy.upright else 0.05) * fan)
    radius = calibre * np.exp(0.25 * normal[3])
    length = generator.uniform(0.035, 0.090, _PRIMARY) * (1 + 0.15 * np.abs(fan))
    points, radii, lengths = [], [], []
    along = (np.arange(_POINTS) + 0.5) / _POINTS
    for _ in range(GENERATIONS):
        bend = 0.30 * generator.standard_normal(len(x))
        wiggle = 0.18 * generator.standard_normal(len(x))
        direction = (
            angle[:, None] + bend[:, None] * along + wiggle[:, None] * np.sin(2 * np.pi * along)
        )
        step = (length / _POINTS)[:, None]
        path_x = x[:, None] + np.cumsum(step * np.cos(direction), axis=1)
        path_y = y[:, None] + np.cumsum(step * np.sin(direction), axis=1)
        points.append(np.stack([side * path_x.ravel(), path_y.ravel()], axis=1))
        radii.append((radius[:, None] * (1 - 0.25 * along)).ravel())
        lengths.append(np.repeat(length / _POINTS, _POINTS))
        x, y, angle = path_x[:, -1], path_y[:, -1], direction[:, -1]
        spread = generator.uniform(0.25, 0.75, len(x))
        tilt = generator.choice([-1, 1], len(x))
        # Two daughters: a straighter, wider one and a thinner side branch.
        x, y = np.tile(x, 2), np.tile(y, 2)
        angle = np.concatenate([angle - 0.35 * tilt * spread, angle + tilt * spread])
        radius = np.concatenate([0.78 * radius, 0.56 * radius])
        length = np.tile(length, 2) * generator.uniform(0.62, 0.98, 2 * len(length))
    return np.concatenate(points), np.concatenate(radii), np.concatenate(lengths)
