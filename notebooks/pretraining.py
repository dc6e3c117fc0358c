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
# # Pre-training
#
# The networks of {cite}`ho2020` start from weights that were trained on ImageNet, all but ResNet-32.
# Here they start from weights that were trained on another phantom: drawn from another seed, so that
# it has no patient in common with the study, with plain findings and correct labels. It is base
# training ({doc}`/strategies`), and everything that the study does with the network begins where
# this run ends.
#
# Run it alone, for any network that the preset pre-trains:
#
#     papermill notebooks/pretraining.py build/pretraining.ipynb -p preset smoke
#
# It costs as much as base training of as many images; a run that was made before is only read.

# %% tags=["parameters", "hide-input"]
preset: str = "smoke"  # a file in workflow/presets, or a path that ends in .yaml
network: str = "mobilenet-v1"  # one of those that the preset pre-trains

# %% [markdown]
# ## The run

# %% tags=["hide-input"]
from chestkd.pages.parameters import check_parameters
from chestkd.pages.run import open_pretraining

page = open_pretraining(check_parameters())
page.facts()

# %% tags=["hide-input"]
page.curves(
    " on the phantom of the pre-training. The epoch with the highest validation AUC is kept."
)

# %% [markdown]
# ## On test images of its own phantom
#
# None of them is an image of the study.

# %% tags=["hide-input"]
page.aucs()

# %% tags=["hide-input"]
page.intervals()
