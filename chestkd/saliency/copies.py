"""Copies of a model that may be changed without touching the model itself."""

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
    model: keras.Model, copy_layer: Callable[[keras.layers.Layer], keras.layers.Layer] | None = None
) -> keras.Model:
    """The same flat graph with new layers, each made by `copy_layer`, and new weights.

    The copy is not compiled: Keras would look up the model's loss by name, which fails for a
    custom loss.
    """
    same_layers = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    with untouched_random_state():
        return keras.models.clone_model(same_layers, clone_function=copy_layer)


@contextmanager
def double_precision(model: keras.Model) -> Iterator[keras.Model]:
    """A copy of a model, with its present weights, that computes in float64. ::

        with double_precision(model) as double:
            maps = gradient(Logit(double, "Mass"), images)

    The gradient of a network of ReLUs jumps where the input of one is zero. Among hundreds of
    thousands of ReLUs, one often has an input so close to zero that rounding in float32 decides
    whether it passes, and backends and orders of summation round differently. In float64 this is
    rare. The maps are float32 nevertheless. On JAX the copy works only inside the `with`.
    """
    with backend.double_precision():
        if model not in _doubles:
            _doubles[model] = copy_of(model, _double_layer)
        _doubles[model].set_weights(model.get_weights())
        yield _doubles[model]


class DoubleBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization in inference, in float64; Keras's own computes in float32 regardless."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The affine function given by statistics, scale and shift, on the last axis."""
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
