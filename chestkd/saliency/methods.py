"""The maps by name, as notebooks and tables ask for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import keras
import numpy as np

from chestkd.saliency import cam, gradcam, gradients, smoothing
from chestkd.saliency.batching import DEFAULT_MEMORY
from chestkd.saliency.copies import double_precision


@dataclass(frozen=True)
class Settings:
    """Everything beside model, finding and images that changes a map."""

    # Gray level that integrated gradients start from; 0 is a black radiograph, the paper's zero.
    baseline: float = 0.0
    # Gradients on the path from the baseline.
    steps: int = 25
    # Noisy copies of an image.
    samples: int = 25
    # Standard deviation of the noise, as a share of the image's range of gray levels.
    sigma: float = 0.15
    # Draws the noise.
    seed: int = 0
    # "float32", or "float64" to compute in double precision (`copies.double_precision`).
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.precision not in ("float32", "float64"):
            raise ValueError(f"precision must be float32 or float64, received {self.precision!r}")


@dataclass(frozen=True)
class Method:
    """A map as tables and figures name it."""

    title: str
    # (model, finding, images, settings, memory, progress) -> (N, H, W) float32
    maps: Callable[[keras.Model, str, np.ndarray, Settings, int, bool], np.ndarray]
    # What of a signed map speaks for the finding (`localization.evidence`): "absolute", because
    # the gradient at a bright lesion may have either sign; "relative" for CAM, to which any
    # constant can be added that the bias of the finding takes back, so that for a rare finding
    # it may be negative everywhere; "positive" for Grad-CAM and its kin, which end in a ReLU.
    evidence: str
    # The backend that it is limited to, or None.
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
    """Maps (N, H, W) float32 by the name of a method.

    Raises ValueError, listing the names, for any other name.
    """
    settings = settings or Settings()
    maps = method(name).maps
    if settings.precision == "float32":
        return maps(model, finding, images, settings, memory, progress)
    with double_precision(model) as exact:
        return maps(exact, finding, images, settings, memory, progress)


def method(name: str) -> Method:
    """The method of that name. Raises ValueError, listing the names, for any other."""
    if name not in METHODS:
        raise ValueError(f"unknown saliency method {name!r}; allowed: {', '.join(METHODS)}")
    return METHODS[name]


def _plain(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def maps(
        model: keras.Model,
        finding: str,
        images: np.ndarray,
        settings: Settings,
        memory: int,
        progress: bool,
    ) -> np.ndarray:
        return function(model, finding, images, memory=memory, progress=progress)

    return maps


def _integrated_gradients(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    settings: Settings,
    memory: int,
    progress: bool,
) -> np.ndarray:
    return gradients.integrated_gradients(
        model,
        finding,
        images,
        baseline=settings.baseline,
        steps=settings.steps,
        tolerance=None,
        memory=memory,
        progress=progress,
    ).maps


def _smoothgrad(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    settings: Settings,
    memory: int,
    progress: bool,
) -> np.ndarray:
    return smoothing.smoothgrad(
        model,
        finding,
        images,
        generator=np.random.default_rng(settings.seed),
        samples=settings.samples,
        sigma=settings.sigma,
        memory=memory,
        progress=progress,
    )


def _smoothgrad_integrated_gradients(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    settings: Settings,
    memory: int,
    progress: bool,
) -> np.ndarray:
    return smoothing.smoothgrad_integrated_gradients(
        model,
        finding,
        images,
        generator=np.random.default_rng(settings.seed),
        baseline=settings.baseline,
        steps=settings.steps,
        samples=settings.samples,
        sigma=settings.sigma,
        memory=memory,
        progress=progress,
    )


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "gradient": Method("Gradient", _plain(gradients.gradient), "absolute"),
        "guided-backpropagation": Method(
            "Guided backpropagation", _plain(gradients.guided_backpropagation), "absolute"
        ),
        "integrated-gradients": Method("Integrated gradients", _integrated_gradients, "absolute"),
        "smoothgrad": Method("SmoothGrad", _smoothgrad, "absolute"),
        "smoothgrad-integrated-gradients": Method(
            "SmoothGrad integrated gradients", _smoothgrad_integrated_gradients, "absolute"
        ),
        "cam": Method("CAM", _plain(cam.class_activation_map), "relative"),
        "grad-cam": Method("Grad-CAM", _plain(gradcam.grad_cam), "positive", "tensorflow"),
        "grad-cam++": Method(
            "Grad-CAM++", _plain(gradcam.grad_cam_plus_plus), "positive", "tensorflow"
        ),
        "score-cam": Method("Score-CAM", _plain(gradcam.score_cam), "positive", "tensorflow"),
    }
)
