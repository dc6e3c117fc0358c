"""Which sign each finding leaves, and how strong it is: the one table to tune."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chestkd.data.phantom import opacities, pleura
from chestkd.data.phantom.anatomy import Anatomy
from chestkd.data.phantom.layers import Layers

Draw = Callable[[Layers, float, np.random.Generator], np.ndarray]
Shape = Callable[[Anatomy, float, np.random.Generator], Anatomy]


@dataclass(frozen=True)
class Signature:
    """How one finding is drawn."""

    # Strength of the sign at severity 0 and at severity 1.
    faint: float
    marked: float
    draw: Draw
    shape: Shape | None = None

    def strength(self, severity: float) -> float:
        """Strength of the sign at a severity in 0 to 1."""
        return self.faint + (self.marked - self.faint) * severity


SIGNATURES = {
    "Atelectasis": Signature(0.15, 0.9, opacities.atelectasis, pleura.volume_loss_shape),
    "Cardiomegaly": Signature(0.20, 1.0, pleura.cardiomegaly, pleura.cardiomegaly_shape),
    "Effusion": Signature(0.00, 0.50, pleura.effusion),
    "Infiltration": Signature(0.05, 0.65, opacities.infiltration),
    "Mass": Signature(0.20, 0.85, opacities.mass),
    "Nodule": Signature(0.40, 1.1, opacities.nodule),
    "Pneumonia": Signature(0.08, 0.7, opacities.pneumonia),
    "Pneumothorax": Signature(0.08, 0.9, pleura.pneumothorax),
    "Consolidation": Signature(0.05, 0.6, opacities.consolidation),
    "Edema": Signature(0.05, 0.6, opacities.edema),
    "Emphysema": Signature(0.20, 1.0, pleura.emphysema, pleura.emphysema_shape),
    "Fibrosis": Signature(0.15, 0.8, opacities.fibrosis, pleura.fibrosis_shape),
    "Pleural_Thickening": Signature(0.50, 1.6, pleura.pleural_thickening),
    "Hernia": Signature(0.08, 0.7, pleura.hernia),
}
