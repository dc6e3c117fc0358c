"""One gray channel with converted ImageNet weights is the three-channel network on gray images.

Files of random numbers stand in for the real ones, which need the network.
"""

from pathlib import Path
from typing import Any
from urllib.error import URLError

import keras
import numpy as np
import pytest
from keras import ops

from chestkd.distillation import losses
from chestkd.networks import build, imagenet_weights

PRETRAINED = [name for name in build.NETWORKS if name != "resnet-32"]
EVERY_NETWORK = [
    pytest.param(name, marks=[pytest.mark.slow] if name == "resnet-152" else [])
    for name in PRETRAINED
]


def color_network(name: str, size: int) -> keras.Model:
    """Three channels in, no top; every number random, batch statistics included."""
    model = imagenet_weights.application(build.NETWORKS[name])(
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


def gray_pixels(size: int) -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (2, size, size, 1), np.uint8)


def preprocessed(name: str, gray: np.ndarray) -> np.ndarray:
    """Keras's preprocessing of the images in three equal channels."""
    module = build.NETWORKS[name].application.split(".")[0]
    color = np.repeat(gray, 3, axis=-1).astype(np.float32)
    return getattr(keras.applications, module).preprocess_input(color)


def feature_maps(model: keras.Model) -> Any:
    return build.feature_layer(model).output


def features(model: keras.Model, gray: np.ndarray) -> np.ndarray:
    return ops.convert_to_numpy(keras.Model(model.input, feature_maps(model))(gray))


@pytest.mark.parametrize("name", EVERY_NETWORK)
def test_gray_features_are_the_color_networks_own(name, monkeypatch):
    """With Keras's preprocessing of each network, border included."""
    size = build.NETWORKS[name].minimum_size
    color = color_network(name, size)
    monkeypatch.setattr(imagenet_weights, "_color_network", lambda *_: color)
    gray = build.build(name, size, seed=0, weights="imagenet")
    # Right after the first convolution, where nothing can hide a difference, and at the end.
    ends = [
        [imagenet_weights.first_convolution(model).output, last]
        for model, last in ((color, color.outputs[0]), (gray, feature_maps(gray)))
    ]
    wanted = keras.Model(color.inputs[0], ends[0])(preprocessed(name, gray_pixels(size)))
    received = keras.Model(gray.input, ends[1])(gray_pixels(size))
    for one, other, tolerance in zip(received, wanted, (2e-6, 5e-5), strict=True):
        one, other = ops.convert_to_numpy(one), ops.convert_to_numpy(other)
        assert other.std() > 0
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())


def test_the_gray_kernel_is_the_sum_over_channels(monkeypatch):
    color = color_network("vgg-19", 32)
    monkeypatch.setattr(imagenet_weights, "_color_network", lambda *_: color)
    model = build.build("vgg-19", 32, seed=0, weights="imagenet")
    received = np.asarray(imagenet_weights.first_convolution(model).kernel)
    wanted = np.asarray(imagenet_weights.first_convolution(color).kernel).sum(axis=2, keepdims=True)
    assert received.shape == (3, 3, 1, 64)
    np.testing.assert_allclose(received, wanted, atol=1e-6)


def test_each_network_is_scaled_its_own_way():
    """A black and a white pixel, by the formulas of "tf", "caffe" and "torch" preprocessing."""
    ranges = {
        "mobilenet-v1": (-1, 1),
        "mobilenet-v2": (-1, 1),
        "inception-v3": (-1, 1),
        "vgg-19": (-114.799333, 255 - 114.799333),
        "resnet-50": (-114.799333, 255 - 114.799333),
        "resnet-152": (-114.799333, 255 - 114.799333),
        # Means over channels of -mean / deviation and (1 - mean) / deviation.
        "densenet-121": (
            -(0.485 / 0.229 + 0.456 / 0.224 + 0.406 / 0.225) / 3,
            (0.515 / 0.229 + 0.544 / 0.224 + 0.594 / 0.225) / 3,
        ),
    }
    for name in PRETRAINED:
        multiplier, offset = imagenet_weights.gray_scaling(build.NETWORKS[name])
        assert (offset, 255 * multiplier + offset) == pytest.approx(ranges[name], abs=1e-5), name


def test_the_offset_is_only_where_channels_differ():
    for name, weights in (("mobilenet-v1", 0), ("vgg-19", 3 * 3 * 64)):
        model = build.build(name, 32, seed=0, scaling="imagenet")
        assert model.count_params() == build.NETWORKS[name].parameters + weights


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_offset_is_not_trained(policy):
    image = keras.Input((4, 4, 1))
    layer = imagenet_weights.OffsetConv2D(14, 3, padding="same", use_bias=False, dtype=policy)
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float32")(layer(image))
    model = keras.Model(image, pooled)
    generator = np.random.default_rng(7)
    before = [generator.normal(size=(3, 3, 1, 14)).astype(np.float32) for _ in range(2)]
    layer.set_weights(before)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=losses.binary_cross_entropy)
    model.train_on_batch(generator.normal(size=(2, 4, 4, 1)), np.ones((2, 14)))
    kernel, offset = layer.get_weights()
    assert not np.isclose(kernel, before[0], rtol=1e-6).any()
    np.testing.assert_array_equal(offset, before[1])


def test_offset_convolution_adds_the_answer_to_a_constant_image():
    image = keras.Input((4, 4, 1))
    layer = imagenet_weights.OffsetConv2D(1, 3, padding="same", use_bias=False)
    model = keras.Model(image, layer(image))
    layer.kernel.assign(np.zeros((3, 3, 1, 1)))
    layer.offset_kernel.assign(np.full((3, 3, 1, 1), 0.5))
    received = ops.convert_to_numpy(model(np.zeros((2, 4, 4, 1))))[..., 0]
    # Half the number of taps that meet the image: 4 in a corner, 6 at a side, 9 inside.
    side = [2, 3, 3, 2]
    wanted = [side, [3, 4.5, 4.5, 3], [3, 4.5, 4.5, 3], side]
    assert received.tolist() == [wanted, wanted]


def test_offset_convolution_leaves_out_a_border_of_zeros():
    image = keras.Input((4, 4, 1))
    layer = imagenet_weights.OffsetConv2D(1, 3, border=1, use_bias=False)
    model = keras.Model(image, layer(image))
    layer.kernel.assign(np.zeros((3, 3, 1, 1)))
    layer.offset_kernel.assign(np.ones((3, 3, 1, 1)))
    assert ops.convert_to_numpy(model(np.zeros((1, 4, 4, 1)))).ravel().tolist() == [4] * 4
    again = keras.Model.from_config(model.get_config())
    assert again.layers[-1].border == 1


# -- Files --


@pytest.fixture
def weights_file(tmp_path) -> Path:
    path = tmp_path / "mobilenet_random_no_top.h5"
    color_network("mobilenet-v1", 32).save(path)
    return path


@pytest.fixture
def keras_home(tmp_path, monkeypatch) -> Path:
    """An empty folder where Keras keeps its downloads, and no network."""

    def refuse(*_):
        raise URLError("no route to host")

    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", refuse)
    (tmp_path / "models").mkdir()
    return tmp_path


def test_weights_can_come_from_a_file(weights_file):
    model = build.build("mobilenet-v1", 32, seed=2, weights=weights_file)
    color = color_network("mobilenet-v1", 32)
    wanted = ops.convert_to_numpy(color(preprocessed("mobilenet-v1", gray_pixels(32))))
    np.testing.assert_allclose(features(model, gray_pixels(32)), wanted, rtol=1e-4, atol=1e-5)
    # The classifier still comes from the seed.
    plain = build.build("mobilenet-v1", 32, seed=2)
    np.testing.assert_array_equal(
        model.get_layer("logits").kernel, plain.get_layer("logits").kernel
    )


def test_a_trained_model_can_be_filled_without_the_imagenet_file(weights_file, tmp_path):
    model = build.build("mobilenet-v1", 32, seed=2, weights=weights_file)
    model.save_weights(tmp_path / "trained.weights.h5")
    again = build.build("mobilenet-v1", 32, seed=3, scaling="imagenet")
    again.load_weights(tmp_path / "trained.weights.h5")
    images = gray_pixels(32)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(again(images)), ops.convert_to_numpy(model(images))
    )


def test_weights_in_keras_own_folder_need_no_network(weights_file, keras_home):
    weights_file.rename(keras_home / "models" / build.NETWORKS["mobilenet-v1"].weights_file)
    model = build.build("mobilenet-v1", 32, seed=0, weights="imagenet")
    assert features(model, gray_pixels(32)).std() > 0


@pytest.mark.parametrize("name", EVERY_NETWORK)
def test_without_a_network_the_error_says_the_way_out(name, keras_home, monkeypatch):
    network, asked = build.NETWORKS[name], []
    get_file = keras.utils.get_file

    def spy(file_name: str, *arguments: Any, **options: Any) -> str:
        asked.append(file_name)
        return get_file(file_name, *arguments, **options)

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", spy)
    with pytest.raises(FileNotFoundError) as error:
        imagenet_weights.load_weights(keras.Sequential(), network, "imagenet")
    assert asked == [network.weights_file]
    for part in (
        "no route to host",
        f"Put the file {network.weights_file} into the folder models of KERAS_HOME",
        f"weights='/path/to/{network.weights_file}'",
    ):
        assert part in str(error.value)


def test_a_missing_file_is_an_error():
    with pytest.raises(FileNotFoundError, match=r"no file of weights at 'nowhere\.h5'"):
        build.build("mobilenet-v1", 32, seed=0, weights="nowhere.h5")


def test_another_networks_file_is_an_error(tmp_path):
    path = tmp_path / "other.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(path)
    with pytest.raises(ValueError, match=r"other\.h5' does not hold the weights of MobileNet-v1"):
        build.build("mobilenet-v1", 32, seed=0, weights=path)


def test_resnet_32_has_none():
    for options in ({"weights": "imagenet"}, {"scaling": "imagenet"}):
        with pytest.raises(ValueError, match="ResNet-32 has no ImageNet weights"):
            build.build("resnet-32", 32, seed=0, **options)


def test_imagenet_weights_refuse_another_scaling():
    with pytest.raises(ValueError, match=r"expect their own scaling.* received 'unit'"):
        build.build("mobilenet-v1", 32, seed=0, weights="imagenet", scaling="unit")
