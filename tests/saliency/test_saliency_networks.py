"""Guided backpropagation on all the networks: does it reach every ReLU?"""

import functools

import keras
import numpy as np
import pytest

from chestkd.findings import FINDINGS
from chestkd.networks import backend, build
from chestkd.saliency.cam import class_activations
from chestkd.saliency.guided_backpropagation import count_relus, guided_model
from chestkd.saliency.logit import Logit

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# How many each network has, by how it is built.
RELUS = {
    "mobilenet-v1": 1 + 13 * 2,  # the stem; a depthwise and a pointwise one in 13 blocks
    "mobilenet-v2": 1 + 1 + 16 * 2 + 1,  # the first of 17 blocks does not expand; one at the end
    "vgg-19": 16,  # one in each convolution
    "resnet-32": 1 + 15 * 2,
    "resnet-50": 1 + 16 * 3,
    "resnet-152": 1 + 50 * 3,
    "densenet-121": 1 + 58 * 2 + 3 + 1,  # stem, 58 layers of two, 3 transitions, one at the end
    "inception-v3": 94,  # one after each of its convolutions
}
LARGE = ("resnet-50", "resnet-152", "densenet-121", "inception-v3", "vgg-19")
NETWORKS = [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in RELUS]


@functools.cache
def smallest(name: str) -> keras.Model:
    return build.build_network(name, build.NETWORKS[name].minimum_size, seed=0)


def pixels(model: keras.Model) -> np.ndarray:
    shape = (2, *model.input_shape[1:])
    return np.random.default_rng(3).integers(0, 256, shape).astype(np.float32)


def test_the_counts_are_of_every_network():
    assert set(RELUS) == set(build.NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_relu_is_found(name):
    assert count_relus(smallest(name)) == RELUS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_guided_copy_has_the_same_logits_and_no_plain_relu(name):
    model = smallest(name)
    copy = guided_model(model, least_relus=RELUS[name])
    images = pixels(model)
    np.testing.assert_allclose(
        np.asarray(copy.predict_on_batch(images)),
        np.asarray(model.predict_on_batch(images)),
        rtol=1e-4,
        atol=1e-4,
    )
    assert [type(layer).__name__ for layer in copy.layers if "ReLU" in type(layer).__name__] == [
        "GuidedReLU" for layer in model.layers if isinstance(layer, keras.layers.ReLU)
    ]
    plain = (keras.activations.relu, keras.activations.relu6)
    assert not [layer.name for layer in copy.layers if getattr(layer, "activation", 0) in plain]


@pytest.mark.parametrize("name", NETWORKS)
def test_cam_plus_bias_is_the_logit_on_every_network(name):
    model = smallest(name)
    images = pixels(model)[..., 0]
    activations = class_activations(Logit(model, FINDINGS[4]), images)
    logits = np.asarray(model.predict_on_batch(images[..., None]))[:, 4]
    bias = float(model.get_layer("logits").get_weights()[1][4])
    np.testing.assert_allclose(activations.mean(axis=(1, 2)) + bias, logits, rtol=1e-3, atol=1e-4)


@functools.cache
def register_guided_gradients() -> dict[str, str]:
    """For TensorFlow's own ReLU operations, whatever layer they come from."""
    import tensorflow as tf

    def positive(gradient, activated):
        return tf.where((gradient > 0) & activated, gradient, tf.zeros_like(gradient))

    @tf.RegisterGradient("TestGuidedRelu")
    def _(operation, gradient):
        return positive(gradient, operation.outputs[0] > 0)

    @tf.RegisterGradient("TestGuidedRelu6")
    def _(operation, gradient):
        return positive(gradient, (operation.outputs[0] > 0) & (operation.outputs[0] < 6))

    return {"Relu": "TestGuidedRelu", "Relu6": "TestGuidedRelu6"}


@pytest.mark.skipif(backend.name() != "tensorflow", reason="overrides TensorFlow's gradients")
@pytest.mark.parametrize("name", NETWORKS)
def test_guided_is_what_overriding_every_relu_operation_gives(name):
    """An independent way that knows nothing of layers."""
    import tensorflow as tf

    model = smallest(name)
    images = pixels(model)

    @tf.function
    def overridden(images):
        with tf.compat.v1.get_default_graph().gradient_override_map(register_guided_gradients()):
            logits = model(images, training=False)
        return tf.gradients(logits[:, 4], images)[0]

    expected = overridden(tf.constant(images)).numpy()
    maps = backend.input_gradients(guided_model(model), 4, images)[0]
    plain = backend.input_gradients(model, 4, images)[0]
    largest = np.abs(expected).max()
    assert largest > 0
    assert np.abs(maps - expected).max() < 1e-3 * largest
    assert np.abs(plain - expected).max() > 1e-2 * largest
