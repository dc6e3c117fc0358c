"""A network with ImageNet weights sees a gray image as Keras's color network sees it in color.

Files of random numbers stand in for the real ones, which would have to be downloaded.
"""

from pathlib import Path
from typing import Any
from urllib.error import URLError

import keras
import numpy as np
import pytest
from color_networks import PRETRAINED, color_network, slow_if_large, write_weights
from keras import ops

from chestkd.networks import backend, build, imagenet_weights
from chestkd.networks.architectures import NETWORKS

# Black in each channel, and the width of a gray level, by the formulas of Keras's documentation.
TF = ([-1, -1, -1], [1 / 127.5] * 3)
CAFFE = ([-103.939, -116.779, -123.68], [1, 1, 1])  # blue, green, red
TORCH = (
    [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
    [1 / 255 / 0.229, 1 / 255 / 0.224, 1 / 255 / 0.225],
)
SCALING = {
    "mobilenet-v1": TF,
    "mobilenet-v2": TF,
    "inception-v3": TF,
    "vgg-19": CAFFE,
    "resnet-50": CAFFE,
    "resnet-152": CAFFE,
    "densenet-121": TORCH,
}


def gray_pixels(size: int) -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (2, size, size, 1), np.uint8)


def preprocessed(name: str, gray: np.ndarray) -> np.ndarray:
    """Keras's preprocessing of the images in three equal channels."""
    module = NETWORKS[name].application.split(".")[0]
    color = np.repeat(gray, 3, axis=-1).astype(np.float32)
    return getattr(keras.applications, module).preprocess_input(color)


def first_maps(model: keras.Model) -> Any:
    """The output of the first convolution, where no later layer can hide a difference."""
    layers = (layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    return next(layers).output


def feature_maps(model: keras.Model) -> Any:
    return build.feature_layer(model).output


def features(model: keras.Model, gray: np.ndarray) -> np.ndarray:
    return ops.convert_to_numpy(keras.Model(model.input, feature_maps(model))(gray))


def pair(name: str, folder: Path) -> tuple[keras.Model, keras.Model]:
    """A color network and the gray one with the same weights, read from a file."""
    color, size = color_network(name), NETWORKS[name].minimum_size
    path = write_weights(color, folder / "color.h5")
    return color, build.build_network(name, size, seed=0, weights=path)


@pytest.mark.parametrize("name", slow_if_large(PRETRAINED))
def test_gray_features_and_gradients_are_the_color_networks_own(name, tmp_path):
    """With Keras's preprocessing of each network, border included."""
    color, gray = pair(name, tmp_path)
    images = gray_pixels(NETWORKS[name].minimum_size)
    ends = [first_maps(gray), feature_maps(gray)], [first_maps(color), color.outputs[0]]
    received = keras.Model(gray.input, ends[0])(images)
    wanted = keras.Model(color.inputs[0], ends[1])(preprocessed(name, images))
    for one, other, tolerance in zip(received, wanted, (2e-6, 1e-5), strict=True):
        assert_close(ops.convert_to_numpy(one), ops.convert_to_numpy(other), tolerance)

    pooled = keras.layers.GlobalAveragePooling2D()(color.outputs[0])
    classifier = keras.Model(color.inputs[0], gray.get_layer("logits")(pooled))
    by_color, logits = backend.input_gradients(classifier, 4, preprocessed(name, images))
    # The chain rule: a gray level moves all three channels.
    by_gray = by_color @ np.array(SCALING[name][1])[:, np.newaxis]
    gradients, gray_logits = backend.input_gradients(gray, 4, images)
    assert_close(gray_logits, logits, 1e-5)
    assert_close(gradients, by_gray, 1e-5)


def assert_close(received: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    """Relative to the largest value."""
    assert wanted.std() > 0
    np.testing.assert_allclose(received, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


@pytest.mark.parametrize("name", ["vgg-19", "mobilenet-v1"])
def test_every_weight_is_the_color_networks_own(name, tmp_path):
    color, gray = pair(name, tmp_path)
    *received, kernel, bias = gray.get_weights()
    for one, other in zip(received, color.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert kernel.shape[1:] == bias.shape == (14,)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", PRETRAINED)
def test_each_network_is_scaled_its_own_way(name, policy):
    """A black, a gray and a white pixel, by the formulas of the three preprocessings."""
    black, level = map(np.array, SCALING[name])
    keras.config.set_dtype_policy(policy)
    try:
        image = keras.Input((1, 3, 1))
        model = keras.Model(image, imagenet_weights.color_image(image, NETWORKS[name]))
    finally:
        keras.config.set_dtype_policy("float32")
    pixels = np.array([0, 200.25, 255], np.float32).reshape(1, 1, 3, 1)
    received = ops.convert_to_numpy(model(pixels))[0, 0]
    assert received.dtype == np.float32
    wanted = black + np.array([[0], [200.25], [255]]) * level
    np.testing.assert_allclose(received, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


def test_only_the_first_kernel_grows_by_the_color_channels():
    for name, kernel in (("mobilenet-v1", 3 * 3 * 32), ("vgg-19", 3 * 3 * 64)):
        model = build.build_network(name, 32, seed=0, scaling="imagenet")
        assert model.count_params() == NETWORKS[name].parameters + 2 * kernel
        fixed = sum(np.prod(weight.shape) for weight in model.non_trainable_weights)
        statistics = [
            layer.moving_mean.shape[0] + layer.moving_variance.shape[0]
            for layer in model.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        assert fixed == sum(statistics)


# -- Files --


@pytest.fixture
def weights_file(tmp_path) -> Path:
    return write_weights(color_network("mobilenet-v1"), tmp_path / "mobilenet_random_no_top.h5")


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
    model = build.build_network("mobilenet-v1", 32, seed=2, weights=weights_file)
    color = color_network("mobilenet-v1")
    wanted = ops.convert_to_numpy(color(preprocessed("mobilenet-v1", gray_pixels(32))))
    np.testing.assert_allclose(features(model, gray_pixels(32)), wanted, rtol=1e-4, atol=1e-5)
    # The classifier still comes from the seed.
    plain = build.build_network("mobilenet-v1", 32, seed=2, scaling="imagenet")
    np.testing.assert_array_equal(
        model.get_layer("logits").kernel, plain.get_layer("logits").kernel
    )


def test_trained_weights_do_not_need_the_imagenet_file(weights_file, tmp_path):
    model = build.build_network("mobilenet-v1", 32, seed=2, weights=weights_file)
    model.save_weights(tmp_path / "trained.weights.h5")
    again = build.build_network("mobilenet-v1", 32, seed=3, scaling="imagenet")
    again.load_weights(tmp_path / "trained.weights.h5")
    images = gray_pixels(32)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(again(images)), ops.convert_to_numpy(model(images))
    )


def test_weights_in_keras_own_folder_need_no_network(weights_file, keras_home):
    weights_file.rename(keras_home / "models" / NETWORKS["mobilenet-v1"].weights_file)
    model = build.build_network("mobilenet-v1", 32, seed=0, weights="imagenet")
    wanted = color_network("mobilenet-v1").get_weights()
    for one, other in zip(model.get_weights(), wanted, strict=False):
        np.testing.assert_array_equal(one, other)
    assert features(model, gray_pixels(32)).std() > 0


@pytest.mark.parametrize("name", slow_if_large(PRETRAINED))
def test_without_a_network_the_error_says_the_way_out(name, keras_home, monkeypatch):
    network, asked = NETWORKS[name], []
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
    with pytest.raises(FileNotFoundError, match=r"no weights file at 'nowhere\.h5'"):
        build.build_network("mobilenet-v1", 32, seed=0, weights="nowhere.h5")


def test_another_networks_file_is_an_error(tmp_path):
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    path = write_weights(other, tmp_path / "other.h5")
    with pytest.raises(ValueError, match=r"other\.h5' does not contain the weights of Mobile"):
        build.build_network("mobilenet-v1", 32, seed=0, weights=path)


def test_resnet_32_has_no_imagenet_weights():
    for options in ({"weights": "imagenet"}, {"scaling": "imagenet"}):
        with pytest.raises(ValueError, match="ResNet-32 has no ImageNet weights"):
            build.build_network("resnet-32", 32, seed=0, **options)


def test_imagenet_weights_refuse_another_scaling():
    with pytest.raises(ValueError, match=r"expect their own scaling.* received 'unit'"):
        build.build_network("mobilenet-v1", 32, seed=0, weights="imagenet", scaling="unit")
