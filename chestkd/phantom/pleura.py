"""Findings between lung and chest wall, and those that change the shape of the chest.

Functions that draw are called as in `opacities.py`. Functions that change the shape run before
anything is drawn: they take the anatomy, the strength and the same site stream, and return the
changed anatomy.
"""

from dataclasses import replace

import numpy as np

from chestkd.phantom.anatomy import SIDES, Anatomy, heart_half_widths, lung_lateral
from chestkd.phantom.layers import Layers
from chestkd.phantom.opacities import blob, pick_side


def effusion(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Fluid at the base of one lung, or of both, with a surface that rises to the wall."""
    frame, anatomy = layers.frame, layers.anatomy
    sides = SIDES if generator.random() < 0.3 else (pick_side(generator),)
    sign = np.zeros_like(layers.air)
    for side in sides:
        lateral = side * frame.x
        bottom = anatomy.dome(side) + anatomy.dome_height
        spread = 1.0 if anatomy.upright else 0.6
        level = bottom - (0.014 + 0.17 * spread * strength * generator.uniform(0.7, 1.3))
        u = np.clip(lateral / lung_lateral(anatomy, frame.y), 0, 1.1)
        surface = level - (0.018 + 0.07 * strength) * u**5 - 0.02 * (1 - u) ** 4
        sign = np.maximum(sign, frame.step(frame.y - surface, 0.012) * layers.side(side))
    if not anatomy.upright:
        # Lying down, part of the fluid spreads behind the lung as a veil.
        veil = strength * sum(layers.side(side) for side in sides) * np.clip(frame.y / 0.6, 0, 1)
        layers.air *= 1 - 0.30 * veil
    layers.air *= 1 - 0.95 * sign
    layers.vessels *= 1 - sign
    return sign


def pneumothorax(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Free air above and beside a collapsed lung: no vessels, and a thin pleural line."""
    frame, anatomy = layers.frame, layers.anatomy
    side = pick_side(generator)
    lung = layers.side(side)
    gap = 0.010 + 0.100 * strength
    reach = anatomy.apex + (0.25 + 0.5 * strength) * (anatomy.dome(side) - anatomy.apex)
    fade = np.clip((reach - frame.y) / (reach - anatomy.apex), 0, 1) ** 0.7
    inward = lung_lateral(anatomy, np.maximum(frame.y - 0.6 * gap, anatomy.apex)) - gap * fade
    border = inward - side * frame.x
    sign = lung * frame.step(-border, 0.004) * (fade > 0)
    line = np.exp(-((border / 0.0035) ** 2)) * lung * (fade > 0)
    layers.vessels *= 1 - sign
    layers.air *= 1 + 0.15 * sign - 0.08 * strength * lung * (1 - sign)
    layers.opacity += 0.20 * line
    return sign


def pleural_thickening(
    layers: Layers, strength: float, generator: np.random.Generator
) -> np.ndarray:
    """An irregular band of tissue along the chest wall."""
    frame, anatomy = layers.frame, layers.anatomy
    side = pick_side(generator)
    center = anatomy.apex + generator.uniform(0.1, 1.05) * (anatomy.dome(side) - anatomy.apex)
    half = generator.uniform(0.09, 0.18)
    waves = sum(
        generator.uniform(0.1, 0.25) * np.sin(k * 14 * frame.y + generator.uniform(0, 2 * np.pi))
        for k in (1, 2, 3)
    )
    fade = np.clip(1 - ((frame.y - center) / half) ** 2, 0, 1)
    thickness = (0.012 + 0.034 * strength) * fade * (1 + waves)
    wall = lung_lateral(anatomy, frame.y) - side * frame.x
    band = frame.step(thickness - wall, 0.006) * layers.side(side) * (fade > 0)
    layers.opacity += (0.30 + 0.45 * strength) * band
    return band


def cardiomegaly_shape(
    anatomy: Anatomy, strength: float, generator: np.random.Generator
) -> Anatomy:
    """A cardiothoracic ratio raised by up to .15."""
    ratio = anatomy.cardiothoracic_ratio + 0.15 * strength
    return replace(anatomy, cardiothoracic_ratio=min(ratio, 0.75))


def cardiomegaly(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """The heart, which the shape has enlarged."""
    floor = float(np.mean(layers.anatomy.domes))
    right, left = heart_half_widths(layers.anatomy)
    top = floor - 0.95 * (left + right) * 0.62
    return (layers.heart > 0.5) * (layers.frame.y > top) * (layers.frame.y < floor + 0.06) * 1.0


def emphysema_shape(anatomy: Anatomy, strength: float, generator: np.random.Generator) -> Anatomy:
    """Long, wide lungs over a flat diaphragm, full of air, with few vessels."""
    right, left = anatomy.domes
    lower = 0.055 * strength
    return replace(
        anatomy,
        domes=(right + lower, left + lower),
        dome_height=anatomy.dome_height * (1 - 0.65 * strength),
        half_width=anatomy.half_width * (1 + 0.03 * strength),
        cardiothoracic_ratio=anatomy.cardiothoracic_ratio - 0.06 * strength,
        air=tuple(a * (1 + 0.16 * strength) for a in anatomy.air),  # type: ignore[arg-type]
        vessel_weight=anatomy.vessel_weight * (1 - 0.55 * strength),
    )


def emphysema(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Both lungs, which the shape has inflated."""
    return layers.lung


def volume_loss_shape(anatomy: Anatomy, strength: float, generator: np.random.Generator) -> Anatomy:
    """The diaphragm of the affected side is drawn up."""
    return anatomy.raised(pick_side(generator), 0.035 * strength)


def fibrosis_shape(anatomy: Anatomy, strength: float, generator: np.random.Generator) -> Anatomy:
    """Both lungs shrink."""
    return anatomy.raised(-1, 0.03 * strength).raised(1, 0.03 * strength)


def hernia(layers: Layers, strength: float, generator: np.random.Generator) -> np.ndarray:
    """A round stomach behind the heart, with an air-fluid level."""
    frame = layers.frame
    floor = float(np.mean(layers.anatomy.domes))
    x, y = generator.uniform(-0.005, 0.05), floor - generator.uniform(0.02, 0.06)
    radius = generator.uniform(0.045, 0.075)
    distance = np.sqrt(blob(layers, x, y, radius * generator.uniform(1.0, 1.3), radius))
    sign = frame.step((1 - distance) * radius, 0.006)
    rim = np.exp(-(((1 - distance) * radius / 0.006) ** 2))
    level = y - radius * generator.uniform(-0.1, 0.4)
    gas = sign * frame.step(level - frame.y, 0.004)
    layers.opacity += strength * (0.55 * (sign - gas) - 0.55 * gas + 0.35 * rim)
    return sign
