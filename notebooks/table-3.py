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
# # Table 3: AUC of each finding
#
# The six columns of Table 3 in {cite}`ho2020` and, beside them, what this edition measured, each
# {term}`AUC` with its interval from a {term}`bootstrap over patients`. The
# paper's means are computed from its columns; {doc}`paper-audit` lists where the printed ones
# differ. Numbers measured on images other than the paper's do not test the paper: the heading
# of each measured column and the line under the table say which data they come from, and how many
# {term}`effective patients` the intervals rest on.
#
#     papermill notebooks/table-3.py build/table-3.ipynb -p preset quick
#
# It trains nothing and costs seconds.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there and can be decoded

# %% tags=["hide-input"]
from chestkd.evaluation.auc import MEAN
from chestkd.pages import html, table_3
from chestkd.pages.parameters import check_parameters
from chestkd.pages.run_figures import auc_intervals
from chestkd.paper import published
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)

# %% tags=["hide-input"]
measured, missing = table_3.measured_columns(study)
source = study.caption(runs=len(measured))
print("\n".join(missing) or "No cell is missing.")

# %% tags=["hide-input"]
name = study.dataset.name
rows = table_3.table3({f"{title} ({name})": table for title, table in measured.items()})
html.table(
    rows,
    name="table-3",
    caption=f"AUC of each finding: the paper's Table 3, and as measured on {name} "
    "with 95 % intervals over patients.",
    source=source,
    formats=dict.fromkeys(table_3.published_table3(), ".3f"),
)

# %% tags=["hide-input"]
means = "; ".join(
    f"{title} {table.set_index('finding').loc[MEAN, 'auc']:.3f}"
    for title, table in measured.items()
)
shown = "There is no run to draw."
if measured:
    shown = html.figure(
        auc_intervals(measured),
        name="table-3-intervals",
        caption=f"The measured columns, on {name}.",
        source=source,
        alt=f"AUC of each finding with its interval. Means: {means}.",
    )
shown

# %% [markdown]
# ## Elsewhere in the literature
#
# Mean AUCs that are not in the paper's Table 3, most of them published after it. Only numbers that
# we could read are listed, with the place where we read them; we found no per-finding AUCs. Results
# on NIH's {term}`official split` come first. Those on another split are of other test images, and
# those on an image-wise split are of patients that were trained on: neither can be compared with the
# rest, which is why the highest numbers in this table come last.
#
# {cite:t}`wang2017`, {cite:t}`ranjan2018`, {cite:t}`wang2021`, {cite:t}`taslimi2022`,
# {cite:t}`pang2022`, {cite:t}`rajpurkar2017`, {cite:t}`guan2018` and {cite:t}`wang2020`.

# %% tags=["hide-input"]
elsewhere = published.table3_elsewhere()
elsewhere["work"] = elsewhere["work"] + " (" + elsewhere.pop("year").astype(str) + ")"
html.table(
    elsewhere.drop(columns="key").rename(
        columns={"mean_auc": "mean AUC", "size": "input, px", "read_in": "read in"}
    ),
    name="table-3-elsewhere",
    caption="Mean AUC over the 14 findings of ChestX-ray14 in other publications, as published.",
    source=f"Published numbers, not measured here · {source}",
    formats={"mean AUC": ".3f", "input, px": ".0f"},
)
