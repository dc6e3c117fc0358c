"""Class activation maps (Zhou et al., 2016): the last feature maps, weighted as in the logit."""

import weakref

import keras
import numpy as np

from chestkd.networks.build import feature_layer
from chestkd.saliency.logit import Logit

# Feature maps come from a second model that shares the layers; compiled once.
_features: weakref.WeakKeyDictionary[keras.Model, keras.Model] = weakref.WeakKeyDictionary()


def class_activation_map(logit: Logit, images: np.ndarray) -> np.ndarray:
    """CAM, enlarged to the size of the images: (N, H, W) float32, in logits."""
    return enlarge(class_activations(logit, images), np.asarray(images).shape[1:])


def class_activations(logit: Logit, images: np.ndarray) -> np.ndarray:
    """CAM at the size of the last feature map: (N, h, w) float32, in logits.

    Its mean over the map plus the bias of the finding is the finding's logit: the networks
    average the last feature map, and one dense layer follows.
    """
    images, size = logit.check(images), logit.batch_size
    kernel = keras.ops.convert_to_numpy(logit.model.get_layer("logits").kernel)  # (channels, 14)
    features = _feature_model(logit.model)
    parts = [
        features.predict_on_batch(images[start : start + size, :, :, None])
        for start in range(0, len(images), size)
    ]
    weights = kernel[:, logit.index]
    maps = np.concatenate([np.asarray(part, np.float32) @ weights for part in parts])
    logit.require_finite("class activations", maps)
    return maps


def enlarge(maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Maps (N, h, w) at (N, H, W), bilinear between the centers of the small pixels."""
    rows, columns = (_weights(*pair) for pair in zip(maps.shape[1:], size, strict=True))
    return np.einsum("Hh,nhw,Ww->nHW", rows, maps, columns, optimize=True).astype(np.float32)


def _weights(small: int, large: int) -> np.ndarray:
    """(large, small): each row adds up to 1; beyond the outer centers the edge is repeated."""
    position = np.clip((np.arange(large) + 0.5) * small / large - 0.5, 0, small - 1)
    below = np.minimum(position.astype(int), max(small - 2, 0))
    weights = np.zeros((large, small))
    weights[np.arange(large), below] = 1 - (position - below)
    weights[np.arange(large), np.minimum(below + 1, small - 1)] += position - below
    return weights


def _feature_model(model: keras.Model) -> keras.Model:
    if model not in _features:
        _features[model] = keras.Model(model.inputs[0], feature_layer(model).output)
    return _features[model]
