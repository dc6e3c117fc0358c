"""Guided backpropagation (Springenberg et al., 2015): ReLUs pass back only positive gradients.

Equation (2) of the paper: where a gradient R arrives at f = relu(x), 1[R > 0] 1[x > 0] R is passed
on. The forward pass does not change. A ReLU is recognized as `keras.layers.ReLU` and as the
activation of a layer (`Activation`, `Conv2D`, `Dense`, ...), in both cases also with a ceiling
of 6.
"""

import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from chestkd.saliency.copies import copy_of
from chestkd.saliency.gradient import gradient
from chestkd.saliency.logit import Logit

_copies: weakref.WeakKeyDictionary[keras.Model, tuple[keras.Model, int]] = (
    weakref.WeakKeyDictionary()
)


def guided_backpropagation(logit: Logit, images: np.ndarray, *, least_relus: int = 1) -> np.ndarray:
    """The guided gradient for images (N, H, W): (N, H, W) float32, in logits per gray level.

    Raises ValueError where fewer than `least_relus` ReLUs are found; without any, guided
    backpropagation is the gradient.
    """
    guided = guided_model(logit.model, least_relus=least_relus)
    return gradient(replace(logit, model=guided), images)


def guided_model(model: keras.Model, *, least_relus: int = 1) -> keras.Model:
    """A copy of a flat functional `model`, with its present weights, that backpropagates guided.

    `model` itself is not touched; a second call returns the same copy with its weights updated.
    Raises ValueError where fewer than `least_relus` ReLUs are found, and for a model in which one
    could hide: one that contains other models, or calls `keras.ops.relu` directly.
    """
    if model not in _copies:
        _copies[model] = _copy(model)
    guided, relus = _copies[model]
    if relus < least_relus:
        raise ValueError(
            f"{model.name} has {relus} ReLUs, fewer than the {least_relus} that guided "
            "backpropagation is to replace; least_relus=0 allows none"
        )
    guided.set_weights(model.get_weights())
    return guided


def count_relus(model: keras.Model) -> int:
    """How many ReLUs `guided_model` replaces."""
    return sum(_ceiling(layer) is not _NOT_A_RELU for layer in model.layers)


@keras.saving.register_keras_serializable(package="chestkd")
class GuidedReLU(keras.layers.Layer):
    """min(max(x, 0), ceiling), whose gradient passes where it and its input are positive."""

    def __init__(self, ceiling: float | None = None, **options: Any):
        super().__init__(**options)
        self.ceiling = ceiling

    def call(self, inputs: Any) -> Any:
        """The same values as a ReLU."""
        return guided_relu(self.ceiling)(inputs)

    def get_config(self) -> dict[str, Any]:
        """The layer's options and the ceiling."""
        return {**super().get_config(), "ceiling": self.ceiling}


def guided_relu(ceiling: float | None) -> Callable[[Any], Any]:
    """The function min(max(x, 0), ceiling) with the guided gradient."""

    @ops.custom_gradient
    def relu(x: Any) -> tuple[Any, Callable]:
        def backward(*arguments: Any, upstream: Any = None) -> Any:
            gradient = arguments[0] if upstream is None else upstream
            passes = ops.logical_and(x > 0, gradient > 0)
            if ceiling is not None:
                passes = ops.logical_and(passes, x < ceiling)
            return ops.where(passes, gradient, ops.zeros_like(gradient))

        positive = ops.maximum(x, ops.cast(0, x.dtype))
        return (positive if ceiling is None else ops.minimum(positive, ceiling)), backward

    return relu


_NOT_A_RELU = object()


def _ceiling(layer: keras.layers.Layer) -> Any:
    """Where a ReLU ends (None: nowhere), or `_NOT_A_RELU`; a leaky ReLU is not one."""
    if isinstance(layer, GuidedReLU):
        return layer.ceiling
    if isinstance(layer, keras.layers.ReLU):
        if layer.negative_slope or layer.threshold:
            return _NOT_A_RELU
        return layer.max_value
    activation = getattr(layer, "activation", None)
    if activation is keras.activations.relu:
        return None
    return 6.0 if activation is keras.activations.relu6 else _NOT_A_RELU


def _copy(model: keras.Model) -> tuple[keras.Model, int]:
    _refuse_hidden(model)
    return copy_of(model, _clone), count_relus(model)


def _clone(layer: keras.layers.Layer) -> keras.layers.Layer:
    ceiling = _ceiling(layer)
    if ceiling is not _NOT_A_RELU and isinstance(layer, keras.layers.ReLU):
        return GuidedReLU(ceiling, name=layer.name, dtype=layer.dtype_policy)
    copy = type(layer).from_config(layer.get_config())
    if ceiling is not _NOT_A_RELU:
        copy.activation = guided_relu(ceiling)
    return copy


def _refuse_hidden(model: keras.Model) -> None:
    for operation in model.operations:
        if isinstance(operation, keras.Model):
            raise ValueError(
                f"{model.name} contains the model {operation.name}, whose ReLUs would be missed; "
                "expected one flat graph"
            )
        is_layer = isinstance(operation, keras.layers.Layer)
        if not is_layer and "relu" in type(operation).__name__.lower():
            raise ValueError(
                f"{model.name} calls the operation {operation.name} outside of a layer, which "
                "would be missed; use keras.layers.ReLU"
            )
