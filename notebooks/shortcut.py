# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A planted shortcut, and who sees it
#
# A saliency map cannot be right or wrong where nobody knows what the network looks at. Here it is
# known. On a PHANTOM, a tube that is no part of the finding accompanies it in AP views, as drains
# accompany what they drain. A network that is trained on these images can read the tube instead of
# the lung. A second network is trained on the same images without any tube. If maps are worth
# anything, those of the first network lie on the tube, and those of the second do not.
#
#     papermill notebooks/shortcut.py build/shortcut.ipynb -p finding Infiltration -p epochs 12
#
# It draws its radiographs and trains two small networks. About a minute on two cores.

# %% tags=["parameters", "hide-input"]
finding: str = "Effusion"  # the finding that the tube accompanies
images: int = 600  # training radiographs, half of them with the finding
test_images: int = 120  # test radiographs of other patients, half of them with the finding
size: int = 64  # side of the radiographs, in pixels
network: str = "resnet-32"  # the network that is trained twice
epochs: int = 8  # of each training
severity: float = 0.5  # mean severity of the findings; subtle ones make the tube tempting
seed: int = 0  # draws patients, radiographs, weights and noise
methods: str = "gradient, guided-backpropagation, integrated-gradients, smoothgrad-integrated-gradients, cam"  # maps to measure
samples: int = 4  # noisy copies of an image, for SmoothGrad
baseline: float = 127.5  # gray level that integrated gradients start from: mid-gray; 0 is black
tolerance: float = 0.01  # completeness error at which such a map needs no more gradients
most_steps: int = 64  # the most gradients that such a map takes, all noisy copies together
drawn_method: str = "smoothgrad-integrated-gradients"  # the map in the pictures
shown: int = 3  # radiographs in each picture

# %% tags=["hide-input"]
from functools import partial

import numpy as np
from IPython.display import Markdown

from chestkd import workspace
from chestkd.evaluation.resamples import Resamples
from chestkd.findings import readable
from chestkd.networks.architectures import NETWORKS
from chestkd.pages import html, shortcut
from chestkd.pages.parameters import check_parameters, names
from chestkd.phantom import planted_tube
from chestkd.phantom.specification import PhantomSpecification
from chestkd.saliency.methods import METHODS, Settings, describe

check_parameters()
chosen_methods = names(methods, tuple(METHODS))
if drawn_method not in chosen_methods:
    raise ValueError(f"drawn_method must be one of methods, received {drawn_method!r}")
settings = Settings(
    baseline=baseline, tolerance=tolerance, most_steps=most_steps, samples=samples, seed=seed
)
specification = PhantomSpecification(
    images=40 * max(images, test_images),  # of which most are PA views or further visits
    size=size,
    seed=seed,
    severity_mean=severity,
    tempering=0.0,
    mimic_rate=0.0,
    false_negative_scale=0.0,
    false_positive_rate=0.0,
    shortcut=finding,
    shortcut_chance_with=1.0,
    shortcut_chance_without=0.02,
)
title = NETWORKS[network].title
source = f"PHANTOM · {title} · seed {seed} · {size} pixels · commit {workspace.short_commit()}"

# %% tags=["hide-input"]
training = planted_tube.choose_visits(specification, images, test=False)
testing = planted_tube.choose_visits(specification, test_images, test=True)
train = planted_tube.draw_radiographs(training, specification, both=False)
test = planted_tube.draw_radiographs(testing, specification, both=True)
models = {
    name: shortcut.train(pixels, train.present, finding, network=network, epochs=epochs, seed=seed)
    for name, pixels in (("with tubes", train.images), ("without tubes", train.plain))
}
patients = Resamples.draw(test.patients, 1000).describe(test.present[:, None].astype(np.uint8))
source = f"{source} · {patients}"
print(
    f"{len(train.present)} training radiographs, {train.planted.sum()} of them with the tube; "
    f"{len(test.present)} test radiographs of {len(set(test.patients))} other patients"
)

# %% [markdown]
# ## What the two networks rely on
#
# Three areas under the ROC curve. The first is what a study would report that does not know of the
# tube, which accompanies the finding in the test images, too. The second is on the same images
# without any tube. The third asks only for the tube: images without the finding, each shown with and
# without it; 0.5 means that the network does not see the tube.

# %% tags=["hide-input"]
reliance = shortcut.reliance(models, test, finding)
html.table(
    reliance,
    name="shortcut-reliance",
    caption=f"AUC of {title} trained with and without planted tubes, for "
    f"{readable(finding)}, with 95 % intervals over patients.",
    source=source,
    formats=dict.fromkeys(("auc", "low", "high"), ".3f"),
)

# %% tags=["hide-input"]
seen = reliance.set_index(["network", "question"]).loc[("with tubes", "tube, finding absent")]
Markdown(
    "The network trained with tubes has learned the shortcut: it tells images with the tube from "
    "the same images without it."
    if seen["low"] > 0.5
    else "**The network trained with tubes has not learned the shortcut: the interval of its last "
    "AUC includes 0.5. What follows says nothing about the maps. More epochs or images would help.**"
)

# %% [markdown]
# ## Whether the maps say so
#
# Test radiographs without the finding, drawn with the tube: whatever the first network sees there
# is the shortcut. Which pixels are the tube's is known exactly: those that it changes. The share
# of a map's evidence on them is compared with their share of the area (noise would have a ratio of 1)
# and with the same map of the network that never met a tube. A hit: the map's maximum lies on the
# tube. The maps are not blurred, as the tube is a few pixels wide.

# %% tags=["hide-input"]
absent = ~test.present
tube_evidence = shortcut.tube_evidence(
    models,
    test.tubed[absent],
    test.masks[absent],
    test.patients[absent],
    finding,
    chosen_methods,
    settings,
)
html.table(
    shortcut.summary(tube_evidence, "with tubes", "without tubes"),
    name="shortcut-evidence",
    caption=f"Evidence on the tube in {absent.sum()} radiographs without the finding, of networks "
    f"trained with and without tubes; the tube is {tube_evidence['area'].mean():.1%} of the area. 95 % "
    "intervals over patients. "
    + describe(settings, tube_evidence["error"], tube_evidence["steps"]),
    source=source,
)

# %% [markdown]
# CAM has one value for 16 x 16 pixels or more, too coarse for a thin tube; that it misses one is no
# surprise. A map that is brighter on the tube for both networks shows an edge, not what was learned.

# %% tags=["hide-input"]
gallery = partial(
    shortcut.gallery,
    models,
    test,
    finding=finding,
    method_name=drawn_method,
    settings=settings,
    source=source,
)
candidates = np.flatnonzero(absent)
sure = shortcut.logits(models["with tubes"], test.tubed[candidates], finding)
gallery(
    candidates[np.argsort(-sure)[:shown]],
    name="shortcut-maps",
    caption="PHANTOM radiographs without the finding, with a tube, to which the network trained "
    "with tubes gives the highest probability of the finding. The outline is the tube.",
)

# %% [markdown]
# And where the rule fails: of the same radiographs, those in which the least of the evidence of the
# first network's map lies on the tube.

# %% tags=["hide-input"]
fooled = tube_evidence[
    (tube_evidence["network"] == "with tubes")
    & (tube_evidence["method"] == METHODS[drawn_method].title)
]
gallery(
    candidates[fooled["share"].to_numpy().argsort()[:shown]],
    name="shortcut-missed",
    caption="PHANTOM radiographs without the finding, with a tube, on which the map has the least "
    "evidence.",
)
