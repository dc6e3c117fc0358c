"""Write reference_maps.npz: maps of networks that a seed builds alike on every backend.

    python tests/reference/reference_maps.py

Written once on TensorFlow; the tests compare TensorFlow and JAX with it. The seed gives the same
weights on every backend, so the file contains none.
"""

import dataclasses
from pathlib import Path

import keras
import numpy as np

from chestkd.networks import build
from chestkd.saliency.cam import enlarge
from chestkd.saliency.methods import Settings, compute

NETWORKS = ("resnet-32", "mobilenet-v1")
FINDING = "Mass"
SIZE = 32
# Path methods cost more and take the first images only.
ONE_PASS = {"gradient": 6, "guided-backpropagation": 6, "cam": 2}
MANY_PASSES = {
    "integrated-gradients": 3,
    "smoothgrad": 3,
    "smoothgrad-integrated-gradients": 3,
}
SETTINGS = Settings(most_steps=24, samples=6, seed=3)
DOUBLE = dataclasses.replace(SETTINGS, precision="float64")


def images() -> np.ndarray:
    """Smooth, as radiographs are: (6, SIZE, SIZE) uint8."""
    random = np.random.default_rng(7)
    coarse = random.uniform(0, 256, (6, 5, 5))
    fine = enlarge(coarse, (SIZE, SIZE)) + random.normal(0, 8, (6, SIZE, SIZE))
    return fine.clip(0, 255).astype(np.uint8)


def with_statistics(model: keras.Model) -> keras.Model:
    """The same network with batch statistics, scales and shifts as after a training."""
    random = np.random.default_rng(8)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights(
                [
                    random.uniform(0.5, 1.5, weight.shape)
                    if weight.min() > 0.9
                    else random.normal(0, 0.1, weight.shape)
                    for weight in layer.get_weights()
                ]
            )  # scale and variance are 1, shift and mean 0
    return model


def maps() -> dict[str, np.ndarray]:
    """Every map of every network on this backend, computed in float32 and in float64."""
    found = {}
    for network in NETWORKS:
        model = with_statistics(build.build_network(network, SIZE, seed=1))
        for name, count in {**ONE_PASS, **MANY_PASSES}.items():
            for settings in (SETTINGS, DOUBLE):
                found[f"{network} {name} {settings.precision}"] = compute(
                    name, model, FINDING, images()[:count], settings
                )
    return found


if __name__ == "__main__":
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **maps())
