"""How many saliency maps a second, beside PAIR's `saliency` and tf-keras-vis on the same network?

    python benchmarks/saliency_maps.py --network mobilenet-v1 --size 64

Needs the TensorFlow backend; PAIR's and tf-keras-vis's columns stay empty where they are not
installed. PAIR's loops call the same compiled gradient function as ours, and its integrated
gradients take all steps in one batch, the most that it can do. All three explain the same images,
in alternating rounds after one that warms up; printed is the median. A few minutes on two cores.
"""

import argparse
import importlib.util
import statistics
import time
import warnings
from collections.abc import Callable

import keras
import numpy as np
import tqdm

from chestkd.findings import finding_index
from chestkd.networks import backend, build
from chestkd.saliency.logit import Logit, bytes_per_image
from chestkd.saliency.methods import METHODS, Settings, compute

FINDING = "Mass"
INDEX = finding_index(FINDING)
SIGMA = 0.15
LIBRARIES = ("ours", "PAIR", "tf-keras-vis")

# Makes the maps of all images (N, H, W), signed.
Explain = Callable[[np.ndarray], np.ndarray]


def ours(model: keras.Model, samples: int, steps: int, memory: int) -> dict[str, Explain]:
    """The library's own functions, by the title of the row."""
    # A tolerance of 0 takes all the gradients that PAIR takes.
    paths = {
        "gradient": 1,
        "smoothgrad": 1,
        "integrated-gradients": 1,
        "smoothgrad-integrated-gradients": samples,
    }
    return {
        METHODS[name].title: lambda images, name=name, count=count: compute(
            name,
            model,
            FINDING,
            images,
            Settings(tolerance=0.0, most_steps=count * steps, samples=samples, sigma=SIGMA),
            memory=memory,
        )
        for name, count in paths.items()
    }


def pair(model: keras.Model, samples: int, steps: int) -> dict[str, Explain]:
    """PAIR's classes, image by image as they are made."""
    from saliency import core

    def call(
        images: np.ndarray, call_model_args: object = None, expected_keys: object = None
    ) -> dict[str, np.ndarray]:
        gradients = backend.input_gradients(model, INDEX, images[..., None])[0]
        return {core.INPUT_OUTPUT_GRADIENTS: gradients[..., 0]}

    smooth = {"stdev_spread": SIGMA, "nsamples": samples, "magnitude": False}
    path = {"x_steps": steps, "batch_size": steps}
    gradient, integrated = core.GradientSaliency(), core.IntegratedGradients()

    def each(explain: Callable, **options: object) -> Explain:
        return lambda images: np.stack(
            [explain(image.astype(np.float32), call, **options) for image in images]
        )

    return {
        "Gradient": each(gradient.GetMask),
        "SmoothGrad": each(gradient.GetSmoothedMask, **smooth),
        "Integrated gradients": each(integrated.GetMask, **path),
        "SmoothGrad integrated gradients": each(integrated.GetSmoothedMask, **smooth, **path),
    }


def tf_keras_vis(model: keras.Model, samples: int) -> dict[str, Explain]:
    """tf-keras-vis takes all images at once; it has no integrated gradients."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from tf_keras_vis.saliency import Saliency

    explain = Saliency(model)

    def maps(images: np.ndarray, **options: object) -> np.ndarray:
        found = explain(
            lambda logits: logits[:, INDEX],
            images[..., None].astype(np.float32),
            gradient_modifier=None,
            normalize_map=False,
            keepdims=True,
            **options,
        )
        return found[..., 0]

    smooth = {"smooth_samples": samples, "smooth_noise": SIGMA}
    return {"Gradient": maps, "SmoothGrad": lambda images: maps(images, **smooth)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="mobilenet-v1", choices=build.NETWORKS)
    parser.add_argument("--size", type=int, default=64, help="pixels (default 64)")
    parser.add_argument("--images", type=int, default=8, help="explained at once (default 8)")
    parser.add_argument("--samples", type=int, default=25, help="noisy copies (default 25)")
    parser.add_argument("--steps", type=int, default=25, help="on each path (default 25)")
    parser.add_argument("--memory", type=float, default=2.0, help="GiB (default 2)")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if backend.name() != "tensorflow":
        parser.error("the comparison needs KERAS_BACKEND=tensorflow")
    warnings.filterwarnings("ignore", message="(?s).*The structure of `inputs`")
    memory = int(arguments.memory * 2**30)
    model = build.build_network(arguments.network, arguments.size, seed=0)
    batch = Logit(model, FINDING, memory).batch_size
    images = np.random.default_rng(0).integers(
        0, 256, (arguments.images, arguments.size, arguments.size), np.uint8
    )
    found = {"ours": ours(model, arguments.samples, arguments.steps, memory)}
    if importlib.util.find_spec("saliency"):
        found["PAIR"] = pair(model, arguments.samples, arguments.steps)
    if importlib.util.find_spec("tf_keras_vis"):
        found["tf-keras-vis"] = tf_keras_vis(model, arguments.samples)
    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in tqdm.trange(arguments.rounds + 1, desc="rounds"):
        for title, methods in found.items():
            for method, explain in methods.items():
                start = time.perf_counter()
                maps = explain(images)
                seconds.setdefault((title, method), []).append(time.perf_counter() - start)
                assert maps.shape == images.shape
    print(
        f"{arguments.network} at {arguments.size} px, {len(images)} images, {arguments.samples} "
        f"samples, {arguments.steps} steps; batches of up to {batch} "
        f"({bytes_per_image(model) / 2**20:.0f} MiB an image); maps/s"
    )
    print(f"{'':34}{'ours':>10}{'PAIR':>10}{'tf-keras-vis':>14}{'faster than':>22}")
    for method in found["ours"]:
        speeds = {
            title: len(images) / statistics.median(seconds[title, method][1:])
            for title in LIBRARIES
            if (title, method) in seconds
        }
        cells = [f"{speeds[title]:.2f}" if title in speeds else "-" for title in LIBRARIES]
        ratios = [
            f"{title} {speeds['ours'] / speed:.1f}x"
            for title, speed in speeds.items()
            if title != "ours"
        ]
        print(f"{method:34}{cells[0]:>10}{cells[1]:>10}{cells[2]:>14}   {', '.join(ratios)}")


if __name__ == "__main__":
    main()
