"""The gradient, equation (1) of the paper (Simonyan et al., 2014)."""

import numpy as np

from chestkd.saliency.logit import Logit


def gradient(logit: Logit, images: np.ndarray) -> np.ndarray:
    """dS/dx for images (N, H, W): (N, H, W) float32, in logits per gray level."""
    return logit.gradients(images)[0]
