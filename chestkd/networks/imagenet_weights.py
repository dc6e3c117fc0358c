"""ImageNet weights of the networks of `keras.applications`, for radiographs.

These networks see three color channels, scaled by each in its own way ("tf", "caffe" or "torch"
preprocessing). A radiograph has one gray channel, which becomes all three of them.
"""

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import numpy as np

from chestkd.networks.architectures import Architecture

COLOR_CHANNELS = 3


def application(network: Architecture) -> Callable[..., keras.Model]:
    """The function of `keras.applications` that builds the network."""
    return getattr(_module(network), _path(network)[1])


def color_image(gray: Any, network: Architecture) -> Any:
    """A gray image (N, H, W, 1) as the network's ImageNet weights expect it: (N, H, W, 3).

    Both are Keras tensors; `gray` has pixel values from 0 to 255.
    """
    multipliers, offsets = _color_scaling(network)
    # In float32 under mixed precision too, as every scaling is.
    color = keras.layers.Concatenate(dtype="float32", name="color")([gray] * COLOR_CHANNELS)
    return keras.layers.Rescaling(multipliers, offsets, dtype="float32", name="scaling")(color)


def load_weights(
    backbone: keras.Model, network: Architecture, weights: str | os.PathLike[str]
) -> None:
    """Fill `backbone`, built on a `color_image`, with ImageNet weights.

    `weights` is "imagenet" (Keras's file, downloaded once) or the path of such a file without
    top layers (`.h5`). Raises FileNotFoundError if there is no such file or it cannot be
    downloaded, ValueError if its weights are not those of the network.
    """
    path = os.fspath(weights)
    if path != "imagenet" and not os.path.isfile(path):
        raise FileNotFoundError(f"no weights file at {path!r}")
    # Of the size that Keras loads without a warning; the weights do not depend on it.
    shape = (network.native_size, network.native_size, COLOR_CHANNELS)
    try:
        pretrained = application(network)(include_top=False, weights=path, input_shape=shape)
    except Exception as error:
        # Keras raises a bare Exception if a download fails.
        if path == "imagenet":
            raise FileNotFoundError(_way_out(network, error)) from error
        raise ValueError(
            f"{path!r} does not contain the weights of {network.title} without its top: {error}"
        ) from error
    backbone.set_weights(pretrained.get_weights())


def _way_out(network: Architecture, error: Exception) -> str:
    return (
        f"the ImageNet weights of {network.title} could not be downloaded or read ({error}). "
        f"Put the file {network.weights_file} into the folder models of KERAS_HOME "
        f"(~/.keras by default), or give its path: weights='/path/to/{network.weights_file}'"
    )


def _color_scaling(network: Architecture) -> tuple[list[float], list[float]]:
    """Multipliers and offsets of three channels, read off Keras's own scaling of two pixels."""
    black, white = (
        _module(network).preprocess_input(np.full((1, 1, COLOR_CHANNELS), value, np.float64))
        for value in (0, 255)
    )
    return ((white - black) / 255).ravel().tolist(), black.ravel().tolist()


def _module(network: Architecture) -> ModuleType:
    return getattr(keras.applications, _path(network)[0])


def _path(network: Architecture) -> tuple[str, str]:
    if network.application is None:
        raise ValueError(
            f"{network.title} has no ImageNet weights: leave out weights and scaling='imagenet'"
        )
    module, function = network.application.split(".")
    return module, function
