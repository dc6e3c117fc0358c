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
# # Figure 4: three saliency maps of four findings
#
# Figure 4 of {cite}`ho2020` shows a radiograph and three maps for Effusion, Fibrosis, Hernia and
# Nodule: guided backpropagation {cite}`springenberg2014`, SmoothGrad {cite}`smilkov2017` and
# SmoothGrad integrated gradients {cite}`sundararajan2017`. The paper does not say how its four
# images were chosen. Here a rule chooses them, and maps of the images on which the same network is
# wrong follow. Whether such maps can be trusted is the question of {doc}`saliency-trust`.
#
#     papermill notebooks/figure-4.py build/figure-4.ipynb -p preset quick -p findings "Edema, Mass"
#
# It trains nothing: it explains an existing base run. Under a minute on two cores with preset
# `quick`.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there
network: str = "inception-v3"  # the paper's; the study's best network if it has no run of this one
findings: str = "Effusion, Fibrosis, Hernia, Nodule"  # the rows
images: str = ""  # one image name for each finding; "": by the rule
methods: str = "guided-backpropagation, smoothgrad, smoothgrad-integrated-gradients"  # the columns
size: int = 0  # side of the images that are explained, in pixels; 0: as trained
samples: int = 16  # noisy copies of an image, for SmoothGrad
baseline: float = 127.5  # gray level that integrated gradients start from: mid-gray; 0 is black
tolerance: float = 0.01  # completeness error at which such a map needs no more gradients
most_steps: int = 256  # the most gradients that such a map takes, all noisy copies together
sigma: float = 0.15  # deviation of the noise, as a share of the image's range of gray levels
noise_seed: int = 0  # draws the noise
memory: float = 2.0  # GiB for the activations of one batch

# %% tags=["hide-input"]
from functools import partial

from IPython.display import Markdown, display

from chestkd.pages import figure_4
from chestkd.pages.parameters import check_parameters, images_by_finding, names
from chestkd.saliency.methods import METHODS, Settings
from chestkd.study.explained_network import (
    explained_network,
    least_confident,
    most_confident,
    row_of,
)
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
chosen_findings = names(findings)
given = images_by_finding(images, chosen_findings)
explained = explained_network(study, network, size=size)
gallery = partial(
    figure_4.gallery,
    explained,
    study.prepared.dataset,
    methods=names(methods, tuple(METHODS)),
    settings=Settings(
        baseline=baseline,
        tolerance=tolerance,
        most_steps=most_steps,
        samples=samples,
        sigma=sigma,
        seed=noise_seed,
    ),
    memory=int(memory * 2**30),
    source=study.caption(runs=1),
)
if explained.note:
    display(Markdown(explained.note))

# %% [markdown]
# ## Where the network is most sure
#
# The rule: of the test images that are labeled with the finding, the one with the highest predicted
# probability. The first column is the radiograph. A map shows the size of its values, not their
# sign. The buttons switch all panels between radiograph, map, and map over radiograph.

# %% tags=["hide-input"]
rows = {finding: row_of(study, image) for finding, image in given.items()} or {
    finding: most_confident(explained, finding) for finding in chosen_findings
}
gallery(
    rows,
    name="figure-4",
    caption=f"Maps of {explained.title} on "
    + ("the images asked for." if given else "its most confident right answers."),
)

# %% [markdown]
# ## Where it is wrong
#
# The same maps of the same network on two kinds of errors. First the test image to which it gives
# the highest probability although it is not labeled with the finding. The map shows something all
# the same.

# %% tags=["hide-input"]
gallery(
    {finding: most_confident(explained, finding, present=False) for finding in chosen_findings},
    name="figure-4-false-alarms",
    caption=f"The most confident false alarms of {explained.title}.",
)

# %% [markdown]
# Then the test image to which it gives the lowest probability although it is labeled with the
# finding.

# %% tags=["hide-input"]
gallery(
    {finding: least_confident(explained, finding) for finding in chosen_findings},
    name="figure-4-missed",
    caption=f"Labeled findings to which {explained.title} gives the lowest probability.",
)
