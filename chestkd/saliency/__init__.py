"""Saliency maps: which pixels of a radiograph a network's answer for one finding rests on.

Every function takes a model as `chestkd.networks.build` builds it, the name of a finding, and
images (N, H, W) in pixel values 0 to 255, uint8 or float, and returns signed float32 maps (N, H,
W). The models scale their input themselves, so every unit is one of pixel values: a gradient is in
logits per gray level, the noise of SmoothGrad and the baseline of integrated gradients are gray
levels. Positive means: more of it raises the logit of the finding. Drawing is
`chestkd.pages.map_panels`.

TensorFlow and JAX agree to rounding, except where rounding decides whether a ReLU passes: there
the gradient jumps, by up to a third of its maximum. It happens at a few points in a hundred of a
path, so that integrated gradients differ by up to 1 % of theirs. `Settings(precision="float64")`,
or `double_precision` around the call, decides alike on both.

`memory` is a budget in bytes for the activations of one batch (`batching.batch_size`); it changes
the speed, not the maps. `progress` shows a bar on stderr.
"""

from chestkd.saliency.cam import class_activation_map, class_activations
from chestkd.saliency.copies import double_precision
from chestkd.saliency.gradcam import grad_cam, grad_cam_plus_plus, score_cam
from chestkd.saliency.gradients import (
    Integrated,
    gradient,
    guided_backpropagation,
    integrated_gradients,
)
from chestkd.saliency.methods import METHODS, Method, Settings, compute
from chestkd.saliency.smoothing import smoothgrad, smoothgrad_integrated_gradients

__all__ = [
    "METHODS",
    "Integrated",
    "Method",
    "Settings",
    "class_activation_map",
    "class_activations",
    "compute",
    "double_precision",
    "grad_cam",
    "grad_cam_plus_plus",
    "gradient",
    "guided_backpropagation",
    "integrated_gradients",
    "score_cam",
    "smoothgrad",
    "smoothgrad_integrated_gradients",
]
