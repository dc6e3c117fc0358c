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
# # The data
#
# What the networks are trained and tested on: counts and co-occurrence. An example of every finding
# is in {doc}`figure-3`. On a fresh clone this is the embedded phantom; with
# `make book DATA=folder` it is ChestX-ray14 {cite}`wang2017` or anything in its layout.
#
#     papermill notebooks/data.py build/data.ipynb -p preset quick
#
# It takes less than a minute once the data is prepared.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there and can be decoded

# %% tags=["hide-input"]
from chestkd.pages import data as data_page
from chestkd.pages import html
from chestkd.pages.parameters import check_parameters
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
dataset, split = study.prepared.dataset, study.split
source = study.caption()

# %% [markdown]
# ## What there is

# %% tags=["hide-input"]
if study.prepared.left_out:
    names = ", ".join(list(study.prepared.left_out)[:5])
    print(f"{len(study.prepared.left_out)} corrupt files are left out, such as {names}.")
html.table(
    data_page.summary(dataset, split),
    name="data-summary",
    caption=f"Images and patients of the {split.name} split.",
    source=source,
    formats={"images": ",", "patients": ",", "effective patients": ",.0f", "without finding": ",", "AP share": ".2f",
             "women": ".2f", "median age": ".0f"},
)  # fmt: skip

# %% [markdown]
# A part is worth its {term}`effective patients`: intervals are as wide as those of so many patients
# with equally many images. No patient is in two parts, unless the split is `image-wise`, which exists to show that leak.
# The paper asks both for the official patient-wise split and for 70 / 10 / 20 %; no split is both,
# so it is a parameter of the preset.
#
# ## How often each finding occurs

# %% tags=["hide-input"]
counts = data_page.label_counts(dataset, split)
total = counts.sum(axis=1)
html.figure(
    data_page.draw_label_counts(counts),
    name="label-counts",
    caption="Images labeled with each finding. An image may have several.",
    source=source,
    alt=f"Bars of label counts, from {total.index[-1]} with {total.iloc[-1]:,} images "
    f"down to {total.index[0]} with {total.iloc[0]:,}.",
)

# %% [markdown]
# ## Which findings come together
#
# The lift of a pair: how many times more often the two share an image than if they were
# independent. 1 means no association.

# %% tags=["hide-input"]
lift = data_page.co_occurrence_lift(dataset.labels)
pairs = lift.stack()
html.figure(
    data_page.draw_co_occurrence(lift),
    name="co-occurrence",
    caption="Co-occurrence lift of the labels.",
    source=source,
    alt=f"Heat map of the lift of all pairs of findings; the highest, {pairs.max():.1f}, is "
    f"{' with '.join(pairs.idxmax())}.",
)
