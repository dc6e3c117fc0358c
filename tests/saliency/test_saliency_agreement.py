"""The table of agreement with three other libraries: every cell, to 1e-4 of the map's maximum."""

import numpy as np
import pytest
import saliency_agreement

from chestkd.networks import backend

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PATHS = {"integrated-gradients", "smoothgrad-integrated-gradients"}


def check(found: saliency_agreement.Differences, methods: set[str]) -> None:
    assert {name for name, _ in found} == methods
    assert max(found.values()) < saliency_agreement.TOLERANCE, found


def test_captum_agrees():
    check(
        saliency_agreement.against_captum(),
        {"gradient", "guided-backpropagation", "integrated-gradients", "cam"},
    )


def test_pair_agrees(monkeypatch):
    pytest.importorskip("saliency.core", reason="PAIR's saliency is not installed")
    monkeypatch.setattr(saliency_agreement, "PAIR_STEPS", 2_000)
    monkeypatch.setattr(saliency_agreement, "PAIR_STEPS_SMOOTH", 2_000)
    check(saliency_agreement.against_pair(), {"gradient", "smoothgrad", *PATHS})


@pytest.mark.skipif(backend.name() != "tensorflow", reason="tf-keras-vis needs TensorFlow")
def test_tf_keras_vis_agrees():
    check(
        saliency_agreement.against_tf_keras_vis(),
        {"gradient", "guided-backpropagation", "smoothgrad", "cam"},
    )


def test_a_wrong_map_would_be_seen(monkeypatch):
    right = saliency_agreement.gradient
    monkeypatch.setattr(saliency_agreement, "gradient", lambda *given: 1.001 * right(*given))
    found = saliency_agreement.against_captum()
    assert found["gradient", "captum"] > saliency_agreement.TOLERANCE


def test_the_noise_given_to_others_is_ours():
    before = vars(np.random)["normal"]
    streams = np.random.default_rng(saliency_agreement.SEED).spawn(2)
    expected = [
        [stream.standard_normal((2, 3), np.float32) for _ in range(saliency_agreement.SAMPLES)]
        for stream in streams
    ]
    with saliency_agreement.our_noise(2):
        normal = vars(np.random)["normal"]
        drawn = [
            [normal(0, 2.0, (2, 3)) for _ in range(saliency_agreement.SAMPLES)] for _ in range(2)
        ]
    np.testing.assert_array_equal(drawn, 2 * np.array(expected))
    with saliency_agreement.our_noise(2, together=True):
        drawn = vars(np.random)["normal"](0, 2.0, (saliency_agreement.SAMPLES, 2, 2, 3))
    np.testing.assert_array_equal(drawn, 2 * np.swapaxes(expected, 0, 1))
    assert vars(np.random)["normal"] is before
