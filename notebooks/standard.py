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
# # Standard distillation
#
# A student learns from the labels and from the outputs of a stronger, trained teacher
# {cite}`hinton2015`, strategy (b) of Fig. 2 in {cite}`ho2020`. Equation (5) there is written for one
# softmax over exclusive classes; 14 findings are not exclusive, so its generalization is used: with
# $p = \sigma(t / T)$ of the teacher's logits $t$ and $q = \sigma(s / T)$ of the student's,
#
# $$ L = (1 - \alpha) \, \mathrm{BCE}(y, \sigma(s)) + \alpha T^2 \frac{1}{14} \sum_{c=1}^{14}
# p_c \log \frac{p_c}{q_c} + (1 - p_c) \log \frac{1 - p_c}{1 - q_c} . $$
#
# The loss is equation {eq}`eq-distillation` of {doc}`/strategies`.
#
# The forms as printed, `softmax-eq5`, `softmax-eq7` and `softmax-eq8`, are reached by the
# parameter `loss`. The teacher speaks once: its outputs for every training image and its mirror are
# stored, so that an epoch costs what it costs without a teacher.
#
# Run it alone; a teacher that has not been trained yet is trained first:
#
#     papermill notebooks/standard.py build/standard.ipynb -p network mobilenet-v1 -p teacher densenet-121 -p alpha 0.9 -p temperature 2
#
# It costs what base training of the student costs, once the teacher is there.

# %% tags=["parameters", "hide-input"]
from typing import Optional  # papermill does not read `float | None`

preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there and can be decoded
network: str = "mobilenet-v1"  # the network that is trained
teacher: str = "densenet-121"  # the network whose base run teaches it
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

page = open_page("standard", check_parameters())
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
