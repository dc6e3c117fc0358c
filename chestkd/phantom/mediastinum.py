"""Heart, great vessels, windpipe and the roots of the lungs."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from chestkd.phantom.anatomy import SIDES, Anatomy, heart_half_widths
from chestkd.phantom.frame import Frame

# Heights at which the borders of the mediastinum are tabulated.
_ROWS = np.linspace(-0.2, 1.2, 700)


def borders(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """Reach of the mediastinum to the patient's right and left at heights `_ROWS`.

    Right, from above: superior vena cava, right atrium. Left: subclavian vessels, aortic
    knob, pulmonary trunk, left ventricle down to the apex of the heart.
    """
    right, left = heart_half_widths(anatomy)
    floor = float(np.mean(anatomy.domes))
    knob = anatomy.aortic_knob
    # Landmarks follow the length of the chest.
    length = floor - anatomy.apex
    at = anatomy.apex + length * np.array([0.0, 0.16, 0.255, 0.34, 0.42, 0.52])
    waist = 0.052 + 0.10 * (left - 0.2)
    flank = waist + 0.022 + 0.1 * (anatomy.heart_roundness - 0.88)
    bulge = anatomy.heart_roundness * left
    left_y = [-0.2, *at, floor - 0.10, floor - 0.035, floor + 0.03, floor + 0.10, 1.2]
    left_x = [0.055, 0.045, 0.030 + 0.25 * knob, 0.024 + knob, 0.045, waist + 0.008, flank]
    left_x += [bulge, left, 0.93 * left, 0.5 * left, 0.05]
    right_y = [-0.2, *at[[0, 2, 3, 5]], floor - 0.13, floor - 0.07, floor - 0.01, floor + 0.06, 1.2]
    right_x = [0.050, 0.044, 0.040, 0.042, 0.052]
    right_x += [0.86 * right, right, 0.94 * right, 0.6 * right, 0.05]
    return (
        PchipInterpolator(right_y, right_x)(_ROWS),
        PchipInterpolator(left_y, left_x)(_ROWS),
    )


def heart_edge(anatomy: Anatomy, side: int, y: float) -> float:
    """Distance of the visible edge of heart and mediastinum from the midline at height y."""
    right, left = borders(anatomy)
    return float(np.interp(y, _ROWS, right if side < 0 else left))


def heart(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Share of the depth of the chest that heart and mediastinum take, 0 to 1."""
    right, left = borders(anatomy)
    shift = anatomy.mediastinal_shift + anatomy.rotation * np.clip(1 - 2 * frame.y, -0.5, 1)
    x = frame.x - shift
    reach_right = np.interp(frame.y, _ROWS, right)
    reach_left = np.interp(frame.y, _ROWS, left)
    middle, half = (reach_left - reach_right) / 2, (reach_left + reach_right) / 2
    inward = half - np.abs(x - middle)
    edge = 0.5 * frame.step(inward, 0.008) + 0.5 * frame.step(inward - 0.008, 0.03)
    belly = np.sqrt(np.clip(1 - ((x - middle) / np.maximum(half, 0.02)) ** 2, 0, 1))
    # Above the heart itself the mediastinum is thinner from front to back.
    low = np.clip((frame.y - anatomy.apex - 0.25) / 0.2, 0, 1)
    return edge * (0.55 + 0.15 * low + 0.30 * belly)


def airways(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Attenuation taken away by the windpipe and the main bronchi."""
    fork = anatomy.apex + 0.215
    x = (
        frame.x
        - anatomy.mediastinal_shift
        - 0.6 * anatomy.rotation
        + 0.010 * np.clip(frame.y / 0.3, 0, 1)
    )
    chord = np.sqrt(np.clip(1 - (x / 0.0185) ** 2, 0, 1))
    tube = chord * frame.step(fork - frame.y, 0.03)
    below = frame.y - fork + 0.01
    bronchi = np.zeros_like(x)
    for side, slope, length in ((-1, 0.60, 0.075), (1, 1.05, 0.085)):
        center = side * slope * below
        inside = np.clip(1 - ((x - center) / 0.013) ** 2, 0, 1)
        bronchi += np.sqrt(inside) * frame.step(below, 0.01) * frame.step(length - below, 0.05)
    return 0.36 * np.clip(np.maximum(tube, 0.75 * bronchi), 0, 1)


def hila(frame: Frame, anatomy: Anatomy) -> np.ndarray:
    """Soft shadows of the large vessels where they enter the lungs; the left one is higher."""
    shadow = np.zeros_like(frame.x)
    for side in SIDES:
        y0 = hilum_height(anatomy, side)
        x0 = 0.068 + (0.006 if side < 0 else 0.0)
        x = side * (frame.x - anatomy.mediastinal_shift)
        bulk = ((x - x0) / 0.030) ** 2 + ((frame.y - y0) / 0.045) ** 2
        tail = ((x - x0 - 0.012 - 0.15 * (frame.y - y0)) / 0.016) ** 2 + (
            (frame.y - y0 - 0.055) / 0.06
        ) ** 2
        shadow += 0.20 * np.exp(-bulk) + 0.12 * np.exp(-tail)
    return anatomy.vessel_calibre * shadow


def hilum_height(anatomy: Anatomy, side: int) -> float:
    """Height (y) of the root of one lung."""
    length = float(np.mean(anatomy.domes)) - anatomy.apex
    return anatomy.apex + length * (0.50 if side < 0 else 0.465)
