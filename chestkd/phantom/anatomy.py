"""The shape of one chest: drawn once per patient, changed a little by each visit.

All lengths are chest coordinates (`frame.py`). `side` is -1 for the patient's right lung
(left in the image) and +1 for the left one.
"""

from dataclasses import dataclass, replace

import numpy as np

SIDES = (-1, 1)


@dataclass(frozen=True)
class Anatomy:
    """The numbers from which every layer is computed."""

    female: bool
    #: Half-width of the rib cage inside, at its widest.
    half_width: float
    #: Height (y) of the lung apex and of the two diaphragm domes (right, left).
    apex: float
    domes: tuple[float, float]
    #: How far the costophrenic angle lies below the dome: small means a flat diaphragm.
    dome_height: float
    #: Heart width over the inner width of the chest.
    cardiothoracic_ratio: float
    #: Roundness of the left ventricle: low is a steep heart, high one that lies flat.
    heart_roundness: float
    #: Size of the aortic knob, and how far the descending aorta bulges (grows with age).
    aortic_knob: float
    #: Soft tissue around the rib cage: width beyond the ribs, and its thickness.
    fat: float
    breast: float
    breast_height: float
    #: Ribs: spacing, slope, strength.
    rib_spacing: float
    rib_slope: float
    bone: float
    #: Sideways bend of the spine, and its phase.
    scoliosis: float
    scoliosis_phase: float
    #: Height of the inner end of the clavicles and their rise to the shoulder.
    clavicle: float
    clavicle_rise: float
    #: Distance of the shoulder blades from the lung edge: negative overlaps the lung.
    scapula: float
    #: Air in the lungs, 1 normal; vessels in number and in calibre, 1 normal.
    air: tuple[float, float]
    vessel_calibre: float
    vessel_weight: float
    #: Sideways shift of heart and mediastinum.
    mediastinal_shift: float
    #: Turn of the body around its long axis: shifts what lies in front, in chest units.
    rotation: float
    #: Size of the gas bubble in the stomach, 0 to 1, with a level when upright.
    gastric_bubble: float
    upright: bool
    #: Fall of the shoulder line, half-width of the neck, angle of the arms from the body.
    shoulder: float
    neck: float
    arm_angle: float

    def dome(self, side: int) -> float:
        """Height of one diaphragm dome."""
        return self.domes[0 if side < 0 else 1]

    def raised(self, side: int, height: float) -> "Anatomy":
        """This chest with one diaphragm dome raised by `height`."""
        right, left = self.domes
        domes = (right - height, left) if side < 0 else (right, left - height)
        return replace(self, domes=domes)


def draw_anatomy(generator: np.random.Generator, female: bool, age: float) -> Anatomy:
    """The chest of a patient, upright and fully inspired.

    - `generator`: the patient's own stream.
    - `female`: smaller thorax, breast shadows.
    - `age`: in years; older chests have longer aortas, thinner bones and, from about 60, somewhat
      more air.
    """
    old = np.clip((age - 45) / 40, 0, 1)
    child = np.clip((16 - age) / 16, 0, 1)
    normal = generator.standard_normal(16)
    uniform = generator.random(8)
    dome = 0.70 + 0.02 * normal[0] - 0.06 * child
    return Anatomy(
        female=female,
        half_width=(0.345 if female else 0.365) * (1 + 0.05 * normal[1]),
        apex=0.125 + 0.015 * normal[2],
        domes=(dome, dome + 0.022 + 0.006 * normal[3]),
        dome_height=0.075 + 0.010 * normal[4],
        cardiothoracic_ratio=0.435 + 0.025 * normal[5] + 0.035 * old + 0.05 * child,
        heart_roundness=0.80 + 0.16 * uniform[6],
        aortic_knob=0.030 + 0.004 * normal[6] + 0.008 * old - 0.008 * child,
        fat=float(np.clip(0.065 + 0.03 * normal[7], 0.02, 0.16)),
        breast=float(np.clip(0.55 + 0.28 * normal[8], 0.1, 1.3)) * float(female and age > 13),
        breast_height=0.585 + 0.04 * uniform[4] + 0.03 * old,
        rib_spacing=0.062 * (1 + 0.05 * normal[9]),
        rib_slope=0.16 + 0.04 * normal[10],
        bone=float(np.clip(1 + 0.12 * normal[11] - 0.25 * old, 0.5, 1.4)),
        scoliosis=0.006 * normal[12] * (1 + old),
        scoliosis_phase=2 * np.pi * uniform[0],
        clavicle=0.228 + 0.010 * normal[13],
        clavicle_rise=0.075 + 0.015 * normal[14],
        scapula=0.045 + 0.03 * uniform[1],
        air=(1.0 + 0.05 * old, 1.0 + 0.05 * old),
        vessel_calibre=1 + 0.12 * normal[15],
        vessel_weight=1.0,
        mediastinal_shift=0.0,
        rotation=0.0,
        gastric_bubble=uniform[2],
        upright=True,
        shoulder=0.07 + 0.04 * uniform[3],
        neck=(0.090 if female else 0.105) + 0.3 * max(0.0, 0.03 * normal[7]),
        arm_angle=0.30 + 0.25 * uniform[5],
    )


def at_visit(anatomy: Anatomy, generator: np.random.Generator, view: str) -> Anatomy:
    """The patient's chest on the day: AP views are supine, less inspired, and magnify the heart."""
    normal, uniform = generator.standard_normal(6), generator.random(4)
    ap = view == "AP"
    breath = 0.010 * normal[0] + (0.045 + 0.015 * abs(normal[1]) if ap else 0.0)
    right, left = anatomy.domes
    return replace(
        anatomy,
        domes=(right - breath, left - breath),
        half_width=anatomy.half_width * (1 - 0.4 * breath) * (0.97 if ap else 1.0),
        cardiothoracic_ratio=anatomy.cardiothoracic_ratio
        + 0.35 * breath
        + 0.008 * normal[2]
        + (0.03 if ap else 0.0),
        clavicle=anatomy.clavicle - (0.02 if ap else 0.0) + 0.004 * normal[3],
        shoulder=anatomy.shoulder - (0.02 if ap else 0.0),
        scapula=anatomy.scapula - (0.09 if ap else 0.0) * uniform[0],
        air=tuple(a * (1 - 1.5 * breath) for a in anatomy.air),
        gastric_bubble=float(np.clip(anatomy.gastric_bubble + 0.2 * normal[4], 0, 1))
        * (0.5 if ap else 1.0),
        mediastinal_shift=0.004 * normal[5],
        rotation=(0.012 if ap else 0.006) * float(generator.standard_normal()),
        upright=not ap or uniform[1] < 0.3,
        arm_angle=anatomy.arm_angle - (0.22 if ap else 0.0),
    )


def lung_lateral(anatomy: Anatomy, y: np.ndarray) -> np.ndarray:
    """Distance of the outer lung edge from the midline at height y."""
    bottom = max(anatomy.domes) + anatomy.dome_height
    t = np.clip((y - anatomy.apex) / (bottom - anatomy.apex), 0, 1)
    # A rounded apex that widens quickly, then an almost straight wall.
    rise = 1 - (1 - t) ** 3.4
    return 0.10 + (anatomy.half_width - 0.10) * np.sqrt(rise * (1.04 - 0.04 * rise))


def lung_medial(anatomy: Anatomy, y: np.ndarray) -> np.ndarray:
    """Distance of the inner lung edge from the midline at height y."""
    t = np.clip((y - anatomy.apex) / 0.10, 0, 1)
    return 0.035 + 0.065 * (1 - t) ** 2


def diaphragm(anatomy: Anatomy, side: int, lateral: np.ndarray) -> np.ndarray:
    """Height of the diaphragm at distance `lateral` from the midline, on one side."""
    crest = 0.45 * anatomy.half_width
    outward = np.clip((lateral - crest) / (anatomy.half_width - crest), 0, 1.2)
    inward = np.clip((crest - lateral) / crest, 0, 1)
    return (
        anatomy.dome(side)
        + anatomy.dome_height * outward**2.4
        + 0.4 * anatomy.dome_height * inward**2
    )


def heart_half_widths(anatomy: Anatomy) -> tuple[float, float]:
    """Reach of the heart to the patient's right and left of the midline."""
    width = 2 * anatomy.half_width * anatomy.cardiothoracic_ratio
    return 0.33 * width, 0.67 * width
