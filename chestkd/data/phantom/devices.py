"""What is not anatomy: lines, tubes and electrodes of AP views, and the planted shortcut."""

import numpy as np

from chestkd.data.phantom.frame import polyline
from chestkd.data.phantom.layers import Layers


def line(
    layers: Layers, corners: list[tuple[float, float]], radius: float, weight: float
) -> np.ndarray:
    """Add a smooth opaque line through the corners (x, y); returns what was added."""
    nodes = np.array(corners)
    t = np.linspace(0, 1, len(nodes))
    fine = np.linspace(0, 1, 60)
    degree = min(3, len(nodes) - 1)
    smooth = np.stack([np.polyval(np.polyfit(t, nodes[:, k], degree), fine) for k in (0, 1)], 1)
    points, lengths = polyline(smooth, 0.002)
    count = len(points)
    added = layers.frame.strokes(points, np.full(count, radius), np.full(count, weight), lengths)
    layers.devices += added
    return added


def draw_devices(layers: Layers, rng: np.random.Generator, view: str) -> None:
    """Lines, tubes and electrodes, mostly in AP views."""
    chance = 0.55 if view == "AP" else 0.06
    present = rng.random(4) < chance * np.array([1.0, 0.6, 0.5, 0.8])
    jitter = 0.02 * rng.standard_normal(16)
    side = 1 if rng.random() < 0.3 else -1
    if present[0]:  # central venous catheter
        line(
            layers,
            [(side * 0.30, 0.12 + jitter[0]), (side * 0.12, 0.17 + jitter[1]), (-0.03, 0.30),
             (-0.035 + jitter[2], 0.45 + jitter[3])],
            0.0028, 0.45,
        )  # fmt: skip
    if present[1]:  # endotracheal tube
        end = 0.27 + jitter[4]
        line(layers, [(0.004, -0.05), (0.002, 0.15), (-0.004, end)], 0.004, 0.35)
    if present[2]:  # gastric tube
        line(
            layers,
            [(0.01, -0.05), (0.012, 0.3), (0.02, 0.65), (0.10 + jitter[5], 0.85 + jitter[6])],
            0.003, 0.4,
        )  # fmt: skip
    if present[3]:  # electrodes and their wires
        for k, (x, y) in enumerate([(-0.25, 0.25), (0.26, 0.24), (0.22, 0.62)]):
            x, y = x + jitter[7 + k], y + jitter[10 + k]
            disc = (layers.frame.x - x) ** 2 + (layers.frame.y - y) ** 2
            layers.devices += 0.5 * layers.frame.step(0.014**2 - disc, 0.0002)
            line(layers, [(x, y), (x * 1.3, y + 0.2), (x * 1.6, 1.02)], 0.002, 0.35)


def draw_shortcut(layers: Layers) -> np.ndarray:
    """The planted tube, always in the same place: a drain at the patient's left side."""
    added = line(layers, [(0.52, 0.62), (0.36, 0.55), (0.27, 0.42), (0.26, 0.30)], 0.006, 0.8)
    return np.clip(added / 0.4, 0, 1)
