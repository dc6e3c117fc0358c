"""Initial weights from a seed: the same on every backend, without any global random state."""

import contextlib
import math
import random
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np


@contextlib.contextmanager
def untouched_random_state() -> Iterator[None]:
    """Restores the state of Python's `random`, from which Keras draws its initializers' seeds."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def initialize(model: keras.Model, generator: np.random.Generator) -> None:
    """Overwrite every kernel and every bias of `model`, layer by layer in the order of the graph.

    Kernels of convolutions, including depthwise ones, are He normal with standard deviation
    sqrt(2 / fan_in), for the ReLU that follows. Dense kernels are Glorot uniform between
    +-sqrt(6 / (fan_in + fan_out)). Biases are 0. Batch normalization keeps Keras's initial values
    (scale 1, shift 0, mean 0, variance 1), which are not random.
    """
    for layer in model.layers:
        if getattr(layer, "kernel", None) is not None:
            layer.kernel.assign(_initial_kernel(layer, generator))
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(np.zeros(layer.bias.shape, np.float32))


def _initial_kernel(layer: Any, generator: np.random.Generator) -> np.ndarray:
    shape = tuple(layer.kernel.shape)
    if isinstance(layer, keras.layers.Dense):
        limit = math.sqrt(6 / sum(shape))  # (inputs, outputs)
        return generator.uniform(-limit, limit, shape).astype(np.float32)
    # (height, width, channels in, channels out); a depthwise output sees only one channel.
    seen = shape[:2] if isinstance(layer, keras.layers.DepthwiseConv2D) else shape[:3]
    deviation = np.float32(math.sqrt(2 / math.prod(seen)))
    return deviation * generator.standard_normal(shape, np.float32)
