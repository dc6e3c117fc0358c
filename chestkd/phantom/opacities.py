"""Findings that put something into the lung: how each changes the layers, and its sign.

Every function takes the layers, which it changes in place, the strength of the sign
(0 invisible, 1 textbook, from `signatures.SIGNATURES`), and the site stream of this
patient and finding, so that a finding stays in place from visit to visit. It returns where that
sign lies, float64 (pixels, pixels) in 0 to 1.
"""

import numpy as np

from chestkd.phantom.anatomy import SIDES, diaphragm, lung_lateral, lung_medial
from chestkd.phantom.frame import polyline
from chestkd.phantom.layers import Layers
from chestkd.phantom.mediastinum import heart_edge, hilum_height


def pick_side(generator: np.random.Generator) -> int:
    """-1 for the patient's right side or +1 for the left."""
    return SIDES[int(generator.integers(2))]


def place(
    layers: Layers,
    generator: np.random.Generator,
    across: tuple[float, float],
    up: tuple[float, float],
) -> tuple[int, float, float]:
    """A side and a point (x, y) in the visible part of that lung.

    `across` bounds the position between the heart's edge (0) and the chest wall (1), `up`
    the one between the diaphragm (0) and the apex (1).
    """
    side = pick_side(generator)
    dome, apex = layers.anatomy.dome(side), layers.anatomy.apex
    y = dome - generator.uniform(*up) * (dome - apex)
    inner = max(
        float(lung_medial(layers.anatomy, np.array(y))), heart_edge(layers.anatomy, side, y)
    )
    outer = float(lung_lateral(layers.anatomy, np.array(y)))
    return side, side * (inner + generator.uniform(*across) * (outer - inner)), y


def blob(layers: Layers, x: float, y: float, across: float, along: float) -> np.ndarray:
    """Squared distance from (x, y) in units of the two radii: below 1 inside the ellipse."""
    return ((layers.frame.x - x) / across) ** 2 + ((layers.frame.y - y) / along) ** 2


def _cloud(
    layers: Layers, generator: np.random.Generator, side: int, x: float, y: float, radius: float
) -> np.ndarray:
    """A ragged cloud around a point, confined to one lung, 0 to 1."""
    coarse, fine = (
        layers.frame.texture(generator, 1.5, 64),
        layers.frame.texture(generator, 0.8, 128),
    )
    distance = np.sqrt(blob(layers, x, y, radius, radius * generator.uniform(0.75, 1.25)))
    cloud = np.clip(1.45 - distance + 0.28 * coarse + 0.07 * fine, 0, 1)
    return cloud * cloud * (3 - 2 * cloud) * layers.side(side)


def infiltration(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Faint ragged haze in one or two places."""
    sign = np.zeros_like(layers.air)
    for _ in range(int(generator.integers(1, 3))):
        side, x, y = place(layers, generator, (0.1, 0.75), (0.05, 0.75))
        sign = np.maximum(
            sign, _cloud(layers, generator, side, x, y, generator.uniform(0.07, 0.12))
        )
    layers.air *= 1 - 0.45 * strength * sign
    return sign


def pneumonia(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Like an infiltration, denser and basal: confusable on purpose."""
    side, x, y = place(layers, generator, (0.1, 0.75), (0.05, 0.40))
    sign = _cloud(layers, generator, side, x, y, generator.uniform(0.07, 0.11))
    layers.air *= 1 - 0.65 * strength * sign
    return sign


def consolidation(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """A dense part of a lobe with one sharp edge at the fissure and dark bronchi inside."""
    frame, anatomy = layers.frame, layers.anatomy
    side, x, y = place(layers, generator, (0.35, 0.6), (0.2, 0.75))
    upper = y < hilum_height(anatomy, side)
    sign = np.clip(
        1.35 * _cloud(layers, generator, side, x, y, generator.uniform(0.11, 0.15)), 0, 1
    )
    # An upper lobe ends below at the fissure, a middle or lower one begins there.
    gap = generator.uniform(0.03, 0.06)
    away = frame.x - x
    fissure = y + (gap if upper else -gap) + generator.uniform(-0.2, 0.2) * away + 1.2 * away**2
    sign *= frame.step(fissure - frame.y if upper else frame.y - fissure, 0.006)
    layers.air *= 1 - 0.78 * strength * sign
    layers.vessels *= 1 - 0.8 * strength * sign
    hilum = np.array([side * 0.07, hilum_height(anatomy, side)])
    for _ in range(4):
        target = np.array([x, y]) + generator.normal(0, 0.05, 2)
        knee = (hilum + target) / 2 + generator.normal(0, 0.012, 2)
        points, lengths = polyline(np.array([hilum, knee, target]), 0.002)
        radii = np.linspace(0.0055, 0.0025, len(points))
        bronchus = frame.strokes(points, radii, 60 * radii, lengths)
        layers.opacity -= strength * np.clip(sign, 0, 1) * bronchus * layers.seen
    return sign


def edema(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Haze around both hila, wide upper vessels, short Kerley lines at the sides."""
    frame, anatomy = layers.frame, layers.anatomy
    wings = np.zeros_like(layers.air)
    for side in SIDES:
        radius = generator.uniform(0.13, 0.17)
        center = hilum_height(anatomy, side) + 0.03
        wings += np.exp(-blob(layers, side * 0.115, center, radius, 1.25 * radius))
    texture = np.clip(
        1 + 0.12 * frame.texture(generator, 1.2) + 0.10 * frame.texture(generator, 0.4, 110), 0, 2
    )
    haze = np.clip(wings * layers.lung * texture, 0, 1)
    layers.air *= 1 - 0.52 * strength * haze
    upper = np.clip((0.45 - frame.y) / 0.15, 0, 1)
    layers.vessels *= 1 + strength * (0.3 + 0.6 * upper)
    for side in SIDES:
        for _ in range(8):
            y = anatomy.dome(side) + generator.uniform(-0.12, 0.02)
            wall = float(lung_lateral(anatomy, np.array(y)))
            inner = wall - generator.uniform(0.025, 0.045)
            corners = np.array([[side * (wall - 0.003), y], [side * inner, y + 0.004]])
            points, lengths = polyline(corners, 0.002)
            weights = np.full(len(points), 0.26 * strength)
            layers.opacity += frame.strokes(points, np.full(len(points), 0.0016), weights, lengths)
    return haze * (haze > 0.35)


def mass(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """A lobulated disc of radius .05 to .11."""
    _, x, y = place(layers, generator, (0.15, 0.8), (0.1, 0.85))
    radius = 0.05 + 0.06 * generator.random() ** 1.5
    angle = np.arctan2(layers.frame.y - y, layers.frame.x - x)
    lobes = sum(
        generator.uniform(0.03, 0.09) * np.cos(k * angle + generator.uniform(0, 2 * np.pi))
        for k in (2, 3, 4)
    )
    return _ball(layers, x, y, radius * (1 + lobes), 0.85 * strength, 0.012)


def nodule(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """A crisp disc of diameter about .07."""
    _, x, y = place(layers, generator, (0.15, 0.85), (0.1, 0.85))
    radius = np.full_like(layers.air, generator.uniform(0.026, 0.042))
    return _ball(layers, x, y, radius, 0.75 * strength, 0.006)


def _ball(
    layers: Layers, x: float, y: float, radius: np.ndarray, height: float, edge: float
) -> np.ndarray:
    distance = np.hypot(layers.frame.x - x, layers.frame.y - y) / radius
    chord = np.sqrt(np.clip(1 - distance**2, 0, 1))
    sign = layers.frame.step((1 - distance) * radius, edge) * layers.lung
    layers.opacity += height * (0.20 + 0.80 * chord) * sign * layers.seen
    return sign


def fibrosis(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """A mesh of fine lines at the bases and the periphery."""
    frame, anatomy = layers.frame, layers.anatomy
    wall = lung_lateral(anatomy, frame.y) - np.abs(frame.x)
    floor = np.where(frame.x < 0, *anatomy.domes)
    height = generator.uniform(0.16, 0.26)
    basal = np.clip(1.3 - (floor + 0.02 - frame.y) / height, 0, 1)
    peripheral = np.clip(1.15 - wall / 0.16, 0.25, 1)
    zone = basal * peripheral * layers.lung
    mesh = sum(np.exp(-((frame.texture(generator, 0.9, cells) / 0.28) ** 2)) for cells in (70, 120))
    layers.opacity += 0.30 * strength * zone * mesh * layers.seen
    layers.air *= 1 - 0.24 * strength * zone
    return zone * (zone > 0.3)


def atelectasis(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """One or two plates of collapsed lung above a raised diaphragm."""
    frame, anatomy = layers.frame, layers.anatomy
    side = pick_side(generator)
    x = side * frame.x
    sign = np.zeros_like(layers.air)
    for _ in range(int(generator.integers(1, 3))):
        y = anatomy.dome(side) - generator.uniform(0.025, 0.09)
        inner, outer = generator.uniform(0.09, 0.13), generator.uniform(0.22, 0.30)
        slope = generator.uniform(-0.30, 0.15)
        center = y + slope * (x - 0.2) + 0.5 * (x - 0.2) ** 2
        half = generator.uniform(0.006, 0.013)
        plate = np.clip(1.5 - ((frame.y - center) / half) ** 2, 0, 1)
        plate *= frame.step(x - inner, 0.03) * frame.step(outer - x, 0.03)
        sign = np.maximum(sign, plate * layers.side(side))
    # The lung between plate and diaphragm contains less air, too.
    crowded = np.clip(1 - (diaphragm(anatomy, side, x) - frame.y) / 0.09, 0, 1) * layers.side(side)
    layers.air *= 1 - 0.25 * strength * crowded
    layers.opacity += 0.42 * strength * sign * layers.seen
    return sign
