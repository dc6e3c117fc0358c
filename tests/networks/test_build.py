"""The eight networks: size, shape, initial values, scaling."""

import functools
import math
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops
from keras.src.random.seed_generator import global_seed_generator

from chestkd.networks import build
from chestkd.networks.architectures import architecture
from chestkd.networks.initial_weights import untouched_random_state
from chestkd.networks.resnet32 import IdentityShortcut

# The counts that Keras documents for its networks without a top and with three channels in; the
# numbers that two channels fewer save in the first convolution; the channels that are averaged.
PUBLISHED = {
    "mobilenet-v1": (3_228_864, 2 * 3 * 3 * 32, 1024),
    "mobilenet-v2": (2_257_984, 2 * 3 * 3 * 32, 1280),
    "vgg-19": (20_024_384, 2 * 3 * 3 * 64, 512),
    "resnet-50": (23_587_712, 2 * 7 * 7 * 64, 2048),
    "resnet-152": (58_370_944, 2 * 7 * 7 * 64, 2048),
    "densenet-121": (7_037_504, 2 * 7 * 7 * 64, 1024),
    "inception-v3": (21_802_784, 2 * 3 * 3 * 32, 2048),
}
EVERY_NETWORK = [
    pytest.param(name, marks=[pytest.mark.slow] if name == "resnet-152" else [])
    for name in build.NETWORKS
]


@functools.cache
def smallest(name: str) -> keras.Model:
    return build.build_network(name, build.NETWORKS[name].minimum_size, seed=0)


def pixels(size: int, images: int = 2) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (images, size, size, 1), np.uint8)


def logits_of(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return ops.convert_to_numpy(model(images))


def test_the_names_are_known_without_keras():
    module = "chestkd.networks.architectures"
    script = f"import {module} as a, sys; print(*a.NETWORKS, 'keras' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.split() == [
        "mobilenet-v1",
        "mobilenet-v2",
        "vgg-19",
        "resnet-32",
        "resnet-50",
        "resnet-152",
        "densenet-121",
        "inception-v3",
        "False",
    ]


@pytest.mark.parametrize("name", EVERY_NETWORK)
def test_parameter_counts(name):
    counted = smallest(name).count_params()
    assert counted == build.NETWORKS[name].parameters
    if name in PUBLISHED:
        published, first, channels = PUBLISHED[name]
        assert counted == published - first + 14 * channels + 14


def test_parameter_count_of_resnet_32_by_hand():
    stem = 7 * 7 * 16
    convolutions = 10 * 9 * 16 * 16 + 9 * 16 * 32 + 9 * 9 * 32 * 32 + 9 * 32 * 64 + 9 * 9 * 64 * 64
    normalization = 4 * (11 * 16 + 10 * 32 + 10 * 64)
    assert stem + convolutions + normalization + 64 * 14 + 14 == 467_038
    assert build.NETWORKS["resnet-32"].parameters == 467_038


@pytest.mark.parametrize("name", EVERY_NETWORK)
def test_every_network_turns_pixels_into_logits(name):
    model, size = smallest(name), build.NETWORKS[name].minimum_size
    images = pixels(size)
    logits = logits_of(model, images)
    assert logits.shape == (2, 14)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    assert not np.array_equal(logits[0], logits[1])
    np.testing.assert_array_equal(logits, logits_of(model, images.astype(np.float32)))


@pytest.mark.parametrize("name", EVERY_NETWORK)
def test_every_network_is_one_flat_graph_with_findable_ends(name):
    model = smallest(name)
    assert model.name == name
    assert not [layer.name for layer in model.layers if hasattr(layer, "layers")]
    size = build.NETWORKS[name].minimum_size
    assert model.input.shape == (None, size, size, 1)
    assert [layer.name for layer in model.layers[:2]] == ["image", "scaling"]
    assert [layer.name for layer in model.layers[-2:]] == ["average", "logits"]
    last = build.feature_layer(model)
    assert last.output is model.get_layer("average").input
    assert last.output.shape[-1] == model.get_layer("logits").kernel.shape[0]
    assert model.get_layer("logits").activation is keras.activations.linear


@pytest.mark.parametrize("name", build.NETWORKS)
def test_a_size_below_the_smallest_is_refused(name):
    least = build.NETWORKS[name].minimum_size
    with pytest.raises(ValueError, match=f"at least {least} pixels a side, received {least - 1}"):
        build.build_network(name, least - 1, seed=0)


def test_an_unknown_name_is_refused_with_the_allowed_ones():
    for function in (architecture, lambda name: build.build_network(name, 32, seed=0)):
        with pytest.raises(ValueError, match="unknown network 'resnet-33'; allowed: mobilenet-v1"):
            function("resnet-33")


# -- Initial values --


def test_the_seed_decides_every_weight():
    first, second, other = (build.build_network("resnet-32", 32, seed=seed) for seed in (3, 3, 4))
    for one, same in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, same)
    for one, different in zip(first.layers, other.layers, strict=True):
        if hasattr(one, "kernel"):
            assert (np.asarray(one.kernel) == np.asarray(different.kernel)).mean() < 0.01


def test_initial_values_are_the_same_on_every_backend():
    """The kernels are NumPy's numbers in the order of the graph, so no backend has a say."""
    model, generator = smallest("resnet-32"), np.random.default_rng(0)
    stem = generator.standard_normal((7, 7, 1, 16), np.float32) * np.float32(math.sqrt(2 / 49))
    np.testing.assert_array_equal(model.get_layer("stem_conv").kernel, stem)
    first = generator.standard_normal((3, 3, 16, 16), np.float32) * np.float32(math.sqrt(2 / 144))
    np.testing.assert_array_equal(model.get_layer("stage1_block1_1_conv").kernel, first)
    # Taken under TensorFlow; the test runs under JAX too.
    total = sum(float(np.abs(np.asarray(each, np.float64)).sum()) for each in model.weights)
    assert total == pytest.approx(27457.760379541105, rel=1e-9)


def test_kernels_are_he_normal_and_the_classifier_is_glorot_uniform():
    model = smallest("mobilenet-v1")
    for name, fan_in in (
        ("conv1", 3 * 3 * 1),
        ("conv_dw_13", 3 * 3),
        ("conv_pw_13", 1024),
        ("conv_pw_6", 256),
    ):
        kernel = np.asarray(model.get_layer(name).kernel)
        tolerance = 4 * math.sqrt(1 / (2 * kernel.size))  # of a standard deviation
        assert kernel.std() == pytest.approx(math.sqrt(2 / fan_in), rel=tolerance)
    kernel = np.asarray(model.get_layer("logits").kernel)
    limit = math.sqrt(6 / (1024 + 14))
    assert 0.99 * limit < np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / math.sqrt(3), rel=0.02)


def test_biases_and_batch_normalization_start_neutral():
    for name in ("vgg-19", "mobilenet-v2"):
        for layer in smallest(name).layers:
            if getattr(layer, "bias", None) is not None:
                assert not np.asarray(layer.bias).any()
            if isinstance(layer, keras.layers.BatchNormalization):
                for values, neutral in zip(layer.get_weights(), (1, 0, 0, 1), strict=True):
                    assert (values == neutral).all()


def test_building_leaves_every_global_random_state_alone():
    of_keras = np.asarray(global_seed_generator().state).tolist()
    python, numpy = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    build.build_network("resnet-32", 32, seed=1)
    assert random.getstate() == python
    assert np.random.get_state()[1].tolist() == numpy  # noqa: NPY002
    assert np.asarray(global_seed_generator().state).tolist() == of_keras


def test_the_random_state_comes_back_after_an_error_too():
    before = random.getstate()
    with pytest.raises(ZeroDivisionError), untouched_random_state():
        random.random() / 0
    assert random.getstate() == before


# -- Scaling and precision --


def scaled(model: keras.Model, values: list[float]) -> list[float]:
    image = np.resize(np.array(values, np.float32), (1, *model.input.shape[1:]))
    scaling = keras.Model(model.input, model.get_layer("scaling").output)
    return ops.convert_to_numpy(scaling(image)).ravel()[: len(values)].tolist()


def test_pixels_are_scaled_to_minus_one_to_one():
    received = scaled(smallest("resnet-32"), [0, 51, 127.5, 255])
    assert received == pytest.approx([-1, -0.6, 0, 1], abs=1e-6)


def test_pixels_can_be_standardised_by_the_training_set():
    model = build.build_network("resnet-32", 32, seed=0, scaling=(129.0, 63.0))
    assert scaled(model, [129, 192, 3]) == pytest.approx([0, 1, -2], abs=1e-6)


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        ("unity", "'unit', 'imagenet' or a pair .* received 'unity'"),
        ((1.0, 2.0, 3.0), "a pair .* received \\(1.0, 2.0, 3.0\\)"),
        ((1.0, 0.0), "a deviation above 0, received \\(1.0, 0.0\\)"),
        ((float("nan"), 1.0), "needs a finite mean"),
    ],
)
def test_a_wrong_scaling_is_refused(scaling, message):
    with pytest.raises(ValueError, match=message):
        build.build_network("resnet-32", 32, seed=0, scaling=scaling)


def test_gray_values_are_exact_in_bfloat16_and_scaled_ones_are_not():
    gray = np.arange(256, dtype=np.float32)
    for values, equal in ((gray, 256), (gray / 127.5 - 1, 2)):
        half = keras.ops.cast(keras.ops.cast(values, "bfloat16"), "float32")
        assert (keras.ops.convert_to_numpy(half) == values).sum() == equal


def test_logits_and_scaling_stay_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build.build_network("resnet-32", 32, seed=0)
    finally:
        keras.config.set_dtype_policy(before)
    assert build.feature_layer(model).output.dtype == "bfloat16"
    assert keras.backend.standardize_dtype(model(pixels(32)).dtype) == "float32"
    assert {each.dtype for each in model.weights} == {"float32"}
    # 200.25 / 127.5 - 1, which bfloat16 would round to 0.5703.
    assert scaled(model, [200.25]) == pytest.approx([0.5705882], abs=1e-6)
    # Half precision moves the logits, but not far.
    exact = logits_of(smallest("resnet-32"), pixels(32))
    np.testing.assert_allclose(logits_of(model, pixels(32)), exact, atol=0.05 * np.ptp(exact))


# -- ResNet-32 --


def test_resnet_32_has_32_layers_with_kernels_and_no_bias_before_normalization():
    kernels = [layer for layer in smallest("resnet-32").layers if hasattr(layer, "kernel")]
    assert len(kernels) == 32
    assert [layer.name for layer in kernels if layer.use_bias] == ["logits"]


def test_resnet_32_halves_its_maps_where_he_et_al_do():
    model = build.build_network("resnet-32", 224, seed=0)
    for name, shape in (
        ("stem_relu", (112, 112, 16)),
        ("stage1_block5_relu", (56, 56, 16)),
        ("stage2_block5_relu", (28, 28, 32)),
        ("stage3_block5_relu", (14, 14, 64)),
    ):
        assert model.get_layer(name).output.shape == (None, *shape)


def test_the_shortcut_keeps_every_second_pixel_and_adds_channels_of_zeros():
    image = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1) + 1
    image = np.concatenate([image, -image], axis=-1)
    received = ops.convert_to_numpy(IdentityShortcut()(image))
    assert received.shape == (1, 2, 2, 4)
    assert received[0, :, :, 1].tolist() == [[1, 3], [7, 9]]
    assert received[0, :, :, 2].tolist() == [[-1, -3], [-7, -9]]
    assert not received[..., [0, 3]].any()


def test_weights_and_whole_models_survive_a_file(tmp_path):
    model, images = smallest("resnet-32"), pixels(32)
    model.save_weights(tmp_path / "one.weights.h5")
    other = build.build_network("resnet-32", 32, seed=9)
    assert not np.array_equal(logits_of(other, images), logits_of(model, images))
    other.load_weights(tmp_path / "one.weights.h5")
    np.testing.assert_array_equal(logits_of(other, images), logits_of(model, images))
    model.save(tmp_path / "one.keras")
    again = keras.saving.load_model(tmp_path / "one.keras")
    np.testing.assert_array_equal(logits_of(again, images), logits_of(model, images))


def test_batch_statistics_follow_within_tens_of_steps():
    model = build.build_network("mobilenet-v1", 32, seed=0)
    momenta = {
        layer.momentum for layer in model.layers if type(layer).__name__ == "BatchNormalization"
    }
    assert momenta == {0.9}
