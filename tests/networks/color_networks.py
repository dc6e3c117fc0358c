"""Color networks of random numbers, and files of them, in place of Keras's ImageNet weights."""

from collections.abc import Iterable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from chestkd.networks import imagenet_weights
from chestkd.networks.architectures import NETWORKS

PRETRAINED = [name for name in NETWORKS if name != "resnet-32"]


def slow_if_large(names: Iterable[str]) -> list:
    """The names as parameters of a test; those of networks of many layers are marked slow."""
    small = ("mobilenet-v1", "vgg-19", "resnet-32")
    return [pytest.param(name, marks=[] if name in small else [pytest.mark.slow]) for name in names]


def color_network(name: str) -> keras.Model:
    """Three channels in, no top, of the smallest size; every number random, statistics too."""
    size = NETWORKS[name].minimum_size
    model = imagenet_weights.application(NETWORKS[name])(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    generator = np.random.default_rng(5)
    for layer in model.layers:
        shapes = [weight.shape for weight in layer.weights]
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, shape) for shape in shapes])
        elif shapes:
            fan_in = np.prod(layer.kernel.shape[:3])
            layer.set_weights([generator.normal(0, fan_in**-0.5, shape) for shape in shapes])
    return model


def write_weights(model: keras.Model, path: Path) -> Path:
    """A file in the format of those that Keras offers for download."""
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)
    return path
