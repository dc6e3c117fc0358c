"""Copies of a model that may be changed, while the model itself stays as it is."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from chestkd.networks import backend
from chestkd.networks.initial_weights import untouched_random_state

_doubles: weakref.WeakKeyDictionary[keras.Model, keras.Model] = weakref.WeakKeyDictionary()


def copy_of(
    model: keras.Model, of_layer: Callable[[keras.layers.Layer], keras.layers.Layer] | None = None
) -> keras.Model:
    """The same flat graph with layers of its own, each made by `of_layer`, and other weights.

    The copy is not compiled: Keras would look for the model's loss by name, and a loss of the
    user's own has none that it knows.
    """
    same_layers = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    with untouched_random_state():
        return keras.models.clone_model(same_layers, clone_function=of_layer)


@contextmanager
def double_precision(model: keras.Model) -> Iterator[keras.Model]:
    """A copy of a model, with its present weights, that computes in float64.

        with double_precision(model) as exact:
            maps = saliency.integrated_gradients(exact, "Mass", images).maps

    The gradient of a network of ReLUs jumps where the input of one is zero. Among hundreds of
    thousands of them one is often as near to zero as float32 rounds, and then passes on one
    backend, or for one order of summation, and not on the other. In float64 hardly one is. The
    maps are float32 all the same. On JAX the copy works inside the `with` only.
    """
    with backend.double_precision():
        if model not in _doubles:
            _doubles[model] = copy_of(model, _double_layer)
        _doubles[model].set_weights(model.get_weights())
        yield _doubles[model]


class DoubleBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization of inference in float64; Keras's own computes in float32 all the same."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The affine function that the statistics, scale and shift make, on the last axis."""
        mean, variance = map(ops.convert_to_tensor, (self.moving_mean, self.moving_variance))
        factor = (variance + self.epsilon) ** -0.5
        if self.scale:
            factor = factor * ops.convert_to_tensor(self.gamma)
        offset = -mean * factor
        if self.center:
            offset = offset + ops.convert_to_tensor(self.beta)
        return inputs * factor + offset


def _double_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    kind = type(layer)
    if isinstance(layer, keras.layers.BatchNormalization):
        kind = DoubleBatchNormalization
    double = kind.from_config({**layer.get_config(), "dtype": "float64"})
    if isinstance(double, keras.layers.Rescaling):
        # TensorFlow makes a Python number float32 before it is cast.
        double.scale = np.asarray(layer.scale, np.float64)
        double.offset = np.asarray(layer.offset, np.float64)
    return double
