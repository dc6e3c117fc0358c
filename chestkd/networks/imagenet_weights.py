"""ImageNet weights of three-channel networks, turned into weights for one gray channel.

Keras feeds the network a_c g + b_c in color channel c of a pixel g, with a and b of its own for
each network ("tf", "caffe" and "torch" preprocessing). A radiograph has the same g in all three.
With any common a and b, the first convolution with kernels k_c therefore is

    sum_c k_c * (a_c g + b_c)  =  (sum_c k_c a_c / a) * (a g + b)
                                + (sum_c k_c (b_c - b a_c / a)) * 1

one convolution of one channel, whose kernel is the sum over channels ("tf", "caffe") or the sum
weighted by a_c / a ("torch", where channels have deviations of their own), and one of a constant
image. The second is zero for "tf". It is not quite a bias, because the convolution pads the
*preprocessed* image with zeros: at the border fewer taps meet the image. `OffsetConv2D` adds it
exactly, border included.
"""

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import numpy as np

from chestkd.networks.architectures import Architecture


@keras.saving.register_keras_serializable(package="chestkd")
class OffsetConv2D(keras.layers.Conv2D):
    """A 2-D convolution plus its own answer to a constant image, by a second, fixed kernel.

    `border` is the width, in pixels, of the zeros that earlier layers have put around the image.
    The second kernel, `offset_kernel` (height, width, 1, filters), is not trained: it stands for
    the color channels' different means, not for anything seen in a radiograph. It starts at zero.
    """

    def __init__(self, *args: Any, border: int = 0, **options: Any) -> None:
        super().__init__(*args, **options)
        self.border = border

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the second kernel to the convolution's own weights."""
        super().build(input_shape)
        self.offset_kernel = self.add_weight(
            name="offset_kernel", shape=self.kernel.shape, initializer="zeros", trainable=False
        )

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Both convolutions; the second, of one constant image, is shared by the batch."""
        _, height, width, channels = inputs.shape
        inside = (1, height - 2 * self.border, width - 2 * self.border, channels)
        frame = ((0, 0), (self.border, self.border), (self.border, self.border), (0, 0))
        constant = keras.ops.pad(keras.ops.ones(inside, inputs.dtype), frame)
        offset = super().convolution_op(constant, self.offset_kernel)
        return super().convolution_op(inputs, kernel) + offset

    def get_config(self) -> dict[str, Any]:
        """The convolution's options and the border."""
        return {**super().get_config(), "border": self.border}


def application(network: Architecture) -> Callable[..., keras.Model]:
    """The function of `keras.applications` that builds the network."""
    return getattr(_module(network), _path(network)[1])


def gray_scaling(network: Architecture) -> tuple[float, float]:
    """The common (a, b): the means over the three channels of Keras's own preprocessing."""
    multipliers, offsets = _color_scaling(network)
    return float(multipliers.mean()), float(offsets.mean())


def with_offset(backbone: keras.Model, network: Architecture) -> keras.Model:
    """The same graph, its first convolution an `OffsetConv2D` where channels differ in means."""
    if np.ptp(_color_scaling(network)[1]) == 0:
        return backbone
    first: Any = first_convolution(backbone)
    border = (first.input.shape[1] - backbone.inputs[0].shape[1]) // 2

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer is first:
            return OffsetConv2D.from_config({**layer.get_config(), "border": border})
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(backbone, clone_function=clone)


def first_convolution(model: keras.Model) -> keras.layers.Conv2D:
    """The convolution nearest to the input."""
    return next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))


def load_weights(
    backbone: keras.Model, network: Architecture, weights: str | os.PathLike[str]
) -> None:
    """Fill `backbone`, one channel in, with the ImageNet weights of the three-channel network.

    `weights` is "imagenet" (Keras's file, downloaded once) or the path of such a file without
    top layers (`.h5`). Raises FileNotFoundError where there is no such file or it cannot be
    downloaded, ValueError where its weights are not those of the network.
    """
    color = _color_network(network, weights)
    for target, source in zip(_weighted(backbone), _weighted(color), strict=True):
        if source is first_convolution(color):
            _convert(target, source, *_color_scaling(network))
        else:
            target.set_weights(source.get_weights())


def _convert(
    target: keras.layers.Conv2D,
    source: keras.layers.Conv2D,
    multipliers: np.ndarray,
    offsets: np.ndarray,
) -> None:
    kernels = np.asarray(source.kernel.numpy(), np.float64)  # (height, width, 3, filters)
    ratios = multipliers / multipliers.mean()
    remainders = offsets - offsets.mean() * ratios
    target.kernel.assign(np.einsum("hwcf,c->hwf", kernels, ratios)[:, :, np.newaxis])
    if isinstance(target, OffsetConv2D):
        target.offset_kernel.assign(np.einsum("hwcf,c->hwf", kernels, remainders)[:, :, np.newaxis])
    if source.use_bias:
        target.bias.assign(source.bias)


def _color_network(network: Architecture, weights: str | os.PathLike[str]) -> keras.Model:
    path = os.fspath(weights)
    if path != "imagenet" and not os.path.isfile(path):
        raise FileNotFoundError(f"no file of weights at {path!r}")
    size = network.native_size
    try:
        return application(network)(include_top=False, weights=path, input_shape=(size, size, 3))
    except Exception as error:
        # Keras raises a bare Exception where a download fails.
        if path == "imagenet":
            raise FileNotFoundError(_way_out(network, error)) from error
        raise ValueError(
            f"{path!r} does not hold the weights of {network.title} without its top: {error}"
        ) from error


def _way_out(network: Architecture, error: Exception) -> str:
    return (
        f"the ImageNet weights of {network.title} could not be downloaded or read ({error}). "
        f"Put the file {network.weights_file} into the folder models of KERAS_HOME "
        f"(~/.keras by default), or give its path: weights='/path/to/{network.weights_file}'"
    )


def _weighted(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if layer.weights]


def _color_scaling(network: Architecture) -> tuple[np.ndarray, np.ndarray]:
    """(a_c, b_c), each (3,), read off Keras's preprocessing of a black and a white pixel."""
    black, white = (
        _module(network).preprocess_input(np.full((1, 1, 3), value, np.float64)).reshape(3)
        for value in (0, 255)
    )
    return (white - black) / 255, black


def _module(network: Architecture) -> ModuleType:
    return getattr(keras.applications, _path(network)[0])


def _path(network: Architecture) -> tuple[str, str]:
    if network.application is None:
        raise ValueError(
            f"{network.title} has no ImageNet weights: leave weights and scaling='imagenet' out"
        )
    module, function = network.application.split(".")
    return module, function
