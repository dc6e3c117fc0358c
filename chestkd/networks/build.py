"""A Keras model of each network of the paper: pixels in, 14 logits out, one flat graph."""

import importlib
import math
import os
from typing import Any, Literal

import keras
import numpy as np

from chestkd.findings import FINDINGS
from chestkd.networks import imagenet_weights
from chestkd.networks.architectures import NETWORKS, Architecture, architecture
from chestkd.networks.initial_weights import initialize, untouched_random_state

# How a pixel value g in 0..255 is scaled before the first convolution:
#   "unit"            g / 127.5 - 1, from -1 to 1;
#   (mean, deviation) (g - mean) / deviation, where both are of the training set, in pixel values;
#   "imagenet"        as the network's ImageNet weights expect it, in three equal color channels.
Scaling = Literal["unit", "imagenet"] | tuple[float, float]

# Keras's defaults, .99 and .999, need thousands of steps before inference works; Yuan et al.
# (2020), whose training this is, keep this share of the old statistics at each step.
BATCH_STATISTICS_MOMENTUM = 0.9

__all__ = ["NETWORKS", "Scaling", "build_network", "feature_layer"]


def build_network(
    name: str,
    size: int,
    *,
    seed: int,
    weights: str | os.PathLike[str] | None = None,
    scaling: Scaling | None = None,
) -> keras.Model:
    """The network `name` for images of `size` x `size` pixels.

    The model takes (N, size, size, 1) pixel values from 0 to 255, uint8 or float, and returns
    logits (N, 14), float32 under every dtype policy, one per finding of `FINDINGS`. The graph is
    flat: scaling, the network, global average pooling, one dense layer named "logits".

    `seed` fixes every initial weight (`initial_weights.initialize`); no global random state is
    read or changed. `weights` is None, "imagenet" or the path of a weights file
    (`imagenet_weights.load_weights`); the dense layer still comes from the seed. `scaling` is a
    `Scaling`, by default "imagenet" with weights and "unit" without. `scaling="imagenet"` without
    weights gives the same graph with random values, for the weights of a trained model.

    Raises ValueError for an unknown name, an image that is too small, a wrong scaling, or weights
    that the network does not have.
    """
    network = architecture(name)
    _check_size(network, size)
    scaling = _resolve_scaling(scaling, weights)
    with untouched_random_state():
        image = keras.Input((size, size, 1), dtype="float32", name="image")
        backbone = _backbone(network, size, image, scaling)
        model = _classifier(name, backbone)
        initialize(model, np.random.default_rng(seed))
        if weights is not None:
            imagenet_weights.load_weights(backbone, network, weights)
    return model


def feature_layer(model: keras.Model) -> keras.layers.Layer:
    """The layer whose output (N, h, w, channels) is averaged: the last feature map, for CAM."""
    pooled = model.get_layer("average").input
    return next(layer for layer in model.layers if layer.output is pooled)


def _classifier(name: str, backbone: keras.Model) -> keras.Model:
    # In float32 under mixed precision too: a bfloat16 logit has three significant digits.
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float32", name="average")(backbone.output)
    logits = keras.layers.Dense(len(FINDINGS), dtype="float32", name="logits")(pooled)
    model = keras.Model(backbone.inputs[0], logits, name=name)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_STATISTICS_MOMENTUM
    return model


def _backbone(network: Architecture, size: int, image: Any, scaling: Scaling) -> keras.Model:
    scaled = _scaled(image, network, scaling)
    if network.builder is not None:
        module, function = network.builder.split(":")
        return keras.Model(image, getattr(importlib.import_module(module), function)(scaled))
    shape = (size, size, scaled.shape[-1])
    return imagenet_weights.application(network)(
        include_top=False, weights=None, input_tensor=scaled, input_shape=shape
    )


def _scaled(image: Any, network: Architecture, scaling: Scaling) -> Any:
    if scaling == "imagenet":
        return imagenet_weights.color_image(image, network)
    mean, deviation = (127.5, 127.5) if scaling == "unit" else scaling
    # In float32 under mixed precision too: 0..255 is exact in bfloat16, -1..1 is not.
    return keras.layers.Rescaling(
        1 / deviation, -mean / deviation, dtype="float32", name="scaling"
    )(image)


def _resolve_scaling(scaling: Scaling | None, weights: object) -> Scaling:
    """The scaling, or its default for None; ValueError for values that cannot work."""
    if scaling is None:
        return "unit" if weights is None else "imagenet"
    if weights is not None and scaling != "imagenet":
        raise ValueError(
            "ImageNet weights expect their own scaling: leave out scaling or give 'imagenet', "
            f"received {scaling!r}"
        )
    if scaling in ("unit", "imagenet"):
        return scaling
    if isinstance(scaling, str) or len(scaling) != 2:
        raise ValueError(
            "scaling must be 'unit', 'imagenet' or a pair (mean, standard deviation) of pixel "
            f"values, received {scaling!r}"
        )
    mean, deviation = scaling
    if not (math.isfinite(mean) and math.isfinite(deviation) and deviation > 0):
        raise ValueError(
            "scaling by (mean, standard deviation) needs a finite mean and a deviation above 0, "
            f"received {scaling!r}"
        )
    return mean, deviation


def _check_size(network: Architecture, size: int) -> None:
    if size < network.minimum_size:
        raise ValueError(
            f"{network.title} needs images of at least {network.minimum_size} pixels a side, "
            f"received {size}"
        )
