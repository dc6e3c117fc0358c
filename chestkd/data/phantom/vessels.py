"""Pulmonary vessels: two trees of tapering branches, seeded by the patient."""

import numpy as np

from chestkd.data.phantom.anatomy import Anatomy

GENERATIONS = 6
_PRIMARY = 8
_POINTS = 10


def draw_tree(
    rng: np.random.Generator, anatomy: Anatomy, side: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The vessels of one lung.

    Returns:
        points (N, 2) in chest coordinates, radii (N,), and the stretch of vessel (N,)
        that each point stands for.

    """
    x = np.full(_PRIMARY, 0.072) + 0.008 * rng.standard_normal(_PRIMARY)
    hilum = 0.40 if side < 0 else 0.385
    y = np.linspace(hilum - 0.03, hilum + 0.07, _PRIMARY) + 0.008 * rng.standard_normal(_PRIMARY)
    # Angle 0 points outwards, positive downwards; the fan spares the heart.
    angle = np.linspace(-1.15, 1.25, _PRIMARY) + 0.12 * rng.standard_normal(_PRIMARY)
    radius = 0.0075 * anatomy.vessel_calibre * rng.uniform(0.7, 1.1, _PRIMARY)
    length = rng.uniform(0.05, 0.08, _PRIMARY)
    points, radii, lengths = [], [], []
    along = (np.arange(_POINTS) + 0.5) / _POINTS
    for _ in range(GENERATIONS):
        bend = 0.25 * rng.standard_normal(len(x))
        direction = angle[:, None] + bend[:, None] * along
        step = (length / _POINTS)[:, None]
        path_x = x[:, None] + np.cumsum(step * np.cos(direction), axis=1)
        path_y = y[:, None] + np.cumsum(step * np.sin(direction), axis=1)
        points.append(np.stack([side * path_x.ravel(), path_y.ravel()], axis=1))
        radii.append((radius[:, None] * (1 - 0.22 * along)).ravel())
        lengths.append(np.repeat(length / _POINTS, _POINTS))
        x, y, angle = path_x[:, -1], path_y[:, -1], direction[:, -1]
        spread = rng.uniform(0.2, 0.55, len(x))
        tilt = rng.choice([-1, 1], len(x))
        # Two daughters: a straighter, wider one and a thinner side branch.
        x, y = np.tile(x, 2), np.tile(y, 2)
        angle = np.concatenate([angle - 0.35 * tilt * spread, angle + tilt * spread])
        radius = np.concatenate([0.80 * radius, 0.62 * radius])
        length = np.tile(length, 2) * rng.uniform(0.68, 0.92, 2 * len(length))
    return np.concatenate(points), np.concatenate(radii), np.concatenate(lengths)
