"""Soft tissue of the trunk, neck, arms and breasts, and gas in the belly."""

import numpy as np

from chestkd.phantom.anatomy import SIDES, Anatomy
from chestkd.phantom.frame import Frame

# Attenuation of the thickest part of the body if there were no air in it.
BODY = 2.15


def trunk(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """The body as a block without lungs, attenuation >= 0."""
    x, y = np.abs(frame.x), frame.y
    block = np.maximum(_torso(frame, anatomy, x, y), _arms(frame, anatomy, x, y))
    block = np.maximum(block, _neck(frame, anatomy, x, y))
    block *= 1 + 0.28 * np.clip((y - 0.62) / 0.3, 0, 1)
    block *= BODY * (1 + 1.2 * (anatomy.fat - 0.065))
    if anatomy.breast > 0:
        block += 0.80 * anatomy.breast * _breasts(frame, anatomy)
    return block


def _shoulder_line(anatomy: Anatomy, x: np.ndarray) -> np.ndarray:
    """Height of the skin over neck and shoulder at distance x from the midline."""
    out = np.clip((x - anatomy.neck) / (0.44 - anatomy.neck), 0, 1.6)
    return 0.045 + anatomy.shoulder * (
        0.9 * out**0.8 - 0.15 * out + 0.45 * np.clip(out - 0.85, 0, 1)
    )


def _torso(frame: Frame, anatomy: Anatomy, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    wall = anatomy.half_width + anatomy.fat + 0.015
    # Below the armpit the flank runs almost straight; above it the shoulder widens.
    armpit = np.clip((0.56 - y) / 0.30, 0, 1)
    waist = -0.02 * np.sin(np.pi * np.clip((y - 0.40) / 0.6, 0, 1))
    outline = wall + waist + 0.15 * armpit**1.8
    chord = np.sqrt(np.clip(1 - (x / outline) ** 2, 0, 1))
    below = y - _shoulder_line(anatomy, x)
    thick = 0.30 + 0.70 * np.sqrt(np.clip(below / 0.22, 0, 1))
    return (0.22 + 0.78 * chord) * frame.step(outline - x, 0.012) * thick * frame.step(below, 0.012)


def _arms(frame: Frame, anatomy: Anatomy, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    joint_x, joint_y = anatomy.half_width + 0.115, 0.225
    sin, cos = np.sin(anatomy.arm_angle), np.cos(anatomy.arm_angle)
    along = (x - joint_x) * sin + (y - joint_y) * cos
    across = (x - joint_x) * cos - (y - joint_y) * sin
    half = 0.066 + 0.5 * anatomy.fat
    away = np.hypot(across, np.minimum(along, 0) * 0.9)
    chord = np.sqrt(np.clip(1 - (away / half) ** 2, 0, 1))
    return 0.72 * chord * frame.step(half - away, 0.01)


def _neck(frame: Frame, anatomy: Anatomy, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    half = anatomy.neck * (1 + 0.12 * np.clip((0.05 - y) / 0.1, 0, 1))
    chord = np.sqrt(np.clip(1 - (x / half) ** 2, 0, 1))
    return 0.62 * (0.3 + 0.7 * chord) * frame.step(half - x, 0.012) * frame.step(0.12 - y, 0.08)


def _breasts(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    shadow = np.zeros_like(frame.x)
    radius = 0.105 + 0.045 * anatomy.breast
    for side in SIDES:
        across = (side * frame.x - 0.60 * anatomy.half_width) / (1.08 * radius)
        along = (frame.y - anatomy.breast_height) / radius
        inside = np.clip(1 - across**2 - along**2, 0, 1)
        shadow += np.sqrt(inside) * np.clip(0.40 + 0.60 * along, 0, 1)
    return shadow


def belly_gas(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Attenuation taken away by the gastric bubble and by loops of bowel."""
    bubble = anatomy.gastric_bubble
    if bubble < 0.25:
        return np.zeros_like(frame.x)
    across, along = 0.030 + 0.045 * bubble, 0.014 + 0.030 * bubble
    x0, y0 = 0.46 * anatomy.half_width, anatomy.dome(1) + 0.022 + along
    inside = 1 - ((frame.x - x0) / across) ** 2 - ((frame.y - y0) / along) ** 2
    level = frame.step(y0 + 0.35 * along - frame.y, 0.006) if anatomy.upright else 1.0
    gas = 0.75 * np.sqrt(np.clip(inside, 0, 1)) * level
    for loop in range(3):
        if bubble > 0.45 + 0.15 * loop:
            x, y = x0 + 0.075 - 0.06 * loop, y0 + 0.085 + 0.03 * loop
            inside = 1 - ((frame.x - x) ** 2 + (frame.y - y) ** 2) / 0.026**2
            gas += 0.30 * np.sqrt(np.clip(inside, 0, 1))
    return gas
