"""What only looks like a finding: shadows and shapes that a reader learns to discount.

Each mimic appears with the specification's `mimic_rate` times its own weight below, drawn
per patient, so that it comes back at every visit, except where it depends on the view.
"""

from dataclasses import dataclass, replace

import numpy as np

from chestkd.phantom.anatomy import SIDES, Anatomy, lung_lateral
from chestkd.phantom.layers import Layers
from chestkd.phantom.mediastinum import heart_edge
from chestkd.phantom.opacities import blob, pick_side


@dataclass(frozen=True)
class Mimics:
    """Which mimics an image shows."""

    poor_inspiration: bool = False
    hyperinflation: bool = False
    rotation: bool = False
    long_aorta: bool = False
    nipples: bool = False
    granuloma: bool = False
    fat_pad: bool = False
    skin_fold: bool = False
    apical_cap: bool = False
    crowded_bases: bool = False
    blunt_angle: bool = False


def draw_mimics(
    patient: np.random.Generator, visit: np.random.Generator, rate: float, age: float, view: str
) -> Mimics:
    """Draw the mimics of one image; `rate` is the specification's `mimic_rate`."""
    lasting, passing = patient.random(7), visit.random(4)
    ap = view == "AP"
    return Mimics(
        poor_inspiration=passing[0] < rate * (0.9 if ap else 0.5),
        hyperinflation=lasting[0] < rate * (0.7 if age > 55 else 0.15),
        rotation=passing[1] < rate * (0.8 if ap else 0.4),
        long_aorta=lasting[1] < rate * (0.8 if age > 55 else 0.05),
        nipples=lasting[2] < rate * 0.5,
        granuloma=lasting[3] < rate * 0.4,
        fat_pad=lasting[4] < rate * 0.4,
        skin_fold=passing[2] < rate * (0.5 if ap else 0.05),
        apical_cap=lasting[5] < rate * (0.5 if age > 55 else 0.1),
        blunt_angle=lasting[6] < rate * 0.6,
        crowded_bases=passing[3] < rate * (0.8 if ap else 0.4),
    )


def reshape(anatomy: Anatomy, mimics: Mimics, generator: np.random.Generator) -> Anatomy:
    """The mimics that are a matter of shape."""
    amount = generator.random(4)
    if mimics.poor_inspiration:
        rise = 0.02 + 0.03 * amount[0]
        anatomy = anatomy.raised(-1, rise).raised(1, rise)
        ratio = anatomy.cardiothoracic_ratio + 0.02 * amount[0]
        anatomy = replace(anatomy, cardiothoracic_ratio=ratio)
    if mimics.hyperinflation:
        drop = -0.03 * amount[1]
        anatomy = anatomy.raised(-1, drop).raised(1, drop)
        right, left = anatomy.air
        more = 1 + 0.07 * amount[1]
        anatomy = replace(anatomy, air=(right * more, left * more))
    if mimics.rotation:
        turn = 0.03 * (2 * amount[2] - 1)
        right, left = anatomy.air
        anatomy = replace(
            anatomy,
            rotation=anatomy.rotation + turn,
            air=(right * (1 + 2 * turn), left * (1 - 2 * turn)),
        )
    if mimics.long_aorta:
        anatomy = replace(anatomy, aortic_knob=anatomy.aortic_knob + 0.012 * amount[3])
    return anatomy


def add_mimics(layers: Layers, mimics: Mimics, generator: np.random.Generator) -> None:
    """The mimics that are shadows, drawn into the layers; `generator` belongs to the patient."""
    frame, anatomy = layers.frame, layers.anatomy
    amount = generator.random(8)
    if mimics.nipples:
        for side in SIDES:
            x, y = side * (0.52 + 0.08 * amount[0]) * anatomy.half_width, 0.58 + 0.05 * amount[1]
            disc = frame.step(0.011 - 0.011 * np.sqrt(blob(layers, x, y, 0.011, 0.011)), 0.005)
            layers.opacity += 0.22 * disc
    if mimics.granuloma:
        side = pick_side(generator)
        x = side * (0.10 + 0.20 * amount[2])
        y = 0.28 + 0.30 * amount[3]
        dot = frame.step(0.006 - 0.006 * np.sqrt(blob(layers, x, y, 0.006, 0.006)), 0.003)
        layers.opacity += 0.6 * dot * layers.lung
    if mimics.fat_pad:
        side = pick_side(generator)
        floor = anatomy.dome(side)
        x = side * (heart_edge(anatomy, side, floor - 0.02) + 0.005)
        layers.air *= 1 - 0.45 * np.exp(-blob(layers, x, floor + 0.01, 0.055, 0.045))
    if mimics.skin_fold:
        side = pick_side(generator)
        edge = side * frame.x - (0.24 + 0.06 * amount[4] - 0.12 * (frame.y - 0.4))
        fold = np.clip(1 - edge / 0.05, 0, 1) * frame.step(edge, 0.004)
        layers.opacity += (
            0.10 * fold * frame.step(frame.y - 0.2, 0.1) * frame.step(0.62 - frame.y, 0.1)
        )
    if mimics.apical_cap:
        for side in SIDES:
            wall = lung_lateral(anatomy, frame.y) - side * frame.x
            top = np.clip(1 - (frame.y - anatomy.apex) / 0.06, 0, 1)
            cap = frame.step(0.016 * top - wall, 0.008) + frame.step(
                0.012 - frame.y + anatomy.apex, 0.008
            )
            layers.opacity += 0.25 * np.clip(cap, 0, 1) * layers.side(side)
    if mimics.blunt_angle:
        # A scar: the angle is rounded as by a little fluid.
        side = pick_side(generator)
        wall = lung_lateral(anatomy, frame.y) - side * frame.x
        bottom = anatomy.dome(side) + anatomy.dome_height
        corner = np.clip((0.035 + 0.035 * amount[6] - (bottom - frame.y)) / 0.06, 0, 1)
        layers.air *= 1 - frame.step(0.05 * corner - wall, 0.012) * layers.side(side)
    if mimics.crowded_bases:
        floors = np.where(frame.x < 0, *anatomy.domes)
        base = np.clip(1 - (floors - frame.y) / 0.16, 0, 1) * layers.lung
        layers.air *= 1 - (0.10 + 0.15 * amount[5]) * base
        layers.vessels *= 1 + 0.5 * base
