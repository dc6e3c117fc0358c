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
# # Self-training
#
# A network learns from the labels and from an earlier, trained copy of itself, strategy (e) of
# Fig. 2 and equation (8) in {cite}`ho2020`. The loss is that of standard distillation; the paper
# prints (8) without the factor $T^2$, which the form `softmax-eq8` keeps to.
#
# The loss is equation {eq}`eq-distillation` of {doc}`/strategies`.
#
# Standard and reversed distillation of DenseNet-121 by DenseNet-121 are the same procedure. The
# paper prints three numbers for it, 0.8256, 0.8196 and 0.8021. Here they run from three seeds, and
# their spread is the noise between runs.
#
# Run it alone; a teacher that has not been trained yet is trained first:
#
#     papermill notebooks/self-training.py build/self-training.ipynb -p network mobilenet-v1 -p alpha 0.9 -p temperature 2
#
# It costs what base training costs; the paper counts both runs.

# %% tags=["parameters", "hide-input"]
from typing import Optional  # papermill does not read `float | None`

preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there and can be decoded
network: str = "mobilenet-v1"  # the network that is trained
alpha: Optional[float] = None  # weight of the teacher's term, 0 to 1; None: as the preset says
temperature: Optional[float] = None  # above 0; None: as the preset says
loss: Optional[str] = None  # a name in chestkd.distillation.formulas; None: as the preset says
seed: int = 0  # draws the initial weights, the order of the images and the flips
epochs: Optional[int] = None  # None: as the preset says
batch_size: Optional[int] = None  # None: as the preset says
rate: Optional[float] = None  # learning rate for a batch of 128; None: as the preset says

# %% [markdown]
# ## The run

# %% tags=["hide-input"]
from chestkd.pages.parameters import check_parameters
from chestkd.pages.run import open_page

page = open_page("self-training", check_parameters())
page.facts()

# %% tags=["hide-input"]
page.curves(", and the same network without a teacher. The losses differ in what they measure.")

# %% [markdown]
# ## On the test images
#
# The difference from base training is paired: both are scored on the same resamples of patients.

# %% tags=["hide-input"]
page.against()

# %% tags=["hide-input"]
page.aucs()

# %% tags=["hide-input"]
page.intervals()
