"""The eight networks by name, with sizes and parameter counts; does not import Keras."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Architecture:
    """What is known about a network before it is built."""

    #: The name in tables and figures.
    title: str
    #: Side of the smallest input image, in pixels.
    minimum_size: int
    #: Side of the input that the network was designed for, in pixels.
    native_size: int
    #: With one channel in and 14 logits out; batch statistics count, too.
    parameters: int
    #: Its function in `keras.applications`, as "module.function"; None: `builder` builds it.
    application: str | None
    #: Keras's file of ImageNet weights, in its folder `models`; None: there is none.
    weights_file: str | None
    #: A function of this project, as "module:function", from the scaled image (N, H, W, 1) to the
    #: last map (N, h, w, channels), both Keras tensors.
    builder: str | None = None


NETWORKS: Mapping[str, Architecture] = MappingProxyType(
    {
        "mobilenet-v1": Architecture(
            title="MobileNet-v1",
            minimum_size=32,
            native_size=224,
            parameters=3_242_638,
            application="mobilenet.MobileNet",
            weights_file="mobilenet_1_0_224_tf_no_top.h5",
        ),
        "mobilenet-v2": Architecture(
            title="MobileNet-v2",
            minimum_size=32,
            native_size=224,
            parameters=2_275_342,
            application="mobilenet_v2.MobileNetV2",
            weights_file="mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        ),
        "vgg-19": Architecture(
            title="VGG-19",
            minimum_size=32,
            native_size=224,
            parameters=20_030_414,
            application="vgg19.VGG19",
            weights_file="vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
        "resnet-32": Architecture(
            title="ResNet-32",
            minimum_size=32,
            native_size=224,
            parameters=467_038,
            application=None,
            weights_file=None,
            builder="chestkd.networks.resnet32:resnet32",
        ),
        "resnet-50": Architecture(
            title="ResNet-50",
            minimum_size=32,
            native_size=224,
            parameters=23_610_126,
            application="resnet.ResNet50",
            weights_file="resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
        "resnet-152": Architecture(
            title="ResNet-152",
            minimum_size=32,
            native_size=224,
            parameters=58_393_358,
            application="resnet.ResNet152",
            weights_file="resnet152_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
        "densenet-121": Architecture(
            title="DenseNet-121",
            minimum_size=32,
            native_size=224,
            parameters=7_045_582,
            application="densenet.DenseNet121",
            weights_file="densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
        "inception-v3": Architecture(
            title="InceptionV3",
            minimum_size=75,
            native_size=299,
            parameters=21_830_894,
            application="inception_v3.InceptionV3",
            weights_file="inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
    }
)


def architecture(name: str) -> Architecture:
    """The architecture called `name`; ValueError with the allowed names for any other."""
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; allowed: {', '.join(NETWORKS)}")
    return NETWORKS[name]
