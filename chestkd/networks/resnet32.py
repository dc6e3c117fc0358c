"""ResNet-32: the CIFAR network of He et al. (2016), section 4.2, behind their ImageNet stem.

Three stages of n = 5 blocks of two 3x3 convolutions, with 16, 32 and 64 channels; with the stem
and the classifier these are 6n + 2 = 32 layers. The paper calls the network ResNet-32 and feeds it
images of 224 pixels, for which the CIFAR network has no stem. Ours is that of the ImageNet
networks of the same article: a 7x7 convolution and 3x3 max pooling, both with stride 2.
"""

from typing import Any

import keras

_BLOCKS_PER_STAGE = 5
_STAGE_CHANNELS = (16, 32, 64)


@keras.saving.register_keras_serializable(package="chestkd")
class IdentityShortcut(keras.layers.Layer):
    """Takes every second pixel and adds channels of zeros: option A of He et al., without weights.

    (N, H, W, C) becomes (N, ceil(H / 2), ceil(W / 2), 2C).
    """

    def call(self, inputs: Any) -> Any:
        """The shortcut past a block that halves the map and doubles the channels."""
        subsampled = inputs[:, ::2, ::2, :]
        before = inputs.shape[-1] // 2
        after = inputs.shape[-1] - before
        return keras.ops.pad(subsampled, ((0, 0), (0, 0), (0, 0), (before, after)))


def resnet32(image: Any) -> Any:
    """The last map (N, h, w, 64) of the network on `image`, a Keras tensor (N, H, W, 1)."""
    maps = _normalized_convolution(image, _STAGE_CHANNELS[0], 7, strides=2, name="stem")
    maps = keras.layers.ReLU(name="stem_relu")(maps)
    maps = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(maps)
    for stage, channels in enumerate(_STAGE_CHANNELS, start=1):
        for block in range(1, _BLOCKS_PER_STAGE + 1):
            shrinks = stage > 1 and block == 1
            maps = _block(maps, channels, shrinks, name=f"stage{stage}_block{block}")
    return maps


def _block(inputs: Any, channels: int, shrinks: bool, name: str) -> Any:
    strides = 2 if shrinks else 1
    maps = _normalized_convolution(inputs, channels, 3, strides, f"{name}_1")
    maps = keras.layers.ReLU(name=f"{name}_1_relu")(maps)
    maps = _normalized_convolution(maps, channels, 3, 1, f"{name}_2")
    shortcut = IdentityShortcut(name=f"{name}_shortcut")(inputs) if shrinks else inputs
    maps = keras.layers.Add(name=f"{name}_add")([shortcut, maps])
    return keras.layers.ReLU(name=f"{name}_relu")(maps)


def _normalized_convolution(inputs: Any, channels: int, size: int, strides: int, name: str) -> Any:
    # No bias: the normalization that follows would remove it.
    maps = keras.layers.Conv2D(
        channels, size, strides=strides, padding="same", use_bias=False, name=f"{name}_conv"
    )(inputs)
    return keras.layers.BatchNormalization(name=f"{name}_bn")(maps)
