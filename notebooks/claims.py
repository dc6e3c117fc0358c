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
# # What the paper claims, and what was found
#
# Twelve claims of {cite}`ho2020`, what the paper shows for each, what this edition measured, and a
# verdict by a rule that was fixed in advance: a claim says in which range an effect should lie. It is
#
# - **supported** if the 95 % interval of the measured effect lies wholly in that range,
# - **contradicted** if it lies wholly outside,
# - **undecided** otherwise,
# - **not run** where nothing was measured.
#
# Where a claim is about several comparisons, their mean decides; for "the best of all" (C9), every
# one of them does. Where only some of the comparisons were run, the verdict rests on those, and the
# table says how many they are. A verdict applies to the data that it was measured on.
#
# The interval is a {term}`paired <paired interval>` bootstrap: both sides of a comparison are evaluated on the same
# resamples of the patients and, where a study has several seeds, on the same draws of the seeds.
# With one seed it says nothing about training again from another seed; with two or three it tends to
# be too narrow. The interval of a training time (C10) resamples a run's epochs.
#
#     papermill notebooks/claims.py build/claims.ipynb -p preset quick
#
# It trains nothing. It costs seconds, or minutes where a study has a hundred runs.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there

# %% tags=["hide-input"]
from IPython.display import HTML, Markdown
from myst_nb import glue

from chestkd.pages import claim_11, claims, html
from chestkd.pages.parameters import check_parameters
from chestkd.study import table_cells, training_times
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
planned = table_cells.cells(study)
effects = claims.study_effects(study, planned)
ledger = claims.ledger(effects)
runs = table_cells.runs_of(planned)
source = study.caption(runs=len(runs))
HTML(f"<h2>On {study.data_name}, preset {study.preset.name}</h2>")

# %% tags=["hide-input"]
print(
    "\n".join([f"seeds: {', '.join(map(str, study.preset.seeds))}", *training_times.origins(runs)])
)
counted = claims.tally(ledger)
Markdown(
    "\n\n".join([counted, claim_11.origin(study.folder), claims.image_wise_note(study, planned)])
)

# %% [markdown]
# Effects are differences in points (AUC x 100); for C10, a ratio of training times. "Holds" counts
# the comparisons whose effect is on the claim's side of zero (for C10, between 1.5 and 2.5),
# whatever its interval.

# %% tags=["hide-input"]
html.table(
    ledger,
    name="claims",
    caption=f"The claims of the paper, and what was measured on {study.dataset.name}.",
    source=source,
    bold=ledger.apply(lambda column: ledger["verdict"].isin(["supported", "contradicted"]))
    & (ledger.columns == "verdict"),
)

# %% tags=["remove-cell"]
# The book's front page shows this shorter table.
front = html.table(
    ledger[["claim", "the paper says", "verdict"]],
    name="claims-verdicts",
    caption=f"On {study.dataset.name}. {counted.replace('**', '')}",
    source=source,
)
glue("claims-verdicts", front, display=False)

# %% [markdown]
# ## What the verdicts rest on
#
# Every comparison behind a claim: the effect in the paper's tables, and ours. Effects of C1 to C9
# and C12 are differences in mean AUC in points, those of C10 ratios of training times, those of C11
# differences in the share of boxes that are hit. The rows called "mean" have no counterpart in the
# paper's tables.

# %% tags=["hide-input"]
comparisons = claims.comparisons(effects, planned)
html.table(
    comparisons,
    name="claims-comparisons",
    caption=f"Every comparison behind the claims, on {study.dataset.name}.",
    source=source,
    formats=dict.fromkeys(["paper", "effect", "low", "high"], "+.2f"),
)
