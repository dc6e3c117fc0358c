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
# # Table 1: mean AUC of every strategy
#
# Table 1 of {cite}`ho2020` and, under each printed AUC, what this edition measured. A row is a
# teacher and a student; the first row of each teacher is its own base training. In the reversed
# column the student teaches the teacher, and the AUC is that of the taught teacher; {doc}`paper-audit`
# shows what the other reading would mean.
#
# An {term}`AUC` is the mean over the findings on the {term}`test images` and, where a study has
# several seeds, over the seeds. Its 95 % interval is a {term}`bootstrap over patients`, and over the
# seeds. Three seeds are few: such an interval tends to be too narrow. Numbers measured
# on images other than the paper's do not test the paper; the line under each table says which data
# they come from.
#
#     papermill notebooks/table-1.py build/table-1.ipynb -p preset quick
#
# It trains nothing. It costs seconds, or minutes where a study has a hundred runs.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there

# %% tags=["hide-input"]
from IPython.display import Markdown

from chestkd.pages import html, table_1
from chestkd.pages.parameters import check_parameters
from chestkd.study import table_cells, training_times
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
planned = table_cells.cells(study)
measured = table_cells.mean_aucs(planned, study.preset.resamples)
cells = table_1.table1(study.preset.pairs, planned, measured)
runs = table_cells.runs_of(planned)
source = study.caption(runs=len(runs))
name = study.dataset.name
print(
    "\n".join(
        [
            f"{name}; seeds: {', '.join(map(str, study.preset.seeds))}",
            *training_times.origins(runs),
            table_1.comparability(planned),
        ]
    ).rstrip()
)

# %% [markdown]
# ## In the paper's layout
#
# The difference is measured minus paper, in points (AUC x 100).

# %% tags=["hide-input"]
html.table(
    table_1.table1_layout(cells),
    name="table-1",
    caption=f"The paper's AUC, the AUC measured on {name} with its interval, and their "
    "difference in points.",
    source=source,
)

# %% [markdown]
# ## What is missing

# %% tags=["hide-input"]
Markdown("\n".join(table_1.missing(cells)) or "Every cell has all its runs.")

# %% [markdown]
# ## Cell by cell
#
# The same numbers, one row a cell, with the network that was trained and the one that taught it.
# The deviation is that between seeds, in points. As in the paper's table, base training and
# self-training appear once under each teacher.

# %% tags=["hide-input"]
FORMATS = {"paper": ".4f", "difference": "+.2f", "deviation": ".2f"}
html.table(
    cells,
    name="table-1-cells",
    caption=f"Cell by cell, measured on {name}.",
    source=source,
    formats=FORMATS | dict.fromkeys(["measured", "low", "high"], ".4f"),
)

# %% [markdown]
# ## How much two runs of one procedure differ
#
# A network that teaches itself goes through the same procedure under three names: self-training,
# standard and reversed distillation. The paper prints three AUCs for DenseNet-121. Here the three
# share their teacher and start from different seeds, so their spread, in points, is the noise
# between runs against which differences between single runs should be judged.

# %% tags=["hide-input"]
noise = table_1.noise(measured)
deviation, freedom = table_1.pooled_deviation(noise)
if freedom:
    print(
        f"Standard deviation between runs: {deviation:.2f} points ({freedom} degrees of freedom). "
        f"Two such runs differ by {2**0.5 * 1.96 * deviation:.2f} points or less in 95 of 100 cases,"
        " if this deviation is the true one and the noise is normal."
    )
else:
    print(f"No network in preset {study.preset.name} taught itself under two of these names.")
html.table(
    noise,
    name="table-1-noise",
    caption=f"AUC of one procedure under its three names, in the paper and on {name}.",
    source=source,
    formats=dict.fromkeys(table_1.ONE_PROCEDURE, ".4f") | {"range": ".2f", "deviation": ".2f"},
)
