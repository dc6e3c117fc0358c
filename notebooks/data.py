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
# It costs less than a minute once the data is prepared.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there and can be decoded

# %% tags=["hide-input"]
import pandas as pd

from chestkd.findings import FINDINGS
from chestkd.pages import figures, html
from chestkd.pages.parameters import check_parameters
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
dataset, split = study.prepared.dataset, study.split
source = study.caption()

# %% [markdown]
# ## What there is

# %% tags=["hide-input"]
table = dataset.table
if study.prepared.left_out:
    names = ", ".join(list(study.prepared.left_out)[:5])
    print(f"{len(study.prepared.left_out)} corrupt files are left out, such as {names}.")
parts = {"training": split.train, "validation": split.validation, "test": split.test}
rows = []
for part, members in {**parts, "all": table.index}.items():
    of_part = table.loc[members]
    rows.append(
        {
            "part": part,
            "images": len(of_part),
            "patients": of_part["patient"].nunique(),
            "without finding": int((dataset.labels[members].sum(axis=1) == 0).sum()),
            "AP share": (of_part["view"] == "AP").mean(),
            "women": (of_part["sex"] == "F").mean(),
            "median age": of_part["age"].median(),
        }
    )
summary = pd.DataFrame(rows)
html.table(
    summary,
    name="data-summary",
    caption=f"Images and patients of the {split.name} split.",
    source=source,
    formats={"images": ",", "patients": ",", "without finding": ",", "AP share": ".2f",
             "women": ".2f", "median age": ".0f"},
)  # fmt: skip

# %% [markdown]
# No patient is in two parts, unless the split is `image-wise`, which exists to show that leak.
# The paper asks for the patient-wise official split and for 70 / 10 / 20 %; the two exclude each
# other, so the split is a parameter.
#
# ## How often each finding occurs

# %% tags=["hide-input"]
counts = pd.Series(dataset.labels.sum(axis=0, dtype=int), index=FINDINGS).sort_values()
html.figure(
    figures.label_counts(dataset, split),
    name="label-counts",
    caption="Images that carry each finding. An image may carry several.",
    source=source,
    alt=f"Bars of label counts, from {counts.index[-1]} with {counts.iloc[-1]:,} images "
    f"down to {counts.index[0]} with {counts.iloc[0]:,}.",
)

# %% [markdown]
# ## Which findings come together
#
# The lift of a pair: how many times more often the two share an image than if they were
# independent. 1 means no association.

# %% tags=["hide-input"]
lift = figures.co_occurrence_lift(dataset.labels).stack()
html.figure(
    figures.co_occurrence(dataset.labels),
    name="co-occurrence",
    caption="Co-occurrence lift of the labels.",
    source=source,
    alt=f"Heat map of the lift of all pairs of findings; the highest, {lift.max():.1f}, is "
    f"{' with '.join(lift.idxmax())}.",
)
