"""The one module that depends on the backend that Keras runs on."""

import logging
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import numpy as np

# A notebook about many networks compiles many functions, as it should.
logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in record.getMessage())

# Compiled once for each model and dropped with it: the functions refer to it weakly.
_compiled: weakref.WeakKeyDictionary[keras.Model, Callable] = weakref.WeakKeyDictionary()


def name() -> str:
    """ "tensorflow" or "jax"; set KERAS_BACKEND before Python starts to choose."""
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise RuntimeError(f"KERAS_BACKEND is {backend!r}; allowed: tensorflow, jax")
    return backend


def devices() -> list[str]:
    """The devices that the backend computes on, such as ["cpu"] or ["NVIDIA H200"]."""
    if name() == "jax":
        import jax

        return [device.device_kind for device in jax.devices()]
    import tensorflow

    accelerators = tensorflow.config.list_physical_devices("GPU")
    if not accelerators:
        return ["cpu"]
    details = map(tensorflow.config.experimental.get_device_details, accelerators)
    return [detail.get("device_name", "GPU") for detail in details]


def double_precision() -> AbstractContextManager:
    """A context in which variables and results may be float64, as they always may in TensorFlow."""
    if name() == "tensorflow":
        return nullcontext()
    import jax

    return jax.enable_x64(True)


def gradients(function: Callable[[Any], Any], array: np.ndarray) -> np.ndarray:
    """Gradient of the sum of `function`'s values by `array`, in float32 and of its shape."""
    array = np.asarray(array, np.float32)
    if name() == "jax":
        import jax

        return np.asarray(jax.grad(lambda values: function(values).sum())(array))
    import tensorflow

    values = tensorflow.convert_to_tensor(array)
    with tensorflow.GradientTape() as tape:
        tape.watch(values)
        results = function(values)
    return np.asarray(tape.gradient(results, values))


def input_gradients(
    model: keras.Model, index: int, images: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of one logit with respect to each image of a batch.

    `model` maps (N, H, W, 1) to logits (N, 14) and is called in inference mode, with its present
    weights; `index` is the position of the logit, `images` are (N, H, W, 1). Returns the gradients
    (N, H, W, 1) and all logits (N, 14), both float32.
    """
    if model not in _compiled:
        make = _jax_gradients if name() == "jax" else _tensorflow_gradients
        _compiled[model] = make(weakref.proxy(model))
    gradients, logits = _compiled[model](np.asarray(images, np.float32), np.int32(index))
    return np.asarray(gradients, np.float32), np.asarray(logits, np.float32)


def _tensorflow_gradients(model: Any) -> Callable:
    import tensorflow

    shape = tensorflow.TensorSpec((None, *model.input_shape[1:]), tensorflow.float32)
    scalar = tensorflow.TensorSpec((), tensorflow.int32)

    @tensorflow.function(input_signature=(shape, scalar))
    def gradients(images: Any, index: Any) -> tuple[Any, Any]:
        with tensorflow.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            logits = model(images, training=False)
            # In inference a logit depends on its own image alone, and so does the sum's gradient.
            logit = tensorflow.reduce_sum(tensorflow.gather(logits, index, axis=1))
        return tape.gradient(logit, images), logits

    return gradients


def _jax_gradients(model: Any) -> Callable:
    import jax

    def logit(images: Any, index: Any, trainable: list, fixed: list) -> tuple[Any, Any]:
        logits, _ = model.stateless_call(trainable, fixed, images, training=False)
        return logits[:, index].sum(), logits

    compiled = jax.jit(jax.grad(logit, has_aux=True))

    def gradients(images: np.ndarray, index: int) -> tuple[Any, Any]:
        trainable = [variable.value for variable in model.trainable_variables]
        fixed = [variable.value for variable in model.non_trainable_variables]
        return compiled(images, index, trainable, fixed)

    return gradients
