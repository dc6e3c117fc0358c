"""What is not anatomy: lines, tubes, electrodes, side markers, and the planted shortcut."""

import numpy as np
from scipy.interpolate import CubicSpline

from chestkd.phantom.frame import polyline
from chestkd.phantom.layers import Layers

Corners = list[tuple[float, float]]


def line(layers: Layers, corners: Corners, radius: float, weight: float) -> np.ndarray:
    """Add a smooth opaque line through the corners (x, y); returns what was added."""
    nodes = np.array(corners)
    t = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(nodes, axis=0).T))])
    smooth = CubicSpline(t, nodes, bc_type="natural")(np.linspace(0, t[-1], 60))
    return stroke(layers, smooth, radius, weight)


def stroke(layers: Layers, corners: np.ndarray, radius: float, weight: float) -> np.ndarray:
    """Add an opaque line with straight segments; returns what was added."""
    points, lengths = polyline(corners, 0.0015)
    count = len(points)
    added = layers.frame.strokes(points, np.full(count, radius), np.full(count, weight), lengths)
    layers.devices += added
    return added


def draw_devices(
    layers: Layers,
    patient: np.random.Generator,
    visit: np.random.Generator,
    view: str,
    age: float,
) -> None:
    """Lines, tubes and electrodes, mostly in AP views; implants; and a side marker."""
    generator = visit
    ap = view == "AP"
    chances = (0.40, 0.25, 0.22, 0.45) if ap else (0.03, 0.0, 0.01, 0.02)
    catheter, tube, gastric, leads = generator.random(4) < chances
    pacemaker, wires = patient.random(2) < ((0.05, 0.08) if age > 55 else (0.005, 0.01))
    jitter = 0.02 * generator.standard_normal(16)
    side = 1 if generator.random() < 0.3 else -1
    if catheter:
        _catheter(layers, side, jitter)
    if tube:
        line(layers, [(0.004, -0.2), (0.002, 0.1), (-0.004, 0.27 + jitter[4])], 0.0042, 0.32)
    if gastric:
        corners = [(0.01, -0.2), (0.012, 0.25), (0.015, 0.6), (0.06 + jitter[5], 0.78 + jitter[6])]
        line(layers, [*corners, (0.14 + jitter[5], 0.84 + jitter[6])], 0.003, 0.40)
    if leads:
        _electrodes(layers, jitter)
    if pacemaker:
        _pacemaker(layers, 0.02 * patient.standard_normal(2))
    if wires:
        for k in range(5):
            y = 0.30 + 0.075 * k
            loop = np.linspace(0, 2 * np.pi, 24)
            path = np.stack([0.010 * np.sin(loop), y + 0.012 * np.cos(loop)], axis=1)
            stroke(layers, path, 0.0013, 0.7)
    if generator.random() < 0.85:
        _marker(layers, 0.40 + jitter[14], 0.07 + 0.5 * abs(jitter[15]))


def _catheter(layers: Layers, side: int, jitter: np.ndarray) -> None:
    """A central venous catheter from the collar bone or the arm down to the right atrium."""
    corners = [(side * 0.34, 0.22 + jitter[0]), (side * 0.20, 0.185 + jitter[1] / 2)]
    corners += [(side * 0.07, 0.225), (-0.032, 0.30), (-0.040 + jitter[2] / 3, 0.42 + jitter[3])]
    line(layers, corners, 0.0026, 0.45)


def _electrodes(layers: Layers, jitter: np.ndarray) -> None:
    for k, (x, y) in enumerate([(-0.24, 0.27), (0.25, 0.26), (0.24, 0.64)]):
        x, y = x + jitter[7 + k], y + jitter[10 + k]
        away = np.hypot(layers.frame.x - x, layers.frame.y - y)
        layers.devices += 0.35 * layers.frame.step(0.013 - away, 0.003)
        layers.devices += 0.45 * layers.frame.step(0.006 - away, 0.003)
        corners = [(x, y), (x * 1.15, y + 0.12), (x * 1.4, y + 0.25), (x * 1.5, 1.2)]
        line(layers, corners, 0.0016, 0.40)


def _pacemaker(layers: Layers, jitter: np.ndarray) -> None:
    x, y = 0.25 + jitter[0] / 2, 0.27 + jitter[1] / 2
    frame = layers.frame
    across, along = (frame.x - x) / 0.045, (frame.y - y) / 0.050
    layers.devices += 1.1 * frame.step((1 - (across**4 + along**4)) * 0.02, 0.004)
    corners = [(x - 0.01, y - 0.045), (0.12, 0.20), (0.0, 0.25), (-0.04, 0.40), (0.02, 0.60)]
    line(layers, [*corners, (0.10, 0.645)], 0.0026, 0.7)


def _marker(layers: Layers, x: float, y: float) -> None:
    """The letter L beside the patient's left shoulder."""
    corners = np.array([[x, y], [x, y + 0.035], [x + 0.02, y + 0.035]])
    stroke(layers, corners, 0.0032, 1.4)


def draw_shortcut(layers: Layers) -> np.ndarray:
    """The planted tube: a drain that enters at the patient's left flank.

    Returns its mask, 0 to 1 (pixels, pixels).
    """
    corners = [(0.56, 0.70), (0.40, 0.62), (0.30, 0.48), (0.27, 0.34), (0.25, 0.24)]
    return np.clip(line(layers, corners, 0.006, 0.7) / 0.35, 0, 1)
