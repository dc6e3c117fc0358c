"""Class activation maps (Zhou et al., 2016): the last feature maps, weighted as the logit is."""

import weakref

import keras
import numpy as np

from chestkd.findings import finding_index
from chestkd.networks.build import feature_layer
from chestkd.saliency.batching import DEFAULT_MEMORY, batch_size, check_images

# Feature maps come out of a model of their own, which shares the layers; compiled once.
_features: weakref.WeakKeyDictionary[keras.Model, keras.Model] = weakref.WeakKeyDictionary()


def class_activations(
    model: keras.Model, finding: str, images: np.ndarray, *, memory: int = DEFAULT_MEMORY
) -> np.ndarray:
    """CAM at the size of the last feature map: (N, h, w) float32, in logits.

    Its mean over the map plus the bias of the finding is the finding's logit: the networks
    average the last feature map and have one dense layer after it.
    """
    images = check_images(model, images)
    kernel = keras.ops.convert_to_numpy(model.get_layer("logits").kernel)  # (channels, 14)
    features = _feature_model(model)
    size = batch_size(model, memory)
    parts = [
        features.predict_on_batch(images[start : start + size, :, :, None])
        for start in range(0, len(images), size)
    ]
    weights = kernel[:, finding_index(finding)]
    maps = np.concatenate([np.asarray(part, np.float32) @ weights for part in parts])
    if not np.isfinite(maps).all():
        raise ValueError(
            f"{model.name} gives class activations for {finding} that are not finite; are its "
            "weights?"
        )
    return maps


def class_activation_map(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    *,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> np.ndarray:
    """CAM, bilinearly enlarged to the images: (N, H, W) float32, in logits.

    One forward pass; `progress` is there for the sake of the other maps.
    """
    return enlarge(
        class_activations(model, finding, images, memory=memory), np.asarray(images).shape[1:]
    )


def enlarge(maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Maps (N, h, w) at (N, H, W), bilinear between the centers of the small pixels."""
    rows, columns = (_weights(*pair) for pair in zip(maps.shape[1:], size, strict=True))
    return np.einsum("Hh,nhw,Ww->nHW", rows, maps, columns, optimize=True).astype(np.float32)


def _weights(small: int, large: int) -> np.ndarray:
    """(large, small): each row adds up to 1; beyond the outer centers the edge is repeated."""
    at = np.clip((np.arange(large) + 0.5) * small / large - 0.5, 0, small - 1)
    below = np.minimum(at.astype(int), max(small - 2, 0))
    weights = np.zeros((large, small))
    weights[np.arange(large), below] = 1 - (at - below)
    weights[np.arange(large), np.minimum(below + 1, small - 1)] += at - below
    return weights


def _feature_model(model: keras.Model) -> keras.Model:
    if model not in _features:
        _features[model] = keras.Model(model.inputs[0], feature_layer(model).output)
    return _features[model]
