"""The cascade of random weights, and the two similarities it is judged by."""

import keras
import numpy as np
import pytest
from scipy.stats import spearmanr

from chestkd.networks import build
from chestkd.saliency import randomization
from chestkd.saliency.gradient import gradient
from chestkd.saliency.logit import Logit

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def pretended_training(model: keras.Model) -> keras.Model:
    """Other weights than any seed draws."""
    random = np.random.default_rng(11)
    model.set_weights(
        [w + 0.05 * random.standard_normal(w.shape) ** 2 for w in model.get_weights()]
    )
    return model


def test_the_cascade_randomizes_from_the_top_down():
    model = pretended_training(build.build_network("resnet-32", 32, seed=0))
    trained = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    names = list(trained)
    shares = []
    for name, share, mixed in randomization.cascade(model, np.random.default_rng(2), stages=5):
        lowest = names.index(name)
        shares.append(share)
        assert share == pytest.approx((len(names) - lowest) / len(names))
        for position, each in enumerate(names):
            now = mixed.get_layer(each).get_weights()
            same = all(map(np.array_equal, now, trained[each]))
            assert same == (position < lowest), each
    assert len(shares) == 5
    assert shares[0] == pytest.approx(1 / len(names))
    assert shares[-1] == 1
    for layer in model.layers:  # the trained network itself is as it was
        assert all(map(np.array_equal, layer.get_weights(), trained.get(layer.name, [])))
    with pytest.raises(ValueError, match="at least 2 stages, received 1"):
        next(randomization.cascade(model, np.random.default_rng(0), stages=1))


def test_random_weights_are_those_of_the_generator():
    model = pretended_training(build.build_network("resnet-32", 32, seed=0))
    *_, (_, _, mixed) = randomization.cascade(model, np.random.default_rng(6), stages=2)
    fresh = build.build_network("resnet-32", 32, seed=6)
    for one, two in zip(mixed.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_maps_of_a_randomized_network_differ():
    model = pretended_training(build.build_network("resnet-32", 32, seed=0))
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8)
    before = gradient(Logit(model, "Mass"), images)
    *_, (_, _, mixed) = randomization.cascade(model, np.random.default_rng(6), stages=2)
    after = gradient(Logit(mixed, "Mass"), images)
    assert (np.abs(randomization.rank_correlation(before, after)) < 0.3).all()
    np.testing.assert_array_equal(gradient(Logit(model, "Mass"), images), before)


def test_rank_correlation_by_hand_and_against_scipy():
    one = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    assert randomization.rank_correlation(one, one**3) == pytest.approx([1])
    assert randomization.rank_correlation(one, -one) == pytest.approx([-1])
    # Ranks 1 2 3 4 against 2 1 4 3: 1 - 6 * 4 / (4 * 15) = .6
    other = np.array([[[5.0, 0.0], [9.0, 7.0]]])
    assert randomization.rank_correlation(one, other) == pytest.approx([0.6])
    random = np.random.default_rng(0)
    maps, others = random.integers(0, 9, (2, 4, 6, 5)).astype(float)  # many ties
    expected = [
        spearmanr(*map(np.ravel, pair)).statistic for pair in zip(maps, others, strict=True)
    ]
    assert randomization.rank_correlation(maps, others) == pytest.approx(expected)


def test_structural_similarity():
    random = np.random.default_rng(0)
    maps = random.random((3, 20, 24))
    assert randomization.structural_similarity(maps, maps) == pytest.approx([1, 1, 1])
    assert randomization.structural_similarity(maps, 3 * maps + 5) == pytest.approx([1, 1, 1])
    blurred = maps + 0.1 * random.random(maps.shape)
    near = randomization.structural_similarity(maps, blurred)
    far = randomization.structural_similarity(maps, random.random(maps.shape))
    assert (near > 0.7).all()
    assert (np.abs(far) < 0.2).all()
    assert randomization.structural_similarity(maps, 1 - maps) == pytest.approx([-1] * 3, abs=0.3)


def test_structural_similarity_agrees_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    random = np.random.default_rng(1)
    maps, others = random.random((2, 4, 24, 30))
    maps[:, 0, 0], maps[:, -1, -1] = 0, 1  # already on the scale 0..1
    others[:, 0, 0], others[:, -1, -1] = 0, 1
    expected = [
        metrics.structural_similarity(
            one, two, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0
        )
        for one, two in zip(maps, others, strict=True)
    ]
    found = randomization.structural_similarity(maps, others)
    assert found == pytest.approx(expected, abs=1e-6)


def test_constant_maps_have_no_similarity_and_broken_ones_are_refused():
    maps = np.random.default_rng(0).random((2, 12, 12))
    flat = maps.copy()
    flat[1] = 3
    for similarity in (randomization.rank_correlation, randomization.structural_similarity):
        found = similarity(maps, flat)
        assert found[0] == pytest.approx(1)
        assert np.isnan(found[1])
        with pytest.raises(ValueError, match=r"\(2, 12, 12\) and \(1, 12, 12\)"):
            similarity(maps, maps[:1])
        with pytest.raises(ValueError, match="must be finite"):
            similarity(maps, maps * np.nan)
    with pytest.raises(ValueError, match="more than 10 pixels"):
        randomization.structural_similarity(maps[:, :10], maps[:, :10])
