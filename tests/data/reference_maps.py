"""Write reference_maps.npz: maps of networks that a seed builds alike on every backend.

    python tests/data/reference_maps.py

Written once on TensorFlow; the tests compare TensorFlow and JAX with it. Another backend draws
the same weights, so the file needs none.
"""

from pathlib import Path

import numpy as np

from chestkd import networks, saliency

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
SETTINGS = saliency.Settings(steps=24, samples=6, seed=3)


def images() -> np.ndarray:
    """Radiograph-like only in being smooth: (6, SIZE, SIZE) uint8."""
    random = np.random.default_rng(7)
    coarse = random.uniform(0, 256, (6, 5, 5))
    fine = saliency.cam.enlarge(coarse, (SIZE, SIZE)) + random.normal(0, 8, (6, SIZE, SIZE))
    return fine.clip(0, 255).astype(np.uint8)


def maps() -> dict[str, np.ndarray]:
    """Every map of every network on the backend that runs."""
    found = {}
    for network in NETWORKS:
        model = networks.build(network, SIZE, seed=1)
        for name, count in {**ONE_PASS, **MANY_PASSES}.items():
            found[f"{network} {name}"] = saliency.compute(
                name, model, FINDING, images()[:count], SETTINGS
            )
    return found


if __name__ == "__main__":
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **maps())
