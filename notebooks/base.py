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
# # Base training
#
# One network learns from NIH's labels alone, strategy (a) of Fig. 2 in {cite}`ho2020`. The other
# strategies start from it or are measured against it. The loss of an image with labels $y$ and
# logits $z$ is the cross-entropy of each of the 14 findings, averaged:
#
# $$ L = -\frac{1}{14} \sum_{c=1}^{14} y_c \log \sigma(z_c) + (1 - y_c) \log (1 - \sigma(z_c)) $$
#
# It is equation {eq}`eq-base` of {doc}`/strategies`.
#
# Run it alone, with any parameter of the next cell:
#
#     papermill notebooks/base.py build/base.ipynb -p network mobilenet-v1 -p epochs 5
#
# It costs a few minutes on two cores with preset `quick`; a run that was made before is only read.

# %% tags=["parameters", "hide-input"]
from typing import Optional  # papermill does not read `float | None`

preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there and can be decoded
network: str = "mobilenet-v1"  # a name in chestkd.networks.architectures
split: Optional[str] = None  # image-wise, to see what its leak adds; None: as the preset says
seed: int = 0  # draws the initial weights, the order of the images and the flips
epochs: Optional[int] = None  # None: as the preset says
batch_size: Optional[int] = None  # None: as the preset says
rate: Optional[float] = None  # learning rate for a batch of 128; None: as the preset says

# %% [markdown]
# ## The run

# %% tags=["hide-input"]
from chestkd.pages.parameters import check_parameters
from chestkd.pages.run import open_page

page = open_page("base", check_parameters())
page.facts()

# %% tags=["hide-input"]
page.curves(". The epoch with the highest validation AUC is kept.")

# %% [markdown]
# ## On the test images
#
# The area under the ROC curve of each finding, exact, with a 95 % interval from a bootstrap over
# patients. Unless the split is image-wise, the network never saw these patients, and nothing was
# chosen by them.

# %% tags=["hide-input"]
page.aucs()

# %% tags=["hide-input"]
page.intervals()
