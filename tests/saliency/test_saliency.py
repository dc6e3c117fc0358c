"""Saliency maps on networks small enough to work out by hand, and against three libraries."""

import dataclasses
import functools
import gc
import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from conftest import REPOSITORY

from chestkd.findings import FINDINGS, finding_index
from chestkd.networks import backend, build
from chestkd.saliency.cam import class_activation_map, class_activations, enlarge
from chestkd.saliency.copies import double_precision
from chestkd.saliency.grad_cam import grad_cam, grad_cam_plus_plus, score_cam
from chestkd.saliency.gradient import gradient
from chestkd.saliency.guided_backpropagation import (
    count_relus,
    guided_backpropagation,
    guided_model,
)
from chestkd.saliency.integrated_gradients import MID_GRAY, integrated_gradients
from chestkd.saliency.logit import Logit, bytes_per_image
from chestkd.saliency.methods import Settings, compute, describe, explain
from chestkd.saliency.smoothgrad import smoothgrad, smoothgrad_integrated_gradients

DATA = REPOSITORY / "tests" / "reference"
sys.path.insert(0, str(DATA))
import reference_maps  # noqa: E402

MASS = finding_index("Mass")
on_tensorflow = pytest.mark.skipif(
    backend.name() != "tensorflow", reason="tf-keras-vis needs the TensorFlow backend"
)
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def linear(height: int, width: int, seed: int = 0) -> tuple[keras.Model, np.ndarray]:
    """S(x) = w x + b for each finding; returns the model and w (height, width) of Mass."""
    model = keras.Sequential(
        [
            keras.Input((height, width, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(len(FINDINGS), name="logits"),
        ]
    )
    model = keras.Model(model.inputs[0], model.outputs[0], name="linear")
    random = np.random.default_rng(seed)
    weights = random.standard_normal((height * width, len(FINDINGS))).astype(np.float32)
    model.get_layer("logits").set_weights([weights, np.arange(14, dtype=np.float32)])
    return model, weights[:, MASS].reshape(height, width)


def two_relus(activation: str = "layer") -> keras.Model:
    """S(x) = relu(2 a) - relu(3 b) for the pixels a and b of an image (1, 2)."""
    image = keras.Input((1, 2, 1))
    flat = keras.layers.Flatten()(image)
    fused = "relu" if activation == "fused" else None
    hidden = keras.layers.Dense(2, use_bias=False, activation=fused, name="hidden")(flat)
    if activation == "layer":
        hidden = keras.layers.ReLU()(hidden)
    elif activation == "activation":
        hidden = keras.layers.Activation("relu")(hidden)
    elif activation == "six":
        hidden = keras.layers.ReLU(6.0)(hidden)
    elif activation == "six-activation":
        hidden = keras.layers.Activation("relu6")(hidden)
    logits = keras.layers.Dense(len(FINDINGS), use_bias=False, name="logits")(hidden)
    model = keras.Model(image, logits, name="two-relus")
    model.get_layer("hidden").set_weights([np.array([[2, 0], [0, 3]], np.float32)])
    last = np.zeros((2, len(FINDINGS)), np.float32)
    last[:, MASS] = 1, -1
    model.get_layer("logits").set_weights([last])
    return model


def small_network(activation: str = "relu") -> tuple[keras.Model, dict[str, np.ndarray]]:
    """The network of `captum_maps.py` with its weights, and that file's arrays."""
    with np.load(DATA / "captum_maps.npz", allow_pickle=False) as file:
        arrays = dict(file)
    image = keras.Input((17, 17, 1))
    maps = keras.layers.Rescaling(1 / 127.5, -1.0)(image)
    maps = keras.layers.Conv2D(6, 3, padding="same", activation=activation, name="first")(maps)
    maps = keras.layers.Conv2D(8, 3, strides=2, name="second")(maps)
    last = (
        keras.layers.ReLU if activation == "relu" else partial(keras.layers.Activation, activation)
    )
    maps = last(name="second_relu")(maps)
    pooled = keras.layers.GlobalAveragePooling2D(name="average")(maps)
    model = keras.Model(image, keras.layers.Dense(14, name="logits")(pooled), name="small")
    for name in ("first", "second", "logits"):
        model.get_layer(name).set_weights([arrays[f"{name}.weight"], arrays[f"{name}.bias"]])
    return model, arrays


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape).astype(np.uint8)


def logits_of(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict_on_batch(images[..., None].astype(np.float32)))[:, MASS]


def assert_agree(maps: np.ndarray, others: np.ndarray, relative: float = 1e-4) -> None:
    """Within `relative` of the map's maximum, as the project promises."""
    np.testing.assert_allclose(maps, others, rtol=0, atol=relative * np.abs(others).max())


# Worked out by hand


def test_the_gradient_of_a_linear_model_is_its_weights():
    model, weights = linear(3, 4)
    maps = gradient(Logit(model, "Mass"), noise(5, 3, 4))
    assert maps.shape == (5, 3, 4)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, np.broadcast_to(weights, maps.shape), rtol=1e-5)


def test_integrated_gradients_of_a_linear_model_are_weights_times_distance():
    model, weights = linear(3, 4)
    images = noise(2, 3, 4)
    found = integrated_gradients(Logit(model, "Mass"), images, baseline=10.0, most_steps=1)
    np.testing.assert_allclose(found.maps, weights * (images.astype(float) - 10), rtol=1e-4)
    assert (found.errors < 1e-5).all()
    assert (found.steps == 1).all()
    found = integrated_gradients(Logit(model, "Mass"), images)
    np.testing.assert_allclose(found.maps, weights * (images.astype(float) - 127.5), rtol=1e-4)


def one_pixel(curve: Callable[[Any], Any]) -> Logit:
    """S(x) = curve(x) of the only pixel."""
    image = keras.Input((1, 1, 1))
    logit = curve(keras.layers.Flatten()(image))
    return Logit(keras.Model(image, keras.layers.Concatenate(name="logits")([logit] * 14)), "Mass")


def test_integrated_gradients_of_a_square_by_hand():
    # S = x^2: the gradient 2 x rises evenly, so a single trapezoid is exact.
    logit = one_pixel(lambda x: keras.layers.Multiply()([x, x]))
    seven, three = np.full((1, 1, 1), 7.0), np.full((1, 1), 3.0)
    found = integrated_gradients(logit, seven, baseline=0.0, most_steps=1)
    np.testing.assert_allclose(found.maps, [[[49.0]]], rtol=1e-6)
    # From 3 to 7: 49 - 9 = 40.
    found = integrated_gradients(logit, seven, baseline=three, most_steps=1)
    np.testing.assert_allclose(found.maps, [[[40.0]]], rtol=1e-6)
    # From mid-gray: 49 - 127.5^2.
    found = integrated_gradients(logit, seven, most_steps=1)
    np.testing.assert_allclose(found.maps, [[[-16207.25]]], rtol=1e-6)


def test_integrated_gradients_of_a_cube_by_hand():
    # S = x^3 from 0 to 2, gradient 3 x^2. Of n trapezoids the sum is 8 + 4 / n^2.
    logit = one_pixel(lambda x: keras.layers.Multiply()([x, x, x]))
    two = np.full((1, 1, 1), 2.0)
    for steps, expected in ((1, 12.0), (2, 9.0), (4, 8.25), (8, 8.0625)):
        found = integrated_gradients(logit, two, baseline=0.0, tolerance=0.0, most_steps=steps)
        np.testing.assert_allclose(found.maps, [[[expected]]], rtol=1e-6)
        np.testing.assert_allclose(found.errors, [expected / 8 - 1], rtol=1e-5)
        assert found.steps.tolist() == [steps]
    # Of 16, the first number tried, the error is .00195: enough for 1 %.
    found = integrated_gradients(logit, two, baseline=0.0)
    np.testing.assert_allclose(found.errors, [4 / 16**2 / 8], rtol=1e-4)
    assert found.steps.tolist() == [16]


def test_steps_are_added_where_the_gradient_jumps():
    # S = relu(x - 2.125) from 0 to 8. Of 16 trapezoids only that from 2 to 2.5 is wrong: .25, not
    # .375. Halved once, both halves are right: .125 and .25.
    logit = one_pixel(lambda x: keras.layers.ReLU()(keras.layers.Rescaling(1.0, -2.125)(x)))
    eight = np.full((1, 1, 1), 8.0)
    found = integrated_gradients(logit, eight, baseline=0.0, most_steps=16)
    np.testing.assert_allclose(found.maps, [[[5.75]]], rtol=1e-6)
    np.testing.assert_allclose(found.errors, [0.125 / 5.875], rtol=1e-5)
    found = integrated_gradients(logit, eight, baseline=0.0)
    np.testing.assert_allclose(found.maps, [[[5.875]]], rtol=1e-6)
    assert found.steps.tolist() == [17]
    assert found.errors[0] < 1e-6


def test_of_two_jumps_the_one_with_the_larger_error_is_bracketed_first():
    # S = relu(x - 2.125) + 4 relu(x - 5.125), so at 8 it is 5.875 + 11.5; two trapezoids of 16 are
    # wrong, by .125 and .5, and one more gradient repairs the second.
    def curve(x: Any) -> Any:
        first = keras.layers.ReLU()(keras.layers.Rescaling(1.0, -2.125)(x))
        second = keras.layers.ReLU()(keras.layers.Rescaling(4.0, -20.5)(x))
        return keras.layers.Add()([first, second])

    logit, eight = one_pixel(curve), np.full((1, 1, 1), 8.0)
    for most, missing in ((16, 0.625), (17, 0.125), (18, 0.0)):
        found = integrated_gradients(logit, eight, baseline=0.0, tolerance=1e-4, most_steps=most)
        np.testing.assert_allclose(found.maps, [[[17.375 - missing]]], rtol=1e-6)
        np.testing.assert_allclose(found.errors, [missing / 17.375], atol=1e-6)
        assert found.steps.tolist() == [most]


@pytest.mark.parametrize("activation", ["layer", "activation", "fused", "six", "six-activation"])
def test_guided_backpropagation_by_hand(activation):
    model = two_relus(activation)
    images = np.array([[[1, 1]], [[0, 1]], [[1, 0]]], np.float32)
    # d/da = 2 where a > 0. d/db is -3 where b > 0, but -1 reaches its ReLU: guided stops it.
    np.testing.assert_allclose(
        gradient(Logit(model, "Mass"), images)[:, 0], [[2, -3], [0, -3], [2, 0]]
    )
    np.testing.assert_allclose(
        guided_backpropagation(Logit(model, "Mass"), images)[:, 0], [[2, 0], [0, 0], [2, 0]]
    )


def test_nothing_comes_back_through_a_relu_above_its_ceiling():
    # 2 a > 6 for a = 4.
    images = np.array([[[4, 0]], [[1, 0]]], np.float32)
    maps = guided_backpropagation(Logit(two_relus("six"), "Mass"), images)
    np.testing.assert_allclose(maps[:, 0], [[0, 0], [2, 0]])
    maps = guided_backpropagation(Logit(two_relus("layer"), "Mass"), images)
    np.testing.assert_allclose(maps[:, 0], [[2, 0], [2, 0]])


def test_guided_backpropagation_without_relu_is_the_gradient():
    model, _ = linear(3, 4)
    images = noise(2, 3, 4)
    maps = guided_backpropagation(Logit(model, "Mass"), images, least_relus=0)
    np.testing.assert_array_equal(maps, gradient(Logit(model, "Mass"), images))
    with pytest.raises(ValueError, match=r"linear has 0 ReLUs, fewer than the 1"):
        guided_backpropagation(Logit(model, "Mass"), images)


def test_guided_backpropagation_leaves_the_model_alone():
    model, _ = small_network()
    images = noise(2, 17, 17)
    before = gradient(Logit(model, "Mass"), images)
    weights, nodes = model.get_weights(), [len(layer._outbound_nodes) for layer in model.layers]
    activation = model.get_layer("first").activation
    maps = guided_backpropagation(Logit(model, "Mass"), images)
    assert not np.allclose(maps, before)
    assert model.get_layer("first").activation is activation
    assert [len(layer._outbound_nodes) for layer in model.layers] == nodes
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(gradient(Logit(model, "Mass"), images), before)


def test_maps_follow_the_weights_that_a_model_has_now():
    model, _ = small_network()
    images = noise(1, 17, 17)
    methods = ("gradient", "guided-backpropagation", "cam", "integrated-gradients")
    before = [compute(name, model, "Mass", images) for name in methods]
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([2 * kernel, bias])
    for name, old in zip(methods, before, strict=True):
        np.testing.assert_allclose(
            compute(name, model, "Mass", images), 2 * old, rtol=1e-4, atol=1e-7
        )


def test_hidden_relus_are_refused():
    image = keras.Input((4, 4, 1))
    inner = keras.Model(image, keras.layers.ReLU()(image), name="inner")
    outer = keras.layers.Flatten()(inner(keras.layers.Rescaling(1.0)(image)))
    nested = keras.Model(image, keras.layers.Dense(14)(outer), name="nested")
    with pytest.raises(ValueError, match=r"nested contains the model inner"):
        guided_model(nested)
    bare = keras.ops.relu(keras.layers.Flatten()(image))
    model = keras.Model(image, keras.layers.Dense(14)(bare), name="bare")
    with pytest.raises(ValueError, match=r"bare calls the operation relu.* outside of a layer"):
        guided_model(model)


def test_a_compiled_model_with_a_loss_of_its_own_can_be_copied():
    model, _ = small_network()
    images = noise(1, 17, 17)
    plain = guided_backpropagation(Logit(model, "Mass"), images)
    compiled, _ = small_network()
    compiled.compile("sgd", lambda labels, logits: keras.ops.mean(logits - labels))
    np.testing.assert_array_equal(guided_backpropagation(Logit(compiled, "Mass"), images), plain)


def test_a_leaky_relu_is_not_a_relu():
    image = keras.Input((2, 2, 1))
    maps = keras.layers.ReLU(negative_slope=0.1)(image)
    maps = keras.layers.LeakyReLU()(maps)
    maps = keras.layers.ReLU(max_value=6)(maps)
    model = keras.Model(image, keras.layers.Dense(14)(keras.layers.Flatten()(maps)))
    assert count_relus(model) == 1


# Integrated gradients


@pytest.mark.parametrize("baseline", [127.5, 0.0])
def test_integrated_gradients_add_up_and_say_how_well(baseline):
    model, _ = small_network()
    images = noise(6, 17, 17)
    found = integrated_gradients(Logit(model, "Mass"), images, baseline=baseline)
    difference = logits_of(model, images) - logits_of(model, np.full((1, 17, 17), baseline))
    errors = np.abs(found.maps.sum(axis=(1, 2), dtype=float) - difference)
    errors /= np.maximum(np.abs(difference), 0.1)
    np.testing.assert_allclose(found.errors, errors, atol=1e-4)
    assert (found.errors <= 0.01).all()
    assert found.steps.min() >= 16
    assert found.steps.max() < 256
    # A finer tolerance takes more.
    finer = integrated_gradients(Logit(model, "Mass"), images, baseline=baseline, tolerance=1e-3)
    assert (finer.errors <= 1e-3).all()
    assert (finer.steps >= found.steps).all()
    assert finer.steps.sum() > found.steps.sum()


def test_the_default_baseline_is_mid_gray_where_the_networks_input_is_zero():
    """On the scale of the paper, -1 to 1."""
    assert Settings().baseline == MID_GRAY == 127.5
    scaling = build.build_network("resnet-32", 32, seed=0).get_layer("scaling")
    assert np.asarray(scaling(np.full((1, 2, 2, 1), MID_GRAY, np.float32))).max() == 0
    model, _ = small_network()
    images = noise(2, 17, 17)
    for name in ("integrated-gradients", "smoothgrad-integrated-gradients"):
        maps = compute(name, model, "Mass", images)
        gray = compute(name, model, "Mass", images, Settings(baseline=127.5))
        np.testing.assert_array_equal(maps, gray)
        black = compute(name, model, "Mass", images, Settings(baseline=0.0))
        assert np.abs(maps - black).max() > 0.1 * np.abs(maps).max()


def test_steps_are_added_only_for_the_images_that_need_it():
    model, _ = small_network()
    gray = np.full((1, 17, 17), 100, np.uint8)
    images = np.concatenate([gray, noise(1, 17, 17)])
    found = integrated_gradients(
        Logit(model, "Mass"), images, baseline=100.0, tolerance=1e-4, most_steps=128
    )
    assert found.steps[0] == 16
    assert found.steps[1] > 16
    # The image that is its own baseline has nothing to explain: a map of zeros, error 0.
    assert not found.maps[0].any()
    assert found.errors[0] < 1e-5
    # The other one's map is as if it were alone.
    alone = integrated_gradients(
        Logit(model, "Mass"), images[1:], baseline=100.0, tolerance=1e-4, most_steps=128
    )
    assert_agree(found.maps[1:], alone.maps, relative=1e-5)
    assert found.steps[1] == alone.steps[0]


def test_a_tolerance_out_of_reach_ends_at_the_limit_and_returns_the_error():
    model, _ = small_network()
    images = noise(2, 17, 17)
    for limit in (1, 7, 30):
        found = integrated_gradients(Logit(model, "Mass"), images, tolerance=0.0, most_steps=limit)
        assert found.steps.tolist() == [limit, limit]
        assert (found.errors > 0).all()
    with pytest.raises(ValueError, match="received -1 and 8"):
        integrated_gradients(Logit(model, "Mass"), images, tolerance=-1, most_steps=8)
    with pytest.raises(ValueError, match=r"a step for each of 1 paths, received 0\.01 and 0"):
        integrated_gradients(Logit(model, "Mass"), images, most_steps=0)


def test_what_a_figure_says_of_its_integrated_gradients():
    model, _ = small_network()
    images = noise(3, 17, 17)
    settings = Settings(tolerance=0.0, most_steps=16, samples=2)
    maps, *plain = explain("gradient", model, "Mass", images, settings)
    assert np.isnan(plain).all()
    assert describe(settings, *plain) == ""
    np.testing.assert_array_equal(maps, compute("gradient", model, "Mass", images, settings))
    _, *one = explain("integrated-gradients", model, "Mass", images, settings)
    _, *other = explain("smoothgrad-integrated-gradients", model, "Mass", images[:1], settings)
    errors = np.concatenate([one[0], other[0]])
    assert describe(settings, *np.concatenate([plain, one, other], axis=1)) == (
        "Integrated gradients start from gray level 127.5 (mid-gray) and take 16 gradients a map; "
        f"completeness error: median {np.median(errors):.1%}, largest {errors.max():.1%}; 4 of 4 "
        "maps reach the limit of 16 gradients above 0.0%."
    )
    settings = Settings(baseline=0.0)
    text = describe(settings, *explain("integrated-gradients", model, "Mass", images, settings)[1:])
    assert text.startswith("Integrated gradients start from gray level 0 (black) and take ")
    assert "limit" not in text


# SmoothGrad


def test_smoothgrad_without_noise_is_its_base():
    model, _ = small_network()
    images = noise(3, 17, 17)
    random = np.random.default_rng(0)
    smooth = partial(smoothgrad, generator=random, samples=3, sigma=0.0)
    for base in (gradient, guided_backpropagation):
        assert_agree(
            smooth(Logit(model, "Mass"), images, base=base),
            base(Logit(model, "Mass"), images),
            relative=1e-6,
        )
    integrated = integrated_gradients(Logit(model, "Mass"), images)
    one = smoothgrad_integrated_gradients(
        Logit(model, "Mass"), images, generator=random, samples=1, sigma=0.0
    )
    assert_agree(one.maps, integrated.maps, relative=1e-6)
    np.testing.assert_array_equal(one.steps, integrated.steps)


def test_smoothgrad_integrated_gradients_add_up_to_the_average_of_the_copies():
    model, _ = small_network()
    images = noise(3, 17, 17)
    found = smoothgrad_integrated_gradients(
        Logit(model, "Mass"), images, generator=np.random.default_rng(3), samples=6, sigma=0.2
    )
    for image, maps, error, stream in zip(
        images, found.maps, found.errors, np.random.default_rng(3).spawn(3), strict=True
    ):
        drawn = np.stack([stream.standard_normal((17, 17), np.float32) for _ in range(6)])
        noisy = image + 0.2 * (float(image.max()) - float(image.min())) * drawn
        difference = logits_of(model, noisy).mean()
        difference -= logits_of(model, np.full((1, 17, 17), 127.5))[0]
        expected = abs(maps.sum(dtype=float) - difference) / max(abs(difference), 0.1)
        assert error == pytest.approx(expected, abs=1e-4)
        assert error <= 0.01


def test_smoothgrad_of_a_linear_model_is_its_gradient():
    model, weights = linear(3, 4)
    maps = smoothgrad(
        Logit(model, "Mass"),
        noise(2, 3, 4),
        generator=np.random.default_rng(0),
        samples=5,
        sigma=0.5,
    )
    np.testing.assert_allclose(maps, np.broadcast_to(weights, maps.shape), rtol=1e-5)


def test_smoothgrad_over_integrated_gradients_of_a_linear_model_by_hand():
    # E(x + g) = w (x + g), so the average is w (x + mean of the noise that was drawn).
    model, weights = linear(3, 4)
    images = noise(2, 3, 4).astype(np.float32)
    maps = smoothgrad_integrated_gradients(
        Logit(model, "Mass"),
        images,
        generator=np.random.default_rng(4),
        baseline=0.0,
        samples=3,
        most_steps=3,
        sigma=0.1,
    ).maps
    streams = np.random.default_rng(4).spawn(2)
    for image, found, stream in zip(images, maps, streams, strict=True):
        drawn = [stream.standard_normal((3, 4), np.float32) for _ in range(3)]
        mean = np.mean(drawn, axis=0) * 0.1 * (image.max() - image.min())
        np.testing.assert_allclose(found, weights * (image + mean), rtol=1e-3, atol=1e-3)


def test_noise_depends_on_the_seed_and_on_nothing_else():
    model, _ = small_network()
    images = noise(3, 17, 17)
    one = bytes_per_image(model)

    def smooth(images: np.ndarray, seed: int, memory: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        return smoothgrad(Logit(model, "Mass", memory), images, generator=random, samples=7)

    maps = smooth(images, 1, 64 * one)
    np.testing.assert_allclose(smooth(images, 1, one), maps, atol=1e-6 * np.abs(maps).max())
    alone = smooth(images[:1], 1, 64 * one)
    np.testing.assert_allclose(alone, maps[:1], atol=1e-6 * np.abs(maps).max())
    assert not np.allclose(smooth(images, 2, 64 * one), maps)


def test_a_constant_image_has_no_range_and_so_no_noise():
    model, _ = small_network()
    images = np.full((1, 17, 17), 90, np.uint8)
    smooth = smoothgrad(
        Logit(model, "Mass"), images, generator=np.random.default_rng(0), samples=4, sigma=0.5
    )
    assert_agree(smooth, gradient(Logit(model, "Mass"), images), relative=1e-6)
    with pytest.raises(ValueError, match=r"received 0 and 0\.15"):
        smoothgrad(Logit(model, "Mass"), images, generator=np.random.default_rng(0), samples=0)


# CAM


@pytest.mark.parametrize("name", ["resnet-32", "mobilenet-v1"])
def test_cam_plus_bias_is_the_logit(name):
    model = build.build_network(name, 64, seed=0)
    bias = np.arange(14, dtype=np.float32)
    kernel = model.get_layer("logits").get_weights()[0]
    model.get_layer("logits").set_weights([kernel, bias])
    images = noise(2, 64, 64)
    activations = class_activations(Logit(model, "Mass"), images)
    assert activations.shape == (2, 2, 2) if name == "mobilenet-v1" else (2, 4, 4)
    np.testing.assert_allclose(
        activations.mean(axis=(1, 2)) + bias[MASS], logits_of(model, images), rtol=1e-4
    )


def test_enlarging_by_hand():
    # From centers .25 and .75 to .125, .375, .625, .875: the outer two repeat the edge.
    small = np.array([[[0.0, 4.0]]])
    np.testing.assert_allclose(enlarge(small, (1, 4)), [[[0, 1, 3, 4]]])
    np.testing.assert_allclose(enlarge(np.full((1, 1, 1), 5.0), (3, 2)), np.full((1, 3, 2), 5.0))
    maps = np.random.default_rng(0).random((2, 7, 7))
    np.testing.assert_allclose(enlarge(maps, (7, 7)), maps, rtol=1e-6)


# What is refused


def test_images_that_a_network_cannot_take_are_refused():
    model, _ = small_network()
    with pytest.raises(ValueError, match=r"takes images \(N, 17, 17\); received \(2, 16, 16\)"):
        gradient(Logit(model, "Mass"), noise(2, 16, 16))
    with pytest.raises(ValueError, match=r"received \(2, 17, 17, 1\)"):
        gradient(Logit(model, "Mass"), noise(2, 17, 17, 1))
    with pytest.raises(ValueError, match="no images"):
        gradient(Logit(model, "Mass"), noise(0, 17, 17))
    broken = noise(3, 17, 17).astype(np.float32)
    broken[1, 4, 4] = np.nan
    with pytest.raises(ValueError, match="image 1 has pixels that are not finite"):
        integrated_gradients(Logit(model, "Mass"), broken)
    with pytest.raises(ValueError, match="unknown finding 'Fracture'"):
        gradient(Logit(model, "Fracture"), noise(2, 17, 17))
    with pytest.raises(ValueError, match="unknown saliency method 'lime'; allowed: gradient"):
        compute("lime", model, "Mass", noise(2, 17, 17))
    with pytest.raises(ValueError, match=r"at least 75 pixels a side, received 64"):
        build.build_network("inception-v3", 64, seed=0)


def test_weights_that_are_not_finite_are_an_error_and_not_a_map():
    model, _ = small_network()
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([np.full_like(kernel, np.nan), bias])
    for name in ("gradient", "smoothgrad", "integrated-gradients"):
        with pytest.raises(ValueError, match=r"small gives logits or gradients for Mass that"):
            compute(name, model, "Mass", noise(1, 17, 17))
    with pytest.raises(ValueError, match=r"small gives class activations for Mass that"):
        class_activation_map(Logit(model, "Mass"), noise(1, 17, 17))


def test_memory_becomes_a_batch_size():
    model, _ = small_network()
    # Numbers a layer gives: image and scaling 17 x 17, 17 x 17 x 6, 8 x 8 x 8 twice, 8, 14.
    numbers = 2 * 289 + 289 * 6 + 2 * 512 + 8 + 14
    one = 4 * 4 * numbers
    assert bytes_per_image(model) == one
    assert [Logit(model, "Mass", factor * one).batch_size for factor in (1, 2, 3, 4, 100)] == [
        1,
        2,
        2,
        4,
        64,
    ]
    with pytest.raises(ValueError, match=f"at 17 pixels needs about {one:,}"):
        _ = Logit(model, "Mass", one - 1).batch_size


def test_maps_do_not_depend_on_the_memory():
    model, _ = small_network()
    images = noise(5, 17, 17)
    one = bytes_per_image(model)
    for name in ("gradient", "guided-backpropagation", "integrated-gradients", "cam"):
        wide = compute(name, model, "Mass", images)
        assert_agree(compute(name, model, "Mass", images, memory=one), wide, 1e-5)


def test_compiled_functions_and_copies_go_with_their_model():
    model, _ = small_network()
    for name in ("gradient", "guided-backpropagation", "cam"):
        compute(name, model, "Mass", noise(1, 17, 17))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


# Other libraries


def test_captum_agrees():
    model, arrays = small_network()
    images, finding = arrays["images"], FINDINGS[4]
    np.testing.assert_allclose(
        np.asarray(model.predict_on_batch(images[..., None])), arrays["values"], rtol=1e-4
    )
    assert_agree(gradient(Logit(model, finding), images), arrays["gradient"])
    assert_agree(guided_backpropagation(Logit(model, finding), images), arrays["guided"])
    # Its path is from black, its rule Gauss-Legendre: our gradients at its 64 nodes.
    nodes, weights = np.polynomial.legendre.leggauss(64)
    along = [gradient(Logit(model, finding), (node + 1) / 2 * images) for node in nodes]
    at_its_nodes = np.tensordot(weights / 2, along, 1) * images
    assert_agree(at_its_nodes, arrays["integrated"])
    # Its map does not quite add up; ours, which does, differs by no more than that explains.
    found = integrated_gradients(
        Logit(model, finding), images, baseline=0.0, tolerance=1e-4, most_steps=1024
    )
    assert (found.errors <= 1e-4).all()
    largest = np.abs(arrays["integrated"]).max()
    assert np.abs(found.maps - arrays["integrated"]).max() < 0.05 * largest
    # Grad-CAM weighs by the mean gradient, CAM's weight over the 8 x 8 pixels of the map.
    activations = class_activations(Logit(model, finding), images)
    assert_agree(activations / 64, arrays["grad_cam"])


@on_tensorflow
def test_tf_keras_vis_agrees():
    grad_cam(Logit(small_network()[0], "Mass"), noise(1, 17, 17))  # imports it without warnings
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.model_modifiers import GuidedBackpropagation

    image = keras.Input((17, 17, 1))
    maps = keras.layers.Conv2D(6, 3, activation="relu")(image)
    maps = keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="top")(maps)
    pooled = keras.layers.GlobalAveragePooling2D(name="average")(maps)
    model = keras.Model([image], keras.layers.Dense(14, name="logits")(pooled))
    model.set_weights(
        [0.1 * np.random.default_rng(0).standard_normal(w.shape) for w in model.get_weights()]
    )
    images = noise(2, 17, 17).astype(np.float32) / 50

    def score(logits):
        return logits[:, MASS]

    signed = {"gradient_modifier": None, "normalize_map": False, "keepdims": True}
    theirs = Saliency(model)(score, images[..., None], **signed)[..., 0]
    assert_agree(gradient(Logit(model, "Mass"), images), theirs)
    # Every ReLU is fused here, the one guise in which it finds them all.
    theirs = Saliency(model, GuidedBackpropagation())(score, images[..., None], **signed)[..., 0]
    assert_agree(guided_backpropagation(Logit(model, "Mass"), images), theirs)
    # Grad-CAM in two ways: theirs through the gradient, ours by CAM's formula.
    by_cam = np.maximum(class_activations(Logit(model, "Mass"), images), 0) / 49
    assert_agree(grad_cam(Logit(model, "Mass"), images), enlarge(by_cam, (17, 17)))
    # Grad-CAM++ as it stands there has the factor exp(logit).
    theirs = GradcamPlusPlus(model)(
        score, images[..., None], penultimate_layer="top", expand_cam=False, normalize_cam=False
    )
    factor = np.exp(logits_of(model, images))[:, None, None]
    ours = grad_cam_plus_plus(Logit(model, "Mass"), images) * factor
    assert_agree(ours, enlarge(np.asarray(theirs), (17, 17)))


@on_tensorflow
def test_score_cam_by_its_definition():
    model, _ = small_network()
    images = noise(2, 17, 17)
    found = score_cam(Logit(model, "Mass"), images)
    features = keras.Model(model.inputs[0], model.get_layer("second_relu").output)
    maps = np.asarray(features.predict_on_batch(images[..., None]))  # (2, 8, 8, 8)
    for image, of_image, one in zip(images, maps, found, strict=True):
        total = np.zeros((8, 8))
        for channel in np.moveaxis(of_image, -1, 0):
            # tf-keras-vis enlarges the masks corner to corner.
            at = np.linspace(0, 7, 17)
            rows = np.array([np.interp(at, range(8), row) for row in channel])
            mask = np.array([np.interp(at, range(8), column) for column in rows.T]).T
            mask = (mask - mask.min()) / (np.ptp(mask) + 1e-7)
            logit = logits_of(model, (image * mask)[None])[0]
            total += channel / (1 + np.exp(-logit))
        assert_agree(one, enlarge(total[None], (17, 17))[0])


def test_without_tensorflow_its_methods_say_so(monkeypatch):
    monkeypatch.setattr(backend, "name", lambda: "jax")
    model, _ = small_network()
    for method in (grad_cam, grad_cam_plus_plus, score_cam):
        with pytest.raises(RuntimeError, match=r"needs TensorFlow; this is the jax backend"):
            method(Logit(model, "Mass"), noise(1, 17, 17))


@functools.cache
def maps_and_reference() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """This backend's maps, and those that TensorFlow made."""
    with np.load(DATA / "reference_maps.npz", allow_pickle=False) as expected:
        reference = dict(expected)
    maps = reference_maps.maps()
    assert set(maps) == set(reference)
    return maps, reference


def relative_differences(precision: str) -> np.ndarray:
    """The largest of each map, as a share of its maximum."""
    maps, reference = maps_and_reference()
    found = []
    for name in maps:
        if name.endswith(precision):
            difference = np.abs(maps[name] - reference[name]).max(axis=(1, 2))
            found += list(difference / np.abs(reference[name]).max(axis=(1, 2)))
    return np.array(found)


def test_backends_give_the_same_maps():
    """Computed in float64, where rounding decides no ReLU, all maps agree to rounding."""
    assert len(relative_differences("float64")) == 2 * (6 + 6 + 2 + 3 * 3)
    assert relative_differences("float64").max() < 1e-5


def test_backends_give_nearly_the_same_maps_in_float32():
    """One of thousands of ReLUs whose input rounds to the other side of zero changes the gradient.

    So four of five maps must agree to 1e-3 of their maximum, and all must be nearly equal.
    """
    assert np.mean(relative_differences("float32") < 1e-3) >= 0.8
    maps, reference = maps_and_reference()
    for name, found in maps.items():
        for one, two in zip(found, reference[name], strict=True):
            assert np.linalg.norm(one - two) < 0.05 * np.linalg.norm(two), name


def test_double_precision_reaches_every_layer():
    """Keras normalizes batches in float32 on JAX, and rescales by float32 on TensorFlow."""
    image = keras.Input((4, 4, 1))
    scaled = keras.layers.Rescaling(1 / 127.5, -1.1)(image)
    normal = keras.layers.BatchNormalization(name="normal")(scaled)
    model = keras.Model(image, keras.layers.Dense(14)(keras.layers.Flatten()(normal)))
    weights = [np.float32([each]) for each in (1.3, -0.7, 0.31, 0.077)]
    model.get_layer("normal").set_weights(weights)
    images = noise(2, 4, 4).astype(np.float32)[..., None]
    gamma, beta, mean, variance = (each.astype(float) for each in weights)
    expected = (images.astype(float) / 127.5 - 1.1 - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    with double_precision(model) as double:
        found = keras.Model(double.inputs[0], double.get_layer("normal").output)
        found = np.asarray(found.predict_on_batch(images))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_double_precision_is_the_same_network():
    model, _ = small_network()
    images = noise(2, 17, 17)
    for name in ("gradient", "guided-backpropagation", "cam", "smoothgrad-integrated-gradients"):
        settings = Settings(samples=2, most_steps=8)
        double = compute(
            name, model, "Mass", images, dataclasses.replace(settings, precision="float64")
        )
        assert double.dtype == np.float32
        assert_agree(double, compute(name, model, "Mass", images, settings), 1e-5)
    with double_precision(model) as double:
        assert {str(weight.dtype) for weight in double.weights} == {"float64"}
        before = gradient(Logit(double, "Mass"), images)
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([2 * kernel, bias])
    with double_precision(model) as double:
        assert_agree(gradient(Logit(double, "Mass"), images), 2 * before, 1e-6)
    assert {weight.dtype for weight in model.get_weights()} == {np.dtype("float32")}
    with pytest.raises(ValueError, match="must be float32 or float64, received 'float16'"):
        Settings(precision="float16")


def test_a_path_needs_a_step():
    (model, _), generator = linear(2, 2), np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"a step for each of 5 paths, received 0\.01 and 4"):
        smoothgrad_integrated_gradients(
            Logit(model, "Mass"),
            np.zeros((1, 2, 2)),
            generator=generator,
            samples=5,
            most_steps=4,
        )
