"""Do our saliency maps agree with those of three other libraries on the same network?

    python benchmarks/saliency_agreement.py

A network of two convolutions with the same weights everywhere; three images of 17 x 17 pixels.
PAIR's `saliency` and tf-keras-vis run here; captum, which needs PyTorch, ran once
(`tests/reference/captum_maps.py`), and its maps are in the repository. Printed is the largest
difference of a pixel in any of the images, as a share of that library's largest value. Where a
library draws noise, it is given ours. Ten seconds on two cores.
"""

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from chestkd.findings import FINDINGS
from chestkd.networks import backend
from chestkd.saliency.cam import class_activations
from chestkd.saliency.gradient import gradient
from chestkd.saliency.guided_backpropagation import guided_backpropagation
from chestkd.saliency.logit import Logit
from chestkd.saliency.methods import METHODS, Settings, compute

FINDING = FINDINGS[4]
INDEX = 4
TOLERANCE = 1e-4
LIBRARIES = ("PAIR", "captum", "tf-keras-vis")
SAMPLES, SIGMA, SEED = 5, 0.2, 9
# A tolerance of 0 takes all steps: on a smooth network the maps are then right to rounding.
SETTINGS = Settings(
    baseline=0.0, tolerance=0.0, most_steps=2_048, samples=SAMPLES, sigma=SIGMA, seed=SEED
)
# Of PAIR's sum over evenly spaced points, whose error falls as their number rises; for one map,
# and for each noisy copy.
PAIR_STEPS, PAIR_STEPS_SMOOTH = 10_000, 5_000
CAPTUM_MAPS = Path(__file__).parents[1] / "tests" / "reference" / "captum_maps.npz"

# (method, library) -> the largest difference
Differences = dict[tuple[str, str], float]


def captum_arrays() -> dict[str, np.ndarray]:
    """Weights, images and maps that captum made."""
    with np.load(CAPTUM_MAPS, allow_pickle=False) as file:
        return dict(file)


def network(activation: str = "relu") -> keras.Model:
    """The network of captum's file, both activations fused, where tf-keras-vis finds them."""
    arrays = captum_arrays()
    image = keras.Input((17, 17, 1))
    maps = keras.layers.Rescaling(1 / 127.5, -1.0)(image)
    maps = keras.layers.Conv2D(6, 3, padding="same", activation=activation, name="first")(maps)
    maps = keras.layers.Conv2D(8, 3, strides=2, activation=activation, name="second")(maps)
    pooled = keras.layers.GlobalAveragePooling2D(name="average")(maps)
    model = keras.Model([image], keras.layers.Dense(14, name="logits")(pooled), name="small")
    for name in ("first", "second", "logits"):
        model.get_layer(name).set_weights([arrays[f"{name}.weight"], arrays[f"{name}.bias"]])
    return model


def against_captum() -> Differences:
    """Gradient, guided backpropagation, integrated gradients at its nodes, CAM as its Grad-CAM.

    Captum integrates by Gauss-Legendre with 64 nodes. With ReLUs the gradient jumps along the path,
    so that our rule would meet it only slowly: compared are our gradients, summed as it does.
    """
    arrays, model = captum_arrays(), network()
    images = arrays["images"]
    nodes, weights = np.polynomial.legendre.leggauss(64)
    along = [gradient(Logit(model, FINDING), (node + 1) / 2 * images) for node in nodes]
    integrated = np.tensordot(weights / 2, along, 1) * images
    # Grad-CAM weighs by the mean gradient, CAM's weight over the 8 x 8 pixels of the map.
    ours = {
        "gradient": (gradient(Logit(model, FINDING), images), "gradient"),
        "guided-backpropagation": (
            guided_backpropagation(Logit(model, FINDING), images),
            "guided",
        ),
        "integrated-gradients": (integrated, "integrated"),
        "cam": (class_activations(Logit(model, FINDING), images) / 64, "grad_cam"),
    }
    return {
        (name, "captum"): largest_difference(maps, arrays[theirs])
        for name, (maps, theirs) in ours.items()
    }


def against_pair() -> Differences:
    """Gradient, SmoothGrad, and integrated gradients with and without it.

    PAIR has its gradients from the caller, here from us: its row of the gradient compares ours
    with themselves, the others what is made of them. Path methods on the network with tanh: with
    ReLUs the gradient jumps along the path, and two rules of quadrature meet only slowly.
    """
    from saliency import core

    images = captum_arrays()["images"]
    relu, tanh = network(), network("tanh")
    gradient, integrated = core.GradientSaliency(), core.IntegratedGradients()
    path = {"batch_size": 1_000}
    smooth = {"stdev_spread": SIGMA, "nsamples": SAMPLES, "magnitude": False}

    def theirs(explain: Callable, model: keras.Model, **options: object) -> np.ndarray:
        with our_noise(len(images)):
            return np.stack([explain(image, _pair_call(model), **options) for image in images])

    ours = partial(compute, finding=FINDING, images=images)
    pairs = {
        "gradient": (ours("gradient", relu), theirs(gradient.GetMask, relu)),
        "smoothgrad": (
            ours("smoothgrad", relu, settings=SETTINGS),
            theirs(gradient.GetSmoothedMask, relu, **smooth),
        ),
        "integrated-gradients": (
            ours("integrated-gradients", tanh, settings=SETTINGS),
            theirs(integrated.GetMask, tanh, x_steps=PAIR_STEPS, **path),
        ),
        "smoothgrad-integrated-gradients": (
            ours("smoothgrad-integrated-gradients", tanh, settings=SETTINGS),
            theirs(integrated.GetSmoothedMask, tanh, x_steps=PAIR_STEPS_SMOOTH, **path, **smooth),
        ),
    }
    return {(name, "PAIR"): largest_difference(*pair) for name, pair in pairs.items()}


def against_tf_keras_vis() -> Differences:
    """Gradient, guided backpropagation, SmoothGrad; CAM as its Grad-CAM, which is not negative."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of SciPy's old module names
        from tf_keras_vis.gradcam import Gradcam
        from tf_keras_vis.saliency import Saliency
        from tf_keras_vis.utils.model_modifiers import GuidedBackpropagation

    model, images = network(), captum_arrays()["images"]
    signed = {"gradient_modifier": None, "normalize_map": False, "keepdims": True}

    def score(logits: np.ndarray) -> np.ndarray:
        return logits[:, INDEX]

    def theirs(explain: Callable, **options: object) -> np.ndarray:
        return np.asarray(explain(score, images[..., None], **options))[..., 0]

    ours = partial(compute, model=model, finding=FINDING, images=images)
    # It draws the noise of all images at once, sample by sample.
    with our_noise(len(images), together=True):
        smoothed = theirs(Saliency(model), smooth_samples=SAMPLES, smooth_noise=SIGMA, **signed)
    grad_cam = Gradcam(model)(
        score,
        images[..., None],
        penultimate_layer="second",
        seek_penultimate_conv_layer=False,
        expand_cam=False,
        normalize_cam=False,
    )
    pairs = {
        "gradient": (ours("gradient"), theirs(Saliency(model), **signed)),
        "guided-backpropagation": (
            ours("guided-backpropagation"),
            theirs(Saliency(model, GuidedBackpropagation()), **signed),
        ),
        "smoothgrad": (ours("smoothgrad", settings=SETTINGS), smoothed),
        "cam": (
            np.maximum(class_activations(Logit(model, FINDING), images), 0) / 64,
            np.asarray(grad_cam),
        ),
    }
    return {(name, "tf-keras-vis"): largest_difference(*pair) for name, pair in pairs.items()}


def largest_difference(maps: np.ndarray, others: np.ndarray) -> float:
    """Of any pixel, as a share of the other maps' largest value."""
    return float(np.abs(maps - others).max() / np.abs(others).max())


@contextmanager
def our_noise(images: int, *, together: bool = False) -> Iterator[None]:
    """NumPy's global normal numbers, which both libraries draw, replaced by what ours draws.

    Image by image, or for all images `together`, as (samples, images, ...).
    """
    streams = iter(np.random.default_rng(SEED).spawn(images))
    drawn: dict[str, Any] = {}

    def normal(_: float, deviation: object, shape: tuple[int, ...]) -> np.ndarray:
        if together:
            parts = [
                stream.standard_normal((shape[0], *shape[2:]), np.float32) for stream in streams
            ]
            return np.asarray(deviation) * np.stack(parts, axis=1)
        if drawn.setdefault("samples", SAMPLES) == SAMPLES:
            drawn["stream"], drawn["samples"] = next(streams), 0
        drawn["samples"] += 1
        return np.asarray(deviation) * drawn["stream"].standard_normal(shape, np.float32)

    before, np.random.normal = np.random.normal, normal
    try:
        yield
    finally:
        np.random.normal = before


def _pair_call(model: keras.Model) -> Callable:
    """What PAIR's library asks of a model."""

    def call(images: np.ndarray, call_model_args: object = None, expected_keys: object = None):
        gradients, logits = backend.input_gradients(model, INDEX, images[..., None])
        return {"INPUT_OUTPUT_GRADIENTS": gradients[..., 0], "OUTPUT_LAYER_VALUES": logits}

    return call


def differences() -> Differences:
    """Against every library that is here."""
    found = against_captum()
    if importlib.util.find_spec("saliency"):
        found |= against_pair()
    if backend.name() == "tensorflow" and importlib.util.find_spec("tf_keras_vis"):
        found |= against_tf_keras_vis()
    return found


def main() -> None:
    """Print the table."""
    found = differences()
    print(f"largest difference as a share of the map's maximum; {backend.name()}, float32")
    print(f"{'':36}" + "".join(f"{library:>14}" for library in LIBRARIES))
    for name in dict.fromkeys(name for name, _ in found):
        cells = [
            f"{found[name, library]:.1e}" if (name, library) in found else "-"
            for library in LIBRARIES
        ]
        print(f"{METHODS[name].title:36}" + "".join(f"{cell:>14}" for cell in cells))
    worst = max(found.values())
    verdict = "all agree" if worst < TOLERANCE else "THEY DO NOT AGREE"
    print(f"worst {worst:.1e}, {verdict} to {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
