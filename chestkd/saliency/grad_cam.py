"""Grad-CAM, Grad-CAM++ and Score-CAM, by tf-keras-vis: on the TensorFlow backend only.

All three explain the last feature map and return maps (N, H, W) float32, >= 0, enlarged to the
size of the images. They raise RuntimeError on the JAX backend.
"""

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tqdm

from chestkd.networks import backend
from chestkd.networks.build import feature_layer
from chestkd.saliency.cam import enlarge
from chestkd.saliency.logit import Logit


def grad_cam(logit: Logit, images: np.ndarray) -> np.ndarray:
    """Grad-CAM (Selvaraju et al., 2017).

    On these networks it is the positive part of CAM divided by the pixels of the feature map.
    """
    explain = _explainer("Grad-CAM", "gradcam", "Gradcam")(logit.model)
    return _maps(explain, lambda logits: logits[:, logit.index], logit, images, logit.batch_size)


def grad_cam_plus_plus(logit: Logit, images: np.ndarray) -> np.ndarray:
    """Grad-CAM++ (Chattopadhyay et al., 2018).

    Without the factor exp(logit), which all pixels of a map share and which overflows.
    """
    explain = _explainer("Grad-CAM++", "gradcam_plus_plus", "GradcamPlusPlus")(logit.model)

    def score(logits: Any) -> Any:
        return logits[:, logit.index] - keras.ops.stop_gradient(logits[:, logit.index])

    return _maps(explain, score, logit, images, logit.batch_size)


def score_cam(logit: Logit, images: np.ndarray, *, most_channels: int | None = None) -> np.ndarray:
    """Score-CAM (Wang et al., 2020).

    One forward pass for each channel of the map, or for the `most_channels` that vary most; the
    weight of a channel is the probability of the image masked by it. tf-keras-vis takes a softmax
    for that; it is shown the pair (logit, 0), whose softmax is the sigmoid of the logit.
    """
    explain = _explainer("Score-CAM", "scorecam", "Scorecam")(_AgainstZero(logit))
    return _maps(
        explain,
        lambda pairs: pairs[:, 0],
        logit,
        images,
        1,  # each image becomes as many images as there are channels
        max_N=most_channels,
        batch_size=logit.batch_size,
    )


class _AgainstZero:
    """The model that Score-CAM asks for: its ends, and predictions, here (N, 2) of (logit, 0)."""

    def __init__(self, logit: Logit):
        self.inputs, self.outputs = logit.model.inputs, logit.model.outputs
        self.layers = logit.model.layers
        self._logit = logit

    def predict(self, images: Any, batch_size: int) -> np.ndarray:
        (pixels,) = images
        parts = [
            self._logit.model.predict_on_batch(pixels[start : start + batch_size])
            for start in range(0, len(pixels), batch_size)
        ]
        logits = np.concatenate(parts)[:, self._logit.index]
        return np.stack([logits, np.zeros_like(logits)], axis=1)


def _maps(
    explain: Callable, score: Callable, logit: Logit, images: np.ndarray, size: int, **options: Any
) -> np.ndarray:
    """Maps of tf-keras-vis as they are, neither enlarged nor normalized by it, `size` at a time."""
    images = logit.check(images)
    parts = []
    for start in tqdm.trange(0, len(images), size, desc="maps", disable=not logit.progress):
        maps = explain(
            score,
            images[start : start + size, :, :, None],
            penultimate_layer=feature_layer(logit.model),
            # Else it looks for a convolution further up, in DenseNet-121 one of 32 channels.
            seek_penultimate_conv_layer=False,
            expand_cam=False,
            normalize_cam=False,
            **options,
        )
        parts.append(np.asarray(maps, np.float32))
    maps = np.concatenate(parts)
    logit.require_finite("maps", maps)
    return enlarge(maps, images.shape[1:])


def _explainer(method: str, module: str, name: str) -> Callable:
    """A class of tf-keras-vis."""
    if backend.name() != "tensorflow":
        raise RuntimeError(
            f"{method} comes from tf-keras-vis, which needs TensorFlow; this is the "
            f"{backend.name()} backend. Set KERAS_BACKEND=tensorflow, or use CAM"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of SciPy's old module names
        return getattr(importlib.import_module(f"tf_keras_vis.{module}"), name)
