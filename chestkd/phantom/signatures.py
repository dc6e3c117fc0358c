"""Which sign each finding leaves, and how strong it is: the one table to tune."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chestkd.phantom import opacities, pleura
from chestkd.phantom.anatomy import Anatomy
from chestkd.phantom.layers import Layers

Draw = Callable[[Layers, float, np.random.Generator], np.ndarray]
Shape = Callable[[Anatomy, float, np.random.Generator], Anatomy]


@dataclass(frozen=True)
class Signature:
    """How one finding is drawn."""

    #: Strength of the sign at severity 0 and at severity 1.
    faint: float
    marked: float
    #: Exponent of the severity in between: above 1, most cases are subtle.
    curve: float
    draw: Draw
    shape: Shape | None = None

    def strength(self, severity: float) -> float:
        """Strength of the sign at a severity in 0 to 1."""
        return self.faint + (self.marked - self.faint) * severity**self.curve


SIGNATURES = {
    "Atelectasis": Signature(0.20, 1.2, 1.6, opacities.atelectasis, pleura.volume_loss_shape),
    "Cardiomegaly": Signature(0.20, 1.0, 1.0, pleura.cardiomegaly, pleura.cardiomegaly_shape),
    "Effusion": Signature(0.00, 1.0, 2.2, pleura.effusion),
    "Infiltration": Signature(0.03, 0.8, 1.9, opacities.infiltration),
    "Mass": Signature(0.18, 0.9, 1.2, opacities.mass),
    "Nodule": Signature(0.30, 1.1, 1.2, opacities.nodule),
    "Pneumonia": Signature(0.05, 0.9, 1.6, opacities.pneumonia),
    "Pneumothorax": Signature(0.08, 1.0, 1.3, pleura.pneumothorax),
    "Consolidation": Signature(0.02, 0.9, 2.0, opacities.consolidation),
    "Edema": Signature(0.01, 0.9, 2.0, opacities.edema),
    "Emphysema": Signature(0.20, 1.1, 1.0, pleura.emphysema, pleura.emphysema_shape),
    "Fibrosis": Signature(0.20, 1.2, 1.2, opacities.fibrosis, pleura.fibrosis_shape),
    "Pleural_Thickening": Signature(0.50, 2.0, 1.0, pleura.pleural_thickening),
    "Hernia": Signature(0.20, 1.1, 1.1, pleura.hernia),
}
