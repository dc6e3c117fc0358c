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
# # Defective distillation
#
# As standard distillation, but the teacher was stopped early, strategy (d) of Fig. 2 in
# {cite}`ho2020`. The paper stops it after 50 of 200 "iterations", read as epochs; here it is the
# teacher's own checkpoint a quarter of the way through its base run, so that no run is added.
#
# The loss is equation {eq}`eq-distillation` of {doc}`/strategies`.
#
# Run it alone; a teacher that has not been trained yet is trained first:
#
#     papermill notebooks/defective.py build/defective.ipynb -p network mobilenet-v1 -p teacher densenet-121 -p alpha 0.9 -p temperature 2
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

page = open_page("defective", check_parameters())
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
