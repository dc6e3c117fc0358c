"""Grad-CAM, Grad-CAM++ and Score-CAM, by tf-keras-vis: on the TensorFlow backend only."""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tqdm

from chestkd import backend
from chestkd.findings import finding_index
from chestkd.networks import feature_layer
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

    return _in_batches(Gradcam(model), model, finding, images, memory, progress)


def grad_cam_plus_plus(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    *,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> np.ndarray:
    """Grad-CAM++ (Chattopadhyay et al., 2018) of the last feature map: (N, H, W) float32, >= 0.

    Raises RuntimeError on the JAX backend.
    """
    _require_tensorflow("Grad-CAM++")
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus

    return _in_batches(GradcamPlusPlus(model), model, finding, images, memory, progress)


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

    One forward pass for each channel of the map, or for the `most_channels` that vary most. The
    weights are probabilities of a softmax over the 14 findings, whatever the network was trained
    with: so tf-keras-vis has it. Raises RuntimeError on the JAX backend.
    """
    _require_tensorflow("Score-CAM")
    from tf_keras_vis.scorecam import Scorecam

    size = batch_size(model, memory)
    options = {"max_N": most_channels, "batch_size": size}
    # Each image becomes as many images as there are channels, so they go one by one.
    return _in_batches(Scorecam(model), model, finding, images, memory, progress, 1, **options)


def _in_batches(
    explain: Callable,
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    memory: int,
    progress: bool,
    size: int | None = None,
    **options: Any,
) -> np.ndarray:
    images = check_images(model, images)
    index = finding_index(finding)
    size = size or batch_size(model, memory)
    parts = []
    for start in tqdm.trange(0, len(images), size, desc="maps", disable=not progress):
        with warnings.catch_warnings():
            # It passes a list where the model expects one tensor.
            warnings.filterwarnings("ignore", message="The structure of `inputs`")
            maps = explain(
                lambda logits: logits[:, index],
                images[start : start + size, :, :, None],
                penultimate_layer=feature_layer(model),
                # Else it looks for a convolution further up, in DenseNet-121 one of 32 channels.
                seek_penultimate_conv_layer=False,
                expand_cam=False,
                normalize_cam=False,
                **options,
            )
        parts.append(np.asarray(maps, np.float32))
    return enlarge(np.concatenate(parts), images.shape[1:])


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
