"""A network that learned a planted tube instead of the finding is caught by its maps."""

import keras
import numpy as np
import pytest
import shortcut
from sklearn.metrics import roc_auc_score

from chestkd import networks, saliency
from chestkd.data.phantom import PhantomSpecification
from chestkd.findings import FINDINGS
from chestkd.localization import evidence, pointing

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
FINDING = "Infiltration"
TRAINING = 750


def on_the_tube(model: keras.Model, name: str, images: np.ndarray, tube: np.ndarray) -> tuple:
    """Mean share of the evidence on the tube over its share of the area, and pointing."""
    maps = saliency.compute(name, model, FINDING, images, saliency.Settings(samples=8, steps=16))
    strength = evidence(maps, saliency.METHODS[name].evidence, blur=0)
    share = (strength * tube).sum(axis=(1, 2)) / strength.sum(axis=(1, 2))
    hits = [pointing(*pair) for pair in zip(strength, tube, strict=True)]
    return (share / tube.mean(axis=(1, 2))).mean(), np.mean(hits)


@pytest.mark.slow
def test_maps_light_up_the_planted_tube():
    specification = PhantomSpecification(
        images=4000,
        size=64,
        seed=2,
        shortcut=FINDING,
        shortcut_chance_with=1.0,
        shortcut_chance_without=0.02,
        false_negative_scale=0.0,
        false_positive_rate=0.0,
        mimic_rate=0.0,
        tempering=0.0,
    )
    images, present, tube = shortcut.draw_ap_images(specification, 950)
    model = networks.build("resnet-32", 64, seed=0)
    untrained = networks.build("resnet-32", 64, seed=0)
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    targets = np.repeat(present[:TRAINING, None], len(FINDINGS), axis=1).astype(np.float32)
    keras.utils.set_random_seed(0)  # the order of the images
    model.fit(images[:TRAINING, ..., None], targets, batch_size=16, epochs=14, verbose=0)
    index = FINDINGS.index(FINDING)
    logits = np.asarray(model.predict(images[TRAINING:, ..., None], verbose=0))[:, index]
    assert roc_auc_score(tube[TRAINING:].any(axis=(1, 2)), logits) > 0.75

    shown = TRAINING + np.flatnonzero(tube[TRAINING:].any(axis=(1, 2)))[:16]
    area = tube[shown].mean()
    for name in ("gradient", "integrated-gradients", "smoothgrad-integrated-gradients"):
        times_area, hits = on_the_tube(model, name, images[shown], tube[shown])
        before, _ = on_the_tube(untrained, name, images[shown], tube[shown])
        print(f"{name}: {times_area:.1f} times the area, untrained {before:.1f}; hits {hits:.2f}")
        assert times_area > 1.8
        assert times_area > 1.25 * before
        assert hits > 4 * area
