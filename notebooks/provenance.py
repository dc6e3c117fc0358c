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
# # Where this edition comes from
#
# Every number of this book follows from the runs below and from the images that they were made from.
# Each run left a record beside its weights: what was asked for, when it ended, the commit of the
# code, the packages, the hardware. A commit that ends in `+` had changes that were not committed;
# such a run cannot be made again from the commit alone. In the published edition the records, with
# the test scores, lie in `book/records`, and `make verify` computes its tables from them again
# ({doc}`/reproduce`).
#
#     papermill notebooks/provenance.py build/provenance.ipynb -p preset quick
#
# It trains nothing and takes seconds.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there

# %% tags=["hide-input"]
from IPython.display import Markdown

from chestkd.pages import edition, html, provenance
from chestkd.pages.parameters import check_parameters
from chestkd.study import training_times
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
runs = {planned: study.find(planned) for planned in study.planned()}
made = [run for run in runs.values() if run is not None]
source = study.caption(runs=len(made))
print(f"preset {study.preset.name} on {study.data_name}: {len(made)} of {len(runs)} runs are made")
print("\n".join(training_times.origins(made)))

# %% [markdown]
# ## The data
#
# A fingerprint is a hash of values, not of files: the same images and labels give the same one from
# any mirror. "Prepared" covers the pixels at the study's size, "split" which image is in which part.

# %% tags=["hide-input"]
html.table(
    provenance.data_table(study),
    name="provenance-data",
    caption="The images behind every number of this edition.",
    source=source,
)

# %% [markdown]
# ## The runs
#
# Times are in UTC. The environment is a letter of the table after this one. The seed is the one
# that drew the initial weights, the order of the images and the flips.

# %% tags=["hide-input"]
html.table(
    provenance.runs_table(runs),
    name="provenance-runs",
    caption=f"Every run of preset {study.preset.name}, in the order in which they are made.",
    source=source,
)

# %% [markdown]
# ## The environments

# %% tags=["hide-input"]
shown = Markdown("No run was made.")
if made:
    shown = html.table(
        provenance.environments(runs),
        name="provenance-environments",
        caption="Hardware, backend and packages that made the runs, by the letter used above.",
        source=source,
    )
shown

# %% [markdown]
# ## Each run alone
#
# The workflow executes these notebooks in an order in which every teacher comes before its student
# ({doc}`/reproduce`). Each command makes its run alone, from the folder of the repository, and the
# teacher before it where it is missing.

# %% tags=["hide-input"]
html.table(
    provenance.commands(study, runs),
    name="provenance-commands",
    caption="The command of each run.",
    source=source,
)

# %% [markdown]
# ## How long the stages took
#
# Wall-clock time when each stage last ran, including the start of Python; a run that was made before
# is only read. Pages executed after this one, and the rendering of the book, are missing or of an
# earlier time. Stages that ran side by side add up to more than the whole took.

# %% tags=["hide-input"]
stages = edition.stages(study.folder)
shown = Markdown("No stage was timed: these notebooks were not executed by the workflow.")
if len(stages):
    shown = html.table(
        stages,
        name="provenance-stages",
        caption=f"Stages of preset {study.preset.name}, longest first.",
        source=source,
        formats={"seconds": ".1f"},
    )
shown
