"""Grad-CAM, Grad-CAM++ and Score-CAM, by tf-keras-vis: on the TensorFlow backend only."""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tqdm

from chestkd.findings import finding_index
from chestkd.networks import backend
from chestkd.networks.build import feature_layer
from chestkd.saliency.batching import DEFAULT_MEMORY, batch_size, check_images
from chestkd.saliency.cam import enlarge


def grad_cam(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    *,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> np.ndarray:
    """Grad-CAM (Selvaraju et al., 2017) of the last feature map: (N, H, W) float32, >= 0.

    On these networks it is the positive part of CAM divided by the pixels of the feature map.
    Raises RuntimeError on the JAX backend.
    """
    _require_tensorflow("Grad-CAM")
    from tf_keras_vis.gradcam import Gradcam

    index, size = finding_index(finding), batch_size(model, memory)
    return _in_batches(
        Gradcam(model), lambda logits: logits[:, index], model, images, size, progress
    )


def grad_cam_plus_plus(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    *,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> np.ndarray:
    """Grad-CAM++ (Chattopadhyay et al., 2018) of the last feature map: (N, H, W) float32, >= 0.

    Without the factor exp(logit), which all pixels of a map share and which overflows. Raises
    RuntimeError on the JAX backend.
    """
    _require_tensorflow("Grad-CAM++")
    import tensorflow
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus

    index, size = finding_index(finding), batch_size(model, memory)

    def score(logits: Any) -> Any:
        return logits[:, index] - tensorflow.stop_gradient(logits[:, index])

    return _in_batches(GradcamPlusPlus(model), score, model, images, size, progress)


def score_cam(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    *,
    most_channels: int | None = None,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> np.ndarray:
    """Score-CAM (Wang et al., 2020) of the last feature map: (N, H, W) float32, >= 0.

    One forward pass for each channel of the map, or for the `most_channels` that vary most; each
    channel weighs as much as the probability that the image has when masked by it. tf-keras-vis
    takes a softmax for that; it is shown the pair (logit, 0), whose softmax is the sigmoid that
    the findings have. Raises RuntimeError on the JAX backend.
    """
    _require_tensorflow("Score-CAM")
    from tf_keras_vis.scorecam import Scorecam

    pair = _AgainstZero(model, finding_index(finding))
    size = batch_size(model, memory)
    return _in_batches(
        Scorecam(pair),
        lambda pairs: pairs[:, 0],
        model,
        images,
        1,  # each image becomes as many images as there are channels
        progress,
        max_N=most_channels,
        batch_size=size,
    )


class _AgainstZero:
    """What Score-CAM asks of a model: its ends, and predictions, here (N, 2) of (logit, 0)."""

    def __init__(self, model: keras.Model, index: int):
        self.inputs, self.outputs = model.inputs, model.outputs
        self.layers = model.layers
        self._model, self._index = model, index

    def predict(self, images: Any, batch_size: int) -> np.ndarray:
        (pixels,) = images
        parts = [
            self._model.predict_on_batch(pixels[start : start + batch_size])[:, self._index]
            for start in range(0, len(pixels), batch_size)
        ]
        logits = np.concatenate(parts)
        return np.stack([logits, np.zeros_like(logits)], axis=1)


def _in_batches(
    explain: Callable,
    score: Callable,
    model: keras.Model,
    images: np.ndarray,
    size: int,
    progress: bool,
    **options: Any,
) -> np.ndarray:
    """Maps of tf-keras-vis as they are: neither enlarged nor normalized by it."""
    images = check_images(model, images)
    parts = []
    for start in tqdm.trange(0, len(images), size, desc="maps", disable=not progress):
        maps = explain(
            score,
            images[start : start + size, :, :, None],
            penultimate_layer=feature_layer(model),
            # Else it looks for a convolution further up, in DenseNet-121 one of 32 channels.
            seek_penultimate_conv_layer=False,
            expand_cam=False,
            normalize_cam=False,
            **options,
        )
        parts.append(np.asarray(maps, np.float32))
    maps = np.concatenate(parts)
    if not np.isfinite(maps).all():
        raise ValueError(f"{model.name} gives maps that are not finite; are its weights?")
    return enlarge(maps, images.shape[1:])


def _require_tensorflow(method: str) -> None:
    if backend.name() != "tensorflow":
        raise RuntimeError(
            f"{method} comes from tf-keras-vis, which needs TensorFlow; this is the "
            f"{backend.name()} backend. Set KERAS_BACKEND=tensorflow, or use CAM"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of SciPy's old module names
        import tf_keras_vis.gradcam
        import tf_keras_vis.scorecam  # noqa: F401
