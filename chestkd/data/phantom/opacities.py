"""Findings that put something into the lung: how each changes the layers, and its mask.

Every function takes the layers, which it changes in place, the strength of the sign
(0 invisible, 1 textbook, from `signatures.STRENGTHS`), and the site stream of this
patient and finding, so that a finding stays where it was at the next visit. It returns the
mask of what it drew, float64 (pixels, pixels) in 0 to 1.
"""

import numpy as np

from chestkd.data.phantom.anatomy import SIDES, lung_lateral, lung_medial
from chestkd.data.phantom.frame import polyline
from chestkd.data.phantom.layers import Layers


def place(
    layers: Layers, rng: np.random.Generator, across: tuple[float, float], up: tuple[float, float]
) -> tuple[int, float, float]:
    """A side and a point (x, y) in that lung.

    `across` bounds the position between the inner edge (0) and the chest wall (1), `up`
    the one between the diaphragm (0) and the apex (1).
    """
    side = SIDES[int(rng.integers(2))]
    dome, apex = layers.anatomy.dome(side), layers.anatomy.apex
    y = dome - rng.uniform(*up) * (dome - apex)
    inner = float(lung_medial(layers.anatomy, np.array(y)))
    outer = float(lung_lateral(layers.anatomy, np.array(y)))
    return side, side * (inner + rng.uniform(*across) * (outer - inner)), y


def blob(layers: Layers, x: float, y: float, across: float, along: float) -> np.ndarray:
    """Squared distance from (x, y) in units of the two radii: below 1 inside the ellipse."""
    return ((layers.frame.x - x) / across) ** 2 + ((layers.frame.y - y) / along) ** 2


def _haze(
    layers: Layers, rng: np.random.Generator, side: int, x: float, y: float, radius: float
) -> np.ndarray:
    """A ragged cloud around a point, confined to one lung, 0 to 1."""
    texture = layers.frame.texture(rng, 1.4)
    distance = blob(layers, x, y, radius, radius * rng.uniform(0.75, 1.25))
    cloud = np.clip(1.15 - distance + 0.45 * texture, 0, 1)
    return cloud * layers.lungs[0 if side < 0 else 1]


def infiltration(layers: Layers, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Faint ragged haze in one or two places."""
    mask = np.zeros_like(layers.air)
    for _ in range(int(rng.integers(1, 3))):
        side, x, y = place(layers, rng, (0.15, 0.75), (0.1, 0.7))
        cloud = _haze(layers, rng, side, x, y, rng.uniform(0.06, 0.11))
        mask = np.maximum(mask, cloud)
    layers.air *= 1 - 0.45 * strength * mask
    return mask


def pneumonia(layers: Layers, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Like an infiltration, denser and basal: confusable on purpose."""
    side, x, y = place(layers, rng, (0.15, 0.75), (0.05, 0.4))
    mask = _haze(layers, rng, side, x, y, rng.uniform(0.06, 0.10))
    layers.air *= 1 - 0.65 * strength * mask
    return mask


def consolidation(layers: Layers, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A dense lobe with one sharp edge at the fissure and dark bronchi inside."""
    side, x, y = place(layers, rng, (0.3, 0.6), (0.25, 0.65))
    mask = np.clip(1.6 * _haze(layers, rng, side, x, y, rng.uniform(0.10, 0.14)), 0, 1)
    slope, edge = rng.uniform(-0.25, 0.25), rng.uniform(0.0, 0.03)
    above = y + edge + slope * (layers.frame.x - x) - layers.frame.y
    mask *= layers.frame.step(above if rng.random() < 0.5 else above + 2 * (layers.frame.y - y))
    layers.air *= 1 - 0.80 * strength * mask
    # The bronchi run with the vessels and stay full of air where the lung is not.
    bronchi = np.clip(layers.vessels, 0, 0.4)
    layers.vessels -= 1.6 * strength * mask * bronchi
    return mask


def edema(layers: Layers, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Haze around both hila, wide upper vessels, short Kerley lines at the sides."""
    frame, anatomy = layers.frame, layers.anatomy
    haze = np.zeros_like(layers.air)
    for side in SIDES:
        radius = rng.uniform(0.12, 0.16)
        haze = np.maximum(haze, np.exp(-blob(layers, side * 0.10, 0.43, radius, 1.25 * radius)))
    haze *= layers.lung * (1 + 0.15 * frame.texture(rng, 1.2))
    haze = np.clip(haze, 0, 1)
    layers.air *= 1 - 0.50 * strength * haze
    upper = np.clip((0.45 - frame.y) / 0.15, 0, 1)
    layers.vessels *= 1 + strength * (0.5 + 0.6 * upper)
    for side in SIDES:
        for _ in range(7):
            y = anatomy.dome(side) - rng.uniform(0.0, 0.14)
            wall = float(lung_lateral(anatomy, np.array(y)))
            corners = np.array([[side * (wall - 0.006), y], [side * (wall - 0.04), y + 0.004]])
            points, lengths = polyline(corners, 0.002)
            weights = np.full(len(points), 0.30 * strength)
            layers.opacity += frame.strokes(points, np.full(len(points), 0.002), weights, lengths)
    return haze * (haze > 0.35)


def mass(layers: Layers, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A lobulated disc of radius .05 to .11."""
    _, x, y = place(layers, rng, (0.2, 0.75), (0.1, 0.85))
    radius = 0.05 + 0.06 * rng.random()
    angle = np.arctan2(layers.frame.y - y, layers.frame.x - x)
    lobes = sum(
        rng.uniform(0.02, 0.09) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5)
    )
    return _ball(layers, x, y, radius * (1 + lobes), 1.0 * strength, 0.10)


def nodule(layers: Layers, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A crisp disc of diameter about .07."""
    _, x, y = place(layers, rng, (0.2, 0.85), (0.1, 0.85))
    radius = np.full_like(layers.air, rng.uniform(0.026, 0.042))
    return _ball(layers, x, y, radius, 0.85 * strength, 0.0)


def _ball(
    layers: Layers, x: float, y: float, radius: np.ndarray, height: float, blur: float
) -> np.ndarray:
    distance = np.hypot(layers.frame.x - x, layers.frame.y - y) / radius
    chord = np.sqrt(np.clip(1 - distance**2, 0, 1))
    mask = layers.frame.step((1 - distance) * radius, 0.006 + blur * 0.1) * layers.lung
    layers.opacity += height * (0.25 + 0.75 * chord) * mask * (1 - 0.5 * layers.heart)
    return mask


def fibrosis(layers: Layers, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A fine mesh at the bases and the periphery."""
    frame, anatomy = layers.frame, layers.anatomy
    wall = lung_lateral(anatomy, frame.y) - np.abs(frame.x)
    floor = np.where(frame.x < 0, anatomy.domes[0], anatomy.domes[1])
    basal = np.clip(1.2 - (floor - frame.y) / rng.uniform(0.16, 0.26), 0, 1)
    peripheral = np.clip(1.1 - wall / 0.14, 0.25, 1)
    zone = basal * peripheral * layers.lung
    mesh = np.exp(-((frame.texture(rng, 0.7, 110) / 0.30) ** 2))
    layers.opacity += 0.34 * strength * zone * mesh * (1 - 0.5 * layers.heart)
    layers.air *= 1 - 0.18 * strength * zone
    return zone * (zone > 0.2)


def atelectasis(layers: Layers, strength: float, rng: np.random.Generator) -> np.ndarray:
    """One or two plates of collapsed lung above a raised diaphragm."""
    frame, anatomy = layers.frame, layers.anatomy
    side = SIDES[int(rng.integers(2))]
    mask = np.zeros_like(layers.air)
    for _ in range(int(rng.integers(1, 3))):
        y = anatomy.dome(side) - rng.uniform(0.03, 0.10)
        inner, outer = rng.uniform(0.10, 0.14), rng.uniform(0.22, 0.30)
        slope = rng.uniform(-0.25, 0.15)
        x = side * frame.x
        centre = y + slope * (x - 0.2) + 0.6 * (x - 0.2) ** 2
        half = rng.uniform(0.006, 0.012)
        plate = np.clip(1.5 - ((frame.y - centre) / half) ** 2, 0, 1)
        plate *= frame.step(x - inner, 0.03) * frame.step(outer - x, 0.03)
        mask = np.maximum(mask, plate * layers.lungs[0 if side < 0 else 1])
    layers.opacity += 0.50 * strength * mask * (1 - 0.5 * layers.heart)
    return mask
