"""Saliency maps by name: the pixels of a radiograph on which a network's logit depends. ::

    from chestkd.saliency.methods import Settings, compute

    maps = compute("smoothgrad", model, "Mass", images, Settings(samples=16))

`model` is built by `chestkd.networks.build`, images are (N, H, W) in pixel values 0 to 255, uint8
or float, maps are signed float32 (N, H, W). The models scale their input themselves, so every unit
is one of pixel values: a gradient is in logits per gray level; the noise of SmoothGrad and the
baseline of integrated gradients are gray levels. Positive means that more of it raises the logit of
the finding. Each method is a function of a `Logit` and images in a module of its own;
`chestkd.pages.map_panels` draws maps.

TensorFlow and JAX agree to rounding, except where rounding decides whether a ReLU passes: there
the gradient jumps, by up to a third of its maximum. It happens at a few points in a hundred of a
path, so that integrated gradients differ by up to 1 % of theirs. With
`Settings(precision="float64")` both decide alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import keras
import numpy as np

from chestkd.saliency.cam import class_activation_map
from chestkd.saliency.copies import double_precision
from chestkd.saliency.grad_cam import grad_cam, grad_cam_plus_plus, score_cam
from chestkd.saliency.gradient import gradient
from chestkd.saliency.guided_backpropagation import guided_backpropagation
from chestkd.saliency.integrated_gradients import (
    MID_GRAY,
    MOST_STEPS,
    TOLERANCE,
    Integrated,
    integrated_gradients,
)
from chestkd.saliency.logit import DEFAULT_MEMORY, Logit
from chestkd.saliency.smoothgrad import smoothgrad, smoothgrad_integrated_gradients


@dataclass(frozen=True)
class Settings:
    """Everything but model, finding and images that changes a map."""

    #: Gray level that integrated gradients start from; 0 is a black radiograph.
    baseline: float = MID_GRAY
    #: Completeness error at which a map of integrated gradients is good enough.
    tolerance: float = TOLERANCE
    #: Gradients that go into such a map at most, all noisy copies together.
    most_steps: int = MOST_STEPS
    #: Noisy copies of an image.
    samples: int = 25
    #: Standard deviation of the noise, as a share of the image's range of gray levels.
    sigma: float = 0.15
    #: Seeds the noise.
    seed: int = 0
    #: "float32", or "float64" to compute in double precision (`copies.double_precision`).
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.precision not in ("float32", "float64"):
            raise ValueError(f"precision must be float32 or float64, received {self.precision!r}")


@dataclass(frozen=True)
class Method:
    """A map as tables and figures name it."""

    title: str
    #: Images (N, H, W) to maps (N, H, W) float32, with a record of the steps if it integrates.
    explain: Callable[[Logit, np.ndarray, Settings], np.ndarray | Integrated]
    #: What in a signed map counts as evidence of the finding (`localization.evidence`): "absolute",
    #: because the gradient at a bright lesion may have either sign; "relative" for CAM, where the
    #: bias of the finding offsets any added constant, so that the map of a rare finding may be
    #: negative everywhere; "positive" for Grad-CAM and its kin, which end in a ReLU.
    evidence: str
    #: The backend that it is limited to, or None.
    backend: str | None = None


def compute(
    name: str,
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    settings: Settings | None = None,
    *,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> np.ndarray:
    """Maps (N, H, W) float32 by the name of a method; `memory` and `progress` as in `Logit`.

    Raises ValueError, listing the names, for any other name.
    """
    settings = settings or Settings()
    return explain(name, model, finding, images, settings, memory=memory, progress=progress)[0]


def explain(
    name: str,
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    settings: Settings,
    *,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The maps of `compute`, and their `errors` and `steps` (N,) as in `Integrated`.

    Errors and steps are NaN for methods that do not integrate.
    """
    function = method(name).explain
    if settings.precision == "float32":
        found = function(Logit(model, finding, memory, progress), images, settings)
    else:
        with double_precision(model) as double:
            found = function(Logit(double, finding, memory, progress), images, settings)
    if isinstance(found, Integrated):
        return found.maps, found.errors, found.steps
    nothing = np.full(len(found), np.nan)
    return found, nothing, nothing


def describe(settings: Settings, errors: Sequence[float], steps: Sequence[float]) -> str:
    """A sentence for a figure's caption on how its maps were integrated; "" if none were.

    `errors` and `steps` are (N,), as `explain` returns them, for all maps of the figure.
    """
    both = np.array([errors, steps], float)
    error, taken = both[:, ~np.isnan(both[0])]
    if not len(error):
        return ""
    level = {0.0: "black", MID_GRAY: "mid-gray", 255.0: "white"}.get(float(settings.baseline))
    baseline = f"gray level {settings.baseline:g}" + (f" ({level})" if level else "")
    text = (
        f"Integrated gradients start from {baseline} and take {_range(taken)} gradients a map; "
        f"completeness error: median {np.median(error):.1%}, largest {error.max():.1%}"
    )
    incomplete = int((error > settings.tolerance).sum())
    if incomplete:
        text += (
            f"; {incomplete} of {len(error)} maps reach the limit of {settings.most_steps} "
            f"gradients above {settings.tolerance:.1%}"
        )
    return text + "."


def _range(steps: np.ndarray) -> str:
    low, high = steps.min(), steps.max()
    return f"{low:.0f}" + (f" to {high:.0f} (median {np.median(steps):.0f})" if low < high else "")


def method(name: str) -> Method:
    """The method of that name. Raises ValueError, listing the names, for any other."""
    if name not in METHODS:
        raise ValueError(f"unknown saliency method {name!r}; allowed: {', '.join(METHODS)}")
    return METHODS[name]


def _plain(
    function: Callable[[Logit, np.ndarray], np.ndarray],
) -> Callable[[Logit, np.ndarray, Settings], np.ndarray]:
    """A method that has no settings."""
    return lambda logit, images, settings: function(logit, images)


def _integrated(logit: Logit, images: np.ndarray, settings: Settings) -> Integrated:
    return integrated_gradients(logit, images, **_path(settings))


def _smoothgrad(logit: Logit, images: np.ndarray, settings: Settings) -> np.ndarray:
    return smoothgrad(logit, images, **_noise(settings))


def _smoothgrad_integrated(logit: Logit, images: np.ndarray, settings: Settings) -> Integrated:
    return smoothgrad_integrated_gradients(logit, images, **_path(settings), **_noise(settings))


def _path(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("baseline", "tolerance", "most_steps")}


def _noise(settings: Settings) -> dict[str, Any]:
    generator = np.random.default_rng(settings.seed)
    return {"generator": generator, "samples": settings.samples, "sigma": settings.sigma}


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "gradient": Method("Gradient", _plain(gradient), "absolute"),
        "guided-backpropagation": Method(
            "Guided backpropagation", _plain(guided_backpropagation), "absolute"
        ),
        "integrated-gradients": Method("Integrated gradients", _integrated, "absolute"),
        "smoothgrad": Method("SmoothGrad", _smoothgrad, "absolute"),
        "smoothgrad-integrated-gradients": Method(
            "SmoothGrad integrated gradients", _smoothgrad_integrated, "absolute"
        ),
        "cam": Method("CAM", _plain(class_activation_map), "relative"),
        "grad-cam": Method("Grad-CAM", _plain(grad_cam), "positive", "tensorflow"),
        "grad-cam++": Method("Grad-CAM++", _plain(grad_cam_plus_plus), "positive", "tensorflow"),
        "score-cam": Method("Score-CAM", _plain(score_cam), "positive", "tensorflow"),
    }
)
